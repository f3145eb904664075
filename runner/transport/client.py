"""The provider's side: paid requests, free questions, and downloads."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import httpx

from runner.apis import is_loopback
from runner.dialects import Answer
from runner.transport.door import GREETING, Door, opened, trusted
from runner.transport.failures import BrokenError

_SHORTEST_KEY = 8  # anything shorter is no secret, and could be part of an honest word
# An answer that trickles in may not hold a paid request, or a drain, for ever.
_PAID, _PAID_WHOLE = httpx.Timeout(connect=15, read=120, write=30, pool=15), 300.0
_FREE, _FREE_WHOLE = httpx.Timeout(connect=15, read=30, write=30, pool=30), 45.0
_FILM = httpx.Timeout(connect=15, read=60, write=30, pool=600)


@dataclass(frozen=True, slots=True)
class Download:
    """An open download: its status, headers (lower case) and body, in pieces as they come."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]


class Transport:
    """Three clients: the paid door, free questions, and downloads (which never see the key).

    A paid request gets a fresh connection each time: a kept-alive one that the server closes at
    that moment can't be told from "charged, then cut".
    """

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        *,
        connections: int = 64,
        backend: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        trust = trusted() if backend is None else None
        proxies = not is_loopback(base_url)

        door = partial(opened, trust=trust, proxies=proxies, backend=backend)
        self._base_url = base_url.rstrip("/")
        self._asking = {**GREETING, "Accept": "application/json", **headers}
        self._telling = {**self._asking, "Content-Type": "application/json"}
        self._key = headers.get("Authorization", "").removeprefix("Bearer ")
        self._paid = door(_PAID, None, exact=True, whole=_PAID_WHOLE)
        self._free = door(_FREE, connections, whole=_FREE_WHOLE)
        self._films = door(_FILM, connections)

    def load(self) -> None:
        """Load what free requests need: it takes a tenth of a second, best while nothing is due.

        What can't be loaded now is tried again when it is needed.
        """
        with suppress(BrokenError):
            self._free.load()

    async def pay(self, path: str, body: Mapping[str, object]) -> Answer:
        """POST the one request that costs money, once. Raises `NotSentError`, `BrokenError`."""
        return await self._ask(self._paid, "POST", path, body)

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send a free request. Raises `BrokenError`; `NotSentError` for an impossible address."""
        return await self._ask(self._free, method, path, body)

    async def _ask(
        self, door: Door, method: str, path: str, body: Mapping[str, object] | None
    ) -> Answer:
        headers, content = self._asking, b""
        if body is not None:
            headers = self._telling
            content = json.dumps(body, ensure_ascii=False).encode()
        return self._without_key(await door.ask(method, self._base_url + path, headers, content))

    def _without_key(self, answer: Answer) -> Answer:
        """A provider may quote the key in an error; it goes no further than here."""
        if len(self._key) < _SHORTEST_KEY:
            return answer
        headers, body = answer.headers, answer.body
        if any(self._key in value for value in headers.values()):
            headers = {name: value.replace(self._key, "***") for name, value in headers.items()}
        if b"\\" in body or b"\0" in body:  # JSON has other spellings for the same text
            body = _plainly_spelt(body)
        return Answer(answer.status, headers, body.replace(self._key.encode(), b"***"))

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[Download]:
        """GET a video without the key. Raises like `ask`, also while reading."""
        plain = {**GREETING, "Accept": "*/*", "Accept-Encoding": "identity"}
        async with self._films.answer("GET", url, plain) as reply:
            yield Download(reply.status, reply.headers, reply.pieces)

    async def aclose(self) -> None:
        """Close every connection."""
        for door in (self._paid, self._free, self._films):
            await door.aclose()

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()


def _plainly_spelt(body: bytes) -> bytes:
    """JSON in which all of ASCII stands for itself; anything else as it is."""
    try:
        return json.dumps(json.loads(body)).encode()
    except (ValueError, RecursionError):
        return body
