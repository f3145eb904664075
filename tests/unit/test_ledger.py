"""The state file: private, pinned, append-only, and never behind what was paid for."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database, Migrations

import runner
from runner import lifecycle
from runner.bookkeeping import commit
from runner.errors import ExitCode, LockedError, StateError, StateWriteError
from runner.events import (
    Abandoned,
    Accepted,
    AccountRefused,
    Adopted,
    ConfirmedUnpaid,
    Edited,
    Event,
    FetchFailed,
    FileMissed,
    Forgotten,
    FoundRemote,
    GaveUp,
    Invisible,
    LinkExpired,
    Lost,
    NotSent,
    PollFailed,
    Refused,
    Renamed,
    Rendered,
    RenderFailed,
    Repriced,
    RetryOrdered,
    RiskAccepted,
    Saved,
    StillRunning,
    SubmitStarted,
    Throttled,
    Unserved,
    WrongAddress,
)
from runner.jobs import Body, Entry, Job, Problem, Status, content_digest
from runner.ledger import Ledger, Origin, PastEvent, Rescued, StateLock, is_locked
from runner.ledger import ledger as module
from runner.ledger.migrations import migrations

HERE = Origin("cometapi", "https://api.cometapi.com")
PROBLEM = Problem("code", "words", "request-1")
BODY: Body = {"promptImage": "https://a.example/x.jpg", "model": "gen4_turbo", "duration": 5}
SIGNED = "https://films.example/x.mp4?signature=SECRET"


def entry(id: str, cost: int | None = 5) -> Entry:
    """An entry with a picture of its own."""
    body = {**BODY, "promptImage": f"https://a.example/{id}.jpg"}
    return Entry(id, "", body, content_digest(body), cost, "test.yaml", 1)


@contextmanager
def opened(path: Path) -> Iterator[Ledger]:
    """The state file, open for writing."""
    with closing(Ledger.open(path)) as ledger:
        yield ledger


def read(path: Path) -> Ledger:
    """Open for reading what is certainly there."""
    ledger = Ledger.read(path)
    assert ledger is not None
    return ledger


def mirror(
    ledger: Ledger,
    changes: list[tuple[Job, Event, Job]],
    new: list[Entry],
    order: dict[str, int],
    removed: list[Job],
    at: float,
) -> None:
    """Mirror a manifest in which these ids have these places."""
    gone = {job.key for job in removed}
    moves = [(job.key, order[job.id]) for job in ledger.jobs() if job.key not in gone]
    ledger.mirror(changes, [(order[each.id], each) for each in new], moves, gone, at)


def add(ledger: Ledger, *ids: str) -> list[Job]:
    """New jobs in this order."""
    order = {id: place for place, id in enumerate(ids)}
    mirror(ledger, [], [entry(id) for id in ids], order, [], 1.0)
    return ledger.jobs()


def drive(ledger: Ledger, job: Job, *events: Event, at: float = 2.0) -> Job:
    """Commit these events one after the other."""
    for event in events:
        job = commit(ledger, job, event, at)
    return job


STARTED = SubmitStarted(BODY, 5)
TO_DONE: tuple[Event, ...] = (
    STARTED,
    Accepted("task-1", "request-1"),
    Rendered(SIGNED),
    Saved("out/x.mp4", "ab", 3),
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is."""
    return tmp_path / "state" / "batch.db"


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


# ---------------------------------------------------------------- who may read it, whose it is


def test_only_the_owner_may_read_it(path: Path) -> None:
    """The state file, what SQLite puts beside it, and the lock: mode 0600, whatever the umask."""
    path.parent.mkdir()
    before = os.umask(0)
    try:
        with StateLock(path), opened(path) as ledger:
            add(ledger, "lamp")
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    finally:
        os.umask(before)
    names = {"batch.db", "batch.db-wal", "batch.db-shm", "batch.db.lock", "batch.db.rescue"}
    assert modes == dict.fromkeys(names, 0o600)


def test_it_belongs_to_one_provider(path: Path) -> None:
    """Pinned once, to the address too; another is refused with both named, and nothing changes."""
    with opened(path) as ledger:
        assert ledger.origin() is None
        ledger.pin(HERE)
        ledger.pin(HERE)
        drive(ledger, add(ledger, "a")[0], STARTED, Accepted("task-1"))
    for other in (replace(HERE, provider="runway"), replace(HERE, base_url="https://b.example")):
        with opened(path) as ledger:
            with pytest.raises(StateError) as caught:
                ledger.pin(other)
            assert str(HERE) in str(caught.value)
            assert str(other) in str(caught.value)
            assert ledger.origin() == HERE
            assert ledger._db.execute("SELECT count(*) FROM origin").fetchone() == (1,)


FREE = (NotSent, Throttled, Unserved, Refused, AccountRefused, WrongAddress)


@pytest.mark.parametrize("kind", FREE)
def test_a_wrong_address_binds_nobody(path: Path, kind: Callable[[Problem], Event]) -> None:
    """A file whose submits all ended without a charge belongs to the next provider."""
    with opened(path) as ledger:
        ledger.pin(replace(HERE, base_url="https://wrong.example"), lifecycle.FREE)
        drive(ledger, add(ledger, "a")[0], STARTED, kind(PROBLEM))
        ledger.pin(HERE, lifecycle.FREE)
        assert ledger.origin() == HERE


