"""Logs moved into an archive: nothing that counts is different afterwards, and nothing is lost."""

from __future__ import annotations

import json
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner import policy
from runner.bookkeeping import commit
from runner.errors import StateError
from runner.events import (
    Accepted,
    Event,
    FileMissed,
    Forgotten,
    Lost,
    Refused,
    Renamed,
    Rendered,
    RenderFailed,
    RetryOrdered,
    Saved,
    SubmitStarted,
)
from runner.history import contradiction, spent_in
from runner.jobs import Entry, Job, Problem, Status, content_digest
from runner.ledger import Ledger, Origin, archive_logs, prunable
from runner.lifecycle import PAYABLE

PROBLEM = Problem("code", "words, ü", "request-1")
SENT = SubmitStarted({"promptText": "pan"}, 5)
TO_DONE = (
    SENT,
    Accepted("task"),
    Rendered("https://a.example/x.mp4", 3.0, 5.0),
    Saved("x", "a", 1),
)
STORIES: tuple[tuple[Event, ...], ...] = (
    (),
    (SENT,),
    (SENT, Lost(PROBLEM)),
    (SENT, Accepted("task")),
    (SENT, Refused(PROBLEM)),
    (SENT, Accepted("task"), RenderFailed(PROBLEM, 1.0, 2.0)),
    (SENT, Refused(PROBLEM), RetryOrdered(), *TO_DONE),
    TO_DONE,
    (*TO_DONE, Renamed("other", "")),
    (*TO_DONE, Forgotten()),
    (*TO_DONE, FileMissed(PROBLEM)),
)
GOING_ON: dict[Status, tuple[Event, ...]] = {
    Status.DONE: (FileMissed(PROBLEM), *TO_DONE[2:]),
    Status.FAILED: (RetryOrdered(), *TO_DONE),
}


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    """A state file of a provider, with a run begun."""
    with closing(Ledger.open(path)) as ledger:
        ledger.pin(Origin("cometapi", "https://api.example.com"))
        ledger.begin_run("run", "1", "batch.yaml", 1.0)
        yield ledger


def add(ledger: Ledger, id: str) -> Job:
    """A planned job."""
    body = {"promptText": f"of {id}"}
    return ledger.add(Entry(id, "", body, content_digest(body), 5, "batch.yaml", 1))


def live(ledger: Ledger, job: Job, story: tuple[Event, ...], at: float) -> float:
    """Let events happen to a job, a second each; returns when the last one did."""
    for event in story:
        job, at = commit(ledger, job, event, at), at + 1
    return at


def contradictions(ledger: Ledger) -> list[str]:
    """What `doctor` would say of rows and events."""
    logs: dict[int, list[tuple[str, Any, float]]] = defaultdict(list)
    for past in ledger.events():
        logs[past.job].append((past.event, past.detail, past.at))
    starts = {job.key: job for job, _ in ledger.archived()}
    spoilt = [
        f"{job.id}: is not what was archived" for job, sound in ledger.archived() if not sound
    ]
    found = (contradiction(job, logs[job.key], starts.get(job.key)) for job in ledger.jobs())
    return [*spoilt, *filter(None, found), *ledger.defects()]


def logged(ledger: Ledger) -> dict[tuple[int, int], str]:
    """The event log: job and number of each, and its name."""
    rows = ledger.connection.execute("SELECT job, seq, event FROM events")
    return {(job, seq): event for job, seq, event in rows}


def archived(archive: Path) -> dict[tuple[int, int], str]:
    """The same of an archive, however often a line is in it."""
    found = {}
    for line in archive.read_bytes().splitlines() if archive.exists() else ():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        found |= {(told["job"], each["seq"]): each["event"] for each in told.get("events", ())}
    return found


