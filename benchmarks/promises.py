"""What the project promises of its speed, held against the kept figures. Pure.

A promise whose figures are not there is left out, not counted as kept.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks import tables
from benchmarks.compare import BARE, BARE_DEFAULT, RUNNER, RUNNER_DEFAULT, SDK

WALL = {20: 1.06, 300: 1.06, 1000: 1.06, 5000: 1.10}


class Promise(NamedTuple):
    """A figure and the most that it may be."""

    words: str
    measured: float
    most: float

    @property
    def kept(self) -> bool:
        """Whether it holds."""
        return self.measured <= self.most


def table(kept: Mapping[str, Any]) -> str:
    """Every promise that the kept figures speak of."""
    lines = [
        [each.words, f"{each.measured:.3g}", f"{each.most:.3g}", "yes" if each.kept else "**no**"]
        for each in promises(kept)
    ]
    return tables.table(("promise", "measured", "at most", "holds"), lines)


def promises(kept: Mapping[str, Any]) -> Iterator[Promise]:
    """Each promise with its figure: medians where there are several rounds."""
    rows = {part: content["rows"] for part, content in kept.items()}
    if "compare" in rows:
        yield from _compared(rows["compare"])
    if "polls" in rows:
        polls = rows["polls"]
        yield Promise("10,000 polls: lateness p99, s", polls["late_p99"], 1.0)
        yield Promise("10,000 polls: part of one core", polls["core"], 1.0)
        yield Promise("10,000 polls: peak MB", polls["peak_mb"], 150)
    if "start" in rows:
        ratios = [row["version"] / row["python"] for row in rows["start"]]
        yield Promise("`runner --version` ÷ `python -c pass`", statistics.median(ratios), 10)
    if "idle" in rows:
        yield from _idle(rows["idle"])
    if "progress" in rows:
        cost = statistics.median(row["live"] / row["none"] - 1 for row in rows["progress"])
        yield Promise("live view: part of the run's CPU", cost, 0.03)
    for row in rows.get("kills", []):
        if row["client"] == "runner":
            yield Promise("paid twice after kills", row["charged_twice"], 0)
            yield Promise("paid for and lost after kills", row["lost"], 0)


def _compared(rows: Sequence[Mapping[str, Any]]) -> Iterator[Promise]:
    for level in sorted({row["level"] for row in rows}):
        own = [row for row in rows if row["level"] == level]
        wall = {label: _median(own, label, "wall_over_ideal") for label in _labels(own)}
        ours = wall.get(RUNNER.label)
        if ours and level in WALL:
            yield Promise(f"{level} in flight, every 1 s: wall ÷ ideal", ours, WALL[level])
        default, sdk = wall.get(RUNNER_DEFAULT.label), wall.get(SDK.label)
        if default and sdk:
            words = f"{level} in flight, default: excess over ideal ÷ the SDK's"
            yield Promise(words, (default - 1) / (sdk - 1), 0.5)
        rivals = [wall[label] for label in wall if label not in _NOT_PEERS]
        if ours and rivals:
            yield Promise(f"{level} in flight: wall ÷ the best peer's", ours / min(rivals), 1.0)
        if level == 1000:
            yield from _cpu(own)


_NOT_PEERS = {RUNNER.label, RUNNER_DEFAULT.label, BARE.label, BARE_DEFAULT.label}


def _cpu(rows: Sequence[Mapping[str, Any]]) -> Iterator[Promise]:
    for ours, other, name, most in (
        (RUNNER, BARE, "the bare loop's", 1.3),
        (RUNNER_DEFAULT, BARE_DEFAULT, "the bare loop's", 1.3),
        (RUNNER_DEFAULT, SDK, "the SDK's", 0.1),
    ):
        own = [row for row in rows if row["label"] == ours.label]
        if ratios := tables.cpu_ratios(rows, own, _labelled(other.label)):
            words = f"1000 in flight, {ours.label.partition(', ')[2]}: CPU ÷ {name}"
            yield Promise(words, statistics.median(ratios), most)


def _idle(rows: Sequence[Mapping[str, Any]]) -> Iterator[Promise]:
    for kind, most in (("csv", 3.0), ("yaml", 12.0)):
        own = [row for row in rows if row["kind"] == kind]
        if own:
            wall = statistics.median(row["wall"] for row in own)
            yield Promise(
                f"nothing to do, {own[0]['jobs']:,} jobs of {kind.upper()}, s", wall, most
            )


def _labelled(label: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda row: bool(row["label"] == label)


def _labels(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["label"] for row in rows))


def _median(rows: Sequence[Mapping[str, Any]], label: str, name: str) -> float:
    return statistics.median(float(row[name]) for row in rows if row["label"] == label)
