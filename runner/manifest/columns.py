"""Which columns a table must have and may have, held against those that it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from runner.errors import Finding
from runner.manifest.fields import DEFAULTS, JOB
from runner.manifest.findings import Findings, UnusableError
from runner.manifest.output import PLACEHOLDERS
from runner.manifest.records import DELIMITERS
from runner.manifest.suggest import nearest, plain
from runner.manifest.templates import Template
from runner.manifest.tree import Text
from runner.manifest.values import shown

_MAX_LISTED = 12


class Wanted(NamedTuple):
    """What is wanted of a catalog.

    `columns` maps field -> column, None for columns named like the fields; `templates` gives the
    fields that are filled in from columns where the row has no cell for them. `image_needed` says
    that no default stands in for a missing image. `names` has the columns that
    name the videos, `inside` those of the texts inside them. `file` is the manifest that says so.
    """

    columns: Mapping[str, Text] | None
    templates: Mapping[str, Template] = {}
    image_needed: bool = True
    names: Template | None = None
    inside: tuple[Template, ...] = ()
    file: str = ""


class Columns:
    """The columns of one table.

    `wanted` maps field -> column; `templates` are those that can be filled in; `faulty` the fields
    of which it was told that a template names a column which isn't there.
    """

    def __init__(self, file: str, wanted: Wanted, findings: Findings) -> None:
        self.wanted = wanted_columns(wanted.columns)
        self.templates = dict(wanted.templates)
        self.faulty: frozenset[str] = frozenset()
        self._file = file
        self._findings = findings
        self._manifest = wanted.file
        self._named = wanted.columns
        self._image_needed = wanted.image_needed and "image" not in wanted.templates
        self._forms = self.templates | ({"output": wanted.names} if wanted.names else {})
        self._forms |= {form.path: form for form in wanted.inside}

    def check(self, names: list[str], line: int) -> None:
        """Hold the columns there are against the columns that are wanted."""
        for index, name in enumerate(names):
            if name and name in names[:index]:
                self._mistake(line, index + 1, f"the column {shown(name)} is there twice")
            field = field_of(name, aliases=False)
            used = name in self.wanted.values() or field in self.templates
            if field and not used and self.wanted.get(field) not in names:
                hint = f"to use it, add `{field}: {name[:40]}` to `columns`"
                message = f"the column {shown(name)} is not used"
                self._findings.warning(Finding(self._file, line, index + 1, field, message, hint))
        for field, name in self.wanted.items() if self._named is not None else ():
            if name not in names and field != "image":
                self._findings.mistake(self._missed(field, names, line))
        self.require_image(names, line)

    def require_image(self, names: list[str], line: int) -> None:
        """Stop at once when no row can have an image, instead of saying so for each."""
        name = self.wanted.get("image", "image")
        if name not in names and (self._image_needed or "image" in (self._named or ())):
            raise UnusableError(self._missed("image", names, line))

    def _missed(self, field: str, names: list[str], line: int) -> Finding:
        """A column that isn't there, told where the manifest names it, else at the table."""
        message, hint = _missing(field, self.wanted.get(field, field), names)
        node = (self._named or {}).get(field)
        if node is None:
            return Finding(self._file, line, 0, field, message, hint)
        where = (self._manifest, node.line, node.column, f"catalog.columns.{field}")
        return Finding(*where, f"{message} in {shown(self._file)}", hint)

    def check_templates(self, names: list[str], *, begun: bool = False) -> None:
        """Tell of each template that names a column which isn't there, once.

        `begun` when more columns may come: then only what every row so far lacks is missed.
        """
        for field, form in self._forms.items():
            for slot in form.slots():
                settled = field in self.faulty or (begun and slot.otherwise is not None)
                if slot.name in names or settled:
                    continue
                near = nearest(slot.name, [*names, *(PLACEHOLDERS if field == "output" else ())])
                hint = f"did you mean {shown(near)}?" if near else f"there are {_some(names)}"
                message = f"there is no column {shown(slot.name)} in {shown(self._file)}"
                where = (form.file, form.line, form.column, form.path)
                self._findings.mistake(Finding(*where, message, hint))
                self.templates.pop(field, None)
                self.faulty |= {field}

    def _mistake(
        self, line: int, column: int, message: str, hint: str = "", field: str = ""
    ) -> None:
        self._findings.mistake(Finding(self._file, line, column, field, message, hint))


def _missing(field: str, name: str, names: list[str]) -> tuple[str, str]:
    near = nearest(name, names) or next((n for n in names if field_of(n) == field), "")
    mark = next((mark for mark in DELIMITERS if len(names) == 1 and mark in names[0]), "")
    hint = f"there are {_some(names)}"
    if any(map(is_address, names)):
        hint = "the first line must name the columns"
    elif near:
        hint = f"did you mean {shown(near)}?"
    elif mark:
        hint = f"a .tsv has tabs, a .csv commas or semicolons, and here are {DELIMITERS[mark]}"
    elif name != field and field in DEFAULTS and DEFAULTS[field].takes(name):
        hint += f"; a value for every row goes under `defaults`, as `{field}: {name[:40]}`"
    return f"there is no column {shown(name)}", hint


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


def _some(names: list[str]) -> str:
    more = ", …" if len(names) > _MAX_LISTED else ""
    return ", ".join(shown(name, 30) for name in names[:_MAX_LISTED] if name) + more


def is_address(cell: str) -> bool:
    """Whether a cell looks like an address rather than a name."""
    return cell.strip().lower().startswith(("https://", "http://"))
