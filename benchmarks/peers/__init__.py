"""The clients that the runner is held against, each written the way people write it.

All take the same arguments: a file of image addresses, a folder for the videos, how many at once.
All skip a job whose video is there, which is what such scripts do when they are started again.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

PROMPT = "slow push in"
MODEL = "gen4_turbo"
RATIO = "1280:720"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a peer is to do: the images whose videos are not there yet, and how."""

    images: list[str]
    videos: Path
    concurrency: int
    interval: float
    base_url: str

    def place(self, image: str) -> Path:
        """Where an image's video goes."""
        return self.videos / f"{Path(image).stem}.mp4"


def asked() -> Asked:
    """Read a peer's command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--interval", type=float, default=5.0)
    given = parser.parse_args()
    given.videos.mkdir(parents=True, exist_ok=True)
    images = given.images.read_text().split()
    waiting = [image for image in images if not (given.videos / f"{Path(image).stem}.mp4").exists()]
    return Asked(waiting, given.videos, given.concurrency, given.interval, os.environ["BASE_URL"])
