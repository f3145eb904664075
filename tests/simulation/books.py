"""The harness's own books: whose charge is whose, what was acknowledged, what was breached."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from io import BytesIO

from runner.events import (
    Abandoned,
    Accepted,
    Event,
    FetchFailed,
    FoundRemote,
    GaveUp,
    Invisible,
    PollFailed,
    Rendered,
    StillRunning,
)
from runner.jobs import Job
from runner.ledger import Ledger, PastEvent
from runner.sandbox import FilmSpec, Simulator, tiny
from runner.sandbox.tasks import Phase, Task
from runner.tags import write
from simulation.allowances import key_of

STRICT_CONCURRENCY = True
MOST_REQUESTS = 4000
_FORGETTABLE = (StillRunning, Invisible, PollFailed, FetchFailed, Rendered)


class Books:
    """What is true of a world, whatever its state file says.

    `owner` maps the id of each charged task to the job it was paid for; `known` are the ids that
    a state file took; `given_up` those that stopped being waited for, `abandoned` those of which
    a person said so, `rescued` those for which there was no room. `risky` when the operator buys
    again what may have been lost: such a loss keeps no slot. `missing` are the videos that somebody
    deleted. `durable` is how much of the event log no crash may take away.
    """

    def __init__(self, simulator: Simulator, wall: Callable[[], float]) -> None:
        self.simulator = simulator
        self.breaches: list[str] = []
        self.owner: dict[str, int] = {}
        self.known: set[str] = set()
        self.given_up: set[str] = set()
        self.abandoned: set[str] = set()
        self.rescued: set[str] = set()
        self.missing: set[str] = set()
        self.durable = 0
        self.requests = 0
        self.limit = 1
        self.patience = 0.0
        self.risky = False
        self._abandons: Counter[int] = Counter()
        self._wall = wall
        self._left: dict[int, float] = {}
        self._paid_at: dict[str, float] = {}
        self._in_air: set[int] = set()
        self._films: dict[str, bytes] = {}
        self._forms: dict[str, list[bytes]] = {}

    def begin(self, limit: int, patience: float) -> None:
        """A run begins, with so many tasks at once, a submit in doubt counted for so long."""
        self.limit, self.patience, self.requests = limit, patience, 0
        self._in_air = set()

    def breach(self, words: str) -> None:
        """Note a broken promise."""
        self.breaches.append(words)

    # ------------------------------------------------------------ as it happens

    def leaves(self, job: Job | None) -> None:
        """A request leaves; a paid one for this job."""
        self.requests += 1
        if self.requests > MOST_REQUESTS:
            raise RuntimeError("the run does not end: too many requests")
        if job is not None:
            self._left[job.key] = self._wall()
            self._in_air.add(job.key)

    def answered(self, job: Job) -> None:
        """A paid request is over, whatever came of it."""
        self._in_air.discard(job.key)

    def charged(self, job: Job | None) -> None:
        """The provider charged its newest task for this job."""
        *others, task = self.simulator.tasks.values()
        if job is None:
            self.breach(f"task {task.id} was charged outside of a submit")
            return
        now = task.charge.at
        busy = [other.id for other in others if other.over_at > now and not self._excused(other)]
        if len(busy) >= self.limit:
            self.breach(f"{len(busy) + 1} tasks at once at the provider, {self.limit} allowed")
        self.owner[task.id] = job.key
        self._paid_at[task.id] = self._left[job.key]

    def noted(self, ledger: Ledger, event: Event, after: Job) -> None:
        """An event was committed."""
        match event:
            case Accepted(task_id=task_id) | FoundRemote(task_id=task_id):
                self.known.add(task_id)
                self.given_up.discard(task_id)
            case GaveUp():
                self.given_up.add(after.task_id)
            case Abandoned():
                gone = {id for id, key in self.owner.items() if key == after.key}
                self.abandoned |= gone
            case _:
                pass
        if not isinstance(event, _FORGETTABLE):
            self.acknowledged(ledger)

    def acknowledged(self, ledger: Ledger) -> None:
        """All that was committed so far is there for good."""
        row = ledger._db.conn.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
        self.durable = int(row[0])

    def learn(self, past: Iterable[PastEvent]) -> None:
        """Read the event log after a run: a crash may have come between a commit and its note."""
        present: dict[int, str] = {}
        self.given_up = set()
        abandons: Counter[int] = Counter()
        for line in past:
            if line.event in {"Accepted", "FoundRemote"}:
                present[line.job] = line.detail["task_id"]
                self.known.add(present[line.job])
                self.given_up.discard(present[line.job])
            elif line.event == "GaveUp":
                self.given_up.add(present[line.job])
            abandons[line.job] += line.event == "Abandoned"
        fresh = {job for job, number in abandons.items() if number > self._abandons[job]}
        self.abandoned |= {id for id, key in self.owner.items() if key in fresh}
        self._abandons = abandons

    # ------------------------------------------------------------ looking things up

    def lost(self, job: Job) -> list[str]:
        """The ids that were charged for a job and never came back, oldest first."""
        mine = [id for id, key in self.owner.items() if key == job.key]
        return [id for id in mine if id not in self.known and id not in self.abandoned]

    def useless(self, now: float) -> list[str]:
        """The contents that were paid for and came to nothing, every time."""
        alive: dict[str, bool] = {}
        for task in self.simulator.tasks.values():
            over = task.phase(now) in {Phase.FAILED, Phase.CANCELLED}
            content = key_of(task.charge.body)
            hopeful = not over and task.id not in self.abandoned
            alive[content] = alive.get(content, False) or hopeful
        return [content for content, hopeful in alive.items() if not hopeful]

    def film(self, task_id: str) -> bytes:
        """The right bytes of a task's video."""
        if task_id not in self._films:
            body = self.simulator.tasks[task_id].charge.body
            self._films[task_id] = tiny(FilmSpec.of(task_id, body))
        return self._films[task_id]

    def tags(self, task_id: str) -> dict[str, str]:
        """The metadata that a task's video gets on its way: every other one gets some."""
        return {"title": task_id} if sum(task_id.encode()) % 2 else {}

    def forms(self, task_id: str) -> list[bytes]:
        """What may stand on the disk as a task's video: as it came, or with its metadata."""
        if task_id not in self._forms:
            film = self.film(task_id)
            self._forms[task_id] = [film]
            if tags := self.tags(task_id):
                write(BytesIO(film), tagged := BytesIO(), tags)
                self._forms[task_id].append(tagged.getvalue())
        return self._forms[task_id]

    def _excused(self, task: Task) -> bool:
        """Whether the runner may take an unfinished task for one that holds no slot."""
        if task.id in self.given_up or task.id in self.abandoned:
            return True
        if self.risky and task.id not in self.known:
            return True
        if task.id in self.known or self.owner.get(task.id) in self._in_air:
            return False
        age = self._wall() - self._paid_at.get(task.id, 0.0)
        return not STRICT_CONCURRENCY or age >= self.patience
