"""The server over real sockets: HTTP as a client meets it, and connections that really break."""

from __future__ import annotations

import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest

from runner.sandbox import (
    Fault,
    FilmSpec,
    LedgerFileError,
    Reply,
    Server,
    Settings,
    Span,
    serve,
    tiny,
)
from runner.sandbox import film as film_module
from runner.sandbox.connection import LARGEST_BODY

from .sandbox_world import BODY, COMET, HEADERS

AT_ONCE = Span(0, 0)
Story = Callable[[Server, httpx.AsyncClient], Awaitable[Any]]


def tell(story: Story, *faults: str, **options: Any) -> Any:
    """Run a story with a server and a client in the same asyncio loop."""

    async def run() -> Any:
        settings = Settings(render=AT_ONCE, queue=AT_ONCE, faults=tuple(map(Fault.parse, faults)))
        with anyio.fail_after(10):
            async with (
                serve(settings, **{"render": tiny, **options}) as server,
                httpx.AsyncClient(base_url=server.base_url, headers=HEADERS) as client,
            ):
                return await story(server, client)

    return anyio.run(run)


async def create(client: httpx.AsyncClient, **body: object) -> str:
    """POST one task; its id."""
    answer = await client.post(f"{COMET}/image_to_video", json={**BODY, **body})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


async def link(client: httpx.AsyncClient) -> str:
    """A film's address."""
    answer = await client.get(f"{COMET}/tasks/{await create(client)}")
    return str(answer.json()["output"][0])


async def raw(server: Server, data: bytes) -> bytes:
    """What the server says to these bytes, until it closes."""
    url = urlsplit(server.base_url)
    answer = b""
    async with await anyio.connect_tcp(url.hostname or "", url.port or 0) as stream:
        await stream.send(data)
        async for piece in stream:
            answer += piece
    return answer


def test_a_journey_on_one_connection() -> None:
    """Create, poll, HEAD, range, delete: all over one kept-alive connection."""

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        task_id = await create(client)
        answer = await client.get(f"{COMET}/tasks/{task_id}")
        before = answer.extensions["network_stream"].get_extra_info("client_addr")
        url = answer.json()["output"][0]
        whole = await client.get(url)
        head = await client.head(url)
        assert head.headers["content-length"] == str(len(whole.content))
        assert head.content == b""
        part = await client.get(url, headers={"Range": "bytes=4-7"})
        assert (part.status_code, part.content) == (206, b"ftyp")
        assert (await client.delete(f"{COMET}/tasks/{task_id}")).status_code == 204
        answer = await client.get("/sandbox/ledger")
        assert answer.json()["charges"][0]["status"] == "DELETED"
        assert answer.extensions["network_stream"].get_extra_info("client_addr") == before

    tell(story)


@pytest.mark.parametrize(
    ("fault", "error", "charged"),
    [
        ("submit:cut", httpx.RemoteProtocolError, 0),
        ("submit:reset", httpx.ReadError, 0),
        ("submit:charged-then-cut", httpx.RemoteProtocolError, 1),
        ("submit:charged-then-reset", httpx.ReadError, 1),
    ],
)
def test_a_submit_that_is_cut(fault: str, error: type[httpx.TransportError], charged: int) -> None:
    """No answer at all; whether it was charged is in the books; the next submit works."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        with pytest.raises(error):
            await create(client)
        assert len(server.simulator.charges) == charged
        await create(client)

    tell(story, f"{fault}#1")


@pytest.mark.parametrize(
    ("fault", "error"),
    [("film:truncated", httpx.RemoteProtocolError), ("film:truncated-reset", httpx.ReadError)],
)
def test_a_film_that_breaks_off(fault: str, error: type[httpx.TransportError]) -> None:
    """Half of the announced bytes come, then the connection ends."""

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        came = b""
        async with client.stream("GET", await link(client)) as answer:
            announced = int(answer.headers["content-length"])
            with pytest.raises(error):  # noqa: PT012  the error comes after some pieces
                async for piece in answer.aiter_bytes():
                    came += piece
        assert len(came) == announced // 2

    tell(story, fault)


def test_a_film_without_length_and_one_too_short() -> None:
    """Without a length the bytes are all there; a short file looks whole on the wire."""

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        url = await link(client)
        whole = await client.get(url)
        assert "content-length" not in whole.headers
        short = await client.get(url)
        assert len(short.content) == int(short.headers["content-length"])
        assert whole.content.startswith(short.content)
        assert len(short.content) < len(whole.content)

    tell(story, "film:no-length#1", "film:short#1")


def test_a_slow_answer_times_out_after_the_charge() -> None:
    """The task exists although the client gave up; leaving early disturbs nobody."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        with pytest.raises(httpx.ReadTimeout):
            await client.post(f"{COMET}/image_to_video", json=BODY, timeout=0.05)
        assert len(server.simulator.charges) == 1
        assert (await client.get("/sandbox/ledger")).status_code == 200

    tell(story, "submit:slow:60")


