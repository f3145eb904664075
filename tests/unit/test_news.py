"""What a run tells: when it is news, and in which words and numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from runner import news
from runner.errors import ExitCode
from runner.jobs import Status, Stop
from runner.manifest.receivers import KINDS
from runner.manifest.services import DEFAULT_KINDS
from runner.news import Kind, News, kind_of

QUIET = News(
    name="lamps",
    manifest="lamps.yaml",
    state_file="state/lamps.db",
    kind=Kind.REMAINS,
    code=ExitCode.REMAINS,
    stop=Stop.PASS,
    counts={status.value: 0 for status in Status} | {"done": 2, "running": 1},
    held=0,
    failed_set="",
    uncertain_set="",
    held_set="",
    problems=(),
    paid=(3, 960_000),
    bought=1,
    began=1_800_000_000.0,
    ended=1_800_000_012.5,
    line="lamps: 2 of 3 videos done",
)
DONE = replace(
    QUIET,
    kind=Kind.DONE,
    code=ExitCode.DONE,
    stop=Stop.FINISHED,
    counts={**QUIET.counts, "done": 3},
)
FAILED = replace(DONE, kind=Kind.FAILED, code=ExitCode.FAILED, failed_set="1-a")
PERSON = replace(DONE, kind=Kind.PERSON, code=ExitCode.PERSON, uncertain_set="1-a")


def before(news_before: News) -> dict[str, object]:
    """What the run before remembered."""
    return {"picture": news.picture(news_before), "standing": news.standing(news_before)}


@pytest.mark.parametrize(
    ("code", "stop", "kind"),
    [
        (ExitCode.DONE, Stop.FINISHED, Kind.DONE),
        (ExitCode.FAILED, Stop.FINISHED, Kind.FAILED),
        (ExitCode.REMAINS, Stop.PASS, Kind.REMAINS),
        (ExitCode.REMAINS, Stop.DEADLINE, Kind.REMAINS),
        (ExitCode.REMAINS, Stop.INTERRUPT, Kind.REMAINS),
        (ExitCode.REMAINS, Stop.BUDGET, Kind.PERSON),
        (ExitCode.REMAINS, Stop.BREAKER, Kind.PERSON),
        (ExitCode.REMAINS, Stop.DISK, Kind.PERSON),
        (ExitCode.PERSON, Stop.FINISHED, Kind.PERSON),
        (ExitCode.ACCOUNT, Stop.ACCOUNT, Kind.ACCOUNT),
    ],
)
def test_what_a_code_means_to_people(code: ExitCode, stop: Stop, kind: Kind) -> None:
    """Work that remains needs a person only where it doesn't go on by itself."""
    assert kind_of(code, stop) is kind


def test_the_manifest_knows_the_kinds() -> None:
    """What `notify.on` may name is what there is."""
    assert {kind.value for kind in Kind} == set(KINDS) == {*DEFAULT_KINDS, "remains"}


def test_a_run_is_quiet_when_nothing_changed() -> None:
    """-q: silent after the same, a line after any change; -qq: only what people need to know."""
    moved = replace(QUIET, counts={**QUIET.counts, "done": 3, "running": 0})
    assert news.speaks(0, QUIET, before(QUIET))
    assert not news.speaks(1, QUIET, before(QUIET))
    assert news.speaks(1, moved, before(QUIET))
    assert news.speaks(1, QUIET, {})
    assert not news.speaks(2, moved, before(QUIET))
    for told in (DONE, FAILED, PERSON):
        assert news.speaks(2, told, before(QUIET))
        assert not news.speaks(2, told, before(told))


@pytest.mark.parametrize(
    ("told", "same"),
    [
        (replace(PERSON, counts={**PERSON.counts, "done": 2}, failed_set="1-b"), True),
        (replace(PERSON, uncertain_set="2-b"), False),
        (replace(PERSON, held_set="1-b"), False),
        (replace(PERSON, kind=Kind.FAILED), False),
    ],
)
def test_a_person_is_told_again_only_of_what_is_theirs(told: News, same: bool) -> None:
    """Other jobs that go on are no reason to repeat that somebody is needed."""
    assert (news.standing(told) == news.standing(PERSON)) is same


def test_a_batch_that_grew_and_is_done_again_is_news() -> None:
    """New entries that came home are told, though the batch was done before."""
    grown = replace(DONE, counts={**DONE.counts, "done": 9})
    assert news.standing(grown) != news.standing(DONE)


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(texts, st.integers(0, 10**9), st.integers(0, 10**15), st.floats(0, 4e9), st.floats(0, 1e6))
def test_the_metrics_are_read_by_prometheus(
    name: str, tasks: int, cost: int, began: float, took: float
) -> None:
    """Prometheus' own parser finds every number, and any name in its label."""
    told = replace(QUIET, name=name, paid=(tasks, cost), began=began, ended=began + took)
    families = list(text_string_to_metric_families(news.metrics(told)))
    assert all(family.documentation and family.type == "gauge" for family in families)
    found = {
        (sample.name, sample.labels.get("status")): sample.value
        for family in families
        for sample in family.samples
        if sample.labels["batch"] == name
    }
    assert found["runner_jobs", "done"] == 2
    assert found["runner_jobs", "running"] == 1
    assert found["runner_paid_tasks", None] == tasks
    assert found["runner_paid_cost", None] == pytest.approx(cost / 1e6)
    assert found["runner_last_run_timestamp_seconds", None] == pytest.approx(began + took)
    assert found["runner_last_run_exit_code", None] == 3
    assert len(found) == len(Status) + 7


def test_the_summary_says_what_happened() -> None:
    """The webhook's object has the outcome, the counts, the money and the troubles."""
    row = ("lamp-02", "failed", "SAFETY", "no")
    told = news.summary_json(replace(FAILED, problems=(row,)))
    assert (told["outcome"], told["exit_code"]) == ("failed", 1)
    assert told["counts"]["done"] == 3
    assert told["paid"] == {"tasks": 3, "cost": "0.96"}
    assert told["problems"] == [
        {"id": "lamp-02", "status": "failed", "code": "SAFETY", "message": "no"}
    ]
    assert told["ended_at"].endswith("+00:00")


def test_a_message_has_the_batch_and_the_outcome_in_its_title() -> None:
    """On a phone the title is all that is seen."""
    title, body = news.message(replace(PERSON, details=("lamp-01: uncertain",)))
    assert title == "lamps: a person is needed"
    assert body == f"{PERSON.line}\nlamp-01: uncertain"
