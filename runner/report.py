"""A batch as people read it: plan, status and the last words of a run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import shorten

from runner.admission import Held, Reason
from runner.jobs import Budget, Ending, Entry, Limits, Status, Stop
from runner.overview import Action, Line, Overview, total_cost
from runner.planning import Plan
from runner.words import allowance, money, plural, printable, spending, spending_of, where


def plan_text(view: Overview, plan: Plan, limits: Limits, purchase: tuple[str, ...] = ()) -> str:
    """What `runner plan` prints; `purchase` are the options that say what is bought."""
    counts, submit = plan.counts, plan.jobs
    waiting = view.orders
    cost = total_cost(waiting)
    says = {
        Action.SUBMIT: "would be submitted and paid for" + (f", for {money(cost)}" if cost else ""),
        Action.RESUME: "paid for and under way: polled and downloaded, not paid again",
        Action.SKIP: "done",
        Action.FAILED: f"failed; to pay for them again: {_command('retry', view)}",
        Action.HELD: "held: not submitted until you decide (below)",
        Action.UNCERTAIN: f"uncertain: perhaps charged; settle them: {_command('resolve', view)}",
        Action.REMOVED: "no longer in the manifest; their records are kept",
    }
    fresh = ", a new file" if view.fresh else ""
    lines = [
        f"{view.name}: {plural(sum(counts.values()), 'job')}, state in {view.state_file}{fresh}"
    ]
    lines += [
        f"  {counts[action]:>7}  {action:<9}  {says[action]}" for action in Action if counts[action]
    ]
    if view.chosen is not None:
        price = f", for {money(plan.cost)}" if plan.cost else ""
        lines.append(f"chosen: {len(submit)} of the {len(waiting)} submissions{price}")
    lines += _budget_lines(view, plan, limits)
    lines += held_lines(view)
    if submit:
        lines.append(f"the first of them: {_in_short(submit[0])}")
        command = view.caller.command("run", *purchase, "--plan", plan.digest)
        lines.append(f"to buy this and nothing else: {command}")
    return "\n".join(lines)


def _in_short(entry: Entry) -> str:
    """What would be sent for an entry, in one line."""
    body = entry.body
    prompt = shorten(str(body.get("promptText", "")), 120, placeholder=" …")
    said = f'"{prompt}"' if prompt else "no prompt"
    return printable(f"{entry.id}: {body.get('promptImage')}, {body.get('model')}, {said}")


def _budget_lines(view: Overview, plan: Plan, limits: Limits) -> list[str]:
    lines = []
    if limits.budget_tasks is not None or limits.budget_cost is not None:
        lines.append(f"budget: {spending(plan.spent, limits)} so far")
    if limits.per_day != Budget():
        lines.append(f"today (UTC): {spending_of(view.today, limits.per_day)} so far")
    if limits.per_run != Budget():
        lines.append(f"a run may buy {allowance(limits.per_run)}")
    if plan.allowed < len(plan.jobs):
        lines.append(
            f"  the next run may make {plan.allowed} of these {len(plan.jobs)} submissions"
        )
    return lines


def held_lines(view: Overview, limit: int = 20) -> list[str]:
    """What is held and why, with what to do."""
    changed, existing = view.held(Reason.CHANGED), view.held(Reason.EXISTS)
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
            "unknown origin is; was the state file lost? Bring it back, or take over its tasks: "
            f"{_command('import', view)} --ids tasks.csv; to buy it, move the file away:"
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


@dataclass(frozen=True, slots=True)
class Summary:
    """The last words of a run: one line that says it all, and what may be added to it."""

    line: str
    details: tuple[str, ...]
    next: tuple[str, ...]


def summary(
    view: Overview,
    ending: Ending,
    limits: Limits,
    spent: tuple[int, int],
    *,
    bought: int,
    outputs: Iterable[str],
    idle: bool,
) -> Summary:
    """What is where, what it cost, what went wrong, and what to type next.

    `outputs` are the files of the finished jobs. `idle` says that the run changed nothing.
    """
    counts = view.counts()
    done, total = counts[Status.DONE], sum(counts.values())
    idle = idle and ending.stop is Stop.FINISHED and done == total
    parts = [f"{done} of {plural(total, 'video')} done"]
    if idle:
        parts = [f"nothing to do, {_all_done(total)}"]
    if done:
        parts[0] += f", in {where(outputs)}"
    others = [f"{count} {name}" for name, count in counts.items() if count and name != Status.DONE]
    if held := view.actions()[Action.HELD]:
        others.append(f"{held} held")
    if others:
        parts.append(", ".join(others))
    if not idle:
        parts.append(f"paid {spending(spent, limits)} ({bought} in this run)")
        if limits.per_day != Budget():
            parts.append(f"today {spending_of(view.today, limits.per_day)}")
    if ending.stop not in {Stop.FINISHED, Stop.PASS}:
        why = f": {ending.problem.code}: {ending.problem.message}" if ending.problem else ""
        parts.append(f"stopped: {ending.stop}{printable(why)}")
    return Summary(
        f"{view.name}: {'; '.join(parts)}",
        (*_failures(view), *held_lines(view, limit=5)),
        tuple(_next_commands(view, ending)),
    )


def _all_done(total: int) -> str:
    return "the video is done" if total == 1 else f"all {plural(total, 'video')} are done"


def _failures(view: Overview, limit: int = 5) -> list[str]:
    shown: list[str] = []
    more = 0
    for line in view.of(Action.FAILED, Action.UNCERTAIN, Action.RESUME):
        if line.job is None or line.job.problem is None:
            continue
        if len(shown) < limit:
            shown.append(f"{_row(line)[0]}: {line.status}: {_row(line)[2]}")
        else:
            more += 1
    return [*shown, f"... and {more} more"] if more else shown


def _next_commands(view: Overview, ending: Ending) -> list[str]:
    counts = view.actions()
    lines = []
    if ending.stop is Stop.ACCOUNT:
        lines.append("mend the key or the credit, then run again; nothing is lost")
    if ending.stop is Stop.BUDGET:
        lines.append("raise `budget` in the manifest to buy the rest")
    if ending.stop is Stop.DAY_BUDGET:
        lines.append("the rest can be bought from midnight UTC on, or with a greater budget a day")
    if ending.stop is Stop.CHOSEN:
        lines.append(f"{_command('report', view)}   # look at what was chosen; then buy the rest:")
    if ending.stop is Stop.IMAGES:
        lines.append(
            f"{_command('check', view)} --online   # which images and why; mend them, run again"
        )
    stuck = ending.stop in {Stop.BUDGET, Stop.IMAGES}
    if counts[Action.RESUME] or (counts[Action.SUBMIT] and not stuck):
        lines.append(f"{_command('run', view)}   # goes on where it stopped, pays nothing twice")
    if counts[Action.UNCERTAIN]:
        lines.append(f"{_command('resolve', view)}   # what may have been charged, and how to tell")
    if counts[Action.FAILED]:
        lines.append(f"{_command('retry', view)}   # pays for the failed ones again, asks first")
    if counts[Action.HELD]:
        lines.append(f"{_command('plan', view)}   # what is held, and why")
    return lines or [
        f"{_command('status', view)}   # every job and its file",
        f"{_command('report', view)}   # a page with every image beside its video",
    ]


def _command(verb: str, view: Overview) -> str:
    return view.caller.command(verb)