def test_a_slow_answer_arrives_late() -> None:
    """After its delay the answer is an ordinary one."""

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        start = anyio.current_time()
        await create(client)
        assert anyio.current_time() - start >= 0.1

    tell(story, "submit:slow:100ms")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 300_000 + b"\r\n\r\n", b"431"),
        (b"POST /v1/image_to_video HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET / HTTP/1.0\r\n\r\n", b"404"),
        (
            b"POST /v1/x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\n"
            b"Content-Length: 0\r\n\r\n",
            b"404",
        ),
    ],
)
def test_bad_and_plain_requests_get_an_answer(data: bytes, status: bytes) -> None:
    """What isn't HTTP is refused politely, and the server goes on."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        assert (await raw(server, data)).split()[1] == status
        await create(client)

    tell(story)


def test_a_request_may_wait_for_100_continue() -> None:
    """A client that asks before it sends its body is told to go on."""

    async def story(server: Server, _: httpx.AsyncClient) -> None:
        url = urlsplit(server.base_url)
        async with await anyio.connect_tcp(url.hostname or "", url.port or 0) as stream:
            await stream.send(
                b"POST /v1/x HTTP/1.1\r\nHost: x\r\n"
                b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            )
            assert (await stream.receive()).startswith(b"HTTP/1.1 100")
            await stream.send(b"{}")
            assert (await stream.receive()).startswith(b"HTTP/1.1 404")

    tell(story)


def test_a_huge_body_is_refused() -> None:
    """More than the limit is 413, kept nowhere, and the client hears of it."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        body = {**BODY, "promptText": "x" * LARGEST_BODY}
        answer = await client.post(f"{COMET}/image_to_video", json=body)
        assert answer.status_code == 413
        assert server.simulator.charges == []
        await create(client)

    tell(story)


