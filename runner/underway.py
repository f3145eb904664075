"""Which jobs are where, and what was spent: a run's own books, kept change by change."""

from __future__ import annotations

from runner import policy
from runner.jobs import NOTHING, Job, Limits, Spent, Status, Tally


class Underway:
    """The keys of the jobs on their way, by where they are; all times are seconds since 1970.

    `spent` is what was spent before, `today` the part of it spent in the day of `now`.
    """

    def __init__(
        self, limits: Limits, spent: tuple[int, int], today: Spent = NOTHING, now: float = 0.0
    ) -> None:
        self._limits = limits
        self._attempts, self._cost = self._before = Spent(*spent)
        self._day, self._today = policy.day_of(now), today
        self.submitting: set[int] = set()
        self.at_provider: set[int] = set()
        self.downloading: set[int] = set()
        self._doubtful: dict[int, Job] = {}

    def place(self, job: Job, now: float) -> None:
        """Put a job where its status says it is."""
        for status, members in (
            (frozenset({Status.SUBMITTING}), self.submitting),
            (policy.AT_PROVIDER, self.at_provider),
            (frozenset({Status.RENDERED}), self.downloading),
        ):
            (members.add if job.status in status else members.discard)(job.key)
        self._doubtful.pop(job.key, None)
        if policy.in_doubt_for(job, self._limits, now) > 0:
            self._doubtful[job.key] = job

    def changed(self, before: Job, after: Job, now: float) -> None:
        """Take note of a change that is stored: what it cost, and where the job is now."""
        tasks, cost = after.attempts - before.attempts, after.spent - before.spent
        self._attempts += tasks
        self._cost += cost
        self._today = self._spent_today(now)
        self._day = max(self._day, policy.day_of(now))
        # What is given back counts for the day on which it was spent; no clock that is set back
        # makes a day's budget new.
        if policy.day_of(after.submitted_at) >= min(self._day, policy.day_of(now)):
            self._today = Spent(self._today.tasks + tasks, self._today.cost + cost)
        self.place(after, now)

    def _spent_today(self, now: float) -> Spent:
        return NOTHING if policy.day_of(now) > self._day else self._today

    def leave(self, job: Job) -> None:
        """Nothing more is done about a job in this run."""
        self.at_provider.discard(job.key)
        self.downloading.discard(job.key)

    def doubts(self, now: float) -> list[float]:
        """How long each uncertain submission keeps its slot, in seconds, the next one first."""
        if not self._doubtful:
            return []
        waits = (policy.in_doubt_for(job, self._limits, now) for job in self._doubtful.values())
        return sorted(wait for wait in waits if wait > 0)

    def tally(self, now: float, allowed: int) -> Tally:
        """What is under way and what was spent; `allowed` may be at the provider at once."""
        return Tally(
            len(self.at_provider) + len(self.doubts(now)),
            len(self.submitting),
            len(self.downloading),
            self._attempts,
            self._cost,
            allowed,
            Spent(self._attempts - self._before.tasks, self._cost - self._before.cost),
            self._spent_today(now),
        )
