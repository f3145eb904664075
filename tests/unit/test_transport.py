"""The one door to HTTP, over real sockets: what was never sent, what may have been, what came."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import anyio
import httpcore
import httpx
import pytest
from sockets import Peer, Script, answer, certificate, deaf, refused_port, replying, serving

from runner.apis import APIS, check_base_url, is_loopback
from runner.dialects import Answer
from runner.errors import ConfigurationError
from runner.events import (
    Accepted,
    FetchFailed,
    LinkExpired,
    Lost,
    NotSent,
    PollFailed,
    Refused,
    Saved,
    StillRunning,
)
from runner.jobs import Fetch, Job, Poll, Status, Submit
from runner.provider import Provider
from runner.sandbox import FilmSpec, tiny
from runner.transport import (
    BrokenError,
    NotSentError,
    Transport,
    TransportError,
    door,
)
from runner.transport import client as module
from runner.transport import tell as note
from runner.transport.carriers import Carrier
from runner.transport.sockets import Stream

KEY = "sk-very-secret-key"
HEADERS = {"Authorization": f"Bearer {KEY}", "X-Runway-Version": "2024-11-06"}
BODY = {"promptImage": "https://cdn.example.com/x.jpg", "model": "gen4_turbo"}
OK = answer(b'{"id": "3d957031"}', content_type="application/json")

Story = Callable[[Transport], Awaitable[None]]


TRUST = httpx.create_ssl_context()
MAKE_TRUST = httpx.create_ssl_context


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: TRUST)  # reading it takes long
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def tell(base_url: str, story: Story, backend: httpx.AsyncBaseTransport | None = None) -> None:
    """Run a story with one transport to its end."""

    async def main() -> None:
        async with Transport(base_url, HEADERS, connections=2, backend=backend) as transport:
            await story(transport)

    anyio.run(main)


def outcome(base_url: str, *, paid: bool) -> Answer | TransportError:
    """What one paid or free request ends in."""
    got: list[Answer | TransportError] = []

    async def story(transport: Transport) -> None:
        try:
            if paid:
                got.append(await transport.pay("/pay", BODY))
            else:
                got.append(await transport.ask("GET", "/task"))
        except TransportError as error:
            got.append(error)

    tell(base_url, story)
    return got[0]


# ---------------------------------------------------------------- how a server can fail


def close_unread(peer: Peer) -> None:
    """Take the connection, read nothing, close."""


def close_after_reading(peer: Peer) -> None:
    """Read the request, close without a word: it may have been charged."""
    peer.read()


def reset_after_reading(peer: Peer) -> None:
    """Read the request, then RST."""
    peer.read()
    peer.reset()


def after_reading(data: bytes) -> Script:
    """Read the request, send these bytes, close."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(data)

    return script


def endless(peer: Peer) -> None:
    """An answer without end."""
    peer.read()
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.send(b"x" * 65536)


