"""One connection of asyncio's, as httpcore's protocol engine wants it. Used once, then cut."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import ip_address
from typing import cast

import httpcore
import httpx

_HEAD_START = 0.25  # seconds that the first address of a name has before the next is tried too
_ENOUGH = 1 << 18  # bytes that wait to be read before the other side is made to wait


async def connected(
    host: str, port: int, trust: ssl.SSLContext | bool | None, seconds: float | None
) -> Stream:
    """Connect, with TLS unless `trust` is None, within so many seconds, or however long it takes.

    Raises `httpx.ConnectError`, `httpx.ConnectTimeout`: nothing was sent.
    """
    head_start = None if _is_address(host) else _HEAD_START
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            _, stream = await loop.create_connection(
                Stream, host, port, ssl=trust, happy_eyeballs_delay=head_start
            )
    except TimeoutError:
        raise httpx.ConnectTimeout(f"no connection within {seconds} seconds") from None
    except Exception as error:  # whatever went wrong: no byte of a request has left
        raise httpx.ConnectError(str(error)) from error
    return stream


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Stream(asyncio.Protocol, httpcore.AsyncNetworkStream):
    """Bytes to and from the other side; raises httpcore's errors, one for each way they end.

    What came before a cut is read before the cut is told: a refusal may be sent, and the
    connection cut, while a large request is still on its way.
    """

    _transport: asyncio.Transport

    def __init__(self) -> None:
        self._came = bytearray()
        self._over = False
        self._cut: Exception | None = None
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    # ------------------------------------------------------------ told by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Keep it until it is read."""
        self._came += data
        if len(self._came) > _ENOUGH:
            self._transport.pause_reading()
        self._news.set()

    def eof_received(self) -> None:
        """Nothing more will come."""
        self._over = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come or go."""
        self._over, self._cut = True, exc
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        """The other side is behind."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writable.set()

    # ------------------------------------------------------------ asked by httpcore

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, or none when the other side is done."""
        try:
            async with asyncio.timeout(timeout):
                while not self._came and not self._over:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        if not self._came and self._cut:
            raise httpcore.ReadError(str(self._cut)) from self._cut
        part = bytes(self._came[:max_bytes])
        del self._came[:max_bytes]
        if not self._over:
            self._transport.resume_reading()
        return part

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it, or as much as the other side will take."""
        if not buffer:
            return
        self._transport.write(buffer)
        try:
            async with asyncio.timeout(timeout):
                await self._writable.wait()
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        if self._over and self._cut:
            raise httpcore.WriteError(str(self._cut)) from self._cut

    async def aclose(self) -> None:
        """Let go at once: nothing that is still to be sent or read matters any more."""
        self._transport.abort()
