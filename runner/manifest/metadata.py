"""A manifest's `metadata`: the texts inside its videos, and their filling in for each job."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from runner.jobs import Body
from runner.manifest import values
from runner.manifest.fields import METADATA, WIRE
from runner.manifest.reader import Reader
from runner.manifest.templates import Slot, Template, UnfilledError, is_template, pieces
from runner.manifest.tree import Node, Table, Text

BY_DEFAULT = {"title": "{{ id }}", "comment": "{{ prompt | }}"}
# What a job has whether it stands in a table or not; every other name is a column of the catalog.
_OWN = {"id": "", **{field.name: field.wire for field in WIRE}}


def read(top: Mapping[str, Node], reader: Reader) -> tuple[Template, ...]:
    """The texts that a manifest wants inside its videos, each under `metadata.NAME`."""
    node = top.get("metadata")
    if node is None:
        return ()
    if not isinstance(node, Table):
        wanted = reader.convert(node, values.boolean, "metadata")
        given: Mapping[str, Text] = {
            name: Text(text, node.line, node.column) for name, text in BY_DEFAULT.items()
        }
        return tuple(_forms(given, reader)) if wanted else ()
    if not node.items:
        reader.mistake(node, "metadata", "is empty", "write `yes`, or {title: text}")
    cells = reader.cells(reader.fields(node, METADATA, "metadata."), "metadata.")
    return tuple(_forms(cells, reader))


def _forms(cells: Mapping[str, Text], reader: Reader) -> Iterator[Template]:
    for name, cell in cells.items():
        path = f"metadata.{name}"
        text = reader.convert(cell, METADATA[name].parse, path)
        if text is None:
            continue
        try:
            found = pieces(text) if is_template(text) else (text,)
        except values.InvalidError as problem:
            reader.mistake(cell, path, problem.message, problem.hint)
            continue
        yield Template(found, reader.file, cell.line, cell.column, path)


def of_columns(forms: Sequence[Template]) -> tuple[Template, ...]:
    """The same with nothing but the places that a table's columns fill."""
    bare = (
        form._replace(parts=tuple(slot for slot in form.slots() if slot.name not in _OWN))
        for form in forms
    )
    return tuple(form for form in bare if form.parts)


def gap(forms: Sequence[Template], given: Mapping[str, object]) -> tuple[Template, Slot] | None:
    """The first place for which a job has nothing; `given` are its fields and its columns."""
    return next(
        (
            (form, slot)
            for form in forms
            for slot in form.slots()
            if slot.otherwise is None and slot.name not in given
        ),
        None,
    )


def fill(
    forms: Sequence[Template], id: str, body: Body, facts: Mapping[str, str]
) -> dict[str, str]:
    """The texts of one video, name -> text; what has nothing to say is left out.

    `facts` are the cells of the columns that the texts name. Of an image's address nothing after
    the `?` is told, which may be a signature.
    """

    def value(name: str) -> str:
        if name == "id":
            return id
        if name == "image":
            return str(body.get(_OWN[name], "")).partition("?")[0]
        return str(body.get(_OWN[name], "")) if name in _OWN else facts.get(name, "")

    filled = {}
    for form in forms:
        try:
            text = form.filled(value).strip()
        except UnfilledError:  # a row that was deleted while its task ran
            continue
        if text:
            filled[form.path.rpartition(".")[2]] = text
    return filled
