"""What a look at a batch's images came to: which jobs' images would be refused, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from runner.images import Fault, Picture, bare, misfit
from runner.jobs import Entry
from runner.words import plural, printable

_NAMED = 3  # jobs that are named for one image
ONLINE = "is this machine online, and the proxy right?"


@dataclass(slots=True)
class Offence:
    """One thing that is wrong, with the entries that it concerns: the first few, and a count.

    `images` are the addresses that it is wrong with: more than one where their host is silent.
    """

    image: str
    fault: Fault
    entries: list[Entry] = field(default_factory=list)
    jobs: int = 0
    images: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        first = self.entries[0]
        words = f"{first.file}:{first.line}: {first.id}: {self.image} {self.fault.what}"
        words += f"; {self.fault.advice}"
        others = [f"{entry.id} (line {entry.line})" for entry in self.entries[1:]]
        if more := self.jobs - len(self.entries):
            others.append(f"{more} more")
        return printable(f"{words}; also {', '.join(others)}" if others else words)


@dataclass(frozen=True, slots=True)
class Inspection:
    """All of it: how many different images there are, and what is wrong with which.

    `known` of them were found well before, and not asked for again. `offline` says why when not
    one of those that were asked for gave an answer: then there is one thing to say.
    """

    images: int
    known: int = 0
    offences: tuple[Offence, ...] = ()
    offline: str = ""

    @property
    def bad(self) -> int:
        """How many of the images would not be taken, or could not be looked at."""
        return len(set().union(*(offence.images for offence in self.offences)))

    @property
    def fine(self) -> bool:
        """Whether every image would be taken."""
        return not self.offences

    @property
    def line(self) -> str:
        """All of it in one line: `200 images: 197 fine, 3 not`."""
        if self.offline:
            return f"{plural(self.images, 'image')}: no host gave an answer ({self.offline})"
        words = f"{plural(self.images, 'image')}: {self.images - self.bad} fine"
        words += f", {self.bad} not" if self.bad else ""
        return f"{words}; {self.known} known from before" if self.known else words

    def lines(self, limit: int | None = None) -> list[str]:
        """The offenders, each with its place in the manifest; at most so many."""
        if self.offline:
            limit = 1
        shown = [str(offence) for offence in islice(self.offences, limit)]
        more = len(self.offences) - len(shown)
        hint = [f"nothing is known of them: {ONLINE}"] if self.offline else []
        return [*hint, *shown, f"... and {more} more"] if more else [*hint, *shown]


def image_of(entry: Entry) -> str:
    """The address of an entry's image."""
    return str(entry.body["promptImage"])


def inspect(
    entries: Iterable[Entry], found: Mapping[str, Picture | Fault], known: int = 0
) -> Inspection:
    """Hold what was found at each address against the entries; so many were known from before.

    An image that several jobs share is one offender, and so is a host that is silent. A shape
    that one model refuses another may take.
    """
    offences: dict[tuple[str, str], Offence] = {}
    for entry in entries:
        url = image_of(entry)
        seen = found[url]
        fault = misfit(seen, str(entry.body["model"])) if isinstance(seen, Picture) else seen
        if fault is None:
            continue
        subject = bare(url) if fault.reached else urlsplit(url).netloc
        key = (url, fault.what) if fault.reached else (subject, "")
        offence = offences.setdefault(key, Offence(subject, fault))
        offence.jobs += 1
        offence.images.add(url)
        if len(offence.entries) < _NAMED:
            offence.entries.append(entry)
    return Inspection(len(found), known, tuple(offences.values()), _offline(found, known))


def _offline(found: Mapping[str, Picture | Fault], known: int) -> str:
    """Why nothing that was asked for gave an answer, "" if anything did."""
    silent = [seen for seen in found.values() if isinstance(seen, Fault) and not seen.reached]
    return silent[-1].what if silent and len(silent) == len(found) - known else ""


def as_json(inspection: Inspection) -> dict[str, object]:
    """The same for programs."""
    return {
        "images": inspection.images,
        "known": inspection.known,
        "fine": inspection.images - inspection.bad,
        "offline": inspection.offline,
        "offenders": [_offence_json(offence) for offence in inspection.offences],
    }


def _offence_json(offence: Offence) -> dict[str, object]:
    entries: Sequence[Entry] = offence.entries
    return {
        "image": offence.image,
        "problem": offence.fault.what,
        "advice": offence.fault.advice,
        "jobs": offence.jobs,
        "first": [{"id": each.id, "file": each.file, "line": each.line} for each in entries],
    }
