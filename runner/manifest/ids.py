"""Ids: those that are given must be apart, those that are derived are numbered apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from runner.compact import Entries, Pages, Recurring
from runner.errors import Finding
from runner.manifest.findings import Findings
from runner.manifest.values import shown


class Claim(NamedTuple):
    """An id as it is given by the row on `row`; the others say where it is written."""

    id: str
    row: int
    file: str
    line: int
    column: int
    path: str


class Ids:
    """The ids of one manifest, that of a row with mistakes included."""

    def __init__(self) -> None:
        self._claims = Pages()
        self._texts = Recurring()

    def claim(self, claim: tuple[str, int, str, int, int, str]) -> None:
        """Take note of an id that is given: the values of a `Claim`."""
        self._claims.append(claim)
        self._texts.add(claim[0].casefold())

    def derive(self, base: str) -> None:
        """Take note of an id that is derived."""
        self._texts.add(base)

    def settle(self, entries: Entries, findings: Findings) -> None:
        """Tell of every id that is given again, and number the derived ones."""
        if recurs := self._texts.found():
            self._check(recurs, findings)
            self._number(recurs, entries)

    def _check(self, recurs: Callable[[str], bool], findings: Findings) -> None:
        """Two ids that differ in case only are doubtful."""
        first: dict[str, Claim] = {}
        for packed in self._claims:
            claim = Claim(*packed)
            key = claim.id.casefold()
            if recurs(key) and first.setdefault(key, claim) is not claim:
                _tell(claim, first[key], findings)

    def _number(self, recurs: Callable[[str], bool], entries: Entries) -> None:
        """Number equal derived ids in order, past ids that are given."""
        doubtful = [
            (index, entry.derived)
            for index, entry in enumerate(entries)
            if entry.derived and recurs(entry.derived)
        ]
        taken = {packed[0].casefold() for packed in self._claims} if doubtful else set()
        counts: defaultdict[str, int] = defaultdict(int)

        def free(base: str) -> str:
            while True:
                counts[base] += 1
                id = base if counts[base] == 1 else f"{base}-{counts[base]}"
                if id not in taken:
                    return id

        entries.rename({index: free(base) for index, base in doubtful})


def _tell(claim: Claim, first: Claim, findings: Findings) -> None:
    place = f"line {first.row}" if first.file == claim.file else f"{first.file}:{first.row}"
    where = (claim.file, claim.line, claim.column, claim.path)
    if first.id == claim.id:
        message = f"{shown(claim.id)} is already the id of the job on {place}"
        findings.mistake(Finding(*where, message, "every id must be its own"))
    else:
        message = "ids that differ only in case share one file on some disks"
        hint = f"{shown(claim.id)} here, {shown(first.id)} on {place}"
        findings.warning(Finding(*where, message, hint))
