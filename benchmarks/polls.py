"""Many tasks outstanding at a slow interval: are the questions asked in time, at what cost?

The renders last for hours, so that nothing ends and nothing can be learnt of how long a render
takes: what is left is the plain interval. Lateness is taken from the provider's books, as the gap
between two polls of one task, less what the client may choose.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from benchmarks.clients import Batch, images
from benchmarks.compare import fresh
from benchmarks.harness import Child, ProviderProcess, client_environment

INTERVAL = 10.0
SPREAD = 0.1
"""How much longer than asked the runner may choose a gap to be (its jitter), as a part of it.

Change it, or make it a function of the interval, when the runner chooses its moments otherwise.
"""
HOURS = 36_000.0


def polls(
    provider: ProviderProcess,
    folder: Path,
    *,
    tasks: int = 10_000,
    interval: float = INTERVAL,
    window: float = 40.0,
    longest: float = 300.0,
) -> dict[str, Any]:
    """Submit, wait until all are outstanding and two intervals more, then watch for a window."""
    batch = Batch(folder / "polls", images(tasks), tasks, provider.url, interval)
    fresh(batch.folder)
    provider.scene(seed=1, shortest=HOURS, longest=HOURS)
    command = batch.command("runner")
    child = Child(command, batch.folder, environment=client_environment(provider.url))
    began = time.monotonic()
    while provider.ask("now")["tasks"] < tasks and time.monotonic() < began + longest:
        time.sleep(0.5)
    submitting = time.monotonic() - began
    time.sleep(2 * interval * (1 + SPREAD))
    before, since = child.cpu_so_far(), provider.ask("now")["now"]
    time.sleep(window)
    gaps, cpu = provider.ask("gaps", since=since, interval=interval), child.cpu_so_far() - before
    books = provider.ask("books")
    child.signal(signal.SIGTERM)
    usage = child.wait(60)
    return {
        "tasks": books["charges"],
        "interval": interval,
        "spread": SPREAD,
        "submitting": submitting,
        "gaps": gaps["count"],
        "silent": gaps["silent"],
        "gap_p50": gaps["p50"],
        "late_p50": gaps["p50"] - interval,
        "late_p99": gaps["p99"] - interval,
        "beyond_p99": max(0.0, gaps["p99"] - interval * (1 + SPREAD)),
        "beyond_most": max(0.0, gaps["most"] - interval * (1 + SPREAD)),
        "early_most": max(0.0, interval - gaps["least"]),
        "core": cpu / window,
        "peak_mb": usage.peak_mb,
        "connections": books["connections_at_once"],
        "provider_core": books["core"],
        "provider_late_p99_ms": books["late_p99_ms"],
    }