BROKEN: dict[str, Script] = {
    "closed unread": close_unread,
    "read, then closed": close_after_reading,
    "read, then reset": reset_after_reading,
    "half a status line": after_reading(b"HTTP/1."),
    "half the headers": after_reading(b"HTTP/1.1 200 OK\r\ncontent-le"),
    "only the headers": after_reading(b"HTTP/1.1 200 OK\r\ncontent-length: 18\r\n\r\n"),
    "half the body": after_reading(answer(b'{"id": ', content_length="18")),
    "a wrong length": after_reading(answer(b'{"id": "3d957031"}', content_length="19")),
    "a senseless length": after_reading(answer(b"{}", content_length="two")),
    "two lengths": after_reading(answer(b"{}", content_length="2\r\ncontent-length: 3")),
    "a cut chunk": after_reading(
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12\r\n{"id": '
    ),
    "no last chunk": after_reading(
        b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n12\r\n{"id": "3d957031"}\r\n'
    ),
    "a chunk of no size": after_reading(
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    ),
    "a junk status line": after_reading(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"),
    "a status that is no number": after_reading(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a long junk line": after_reading(b"x" * 5000 + b"\r\n\r\n"),
    "a junk header": after_reading(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"),
    "binary junk": after_reading(bytes(range(256)) * 8),
    "headers without end": after_reading(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000),
    "broken compression": after_reading(answer(b"not gzip", content_encoding="gzip")),
    "an endless body": endless,
}


@pytest.mark.parametrize("paid", [True, False], ids=["paid", "free"])
@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_whatever_breaks_after_connecting_may_have_been_sent(script: Script, paid: bool) -> None:
    """Once a connection stands, no failure is ever taken for "never sent", and none escapes."""
    with serving(script) as server:
        got = outcome(server.url, paid=paid)
    assert isinstance(got, BrokenError)
    assert server.connections == 1 or not paid  # a free question may be asked twice
    assert len(server.asked) <= server.connections


def test_a_refused_connection_was_never_sent() -> None:
    """Nobody listens: the request may be sent again without a doubt."""
    assert isinstance(outcome(f"http://127.0.0.1:{refused_port()}", paid=True), NotSentError)


def test_the_free_door_never_claims_to_know() -> None:
    """Its errors are not exact, so a refused connection is as broken as any other."""
    got = outcome(f"http://127.0.0.1:{refused_port()}", paid=False)
    assert isinstance(got, BrokenError)
    assert "Connect call failed" in str(got)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".invalid", "a..b.invalid"])
def test_a_name_that_leads_nowhere_was_never_sent(host: str) -> None:
    """A name without an address, or one that can't be a name."""
    assert isinstance(outcome(f"https://{host}", paid=True), NotSentError)


@pytest.mark.parametrize(
    "script", [replying(OK), close_unread], ids=["plain http", "closed at once"]
)
def test_a_failed_handshake_was_never_sent(script: Script) -> None:
    """TLS to a host that does not speak it ends before the request leaves."""

    def anything(peer: Peer) -> None:
        if script is close_unread:
            return
        peer.sock.recv(65536)
        peer.send(OK)

    with serving(anything) as server:
        got = outcome(server.url.replace("http:", "https:"), paid=True)
    assert isinstance(got, NotSentError)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate and its key."""
    if not shutil.which("openssl"):
        pytest.skip("needs the openssl program to make a certificate")
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(pair: tuple[Path, Path]) -> ssl.SSLContext:
    """The server's side of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def test_a_certificate_nobody_vouches_for_was_never_sent(tls: ssl.SSLContext) -> None:
    """The key is not shown to a host that can't prove its name."""
    with serving(replying(OK), tls) as server:
        got = outcome(server.url, paid=True)
    assert isinstance(got, NotSentError)
    assert not server.asked


def tls_whole(peer: Peer) -> None:
    """Answer as it should be."""
    peer.read()
    peer.send(OK)


def tls_junk(peer: Peer) -> None:
    """Read the request, then bytes that are no TLS record."""
    peer.read()
    with socket.socket(fileno=os.dup(peer.sock.fileno())) as below:
        below.sendall(b"\x17\x03\x03\x00\x20" + b"junk" * 8)
        below.sendall(b"and no TLS at all" * 10)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (tls_whole, Answer),
        (close_after_reading, BrokenError),
        (reset_after_reading, BrokenError),
        (tls_junk, BrokenError),
    ],
)
def test_what_breaks_inside_tls_may_have_been_sent(
    script: Script,
    kind: type,
    tls: ssl.SSLContext,
    pair: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After the handshake TLS fails like a plain connection, also with an error of its own."""
    monkeypatch.setattr(httpx, "create_ssl_context", MAKE_TRUST)
    monkeypatch.setenv("SSL_CERT_FILE", str(pair[0]))
    with serving(script, tls) as server:
        got = outcome(server.url, paid=True)
    assert isinstance(got, kind), got
    assert len(server.asked) == 1


# ---------------------------------------------------------------- time


def impatient(**changes: float) -> httpx.Timeout:
    """A minute for everything but what a test names."""
    return httpx.Timeout(60, **changes)


def hold(peer: Peer) -> None:
    """Take the request and never answer."""
    peer.read()
    peer.hold()


def test_a_connection_that_never_stands_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connect time-out is safe to try again."""
    monkeypatch.setattr(module, "_PAID", impatient(connect=0.01))
    with deaf() as url:
        got = outcome(url, paid=True)
    assert isinstance(got, NotSentError)
    assert "ConnectTimeout" in str(got)


def test_an_answer_that_never_comes_may_have_been_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read time-out says nothing about the charge."""
    monkeypatch.setattr(module, "_PAID", impatient(read=0.01))
    with serving(hold) as server:
        got = outcome(server.url, paid=True)
    assert isinstance(got, BrokenError)
    assert "ReadTimeout" in str(got)


def test_a_request_that_stalls_may_have_been_charged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write time-out: some of the request is with the other side."""
    monkeypatch.setattr(module, "_PAID", impatient(write=0.01))
    left = anyio.Event()

    async def story(transport: Transport) -> None:
        with pytest.raises(BrokenError, match="WriteTimeout"):
            await transport.pay("/pay", {"promptImage": "x" * (32 << 20)})
        left.set()

    unread = socket.create_server(("127.0.0.1", 0))
    with unread:
        tell(f"http://127.0.0.1:{unread.getsockname()[1]}", story)
    assert left.is_set()


def test_waiting_for_a_free_line_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that finds every connection busy gives up in time."""
    monkeypatch.setattr(module, "_FILM", impatient(pool=0.01))
    found: list[TransportError] = []

    async def fetch(transport: Transport) -> None:
        async with transport.download(f"{server.url}/film.mp4"):
            pass

    async def story(transport: Transport) -> None:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(fetch, transport)
            while len(server.asked) < 2:
                await anyio.sleep(0)
            try:
                await fetch(transport)
            except TransportError as error:
                found.append(error)
            group.cancel_scope.cancel()

    with serving(hold) as server:
        tell(server.url, story)
    assert isinstance(found[0], BrokenError)
    assert "ConnectionTimeoutError" in str(found[0])


@pytest.mark.parametrize("paid", [True, False])
@pytest.mark.parametrize("answered", [b"", answer(b"{", content_length="100")], ids=["", "head"])
def test_an_answer_has_an_end(paid: bool, answered: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paid request is shielded from cancelling, so its answer may not take for ever."""
    name = "_PAID" if paid else "_FREE"
    monkeypatch.setattr(module, f"{name}_WHOLE", 0.02)
    monkeypatch.setattr(module, name, impatient(read=5))

    def trickle(peer: Peer) -> None:
        peer.read()
        peer.send(answered)
        peer.hold()

    with serving(trickle) as server:
        got = outcome(server.url, paid=paid)
    assert isinstance(got, BrokenError)
    assert "no whole answer" in str(got)


@pytest.mark.parametrize(
    "error", [ImportError("aiohttp"), OSError(errno.EMFILE, "Too many open files")]
)
def test_what_cant_be_loaded_now_is_loaded_later(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool is imported at the first free request: that it fails must not end a run."""
    load, failures = door._pooled, [error, error]

    def sometimes(*given: Any) -> Carrier:
        if failures:
            raise failures.pop()
        return load(*given)

    monkeypatch.setattr(door, "_pooled", sometimes)

    async def story(transport: Transport) -> None:
        transport.load()
        with pytest.raises(BrokenError, match=r"ImportError|Too many"):
            await transport.ask("GET", "/task")
        assert (await transport.ask("GET", "/task")).status == 200

    with serving(replying(OK)) as server:
        tell(server.url, story)


# ---------------------------------------------------------------- what comes through


WHOLE = {
    "json": (OK, 200, b'{"id": "3d957031"}'),
    "chunked": (
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        200,
        b"{}",
    ),
    "html": (answer(b"<html>", "502 Bad Gateway"), 502, b"<html>"),
    "empty 429": (answer(b"", "429 Too Many Requests", retry_after="7"), 429, b""),
    "a status of its own": (answer(b"", "524 A Timeout Occurred"), 524, b""),
    "a note in advance": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, 200, b'{"id": "3d957031"}'),
    "without a length": (b"HTTP/1.0 200 OK\r\n\r\n{}", 200, b"{}"),
    "a megabyte": (answer(b"x" * (1 << 20)), 200, b"x" * (1 << 20)),
}


@pytest.mark.parametrize("paid", [True, False], ids=["paid", "free"])
@pytest.mark.parametrize(("data", "status", "body"), WHOLE.values(), ids=WHOLE)
def test_a_whole_answer_comes_as_it_is(data: bytes, status: int, body: bytes, paid: bool) -> None:
    """Any status is an answer, never an exception; names of headers are in lower case."""
    with serving(after_reading(data)) as server:
        got = outcome(server.url, paid=paid)
    assert isinstance(got, Answer)
    assert (got.status, got.body) == (status, body)
    assert all(name == name.lower() for name in got.headers)


def test_one_byte_more_than_a_megabyte_is_too_much() -> None:
    """Memory is bounded, whatever the server sends, also behind compression."""
    import gzip

    large = answer(b"x" * ((1 << 20) + 1))
    bomb = answer(gzip.compress(bytes(8 << 20)), content_encoding="gzip")
    for data in (large, bomb):
        with serving(after_reading(data)) as server:
            got = outcome(server.url, paid=True)
        assert isinstance(got, BrokenError)
        assert "megabyte" in str(got)


def test_an_answer_is_unpacked_once() -> None:
    """A few hundred bytes packed three times over are gigabytes, before anybody could count."""
    import gzip

    packed = gzip.compress(gzip.compress(b"{}"))
    for headers in ({"content_encoding": "gzip, gzip"}, {"content_encoding": "br,gzip"}):
        with serving(after_reading(answer(packed, **headers))) as server:
            got = outcome(server.url, paid=True)
        assert isinstance(got, BrokenError)
        assert "more than once" in str(got)


def test_what_came_before_a_cut_is_read_before_the_cut_is_told() -> None:
    """A gateway refuses a large image and hangs up while it is still sent: that is its answer.

    The event loop's own calls, in the order in which it makes them: over a socket it is a matter of
    luck whether it reads the answer before it meets the cut.
    """

    async def story() -> None:
        stream = Stream()
        stream.data_received(b"HTTP/1.1 413")
        stream.connection_lost(ConnectionResetError("cut"))
        assert await stream.read(8) == b"HTTP/1.1"
        assert await stream.read(64) == b" 413"
        with pytest.raises(httpcore.ReadError, match="cut"):
            await stream.read(64)

    anyio.run(story)


@pytest.mark.parametrize("paid", [True, False], ids=["paid", "free"])
def test_a_packed_answer_is_read_in_any_form(paid: bool) -> None:
    """An answer that was paid for is not thrown away for the way in which it was packed."""
    import gzip
    import zlib

    text = json.dumps({"id": "task-1", "words": "kettle " * 100}).encode()
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    forms = [
        ("gzip", gzip.compress(text)),
        ("gzip", gzip.compress(text)[:-8]),  # its check sum is missing
        ("deflate", zlib.compress(text)),
        ("deflate", bare.compress(text) + bare.flush()),
        *((name, text) for name in ("", "none", "identity", "utf-8")),
    ]
    for packing, data in forms:
        with serving(after_reading(answer(data, content_encoding=packing))) as server:
            got = outcome(server.url, paid=paid)
        assert isinstance(got, Answer), packing
        assert got.body == text
    with serving(after_reading(answer(text, content_encoding="gzip"))) as server:
        got = outcome(server.url, paid=paid)
    assert isinstance(got, BrokenError)
    assert "can't be unpacked" in str(got)


def test_the_request_is_what_the_wire_asks() -> None:
    """One POST with the key, the version and the body as JSON; text is not escaped away."""

    async def story(transport: Transport) -> None:
        await transport.pay("/v1/image_to_video", {**BODY, "promptText": "猫 yawns"})
        await transport.ask("GET", "/v1/tasks/x")

    with serving(replying(OK)) as server:
        tell(server.url + "/", story)
    paid, free = server.asked
    assert (paid.method, paid.path) == ("POST", "/v1/image_to_video")
    assert json.loads(paid.body) == {**BODY, "promptText": "猫 yawns"}
    assert "猫".encode() in paid.body
    assert paid.headers["content-type"] == "application/json"
    assert (free.method, free.path, free.body) == ("GET", "/v1/tasks/x", b"")
    for asked in (paid, free):
        assert asked.headers["authorization"] == f"Bearer {KEY}"
        assert asked.headers["x-runway-version"] == "2024-11-06"


def test_a_paid_request_never_uses_an_old_connection() -> None:
    """Each submit has a connection of its own; free questions share theirs."""

    async def paid(transport: Transport) -> None:
        for _ in range(3):
            await transport.pay("/pay", BODY)

    async def free(transport: Transport) -> None:
        for _ in range(3):
            await transport.ask("GET", "/task")

    for story, connections in ((paid, 3), (free, 1)):
        with serving(replying(OK)) as server:
            tell(server.url, story)
        assert len(server.asked) == 3
        assert server.connections == connections


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_answer(status: str) -> None:
    """It is not followed, and the key is not carried elsewhere."""
    with serving(replying(OK)) as other:
        moved = answer(b"", status, location=f"{other.url}/elsewhere")
        with serving(replying(moved)) as server:
            for paid in (True, False):
                got = outcome(server.url, paid=paid)
                assert isinstance(got, Answer)
                assert got.status == int(status[:3])
    assert len(server.asked) == 2
    assert other.connections == 0


# ---------------------------------------------------------------- downloads


async def read_all(transport: Transport, url: str) -> tuple[int, bytes]:
    """A download's status and bytes."""
    async with transport.download(url) as download:
        return download.status, b"".join([piece async for piece in download.pieces])


def test_a_download_never_sees_the_key() -> None:
    """No header of the provider's goes to the video's host, and no compression is asked for."""
    got: list[tuple[int, bytes]] = []

    async def story(transport: Transport) -> None:
        await transport.ask("GET", "/task")
        got.append(await read_all(transport, f"{server.url}/film.mp4?signature=s"))

    with serving(replying(OK, answer(b"film"), answer(b"film"))) as server:
        tell(server.url, story)
    assert got[0] in {(200, b"film"), (200, b'{"id": "3d957031"}')}
    film = server.asked[-1]
    assert film.path == "/film.mp4?signature=s"
    assert KEY not in str(film)
    assert not {"authorization", "x-runway-version", "cookie"} & film.headers.keys()
    assert film.headers["accept-encoding"] == "identity"


def test_a_video_is_not_unpacked() -> None:
    """The bytes are those on the wire, whatever the host says about their encoding."""
    got: list[tuple[int, bytes]] = []

    async def story(transport: Transport) -> None:
        got.append(await read_all(transport, server.url))

    with serving(after_reading(answer(b"as is", content_encoding="gzip"))) as server:
        tell(server.url, story)
    assert got == [(200, b"as is")]


@pytest.mark.parametrize("name", sorted(BROKEN.keys() - {"broken compression", "an endless body"}))
def test_a_download_that_breaks_says_so(name: str) -> None:
    """Also in the middle of the body, the error is one of the two."""

    async def story(transport: Transport) -> None:
        with pytest.raises(BrokenError):
            await read_all(transport, server.url)

    with serving(BROKEN[name]) as server:
        tell(server.url, story)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "/only/a/path",
        "https://",
        "https:///x",
        "https://[::1",
        "https://a.example:99999/x",
        "https://a.example:port/x",
        "https://a b.example/x",
        "https://a.example/\n/x",
        "https://\x00/x",
        "https://" + "a" * 300 + ".invalid/x",
        "https://x..invalid/",
        "https://\u2100.invalid/",
        "https://xn--.invalid/",
        "https://a.example/" + "x" * 70_000,
        "ftp://a.example/x",
        "file:///etc/passwd",
        "data:text/plain,x",
        "https://a\\b/c.mp4",
        "https://a%3Ab@h.invalid/x",
    ],
)
def test_an_address_from_outside_never_raises_anything_else(url: str) -> None:
    """What the provider gives as an address may be anything at all."""

    async def story(transport: Transport) -> None:
        with pytest.raises(TransportError):
            await read_all(transport, url)

    tell("https://api.example.com", story)


