"""What can be made to go wrong: one table of kinds, and the text form `CALL:KIND` of a fault."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

from runner.sandbox.reading import not_one_of, parse_seconds

API = ("submit", "poll", "feed")
STATE = ("poll", "feed")
SUBMIT = ("submit",)
FILM = ("film",)
TASK = ("task",)
CALLS = (*API, *FILM, *TASK)
IN_PROCESS_ONLY = frozenset({"connect-error", "connect-timeout", "pool-timeout"})
FORM = "CALL:KIND[:ARGUMENT][@RATE][#FIRST][~MATCH]"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of going wrong: the calls it fits, and the argument it takes with its default."""

    name: str
    calls: tuple[str, ...]
    help: str
    argument: str = ""
    default: str = ""

    @property
    def usage(self) -> str:
        """The name as a person writes it, with its argument."""
        return f"{self.name}[:{self.argument}]" if self.argument else self.name


KINDS = (
    Kind("400", API, "400, Runway's body validation error"),
    Kind("401", API, "401, key bad, expired or exhausted"),
    Kind("402", API, "402, not enough credits"),
    Kind("403", (*API, *FILM), "403, not allowed"),
    Kind("403-quota", API, "403 insufficient_user_quota"),
    Kind("404", SUBMIT, "404, nothing here"),
    Kind("408", (*API, *FILM), "408, request timed out"),
    Kind("422", SUBMIT, "422, body not understood"),
    Kind("429", (*API, *FILM), "429, saturated"),
    Kind("429-empty", (*API, *FILM), "429 with an empty body"),
    Kind("429-retry-after", (*API, *FILM), "429 with Retry-After in seconds", "SECONDS", "3"),
    Kind("429-retry-date", (*API, *FILM), "429 with Retry-After as a date", "SECONDS", "3"),
    Kind("500", (*API, *FILM), "500, platform error"),
    Kind("500-invalid-request", SUBMIT, "500 invalid_request: a bad request in disguise"),
    Kind("502", (*API, *FILM), "502, HTML from a proxy"),
    Kind("503", (*API, *FILM), "503, overloaded"),
    Kind("503-no-channel", SUBMIT, "503 model_not_found: nobody serves the model"),
    Kind("504", (*API, *FILM), "504, HTML from a proxy"),
    Kind("524", (*API, *FILM), "524, HTML from a proxy that gave up waiting"),
    Kind("html", (*API, *FILM), "200 with an HTML page"),
    Kind("junk", API, "200 with a body that is not JSON"),
    Kind("redirect", (*API, *FILM), "301 to another place"),
    Kind("cut", (*API, *FILM), "closed before it was read; no answer, no charge"),
    Kind("reset", (*API, *FILM), "the same, as a TCP reset"),
    Kind("slow", (*API, *FILM), "served (and charged) at once, answered late", "SECONDS", "30"),
    Kind("connect-error", (*API, *FILM), "connection refused, never sent (in-process only)"),
    Kind("connect-timeout", (*API, *FILM), "no connection in time (in-process only)"),
    Kind("pool-timeout", (*API, *FILM), "no free connection in time (in-process only)"),
    Kind("charged-then-cut", SUBMIT, "charged, then closed with no answer"),
    Kind("charged-then-reset", SUBMIT, "charged, then a TCP reset with no answer"),
    Kind("charged-then-500", SUBMIT, "charged, then 500"),
    Kind("charged-then-504", SUBMIT, "charged, then 504"),
    Kind("charged-no-id", SUBMIT, "charged, 200 without an id"),
    Kind("invisible-400", STATE, "task_not_exist: 400, in `code`"),
    Kind("invisible-code", STATE, "task_not_exist: 200, in `code`"),
    Kind("invisible-message", STATE, "task_not_exist: 200, in `message`"),
    Kind("invisible-status", STATE, "task_not_exist: 200, in `status`"),
    Kind("invisible-404", STATE, "404, as Runway itself answers"),
    Kind("throttled", STATE, "reported as THROTTLED (QUEUED) once more"),
    Kind("unknown-status", STATE, "a status nobody has heard of", "STATUS", "REVIEWING"),
    Kind("expired", FILM, "403, the link has expired"),
    Kind("gone", FILM, "404, no such film"),
    Kind("truncated", FILM, "whole Content-Length, half the bytes, then closed"),
    Kind("truncated-reset", FILM, "the same, as a TCP reset"),
    Kind("short", FILM, "a truncated file, with a Content-Length that fits it"),
    Kind("no-length", FILM, "whole, without Content-Length"),
    Kind("failed", TASK, "ends FAILED; `task:CODE` is short for this", "CODE", "INTERNAL"),
    Kind("cancelled", TASK, "ends CANCELLED"),
    Kind("throttled", TASK, "waits this long for a slot first", "SECONDS", "30"),
    Kind("stuck", TASK, "runs for ever"),
    Kind("never", TASK, "accepted and charged, but polls never find it"),
)


