"""Choosing jobs: the law of a sample, and what `only` and `first` mean."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.selection import Selection, spread

IDS = [f"lamp-{number}" for number in range(5)] + [f"chair-{number}" for number in range(3)]


def chosen(selection: Selection) -> list[str]:
    """The ids that a selection chooses."""
    return [id for id, yes in zip(IDS, selection.mask(IDS), strict=True) if yes]


@given(st.integers(0, 5000), st.integers(0, 300))
def test_a_sample_is_spread(size: int, number: int) -> None:
    """N different places or all there are, the same each time, and no long gap anywhere."""
    places = list(spread(size, number))
    assert len(set(places)) == len(places) == min(size, number)
    assert all(0 <= place < size for place in places)
    assert places == list(spread(size, number))
    if number > 1:
        edges = [*sorted(places), size]
        gaps = (after - before for before, after in pairwise(edges))
        assert max(gaps, default=0) <= max(1, 2 * size / (number - 1))


@given(st.integers(0, 3000), st.integers(0, 100), st.integers(0, 100))
def test_a_sample_grows(size: int, one: int, other: int) -> None:
    """A larger sample holds the smaller one: what was bought for it is not bought for nothing."""
    assert set(spread(size, min(one, other))) <= set(spread(size, max(one, other)))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(only=("lamp-3",)), ["lamp-3"]),
        (Selection(only=("chair-*", "lamp-0")), ["lamp-0", "chair-0", "chair-1", "chair-2"]),
        (Selection(only=("*-[12]",)), ["lamp-1", "lamp-2", "chair-1", "chair-2"]),
        (Selection(first=2), ["lamp-0", "lamp-1"]),
        (Selection(first=0), []),
        (Selection(only=("chair-*",), first=1), ["chair-0"]),
        (Selection(sample=2), ["lamp-0", "lamp-4"]),
        (Selection(only=("lamp-*",), sample=9), ["lamp-0", "lamp-1", "lamp-2", "lamp-3", "lamp-4"]),
    ],
)
def test_what_is_chosen(selection: Selection, expected: list[str]) -> None:
    """Names and patterns first, then the first few, then the sample."""
    assert selection
    assert chosen(selection) == expected


def test_a_name_with_brackets_is_itself() -> None:
    """An id that looks like a pattern is found by its own name."""
    ids = ["a[1]", "a1"]
    assert Selection(only=("a[1]",)).mask(ids) == b"\1\1"
    assert Selection(only=("a[2]",)).unknown(ids) == ["a[2]"]
    assert not Selection()
    assert Selection().mask(ids) == b"\1\1"
