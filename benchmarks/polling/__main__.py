"""How near the runner's polls come to the fewest there can be; see ../README.md, When to ask."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from benchmarks.polling.laws import LAWS, Cost, Exact
from benchmarks.polling.optimum import fewest, optimum
from benchmarks.polling.plot import Picture, draw
from benchmarks.polling.ways import GAP, drifting, fixed, learned, official, ours
from runner import polling

HISTORIES = 40
COUNTS = (0, 1, 2, 5, 10, 20, 35, 50, 100, 200)
DRIFTS: dict[str, Callable[[int], float]] = {
    "twice as slow": lambda number: 1 if number < 200 else 2,
    "five times as slow": lambda number: 1 if number < 200 else 5,
    "twice as fast": lambda number: 1 if number < 200 else 0.5,
    "1 % slower every 4": lambda number: 1 + number / 400,
    "1.6 times, by turns of 50": lambda number: 1 if number // 50 % 2 == 0 else 1.6,
}
WINDOWS = tuple(
    range(*pair) for pair in ((150, 200), (200, 210), (210, 230), (230, 270), (270, 350))
)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.polling", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few histories: does it work?")
    parser.add_argument("--histories", type=int, default=HISTORIES)
    parser.add_argument("--jitter", type=float, default=0.0, help="the engine's, in gaps")
    parser.add_argument(
        "--set", nargs=2, metavar=("NAME", "VALUE"), help="a constant of runner/polling.py"
    )
    options = parser.parse_args()
    if options.set:
        name, value = options.set
        setattr(polling, name, type(getattr(polling, name))(value))
    histories = 2 if options.quick else options.histories
    laws(histories, (0, 5, 50) if options.quick else COUNTS, options.jitter)
    drifts(2 if options.quick else max(2, histories // 4))


def picture(path: Path) -> None:
    """Draw the curves of the laws that do not change, as SVG. Needs matplotlib."""
    draw(laws(HISTORIES, COUNTS, 0.0), path)


def laws(histories: int, counts: tuple[int, ...], jitter: float) -> dict[str, Picture]:
    """The table of the laws that do not change."""
    print("| law | way | polls | mean lag | 95 % lag | optimum's polls | ratio |")
    print("|---|---|---|---|---|---|---|")
    pictures = {}
    for law in LAWS.values():
        exact, curve = Exact(law), optimum(law, GAP)
        sdk = official(law, 1, 20_000)
        _row(law.name, "official SDK", sdk, curve)
        known = [learned(law, seed, counts, jitter) for seed in range(histories)]
        mine = {count: ours(exact, [each[count] for each in known]) for count in counts}
        for count, cost in mine.items():
            _row("", f"runner, {count} seen", cost, curve)
        ages = [5 + 0.5 * step for step in range(15)]
        pictures[law.name] = Picture(curve, [fixed(exact, age) for age in ages], sdk, mine)
    return pictures


def _row(name: str, way: str, cost: Cost, curve: list[Cost]) -> None:
    best = fewest(curve, cost.lag)
    print(
        f"| {name} | {way} | {cost.polls:.2f} | {cost.lag:.2f} | {cost.lag95:.1f} "
        f"| {best:.2f} | {cost.polls / best:.2f} |"
    )


def drifts(histories: int) -> None:
    """The table of a provider that changes after 200 renders of the first law, or all the time."""
    heads = " | ".join(f"{window.start}-{window.stop}" for window in WINDOWS)
    print(f"\n| polls / mean lag (SDK's) at renders | {heads} |")
    print("|---" * (len(WINDOWS) + 1) + "|")
    for name, scale in DRIFTS.items():
        cells = [
            f"{mine.polls:.1f} / {mine.lag:.1f} ({sdk.polls:.1f} / {sdk.lag:.1f})"
            for mine, sdk in drifting(LAWS["narrow"], scale, WINDOWS, range(histories))
        ]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
