"""A whole answer: read to its end with a bound, and unpacked with the same."""

from __future__ import annotations

import zlib
from contextlib import suppress

from runner.dialects import Answer
from runner.transport.carriers import Reply
from runner.transport.failures import BrokenError

_MEGABYTE = 1 << 20
_GZIP = (zlib.MAX_WBITS | 16,)
_DEFLATE = (zlib.MAX_WBITS, -zlib.MAX_WBITS)  # with zlib's head, as the standard says, or without
_PACKINGS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _DEFLATE}
_TOO_MUCH = "an answer of more than a megabyte"


async def read_whole(reply: Reply) -> Answer:
    """The status, headers and body; unpacked, once at most, and never more than a megabyte."""
    received = bytearray()
    async for piece in reply.pieces:
        received += piece
        if len(received) > _MEGABYTE:
            raise BrokenError(_TOO_MUCH)
    packing = reply.headers.get("content-encoding", "").strip().lower()
    if "," in packing:
        raise BrokenError(f"an answer packed more than once ({packing[:40]})")
    body = bytes(received)
    return Answer(reply.status, reply.headers, _unpacked(body, _PACKINGS.get(packing, ())))


def _unpacked(body: bytes, forms: tuple[int, ...]) -> bytes:
    """What was packed in one of these forms of zlib's; never more of it than a megabyte is made.

    What nobody knows is left as it came, and so is a missing end: the text itself says whether it
    is whole.
    """
    if not body or not forms:
        return body
    for form in forms:
        with suppress(zlib.error):
            plain = zlib.decompressobj(form).decompress(body, _MEGABYTE + 1)
            if len(plain) > _MEGABYTE:
                raise BrokenError(_TOO_MUCH)
            return plain
    raise BrokenError("an answer that can't be unpacked")
