"""Videos on disk and their sidecars, on real files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.jobs import Job, Status
from runner.videos import Standing, has_sidecar, look, put_sidecar, sidecar_path

VIDEO = b"a video"


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A finished job with its video."""
    place = tmp_path / "lamp.mp4"
    place.write_bytes(VIDEO)
    return Job(
        key=1,
        id="lamp",
        derived="",
        content="c" * 32,
        body={"promptImage": "https://a.example.com/a.jpg?sig=secret", "model": "gen4_turbo"},
        status=Status.DONE,
        task_id="task-1",
        url="https://videos.example.com/v.mp4?sig=secret",
        output=str(place),
        sha256=hashlib.sha256(VIDEO).hexdigest(),
        size=len(VIDEO),
        submitted_at=0.5,
        finished_at=60.0,
    )


def test_a_video_is_whole_changed_or_missing(job: Job) -> None:
    """What is on disk is held against the digest."""
    assert look(job) == (Standing.WHOLE, "")
    Path(job.output).write_bytes(b"another")
    assert look(job).standing is Standing.CHANGED
    Path(job.output).unlink()
    assert look(job).standing is Standing.MISSING


def test_a_sidecar_says_what_the_video_came_from(job: Job) -> None:
    """Request, task, times and digest; nothing that is signed, and no file left over."""
    assert not has_sidecar(job)
    assert put_sidecar(job, "spring", "runway") == ""
    assert has_sidecar(job)
    text = sidecar_path(job).read_text("utf-8")
    found = json.loads(text)
    assert "secret" not in text
    assert found["request"] == {
        "promptImage": "https://a.example.com/a.jpg",
        "model": "gen4_turbo",
    }
    assert (found["task_id"], found["sha256"], found["file"]) == (
        "task-1",
        job.sha256,
        "lamp.mp4",
    )
    assert found["finished_at"] == "1970-01-01T00:01:00+00:00"
    assert {path.name for path in Path(job.output).parent.iterdir()} == {"lamp.mp4", "lamp.json"}


@pytest.mark.parametrize("stranger", [b"", b"{}", b"[1]", b"\xff", b'{"made_by": "runner 1"}'])
def test_a_stranger_s_file_is_left_alone(job: Job, stranger: bytes) -> None:
    """What has the name already and isn't this video's sidecar stays as it is."""
    sidecar_path(job).write_bytes(stranger)
    assert "left alone" in put_sidecar(job, "spring", "runway")
    assert sidecar_path(job).read_bytes() == stranger
    assert not list(Path(job.output).parent.glob("*.part"))


def test_a_link_is_a_stranger(job: Job, tmp_path: Path) -> None:
    """A symbolic link is not followed, wherever it leads."""
    (tmp_path / "elsewhere").write_text("x")
    sidecar_path(job).symlink_to(tmp_path / "elsewhere")
    assert "left alone" in put_sidecar(job, "spring", "runway")
    assert (tmp_path / "elsewhere").read_text() == "x"


def test_an_older_sidecar_of_the_same_file_is_replaced(job: Job) -> None:
    """A video that was made anew has the new one's; one that is right is not touched."""
    put_sidecar(job, "spring", "runway")
    before = sidecar_path(job).stat().st_mtime_ns
    put_sidecar(job, "spring", "runway")
    assert sidecar_path(job).stat().st_mtime_ns == before
    newer = replace(job, task_id="task-2")
    assert not has_sidecar(newer)
    assert put_sidecar(newer, "spring", "runway") == ""
    assert has_sidecar(newer)


def test_what_can_t_be_written_is_said(job: Job) -> None:
    """A folder that is gone is words, not an error: the video is paid for and safe."""
    assert "can't be written" in put_sidecar(replace(job, output="/nowhere/a.mp4"), "a", "runway")
