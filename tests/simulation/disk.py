"""The disk under a run: what is written, and what of it would survive a power cut."""

from __future__ import annotations

import os
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

STATE = "state"
ARCHIVE = "-archive-"
_FOLDER = -1


@dataclass(frozen=True, slots=True)
class Change:
    """A change of a folder's names that was not synced yet; `inode` is -1 for a folder."""

    folder: Path
    removed: Path | None = None
    added: Path | None = None
    inode: int = 0


class Disk:
    """One folder of files. Names and bytes become durable by syncing, and only so.

    The state file is SQLite's own business: its log is durable up to where it was last synced.
    The strict reading of POSIX holds: a new folder's own name needs its parent synced.
    """

    def __init__(self, root: Path, dice: random.Random) -> None:
        self.root = root
        self._dice = dice
        self._kept = root.with_name(f"{root.name}.kept")
        self._names: dict[Path, int] = {}
        self._changes: list[Change] = []
        self._synced: dict[int, bytes] = {}
        self._handles: dict[int, int] = {}
        self._log_synced = 0

    def settle(self) -> None:
        """Take everything that is there now for durable, as after a reboot."""
        for handle in self._handles.values():
            os.close(handle)
        self._names, self._changes, self._synced, self._handles = {}, [], {}, {}
        for folder, folders, files in os.walk(self.root):
            for name in folders:
                self._names[Path(folder, name)] = _FOLDER
            for path in (Path(folder, name) for name in files):
                if self.concerns(path):
                    self._names[path] = self._hold(path)
                    self._synced[self._names[path]] = path.read_bytes()
        self._log_synced = self._log_size()

    def concerns(self, path: object) -> bool:
        """Whether a path is one of the files followed here: inside, and not SQLite's."""
        text = os.fspath(path) if isinstance(path, str | os.PathLike) else ""
        if not isinstance(text, str) or not text.startswith(f"{self.root}/"):
            return False
        return Path(text).parent != self.root / STATE or ARCHIVE in Path(text).name

    # ------------------------------------------------------------ what happens to it

    def created(self, path: Path) -> None:
        """A file was opened for writing."""
        inode = self._hold(path)
        if self._names.get(path) != inode:
            self._changes.append(Change(path.parent, added=path, inode=inode))

    def made_folder(self, path: Path) -> None:
        """A folder was made."""
        self._changes.append(Change(path.parent, added=path, inode=_FOLDER))

    def linked(self, target: Path) -> None:
        """A file got a further name."""
        self._changes.append(Change(target.parent, added=target, inode=self._hold(target)))

    def renamed(self, source: Path, target: Path) -> None:
        """A file got another name."""
        self._changes.append(Change(target.parent, source, target, self._hold(target)))

    def unlinked(self, path: Path) -> None:
        """A name was removed."""
        self._changes.append(Change(path.parent, removed=path))

    def synced_file(self, path: Path) -> None:
        """A file's bytes are durable."""
        inode = self._hold(path)
        self._synced[inode] = self._content(inode)

    def synced_folder(self, folder: Path) -> None:
        """A folder's names are durable."""
        for change in self._changes:
            if change.folder == folder:
                _apply(self._names, change)
        self._changes = [change for change in self._changes if change.folder != folder]

    def synced_log(self) -> None:
        """The state file's log is durable as it is."""
        self._log_synced = self._log_size()

    # ------------------------------------------------------------ dying and coming back

    def keep(self, *, power: bool) -> None:
        """Put aside what a dead process, or a machine without power, leaves behind."""
        shutil.rmtree(self._kept, ignore_errors=True)
        if power:
            self._keep_durable()
        else:
            ignored = shutil.ignore_patterns("*-shm")
            shutil.copytree(self.root, self._kept, ignore=ignored)

    def come_back(self) -> None:
        """Be as it was put aside; what was done since never happened."""
        shutil.rmtree(self.root)
        self._kept.rename(self.root)

    def close(self) -> None:
        """Forget everything."""
        for handle in self._handles.values():
            os.close(handle)
        self._handles = {}

    def _keep_durable(self) -> None:
        names = dict(self._names)
        for change in self._changes:
            if self._dice.random() < 0.5:
                _apply(names, change)
        self._kept.mkdir()
        for path in sorted(names):
            kept = self._kept / path.relative_to(self.root)
            if not kept.parent.is_dir():
                continue  # its folder is gone, and everything in it
            if names[path] == _FOLDER:
                kept.mkdir()
            else:
                kept.write_bytes(self._surviving(names[path]))
        if (self._kept / STATE).is_dir():
            self._keep_state()

    def _surviving(self, inode: int) -> bytes:
        content, synced = self._content(inode), self._synced.get(inode, b"")
        if content == synced:
            return content
        if synced and content.startswith(synced):  # something was appended
            end = self._dice.randint(len(synced), len(content))
            tail = bytes(len(content) - end) if self._dice.random() < 0.3 else b""
            return content[:end] + tail
        cut = content[: self._dice.randrange(len(content) + 1)]
        return self._dice.choice((synced, cut, bytes(len(content)), b""))

    def _keep_state(self) -> None:
        log = self._log()
        for path in (self.root / STATE).iterdir():
            if path.name.endswith("-shm") or self.concerns(path):
                continue
            content = path.read_bytes()
            if path == log and len(content) > self._log_synced:
                end = self._dice.randint(self._log_synced, len(content))
                tail = bytes(len(content) - end) if self._dice.random() < 0.3 else b""
                content = content[:end] + tail
            (self._kept / STATE / path.name).write_bytes(content)

    # ------------------------------------------------------------ small parts

    def _log(self) -> Path:
        return self.root / STATE / "catalog.db-wal"

    def _log_size(self) -> int:
        try:
            return self._log().stat().st_size
        except OSError:
            return 0

    def _hold(self, path: Path) -> int:
        """The file's inode, held open so that its bytes can be read whatever its names are."""
        inode = path.stat().st_ino
        if inode not in self._handles:
            self._handles[inode] = _open(path, os.O_RDONLY)
        return inode

    def _content(self, inode: int) -> bytes:
        handle = self._handles[inode]
        return os.pread(handle, os.fstat(handle).st_size, 0)


_open = os.open


def _apply(names: dict[Path, int], change: Change) -> None:
    if change.removed is not None:
        names.pop(change.removed, None)
    if change.added is not None:
        names[change.added] = change.inode
