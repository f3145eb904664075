"""Metadata in an MP4: read by FFmpeg, with the media as it was, or refused with nothing changed."""

from __future__ import annotations

import hashlib
import io
import struct
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import av
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runner import mp4
from runner.sandbox import FilmSpec, render, tiny
from runner.tags import ITEMS, LONGEST_TEXT, UntaggableError, tagged_index, write

SPEC = FilmSpec("task", "https://a.example/x.jpg", "A cat", "gen4_turbo", 1, 64, 64, 0.5)
# FFmpeg's names for the items; it reads texts of any script.
READ_AS = {"tool": "encoder"}
LAYOUTS = ("sandbox", "index last", "index first", "fragmented", "two tracks, index first")


def remuxed(film: bytes, tracks: int = 1, **options: str) -> bytes:
    """The same pictures in another layout, as FFmpeg writes it."""
    # A file with a name: to put the index first, FFmpeg opens what it wrote once more.
    with (
        tempfile.NamedTemporaryFile(suffix=".mp4") as target,
        av.open(io.BytesIO(film)) as source,
        av.open(target.name, "w", format="mp4", options=options) as container,
    ):
        copies = [
            container.add_stream_from_template(source.streams.video[0]) for _ in range(tracks)
        ]
        for packet in list(source.demux(video=0)):
            if packet.dts is None:
                continue
            for copy in copies:
                again = av.Packet(bytes(packet))
                again.pts, again.dts, again.time_base = packet.pts, packet.dts, packet.time_base
                again.duration, again.is_keyframe = packet.duration, packet.is_keyframe
                again.stream = copy
                container.mux(again)
        container.close()
        return Path(target.name).read_bytes()


@cache
def film(layout: str) -> bytes:
    """A real film in one of the layouts that encoders write."""
    drawn = render(SPEC)
    match layout:
        case "index last":
            return remuxed(drawn)
        case "index first":
            return remuxed(drawn, movflags="+faststart")
        case "fragmented":
            return remuxed(drawn, movflags="+frag_keyframe+empty_moov")
        case "two tracks, index first":
            return remuxed(drawn, 2, movflags="+faststart")
    return drawn


def tagged(data: bytes, **tags: str) -> bytes:
    """These bytes with these tags."""
    written = write(io.BytesIO(data), target := io.BytesIO(), tags)
    made = target.getvalue()
    assert written == (hashlib.sha256(made).hexdigest(), len(made))
    return made


def seen(data: bytes) -> tuple[dict[str, str], list[tuple[int, int | None, int | None, bytes]]]:
    """What FFmpeg reads of a film: its metadata, and every packet's track, times and bytes."""
    with av.open(io.BytesIO(data)) as container:
        packets = [
            (packet.stream_index, packet.pts, packet.dts, bytes(packet))
            for packet in container.demux()
        ]
        return dict(container.metadata), packets


def kinds(data: bytes) -> list[bytes]:
    """The kinds of the outermost boxes."""
    return [span.kind for span in mp4.outline(io.BytesIO(data))[0]]


WHOLE = [layout for layout in LAYOUTS if layout != "fragmented"]
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize("layout", WHOLE)
def test_every_item_is_read_and_the_media_is_as_it_was(layout: str) -> None:
    """All items, in every layout; and the film decodes to its last picture."""
    tags = {name: f"the {name} of a lämp, 灯" for name in ITEMS}
    data = tagged(film(layout), **tags)
    read, packets = seen(data)
    for name, text in tags.items():
        assert read[READ_AS.get(name, name)] == text
    assert packets == seen(film(layout))[1]
    assert mp4.defect(io.BytesIO(data)) == ""
    assert kinds(data) == kinds(film(layout))
    with av.open(io.BytesIO(data)) as container:
        assert len(list(container.decode(video=0))) == SPEC.frames


@pytest.mark.parametrize("layout", WHOLE)
@settings(max_examples=25)  # opening a film takes what it takes
@given(title=texts, comment=texts)
@example(title="x" * 3_000, comment="\n")
def test_any_text_comes_back(layout: str, title: str, comment: str) -> None:
    """Whatever the text: it is read as it was written, and every packet's bytes are the same."""
    read, packets = seen(tagged(film(layout), title=title, comment=comment))
    assert (read["title"], read["comment"]) == (title, comment)
    assert packets == seen(film(layout))[1]


@settings(max_examples=50)  # the first example draws the films
@given(st.sampled_from(WHOLE), texts, texts)
def test_the_last_word_counts(layout: str, first: str, second: str) -> None:
    """Tagged twice is tagged with the second; what else was said stays."""
    twice = tagged(tagged(film(layout), title=first, artist=first), title=second)
    assert len(twice) == len(tagged(film(layout), artist=first, title=second))
    assert tagged(twice, title=second) == twice
    read, _ = seen(twice)
    assert (read["title"], read["artist"]) == (second, first)


def test_a_film_keeps_the_name_of_its_encoder() -> None:
    """An item that was there and has no new value is not touched."""
    before, _ = seen(film("index last"))
    after, _ = seen(tagged(film("index last"), title="lamp"))
    assert before["encoder"]
    assert after == before | {"title": "lamp"}


def test_a_text_has_an_end() -> None:
    """What no player would show is cut."""
    data = tagged(film("sandbox"), comment="x" * (LONGEST_TEXT + 1))
    assert seen(data)[0]["comment"] == "x" * LONGEST_TEXT


