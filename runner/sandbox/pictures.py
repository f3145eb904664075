"""The images of a catalog, as hosts all over the world would serve them, good and bad ones.

An image of any host stands under `/pictures/HOST/PATH`. It is good unless there is a word of
`FLAWS` behind `bad-` in its path, as in `lamp-bad-missing.jpg`.
"""

from __future__ import annotations

import re
import struct
import zlib
from functools import lru_cache
from http.client import responses

from runner.sandbox.answers import page
from runner.sandbox.wire import Reply, byte_range

FLAWS = {
    "missing": "404",
    "private": "403",
    "moved": "a redirect to another place",
    "busy": "503, always",
    "slow": "an answer after half a minute",
    "page": "a web page that is sent as image/jpeg",
    "gif": "a GIF",
    "label": "a good image that is sent as text/plain",
    "empty": "no bytes at all",
    "huge": "20 MB",
    "tall": "400 x 1000 pixels",
    "wide": "2500 x 1000 pixels",
    "head": "405 for HEAD, though GET works",
}
STATUSES = {"missing": 404, "private": 403, "busy": 503}
SIZES = {"tall": (400, 1000), "wide": (2500, 1000)}
GOOD = (1280, 720)
MEDIA = "image/png"
HUGE = 20 << 20
SLOW = 30.0
_GIF = b"GIF89a" + struct.pack("<HH", *GOOD) + b"\0\0\0;"
_WORD = re.compile(rf"\bbad-({'|'.join(FLAWS)})\b")


def picture(method: str, path: str, wanted: str = "") -> Reply:
    """The answer for an image; `wanted` is the raw Range header."""
    found = _WORD.search(path)
    flaw = found[1] if found else ""
    if flaw == "moved":
        return Reply(301, {"location": "https://elsewhere.example.com/new.jpg"}, b"")
    if flaw in STATUSES or (flaw == "head" and method == "HEAD"):
        status = STATUSES.get(flaw, 405)
        return page(status, responses[status])
    media, body = _served(flaw)
    return _ranged(media, body, wanted, SLOW if flaw == "slow" else 0.0)


def _served(flaw: str) -> tuple[str, bytes]:
    """The media type and the bytes of what is served with 200."""
    good = png(*SIZES.get(flaw, GOOD))
    served = {
        "page": ("image/jpeg", b"<!doctype html><html><title>The shop</title></html>"),
        "gif": ("image/gif", _GIF),
        "label": ("text/plain", good),
        "empty": (MEDIA, b""),
    }
    if flaw == "huge":
        return MEDIA, good + bytes(HUGE - len(good))
    return served.get(flaw, (MEDIA, good))


def _ranged(media: str, body: bytes, wanted: str, delay: float) -> Reply:
    headers = {"content-type": media, "accept-ranges": "bytes"}
    part = byte_range(wanted, len(body))
    if part is None or part[0] == part[1]:
        return Reply(200, headers, body, delay)
    start, end = part
    headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return Reply(206, headers, body[start:end], delay)


@lru_cache(maxsize=8)
def png(width: int, height: int) -> bytes:
    """A whole PNG, all black, one bit a pixel."""
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = bytes((1 + (width + 7) // 8) * height)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*each) for each in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    content = kind + data
    return struct.pack(">I", len(data)) + content + struct.pack(">I", zlib.crc32(content))


def help_table() -> str:
    """The flaws as aligned text for a command's help."""
    return "\n".join(f"  bad-{word:<9}{words}" for word, words in FLAWS.items())