def test_clients_that_leave_are_nothing_special() -> None:
    """Half a request, no request, a reset: the server stays quiet and serves the next."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        url = urlsplit(server.base_url)
        for data in (b"", b"GET /", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1"):
            with socket.create_connection((url.hostname, url.port)) as plain:
                plain.sendall(data)
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await create(client)

    tell(story)


def test_many_connections_at_once() -> None:
    """Three hundred clients are served side by side."""

    async def story(server: Server, client: httpx.AsyncClient) -> None:
        request = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        answers: list[bytes] = []

        async def ask() -> None:
            answers.append(await raw(server, request))

        async with anyio.create_task_group() as tasks:
            for _ in range(300):
                tasks.start_soon(ask)
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 404"}
        assert len(answers) == 300

    tell(story)


def test_a_film_is_drawn_once() -> None:
    """The second download comes from the cache."""
    drawn: list[str] = []

    def draw(spec: FilmSpec) -> bytes:
        drawn.append(spec.task_id)
        return tiny(spec)

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        url = await link(client)
        assert (await client.get(url)).content == (await client.get(url)).content

    tell(story, render=draw)
    assert len(drawn) == 1


def test_a_film_that_cannot_be_drawn_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """The client hears of it, the log has one line, and the server goes on."""

    def draw(spec: FilmSpec) -> bytes:
        raise OSError("no paint")

    async def story(_: Server, client: httpx.AsyncClient) -> None:
        answer = await client.get(await link(client))
        assert answer.status_code == 500
        assert "no paint" in answer.text
        await create(client)

    tell(story, render=draw)
    assert "no paint" in caplog.text


def test_the_ledger_file_outlives_the_server(tmp_path: Path) -> None:
    """Tasks of the first run are finished and known in the second; new ones have new ids."""
    file = tmp_path / "deep" / "ledger.jsonl"
    ids: list[str] = []

    async def first(_: Server, client: httpx.AsyncClient) -> None:
        ids.append(await create(client))
        assert json.loads(file.read_text())["charge"]["task_id"] == ids[0]  # before the end

    async def second(server: Server, client: httpx.AsyncClient) -> None:
        answer = await client.get(f"{COMET}/tasks/{ids[0]}")
        assert answer.json()["status"] == "SUCCEEDED"
        ids.append(await create(client))
        assert [charge.task_id for charge in server.simulator.charges] == ids

    tell(first, ledger_file=file)
    tell(second, ledger_file=file)
    assert len(set(ids)) == 2


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    """A crash in the middle of a line costs that line, and the next line stands by itself."""
    file = tmp_path / "ledger.jsonl"

    async def story(server: Server, client: httpx.AsyncClient) -> int:
        await create(client)
        return len(server.simulator.charges)

    assert tell(story, ledger_file=file) == 1
    file.write_bytes(file.read_bytes() + b'{"charge": {"task_')
    assert tell(story, ledger_file=file) == 2
    assert tell(story, ledger_file=file) == 3


@pytest.mark.parametrize("text", ["not json\n", "[]\n", '{"charge": {}}\n', '{"deleted": "x"}\n'])
def test_a_file_that_is_no_ledger_is_refused(tmp_path: Path, text: str) -> None:
    """Another file is not appended to."""
    file = tmp_path / "other.txt"
    file.write_text(text)

    async def story(_: Server, __: httpx.AsyncClient) -> None:
        raise AssertionError("must not start")

    with pytest.raises(LedgerFileError, match=r"other\.txt"):
        tell(story, ledger_file=file)
    assert file.read_text() == text


def test_a_taken_port_is_an_os_error() -> None:
    """The caller can tell it from anything else."""

    async def story(server: Server, _: httpx.AsyncClient) -> None:
        with pytest.raises(OSError, match="in use"):
            async with serve(Settings(), port=urlsplit(server.base_url).port or 0, render=tiny):
                pass

    tell(story)


def test_what_the_server_cannot_do_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connect-level faults, and real films without their libraries."""

    async def story(_: Server, __: httpx.AsyncClient) -> None:
        raise AssertionError("must not start")

    with pytest.raises(ValueError, match="SandboxTransport only"):
        tell(story, "submit:connect-error")
    monkeypatch.setattr(film_module, "find_spec", lambda name: None)
    with pytest.raises(film_module.MissingExtraError):
        tell(story, render=film_module.render)


def test_the_callers_error_comes_out_as_it_is() -> None:
    """What the block raises is not wrapped in a group by the server's tasks."""

    async def story(_: Server, __: httpx.AsyncClient) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        tell(story)


def test_cancelling_ends_the_server_with_connections_open() -> None:
    """A cancelled block closes the port and every connection."""

    async def run() -> None:
        with anyio.move_on_after(0.2):
            settings = Settings(faults=(Fault.parse("submit:slow:60"),))
            async with (
                serve(settings, render=tiny) as server,
                httpx.AsyncClient(base_url=server.base_url, headers=HEADERS) as client,
            ):
                url = urlsplit(server.base_url)
                await create(client)
        with pytest.raises(OSError, match=r"refused|connect"):
            await anyio.connect_tcp(url.hostname or "", url.port or 0)

    anyio.run(run)


def test_a_reply_is_a_value() -> None:
    """Replies can be compared, which is how determinism is tested."""
    assert Reply(200, {}, b"") == Reply(200, {}, b"")
