"""One batch that is killed, robbed and stopped, and its audit."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from desk import Desk, Provider
from wal import rob

from runner.sandbox import FilmSpec, tiny

JOBS = 40
LONGEST_RUN = 3.0
HEAD = """\
version: 1
concurrency: 4
poll_interval: 100ms
visibility_grace: 1s
defaults: {model: gen3a_turbo, prompt: slow push in}
jobs:
"""
FAULTS = (
    "submit:429@0.1",
    "submit:slow:300ms@0.3",
    "poll:502@0.1",
    "poll:cut@0.05",
    "film:truncated@0.15",
    "film:slow:300ms@0.3",
    "film:reset@0.1",
    "film:expired@0.1",
)


class KilledBatch:
    """A folder, a provider process, and a way to go on after every blow."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder = folder
        self.dice = dice
        self.counts: Counter[str] = Counter()
        self.desk = Desk(folder)
        self.desk.manifest(JOBS, HEAD)
        self.provider = self._provide("0")
        self.desk.provider = self.provider

    def close(self) -> None:
        """End the provider."""
        self.provider.stop()

    def _provide(self, port: str) -> Provider:
        faults = [part for fault in FAULTS for part in ("--fault", fault)]
        dialect = self.dice.choice(("flat", "wrapped", "mixed"))
        return Provider(
            self.folder, "--port", port, "--render", "200ms..2s", "--queue", "50ms..300ms",
            "--invisible", "0s..500ms", "--dialect", dialect, *faults,
        )  # fmt: skip

    def suffer(self) -> None:
        """Start a run, and end it in one of the ways in which runs end."""
        blow = self.dice.choices(
            ("killed", "terminated", "stopped and woken", "provider killed"), (80, 8, 6, 6)
        )[0]
        process = self.desk.start("run", "batch.yaml", "--progress", "none")
        if self._ended(process, self.dice.uniform(0, LONGEST_RUN)):
            self.counts["ended by itself"] += 1
        elif blow == "terminated":
            process.send_signal(signal.SIGTERM)
        elif blow == "stopped and woken":
            process.send_signal(signal.SIGSTOP)
            self._ended(process, self.dice.uniform(0, LONGEST_RUN))
            process.send_signal(signal.SIGCONT)
            self._ended(process, self.dice.uniform(0, 1))
            process.kill()
        elif blow == "provider killed":
            self._kill_provider()
            self._ended(process, self.dice.uniform(0, 1))
            process.kill()
        else:
            process.kill()
        _, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        self.counts[blow] += 1
        if self.dice.random() < 0.5:
            self.counts["commits robbed"] += rob(self.folder / "state" / "batch.db", self.dice)

    def _kill_provider(self) -> None:
        port = self.provider.url.rpartition(":")[2]
        self.provider.process.kill()
        self.provider.process.communicate()
        self.provider = self.desk.provider = self._provide(port)

    @staticmethod
    def _ended(process: subprocess.Popen[str], seconds: float) -> bool:
        done = threading.Event()
        try:
            process.wait(seconds)
            done.set()
        except subprocess.TimeoutExpired:
            pass
        return done.is_set()

    def audit(self) -> list[str]:
        """Run to the end with an honest operator; every promise that was broken."""
        for _ in range(6):
            done = self.desk.run("run", "batch.yaml", "--progress", "none", code=None)
            if done.returncode == 0:
                break
            self._settle()
        books = self.desk.audit()
        jobs = self.desk.status()["jobs"]
        problems = [f"{job['id']} is {job['status']}" for job in jobs if job["status"] != "done"]
        problems += [f"charged twice: {ids}" for ids in books["duplicates"]]
        problems += [words for job in jobs if (words := self._spoilt(job, books["charges"]))]
        self.counts["charged twice"] += len(books["duplicates"])
        self.counts["lost"] += len(problems) - len(books["duplicates"])
        self.counts["videos home"] += sum(job["status"] == "done" for job in jobs)
        self.counts["charges"] += books["charged"]
        return problems

    def _settle(self) -> None:
        """Look every uncertain job up in the provider's books, as an honest operator does."""
        charges = {
            charge["body"]["promptImage"]: charge["task_id"]
            for charge in self.desk.audit()["charges"]
        }
        for job in self.desk.status()["jobs"]:
            if job["status"] == "uncertain":
                self.counts["settled"] += 1
                task_id = charges.get(job["request"]["promptImage"])
                word = ("--task-id", task_id) if task_id else ("--not-charged",)
                self.desk.run("resolve", "batch.yaml", job["id"], *word)

    def _spoilt(self, job: dict[str, Any], charges: list[dict[str, Any]]) -> str:
        """What is wrong with a video on disk, compared with what the provider made."""
        if job["status"] != "done":
            return ""
        body = next(each["body"] for each in charges if each["task_id"] == job["task_id"])
        if body["promptImage"] != job["request"]["promptImage"]:
            return f"{job['id']} has the video of another"
        path = self.folder / job["output"]
        whole = path.exists() and path.read_bytes() == tiny(FilmSpec.of(job["task_id"], body))
        return "" if whole else f"{job['id']}: {path} is not whole"
