"""Sequences of a million items that fit in memory. Pure."""

from __future__ import annotations

import marshal
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise
from operator import eq
from typing import Any, Generic, TypeVar, overload

from runner.jobs import Asked, Body, Entry

Item = TypeVar("Item")
Labels = Mapping[str, str]
Values = tuple[str, str, Body, str, int | None, str, int, Labels, Labels]

_PAGE = 512
_FASTEST = 1


class _Lookups(Sequence[Item], Generic[Item]):
    """A sequence for which `_at` finds one item; slices are lists."""

    def _at(self, index: int) -> Item:
        raise NotImplementedError

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self._at(place) for place in range(len(self))[index]]
        return self._at(range(len(self))[index])


class OnDemand(_Lookups[Item]):
    """Makes each item when it is asked for, from its number."""

    def __init__(self, numbers: Sequence[int], make: Callable[[int], Item]) -> None:
        self._numbers = numbers
        self._make = make

    def __len__(self) -> int:
        return len(self._numbers)

    def _at(self, index: int) -> Item:
        return self._make(self._numbers[index])


class Pages(_Lookups[tuple[Any, ...]]):
    """Tuples of texts, numbers, None and dictionaries of them, compressed by the page.

    Reading in either order is quick; anywhere else costs the unpacking of a page.
    """

    def __init__(self) -> None:
        self._packed: list[bytes] = []
        self._last: list[tuple[Any, ...]] = []
        self._open: tuple[int, list[tuple[Any, ...]]] = (-1, [])

    def __len__(self) -> int:
        return len(self._packed) * _PAGE + len(self._last)

    def append(self, item: tuple[Any, ...]) -> None:
        """Add one at the end."""
        self._last.append(item)
        if len(self._last) == _PAGE:
            self._packed.append(zlib.compress(marshal.dumps(self._last), _FASTEST))
            self._last = []

    def _page(self, number: int) -> list[tuple[Any, ...]]:
        if number == len(self._packed):
            return self._last
        if self._open[0] != number:
            page = marshal.loads(zlib.decompress(self._packed[number]))
            self._open = (number, page)
        return self._open[1]

    def _at(self, index: int) -> tuple[Any, ...]:
        number, place = divmod(index, _PAGE)
        return self._page(number)[place]

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return chain.from_iterable(map(self._page, range(len(self._packed) + 1)))

    def __reversed__(self) -> Iterator[tuple[Any, ...]]:
        pages = map(self._page, reversed(range(len(self._packed) + 1)))
        return chain.from_iterable(map(reversed, pages))


class Entries(_Lookups[Entry]):
    """What a manifest asks for, packed; each `Entry` is made when it is asked for."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._pages = Pages()
        self._ids: dict[int, str] = {}
        for entry in entries:
            self.append(entry)

    def append(self, entry: Entry) -> None:
        """Add one at the end. Its content must be a digest in hex."""
        where = (entry.file, entry.line, entry.labels, entry.facts)
        self.pack((entry.id, entry.derived, entry.body, entry.content, entry.cost, *where))

    def pack(self, values: Values) -> None:
        """The same, from the values of an entry's fields in their order."""
        id, derived, body, content, cost, file, line, labels, facts = values
        where = (cost, file, line, dict(labels), dict(facts))
        self._pages.append((id, derived, dict(body), bytes.fromhex(content), *where))

    def rename(self, ids: Mapping[int, str]) -> None:
        """Give other ids to the entries with these numbers."""
        self._ids.update(ids)

    def __len__(self) -> int:
        return len(self._pages)

    def _at(self, index: int) -> Entry:
        return self._made(index, self._pages[index])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entries) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment] # compared by what is in it, and that may grow

    def __iter__(self) -> Iterator[Entry]:
        return map(self._made, range(len(self)), self._pages)

    def __reversed__(self) -> Iterator[Entry]:
        return map(self._made, reversed(range(len(self))), reversed(self._pages))

    def asked(self) -> Iterator[Asked]:
        """What each is recognised by, the last one first."""
        for index, packed in zip(reversed(range(len(self))), reversed(self._pages), strict=True):
            id, derived, _, content, cost, *_ = packed
            yield Asked(self._ids.get(index, id), derived, content.hex(), cost)

    def _made(self, index: int, packed: tuple[Any, ...]) -> Entry:
        id, derived, body, content, *where = packed
        if self._ids:
            id = self._ids.get(index, id)
        return Entry(id, derived, body, content.hex(), *where)


class Recurring:
    """Tells which of many texts may occur more than once, from eight bytes each.

    Of texts that differ, one in 10**18 pairs looks the same: look at those that are told.
    """

    def __init__(self) -> None:
        self._hashes = array("q")

    def add(self, text: str) -> None:
        """Take note of a text."""
        self._hashes.append(hash(text))

    def found(self) -> Callable[[str], bool] | None:
        """What tells of a text whether it may be there more than once, or None if none is."""
        ordered = sorted(self._hashes)
        twice = {one for one, next in pairwise(ordered) if one == next}
        return (lambda text: hash(text) in twice) if twice else None
