"""Whether a file is a whole MP4, judged by its outermost boxes (ISO/IEC 14496-12). Pure."""

from __future__ import annotations

import os
from typing import BinaryIO, NamedTuple

_LONGEST = 10_000  # boxes; a fragmented film has two a fragment


class Span(NamedTuple):
    """An outermost box: its kind, where it begins in the file, and how many bytes it takes."""

    kind: bytes
    place: int
    size: int


def defect(file: BinaryIO) -> str:
    """What keeps the file from being a whole MP4, in words; "" when nothing does.

    The boxes must follow each other without a gap to the very end, start with `ftyp`, and hold
    an index (`moov`) and media (`mdat`): so every strict prefix of a film whose last box is its
    only index or media has a defect, unless that box says no size (0: up to the end).
    """
    return outline(file)[1]


def outline(file: BinaryIO) -> tuple[list[Span], str]:
    """The outermost boxes in order, up to the first that is wrong, and the defect."""
    end = file.seek(0, os.SEEK_END)
    place = 0
    spans: list[Span] = []
    for _ in range(_LONGEST):
        if place == end:
            break
        size, kind = _box(file, place, end)
        if not spans and kind != b"ftyp":
            return spans, "not an MP4: it does not begin with an ftyp box"
        if size < 8 or place + size > end:
            words = f"not whole: a box at byte {place} does not end within the file's {end} bytes"
            return spans, words
        spans.append(Span(kind, place, size))
        place += size
    if place != end:
        return spans, "not an MP4: too many boxes"
    kinds = {span.kind for span in spans}
    missing = [name for name in ("ftyp", "moov", "mdat") if name.encode() not in kinds]
    return spans, f"not whole: no {' and no '.join(missing)} box" if missing else ""


def _box(file: BinaryIO, place: int, end: int) -> tuple[int, bytes]:
    """Size and kind of the box at a place; a size of 0 means up to the end of the file."""
    file.seek(place)
    header = file.read(16)
    size, kind = int.from_bytes(header[:4], "big"), header[4:8]
    if size == 1:
        size = int.from_bytes(header[8:16], "big") if len(header) == 16 else 0
        return size if size >= 16 else 0, kind
    if size == 0 and len(header) >= 8:
        size = end - place
    return size, kind
