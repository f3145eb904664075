"""Measures the runner and its peers: `make bench`, or

    python -m benchmarks [PART ...] [--rounds N] [--level N ...] [--quick] [--keep] [--show]

Without parts: all but `growth`. Figures are kept part by part in a JSON file and printed as
tables; --keep writes the kept ones into README.md, --show only prints them. --quick is a dose of
a few seconds, for a test that all of it still works.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import compare as comparison
from benchmarks import growth, kills, polls, progress, readme, results, saturation, start
from benchmarks.clients import CLIENTS, missing
from benchmarks.harness import ProviderProcess, provider_process, raise_open_files

USUAL = ("saturation", "compare", "kills", "polls", "start", "idle", "progress")
PARTS = (*USUAL, "growth")


def main() -> int:
    """Measure the parts that were asked for."""
    options = _options()
    if options.show or options.keep:
        kept = results.load(options.results)
        if not kept:
            raise SystemExit(f"benchmarks: nothing is kept in {options.results}; run some first")
        print(readme.report(kept))
        if options.keep:
            readme.write(kept)
        return 0
    raise_open_files()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    _say_what_is_missing()
    with provider_process() as provider, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for part in options.parts or USUAL:
            machine = results.machine()
            try:
                rows = _measure(part, provider, Path(folder), options)
            except comparison.IncompleteError as error:
                raise SystemExit(f"benchmarks: {error}") from None
            results.keep(options.results, part, rows, machine)
            if tables := readme.report(results.load(options.results), [part]):
                print(tables, flush=True)
    print(f"kept in {options.results}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=0, help="so many instead of the usual")
    parser.add_argument("--level", type=int, action="append", help="only so many in flight")
    parser.add_argument("--most", type=int, default=1_000_000, help="growth: not more jobs")
    parser.add_argument("--quick", action="store_true", help="a tiny dose; figures mean nothing")
    parser.add_argument("--keep", action="store_true", help="write the kept tables into README.md")
    parser.add_argument("--show", action="store_true", help="print the kept tables")
    parser.add_argument("--results", type=Path, default=results.FILE, help="the JSON file")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return options


def _say_what_is_missing() -> None:
    for client in CLIENTS:
        if words := missing(client):
            print(f"benchmarks: {client} is left out: {words}", file=sys.stderr)
    if not find_spec("uvloop"):
        words = "uvloop is not installed: the provider is slower than it could be"
        print(f"benchmarks: {words}", file=sys.stderr)


def _measure(
    part: str, provider: ProviderProcess, folder: Path, options: argparse.Namespace
) -> Any:
    quick = options.quick
    rounds = options.rounds or 3
    measures: dict[str, Callable[[], Any]] = {
        "saturation": lambda: saturation.saturation(provider, 0.3 if quick else 4.0),
        "compare": lambda: _compared(provider, folder, options),
        "kills": lambda: _killed(provider, folder, quick),
        "polls": lambda: polls.polls(provider, folder, **(QUICK_POLLS if quick else {})),
        "start": lambda: start.start(folder, 2 if quick else 3 * rounds),
        "idle": lambda: start.idle(folder, *((200, 1) if quick else (100_000, rounds))),
        "progress": lambda: progress.progress(
            provider, folder, **(QUICK_PROGRESS if quick else {"rounds": rounds})
        ),
        "growth": lambda: _grown(provider, folder, options),
    }
    return measures[part]()


QUICK_POLLS: dict[str, Any] = {"tasks": 20, "interval": 0.3, "window": 1.0}
QUICK_PROGRESS: dict[str, Any] = {"jobs": 5, "rounds": 1, "renders": (0.2, 0.4), "interval": 0.2}
QUICK_KILLS: dict[str, Any] = {
    "jobs": 4,
    "moments": (0.1,),
    "clients": ("runner", "parallel"),
    "renders": (0.2, 0.5),
    "answer_after": 1.0,  # ample, so that the blow falls while submits are in the air
}


def _killed(provider: ProviderProcess, folder: Path, quick: bool) -> list[dict[str, Any]]:
    return _told(
        kills.kills(provider, folder, **(QUICK_KILLS if quick else {})),
        lambda row: f"{row['client']}: {row['charged_twice']} paid twice, {row['lost']} lost",
    )


def _compared(
    provider: ProviderProcess, folder: Path, options: argparse.Namespace
) -> list[dict[str, Any]]:
    levels: tuple[comparison.Level, ...] = comparison.LEVELS
    renders = (10.0, 20.0)
    if options.quick:
        turns = tuple(
            replace(turn, interval=0.2) if turn.interval else turn
            for turn in (comparison.RUNNER, comparison.BARE, comparison.PARALLEL)
        )
        levels, renders = (comparison.Level(4, 1, turns),), (0.2, 0.5)
    levels = tuple(
        replace(level, rounds=options.rounds or level.rounds)
        for level in levels
        if not options.level or level.jobs in options.level
    )
    return _told(
        comparison.compare(provider, folder, levels, renders),
        lambda row: (
            f"{row['level']} in flight, {row['label']}: wall {row['wall_over_ideal']:.3f} of "
            f"ideal, {row['cpu_ms']:.1f} ms a job"
        ),
    )


def _grown(provider: ProviderProcess, folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    quick = options.quick
    sizes = [size for size in growth.JOBS if size <= (100 if quick else options.most)]
    flights = (1, 5) if quick else tuple(options.level or growth.IN_FLIGHT)
    renders = (0.2, 0.5) if quick else (10.0, 20.0)
    jobs = _told(
        growth.by_jobs(provider, folder, sizes),
        lambda row: f"{row['jobs']} jobs: {row['plan']:.2f} s to plan",
    )
    flight = _told(
        growth.by_flight(provider, folder, flights, renders, 0.2 if quick else None),
        lambda row: f"{row['in_flight']} in flight: wall {row['wall_over_ideal']:.3f} of ideal",
    )
    return {"jobs": jobs, "flight": flight}


def _told(
    rows: Iterable[dict[str, Any]], words: Callable[[dict[str, Any]], str]
) -> list[dict[str, Any]]:
    """The rows, each told as it comes: a benchmark that is silent for minutes looks broken."""
    found = []
    for row in rows:
        print(words(row), file=sys.stderr, flush=True)
        found.append(row)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