def kinds_of(call: str) -> dict[str, Kind]:
    """The kinds that fit a call, by name, in the table's order."""
    return {kind.name: kind for kind in KINDS if call in kind.calls}


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong, on calls of one sort.

    `rate` is its chance on each matching call, `first` limits it to the first N matching calls,
    `match` to tasks whose promptText, promptImage or id contains that text.
    Raises `ValueError`, with what is allowed, for anything not in `KINDS`.
    """

    call: str
    kind: str
    argument: str = ""
    rate: float = 1.0
    first: int | None = None
    match: str = ""

    def __post_init__(self) -> None:
        """Check the fault against the table and fill in the default argument."""
        if self.call not in CALLS:
            raise ValueError(not_one_of("call", self.call, CALLS))
        kinds = kinds_of(self.call)
        if self.kind not in kinds:
            raise ValueError(not_one_of(f"{self.call} fault", self.kind, kinds))
        kind = kinds[self.kind]
        if self.argument and not kind.argument:
            raise ValueError(f"{self.call}:{self.kind} takes no argument, not {self.argument!r}")
        object.__setattr__(self, "argument", self.argument or kind.default)
        if kind.argument == "SECONDS":
            parse_seconds(self.argument)
        if not 0 <= self.rate <= 1:
            raise ValueError(f"@{self.rate:g} is not a rate: write a share of calls from 0 to 1")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `FORM`, e.g. "submit:429@0.2", "film:truncated#3", "poll:slow:5s~cat.jpg"."""
        head, _, match = text.partition("~")
        found = re.fullmatch(r"([^:@#]+):([^:@#]+)(?::([^@#]+))?(?:@([\d.]+))?(?:#(\d+))?", head)
        if not found:
            raise ValueError(f"{text!r} is not a fault: write {FORM}")
        call, kind, argument, rate, first = found.groups()
        if call in TASK and re.fullmatch(r"[A-Z][A-Z0-9_.]*", kind) and not argument:
            kind, argument = "failed", kind
        try:
            chance = float(rate or 1)
        except ValueError:
            raise ValueError(f"@{rate} is not a rate: write a share of calls from 0 to 1") from None
        return cls(call, kind, argument or "", chance, int(first) if first else None, match)

    @property
    def seconds(self) -> float:
        """The argument as seconds, for the kinds that take a duration."""
        return parse_seconds(self.argument)

    def __str__(self) -> str:
        """The text form; `Fault.parse(str(fault)) == fault`."""
        argument = f":{self.argument}" if self.argument else ""
        rate = f"@{self.rate!r}" if self.rate < 1 else ""
        first = "" if self.first is None else f"#{self.first}"
        match = f"~{self.match}" if self.match else ""
        return f"{self.call}:{self.kind}{argument}{rate}{first}{match}"


class FaultPicker:
    """Decides which fault hits a call: the first, in the order given, that matches and comes up.

    Each fault has dice of its own, so adding one doesn't change when another strikes.
    """

    def __init__(self, faults: Iterable[Fault], seed: int) -> None:
        self._faults = tuple(faults)
        self._dice = [random.Random(f"{seed}/fault/{n}") for n in range(len(self._faults))]
        self._seen = [0] * len(self._faults)

    def pick(self, call: str, texts: Iterable[str]) -> Fault | None:
        """The fault for this call, or None; `texts` is what `Fault.match` is looked for in."""
        haystack = tuple(texts)
        for number, fault in enumerate(self._faults):
            if fault.call != call or not any(fault.match in text for text in haystack):
                continue
            self._seen[number] += 1
            if fault.first is not None and self._seen[number] > fault.first:
                continue
            if self._dice[number].random() < fault.rate:
                return fault
        return None


def help_table() -> str:
    """The kinds a server can perform, by the calls they fit, as aligned text for a command's help.

    Kinds for the in-process transport alone are left out.
    """
    groups: dict[tuple[str, ...], list[Kind]] = {}
    for kind in KINDS:
        if kind.name not in IN_PROCESS_ONLY:
            groups.setdefault(kind.calls, []).append(kind)
    width = max(len(kind.usage) for kind in KINDS) + 2
    lines = []
    for calls, kinds in groups.items():
        lines.append(f"{', '.join(calls)}:")
        for kind in kinds:
            default = f" (default {kind.default})" if kind.default else ""
            lines.append(f"  {kind.usage:<{width}}{kind.help}{default}")
    return "\n".join(lines)
