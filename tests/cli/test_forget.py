"""`runner forget` and `runner prune`: old state goes out of sight, and nothing is bought again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable

from desk import MANIFEST, Desk

from runner.ledger import StateLock

HEAD = MANIFEST.replace("jobs:", "budget: {tasks: 4}\njobs:")
MONTHS = 60 * 86_400


def ids(desk: Desk) -> list[str]:
    """The jobs that `status` shows."""
    return [job["id"] for job in desk.status()["jobs"]]


def years_pass(desk: Desk) -> None:
    """What is in the state file happened long ago."""
    with sqlite3.connect(desk.folder / "state" / "batch.db") as db:
        trigger = "SELECT sql FROM sqlite_master WHERE name = 'events_no_update'"
        (made,) = db.execute(trigger).fetchone()
        db.execute("DROP TRIGGER events_no_update")
        db.execute(f"UPDATE events SET at = at - {MONTHS}")
        db.execute(made)
        db.execute(f"UPDATE runs SET started_at = started_at - {MONTHS}")
        for name in ("submitted_at", "since", "finished_at"):
            db.execute(f"UPDATE jobs SET {name} = {name} - {MONTHS}")
    db.close()


def test_forgotten_is_not_unpaid(provided: Callable[..., Desk]) -> None:
    """Out of sight, counted, recognised when it comes back, and bought again only by word."""
    desk = provided("--render", "100ms..200ms", "--queue", "50ms..50ms")
    desk.manifest(3, HEAD)
    desk.run("run", "batch.yaml")
    refused = desk.run("forget", "batch.yaml", "lamp-03", code=2).stderr
    assert "lamp-03 is in the manifest" in refused

    desk.manifest(2, HEAD)
    assert "1 job forgotten" in desk.run("forget", "batch.yaml", "--removed").stdout
    assert ids(desk) == ["lamp-01", "lamp-02"]
    (desk.folder / "outputs" / "batch" / "lamp-03.mp4").unlink()
    desk.run("doctor", "batch.yaml")
    assert "3 of 4 tasks" in desk.run("plan", "batch.yaml").stdout

    desk.manifest(3, HEAD)
    desk.run("run", "batch.yaml")
    assert ids(desk) == ["lamp-01", "lamp-02", "lamp-03"]
    assert "lamp-03.mp4" in desk.run("doctor", "batch.yaml", code=4).stdout
    assert desk.audit()["charged"] == 3

    again = ("forget", "batch.yaml", "lamp-01", "--buy-again")
    assert "1 finished job would be paid for once more" in desk.run(*again, code=2).stderr
    desk.run(*again, "--yes")
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 4
    assert len(ids(desk)) == 3
    assert (desk.folder / "outputs" / "batch" / "lamp-01-2.mp4").exists()
    assert (desk.folder / "outputs" / "batch" / "lamp-01.mp4").exists()


def test_a_state_file_is_made_small(provided: Callable[..., Desk]) -> None:
    """Old logs go into the archive; status, budgets, doctor and recognition are as before."""
    desk = provided("--render", "100ms..200ms", "--queue", "50ms..50ms")
    desk.manifest(3)
    desk.run("run", "batch.yaml")
    years_pass(desk)
    desk.run("run", "batch.yaml")
    before = desk.status()
    state = desk.folder / "state" / "batch.db"
    with StateLock(state):
        desk.run("prune", "batch.yaml", code=75)
    # Polls are placed by the newest renders, so such a small file keeps its events.
    shown = desk.run("prune", "batch.yaml", "--dry-run").stdout
    assert "the logs of 0 jobs (0 events) and 0 records of runs would be archived" in shown
    assert "nothing to archive" in desk.run("prune", "batch.yaml").stdout
    assert not list(state.parent.glob("*.jsonl"))

    with sqlite3.connect(state) as db:  # as if so much had happened since
        db.execute("DROP TRIGGER events_no_update")
        db.execute("UPDATE events SET seq = seq + 100000 WHERE job = 3")
    db.close()
    assert "archived in state/batch-archive-" in desk.run("prune", "batch.yaml").stdout
    (archive,) = state.parent.glob("batch-archive-*.jsonl")
    lines = [json.loads(line) for line in archive.read_text().splitlines()]
    assert {line["state"]["id"] for line in lines if "job" in line} == {"lamp-01", "lamp-02"}
    assert desk.status() == before
    assert "in order" in desk.run("doctor", "batch.yaml").stdout
    assert "nothing to do" in desk.run("run", "batch.yaml").stdout
    assert desk.audit()["charged"] == 3
