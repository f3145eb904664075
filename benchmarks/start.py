"""How soon the command is there, and how long a run takes that has nothing to do."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.clients import Batch, images, runner
from benchmarks.compare import fresh
from benchmarks.harness import Child, client_environment

NOBODY = "http://127.0.0.1:9"  # the discard port: a run with nothing to do asks nobody
PYTHON = [sys.executable, "-c", "pass"]
VERSION = [sys.executable, "-m", "runner", "--version"]
CHECK = [sys.executable, "-m", "runner", "check", "bench.yaml"]

# Each prints the seconds that the parser alone takes, its own import not counted.
CSV_ALONE = """
import csv, sys, time
began = time.perf_counter()
with open(sys.argv[1], newline="") as file:
    for row in csv.reader(file): pass
print(time.perf_counter() - began)
"""
YAML_ALONE = """
import sys, time, yaml
loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
began = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    for event in yaml.parse(file, Loader=loader): pass
print(time.perf_counter() - began)
"""


def start(folder: Path, rounds: int = 10) -> list[dict[str, Any]]:
    """Wall seconds of `runner --version` and of an empty Python, in turn."""
    fresh(folder / "start")
    environment = client_environment(NOBODY)
    return [
        {
            name: Child(command, folder / "start", environment=environment).wait().wall
            for name, command in (("python", PYTHON), ("version", VERSION))
        }
        for _ in range(rounds)
    ]


def idle(folder: Path, jobs: int = 100_000, rounds: int = 3) -> list[dict[str, Any]]:
    """Runs with nothing to do over CSV and YAML catalogs, and the parser's own part of each."""
    place = folder / "idle"
    fresh(place)
    asked = images(jobs)
    batch = Batch(place, asked, 5, NOBODY)
    command = runner(batch)
    write_yaml(place / "yaml" / "bench.yaml", asked)
    rows = []
    for kind, home, alone, table in (
        ("csv", place, CSV_ALONE, "jobs.csv"),
        ("yaml", place / "yaml", YAML_ALONE, "bench.yaml"),
    ):
        environment = client_environment(NOBODY)
        state_file = home / "state" / "bench.db"
        Child([*command, "--deadline", "100ms"], home, environment=environment).wait()
        forge_done(state_file)
        for round in range(rounds):
            parser = [sys.executable, "-c", alone, table]
            told = subprocess.run(parser, cwd=home, capture_output=True, text=True, check=True)
            started = Child(VERSION, home, environment=environment).wait().wall
            checked = Child(CHECK, home, environment=environment).wait()
            usage = Child(command, home, environment=environment).wait()
            if usage.code:
                raise SystemExit(f"benchmarks: a run with nothing to do ended with {usage.code}")
            rows.append(
                {
                    "kind": kind,
                    "jobs": jobs,
                    "round": round,
                    "wall": usage.wall,
                    "cpu": usage.cpu,
                    "parser": float(told.stdout),
                    "check": checked.wall,
                    "start": started,
                    "peak_mb": usage.peak_mb,
                }
            )
    return rows


def write_yaml(path: Path, asked: Sequence[str]) -> None:
    """The same jobs, all in the manifest itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        file.write('version: 1\nname: bench\noutput: "videos/{id}.mp4"\n')
        file.write('defaults: {model: gen4_turbo, ratio: "1280:720", duration: 5}\njobs:\n')
        file.writelines(
            f"  - id: {Path(image).stem}\n    image: {image}\n"
            f"    prompt: slow push in on view {seed}\n    seed: {seed}\n"
            for seed, image in enumerate(asked)
        )


def forge_done(state_file: Path) -> None:
    """Make every job of a state file done.

    Buying 100,000 videos first would take most of an hour; what is measured here is reading them.
    """
    with sqlite3.connect(state_file) as db:
        db.execute(
            "UPDATE jobs SET status = 'done', task_id = 'task-' || key, attempts = 1, size = 65536,"
            " output = 'videos/' || id || '.mp4', sha256 = hex(randomblob(32)),"
            " submitted_at = ?1, since = ?1, finished_at = ?1",
            (time.time(),),
        )
    db.close()
