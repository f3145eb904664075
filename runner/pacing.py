"""How many tasks at once, and how fast: found out from the provider's answers, purely.

`concurrency: auto` keeps a `Level`. It doubles until the first sign that the provider is full,
gives a tenth back, and from then on stays at what was seen to work and seldom asks for one more.
A sign is a refused submit (429), or an accepted task that waits there for a slot (THROTTLED).

Every change of the level begins a window, and only tasks submitted in it speak about the new
level: so a burst of refusals, however many, is one sign. A refusal *below* what worked a moment
ago is not about slots at all (the platform is saturated, the day's allowance is used up); it
costs a tenth too, but what worked is remembered and taken up again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import ceil, isfinite

from runner.events import Accepted, Event, Rendered, StillRunning, Throttled
from runner.jobs import Job, Rate

DECREASE = 0.9
# The share of what worked (and at most one task) that a sign takes away when it comes within a
# round trip of the last change.
DOUBT = 0.05
# So many tasks must run well before one more is tried. Where a try is refused it is a submit
# lost, so it may be one in a hundred at most; where it waits at the provider it costs nothing.
# Each try costs a tenth of the level for a moment, so a dozen round trips lie between two.
PATIENCE = 16
PATIENCE_IF_REFUSED = 128
ROUNDS = 12

# The first pause after a refusal: with few slots, of which one comes free seldom, a longer one
# costs nothing and a burst is over after it.
PAUSE = 8.0
PAUSE_OF_FEW = 30.0
FEW = 5
PAUSE_CAP = 3600.0
JITTER = 0.1
STALE = 2 * 86_400.0

_AT_WORK = frozenset({"RUNNING", "IN_PROGRESS"})
_WAITING = frozenset({"QUEUED", "PENDING", "SUBMITTED", "NOT_START"})
# These words are also said of a task that starts in a moment.
_A_MOMENT = 60.0


@dataclass(frozen=True, slots=True)
class Level:
    """How many tasks the provider takes at once, as far as it is known.

    `size` is how many may be there now, `held` the most that was seen to work. `found` says that
    the provider was full once, which ends the doubling. `since` is when `size` last changed
    (seconds since 1970), `acks` how many tasks submitted after that were seen at work, `patience`
    how many it takes until one more is tried. `refused` counts the refusals in a row, those in
    the air together as one, the newest at `refused_at`. `flight` is how many submits may be in
    the air together: one at first and after a refusal, one more with each that is accepted.
    """

    ceiling: int
    size: float = 1.0
    held: float = 1.0
    found: bool = False
    since: float = 0.0
    acks: int = 0
    patience: int = PATIENCE
    refused: int = 0
    refused_at: float = 0.0
    flight: int = 1

    @property
    def allowed(self) -> int:
        """How many tasks may be at the provider now: 1 to the ceiling."""
        return max(1, min(self.ceiling, int(self.size)))

    @property
    def target(self) -> int:
        """How many are known to work: where the level goes back to after a decrease."""
        return max(1, min(self.ceiling, round(self.held)))


def learn(level: Level, job: Job, event: Event, at_provider: int, now: float) -> Level:
    """The level after an event.

    `job` and `at_provider` are those from before it: the job counts among those at the provider.
    """
    if now < level.since:  # the clock was set back: what was when, nobody knows any more
        level = replace(level, since=0.0, refused_at=0.0)
    match event:
        case Accepted() if job.submitted_at >= level.refused_at:
            return replace(level, refused=0, flight=min(level.ceiling, level.flight + 1))
        case Throttled():
            return _refused(level, job, at_provider, now)
        case StillRunning(remote_status=word) if _waits(job, word, now) and _fresh(level, job):
            return _decreased(level, PATIENCE, at_provider, now)
        case StillRunning(remote_status=word) if word in _AT_WORK and not is_at_work(job):
            return _confirmed(level, job, at_provider, now)
        case Rendered() if not is_at_work(job):
            return _confirmed(level, job, at_provider, now)
        case _:
            return level


def pause(level: Level, chance: float) -> float:
    """Seconds for which nothing is submitted after the refusals in a row: 8, 16 ... 3600.

    With few slots 30, 60 ... 3600. The pause doubles with the time that was waited in vain, so a
    burst of a minute costs a few refusals and a closed day some thirty. The provider's own
    Retry-After comes on top.
    """
    if not level.refused:
        return 0.0
    first = max(PAUSE, min(1.0, FEW / level.target) * PAUSE_OF_FEW)
    return min(PAUSE_CAP, first * 2.0 ** min(level.refused - 1, 20)) * (1 + JITTER * chance)


# ---------------------------------------------------------------- what an answer says


def _fresh(level: Level, job: Job) -> bool:
    """Whether a task was submitted since the level last changed, and so speaks about it."""
    return job.submitted_at >= level.since


def is_at_work(job: Job) -> bool:
    """Whether a task was seen at work, rather than waiting for a slot."""
    return job.remote_status in _AT_WORK


def _waits(job: Job, word: str, now: float) -> bool:
    """Whether an accepted task waits for a slot, by the provider's word or by how long it does."""
    return word == "THROTTLED" or (word in _WAITING and now - job.since >= _A_MOMENT)


