"""Whether a file is a whole film: no torn, empty or foreign file is ever taken for one."""

from __future__ import annotations

import io
import struct
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner import mp4
from runner.sandbox import FilmSpec, render, tiny

SPEC = FilmSpec("task", "https://a.example/x.jpg", "A cat", "gen4_turbo", 1, 64, 64, 0.5)


def defect(data: bytes) -> str:
    """What is wrong with these bytes, or ""."""
    return mp4.defect(io.BytesIO(data))


def box(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    """A box; `size` is what it claims, else the truth."""
    return struct.pack(">I", 8 + len(content) if size is None else size) + kind + content


def large(kind: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    """A box with a 64-bit size."""
    claimed = 16 + len(content) if size is None else size
    return struct.pack(">I4sQ", 1, kind, claimed) + content


@cache
def rendered() -> bytes:
    """A real film, as the sandbox gives it."""
    return render(SPEC)


FTYP = box(b"ftyp", b"isom\x00\x00\x02\x00isom")
MOOV = box(b"moov", b"index")
MDAT = box(b"mdat", b"media" * 9)

films = st.builds(
    FilmSpec,
    task_id=st.text(max_size=9),
    image=st.just("https://a.example/x.jpg"),
    prompt=st.text(max_size=9),
    model=st.just("gen4_turbo"),
    seed=st.integers(0, 9),
    width=st.just(64),
    height=st.just(64),
    seconds=st.floats(0.1, 60),
)


@given(films, st.data())
def test_no_prefix_of_a_tiny_film_is_whole(spec: FilmSpec, data: st.DataObject) -> None:
    """A film is whole, and a film that ends early is not, wherever it ends."""
    film = tiny(spec)
    assert defect(film) == ""
    assert defect(film[: data.draw(st.integers(0, len(film) - 1))])


def test_every_single_prefix_of_one_tiny_film() -> None:
    """No place of a cut is an exception."""
    film = tiny(SPEC)
    assert [length for length in range(len(film)) if not defect(film[:length])] == []


def test_a_real_film_is_whole() -> None:
    """What an encoder writes has no defect."""
    assert defect(rendered()) == ""


@given(st.data())
def test_no_prefix_of_a_real_film_is_whole(data: st.DataObject) -> None:
    """The same for what an encoder writes."""
    film = rendered()
    assert defect(film[: data.draw(st.integers(0, len(film) - 1))])


def test_no_cut_near_the_edge_of_a_box_is_whole() -> None:
    """Around the edges, where a cut is hardest to see, every single one."""
    film, place, edges = rendered(), 0, []
    while place < len(film):
        edges.append(place)
        place += int.from_bytes(film[place : place + 4], "big")
    cuts = {edge + shift for edge in (*edges, len(film)) for shift in range(-20, 20)}
    assert [cut for cut in cuts if 0 <= cut < len(film) and not defect(film[:cut])] == []


@pytest.mark.parametrize(
    "film",
    [
        FTYP + MOOV + MDAT,
        FTYP + MDAT + MOOV,
        FTYP + box(b"free") + MOOV + box(b"free", b"x") + MDAT,
        FTYP + MOOV + large(b"mdat", b"media"),
        FTYP + large(b"mdat", b"media") + MOOV,
        FTYP + MOOV + large(b"mdat"),
        FTYP + MOOV + box(b"mdat", b"to the end", size=0),
        large(b"ftyp", b"isom") + MOOV + MDAT,
    ],
)
def test_every_form_of_a_whole_film(film: bytes) -> None:
    """Index first or last, 64-bit sizes, padding, and a last box that runs to the end."""
    assert defect(film) == ""


@pytest.mark.parametrize(
    "film",
    [
        b"",
        b"\x00",
        b"\x00\x00\x00\x00",
        b"\x00\x00\x00\x08",
        b"\x00\x00\x00\x08ftyp",
        bytes(4096),
        b"\xff" * 4096,
        b"<!doctype html><html><body>Expired</body></html>",
        b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
        b'{"error": "expired"}',
        b"RIFF\x00\x00\x00\x00WEBP",
        MOOV + MDAT,
        MOOV + FTYP + MDAT,
        FTYP + MDAT,
        FTYP + MOOV,
        FTYP + MOOV + MDAT + b"\x00",
        FTYP + MOOV + MDAT + b"trailing",
        FTYP + MOOV + MDAT + bytes(7),
        FTYP + MOOV + MDAT + b"\x00\x00\x00\x04" + box(b"free"),
        FTYP + MOOV + box(b"mdat", b"media", size=14),
        FTYP + MOOV + box(b"mdat", b"media", size=12),
        FTYP + MOOV + box(b"mdat", b"media", size=7),
        FTYP + MOOV + box(b"mdat", b"media", size=2**32 - 1),
        FTYP + MOOV + large(b"mdat", b"media", size=2**64 - 1),
        FTYP + MOOV + large(b"mdat", b"media", size=2**63),
        FTYP + MOOV + large(b"mdat", b"", size=15),
        FTYP + MOOV + large(b"mdat", b"", size=8) + box(b"free", size=8),
        FTYP + MOOV + large(b"mdat", b"", size=0),
        FTYP + MOOV + large(b"mdat")[:-1],
        FTYP + box(b"moov", MDAT, size=0),
        box(b"ftyp", size=0),
        FTYP + MOOV + MDAT + box(b"free") * 20_000,
    ],
)
def test_every_form_of_a_film_that_is_not(film: bytes) -> None:
    """Empty, foreign, torn, out of order, or with sizes that lie."""
    assert defect(film)


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_an_answer(junk: bytes, headed: bool) -> None:
    """No bytes raise, hang, or are praised without an index and media."""
    found = defect((FTYP if headed else b"") + junk)
    assert found or (headed and b"moov" in junk and b"mdat" in junk)


def test_where_the_file_stood_does_not_matter() -> None:
    """The judgement is of the whole file, wherever it was read before."""
    file = io.BytesIO(tiny(SPEC))
    file.seek(100)
    assert mp4.defect(file) == ""
    assert mp4.defect(file) == ""
