"""Rows from jobs, matrix and catalog -> entries: values, model rules, ids, costs."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from runner import models
from runner.compact import Entries
from runner.errors import Finding
from runner.jobs import Scalar, content_digest
from runner.manifest import addresses, metadata, values
from runner.manifest.fields import JOB, WIRE, Parse
from runner.manifest.findings import Findings
from runner.manifest.ids import Ids
from runner.manifest.presets import Presets
from runner.manifest.price import Price
from runner.manifest.suggest import nearest
from runner.manifest.templates import Template
from runner.manifest.tree import Text

MAX_JOBS = 1_000_000
# Of these, many jobs have the same few values, which are read once and remembered.
_FEW_VALUES = frozenset({"camera", "model", "duration", "ratio", "watermark"})
_MAX_REMEMBERED = 1_000


class Row(NamedTuple):
    """One job as written. `prefix` and `suffix` make a field's path: `jobs[3].` + `seed` + ``.

    `cells` has only what was set. `nodes` has those texts that stand at places of their own; of all
    other fields, set or not, `columns` tells in which column of the row's line they stand.
    `axes` are the fields that vary in the row's matrix, `labels` the columns that name its video,
    `facts` those of the texts inside it, `faulty` the fields already found wrong.
    """

    file: str
    line: int
    cells: Mapping[str, str] = {}
    prefix: str = ""
    suffix: str = ""
    nodes: Mapping[str, Text] = {}
    columns: Mapping[str, int] = {}
    axes: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    facts: Mapping[str, str] = {}
    faulty: frozenset[str] = frozenset()

    def written(self, nodes: Mapping[str, Text]) -> Row:
        """The same row with these texts set."""
        return self._replace(cells={name: node.text for name, node in nodes.items()}, nodes=nodes)

    def where(self, name: str) -> tuple[str, int, int, str]:
        """File, line, column and path of a field: of its text, or of where that would stand."""
        node = self.nodes.get(name)
        line, column = (node.line, node.column) if node else (self.line, self.columns.get(name, 0))
        return self.file, line, column, f"{self.prefix}{name}{self.suffix}"


class Shared(NamedTuple):
    """What holds for many jobs.

    `defaults` has the manifest's own first, then those of the files it includes, last first;
    `templates` are the defaults that are filled in for each row; `labels` the columns that name
    the videos, `metadata` the texts inside them.
    """

    defaults: tuple[Row, ...]
    templates: Mapping[str, Template]
    presets: Presets
    labels: tuple[str, ...] = ()
    metadata: tuple[Template, ...] = ()

    @property
    def has_image(self) -> bool:
        """Whether a default stands in for a missing image, or was meant to."""
        told = (name for row in self.defaults for name in (*row.cells, *row.faulty))
        return "image" in {*told, *self.templates}

    def default(self, name: str) -> Row | None:
        """The defaults that set this field."""
        return next((row for row in self.defaults if name in row.cells), None)


class Intake:
    """Takes rows in manifest order and gives entries. What is wrong goes to the findings."""

    def __init__(
        self,
        provider: str,
        shared: Shared,
        price: Price | None,
        budgeted: bool,
        findings: Findings,
    ) -> None:
        self.shared = shared
        self._provider = provider
        self._price = price
        self._budgeted = budgeted
        self._findings = findings
        self._parsers = _parsers(shared.presets)
        self._ids = Ids()
        self._entries = Entries()
        self._default_values: dict[str, Any] = {}
        self._bad_defaults: set[str] = set()
        for row in shared.defaults:
            parsed, bad = self._parsed(row)
            self._default_values |= parsed
            self._bad_defaults |= bad
        self.taken = 0

    def add(self, row: Row) -> None:
        """Take one row."""
        self.taken += 1
        own, bad = self._parsed(row)
        merged = self._default_values | own
        bad |= self._bad_defaults - own.keys()
        for name in bad:
            merged.pop(name, None)
        id = merged.pop("id", "")
        if id:
            self._ids.claim((id, row.line, *row.where("id")))
        asked = merged
        if (words := merged.get("camera")) and "prompt" not in bad:
            prompt = merged.get("prompt")
            merged = {**merged, "prompt": f"{prompt}, {words}" if prompt else words}
        if "image" not in bad:
            self._check_image(row, merged.get("image"))
        if "model" not in bad:
            model = merged.setdefault("model", models.DEFAULT_MODEL[self._provider])
            self._check_model(row, model, merged, bad)
            cost = self._cost(row, model, merged) if "duration" not in bad else None
        if self.shared.labels:
            self._check_labels(row)
        if bad or "image" not in merged:
            return
        if self.shared.metadata:
            self._check_metadata(row, merged)
        body = {field.wire: merged[field.name] for field in WIRE if field.name in merged}
        derived = ""
        if not id:
            derived = _derived_id(asked, row.axes)
            self._ids.derive(derived)
        content = content_digest(body)
        where = (row.file, row.line, row.labels, row.facts)
        self._entries.pack((id or derived, derived, body, content, cost, *where))

    def entries(self) -> Entries:
        """Every entry taken, each under an id of its own. May be called once."""
        self._ids.settle(self._entries, self._findings)
        return self._entries

    def _parsed(self, row: Row) -> tuple[dict[str, Any], set[str]]:
        """The values of a row's cells, and the fields whose value can't be used."""
        parsed: dict[str, Any] = {}
        bad = set(row.faulty)
        for name, text in row.cells.items():
            try:
                parsed[name] = self._parsers[name](text)
            except values.InvalidError as problem:
                bad.add(name)
                self._mistake(row, name, problem.message, problem.hint)
        return parsed, bad

    def _check_labels(self, row: Row) -> None:
        """Tell of a job that lacks a column which names its video."""
        lacks = next((name for name in self.shared.labels if name not in row.labels), "")
        if lacks and "output" not in row.faulty:
            hint = "only a catalog has columns"
            message = f"the job has no {values.shown(lacks)}, which `output` needs"
            self._findings.mistake(Finding(row.file, row.line, 0, "output", message, hint))

    def _check_metadata(self, row: Row, merged: Mapping[str, Scalar]) -> None:
        """Tell of a text for which the job has neither a field nor a column."""
        given = {"id": "", **merged, **row.facts}
        if found := metadata.gap(self.shared.metadata, given):
            form, slot = found
            message = f"the job has no {values.shown(slot.name)}, which `{form.path}` needs"
            hint = f"set `{slot.name}`" if slot.name in JOB else "only a catalog has columns"
            self._findings.mistake(Finding(row.file, row.line, 0, form.path, message, hint))

    def _check_image(self, row: Row, url: Scalar | None) -> None:
        if url is None:
            hint = "give the https address of an image"
            self._mistake(row, "image", "is missing", hint)
            return
        host = addresses.private_host(str(url))
        if not host:
            return
        if self._provider == "runway":
            message = (
                f"{values.shown(host)} is not a public domain name; Runway fetches from none else"
            )
            self._mistake(row, "image", message)
        else:
            self._warn(row, "image", "the host is not a public domain name", values.shown(host))

    def _check_model(self, row: Row, model: str, merged: dict[str, Scalar], bad: set[str]) -> None:
        """Hold the job against its model's rules, and fill in what the model requires."""
        rules = models.KNOWN.get(model)
        if rules is None:
            message = f"{values.shown(model)} is not a known model; passed through unchecked"
            near = _known_model(model, 0.8)
            self._warn(row, "model", message, f"did you mean `{near}`?" if near else "")
            return
        for problem in rules.problems(merged):
            if problem.field not in bad:
                self._mistake(row, *problem)
        if rules.retired and self._provider == "runway":
            message = f"Runway retired {model} on {rules.retired} and will refuse it"
            self._warn(row, "model", message, f"use {models.DEFAULT_MODEL['runway']}")
        if "watermark" in merged and not rules.watermark:
            message = f"{model} doesn't list it and may refuse the request"
            self._warn(row, "watermark", message)
        for name, value in rules.fills.items():
            merged.setdefault(name, value)

    def _cost(self, row: Row, model: str, merged: Mapping[str, Scalar]) -> int | None:
        if self._price is None:
            return None
        tariff = self._price.of(model)
        if tariff is None:
            message = f"no price for {values.shown(model)}"
            strange = [name for name in self._price.by_model if name not in models.KNOWN]
            near = next((name for name in strange if _known_model(name, 0.6) == model), "")
            hint = f"is {values.shown(near)} meant for it?" if near else "add it under `price`"
        else:
            rules = models.KNOWN.get(model)
            duration = merged.get("duration", rules.default_duration if rules else None)
            cost = tariff.cost(duration if isinstance(duration, int) else None)
            if cost is not None:
                return cost
            message = f"the price is per second and {values.shown(model)} has no known duration"
            hint = "set `duration`"
        if self._budgeted:
            self._mistake(row, "model", f"{message}, so the budget can't be kept", hint)
        else:
            self._warn(row, "model", f"{message}; its cost is unknown", hint)
        return None

    def _located(self, row: Row, name: str, message: str, hint: str) -> Finding:
        """A finding at the cell, else at the default, else at the row."""
        source = row if name in row.cells else self.shared.default(name) or row
        return Finding(*source.where(name), message, hint)

    def _mistake(self, row: Row, name: str, message: str, hint: str = "") -> None:
        if name not in row.cells and self.shared.default(name):
            first = f"first met on line {row.line} of {row.file}"
            hint = f"{hint}; {first}" if hint else first
        self._findings.mistake(self._located(row, name, message, hint))

    def _warn(self, row: Row, name: str, message: str, hint: str = "") -> None:
        self._findings.warning(self._located(row, name, message, hint))


