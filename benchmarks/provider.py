"""The provider of the benchmarks: a process of its own, built to be far from the limit.

    python -m benchmarks.provider

It speaks HTTP/1.1 by hand, straight from the event loop's buffers: submit and poll at CometAPI's
and at Runway's own addresses, in the flat dialect, and 64 KB videos. It prints its address, keeps
the books (`books.py`), and tells them under `/bench/`. A scene, set with `POST /bench/scene`,
begins new books: {"seed", "shortest", "longest": seconds of rendering, "answer_after": seconds
that the answer to a submit takes}.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, cast
from uuid import uuid4

from benchmarks.books import Books, Task
from benchmarks.harness import raise_open_files, run_fast
from benchmarks.renders import render_time

FILM_BYTES = 64 * 1024
PROBE = 0.01  # seconds between two looks at how late the event loop is
_HEAD = b"\x00\x00\x00\x1cftypisom\x00\x00\x02\x00isomiso2mp41" + b"\x00\x00\x00\x08moov"
_MEDIA = FILM_BYTES - len(_HEAD)
_FILM_HEAD = _HEAD + _MEDIA.to_bytes(4, "big") + b"mdat"
_PADDING = bytes(_MEDIA - 8 - 36)


def film(task_id: str) -> bytes:
    """A structurally whole MP4 of 64 KB that tells whose it is."""
    return _FILM_HEAD + task_id.encode().ljust(36) + _PADDING


class Scene:
    """What the provider does now, and the books of it."""

    def __init__(
        self,
        seed: int = 0,
        shortest: float = 10.0,
        longest: float = 20.0,
        answer_after: float = 0.0,
    ) -> None:
        self.seed = seed
        self.shortest = shortest
        self.longest = longest
        self.answer_after = answer_after
        self.books = Books()


class Provider:
    """The routes. Every answer is a whole HTTP message."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.address = ""

    def answer(self, method: str, path: str, body: bytes, now: float) -> bytes:
        """What a request gets."""
        if path.startswith("/films/"):
            return self._film(path[7:-4], now)
        if method == "GET" and "/tasks/" in path:
            return self._poll(path.rpartition("/")[2], now)
        if method == "POST" and path.endswith("/v1/image_to_video"):
            return self._submit(json.loads(body), now)
        if path.startswith("/bench/"):
            return message(200, json.dumps(self._control(path[7:], body, now)).encode())
        return message(404, b'{"error":"no such route"}')

    def _submit(self, asked: dict[str, Any], now: float) -> bytes:
        scene = self.scene
        image = str(asked["promptImage"])
        render = render_time(scene.seed, image, scene.shortest, scene.longest)
        task = Task(str(uuid4()), image, now, now + render)
        scene.books.tasks[task.id] = task
        return message(200, b'{"id":"%b"}' % task.id.encode())

    def _poll(self, task_id: str, now: float) -> bytes:
        task = self.scene.books.tasks.get(task_id)
        if task is None:
            return message(404, b'{"error":"no such task"}')
        task.polls.append(now)
        id = task_id.encode()
        if now < task.ready:
            return message(200, _RUNNING % id)
        task.noticed = task.noticed or now
        return message(200, _SUCCEEDED % (id, self.address.encode(), id))

    def _film(self, task_id: str, now: float) -> bytes:
        task = self.scene.books.tasks.get(task_id)
        if task is None:
            return message(404, b'{"error":"no such film"}')
        task.served = now
        return message(200, film(task_id), b"video/mp4")

    def _control(self, path: str, body: bytes, now: float) -> Any:
        match path:
            case "scene":
                self.scene = Scene(**json.loads(body))
                return {}
            case "now":
                return {"now": now, "tasks": len(self.scene.books.tasks)}
            case "charged":
                return self.scene.books.charged()
            case "gaps":
                since = float(json.loads(body)["since"])
                books = self.scene.books
                return {"silent": books.silent(since), **books.gaps(since, now)}
            case _:
                return self.scene.books.summary()


_CREATED = b'"createdAt":"2026-01-01T00:00:00.000Z"'
_RUNNING = b'{"id":"%b","status":"RUNNING",' + _CREATED + b',"progress":0.5}'
_SUCCEEDED = (
    b'{"id":"%b","status":"SUCCEEDED",' + _CREATED + b',"output":["http://%b/films/%b.mp4"]}'
)


def message(status: int, body: bytes, kind: bytes = b"application/json") -> bytes:
    """A whole HTTP answer."""
    return b"HTTP/1.1 %d -\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (
        status, kind, len(body), body,
    )  # fmt: skip


class Connection(asyncio.Protocol):
    """One client's connection: requests in, answers out, in order."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider
        self._received = b""
        self._books: Books | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it off."""
        if self._books:
            self._books.open -= 1

    def _count(self) -> None:
        """Book the connection with its first request; the harness's own are not counted."""
        self._books = self._provider.scene.books
        self._books.connections += 1
        self._books.open += 1
        self._books.most_open = max(self._books.most_open, self._books.open)

    def data_received(self, data: bytes) -> None:
        """Answer every whole request that is here, and book the time that took."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            began = time.monotonic()
            head = self._received[:end].lower()
            whole = end + 4 + _content_length(head)
            if len(self._received) < whole:
                return
            body = self._received[end + 4 : whole]
            method, path, _ = self._received[: head.find(b"\r\n")].decode().split(" ")
            self._received = self._received[whole:]
            scene = self._provider.scene
            own = path.startswith("/bench/")
            if not own and self._books is not scene.books:
                self._count()
            answer = self._provider.answer(method, path, body, began)
            if scene.answer_after and path.endswith("image_to_video"):
                asyncio.get_running_loop().call_later(scene.answer_after, self._write, answer)
            else:
                self._write(answer)
            if b"\r\nconnection: close" in head:
                self._transport.close()
            if not own:
                scene.books.handling.append(time.monotonic() - began)
                scene.books.busy[int(began)] += 1

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


def _content_length(head: bytes) -> int:
    _, found, rest = head.partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


async def serve() -> None:
    """Listen on a free port of loopback, say which, and serve until the process ends."""
    provider = Provider()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(provider), "127.0.0.1", 0, backlog=4096)
    host, port = server.sockets[0].getsockname()
    provider.address = f"{host}:{port}"
    print(f"http://{provider.address}", flush=True)
    while True:
        due = loop.time() + PROBE
        await asyncio.sleep(PROBE)
        provider.scene.books.lateness.append(loop.time() - due)


def main() -> None:
    """Serve until the process ends."""
    raise_open_files()
    run_fast(serve())


if __name__ == "__main__":
    main()
