"""Which jobs of a manifest a run may buy: some by name, the first few, or a sample. Pure."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate
from itertools import islice


@dataclass(frozen=True, slots=True)
class Selection:
    """What a command line chooses. It depends on the manifest alone, not on what was bought.

    So the same words choose the same jobs again, and asking twice buys nothing twice. `only` are
    ids or patterns of them (`lamp-*`); `first` and `sample` are counts, of what `only` leaves.
    """

    only: tuple[str, ...] = ()
    first: int | None = None
    sample: int | None = None

    def __bool__(self) -> bool:
        return bool(self.only) or self.first is not None or self.sample is not None

    def unknown(self, ids: Iterable[str]) -> list[str]:
        """The names and patterns that no id answers to, in their order."""
        waiting = {name: _matcher([name]) for name in self.only}
        for id in ids:
            for name in [name for name, answers in waiting.items() if answers(id)]:
                del waiting[name]
            if not waiting:
                break
        return list(waiting)

    def mask(self, ids: Iterable[str]) -> bytes:
        """One byte an id, 1 for the chosen ones and 0 for the others."""
        if self.only:
            answers = _matcher(self.only)
            chosen = bytearray(bool(answers(id)) for id in ids)
        else:
            chosen = bytearray(1 for _ in ids)
        rows = array("q", (row for row, each in enumerate(chosen) if each))
        rows = rows[: self.first]
        if self.sample is not None:
            rows = array("q", (rows[place] for place in spread(len(rows), self.sample)))
        chosen = bytearray(len(chosen))
        for row in rows:
            chosen[row] = 1
        return bytes(chosen)


def spread(size: int, number: int) -> Iterator[int]:
    """So many different places below `size`, or all of them, spread over the whole.

    A larger number gives the same places and some between them, so that a sample can grow. They
    are the multiples of halves, quarters, eighths ... of the next power of two (van der Corput's
    sequence), so no gap is longer than 2 * size / (number - 1).
    """
    bits = max(0, size - 1).bit_length()
    places = (_reversed(count, bits) for count in range(1 << bits))
    return islice((place for place in places if place < size), number)


def _reversed(number: int, bits: int) -> int:
    return int(f"{number:0{bits}b}"[::-1], 2) if bits else 0


def _matcher(names: Sequence[str]) -> Callable[[str], object]:
    """Tells whether an id is one of these names, or answers to one as a pattern."""
    return re.compile("|".join(f"{re.escape(name)}|{translate(name)}" for name in names)).fullmatch
