"""What one pass leaves to the next, through the JSON of the state file."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.breaker import BREAKERS
from runner.carry import Carry, keep, take_up
from runner.policy import Streak

moments = st.floats(0, 4e9)
counts = st.integers(0, 1000)
keys = st.integers(1, 10**6)
streaks = st.builds(
    Streak, failures=counts, fetches=counts, unserved=counts, seen=moments, feed=st.booleans()
).filter(lambda streak: streak != Streak())
carries = st.builds(
    Carry,
    streaks=st.dictionaries(keys, streaks, max_size=4),
    due=st.dictionaries(keys, moments, max_size=4),
    troubles=st.dictionaries(st.sampled_from(sorted(BREAKERS)), counts),
    refusals=counts,
    gate=moments,
)


@given(carries, moments)
def test_what_is_kept_is_taken_up(carry: Carry, now: float) -> None:
    """The run right after takes up exactly what was left; any other begins anew."""
    kept = json.loads(json.dumps(keep(carry, 7, now)))
    assert take_up(kept, 8, now) == carry
    for run in (None, 7, 9):
        assert take_up(kept, run, now) == Carry()
    assert take_up(kept, 8, now - 1) == Carry()


def test_streaks_that_say_nothing_are_not_kept() -> None:
    """A row for each task in flight would be most of the value."""
    assert keep(Carry(streaks={1: Streak(), 2: Streak(failures=1)}), 1, 0.0)["streaks"].keys() == {
        2
    }


GOOD = keep(Carry(streaks={1: Streak(failures=2)}, due={1: 5.0}), 1, 0.0)


@pytest.mark.parametrize(
    "kept",
    [
        None,
        [],
        "x",
        7,
        {},
        {**GOOD, "streaks": {"1": {"courage": 2}}},
        {**GOOD, "streaks": [1]},
        {**GOOD, "due": {"lamp": 2.0}},
        {**GOOD, "gate": "soon"},
        {**GOOD, "at": None},
        {**GOOD, "troubles": None},
    ],
)
def test_what_cant_be_read_is_nothing(kept: object) -> None:
    """Another version's or a damaged value: patience begins anew."""
    assert take_up(kept, 2, 10.0) == Carry()