def test_what_the_reader_raises_comes_out_as_it_is() -> None:
    """A full disk while a video streams in is no broken connection."""

    async def story(transport: Transport) -> None:
        with pytest.raises(OSError, match="disk"):
            async with transport.download(server.url):
                raise OSError(28, "disk")

    with serving(replying(OK)) as server:
        tell(server.url, story)


# ---------------------------------------------------------------- secrets


def echo(peer: Peer) -> None:
    """Send the caller's own key back where a status line should be."""
    asked = peer.read()
    assert asked
    peer.send(asked.headers.get("authorization", "").encode() + b"\r\n\r\n")


@pytest.mark.parametrize("script", [*BROKEN.values(), echo], ids=[*BROKEN, "echo"])
def test_no_error_tells_the_key(script: Script) -> None:
    """Errors end up in the state file, reports and logs; they are short, and hold no secret."""
    with serving(script) as server:
        got = outcome(f"{server.url}/base", paid=True)
    assert isinstance(got, BrokenError)
    assert KEY not in str(got)
    assert len(str(got)) < 300
    assert str(got).isprintable()


def test_a_key_that_is_no_header_is_not_quoted() -> None:
    """The library quotes a header that it can't send; this door does not."""

    async def story() -> None:
        headers = {"Authorization": f"Bearer {KEY}\nx"}
        async with Transport(server.url, headers) as transport:
            with pytest.raises(TransportError) as caught:
                await transport.pay("/pay", BODY)
        assert KEY not in str(caught.value)

    with serving(replying(OK)) as server:
        anyio.run(story)
    assert server.asked == []


