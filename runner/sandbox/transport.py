"""The in-process skin: an httpx transport around a simulator, for tests in virtual time.

It waits with `anyio.sleep` and keeps httpx's time-outs, so on trio's `MockClock` minutes take no
time. Unlike the server it can also fail before a connection exists.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import anyio
import httpx

from runner.sandbox.film import Render, tiny
from runner.sandbox.simulator import Simulator
from runner.sandbox.wire import Film, Reply, Request, deliver

CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Body(httpx.AsyncByteStream):
    """A reply's body, which may break off: in order (protocol error) or by a reset (read error)."""

    data: bytes
    cut_after: int | None
    reset: bool

    async def __aiter__(self) -> AsyncIterator[bytes]:
        granted = self.data[: self.cut_after]
        for start in range(0, len(granted), CHUNK):
            yield granted[start : start + CHUNK]
        if self.cut_after is not None:
            raise _broken(
                self.reset, "peer closed connection without sending complete message body"
            )


class SandboxTransport(httpx.AsyncBaseTransport):
    """Hands every request, whatever its host, to the simulator. Films are `tiny` unless told."""

    def __init__(self, simulator: Simulator, render: Render = tiny) -> None:
        self.simulator = simulator
        self._render = render

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Perform one request; raises httpx's own errors for cuts, time-outs and no connection."""
        limits = request.extensions.get("timeout", {})
        reply = self.simulator.handle(await _request(request))
        if reply.connect:
            await _no_connection(reply, limits)
        if isinstance(reply.body, Film):
            reply = deliver(reply, self._render(reply.body.spec))
        await _wait(reply.delay, limits.get("read"))
        if reply.cut_after == 0:
            raise _broken(reply.reset, "Server disconnected without sending a response.")
        body = reply.body if isinstance(reply.body, bytes) else b""
        stream = _Body(body, reply.cut_after, reply.reset)
        return httpx.Response(reply.status, headers=dict(reply.headers), stream=stream)


async def _request(request: httpx.Request) -> Request:
    url = request.url
    return Request(
        method=request.method,
        target=url.raw_path.decode("ascii"),
        headers={name.lower(): value for name, value in request.headers.items()},
        body=await request.aread(),
        origin=f"{url.scheme}://{url.netloc.decode('ascii')}",
    )


async def _wait(seconds: float, limit: float | None) -> None:
    """Wait for an answer, but no longer than the read time-out."""
    if limit is not None and seconds > limit:
        await anyio.sleep(limit)
        raise httpx.ReadTimeout("the sandbox answers later than the read time-out")
    await anyio.sleep(seconds)


async def _no_connection(reply: Reply, limits: dict[str, float | None]) -> None:
    """Fail as httpx does when nothing could be sent."""
    match reply.connect:
        case "connect-timeout":
            await anyio.sleep(limits.get("connect") or 0)
            raise httpx.ConnectTimeout("the sandbox takes no connection in time")
        case "pool-timeout":
            await anyio.sleep(limits.get("pool") or 0)
            raise httpx.PoolTimeout("the sandbox has no free connection in time")
        case _:
            raise httpx.ConnectError("the sandbox refuses the connection")


def _broken(reset: bool, message: str) -> httpx.TransportError:
    return httpx.ReadError("connection reset") if reset else httpx.RemoteProtocolError(message)
