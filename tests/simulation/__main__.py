"""`python -m simulation --seeds 10000`: is anything ever paid twice, or lost?"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from simulation.counts import Counts  # noqa: E402 - found by the line above
from simulation.world import World  # noqa: E402

CHUNK = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stretch of seeds came to: totals, and each failing seed with its reason."""

    counts: Counts
    failures: tuple[tuple[int, str], ...]


def live(seeds: range) -> Outcome:
    """Live through the worlds of some seeds."""
    total, failures = Counts(), []
    folder = make_folder()
    try:
        for seed in seeds:
            world = World(seed, folder)
            try:
                world.run()
            except Exception as error:  # whatever is wrong, the seed is what is wanted
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                failures.append((seed, reason))
            total.add(world.counts)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Outcome(total, tuple(failures))


def make_folder() -> Path:
    """A folder for worlds to live in."""
    memory = Path("/dev/shm")  # a disk that takes no time, where there is one
    return Path(tempfile.mkdtemp(prefix="simulation-", dir=memory if memory.is_dir() else None))


def _stretches(first: int, number: int) -> Iterator[range]:
    for start in range(first, first + number, CHUNK):
        yield range(start, min(start + CHUNK, first + number))


def tell(seed: int) -> int:
    """Live through one world and tell its story."""
    folder = make_folder()
    world = World(seed, folder, say=print)
    try:
        world.run()
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(world.counts.text())
    return 0


def main() -> int:
    """Read the arguments, live through the worlds, print the totals; 1 when a promise broke."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many worlds")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seed", type=int, help="one world, to be replayed")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell that world's story")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args()
    if given.seed is not None and given.verbose:
        return tell(given.seed)
    first, number = (given.first, given.seeds) if given.seed is None else (given.seed, 1)
    total, failed, started = Counts(), 0, time.monotonic()
    with ProcessPoolExecutor(given.jobs) as pool:
        for outcome in pool.map(live, _stretches(first, number)):
            total.add(outcome.counts)
            for seed, reason in outcome.failures:
                failed += 1
                print(f"FAILED: python -m simulation --seed {seed} -v   # {reason}", flush=True)
            print(f"\r{total.worlds:,} of {number:,} worlds", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    print(total.text())
    print(f"{time.monotonic() - started:.0f} s; {failed} worlds in which a promise was broken")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
