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
from runner.manifest.suggest import nearest
from runner.manifest.values import named, shown

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
_BREAK = re.compile(r"\r\n|\r|\n")
# YAML 1.1 ends a line at these, editors don't, and a byte order mark is none in the middle.
_STRANGE_BREAK = re.compile("[\x85\u2028\u2029]|(?<!^)\ufeff")
_OPENED = {"flow sequence": "bracket", "flow mapping": "bracket", "quoted": "quote"}
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
    strange = None if text.isascii() else _STRANGE_BREAK.search(text)
    if strange is not None:
        message = f"{named(strange[0])} in the text"
        raise _unusable(file, message, *_place(text, strange.start()), "remove it")
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.reader.ReaderError:
        bad = _UNPRINTABLE.search(text)
        if bad is None:
            raise _unusable(file, "is not readable as YAML") from None
        message = f"control character U+{ord(bad[0]):04X}"
        raise _unusable(file, message, *_place(text, bad.start()), "remove it") from None
    except yaml.MarkedYAMLError as error:
        raise _unusable(file, *_explained(error, text)) from None
    except yaml.YAMLError as error:
        raise _unusable(file, f"is not readable as YAML: {shown(str(error))}") from None


def _place(text: str, index: int) -> tuple[int, int]:
    """The line and column, from 1, of a character."""
    rows = _BREAK.split(text[:index])
    return len(rows), len(rows[-1]) + 1


def _explained(error: yaml.MarkedYAMLError, text: str) -> tuple[str, int, int, str]:
    """A syntax error as message, line, column and hint."""
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    problem = str(error.problem or error.context or "it ends too early")
    context = str(error.context or "")
    rows = _BREAK.split(text)
    inside = next((opened for words, opened in _OPENED.items() if words in context), "")
    at_end = mark is not None and not "".join(rows[mark.line :])[mark.column :].strip()
    if start and inside and at_end:
        problem, mark = f"this {inside} is not closed", start
    elif start and ("could not find expected ':'" in problem or "alphabetic or num" in problem):
        # The parser notices at the end of the word; the mistake is where it began.
        mark = start
    if mark is None:
        return f"not valid YAML: {problem}", 0, 0, ""
    # At the end of a text without a last line break the parser is one line further.
    line = min(mark.line, len(rows) - 1)
    column = min(mark.column if line == mark.line else len(rows[line]), len(rows[line]))
    hint = _hint(problem, rows[line][:column], rows[line][column:])
    if start and inside == "bracket" and not at_end and start.line != line:
        hint = f"a comma may be missing, or the end of the bracket on line {start.line + 1}"
    return f"not valid YAML: {problem}", line + 1, column + 1, hint


def _hint(problem: str, before: str, after: str) -> str:
    """What may help, from a line's text before and after the place of a syntax error."""
    hints = {
        "indent with spaces, not tabs": "\t" in before + after[:1] and not before.strip(),
        "YAML takes a line that begins with % for itself; remove it": (before + after)[:1] == "%",
        "the indentation may be off, or the line above has a colon without its space": (
            "mapping values" in problem and re.fullmatch(r"\s*(- +)?[\w-]+", before)
        ),
        "put quotes around a text with a colon and a space in it": "mapping values" in problem,
        "in double quotes write \\\\ for \\, or take single quotes": "escape" in problem,
        "put quotes around a text that begins with this character": after[:1] in set("@`%*&"),
        "what stands above is a whole document; remove what ends it": "document" in problem,
        "a bracket too many": after[:1] in set("]}") and before[-1:] in set("]}"),
        "put quotes around a text with braces in it": "key" in problem and before[-1:] in set("]}"),
        "a text goes on after its closing quote; put all of it in quotes, and double those in it": (
            "expected key" in problem and before.rstrip()[-1:] in set("\"'")
        ),
        "write each field like `name: value`": "':'" in problem,
        "a bracket or quote may not be closed, or the indentation may be off": (
            "expected" in problem
        ),
    }
    return next((hint for hint, fits in hints.items() if fits), "")


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
            node = Table(self._pairs(items, line, column), line, column)
        if start.anchor is not None:
            self._anchors[start.anchor] = node
        return node

    def _pairs(self, items: list[Node], line: int, column: int) -> dict[str, tuple[Text, Node]]:
        """The pairs of the mapping that begins here."""
        pairs: dict[str, tuple[Text, Node]] = {}
        merges: list[Node] = []
        for index in range(0, len(items), 2):
            key, value = items[index], items[index + 1]
            if type(key) is not Text:
                braces = "put quotes around a text with braces in it"
                hint = braces if type(key) is Table else ""
                self._mistake(key.line, key.column, "a field's name must be a single word", hint)
                self._findings.settle(self._file, line, column)
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
            near = nearest(name, self._anchors)
            hint = (
                f"did you mean {shown('*' + near)}?"
                if near
                else "define it above, or put quotes around a text that begins with *"
            )
            message = f"no anchor {shown('&' + name)} stands above this alias"
            raise _unusable(self._file, message, line, column, hint)
        node = self._anchors[name]
        if node is None:
            raise _unusable(self._file, f"{shown('*' + name)} contains itself", line, column)
        return node

    def _foreign_tag(self, event: _Event) -> None:
        tag = str(event.tag).replace(_TAG, "!!")
        mark = event.start_mark
        line, column = mark.line + 1, mark.column + 1
        hint = "" if tag.startswith("!!") else "put quotes around a text that begins with !"
        self._mistake(line, column, f"the tag {shown(tag)} is not used here", hint)
        self._findings.settle(self._file, line, column)

    def _mistake(self, line: int, column: int, message: str, hint: str = "") -> None:
        self._findings.mistake(Finding(self._file, line, column, "", message, hint))
