"""Programs that a manifest asks for when a video is home or a run has ended. No shell, no key.

A program that fails, hangs or is missing is a warning, never more.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from runner.events import Event, Saved
from runner.jobs import Job
from runner.words import printable

AT_ONCE = 4
_TOLD = 300
_SHORTEST_SECRET = 8


def job_environment(job: Job, batch: Mapping[str, str]) -> dict[str, str]:
    """The facts of a job whose video is home, beside those of its batch."""
    body = job.body
    return dict(batch) | {
        "RUNNER_EVENT": "job",
        "RUNNER_JOB_ID": job.id,
        "RUNNER_JOB_STATUS": job.status.value,
        "RUNNER_JOB_OUTPUT": str(Path(job.output).absolute()),
        "RUNNER_JOB_SHA256": job.sha256,
        "RUNNER_JOB_SIZE": str(job.size),
        "RUNNER_JOB_TASK_ID": job.task_id,
        "RUNNER_JOB_IMAGE": str(body.get("promptImage", "")),
        "RUNNER_JOB_PROMPT": str(body.get("promptText", "")),
        "RUNNER_JOB_MODEL": str(body.get("model", "")),
    }


def without_secrets(
    environment: Mapping[str, str], names: Sequence[str], values: Sequence[str]
) -> dict[str, str]:
    """The environment without these variables, and without any that holds one of these values."""
    secret = [value for value in values if len(value) >= _SHORTEST_SECRET]
    return {
        name: value
        for name, value in environment.items()
        if name not in names and not any(each in value for each in secret)
    }


async def start(
    command: Sequence[str], environment: Mapping[str, str], facts: Mapping[str, str], timeout: float
) -> str:
    """Run a program to its end; returns what is to be warned of, or "".

    What it prints is told only when it fails, the last line of it. After `timeout` seconds it
    is killed with all it started.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = await anyio.open_process(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=said.fileno(),
                stderr=subprocess.STDOUT,
                env={**environment, **facts},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return f"{command[0]} can't be run: {getattr(error, 'strerror', None) or error}"
        try:
            with anyio.move_on_after(timeout) as patience:
                await process.wait()
        finally:
            if process.returncode is None:
                _kill(process.pid)
                with anyio.CancelScope(shield=True):
                    await process.wait()
        if patience.cancelled_caught:
            return f"{command[0]} was killed after {timeout:g} seconds{_last_line(said.fileno())}"
        code = process.returncode
        return f"{command[0]} exited with {code}{_last_line(said.fileno())}" if code else ""


def _kill(pid: int) -> None:
    """End the whole session that the program began."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _last_line(file: int) -> str:
    size = os.fstat(file).st_size
    end = os.pread(file, 4096, max(0, size - 4096)).decode("utf-8", "replace").strip()
    last = end.splitlines()[-1].strip() if end else ""
    return f": {printable(last)[:_TOLD]}" if last else ""


class JobHooks:
    """Starts a program for each video that comes home, a few at once, while the run goes on."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        facts: Mapping[str, str],
        timeout: float,
        warn: Callable[[str], None],
    ) -> None:
        self._command = command
        self._environment = environment
        self._facts = facts
        self._timeout = timeout
        self._warn = warn
        self._home: MemoryObjectSendStream[Job] | None = None

    def observe(self, before: Job, event: Event, after: Job) -> None:
        """Take note of one change of the run."""
        if self._home is not None and isinstance(event, Saved):
            self._home.send_nowait(after)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Start programs until the end of the block, and wait for those that are asked for then."""
        if not self._command:
            yield
            return
        self._home, waiting = anyio.create_memory_object_stream[Job](math.inf)
        with self._home, waiting:
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(self._serve, waiting)
                yield
                self._home.close()

    async def _serve(self, waiting: MemoryObjectReceiveStream[Job]) -> None:
        async for job in waiting:
            facts = job_environment(job, self._facts)
            if trouble := await start(self._command, self._environment, facts, self._timeout):
                self._warn(f"{printable(job.id)}: {trouble}")