@pytest.mark.parametrize(
    "story", [(STARTED,), (STARTED, Lost(PROBLEM)), (STARTED, Lost(PROBLEM), ConfirmedUnpaid())]
)
def test_a_doubt_binds_to_its_provider(path: Path, story: tuple[Event, ...]) -> None:
    """Where a charge was ever possible, another provider is refused."""
    with opened(path) as ledger:
        ledger.pin(HERE, lifecycle.FREE)
        drive(ledger, add(ledger, "a")[0], *story)
        with pytest.raises(StateError):
            ledger.pin(replace(HERE, base_url="https://b.example"), lifecycle.FREE)


def test_a_rescued_id_binds_to_its_provider(path: Path) -> None:
    """An id that is only beside the file is an id."""
    with opened(path) as ledger:
        ledger.pin(HERE, lifecycle.FREE)
        assert ledger._rescue
        ledger._rescue.save(add(ledger, "a")[0], "task-1")
        with pytest.raises(StateError):
            ledger.pin(replace(HERE, base_url="https://b.example"), lifecycle.FREE)


# ---------------------------------------------------------------- files that are not ours to use

OPENERS: list[Callable[[Path], Ledger]] = [Ledger.open, read]


@pytest.mark.parametrize("journal", ["wal", "delete"])
@pytest.mark.parametrize("use", OPENERS)
def test_a_newer_file_is_left_as_it_is(
    use: Callable[[Path], Ledger], journal: str, path: Path
) -> None:
    """Not one byte is changed in what a newer version wrote; the error says what to do."""
    with opened(path) as ledger:
        add(ledger, "lamp")
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO _sqlite_migrations VALUES (NULL, 'runner', 'm999_more', 'now')")
        db.commit()
        db.execute(f"PRAGMA journal_mode={journal}")
    before = path.read_bytes()
    with pytest.raises(StateError, match=r"newer version of runner \(m999_more\)"):
        use(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("table", ["photos", "jobs"])
@pytest.mark.parametrize("use", OPENERS)
def test_another_programs_database_is_left_as_it_is(
    use: Callable[[Path], Ledger], table: str, tmp_path: Path
) -> None:
    """A mistyped --state adds no tables to somebody's data."""
    path = tmp_path / "photos.db"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"CREATE TABLE {table} (a)")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(StateError, match="another program"):
        use(path)
    assert path.read_bytes() == before


def test_a_start_cut_short_is_taken_up(path: Path) -> None:
    """A file without tables, or with an empty list of migrations, is a new one."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TABLE _sqlite_migrations "
            "(id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT)"
        )
        db.commit()
    assert Ledger.read(path) is None
    with opened(path) as ledger:
        assert [job.id for job in add(ledger, "lamp")] == ["lamp"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a state file with something in it."""
    path = tmp_path_factory.mktemp("whole") / "batch.db"
    with opened(path) as ledger:
        for job in add(ledger, *(f"lamp-{place}" for place in range(30))):
            drive(ledger, job, *TO_DONE)
    return path.read_bytes()


def damage(kind: str, whole: bytes, path: Path) -> None:
    """Put something at the path that is no state file, or one no more."""
    if kind == "folder":
        path.mkdir(parents=True)
        return
    path.parent.mkdir()
    path.write_bytes(
        {
            "random": random.Random(1).randbytes(20_000),
            "text": b"jobs:\n- image: x\n",
            "half": whole[: len(whole) // 2],
            "header only": whole[:100],
            "ten bytes": whole[:10],
            "overwritten": whole[:1024] + random.Random(2).randbytes(len(whole) - 1024),
        }[kind]
    )


DAMAGES = ["random", "text", "half", "header only", "ten bytes", "overwritten", "folder"]


@pytest.mark.parametrize("use", OPENERS)
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_file_is_an_error_for_people(
    kind: str, use: Callable[[Path], Ledger], whole: bytes, path: Path
) -> None:
    """Whatever stands there: `StateError` with the path, when it is opened or when it is read."""
    damage(kind, whole, path)

    def use_it_all() -> None:
        with closing(use(path)) as ledger:
            ledger.jobs()
            ledger.events()
            ledger.spent()

    with pytest.raises(StateError, match=r"batch\.db"):
        use_it_all()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "bogus"),
        ("body", "{"),
        ("body", b"\xff\xfe"),
    ],
)
def test_a_row_that_cannot_be_read_is_an_error_for_people(
    column: str, value: object, path: Path
) -> None:
    """A row edited by hand beyond recognition is named as the state file's trouble."""
    with opened(path) as ledger:
        add(ledger, "lamp")
        ledger._db.conn.execute(f"UPDATE jobs SET {column} = ?", [value])
        with pytest.raises(StateError, match=r"batch\.db"):
            ledger.jobs()
        if column != "status":
            with pytest.raises(StateError, match=r"batch\.db"):
                ledger.next_planned()


@pytest.mark.parametrize("change", [{"output": "\udcff.mp4"}, {"size": 2**70}])
def test_a_value_that_cannot_be_stored_is_an_error_for_people(
    change: dict[str, Any], path: Path
) -> None:
    """Nothing of the event is stored then, neither row nor log."""
    with opened(path) as ledger:
        job = drive(ledger, add(ledger, "lamp")[0], *TO_DONE[:3])
        event = replace(TO_DONE[3], **change)
        with pytest.raises(StateError):
            commit(ledger, job, event, 3.0)
        assert ledger.jobs() == [job]
        assert len(ledger.events()) == 3


@pytest.mark.parametrize("use", OPENERS)
def test_a_path_that_cannot_be_is_an_error_for_people(
    use: Callable[[Path], Ledger], tmp_path: Path
) -> None:
    """A name too long for the file system is one of the operator's errors."""
    with pytest.raises(StateError):
        use(tmp_path / ("x" * 300))