@pytest.mark.parametrize(
    "url", ["foo://a.example/x?sig=SECRET", "https://a.example:x/?sig=SECRET", "x?sig=SECRET"]
)
def test_no_error_tells_a_signature(url: str) -> None:
    """The query of a video's address opens it for anybody."""

    async def story(transport: Transport) -> None:
        with pytest.raises(TransportError) as caught:
            await read_all(transport, url)
        assert "SECRET" not in str(caught.value)

    tell("https://api.example.com", story)


def test_no_error_tells_an_address() -> None:
    """Also when the library's own words hold one."""

    def quote(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"no answer from {request.url}")

    async def story(transport: Transport) -> None:
        with pytest.raises(BrokenError) as caught:
            await read_all(transport, "https://a.example/x?sig=SECRET")
        assert str(caught.value) == "ReadError"

    tell("https://api.example.com", story, httpx.MockTransport(quote))


@pytest.mark.parametrize("paid", [True, False], ids=["paid", "free"])
def test_a_key_that_the_provider_quotes_goes_no_further(paid: bool) -> None:
    """Neither in the body nor in a header; everything else is as it came."""
    body = json.dumps({"error": f"Incorrect API key: {KEY}"}).encode()
    quoting = answer(body, "401 Unauthorized", x_request_id=f"for-{KEY}")
    with serving(replying(quoting)) as server:
        got = outcome(server.url, paid=paid)
    assert isinstance(got, Answer)
    assert KEY not in str(got)
    assert json.loads(got.body) == {"error": "Incorrect API key: ***"}
    assert got.headers["x-request-id"] == "for-***"


