"""What the next run would do and buy, as facts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from runner.jobs import Entry, Limits, Spent
from runner.overview import Overview, affordable, plan_digest, total_cost


@dataclass(frozen=True, slots=True)
class Plan:
    """What the next run would do. Costs are in millionths, None when any is unknown.

    `counts` has the number of jobs by what would be done with them: submit, resume, skip, failed,
    held, uncertain, removed. `jobs` are those that would be bought, at `cost`, and `digest` stands
    for them; the budgets allow the first `allowed` of them. `spent` is what all runs bought.
    """

    counts: Mapping[str, int]
    jobs: Sequence[Entry]
    cost: int | None
    digest: str
    allowed: int
    spent: Spent


def planned(view: Overview, limits: Limits, spent: tuple[int, int]) -> Plan:
    """The plan of a batch as it stands."""
    jobs = view.buying
    return Plan(
        counts=view.actions(),
        jobs=jobs,
        cost=total_cost(jobs),
        digest=plan_digest(jobs),
        allowed=affordable(jobs, limits, spent, view.today),
        spent=Spent(*spent),
    )
