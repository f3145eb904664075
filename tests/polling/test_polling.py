"""When to ask: what holds of every schedule, whatever was seen."""

from __future__ import annotations

from random import Random
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.polling.ways import watch
from runner.polling import LONGEST, WINDOW, Render, Rhythm, group, place

renders = st.builds(
    lambda after, width: Render(after, after + width),
    st.one_of(st.just(0.0), st.floats(0, 900)),
    st.floats(1e-3, 200),
)
histories = st.lists(renders, max_size=60)
gaps = st.sampled_from((0.0, 0.01, 1.0, 5.0, 60.0))
ages = st.lists(st.floats(0, 20_000), min_size=2, max_size=20).map(sorted)


@settings(max_examples=40, deadline=None)
@given(histories, gaps, ages)
def test_polls_keep_their_distance_and_their_order(
    history: list[Render], gap: float, when: list[float]
) -> None:
    """Never closer than the gap, never further than the longest, never earlier for a later age."""
    rhythm = Rhythm.of(history, gap)
    for age in when:
        assert max(gap, 0.01) * (1 - 1e-9) <= rhythm.wait(age) + 1e-9 * age
        assert rhythm.wait(age) <= rhythm.schedule.longest + 1e-9 * age
    later = [rhythm.schedule.next_age(age) for age in when]
    assert later == sorted(later)


@settings(max_examples=30, deadline=None)
@given(histories, st.sampled_from(((5.0, 4.0), (1.0, 4.0), (1.0, 0.25))))
def test_scale_is_of_no_matter(history: list[Render], gap_and_scale: tuple[float, float]) -> None:
    """A provider and a gap four times as slow are asked four times as late."""
    gap, scale = gap_and_scale
    slow = [Render(r.after * scale, r.by * scale) for r in history]
    one, other = Rhythm.of(history, gap), Rhythm.of(slow, gap * scale, LONGEST * scale)
    for age in (0, 7.5, 31, 100, 460, 2000):
        expected = one.schedule.next_age(age) * scale
        assert other.schedule.next_age(age * scale) == pytest.approx(expected)


def test_without_history_the_steps_are_fixed() -> None:
    """10 s, every 5 s until 25 s, then every 6 s, at the default gap."""
    ages = [0.0]
    while ages[-1] < 40:
        ages.append(Rhythm.of((), 5).schedule.next_age(ages[-1]))
    assert ages[1:] == [10, 15, 20, 25, 31, 37, 43]
    assert Rhythm.of((), 5).schedule.next_age(1000) == 1006


def test_who_asks_for_a_short_gap_gets_it() -> None:
    """Below the SDK's own shortest interval there is one poll a gap all along, after the first."""
    schedule = Rhythm.of((), 1).schedule
    assert [schedule.next_age(age) for age in (0, 2, 5, 19.5, 1000)] == [2, 3, 6, 20.5, 1001]


@pytest.mark.parametrize("count", [1, 5, 50, 200])
def test_equal_renders_are_asked_for_when_they_come(count: int) -> None:
    """Renders all ready between 88 and 92 s get a poll soon after, and ever fewer before."""
    rhythm = Rhythm.of([Render(88, 92)] * count, 5)
    polls, sight = watch(rhythm.wait, 92)
    assert sight.by - 92 <= 6
    assert polls <= {1: 16, 5: 11, 50: 5, 200: 4}[count]


@pytest.mark.parametrize(("gap", "earliest"), [(1.0, 15), (5.0, 45)])
def test_what_is_learned_does_not_drift(gap: float, earliest: float) -> None:
    """A schedule made from what the one before saw stays where the renders are, for ever.

    With the later poll taken for the time of the render the first poll would come ever later.
    """
    lags = []
    for seed in range(3):
        random, rhythm = Random(seed), Rhythm.of((), gap)
        firsts = []
        for number in range(900):
            render = random.lognormvariate(4.5, 0.25)
            sight = watch(rhythm.wait, render)[1]
            rhythm = rhythm.learn(sight)
            firsts.append(rhythm.wait(0))
            if number >= 750:
                lags.append(sight.by - render)
        for part in (slice(150, 300), slice(750, 900)):
            assert earliest < fmean(firsts[part]) < 66
    assert fmean(lags) < 0.75 * gap


