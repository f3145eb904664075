"""Texts with `{{ column }}` in them: read once, filled in for each row. No expressions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from runner.manifest.values import InvalidError, shown

EXAMPLE = "{{ name }} in {{ room | a studio }}"
_OPENED = re.compile(r"\{\{([^{}]*)\}\}")


class Slot(NamedTuple):
    """A place for a column's text; `otherwise` stands in for an empty one, None for nothing."""

    name: str
    otherwise: str | None


class UnfilledError(Exception):
    """A row has nothing under this name, and the template has nothing in its place."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Template(NamedTuple):
    """A text to fill in; the rest says where it is written, and as which field."""

    parts: tuple[str | Slot, ...]
    file: str
    line: int
    column: int
    path: str

    def slots(self) -> Iterator[Slot]:
        """The places to fill in, in order."""
        return (part for part in self.parts if isinstance(part, Slot))

    def filled(self, value: Callable[[str], str]) -> str:
        """The text for one row; `value` gives what stands under a name, "" for nothing.

        Raises UnfilledError.
        """
        return "".join(part if isinstance(part, str) else _text(part, value) for part in self.parts)


def _text(slot: Slot, value: Callable[[str], str]) -> str:
    text = value(slot.name) or slot.otherwise
    if text is None:
        raise UnfilledError(slot.name)
    return text


def is_template(text: str) -> bool:
    """Whether a text has places to fill in, or something like one."""
    return "{{" in text or "}}" in text


@lru_cache(maxsize=1_000)
def pieces(text: str) -> tuple[str | Slot, ...]:
    """Read a template: texts and slots in turn. Raises InvalidError."""
    found: list[str | Slot] = []
    for index, piece in enumerate(_OPENED.split(text)):
        if index % 2:
            found.append(_slot(piece))
        elif is_template(piece):
            raise InvalidError(f"{shown(text)} has `{{{{` without its `}}}}`", _hint())
        elif piece:
            found.append(piece)
    return tuple(found)


def _slot(inside: str) -> Slot:
    name, bar, otherwise = inside.partition("|")
    if not name.strip():
        raise InvalidError(f"{shown(f'{{{{{inside}}}}}')} names no column", _hint())
    return Slot(name.strip(), otherwise.strip() if bar else None)


def _hint() -> str:
    return f"write it like {EXAMPLE}"
