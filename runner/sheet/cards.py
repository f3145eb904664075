"""One card a job: everything that a contact sheet shows of it, in words. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import unquote

from runner.admission import Held, Reason
from runner.jobs import Problem, Scalar, Status
from runner.overview import Action, Line
from runner.sheet.chronicle import Chronicle
from runner.troubles import Trouble, explain
from runner.words import Caller

IMAGE, PROMPT, MODEL = "promptImage", "promptText", "model"
_FIELDS = {IMAGE: "image", PROMPT: "prompt"}


class State(StrEnum):
    """What a card is filtered by: a job's status, or that it waits for a person's word."""

    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    HELD = "held"
    RUNNING = "running"
    RENDERED = "rendered"
    SUBMITTING = "submitting"
    PLANNED = "planned"


NEEDS_A_PERSON = (State.FAILED, State.UNCERTAIN, State.HELD)


@dataclass(frozen=True, slots=True)
class Command:
    """A command to copy, and what it is for."""

    purpose: str
    line: str


@dataclass(frozen=True, slots=True)
class Card:
    """A job as it is shown. Times are seconds since 1970 or 0, costs millionths of a unit.

    `output` is where the video is, "" when there is none; `missing` when the file is gone.
    `price` is what one more attempt costs, None when unknown.
    """

    number: int
    id: str
    state: State
    status: Status
    prompt: str
    image: str
    model: str
    parameters: tuple[tuple[str, Scalar], ...]
    attempts: int
    spent: int
    price: int | None
    task_id: str = ""
    remote_status: str = ""
    output: str = ""
    sha256: str = ""
    size: int = 0
    missing: bool = False
    submitted_at: float = 0.0
    finished_at: float = 0.0
    render: float = 0.0
    code: str = ""
    message: str = ""
    request_id: str = ""
    trouble: Trouble | None = None
    commands: tuple[Command, ...] = ()
    in_manifest: bool = True

    @property
    def image_name(self) -> str:
        """The image's file name: the last of its address, without what could be a signature."""
        place = self.image.partition("?")[0].partition("#")[0].rstrip("/")
        return unquote(place.rpartition("/")[2])


def card(
    number: int, line: Line, caller: Caller, chronicle: Chronicle, missing: Collection[str] = ()
) -> Card:
    """The card of one line; `missing` are the outputs whose files are gone."""
    job, entry, body = line.job, line.entry, line.body
    rest = dict(body)
    problem = _problem(line)
    state = State.HELD if line.held else State(line.status)
    output = job.output if job and job.status is Status.DONE else ""
    is_missing = output in missing if output else False
    return Card(
        number=number,
        id=line.id,
        state=state,
        status=line.status,
        prompt=str(rest.pop(PROMPT, "")),
        image=str(rest.pop(IMAGE, "")),
        model=str(rest.pop(MODEL, "")),
        parameters=tuple(rest.items()),
        attempts=job.attempts if job else 0,
        spent=job.spent if job else 0,
        price=entry.cost if entry else job.cost if job else None,
        task_id=job.task_id if job else "",
        remote_status=job.remote_status.lower() if job else "",
        output=output,
        sha256=job.sha256 if job else "",
        size=job.size if job else 0,
        missing=is_missing,
        submitted_at=job.submitted_at if job else 0.0,
        finished_at=job.finished_at if job else 0.0,
        render=chronicle.render,
        code=problem.code if problem else "",
        message=problem.message if problem else "",
        request_id=problem.request_id if problem else "",
        trouble=_trouble(line, is_missing),
        commands=_commands(line, caller, is_missing),
        in_manifest=entry is not None,
    )


def cards(
    lines: Collection[Line],
    caller: Caller,
    told: Mapping[int, Chronicle],
    missing: Collection[str] = (),
) -> list[Card]:
    """A card for each line, numbered from 1 in the order of the manifest."""
    none = Chronicle()
    return [
        card(number, line, caller, told.get(line.job.key, none) if line.job else none, missing)
        for number, line in enumerate(lines, 1)
    ]


def outputs(lines: Collection[Line]) -> list[str]:
    """Where the videos of these lines are said to be."""
    return [line.job.output for line in lines if line.job and line.job.status is Status.DONE]


_GONE = Trouble(
    "video missing",
    "The video was paid for and saved, and its file is not at its place any more.",
    "Put the file back, or fetch it again by its task, free of charge.",
)
_INTERRUPTED = Trouble(
    "answer awaited",
    "The order is being sent. If no run is at work, its answer was lost and it may be charged.",
    "Run again, then settle what is left.",
)


def _problem(line: Line) -> Problem | None:
    """The problem that still counts: not one that an edit or an order to retry left behind."""
    job, entry = line.job, line.entry
    edited = bool(job and entry and line.action is Action.SUBMIT and job.content != entry.content)
    return None if job is None or line.held or edited else job.problem


def _trouble(line: Line, missing: bool) -> Trouble | None:
    problem = _problem(line)
    if line.held:
        return _held(line.held)
    if missing:
        return _GONE
    if line.status is Status.SUBMITTING:
        return _INTERRUPTED
    if line.job is None or problem is None or line.status is Status.DONE:
        return None
    return explain(problem, line.job.status, line.job.task_id)


def _held(held: Held) -> Trouble:
    if held.reason is Reason.EXISTS:
        return Trouble(
            "held: a file is in its place",
            "A file of unknown origin stands where this video would go, so it was not bought.",
            "If the state file was lost, bring it back, or take over its tasks with `runner "
            "import`. To buy the video, move the file away.",
        )
    changes = "; ".join(
        f"{_FIELDS.get(name, name)} was {_quoted(before)}, is now {_quoted(now)}"
        for name, before, now in held.differences
    )
    return Trouble(
        "held: changed after it was paid for",
        f"Its video was paid for, and the entry says something else now: {changes}.",
        "Undo the edit to keep the video, or agree to pay again for every changed entry.",
    )


def _quoted(value: str) -> str:
    return f"“{value}”" if value else "not set"


def _commands(line: Line, caller: Caller, missing: bool) -> tuple[Command, ...]:
    makes = caller.command
    if line.held:
        if line.held.reason is Reason.EXISTS:
            return ()
        return (
            Command("See what it would cost", makes("plan", "--accept-changes")),
            Command("Pay for every changed entry", makes("run", "--accept-changes")),
        )
    if missing:
        return (Command("Fetch it again, free of charge", makes("doctor", "--refetch")),)
    if line.status is Status.FAILED and line.entry is not None:
        return (Command("Pay for another attempt", makes("retry", line.id)),)
    if line.status in {Status.UNCERTAIN, Status.SUBMITTING}:
        return _settling(line, caller)
    return ()


def _settling(line: Line, caller: Caller) -> tuple[Command, ...]:
    """What settles a doubt; a task whose id is known was accepted, and can be asked again."""
    give_up = Command(
        "Count it as paid and failed", caller.command("resolve", line.id, "--give-up")
    )
    if line.job and line.job.task_id:
        return Command("Ask once more, free of charge", caller.command("run")), give_up
    return (
        Command(
            "Found there, with a task id",
            caller.command("resolve", line.id, "--task-id") + " TASK",
        ),
        Command("Not there: never charged", caller.command("resolve", line.id, "--not-charged")),
        give_up,
    )
