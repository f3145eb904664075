"""Films: real ones decode to what was asked, tiny ones are at least boxes."""

from __future__ import annotations

import io
import struct
from dataclasses import replace
from typing import Any

import av
import pytest

from runner.sandbox import FilmSpec, MissingExtraError, render, tiny
from runner.sandbox import film as film_module
from runner.sandbox.film import FPS, frame_size

SPEC = FilmSpec(
    task_id="3d957031-9a2a-45e2-9dc7-bc8513059c50",
    image="https://example.com/pictures/orange%20cat.jpg?size=large",
    prompt="The cat yawns, " * 30,
    model="gen3a_turbo",
    seed=7,
    width=320,
    height=192,
    seconds=1.0,
)


def boxes(data: bytes) -> dict[str, bytes]:
    """The top-level boxes of an ISO-BMFF file, by name, in order."""
    found, at = {}, 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        assert size >= 8
        assert at + size <= len(data)
        found[kind.decode()] = data[at + 8 : at + size]
        at += size
    return found


@pytest.mark.parametrize(
    ("width", "height", "seconds"), [(1280, 720, 0.5), (832, 1104, 0.5), (64, 64, 2), (320, 192, 5)]
)
def test_a_film_decodes_to_what_was_asked(width: int, height: int, seconds: float) -> None:
    """Every frame is there, in the size asked, and the length is exact to one frame."""
    spec = replace(SPEC, width=width, height=height, seconds=seconds)
    with av.open(io.BytesIO(render(spec)), "r") as container:
        video = container.streams.video[0]
        frames = list(container.decode(video))
        assert (video.codec.name, video.pix_fmt) == ("h264", "yuv420p")
        assert (video.width, video.height) == (width, height)
        assert abs(float(container.duration or 0) / 1e6 - seconds) <= 1 / FPS
    assert len(frames) == round(seconds * FPS)


def test_a_film_starts_with_its_index() -> None:
    """`moov` is before `mdat`, so a player can begin at once."""
    assert list(boxes(render(SPEC))) in (
        ["ftyp", "moov", "free", "mdat"],
        ["ftyp", "moov", "mdat"],
    )


def test_a_film_moves() -> None:
    """The first and the middle picture differ where the sun is, not only in the clock."""
    with av.open(io.BytesIO(render(SPEC)), "r") as container:
        pictures: list[Any] = list(container.decode(video=0))
    skies = [picture.to_image().crop((0, 0, 320, 90)).tobytes() for picture in pictures]
    assert len(set(skies)) > len(skies) // 2


def test_the_same_film_is_the_same_bytes() -> None:
    """Deterministic, and different for another prompt, seed, image or task."""
    base = render(SPEC)
    assert render(SPEC) == base
    changes: list[dict[str, Any]] = [
        {"prompt": "x"},
        {"seed": 8},
        {"image": "https://b.c/d"},
        {"task_id": "x"},
    ]
    for change in changes:
        assert render(replace(SPEC, **change)) != base


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "", "image": "", "model": "", "seed": None},
        {"prompt": "x" * 600},
        {"prompt": "\ud800 \n\t\0 猫があくび", "image": "data:image/png;base64,AAAA"},
        {"width": 64, "height": 640},
        {"seconds": 0.01},
    ],
)
def test_any_caption_can_be_drawn(change: dict[str, Any]) -> None:
    """Nothing, endless words, control characters, narrow pictures: there is a film."""
    assert len(render(replace(SPEC, **change))) > 500
    assert tiny(replace(SPEC, **change))


def test_a_tiny_film_is_boxes_with_a_length() -> None:
    """ftyp, moov with mvhd that tells the duration, mdat; small, and different per task."""
    data = tiny(SPEC)
    found = boxes(data)
    assert list(found) == ["ftyp", "moov", "mdat"]
    header = boxes(found["moov"])["mvhd"]
    assert len(header) == 100
    assert struct.unpack_from(">II", header, 12) == (1000, 1000)
    assert len(data) < 5000
    assert data == tiny(SPEC) != tiny(replace(SPEC, task_id="other"))


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("1280:720", (1280, 720)),
        ("832:1104", (832, 1104)),
        ("16:9", (1280, 720)),
        ("9:16", (720, 1280)),
        ("1:1", (720, 720)),
        ("321:241", (322, 242)),
        ("", (1280, 720)),
        ("wide", (1280, 720)),
        ("0:0", (1280, 720)),
        ("-4:3", (1280, 720)),
        ("99999:99999", (1280, 720)),
        ("1:4000", (1280, 720)),
    ],
)
def test_sizes(ratio: str, size: tuple[int, int]) -> None:
    """A ratio of pixels is exact, a shape gets 720 lines, nonsense the default."""
    assert frame_size(ratio) == size


@pytest.mark.parametrize(
    ("duration", "seconds"), [(10, 10), (2.5, 2.5), (None, 5), ("8", 5), (True, 5), (600, 60)]
)
def test_the_length_is_read_from_the_body(duration: object, seconds: float) -> None:
    """Numbers count, up to a minute; anything else is five seconds."""
    assert FilmSpec.of("id", {"duration": duration}).seconds == seconds


def test_a_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without PyAV the error says what to install."""
    monkeypatch.setattr(film_module, "find_spec", lambda name: None if name == "av" else object())
    with pytest.raises(MissingExtraError, match=r"need PyAV: .*extra 'sandbox'"):
        render(SPEC)
