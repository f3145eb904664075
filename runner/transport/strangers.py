"""Everybody but the provider: looking at images, and telling services. No key, no redirect."""

from __future__ import annotations

from contextlib import aclosing

import httpx

from runner.apis import is_loopback
from runner.dialects import Answer
from runner.errors import ConfigurationError
from runner.transport.carriers import Reply
from runner.transport.door import GREETING, KNOWN, opened, trusted
from runner.transport.failures import BrokenError, within, words

_LOOK = httpx.Timeout(10)  # as long as Runway itself waits for an image
_LOOK_WHOLE = 20.0
_NOTE = httpx.Timeout(10)
_NOTE_WHOLE = 15.0


class Onlooker:
    """Looks at files on strangers' hosts. It has no key to lose, and follows no redirect."""

    def __init__(self, connections: int, *, proxies: bool = True) -> None:
        self._door = opened(_LOOK, connections, trust=trusted(), proxies=proxies)

    async def look(self, method: str, url: str, most: int = 0) -> Answer:
        """Ask for a file, and read at most so many of its first bytes, whatever is sent.

        Raises `TransportError` when there is no answer within 20 seconds.
        """
        headers = {**GREETING, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
        if most:
            headers["Range"] = f"bytes=0-{most - 1}"
        with within(_LOOK_WHOLE):
            async with self._door.answer(method, url, headers) as reply:
                first = await _first(reply, most) if most else b""
                return Answer(reply.status, reply.headers, first)

    async def __aenter__(self) -> Onlooker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._door.aclose()


async def _first(reply: Reply, most: int) -> bytes:
    received = bytearray()
    async for piece in reply.pieces:
        received += piece
        if len(received) >= most:
            break
    return bytes(received[:most])


async def tell(url: str, content: bytes, media_type: str) -> int:
    """POST to an address that is not the provider's: without the key, never redirected.

    Returns the answer's status. Raises `TransportError` when there is none within 15 seconds.
    """
    headers = {**GREETING, "Content-Type": media_type}
    try:
        with within(_NOTE_WHOLE):
            proxies = not is_loopback(url)
            door = opened(_NOTE, None, trust=trusted(), proxies=proxies, exact=True)
            async with aclosing(door), door.answer("POST", url, headers, content) as reply:
                return reply.status
    except (*KNOWN, OSError, ValueError, ConfigurationError) as error:  # also a bad proxy
        raise BrokenError(words(error, headers)) from None