def test_a_folder_that_is_a_file_is_an_error_for_people(tmp_path: Path) -> None:
    """So is a file where the folder should be."""
    (tmp_path / "state").write_text("mine")
    with pytest.raises(StateError):
        Ledger.open(tmp_path / "state" / "batch.db")
    with pytest.raises(StateError):
        StateLock(tmp_path / "state" / "batch.db")
    assert Ledger.read(tmp_path / "state" / "batch.db") is None


# ---------------------------------------------------------------- reading beside a writer


def test_reading_makes_no_file(tmp_path: Path) -> None:
    """Where there is no state file, looking makes neither one nor its folder."""
    assert Ledger.read(tmp_path / "state" / "batch.db") is None
    assert Ledger.read(tmp_path / "batch.db") is None
    assert list(tmp_path.iterdir()) == []


def test_a_reader_sees_what_is_committed(path: Path) -> None:
    """While a writer works: every committed event at once, and nothing of an open transaction."""
    with opened(path) as ledger:
        job = drive(ledger, add(ledger, "lamp")[0], STARTED)
        with closing(read(path)) as reader:
            assert reader.jobs() == [job]
            after = drive(ledger, job, Accepted("task-1"))
            assert reader.jobs() == [after]
            with ledger._transaction():
                after_that = lifecycle.apply(after, Rendered(SIGNED), 3)
                ledger._write(after, Rendered(SIGNED), after_that, 3)
                assert ledger.jobs() != [after]
                assert reader.jobs() == [after]
            assert reader.jobs()[0].status is Status.RENDERED


def test_a_reader_cannot_write(path: Path) -> None:
    """Open for reading means it."""
    with opened(path) as ledger:
        (job,) = add(ledger, "lamp")
    with closing(read(path)) as reader:
        with pytest.raises(StateError, match="readonly"):
            commit(reader, job, STARTED, 2.0)
        with pytest.raises(StateError, match="readonly"):
            reader.pin(HERE)
    with closing(read(path)) as reader:
        assert reader.jobs() == [job]


# ---------------------------------------------------------------- events and rows


