"""Processes, measured: each client on a core of its own, the provider on another."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

KEY = "bench-key-of-nobody"
LONGEST = 900.0  # seconds after which a client is given up


@dataclass(frozen=True, slots=True)
class Usage:
    """What a finished process took: seconds of wall and CPU (its children's too), peak MB.

    The peak is that of the largest single process among it and its children, as the kernel
    keeps it (`ru_maxrss`).
    """

    code: int
    wall: float
    cpu: float
    peak_mb: float


class Child:
    """A client process, in a group of its own, pinned to one core."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        out: int | IO[bytes] | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._noise = (folder / "client.log").open("ab")
        self._began = time.monotonic()
        self._stopped = False
        with pinned(-1):
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._noise if out is None else out,
                stderr=self._noise if out is None else out,
                start_new_session=True,
            )

    def wait(self, longest: float = LONGEST) -> Usage:
        """Wait for its end, and for what it took. A client that hangs is killed."""
        watchdog = threading.Timer(longest, self.kill)
        watchdog.start()
        try:
            _, status, used = os.wait4(self.process.pid, 0)
        except BaseException:  # an interrupted benchmark leaves nobody behind
            self.kill()
            raise
        finally:
            watchdog.cancel()
        wall = time.monotonic() - self._began
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self._noise.close()
        cpu = used.ru_utime + used.ru_stime
        return Usage(self.process.returncode, wall, cpu, used.ru_maxrss / 1024)

    def kill(self) -> None:
        """SIGKILL it and all its children at once."""
        self.signal(signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group."""
        os.killpg(self.process.pid, number)

    def cpu_so_far(self) -> float:
        """Seconds of CPU until now, of a process that still runs."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ProviderProcess:
    """The provider in a process and on a core of its own; `ask` reads its books."""

    def __init__(self) -> None:
        with pinned(0):
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.provider"],
                cwd=Path(__file__).parents[1],
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise SystemExit("benchmarks: the provider did not start")

    def ask(self, what: str, **body: Any) -> Any:
        """Ask one of the provider's control routes."""
        request = urllib.request.Request(
            f"{self.url}/bench/{what}", json.dumps(body).encode(), {"Connection": "close"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def scene(self, **scene: Any) -> None:
        """Begin new books."""
        self.ask("scene", **scene)

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.communicate()


@contextmanager
def provider_process() -> Iterator[ProviderProcess]:
    """A provider for as long as the block lasts."""
    provider = ProviderProcess()
    try:
        yield provider
    finally:
        provider.stop()


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Start children on one core: 0 the first, -1 the last. Nothing happens where there is one."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(before)[core]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def raise_open_files() -> None:
    """As many open files as may be; children inherit it. 10,000 connections need as many."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run_fast(work: Coroutine[Any, Any, None]) -> None:
    """Run on uvloop where it is installed: for the provider and its load, not for clients."""
    try:
        import uvloop  # noqa: PLC0415 - an extra; all is slower without it, not wrong
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def client_environment(base_url: str) -> dict[str, str]:
    """What every client gets: the key under each name it may be looked for, and the address.

    Bytecode is kept, as an installer leaves it: what is measured is no compiler.
    """
    inherited = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()}
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **inherited,
        "COMETAPI_KEY": KEY,
        "RUNWAYML_API_SECRET": KEY,
        "BASE_URL": base_url,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