def test_half_a_character_is_no_reason_to_fail() -> None:
    """A lone surrogate has no bytes; a question mark stands in for it."""
    assert seen(tagged(film("sandbox"), title="a\ud800b"))[0]["title"] == "a?b"


# ---------------------------------------------------------------- what is refused


def box(kind: bytes, *parts: bytes) -> bytes:
    """A box."""
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def nested(*kinds: bytes, inside: bytes) -> bytes:
    """A box in a box in a box."""
    for kind in reversed(kinds):
        inside = box(kind, inside)
    return inside


def chunks(kind: bytes, *places: int) -> bytes:
    """An index with one table of chunks."""
    letter = "I" if kind == b"stco" else "Q"
    table = box(kind, struct.pack(f">II{len(places)}{letter}", 0, len(places), *places))
    return box(b"moov", nested(b"trak", b"mdia", b"minf", b"stbl", inside=table))


def places(kind: bytes, index: bytes) -> tuple[int, ...]:
    """The places in an index's only table of chunks."""
    where = index.index(kind) + 8
    count = int.from_bytes(index[where : where + 4], "big")
    return struct.unpack_from(f">{count}{'I' if kind == b'stco' else 'Q'}", index, where + 4)


@pytest.mark.parametrize("kind", [b"stco", b"co64"])
def test_only_what_lies_behind_the_index_moves(kind: bytes) -> None:
    """A chunk before the index stays where it is; one behind it moves by what the index grew."""
    size = len(chunks(kind, 0, 0, 0))
    index = chunks(kind, 99, 100 + size, 10**9)
    new = tagged_index(index, 100, {"title": "lamp"})
    grown = len(new) - size
    assert grown > 0
    assert places(kind, new) == (99, 100 + size + grown, 10**9 + grown)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        (chunks(b"stco", 2**32 - 1), "too large for the width"),
        (chunks(b"co64", 2**64 - 1), "too large for the width"),
        (chunks(b"stco", 100), "inside its index"),
        (chunks(b"stco", 5).replace(b"\0\0\0\1\0\0\0\5", b"\0\0\0\2\0\0\0\5"), "torn"),
        (box(b"moov", box(b"mvex")), "mvex"),
        (box(b"moov", box(b"cmov")), "cmov"),
        (box(b"moov", box(b"udta"), box(b"udta")), "more than one udta"),
        (box(b"moov", box(b"udta", bytes(4))), "not understood"),
        (box(b"moov", nested(b"udta", b"meta", inside=b"")), "not understood"),
        (box(b"moov", nested(b"udta", b"meta", inside=bytes(4))), "another kind"),
        (
            box(
                b"moov", nested(b"udta", b"meta", inside=bytes(4) + box(b"hdlr", bytes(8), b"mdta"))
            ),
            "another kind",
        ),
        (
            box(b"moov", nested(b"trak", b"mdia", b"minf", b"stbl", b"saio", inside=b"")),
            "encrypted",
        ),
        (box(b"moov", box(b"free") * 10_001), "not understood"),
        (box(b"moov", b"\0\0\0\7free"), "not understood"),
        (box(b"moov", b"\0\0\0\4" * 2), "not understood"),
        (box(b"moov", b"\xff\0\0\0free"), "not understood"),
    ],
)
def test_an_index_that_is_not_understood_is_refused(index: bytes, words: str) -> None:
    """With words that say why."""
    with pytest.raises(UntaggableError, match=words):
        tagged_index(index, 100, {"title": "lamp"})


def test_fragments_are_refused() -> None:
    """Their own tables would have to be moved too."""
    with pytest.raises(UntaggableError, match="mfra boxes"):
        tagged(film("fragmented"), title="lamp")


@settings(max_examples=300)  # the first example draws the films
@given(st.data(), st.sampled_from(LAYOUTS))
def test_torn_and_hostile_films_are_refused_or_whole(data: st.DataObject, layout: str) -> None:
    """Cut anywhere, with any bytes anywhere: nothing else is raised, and what is made is whole."""
    broken = bytearray(film(layout))
    place = data.draw(st.integers(0, min(1_500, len(broken) - 1)))
    junk = data.draw(st.binary(min_size=1, max_size=8))
    broken[place : place + len(junk)] = junk
    del broken[data.draw(st.integers(len(broken) // 2, len(broken))) :]
    source = io.BytesIO(broken)
    with suppress(UntaggableError):
        write(source, target := io.BytesIO(), {"title": "lamp"})
        assert mp4.defect(target) == ""
    assert source.getvalue() == bytes(broken)


@given(st.binary(max_size=300))
def test_any_index_is_refused_or_gets_its_title(content: bytes) -> None:
    """No bytes inside the index raise anything else."""
    with suppress(UntaggableError):
        made = tagged_index(box(b"moov", content), 32, {"title": "lämp"})
        assert "lämp".encode() in made
        assert int.from_bytes(made[:4], "big") == len(made)


def test_a_stand_in_without_pictures_is_tagged_too() -> None:
    """The sandbox's tiny films, on which the simulation lives."""
    data = tagged(tiny(SPEC), title="lamp")
    assert b"lamp" in data
    assert mp4.defect(io.BytesIO(data)) == ""
