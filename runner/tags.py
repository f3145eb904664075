"""Title and comment inside an MP4, where players and file managers look: moov/udta/meta/ilst.

Nothing is encoded anew: the index (`moov`) grows, every other byte is copied, and where media
comes after the index, the places of its chunks are moved by as much (`stco`, `co64`). What is not
understood to the last byte is refused, not guessed at. Boxes as in ISO/IEC 14496-12; the items
as in Apple's QuickTime File Format, and as FFmpeg reads them.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple

from runner import mp4

ITEMS: Mapping[str, bytes] = {
    "title": b"\xa9nam",
    "comment": b"\xa9cmt",
    "description": b"desc",
    "artist": b"\xa9ART",
    "copyright": b"cprt",
    "tool": b"\xa9too",
}
LONGEST_TEXT = 4_000  # characters; more than any player shows
_LARGEST_INDEX = 64 << 20
_MOST_BOXES = 10_000
_PIECE = 1 << 20
# Each may hold places in the file that would have to be moved too. A video of one piece has none.
_STRANGE = frozenset({b"moof", b"mfra", b"sidx", b"ssix", b"meta"})
_UTF8 = struct.pack(">II", 1, 0)  # the kind of an item's value, and no locale
_HANDLER = struct.pack(">II4s4s9x", 0, 0, b"mdir", b"appl")


class UntaggableError(Exception):
    """The film is of a form in which nothing is changed; says why in words."""


class Written(NamedTuple):
    """What was written: its SHA-256 in hex and its size in bytes."""

    sha256: str
    size: int


class _Box(NamedTuple):
    kind: bytes
    begin: int
    content: int
    end: int


def write(source: BinaryIO, target: BinaryIO, tags: Mapping[str, str]) -> Written:
    """Copy a whole MP4 with these tags (name of `ITEMS` -> text) in place of those it has.

    The same film and tags always give the same bytes. Raises `UntaggableError`, and `OSError`
    of either file; what `target` holds then is of no use.
    """
    spans, defect = mp4.outline(source)
    indexes = [span for span in spans if span.kind == b"moov"]
    if defect or len(indexes) != 1:
        raise UntaggableError(defect or "it has more than one index")
    if strange := {span.kind for span in spans} & _STRANGE:
        raise UntaggableError(f"its {min(strange).decode()} boxes are not understood here")
    place, size = indexes[0][1:]
    if size > _LARGEST_INDEX:
        raise UntaggableError("its index is too large")
    source.seek(place)
    index = tagged_index(source.read(size), place, tags)
    digest = hashlib.sha256()
    written = 0
    for piece in (*_pieces(source, 0, place), index, *_pieces(source, place + size, None)):
        digest.update(piece)
        written += target.write(piece)
    return Written(digest.hexdigest(), written)


def tagged_index(moov: bytes, place: int, tags: Mapping[str, str]) -> bytes:
    """The index, which stands at `place` in its file, with these tags. Raises `UntaggableError`."""
    head = 16 if moov[:4] == b"\0\0\0\1" else 8
    boxes = _boxes(moov, head, len(moov))
    if strange := {box.kind for box in boxes} & {b"mvex", b"cmov"}:
        raise UntaggableError(f"its {min(strange).decode()} boxes are not understood here")
    old = _only(boxes, b"udta")
    data = _user_data(moov, old, tags)
    kept = sum(box.end - box.begin for box in boxes if box is not old)
    shift = 8 + kept + len(data) - len(moov)
    moved = bytearray(moov)
    for track in boxes:
        if track.kind == b"trak":
            _move(moved, track, (place, place + len(moov)), shift)
    parts = [bytes(moved[box.begin : box.end]) if box is not old else data for box in boxes]
    return _box(b"moov", *parts, *([] if old else [data]))


def _user_data(moov: bytes, old: _Box | None, tags: Mapping[str, str]) -> bytes:
    """The index's `udta` with these items, and whatever else it had."""
    inside = _boxes(moov, old.content, old.end) if old else []
    meta = _only(inside, b"meta")
    if meta is None:
        fresh = _box(b"meta", bytes(4), _box(b"hdlr", _HANDLER), _items(moov, None, tags))
        return _box(b"udta", *(moov[box.begin : box.end] for box in inside), fresh)
    boxes = _boxes(moov, meta.content + 4, meta.end)
    handler = _only(boxes, b"hdlr")
    if handler is None or moov[handler.content + 8 : handler.content + 12] != b"mdir":
        raise UntaggableError("it has metadata of another kind")
    items = _only(boxes, b"ilst")
    version = moov[meta.content : meta.content + 4]
    others = (moov[box.begin : box.end] for box in boxes if box is not items)
    fresh = _box(b"meta", version, *others, _items(moov, items, tags))
    return _box(b"udta", *(fresh if box is meta else moov[box.begin : box.end] for box in inside))


