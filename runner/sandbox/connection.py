"""One HTTP/1.1 connection of the server skin, on h11: keep-alive, limits, and honest breakages."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from http.client import responses
from typing import TypeAlias

import anyio
import h11
from anyio.abc import SocketAttribute, SocketStream

from runner.sandbox.film import FilmSpec
from runner.sandbox.simulator import Simulator
from runner.sandbox.wire import Film, Reply, Request, deliver, json_reply

LARGEST_HEADER = 64 * 1024
LARGEST_BODY = 8 * 1024 * 1024
CHUNK = 64 * 1024
LINGER = 1.0  # seconds
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)

Draw: TypeAlias = Callable[[FilmSpec], Awaitable[bytes]]

_log = logging.getLogger(__name__)


class BodyTooLargeError(Exception):
    """The request's body is over the limit."""


class Connection:
    """Serves one client until it leaves, misbehaves, or a reply ends in a cut."""

    def __init__(
        self, stream: SocketStream, simulator: Simulator, draw: Draw, base_url: str
    ) -> None:
        self._stream = stream
        self._simulator = simulator
        self._draw = draw
        self._base_url = base_url
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEADER)

    async def run(self) -> None:
        """Answer requests in turn; a client that leaves is nothing to make a noise about."""
        try:
            while await self._exchange():
                self._http.start_next_cycle()
        except h11.RemoteProtocolError as error:
            await self._refuse(error.error_status_hint, str(error))
        except BodyTooLargeError:
            await self._refuse(413, f"a body may have {LARGEST_BODY} bytes")
        except GONE:
            pass
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(self._stream)

    async def _exchange(self) -> bool:
        """One request and its reply; False when the connection is to be closed."""
        request = await self._receive()
        if request is None:
            return False
        reply = self._simulator.handle(request)
        reply = await self._drawn(reply)
        if reply.delay:
            await self._pause(reply.delay)
        if reply.cut_after == 0:
            await self._close(reset=reply.reset)
            return False
        await self._send(reply)
        if reply.cut_after is not None:
            await self._close(reset=reply.reset)
            return False
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _receive(self) -> Request | None:
        """The next request, whole; None when the client has closed its side."""
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await self._stream.send(self._http.send(go_on) or b"")
                self._http.receive_data(await self._read())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > LARGEST_BODY:
                    raise BodyTooLargeError
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return self._request(head, bytes(body))
            else:
                return None

    def _request(self, head: h11.Request, body: bytes) -> Request:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in head.headers}
        host = headers.get("host")
        return Request(
            method=head.method.decode("latin-1"),
            target=head.target.decode("latin-1"),
            headers=headers,
            body=body,
            origin=f"http://{host}" if host else self._base_url,
        )

    async def _drawn(self, reply: Reply) -> Reply:
        """The reply with its film drawn; a film that can't be drawn is a 500, not a traceback."""
        if not isinstance(reply.body, Film):
            return reply
        try:
            return deliver(reply, await self._draw(reply.body.spec))
        except Exception as error:  # whatever a drawing library raises
            _log.error("the film %s could not be drawn: %r", reply.body.spec.task_id, error)
            failed = json_reply(500, {"error": f"the sandbox could not draw this film: {error}"})
            return replace(failed, headers={**reply.headers, **failed.headers})

    async def _pause(self, seconds: float) -> None:
        """Wait, and notice when the client leaves meanwhile."""
        with anyio.move_on_after(seconds):
            self._http.receive_data(await self._stream.receive())
            await anyio.sleep_forever()

    async def _send(self, reply: Reply) -> None:
        """Send the head and as much of the body as the reply grants."""
        body = reply.body if isinstance(reply.body, bytes) else b""
        reason = responses.get(reply.status, "").encode()
        head = h11.Response(
            status_code=reply.status, headers=list(reply.headers.items()), reason=reason
        )
        pending = self._http.send(head) or b""
        granted = memoryview(body)[: reply.cut_after]
        for start in range(0, len(granted), CHUNK):
            data = h11.Data(data=bytes(granted[start : start + CHUNK]))
            await self._stream.send(pending + (self._http.send(data) or b""))
            pending = b""
        if reply.cut_after is None:
            pending += self._http.send(h11.EndOfMessage()) or b""
        if pending:
            await self._stream.send(pending)

    async def _read(self) -> bytes:
        try:
            return await self._stream.receive(CHUNK)
        except anyio.EndOfStream:
            return b""

    async def _close(self, *, reset: bool) -> None:
        """End the connection in order, or by a TCP reset."""
        if reset:
            plain = self._stream.extra(SocketAttribute.raw_socket)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await anyio.aclose_forcefully(self._stream)
        else:
            await self._stream.aclose()

    async def _refuse(self, status: int, why: str) -> None:
        """Answer what isn't HTTP, when an answer can still be sent, and close.

        What the client still sends is read and dropped for a moment: closing on unread bytes
        would reset the connection, and the client would lose the answer.
        """
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        refusal = json_reply(status, {"error": why}, {"connection": "close"})
        with anyio.move_on_after(LINGER), suppress(*GONE):
            await self._send(refusal)
            await self._stream.send_eof()
            while True:
                await self._stream.receive(CHUNK)
