"""A state file keeps its place: under one name, and where the next run looks for it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from runner.errors import DisplacedError, StateError
from runner.jobs import Entry, content_digest
from runner.ledger import Ledger
from runner.ledger import place as module

BODY = {"promptImage": "https://a.example/x.jpg", "model": "gen4_turbo"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the state file is."""
    return tmp_path / "state" / "batch.db"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """An open state file with one job."""
    ledger = Ledger.open(path)
    ledger.add(entry("lamp"))
    yield ledger
    with suppress(StateError, sqlite3.Error):  # closed already
        ledger.close()


def entry(id: str) -> Entry:
    """An entry of any kind."""
    return Entry(id, "", BODY, content_digest(BODY), 5, "test.yaml", 1)


def ids(path: Path) -> list[str]:
    """The jobs in a state file."""
    reader = Ledger.read(path)
    assert reader is not None
    with closing(reader):
        return [job.id for job in reader.jobs()]


# ---------------------------------------------------------------- before it is opened


def test_a_second_name_is_refused(path: Path) -> None:
    """Under another name it would have another lock: both would buy."""
    Ledger.open(path).close()
    other = path.with_name("other.db")
    os.link(path, other)
    for name in (path, other):
        with pytest.raises(StateError, match=rf"{name}: has 2 names"):
            Ledger.open(name)
    other.unlink()
    Ledger.open(path).close()


def test_a_log_without_its_file_is_not_lost(ledger: Ledger, path: Path) -> None:
    """Killed after its file was deleted, a run leaves its log, which SQLite would delete."""
    log = path.with_name("batch.db-wal")
    left = log.read_bytes()
    assert left
    path.unlink()
    with pytest.raises(StateError, match=r"is not there, but batch\.db-wal is"):
        Ledger.open(path)
    assert log.read_bytes() == left
    log.unlink()
    Ledger.open(path).close()


# ---------------------------------------------------------------- while it is open


def test_what_is_deleted_is_put_back(ledger: Ledger, path: Path) -> None:
    """With all that was stored since; what is left of it on disk does not come between."""
    path.unlink()
    with pytest.raises(DisplacedError, match="moved or deleted"), ledger.together():
        pytest.fail("nothing may be bought")
    ledger.add(entry("chair"))
    with pytest.raises(DisplacedError, match=r"is back in its place: run again"):
        ledger.close()
    assert [each.name for each in path.parent.iterdir()] == ["batch.db"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ids(path) == ["lamp", "chair"]
    Ledger.open(path).close()


def test_a_whole_folder_is_put_back(ledger: Ledger, path: Path) -> None:
    """The folder of the state file was deleted."""
    shutil.rmtree(path.parent)
    with pytest.raises(DisplacedError):
        ledger.close()
    assert ids(path) == ["lamp"]


def test_a_moved_file_has_all_of_it_too(ledger: Ledger, path: Path) -> None:
    """Whoever goes on with that one does not pay twice either."""
    moved = path.with_name("moved.db")
    path.rename(moved)
    ledger.add(entry("chair"))
    with pytest.raises(DisplacedError):
        ledger.close()
    assert ids(path) == ids(moved) == ["lamp", "chair"]


def test_a_link_to_it_is_not_the_file(ledger: Ledger, path: Path) -> None:
    """Moved, with a link in its place, its lock would be another's."""
    path.rename(path.with_name("moved.db"))
    path.symlink_to("moved.db")
    with pytest.raises(DisplacedError), ledger.together():
        pytest.fail("nothing may be bought")


def test_what_was_put_in_its_place_stays(ledger: Ledger, path: Path) -> None:
    """Nobody knows which of the two is meant: both are there, and no run begins before one is."""
    older = path.with_name("older.db")
    Ledger.open(older).close()
    older.replace(path)
    with pytest.raises(DisplacedError, match=r"is in .*batch\.db\.kept-1: give that its name"):
        ledger.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["batch.db", "batch.db.kept-1"]
    assert ids(path) == []
    kept = path.with_name("batch.db.kept-1")
    assert ids(kept) == ["lamp"]
    with pytest.raises(StateError, match=r"kept all .* in .*/batch\.db\.kept-1: see"):
        Ledger.open(path)
    kept.replace(path)
    Ledger.open(path).close()
    assert ids(path) == ["lamp"]


def test_what_was_kept_before_is_not_written_over(ledger: Ledger, path: Path) -> None:
    """It may be the only place where some of it is."""
    path.with_name("batch.db.kept-1").write_text("kept before")
    path.unlink()
    path.write_text("another")
    with pytest.raises(DisplacedError, match=r"kept-2"):
        ledger.close()
    assert path.with_name("batch.db.kept-1").read_text() == "kept before"
    assert path.read_text() == "another"


def test_a_log_of_the_new_file_is_not_touched(ledger: Ledger, path: Path) -> None:
    """Another process may be at work on the file that stands there now."""
    shutil.rmtree(path.parent)
    with closing(Ledger.open(path)) as other:
        other.add(entry("chair"))
        with pytest.raises(DisplacedError, match=r"kept-1"):
            ledger.close()
        other.add(entry("table"))
    assert ids(path) == ["chair", "table"]


def test_without_hard_links(ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has none gets it by its other means, and loses nothing either."""

    def none(*given: object) -> None:
        raise PermissionError("no hard links here")

    monkeypatch.setattr(module.os, "link", none)
    path.unlink()
    path.write_text("another")
    with pytest.raises(DisplacedError, match=r"kept-1"):
        ledger.close()
    assert path.read_text() == "another"
    assert ids(path.with_name("batch.db.kept-1")) == ["lamp"]


def test_where_there_is_no_room(
    ledger: Ledger, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What can't be put back is put where temporary files go, and that is said."""
    spare = tmp_path / "tmp"
    spare.mkdir()
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(spare))
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the folder was")
    with pytest.raises(DisplacedError, match=rf"is in {spare}/batch\.db\.kept: give"):
        ledger.close()
    assert ids(spare / "batch.db.kept") == ["lamp"]


def test_a_disk_that_does_not_answer_is_no_proof(
    ledger: Ledger, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network's file system may fail for a moment: the file is still there."""

    def fails(path: Path) -> None:
        raise TimeoutError(path)

    monkeypatch.setattr(Path, "lstat", fails)
    with ledger.together():
        pass


def test_it_goes_on_after_a_change_of_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that uses the package may go elsewhere meanwhile."""
    monkeypatch.chdir(tmp_path)
    ledger = Ledger.open(Path("batch.db"))
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir(tmp_path / "deeper")
    with ledger.together():
        pass
    ledger.close()
