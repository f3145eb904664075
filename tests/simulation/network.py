"""The wire between a run and the simulated provider: it takes time, and a crash can cut it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass

import anyio
import httpx

from runner.jobs import Job
from runner.sandbox import Reply, Request, SandboxTransport, Simulator
from runner.sandbox.routes import find_route
from simulation.books import Books
from simulation.machine import Crash, Machine

PIECE = 700  # bytes of a film at a time
PAYING: ContextVar[Job | None] = ContextVar("PAYING", default=None)


@dataclass(frozen=True, slots=True)
class _Pieces(httpx.AsyncByteStream):
    """A film's bytes as a slow line brings them."""

    body: httpx.AsyncByteStream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self.body:
            for start in range(0, len(data), PIECE):
                await anyio.sleep(0.01)
                yield data[start : start + PIECE]


class Network(httpx.AsyncBaseTransport):
    """Carries each request to the provider and its answer back; each stage is a point to die at.

    What left before a crash may still arrive.
    """

    def __init__(
        self, simulator: Simulator, machine: Machine, books: Books, dice: random.Random
    ) -> None:
        self._simulator = simulator
        self._machine = machine
        self._books = books
        self._dice = dice
        self._inner = SandboxTransport(_Watched(simulator, machine, books))  # type: ignore[arg-type]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Perform one request, or die on the way."""
        call = find_route(request.method, request.url.path).call
        kind = "submit" if call == "submit" else "film" if call == "film" else "poll"
        self._machine.point(f"{kind} leaves")
        self._books.leaves(PAYING.get() if kind == "submit" else None)
        try:
            self._machine.point(f"{kind} in the air")
            await anyio.sleep(self._dice.choice((0.0, 0.05, 0.2)))
            if self._machine.dead:
                raise Crash(kind)
        except Crash:
            if kind == "submit" and self._dice.random() < 0.5:
                await self._arrive(request)
            raise
        response = await self._inner.handle_async_request(request)
        if kind == "film" and isinstance(response.stream, httpx.AsyncByteStream):
            response.stream = _Pieces(response.stream)
        return response

    async def _arrive(self, request: httpx.Request) -> None:
        """The packets were out before the machine died."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = request.url.raw_path.decode("ascii")
        charged = len(self._simulator.tasks)
        self._simulator.handle(Request(request.method, path, headers, await request.aread()))
        if len(self._simulator.tasks) > charged:
            self._books.charged(PAYING.get())


@dataclass(frozen=True, slots=True)
class _Watched:
    """The provider, with its charges noted at the moment they are made."""

    simulator: Simulator
    machine: Machine
    books: Books

    def handle(self, request: Request) -> Reply:
        charged = len(self.simulator.tasks)
        reply = self.simulator.handle(request)
        if len(self.simulator.tasks) > charged:
            self.books.charged(PAYING.get())
            self.machine.point("charged, before the answer")
        return reply
