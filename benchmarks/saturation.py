"""How many requests a second the provider can answer at all: what clients stay far below.

    python -m benchmarks.saturation URL SECONDS

The load comes from a process of its own: connections that ask about one task again as soon as
they are answered.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

from benchmarks.harness import ProviderProcess, pinned, run_fast

CONNECTIONS = 64
_SUBMIT = b'POST /v1/image_to_video HTTP/1.1\r\nContent-Length: 19\r\n\r\n{"promptImage":"x"}'


def saturation(provider: ProviderProcess, seconds: float = 4.0) -> dict[str, Any]:
    """Requests a second at the limit, and how much of its core the provider spent on them."""
    provider.scene(shortest=3600.0, longest=3600.0)
    load = [sys.executable, "-m", "benchmarks.saturation", provider.url, str(seconds)]
    with pinned(-1):
        told = subprocess.run(
            load, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
        )
    books = provider.ask("books")
    return {
        "requests_a_second": json.loads(told.stdout)["requests"] / seconds,
        "cpu_us": books["cpu"] / books["requests"] * 1e6,
        "handling_mean_ms": books["handling_mean_ms"],
        "handling_p99_ms": books["handling_p99_ms"],
        "core": books["core"],
    }


class Asker(asyncio.Protocol):
    """Submits one task, then asks about it for ever."""

    answered = 0

    def __init__(self) -> None:
        self._poll = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Buy the task."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(_SUBMIT)

    def data_received(self, data: bytes) -> None:
        """Ask again; an answer of this size comes in one piece."""
        Asker.answered += 1
        if not self._poll:
            task_id = json.loads(data.partition(b"\r\n\r\n")[2])["id"]
            self._poll = f"GET /v1/tasks/{task_id} HTTP/1.1\r\n\r\n".encode()
        self._transport.write(self._poll)


async def load(url: str, seconds: float) -> None:
    """Ask over so many connections for so long, then say how often."""
    host, _, port = url.removeprefix("http://").partition(":")
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(Asker, host, int(port))
    await asyncio.sleep(seconds)
    print(json.dumps({"requests": Asker.answered}))


if __name__ == "__main__":
    run_fast(load(sys.argv[1], float(sys.argv[2])))
