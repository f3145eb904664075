"""Tables of jobs: .csv, .tsv and .jsonl files, read as a stream, one row one job."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runner.errors import Finding
from runner.manifest.entries import Row
from runner.manifest.fields import JOB
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.output import PLACEHOLDERS, segment
from runner.manifest.suggest import nearest, plain
from runner.manifest.templates import Template, UnfilledError
from runner.manifest.tree import Text
from runner.manifest.values import InvalidError, shown

MAX_LINE = 1 << 20
SUFFIXES = (".csv", ".tsv", ".jsonl")
_FIRST_RECORDS = 100
_MAX_COLUMNS = 1_000
_MAX_LISTED = 12
_BOM = b"\xef\xbb\xbf"
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_UNCLOSED = "look for a quote that is not closed"
_ONE_A_LINE = "write one object a line, and nothing between the lines"
_JSON_WORDS = {
    "Extra data": "something follows the object",
    "Unterminated string starting at": "a string that is not closed",
    "Invalid control character at": "a control character in a string",
}


class Wanted(NamedTuple):
    """What is wanted of a catalog.

    `columns` maps field -> column, None for columns named like the fields; `templates` gives the
    fields that are filled in from columns where the row has no cell for them. `image_needed` says
    that no default stands in for a missing image. `names` has the columns that
    name the videos, `inside` those of the texts inside them.
    """

    columns: Mapping[str, Text] | None
    templates: Mapping[str, Template] = {}
    image_needed: bool = True
    names: Template | None = None
    inside: tuple[Template, ...] = ()


def rows(path: Path, wanted: Wanted, findings: Findings) -> Iterator[Row]:
    """The rows of a catalog, with the cells of the wanted fields that are not empty.

    Whatever is wrong goes to the findings, whose columns count the cells of a row. Blank rows are
    skipped.
    """
    reader = _Reader(str(path), wanted, findings)
    suffix = path.suffix.lower()
    try:
        if path.is_dir() and suffix not in SUFFIXES:
            raise _unusable(str(path), 0, "is a folder", "name the table in it")
        if suffix not in SUFFIXES:
            hint = f"it must end in {', '.join(SUFFIXES)}"
            raise _unusable(str(path), 0, f"{shown(path.name)} is not a kind of table", hint)
        read = reader.json_rows if suffix == ".jsonl" else reader.table_rows
        yield from read(lines(path))
    except UnusableError as problem:
        findings.mistake(problem.finding)


def _unusable(file: str, line: int, message: str, hint: str = "", field: str = "") -> UnusableError:
    return UnusableError(Finding(file, line, 0, field, message, hint))


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, each with its line break. Raises UnusableError."""
    file = str(path)
    number = 0
    try:
        if path.exists() and not path.is_file():
            raise _unusable(file, 0, "is not a file")
        with path.open("rb") as stream:
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) > MAX_LINE:
                    raise _unusable(file, number, f"a line of more than {MAX_LINE:,} bytes")
                if b"\0" in line:
                    hint = "save the table as UTF-8 text"
                    raise _unusable(file, number, "a NUL byte: this is not UTF-8 text", hint)
                yield line.decode()
    except FileNotFoundError:
        hint = _neighbour(path)
        raise _unusable(file, 0, "there is no such file", hint) from None
    except OSError as error:
        raise _unusable(file, 0, f"can't be read: {error.strerror or error}") from None
    except ValueError:
        hint = "save the table as UTF-8; Excel calls it CSV UTF-8"
        raise _unusable(file, number, "is not UTF-8 text", hint) from None


def _neighbour(path: Path) -> str:
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir()))
    except OSError:
        return ""
    return f"did you mean {shown(near)}?" if near else ""


