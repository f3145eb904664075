"""Brings a finished video home: streamed beside its place, checked, synced, moved into place."""

from __future__ import annotations

import errno
import hashlib
import ipaddress
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import anyio
import anyio.to_thread

from runner import mp4, tags
from runner.events import Event, FetchFailed, LinkExpired, Saved
from runner.jobs import Problem
from runner.transport import Download, Transport, TransportError

_LARGEST = 4 << 30  # bytes
_LONGEST = 3600.0  # seconds
_REDIRECTS = 5
_EXPIRED = frozenset({400, 401, 403, 404, 410})

InThread = Callable[..., Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class _Received:
    """What a finished transfer left in the part file."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class _Ready:
    """What is put in place: the part file, or a tagged copy of it; `note` says why not a copy."""

    part: Path
    sha256: str
    size: int
    note: str = ""


class _FailedError(Exception):
    """A download that ended early, as the event it amounts to."""

    def __init__(self, event: FetchFailed | LinkExpired) -> None:
        self.event = event


class Downloader:
    """Fetches videos with one transport. `in_thread` runs what may block (fsync) elsewhere."""

    def __init__(
        self,
        transport: Transport,
        *,
        private_hosts: bool = False,
        in_thread: InThread = anyio.to_thread.run_sync,
    ) -> None:
        self._transport = transport
        self._private_hosts = private_hosts
        self._in_thread = in_thread
        self._lasting: set[Path] = set()

    async def fetch(
        self, url: str, task_id: str, target: Path, wanted: Mapping[str, str] | None = None
    ) -> Event:
        """Put the video at `target`, or beside it where another file has that name.

        `wanted` are the tags that it gets on the way, as `tags.write` takes them. A video that
        can't be tagged is put in place as it came: `Saved` has a note then.

        Returns `Saved`, `LinkExpired` when a fresh address is needed, or `FetchFailed`; with
        `local` set when this machine could not take the file. A video is at its place only
        once it is whole: until then it is a `.part` file beside it.
        """
        part = target.with_name(f"{target.name}.{_tag(task_id)}.part")
        saved: Saved | None = None
        try:
            await self._make_folder(target.parent.absolute())
            with anyio.fail_after(_LONGEST):
                received = await self._receive(url, part)
            saved = await self._in_thread(_finish, part, target, received, wanted)
            return saved
        except _FailedError as failed:
            return failed.event
        except TransportError as error:
            return LinkExpired(Problem("download", f"the download broke off: {error}"))
        except TimeoutError:
            return LinkExpired(Problem("download", f"not here after {_LONGEST:g} seconds"))
        except OSError as error:
            words = f"{error.filename or target}: {error.strerror or error}"
            passing = error.errno in {errno.EMFILE, errno.ENFILE}
            return FetchFailed(Problem("disk", words), local=not passing)
        finally:
            if saved is None or wanted:  # otherwise its name is gone: it has the video's
                _discard(part)
                _discard(_beside(part))

    async def _make_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self._lasting.discard(folder)
        if folder not in self._lasting:
            await self._in_thread(self._make_last, folder)

    def _make_last(self, folder: Path) -> None:
        """Sync a folder's own name, and those above it: a power cut could take a new one back."""
        for each in (folder, *folder.parents):
            if each in self._lasting:
                break
            with suppress(OSError):  # not ours to open, so not ours to have made
                _sync(each.parent)
            self._lasting.add(each)

    async def _receive(self, url: str, part: Path) -> _Received:
        for _ in range(_REDIRECTS + 1):
            if reason := self._unsafe(url):
                raise _FailedError(LinkExpired(Problem("unsafe_url", reason)))
            async with self._transport.download(url) as download:
                if download.status in {301, 302, 303, 307, 308}:
                    url = _moved(url, download.headers.get("location", ""))
                    continue
                _check_status(download)
                return await _stream(download, part)
        raise _FailedError(LinkExpired(Problem("redirects", "too many redirects")))

    def _unsafe(self, url: str) -> str:
        """Why an address from outside is not asked; plain HTTP and private hosts are for tests."""
        try:
            parts = urlsplit(url)
        except ValueError:
            return "the provider gave something that is no address"
        if parts.scheme != "https" and not (parts.scheme == "http" and self._private_hosts):
            return f"the provider gave a {parts.scheme or 'nameless'} address instead of https"
        host = parts.hostname or ""
        if not host:
            return "the provider gave an address without a host"
        if not self._private_hosts and _is_private(host):
            return f"the provider gave an address inside a private network ({host})"
        return ""


def _moved(url: str, location: str) -> str:
    """Where a redirect leads; a location that can't be read is left for the check to refuse."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _is_private(host: str) -> bool:
    """Whether a host is a name or number of this machine or its network, however it is spelt."""
    host = host.rstrip(".")
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        pass
    try:  # the short, decimal, octal and hexadecimal forms that the system's resolver knows
        return not ipaddress.ip_address(socket.inet_aton(host)).is_global
    except (OSError, ValueError):
        return host == "localhost" or host.endswith(".localhost")


def _check_status(download: Download) -> None:
    if download.status == 200:
        return
    problem = Problem(f"http_{download.status}", f"the video's host answered {download.status}")
    if download.status in _EXPIRED:
        raise _FailedError(LinkExpired(problem))
    wait = download.headers.get("retry-after", "")
    raise _FailedError(FetchFailed(problem, float(wait) if wait.isdecimal() else None))


async def _stream(download: Download, part: Path) -> _Received:
    announced = download.headers.get("content-length", "")
    digest = hashlib.sha256()
    size = 0
    with _made(part) as file:
        async for piece in download.pieces:
            size += len(piece)
            if size > _LARGEST:
                raise _FailedError(LinkExpired(Problem("bad_video", "larger than 4 GiB")))
            digest.update(piece)
            file.write(piece)
    if announced.isdecimal() and int(announced) != size:
        words = f"{size} bytes of {announced} came"
        raise _FailedError(LinkExpired(Problem("download", words)))
    return _Received(digest.hexdigest(), size)


def _made(part: Path) -> BinaryIO:
    """A new file, never another's opened anew.

    What has the name is a killed run's: perhaps the second name of a video that it had just
    published.
    """
    with suppress(FileExistsError):
        return part.open("xb")
    part.unlink(missing_ok=True)
    _discard(_beside(part))
    return part.open("xb")


def _finish(
    part: Path, target: Path, received: _Received, wanted: Mapping[str, str] | None
) -> Saved:
    """Check the whole file, tag it, sync it and put it in its place: the part that may block."""
    with part.open("rb") as file:
        defect = mp4.defect(file)
    if defect:
        raise _FailedError(LinkExpired(Problem("bad_video", defect)))
    ready = _Ready(part, received.sha256, received.size)
    if wanted:
        ready = _tagged(ready, wanted)
    _sync(ready.part)
    return _publish(ready, target, received)


def _tagged(came: _Ready, wanted: Mapping[str, str]) -> _Ready:
    """A tagged copy of the video that came, or that video with a note.

    The copy is complete before anything has the video's name, so no file is ever changed after
    its digest was told.
    """
    copy = _beside(came.part)
    _discard(copy)
    try:
        with came.part.open("rb") as source, copy.open("xb") as target:
            written = tags.write(source, target, wanted)
        with copy.open("rb") as file:
            if defect := mp4.defect(file):
                raise tags.UntaggableError(f"written, it would be {defect}")
    except Exception as error:  # whatever it is: a video that was paid for comes home without tags
        words = error.strerror if isinstance(error, OSError) else str(error)
        return replace(came, note=f"no metadata was written: {words or type(error).__name__}")
    return _Ready(copy, *written)


def _publish(ready: _Ready, target: Path, received: _Received) -> Saved:
    """Give the part file its final name, never one that another file has.

    The same bytes already there, tagged or not, are this very video, published by a run that was
    killed before it could say so.
    """
    number = 1
    place = target
    known = {received.sha256: received.size, ready.sha256: ready.size}
    sha256 = ready.sha256
    while not _claim(ready.part, place):
        if (there := _digest(place)) in known:
            sha256 = there
            ready.part.unlink()
            break
        number += 1
        place = target.with_name(f"{target.stem}-{number}{target.suffix}")
    _sync(place.parent)
    came = received.sha256 if sha256 != received.sha256 else ""
    return Saved(str(place), sha256, known[sha256], came, ready.note)


def _claim(part: Path, place: Path) -> bool:
    """Move without ever replacing: a hard link fails where a rename would overwrite."""
    try:
        os.link(part, place)
    except FileExistsError:
        return False
    except OSError:
        if place.exists():
            return False
        part.rename(place)  # a file system without hard links
        return True
    part.unlink()
    return True


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


def _discard(part: Path) -> None:
    with suppress(OSError):
        part.unlink()


def _beside(part: Path) -> Path:
    """Where a part file's tagged copy is written."""
    return part.with_name(f"{part.stem}.tagged{part.suffix}")


def _tag(task_id: str) -> str:
    return hashlib.sha256(task_id.encode()).hexdigest()[:8]
