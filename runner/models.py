"""What each known video model takes: a table of facts, and the one check that reads it.

Prompt, ratio, duration, seed and watermark are named as the manifest names them. A model that is
not in the table is passed through unchecked: the provider knows more models than this file.

Sources: `gen3a_turbo` is CometAPI's page "Create a Runway image-to-video task"; the others are the
`image_to_video` schemas of Runway's own Python SDK (runwayml 5.24), where the ratio is required,
with the durations of its models page. Runway's seeds are 32-bit. The shapes of images are those of
Runway's refusals ("width / height ratio must be at least 0.5") as its clients quote them; of other
houses' models none are known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from runner.jobs import Scalar

DEFAULT_MODEL = {"cometapi": "gen3a_turbo", "sandbox": "gen3a_turbo", "runway": "gen4_turbo"}


_FEW = 3


class Problem(NamedTuple):
    """One value that a model would refuse: the field's name, what is wrong, the nearest right."""

    field: str
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """What one model takes. Durations in seconds, ratios as width:height in pixels.

    `utf16` counts the prompt in UTF-16 code units instead of characters. `fills` is what the
    model's schema requires and we send when the user did not say. `default_duration` is what the
    provider makes of a request without one, None where no source tells. `shapes` are the least and
    the greatest width / height of an image. `retired` is the day on which Runway's own API stopped
    serving the model.
    """

    name: str
    durations: tuple[int, ...]
    ratios: tuple[str, ...]
    prompt_limit: int = 1000
    utf16: bool = True
    prompt_required: bool = False
    seed_max: int = 2**32 - 1
    watermark: bool = False
    fills: Mapping[str, Scalar] = field(default_factory=lambda: {"ratio": "1280:720"})
    default_duration: int | None = None
    shapes: tuple[float, float] = (0.0, math.inf)
    retired: str = ""

    def prompt_length(self, prompt: str) -> int:
        """The prompt's length as this model counts it."""
        return len(prompt.encode("utf-16-le")) // 2 if self.utf16 else len(prompt)

    def problems(self, values: Mapping[str, Scalar]) -> Iterator[Problem]:
        """What this model would refuse in the values of one job, by field name."""
        prompt, seed = values.get("prompt"), values.get("seed")
        duration, ratio = values.get("duration"), values.get("ratio")
        if prompt is None:
            if self.prompt_required:
                yield Problem("prompt", f"{self.name} requires a prompt")
        elif len(str(prompt)) * 2 > self.prompt_limit:
            length = self.prompt_length(str(prompt))
            if length > self.prompt_limit:
                unit = "UTF-16 code units" if self.utf16 else "characters"
                message = f"{length} {unit} long; {self.name} takes at most {self.prompt_limit}"
                yield Problem("prompt", message)
        if isinstance(seed, int) and seed > self.seed_max:
            yield Problem("seed", f"{seed} is out of range; {self.name} takes 0 to {self.seed_max}")
        if isinstance(duration, int) and duration not in self.durations:
            near = min(self.durations, key=lambda known: abs(known - duration))
            message = f"{duration} is not a duration of {self.name}; {listed(self.durations)}"
            yield Problem("duration", message, f"did you mean {near}?")
        if isinstance(ratio, str) and ratio not in self.ratios:
            message = f"{ratio} is not a ratio of {self.name}; {listed(self.ratios)}"
            yield Problem("ratio", message, f"did you mean {nearest_ratio(ratio, self.ratios)}?")


def listed(values: tuple[object, ...]) -> str:
    """Name the choices: "it must be 8", "2 to 10", "one of 5, 10"."""
    if len(values) == 1:
        return f"it must be {values[0]}"
    whole = [value for value in values if isinstance(value, int)]
    if len(whole) > _FEW and whole == list(range(whole[0], whole[-1] + 1)):
        return f"{whole[0]} to {whole[-1]}"
    return "one of " + ", ".join(map(str, values))


def nearest_ratio(ratio: str, ratios: tuple[str, ...]) -> str:
    """The ratio whose shape is nearest to the given one; the first where that has no shape."""
    wanted = _shape(ratio)
    if wanted is None:
        return ratios[0]
    return min(ratios, key=lambda known: abs((_shape(known) or 0.0) - wanted))


def _shape(ratio: str) -> float | None:
    """Width against height on a scale where portrait and landscape are as far from square."""
    match = re.fullmatch(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})", ratio)
    return math.log(int(match[1]) / int(match[2])) if match else None


_GEN4_RATIOS = ("1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672")
_VEO_RATIOS = ("1280:720", "720:1280", "1920:1080", "1080:1920")
_TWO_TO_TEN = tuple(range(2, 11))
_RUNWAY_SHAPES = (0.5, 2.0)

KNOWN: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            "gen3a_turbo",
            durations=(5, 10),
            ratios=(*_GEN4_RATIOS, "1280:768", "768:1280"),
            prompt_limit=512,
            utf16=False,
            seed_max=999_999_999,
            watermark=True,
            fills={},
            default_duration=5,
            shapes=_RUNWAY_SHAPES,
            retired="2026-07-30",
        ),
        Model("gen4_turbo", durations=_TWO_TO_TEN, ratios=_GEN4_RATIOS, shapes=_RUNWAY_SHAPES),
        Model(
            "gen4.5",
            durations=_TWO_TO_TEN,
            ratios=_GEN4_RATIOS,
            prompt_required=True,
            fills={"ratio": "1280:720", "duration": 5},
            shapes=_RUNWAY_SHAPES,
        ),
        Model("veo3.1", durations=(4, 6, 8), ratios=_VEO_RATIOS),
        Model("veo3.1_fast", durations=(4, 6, 8), ratios=_VEO_RATIOS),
        Model("veo3", durations=(8,), ratios=_VEO_RATIOS, default_duration=8),
    )
}

RATIOS = tuple(dict.fromkeys(ratio for model in KNOWN.values() for ratio in model.ratios))
