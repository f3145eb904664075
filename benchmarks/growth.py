"""How cost grows with the jobs of a batch and with the tasks in flight, and where it bends."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.clients import Batch, images, runner
from benchmarks.compare import SEED, fresh, one_turn
from benchmarks.harness import Child, ProviderProcess, client_environment
from benchmarks.renders import ideal_wall, render_time

JOBS = (100, 1_000, 10_000, 100_000, 1_000_000)
IN_FLIGHT = (1, 10, 100, 1_000, 2_500, 5_000, 10_000)
FIRST = 100  # jobs bought of a batch of any size: what a run costs before it gets going
WHOLE = 10_000  # the largest batch that is run to its end
PLACES = 200


def by_jobs(
    provider: ProviderProcess, folder: Path, sizes: Sequence[int] = JOBS
) -> Iterator[dict[str, Any]]:
    """Batches of growing size: plan, the first hundred bought (a budget ends it), the whole.

    Only batches of up to `WHOLE` jobs are run to their end; fast renders, 200 at once.
    """
    renders = (0.2, 0.6)
    for size in sizes:
        batch = Batch(folder / "jobs", images(size), PLACES, provider.url, 0.5)
        environment = client_environment(provider.url)
        fresh(batch.folder)
        provider.scene(seed=SEED, shortest=renders[0], longest=renders[1])
        first = runner(batch, extra=f"budget: {{tasks: {FIRST}}}\n")
        plan = [sys.executable, "-m", "runner", "plan", "bench.yaml", *first[5:7]]
        planned = Child(plan, batch.folder, environment=environment).wait()
        begun = Child(first, batch.folder, environment=environment).wait()
        again = Child(first, batch.folder, environment=environment).wait()
        row: dict[str, Any] = {
            "jobs": size,
            "plan": planned.wall,
            "plan_mb": planned.peak_mb,
            "first": begun.wall,
            "first_mb": begun.peak_mb,
            "again": again.wall,
        }
        if size <= WHOLE:
            usage, _ = one_turn(provider, batch, "runner", SEED, renders)
            row |= {"whole": usage.wall, "whole_cpu": usage.cpu, "whole_mb": usage.peak_mb}
        yield row


def by_flight(
    provider: ProviderProcess,
    folder: Path,
    sizes: Sequence[int] = IN_FLIGHT,
    renders: tuple[float, float] = (10.0, 20.0),
    interval: float | None = None,
) -> Iterator[dict[str, Any]]:
    """As many jobs as places, all in flight at once; the interval is the default if not set."""
    for size in sizes:
        batch = Batch(folder / "flight", images(size), size, provider.url, interval)
        usage, books = one_turn(provider, batch, "runner", SEED, renders)
        ideal = ideal_wall([render_time(SEED, image, *renders) for image in batch.images], size)
        yield {
            "in_flight": size,
            "wall_over_ideal": usage.wall / ideal,
            "cpu": usage.cpu,
            "peak_mb": usage.peak_mb,
            "lag_mean": books["lag_mean"],
            "submitting": books["submitting"],
            "provider_core": books["core"],
        }


def exponents(rows: Sequence[Mapping[str, Any]], size: str, value: str) -> list[float]:
    """Between each two sizes the power with which the value grows: 1 is linear."""
    known = [(row[size], row[value]) for row in rows if row.get(value)]
    return [
        math.log(later / earlier) / math.log(larger / smaller)
        for (smaller, earlier), (larger, later) in pairwise(known)
    ]
