"""What a simulation counts, so that its result can be stated in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Counts:
    """Totals over one or many worlds."""

    worlds: int = 0
    runs: int = 0
    charges: int = 0
    videos: int = 0
    requests: int = 0
    power_cuts: int = 0
    crashes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Take another count into this one."""
        for name in ("worlds", "runs", "charges", "videos", "requests", "power_cuts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("crashes", "faults", "acts"):
            getattr(self, name).update(getattr(other, name))

    def text(self) -> str:
        """The totals, for people; crashes by the kind of point, faults by call and kind."""
        crashes = sum(self.crashes.values())
        kinds: Counter[str] = Counter()
        for point, number in self.crashes.items():
            kinds[kind_of(point)] += number
        lines = [
            f"{self.worlds:,} worlds, {self.runs:,} runs, {self.requests:,} requests, "
            f"{self.charges:,} charges, {self.videos:,} videos",
            f"{crashes:,} crashes, {self.power_cuts:,} of them power cuts, "
            f"at {len(self.crashes)} points:",
            *_table(kinds),
            f"{sum(self.faults.values()):,} injected faults of {len(self.faults)} kinds:",
            *_table(self.faults),
            "between and during runs:",
            *_table(self.acts),
        ]
        return "\n".join(lines)


def kind_of(point: str) -> str:
    """The kind of a crash point: commits of single events count together."""
    place, _, moment = point.partition(": ")
    return f"a commit: {moment}" if moment and place[:1].isupper() else point


def _table(counts: Counter[str]) -> list[str]:
    return [f"  {number:>9,}  {name}" for name, number in sorted(counts.items())]
