"""Tables of jobs: .csv, .tsv and .jsonl files, read as a stream, one row one job."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from runner.errors import Finding
from runner.manifest import kinds
from runner.manifest.columns import Columns, Wanted, is_address
from runner.manifest.entries import Row
from runner.manifest.findings import AbsentError, Findings, UnusableError
from runner.manifest.output import segment
from runner.manifest.records import (
    DELIMITERS,
    UNCLOSED,
    json_records,
    lines,
    records,
    single,
    unusable,
)
from runner.manifest.templates import Template, UnfilledError
from runner.manifest.tree import Text
from runner.manifest.values import InvalidError, shown

SUFFIXES = kinds.TABLES
_FIRST_RECORDS = 100
_MAX_COLUMNS = 1_000


def rows(path: Path, wanted: Wanted, findings: Findings) -> Iterator[Row]:
    """The rows of a catalog, with the cells of the wanted fields that are not empty.

    Whatever is wrong goes to the findings, whose columns count the cells of a row. Blank rows are
    skipped. Raises `AbsentError` where there is no such file.
    """
    reader = _Reader(str(path), wanted, findings)
    suffix = path.suffix.lower()
    try:
        if path.is_dir() and suffix not in SUFFIXES:
            raise unusable(str(path), 0, "is a folder", "name the table in it")
        if suffix not in SUFFIXES:
            hint = f"it must end in {', '.join(SUFFIXES)}"
            raise unusable(str(path), 0, f"{shown(path.name)} is not a kind of table", hint)
        read = reader.json_rows if suffix == ".jsonl" else reader.table_rows
        yield from read(lines(path))
    except AbsentError:
        raise
    except UnusableError as problem:
        findings.mistake(problem.finding)


class _Reader:
    """Reads one catalog; knows what is wanted of it and where its mistakes go."""

    def __init__(self, file: str, wanted: Wanted, findings: Findings) -> None:
        self._file = file
        self._columns = Columns(file, wanted, findings)
        self._names = [slot.name for slot in wanted.names.slots()] if wanted.names else []
        self._inside = wanted.inside
        self._complete = bool(wanted.names or wanted.inside or wanted.templates)
        self._findings = findings

    def table_rows(self, source: Iterator[str]) -> Iterator[Row]:
        """The rows of a .csv or .tsv, whose first line names the columns."""
        all_records = records(self._file, source)
        header_line, header = next(all_records, (1, []))
        names = [name.strip() for name in header]
        if not any(names):
            raise unusable(self._file, 0, "is empty", "the first line must name the columns")
        self._columns.check(names, header_line)
        self._columns.check_templates(names)
        wanted = self._columns.wanted.items()
        columns = {field: names.index(name) + 1 for field, name in wanted if name in names}
        place = {name: index for index, name in enumerate(names)}
        for number, record in all_records:
            if len(record) != len(names):
                if any(record):
                    self._mistake(number, 0, *self._miscounted(record, names))
                continue
            cells = {
                field: text
                for field, column in columns.items()
                if (text := record[column - 1].strip())
            }
            if "\n" in "".join(record):
                self._look_for_rows(number, record, columns.get("image", 0))
            if cells or any(record):
                row = Row(self._file, number, cells, columns=columns)
                if self._complete:
                    row = self._filled(row, partial(_in_table, place, record))
                yield row

    def _miscounted(self, record: list[str], names: list[str]) -> tuple[str, str]:
        """The message and hint for a row with more or fewer cells than the header."""
        message = f"{len(record)} cell{'s' * (len(record) != 1)}; the header has {len(names)}"
        hint = ""
        if len(record) == 1:
            other = next(
                (mark for mark in DELIMITERS if record[0].count(mark) == len(names) - 1), ""
            )
            hint = f"it is separated by {DELIMITERS[other]}, unlike the header" if other else ""
        elif len(record) > len(names):
            hint = "put quotes around a cell with a delimiter in it"
            if not any(cell.strip() for cell in record[len(names) :]):
                hint = f"remove the delimiters at its end, or {hint}"
        return message, hint

    def _look_for_rows(self, number: int, record: list[str], image: int) -> None:
        """A quote left open makes one cell of all rows down to the next quote.

        `image` is the column of the images, counted from 1, or 0.
        """
        line = number
        for index, cell in enumerate(record):
            for inner, row in enumerate(cell.split("\n")[1:], line + 1):
                if image and _has_address(row, image - 1):
                    message = f"this cell takes in line {inner}, which looks like a row of its own"
                    self._mistake(number, index + 1, message, UNCLOSED)
                    return
            line += cell.count("\n")

    def json_rows(self, source: Iterator[str]) -> Iterator[Row]:
        """The rows of a .jsonl, each an object of columns; numbers keep the text they have."""
        all_records = json_records(self._file, source, self._findings)
        first = list(itertools.islice(all_records, _FIRST_RECORDS))
        seen = dict.fromkeys(name for _, record in first for name in record)
        if first:
            self._columns.require_image(list(seen), 0)
            self._columns.check_templates(list(seen), begun=True)
        for number, record in itertools.chain(first, all_records):
            if len(seen) < _MAX_COLUMNS:
                seen.update(dict.fromkeys(record))
            cells, faulty = self._json_cells(number, record)
            row = Row(self._file, number, cells)
            if self._complete:
                row = self._filled(row, partial(_in_object, record))
            yield row._replace(faulty=row.faulty | faulty) if faulty else row
        if seen:
            self._columns.check(list(seen), 0)
            self._columns.check_templates(list(seen))

    def _json_cells(
        self, number: int, record: dict[str, Any]
    ) -> tuple[dict[str, str], frozenset[str]]:
        """The wanted values, and the fields of which a mistake was told."""
        cells: dict[str, str] = {}
        faulty: set[str] = set()
        for field, name in self._columns.wanted.items():
            text = single(record.get(name))
            if text is None:
                message = f"{shown(name)} is not a single value"
                self._mistake(number, 0, message, field=field)
                faulty.add(field)
            elif text:
                cells[field] = text
        return cells, frozenset(faulty)

    def _filled(self, row: Row, value: Callable[[str], str]) -> Row:
        """A row with what its columns give beyond cells; `value` gives what stands in a column."""
        number, cells = row.line, dict(row.cells)
        faulty = self._columns.faulty - cells.keys()
        labels: dict[str, str] = {}
        for name in self._names if "output" not in faulty else ():
            try:
                labels[name] = segment(value(name))
            except InvalidError as problem:
                message = f"{shown(name)}, which `output` needs: {problem.message}"
                self._mistake(number, 0, message, problem.hint, field="output")
                faulty |= {"output"}
        facts: dict[str, str] = {}
        nodes: dict[str, Text] = {}
        for form in self._inside:
            for slot in form.slots() if form.path not in faulty else ():
                if text := value(slot.name):
                    facts[slot.name] = text
                elif slot.otherwise is None:
                    self._unfilled(number, form, slot.name, form.path)
                    faulty |= {form.path}
        for field, form in self._columns.templates.items():
            if field in cells:
                continue
            try:
                cells[field] = form.filled(value)
                nodes[field] = Text(cells[field], number, 0)
            except UnfilledError as gap:
                self._unfilled(number, form, gap.name, field)
                faulty |= {field}
        return row._replace(cells=cells, nodes=nodes, labels=labels, facts=facts, faulty=faulty)

    def _unfilled(self, number: int, form: Template, name: str, field: str) -> None:
        """Tell of a row whose cell is empty where a template has no word for that."""
        message = f"has no {shown(name)}, which {form.path} needs"
        hint = f"or give the template a word for it: {{{{ {_bare(name)} | … }}}}"
        self._mistake(number, 0, message, hint, field=field)

    def _mistake(
        self, line: int, column: int, message: str, hint: str = "", field: str = ""
    ) -> None:
        self._findings.mistake(Finding(self._file, line, column, field, message, hint))


def _bare(name: str) -> str:
    return shown(name, 40).strip("`")


def _in_table(place: Mapping[str, int], record: list[str], name: str) -> str:
    """A record's cell in the column of this name, "" where there is none."""
    return record[place[name]].strip() if name in place else ""


def _in_object(record: Mapping[str, Any], name: str) -> str:
    """An object's value of this name, "" where there is none, or no single one."""
    return single(record.get(name)) or ""


def _has_address(row: str, index: int) -> bool:
    """Whether an address stands where a row's cell of this index would be."""
    return any(
        map(is_address, (row.split(mark)[index] for mark in DELIMITERS if row.count(mark) >= index))
    )
