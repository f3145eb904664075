"""The kernel lock that lets only one process write a state file."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from runner.errors import LockedError, StateError


def is_locked(state_file: Path) -> bool:
    """Whether a process works on this state file at the moment. Changes nothing."""
    try:
        fd = os.open(_lock_path(state_file), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def _lock_path(state_file: Path) -> Path:
    return state_file.with_name(state_file.name + ".lock")


def _taken(fd: int) -> bool:
    """Take the lock if it is free; somebody who only looks (`is_locked`) has it for an instant."""
    for _ in range(5):
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.01)
    return False


class StateLock:
    """An exclusive lock beside the state file, held until `release` or the end of the process.

    It stands on a file of its own (`NAME.db.lock`): SQLite loses its own locks when anybody in
    the process closes the database file. The file stays; only the kernel's lock on it counts.
    """

    def __init__(self, state_file: Path) -> None:
        self.path = _lock_path(state_file)
        self._fd = -1
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = f"{self.path}: can't be opened for writing: {error.strerror}"
            raise StateError(message) from None
        if not _taken(fd):
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip() or "another process"
            os.close(fd)
            message = f"{state_file}: in use by {holder}; nothing was done"
            raise LockedError(message) from None
        self._fd = fd
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        with suppress(OSError):  # a full disk: the lock holds without its holder's name, too
            os.ftruncate(fd, 0)
            holder = f"process {os.getpid()} on {socket.gethostname()} since {now}\n"
            os.pwrite(fd, holder.encode(), 0)

    def release(self) -> None:
        """Let the next process in. Safe to call twice."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> StateLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
