"""Where a sheet is put: a folder that can be moved whole, or one file beside the videos."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import ConfigurationError
from runner.sheet.cards import Card
from runner.sheet.page import GENERATOR

_INDEX = "index.html"
_VIDEOS = "videos"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the page goes; `videos` is the folder beside it that gets the videos, if any."""

    page: Path
    videos: Path | None

    @classmethod
    def at(cls, target: Path) -> Place:
        """A file when it is called .html: then it plays the videos where they are."""
        if target.suffix.lower() in {".html", ".htm"}:
            return cls(target, None)
        return cls(target / _INDEX, target / _VIDEOS)

    def video(self, card: Card) -> str:
        """The path of a card's video as the page names it, "" where there is none."""
        if not card.output or card.missing:
            return ""
        if self.videos is None:
            return os.path.relpath(card.output, self.page.parent)
        return f"{_VIDEOS}/{_own_name(card)}"

    def check(self) -> None:
        """Refuse to write over what is not a sheet of ours. Raises `ConfigurationError`."""
        try:
            with self.page.open("rb") as file:
                ours = f'content="{GENERATOR}"'.encode() in file.read(4096)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigurationError(f"{self.page}: {error.strerror}") from None
        if not ours:
            raise ConfigurationError(
                f"{self.page}: is there already and is no contact sheet; "
                "move it away, or choose another place with --to"
            )

    def gather(self, cards: Iterable[Card]) -> None:
        """Put the videos beside the page: as second names of the same files where that works.

        Nothing is ever replaced or removed: a name holds the content's own digest.
        """
        if self.videos is None:
            return
        with _explained(self.videos):
            self.videos.mkdir(parents=True, exist_ok=True)
            for card in cards:
                if self.video(card):
                    _take(Path(card.output), self.videos / _own_name(card))


def missing(outputs: Iterable[str]) -> set[str]:
    """Which of these files are not there."""
    return {output for output in outputs if not os.path.isfile(output)}  # noqa: PTH113 - twice as quick, for thousands


def write(path: Path, pieces: Iterable[str]) -> None:
    """Write a text file whole or not at all. Raises `ConfigurationError`."""
    part = path.with_name(f"{path.name}.part")
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w", encoding="utf-8", errors="replace", newline="") as file:
                file.writelines(pieces)
            part.replace(path)
        finally:
            with suppress(OSError):
                part.unlink()


def _own_name(card: Card) -> str:
    """A name for a video that says which it is and can't be another's."""
    source = Path(card.output)
    return f"{source.stem[:48]}-{card.sha256[:10]}{source.suffix}"


def _take(source: Path, target: Path) -> None:
    if target.exists():
        return
    try:
        os.link(source, target)
    except FileExistsError:
        return
    except OSError:  # another disk, or a file system without hard links
        part = target.with_name(f"{target.name}.part")
        try:
            shutil.copy2(source, part)
            part.replace(target)
        finally:
            with suppress(OSError):
                part.unlink()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """The system's errors as ones for people."""
    try:
        yield
    except OSError as error:
        where = error.filename or path
        raise ConfigurationError(f"{where}: {error.strerror or error}") from None
