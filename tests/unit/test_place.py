"""A state file keeps its place: under one name, and where the next run looks for it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from runner.errors import StateError, StateWriteError
from runner.jobs import Entry, content_digest
from runner.ledger import Ledger

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


def test_what_is_deleted_is_put_back(ledger: Ledger, path: Path) -> None:
    """With all that was stored since, and what is left of it on disk does not come between."""
    path.unlink()
    with pytest.raises(StateWriteError, match=r"moved or deleted .* run again"), ledger.together():
        pytest.fail("nothing may be bought")
    ledger.add(entry("chair"))
    ledger.close()
    assert [each.name for each in path.parent.iterdir()] == ["batch.db"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert ids(path) == ["lamp", "chair"]


def test_a_whole_folder_is_put_back(ledger: Ledger, path: Path) -> None:
    """The folder of the state file was deleted."""
    shutil.rmtree(path.parent)
    with pytest.raises(StateWriteError):
        ledger.refuse_displaced()
    ledger.close()
    assert ids(path) == ["lamp"]


def test_what_was_put_in_its_place_stays(ledger: Ledger, path: Path) -> None:
    """Nobody knows which of the two is meant: both are there."""
    path.rename(path.with_name("away.db"))
    path.write_text("another")
    with pytest.raises(StateWriteError, match=r"NAME\.kept"):
        ledger.refuse_displaced()
    ledger.close()
    assert path.read_text() == "another"
    assert ids(path.with_name("batch.db.kept")) == ["lamp"]


def test_it_is_said_once(ledger: Ledger, path: Path) -> None:
    """What is in the air then is stored as ever."""
    path.unlink()
    with pytest.raises(StateWriteError):
        ledger.refuse_displaced()
    ledger.refuse_displaced()
    with ledger.together():
        pass


def test_a_place_that_takes_nothing_is_told(ledger: Ledger, path: Path) -> None:
    """Nothing can be put back where there is no room."""
    shutil.rmtree(path.parent)
    path.parent.write_text("a file where the folder was")
    with pytest.raises(StateWriteError):
        ledger.refuse_displaced()
    with pytest.raises(StateError, match="can't be used"):
        ledger.close()
    path.parent.unlink()
