"""The options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from runner.manifest import seconds
from runner.manifest.fields import TOP
from runner.manifest.values import InvalidError

Command = TypeVar("Command", bound=Callable[..., Any])


class Duration(click.ParamType[float]):
    """Seconds, written like `5s`, `10m`, `1h30m` or a plain number of seconds."""

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read the text; refuse anything else with an example."""
        if isinstance(value, float):
            return value
        try:
            found = seconds(value)
        except InvalidError as error:
            self.fail(f"{error.message} ({error.hint})", param, ctx)
        if found < self._least:
            self.fail(f"{value} is too short (at least {self._least:g}s)", param, ctx)
        return found


class Field(click.ParamType[Any]):
    """A value that is read as the manifest's field of this name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read the text; refuse what the manifest refuses, in the same words."""
        parse = TOP[self.name].parse
        assert parse is not None, self.name
        try:
            return parse(value) if isinstance(value, str) else value
        except InvalidError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self.fail(f"{error.message}{hint}", param, ctx)


PATH = click.Path(path_type=Path)

manifest = click.argument("manifest", type=PATH)

_COMPLETED = 100


def known_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """For a shell's completion: ids of jobs that begin so, from the batch's state file.

    Quick and silent: the manifest is not read, and where the batch is not known (an option that
    has no value yet hides it), the ids of all the batches here are offered.
    """
    from runner.errors import RunnerError  # noqa: PLC0415 - not needed to start
    from runner.ledger import Ledger  # noqa: PLC0415 - brings SQLite

    own = ctx.params.get("state") or Path(
        "state", f"{Path(ctx.params.get('manifest') or '').stem}.db"
    )
    ids: set[str] = set()
    for state in (own,) if own.exists() else Path("state").glob("*.db"):
        with suppress(RunnerError):
            if ledger := Ledger.read(state):
                with closing(ledger):
                    ids |= {each.id for each in ledger.identities() if not each.forgotten}
    return sorted(id for id in ids if id.startswith(incomplete))[:_COMPLETED]


ids = click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=known_ids)

_STATE = (
    click.option("--state", type=PATH, metavar="FILE", help="State file [state/{name}.db]."),
    click.option(
        "--output",
        default="",
        metavar="TEMPLATE",
        help="Where videos go: a folder, or a template like out/{name}/{id}.mp4.",
    ),
    click.option(
        "--base-url",
        default="",
        metavar="URL",
        help="The provider's address [also RUNNER_BASE_URL].",
    ),
    click.option(
        "--sandbox",
        is_flag=True,
        help="Rehearse on the built-in stand-in provider: no key, no cost, made-up videos.",
    ),
)


_WORK = (
    click.option(
        "--concurrency",
        type=Field("concurrency"),
        metavar="N|auto",
        help="Paid tasks at the provider at once; auto finds out how many it takes.",
    ),
    click.option(
        "--rate",
        type=Field("rate"),
        metavar="30/min",
        help="At most so many submits in any such time.",
    ),
    click.option(
        "--poll-interval",
        type=Duration(),
        metavar="5s",
        help="Least time between two polls of one task.",
    ),
    click.option(
        "--key-file",
        type=PATH,
        metavar="FILE",
        help="Read the API key from a file instead of the environment.",
    ),
    click.option(
        "--accept-changes",
        is_flag=True,
        help="Pay again for entries that changed after they were paid for.",
    ),
    click.option(
        "--on-uncertain",
        type=click.Choice(["hold", "resubmit"]),
        default="hold",
        help="A submit without an answer may have been charged. hold (default) keeps it for "
        "you to settle with `runner resolve`; resubmit buys it again, up to three times, "
        "and so may pay two or three times for one video.",
    ),
    click.option(
        "-q",
        "--quiet",
        count=True,
        help="Say nothing unless something changed since the last run; twice (-qq): unless it is "
        "something that a person should know. Then it is one line.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        help="json: whatever is said is one JSON object a line, on standard error.",
    ),
    click.option(
        "--heartbeat",
        type=Field("heartbeat"),
        metavar="URL",
        help="Ping this address at the start, and at the end of all manifests, well or not "
        "(/start, /fail); env:NAME reads it from a variable.",
    ),
    click.option("-v", "--verbose", is_flag=True, help="Say every event."),
    click.option(
        "--yes",
        is_flag=True,
        help="Buy more than the manifest's confirm_above without asking; for scripts.",
    ),
)

_CHOICE = (
    click.option(
        "--only",
        multiple=True,
        metavar="ID|PATTERN",
        shell_complete=known_ids,
        help="Buy only jobs with this id, or one like lamp-*; may be given several times.",
    ),
    click.option(
        "--first",
        type=click.IntRange(0),
        metavar="N",
        help="Buy only the first N jobs of the manifest (of --only, if given).",
    ),
    click.option(
        "--sample",
        type=click.IntRange(0),
        metavar="N",
        help="Buy only N jobs, spread over the manifest, to judge before the rest is bought. The "
        "same N again buys nothing new, a larger one buys what is between.",
    ),
    click.option(
        "--max-tasks",
        type=click.IntRange(0),
        metavar="N",
        help="Buy at most N tasks in this run, whichever come next.",
    ),
)


def choosing(command: Command) -> Command:
    """Options that say which of the planned jobs a run may buy; what was bought comes home."""
    for decorate in reversed(_CHOICE):
        command = decorate(command)
    return command


manifests = click.argument("manifests", type=PATH, nargs=-1, required=True, metavar="MANIFEST...")


def batches(command: Command) -> Command:
    """Manifests or folders of them, and how batches are worked on: for `run` and `tick`."""
    for decorate in reversed((manifests, *_STATE, *_WORK)):
        command = decorate(command)
    return command


def batch(command: Command) -> Command:
    """The manifest argument and the options that say what a batch is."""
    for decorate in reversed((manifest, *_STATE)):
        command = decorate(command)
    return command