def what_counts(ledger: Ledger, before: float, renders: int) -> list[object]:
    """All that recognition, budgets, pacing and people go by."""
    paying = ledger.paying(before, PAYABLE)
    today = ((each.job, each.before, each.event, each.detail, each.at) for each in paying)
    return [
        ledger.jobs(),
        list(ledger.identities()),
        ledger.spent(),
        ledger.counts(),
        list(ledger.outputs()),
        spent_in(today),
        ledger.renders(renders),
        [at for at in ledger.submits(100) if at >= before],
        contradictions(ledger),
    ]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(STORIES), st.integers(0, 60)), max_size=8),
    st.integers(0, 70),
    st.integers(0, 3),
)
def test_nothing_that_counts_changes(
    stories: list[tuple[tuple[Event, ...], int]], before: int, renders: int
) -> None:
    """Whatever happened, and whatever happens next: rows, sums, replay and what is learnt from."""
    with tempfile.TemporaryDirectory() as folder:
        path, archive = Path(folder) / "batch.db", Path(folder) / "archive.jsonl"
        with opened(path) as ledger:
            for number, (story, at) in enumerate(stories):
                live(ledger, add(ledger, f"job-{number}"), story, at)
            told, counts = logged(ledger), what_counts(ledger, before, renders)
            found = prunable(ledger, before, renders)
            archive_logs(ledger, archive, before, 99.0)
            assert what_counts(ledger, before, renders) == counts
            assert counts[-1] == []
            left = logged(ledger)
            assert len(told) - len(left) == found.events
            assert left | archived(archive) == told
            kept = {job.key: job.status for job in ledger.jobs()}
            assert all(kept[job] in GOING_ON for job, _ in told.keys() - left.keys())
        with opened(path) as ledger:  # a log goes on, and is archived again
            for job in ledger.jobs():
                live(ledger, job, GOING_ON.get(job.status, ()), 100)
            assert contradictions(ledger) == []
            told = logged(ledger) | archived(archive)
            counts = what_counts(ledger, 1000, 0)
            prunable(ledger, 1000, 0)
            archive_logs(ledger, archive, 1000, 2000.0)
            assert what_counts(ledger, 1000, 0) == counts
            assert logged(ledger) | archived(archive) == told
            assert len({job for job, _ in logged(ledger)} & GOING_ON.keys()) <= 1


def test_numbers_of_events_are_never_given_twice(tmp_path: Path) -> None:
    """Else two events of the archive could have one number: the newest one stays."""
    with opened(tmp_path / "batch.db") as ledger:
        live(ledger, add(ledger, "lamp"), TO_DONE, 1)
        live(ledger, add(ledger, "vase"), TO_DONE, 9)
        prunable(ledger, 50, 0)
        archive_logs(ledger, tmp_path / "archive", 50, 99.0)
        assert {seq for _, seq in logged(ledger)} == {5, 6, 7, 8}


@pytest.mark.parametrize("change", ["attempts = 3", "body = '{}'", "status = 'planned'"])
def test_a_tampered_row_is_still_noticed(change: str, tmp_path: Path) -> None:
    """Without the log, and also after something more has happened to the job."""
    with opened(tmp_path / "batch.db") as ledger:
        live(ledger, add(ledger, "lamp"), (SENT, Refused(PROBLEM)), 1)
        live(ledger, add(ledger, "vase"), TO_DONE, 9)
        prunable(ledger, 50, 0)
        archive_logs(ledger, tmp_path / "archive", 50, 99.0)
        assert contradictions(ledger) == []
        ledger.connection.execute(f"UPDATE jobs SET {change} WHERE key = 1")
        assert contradictions(ledger) == ["lamp: is not what was archived"]
        live(ledger, ledger.job(1), (Renamed("new", ""),), 100)
        assert contradictions(ledger) != []


def test_what_is_not_archived_cannot_be_deleted(tmp_path: Path) -> None:
    """The trigger lets only those events go whose end is on record."""
    with opened(tmp_path / "batch.db") as ledger:
        job = add(ledger, "lamp")
        live(ledger, job, TO_DONE, 1)
        ledger.connection.execute("INSERT INTO archived VALUES (?, 3, '', '')", [job.key])
        ledger.connection.execute("DELETE FROM events WHERE seq <= 3")
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            ledger.connection.execute("DELETE FROM events")


