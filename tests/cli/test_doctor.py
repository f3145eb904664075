"""`runner doctor`: what it finds, what it says, and that missing videos come back for free."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from desk import Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "100ms..200ms", "--queue", "50ms..50ms")


def finished(provided: Provided, jobs: int = 2) -> Desk:
    """A batch that is done."""
    desk = provided(*QUICK)
    desk.manifest(jobs)
    desk.run("run", "batch.yaml")
    return desk


def test_a_sound_batch(provided: Provided) -> None:
    """Everything in order: exit 0."""
    desk = finished(provided)
    assert "in order" in desk.run("doctor", "batch.yaml").stdout


def test_a_job_in_doubt_is_not_in_order(provided: Provided) -> None:
    """It needs a person: exit 4, and what to do."""
    desk = provided(*QUICK, "--fault", "submit:charged-then-cut#1")
    desk.manifest(2)
    desk.run("run", "batch.yaml", code=4)
    shown = desk.run("doctor", "batch.yaml", code=4).stdout
    assert shown.startswith("1 job may have been charged: ")
    assert "resolve batch.yaml" in shown
    assert "in order" not in shown


def test_a_submit_that_a_kill_cut_off_is_not_in_order(provided: Provided) -> None:
    """Nobody waits for its answer any more; while somebody does, it is."""
    desk = provided("--fault", "submit:slow:60s")
    desk.manifest(1)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    assert process.stdout is not None
    assert '"submitting"' in process.stdout.readline()
    assert "in order" in desk.run("doctor", "batch.yaml").stdout
    process.kill()
    process.communicate()
    assert "1 job may have been charged" in desk.run("doctor", "batch.yaml", code=4).stdout


def test_no_state_yet(desk: Desk) -> None:
    """Nothing was paid for: exit 0, and no file is made."""
    desk.manifest(1)
    assert "nothing was paid" in desk.run("doctor", "batch.yaml").stdout
    assert not (desk.folder / "state").exists()


def test_missing_videos_come_back_for_free(provided: Provided) -> None:
    """Deleted or damaged files are found by their bytes, and fetched again by their task ids."""
    desk = finished(provided, 3)
    outputs = desk.folder / "outputs" / "batch"
    (outputs / "lamp-01.mp4").unlink()
    (outputs / "lamp-02.mp4").write_bytes(b"scratched")
    shown = desk.run("doctor", "batch.yaml", code=4).stdout
    assert "lamp-01.mp4: No such file" in shown
    assert "lamp-02.mp4: not the bytes" in shown
    assert "lamp-03" not in shown
    desk.run("doctor", "batch.yaml", "--refetch", code=4)
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 3
    assert (outputs / "lamp-01.mp4").exists()
    assert (outputs / "lamp-02.mp4").read_bytes() == b"scratched"
    desk.run("doctor", "batch.yaml")


def test_a_row_that_contradicts_its_events(provided: Provided) -> None:
    """A state file edited by hand is noticed."""
    desk = finished(provided)
    with sqlite3.connect(desk.folder / "state" / "batch.db") as db:
        db.execute("UPDATE jobs SET status = 'planned', task_id = '' WHERE id = 'lamp-01'")
    db.close()
    shown = desk.run("doctor", "batch.yaml", code=4).stdout
    assert "lamp-01: is planned, but its events lead to done" in shown


@pytest.mark.parametrize("damage", ["junk", "short", "middle"])
def test_a_damaged_state_file(provided: Provided, damage: str) -> None:
    """Every command says so, changes nothing and sends nothing; doctor says what can be done."""
    desk = finished(provided)
    path = desk.folder / "state" / "batch.db"
    data = path.read_bytes()
    spoilt = {
        "junk": b"x" * 5000,
        "short": data[:5000],
        "middle": data[:4096] + b"\xff" * (len(data) - 8192) + data[-4096:],
    }[damage]
    path.write_bytes(spoilt)
    charged = desk.audit()["requests"]["submit"]
    for command in ("run", "status", "plan"):
        assert "state file" in desk.run(command, "batch.yaml", code=2).stderr
    shown = desk.run("doctor", "batch.yaml", code=None)
    assert shown.returncode in {2, 4}
    assert "recover" in shown.stderr or "malformed" in shown.stdout
    assert path.read_bytes() == spoilt
    assert desk.audit()["requests"]["submit"] == charged
