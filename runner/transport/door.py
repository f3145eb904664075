"""One client, its patience, and what its errors mean: never sent, or broken off."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import getproxies

import aiohttp
import anyio
import httpx
from httpx_aiohttp import AiohttpTransport

from runner import __version__
from runner.errors import ConfigurationError

GREETING = {"User-Agent": f"image-to-video-runner/{__version__}", "Accept-Encoding": "gzip"}
_PORTS = 65535
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
ANY = (httpx.HTTPError, httpx.StreamError, ssl.SSLError, aiohttp.ClientError, OverflowError)


class TransportError(Exception):
    """A request without a whole answer; the text never holds an address's query or a key."""


class NotSentError(TransportError):
    """The request never reached the other side."""


class BrokenError(TransportError):
    """The request may have reached the other side; its answer is lost or only partly here."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way out and its patience. `exact`: its errors tell "never sent" from "cut".

    What is behind it is asked directly: cookies, redirects and credentials, which httpx's client
    would add to each request for 0.15 ms, are what must not happen here.
    """

    transport: httpx.AsyncBaseTransport
    timeout: httpx.Timeout
    exact: bool = False

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """Send a request; its answer is open, with the body still to be read.

        Raises `NotSentError` or `BrokenError`, also for what goes wrong while it is read.
        """
        try:
            response = await self._sent(method, url, headers, content)
            try:
                yield response
            finally:
                await response.aclose()
        except ANY as error:
            never = self.exact and isinstance(error, _NEVER_SENT)
            raise (NotSentError if never else BrokenError)(words(error, headers)) from None

    async def aclose(self) -> None:
        """Close its connections."""
        await self.transport.aclose()

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes | None
    ) -> httpx.Response:
        """The head of an answer. Raises what `ANY` names, untranslated, and `NotSentError`."""
        patience = {"timeout": self.timeout.as_dict()}
        try:
            request = httpx.Request(
                method, _parsed(url), headers=headers, content=content, extensions=patience
            )
            return await self.transport.handle_async_request(request)
        except (httpx.InvalidURL, UnicodeError) as error:  # also a name that can't be one
            raise NotSentError(words(error, headers)) from None


def opened(
    timeout: httpx.Timeout,
    keep: int,
    limit: int | None,
    *,
    trust: ssl.SSLContext | bool,
    proxies: bool,
    backend: httpx.AsyncBaseTransport | None = None,
    exact: bool = False,
) -> Door:
    """A door of at most `limit` connections, of which `keep` are kept when they are idle.

    `exact` takes httpx's own transport, else it is aiohttp's. `backend` stands in for either.
    Raises `ConfigurationError` for a proxy in the environment that can't be used.
    """
    limits = httpx.Limits(
        max_connections=limit, max_keepalive_connections=keep, keepalive_expiry=_KEEP_ALIVE
    )
    if backend is None:
        if proxies and (named := _proxies()):
            backend = _by_proxy(named, limits, trust)
        elif exact:
            backend = httpx.AsyncHTTPTransport(verify=trust, limits=limits, trust_env=False)
        else:
            backend = _quick(limits, trust)
    return Door(backend, timeout, exact)


def _proxies() -> dict[str, str]:
    """The proxies that the environment names, by scheme; what it excepts from them is none."""
    return {scheme: url for scheme, url in getproxies().items() if scheme != "no" and url}


def _by_proxy(
    named: Mapping[str, str], limits: httpx.Limits, trust: ssl.SSLContext | bool
) -> httpx.AsyncBaseTransport:
    """Raises `ConfigurationError`, without an address: there may be a password in it."""
    try:
        for url in named.values():
            if not 0 < (httpx.URL(url if "://" in url else f"http://{url}").port or 1) <= _PORTS:
                raise ValueError
        return _ByProxy(limits, trust)
    except ImportError as error:
        raise ConfigurationError(f"the proxy in the environment: {words(error, {})}") from None
    except (ValueError, httpx.InvalidURL):
        names = ", ".join(f"{scheme.upper()}_PROXY" for scheme in sorted(named))
        raise ConfigurationError(
            f"the proxy in the environment: {names} or NO_PROXY is no address that can be used; "
            "write http://host:port"
        ) from None


def _quick(limits: httpx.Limits, trust: ssl.SSLContext | bool) -> httpx.AsyncBaseTransport:
    """aiohttp's connections; its session keeps no cookies, and is made inside the event loop."""

    def session() -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=limits.max_connections or 0, keepalive_timeout=_KEEP_ALIVE, ssl=trust
        )
        return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

    return AiohttpTransport(verify=trust, limits=limits, client=session)


class _ByProxy(httpx.AsyncBaseTransport):
    """The proxies of the environment, as httpx chooses among them for each address."""

    def __init__(self, limits: httpx.Limits, trust: ssl.SSLContext | bool) -> None:
        none_kept = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.AsyncClient(
            limits=limits, follow_redirects=False, verify=trust, cookies=none_kept
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True)

    async def aclose(self) -> None:
        await self._client.aclose()


def trusted() -> ssl.SSLContext:
    """The certificates of this machine. Raises `ConfigurationError` when they can't be read."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        reason = f"the certificates can't be read: {error.strerror or error}"
        raise ConfigurationError(f"{reason}; is SSL_CERT_FILE right?") from None


@contextmanager
def within(seconds: float, wanted: str = "no answer") -> Iterator[None]:
    """Raises `BrokenError` when it takes longer, however steadily an answer trickles in."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise BrokenError(f"{wanted} within {seconds:g} seconds") from None


def lowered(headers: httpx.Headers) -> dict[str, str]:
    """The headers of an answer by their names in lower case; of two alike the last."""
    pairs = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.raw)
    return {name.lower(): value for name, value in pairs}


def words(error: Exception, headers: Mapping[str, str]) -> str:
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


@lru_cache(2048)
def _parsed(url: str) -> httpx.URL:
    """A task's address is the same at each poll, and reading it is a tenth of what a poll costs."""
    return httpx.URL(url)
