"""Deliberate bugs in what is kept: the state file, its lock, and the videos."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import download, events, mp4
from runner.events import Event, Saved
from runner.jobs import Job
from runner.ledger import Ledger, StateLock, ledger
from simulation.mutations import Replacements, mutation

# ---------------------------------------------------------------- ledger


@mutation
def events_are_not_written() -> Replacements:
    """Rows change without a word in the event log."""
    write = Ledger._write

    def silent(self: Ledger, before: Job, event: Event, after: Job, at: float) -> None:
        if isinstance(event, events.Rendered):
            values = (*ledger.values_of(after), before.key, before.status)
            self._db.conn.execute(ledger.UPDATE, values)
        else:
            write(self, before, event, after, at)

    return [(Ledger, "_write", silent)]


@mutation
def ids_are_not_synced() -> Replacements:
    """The commit of a task id does not reach the disk before it is relied on."""
    return [(ledger, "_RELAXED", (*ledger._RELAXED, events.Accepted))]


@mutation
def state_folder_not_synced() -> Replacements:
    """A new folder for the state file is relied on before its own name is durable."""
    return [(ledger, "_make_folders_last", lambda path: None)]


@mutation
def no_lock() -> Replacements:
    """Two runs may work on one state file."""

    def unlocked(self: StateLock, state_file: Path) -> None:
        self._fd = os.open("/dev/null", os.O_RDONLY)

    return [(StateLock, "__init__", unlocked), (StateLock, "release", lambda self: None)]


# ---------------------------------------------------------------- downloads


@mutation
def renamed_before_synced() -> Replacements:
    """A video gets its name before its bytes are durable."""
    sync = download._sync
    return [(download, "_sync", lambda path: sync(path) if path.is_dir() else None)]


@mutation
def name_not_synced() -> Replacements:
    """A job is done before its video's name is durable."""
    sync = download._sync
    return [(download, "_sync", lambda path: None if path.is_dir() else sync(path))]


@mutation
def video_folder_not_synced() -> Replacements:
    """A new folder for videos is relied on before its own name is durable."""
    return [(download.Downloader, "_make_last", lambda self, folder: None)]


@mutation
def any_bytes_are_a_video() -> Replacements:
    """Neither the announced length nor the film's structure is checked."""
    stream = download._stream

    async def trusting(received: Any, part: Path) -> Any:
        return await stream(replace(received, headers=_Unannounced()), part)

    return [(mp4, "defect", lambda file: ""), (download, "_stream", trusting)]


class _Unannounced(Mapping[str, str]):
    """Headers that say nothing."""

    def __getitem__(self, name: str) -> str:
        raise KeyError(name)

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0


@mutation
def overwrites_files() -> Replacements:
    """A video replaces whatever has its name."""

    def claim(part: Path, place: Path) -> bool:
        part.replace(place)
        return True

    return [(download, "_claim", claim)]


@mutation
def part_is_a_video() -> Replacements:
    """The part file is reported as the video."""

    def publish(part: Path, target: Path, received: Any) -> Saved:
        return Saved(str(part), received.sha256, received.size)

    return [
        (download, "_publish", publish),
        (download, "_discard", lambda part: None),
    ]
