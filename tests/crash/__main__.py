"""Kills real runs at random instants, again and again, and audits what they did.

    python tests/crash --kills 300 [--seed 0] [--jobs 2]

Each batch runs as processes against a provider that is a process too, with faults of its own. It
is killed (SIGKILL), stopped and woken (SIGSTOP, SIGCONT), asked to end (SIGTERM), robbed of what
a power cut may take from its state file, and its provider is killed and started again. Then it is
run to its end, an honest operator settles what is in doubt, and the provider's own books and the
bytes on disk are held against each other: one charge a job, every video whole.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "cli"))

from batch import KilledBatch


def main() -> int:
    """Kill so often, audit every batch, print the counts; 1 if any promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="batches at the same time")
    options = parser.parse_args()
    kills_each = 10
    seeds = range(options.seed, options.seed + -(-options.kills // kills_each))
    total: Counter[str] = Counter()
    broken = []
    with ThreadPoolExecutor(options.jobs) as pool:
        for seed, (counts, problems) in zip(
            seeds, pool.map(lambda seed: one(seed, kills_each), seeds), strict=True
        ):
            total += counts
            broken += [f"seed {seed}: {problem}" for problem in problems]
            print(f"\r{total['killed']} of {options.kills} kills", end="", file=sys.stderr)
    print(file=sys.stderr)
    print(", ".join(f"{number} {name}" for name, number in sorted(total.items())))
    print(*broken, sep="\n", end="\n" * bool(broken))
    print(f"{len(seeds)} batches: {total['charged twice']} duplicate charges, {total['lost']} lost")
    return 1 if broken else 0


def one(seed: int, kills: int) -> tuple[Counter[str], list[str]]:
    """One batch through its kills to its audit."""
    with tempfile.TemporaryDirectory(prefix="crash-") as folder:
        batch = KilledBatch(Path(folder), random.Random(seed))
        try:
            for _ in range(kills):
                batch.suffer()
            return batch.counts, batch.audit()
        except (AssertionError, subprocess.TimeoutExpired) as error:
            return batch.counts, [f"did not get through: {error}"]
        finally:
            batch.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise SystemExit(main())