def test_events_are_append_only(path: Path) -> None:
    """Not even by hand is the past changed or deleted by mistake."""
    with opened(path) as ledger:
        drive(ledger, add(ledger, "lamp")[0], STARTED)
        for statement in (
            "UPDATE events SET at = 0",
            "UPDATE OR REPLACE events SET seq = seq + 1",
            "DELETE FROM events",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                ledger._db.conn.execute(statement)
        assert [event.event for event in ledger.events()] == ["SubmitStarted"]


def test_a_stale_row_is_not_written(path: Path) -> None:
    """Who decided on an old state of a job does not overwrite what happened since."""
    with opened(path) as ledger:
        (old,) = add(ledger, "lamp")
        now = drive(ledger, old, STARTED, Accepted("task-1"))
        with pytest.raises(StateError, match="lamp is stale"):
            commit(ledger, old, STARTED, 3.0)
        with pytest.raises(StateError, match="stale"):
            ledger.record(replace(now, key=99), Rendered(SIGNED), replace(now, key=99), 3.0)
        assert ledger.jobs() == [now]
        assert [event.event for event in ledger.events()] == ["SubmitStarted", "Accepted"]


def test_an_event_and_its_row_are_one(path: Path) -> None:
    """When one of the two can't be stored, neither is."""
    with opened(path) as ledger:
        (job,) = add(ledger, "lamp")
        ledger._db.conn.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON events "
            "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        with pytest.raises(StateError, match="disk full"):
            commit(ledger, job, STARTED, 2.0)
        assert ledger.jobs() == [job]
        assert ledger.events() == []


def test_history_is_kept_with_its_run(path: Path) -> None:
    """Oldest first, of one job or of all, with the event's own fields and the run's number."""
    with opened(path) as ledger:
        first, second = add(ledger, "a", "b")
        ledger.begin_run("run", "1.0", "test.yaml", 2.0)
        drive(ledger, first, STARTED, Lost(PROBLEM))
        ledger.end_run("finished", 4, 3.0)
        ledger.begin_run("resolve", "1.0", "test.yaml", 4.0)
        drive(ledger, second, STARTED, at=5.0)
        assert ledger.events(first) == [
            PastEvent(
                first.key,
                2.0,
                "SubmitStarted",
                Status.PLANNED,
                Status.SUBMITTING,
                {"body": BODY, "cost": 5},
            ),
            PastEvent(
                first.key,
                2.0,
                "Lost",
                Status.SUBMITTING,
                Status.UNCERTAIN,
                {"problem": {"code": "code", "message": "words", "request_id": "request-1"}},
            ),
        ]
        assert [event.job for event in ledger.events()] == [first.key, first.key, second.key]
        runs = ledger._db.execute("SELECT run FROM events ORDER BY seq").fetchall()
        assert runs == [(1,), (1,), (2,)]
        rows = ledger._db.execute(
            "SELECT command, pid, ended_at, reason, exit_code FROM runs ORDER BY run"
        ).fetchall()
    assert rows == [
        ("run", os.getpid(), 3.0, "finished", 4),
        ("resolve", os.getpid(), None, None, None),
    ]


def test_no_signature_outlives_its_use(path: Path) -> None:
    """The log never holds a link's query, and the row only until the video is home."""
    with opened(path) as ledger:
        job = drive(ledger, add(ledger, "lamp")[0], *TO_DONE[:3])
        assert job.url == SIGNED
        assert ledger.jobs() == [job]
        assert ledger.events()[-1].detail["url"] == "https://films.example/x.mp4"
        drive(ledger, job, TO_DONE[3])
        for table in ("jobs", "events", "runs", "origin"):
            rows = ledger._db.execute(f"SELECT * FROM {table}").fetchall()
            assert "SECRET" not in str(rows)


def test_what_was_spent_is_summed(path: Path) -> None:
    """Everything paid or in doubt counts; what was given back does not."""
    with opened(path) as ledger:
        assert ledger.spent() == (0, 0)
        done, lost, refused, _ = add(ledger, "a", "b", "c", "d")
        drive(ledger, done, *TO_DONE)
        drive(ledger, lost, SubmitStarted(BODY, 7), Lost(PROBLEM))
        drive(ledger, refused, STARTED, Refused(PROBLEM))
        assert ledger.spent() == (2, 12)


def test_a_task_belongs_to_one_job(path: Path) -> None:
    """Whether a task's id is known already can be asked; no id is nobody's."""
    with opened(path) as ledger:
        assert not ledger.knows("task-1")
        drive(ledger, add(ledger, "lamp")[0], *TO_DONE)
        assert ledger.knows("task-1")
        assert not ledger.knows("task-2")


def test_jobs_are_found_by_status(path: Path) -> None:
    """Any set of statuses, oldest first; the empty set finds nobody."""
    with opened(path) as ledger:
        first, second, third = add(ledger, "a", "b", "c")
        second = drive(ledger, second, STARTED)
        assert ledger.jobs() == [first, second, third]
        assert ledger.jobs({Status.PLANNED}) == [first, third]
        assert ledger.jobs({Status.SUBMITTING, Status.DONE}) == [second]
        assert ledger.jobs(frozenset()) == []


def test_a_still_reader_sees_one_moment(path: Path) -> None:
    """However often it looks, and whatever is written meanwhile; afterwards it sees all."""
    with opened(path) as ledger, closing(read(path)) as reader:
        (job,) = add(ledger, "lamp")
        with reader.still():
            assert [each.status for each in reader.identities()] == [Status.PLANNED]
            drive(ledger, job, *TO_DONE)
            assert [each.status for each in reader.identities()] == [Status.PLANNED]
            assert (reader.counts()["planned"], list(reader.outputs())) == (1, [])
        assert (reader.counts()["done"], reader.total()) == (1, 1)
        assert list(reader.outputs()) == [reader.job(job.key).output]


def test_the_light_part_of_a_row_is_that_of_the_whole(path: Path) -> None:
    """Newest first, with the place in the manifest."""
    with opened(path) as ledger:
        jobs = add(ledger, "a", "b")
        light = list(ledger.identities())
        assert [(each.key, each.id, each.position) for each in light] == [
            (jobs[1].key, "b", 1),
            (jobs[0].key, "a", 0),
        ]
        for each in light:
            job = ledger.job(each.key)
            shared = [name for name in each._fields if name != "position"]
            assert all(getattr(job, name) == getattr(each, name) for name in shared)
        assert ledger.owner("") is None


# ---------------------------------------------------------------- mirror


def test_new_entries_wait_in_the_manifests_order(path: Path) -> None:
    """Not in the order in which they became known."""
    with opened(path) as ledger:
        add(ledger, "a", "b")
        mirror(ledger, [], [entry("c"), entry("d")], {"d": 0, "b": 1, "c": 2, "a": 3}, [], 2.0)
        seen = []
        while job := ledger.next_planned():
            seen.append(job.id)
            drive(ledger, job, STARTED)
        assert seen == ["d", "b", "c", "a"]
        assert [job.id for job in ledger.jobs()] == ["a", "b", "c", "d"]


def test_a_new_job_is_what_was_asked(path: Path) -> None:
    """Body, content, cost and id of the entry; nothing attempted, and no event yet."""
    asked = Entry("lamp", "la", {**BODY, "watermark": False, "seed": 7}, "digest", None, "f", 1)
    with opened(path) as ledger:
        mirror(ledger, [], [asked], {"lamp": 0}, [], 1.0)
        (job,) = ledger.jobs()
        assert job == Job(job.key, "lamp", "la", "digest", asked.body)
        assert isinstance(job.body["watermark"], bool)
        assert ledger.events() == []


def test_an_edit_is_an_event(path: Path) -> None:
    """What the manifest asks now counts, and what it asked before can be read in the log."""
    with opened(path) as ledger:
        (job,) = add(ledger, "lamp")
        event = Edited("lamp", "", {**BODY, "duration": 10}, 9)
        after = lifecycle.apply(job, event, 2.0)
        mirror(ledger, [(job, event, after)], [], {"lamp": 0}, [], 2.0)
        assert ledger.jobs() == [after]
        assert (after.body["duration"], after.cost) == (10, 9)
        (past,) = ledger.events()
        assert (past.event, past.detail["cost"]) == ("Edited", 9)


def test_a_removed_job_leaves_or_stays(path: Path) -> None:
    """Without a history it leaves no trace; attempted, its record stays and is not bought again."""
    with opened(path) as ledger:
        _, tried, done, kept = add(ledger, "untouched", "tried", "done", "kept")
        tried = drive(ledger, tried, STARTED, NotSent(PROBLEM))
        done = drive(ledger, done, *TO_DONE)
        removed = [job for job in ledger.jobs() if job.id != "kept"]
        mirror(ledger, [], [], {"kept": 0}, removed, 3.0)
        assert ledger.jobs() == [tried, done, kept]
        assert ledger.next_planned() == kept
        drive(ledger, kept, STARTED)
        assert ledger.next_planned() is None
        mirror(ledger, [], [], {"tried": 0, "kept": 1}, [done], 4.0)
        assert ledger.next_planned() == tried


def test_a_deleted_jobs_past_is_not_inherited(path: Path) -> None:
    """A key that is free again never has events of another job."""
    with opened(path) as ledger:
        first, second = add(ledger, "a", "b")
        drive(ledger, first, STARTED)
        mirror(ledger, [], [], {"a": 0}, [second], 2.0)
        mirror(ledger, [], [entry("c")], {"a": 0, "c": 1}, [], 3.0)
        new = ledger.jobs()[-1]
        assert (new.id, ledger.events(new)) == ("c", [])


def test_a_manifest_is_mirrored_whole_or_not(path: Path) -> None:
    """A stale edit in the middle undoes all that came before it."""
    with opened(path) as ledger:
        first, second = add(ledger, "a", "b")
        drive(ledger, second, STARTED)
        changes = []
        for job in (first, second):
            event = Edited(job.id, "", {**BODY, "duration": 10}, 9)
            changes.append((job, event, lifecycle.apply(job, event, 2.0)))
        before = (ledger.jobs(), ledger.events())
        with pytest.raises(StateError, match="stale"):
            mirror(ledger, changes, [entry("c")], {"a": 0, "b": 1, "c": 2}, [], 2.0)
        assert (ledger.jobs(), ledger.events()) == before


# ---------------------------------------------------------------- an id that can't be stored


@contextmanager
def unwritable(ledger: Ledger) -> Iterator[None]:
    """As on a full disk: no event can be stored."""
    ledger._db.conn.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON events "
        "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    )
    yield
    ledger._db.conn.execute("DROP TRIGGER full")


def test_a_paid_id_is_kept_where_it_can_be(path: Path) -> None:
    """What was accepted and can't be stored is kept beside the file, for the next run to find."""
    with opened(path) as ledger:
        jobs = [drive(ledger, job, STARTED) for job in add(ledger, "a", "b")]
        with unwritable(ledger):
            for job in jobs:
                with pytest.raises(StateError, match=rf"task-{job.id} of {job.id} .*\.rescue"):
                    commit(ledger, job, Accepted(f"task-{job.id}"), 3.0)
            with pytest.raises(StateError, match="disk full"):
                commit(ledger, jobs[0], Lost(PROBLEM), 3.0)
        assert ledger.jobs() == jobs
    kept = [Rescued(job.key, job.content, f"task-{job.id}") for job in jobs]
    with opened(path) as ledger:
        assert ledger.rescued() == kept
        ledger.forget_rescued()
        assert ledger.rescued() == []
    assert set(everything(path.parent)) == {"batch.db"}
    with opened(path) as ledger:
        assert ledger.rescued() == []


@pytest.mark.parametrize("junk", [b"", b"\0" * 100, b"{", b"[]\n", b'{"key": 1}\n', b"\xff\n{}\n"])
def test_a_torn_rescue_does_not_hide_the_rest(junk: bytes, path: Path) -> None:
    """A line that was cut off, or is no line of ours, is left out; whole ones count."""
    line = b'{"key": 1, "content": "d", "task_id": "task-1"}\n'
    path.parent.mkdir()
    (path.parent / "batch.db.rescue").write_bytes(line + junk)
    with opened(path) as ledger:
        assert ledger.rescued() == [Rescued(1, "d", "task-1")]
    assert (path.parent / "batch.db.rescue").exists()


def test_an_older_file_is_copied_before_it_is_changed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upgrade that goes wrong costs nothing: the file as it was is kept beside it, private."""
    with opened(path) as ledger:
        job = drive(ledger, add(ledger, "lamp")[0], STARTED)
    newer = Migrations("runner")
    newer._migrations = [*migrations._migrations]

    @newer()
    def m999_more(db: Database) -> None:
        db.execute("CREATE TABLE more (a)")

    monkeypatch.setattr(module, "migrations", newer)
    with pytest.raises(StateError, match="older version"):
        Ledger.read(path)
    with opened(path) as ledger:
        assert ledger.jobs() == [job]
        assert ledger._db.table("more").exists()
    monkeypatch.undo()
    with pytest.raises(StateError, match="newer"):
        Ledger.read(path)
    copy = path.with_name("batch.db.before-m999_more")
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(read(copy)) as before:
        assert before.jobs() == [job]


TO_THE_FIRST_VERSION = """
    DROP TABLE memory;
    DROP TABLE images;
    DROP TABLE archived;
    DROP TRIGGER events_no_delete;
    CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
    ALTER TABLE jobs DROP COLUMN forgotten;
    DELETE FROM _sqlite_migrations WHERE name <> 'm001_jobs_events_runs';
"""


def test_a_file_of_the_first_version_is_taken_over(path: Path) -> None:
    """What was written before runs remembered anything opens with all its jobs and events."""
    with opened(path) as ledger:
        job = drive(ledger, add(ledger, "lamp")[0], *TO_DONE)
        ledger._db.conn.executescript(TO_THE_FIRST_VERSION)
    with opened(path) as ledger:
        assert ledger.jobs() == [job]
        assert len(ledger.events()) == len(TO_DONE)
        assert ledger.recall("level") is None
        ledger.remember("level", {"size": 3})
        assert ledger.recall("level") == {"size": 3}
    assert path.with_name("batch.db.before-m002_memory").exists()


# ---------------------------------------------------------------- what the next run learns from


def test_what_is_remembered_is_there_for_the_next_run(path: Path) -> None:
    """The newest value under a name; nothing, or rubbish, is nothing."""
    with opened(path) as ledger:
        assert ledger.recall("level") is None
        for value in (1.5, [1, "x"], {"size": 2}):
            ledger.remember("level", value)
    with closing(read(path)) as ledger:
        assert ledger.recall("level") == {"size": 2}
        assert ledger.recall("other") is None
    with opened(path) as ledger:
        ledger._db.execute("UPDATE memory SET value = '{'")
        assert ledger.recall("level") is None


def test_the_newest_renders_are_given(path: Path) -> None:
    """Oldest first, with what was asked; those whose ages nobody knows are left out."""
    ages = [(0.0, 0.0), (10.0, 12.0), (20.0, 25.0), (30.0, 31.0)]
    with opened(path) as ledger:
        jobs = add(ledger, *(f"lamp-{number}" for number in range(len(ages))))
        for job, (pending, ready) in zip(jobs, ages, strict=True):
            drive(
                ledger, job, STARTED, Accepted(f"task-{job.key}"), Rendered(SIGNED, pending, ready)
            )
        asked = [job.body for job in ledger.jobs()]
        assert ledger.renders(10) == [
            (body, *age) for body, age in zip(asked[1:], ages[1:], strict=True)
        ]
        assert [age for _, *age in ledger.renders(2)] == [[20.0, 25.0], [30.0, 31.0]]


def test_the_newest_submits_are_given(path: Path) -> None:
    """Each request that left counts, also one that was refused and sent again."""
    with opened(path) as ledger:
        assert ledger.submits(5) == []
        lamp, chair = add(ledger, "lamp", "chair")
        lamp = drive(ledger, lamp, STARTED, Throttled(PROBLEM, 3.0), at=10.0)
        drive(ledger, chair, STARTED, at=11.0)
        drive(ledger, lamp, STARTED, at=12.0)
        assert ledger.submits(5) == [10.0, 11.0, 12.0]
        assert ledger.submits(2) == [11.0, 12.0]


def test_what_is_recorded_together_stands_or_falls_together(path: Path) -> None:
    """One commit for several intents: all of them are on disk, or none."""
    with opened(path) as ledger:
        lamp, chair = add(ledger, "lamp", "chair")

        def start(*jobs: Job) -> None:
            with ledger.together():
                for job in jobs:
                    drive(ledger, job, STARTED)

        with pytest.raises(StateWriteError):
            start(lamp, replace(chair, key=99))
        assert {job.status for job in ledger.jobs()} == {Status.PLANNED}
        with ledger.together():
            for job in (lamp, chair):
                drive(ledger, job, STARTED)
            with closing(read(path)) as other:
                assert {job.status for job in other.jobs()} == {Status.PLANNED}
        with closing(read(path)) as other:
            assert {job.status for job in other.jobs()} == {Status.SUBMITTING}


# ---------------------------------------------------------------- synced when it is money

# By hand: what a poll or a repeated download finds out again. All others must reach the disk.
FOUND_OUT_AGAIN = {"StillRunning", "Invisible", "PollFailed", "FetchFailed", "Rendered"}

SITUATIONS: dict[type, tuple[tuple[Event, ...], Event]] = {
    SubmitStarted: ((), STARTED),
    Edited: ((), Edited("lamp", "", BODY, 7)),
    Repriced: ((), Repriced(7)),
    Renamed: ((), Renamed("new", "")),
    Accepted: ((STARTED,), Accepted("task-1")),
    NotSent: ((STARTED,), NotSent(PROBLEM)),
    Throttled: ((STARTED,), Throttled(PROBLEM, 3.0)),
    Unserved: ((STARTED,), Unserved(PROBLEM)),
    Refused: ((STARTED,), Refused(PROBLEM)),
    AccountRefused: ((STARTED,), AccountRefused(PROBLEM)),
    WrongAddress: ((STARTED,), WrongAddress(PROBLEM)),
    Lost: ((STARTED,), Lost(PROBLEM)),
    StillRunning: (TO_DONE[:2], StillRunning("RUNNING")),
    Invisible: (TO_DONE[:2], Invisible(PROBLEM)),
    PollFailed: (TO_DONE[:2], PollFailed(PROBLEM)),
    Rendered: (TO_DONE[:2], Rendered(SIGNED)),
    RenderFailed: (TO_DONE[:2], RenderFailed(PROBLEM)),
    GaveUp: (TO_DONE[:2], GaveUp(PROBLEM)),
    Saved: (TO_DONE[:3], TO_DONE[3]),
    FetchFailed: (TO_DONE[:3], FetchFailed(PROBLEM)),
    FileMissed: (TO_DONE, FileMissed(PROBLEM)),
    LinkExpired: (TO_DONE[:3], LinkExpired(PROBLEM)),
    FoundRemote: ((STARTED, Lost(PROBLEM)), FoundRemote("task-2", 4.0)),
    Adopted: ((), Adopted("task-3")),
    ConfirmedUnpaid: ((STARTED, Lost(PROBLEM)), ConfirmedUnpaid()),
    RiskAccepted: ((STARTED, Lost(PROBLEM)), RiskAccepted()),
    Abandoned: ((STARTED, Lost(PROBLEM)), Abandoned()),
    RetryOrdered: ((STARTED, Refused(PROBLEM)), RetryOrdered()),
    Forgotten: (TO_DONE, Forgotten()),
}


def test_every_event_has_a_situation() -> None:
    """No event is forgotten in this file."""
    assert set(SITUATIONS) == set(get_args(Event))


@pytest.mark.parametrize("kind", SITUATIONS, ids=lambda kind: kind.__name__)
def test_what_was_paid_is_synced(kind: type, path: Path) -> None:
    """At the commit of every event but the repeatable ones, SQLite syncs: synchronous=FULL."""
    before, event = SITUATIONS[kind]
    with opened(path) as ledger:
        levels: list[str] = []

        def trace(statement: str) -> None:
            if "synchronous=" in statement:
                levels.append(statement.partition("=")[2])
            elif statement == "COMMIT":
                levels.append("commit")

        def level() -> int:
            return int(ledger._db.conn.execute("PRAGMA synchronous").fetchone()[0])

        job = drive(ledger, add(ledger, "lamp")[0], *before)
        assert level() == 2
        ledger._db.conn.set_trace_callback(trace)
        commit(ledger, job, event, 9.0)
        ledger._db.conn.set_trace_callback(None)
        if kind.__name__ in FOUND_OUT_AGAIN:
            assert levels == ["NORMAL", "commit", "FULL"]
        else:
            assert levels == ["commit"]
        assert level() == 2
        with pytest.raises(StateError):
            commit(ledger, replace(job, key=99), event, 9.0)
        assert level() == 2
        assert ledger._db.journal_mode == "wal"


# ---------------------------------------------------------------- other processes

LOCKING = """
import sys
from pathlib import Path
from runner.ledger import StateLock
lock = StateLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""

RECORDING = """
import sys
from pathlib import Path
from runner.bookkeeping import commit
from runner.events import Accepted, SubmitStarted
from runner.jobs import Entry
from runner.ledger import Ledger, StateLock
path = Path(sys.argv[1])
lock = StateLock(path)
ledger = Ledger.open(path)
body = {"model": "m"}
ledger.mirror([], [(0, Entry("lamp", "", body, "d", 5, "f", 1))], [], [], 1.0)
job = commit(ledger, ledger.jobs()[0], SubmitStarted(body, 5), 2.0)
if sys.argv[2] == "accepted":
    commit(ledger, job, Accepted("task-1"), 3.0)
if sys.argv[2] == "open":
    ledger._db.conn.execute("BEGIN")
    ledger._db.conn.execute("UPDATE jobs SET status = 'planned', attempts = 0")
print("recorded", flush=True)
sys.stdin.read()
"""


@contextmanager
def process(script: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has said its word and waits; it is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(runner.__file__).parents[1],
    ) as child:
        try:
            assert child.stdout
            assert child.stdout.readline().strip() in {"held", "recorded"}
            yield child
        finally:
            child.kill()


def test_one_process_at_a_time(path: Path) -> None:
    """A second one is told who holds the file; after SIGKILL of the first it is free."""
    path.parent.mkdir()
    with process(LOCKING, str(path)) as child:
        with pytest.raises(LockedError, match=rf"batch\.db: in use by process {child.pid} on "):
            StateLock(path)
        assert LockedError.exit_code is ExitCode.LOCKED
        child.send_signal(signal.SIGKILL)
        child.wait()
        with StateLock(path):
            assert str(os.getpid()) in (path.parent / "batch.db.lock").read_text()


def test_looking_at_a_lock_changes_nothing(path: Path) -> None:
    """Whether somebody works on the file is seen without taking or making the lock."""
    assert not is_locked(path)
    assert not path.parent.exists()
    path.parent.mkdir()
    assert not is_locked(path)
    assert everything(path.parent) == {}
    with process(LOCKING, str(path)) as child:
        assert is_locked(path)
        assert is_locked(path)
        child.kill()
        child.wait()
        assert not is_locked(path)
        with StateLock(path):
            assert is_locked(path)


def test_a_lock_is_given_back(path: Path) -> None:
    """Released once or twice, another may take it; within one process too, it is exclusive."""
    path.parent.mkdir()
    lock = StateLock(path)
    with pytest.raises(LockedError, match=str(os.getpid())):
        StateLock(path)
    lock.release()
    lock.release()
    with StateLock(path):
        pass
    assert (path.parent / "batch.db.lock").read_bytes() == b""


def test_the_lock_outlives_the_database(path: Path) -> None:
    """Opening and closing the state file, as a report does, gives no lock away."""
    path.parent.mkdir()
    with StateLock(path):
        for _ in range(2):
            Ledger.open(path).close()
            with pytest.raises(LockedError):
                StateLock(path)


def test_a_full_disk_does_not_unlock(path: Path) -> None:
    """The holder's name is a courtesy: the lock holds without it."""
    path.parent.mkdir()
    script = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))" + LOCKING
    with process(script, str(path)), pytest.raises(LockedError, match="another process"):
        StateLock(path)


