"""Writes the first manifest for somebody: from nothing, a table, or a list of addresses."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner import models
from runner.errors import Finding, ManifestError
from runner.manifest import addresses, catalog, fields, kinds, proposals, records, values
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.schema import FILE_NAME

EXAMPLE_IMAGE = "https://images.example.com/desk-lamp.jpg"
_SAMPLE = 1_000
_MARGIN = 42
_SAFE = re.compile(r"[A-Za-z][\w./?&=%+-]*(:[\w./?&=%+-]+)*", re.ASCII)
_COMMENT = re.compile(r"(^|\s)#.*")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_SHOWN_FIELDS = ("concurrency", "output", "poll_interval", "visibility_grace", "task_timeout")


@dataclass(frozen=True, slots=True)
class Sample:
    """What an existing file offers: images listed one by one, or the columns of a table."""

    images: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()


def sample(source: Path, provider: str = "cometapi") -> Sample:
    """Look into a .csv, .tsv, .jsonl or .txt file. Raises ManifestError, located in that file."""
    try:
        if wrong := kinds.workbook(source):
            raise UnusableError(Finding(str(source), 0, 0, "", *wrong))
        if source.suffix.lower() in catalog.SUFFIXES:
            names, rows = _head(source)
            problem = proposals.unreadable(names)
            found = proposals.proposed(names, rows, provider)
            if problem is not None:
                raise UnusableError(Finding(str(source), 1, 0, "", *problem))
            if "image" not in found.columns:
                reason = proposals.without_images(names, rows)
                raise UnusableError(Finding(str(source), 1, 0, "image", *reason))
            return Sample(columns=found.columns, notes=found.notes)
        return Sample(images=_addresses(source))
    except UnusableError as unusable:
        raise ManifestError([unusable.finding]) from None


def _addresses(source: Path) -> tuple[str, ...]:
    """The images of a text file, one a line; empty lines and comments don't count.

    A comment begins with `#` at the start of a line or after a space: no address has a space.
    """
    findings = Findings()
    images = []
    for number, line in enumerate(records.lines(source), 1):
        text = _COMMENT.sub("", line).strip()
        if text:
            try:
                images.append(addresses.image(text))
            except values.InvalidError as problem:
                found = Finding(str(source), number, 1, "image", problem.message, problem.hint)
                findings.mistake(found)
    findings.check()
    if not images:
        hint = "write one https address a line"
        raise UnusableError(Finding(str(source), 0, 0, "", "there are no addresses in it", hint))
    return tuple(images)


def _head(source: Path) -> tuple[list[str], Sequence[Mapping[str, str]]]:
    """The columns of a table and its first rows, column -> text."""
    lines = records.lines(source)
    if source.suffix.lower() == ".jsonl":
        rows = list(itertools.islice(records.objects(lines), _SAMPLE))
        return list(dict.fromkeys(name for row in rows for name in row)), rows
    table = records.records(str(source), lines)
    names = [name.strip() for name in next(table, (1, []))[1]]
    some = itertools.islice(table, _SAMPLE)
    return names, [dict(zip(names, record, strict=False)) for _, record in some]


def draft(
    name: str, provider: str = "cometapi", source: str = "", seen: Sample | None = None
) -> str:
    """The text of a commented manifest that loads as it is.

    `source` is the path of the table that `seen` was taken from, as the manifest shall name it.
    """
    seen = seen or Sample()
    parts = [
        f"# yaml-language-server: $schema={FILE_NAME}",
        "# One batch of videos. Check it with `runner check`, start it with `runner run`.",
        "# A line that begins with # is a comment: take the # away to use it.",
        "version: 1",
        f"name: {quoted(name)}",
        f"{f'provider: {provider}':<{_MARGIN}}# {' | '.join(fields.PROVIDERS)}",
        *(_option(fields.TOP[field]) for field in _SHOWN_FIELDS),
        _option(fields.TOP["rate"], "30/min"),
        _option(fields.TOP["budget"], "{tasks: 200}"),
        _option(fields.TOP["price"], "0.32"),
        "",
        "# Every job takes these, unless it sets its own.",
        "# defaults:",
        *(
            _parameter(field, provider)
            for field in ("model", "prompt", "duration", "ratio", "seed")
        ),
        "",
    ]
    if seen.columns is not None:
        parts += _catalog_part(source, seen.columns)
    else:
        parts += _jobs_part(seen.images or (EXAMPLE_IMAGE,), bare=bool(seen.images))
        parts += _MORE_SOURCES
    return "\n".join(parts) + "\n"


def _option(field: fields.Field, example: str = "") -> str:
    return (
        f"{f'# {field.name}: {example or field.default}':<{_MARGIN}}# {_first_sentence(field.doc)}"
    )


def _parameter(name: str, provider: str) -> str:
    example = {
        "model": models.DEFAULT_MODEL[provider],
        "prompt": '"slow push in, soft daylight"',
        "duration": "5",
        "ratio": "1280:720",
        "seed": "42",
    }[name]
    return f"{f'#   {name}: {example}':<{_MARGIN}}# {_first_sentence(fields.JOB[name].doc)}"


def _first_sentence(text: str) -> str:
    return text.partition(". ")[0].rstrip(".")


def _catalog_part(source: str, chosen: Mapping[str, str]) -> list[str]:
    lines = [
        "# One job for each row of the table; the column on the right fills the field on the left.",
        "catalog:",
        f"  file: {quoted(source)}",
        "  columns:",
        *(f"    {field}: {quoted(column)}" for field, column in chosen.items()),
    ]
    others = ", ".join(field for field in fields.JOB if field not in chosen)
    return [*lines, f"    # also possible: {others}"] if others else lines


def _jobs_part(images: Sequence[str], bare: bool) -> list[str]:
    lines = ["# One job each. `id` names the video; left out, it is made from the image."]
    lines.append("jobs:")
    if bare:
        return [*lines, *(f"  - image: {quoted(image)}" for image in images)]
    return [
        *lines,
        "  - id: desk-lamp",
        *(f"    image: {quoted(image)}" for image in images),
        "    prompt: the lamp sways gently",
    ]


_MORE_SOURCES = [
    "",
    "# Every combination of these, one job each:",
    "# matrix:",
    "#   images: [https://images.example.com/a.jpg, https://images.example.com/b.jpg]",
    "#   prompts: [slow pan left, slow zoom out]",
    "#   seeds: [1, 2]",
    "",
    "# Or a table of jobs, .csv, .tsv or .jsonl, its path relative to this file:",
    "# catalog: {file: products.csv, columns: {id: sku, image: photo_url, prompt: blurb}}",
]


def quoted(text: str) -> str:
    """A text as one YAML value, in quotes when it could be taken for something else."""
    if _SAFE.fullmatch(text) and text.lower() not in _WORDS:
        return text
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else f"\\U{ord(c):08x}" for c in escaped)
