"""Collects what is wrong with a manifest, so that all of it is told at once."""

from __future__ import annotations

from dataclasses import replace

from runner.errors import Finding, ManifestError

MAX_STORED = 1_000


class UnusableError(Exception):
    """The rest of a file can't be read; carries the one finding that says why."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


class AbsentError(UnusableError):
    """There is no such file: whoever names it says where."""


class Findings:
    """Mistakes and warnings as they are found. A mistake found twice counts once."""

    def __init__(self) -> None:
        self._mistakes: dict[tuple[str, int, int, str], Finding] = {}
        self._unlisted: dict[str, Finding] = {}
        self._counts: dict[str, int] = {}
        self._warnings: dict[tuple[str, str], Finding] = {}
        self._repeats: dict[tuple[str, str], int] = {}
        self._settled: set[tuple[str, int, int]] = set()

    def mistake(self, finding: Finding) -> None:
        """Take note of something that must be put right before anything can be sent."""
        place = (finding.file, finding.line, finding.column, finding.message)
        if place in self._mistakes or place[:3] in self._settled:
            return
        if len(self._mistakes) < MAX_STORED:
            self._mistakes[place] = finding
        else:
            self._unlisted.setdefault(finding.file, finding)
            self._counts[finding.file] = self._counts.get(finding.file, 0) + 1

    def settle(self, file: str, line: int, column: int) -> None:
        """What is wrong here has been said: a later mistake at this place only follows from it."""
        self._settled.add((file, line, column))

    def warning(self, finding: Finding) -> None:
        """Take note of something doubtful; the same doubt is listed once, with a count."""
        doubt = (finding.file, finding.message)
        self._warnings.setdefault(doubt, finding)
        self._repeats[doubt] = self._repeats.get(doubt, 0) + 1

    @property
    def clean(self) -> bool:
        """Whether there is no mistake so far."""
        return not self._mistakes

    def check(self) -> tuple[Finding, ...]:
        """The warnings in the order of their lines.

        Raises ManifestError with every mistake if there is one; beyond a thousand, the rest is
        one finding a file that says how many there are.
        """
        if self._mistakes:
            rest = (
                replace(first, column=0, field="", message=_more(self._counts[file]), hint="")
                for file, first in self._unlisted.items()
            )
            raise ManifestError([*self._mistakes.values(), *rest])
        return tuple(
            sorted(
                replace(first, message=f"{first.message} (and {self._repeats[doubt] - 1} more)")
                if self._repeats[doubt] > 1
                else first
                for doubt, first in self._warnings.items()
            )
        )


def _more(count: int) -> str:
    plural = "mistake" if count == 1 else "mistakes"
    return f"… and {count} more {plural}, not listed"
