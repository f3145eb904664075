"""The videos on disk: whether each is as it came home, and what is put beside it."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from runner import __version__
from runner.jobs import Job

_MAKER = "runner"
_LARGEST = 1 << 20


class Standing(StrEnum):
    """How a finished job's video stands on disk."""

    WHOLE = "whole"
    MISSING = "missing"
    CHANGED = "changed"


class Look(NamedTuple):
    """What a look at a video found; `words` say what is wrong, "" for nothing."""

    standing: Standing
    words: str = ""


def look(job: Job) -> Look:
    """Hold a finished job's video against the digest that it came home with. Reads all of it."""
    try:
        with Path(job.output).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return Look(Standing.MISSING, f"{job.output}: {error.strerror}")
    if digest == job.sha256:
        return Look(Standing.WHOLE)
    return Look(Standing.CHANGED, f"{job.output}: not the bytes that were brought home")


def sidecar_path(job: Job) -> Path:
    """Where a finished job's sidecar belongs: NAME.json beside NAME.mp4."""
    return Path(job.output).with_suffix(".json")


def sidecar(job: Job, batch: str, provider: str, received: str = "") -> dict[str, Any]:
    """What a finished job's video came from. Times are ISO 8601 in UTC.

    `received` is the digest of what came, where metadata was written into it after.

    It may be shown to anybody: no key, no link to the video, and of the image's address not what
    follows the `?`, which may be a signature.
    """
    request = dict(job.body)
    request["promptImage"] = str(request.get("promptImage", "")).partition("?")[0]
    return {
        "made_by": f"{_MAKER} {__version__}",
        "file": Path(job.output).name,
        "sha256": job.sha256,
        "size": job.size,
        **({"received_sha256": received} if received else {}),
        "id": job.id,
        "batch": batch,
        "provider": provider,
        "task_id": job.task_id,
        "request": request,
        "request_digest": job.content,
        "submitted_at": _iso(job.submitted_at),
        "finished_at": _iso(job.finished_at),
    }


def has_sidecar(job: Job) -> bool:
    """Whether this very video's sidecar is there."""
    present = _sidecar_at(sidecar_path(job), job)
    return present is not None and _same(present, job)


def put_sidecar(job: Job, batch: str, provider: str, received: str = "") -> str:
    """Put the sidecar beside the video, whole or not at all; returns why not, "" when it is there.

    Only a sidecar of the same file's is ever replaced.
    """
    path = sidecar_path(job)
    present = _sidecar_at(path, job)
    if present is not None and _same(present, job):
        return ""
    text = json.dumps(sidecar(job, batch, provider, received), indent=2, ensure_ascii=False)
    data = f"{text}\n".encode()
    return put_beside(path, data, ours=present is not None, what="sidecar")


def put_beside(path: Path, data: bytes, *, ours: bool, what: str) -> str:
    """Put a file beside a video, whole or not at all; why not, or "" when it is there.

    What has the name is replaced only if it is `ours`. `what` is what people call such a file.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        if ours:
            part.replace(path)
        elif not _claim(part, path):
            return f"{path}: another file has the {what}'s name; it was left alone"
    except OSError as error:
        return f"{path}: the {what} can't be written: {error.strerror}"
    finally:
        with suppress(OSError):
            part.unlink()
    return ""


def _claim(part: Path, path: Path) -> bool:
    """Give a file its name, unless another has it."""
    try:
        os.link(part, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            return False
        part.rename(path)
    return True


def _sidecar_at(path: Path, job: Job) -> dict[str, Any] | None:
    """The sidecar that stands at a path, None when there is none or it is something else."""
    try:
        if path.is_symlink() or path.stat().st_size > _LARGEST:
            return None
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or found.get("file") != Path(job.output).name:
        return None
    return found if str(found.get("made_by", "")).startswith(f"{_MAKER} ") else None


def _same(present: dict[str, Any], job: Job) -> bool:
    return (present.get("sha256"), present.get("task_id")) == (job.sha256, job.task_id)


def _iso(moment: float) -> str | None:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds") if moment else None
