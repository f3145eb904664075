"""YAML text -> a tree of located texts. Nothing is interpreted: `16:9`, `no` and `007` stay text.

The tree is built from the parser's events instead of by PyYAML's composer, which recurses (its C
form crashes the process on deep nesting), expands merges without limit, lets the last of two equal
keys win, and forgets where values stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from runner.errors import Finding
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.values import shown

MAX_DEPTH = 32
MAX_NODES = 8_000_000
MAX_SCALAR = 100_000
MAX_MERGED = 4_000_000

# PyYAML's two parsers agree on the events, not on their types.
_Event = Any
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = frozenset({None, "!"} | {_TAG + name for name in ("str", "int", "float", "bool")})
_NULL_TAG = _TAG + "null"
_COLLECTION_TAGS = frozenset({None, "!", _TAG + "map", _TAG + "seq"})
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\ufeff"
)
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Text(NamedTuple):
    """A scalar as it was written. `null` when it stands for nothing at all."""

    text: str
    line: int
    column: int
    null: bool = False


class Series(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    line: int
    column: int


class Table(NamedTuple):
    """A mapping: each key's text -> the key and its value."""

    items: dict[str, tuple[Text, Node]]
    line: int
    column: int


Node = Text | Series | Table


def parse(text: str, file: str, findings: Findings) -> Node | None:
    """Read one YAML document, None when it is empty. Raises UnusableError where it must stop."""
    return _Builder(file, findings).build(_events(text, file))


def _unusable(
    file: str, message: str, line: int = 0, column: int = 0, hint: str = ""
) -> UnusableError:
    return UnusableError(Finding(file, line, column, "", message, hint))


def _events(text: str, file: str) -> Iterator[_Event]:
    """The parser's events, with its errors put into our words."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.reader.ReaderError:
        bad = _UNPRINTABLE.search(text)
        if bad is None:
            raise _unusable(file, "is not readable as YAML") from None
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        message = f"control character U+{ord(bad[0]):04X}"
        raise _unusable(file, message, line, column, "remove it") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise _unusable(file, *_explained(error, text, line, column)) from None
    except yaml.YAMLError as error:
        raise _unusable(file, f"is not readable as YAML: {shown(str(error))}") from None


def _explained(
    error: yaml.MarkedYAMLError, text: str, line: int, column: int
) -> tuple[str, int, int, str]:
    """A syntax error as message, line, column and hint."""
    source = next((row for n, row in enumerate(text.splitlines(), 1) if n == line), "")
    message = f"not valid YAML: {error.problem or error.context or 'it ends too early'}"
    hint = ""
    if "\t" in source[:column] and not source[:column].strip():
        hint = "indent with spaces, not tabs"
    elif "mapping values are not allowed" in message:
        hint = "put quotes around a text with a colon and a space in it"
    elif source[column - 1 : column] in ("@", "`", "%"):
        hint = "put quotes around a text that begins with this character"
    elif "expected" in message:
        hint = "a bracket or quote may not be closed, or the indentation may be off"
    return message, line, column, hint


class _Builder:
    """Builds the tree with a stack of its own, so that depth is a count and not a crash."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._anchors: dict[str, Node | None] = {}
        self._merged = 0

    def build(self, events: Iterator[_Event]) -> Node | None:
        parents: list[tuple[list[Node], _Event]] = []
        items: list[Node] = []
        documents = nodes = 0
        for event in events:
            kind = type(event)
            node: Node
            if kind is yaml.ScalarEvent:
                node = self._text(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                mark = event.start_mark
                if len(parents) >= MAX_DEPTH:
                    message = f"nested more than {MAX_DEPTH} levels deep"
                    raise _unusable(self._file, message, mark.line + 1, mark.column + 1)
                if event.anchor is not None:
                    self._anchors[event.anchor] = None
                parents.append((items, event))
                items = []
                continue
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                outer, start = parents.pop()
                node = self._close(start, items)
                items = outer
            elif kind is yaml.AliasEvent:
                node = self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    line = event.start_mark.line + 1
                    raise _unusable(
                        self._file, "several documents in one file", line, 1, "keep one `---`"
                    )
                continue
            else:
                continue
            items.append(node)
            nodes += 1
            if nodes > MAX_NODES:
                raise _unusable(self._file, f"more than {MAX_NODES:,} values", hint="use a catalog")
        return items[0] if items else None

    def _text(self, event: _Event) -> Text:
        mark = event.start_mark
        text, tag = event.value, event.tag
        line, column = mark.line + 1, mark.column + 1
        if len(text) > MAX_SCALAR:
            message = f"a text of {len(text):,} characters; at most {MAX_SCALAR:,}"
            self._mistake(line, column, message)
            text = text[:80]
        if tag not in _SCALAR_TAGS and tag != _NULL_TAG:
            self._foreign_tag(event)
        null = tag == _NULL_TAG or (event.implicit[0] and text in _NULLS)
        node = Text(text, line, column, null)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _close(self, start: _Event, items: list[Node]) -> Node:
        line, column = start.start_mark.line + 1, start.start_mark.column + 1
        if start.tag not in _COLLECTION_TAGS:
            self._foreign_tag(start)
        node: Node
        if type(start) is yaml.SequenceStartEvent:
            node = Series(tuple(items), line, column)
        else:
            node = Table(self._pairs(items), line, column)
        if start.anchor is not None:
            self._anchors[start.anchor] = node
        return node

    def _pairs(self, items: list[Node]) -> dict[str, tuple[Text, Node]]:
        pairs: dict[str, tuple[Text, Node]] = {}
        merges: list[Node] = []
        for index in range(0, len(items), 2):
            key, value = items[index], items[index + 1]
            if type(key) is not Text:
                self._mistake(key.line, key.column, "a field's name must be a single word")
            elif key.text == "<<":
                merges.append(value)
            elif key.text in pairs:
                first = pairs[key.text][0].line
                message = f"{shown(key.text)} is set twice, first on line {first}"
                self._mistake(key.line, key.column, message, "keep one of them")
            else:
                pairs[key.text] = (key, value)
        for value in merges:
            self._merge(pairs, value)
        return pairs

    def _merge(self, pairs: dict[str, tuple[Text, Node]], value: Node) -> None:
        """YAML's `<<`: take over what is not set here; the first of several sources wins."""
        for source in value.items if type(value) is Series else (value,):
            if type(source) is not Table:
                self._mistake(source.line, source.column, "`<<` takes over mappings only")
                continue
            self._merged += len(source.items)
            if self._merged > MAX_MERGED:
                message = "merges (`<<`) take over too many values"
                raise _unusable(
                    self._file, message, value.line, value.column, "use defaults or a catalog"
                )
            for name, pair in source.items.items():
                pairs.setdefault(name, pair)

    def _alias(self, event: _Event) -> Node:
        name = event.anchor
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if name not in self._anchors:
            raise _unusable(
                self._file, f"no anchor {shown('&' + name)} stands above this alias", line, column
            )
        node = self._anchors[name]
        if node is None:
            raise _unusable(self._file, f"{shown('*' + name)} contains itself", line, column)
        return node

    def _foreign_tag(self, event: _Event) -> None:
        tag = str(event.tag).replace(_TAG, "!!")
        mark = event.start_mark
        self._mistake(mark.line + 1, mark.column + 1, f"the tag {shown(tag)} is not used here")

    def _mistake(self, line: int, column: int, message: str, hint: str = "") -> None:
        self._findings.mistake(Finding(self._file, line, column, "", message, hint))
