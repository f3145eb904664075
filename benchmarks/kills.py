"""kill -9 in the midst, then the same command again: what was paid twice, what was lost."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import Batch, images, missing, runner
from benchmarks.compare import fresh, home
from benchmarks.harness import Child, ProviderProcess, client_environment

CLIENTS = ("runner", "sdk", "parallel", "sequential", "bare")
GRACE = "visibility_grace: 1s\n"  # what is in doubt holds its place no longer than this
ANSWER_AFTER = 0.3  # seconds that a submit is in the air, so that a kill can find it there
MOMENTS = (0.15, 1.0, 2.5)  # seconds after the first charge: submits, renders, downloads
LONGEST = 120.0


def kills(
    provider: ProviderProcess,
    folder: Path,
    *,
    jobs: int = 40,
    clients: Sequence[str] = CLIENTS,
    moments: Sequence[float] = MOMENTS,
    renders: tuple[float, float] = (1.0, 4.0),
    answer_after: float = ANSWER_AFTER,
) -> Iterator[dict[str, Any]]:
    """One row a client: each blow falls on a batch of its own."""
    for client in clients:
        if missing(client):
            continue
        count = 4 if client == "sequential" else jobs
        total = {"charged_twice": 0, "lost": 0, "held": 0, "jobs": 0}
        for moment in moments:
            asked = images(count)
            batch = Batch(folder / "kill", asked, max(2, count // 2), provider.url, 1.0)
            fresh(batch.folder)
            provider.scene(
                seed=1, shortest=renders[0], longest=renders[1], answer_after=answer_after
            )
            for name, number in _blow(provider, batch, client, moment).items():
                total[name] += number
        yield {"client": client, "kills": len(moments), **total}


def _blow(provider: ProviderProcess, batch: Batch, client: str, moment: float) -> dict[str, int]:
    command = runner(batch, extra=GRACE) if client == "runner" else batch.command(client)
    environment = client_environment(provider.url)
    child = Child(command, batch.folder, environment=environment)
    patience = time.monotonic() + LONGEST
    while not provider.ask("now")["tasks"] and time.monotonic() < patience:
        time.sleep(0.02)
    time.sleep(moment)
    child.kill()
    child.wait()
    Child(command, batch.folder, environment=environment).wait(LONGEST)
    charged = provider.ask("charged")
    absent = {image for image, ids in charged.items() if not home(batch, image, ids)}
    held = absent & _held(batch) if client == "runner" else set()
    return {
        "jobs": len(batch.images),
        "charged_twice": sum(len(ids) > 1 for ids in charged.values()),
        "held": len(held),
        "lost": len(absent - held),
    }


def _held(batch: Batch) -> set[str]:
    """The images that the runner says wait for a person, since it can't know what was charged."""
    status = [sys.executable, "-m", "runner", "status", "bench.yaml", "--json"]
    status += ["--base-url", batch.base_url]
    environment = client_environment(batch.base_url)
    told = subprocess.run(
        status, cwd=batch.folder, env=environment, capture_output=True, text=True, check=False
    )
    jobs = json.loads(told.stdout)["jobs"]
    return {job["request"]["promptImage"] for job in jobs if job["status"] == "uncertain"}
