"""Deliberate bugs in what is kept: the state file, its lock, and the videos."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner import admission, download, events, mp4
from runner.events import Event, Saved
from runner.jobs import Identity, Job
from runner.ledger import Ledger, StateLock, ledger, pruning
from runner.recognition import Asked
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
    return [(ledger, "make_folders_last", lambda path: None)]


@mutation
def no_lock() -> Replacements:
    """Two runs may work on one state file."""

    def unlocked(self: StateLock, state_file: Path) -> None:
        self._fd = os.open("/dev/null", os.O_RDONLY)

    return [(StateLock, "__init__", unlocked), (StateLock, "release", lambda self: None)]


@mutation
def forgotten_is_unknown() -> Replacements:
    """An entry that comes back is not recognised as a job that was forgotten."""
    recognise = admission.recognise

    def shown(*given: Any) -> Iterator[tuple[int, Asked, Identity]]:
        return (found for found in recognise(*given) if not found[2].forgotten)

    return [(admission, "recognise", shown)]


@mutation
def archive_not_synced() -> Replacements:
    """Logs are deleted before the archive that has them is durable."""

    def trusting(archive: Path, lines: Iterable[Mapping[str, Any]]) -> None:
        with archive.open("ab") as file:
            for line in lines:
                file.write(json.dumps(line).encode() + b"\n")

    return [(pruning, "_append", trusting)]


@mutation
def archived_logs_have_no_end() -> Replacements:
    """What an archived log had led to is not kept when more happens to its job."""
    write = Ledger._write

    def forgetful(self: Ledger, before: Job, event: Event, after: Job, at: float) -> None:
        write(self, before, event, after, at)
        self._db.conn.execute("UPDATE archived SET state = NULL WHERE job = ?", [before.key])

    return [(Ledger, "_write", forgetful)]


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

    def publish(ready: Any, target: Path, received: Any) -> Saved:
        return Saved(str(ready.part), ready.sha256, ready.size)

    return [
        (download, "_publish", publish),
        (download, "_discard", lambda part: None),
    ]
