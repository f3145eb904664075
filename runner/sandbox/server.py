"""The HTTP/1.1 skin: real sockets around a simulator, for any client in any process.

It can run in the same event loop as the client. What happens before a connection exists, the kinds
`connect-error`, `connect-timeout` and `pool-timeout`, a server can't do; `transport` can.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import anyio.to_thread
from anyio.abc import Listener, SocketAttribute, SocketStream

from runner.sandbox import film
from runner.sandbox.connection import Connection
from runner.sandbox.faults import IN_PROCESS_ONLY
from runner.sandbox.film import FilmSpec, Render
from runner.sandbox.ledger import keep_ledger
from runner.sandbox.settings import Settings
from runner.sandbox.simulator import Simulator

CACHED_FILMS = 32
BACKLOG = 4096
PAUSE_WHEN_OUT_OF_SOCKETS = 0.05  # seconds


@dataclass(frozen=True, slots=True)
class Server:
    """A running sandbox: where it listens ("http://127.0.0.1:8123") and what it has seen."""

    base_url: str
    simulator: Simulator


class FilmCache:
    """Draws films in worker threads, as many at once as there are cores; keeps the latest few."""

    def __init__(self, render: Render, size: int = CACHED_FILMS) -> None:
        self._render = render
        self._size = size
        self._films: OrderedDict[FilmSpec, bytes] = OrderedDict()
        self._workers = anyio.CapacityLimiter(os.cpu_count() or 1)

    async def get(self, spec: FilmSpec) -> bytes:
        """The film's bytes."""
        if spec not in self._films:
            drawn = await anyio.to_thread.run_sync(
                self._render, spec, abandon_on_cancel=True, limiter=self._workers
            )
            self._films[spec] = drawn
            while len(self._films) > self._size:
                self._films.popitem(last=False)
            return drawn
        self._films.move_to_end(spec)
        return self._films[spec]


@asynccontextmanager
async def serve(
    settings: Settings,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ledger_file: Path | None = None,
    render: Render = film.render,
    clock: Callable[[], float] = time.time,
) -> AsyncIterator[Server]:
    """Run a sandbox until the block ends; port 0 takes any free one.

    With `ledger_file`, tasks charged by an earlier sandbox are known again, and this one's charges
    are on disk before they are answered. `render` draws the films: `film.tiny` needs no library.

    Raises `OSError` when the port is taken, `ledger.LedgerFileError` for a file that is no ledger,
    `film.MissingExtraError` when real films can't be drawn, and `ValueError` for a fault that only
    the in-process transport can perform.
    """
    impossible = [str(fault) for fault in settings.faults if fault.kind in IN_PROCESS_ONLY]
    if impossible:
        raise ValueError(f"a server can't perform {impossible[0]}: it is for SandboxTransport only")
    if render is film.render:
        film.require_extra()
    simulator = Simulator(settings, clock)
    films = FilmCache(render)
    failure: BaseException | None = None

    async def talk(stream: SocketStream) -> None:
        await Connection(stream, simulator, films.get, origin).run()

    async def listen(listener: Listener[SocketStream]) -> None:
        while True:
            try:
                await listener.serve(talk, tasks)
            except OSError:  # out of file descriptors: others will close
                await anyio.sleep(PAUSE_WHEN_OUT_OF_SOCKETS)

    with keep_ledger(simulator, ledger_file):
        listeners = await anyio.create_tcp_listener(
            local_host=host, local_port=port, backlog=BACKLOG
        )
        async with listeners, anyio.create_task_group() as tasks:
            bound = listeners.extra(SocketAttribute.local_port)
            origin = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
            for listener in listeners.listeners:
                tasks.start_soon(listen, listener)
            try:
                yield Server(origin, simulator)
            except (Exception, KeyboardInterrupt, SystemExit) as error:
                failure = error
            tasks.cancel_scope.cancel()
    if failure is not None:  # raised out here, the task group can't wrap it in a group
        raise failure
