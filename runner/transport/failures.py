"""What can go wrong on the way, in the two kinds that matter, and what people are told of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import anyio
import httpcore
import httpx

_QUOTING = (httpx.LocalProtocolError, httpcore.LocalProtocolError)


class TransportError(Exception):
    """A request without a whole answer; the text never holds an address's query or a key."""


class NotSentError(TransportError):
    """The request never reached the other side."""


class BrokenError(TransportError):
    """The request may have reached the other side; its answer is lost or only partly here."""


@contextmanager
def within(seconds: float, wanted: str = "no answer") -> Iterator[None]:
    """Raises `BrokenError` when it takes longer, however steadily an answer trickles in."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise BrokenError(f"{wanted} within {seconds:g} seconds") from None


def words(error: Exception, headers: Mapping[str, str]) -> str:
    """The kind of error and its reason, unless that quotes a key or a URL with its signature.

    A `LocalProtocolError` quotes the header that could not be sent, others what came instead of
    an answer.
    """
    reason = "".join(letter for letter in str(error) if letter.isprintable())
    kind = type(error).__name__
    key = headers.get("Authorization", "").rpartition(" ")[2]
    quoting = "://" in reason or "?" in reason or (key and key in reason)
    if not reason or quoting or isinstance(error, _QUOTING):
        return kind
    return f"{kind}: {reason[:200]}"