@pytest.mark.parametrize(
    ("moment", "status"),
    [("started", Status.SUBMITTING), ("accepted", Status.RUNNING), ("open", Status.SUBMITTING)],
)
def test_nothing_recorded_is_lost(moment: str, status: Status, path: Path) -> None:
    """SIGKILL right after `record` has returned: row and event are there; half a one is not."""
    path.parent.mkdir()
    with process(RECORDING, str(path), moment) as child:
        child.send_signal(signal.SIGKILL)
        child.wait()
    with StateLock(path), opened(path) as ledger:
        (job,) = ledger.jobs()
        assert (job.status, job.attempts) == (status, 1)
        assert job.task_id == ("task-1" if moment == "accepted" else "")
        names = [event.event for event in ledger.events()]
        assert names == ["SubmitStarted", "Accepted"][: 1 + (moment == "accepted")]


def test_a_copy_taken_at_any_moment_is_whole(path: Path, tmp_path: Path) -> None:
    """As after a power cut: the files as they are on disk after each event tell all up to it."""
    with opened(path) as ledger:
        (job,) = add(ledger, "lamp")
        for number, event in enumerate(TO_DONE):
            job = commit(ledger, job, event, 2.0)
            copy = tmp_path / f"copy-{number}"
            copy.mkdir()
            for name in ("batch.db", "batch.db-wal"):
                shutil.copy(path.parent / name, copy / name)
            with opened(copy / "batch.db") as copied:
                assert copied.jobs() == [job]
                assert len(copied.events()) == number + 1


