"""The computer that a run works on: it can die at any named point, and then does nothing more."""

from __future__ import annotations

import random
from collections.abc import Callable

from runner.events import Event


class Crash(BaseException):
    """The process is dead from here on; what still unwinds has no effect."""


PHASES = ("opening", "admission", "recovery", "closing")
MOMENTS = ("statement", "before commit", "after commit")
NETWORK = (
    "submit leaves",
    "submit in the air",
    "charged, before the answer",
    "answer to submit, before its commit",
    "poll leaves",
    "poll answered, before its commit",
)
FILES = (
    "folder made",
    "piece written",
    "before file sync",
    "after file sync",
    "before link or rename",
    "after link or rename",
    "before folder sync",
    "after folder sync",
    "before unlink",
    "after unlink",
    "video home, before its commit",
)
APPENDING = ("piece written", "before file sync", "after file sync", "before folder sync")
FREQUENT = ("SubmitStarted", "Accepted", "StillRunning", "Rendered", "Saved")
EVENTS = tuple(sorted(kind.__name__ for kind in Event.__args__))
MOMENT = "a moment"
_STORING = ("Accepted: ", "answer to submit")


def draw_point(dice: random.Random) -> str:
    """A point to die at: every kind is likely, however often runs pass by it."""
    match dice.randrange(12):
        case 0 | 1:
            return f"{dice.choice(PHASES)}: {dice.choice(MOMENTS)}"
        case 2 | 3 | 4:
            return f"{dice.choice(FREQUENT)}: {dice.choice(MOMENTS)}"
        case 5:
            return f"{dice.choice(EVENTS)}: {dice.choice(MOMENTS)}"
        case 6 | 7:
            return dice.choice(NETWORK)
        case 8 | 9 | 10:
            return dice.choice(FILES)
        case _:
            return MOMENT


def draw_point_of(dice: random.Random, command: str) -> str:
    """A point of a command that sends nothing: its start, its commits, its archive."""
    moment = dice.choice(MOMENTS)
    match command:
        case "prune" if dice.random() < 0.6:
            return dice.choice((*APPENDING, *["prune: after commit"] * 3))
        case "forget" if dice.random() < 0.3:
            return f"Forgotten: {moment}"
        case "retry" if dice.random() < 0.8:
            return f"RetryOrdered: {moment}"
        case "doctor" if dice.random() < 0.8:
            return f"FileMissed: {moment}"
        case "resolve" if dice.random() < 0.8:
            return f"{dice.choice(('FoundRemote', 'ConfirmedUnpaid', 'Abandoned'))}: {moment}"
        case _:
            return f"{dice.choice((command, command, 'opening'))}: {moment}"


class Machine:
    """Counts the points that a run passes, and dies at the one it was armed for.

    `phase` and `event` say what the present commit belongs to. `on_death` is called at the very
    instant, before anything unwinds. `unstored` is the task id of an answer that was received and
    not committed: anything that happens meanwhile is a breach.
    """

    def __init__(
        self,
        on_death: Callable[[str], None],
        on_breach: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._on_death = on_death
        self._on_breach = on_breach
        self._clock = clock
        self._received_at = 0.0
        self.dead = False
        self.full = False
        self.armed = ""
        self.left = 0
        self._filling = False
        self.phase = "opening"
        self.event = ""
        self.unstored = ""

    def start(self, armed: str = "", nth: int = 1, *, filling: bool = False) -> None:
        """Boot again, to die at the nth passing of a point, if one is named.

        `filling`: nothing dies there, but the disk is full from then on.
        """
        self.dead, self.full, self.armed, self.left = False, False, armed, nth
        self._filling = filling
        self.phase, self.event, self.unstored = "opening", "", ""

    def point(self, name: str) -> None:
        """Pass a point, alive or for the last time."""
        if self.dead:
            raise Crash(name)
        if self.unstored and not name.startswith(_STORING):
            self._on_breach(f"{name!r} while the id {self.unstored} was not yet committed")
        if name == self.armed:
            self.left -= 1
            if not self.left and self._filling:
                self.full = True
            elif not self.left:
                self.die(name)

    def received(self, task_id: str) -> None:
        """An answer with a task id came: until it is committed nothing else may happen."""
        self.unstored, self._received_at = task_id, self._clock()

    def stored(self) -> None:
        """The id is committed."""
        if self.unstored and self._clock() != self._received_at:
            self._on_breach(f"time passed before the id {self.unstored} was committed")
        self.unstored = ""

    def die(self, name: str) -> None:
        """Lose power, or be killed, here and now."""
        self.dead = True
        self.unstored = ""
        self._on_death(name)
        raise Crash(name)

    def commit_point(self, moment: str) -> None:
        """Pass a point of a transaction, named by what is committed."""
        label = self.phase
        if self.event and not (label == "recovery" and self.event in {"Lost", "RiskAccepted"}):
            label = self.event
        self.point(f"{label}: {moment}")