def _items(moov: bytes, old: _Box | None, tags: Mapping[str, str]) -> bytes:
    """The list of items: those that were there and have no new value, then the new ones."""
    given = {ITEMS[name]: text[:LONGEST_TEXT] for name, text in tags.items()}
    kept = (
        [box for box in _boxes(moov, old.content, old.end) if box.kind not in given] if old else []
    )
    return _box(
        b"ilst",
        *(moov[box.begin : box.end] for box in kept),
        *(
            _box(kind, _box(b"data", _UTF8, text.encode("utf-8", "replace")))
            for kind, text in given.items()
        ),
    )


def _move(moov: bytearray, track: _Box, index: tuple[int, int], shift: int) -> None:
    """Move the places of a track's chunks that lie behind the index."""
    box: _Box | None = track
    for kind in (b"mdia", b"minf", b"stbl"):
        box = _only(_boxes(moov, box.content, box.end), kind) if box else None
    for table in _boxes(moov, box.content, box.end) if box else []:
        if table.kind == b"saio":
            raise UntaggableError("it is encrypted")
        if table.kind in {b"stco", b"co64"}:
            _move_chunks(moov, table, index, shift)


def _move_chunks(moov: bytearray, table: _Box, index: tuple[int, int], shift: int) -> None:
    width, letter = (4, "I") if table.kind == b"stco" else (8, "Q")
    first = table.content + 8
    count = int.from_bytes(moov[table.content + 4 : first], "big")
    if first + count * width != table.end:
        raise UntaggableError("a table of its chunks is torn")
    places = struct.unpack_from(f">{count}{letter}", moov, first)
    begin, end = index
    if any(begin <= place < end for place in places):
        raise UntaggableError("its media is said to be inside its index")
    moved = [place + shift if place >= end else place for place in places]
    if moved and max(moved) >= 1 << 8 * width:
        raise UntaggableError("it is too large for the width of its table of chunks")
    struct.pack_into(f">{count}{letter}", moov, first, *moved)


def _boxes(data: bytes | bytearray, begin: int, end: int) -> list[_Box]:
    """The boxes that fill a part of the index exactly."""
    found: list[_Box] = []
    while begin < end:
        size, content = int.from_bytes(data[begin : begin + 4], "big"), begin + 8
        if size == 1:
            size, content = int.from_bytes(data[begin + 8 : begin + 16], "big"), begin + 16
        if begin + size > end or content > begin + size or len(found) == _MOST_BOXES:
            raise UntaggableError("its index is not understood here")
        found.append(_Box(bytes(data[begin + 4 : begin + 8]), begin, content, begin + size))
        begin += size
    if begin > end:
        raise UntaggableError("its index is not understood here")
    return found


def _only(boxes: list[_Box], kind: bytes) -> _Box | None:
    found = [box for box in boxes if box.kind == kind]
    if len(found) > 1:
        raise UntaggableError(f"its index has more than one {kind.decode()} box in a place")
    return found[0] if found else None


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _pieces(file: BinaryIO, begin: int, end: int | None) -> Iterator[bytes]:
    """The bytes of a file from one place to another, or to its end."""
    file.seek(begin)
    while piece := file.read(_PIECE if end is None else min(_PIECE, end - file.tell())):
        yield piece
