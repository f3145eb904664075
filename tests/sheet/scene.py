"""A batch as it may stand after a few days: a manifest, a state file with its events, videos."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from runner.batch import Batch, Options, bring_in_line, prepare
from runner.bookkeeping import commit
from runner.events import (
    Accepted,
    Event,
    GaveUp,
    Lost,
    Rendered,
    RenderFailed,
    Saved,
    StillRunning,
    SubmitStarted,
    Throttled,
)
from runner.jobs import Problem
from runner.ledger import Ledger
from runner.sandbox.film import FilmSpec, render

NOON = 1_795_867_200.0  # 2026-11-28, 12:00 UTC
DAY = 86_400.0

HOSTILE = "\"><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7 * 7 }} \u202eevil & 'q'"

BROKEN = Problem("INTERNAL", "an unexpected error", "req-12345678")


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to one job: its fields in the manifest, and how it ended."""

    id: str
    ending: str = "done"
    prompt: str = "slow push in"
    model: str = "gen4_turbo"
    ratio: str = "1280:720"
    at: float = NOON
    took: float = 40.0
    problem: Problem = BROKEN
    image: str = ""


def some_stories() -> list[Story]:
    """One of each ending, over three days."""
    lost = Problem("no_answer", "sent, but the answer never came", "req-1")
    late = Problem("timeout", "still RUNNING after task_timeout")
    return [
        Story("lamp-01", at=NOON - 2 * DAY),
        Story("lamp-02", model="gen3a_turbo", took=80, prompt=HOSTILE),
        Story("lamp-03", "failed", problem=Problem("SAFETY.INPUT.TEXT", HOSTILE)),
        Story("lamp-04", "lost", problem=lost),
        Story("lamp-05", "timeout", problem=late),
        Story("lamp-06", "running"),
        Story("lamp-07", "planned"),
        Story("lamp-08", took=60, ratio="720:1280"),
    ]


@functools.cache
def film() -> bytes:
    """A real video, two seconds long."""
    return render(FilmSpec("task", "lamp.jpg", "slow push in", "gen4_turbo", 1, 320, 180, 2.0))


def stage(folder: Path, stories: Sequence[Story]) -> Batch:
    """Write it all into a folder, which must be the current one."""
    jobs = [
        {
            "id": story.id,
            "image": story.image or f"https://cdn.example.com/{story.id}.jpg",
            "prompt": story.prompt,
            "model": story.model,
            "ratio": story.ratio,
        }
        for story in stories
    ]
    lines = "".join(f"{json.dumps(job)}\n" for job in jobs)
    (folder / "jobs.jsonl").write_text(lines)
    manifest = folder / "batch.yaml"
    manifest.write_text("version: 1\nprice: 0.25\ncatalog: {file: jobs.jsonl}\n")
    batch = prepare(Options(Path("batch.yaml")), {})
    ledger = Ledger.open(batch.state_file)
    ledger.pin(batch.origin)
    bring_in_line(ledger, batch.admit(ledger), NOON - 3 * DAY)
    told = {story.id: story for story in stories}
    (folder / "outputs" / "batch").mkdir(parents=True)
    for job in ledger.jobs():
        for at, event in _events(batch, told[job.id], job.body, job.cost):
            job = commit(ledger, job, event, at)  # noqa: PLW2901 - a job goes through its events
    ledger.close()
    return batch


def _events(
    batch: Batch, story: Story, body: object, cost: int | None
) -> Iterable[tuple[float, Event]]:
    if story.ending == "planned":
        return
    at = story.at
    yield at - 60, SubmitStarted(body, cost)  # type: ignore[arg-type]
    yield at - 59, Throttled(Problem("http_429", "slow down"))
    yield at, SubmitStarted(body, cost)  # type: ignore[arg-type]
    if story.ending == "lost":
        yield at + 30, Lost(story.problem)
        return
    yield at + 1, Accepted(f"task-{story.id}")
    yield at + 2, StillRunning("RUNNING")
    if story.ending == "failed":
        yield at + 20, RenderFailed(story.problem)
    if story.ending == "timeout":
        yield at + 7201, GaveUp(story.problem)
    if story.ending != "done":
        return
    yield at + 1 + story.took, Rendered(f"https://films.example.com/{story.id}?signature=s3cr3t")
    path = batch.place(story.id, {})
    _put(path)
    yield at + 3 + story.took, Saved(str(path), hashlib.sha256(film()).hexdigest(), len(film()))


def _put(path: Path) -> None:
    """The film, as one more name of the first file that has it."""
    first = path.parent / ".film"
    if not first.exists():
        first.write_bytes(film())
    os.link(first, path)