def _refused(level: Level, job: Job, at_provider: int, now: float) -> Level:
    """A submit was refused; the first in a row is a sign, if it speaks about the present level.

    Those in the air beside it tell what the provider took before it was full.
    """
    after = level
    if not level.refused and _fresh(level, job):
        after = _decreased(level, PATIENCE_IF_REFUSED, at_provider, now)
    if at_provider > level.target:
        after = replace(after, size=min(after.size, max(level.target, at_provider - 1)))
    alone = job.submitted_at >= level.refused_at
    return replace(after, refused=level.refused + alone, refused_at=now, flight=1)


def _decreased(level: Level, patience: int, at_provider: int, now: float) -> Level:
    """A tenth less, and a new window."""
    after = replace(level, size=max(1.0, level.size * DECREASE), found=True, since=now, acks=0)
    if at_provider > level.target:  # more than is known to work: that was one too many
        patience = max(patience, ceil(ROUNDS * level.held)) if level.found else PATIENCE
        size = min(after.size, max(level.target, at_provider - 1))
        return replace(after, size=size, patience=patience)
    if level.size < level.target:  # and not come back yet: there are fewer slots than there were
        return replace(after, held=max(1.0, level.held * DECREASE), patience=PATIENCE)
    lost = min(1.0, level.held * DOUBT) if level.acks < level.target else 0.0
    return replace(after, held=max(1.0, level.held - lost))


def _confirmed(level: Level, job: Job, at_provider: int, now: float) -> Level:
    """A task is at work. With the level used to the full, enough of these raise it."""
    if not _fresh(level, job) or at_provider < level.allowed:
        return level
    after = replace(level, acks=level.acks + 1)
    if level.found and level.allowed < level.target:
        return _raised(after, level.size + max(1.0, (level.target - level.size) / 2), now)
    if after.acks >= level.allowed - level.held:
        grown = level.found and level.allowed > level.target
        patience = max(1, level.patience // 4) if grown else level.patience
        after = replace(after, held=max(level.held, level.allowed), patience=patience)
    if not level.found and after.acks >= level.size / 2:
        return _raised(after, level.size * 2, now)
    if level.found and after.held >= level.allowed and after.acks >= after.patience:
        return _raised(after, level.allowed + 1, now)
    return after


def _raised(level: Level, size: float, now: float) -> Level:
    """More, and a new window: after a decrease up to what worked, else beyond it."""
    if level.found and level.size < level.target:
        size = min(size, level.target)
    size = min(float(level.ceiling), size)
    return level if size == level.size else replace(level, size=size, since=now, acks=0)


# ---------------------------------------------------------------- what is remembered between runs


def to_memory(level: Level, now: float) -> dict[str, float]:
    """What the next run should know, as plain numbers."""
    return {
        "size": max(level.size, level.target) if level.found else level.size,
        "held": level.held,
        "found": int(level.found),
        "patience": level.patience,
        "refused": level.refused,
        "at": now,
    }


def from_memory(memory: Mapping[str, object] | None, ceiling: int, now: float) -> Level:
    """The level to begin with: where the last run was, or the slow start. Never raises.

    After two days the old level is still the start, but more is tried at once.
    """
    fresh = Level(ceiling, since=now)
    numbers = {name: _number(memory, name) for name in to_memory(fresh, now)}
    if memory is None or any(value is None for value in numbers.values()):
        return fresh
    size, held, found, patience, refused, at = (value or 0.0 for value in numbers.values())
    stale = now - at > STALE
    return replace(
        fresh,
        size=max(1.0, min(float(ceiling), size)),
        held=max(1.0, min(float(ceiling), held)),
        found=bool(found),
        patience=1 if stale else int(max(1.0, min(patience, 1e6))),
        refused=0 if stale else int(max(0.0, min(refused, 1e3))),
    )


def _number(memory: Mapping[str, object] | None, name: str) -> float | None:
    value = memory.get(name) if isinstance(memory, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if isfinite(number) else None


# ---------------------------------------------------------------- the submit rate


def recalled(times: Iterable[float], wall: float, now: float) -> list[float]:
    """Stored times of submits (seconds since 1970) on the clock by which the run waits.

    `wall` and `now` are the present moment on both. A time in the future, from a clock that was
    set back since, counts as now.
    """
    return sorted(now - max(0.0, wall - time) for time in times)


def wait_for(rate: Rate | None, submits: Iterable[float], now: float) -> float:
    """Seconds until one more submit keeps to the rate; at most one window.

    `submits` are the times of the newest submits, at least `rate.count` of them if there were
    so many, oldest first. No `rate.seconds` ever see more than `rate.count` submits begin.
    """
    if rate is None:
        return 0.0
    newest = list(submits)[-rate.count :]
    if len(newest) < rate.count:
        return 0.0
    return max(0.0, min(rate.seconds, newest[0] + rate.seconds - now))
