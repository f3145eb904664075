"""A batch as programs read it: JSON objects for plan, status and progress. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from runner.admission import Held
from runner.jobs import Budget, Job, Limits, Spent
from runner.overview import Line, Overview
from runner.planning import Plan
from runner.words import money


def status_json(view: Overview, shown: Sequence[Line]) -> dict[str, Any]:
    """The object that `runner status --json` prints; times are ISO 8601 in UTC or null."""
    return {
        "manifest": view.manifest,
        "state_file": view.state_file,
        "counts": view.counts(),
        "jobs": [_job_json(line) for line in shown],
    }


def _job_json(line: Line) -> dict[str, Any]:
    job = line.job
    problem = job.problem if job else None
    return {
        "id": line.id,
        "status": line.status.value,
        "task_id": (job.task_id or None) if job else None,
        "output": (job.output or None) if job else None,
        "sha256": (job.sha256 or None) if job else None,
        "size": (job.size or None) if job else None,
        "attempts": job.attempts if job else 0,
        "spent": money(job.spent) if job and job.spent else None,
        "error": {
            "code": problem.code,
            "message": problem.message,
            "request_id": problem.request_id or None,
        }
        if problem
        else None,
        "submitted_at": _iso(job.submitted_at) if job else None,
        "finished_at": _iso(job.finished_at) if job else None,
        "in_manifest": line.entry is not None,
        "held": _held_json(line.held),
        "request": dict(line.body),
    }


def _held_json(held: Held | None) -> dict[str, Any] | None:
    if held is None:
        return None
    return {
        "reason": held.reason.value,
        "differences": [
            {"field": name, "paid": before or None, "asked": now or None}
            for name, before, now in held.differences
        ],
    }


def plan_json(view: Overview, plan: Plan, limits: Limits) -> dict[str, Any]:
    """The object that `runner plan --json` prints; costs as decimal strings, null if unknown."""
    return {
        "manifest": view.manifest,
        "state_file": view.state_file,
        "counts": dict(plan.counts),
        "chosen": len(plan.jobs),
        "digest": plan.digest,
        "cost": None if plan.cost is None else money(plan.cost),
        "spent": {"tasks": plan.spent.tasks, "cost": money(plan.spent.cost)},
        "budget": {
            "tasks": limits.budget_tasks,
            "cost": None if limits.budget_cost is None else money(limits.budget_cost),
            **_budget_json("day", limits.per_day, view.today),
            **_budget_json("run", limits.per_run),
            "allows": plan.allowed,
        },
        "jobs": [
            {
                "id": line.id,
                "action": line.action.value,
                "status": line.status.value,
                "line": line.entry.line if line.entry else None,
                "cost": None
                if line.entry is None or line.entry.cost is None
                else money(line.entry.cost),
                "held": _held_json(line.held),
            }
            for line in view.lines
        ],
    }


def _budget_json(name: str, budget: Budget, spent: Spent | None = None) -> dict[str, Any]:
    """A budget for a time, if there is one."""
    if budget == Budget():
        return {}
    found: dict[str, Any] = {
        "tasks": budget.tasks,
        "cost": None if budget.cost is None else money(budget.cost),
    }
    if spent is not None:
        found["spent"] = {"tasks": spent.tasks, "cost": money(spent.cost)}
    return {f"per_{name}": found}


def change_json(before: Job, after: Job, at: float) -> dict[str, Any]:
    """One line of `--progress json`: a job's change of status."""
    problem = after.problem
    return {
        "time": _iso(at),
        "id": after.id,
        "from": before.status.value,
        "to": after.status.value,
        "task_id": after.task_id or None,
        "output": after.output or None,
        "error": {"code": problem.code, "message": problem.message} if problem else None,
    }


def _iso(moment: float) -> str | None:
    if not moment:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
