"""What carries free requests: aiohttp's pool. Loaded at the first of them, for it is large."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from functools import lru_cache, partial
from typing import ClassVar

import aiohttp
import httpx
import yarl

from runner.transport.carriers import KEEP_ALIVE, Reply, lowered


class Pooled:
    """aiohttp's connections, kept for the next request; made inside the event loop.

    A third of the CPU of httpx's own pool, and the same with any number of connections. But it
    calls a connection that was cut "never connected", and may ask a question twice.
    With `whole` that is how long an answer may take, all of it, in seconds: one timer instead of
    one a step. Raises `TimeoutError` then.
    """

    errors: ClassVar[tuple[type[Exception], ...]] = (aiohttp.ClientError,)

    def __init__(
        self,
        trust: ssl.SSLContext | None,
        timeout: httpx.Timeout,
        limit: int | None,
        whole: float | None = None,
    ) -> None:
        self._trust = trust
        self._timeout = aiohttp.ClientTimeout(
            total=whole,
            sock_connect=timeout.connect,
            sock_read=None if whole else timeout.read,
            connect=None if whole else timeout.pool,
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
            lowered(response.raw_headers),
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


@lru_cache(2048)
def _quoted(url: str) -> yarl.URL:
    """The very address that httpx would ask; signed links must not be spelt anew."""
    try:
        address = yarl.URL(str(httpx.URL(url)), encoded=True)
        _ = address.explicit_port  # its parts are read only when asked for
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from None
    return address


async def _let_go(response: aiohttp.ClientResponse) -> None:
    """Give the connection back, or close it when there is more to come over it."""
    response.release()
