"""What one field of a manifest is, and the shapes that many of them have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.manifest import quantities, values

Schema = dict[str, Any]
Parse = Callable[[str], Any]
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Field:
    """One field: how its text becomes a value, what it means, and what editors are told.

    `parse` is None where the value is a section with fields of its own. `wire` is the name in
    the request. `aliases` are names by which people look for it. `default` is shown, not applied.
    """

    name: str
    doc: str
    schema: Schema
    parse: Parse | None = None
    wire: str = ""
    aliases: tuple[str, ...] = ()
    default: str = ""

    @property
    def axis(self) -> str:
        """The name of this field's list in a matrix."""
        return f"{self.name}s"

    def takes(self, text: str) -> bool:
        """Whether a text could be a value of this field."""
        if self.parse is None:
            return False
        try:
            self.parse(text)
        except values.InvalidError:
            return False
        return True


def table(*rows: Field) -> Mapping[str, Field]:
    """Fields by their names."""
    return {row.name: row for row in rows}


def whole(low: int, high: int, **told: Any) -> tuple[Schema, Parse]:
    """A whole number, both ends included: what editors are told, and its parser."""
    schema = {"type": "integer", "minimum": low, "maximum": high, **told}
    return schema, quantities.integer(low, high)


TIME: Schema = {
    "type": ["string", "number"],
    "pattern": quantities.TIME_PATTERN,
    "minimum": 0,
    "examples": ["5s", "10m", "2h", "1h30m"],
}
SWITCH: Schema = {"anyOf": [{"type": "boolean"}, {"enum": list(values.SWITCH)}]}
AMOUNT: Schema = {
    "type": ["number", "string"],
    "minimum": 0,
    "maximum": quantities.MAX_AMOUNT,
    "pattern": quantities.AMOUNT_PATTERN,
}
ID: Schema = {"type": ["string", "integer"], "minLength": 1, "maxLength": values.MAX_ID}
