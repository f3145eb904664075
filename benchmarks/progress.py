"""What the live view costs: the same run, watched on a terminal and not watched, in turn."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.clients import Batch, images, runner
from benchmarks.compare import SEED, fresh
from benchmarks.harness import Child, ProviderProcess, client_environment

WINDOW = struct.pack("HHHH", 24, 80, 0, 0)  # rows, columns, pixels


def progress(
    provider: ProviderProcess,
    folder: Path,
    *,
    jobs: int = 1000,
    rounds: int = 3,
    renders: tuple[float, float] = (10.0, 20.0),
    interval: float | None = None,
) -> list[dict[str, Any]]:
    """CPU seconds of both, a row a round."""
    rows = []
    for _ in range(rounds):
        row: dict[str, Any] = {"jobs": jobs}
        for style in ("none", "live"):
            batch = Batch(folder / "progress", images(jobs), jobs, provider.url, interval)
            fresh(batch.folder)
            provider.scene(seed=SEED, shortest=renders[0], longest=renders[1])
            command = runner(batch, "--progress", style)
            environment = {**client_environment(provider.url), "TERM": "xterm-256color"}
            with terminal() as (end, seen):
                usage = Child(command, batch.folder, out=end, environment=environment).wait()
            if usage.code:
                raise SystemExit(f"benchmarks: the run ended with {usage.code}")
            row |= {style: usage.cpu, f"{style}_bytes": seen[0], f"{style}_wall": usage.wall}
        rows.append(row)
    return rows


@contextmanager
def terminal() -> Iterator[tuple[int, list[int]]]:
    """The client's end of a terminal of 80 columns that swallows all, and how many bytes it did."""
    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, WINDOW)
    seen = [0]

    def swallow() -> None:
        try:
            while data := os.read(reader, 65536):
                seen[0] += len(data)
        except OSError:  # Linux says so when the last writer is gone
            pass

    thread = threading.Thread(target=swallow)
    thread.start()
    try:
        yield writer, seen
    finally:
        os.close(writer)
        thread.join()
        os.close(reader)
