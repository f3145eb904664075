"""One run of the real program, as `runner run` wires it, on the simulated machine."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import anyio

from runner.batch import Batch, bring_in_line
from runner.download import Downloader
from runner.engine import Engine
from runner.errors import LockedError
from runner.events import Accepted, Event, Saved
from runner.jobs import Ending, Job, Poll, Step, Stop, Submit
from runner.ledger import Ledger
from runner.provider import Provider
from runner.transport import Transport
from simulation.books import Books
from simulation.machine import MOMENT, Machine
from simulation.network import PAYING, Network

LONGEST = 48 * 3600.0
_HEADERS = {"Authorization": "Bearer key", "X-Runway-Version": "2024-11-06"}


@dataclass(frozen=True, slots=True)
class Disturbances:
    """What happens to a run from outside, in seconds after its start; or it is a single pass."""

    deadline: float | None = None
    drain: float | None = None
    second: float | None = None
    moment: float | None = None
    jumps: tuple[tuple[float, float], ...] = ()
    once: bool = False

    @classmethod
    def draw(cls, dice: random.Random) -> Disturbances:
        """Some of them, some of the time."""

        def sometimes(chance: float, longest: float) -> float | None:
            when = dice.uniform(0, longest)
            return when if dice.random() < chance else None

        jumps = []
        while dice.random() < 0.2:
            jumps.append((dice.uniform(0, 200), dice.choice((-900.0, -30.0, 60.0, 900.0, 7500.0))))
        return cls(
            deadline=sometimes(0.25, 200),
            drain=sometimes(0.15, 200),
            second=sometimes(0.15, 60),
            moment=dice.uniform(0, 120),
            jumps=tuple(jumps),
            once=dice.random() < 0.3,
        )


class Session:
    """The parts of one run. `inspect` is shown the rows before and after they meet the manifest."""

    def __init__(
        self,
        batch: Batch,
        machine: Machine,
        books: Books,
        network: Network,
        wall: Callable[[], float],
        dice: random.Random,
    ) -> None:
        self._batch = batch
        self._machine = machine
        self._books = books
        self._network = network
        self._wall = wall
        self._dice = dice
        self.locked_out = 0
        self.admitted = False

    async def run(
        self,
        inspect: Callable[[Ledger], None],
        disturbed: Disturbances,
        jump: Callable[[float], None],
    ) -> Ending:
        """Open, admit, work, close. Raises whatever the program does, and `Crash`."""
        with self._batch.opened("run") as ledger:
            inspect(ledger)
            self._machine.phase = "admission"
            admission = self._batch.admit(ledger)
            self._batch.check_folders(self._batch.overview(admission))
            bring_in_line(ledger, admission, self._wall())
            self.admitted = True
            self._books.acknowledged(ledger)
            inspect(ledger)
            self._machine.phase = "recovery"
            ending = await self._work(ledger, disturbed, jump)
            self._machine.phase = "closing"
            ledger.end_run(ending.stop, 0, self._wall())
            if ending.stop is Stop.FINISHED and ledger.next_planned():
                self._books.breach("finished, but a job still waits to be submitted")
            return ending

    async def _work(
        self, ledger: Ledger, disturbed: Disturbances, jump: Callable[[float], None]
    ) -> Ending:
        base_url = "https://api.example.com"
        async with Transport(base_url, _HEADERS, backend=self._network) as transport:
            downloader = Downloader(transport, in_thread=_inline)

            def place(job: Job) -> object:
                return self._batch.place(job.id, job.body)

            def tags(job: Job) -> object:
                return self._books.tags(job.task_id)

            provider = Provider(
                self._batch.api, transport, downloader, place, self._wall, tags=tags
            )
            engine = Engine(
                ledger,
                self._watched(provider),
                self._batch.limits,
                wall=self._wall,
                chance=self._dice.random,
            )
            async with anyio.create_task_group() as group:
                for when, act in self._timetable(engine, disturbed, jump):
                    group.start_soon(_later, when, act)
                with anyio.move_on_after(LONGEST) as patience:
                    ending = await engine.run(disturbed.deadline, once=disturbed.once)
                if patience.cancelled_caught:
                    self._books.breach("the run does not end")
                group.cancel_scope.cancel()
            return ending

    def _watched(self, provider: Provider) -> Callable[[Step], object]:
        machine, books = self._machine, self._books

        async def perform(step: Step) -> Event:
            machine.phase = "working"
            if not isinstance(step, Submit):
                event = await provider.perform(step)
                if isinstance(step, Poll):
                    machine.point("poll answered, before its commit")
                elif isinstance(event, Saved):
                    machine.point("video home, before its commit")
                return event
            PAYING.set(step.job)
            event = await provider.perform(step)
            books.answered(step.job)
            if isinstance(event, Accepted):
                machine.received(event.task_id)
            machine.point("answer to submit, before its commit")
            return event

        return perform

    def _timetable(
        self, engine: Engine, disturbed: Disturbances, jump: Callable[[float], None]
    ) -> list[tuple[float, Callable[[], object]]]:
        acts: list[tuple[float, Callable[[], object]]] = [
            (when, lambda size=size: jump(size)) for when, size in disturbed.jumps
        ]
        if disturbed.drain is not None:
            acts.append((disturbed.drain, lambda: engine.drain(Ending(Stop.INTERRUPT))))
        if disturbed.second is not None:
            acts.append((disturbed.second, self._second_run))
        if self._machine.armed == MOMENT and disturbed.moment is not None:
            acts.append((disturbed.moment, lambda: self._machine.point(MOMENT)))
        return acts

    def _second_run(self) -> None:
        """Another process starts on the same state file: it must be turned away."""
        try:
            with self._batch.opened("run"):
                self._books.breach("two runs hold one state file")
        except LockedError:
            self.locked_out += 1


async def _later(when: float, act: Callable[[], object]) -> None:
    await anyio.sleep(when)
    act()


async def _inline(function: Callable[..., object], *arguments: object) -> object:
    """Stands in for a worker thread, which virtual time can't wait for."""
    return function(*arguments)
