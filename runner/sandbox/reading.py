"""Reads what a person types: durations, ranges of them, and names with a hint when one is wrong."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Span:
    """A range of seconds, both ends included; a value is drawn from it evenly."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Raise `ValueError` for a negative or upside-down range."""
        if not 0 <= self.low <= self.high < float("inf"):
            raise ValueError(f"{self.low:g}s..{self.high:g}s is not a range: low end first, from 0")

    @classmethod
    def parse(cls, text: str) -> Span:
        """Read "3s", "2s..6s", "500ms", "1m..2m" or plain seconds; raises `ValueError`."""
        low, dots, high = text.partition("..")
        return cls(parse_seconds(low), parse_seconds(high if dots else low))

    def draw(self, dice: random.Random) -> float:
        """A number of seconds from the range."""
        return dice.uniform(self.low, self.high)


def parse_seconds(text: str) -> float:
    """Seconds from "90", "1.5s", "500ms", "2m" or "1h"; raises `ValueError` otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?|\.\d+)\s*(ms|s|m|h|)", text.strip(), re.ASCII)
    if not match:
        raise ValueError(f"{text!r} is not a duration: write 3s, 500ms, 2m or 1h")
    return float(match[1]) * _UNITS[match[2]]


def not_one_of(what: str, given: str, allowed: Iterable[str]) -> str:
    """An error text: the nearest right name, when there is one, and all that is allowed."""
    names = list(allowed)
    near = get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    return f"{given!r} is not a {what}{hint} Allowed: {', '.join(names)}"
