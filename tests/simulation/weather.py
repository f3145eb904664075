"""What goes wrong at the provider: faults at random, and bursts in which everything does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from runner.sandbox import Fault
from runner.sandbox.faults import CALLS, kinds_of
from simulation.counts import Counts

_CODES = ("INTERNAL", "SAFETY.INPUT.TEXT", "INTERNAL.BAD_OUTPUT.CODE01", "ASSET.INVALID")


@dataclass(frozen=True, slots=True)
class Climate:
    """How often each call goes wrong, in which ways, and how far apart bursts are (seconds)."""

    rates: Mapping[str, float]
    kinds: Mapping[str, tuple[str, ...]]
    burst_every: float

    @classmethod
    def draw(cls, dice: random.Random) -> Climate:
        """A climate: some worlds are mild, some know a few kinds of fault, some know all."""
        kinds = {}
        for call in CALLS:
            every = sorted(kinds_of(call))
            number = dice.choice((1, 3, len(every)))
            kinds[call] = tuple(sorted(dice.sample(every, min(number, len(every)))))
        rates = {call: dice.choice((0.0, 0.05, 0.15, 0.3)) for call in CALLS}
        rates["task"] = dice.choice((0.0, 0.1, 0.3))
        return cls(rates, kinds, dice.choice((150.0, 600.0, float("inf"))))


class Weather:
    """Stands in for the sandbox's fault picker, and knows the time."""

    def __init__(
        self,
        climate: Climate,
        dice: random.Random,
        clock: Callable[[], float],
        counts: Counts,
    ) -> None:
        self.calm = False
        self._climate = climate
        self._dice = dice
        self._clock = clock
        self._counts = counts
        self._burst_from = clock() + self._gap()
        self._burst_until = self._burst_from
        self._burst: tuple[tuple[str, ...], Mapping[str, str]] = ((), {})

    def pick(self, call: str, texts: Iterable[str]) -> Fault | None:
        """The fault that hits this call, or None."""
        if self.calm:
            return None
        kind = self._burst_kind(call) or self._usual_kind(call)
        if not kind:
            return None
        self._counts.faults[f"{call}:{kind}"] += 1
        return Fault(call, kind, self._argument(call, kind))

    def _usual_kind(self, call: str) -> str:
        if self._dice.random() >= self._climate.rates[call]:
            return ""
        return self._dice.choice(self._climate.kinds[call])

    def _burst_kind(self, call: str) -> str:
        now = self._clock()
        if now >= self._burst_until:
            if now < self._burst_from or self._climate.burst_every == float("inf"):
                return ""
            self._begin(now)
        calls, kinds = self._burst
        return kinds[call] if call in calls else ""

    def _begin(self, now: float) -> None:
        self._burst_until = now + self._dice.uniform(5, 120)
        self._burst_from = self._burst_until + self._gap()
        wire = ("submit", "poll", "feed", "film")
        calls = self._dice.choice((wire, ("submit",), ("poll", "feed"), ("film",)))
        self._burst = calls, {call: self._dice.choice(sorted(kinds_of(call))) for call in wire}
        self._counts.acts["everything goes wrong for a while"] += 1

    def _gap(self) -> float:
        every = self._climate.burst_every
        return 0.0 if every == float("inf") else self._dice.expovariate(1 / every)

    def _argument(self, call: str, kind: str) -> str:
        match kind:
            case "slow":
                return f"{self._dice.choice((2, 20, 50, 140, 200))}"
            case "429-retry-after" | "429-retry-date":
                return f"{self._dice.randint(1, 60)}"
            case "failed":
                return self._dice.choice(_CODES)
            case "throttled" if call == "task":
                return f"{self._dice.randint(5, 120)}"
            case _:
                return ""