@pytest.mark.parametrize(
    "spelt",
    [
        json.dumps({"error": KEY}).encode("utf-16"),
        json.dumps({"error": KEY}).replace("-", "\\u002d").encode(),
        json.dumps({"error": KEY, "lone": "\ud800"}).replace("k", "\\u006b").encode(),
    ],
)
def test_a_key_in_another_spelling_goes_no_further(spelt: bytes) -> None:
    """JSON can say the same text in many ways, and whoever reads it makes one of all."""
    with serving(replying(answer(spelt, "401 Unauthorized"))) as server:
        got = outcome(server.url, paid=False)
    assert isinstance(got, Answer)
    assert json.loads(got.body)["error"] == "***"


# ---------------------------------------------------------------- every error of the library

# By hand, from httpx's own documentation of when each is raised. A new one must be thought about.
NEVER, MAYBE, ELSEWHERE = NotSentError, BrokenError, None
MAPPED: dict[str, type[TransportError] | None] = {
    "HTTPError": MAYBE,
    "RequestError": MAYBE,
    "TransportError": MAYBE,
    "TimeoutException": MAYBE,
    "ConnectTimeout": NEVER,
    "ReadTimeout": MAYBE,
    "WriteTimeout": MAYBE,
    "PoolTimeout": NEVER,
    "NetworkError": MAYBE,
    "ConnectError": NEVER,
    "ReadError": MAYBE,
    "WriteError": MAYBE,
    "CloseError": MAYBE,
    "ProxyError": NEVER,  # a proxy that refuses the tunnel
    "UnsupportedProtocol": NEVER,
    "ProtocolError": MAYBE,
    "LocalProtocolError": MAYBE,
    "RemoteProtocolError": MAYBE,
    "DecodingError": MAYBE,
    "TooManyRedirects": MAYBE,
    "HTTPStatusError": MAYBE,
    "StreamError": MAYBE,
    "StreamConsumed": MAYBE,
    "StreamClosed": MAYBE,
    "ResponseNotRead": MAYBE,
    "RequestNotRead": MAYBE,
    "InvalidURL": NEVER,
    "CookieConflict": ELSEWHERE,  # reading one cookie by name, which nobody does here
}