class _Reader:
    """Reads one catalog; knows what is wanted of it and where its mistakes go."""

    def __init__(self, file: str, wanted: Wanted, findings: Findings) -> None:
        self._file = file
        self._mapped = wanted.columns is not None
        self._wanted = wanted_columns(wanted.columns)
        self._templates = dict(wanted.templates)
        self._names = [slot.name for slot in wanted.names.slots()] if wanted.names else []
        self._forms = self._templates | ({"output": wanted.names} if wanted.names else {})
        self._inside = wanted.inside
        self._forms |= {form.path: form for form in wanted.inside}
        self._told: frozenset[str] = frozenset()
        self._image_needed = wanted.image_needed and "image" not in wanted.templates
        self._findings = findings
        self._header_line = 1

    def table_rows(self, source: Iterator[str]) -> Iterator[Row]:
        """The rows of a .csv or .tsv, whose first line names the columns."""
        all_records = records(self._file, source)
        self._header_line, header = next(all_records, (1, []))
        names = [name.strip() for name in header]
        if not any(names):
            raise _unusable(self._file, 0, "is empty", "the first line must name the columns")
        self._check_columns(names)
        at = {field: names.index(name) for field, name in self._wanted.items() if name in names}
        columns = {field: index + 1 for field, index in at.items()}
        place = {name: index for index, name in enumerate(names)}
        self._check_templates(names)
        for number, record in all_records:
            if len(record) == len(names):
                cells = {
                    field: Text(text, number, index + 1)
                    for field, index in at.items()
                    if (text := record[index].strip())
                }
                if any("\n" in cell for cell in record):
                    self._look_for_rows(number, record, at.get("image"))
                if cells or any(record):
                    yield self._row(number, cells, partial(_in_table, place, record), columns)
            elif any(record):
                self._mistake(number, 0, *self._miscounted(record, names))

    def _miscounted(self, record: list[str], names: list[str]) -> tuple[str, str]:
        """The message and hint for a row with more or fewer cells than the header."""
        message = f"{len(record)} cell{'s' * (len(record) != 1)}; the header has {len(names)}"
        hint = ""
        if len(record) == 1:
            other = next((mark for mark in _MARKS if record[0].count(mark) == len(names) - 1), "")
            hint = f"it is separated by {_MARKS[other]}, unlike the header" if other else ""
        elif len(record) > len(names):
            hint = "put quotes around a cell with a delimiter in it"
            if not any(cell.strip() for cell in record[len(names) :]):
                hint = f"remove the delimiters at its end, or {hint}"
        return message, hint

    def _look_for_rows(self, number: int, record: list[str], image: int | None) -> None:
        """A quote left open makes one cell of all rows down to the next quote."""
        line = number
        for index, cell in enumerate(record):
            for inner, row in enumerate(cell.split("\n")[1:], line + 1):
                if image is not None and _has_address(row, image):
                    message = f"this cell takes in line {inner}, which looks like a row of its own"
                    self._mistake(number, index + 1, message, _UNCLOSED)
                    return
            line += cell.count("\n")

    def json_rows(self, source: Iterator[str]) -> Iterator[Row]:
        """The rows of a .jsonl, each an object of columns; numbers keep the text they have."""
        self._header_line = 0
        all_records = self._json_records(source)
        first = list(itertools.islice(all_records, _FIRST_RECORDS))
        seen = dict.fromkeys(name for _, record in first for name in record)
        if first:
            self._require_image(list(seen))
            self._check_templates(list(seen), begun=True)
        for number, record in itertools.chain(first, all_records):
            if len(seen) < _MAX_COLUMNS:
                seen.update(dict.fromkeys(record))
            cells, faulty = self._json_cells(number, record)
            row = self._row(number, cells, partial(_in_object, record))
            yield row._replace(faulty=row.faulty | faulty)
        if seen:
            self._check_columns(list(seen))
            self._check_templates(list(seen))

    def _json_records(self, source: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
        begun = False
        for number, line in enumerate(source, 1):
            if not line.strip():
                continue
            column, hint = 0, ""
            try:
                record = json.loads(line.rstrip(), **_AS_TEXT)
            except RecursionError:
                problem = "nested too deeply"
            except json.JSONDecodeError as error:
                if not begun:
                    self._refuse_other_formats(number, line.strip())
                problem, column = _JSON_WORDS.get(error.msg, error.msg), error.colno
                hint = _ONE_A_LINE if error.msg == "Extra data" else ""
            except ValueError as error:
                problem = str(error)
            else:
                if isinstance(record, dict):
                    begun = True
                    yield number, record
                    continue
                problem, hint = "the line is not an object", _ONE_A_LINE
            begun = True
            self._mistake(number, column, f"not valid JSON: {problem}", hint)

    def _refuse_other_formats(self, number: int, line: str) -> None:
        """Say once, instead of for each line, that a file has something else than JSON lines."""
        if line[0] == "[" or line == "{":
            what = "one array over several lines" if line[0] == "[" else "objects of several lines"
            raise _unusable(self._file, number, f"not JSON lines, but {what}", _ONE_A_LINE)
        if line[0] != "{":
            hint = "name a table with commas .csv"
            raise _unusable(self._file, number, "not JSON lines: the line is not an object", hint)

    def _json_cells(
        self, number: int, record: dict[str, Any]
    ) -> tuple[dict[str, Text], frozenset[str]]:
        """The wanted values, and the fields of which a mistake was told."""
        cells: dict[str, Text] = {}
        faulty: set[str] = set()
        for field, name in self._wanted.items():
            text = _json_text(record.get(name))
            if text is None:
                message = f"{shown(name)} is not a single value"
                self._mistake(number, 0, message, field=field)
                faulty.add(field)
            elif text:
                cells[field] = Text(text, number, 0)
        return cells, frozenset(faulty)

    def _check_columns(self, names: list[str]) -> None:
        """Hold the columns there are against the columns that are wanted."""
        for index, name in enumerate(names):
            if name and name in names[:index]:
                self._mistake(
                    self._header_line, index + 1, f"the column {shown(name)} is there twice"
                )
            field = field_of(name, aliases=False)
            used = name in self._wanted.values() or field in self._templates
            if field and not used and self._wanted.get(field) not in names:
                hint = f"to use it, add `{field}: {name[:40]}` to `columns`"
                message = f"the column {shown(name)} is not used"
                self._findings.warning(
                    Finding(self._file, self._header_line, index + 1, field, message, hint)
                )
        if self._mapped:
            for field, name in self._wanted.items():
                if name not in names and field != "image":
                    self._mistake(
                        self._header_line, 0, *self._missing(field, name, names), field=field
                    )
        self._require_image(names)

    def _check_templates(self, names: list[str], *, begun: bool = False) -> None:
        """Tell of each template that names a column which isn't there, once.

        `begun` when more columns may come: then only what every row so far lacks is missed.
        """
        for field, form in self._forms.items():
            for slot in form.slots():
                settled = field in self._told or (begun and slot.otherwise is not None)
                if slot.name in names or settled:
                    continue
                near = nearest(slot.name, [*names, *(PLACEHOLDERS if field == "output" else ())])
                hint = f"did you mean {shown(near)}?" if near else f"there are {_some(names)}"
                message = f"there is no column {shown(slot.name)} in {shown(self._file)}"
                where = (form.file, form.line, form.column, form.path)
                self._findings.mistake(Finding(*where, message, hint))
                self._templates.pop(field, None)
                self._told |= {field}

    def _row(
        self,
        number: int,
        cells: dict[str, Text],
        value: Callable[[str], str],
        columns: Mapping[str, int] | None = None,
    ) -> Row:
        """A row, its templates filled in; `value` gives what stands in a column."""
        faulty = self._told - cells.keys()
        labels: dict[str, str] = {}
        for name in self._names if "output" not in faulty else ():
            try:
                labels[name] = segment(value(name))
            except InvalidError as problem:
                message = f"{shown(name)}, which `output` needs: {problem.message}"
                self._mistake(number, 0, message, problem.hint, field="output")
                faulty |= {"output"}
        facts: dict[str, str] = {}
        for form in self._inside:
            for slot in form.slots() if form.path not in faulty else ():
                if text := value(slot.name):
                    facts[slot.name] = text
                elif slot.otherwise is None:
                    self._unfilled(number, form, slot.name, form.path)
                    faulty |= {form.path}
        for field, form in self._templates.items():
            if field in cells:
                continue
            try:
                cells[field] = Text(form.filled(value), number, 0)
            except UnfilledError as gap:
                self._unfilled(number, form, gap.name, field)
                faulty |= {field}
        row = Row(self._file, number, cells, columns=columns or {}, labels=labels, faulty=faulty)
        return row._replace(facts=facts) if facts else row

    def _unfilled(self, number: int, form: Template, name: str, field: str) -> None:
        """Tell of a row whose cell is empty where a template has no word for that."""
        message = f"has no {shown(name)}, which {form.path} needs"
        hint = f"or give the template a word for it: {{{{ {_bare(name)} | … }}}}"
        self._mistake(number, 0, message, hint, field=field)

    def _require_image(self, names: list[str]) -> None:
        """Stop at once when no row can have an image, instead of saying so for each."""
        name = self._wanted.get("image", "image")
        if name not in names and (self._image_needed or (self._mapped and "image" in self._wanted)):
            message, hint = self._missing("image", name, names)
            raise _unusable(self._file, self._header_line, message, hint, field="image")

    def _missing(self, field: str, name: str, names: list[str]) -> tuple[str, str]:
        near = nearest(name, names) or next((n for n in names if field_of(n) == field), "")
        mark = next((mark for mark in _MARKS if len(names) == 1 and mark in names[0]), "")
        hint = f"there are {_some(names)}"
        if any(map(_is_address, names)):
            hint = "the first line must name the columns"
        elif near:
            hint = f"did you mean {shown(near)}?"
        elif mark:
            hint = f"a .tsv has tabs, a .csv commas or semicolons, and here are {_MARKS[mark]}"
        return f"there is no column {shown(name)}", hint

    def _mistake(
        self, line: int, column: int, message: str, hint: str = "", field: str = ""
    ) -> None:
        self._findings.mistake(Finding(self._file, line, column, field, message, hint))


def wanted_columns(columns: Mapping[str, Text] | None) -> dict[str, str]:
    """Field -> column: as the manifest maps them, else each under its own name."""
    if columns is None:
        return {name: name for name in JOB}
    return {field: column.text.strip() for field, column in columns.items()}


def field_of(column: str, aliases: bool = True) -> str:
    """The field that a column's name stands for, or "": its name, wire name or an alias."""
    bare = plain(column)
    for name, row in JOB.items():
        if bare and (bare in (plain(name), plain(row.wire)) or (aliases and bare in row.aliases)):
            return name
    return ""


def delimiter(file: str, header: str) -> str:
    """What separates cells: a tab in .tsv, else the comma, or the semicolon of some Excels."""
    if file.lower().endswith(".tsv"):
        return "\t"
    bare = re.sub(r'"[^"]*"', "", header)
    return ";" if bare.count(";") > bare.count(",") else ","


def records(file: str, source: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    """The header and records of a .csv or .tsv, each with the number of its first line."""
    above, header = 0, next(source, "")
    while header and not header.strip():
        above, header = above + 1, next(source, "")
    number = above + 1
    if header.lower().startswith("sep="):
        raise _unusable(file, number, "begins with `sep=`, not with the columns", "remove the line")
    separator = delimiter(file, header)
    reader = csv.reader(itertools.chain([header], source), delimiter=separator, strict=True)
    try:
        for record in reader:
            if record:
                yield number, record
            number = above + reader.line_num + 1
    except csv.Error as error:
        said, hint = str(error), _UNCLOSED
        if "new-line" in said:
            said = "a carriage return that ends no line"
            hint = "save the table with the line ends of Windows or Unix"
        elif "expected after" in said:
            said, hint = "a text goes on after its closing quote", f"double those in it, or {hint}"
        raise _unusable(file, number, f"not a valid table: {said}", hint) from None


def objects(source: Iterator[str]) -> Iterator[dict[str, str]]:
    """The usable lines of a .jsonl, column -> text, for a look at what is there."""
    for line in source:
        try:
            record = json.loads(line, **_AS_TEXT)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield {name: _json_text(value) or "" for name, value in record.items()}


def _bare(name: str) -> str:
    return shown(name, 40).strip("`")


def _in_table(place: Mapping[str, int], record: list[str], name: str) -> str:
    """A record's cell in the column of this name, "" where there is none."""
    return record[place[name]].strip() if name in place else ""


def _in_object(record: Mapping[str, Any], name: str) -> str:
    """An object's value of this name, "" where there is none, or no single one."""
    return _json_text(record.get(name)) or ""


def _json_text(value: Any) -> str | None:
    """The text of a JSON value, "" for null, None when it is an object or a list."""
    if isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).strip()


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _MAX_LISTED else ""
    return ", ".join(shown(name, 30) for name in names[:_MAX_LISTED] if name) + more


def _is_address(cell: str) -> bool:
    return cell.strip().lower().startswith(("https://", "http://"))


def _has_address(row: str, index: int) -> bool:
    """Whether an address stands where a row's cell of this index would be."""
    return any(
        map(_is_address, (row.split(mark)[index] for mark in _MARKS if row.count(mark) >= index))
    )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"{shown(twice)} is set twice")
    return record


_AS_TEXT: dict[str, Any] = {
    "parse_int": str,
    "parse_float": str,
    "parse_constant": str,
    "object_pairs_hook": _unique,
}
