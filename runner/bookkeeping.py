"""Every change of a run: stored, told, and learnt from for the rest of it.

Nothing here is ever awaited, so nothing can come between an answer and its commit. The engine
says when things happen; what they amount to is the policy's to say, and the lifecycle's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runner import breaker, carry, lifecycle, policy
from runner.events import (
    Accepted,
    Event,
    FoundRemote,
    Lost,
    NotSent,
    Refused,
    Rendered,
    RenderFailed,
    RiskAccepted,
    StillRunning,
    SubmitStarted,
    Throttled,
    Unserved,
)
from runner.history import spent_in
from runner.jobs import NOTHING, Budget, Job, Limits, Problem, Spent, Status, Step, Stop, Tally
from runner.ledger import Ledger
from runner.pace import PollPace, SubmitPace, on_the_beat
from runner.policy import Streak
from runner.underway import Underway

RENDERS_KNOWN = 1000
LEVEL = "level"  # under this name the state file keeps what `concurrency: auto` found out

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


class Bookkeeper:
    """Keeps the state file of one run, and what the run knows beyond it.

    `wall` gives seconds since 1970, for what is stored and for ages; `clock` those of the event
    loop, on which is waited. `observe` is told of each change, `changed` is called after what
    somebody may be waiting for; neither may block or raise.
    """

    def __init__(
        self,
        ledger: Ledger,
        limits: Limits,
        *,
        wall: Callable[[], float],
        clock: Callable[[], float],
        chance: Callable[[], float],
        observe: Observe,
        changed: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._limits = limits
        self._wall = wall
        self._clock = clock
        self._chance = chance
        self._observe = observe
        self._changed = changed
        self._streaks: dict[int, Streak] = {}
        self._unserved: dict[str, Problem] = {}
        self._troubles: Mapping[str, int] = {}
        submits = ledger.submits(limits.rate.count) if limits.rate else ()
        self._pace = SubmitPace(limits, ledger.recall(LEVEL), submits, wall(), clock())
        self._polling = PollPace(limits, ledger.renders(RENDERS_KNOWN))
        today = spent_today(ledger, limits, wall())
        self._underway = Underway(limits, ledger.spent(), today, wall())
        self.over_budget = Stop.BUDGET

    # ------------------------------------------------------------ how the run stands

    @property
    def tally(self) -> Tally:
        """What is under way and what was spent, at this moment."""
        return self._underway.tally(self._wall(), self._pace.allowed)

    @property
    def submitting(self) -> int:
        """How many submits are in the air."""
        return len(self._underway.submitting)

    @property
    def any_at_provider(self) -> bool:
        """Whether any task is at the provider, or on its way there."""
        return bool(self._underway.at_provider)

    @property
    def has_planned(self) -> bool:
        """Whether any job waits to be submitted."""
        return self._ledger.has_planned()

    @property
    def all_home(self) -> bool:
        """Whether nothing is left to be submitted, asked for or fetched."""
        under_way = self._underway.at_provider or self._underway.downloading
        return not under_way and not self.has_planned

    @property
    def tripped(self) -> Problem | None:
        """Why no more may be submitted: one kind of trouble came too often in a row."""
        return breaker.tripped(self._troubles)

    def doubts(self) -> list[float]:
        """How long each uncertain submission keeps its slot, in seconds, the next one first."""
        return self._underway.doubts(self._wall())

    def room(self) -> int:
        """How many submits may leave together now, pauses and the rate aside."""
        return self._pace.room(self.tally)

    def pause(self) -> float:
        """Seconds until the next submit may leave."""
        return self._pace.wait(self._clock())

    def streak(self, job: Job) -> Streak:
        """What this run remembers of a job between two steps."""
        return self._streaks.get(job.key, policy.UNTRIED)

    def next_step(self, job: Job) -> Step | None:
        """What to do next for a job, or None when it waits for a person or is at its end."""
        return policy.next_step(job, self.streak(job))

    def delay(self, job: Job, event: Event, asked: float | None = None) -> float:
        """Seconds until the job's next step, after this event; `asked` is when that was due."""
        now = self._clock()
        interval = self._polling.wait(job, self._wall(), self._chance())
        wait = policy.delay(event, self.streak(job), interval, self._chance())
        rhythmic = asked is not None and isinstance(event, StillRunning)
        return on_the_beat(now, wait, asked if rhythmic else None)

    # ------------------------------------------------------------ from one pass to the next

    def take_up(self) -> dict[int, float]:
        """Go on with the patience of the pass before; returns when its jobs are due, by key."""
        now = self._wall()
        left = carry.take_up(self._ledger.recall(carry.MEMORY), self._ledger.run, now)
        self._streaks, self._troubles = dict(left.streaks), left.troubles
        self._pace.resume(left.refusals, left.gate - now, self._clock())
        return dict(left.due)

    def leave_to_next_pass(self, due: Mapping[int, float]) -> None:
        """Keep what the next pass should know."""
        now = self._wall()
        refusals, pause = self._pace.strained(self._clock())
        left = carry.Carry(self._streaks, due, self._troubles, refusals, now + pause)
        self._ledger.remember(carry.MEMORY, carry.keep(left, self._ledger.run, now))

    # ------------------------------------------------------------ what an earlier run left behind

    def recover(self) -> list[Job]:
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

    def place(self, job: Job) -> None:
        """Count a job where its status says it is."""
        self._underway.place(job, self._wall())

    # ------------------------------------------------------------ what happens in this one

    def take_on(self, room: int) -> list[Job]:
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
                    self.over_budget = over
                    break
                taken.append((job, event, self._commit(job, event)))
        for change in taken:  # told only now that it is on disk
            self._observe(*change)
            if isinstance(change[1], SubmitStarted):
                self._pace.left(self._clock())
        return [after for *_, after in taken]

    def judged(self, job: Job, event: Event) -> Event:
        """What an answer amounts to, after all that came before it and beside the other jobs."""
        if isinstance(event, Accepted) and self._ledger.knows(event.task_id):
            words = f"answered with the id of another job's task, {event.task_id}"
            return Lost(Problem("duplicate_task_id", words, event.request_id))
        return policy.judge(job, event, self.streak(job), self._limits, self._wall())

    def note(self, job: Job, event: Event) -> bool:
        """Take note of an answer that says nothing new; False when there is more to it."""
        now, streak = self._wall(), self.streak(job)
        if self._limits.auto or not policy.is_nothing_new(job, event, streak, self._limits, now):
            return False
        self._streaks[job.key] = policy.remember(streak, event, now)
        return True

    def take(self, job: Job, event: Event) -> Job:
        """Store an event and draw its consequences for the run."""
        self._streaks[job.key] = policy.remember(self.streak(job), event, self._wall())
        self._troubles = breaker.count_trouble(self._troubles, event)
        known = self._pace.learn(job, event, self.tally, self._wall()) if self._limits.auto else {}
        after = self._store(job, event)
        if known:
            self._ledger.remember(LEVEL, known)
            self._changed()
        match event:
            case Accepted():
                self._pace.accepted()
            case (
                Rendered(pending=pending, ready=ready) | RenderFailed(pending=pending, ready=ready)
            ):
                self._polling.learn(job.body, pending, ready, self._clock())
            case NotSent() | Throttled() | Unserved() | Lost():
                self._pace.paused(event, self._clock(), self._chance())
            case Refused(problem=problem) if self.streak(job).unserved:
                self._unserved[str(job.body.get("model"))] = problem
            case _:
                pass
        return self._accept_risk(after) if isinstance(event, Lost) else after

    def leave(self, job: Job, *, due: bool) -> None:
        """Nothing more is done about a job in this run; `due` says that a next pass goes on."""
        if not due:
            self._underway.leave(job)
        if job.status not in policy.ON_THE_WAY:
            self._streaks.pop(job.key, None)

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
            self._changed()
        return after
