"""Task ids that could not be stored: written beside the state file, picked up by the next run."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from runner.jobs import Job

_SIZE = 64 << 10


@dataclass(frozen=True, slots=True)
class Rescued:
    """An accepted task that the state file could not take: whose it is, and its id."""

    key: int
    content: str
    task_id: str


def rescue_path(state_file: Path) -> Path:
    """Where the rescue file of a state file is."""
    return state_file.with_name(state_file.name + ".rescue")


def kept_ids(state_file: Path) -> list[Rescued]:
    """What earlier runs kept beside a state file; a line that was cut off is left out."""
    try:
        text = rescue_path(state_file).read_bytes().partition(b"\0")[0]
    except OSError:
        return []
    found = []
    for line in text.splitlines():
        with suppress(ValueError, TypeError):
            found.append(Rescued(**json.loads(line)))
    return found


class RescueFile:
    """A small file with its space already taken, so that it can be written on a full disk."""

    def __init__(self, state_file: Path) -> None:
        self.path = rescue_path(state_file)
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        present = os.fstat(self._fd).st_size
        if present < _SIZE:
            os.pwrite(self._fd, bytes(_SIZE - present), present)
            os.fsync(self._fd)

    def save(self, job: Job, task_id: str) -> None:
        """Keep one id, on disk before this returns. Raises `OSError` when even that fails."""
        line = json.dumps(asdict(Rescued(job.key, job.content, task_id))).encode() + b"\n"
        os.pwrite(self._fd, line, len(self._text()))
        os.fsync(self._fd)

    def clear(self) -> None:
        """Forget everything, once it is in the state file."""
        os.pwrite(self._fd, bytes(len(self._text())), 0)
        os.fsync(self._fd)

    def close(self) -> None:
        """Let go of the file; an empty one is removed."""
        if self._fd < 0:
            return
        empty = not self._text()
        os.close(self._fd)
        self._fd = -1
        if empty:
            with suppress(OSError):
                self.path.unlink()

    def _text(self) -> bytes:
        return os.pread(self._fd, os.fstat(self._fd).st_size, 0).partition(b"\0")[0]
