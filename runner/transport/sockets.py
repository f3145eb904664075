"""One connection of asyncio's, as httpcore's protocol engine wants it. Used once, then cut."""

from __future__ import annotations

import asyncio
import ssl
from ipaddress import ip_address
from typing import Any

import httpcore
import httpx

_HEAD_START = 0.25  # seconds that the first address of a name has before the next is tried too


async def connected(
    host: str, port: int, trust: ssl.SSLContext | bool | None, patience: float
) -> Stream:
    """Connect, with TLS unless `trust` is None, within so many seconds.

    Raises `httpx.ConnectError`, `httpx.ConnectTimeout`: nothing was sent.
    """
    head_start = None if _is_address(host) else _HEAD_START
    try:
        async with asyncio.timeout(patience):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=trust, happy_eyeballs_delay=head_start
            )
    except TimeoutError:
        raise httpx.ConnectTimeout(f"no connection within {patience:g} seconds") from None
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    return Stream(reader, writer)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Stream(httpcore.AsyncNetworkStream):
    """Bytes to and from the other side; raises httpcore's errors, one for each way they end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, or none when the other side is done."""
        try:
            async with asyncio.timeout(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError:
            raise httpcore.ReadTimeout from None
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of it."""
        if not buffer:
            return
        try:
            self._writer.write(buffer)
            async with asyncio.timeout(timeout):
                await self._writer.drain()
        except TimeoutError:
            raise httpcore.WriteTimeout from None
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    async def aclose(self) -> None:
        """Let go at once: nothing that is still to be sent or read matters any more."""
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        """Nothing that httpcore could ask for is needed here."""
        return None
