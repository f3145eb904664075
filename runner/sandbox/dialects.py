"""A task's state as JSON: flat, wrapped and feed forms, and the variations seen among them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from runner.sandbox.film import FilmSpec
from runner.sandbox.tasks import Phase, Task
from runner.sandbox.wire import Reply, json_reply

Json: TypeAlias = dict[str, object]
Envelope: TypeAlias = Literal["flat", "wrapped", "feed"]
VideoAt: TypeAlias = Literal["output", "data.video_url", "result_url", "video_url", "fail_reason"]
Invisible: TypeAlias = Literal["400", "code", "message", "status", "404"]

NOT_EXIST = "task_not_exist"
OUTER = {
    Phase.THROTTLED: "QUEUED",
    Phase.PENDING: "QUEUED",
    Phase.RUNNING: "IN_PROGRESS",
    Phase.SUCCEEDED: "SUCCESS",
    Phase.FAILED: "FAILURE",
    Phase.CANCELLED: "FAILURE",
}
CREDITS_A_SECOND = {"gen4.5": 12, "veo3": 40, "veo3.1": 40, "veo3.1_fast": 15}
FAILURES = {
    "SAFETY": "The content did not pass moderation.",
    "INPUT_PREPROCESSING": "The input could not be prepared.",
    "ASSET": "The input asset is not valid.",
    "THIRD_PARTY": "A third party is unavailable.",
}


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a task.

    Its envelope, where the video's address is, whether statuses are in lower case, how a task that
    polls don't find is written, a `status` that overrules the task's own, and whether the
    cost in credits is told: Runway's official client can't type a task without it.
    """

    envelope: Envelope
    video_at: VideoAt = "output"
    lower: bool = False
    invisible: Invisible = "400"
    status: str = ""
    costs: bool = False


FLAT = Form("flat")
RUNWAY = Form("flat", invisible="404", costs=True)
WRAPPED = Form("wrapped")
FEED = Form("feed", "result_url")
MIXED = (
    FLAT,
    Form("flat", lower=True, invisible="code"),
    WRAPPED,
    Form("wrapped", "data.video_url", invisible="message"),
    Form("wrapped", "result_url", invisible="status"),
    Form("wrapped", "video_url"),
    Form("wrapped", "fail_reason", invisible="code"),
    Form("wrapped", lower=True),
)
MIXED_FEED = (FEED, Form("feed", "video_url"), Form("feed", "result_url", lower=True), *MIXED[2:])


def form_for(dialect: str, call: str, task_id: str) -> Form:
    """The form a task is written in; in the mixed dialect it depends on the task's id."""
    if dialect == "mixed":
        forms = MIXED_FEED if call == "feed" else MIXED
        return forms[_number(task_id) % len(forms)]
    if dialect == "wrapped":
        return WRAPPED
    return FEED if call == "feed" else FLAT


def not_visible(form: Form) -> Reply:
    """The answer for a task a poll does not find."""
    empty = {"code": "success", "message": "", "data": None}
    match form.invisible:
        case "400":
            return json_reply(400, {"code": NOT_EXIST, "message": NOT_EXIST, "data": None})
        case "404":
            return json_reply(404, {"error": "Task not found"})
        case "code":
            return json_reply(200, {**empty, "code": NOT_EXIST})
        case "message":
            return json_reply(200, {**empty, "message": NOT_EXIST})
        case "status":
            return json_reply(200, {"status": NOT_EXIST})


def describe(task: Task, now: float, form: Form, link: str) -> Json:
    """The task as the form's JSON. `link` is the film's address, used once it has succeeded."""
    phase = task.phase(now)
    outer, inner = form.status or OUTER[phase], form.status or phase.value
    if form.lower:
        outer, inner = outer.lower(), inner.lower()
    link = link if phase is Phase.SUCCEEDED and not form.status else ""
    if form.envelope == "flat":
        costs = cost(task, phase) if form.costs else {}
        return {**_flat(task, now, inner, phase, link), **costs}
    row = _row(task, now, outer, phase)
    if form.envelope == "feed":
        row |= {form.video_at: link} if link else {}
        return row
    data: Json = {"id": task.id, "status": inner, "createdAt": _iso(task.charge.at)}
    match form.video_at if link else "":
        case "output":
            data["output"] = [link]
        case "data.video_url":
            data["video_url"] = link
        case place if place:
            row[place] = link
    return {"code": "success", "message": "", "data": {**row, "data": data}}


def cost(task: Task, phase: Phase) -> Json:
    """Runway's credits: an estimate until the end; a failure is free unless moderation ended it."""
    model, seconds = task.charge.body.get("model"), FilmSpec.of(task.id, task.charge.body).seconds
    full = round(CREDITS_A_SECOND.get(str(model), 5) * seconds)
    if phase in (Phase.THROTTLED, Phase.PENDING, Phase.RUNNING):
        return {"estimatedCost": {"credits": full}}
    paid = phase is Phase.SUCCEEDED or "SAFETY" in task.plan.failure_code
    return {"cost": {"credits": full if paid else 0}}


def failure_text(code: str) -> str:
    """A sentence for a failure code."""
    return FAILURES.get(code.partition(".")[0], "An unexpected error occurred.")


def _flat(task: Task, now: float, status: str, phase: Phase, link: str) -> Json:
    """Runway's own task: `progress` only while it runs, `output` and `failure` only at the end."""
    flat: Json = {"id": task.id, "status": status, "createdAt": _iso(task.charge.at)}
    if phase is Phase.RUNNING:
        flat["progress"] = task.progress(now)
    if phase is Phase.FAILED:
        code = task.plan.failure_code
        flat |= {"failure": failure_text(code), "failureCode": code}
    if link:
        flat["output"] = [link]
    return flat


def _row(task: Task, now: float, status: str, phase: Phase) -> Json:
    """The gateway's row: unix seconds, 0 for what has not happened, progress in per cent."""
    waiting = phase in (Phase.THROTTLED, Phase.PENDING)
    over = phase in (Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)
    reasons = {Phase.FAILED: task.plan.failure_code, Phase.CANCELLED: "cancelled"}
    return {
        "task_id": task.id,
        "action": "IMAGE_TO_VIDEO",
        "status": status,
        "fail_reason": reasons.get(phase, ""),
        "submit_time": int(task.charge.at),
        "start_time": 0 if waiting else int(task.running_at),
        "finish_time": int(task.ends_at) if over else 0,
        "progress": f"{0 if waiting else round(task.progress(now) * 100)}%",
    }


def _iso(moment: float) -> str:
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _number(task_id: str) -> int:
    try:
        return uuid.UUID(task_id).int >> 64  # the low half begins with the fixed variant bits
    except ValueError:
        return 0
