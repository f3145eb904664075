"""A short dose of `make crash`, and a check that its audit can fail."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from batch import KilledBatch
from wal import rob

HERE = Path(__file__).parent


def test_a_batch_survives_ten_blows() -> None:
    """Killed, robbed, stopped: one charge a job, every video whole, nothing lost."""
    done = subprocess.run(
        [sys.executable, str(HERE), "--kills", "10", "--seed", "7"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 duplicate charges, 0 lost" in done.stdout


def test_the_audit_can_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A video with one byte changed, and one that is gone, are found."""
    monkeypatch.setattr("batch.JOBS", 3)
    batch = KilledBatch(tmp_path, random.Random(1))
    try:
        assert batch.audit() == []
        first, second, _ = sorted((tmp_path / "outputs" / "batch").glob("*.mp4"))
        first.write_bytes(first.read_bytes()[:-1] + b"?")
        second.unlink()
        assert len(batch.audit()) == 2
    finally:
        batch.close()


def test_a_power_cut_takes_only_what_was_not_synced(tmp_path: Path) -> None:
    """Trailing unsynced commits go, the synced one before them stays, and the file is sound."""
    path = tmp_path / "s.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=wal")
    db.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, event TEXT)")
    db.execute("CREATE TABLE runs (run INTEGER PRIMARY KEY, ended_at REAL)")
    db.execute("INSERT INTO runs VALUES (1, NULL)")
    for name in ("Accepted", "Rendered", "StillRunning"):
        db.execute("INSERT INTO events (event) VALUES (?)", [name])
    log = tmp_path / "s.db-wal"
    data, kept = path.read_bytes(), log.read_bytes()
    db.close()
    seen = set()
    for seed in range(20):
        path.write_bytes(data)
        log.write_bytes(kept)
        cut = rob(path, random.Random(seed))
        db = sqlite3.connect(path)
        left = [name for (name,) in db.execute("SELECT event FROM events ORDER BY seq")]
        db.close()
        assert left == ["Accepted", "Rendered", "StillRunning"][: 3 - cut]
        seen.add(cut)
    assert seen == {1, 2}
