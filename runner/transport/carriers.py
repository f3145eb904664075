"""What carries a request: a connection of its own, aiohttp's pool, or any transport of httpx.

All three send exactly what they are given, once: no cookie, no redirect, no credentials of their
own. Errors leave untranslated; the door knows what they mean.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Protocol

import aiohttp
import httpcore
import httpx
import yarl

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
    """One way to the other side. Raises what its library raises."""

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
        headers = _lowered(response.headers)
        return Reply(response.status, headers, response.aiter_stream(), stream.aclose)

    async def aclose(self) -> None:
        """Nothing is kept open."""


class Pooled:
    """aiohttp's connections, kept for the next request; made inside the event loop.

    A third of the CPU of httpx's own pool, and the same with any number of connections. But it
    calls a connection that was cut "never connected", and may ask a question twice.
    """

    def __init__(
        self, trust: ssl.SSLContext | None, timeout: httpx.Timeout, limit: int | None
    ) -> None:
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(
            sock_connect=timeout.connect, sock_read=timeout.read, connect=timeout.pool
        )
        self._limit = limit or 0
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """Send over a connection that is free, or over a new one."""
        session = self._session = self._session or self._opened()
        try:
            response = await session.request(
                method,
                _quoted(url),
                headers=headers,
                data=content or None,
                allow_redirects=False,
                timeout=self._timeout,
            )
        except aiohttp.ClientError:
            raise
        except ValueError as error:  # a user or password in the address that can't be sent
            raise httpx.InvalidURL(str(error)) from None
        return Reply(
            response.status,
            _lowered(response.raw_headers),
            response.content.iter_any(),
            partial(_let_go, response),
        )

    def _opened(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self._limit, keepalive_timeout=KEEP_ALIVE, ssl=self._trust or True
        )
        jar = aiohttp.DummyCookieJar()
        return aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False)

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        if self._session:
            await self._session.close()


class ByHttpx:
    """Any transport of httpx: the environment's proxies, or a stand-in for the network."""

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
        headers, pieces = _lowered(response.headers.raw), aiter(response.stream)
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


@lru_cache(2048)
def _quoted(url: str) -> yarl.URL:
    """The very address that httpx would ask; signed links must not be spelt anew."""
    try:
        address = yarl.URL(str(httpx.URL(url)), encoded=True)
        _ = address.explicit_port  # its parts are read only when asked for
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from None
    return address


def _lowered(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The headers of an answer by their names in lower case; of two alike the last."""
    return {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in pairs}


async def _let_go(response: aiohttp.ClientResponse) -> None:
    """Give the connection back, or close it when there is more to come over it."""
    response.release()