def errors_of_httpx() -> dict[str, type[Exception]]:
    """Every exception class that httpx defines, by its tree and by what it exports."""
    found = {
        name: kind
        for name in httpx.__all__
        if isinstance(kind := getattr(httpx, name), type) and issubclass(kind, Exception)
    }
    waiting: list[type[Exception]] = [*found.values()]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.partition(".")[0] == "httpx":
            found[kind.__name__] = kind
    return found


def test_no_error_of_the_library_is_unknown() -> None:
    """A new version's new exception fails here, until somebody has decided what it means."""
    assert set(errors_of_httpx()) == set(MAPPED)


@pytest.mark.parametrize(
    "name", [name for name, kind in MAPPED.items() if kind], ids=lambda name: name
)
def test_every_error_of_the_library_is_mapped(name: str) -> None:
    """What means "never sent" is a list by hand; all others, and all free ones, are in doubt."""
    kind = errors_of_httpx()[name]
    error = kind.__new__(kind, "words")
    error.args = ("words",)

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    expected = MAPPED[name]
    assert expected is not None

    async def story(transport: Transport) -> None:
        with pytest.raises(expected, match=name):
            await transport.pay("/pay", BODY)
        free = NotSentError if name == "InvalidURL" else BrokenError
        with pytest.raises(free, match=name):
            await transport.ask("GET", "/task")
        with pytest.raises(free, match=name):
            await read_all(transport, "https://films.example/x")

    tell("https://api.example.com", story, httpx.MockTransport(fail))


