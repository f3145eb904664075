"""What an operator can get wrong, each with its exit code.

The exit codes stand here and nowhere else; the help and the README are made from `EXIT_CODES`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell. Where several apply, `worst` picks one."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REMAINS = 3
    PERSON = 4
    ACCOUNT = 5
    LOCKED = 75
    ABORTED = 130


EXIT_CODES: dict[ExitCode, str] = {
    ExitCode.DONE: "all done",
    ExitCode.FAILED: "finished, some jobs failed; `verify`: a video is missing or changed",
    ExitCode.USAGE: "usage, manifest, configuration; `check --online`: an image; nothing was sent",
    ExitCode.REMAINS: "work remains (deadline, drain, budget reached): run again",
    ExitCode.PERSON: "a person is needed (uncertain or held jobs, images, a moved state file)",
    ExitCode.ACCOUNT: "the provider refuses the account (key, credit)",
    ExitCode.LOCKED: "another run holds this state file",
    ExitCode.ABORTED: "aborted by a second interrupt",
}

_PRECEDENCE = (
    ExitCode.ACCOUNT,
    ExitCode.PERSON,
    ExitCode.USAGE,
    ExitCode.REMAINS,
    ExitCode.LOCKED,
    ExitCode.FAILED,
)


def worst(codes: Sequence[ExitCode]) -> ExitCode:
    """The one exit code to report when several apply: 5, 4, 2, 3, 75, 1, else 0."""
    return next((code for code in _PRECEDENCE if code in codes), ExitCode.DONE)


class RunnerError(Exception):
    """An error for people: what is wrong, where, and what to do. Never shown as a traceback."""

    exit_code = ExitCode.USAGE


class ConfigurationError(RunnerError):
    """A key, an option or a folder that can't be used as it is. Nothing was sent."""


class StateError(RunnerError):
    """The state file can't be used: damaged, newer, or of another provider. Nothing was sent."""


class StateWriteError(StateError):
    """The state file can't be written any more, in the middle of a run: nothing more was sent."""

    exit_code = ExitCode.REMAINS


class DisplacedError(StateWriteError):
    """The state file was moved or deleted in the middle of a run: somebody should know."""

    exit_code = ExitCode.PERSON


class LockedError(RunnerError):
    """Another process works on this state file."""

    exit_code = ExitCode.LOCKED


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One mistake in a manifest or its catalog.

    `line` and `column` count from 1; 0 means the whole file (or the whole line).
    """

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        field = f"{self.field}: " if self.field else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {field}{self.message}{hint}"


class ManifestError(RunnerError):
    """Every mistake found in a manifest, in the order of its lines."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(sorted(findings))
        super().__init__("\n".join(str(finding) for finding in self.findings))


def in_words(error: RunnerError) -> list[str]:
    """An error as the lines that people get to read."""
    if isinstance(error, ManifestError):
        number = len(error.findings)
        mistakes = f"{number} mistake{'s' * (number != 1)}; nothing was sent"
        return [*(str(finding) for finding in error.findings), mistakes]
    return [f"{'busy' if isinstance(error, LockedError) else 'error'}: {error}"]