# ---------------------------------------------------------------- there and back again


def test_every_field_has_a_place_of_its_own(path: Path) -> None:
    """A job in which no two fields are alike is read back as it was stored."""
    with opened(path) as ledger:
        (before,) = add(ledger, "lamp")
        texts_ = ("id", "derived", "content", "task_id", "remote_status", "url", "output", "sha256")
        numbers = ("cost", "attempts", "spent", "size", "submitted_at", "since", "finished_at")
        changes: dict[str, Any] = {name: f"the {name}" for name in texts_}
        changes |= {name: 3 + place for place, name in enumerate(numbers)}
        changes |= {"body": {"a": "b", "c": True, "d": 7}, "problem": Problem("x", "y", "z")}
        changes["forgotten"] = True
        after = replace(before, status=Status.UNCERTAIN, **changes)
        assert {*changes, "key", "status"} == {field.name for field in fields(Job)}
        ledger.record(before, Lost(PROBLEM), after, 2.0)
        assert ledger.jobs() == [after]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
times = st.floats(0, 4e9)
costs = st.one_of(st.none(), st.integers(0, 10**12))
problems = st.builds(Problem, texts, texts, texts)
pauses = st.one_of(st.none(), times)
scalars = st.one_of(texts, st.integers(-(2**53), 2**53), st.booleans())
request_bodies = st.dictionaries(texts, scalars, max_size=4)

