"""The submit rate: never more than so many in any such time, whatever the clock does."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from runner import pacing
from runner.jobs import Rate

RATES = st.builds(Rate, st.integers(1, 8), st.sampled_from([1.0, 60.0, 3600.0]))


@given(RATES, st.lists(st.floats(0, 100), max_size=60))
def test_no_window_sees_more(rate: Rate, lulls: list[float]) -> None:
    """A submitter that waits as told never begins count + 1 in less than the window."""
    recent: deque[float] = deque(maxlen=rate.count)
    times, now = [], 1000.0
    for lull in lulls:
        now += lull
        now += pacing.wait_for(rate, recent, now)
        recent.append(now)
        times.append(now)
    spans = zip(times, times[rate.count :], strict=False)
    assert all(later - first >= rate.seconds - 1e-6 for first, later in spans)


@given(RATES, st.integers(0, 60))
def test_it_waits_for_nothing_else(rate: Rate, count: int) -> None:
    """So many may go at once; the next one when the first of them is old enough."""
    recent = [0.0] * min(count, rate.count)
    assert pacing.wait_for(rate, recent, 0.0) == (rate.seconds if count >= rate.count else 0)
    assert pacing.wait_for(rate, recent, rate.seconds) == 0
    assert pacing.wait_for(None, recent, 0.0) == 0


@given(RATES, st.lists(st.floats(0, 2e9)), st.floats(0, 2e9), st.floats(0, 1e6))
def test_stored_times_on_another_clock(
    rate: Rate, stored: list[float], wall: float, now: float
) -> None:
    """After a restart nothing is waited for longer than a window, and times keep their age."""
    recent = pacing.recalled(stored, wall, now)
    assert all(time <= now for time in recent)
    assert 0 <= pacing.wait_for(rate, recent, now) <= rate.seconds
    assert pacing.wait_for(rate, recent, now + rate.seconds) < 1e-6
    assert pacing.recalled([wall - 30], wall, now) == [now - max(0.0, wall - (wall - 30))]


def test_only_the_newest_count() -> None:
    """Older submits than the newest `count` change nothing, and no time blocks for ever."""
    assert pacing.wait_for(Rate(2, 60.0), [0.0, 10.0, 50.0], 55.0) == 15.0
    assert pacing.wait_for(Rate(1, 60.0), [5000.0], 55.0) == 60.0


def test_a_restart_goes_on_with_the_old_submits() -> None:
    """Two of two a minute were used 50 and 10 seconds ago: the next is due in 10."""
    recent = pacing.recalled([1990.0, 1950.0], wall=2000.0, now=5.0)
    assert pacing.wait_for(Rate(2, 60.0), recent, 5.0) == 10.0
