"""`runner sandbox`: the stand-in provider as a server of its own."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import click

from runner.sandbox import (
    DIALECTS,
    Fault,
    MissingExtraError,
    Settings,
    Simulator,
    Span,
    render,
    serve,
    tiny,
)
from runner.sandbox.faults import FORM, help_table
from runner.sandbox.film import require_extra
from runner.sandbox.pictures import help_table as flaws_table
from runner.sandbox.reading import not_one_of, parse_seconds

FILMS = {"real": render, "tiny": tiny}

EXAMPLES = """\b
Examples:
  runner sandbox --port 8123
  runner sandbox --render 20s..40s --slots 3 --dialect mixed
  runner sandbox --fault submit:429@0.2 --fault film:truncated#3
  runner sandbox --fault 'submit:charged-then-cut#1~cat.jpg'
  runner sandbox --fault task:SAFETY.INPUT.TEXT@0.1 --fault poll:slow:5s@0.05
"""


class CantListenError(click.ClickException):
    """The address or the ledger file can't be had."""

    exit_code = 2


def _read(parse: Callable[[str], object]) -> Callable[..., object]:
    """An option's callback: every value goes through `parse`; its `ValueError` is a usage error."""

    def callback(
        ctx: click.Context, param: click.Parameter, value: str | tuple[str, ...]
    ) -> object:
        try:
            return tuple(map(parse, value)) if isinstance(value, tuple) else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


def _one_of(what: str, names: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(not_one_of(what, text, names))
        return text

    return read


def _range(
    name: str, default: str, help: str
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option that takes a range of seconds."""
    return click.option(
        name,
        metavar="RANGE",
        callback=_read(Span.parse),
        default=default,
        show_default=True,
        help=help,
    )


def _epilog() -> str:
    table = help_table()
    faults = (
        f"\b\nFaults, written {FORM}:\n"
        "  RATE   the share of matching calls that are hit, 0 to 1 (all of them)\n"
        "  FIRST  only the first so many matching calls\n"
        "  MATCH  only tasks whose prompt, image or id contains this text\n"
        "The first fault given that fits a call strikes.\n\n"
    )
    images = (
        "Images, of any host, stand under /pictures/HOST/PATH; one is bad if its path has, as in\n"
        "lamp-bad-missing.jpg:\n"
    )
    return f"{EXAMPLES}\n{faults}\b\n{table}\n\n{images}{flaws_table()}"


class Sandbox(click.Command):
    """The command, with its tables left as they are written."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples and the table of faults after the options."""
        formatter.write("\n" + _epilog().replace("\b\n", ""))
        formatter.write("\n")


@click.command("sandbox", cls=Sandbox)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8123,
    show_default=True,
    help="Port to listen on; 0 takes any free one.",
)
@_range("--render", "2s..6s", "How long a task runs.")
@_range("--queue", "500ms..1500ms", "How long a task is pending first.")
@_range("--invisible", "0s", "For how long a new task is task_not_exist.")
@click.option(
    "--link-lifetime",
    metavar="DURATION",
    callback=_read(parse_seconds),
    default="24h",
    show_default=True,
    help="For how long a film's address works.",
)
@click.option(
    "--dialect",
    metavar="NAME",
    callback=_read(_one_of("dialect", DIALECTS)),
    default=DIALECTS[0],
    show_default=True,
    help=f"Shape of task details: {', '.join(DIALECTS)}.",
)
@click.option("--slots", type=click.IntRange(1), help="Tasks at work at once; the others wait.")
@click.option("--daily-cap", type=click.IntRange(0), help="Tasks in 24 hours, then 429.")
@click.option("--credit", type=click.IntRange(0), help="Tasks in all, then 403.")
@click.option("--key", help="The one key accepted (any, unless given).")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same world.")
@click.option(
    "--fault",
    "faults",
    metavar="FAULT",
    callback=_read(Fault.parse),
    multiple=True,
    help="Something that goes wrong; may be repeated. See below.",
)
@click.option(
    "--films",
    metavar="SORT",
    callback=_read(_one_of("sort of film", tuple(FILMS))),
    default="real",
    show_default=True,
    help="real: MP4 to look at (extra 'sandbox'); tiny: only a header.",
)
@click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File that keeps what was charged, for the next start.",
)
def sandbox(
    host: str,
    port: int,
    films: str,
    ledger: Path | None,
    **settings: Any,
) -> None:
    """Run the stand-in provider as a server.

    It runs on this machine, free of charge, and is as unfriendly as you like.

    It speaks CometAPI's Runway routes and Runway's own, accepts paid tasks without payment, and
    ends them in real little films. Point a client's base URL at the address it prints. What it
    charged, and how well the client behaved, is at /sandbox/ledger.

    Ctrl-C or SIGTERM ends it, with exit code 0; exit code 2 is a wrong option or a port in use.
    """
    try:
        wanted = Settings(**settings)
        if films == "real":
            require_extra()
        simulator = anyio.run(_serve, wanted, host, port, films, ledger)
    except (ValueError, MissingExtraError) as error:
        raise click.UsageError(str(error)) from error
    except OSError as error:
        raise _no_listening(error, host, port) from error
    click.echo(_farewell(simulator))


async def _serve(
    settings: Settings, host: str, port: int, films: str, ledger: Path | None
) -> Simulator:
    """Listen until a signal asks to end."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with serve(
            settings, host=host, port=port, ledger_file=ledger, render=FILMS[films]
        ) as server:
            click.echo(f"listening on {server.base_url}")
            click.echo(
                f"CometAPI's routes: {server.base_url}/runwayml/v1/...  "
                f"Runway's: {server.base_url}/v1/...\n"
                f"the books: {server.base_url}/sandbox/ledger\n"
                "any key will do, unless --key is given; Ctrl-C ends it",
                err=True,
            )
            async for _ in signals:
                break
            return server.simulator
    raise AssertionError("unreachable: the receiver ends only with a signal")


def _no_listening(error: OSError, host: str, port: int) -> click.ClickException:
    """What went wrong, in words that say what to do."""
    if error.errno == errno.EADDRINUSE:
        text = f"port {port} on {host} is already in use; choose another --port, or 0 for any"
    elif error.filename:
        text = f"{error.filename}: {error.strerror}"
    else:
        text = f"can't listen on {host}:{port}: {error}"
    return CantListenError(text)


def _farewell(simulator: Simulator) -> str:
    charged = len(simulator.charges)
    return f"charged {charged} task{'' if charged == 1 else 's'}"
