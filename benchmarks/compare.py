"""The comparison: runner and peers over the same jobs at the same provider, in turn, repeated."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.clients import VIDEOS, Batch, images, missing
from benchmarks.harness import Child, ProviderProcess, Usage, client_environment
from benchmarks.provider import FILM_BYTES
from benchmarks.renders import ideal_wall, matching_interval, render_time

SEED = 7


@dataclass(frozen=True, slots=True)
class Turn:
    """One client in a round. `like` names the turn before whose number of polls it repeats."""

    label: str
    client: str
    interval: float | None = None
    like: str = ""
    jobs: int | None = None


RUNNER = Turn("runner, every 1 s", "runner", 1.0)
RUNNER_DEFAULT = Turn("runner, default", "runner")
BARE = Turn("bare loop, polls as at 1 s", "bare", like=RUNNER.label)
BARE_DEFAULT = Turn("bare loop, polls as at default", "bare", like=RUNNER_DEFAULT.label)
SDK = Turn("official SDK", "sdk")
PARALLEL = Turn("parallel + curl", "parallel", 5.0)
SEQUENTIAL = Turn("sequential script", "sequential", 5.0, jobs=2)


@dataclass(frozen=True, slots=True)
class Level:
    """So many jobs, all in flight at once, measured so many times by these clients in turn."""

    jobs: int
    rounds: int
    turns: tuple[Turn, ...]


LEVELS = (
    Level(20, 1, (RUNNER, RUNNER_DEFAULT, BARE, SDK, PARALLEL, SEQUENTIAL)),
    Level(300, 2, (RUNNER, RUNNER_DEFAULT, BARE, SDK, PARALLEL)),
    Level(1000, 3, (RUNNER, BARE, RUNNER_DEFAULT, BARE_DEFAULT, SDK)),
    Level(5000, 1, (RUNNER, BARE, RUNNER_DEFAULT)),
)


class IncompleteError(Exception):
    """A client that did not do the whole work: its figures would mean nothing."""


def compare(
    provider: ProviderProcess,
    folder: Path,
    levels: tuple[Level, ...],
    renders: tuple[float, float] = (10.0, 20.0),
) -> Iterator[dict[str, Any]]:
    """One row a client and round, as they come. A peer that does not finish is left out, aloud."""
    for level in levels:
        turns = [turn for turn in level.turns if not missing(turn.client)]
        for round in range(level.rounds):
            polls: dict[str, float] = {}
            for turn in turns:
                if turn.like and turn.like not in polls:
                    continue
                try:
                    row = _measured(provider, folder, level, turn, polls=polls, renders=renders)
                except IncompleteError as error:
                    if turn.client == "runner":
                        raise
                    print(f"benchmarks: left out: {error}", file=sys.stderr)
                    continue
                polls[turn.label] = row["polls_a_job"]
                yield {"round": round, **row}


def _measured(
    provider: ProviderProcess,
    folder: Path,
    level: Level,
    turn: Turn,
    *,
    polls: dict[str, float],
    renders: tuple[float, float],
) -> dict[str, Any]:
    asked = images(turn.jobs or level.jobs)
    concurrency = 1 if turn.client == "sequential" else level.jobs
    times = [render_time(SEED, image, *renders) for image in asked]
    interval = matching_interval(times, polls[turn.like]) if turn.like else turn.interval
    batch = Batch(folder / "turn", asked, concurrency, provider.url, interval)
    usage, books = one_turn(provider, batch, turn.client, SEED, renders)
    ideal = ideal_wall(times, concurrency)
    return {
        "level": level.jobs,
        "label": turn.label,
        "jobs": len(asked),
        "like": turn.like,
        "ideal": ideal,
        "wall": usage.wall,
        "wall_over_ideal": usage.wall / ideal,
        "cpu_ms": usage.cpu / len(asked) * 1000,
        "peak_mb": usage.peak_mb,
        **books,
    }


def one_turn(
    provider: ProviderProcess,
    batch: Batch,
    client: str,
    seed: int,
    renders: tuple[float, float],
) -> tuple[Usage, dict[str, Any]]:
    """Run one client over one batch with new books. Raises `IncompleteError`."""
    fresh(batch.folder)
    provider.scene(seed=seed, shortest=renders[0], longest=renders[1])
    command = batch.command(client)
    usage = Child(command, batch.folder, environment=client_environment(provider.url)).wait()
    books = provider.ask("books")
    lost = [image for image, ids in provider.ask("charged").items() if not home(batch, image, ids)]
    if usage.code or lost or books["charges"] < len(batch.images):
        noise = (batch.folder / "client.log").read_text(errors="replace")[-2000:]
        raise IncompleteError(
            f"{client} ended with {usage.code}: {books['charges']} of {len(batch.images)} jobs "
            f"charged, {len(lost)} videos not there\n{noise}"
        )
    return usage, books


def home(batch: Batch, image: str, task_ids: list[str]) -> bool:
    """Whether the whole video of one of these tasks stands at the image's place."""
    path = batch.folder / VIDEOS / f"{Path(image).stem}.mp4"
    try:
        film = path.read_bytes()
    except OSError:
        return False
    return len(film) == FILM_BYTES and any(id.encode() in film[:200] for id in task_ids)


def fresh(folder: Path) -> None:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
