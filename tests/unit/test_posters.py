"""Posters, made of real films: which picture, whose file, and never in the way of a run."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import anyio
import av
import pytest
from PIL import Image

from runner import posters as module
from runner.errors import ConfigurationError
from runner.events import Event, FetchFailed, Saved
from runner.jobs import Job, Problem, Status
from runner.posters import NoPosterError, Posters, draw, has_poster, poster_path, put_poster
from runner.sandbox import FilmSpec, tiny

SIZE = (96, 64)
RED, BLACK, NIGHT = (200, 30, 30), (0, 0, 0), (8, 8, 12)


@cache
def film(*colours: tuple[int, int, int]) -> bytes:
    """A film of one picture a colour."""
    target = io.BytesIO()
    with av.open(target, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for colour in colours:
            container.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", SIZE, colour))))
        container.mux(stream.encode())
    return target.getvalue()


def picture() -> bytes:
    """A picture as a file: FFmpeg would take it for a film of one frame."""
    Image.new("RGB", SIZE, RED).save(target := io.BytesIO(), "PNG")
    return target.getvalue()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A finished job whose video fades in from black."""
    place = tmp_path / "lamp.mp4"
    place.write_bytes(film(BLACK, BLACK, RED, BLACK))
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    return Job(1, "lamp", "", "c", {}, status=Status.DONE, output=str(place), sha256=digest)


@pytest.mark.parametrize(("kind", "name"), [("jpg", "JPEG"), ("webp", "WEBP")])
def test_the_first_picture_that_is_not_black(job: Job, kind: str, name: str) -> None:
    """In the video's own size, as the kind of file that its name says; nothing else is left."""
    assert not has_poster(job, kind)
    assert put_poster(job, kind) == ""
    assert has_poster(job, kind)
    with Image.open(poster_path(job, kind)) as picture:
        assert (picture.format, picture.size) == (name, SIZE)
        red, green, blue = picture.convert("RGB").getpixel((48, 32))
        assert red > 150
        assert max(green, blue) < 90
    assert sorted(each.name for each in Path(job.output).parent.iterdir()) == [
        *sorted([f"lamp.{kind}", "lamp.mp4"])
    ]


def test_a_film_that_stays_dark_has_its_first_picture(tmp_path: Path) -> None:
    """A dark poster says what the film is; none says nothing."""
    video = tmp_path / "night.mp4"
    video.write_bytes(film(NIGHT, BLACK))
    with Image.open(io.BytesIO(draw(video, "jpg"))) as picture:
        assert picture.size == SIZE


def test_a_poster_is_made_once_and_anew_for_another_video(job: Job) -> None:
    """The one of this very video stays; an older video's is replaced."""
    put_poster(job, "jpg")
    path = poster_path(job, "jpg")
    before = path.stat().st_ino
    put_poster(job, "jpg")
    assert path.stat().st_ino == before
    newer = replace(job, sha256="0" * 64)
    assert not has_poster(newer, "jpg")
    assert put_poster(newer, "jpg") == ""
    assert has_poster(newer, "jpg")
    assert path.stat().st_ino != before


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_what_is_not_ours_is_left_alone(job: Job, kind: str, tmp_path: Path) -> None:
    """A picture of somebody's, or anything else of that name."""
    path = poster_path(job, "jpg")
    if kind == "file":
        path.write_bytes(b"mine")
    elif kind == "link":
        put_poster(job, "jpg")
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
    assert "poster's name; it was left alone" in put_poster(job, "jpg")
    assert path.is_symlink() if kind == "link" else path.is_dir() or path.read_bytes() == b"mine"
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    "data",
    [b"", b"no film", film(RED)[:600], tiny(FilmSpec.of("t", {})), picture()],
    ids=["empty", "foreign", "torn", "no picture", "of another format"],
)
def test_a_film_without_a_picture_is_told_of(data: bytes, job: Job) -> None:
    """In words; the video stays, and no file is made."""
    Path(job.output).write_bytes(data)
    assert ": no poster: " in put_poster(job, "jpg")
    assert not poster_path(job, "jpg").exists()
    assert Path(job.output).read_bytes() == data


def test_a_video_that_is_gone_is_told_of(tmp_path: Path) -> None:
    """By the system's own words."""
    with pytest.raises(NoPosterError, match="No such file"):
        draw(tmp_path / "gone.mp4", "jpg")


def test_too_large_pictures_are_not_decoded(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few kilobytes may claim a picture that fills the memory."""
    monkeypatch.setattr(module, "_MOST_PIXELS", 96 * 64 - 1)
    assert "too large" in put_poster(job, "jpg")


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything else happens."""
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'image-to-video-runner\[media\]'"):
        module.require_extra()


# ---------------------------------------------------------------- while a run goes on


def lived(kind: str, events: list[Event], job: Job, patience: float | None = None) -> list[str]:
    """What was said and heard of, in order, by a run with these events."""
    told: list[str] = []

    def then(before: Job, event: Event, after: Job) -> None:
        made = poster_path(job, "jpg").exists()
        told.append(f"{type(event).__name__}, {'a' if made else 'no'} poster")

    async def main() -> None:
        posters = Posters(kind, told.append, then)
        async with posters.serving():
            for event in events:
                posters.observe(job, event, job)

    with pytest.MonkeyPatch.context() as patch:
        if patience is not None:
            patch.setattr(module, "PATIENCE", patience)
        anyio.run(main)
    return told


SAVED = Saved("lamp.mp4", "ab", 3)
FAILED = FetchFailed(Problem("disk", "full"))


def test_a_program_for_a_video_starts_when_its_poster_is_there(job: Job) -> None:
    """Other changes are told of at once."""
    assert lived("jpg", [SAVED, FAILED], job) == ["FetchFailed, no poster", "Saved, a poster"]


def test_nothing_is_drawn_that_was_not_asked_for(job: Job) -> None:
    """Without `poster` every change is told of at once."""
    assert lived("", [SAVED], job) == ["Saved, no poster"]


def test_a_run_does_not_wait_long_for_posters(job: Job) -> None:
    """What is left in the end is told of, and counted; nothing is lost of it."""
    told = lived("jpg", [SAVED] * 9, job, patience=0)
    assert [words.partition(",")[0] for words in told].count("Saved") == 9
    assert told[-1].endswith("posters are still to be made: `runner verify --posters`")
