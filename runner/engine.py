"""The loop: submits within the limits, follows every task to its end, and stops cleanly.

It is handed `perform: Step -> Event` and knows nothing of HTTP; it asks the policy and tells the
ledger, and between an answer and its commit nothing is awaited.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable, Mapping

import anyio

from runner import carry, lifecycle, policy
from runner.events import (
    Accepted,
    AccountRefused,
    Event,
    FetchFailed,
    FoundRemote,
    Lost,
    NotSent,
    Refused,
    Rendered,
    RenderFailed,
    RiskAccepted,
    SubmitStarted,
    Throttled,
    Unserved,
    WrongAddress,
)
from runner.history import spent_in
from runner.jobs import (
    NOTHING,
    Budget,
    Ending,
    Job,
    Limits,
    Poll,
    Problem,
    Spent,
    Status,
    Step,
    Stop,
    Submit,
    Tally,
)
from runner.ledger import Ledger
from runner.pace import PollPace, SubmitPace
from runner.policy import Streak
from runner.underway import Underway

POLLS_AT_ONCE = 64
DOWNLOADS_AT_ONCE = 8
PASS_SECONDS = 10.0  # for which a single pass waits for pauses between submits, in all
RENDERS_KNOWN = 1000
LEVEL = "level"  # under this name the state file keeps what `concurrency: auto` found out

Perform = Callable[[Step], Awaitable[Event]]
Observe = Callable[[Job, Event, Job], None]


def commit(ledger: Ledger, job: Job, event: Event, now: float) -> Job:
    """Decide what an event makes of a job, and store both. The one way a job ever changes."""
    after = lifecycle.apply(job, event, now)
    ledger.record(job, event, after, now)
    return after


def spent_today(ledger: Ledger, limits: Limits, now: float) -> Spent:
    """What was spent in this day of UTC, by the event log; not looked up without a daily budget."""
    if limits.per_day == Budget():
        return NOTHING
    log = ledger.paying(policy.day_of(now) * policy.DAY, lifecycle.PAYABLE)
    return spent_in((each.job, each.before, each.event, each.detail, each.at) for each in log)


def settle_interrupted(ledger: Ledger, now: float) -> list[tuple[Job, Lost, Job]]:
    """Submits that an earlier run died waiting for are uncertain; the caller holds the lock."""
    cut = Lost(Problem("interrupted", "the run ended before the answer to its submit came"))
    jobs = ledger.jobs({Status.SUBMITTING})
    return [(job, cut, commit(ledger, job, cut, now)) for job in jobs]


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
        self._ledger = ledger
        self._perform = perform
        self._limits = limits
        self._wall = wall
        self._chance = chance
        self._observe = observe
        self._say = say
        self._waiting_said = False
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()
        self._ending: Ending | None = None
        self._streaks: dict[int, Streak] = {}
        self._unasked: set[int] = set()
        self._unserved: dict[str, Problem] = {}
        self._troubles: Mapping[str, int] = {}
        submits = ledger.submits(limits.rate.count) if limits.rate else ()
        level, now = ledger.recall(LEVEL), anyio.current_time()
        self._pace = SubmitPace(limits, level, submits, wall(), now)
        self._polling = PollPace(limits, ledger.renders(RENDERS_KNOWN))
        self._over_budget = Stop.BUDGET
        self._once = False
        self._end_of_pass = 0.0
        self._due: dict[int, float] = {}
        today = spent_today(ledger, limits, wall())
        self._underway = Underway(limits, ledger.spent(), today, wall())

    @property
    def tally(self) -> Tally:
        """What is under way and what was spent, at this moment."""
        return self._underway.tally(self._wall(), self._pace.allowed)

    def drain(self, ending: Ending) -> int:
        """Stop: submits in the air are waited for and stored, everything else is left as it is.

        Returns how many submits are in the air.
        """
        soft = {Stop.BUDGET, Stop.DAY_BUDGET, Stop.RUN_BUDGET, Stop.BREAKER}
        if self._ending is None or self._ending.stop in soft or ending.stop is Stop.ACCOUNT:
            self._ending = ending
        self._scope.cancel()
        return len(self._underway.submitting)

    async def run(self, deadline: float | None = None, *, once: bool = False) -> Ending:
        """Work until there is nothing left to do, or `deadline` seconds have passed.

        `once` makes it a single pass: what is due is done, and what would have to be waited for
        is left to the next pass, which goes on with the same patience.
        Raises `StateError` when the state file can't be written any more.
        """
        self._once = once
        if deadline is not None:
            self._scope.deadline = anyio.current_time() + deadline
        self._polls = anyio.CapacityLimiter(POLLS_AT_ONCE)
        self._downloads = anyio.CapacityLimiter(DOWNLOADS_AT_ONCE)
        if once:
            self._take_up()
        resumed = self._recover()
        self._unasked = {job.key for job in resumed}
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    for job in resumed:
                        self._underway.place(job, self._wall())
                        group.start_soon(self._follow, job)
                    group.start_soon(self._submit_all, group)
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        if once:
            self._leave_to_next_pass()
        if self._scope.cancel_called:
            return self._ending or Ending(Stop.DEADLINE)
        left = (
            self._underway.at_provider or self._underway.downloading or self._ledger.has_planned()
        )
        return self._ending or Ending(Stop.PASS if once and left else Stop.FINISHED)

    # ------------------------------------------------------------ from one pass to the next

    def _take_up(self) -> None:
        now = self._wall()
        left = carry.take_up(self._ledger.recall(carry.MEMORY), self._ledger.run, now)
        self._streaks, self._due = dict(left.streaks), dict(left.due)
        self._troubles = left.troubles
        self._pace.resume(left.refusals, left.gate - now, anyio.current_time())
        self._end_of_pass = anyio.current_time() + PASS_SECONDS

    def _leave_to_next_pass(self) -> None:
        now = self._wall()
        refusals, pause = self._pace.strained(anyio.current_time())
        left = carry.Carry(self._streaks, self._due, self._troubles, refusals, now + pause)
        self._ledger.remember(carry.MEMORY, carry.keep(left, self._ledger.run, now))

    # ------------------------------------------------------------ before anything is asked

    def _recover(self) -> list[Job]:
        """Settle what an earlier run left behind; returns the jobs whose task id is known."""
        self._take_rescued()
        for change in settle_interrupted(self._ledger, self._wall()):
            self._observe(*change)
        for job in self._ledger.jobs({Status.UNCERTAIN}):
            self._underway.place(self._accept_risk(job), self._wall())
        waiting = self._ledger.jobs({Status.RUNNING, Status.RENDERED, Status.UNCERTAIN})
        return [job for job in waiting if job.task_id]

    def _take_rescued(self) -> None:
        """Store the task ids that an earlier run had no room to store."""
        jobs = {job.key: job for job in self._ledger.jobs({Status.SUBMITTING, Status.UNCERTAIN})}
        strangers = False
        for kept in self._ledger.rescued():
            job = jobs.get(kept.key)
            if self._ledger.knows(kept.task_id):
                continue
            if job is None or job.content != kept.content or job.task_id:
                strangers = True
            elif job.status is Status.SUBMITTING:
                self._store(job, Accepted(kept.task_id))
            else:
                self._store(job, FoundRemote(kept.task_id, job.since))
        if not strangers:
            self._ledger.forget_rescued()

    # ------------------------------------------------------------ submitting

    async def _submit_all(self, group: anyio.abc.TaskGroup) -> None:
        """Buy one planned job after the other, as room, pauses and budget allow."""
        while self._unasked:
            await self._change()
        while self._goes_on_submitting():
            room = self._pace.room(self.tally)
            if problem := policy.tripped(self._troubles):
                self._ending = Ending(Stop.BREAKER, problem)
                return
            if not room:
                self._say_what_is_waited_for()
                await self._change()
            elif not self._ledger.has_planned():
                if not self._underway.submitting:
                    return
                await self._change()
            elif (wait := self._pace.wait(anyio.current_time())) > 0:
                with anyio.move_on_after(wait):
                    await (self._changed.wait() if self._once else anyio.sleep_forever())
            elif taken := self._take_on(room):
                for job in taken:
                    if job.status is Status.SUBMITTING:
                        group.start_soon(self._buy, job)
            elif self._underway.submitting:
                await self._change()
            else:
                self._ending = Ending(self._over_budget)
                return
            await anyio.lowlevel.checkpoint()

    def _goes_on_submitting(self) -> bool:
        """Whether anything may still be submitted; in a single pass, without waiting for room."""
        if self._underway.submitting or not self._once:
            planned = (
                self._underway.submitting
                or self._underway.at_provider
                or self._ledger.has_planned()
            )
            return bool(planned)
        now = anyio.current_time()
        late = now + self._pace.wait(now) > self._end_of_pass
        return not late and self._pace.room(self.tally) > 0 and self._ledger.has_planned()

    def _take_on(self, room: int) -> list[Job]:
        """Commit the intent to pay for the next jobs, as many as there is room and budget for.

        All in one commit: they leave at the same moment, so a crash puts the same ones in doubt.
        A job whose model nobody serves is refused on the way.
        """
        taken: list[tuple[Job, Event, Job]] = []
        with self._ledger.together():
            while len(taken) < room and (job := self._ledger.next_planned()):
                event: Event = SubmitStarted(job.body, job.cost)
                if problem := self._unserved.get(str(job.body.get("model"))):
                    event = Refused(problem)
                elif over := policy.over_budget(job, self.tally, self._limits):
                    self._over_budget = over
                    break
                taken.append((job, event, self._commit(job, event)))
        for change in taken:  # told only now that it is on disk
            self._observe(*change)
            if isinstance(change[1], SubmitStarted):
                self._pace.left(anyio.current_time())
        return [after for *_, after in taken]

    def _say_what_is_waited_for(self) -> None:
        """Once, when only submissions in doubt keep the next job from being submitted."""
        doubts = self._underway.doubts(self._wall())
        if doubts and not self._underway.at_provider and not self._waiting_said:
            self._waiting_said = True
            self._say(
                f"waiting for up to {max(doubts):.0f} seconds: {len(doubts)} submissions in doubt "
                "may be running and hold every place at the provider"
            )

    async def _buy(self, job: Job) -> None:
        """Pay, store the answer, follow the task. Even a cancelled run waits for the answer."""
        with anyio.CancelScope(shield=True):
            event = await self._perform(Submit(job))
            job = self._take(job, self._judged(job, event))
        await self._follow(job)

    # ------------------------------------------------------------ following

    async def _follow(self, job: Job) -> None:
        """Poll and fetch until the job is at its end, planned again, or left for a person."""
        resumed = job.key in self._unasked
        wait = self._still_to_wait(job) if resumed else self._delay(job, Accepted(job.task_id))
        due = resumed and not wait
        try:
            while not isinstance(step := policy.next_step(job, self._streak(job)), Submit | None):
                if self._once and not due:
                    self._due[job.key] = self._wall() + wait
                    return
                await anyio.sleep(wait)
                async with self._polls if isinstance(step, Poll) else self._downloads:
                    event = await self._perform(step)
                self._asked(job)
                if job.status is Status.UNCERTAIN:
                    found = policy.evidence(job, event, self._limits, self._wall())
                    if found is None:
                        self._ask_again_later(job)
                        return
                    job = self._take(job, found)
                event = self._judged(job, event)
                job = self._take(job, event)
                if given_up := policy.abandoned(job, self._streak(job)):
                    job = self._take(job, given_up)
                if job.status is Status.UNCERTAIN or policy.set_aside(self._streak(job)):
                    return
                wait = self._delay(job, event)
                due = isinstance(event, Rendered)
        finally:
            self._leave(job)

    def _delay(self, job: Job, event: Event) -> float:
        interval = self._polling.wait(job, self._wall(), self._chance())
        return policy.delay(event, self._streak(job), interval, self._chance())

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
        if job.key not in self._due:
            self._underway.leave(job)
        if job.status not in policy.ON_THE_WAY:
            self._streaks.pop(job.key, None)
        self._signal()

    # ------------------------------------------------------------ what an event changes

    def _judged(self, job: Job, event: Event) -> Event:
        if isinstance(event, Accepted) and self._ledger.knows(event.task_id):
            words = f"answered with the id of another job's task, {event.task_id}"
            return Lost(Problem("duplicate_task_id", words, event.request_id))
        return policy.judge(job, event, self._streak(job), self._limits, self._wall())

    def _take(self, job: Job, event: Event) -> Job:
        """Store an event and draw its consequences for the run. Never awaits."""
        self._streaks[job.key] = policy.remember(self._streak(job), event, self._wall())
        self._troubles = policy.count_trouble(self._troubles, event)
        known = self._pace.learn(job, event, self.tally, self._wall()) if self._limits.auto else {}
        after = self._store(job, event)
        if known:
            self._ledger.remember(LEVEL, known)
            self._signal()
        match event:
            case Accepted():
                self._pace.accepted()
            case (
                Rendered(pending=pending, ready=ready) | RenderFailed(pending=pending, ready=ready)
            ):
                self._polling.learn(job.body, pending, ready, anyio.current_time())
            case NotSent() | Throttled() | Unserved():
                self._pause(event)
            case Refused(problem=problem) if self._streak(job).unserved:
                self._unserved[str(job.body.get("model"))] = problem
            case AccountRefused(problem=problem):
                self.drain(Ending(Stop.ACCOUNT, problem))
            case WrongAddress(problem=problem):
                self.drain(Ending(Stop.ADDRESS, problem))
            case FetchFailed(problem=problem, local=True):
                self.drain(Ending(Stop.DISK, problem))
            case Lost():
                self._pause(event)
                after = self._accept_risk(after)
            case _:
                pass
        return after

    def _pause(self, event: Event) -> None:
        self._pace.paused(event, anyio.current_time(), self._chance())

    def _accept_risk(self, job: Job) -> Job:
        """Put an uncertain job back if the operator chose to risk paying twice for it."""
        if policy.may_resubmit(job, self._limits):
            return self._store(job, RiskAccepted())
        return job

    def _store(self, job: Job, event: Event) -> Job:
        if not policy.is_noteworthy(job, event):
            return job
        after = self._commit(job, event)
        self._observe(job, event, after)
        return after

    def _commit(self, job: Job, event: Event) -> Job:
        now = self._wall()
        after = commit(self._ledger, job, event, now)
        self._underway.changed(job, after, now)
        if after.status is not job.status:
            self._signal()
        return after

    def _streak(self, job: Job) -> Streak:
        return self._streaks.get(job.key, Streak())

    # ------------------------------------------------------------ waiting for any change

    async def _change(self) -> None:
        """Wait until anything changed, or an uncertain submission gives its slot back."""
        if doubts := self._underway.doubts(self._wall()):
            with anyio.move_on_after(doubts[0]):
                await self._changed.wait()
        else:
            await self._changed.wait()

    def _signal(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error in a task group's wrapping: what went wrong first, for people to read."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
