"""A batch in virtual time: real policy, ledger, HTTP client and files; the provider is simulated.

Hours pass in milliseconds, and the clock goes on from one run to the next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import anyio.abc
import httpx
import trio
from trio.testing import MockClock

from runner.admission import Admission, admit
from runner.apis import APIS
from runner.batch import bring_in_line
from runner.download import Downloader
from runner.engine import Engine
from runner.events import Event
from runner.jobs import Ending, Entry, Job, Limits, Status, Step, content_digest
from runner.ledger import Ledger
from runner.provider import Provider
from runner.sandbox import Fault, SandboxTransport, Settings, Simulator, Span
from runner.transport import Transport

EPOCH = 1_800_000_000.0

Perform = Callable[[Step], Awaitable[Event]]


def entry(
    id: str, *, derived: str = "", cost: int | None = None, **body: str | int | bool
) -> Entry:
    """An entry for an image named like the id, unless the body says otherwise."""
    sent = {"promptImage": f"https://cdn.example.com/{id}.jpg", "model": "gen3a_turbo", **body}
    return Entry(id, derived, sent, content_digest(sent), cost, "test.yaml", 1)


def entries(number: int, **body: str | int | bool) -> list[Entry]:
    """Entries lamp-01, lamp-02, ..."""
    return [entry(f"lamp-{place:02}", **body) for place in range(1, number + 1)]


async def inline(function: Callable[..., object], *arguments: object) -> object:
    """Stands in for a worker thread, which virtual time can't wait for."""
    return function(*arguments)


class World:
    """One state file, one output folder and one simulated provider, through several runs."""

    def __init__(
        self, folder: Path, *faults: str, limits: Limits | None = None, **given: object
    ) -> None:
        self.folder = folder
        self.limits = limits or Limits(concurrency=3)
        self.now = EPOCH
        self.chosen: list[int] | None = None
        self.said: list[str] = []
        self.seen: list[tuple[Job, Event, Job]] = []
        chosen: dict[str, object] = {"render": Span(60, 120), "queue": Span(5, 5), **given}
        parsed = tuple(Fault.parse(fault) for fault in faults)
        self.simulator = Simulator(Settings(faults=parsed, **chosen), self.wall)  # type: ignore[arg-type]
        self._started: float | None = None

    def wall(self) -> float:
        """Seconds since 1970, in this world."""
        if self._started is None:
            return self.now
        return self.now + trio.current_time() - self._started

    def place(self, job: Job) -> Path:
        """Where a job's video belongs."""
        return self.folder / "out" / f"{job.id}.mp4"

    def open(self) -> Ledger:
        """The state file, for writing."""
        return Ledger.open(self.folder / "state.db")

    def run(
        self,
        wanted: list[Entry],
        *,
        deadline: float | None = None,
        once: bool = False,
        wrap: Callable[[Perform, Engine], Perform] | None = None,
        accept_changes: bool = False,
        backend: httpx.AsyncBaseTransport | None = None,
        api: str = "cometapi",
    ) -> Ending:
        """One run to its end, in virtual time. `wrap` may put something before each step."""

        async def main() -> Ending:
            self._started = trio.current_time()
            try:
                return await self._run(wanted, deadline, once, wrap, accept_changes, backend, api)
            finally:
                self.now, self._started = self.wall(), None

        return trio.run(main, clock=MockClock(autojump_threshold=0))

    async def _run(
        self,
        wanted: list[Entry],
        deadline: float | None,
        once: bool,
        wrap: Callable[[Perform, Engine], Perform] | None,
        accept_changes: bool,
        backend: httpx.AsyncBaseTransport | None,
        api: str,
    ) -> Ending:
        ledger = self.open()
        headers = {"Authorization": "Bearer key", "X-Runway-Version": "2024-11-06"}
        backend = backend or SandboxTransport(self.simulator)
        try:
            self.admission = admit(wanted, ledger, accept_changes=accept_changes)
            bring_in_line(ledger, self.admission, self.wall())
            if self.chosen is not None:
                ledger.choose(self.chosen)
            ledger.begin_run("run", "0", "test.yaml", self.wall())
            async with Transport("https://api.example.com", headers, backend=backend) as transport:
                downloader = Downloader(transport, in_thread=inline)
                provider = Provider(APIS[api], transport, downloader, self.place, self.wall)

                async def perform(step: Step) -> Event:
                    return await (wrapped or provider.perform)(step)

                engine = Engine(
                    ledger,
                    perform,
                    self.limits,
                    wall=self.wall,
                    chance=lambda: 0.5,
                    say=self.said.append,
                    observe=lambda before, event, after: self.seen.append((before, event, after)),
                )
                wrapped = wrap(provider.perform, engine) if wrap else None
                return await engine.run(deadline, once=once)
        finally:
            ledger.close()

    # ------------------------------------------------------------ looking at the outcome

    def jobs(self) -> dict[str, Job]:
        """The rows of the state file by id."""
        ledger = Ledger.read(self.folder / "state.db")
        assert ledger is not None
        try:
            return {job.id: job for job in ledger.jobs()}
        finally:
            ledger.close()

    def statuses(self) -> dict[str, Status]:
        """Id -> status."""
        return {id: job.status for id, job in self.jobs().items()}

    @property
    def charged(self) -> int:
        """How many tasks the provider charged, by its own books."""
        return len(self.simulator.charges)

    def audit(self) -> dict[str, object]:
        """The provider's books."""
        return self.simulator.audit()

    def check_home(self) -> None:
        """Every done job's file is there, with the recorded bytes, and no part file is left."""
        for job in self.jobs().values():
            if job.status is Status.DONE:
                data = Path(job.output).read_bytes()
                assert hashlib.sha256(data).hexdigest() == job.sha256
                assert len(data) == job.size
        assert not list(self.folder.rglob("*.part"))


__all__ = ["EPOCH", "Admission", "World", "anyio", "entries", "entry", "inline"]