def errors_of_aiohttp() -> list[type[Exception]]:
    """Every exception class that aiohttp's client defines."""
    found: list[type[Exception]] = []
    waiting: list[type[Exception]] = [aiohttp.ClientError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("kind", errors_of_aiohttp(), ids=lambda kind: kind.__name__)
def test_no_error_of_the_free_traffics_library_escapes(
    kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever aiohttp raises is broken, and its words hold no signature."""

    def fail(*_: object, **__: object) -> None:
        error = kind.__new__(kind)
        error.args = ("words of https://films.example/x?sig=SECRET",)
        monkeypatch.setattr(kind, "__str__", lambda error: error.args[0])
        raise error

    monkeypatch.setattr(aiohttp.ClientSession, "request", fail)

    async def story(transport: Transport) -> None:
        for ask in (transport.ask("GET", "/task"), read_all(transport, "https://films.example/x")):
            with pytest.raises(BrokenError) as caught:
                await ask
            assert "SECRET" not in str(caught.value)

    tell("https://api.example.com", story)


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_not_used_for_this_machine(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy from the environment gets neither the key nor a download of a local provider."""
    with serving(replying(OK)) as proxy, serving(replying(OK)) as server:
        monkeypatch.setenv(name, proxy.url)

        async def story(transport: Transport) -> None:
            await transport.pay("/pay", BODY)
            await transport.ask("GET", "/task")
            await read_all(transport, f"{server.url}/film")

        tell(server.url, story)
    assert len(server.asked) == 3
    assert proxy.connections == 0


@pytest.mark.parametrize("location", ["about:blank", "https:login", "http://a b/"])
def test_a_redirect_through_a_proxy_is_never_not_sent(
    location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The paid request was with the other side, whatever its answer points at."""
    with serving(replying(answer(b"", "302 Found", location=location))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        got = outcome("http://api.example.com", paid=True)
    assert not isinstance(got, NotSentError)
    assert len(proxy.asked) == 1


def test_a_service_of_another_scheme_is_told_nothing() -> None:
    """An address that only Apprise knows, in a place for HTTP alone, is an error for people."""
    for url in ("slack://token", "ftp://a.example/x", "wss://a.example/x"):
        with pytest.raises(TransportError, match="UnsupportedProtocol"):
            anyio.run(note, url, b"{}", "application/json")


def test_a_proxy_that_refuses_was_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the environment's proxy is used: it sees the host's name and never the key."""
    with serving(replying(answer(b"", "403 Forbidden"))) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        got = outcome("https://api.example.com", paid=True)
    assert isinstance(got, NotSentError)
    assert [asked.method for asked in proxy.asked] == ["CONNECT"]
    assert proxy.asked[0].path == "api.example.com:443"
    assert KEY not in str(proxy.asked)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SSL_CERT_FILE", "/nowhere/cert.pem"),
        ("SSL_CERT_FILE", __file__),
        ("HTTPS_PROXY", "socks9://nowhere"),
    ],
)
def test_an_environment_that_cannot_be_is_the_operators(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Certificates or a proxy that can't be used are named before anything is sent."""
    monkeypatch.setattr(httpx, "create_ssl_context", MAKE_TRUST)
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=r"certificates|proxy"):
        Transport("https://api.example.com", HEADERS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTPS_PROXY", "http://user:pwSECRET/x@127.0.0.1:1"),
        ("HTTPS_PROXY", "http://user:pwSECRET#x@127.0.0.1:1"),
        ("HTTPS_PROXY", "http://user:pwSECRET@127.0.0.1:99999"),
        ("ALL_PROXY", "pwSECRET://127.0.0.1:1"),
    ],
)
def test_a_proxy_that_cannot_be_is_not_quoted(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the operator's mistake, found before anything is sent; its password is not told."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}|HTTPS_PROXY") as caught:
        Transport("https://api.example.com", HEADERS)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("excepted", ["fe80::/10,.local", "[::1]", "*"])
def test_what_is_excepted_from_proxies_is_no_proxy(
    excepted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a proxy it is of no matter what NO_PROXY says; with one, it is told or heeded."""
    monkeypatch.setenv("NO_PROXY", excepted)
    Transport("https://api.example.com", HEADERS)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with suppress(ConfigurationError):
        Transport("https://api.example.com", HEADERS)


@pytest.mark.parametrize("by_proxy", [False, True])
def test_cookies_are_not_kept(by_proxy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a server sets is not sent back to it, by no door."""
    with serving(replying(answer(b"{}", set_cookie="crumb=1; Path=/"))) as server:
        monkeypatch.setenv("HTTP_PROXY", server.url)
        base_url = "http://api.example.com" if by_proxy else server.url

        async def story(transport: Transport) -> None:
            for _ in range(2):
                await transport.pay("/pay", BODY)
                await transport.ask("GET", "/task")
                await read_all(transport, f"{base_url}/film")

        tell(base_url, story)
    assert len(server.asked) == 6
    assert not [asked for asked in server.asked if "cookie" in asked.headers]


# ---------------------------------------------------------------- base URLs


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://api.cometapi.com", "https://api.cometapi.com"),
        ("https://api.cometapi.com/", "https://api.cometapi.com"),
        ("https://proxy.example/comet/", "https://proxy.example/comet"),
        ("HTTPS://API.example:8443", "HTTPS://API.example:8443"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.8.9.1", "http://127.8.9.1"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://LOCALHOST", "http://LOCALHOST"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
    ],
)
def test_a_safe_base_url_is_taken(url: str, clean: str) -> None:
    """HTTPS anywhere, plain HTTP on this machine; the last slash goes."""
    assert check_base_url(url) == clean


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.cometapi.com",
        "//api.cometapi.com",
        "https://",
        "https:///path",
        "ftp://api.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://api.cometapi.com",
        "http://127.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "http://10.0.0.1",
        "http://[::2]",
        "https://api.example?x=SECRET",
        "https://api.example/?",
        "https://api.example/#",
        "https://api.example#SECRET",
        "https://api.example:0",
        "https://api.example:99999",
        "https://api.example:port",
        "https://[::1",
        " https://api.example",
        "https://api.example/a b",
        "https://api.example\n",
        "https://api.exam\tple",
        "https://user:SECRET@api.example",
        "https://SECRET@api.example",
        "https://user:SECRET@api.example?x=1",
        "https://@api.example",
    ],
)
def test_an_unsafe_base_url_is_refused(url: str) -> None:
    """The key never goes out in the clear or to a mistyped place, and no secret is shown."""
    with pytest.raises(ConfigurationError) as caught:
        check_base_url(url)
    assert "SECRET" not in str(caught.value).partition("#")[0]
    assert str(caught.value).isprintable()


