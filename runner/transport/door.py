"""One way out, its patience, and what its errors mean: never sent, or broken off."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.request import getproxies

import httpcore
import httpx

from runner import __version__
from runner.dialects import Answer
from runner.errors import ConfigurationError
from runner.transport.carriers import KEEP_ALIVE, ByHttpx, Carrier, Reply, Single
from runner.transport.failures import BrokenError, NotSentError, TransportError, within, words
from runner.transport.whole import read_whole

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
# Raised by every library. A name that can't be one is met before anything is sent.
KNOWN = (httpx.HTTPError, httpx.StreamError, ssl.SSLError, OverflowError, *_HTTPCORE)


_SEEN_TO = nullcontext()


class Door:
    """One way out, by a carrier that is made when the first request leaves.

    `exact`: its errors tell "never sent" from "cut". `whole` are the seconds in which `ask` must
    have all of an answer, unless the carrier sees to that.
    """

    def __init__(
        self, make: Callable[[], Carrier], *, exact: bool = False, whole: float | None = None
    ) -> None:
        self._make = make
        self._exact = exact
        self._whole = whole
        self._carrier: Carrier | None = None

    async def ask(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes = b""
    ) -> Answer:
        """Send a request and read its whole answer. Raises `NotSentError` or `BrokenError`."""
        with within(self._whole, "no whole answer") if self._whole else _SEEN_TO:
            try:
                reply = await self._sent(method, url, headers, content)
                try:
                    return await read_whole(reply)
                finally:
                    await reply.aclose()
            except self._known as error:
                raise self._meaning(error, headers) from None
            except TimeoutError:  # of the carrier that sees to `whole` itself
                raise BrokenError("no whole answer in time") from None

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
        except self._known as error:
            raise self._meaning(error, headers) from None

    def load(self) -> Carrier:
        """The carrier, made now if it was not. Raises `BrokenError` when that fails for now."""
        if self._carrier is None:
            try:
                self._carrier = self._make()
            except (ImportError, OSError) as error:  # no more open files, an upgrade at this moment
                raise BrokenError(words(error, {})) from None
        return self._carrier

    async def aclose(self) -> None:
        """Close its connections."""
        if self._carrier:
            await self._carrier.aclose()

    async def _sent(
        self, method: str, url: str, headers: Mapping[str, str], content: bytes
    ) -> Reply:
        """The head of an answer. Raises what the libraries raise, untranslated."""
        try:
            return await self.load().send(method, url, headers, content)
        except (httpx.InvalidURL, UnicodeError) as error:  # also a name that can't be one
            raise NotSentError(words(error, headers)) from None

    def _meaning(self, error: Exception, headers: Mapping[str, str]) -> TransportError:
        never = self._exact and isinstance(error, _NEVER_SENT)
        return (NotSentError if never else BrokenError)(words(error, headers))

    @property
    def _known(self) -> tuple[type[Exception], ...]:
        """Everything that the libraries raise."""
        return (*KNOWN, *(self._carrier.errors if self._carrier else ()))


def opened(
    timeout: httpx.Timeout,
    limit: int | None,
    *,
    trust: ssl.SSLContext | None,
    proxies: bool,
    backend: httpx.AsyncBaseTransport | None = None,
    exact: bool = False,
    whole: float | None = None,
) -> Door:
    """A door of at most `limit` connections at once; `exact` takes a new one for each request.

    `backend` stands in for the network. Raises `ConfigurationError` for a proxy in the
    environment that can't be used.
    """
    if backend is None and proxies and (named := _proxies()):
        limits = httpx.Limits(
            max_connections=limit,
            max_keepalive_connections=0 if exact else limit,
            keepalive_expiry=KEEP_ALIVE,
        )
        backend = _by_proxy(named, limits, trust)
    if backend is not None:
        return Door(partial(ByHttpx, backend, timeout), exact=exact, whole=whole)
    if exact:
        return Door(partial(Single, trust, timeout), exact=True, whole=whole)
    return Door(partial(_pooled, trust, timeout, limit, whole))


def _pooled(
    trust: ssl.SSLContext | None, timeout: httpx.Timeout, limit: int | None, whole: float | None
) -> Carrier:
    """A pool; what it is made of is loaded only now, while paid requests are on their way."""
    from runner.transport.pooled import Pooled  # noqa: PLC0415 - a fifth of what a start takes

    return Pooled(trust, timeout, limit, whole)


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
