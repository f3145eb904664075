"""The one door to HTTP. Everything that its libraries can raise leaves here as one of two errors.

`NotSentError`: the request never reached the other side. `BrokenError`: it may have. That
difference decides whether a paid request may be sent again, so it is made here, once, from the
exact exception, and paid requests go over httpx's own transport, whose errors are exact. Free
traffic (polls, downloads) goes over aiohttp's, which costs a third of the time a request and the
same with any number of connections, but calls a connection that was cut "never connected", and
may ask a question twice: there nothing hangs on it, and all that happens is `BrokenError`. No
retry of a paid request and no redirect is ever a library's own choice.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType

import aiohttp
import anyio
import httpx
from httpx_aiohttp import HttpxAiohttpClient

from runner import __version__
from runner.apis import is_loopback
from runner.dialects import Answer
from runner.errors import ConfigurationError

_MEGABYTE = 1 << 20
_SHORTEST_KEY = 8  # anything shorter is no secret, and could be part of an honest word
_PAID = httpx.Timeout(connect=15, read=120, write=30, pool=15)
_FREE = httpx.Timeout(connect=15, read=30, write=30, pool=60)
_WHOLE = 300.0  # an answer that trickles in may not hold a paid request, or a drain, for ever
_FILM = httpx.Timeout(connect=15, read=60, write=30, pool=600)
_LOOK = httpx.Timeout(10)  # as long as Runway itself waits for an image
_LOOK_WHOLE = 20.0
_NOTE = httpx.Timeout(10)
_NOTE_WHOLE = 15.0

_GREETING = {"User-Agent": f"image-to-video-runner/{__version__}", "Accept-Encoding": "gzip"}
_KEEP_ALIVE = 20.0  # an idle connection is kept longer than the usual time between two polls

# Raised by httpx's own transport before the first byte of a request leaves.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


# Everything that the libraries raise. A name that can't be one is met before anything is sent.
_ANY = (httpx.HTTPError, httpx.StreamError, ssl.SSLError, aiohttp.ClientError)


class TransportError(Exception):
    """A request without a whole answer; the text never holds an address's query or a key."""


class NotSentError(TransportError):
    """The request never reached the other side."""


class BrokenError(TransportError):
    """The request may have reached the other side; its answer is lost or only partly here."""


@dataclass(frozen=True, slots=True)
class _Door:
    """One client and its patience. `exact`: its errors tell "never sent" from "cut"."""

    client: httpx.AsyncClient
    timeout: httpx.Timeout
    exact: bool = False


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
        trust = _trust() if backend is None else False
        proxies = not is_loopback(base_url)

        def client(
            kind: type[httpx.AsyncClient], keep: int, limit: int | None
        ) -> httpx.AsyncClient:
            return _client(kind, keep, limit, trust=trust, proxies=proxies, backend=backend)

        self._base_url = base_url.rstrip("/")
        self._headers = {**_GREETING, "Accept": "application/json", **headers}
        self._key = headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            self._paid = _Door(client(httpx.AsyncClient, 0, None), _PAID, exact=True)
            self._free = _Door(client(HttpxAiohttpClient, connections, connections), _FREE)
            self._films = _Door(client(HttpxAiohttpClient, 8, connections), _FILM)
        except (ImportError, ValueError) as error:
            raise _bad_proxy(error) from None

    async def pay(self, path: str, body: Mapping[str, object]) -> Answer:
        """POST the one request that costs money, once. Raises `NotSentError`, `BrokenError`."""
        return await self._ask(self._paid, "POST", path, body)

    async def ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> Answer:
        """Send a free request. Raises `BrokenError`; `NotSentError` for an impossible address."""
        return await self._ask(self._free, method, path, body)

    async def _ask(
        self,
        door: _Door,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
    ) -> Answer:
        headers, content = self._headers, None
        if body is not None:
            headers = {**headers, "Content-Type": "application/json"}
            content = json.dumps(body, ensure_ascii=False).encode()
        url = self._base_url + path
        try:
            with anyio.fail_after(_WHOLE):
                response = await _sent(door, method, url, headers, content)
                try:
                    return self._without_key(await _whole(response))
                finally:
                    await response.aclose()
        except TimeoutError:
            raise BrokenError(f"no whole answer within {_WHOLE:g} seconds") from None
        except _ANY as error:
            raise _broken(error, door, headers) from None

    def _without_key(self, answer: Answer) -> Answer:
        """A provider may quote the key in an error; it goes no further than here."""
        if len(self._key) < _SHORTEST_KEY:
            return answer
        headers = {name: value.replace(self._key, "***") for name, value in answer.headers.items()}
        return Answer(answer.status, headers, answer.body.replace(self._key.encode(), b"***"))

    @asynccontextmanager
    async def download(self, url: str) -> AsyncIterator[Download]:
        """GET a video without the key. Raises like `ask`, also while reading."""
        plain = {**_GREETING, "Accept": "*/*", "Accept-Encoding": "identity"}
        try:
            response = await _sent(self._films, "GET", url, plain, None)
            try:
                pieces = response.aiter_raw(_MEGABYTE)
                yield Download(response.status_code, _lowered(response.headers), pieces)
            finally:
                await response.aclose()
        except _ANY as error:
            raise _broken(error, self._films, plain) from None

    async def aclose(self) -> None:
        """Close every connection."""
        for door in (self._paid, self._free, self._films):
            await door.client.aclose()

    async def __aenter__(self) -> Transport:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class Onlooker:
    """Looks at files on strangers' hosts. It has no key to lose, and follows no redirect."""

    def __init__(self, connections: int, *, proxies: bool = True) -> None:
        try:
            client = _client(
                HttpxAiohttpClient, connections, connections, trust=_trust(), proxies=proxies
            )
        except (ImportError, ValueError) as error:
            raise _bad_proxy(error) from None
        self._door = _Door(client, _LOOK)

    async def look(self, method: str, url: str, most: int = 0) -> Answer:
        """Ask for a file, and read at most so many of its first bytes, whatever is sent.

        Raises `TransportError` when there is no answer within 20 seconds.
        """
        headers = {**_GREETING, "Accept": "image/*,*/*;q=0.5", "Accept-Encoding": "identity"}
        if most:
            headers["Range"] = f"bytes=0-{most - 1}"
        try:
            with anyio.fail_after(_LOOK_WHOLE):
                response = await _sent(self._door, method, url, headers, None)
                try:
                    first = await _first(response, most) if most else b""
                    return Answer(response.status_code, _lowered(response.headers), first)
                finally:
                    await response.aclose()
        except TimeoutError:
            raise BrokenError(f"no answer within {_LOOK_WHOLE:g} seconds") from None
        except _ANY as error:
            raise _broken(error, self._door, headers) from None

    async def __aenter__(self) -> Onlooker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._door.client.aclose()


