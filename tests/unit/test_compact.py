"""Compact sequences hold exactly what was put into them."""

from __future__ import annotations

import tracemalloc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import compact
from runner.compact import Entries, OnDemand, Pages, Recurring
from runner.jobs import Asked, Entry, content_digest

TEXTS = st.text(st.characters(exclude_categories=()), max_size=20)
SCALARS = TEXTS | st.integers(-(2**70), 2**70) | st.booleans()
BODIES = st.dictionaries(st.sampled_from(["promptImage", "promptText", "seed", "x"]), SCALARS)


@st.composite
def asked(draw: st.DrawFn) -> Entry:
    """Any entry."""
    body, id = draw(BODIES), draw(TEXTS.filter(bool))
    cost = draw(st.none() | st.integers(0, 2**60))
    derived = draw(st.just("") | TEXTS)
    return Entry(id, derived, body, content_digest(body), cost, draw(TEXTS), draw(st.integers(0)))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three, so that a few items fill several."""
    monkeypatch.setattr(compact, "_PAGE", 3)


@given(st.lists(asked(), max_size=11))
def test_packed_entries_are_the_plain_ones(plain: list[Entry]) -> None:
    """Whole, in order, backwards, one by one, and in slices; true stays true and 1 stays 1."""
    packed = Entries(plain)
    assert len(packed) == len(plain)
    assert list(packed) == plain
    assert list(reversed(packed)) == plain[::-1]
    assert [packed[index] for index in range(-len(plain), len(plain))] == plain * 2
    assert packed[1:-1] == plain[1:-1]
    assert [repr(entry) for entry in packed] == [repr(entry) for entry in plain]
    assert packed == Entries(plain)
    assert packed != Entries([*plain, *plain[:1]]) or not plain


@given(st.lists(asked(), min_size=1, max_size=11), st.data())
def test_a_renamed_entry_is_the_same_but_for_its_id(
    plain: list[Entry], data: st.DataObject
) -> None:
    """Only the ids of those that are named change."""
    place = data.draw(st.integers(0, len(plain) - 1))
    packed = Entries(plain)
    packed.rename({place: "other"})
    assert packed[place].id == "other"
    lights = [Asked(e.id, e.derived, e.content, e.cost) for e in packed]
    assert list(packed.asked()) == lights[::-1]
    assert [e.id for n, e in enumerate(packed) if n != place] == [
        e.id for n, e in enumerate(plain) if n != place
    ]


@pytest.mark.parametrize("index", [7, -8])
def test_beyond_the_end_is_an_error(index: int) -> None:
    """As with any sequence."""
    pages = Pages()
    for number in range(7):
        pages.append((number,))
    with pytest.raises(IndexError):
        pages[index]


@given(st.lists(st.sampled_from("abcdef"), max_size=12))
def test_what_recurs_is_found(texts: list[str]) -> None:
    """Exactly the texts that are there more than once."""
    seen = Recurring()
    for text in texts:
        seen.add(text)
    recurs = seen.found() or (lambda text: False)
    assert {text for text in texts if recurs(text)} == {
        t for t, n in Counter(texts).items() if n > 1
    }


def test_items_are_made_when_they_are_asked_for() -> None:
    """Nothing is made for a length, and one for one."""
    made: list[int] = []
    squares = OnDemand(range(10), lambda number: made.append(number) or number * number)
    assert len(squares) == 10
    assert not made
    assert squares[3] == 9
    assert squares[:3] == [0, 1, 4]
    assert made == [3, 0, 1, 2]
    assert list(squares)[-1] == 81


def test_an_entry_takes_less_than_a_hundred_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an image, a prompt and an id of its own; a plain one takes about a thousand."""
    monkeypatch.undo()
    tracemalloc.start()
    try:
        packed = Entries()
        before = tracemalloc.get_traced_memory()[0]
        for number in range(10_240):
            image = f"https://cdn.example.com/catalog/2026/{hash(str(number)):x}/{number}.jpg"
            body = {"promptImage": image, "model": "gen4_turbo", "promptText": f"pan {number % 97}"}
            id, content = f"SKU-{number:07d}", content_digest(body)
            packed.append(Entry(id, "", body, content, 320_000, "catalog.csv", number))
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken < 100 * len(packed)
