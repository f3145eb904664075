"""Reads mappings of the tree by a table of fields. What is wrong goes to the findings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from runner.errors import Finding
from runner.manifest import values
from runner.manifest.fields import AXES, CATALOG, JOB, TOP, Field, Parse
from runner.manifest.findings import Findings
from runner.manifest.suggest import nearest, plain
from runner.manifest.tree import Node, Series, Table, Text

# The fields of a section that a single value in its place may have been meant for.
_LIKELY = {"budget": ("cost", "tasks"), "catalog": ("file",), "notify": ("urls",)}
_SECRETS = frozenset({"apikey", "key", "token", "secret", "apitoken", "apisecret", "password"})


class Given(NamedTuple):
    """The values of one job as written, and the fields of which a mistake was already told."""

    cells: dict[str, Text]
    faulty: frozenset[str]


class Reader:
    """Reads the parts of one manifest file."""

    def __init__(self, file: str, findings: Findings) -> None:
        self.file = file
        self.findings = findings

    def fields(self, node: Table, table: Mapping[str, Field], path: str) -> dict[str, Node]:
        """The known and set fields of a mapping; every other is a mistake."""
        return self.meant(node, table, path)[0]

    def job(self, node: Table, table: Mapping[str, Field], path: str) -> Given:
        """The values of a job or of the defaults."""
        known, faulty = self.meant(node, table, path)
        cells = self.cells(known, path)
        return Given(cells, frozenset(faulty | (known.keys() - cells.keys())))

    def meant(
        self, node: Table, table: Mapping[str, Field], path: str
    ) -> tuple[dict[str, Node], set[str]]:
        """The known and set fields, and the names probably meant by those that are wrong."""
        known: dict[str, Node] = {}
        faulty: set[str] = set()
        for name, (key, value) in node.items.items():
            if name not in table:
                message = f"there is no field {values.shown(name)}"
                hint = suggestion(name, table) or f"there are {', '.join(table)}"
                self.mistake(key, f"{path}{_bare(name)}", message, hint)
                faulty.add(meant(name, table))
            elif isinstance(value, Text) and value.null:
                hint = "give it one, or remove the line"
                self.mistake(value, f"{path}{name}", "has no value", hint)
                faulty.add(name)
            else:
                known[name] = value
        return known, faulty

    def section(
        self, parent: Mapping[str, Node], name: str, table: Mapping[str, Field], path: str = ""
    ) -> dict[str, Node]:
        """The fields of a section, empty when it is absent or is no mapping."""
        node = parent.get(name)
        if node is None:
            return {}
        if not isinstance(node, Table):
            hint = _section_of(name, node, table) or f"it has the fields {', '.join(table)}"
            self.mistake(node, f"{path}{name}", f"must be a mapping, not {kind(node)}", hint)
            return {}
        return self.fields(node, table, f"{path}{name}.")

    def cells(self, given: Mapping[str, Node], path: str) -> dict[str, Text]:
        """The single values among the fields; anything else is a mistake."""
        cells: dict[str, Text] = {}
        for name, node in given.items():
            if isinstance(node, Text):
                cells[name] = node
            else:
                self._not_single(node, f"{path}{name}")
        return cells

    def value(self, given: Mapping[str, Node], field: Field, path: str = "") -> Any:
        """A field's value, None when it is not set or can't be used."""
        node = given.get(field.name)
        return None if node is None else self.convert(node, field.parse, f"{path}{field.name}")

    def convert(self, node: Node, parse: Parse | None, path: str) -> Any:
        """A node's value, None when it can't be used."""
        if not isinstance(node, Text):
            self._not_single(node, path)
            return None
        if node.null:
            self.mistake(node, path, "has no value", "give it one, or remove it")
            return None
        assert parse is not None, path
        try:
            return parse(node.text)
        except values.InvalidError as problem:
            self.mistake(node, path, problem.message, problem.hint)
            return None

    def _not_single(self, node: Node, path: str) -> None:
        """A list or mapping where a text belongs; `{id}` alone is one to YAML."""
        inside = list(node.items.values()) if isinstance(node, Table) else []
        braces = inside and all(isinstance(value, Text) and value.null for _, value in inside)
        hint = "put quotes around a text with braces in it" if braces else ""
        self.mistake(node, path, f"must be a single value, not {kind(node)}", hint)

    def mistake(self, node: Node, path: str, message: str, hint: str = "") -> None:
        """Take note of a mistake at a node."""
        self.findings.mistake(Finding(self.file, node.line, node.column, path, message, hint))

    def warn(self, node: Node, path: str, message: str, hint: str = "") -> None:
        """Take note of something doubtful at a node."""
        self.findings.warning(Finding(self.file, node.line, node.column, path, message, hint))


def meant(name: str, table: Mapping[str, Field]) -> str:
    """The field that was probably meant by an unknown name, or ""."""
    bare = plain(name)
    for key, row in table.items():
        if bare in (plain(key), plain(row.wire)) or (key == row.name and bare in row.aliases):
            return key
    return nearest(name, table)


def suggestion(name: str, table: Mapping[str, Field]) -> str:
    """What to do about an unknown field, as a hint, or "" when nothing comes near."""
    if table is TOP and plain(name) in _SECRETS:
        return "the key is read from the environment and never written down here"
    if table is TOP and name in CATALOG and not meant(name, table):
        return f"`{name}` belongs under `catalog`"
    if table is TOP and name in AXES and not meant(name, table):
        return f"`{name}` belongs under `matrix`"
    if name in JOB and table is TOP:
        return f"`{name}` belongs under `defaults`, or in a job"
    if name in TOP and table is not TOP:
        return f"`{name}` belongs at the top level"
    field = meant(name, table)
    return f"did you mean `{field}`?" if field else ""


def _section_of(name: str, node: Node, table: Mapping[str, Field]) -> str:
    """How to write a section in whose place stands one value, or "" when that fits nowhere."""
    if not isinstance(node, Text) or node.null:
        return ""
    fitting = [field for field in _LIKELY.get(name, ()) if table[field].takes(node.text)]
    ways = (values.shown(f"{name}: {{{field}: {node.text}}}", 120) for field in fitting)
    return f"write {' or '.join(ways)}" if fitting else ""


def _bare(name: str) -> str:
    """An unknown field's name as part of a path: short, and nothing a terminal would obey."""
    return values.shown(name).strip("`")


def kind(node: Node) -> str:
    """What a node is, in words."""
    if isinstance(node, Text) and node.null:
        return "nothing"
    return {Text: "a single value", Series: "a list", Table: "a mapping"}[type(node)]