def _trust() -> ssl.SSLContext:
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        words = f"the certificates can't be read: {error.strerror or error}"
        raise ConfigurationError(f"{words}; is SSL_CERT_FILE right?") from None


def _bad_proxy(error: Exception) -> ConfigurationError:
    return ConfigurationError(f"the proxy in the environment: {_words(error, {})}")


def _client(
    kind: type[httpx.AsyncClient],
    keep: int,
    limit: int | None,
    *,
    trust: ssl.SSLContext | bool,
    proxies: bool,
    backend: httpx.AsyncBaseTransport | None = None,
) -> httpx.AsyncClient:
    return kind(
        limits=httpx.Limits(
            max_connections=limit,
            max_keepalive_connections=keep,
            keepalive_expiry=_KEEP_ALIVE,
        ),
        follow_redirects=False,
        verify=trust,
        trust_env=proxies,
        transport=backend,
    )


async def tell(url: str, content: bytes, media_type: str) -> int:
    """POST to an address that is not the provider's: without the key, never redirected.

    Returns the answer's status. Raises `TransportError` when there is none within 15 seconds.
    """
    headers = {**_GREETING, "Content-Type": media_type}
    try:
        with anyio.fail_after(_NOTE_WHOLE):
            async with httpx.AsyncClient(trust_env=not is_loopback(url)) as client:
                response = await _sent(_Door(client, _NOTE), "POST", url, headers, content)
                await response.aclose()
                return response.status_code
    except TimeoutError:
        raise BrokenError(f"no answer within {_NOTE_WHOLE:g} seconds") from None
    except (*_ANY, OSError, ImportError, ValueError) as error:  # or a bad proxy or certificate
        raise BrokenError(_words(error, headers)) from None


@lru_cache(2048)
def _parsed(url: str) -> httpx.URL:
    """A task's address is the same at each poll, and reading it is a tenth of what a poll costs."""
    return httpx.URL(url)


async def _sent(
    door: _Door, method: str, url: str, headers: Mapping[str, str], content: bytes | None
) -> httpx.Response:
    """The head of an answer; its body is still to be read. Raises what `_ANY` names, untranslated.

    The request is built here, not by the client, whose merging of defaults costs a fifth of it.
    """
    patience = {"timeout": door.timeout.as_dict()}
    try:
        request = httpx.Request(
            method, _parsed(url), headers=headers, content=content, extensions=patience
        )
        return await door.client.send(request, stream=True)
    except (httpx.InvalidURL, UnicodeError) as error:  # also a name that can't be one
        raise NotSentError(_words(error, headers)) from None


def _broken(error: Exception, door: _Door, headers: Mapping[str, str]) -> TransportError:
    never = door.exact and isinstance(error, _NEVER_SENT)
    return (NotSentError if never else BrokenError)(_words(error, headers))


async def _first(response: httpx.Response, most: int) -> bytes:
    received = bytearray()
    async for piece in response.aiter_raw():
        received += piece
        if len(received) >= most:
            break
    return bytes(received[:most])


async def _whole(response: httpx.Response) -> Answer:
    received = bytearray()
    async for piece in response.aiter_bytes():
        received += piece
        if len(received) > _MEGABYTE:
            raise BrokenError("an answer of more than a megabyte")
    return Answer(response.status_code, _lowered(response.headers), bytes(received))


def _words(error: Exception, headers: Mapping[str, str]) -> str:
    """The kind of error and its reason, unless that quotes a key or a URL with its signature.

    A `LocalProtocolError` quotes the header that could not be sent, others what came instead of
    an answer. What aiohttp said is told rather than what it was translated into.
    """
    error = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    reason = "".join(letter for letter in str(error) if letter.isprintable())
    kind = type(error).__name__
    key = headers.get("Authorization", "").rpartition(" ")[2]
    quoting = "://" in reason or "?" in reason or (key and key in reason)
    if not reason or quoting or isinstance(error, httpx.LocalProtocolError):
        return kind
    return f"{kind}: {reason[:200]}"


def _lowered(headers: httpx.Headers) -> dict[str, str]:
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)
    return {name.lower(): value for name, value in pairs}
