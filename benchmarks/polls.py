"""Many tasks outstanding at a slow interval: are the questions asked in time, at what cost?

The renders last for hours, so that nothing ends and nothing can be learnt of how long a render
takes: what is left is the schedule of somebody who knows nothing. Lateness is what the gaps in the
provider's books are longer than that schedule.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.books import quantile
from benchmarks.clients import Batch, images
from benchmarks.compare import fresh
from benchmarks.harness import Child, ProviderProcess, client_environment
from runner.polling import EARLY, Rhythm

INTERVAL = 10.0
HOURS = 36_000.0
Gaps = Sequence[tuple[float, float]]


def polls(
    provider: ProviderProcess,
    folder: Path,
    *,
    tasks: int = 10_000,
    interval: float = INTERVAL,
    window: float = 40.0,
    longest: float = 300.0,
) -> dict[str, Any]:
    """Submit, wait until all are outstanding for some intervals, then watch for a window."""
    batch = Batch(folder / "polls", images(tasks), tasks, provider.url, interval)
    fresh(batch.folder)
    provider.scene(seed=1, shortest=HOURS, longest=HOURS)
    command = batch.command("runner")
    child = Child(command, batch.folder, environment=client_environment(provider.url))
    began = time.monotonic()
    while provider.ask("now")["tasks"] < tasks and time.monotonic() < began + longest:
        time.sleep(0.5)
    submitting = time.monotonic() - began
    time.sleep((EARLY + 1) * interval)  # from this age on the schedule's step is the same
    before, since = child.cpu_so_far(), provider.ask("now")["now"]
    time.sleep(window)
    cpu = child.cpu_so_far() - before
    gaps, books = provider.ask("gaps", since=since), provider.ask("books")
    child.signal(signal.SIGTERM)
    usage = child.wait(60)
    seconds = [gap for _, gap in gaps["closed"]]
    late = lateness(gaps["closed"], gaps["open"], interval)
    return {
        "tasks": books["charges"],
        "interval": interval,
        "submitting": submitting,
        "gaps": len(seconds),
        "silent": gaps["silent"],
        "gap_p50": quantile(seconds, 0.5),
        "gap_least": min(seconds, default=0.0),
        "late_p50": quantile(late, 0.5),
        "late_p99": quantile(late, 0.99),
        "late_most": max(late, default=0.0),
        "core": cpu / window,
        "peak_mb": usage.peak_mb,
        "connections": books["connections_at_once"],
        "provider_core": books["core"],
        "provider_late_p99_ms": books["late_p99_ms"],
    }


def lateness(closed: Gaps, still: Gaps, interval: float) -> list[float]:
    """Seconds by which each gap is longer than planned; 0 for one within the plan.

    Of the gaps that are still open, those count that are too long already.
    """
    plan = Rhythm.of((), interval)
    over = [[gap - plan.wait(age) for age, gap in gaps] for gaps in (closed, still)]
    return [max(0.0, late) for late in over[0]] + [late for late in over[1] if late > 0]
