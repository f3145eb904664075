"""What carries a request: a connection of its own, or any transport of httpx; or `pooled`.

All three send exactly what they are given, once: no cookie, no redirect, no credentials of their
own. Errors leave untranslated; the door knows what they mean.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol

import httpcore
import httpx

from runner.transport.sockets import connected

KEEP_ALIVE = 20.0  # an idle connection is kept longer than the usual time between two polls


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer, names in lower case, and its body in pieces as they were sent."""

    status: int
    headers: Mapping[str, str]
    pieces: AsyncIterator[bytes]
    aclose: Callable[[], Awaitable[None]]


class Carrier(Protocol):
    """One way to the other side. Raises what its library raises: `errors`, and httpx's kinds."""

    errors: ClassVar[tuple[type[Exception], ...]]

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """Send a request once; returns when the head of the answer is here."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


class Single:
    """A fresh connection for each request, by httpx's own protocol engine: its errors are exact.

    Raises `httpx.ConnectError` or `httpx.ConnectTimeout` while nothing has left, and httpcore's
    errors from then on. A pool would only cost: nothing is ever reused.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, trust: ssl.SSLContext | None, timeout: httpx.Timeout) -> None:
        self._trust = trust
        self._timeout = timeout

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """Connect, send, and wait for the head of the answer."""
        asked = _request(method, url, headers, content, self._timeout)
        if asked.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol("an address that is neither https nor http")
        place = httpcore.URL(
            scheme=asked.url.raw_scheme,
            host=asked.url.raw_host,
            port=asked.url.port,
            target=asked.url.raw_path,
        )
        request = httpcore.Request(
            method,
            place,
            headers=asked.headers.raw,
            content=content,
            extensions=asked.extensions,
        )
        trust = (self._trust or True) if asked.url.scheme == "https" else None
        host = asked.url.raw_host.decode("ascii")
        stream = await connected(host, place.origin.port, trust, self._timeout.connect)
        connection = httpcore.AsyncHTTP11Connection(place.origin, stream)
        try:
            response = await connection.handle_async_request(request)
        except BaseException:
            await stream.aclose()
            raise
        headers = lowered(response.headers)
        return Reply(response.status, headers, response.aiter_stream(), stream.aclose)

    async def aclose(self) -> None:
        """Nothing is kept open."""


class ByHttpx:
    """Any transport of httpx: the environment's proxies, or a stand-in for the network."""

    errors: ClassVar[tuple[type[Exception], ...]] = ()

    def __init__(self, transport: httpx.AsyncBaseTransport, timeout: httpx.Timeout) -> None:
        self._transport = transport
        self._timeout = timeout

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """Hand the request on."""
        request = _request(method, url, headers, content, self._timeout)
        response = await self._transport.handle_async_request(request)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        headers, pieces = lowered(response.headers.raw), aiter(response.stream)
        return Reply(response.status_code, headers, pieces, response.aclose)

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()


def _request(
    method: str, url: str, headers: Mapping[str, str], content: bytes, timeout: httpx.Timeout
) -> httpx.Request:
    """The request with all that HTTP needs. Raises `httpx.InvalidURL` for no address."""
    return httpx.Request(
        method,
        _parsed(url),
        headers=headers,
        content=content or None,
        extensions={"timeout": timeout.as_dict()},
    )


@lru_cache(2048)
def _parsed(url: str) -> httpx.URL:
    """A task's address is the same at each poll, and reading it is a tenth of what a poll costs."""
    return httpx.URL(url)


def lowered(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer by their names in lower case; of two alike the last."""
    return {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in pairs}
