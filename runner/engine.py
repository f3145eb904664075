"""The loop: submits within the limits, follows every task to its end, and stops cleanly.

It is handed `perform: Step -> Event` and knows nothing of HTTP; it asks the policy and tells the
bookkeeper, and between an answer and its commit nothing is awaited.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable

import anyio

from runner import policy
from runner.bookkeeping import Bookkeeper, Observe
from runner.events import (
    Accepted,
    AccountRefused,
    Event,
    FetchFailed,
    Rendered,
    WrongAddress,
)
from runner.jobs import Ending, Job, Limits, Poll, Status, Step, Stop, Submit, Tally
from runner.ledger import Ledger

POLLS_AT_ONCE = 64
DOWNLOADS_AT_ONCE = 8
PASS_SECONDS = 10.0  # for which a single pass waits for pauses between submits, in all

Perform = Callable[[Step], Awaitable[Event]]


class Engine:
    """One run over one state file, made inside the event loop. `run` may be called once.

    `wall` gives seconds since 1970 for what is stored and for ages; waiting uses the event
    loop's own clock, which no clock change disturbs. `observe` is told of each change, `say` gets
    words for people; neither may block or raise.
    """

    def __init__(
        self,
        ledger: Ledger,
        perform: Perform,
        limits: Limits,
        *,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
        observe: Observe = lambda before, event, after: None,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self._books = Bookkeeper(
            ledger,
            limits,
            wall=wall,
            clock=anyio.current_time,
            chance=chance,
            observe=observe,
            changed=self._signal,
        )
        self._perform = perform
        self._limits = limits
        self._wall = wall
        self._say = say
        self._waiting_said = False
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()
        self._ending: Ending | None = None
        self._unasked: set[int] = set()
        self._once = False
        self._end_of_pass = 0.0
        self._due: dict[int, float] = {}

    @property
    def tally(self) -> Tally:
        """What is under way and what was spent, at this moment."""
        return self._books.tally

    def drain(self, ending: Ending) -> int:
        """Stop: submits in the air are waited for and stored, everything else is left as it is.

        Returns how many submits are in the air.
        """
        soft = {Stop.BUDGET, Stop.DAY_BUDGET, Stop.RUN_BUDGET, Stop.BREAKER}
        if self._ending is None or self._ending.stop in soft or ending.stop is Stop.ACCOUNT:
            self._ending = ending
        self._scope.cancel()
        return self._books.submitting

    async def run(self, deadline: float | None = None, *, once: bool = False) -> Ending:
        """Work until there is nothing left to do, or `deadline` seconds have passed.

        `once` makes it a single pass: what is due is done, and what would have to be waited for
        is left to the next pass, which goes on with the same patience.
        Raises `StateError` when the state file can't be written any more.
        """
        self._once = once
        if deadline is not None:
            self._scope.deadline = anyio.current_time() + deadline
        self._polls = anyio.Semaphore(POLLS_AT_ONCE, fast_acquire=True)
        self._downloads = anyio.Semaphore(DOWNLOADS_AT_ONCE, fast_acquire=True)
        if once:
            self._due = self._books.take_up()
            self._end_of_pass = anyio.current_time() + PASS_SECONDS
        resumed = self._books.recover()
        self._unasked = {job.key for job in resumed}
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    for job in resumed:
                        self._books.place(job)
                        group.start_soon(self._follow, job)
                    group.start_soon(self._submit_all, group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        if once:
            self._books.leave_to_next_pass(self._due)
        if self._scope.cancel_called:
            return self._ending or Ending(Stop.DEADLINE)
        left = once and not self._books.all_home
        return self._ending or Ending(Stop.PASS if left else Stop.FINISHED)

    # ------------------------------------------------------------ submitting

    async def _submit_all(self, group: anyio.abc.TaskGroup) -> None:
        """Buy one planned job after the other, as room, pauses and budget allow."""
        await anyio.lowlevel.checkpoint()  # a deadline may be over before anything is bought
        while self._unasked:
            await self._change()
        # Woken by a change, this task may run once more after the run was told to stop.
        while not self._scope.cancel_called and self._goes_on_submitting():
            room = self._books.room()
            if problem := self._books.tripped:
                self._ending = Ending(Stop.BREAKER, problem)
                return
            if not room:
                self._say_what_is_waited_for()
                await self._change()
            elif not self._books.has_planned:
                if not self._books.submitting:
                    return
                await self._change()
            elif (wait := self._books.pause()) > 0:
                with anyio.move_on_after(wait):
                    await (self._changed.wait() if self._once else anyio.sleep_forever())
            elif taken := self._books.take_on(room):
                for job in taken:
                    if job.status is Status.SUBMITTING:
                        group.start_soon(self._buy, job)
            elif self._books.submitting:
                await self._change()
            else:
                self._ending = Ending(self._books.over_budget)
                return
            await anyio.lowlevel.checkpoint()

    def _goes_on_submitting(self) -> bool:
        """Whether anything may still be submitted; in a single pass, without waiting for room."""
        if self._books.submitting or not self._once:
            return self._books.any_at_provider or self._books.has_planned
        now = anyio.current_time()
        late = now + self._books.pause() > self._end_of_pass
        return not late and self._books.room() > 0 and self._books.has_planned

    def _say_what_is_waited_for(self) -> None:
        """Once, when only submissions in doubt keep the next job from being submitted."""
        doubts = self._books.doubts()
        if doubts and not self._books.any_at_provider and not self._waiting_said:
            self._waiting_said = True
            self._say(
                f"waiting for up to {max(doubts):.0f} seconds: {len(doubts)} submissions in doubt "
                "may be running and hold every place at the provider"
            )

    async def _buy(self, job: Job) -> None:
        """Pay, store the answer, follow the task. Even a cancelled run waits for the answer."""
        with anyio.CancelScope(shield=True):
            event = await self._perform(Submit(job))
            job = self._take(job, self._books.judged(job, event))
        await self._follow(job)

    # ------------------------------------------------------------ following

    async def _follow(self, job: Job) -> None:
        """Poll and fetch until the job is at its end, planned again, or left for a person."""
        resumed = job.key in self._unasked
        fresh = Accepted(job.task_id)
        wait = self._still_to_wait(job) if resumed else self._books.delay(job, fresh)
        due = resumed and not wait
        try:
            while not isinstance(step := self._books.next_step(job), Submit | None):
                if self._once and not due:
                    self._due[job.key] = self._wall() + wait
                    return
                asked = anyio.current_time() + wait
                await anyio.sleep(wait)
                async with self._polls if isinstance(step, Poll) else self._downloads:
                    event = await self._perform(step)
                self._asked(job)
                if not self._books.note(job, event):
                    job, event = self._heeded(job, event)
                    if self._is_left(job):
                        return
                wait = self._books.delay(job, event, asked)
                due = isinstance(event, Rendered)
        finally:
            self._leave(job)

    def _heeded(self, job: Job, event: Event) -> tuple[Job, Event]:
        """The job after an answer, and what the answer amounts to."""
        if job.status is Status.UNCERTAIN:
            found = policy.evidence(job, event, self._limits, self._wall())
            if found is None:
                self._ask_again_later(job)
                return job, event
            job = self._take(job, found)
        event = self._books.judged(job, event)
        job = self._take(job, event)
        if given_up := policy.abandoned(job, self._books.streak(job)):
            job = self._take(job, given_up)
        return job, event

    def _is_left(self, job: Job) -> bool:
        """Whether a job that was heard of is left: for a person, or for the next run."""
        return job.status is Status.UNCERTAIN or policy.set_aside(self._books.streak(job))

    def _still_to_wait(self, job: Job) -> float:
        """Seconds until a job that an earlier pass left is due."""
        return max(0.0, self._due.pop(job.key, 0.0) - self._wall())

    def _ask_again_later(self, job: Job) -> None:
        if self._once:
            self._due[job.key] = self._wall() + self._limits.visibility_grace

    def _asked(self, job: Job) -> None:
        if job.key in self._unasked:
            self._unasked.discard(job.key)
            self._signal()

    def _leave(self, job: Job) -> None:
        self._asked(job)
        self._books.leave(job, due=job.key in self._due)
        self._signal()

    def _take(self, job: Job, event: Event) -> Job:
        """Store an event, and stop for what no job can go on after. Never awaits."""
        after = self._books.take(job, event)
        if ending := _fatal(event):
            self.drain(ending)
        return after

    # ------------------------------------------------------------ waiting for any change

    async def _change(self) -> None:
        """Wait until anything changed, or an uncertain submission gives its slot back."""
        if doubts := self._books.doubts():
            with anyio.move_on_after(doubts[0]):
                await self._changed.wait()
        else:
            await self._changed.wait()

    def _signal(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def _fatal(event: Event) -> Ending | None:
    """Why the whole run ends after an event of one job, if it does."""
    match event:
        case AccountRefused(problem=problem):
            return Ending(Stop.ACCOUNT, problem)
        case WrongAddress(problem=problem):
            return Ending(Stop.ADDRESS, problem)
        case FetchFailed(problem=problem, local=True):
            return Ending(Stop.DISK, problem)
        case _:
            return None


def first_error(error: BaseException) -> BaseException:
    """An error out of its task groups' wrapping: what went wrong first, for people to read."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
