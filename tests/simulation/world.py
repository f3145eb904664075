"""One world: several runs over one state file, each disturbed or crashed, then a calm end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock

from runner.batch import Batch
from runner.commands.doctor import contradictions
from runner.engine import first_error
from runner.errors import StateError
from runner.events import Event
from runner.jobs import Ending, Job, Limits, Status
from runner.ledger import Ledger, PastEvent
from runner.sandbox import Simulator
from simulation import invariants, replay
from simulation.allowances import Allowances
from simulation.books import Books
from simulation.clock import EPOCH, Clock
from simulation.counts import Counts
from simulation.disk import Disk
from simulation.logs import Log, whole_log
from simulation.machine import MOMENTS, Machine, draw_point, draw_point_of
from simulation.network import Network
from simulation.person import Person
from simulation.scenery import draw_limits, draw_settings, draw_up
from simulation.seams import installed
from simulation.session import Disturbances, Session
from simulation.weather import Climate, Weather
from simulation.wishes import Wishes

CALM_RUNS = 10


class BrokenPromiseError(AssertionError):
    """An invariant does not hold; the text says which."""


class World:
    """Everything that a seed decides, and what becomes of it. `say` is told the story."""

    def __init__(
        self, seed: int, folder: Path, say: Callable[[str], None] = lambda words: None
    ) -> None:
        self.seed = seed
        self.counts = Counts(worlds=1)
        self._say = say
        self._folder = folder / f"world-{seed}"
        self._dice = self._dice_for("world")
        self._clock = clock = Clock()
        self._limits = draw_limits(self._dice)
        self._settings = draw_settings(self._dice, seed)
        self._simulator = Simulator(self._settings, clock.now)
        self._weather = Weather(
            Climate.draw(self._dice), self._dice_for("weather"), clock.now, self.counts
        )
        self._simulator._faults = self._weather  # type: ignore[assignment]  # faults with a clock
        self._books = Books(self._simulator, clock.wall)
        self._wishes = Wishes(self._dice_for("wishes"))
        self._allowances = Allowances()
        self._allowances.risky = self._books.risky = self._dice.random() < 0.08
        self._person = Person(
            self._books, self._allowances, self._dice_for("person"), self.counts.acts
        )
        self._disk = Disk(self._folder, self._dice_for("disk"))
        self._machine = Machine(self._died, self._books.breach, clock.now)
        self._network = Network(
            self._simulator, self._machine, self._books, self._dice_for("network")
        )
        self._first: dict[int, Job] = {}
        self._strangers: dict[Path, bytes] = {}

    def _dice_for(self, what: str) -> random.Random:
        return random.Random(f"{self.seed}/{what}")

    def _jump(self, size: float) -> None:
        self.counts.acts["the clock jumps"] += 1
        self._say(f"the clock jumps by {size:g} s")
        self._clock.skew += size

    # ------------------------------------------------------------ the story

    def run(self) -> str:
        """Live through it; returns a digest of all that happened. Raises `BrokenPromiseError`."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        try:
            self._faulty_phase()
            self._calm_phase()
            return self._digest()
        finally:
            self._disk.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            shutil.rmtree(self._folder.with_name(f"{self._folder.name}.kept"), ignore_errors=True)

    def _faulty_phase(self) -> None:
        dice = self._dice
        admitted = False
        for _ in range(dice.randint(3, 6)):
            if admitted and dice.random() < 0.5:
                what = self._wishes.change()
                self.counts.acts[f"manifest: {what}"] += 1
                self._say(f"manifest: {what}")
            if self._machine.dead and dice.random() < 0.3:
                self._machine.start(f"recovery: {dice.choice(MOMENTS)}")
            elif dice.random() < 0.85:
                nth = 1 + int(dice.expovariate(1.2))
                self._machine.start(draw_point(dice), nth, filling=dice.random() < 0.08)
            else:
                self._machine.start()
            admitted = self._one_run(accept=dice.random() < 0.15, calm=False)
            self._between()

    def _between(self) -> None:
        dice = self._dice
        self._clock.time += dice.choice((1.0, 30.0, 600.0, 4000.0))
        if dice.random() < 0.15:
            self._jump(dice.choice((-900.0, -60.0, 300.0, 7500.0)))
        if dice.random() < 0.15 and self._wishes.list:
            self._leave_a_file()
        if dice.random() < 0.5:
            self._command("resolve", self._settle)
            if dice.random() < 0.5:
                self._command("retry", self._person.retry)
        if dice.random() < 0.35:
            if dice.random() < 0.4:
                self._wishes.remove()
            self._command("forget", self._forget)
        if dice.random() < 0.4:
            self._command("prune", self._person.prune)
        if dice.random() < 0.1 and self._delete_a_video():
            self._command("doctor", self._person.refetch)

    def _calm_phase(self) -> None:
        self._weather.calm = True
        self._simulator.settings = replace(self._settings, credit=None)
        self._limits = replace(self._limits, budget_tasks=None, budget_cost=None)
        for _ in range(CALM_RUNS):
            self._command("resolve", partial(self._settle, everything=True), calm=True)
            self._command("doctor", self._person.refetch, calm=True)
            before = self._read()
            self._machine.start()
            self._one_run(accept=False, calm=True)
            rows, _ = after = self._read()
            if after == before and not self._books.requests and not self._unsettled(rows):
                break
        else:
            self._hold(["the batch never comes to rest"])
        self._hold([*invariants.everything_came_home(self._books, rows, self._clock.now())])
        self.counts.videos += sum(row.status is Status.DONE for row in rows)
        self.counts.charges += len(self._simulator.charges)

    def _settle(self, ledger: Ledger, now: float, *, everything: bool = False) -> None:
        self._person.settle(ledger, now, everything=everything)

    def _forget(self, ledger: Ledger, now: float) -> None:
        self._grant(ledger, accept=False)
        self._person.forget(self._batch(self._limits), ledger, now)

    def _unsettled(self, rows: list[Job]) -> bool:
        ends = {Status.DONE, Status.FAILED, Status.PLANNED}
        return self._planned or any(row.status not in ends for row in rows)

    # ------------------------------------------------------------ one run

    def _one_run(self, *, accept: bool, calm: bool) -> bool:
        """One run and its aftermath; whether it came so far as to admit the manifest."""
        self.counts.runs += 1
        dice = self._dice
        if not calm:
            self._limits = replace(self._limits, concurrency=dice.randint(1, 5))
        limits = replace(self._limits, resubmit_uncertain=self._allowances.risky and not calm)
        batch = self._batch(limits, accept=accept)
        disturbed = Disturbances() if calm else Disturbances.draw(dice)
        session = Session(
            batch,
            self._machine,
            self._books,
            self._network,
            self._clock.wall,
            self._dice_for("chance"),
        )
        self._disk.settle()
        self._books.begin(limits.concurrency, limits.visibility_grace)
        self._say(
            f"run {self.counts.runs}: {len(self._wishes.list)} entries, {limits.concurrency} at "
            f"once, armed for {self._machine.armed or 'nothing'}"
        )

        def inspect(ledger: Ledger) -> None:
            self._remember_beginnings(ledger.jobs(), whole_log(ledger).past)
            if not session.admitted:
                self._grant(ledger, accept=accept)

        async def main() -> Ending:
            with self._clock.running():
                return await session.run(inspect, disturbed, self._jump)

        trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True
        trio._core._run._r.seed(f"{self.seed}/{self.counts.runs}")
        with installed(self._machine, self._disk, self._noted, self._books.rescued.add):
            self._live(lambda: trio.run(main, clock=MockClock(autojump_threshold=0)))
        self.counts.acts["a second run is turned away"] += session.locked_out
        self.counts.requests += self._books.requests
        if self._machine.dead:
            self._disk.come_back()
        self._check(calm=calm, crashed=self._machine.dead or self._machine.full)
        return session.admitted

    def _command(
        self, name: str, act: Callable[[Ledger, float], None], *, calm: bool = False
    ) -> None:
        """A command that sends nothing, and its aftermath; it may die as a run may."""
        dice = self._dice
        if not calm and dice.random() < 0.5:
            nth = 1 + int(dice.expovariate(1.2))
            point = draw_point_of(dice, name)
            self._machine.start(point, nth, filling=dice.random() < 0.1)
        else:
            self._machine.start()
        self._say(f"{name}, armed for {self._machine.armed or 'nothing'}")
        self._disk.settle()
        with installed(self._machine, self._disk, self._noted, self._books.rescued.add):
            self._live(partial(self._carry_out, name, act))
        if self._machine.dead:
            self._disk.come_back()
        rows, _ = self._read()
        self._person.look_again(rows)
        self._check(calm=calm, crashed=True)

    def _carry_out(self, name: str, act: Callable[[Ledger, float], None]) -> None:
        with self._batch(self._limits).opened(name) as ledger:
            self._books.acknowledged(ledger)
            self._remember_beginnings(ledger.jobs(), whole_log(ledger).past)
            self._machine.phase = name
            act(ledger, self._clock.wall())
            self._books.acknowledged(ledger)

    def _live(self, main: Callable[[], object]) -> None:
        """Run to the end, or to the crash."""
        try:
            ending = main()
        except BaseException as error:
            if self._machine.dead:
                return
            if self._machine.full and isinstance(first_error(error), StateError):
                self.counts.acts["the disk is full"] += 1
                self._say(f"the disk is full: {first_error(error)}")
                return
            raise
        if isinstance(ending, Ending):
            self.counts.acts[f"ended: {ending.stop}"] += 1
            self._say(f"ended: {ending}")

    def _died(self, point: str) -> None:
        power = self._dice.random() < 0.45
        self.counts.crashes[point] += 1
        self.counts.power_cuts += power
        self._say(f"{'power cut' if power else 'killed'}: {point}")
        self._disk.keep(power=power)

    def _noted(self, ledger: Ledger, event: Event, after: Job) -> None:
        self._say(f"  {self._clock.now() - EPOCH:9.2f} {after.id} ({after.key}): {event}")
        self._books.noted(ledger, event, after)

    def _grant(self, ledger: Ledger, *, accept: bool) -> None:
        wishes = [(wish, wish.body(self._wishes.default)) for wish in self._wishes.list]
        useless_ones = self._books.useless(self._clock.now())
        self._allowances.grant(wishes, ledger.jobs(), useless_ones, accept=accept)

    def _remember_beginnings(self, jobs: list[Job], past: list[PastEvent]) -> None:
        touched = {line.job for line in past}
        self._first.update({job.key: job for job in jobs if job.key not in touched})

    # ------------------------------------------------------------ looking and checking

    def _check(self, *, calm: bool, crashed: bool) -> None:
        books = self._books
        rows, log = self._read()
        self._remember_beginnings(rows, log.past)
        books.learn(log.past)
        books.missing &= {row.output for row in rows if row.status is Status.DONE}
        for row in rows:
            self._say(f"    {row.id}: {row.status} {row.task_id} {row.problem or ''}")
        risky, now = self._allowances.risky, self._clock.now()
        found = [
            *books.breaches,
            *self._allowances.breaches(charge.body for charge in self._simulator.charges),
            *invariants.charges_accounted_for(books, rows, crashed=crashed, risky=risky, now=now),
            *invariants.nothing_forgotten(books, log),
            *invariants.files_are_right(books, rows, self._folder / "videos", self._strangers),
            *replay.breaches(self._first, log.past, rows),
            *self._told_by_doctor(),
        ]
        if not calm:
            found += invariants.within_budget(books, self._limits, self._wishes.prices)
        self._hold(found)

    def _hold(self, broken: Collection[str]) -> None:
        for words in broken:
            self._say(f"BROKEN: {words}")
        if broken:
            raise BrokenPromiseError(broken[0])

    def _read(self) -> tuple[list[Job], Log]:
        with self._looked_into() as ledger:
            self._planned = ledger is not None and ledger.next_planned() is not None
            return (ledger.jobs(), whole_log(ledger)) if ledger else ([], Log([], set(), []))

    def _told_by_doctor(self) -> list[str]:
        with self._looked_into() as ledger:
            return list(contradictions(ledger)) if ledger else []

    @contextlib.contextmanager
    def _looked_into(self) -> Iterator[Ledger | None]:
        ledger = Ledger.read(self._folder / "state" / "catalog.db")
        try:
            yield ledger
        finally:
            if ledger:
                ledger.close()

    def _batch(self, limits: Limits, *, accept: bool = False) -> Batch:
        return draw_up(self._folder, self._wishes.entries(), limits, accept=accept)

    def _leave_a_file(self) -> None:
        """Somebody else's file, where a video would go."""
        entry = self._dice.choice(self._wishes.entries())
        path = self._batch(self._limits).place(entry.id, entry.body)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"holiday film")
            self._strangers[path] = b"holiday film"
            self.counts.acts["a stranger's file"] += 1

    def _delete_a_video(self) -> bool:
        """Somebody deletes a video; whether there was one."""
        with self._looked_into() as ledger:
            outputs = list(ledger.outputs()) if ledger else []
        outputs = [output for output in outputs if output not in self._books.missing]
        if outputs:
            gone = self._dice.choice(outputs)
            Path(gone).unlink()
            self._books.missing.add(gone)
            self.counts.acts["a video is deleted"] += 1
        return bool(outputs)

    def _digest(self) -> str:
        _, log = self._read()
        told = [(line.job, line.at, line.event, str(line.detail)) for line in log.past]
        charges = [(charge.task_id, charge.at) for charge in self._simulator.charges]
        return hashlib.sha256(json.dumps([told, charges]).encode()).hexdigest()