EVENTS: dict[type, st.SearchStrategy[Event]] = {
    SubmitStarted: st.builds(SubmitStarted, request_bodies, costs),
    Edited: st.builds(Edited, texts, texts, request_bodies, costs),
    Repriced: st.builds(Repriced, costs),
    Renamed: st.builds(Renamed, texts, texts),
    Accepted: st.builds(Accepted, texts, texts),
    Throttled: st.builds(Throttled, problems, pauses),
    PollFailed: st.builds(PollFailed, problems, pauses),
    StillRunning: st.builds(StillRunning, texts),
    Rendered: st.builds(lambda text: Rendered(f"https://a.example/x?{text}"), texts),
    Saved: st.builds(Saved, texts, texts, st.integers(0, 2**62)),
    FetchFailed: st.builds(FetchFailed, problems, pauses, st.booleans()),
    FoundRemote: st.builds(FoundRemote, texts, times),
    Adopted: st.builds(Adopted, texts),
    ConfirmedUnpaid: st.just(ConfirmedUnpaid()),
    RiskAccepted: st.just(RiskAccepted()),
    Abandoned: st.just(Abandoned()),
    RetryOrdered: st.just(RetryOrdered()),
    Forgotten: st.just(Forgotten()),
    **{
        kind: st.builds(kind, problems)
        for kind in (
            NotSent,
            Unserved,
            Refused,
            AccountRefused,
            Lost,
            Invisible,
            RenderFailed,
            GaveUp,
            LinkExpired,
            FileMissed,
            WrongAddress,
        )
    },
}
KINDS = {kind.__name__: kind for kind in get_args(Event)}