def test_the_archive_is_private_and_holds_all(tmp_path: Path) -> None:
    """Mode 0600; after its head a line a job with request, end and events, and one a run."""
    archive = tmp_path / "archive.jsonl"
    archive.touch(0o600)
    archive.write_text('{"cut')
    with opened(tmp_path / "batch.db") as ledger:
        ledger.begin_run("tick", "1", "batch.yaml", 2.0)
        live(ledger, add(ledger, "lamp"), TO_DONE, 1)
        live(ledger, add(ledger, "vase"), TO_DONE, 9)
        assert prunable(ledger, 50, 0).runs == 1
        archive_logs(ledger, archive, 50, 99.0)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    torn, *lines = archive.read_text().splitlines()
    head, job, run = map(json.loads, lines)
    assert torn == '{"cut'
    assert head["provider"] == "cometapi"
    assert job["state"]["body"] == {"promptText": "pan"}
    assert job["state"]["task_id"] == "task"
    assert [each["event"] for each in job["events"]] == [type(each).__name__ for each in TO_DONE]
    assert run["command"] == "run"


def test_an_archive_that_cannot_be_written_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk it is as long as before, and the state file whole."""
    archive = tmp_path / "archive.jsonl"
    archive.write_text("before\n")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with opened(tmp_path / "batch.db") as ledger:
        live(ledger, add(ledger, "lamp"), TO_DONE, 1)
        live(ledger, add(ledger, "vase"), TO_DONE, 9)
        told = logged(ledger)
        prunable(ledger, 50, 0)
        with monkeypatch.context() as disk:
            disk.setattr("os.fsync", full)
            with pytest.raises(StateError, match="No space left"):
                archive_logs(ledger, archive, 50, 99.0)
        assert logged(ledger) == told
        assert list(ledger.archived()) == []
    assert archive.read_text() == "before\n"


KILLED = """
import os, signal, sys
from pathlib import Path
from runner.ledger import Ledger, archive_logs, prunable
ledger = Ledger.open(Path(sys.argv[1]))
prunable(ledger, 50, 0)
begun = type(ledger).together
def together(self):
    if sys.argv[3] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    self.connection.set_trace_callback(
        lambda text: text == "COMMIT" and os.kill(os.getpid(), signal.SIGKILL)
    )
    return begun(self)
type(ledger).together = together
archive_logs(ledger, Path(sys.argv[2]), 50, 99.0)
"""


@pytest.mark.parametrize("moment", ["before", "at the commit"])
def test_killed_between_archive_and_deletion(moment: str, tmp_path: Path) -> None:
    """Nothing is lost: at worst the lines are in the archive twice, which changes nothing."""
    path, archive = tmp_path / "batch.db", tmp_path / "archive.jsonl"
    with opened(path) as ledger:
        live(ledger, add(ledger, "lamp"), TO_DONE, 1)
        live(ledger, add(ledger, "vase"), TO_DONE, 9)
        told = logged(ledger)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(archive), moment], check=False
    )
    assert done.returncode == -9
    with opened(path) as ledger:
        assert logged(ledger) == told
        assert contradictions(ledger) == []
        prunable(ledger, 50, 0)
        archive_logs(ledger, archive, 50, 99.0)
        assert len(logged(ledger)) == 4
        assert logged(ledger) | archived(archive) == told
    assert archive.read_text().count('"task_id": "task"') > archive.read_text().count('"job": 2')


def test_a_day_is_never_cut(tmp_path: Path) -> None:
    """What the command takes at least leaves today and the longest rate alone."""
    from runner.commands.prune import prune

    (option,) = (each for each in prune.params if each.name == "older_than")
    assert option.type.convert("1d", None, None) == policy.DAY
    with pytest.raises(Exception, match="too short"):
        option.type.convert("23h", None, None)
