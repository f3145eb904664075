"""What holds for many jobs: defaults, templates among them, and presets; also from other files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from runner.manifest import source, values
from runner.manifest.entries import Row, Shared
from runner.manifest.fields import DEFAULTS, JOB
from runner.manifest.findings import UnusableError
from runner.manifest.presets import Presets
from runner.manifest.reader import Reader, kind
from runner.manifest.suggest import nearest, plain
from runner.manifest.templates import Template, UnfilledError, is_template, pieces
from runner.manifest.tree import Node, Series, Table, Text

SHARED = ("defaults", "presets")
_ONLY = f"an included file has {' and '.join(f'`{name}`' for name in SHARED)}, nothing else"
_ABSENT = "its path is relative to this manifest"


class _Part(NamedTuple):
    """One file's fields, None where it can't be read and might have set anything."""

    fields: Mapping[str, Node] | None
    reader: Reader


def read(path: Path, top: Mapping[str, Node], reader: Reader) -> Shared:
    """What a manifest shares among its jobs. What is wrong goes to the findings."""
    parts: list[_Part] = [_Part(top, reader)]
    for name in _included(top.get("include"), reader):
        included = path.parent / name.text
        if included.exists() and path.exists() and included.samefile(path):
            words = f"includes itself: {path.name} -> {path.name}"
            reader.mistake(name, "include", words, _ONLY)
        else:
            parts.insert(1, _file(included, reader))
    rows, templates, presets = list[Row](), dict[str, Template](), dict[str, str]()
    given: set[str] = set()
    for part in parts:
        row, found = _defaults(part)
        templates |= {name: found[name] for name in found.keys() - given}
        cells = {name: cell for name, cell in row.nodes.items() if name not in given}
        rows.append(row.written(cells))
        given |= row.cells.keys() | found.keys()
        presets = {**_presets(part), **presets}
    complete = all(part.fields is not None for part in parts)
    return Shared(tuple(rows), templates, Presets(presets, complete=complete))


def split(
    cells: Mapping[str, Text], prefix: str, reader: Reader, suffix: str = ""
) -> tuple[dict[str, Text], dict[str, Template], set[str]]:
    """The plain texts among some cells, the templates, and the names of those that are neither."""
    texts, templates, faulty = dict[str, Text](), dict[str, Template](), set[str]()
    for name, cell in cells.items():
        path = f"{prefix}{name}{suffix}"
        if not is_template(cell.text):
            texts[name] = cell
        elif (found := reader.convert(cell, pieces, path)) is None:
            faulty.add(name)
        else:
            templates[name] = Template(found, reader.file, cell.line, cell.column, path)
    return texts, templates, faulty


def filled(row: Row, shared: Shared, reader: Reader) -> Row:
    """A job's row with its templates filled in from its own fields, and from the defaults."""
    texts, templates, broken = split(row.nodes, row.prefix, reader, row.suffix)
    given = row.cells.keys() | row.faulty
    templates |= {name: form for name, form in shared.templates.items() if name not in given}
    if not templates and not broken:
        return row

    def value(name: str) -> str:
        if name in texts:
            return texts[name].text
        default = shared.default(name)
        return default.cells[name] if default else ""

    for name, form in templates.items():
        try:
            texts[name] = Text(form.filled(value), row.line, 0)
        except UnfilledError as gap:
            near = nearest(gap.name, JOB)
            hint = f"did you mean `{near}`?" if near else "a job's own fields can be named in it"
            if near == gap.name:
                hint = f"set `{near}`"
            message = f"the job has no {values.shown(gap.name)}, which {form.path} needs"
            cell = row.nodes.get(name) or Text("", row.line, 0)
            reader.mistake(cell, f"{row.prefix}{name}{row.suffix}", message, hint)
            broken.add(name)
    return row.written(texts)._replace(faulty=row.faulty | broken)


def _included(node: Node | None, reader: Reader) -> list[Text]:
    """The names of the included files."""
    if node is None:
        return []
    items = node.items if isinstance(node, Series) else (node,)
    if not items:
        reader.mistake(node, "include", "is empty", "remove it, or name a file")
    usable = (item for item in items if reader.convert(item, values.file_name, "include"))
    return [item for item in usable if isinstance(item, Text)]


def _file(path: Path, reader: Reader) -> _Part:
    """An included file."""
    inner = Reader(str(path), reader.findings)
    try:
        root = source.table(path, reader.findings, _ABSENT, _ONLY)
    except UnusableError as problem:
        reader.findings.mistake(problem.finding)
        return _Part(None, inner)
    for word, (key, _) in root.items.items():
        if word not in SHARED:
            near = nearest(word, SHARED)
            hint = f"did you mean `{near}`?" if near else _ONLY
            inner.mistake(key, values.shown(word).strip("`"), "can't be in an included file", hint)
    return _Part({word: node for word, (_, node) in root.items.items()}, inner)


def _defaults(part: _Part) -> tuple[Row, dict[str, Template]]:
    reader = part.reader
    row = Row(reader.file, 0, prefix="defaults.")
    if part.fields is None:
        return row._replace(faulty=frozenset(DEFAULTS)), {}
    node = part.fields.get("defaults")
    if node is None:
        return row, {}
    if not isinstance(node, Table):
        reader.mistake(node, "defaults", f"must be a mapping, not {kind(node)}")
        return row, {}
    cells, faulty = reader.job(node, DEFAULTS, row.prefix)
    texts, templates, broken = split(cells, row.prefix, reader)
    return row.written(texts)._replace(faulty=faulty | broken), templates


def _presets(part: _Part) -> dict[str, str]:
    """The user's own moves: name -> words."""
    reader, node = part.reader, (part.fields or {}).get("presets")
    if node is None:
        return {}
    if not isinstance(node, Table):
        hint = "write a name and its words: `hero: slow orbit, low angle`"
        reader.mistake(node, "presets", f"must be a mapping, not {kind(node)}", hint)
        return {}
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, (key, value) in node.items.items():
        path = f"presets.{values.shown(name).strip('`')}"
        if reader.convert(key, values.preset, path) is None:
            continue
        if (first := names.setdefault(plain(name), name)) != name:
            message = f"{values.shown(name)} and {values.shown(first)} are the same name"
            reader.mistake(key, path, message, "case, spaces and hyphens don't matter")
        words = reader.convert(value, values.prompt, path)
        if words is not None:
            found[name] = words
    return found