def revived(past: PastEvent) -> Event:
    """The event again, from its name and its stored details alone."""
    kind = KINDS[past.event]
    details = dict(past.detail)
    assert {field.name for field in fields(kind)} == details.keys()
    if "problem" in details:
        details["problem"] = Problem(**details["problem"])
    event: Event = kind(**details)
    return event


@settings(max_examples=25)
@given(st.data())
def test_any_walk_comes_back_as_it_went(data: st.DataObject) -> None:
    """Rows read back equal what was decided, and the log alone leads to the same jobs again."""
    assert set(EVENTS) == set(KINDS.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "batch.db"
        with opened(path) as ledger:
            fresh = add(ledger, "a", "b")
            jobs = {job.key: job for job in fresh}
            walked: list[tuple[int, Event, float]] = []
            for _ in range(data.draw(st.integers(1, 15))):
                key = data.draw(st.sampled_from(sorted(jobs)))
                job = jobs[key]
                legal = [kind for status, kind in lifecycle.TRANSITIONS if status is job.status]
                event = data.draw(st.sampled_from(legal).flatmap(EVENTS.__getitem__))
                at = data.draw(times)
                jobs[key] = commit(ledger, job, event, at)
                walked.append((key, event, at))
        with closing(read(path)) as reader:
            assert reader.jobs() == [jobs[key] for key in sorted(jobs)]
            assert {job.key: job.status for job in reader.jobs({Status.DONE})} == {
                key: job.status for key, job in jobs.items() if job.status is Status.DONE
            }
            log = reader.events()
            attempts = sum(job.attempts for job in jobs.values())
            assert reader.spent() == (attempts, sum(job.spent for job in jobs.values()))

    assert [(past.job, past.at) for past in log] == [(key, at) for key, _, at in walked]
    again = {job.key: job for job in fresh}
    for past, (_, event, _) in zip(log, walked, strict=True):
        same = revived(past)
        assert same == event or isinstance(event, Rendered)
        before = again[past.job]
        assert before.status is past.before
        again[past.job] = lifecycle.apply(before, same, past.at)
        assert again[past.job].status is past.after
    for key, job in jobs.items():
        assert replace(again[key], url="") == replace(job, url="")
