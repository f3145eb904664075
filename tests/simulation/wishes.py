"""What the operator wants: random manifests, and the changes that people make to them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from runner.jobs import Body, Entry, content_digest

MODELS = ("gen3a_turbo", "gen4_turbo", "gen4.5")
IMAGES = ("lamp", "chair", "vase", "sofa")
PROMPTS = ("slow push in", "orbit left", "rain", "golden hour", "static shot")


@dataclass(frozen=True, slots=True)
class Wish:
    """One entry as the operator thinks of it: the same `uid` through every change.

    `revision` counts the changes of what would be paid for. `id` is "" where the image gives it,
    `prompt` is "" where the default holds.
    """

    uid: int
    id: str
    image: str
    model: str
    duration: int
    prompt: str = ""
    revision: int = 0

    def body(self, default: str) -> Body:
        """The request that this wish stands for."""
        return {
            "promptImage": f"https://cdn.example.com/{self.image}.jpg",
            "model": self.model,
            "promptText": self.prompt or default,
            "duration": self.duration,
        }


class Wishes:
    """A manifest in the operator's head, and how it changes."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._uids = 0
        self._removed: list[Wish] = []
        self._made_up = 0
        self.default = "slow push in"
        self.prices: Mapping[str, int | None] = {
            model: dice.choice((None, 320_000, 500_000)) for model in MODELS
        }
        self.list: list[Wish] = []
        for _ in range(dice.choice((1, 2, 3, 4, 5, 6))):
            self._insert()
        if dice.random() < 0.3:  # one image, several settings
            for prompt in dice.sample(PROMPTS, dice.randint(2, 3)):
                self._add(Wish(0, "", dice.choice(IMAGES), "gen4_turbo", 5, prompt))

    def entries(self) -> tuple[Entry, ...]:
        """The manifest as the runner reads it; derived ids are numbered in its order."""
        taken = {wish.id for wish in self.list if wish.id}
        made = []
        for line, wish in enumerate(self.list, 1):
            id, derived = wish.id, ""
            if not id:
                id = derived = wish.image
                number = 1
                while id in taken:
                    number += 1
                    id = f"{derived}-{number}"
                taken.add(id)
            body = wish.body(self.default)
            cost = self.prices[wish.model]
            made.append(Entry(id, derived, body, content_digest(body), cost, "catalog.yaml", line))
        return tuple(made)

    def change(self) -> str:
        """Change one thing, as a person edits a manifest between two runs; says what."""
        act = self._dice.choice(
            ("edit", "edit", "default", "insert", "remove", "reorder", "rename", "restore")
        )
        if self._removed and self._dice.random() < 0.3:
            act = "restore"
        place = self._dice.randrange(len(self.list)) if self.list else -1
        match act:
            case "insert":
                self._insert()
            case "default":
                self.default = self._dice.choice(PROMPTS)
                self.list = [
                    wish if wish.prompt else replace(wish, revision=wish.revision + 1)
                    for wish in self.list
                ]
            case "restore" if self._removed:
                back = self._removed.pop()
                if not any(back.id and wish.id == back.id for wish in self.list):
                    self._put(replace(back, revision=back.revision + 1))
            case "reorder":
                self._dice.shuffle(self.list)
            case "remove" if len(self.list) > 1:
                self.remove()
            case "rename" if self.list:
                self.list[place] = replace(self.list[place], id=self._new_id())
            case "edit" if self.list:
                old = self.list[place]
                prompt = f"{self._dice.choice(PROMPTS)} {self._dice.randrange(3)}"
                self.list[place] = replace(old, prompt=prompt, revision=old.revision + 1)
            case _:
                return "left alone"
        return act

    def remove(self) -> None:
        """Delete an entry."""
        if len(self.list) > 1:
            self._removed.append(self.list.pop(self._dice.randrange(len(self.list))))

    def _insert(self) -> None:
        dice = self._dice
        if self.list and dice.random() < 0.2:  # the same content twice
            twin = dice.choice(self.list)
            id = self._new_id() if twin.id else ""
            self._add(replace(twin, id=id, revision=0))
            return
        id = self._new_id() if dice.random() < 0.6 else ""
        image = dice.choice(IMAGES) if not id or dice.random() < 0.3 else id
        prompt = dice.choice(("", dice.choice(PROMPTS)))
        self._add(Wish(0, id, image, dice.choice(MODELS), dice.choice((5, 10)), prompt))

    def _new_id(self) -> str:
        """A free id: sometimes that of an entry removed earlier, or one like a derived one."""
        used = {wish.id for wish in self.list}
        old = [wish.id for wish in self._removed if wish.id and wish.id not in used]
        if old and self._dice.random() < 0.3:
            return self._dice.choice(old)
        derived = f"{self._dice.choice(IMAGES)}-{self._dice.randint(2, 3)}"
        if derived not in used and self._dice.random() < 0.15:
            return derived
        self._made_up += 1
        return f"item-{self._made_up:02}"

    def _add(self, wish: Wish) -> None:
        self._uids += 1
        self._put(replace(wish, uid=self._uids))

    def _put(self, wish: Wish) -> None:
        self.list.insert(self._dice.randint(0, len(self.list)), wish)
