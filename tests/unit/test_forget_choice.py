"""Which jobs may be forgotten, and what is said of the others."""

from __future__ import annotations

import pytest

from runner.commands.forget import choose
from runner.errors import ConfigurationError
from runner.jobs import Entry, Status
from runner.overview import Action, Line

ENTRY = Entry("lamp", "", {}, "d", 5, "batch.yaml", 1)


def line(status: Status, *, listed: bool, action: Action = Action.SKIP, id: str = "lamp") -> Line:
    """A job as it is shown, in the manifest or not."""
    return Line(id, status, action, ENTRY if listed else None, None)


@pytest.mark.parametrize("status", [Status.DONE, Status.FAILED, Status.PLANNED])
def test_what_is_gone_and_at_rest_may_go(status: Status) -> None:
    """Also beside an entry of the same id, which stays."""
    gone = line(status, listed=False)
    lines = [line(Status.DONE, listed=True), gone]
    assert choose(["lamp", "lamp"], lines, buy_again=False) == [gone]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.RUNNING, "`runner run` brings it home"),
        (Status.RENDERED, "`runner run` brings it home"),
        (Status.UNCERTAIN, "`runner resolve`"),
        (Status.SUBMITTING, "`runner resolve`"),
    ],
)
@pytest.mark.parametrize("buy_again", [False, True])
def test_what_was_paid_for_and_is_not_home_stays(
    status: Status, words: str, buy_again: bool
) -> None:
    """Neither lost from sight nor bought a second time."""
    with pytest.raises(ConfigurationError, match=words):
        choose(["lamp"], [line(status, listed=buy_again)], buy_again=buy_again)


def test_only_what_is_done_is_bought_again() -> None:
    """For everything else there is another command, and it is named; all at once."""
    done = line(Status.DONE, listed=True)
    assert choose(["lamp"], [done], buy_again=True) == [done]
    lines = [
        line(Status.FAILED, listed=True, id="a"),
        line(Status.PLANNED, listed=True, id="b"),
        line(Status.DONE, listed=True, action=Action.HELD, id="c"),
        line(Status.DONE, listed=False, id="d"),
        done,
    ]
    with pytest.raises(ConfigurationError) as refused:
        choose(["a", "b", "c", "d", "lamp"], lines, buy_again=True)
    assert [words.partition(":")[0] for words in str(refused.value).splitlines()] == [
        "a failed",
        "b is bought by the next run anyway",
        "c is held",
        "d is not in the manifest any more, so it can't be bought",
    ]


def test_an_entry_of_the_manifest_is_not_forgotten() -> None:
    """It would be recognised again at once."""
    with pytest.raises(ConfigurationError, match="delete its entry"):
        choose(["lamp"], [line(Status.DONE, listed=True)], buy_again=False)