def test_this_machine_is_known_by_number_not_by_its_look() -> None:
    """A name that begins like a loopback address is somebody else's."""
    for url in ("http://127.0.0.1", "http://127.1.2.3:5", "http://[::1]", "http://localhost"):
        assert is_loopback(url)
    for url in ("http://127.evil.example", "http://128.0.0.1", "http://localhost.x", "", "x"):
        assert not is_loopback(url)


# ---------------------------------------------------------------- the provider behind the door


PAID = Job(1, "lamp", "", "digest", BODY, status=Status.SUBMITTING)
RUNNING = Job(1, "lamp", "", "digest", BODY, status=Status.RUNNING, task_id="3d957031")


def perform(base_url: str, *steps: Submit | Poll | Fetch, api: str = "cometapi") -> list[object]:
    """The events of these steps at one provider."""
    events: list[object] = []

    async def story(transport: Transport) -> None:
        from runner.download import Downloader

        downloader = Downloader(transport, private_hosts=True)
        folder = Path(os.environ["PLACE"]) if "PLACE" in os.environ else Path("nowhere")
        provider = Provider(APIS[api], transport, downloader, lambda job: folder / f"{job.id}.mp4")
        for step in steps:
            events.append(await provider.perform(step))

    tell(base_url, story)
    return events


def test_a_submit_is_one_event_whatever_happens() -> None:
    """Never sent, lost, accepted and refused are told apart, and nothing is raised."""
    (event,) = perform(f"http://127.0.0.1:{refused_port()}", Submit(PAID))
    assert isinstance(event, NotSent)
    for script, kind in (
        (close_after_reading, Lost),
        (reset_after_reading, Lost),
        (after_reading(OK), Accepted),
        (after_reading(answer(b"", "400 Bad Request")), Refused),
        (after_reading(answer(b"", "500 Oh")), Lost),
    ):
        with serving(script) as server:
            (event,) = perform(server.url, Submit(PAID))
        assert isinstance(event, kind)
        assert len(server.asked) == 1  # never tried again by itself
        assert (server.asked[0].method, server.asked[0].path) == (
            "POST",
            "/runwayml/v1/image_to_video",
        )


def test_a_poll_asks_the_source_it_is_told() -> None:
    """Task details, or the feed where the provider has one; a silent one is a failed poll."""
    going = answer(b'{"status": "RUNNING"}')
    with serving(replying(going)) as server:
        events = perform(server.url, Poll(RUNNING), Poll(RUNNING, feed=True))
        events += perform(server.url, Poll(RUNNING, feed=True), api="runway")
    assert events == [StillRunning("RUNNING")] * 3
    assert [(asked.method, asked.path) for asked in server.asked] == [
        ("GET", "/runwayml/v1/tasks/3d957031"),
        ("POST", "/runway/feed"),
        ("GET", "/v1/tasks/3d957031"),
    ]
    assert json.loads(server.asked[1].body) == {"task_id": "3d957031"}
    (event,) = perform(f"http://127.0.0.1:{refused_port()}", Poll(RUNNING))
    assert isinstance(event, PollFailed)
    with serving(close_after_reading) as server:
        (event,) = perform(server.url, Poll(RUNNING))
    assert isinstance(event, PollFailed)


def test_a_fetch_is_a_download_to_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's link goes to the job's place."""
    monkeypatch.setenv("PLACE", str(tmp_path))
    film = tiny(FilmSpec.of("x", {}))
    with serving(replying(answer(film))) as server:
        job = Job(1, "lamp", "", "d", BODY, status=Status.RENDERED, url=f"{server.url}/f")
        (event,) = perform(server.url, Fetch(job))
    assert isinstance(event, Saved)
    assert (tmp_path / "lamp.mp4").read_bytes() == film
    with serving(close_after_reading) as server:
        job = Job(1, "lamp", "", "d", BODY, status=Status.RENDERED, url=f"{server.url}/f")
        (event,) = perform(server.url, Fetch(job))
    assert isinstance(event, (LinkExpired, FetchFailed))