@pytest.mark.parametrize("factor", [2.0, 5.0])
def test_a_provider_that_slows_down_is_still_noticed(factor: float) -> None:
    """Beyond all that was seen the lag is a few parts in a hundred of the age, and is learned."""
    random = Random(5)
    rhythm = Rhythm.of((), 5)
    lags = []
    for number in range(200):
        render = random.lognormvariate(4.5, 0.25) * (factor if number >= 150 else 1)
        sight = watch(rhythm.wait, render)[1]
        rhythm = rhythm.learn(sight)
        lags.append((sight.by - render) / render)
    assert fmean(lags[150:160]) < 0.05
    assert fmean(lags[180:]) < 0.03


def test_a_provider_that_speeds_up_is_noticed_earlier() -> None:
    """The first polls that find all ready move the schedule down within some tens of renders."""
    random = Random(5)
    rhythm = Rhythm.of((), 5)
    lags = []
    for number in range(210):
        render = random.lognormvariate(4.5, 0.25) / (2 if number >= 150 else 1)
        sight = watch(rhythm.wait, render)[1]
        rhythm = rhythm.learn(sight)
        lags.append(sight.by - render)
    assert fmean(lags[150:160]) < 15
    assert fmean(lags[180:]) < 5


def test_a_task_resumed_in_the_middle_joins_the_schedule() -> None:
    """From any age on the polls keep to the schedule: none between two modes, then dense."""
    seen = [Render(58, 62)] * 40 + [Render(178, 182)] * 40
    rhythm = Rhythm.of(seen, 5)
    assert rhythm.wait(100) > 40
    assert rhythm.wait(178) <= 6


def test_a_little_jitter_changes_little() -> None:
    """Polls that come a tenth of a gap late are followed by the same steps, not by longer ones."""
    random = Random(1)
    rhythm = Rhythm.of([Render(r, r + 5) for r in range(50, 130, 2)], 5)
    renders = [random.uniform(55, 130) for _ in range(400)]
    exact = [watch(rhythm.wait, render)[1].by - render for render in renders]
    late = [
        watch(lambda age: rhythm.wait(age) + 0.5 * random.random(), r)[1].by - r for r in renders
    ]
    assert fmean(late) < fmean(exact) + 0.5


def test_who_was_away_learns_nothing() -> None:
    """An interval wider than the longest between two polls says only that nobody asked."""
    rhythm = Rhythm.of([Render(85, 90)] * 9, 5)
    assert rhythm.learn(Render(90, 91 + 5 + LONGEST)) == rhythm
    assert rhythm.learn(Render(9, 9)) == rhythm
    assert Rhythm.of([Render(0, 1e6), Render(5, 2)], 5) == Rhythm.of((), 5)


def test_only_the_newest_are_remembered_and_a_tenth_of_new_ones_makes_a_schedule() -> None:
    """The window is bounded, and most renders cost nothing but their place in it."""
    rhythm, made = Rhythm.of((), 5), 0
    for number in range(3 * WINDOW):
        later = rhythm.learn(Render(50 + number % 30, 55 + number % 30))
        made += later.schedule is not rhythm.schedule
        rhythm = later
    assert len(rhythm.history) == WINDOW
    assert made < 70


def test_renders_tell_of_each_other_by_model_and_duration() -> None:
    """The picture and the prompt are of no matter."""
    body = {"model": "gen4_turbo", "duration": 5, "promptText": "a"}
    assert group(body) == group({**body, "promptText": "b"})
    assert group(body) != group({**body, "duration": 10})
    assert group(body) != group({**body, "model": "gen3a_turbo"})


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=9).filter(any),
    st.sampled_from((1.0, 2.0, 3.0)),
    st.floats(0.1, 30),
)
def test_the_placing_is_the_best_of_all(weights: list[int], gap: float, price: float) -> None:
    """Dynamic programming finds what trying every sequence of polls finds."""
    waiting = [1 - sum(weights[:n]) / sum(weights) for n in range(len(weights) + 1)]
    last, step = len(waiting) - 1, int(gap)

    def cost(here: int, there: int) -> float:
        lag = sum((waiting[n] - waiting[n + 1]) * (there - n - 0.5) for n in range(here, there))
        return waiting[here] + price / gap * lag

    def best(here: int) -> float:
        if here + step > last:
            return waiting[here] * (12.5 + price / gap * 0.6 * gap)
        return min(cost(here, there) + best(there) for there in range(here + step, last + 1))

    def given_by(targets: list[int], here: int) -> float:
        if here + step > last:
            return best(here)
        return cost(here, targets[here]) + given_by(targets, targets[here])

    targets, _ = place(waiting, 1.0, gap, price)
    for here in range(len(targets)):
        assert given_by(targets, here) == pytest.approx(best(here))
