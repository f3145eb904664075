"""The command line: finds the command, runs it, and turns errors into words and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from keyword import iskeyword
from typing import NoReturn

import click

from runner import __version__
from runner.errors import EXIT_CODES, ExitCode, RunnerError, in_words

COMMANDS = (
    "run",
    "tick",
    "plan",
    "check",
    "status",
    "log",
    "report",
    "retry",
    "resolve",
    "doctor",
    "verify",
    "forget",
    "prune",
    "import",
    "init",
    "schema",
    "completion",
    "sandbox",
)

_CODES = "\b\nExit codes:\n" + "\n".join(
    f"  {code.value:>3}  {words}" for code, words in EXIT_CODES.items()
)


class _Commands(click.Group):
    """Loads a command's module when it is asked for, so that starting stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(import_module(f"runner.commands.{name}"), name)
        command.epilog = _CODES
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from difflib import get_close_matches  # noqa: PLC0415 - only a mistyped command needs it

        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = get_close_matches(args[0], COMMANDS, 1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(COMMANDS)}"
            ctx.fail(f"no such command {args[0]!r}: {hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    epilog=_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="runner")
def cli() -> None:
    """Animate a catalog of images: one manifest in, every video on disk.

    Each task costs money, so nothing is ever paid for twice: task ids are kept in a state file,
    and a run that was interrupted goes on where it was.

    \b
    Try it without a key, on the built-in stand-in provider:
      runner init products.csv           writes a manifest to start from
      runner plan products.yaml          what would be submitted, and what it costs
      runner run products.yaml --sandbox
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and leave with its exit code; the entry point of `runner`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        outcome = cli.main(arguments, prog_name="runner", standalone_mode=False)
        code = int(outcome) if isinstance(outcome, int) else ExitCode.DONE
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _complain("aborted")
        code = ExitCode.ABORTED
    except RunnerError as error:
        _complain(*in_words(error))
        code = error.exit_code
    except BrokenPipeError:
        # The reader of our output left: nothing more can be said, and nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.DONE
    except OSError as error:  # a full disk under the output, say
        _complain(f"error: the output can't be written: {error.strerror or error}")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.USAGE
    raise SystemExit(int(code))


def _complain(*lines: str) -> None:
    for line in lines:
        with suppress(OSError):
            print(line, file=sys.stderr)
