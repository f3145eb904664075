"""One client, its patience, and what its errors mean: never sent, or broken off."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import getproxies

import aiohttp
import anyio
import httpcore
import httpx

from runner import __version__
from runner.errors import ConfigurationError
from runner.transport.carriers import KEEP_ALIVE, ByHttpx, Carrier, Pooled, Reply, Single

GREETING = {"User-Agent": f"image-to-video-runner/{__version__}", "Accept-Encoding": "gzip"}
_PORTS = 65535

# Raised before the first byte of a request leaves.
_NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)
_HTTPCORE = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ConnectionNotAvailable,
)
_QUOTING = (httpx.LocalProtocolError, httpcore.LocalProtocolError)
# Everything that the libraries raise. A name that can't be one is met before anything is sent.
ANY = (
    *(httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, ssl.SSLError, OverflowError),
    *_HTTPCORE,
)


class TransportError(Exception):
    """A request without a whole answer; the text never holds an address's query or a key."""


class NotSentError(TransportError):
    """The request never reached the other side."""


class BrokenError(TransportError):
    """The request may have reached the other side; its answer is lost or only partly here."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way out. `exact`: its errors tell "never sent" from "cut"."""

    carrier: Carrier
    exact: bool = False

    @asynccontextmanager
    async def answer(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> AsyncIterator[Reply]:
        """Send a request; its answer is open, with the body still to be read.

        Raises `NotSentError` or `BrokenError`, also for what goes wrong while it is read.
        """
        try:
            reply = await self._sent(method, url, headers, content)
            try:
                yield reply
            finally:
                await reply.aclose()
        except ANY as error:
            never = self.exact and isinstance(error, _NEVER_SENT)
            raise (NotSentError if never else BrokenError)(words(error, headers)) from None

    async def aclose(self) -> None:
        """Close its connections."""
        await self.carrier.aclose()

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """The head of an answer. Raises what `ANY` names, untranslated, and `NotSentError`."""
        try:
            return await self.carrier.send(method, url, headers, content)
        except (httpx.InvalidURL, UnicodeError) as error:  # also a name that can't be one
            raise NotSentError(words(error, headers)) from None


def opened(
    timeout: httpx.Timeout,
    limit: int | None,
    *,
    trust: ssl.SSLContext | None,
    proxies: bool,
    backend: httpx.AsyncBaseTransport | None = None,
    exact: bool = False,
) -> Door:
    """A door of at most `limit` connections at once; `exact` takes a new one for each request.

    `backend` stands in for the network. Raises `ConfigurationError` for a proxy in the
    environment that can't be used.
    """
    carrier: Carrier
    if backend is not None:
        carrier = ByHttpx(backend, timeout)
    elif proxies and (named := _proxies()):
        limits = httpx.Limits(
            max_connections=limit,
            max_keepalive_connections=0 if exact else limit,
            keepalive_expiry=KEEP_ALIVE,
        )
        carrier = ByHttpx(_by_proxy(named, limits, trust), timeout)
    else:
        carrier = Single(trust, timeout) if exact else Pooled(trust, timeout, limit)
    return Door(carrier, exact)


def _proxies() -> dict[str, str]:
    """The proxies that the environment names, by scheme; what it excepts from them is none."""
    return {scheme: url for scheme, url in getproxies().items() if scheme != "no" and url}


def _by_proxy(
    named: Mapping[str, str], limits: httpx.Limits, trust: ssl.SSLContext | None
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


class _ByProxy(httpx.AsyncBaseTransport):
    """The proxies of the environment, as httpx chooses among them for each address."""

    def __init__(self, limits: httpx.Limits, trust: ssl.SSLContext | None) -> None:
        none_kept = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx.AsyncClient(
            limits=limits, follow_redirects=False, verify=trust or True, cookies=none_kept
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._client.send(request, stream=True)
        except (httpx.InvalidURL, ValueError) as error:  # of a redirect, which it only looks at
            raise httpx.RemoteProtocolError(str(error)) from None

    async def aclose(self) -> None:
        await self._client.aclose()


def trusted() -> ssl.SSLContext:
    """The certificates of this machine. Raises `ConfigurationError` when they can't be read."""
    try:
        context = httpx.create_ssl_context()
        context.set_alpn_protocols(["http/1.1"])
        return context
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
