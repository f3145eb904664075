"""A catalog's rows are not held in memory: what a run takes hardly grows with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# A first run up to the engine, then, all videos being there, a run with nothing to do.
CHILD = """
import sqlite3, sys, time
from pathlib import Path
from runner.batch import Options, bring_in_line, prepare
from runner.cli import main
batch = prepare(Options(Path("m.yaml")))
with batch.opened("run") as ledger:
    admission = batch.admit(ledger)
    batch.check_folders(batch.overview(admission))
    bring_in_line(ledger, admission, time.time())
del batch, admission
with sqlite3.connect("state/m.db") as database:
    database.execute("UPDATE jobs SET status = 'done', output = 'outputs/m/' || id || '.mp4'")
try:
    main(["run", "m.yaml"])
finally:
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(peak.split()[1])
"""


def peak_of(rows: int, folder: Path) -> int:
    """The most memory that the runs take over a catalog of so many rows, in bytes."""
    folder.mkdir()
    lines = ["sku,image,prompt"]
    for number in range(rows):
        image = f"https://cdn.example.com/catalog/2026/{hash((number, 1)):x}/{number:07d}.jpg"
        lines.append(f"SKU-{number:07d},{image},slow pan {number} over the lamp and the table")
    (folder / "t.csv").write_text("\n".join(lines))
    manifest = "version: 1\nprovider: sandbox\ncatalog: {file: t.csv, columns: {id: sku, %s}}\n"
    (folder / "m.yaml").write_text(manifest % "image: image, prompt: prompt")
    done = subprocess.run(
        [sys.executable, "-c", CHILD], cwd=folder, capture_output=True, text=True, check=True
    )
    said, peak = done.stdout.splitlines()[-2:]
    assert f"nothing to do, all {rows} videos are done" in said
    return int(peak) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_million_rows_fit(tmp_path: Path) -> None:
    """Below 300 bytes a row, so that a million take less than 400 MB with all else."""
    few, many = 10_000, 40_000
    grown = peak_of(many, tmp_path / "many") - peak_of(few, tmp_path / "few")
    assert grown / (many - few) < 300
