"""A task: what was charged, the plan drawn for it, and its state as a pure function of time."""

from __future__ import annotations

import math
import random
import uuid
from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from runner.sandbox.faults import Fault
from runner.sandbox.settings import Settings

Outcome: TypeAlias = Literal["succeeded", "failed", "cancelled", "stuck", "never"]
Record: TypeAlias = dict[str, Any]


class Phase(StrEnum):
    """Where a task is, by Runway's own names."""

    THROTTLED = "THROTTLED"
    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


ENDS = {"succeeded": Phase.SUCCEEDED, "failed": Phase.FAILED, "cancelled": Phase.CANCELLED}


@dataclass(frozen=True, slots=True)
class Charge:
    """One paid task: `at` is unix time in seconds, `body` the request as it came."""

    task_id: str
    at: float
    body: Mapping[str, object]
    request_id: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What will happen to a task, fixed when it is charged. Durations in seconds, in this order:

    `wait` for a slot (THROTTLED), `queue` (PENDING), `render` (RUNNING), then the outcome.
    Polls don't find the task for `visible_after` seconds from its creation, whatever it does.
    """

    visible_after: float
    wait: float
    queue: float
    render: float
    outcome: Outcome = "succeeded"
    failure_code: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A charge, its plan, and when it was deleted, if it was."""

    charge: Charge
    plan: Plan
    deleted_at: float | None = None

    @property
    def id(self) -> str:
        """The task's id, a UUID v4."""
        return self.charge.task_id

    @property
    def pending_at(self) -> float:
        """When it gets its slot."""
        return self.charge.at + self.plan.wait

    @property
    def running_at(self) -> float:
        """When it begins to render."""
        return self.pending_at + self.plan.queue

    @property
    def slot_free_at(self) -> float:
        """When its slot is free; a stuck task gives it back too, or everything behind it stands."""
        return self.running_at + self.plan.render

    @property
    def ends_at(self) -> float:
        """When it reaches its last state: infinity for one that is stuck or never appears."""
        return self.slot_free_at if self.plan.outcome in ENDS else math.inf

    @property
    def over_at(self) -> float:
        """When it is off the provider's hands, by ending or by being deleted."""
        return self.ends_at if self.deleted_at is None else min(self.ends_at, self.deleted_at)

    @property
    def texts(self) -> tuple[str, ...]:
        """What a fault's `match` is looked for in."""
        return (*body_texts(self.charge.body), self.id)

    def found_at(self, now: float) -> bool:
        """Whether a poll finds it: it has become visible and was not deleted."""
        visible = now >= self.charge.at + self.plan.visible_after
        return visible and self.deleted_at is None and self.plan.outcome != "never"

    def phase(self, now: float) -> Phase:
        """Its phase at `now`."""
        if now < self.pending_at:
            return Phase.THROTTLED
        if now < self.running_at:
            return Phase.PENDING
        return ENDS[self.plan.outcome] if now >= self.ends_at else Phase.RUNNING

    def progress(self, now: float) -> float:
        """How much is rendered, 0 to 1; one that is not finished stays at 0.99 at most."""
        if self.phase(now) in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED):
            return 1.0
        done = (now - self.running_at) / self.plan.render if self.plan.render else 0.0
        return round(min(max(done, 0.0), 0.99), 2)

    def still_waiting(self, now: float) -> Task:
        """The same task as if it had not got a slot yet."""
        return replace(self, plan=replace(self.plan, wait=now - self.charge.at + 1))

    def record(self) -> Record:
        """The task as one JSON-able line of a ledger file."""
        return {"charge": asdict(self.charge), "plan": asdict(self.plan)}

    @classmethod
    def of_record(cls, record: Record) -> Task:
        """The reverse of `record`; raises `KeyError` or `TypeError` for anything else."""
        return cls(Charge(**record["charge"]), Plan(**record["plan"]))


def body_texts(body: Mapping[str, object]) -> tuple[str, ...]:
    """The two texts of a request body that tell one job from another."""
    return str(body.get("promptText", "")), str(body.get("promptImage", ""))


def new_id(dice: random.Random) -> str:
    """A UUID v4 from the given dice."""
    return str(uuid.UUID(int=dice.getrandbits(128), version=4))


def draw_plan(
    settings: Settings, dice: random.Random, slot_wait: float, fault: Fault | None
) -> Plan:
    """A task's plan: durations from the settings, the outcome from the `task` fault, if any."""
    plan = Plan(
        visible_after=settings.invisible.draw(dice),
        wait=slot_wait,
        queue=settings.queue.draw(dice),
        render=settings.render.draw(dice),
    )
    if fault is None:
        return plan
    match fault.kind:
        case "failed":
            return replace(plan, outcome="failed", failure_code=fault.argument)
        case "throttled":
            return replace(plan, wait=slot_wait + fault.seconds)
        case "cancelled" | "stuck" | "never" as outcome:
            return replace(plan, outcome=outcome)
        case _:
            raise ValueError(f"no plan for {fault}")


class Slots:
    """When the next task gets one of `count` slots, first come, first served; None: at once."""

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._free_at: list[float] = []

    def take(self, task: Task) -> None:
        """Note a task that holds, or waits for, a slot."""
        if self._count is not None:
            insort(self._free_at, task.slot_free_at)

    def wait(self, now: float) -> float:
        """How long a task created at `now` waits, in seconds."""
        if self._count is None:
            return 0.0
        self._free_at = [moment for moment in self._free_at if moment > now]
        if len(self._free_at) < self._count:
            return 0.0
        return self._free_at[-self._count] - now


def most_at_once(tasks: Iterable[Task]) -> int:
    """The highest number of tasks that were unfinished at the same moment."""
    moments = [(task.charge.at, 1) for task in tasks]
    moments += [(task.over_at, -1) for task in tasks]
    highest = current = 0
    for _, change in sorted(moments):  # an end sorts before a beginning at the same moment
        current += change
        highest = max(highest, current)
    return highest