def _parsers(presets: Presets) -> dict[str, Parse]:
    """What makes a job's values of their texts, field by field."""

    def camera(text: str) -> str:
        return presets.words(values.preset(text))

    parsers = {name: field.parse for name, field in JOB.items() if field.parse} | {"camera": camera}
    remembering = lru_cache(_MAX_REMEMBERED)
    return {
        name: remembering(parse) if name in _FEW_VALUES else parse
        for name, parse in parsers.items()
    }


@lru_cache(maxsize=1_000)
def _known_model(name: str, cutoff: float) -> str:
    """The known model that was probably meant; looked for once, not for each of a million jobs."""
    return nearest(name, models.KNOWN, cutoff)


def _derived_id(job: Mapping[str, Scalar], axes: Iterable[str]) -> str:
    """Name a job after its image and, in a matrix, its own values on the other axes.

    The digest sees nothing but these, so that no other line of the manifest can change it.
    """
    url = str(job["image"])
    own = {axis: job[axis] for axis in axes if axis != "image"}
    text = url if not own else json.dumps([url, own], sort_keys=True, ensure_ascii=False)
    return f"{_slug(url)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _slug(url: str) -> str:
    """The image file's name without its ending, in at most 40 of a-z, 0-9 and -."""
    path = re.split(r"[?#]", url.partition("://")[2], maxsplit=1)[0].partition("/")[2]
    file = unquote(path).rstrip("/").rpartition("/")[2]
    stem = file.rpartition(".")[0] or file
    if not stem.isascii():
        stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", stem.lower())[:40].strip("-") or "image"
