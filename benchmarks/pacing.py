"""How well `concurrency: auto` finds a provider's hidden slots. From the top folder:

python -m benchmarks.pacing            the table
python -m benchmarks.pacing --quick    one world of a kind instead of eight, and no picture
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from benchmarks.pacing_simulation import DAY, HOUR, Figures, Span, World, play

PICTURE = Path(__file__).with_suffix(".svg")
HEAD = (
    "| beyond its slots | slots | provider | slots used | refused | to 90 % | refused before |\n"
    "|---|---|---|---|---|---|---|"
)


def bursts(time: float, seed: int = 7) -> list[Span]:
    """One burst of 10 to 60 s at a random moment of each hour."""
    dice = random.Random(seed)
    begins = [(n + dice.random()) * HOUR for n in range(int(time / HOUR))]
    return [(begin, begin + dice.uniform(10, 60)) for begin in begins]


def worlds() -> list[World]:
    """Hidden slots of both kinds, alone and with a burst an hour; then all that may change."""
    runs = [(n * HOUR - 600, n * HOUR) for n in range(1, 12)]
    steady = [
        World(name, slots, queues, time, bursts=spans)
        for queues in (False, True)
        for slots, time in ((1, DAY), (5, DAY), (20, DAY / 2), (100, DAY / 4))
        for name, spans in (("steady", []), ("a burst an hour", bursts(time)))
    ]
    return [
        *steady,
        World("bursts that refuse half", 20, bursts=bursts(DAY / 2), burst_chance=0.5),
        World("20, then 40", 20, change=(4 * HOUR, 40), warm_up=6 * HOUR),
        World("20, then 40", 20, queues=True, change=(4 * HOUR, 40), warm_up=6 * HOUR),
        World("20, then 8", 20, change=(4 * HOUR, 8), warm_up=5 * HOUR),
        World("20, then 8", 20, queues=True, change=(4 * HOUR, 8), warm_up=5 * HOUR),
        World("1, then 20", 1, time=DAY, change=(4 * HOUR, 20), warm_up=12 * HOUR),
        World("1, then 20", 1, queues=True, time=DAY, change=(4 * HOUR, 20), warm_up=12 * HOUR),
        World("runs of 50 min", 20, stops=runs),
        World("runs of 50 min", 20, queues=True, stops=runs),
        World("2,000 a day", 20, daily=2000, time=3 * DAY, warm_up=DAY),
        World("10,000 a day", 20, daily=10_000, time=3 * DAY, warm_up=DAY),
    ]


def again(world: World, seed: int) -> World:
    """Another world of the same kind."""
    return replace(world, seed=seed, bursts=bursts(world.time, seed) if world.bursts else ())


def row(world: World, found: Sequence[Figures]) -> str:
    """One line of the table, in Markdown: the mean of several worlds, and the worst of them."""
    used = [each.used_share for each in found]
    refused = [each.refused_share for each in found]
    begun = world.change[0] if world.change else 0.0
    full = [each.full_at - begun for each in found]
    early = [each.refused_early for each in found]
    share = f"{fmean(used):.1%} ({min(used):.1%})"
    if world.daily:
        allowance = world.daily * (world.time - world.warm_up) / DAY
        share = f"{fmean(each.accepted for each in found) / allowance:.1%} of the allowance"
    cells = (
        "THROTTLED" if world.queues else "429",
        str(world.change[1] if world.change else world.slots),
        world.name,
        share,
        f"{fmean(refused):.2%} ({max(refused):.2%})",
        f"{_time(fmean(full))} ({_time(max(full))})",
        f"{fmean(early):.0f} ({max(early)})",
    )
    return f"| {' | '.join(cells)} |"


def _time(seconds: float) -> str:
    if seconds == 0:
        return "at once"
    return f"{seconds:.0f} s" if seconds < 300 else f"{seconds / 60:.0f} min"


def draw(path: Path) -> None:
    """The level over time, for a few worlds."""
    import matplotlib  # noqa: PLC0415 - an extra, needed only for the picture

    matplotlib.use("svg")
    matplotlib.rcParams["svg.fonttype"] = "none"
    matplotlib.rcParams["svg.hashsalt"] = "the same picture each time"
    from matplotlib import pyplot  # noqa: PLC0415 - after the choice of the backend

    shown = (
        World("100 slots, 429", 100, time=HOUR),
        World("100 slots, THROTTLED", 100, queues=True, time=HOUR),
        World("20 slots, then 40, 429", 20, time=3 * HOUR, change=(HOUR, 40)),
        World("20 slots, then 8, 429", 20, time=3 * HOUR, change=(HOUR, 8)),
        World("20 slots, 429, a burst of 60 s", 20, time=HOUR, bursts=[(1800, 1860)]),
        World("20 slots, closed from 1 h to 3 h", 20, time=4 * HOUR, bursts=[(HOUR, 3 * HOUR)]),
    )
    figure, axes = pyplot.subplots(3, 2, figsize=(10, 8), layout="constrained")
    for axis, world in zip(axes.flat, shown, strict=True):
        levels = play(world).levels
        times = [time / 60 for time, _ in levels]
        axis.step([*times, world.time / 60], [*(n for _, n in levels), levels[-1][1]], where="post")
        change, slots = world.change or (world.time, world.slots)
        axis.step(
            [0, change / 60, world.time / 60],
            [world.slots, slots, slots],
            where="post",
            color="grey",
            linestyle=":",
        )
        for begin, end in world.bursts:
            axis.axvspan(begin / 60, end / 60, color="tab:red", alpha=0.2, linewidth=0)
        axis.set(title=world.name, xlabel="minutes", ylabel="level", ylim=(0, None))
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one world of a kind")
    quick = parser.parse_args().quick
    print(HEAD)
    for world in worlds():
        found = [play(again(world, seed)) for seed in range(1, 2 if quick else 9)]
        print(row(world, found), flush=True)


if __name__ == "__main__":
    main()
