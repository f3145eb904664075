"""Text files -> records: lines, the rows of a .csv or .tsv, the objects of a .jsonl; as streams."""

from __future__ import annotations

import csv
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runner.errors import Finding
from runner.manifest.findings import AbsentError, Findings, UnusableError
from runner.manifest.suggest import nearest
from runner.manifest.values import shown

MAX_LINE = 1 << 20
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_BOM = b"\xef\xbb\xbf"
UNCLOSED = "look for a quote that is not closed"
_ONE_A_LINE = "write one object a line, and nothing between the lines"
_JSON_WORDS = {
    "Extra data": "something follows the object",
    "Unterminated string starting at": "a string that is not closed",
    "Invalid control character at": "a control character in a string",
}


def unusable(file: str, line: int, message: str, hint: str = "", field: str = "") -> UnusableError:
    """What says that the rest of a file can't be read, and why."""
    return UnusableError(Finding(file, line, 0, field, message, hint))


def lines(path: Path) -> Iterator[str]:
    """The lines of a UTF-8 text file, each with its line break. Raises UnusableError."""
    file = str(path)
    number = 0
    try:
        if path.exists() and not path.is_file():
            raise unusable(file, 0, "is not a file")
        with path.open("rb") as stream:
            while line := stream.readline(MAX_LINE + 1):
                number += 1
                if number == 1:
                    line = line.removeprefix(_BOM)
                if len(line) > MAX_LINE:
                    raise unusable(file, number, f"a line of more than {MAX_LINE:,} bytes")
                if b"\0" in line:
                    hint = "save the table as UTF-8 text"
                    raise unusable(file, number, "a NUL byte: this is not UTF-8 text", hint)
                yield line.decode()
    except FileNotFoundError:
        hint = _neighbour(path)
        raise AbsentError(Finding(file, 0, 0, "", "there is no such file", hint)) from None
    except OSError as error:
        raise unusable(file, 0, f"can't be read: {error.strerror or error}") from None
    except ValueError:
        hint = "save the table as UTF-8; Excel calls it CSV UTF-8"
        raise unusable(file, number, "is not UTF-8 text", hint) from None


def _neighbour(path: Path) -> str:
    try:
        near = nearest(path.name, (each.name for each in path.parent.iterdir()))
    except OSError:
        return ""
    return f"did you mean {shown(near)}?" if near else ""


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
        raise unusable(file, number, "begins with `sep=`, not with the columns", "remove the line")
    separator = delimiter(file, header)
    reader = csv.reader(itertools.chain([header], source), delimiter=separator, strict=True)
    try:
        for record in reader:
            if record:
                yield number, record
            number = above + reader.line_num + 1
    except csv.Error as error:
        said, hint = str(error), UNCLOSED
        if "new-line" in said:
            said = "a carriage return that ends no line"
            hint = "save the table with the line ends of Windows or Unix"
        elif "expected after" in said:
            said, hint = "a text goes on after its closing quote", f"double those in it, or {hint}"
        raise unusable(file, number, f"not a valid table: {said}", hint) from None


def objects(source: Iterator[str]) -> Iterator[dict[str, str]]:
    """The usable lines of a .jsonl, column -> text, for a look at what is there."""
    for line in source:
        try:
            record = json.loads(line, **_AS_TEXT)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            yield {name: single(value) or "" for name, value in record.items()}


def single(value: Any) -> str | None:
    """The text of a JSON value, "" for null, None when it is an object or a list."""
    if isinstance(value, dict | list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).strip()


def json_records(
    file: str, source: Iterator[str], findings: Findings
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a .jsonl, each with the number of its line; numbers keep the text they have.

    A line that is no object is a mistake; a file of something else raises UnusableError.
    """
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
                _refuse_other_formats(file, number, line.strip())
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
        message = f"not valid JSON: {problem}"
        findings.mistake(Finding(file, number, column, "", message, hint))


def _refuse_other_formats(file: str, number: int, line: str) -> None:
    """Say once, instead of for each line, that a file has something else than JSON lines."""
    if line[0] == "[" or line == "{":
        what = "one array over several lines" if line[0] == "[" else "objects of several lines"
        raise unusable(file, number, f"not JSON lines, but {what}", _ONE_A_LINE)
    if line[0] != "{":
        hint = "name a table with commas .csv"
        raise unusable(file, number, "not JSON lines: the line is not an object", hint)


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
