"""Who is measured: each client's command line over the same batch, in a folder of its own."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import overload

ONE = Path(__file__).parent / "peers" / "one.sh"
VIDEOS = "videos"
RUNNER_MANIFEST = """\
version: 1
name: bench
provider: cometapi
concurrency: {concurrency}
{interval}output: videos/{{id}}.mp4
defaults: {{model: gen4_turbo, ratio: "1280:720", duration: 5}}
catalog: {{file: jobs.csv}}
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """What a client is given: a folder, images, how many at once, where the provider is."""

    folder: Path
    images: Sequence[str]
    concurrency: int
    base_url: str
    interval: float | None = None

    def command(self, client: str) -> list[str]:
        """Write what the client reads into the folder; its command line."""
        return CLIENTS[client](self)


@dataclass(frozen=True, slots=True)
class Images(Sequence[str]):
    """So many addresses of images, each made when it is looked at.

    What this process holds in memory would count as the peak of each client that it starts.
    """

    many: int

    def __len__(self) -> int:
        return self.many

    @overload
    def __getitem__(self, place: int) -> str: ...
    @overload
    def __getitem__(self, place: slice) -> list[str]: ...
    def __getitem__(self, place: int | slice) -> str | list[str]:
        found = range(self.many)[place]
        return _image(found) if isinstance(found, int) else [_image(each) for each in found]


def images(count: int) -> Images:
    """So many addresses of images."""
    return Images(count)


def _image(number: int) -> str:
    return f"https://images.example.com/job-{number:07d}.jpg"


def runner(batch: Batch, *options: str, extra: str = "") -> list[str]:
    """`runner run`, from a manifest over a CSV catalog; the interval is its default if not set."""
    folder = batch.folder
    folder.mkdir(parents=True, exist_ok=True)
    write_catalog(folder / "jobs.csv", batch.images)
    interval = "" if batch.interval is None else f"poll_interval: {batch.interval:g}s\n"
    manifest = RUNNER_MANIFEST.format(concurrency=batch.concurrency, interval=interval)
    (folder / "bench.yaml").write_text(manifest + extra)
    run = [sys.executable, "-m", "runner", "run", "bench.yaml", "--base-url", batch.base_url]
    return [*run, *(options or ("--progress", "none"))]


def write_catalog(path: Path, images: Sequence[str]) -> None:
    """A CSV of jobs."""
    with path.open("w") as file:
        file.write("id,image,prompt,seed\n")
        file.writelines(
            f"{Path(image).stem},{image},slow push in on view {seed},{seed}\n"
            for seed, image in enumerate(images)
        )


def _peer(module: str) -> Callable[[Batch], list[str]]:
    def command(batch: Batch) -> list[str]:
        options = ["--concurrency", str(batch.concurrency)]
        if batch.interval is not None:
            options += ["--interval", f"{batch.interval:.3f}"]
        peer = [sys.executable, "-m", f"benchmarks.peers.{module}"]
        return [*peer, _list(batch), VIDEOS, *options]

    return command


def _parallel(batch: Batch) -> list[str]:
    (batch.folder / VIDEOS).mkdir(exist_ok=True)
    run = ["parallel", "--jobs", str(batch.concurrency), "--joblog", "jobs.log", "--resume"]
    return [*run, str(ONE), "{}", VIDEOS, f"{batch.interval or 5:g}", "::::", _list(batch)]


def _list(batch: Batch) -> str:
    (batch.folder / "images.txt").write_text("\n".join(batch.images))
    return "images.txt"


CLIENTS: dict[str, Callable[[Batch], list[str]]] = {
    "runner": runner,
    "bare": _peer("bare"),
    "sdk": _peer("sdk"),
    "parallel": _parallel,
    "sequential": _peer("sequential"),
}

_NEEDS = {"sdk": "runwayml"}


def missing(client: str) -> str:
    """Why a client can't be measured here, or ""."""
    if client == "parallel":
        absent = [tool for tool in ("parallel", "curl") if not shutil.which(tool)]
        return f"{' and '.join(absent)} not installed" if absent else ""
    module = _NEEDS.get(client)
    return f"{module} not installed" if module and not find_spec(module) else ""
