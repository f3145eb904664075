"""Where figures are kept: one JSON file, a part at a time, each with its date and machine."""

from __future__ import annotations

import datetime
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FILE = HERE.parent / "build" / "bench" / "results.json"
_LIBRARIES = ("httpx", "aiohttp", "runwayml", "uvloop")


def load(path: Path) -> dict[str, Any]:
    """What is kept there, nothing when there is no such file."""
    return json.loads(path.read_text()) if path.exists() else {}


def keep(path: Path, part: str, rows: Any, machine: str) -> None:
    """Replace one part's figures; the others stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = load(path)
    kept[part] = {"date": f"{datetime.date.today()}", "machine": machine, "rows": rows}
    path.write_text(json.dumps(kept, indent=1) + "\n")


def machine() -> str:
    """What the figures were measured on, and with, in one line."""
    cores = os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    parts = [
        f"{cores} cores ({_processor()})",
        f"{memory} GB",
        f"{platform.system()} {platform.release().split('-')[0]}",
        f"Python {platform.python_version()}",
        f"SQLite {sqlite3.sqlite_version}",
        *(f"{name} {found}" for name in _LIBRARIES if (found := _version(name))),
        f"a synced 64 KB file in {synced_file_ms():.2f} ms",
        f"load {os.getloadavg()[0]:.1f} before",
        f"commit {_commit()}",
    ]
    return ", ".join(parts)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _commit() -> str:
    asked = ["git", "-C", str(HERE), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def synced_file_ms() -> float:
    """Milliseconds to write and sync 64 KB where the benchmarks write: the median of twenty."""
    took = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(20):
            began = time.perf_counter()
            with (Path(folder) / f"{number}").open("wb") as file:
                file.write(bytes(65536))
                file.flush()
                os.fsync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took) * 1000
