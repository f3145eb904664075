"""Jobs as people and programs read them: overview, plan, status and summary. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from os.path import commonpath
from pathlib import Path
from typing import Any

from runner.admission import Admission, Held, Reason
from runner.errors import ExitCode, worst
from runner.jobs import Body, Ending, Entry, Job, Limits, Status, Stop


class Action(StrEnum):
    """What the next run would do with a job."""

    SUBMIT = "submit"
    RESUME = "resume"
    SKIP = "skip"
    FAILED = "failed"
    HELD = "held"
    UNCERTAIN = "uncertain"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Line:
    """One job as it is shown: what is asked (`entry`), what is known (`job`), or both."""

    id: str
    status: Status
    action: Action
    entry: Entry | None
    job: Job | None
    held: Held | None = None

    @property
    def body(self) -> Body:
        """The request that was paid for, or would be."""
        if self.job is not None and self.action is not Action.SUBMIT:
            return self.job.body
        return self.entry.body if self.entry else {}


@dataclass(frozen=True, slots=True)
class Overview:
    """A manifest and its state file, held against each other."""

    name: str
    manifest: str
    state_file: str
    lines: tuple[Line, ...]

    def counts(self) -> dict[str, int]:
        """Status -> number of jobs, every status named."""
        found = Counter(line.status for line in self.lines)
        return {status.value: found[status] for status in Status}

    def actions(self) -> dict[str, int]:
        """Action -> number of jobs, every action named."""
        found = Counter(line.action for line in self.lines)
        return {action.value: found[action] for action in Action}

    def of(self, *actions: Action) -> list[Line]:
        """The lines with one of these actions."""
        return [line for line in self.lines if line.action in actions]


def overview(name: str, manifest: str, state_file: Path, admission: Admission) -> Overview:
    """Every entry in the order of the manifest, then the jobs whose entries are gone."""
    lines = [
        Line(
            match.job.id if match.entry.derived else match.entry.id,
            *_of_job(match.job),
            match.entry,
            match.job,
        )
        for match in admission.known
    ]
    lines += [
        Line(match.entry.id, Status.PLANNED, Action.SUBMIT, match.entry, match.job)
        for match in admission.edited
    ]
    lines += [Line(entry.id, Status.PLANNED, Action.SUBMIT, entry, None) for entry in admission.new]
    lines += [
        Line(
            held.entry.id,
            held.job.status if held.job else Status.PLANNED,
            Action.HELD,
            held.entry,
            held.job,
            held,
        )
        for held in admission.held
    ]
    lines.sort(key=lambda line: admission.order[line.id])
    lines += [_removed(job) for job in admission.removed]
    return Overview(name, manifest, str(state_file), tuple(lines))


_NEXT = {
    Status.PLANNED: Action.SUBMIT,
    Status.SUBMITTING: Action.UNCERTAIN,
    Status.RUNNING: Action.RESUME,
    Status.RENDERED: Action.RESUME,
    Status.DONE: Action.SKIP,
    Status.FAILED: Action.FAILED,
    Status.UNCERTAIN: Action.UNCERTAIN,
}


def _of_job(job: Job) -> tuple[Status, Action]:
    return job.status, _NEXT[job.status]


def _removed(job: Job) -> Line:
    status, action = _of_job(job)
    brought_home = action in {Action.RESUME, Action.UNCERTAIN}
    return Line(job.id, status, action if brought_home else Action.REMOVED, None, job)


# ---------------------------------------------------------------- exit code


def exit_code(view: Overview, ending: Ending | None = None) -> ExitCode:
    """What the state of a batch, and how its run ended, amount to."""
    codes = []
    if ending and ending.stop is Stop.ACCOUNT:
        codes.append(ExitCode.ACCOUNT)
    if view.of(Action.HELD, Action.UNCERTAIN):
        codes.append(ExitCode.PERSON)
    if view.of(Action.SUBMIT, Action.RESUME):
        codes.append(ExitCode.REMAINS)
    if view.of(Action.FAILED):
        codes.append(ExitCode.FAILED)
    return worst(codes)


# ---------------------------------------------------------------- for programs


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


def plan_json(view: Overview, limits: Limits, spent: tuple[int, int]) -> dict[str, Any]:
    """The object that `runner plan --json` prints; costs as decimal strings, null if unknown."""
    submit = view.of(Action.SUBMIT)
    cost = total_cost(submit)
    return {
        "manifest": view.manifest,
        "state_file": view.state_file,
        "counts": view.actions(),
        "cost": None if cost is None else money(cost),
        "spent": {"tasks": spent[0], "cost": money(spent[1])},
        "budget": {
            "tasks": limits.budget_tasks,
            "cost": None if limits.budget_cost is None else money(limits.budget_cost),
            "allows": affordable(submit, limits, spent),
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


# ---------------------------------------------------------------- for people


def plan_text(view: Overview, limits: Limits, spent: tuple[int, int]) -> str:
    """What `runner plan` prints."""
    counts = view.actions()
    submit = view.of(Action.SUBMIT)
    cost = total_cost(submit)
    says = {
        Action.SUBMIT: "would be submitted and paid for" + (f", for {money(cost)}" if cost else ""),
        Action.RESUME: "paid for and under way: polled and downloaded, not paid again",
        Action.SKIP: "done",
        Action.FAILED: f"failed; to pay for them again: {_command('retry', view)}",
        Action.HELD: "held: not submitted until you decide (below)",
        Action.UNCERTAIN: f"uncertain: perhaps charged; settle them: {_command('resolve', view)}",
        Action.REMOVED: "no longer in the manifest; their records are kept",
    }
    lines = [f"{view.name}: {plural(sum(counts.values()), 'job')}, state in {view.state_file}"]
    lines += [
        f"  {counts[action]:>7}  {action:<9}  {says[action]}" for action in Action if counts[action]
    ]
    lines += _budget_lines(submit, limits, spent)
    lines += held_lines(view)
    return "\n".join(lines)


def _budget_lines(submit: Sequence[Line], limits: Limits, spent: tuple[int, int]) -> list[str]:
    if limits.budget_tasks is None and limits.budget_cost is None:
        return []
    allowed = affordable(submit, limits, spent)
    lines = [f"budget: {spending(spent, limits)} so far"]
    if allowed < len(submit):
        lines.append(f"  it allows {allowed} of the {len(submit)} submissions")
    return lines


def held_lines(view: Overview, limit: int = 20) -> list[str]:
    """What is held and why, with what to do."""
    held = [line.held for line in view.lines if line.held]
    changed = [item for item in held if item.reason is Reason.CHANGED]
    existing = [item for item in held if item.reason is Reason.EXISTS]
    lines = []
    if changed:
        lines.append(
            f"{plural(len(changed), 'entry', 'entries')} changed after being paid for; "
            f"to pay again: {_command('run', view)} --accept-changes"
        )
        lines += [f"  {item.entry.id}: {_differences(item)}" for item in changed[:limit]]
    if existing:
        lines.append(
            f"{plural(len(existing), 'entry', 'entries')} would put a video where a file of "
            "unknown origin is (was the state file lost?); to buy it, move the file away:"
        )
        lines += [f"  {item.entry.id}" for item in existing[:limit]]
    more = max(0, len(changed) - limit) + max(0, len(existing) - limit)
    return [*lines, f"  ... and {more} more"] if more else lines


def _differences(held: Held) -> str:
    return "; ".join(
        f"{name} {_quoted(before)} -> {_quoted(now)}" for name, before, now in held.differences
    )


def _quoted(value: str) -> str:
    return f'"{printable(value)}"' if value else "(not set)"


def status_text(view: Overview, shown: Sequence[Line], limit: int | None = None) -> str:
    """What `runner status` prints: the counts, then a table of the jobs shown."""
    counts = ", ".join(f"{number} {status}" for status, number in view.counts().items() if number)
    lines = [f"{view.name}: {counts or 'no jobs'} ({view.state_file})"]
    rows = [_row(line) for line in shown[:limit]]
    widths = [max(len(row[column]) for row in rows) for column in range(2)] if rows else []
    lines += [
        f"  {id:<{widths[0]}}  {status:<{widths[1]}}  {rest}".rstrip() for id, status, rest in rows
    ]
    if len(rows) < len(shown):
        lines.append(f"  ... and {len(shown) - len(rows)} more (--all shows them)")
    return "\n".join(lines)


def _row(line: Line) -> tuple[str, str, str]:
    job = line.job
    note = ""
    if line.held is not None:
        note = f"held, {line.held.reason}: {_differences(line.held)}"
    elif job is None:
        note = ""
    elif job.status is Status.DONE:
        note = job.output
    elif job.problem is not None:
        note = f"{job.problem.code}: {job.problem.message}"
        note += f" (request {job.problem.request_id})" if job.problem.request_id else ""
    elif job.task_id:
        note = f"task {job.task_id} {job.remote_status.lower()}"
    gone = "  (no longer in the manifest)" if line.entry is None else ""
    return printable(line.id), line.status.value, printable(note) + gone


def summary_text(
    view: Overview, ending: Ending, limits: Limits, spent: tuple[int, int], bought: int
) -> str:
    """The last words of a run: what is where, what it cost, and what to type next."""
    done = [line for line in view.lines if line.status is Status.DONE]
    total = len(view.lines)
    idle = ending.stop is Stop.FINISHED and not bought and len(done) == total
    head = f"{view.name}: {len(done)} of {plural(total, 'video')} done"
    if idle:
        head = f"{view.name}: nothing to do, all {plural(total, 'video')} are done"
    if done:
        head += f", in {where([line.job.output for line in done if line.job])}"
    lines = [head]
    others = {name: count for name, count in view.counts().items() if count and name != "done"}
    if others:
        lines.append("  " + ", ".join(f"{count} {name}" for name, count in others.items()))
    if not idle:
        lines.append(f"  paid: {spending(spent, limits)} in all, {bought} in this run")
    if ending.stop is not Stop.FINISHED:
        why = f": {ending.problem.code}: {ending.problem.message}" if ending.problem else ""
        lines.append(f"  stopped: {ending.stop}{printable(why)}")
    lines += [f"  {line}" for line in _failures(view)]
    lines += [f"  {line}" for line in held_lines(view, limit=5)]
    lines += [f"next: {line}" for line in _next_commands(view, ending)]
    return "\n".join(lines)


def _failures(view: Overview, limit: int = 5) -> list[str]:
    bad = [
        line
        for line in view.of(Action.FAILED, Action.UNCERTAIN, Action.RESUME)
        if line.job and line.job.problem
    ]
    shown = [f"{_row(line)[0]}: {line.status}: {_row(line)[2]}" for line in bad[:limit]]
    return [*shown, f"... and {len(bad) - limit} more"] if len(bad) > limit else shown


def _next_commands(view: Overview, ending: Ending) -> list[str]:
    counts = view.actions()
    lines = []
    if ending.stop is Stop.ACCOUNT:
        lines.append("mend the key or the credit, then run again; nothing is lost")
    if ending.stop is Stop.BUDGET:
        lines.append("raise `budget` in the manifest to buy the rest")
    if counts[Action.RESUME] or (counts[Action.SUBMIT] and ending.stop is not Stop.BUDGET):
        lines.append(f"{_command('run', view)}   # goes on where it stopped, pays nothing twice")
    if counts[Action.UNCERTAIN]:
        lines.append(f"{_command('resolve', view)}   # what may have been charged, and how to tell")
    if counts[Action.FAILED]:
        lines.append(f"{_command('retry', view)}   # pays for the failed ones again, asks first")
    if counts[Action.HELD]:
        lines.append(f"{_command('plan', view)}   # what is held, and why")
    return lines or [f"{_command('status', view)}   # every job and its file"]


def _command(verb: str, view: Overview) -> str:
    return f"runner {verb} {shlex.quote(view.manifest)}"


# ---------------------------------------------------------------- words and numbers


def affordable(submit: Sequence[Line], limits: Limits, spent: tuple[int, int]) -> int:
    """How many of these submissions the budget allows, in their order."""
    tasks, cost = spent
    for number, line in enumerate(submit):
        tasks += 1
        cost += (line.entry.cost if line.entry else line.job.cost if line.job else 0) or 0
        over_tasks = limits.budget_tasks is not None and tasks > limits.budget_tasks
        if over_tasks or (limits.budget_cost is not None and cost > limits.budget_cost):
            return number
    return len(submit)


def total_cost(lines: Sequence[Line]) -> int | None:
    """What one attempt of each costs together, in millionths; None when any is unknown."""
    costs = [line.entry.cost if line.entry else None for line in lines]
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None


def spending(spent: tuple[int, int], limits: Limits) -> str:
    """Paid tasks and their cost, each with its budget where there is one."""
    tasks, cost = spent
    words = plural(tasks, "task")
    if limits.budget_tasks is not None:
        words = f"{tasks} of {plural(limits.budget_tasks, 'task')}"
    if limits.budget_cost is not None:
        return f"{words}, {money(cost)} of {money(limits.budget_cost)}"
    return f"{words}, {money(cost)}" if cost else words


def money(millionths: int) -> str:
    """An amount as people write it: at least two decimals, no more than needed."""
    whole, part = divmod(abs(millionths), 1_000_000)
    digits = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if millionths < 0 else ''}{whole}.{digits}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def where(outputs: Sequence[str]) -> str:
    """The folder that holds all these files."""
    parents = [str(Path(output).parent) for output in outputs]
    try:
        return commonpath(parents)
    except ValueError:
        return "several folders"


def printable(text: str) -> str:
    """One line that can't steer a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


def _iso(moment: float) -> str | None:
    if not moment:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
