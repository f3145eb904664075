"""`runner log`: every event in words, from the state file and from its archives, each once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from test_policy import ONE_OF_EACH

from runner.bookkeeping import commit
from runner.commands.log import log
from runner.errors import ConfigurationError
from runner.events import Accepted, Event, Forgotten, Lost, Rendered, Saved, SubmitStarted
from runner.jobs import Entry, Job, Problem, Status, content_digest
from runner.ledger import Ledger, Origin, archive_logs, archive_of, archives_of, logs_of, prunable
from runner.ledger.rows import detail_of
from runner.lifecycle import TRANSITIONS
from runner.story import Past, spell, story, told

IMAGE = "https://a.example/x.jpg"
HOME: tuple[Event, ...] = (
    SubmitStarted({"promptText": "pan"}, 320_000),
    Accepted("task-1"),
    Rendered("https://a.example/x.mp4", 3.0, 5.0),
    Saved("lamp.mp4", "a", 1200),
)


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    """A state file with a run begun."""
    with closing(Ledger.open(path)) as ledger:
        ledger.pin(Origin("cometapi", "https://api.example.com"))
        ledger.begin_run("run", "1", "batch.yaml", 1.0)
        yield ledger


def live(ledger: Ledger, id: str, story: tuple[Event, ...], at: float) -> Job:
    """A job to which these events happen, a second each."""
    body = {"promptText": f"of {id}"}
    job = ledger.add(Entry(id, "", body, content_digest(body), 5, "batch.yaml", 1))
    for number, event in enumerate(story):
        job = commit(ledger, job, event, at + number)
    return job


def archived(path: Path) -> Job:
    """A state file with one job whose log was archived, and a newer one's that was not."""
    with opened(path) as ledger:
        lamp = live(ledger, "lamp", HOME, 1)
        live(ledger, "vase", HOME, 90)
        prunable(ledger, 50, 0)
        archive_logs(ledger, archive_of(path, 99.0), 50, 99.0)
    return lamp


def test_a_log_goes_on_from_the_archive(tmp_path: Path) -> None:
    """Archive and state file are one log, past torn lines and lines that are there twice."""
    path = tmp_path / "batch.db"
    lamp = archived(path)
    (archive,) = archives_of(path)
    lines = archive.read_bytes()
    archive.write_bytes(lines[:-40] + b"\n" + lines)
    with opened(path) as ledger:
        commit(ledger, ledger.job(lamp.key), Forgotten(), 120.0)
        found = logs_of(ledger, {1, 2})
    names = [type(event).__name__ for event in HOME]
    assert [past.event for past in found[1].events] == [*names, "Forgotten"]
    assert [past.event for past in found[2].events] == names
    assert found[1].whole


def test_an_archive_that_is_gone_or_strange(tmp_path: Path) -> None:
    """What is not there is said to be missing; another state file's archive is not read."""
    path = tmp_path / "batch.db"
    archived(path)
    (archive,) = archives_of(path)
    with opened(tmp_path / "other.db") as ledger:
        live(ledger, "chair", HOME[:2], 1)
        (tmp_path / "other-archive-1970.jsonl").write_bytes(archive.read_bytes())
        assert len(logs_of(ledger, {1})[1].events) == 2
    archive.unlink()
    with opened(path) as ledger:
        found = logs_of(ledger, {1, 2})
    assert (found[1].events, found[1].whole, found[2].whole) == ((), False, True)


def test_a_story_in_words() -> None:
    """When, how long after, and what; what is said again and again is one line."""
    rows: list[tuple[float, str, str, str, dict[str, Any]]] = [
        (0, "SubmitStarted", "planned", "submitting", {"body": {}, "cost": 320_000}),
        (2, "Accepted", "submitting", "running", {"task_id": "t-1", "request_id": "r"}),
        (10, "StillRunning", "running", "running", {"remote_status": "RUNNING"}),
        (70, "StillRunning", "running", "running", {"remote_status": "RUNNING"}),
        (200, "Saved", "rendered", "done", {"output": "x\x1b.mp4", "sha256": "a", "size": 1200}),
        (201, "FromTheFuture", "done", "done", {}),
    ]
    log = [Past(at, name, _status(old), _status(new), more) for at, name, old, new, more in rows]
    assert story(told(log), lambda at: datetime.fromtimestamp(at, UTC)) == [
        "1970-01-01 00:00:00               order on its way, for 0.32",
        "1970-01-01 00:00:02         +2 s  accepted and charged: task t-1 (request r)",
        "1970-01-01 00:00:10         +8 s  not ready yet: running (2 times in 1 min)",
        "1970-01-01 00:03:20  +2 min 10 s  video on disk: x\ufffd.mp4 (1,200 bytes)",
        "1970-01-01 00:03:21         +1 s  FromTheFuture",
    ]


def _contents() -> dict[str, bytes]:
    """Every file of the state folder but SQLite's own index, in which readers leave their marks."""
    files = (each for each in Path("state").iterdir() if not each.name.endswith("-shm"))
    return {each.name: each.read_bytes() for each in files}


def _status(name: str) -> Any:
    return Status(name)


def test_every_event_has_words() -> None:
    """No event is told by its bare name, and a trouble says the provider's words too."""
    for (before, kind), after in TRANSITIONS.items():
        event = next(each for each in ONE_OF_EACH if type(each) is kind)
        (line,) = told([Past(0.0, kind.__name__, before, after, detail_of(event))])
        assert line.words != kind.__name__


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0 s"),
        (0.25, "0.2 s"),
        (59, "59 s"),
        (3600, "1 h"),
        (90_061, "1 d 1 h"),
        (86_405, "1 d"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """Two units at most, and never less than nothing."""
    assert spell(seconds) == words


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids of manifest and state file, forgotten ones too; no lock, no key, nothing written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COMETAPI_KEY", raising=False)
    Path("batch.yaml").write_text(
        f"version: 1\njobs:\n  - {{id: new, image: {IMAGE}, prompt: p}}\n"
    )

    def say(*words: str) -> Any:
        return CliRunner().invoke(log, ["batch.yaml", *words], catch_exceptions=True)

    assert "nothing has happened" in say("new").output
    assert not Path("state").exists()
    lamp = archived(Path("state/batch.db"))
    with opened(Path("state/batch.db")) as ledger:
        commit(ledger, ledger.job(lamp.key), Forgotten(), 120.0)
        live(ledger, "cup", (HOME[0], Lost(Problem("no_answer", "cut", "r-9"))), 5)
        before = _contents()
        shown = say("lamp", "cup", "new").output
        assert _contents() == before
    assert "lamp: done, forgotten" in shown
    assert "accepted and charged: task task-1" in shown
    assert "answer lost: " in shown
    assert "[no_answer: cut (request r-9)]" in shown
    (job,) = json.loads(say("lamp", "--json").output)["jobs"]
    assert (job["id"], job["status"], job["forgotten"], job["whole"]) == (
        "lamp",
        "done",
        True,
        True,
    )
    assert [each["event"] for each in job["events"]][-1] == "Forgotten"
    refused = say("lmap", "new").exception
    assert isinstance(refused, ConfigurationError)
    assert "lmap is not in the manifest or the state file; did you mean lamp?" in str(refused)
