"""The batch for other programs: CSV for spreadsheets, JSON, JUnit XML for CI systems. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

from runner.sheet.cards import Card, State
from runner.words import money

# What XML 1.0 can't hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# What a spreadsheet would take for a formula at the beginning of a cell.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

_VERDICT = {
    State.FAILED: "failure",
    State.UNCERTAIN: "error",
    State.SUBMITTING: "error",
    State.HELD: "error",
    State.PLANNED: "skipped",
    State.RUNNING: "skipped",
    State.RENDERED: "skipped",
}


# Column -> what it says of a card. Costs are decimal strings, times ISO 8601 in UTC,
# `render_seconds` a number; None where unknown.
FIELDS: dict[str, Callable[[Card], Any]] = {
    "id": lambda card: card.id,
    "status": lambda card: card.state.value,
    "image": lambda card: card.image,
    "prompt": lambda card: card.prompt,
    "model": lambda card: card.model,
    "parameters": lambda card: dict(card.parameters),
    "output": lambda card: card.output or None,
    "missing": lambda card: card.missing,
    "sha256": lambda card: card.sha256 or None,
    "size": lambda card: card.size or None,
    "attempts": lambda card: card.attempts,
    "spent": lambda card: money(card.spent) if card.spent else None,
    "task_id": lambda card: card.task_id or None,
    "submitted_at": lambda card: _iso(card.submitted_at),
    "finished_at": lambda card: _iso(card.finished_at),
    "render_seconds": lambda card: round(card.render, 3) if card.render else None,
    "trouble": lambda card: card.trouble.kind if card.trouble else None,
    "meaning": lambda card: card.trouble.meaning if card.trouble else None,
    "remedy": lambda card: card.trouble.remedy if card.trouble else None,
    "code": lambda card: card.code or None,
    "message": lambda card: card.message or None,
    "request_id": lambda card: card.request_id or None,
    "commands": lambda card: [command.line for command in card.commands],
    "in_manifest": lambda card: card.in_manifest,
}


def record(card: Card) -> dict[str, Any]:
    """One job as `FIELDS` have it."""
    return {name: read(card) for name, read in FIELDS.items()}


def as_json(name: str, made_at: float, cards: Sequence[Card]) -> str:
    """One object: the batch's name, when it was made, and every job."""
    whole = {"name": name, "made_at": _iso(made_at), "jobs": [record(card) for card in cards]}
    return json.dumps(whole, indent=2, ensure_ascii=True) + "\n"


def as_csv(cards: Sequence[Card]) -> str:
    """A table, one row a job, with CRLF as RFC 4180 has it; no cell can be a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(FIELDS)
    for card in cards:
        writer.writerow(_cell(read(card)) for read in FIELDS.values())
    return text.getvalue()


def _cell(value: object) -> object:
    """A value that a spreadsheet shows and never computes."""
    match value:
        case bool():
            return "yes" if value else "no"
        case dict():
            return _cell("; ".join(f"{name}={each}" for name, each in value.items()))
        case list():
            return _cell("\n".join(value))
        case str():
            plain = value.replace("\x00", "")
            return f"'{plain}" if plain.lstrip(" ").startswith(_FORMULA) else plain
        case _:
            return value


def as_junit(name: str, cards: Sequence[Card]) -> str:
    """JUnit's XML: done passes, failed fails, what needs a person is an error, the rest skipped."""
    verdicts = [_verdict(card) for card in cards]
    suite = ElementTree.Element(
        "testsuite",
        name=_xml(name),
        tests=str(len(cards)),
        failures=str(verdicts.count("failure")),
        errors=str(verdicts.count("error")),
        skipped=str(verdicts.count("skipped")),
        time=f"{sum(card.render for card in cards):.3f}",
    )
    for card, verdict in zip(cards, verdicts, strict=True):
        case = ElementTree.SubElement(
            suite, "testcase", classname=_xml(name), name=_xml(card.id), time=f"{card.render:.3f}"
        )
        if verdict:
            kind = card.trouble.kind if card.trouble else card.state.value
            said = ElementTree.SubElement(case, verdict, message=_xml(kind))
            if verdict != "skipped":
                said.set("type", _xml(card.code or card.state.value))
            said.text = _xml(_said(card))
        if card.output:
            ElementTree.SubElement(case, "system-out").text = _xml(card.output)
    whole = ElementTree.Element("testsuites")
    whole.append(suite)
    ElementTree.indent(whole)
    body = ElementTree.tostring(whole, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'


def _verdict(card: Card) -> str:
    """The element that says how a job ended; "" for one that is done and whose file is there."""
    return "error" if card.missing else _VERDICT.get(card.state, "")


def _said(card: Card) -> str:
    parts = [card.trouble.meaning, card.trouble.remedy] if card.trouble else []
    if card.code:
        request = f" (request {card.request_id})" if card.request_id else ""
        parts.append(f"{card.code}: {card.message}{request}")
    return "\n".join([*parts, *(f"{each.purpose}: {each.line}" for each in card.commands)])


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def _iso(moment: float) -> str | None:
    if not moment:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
