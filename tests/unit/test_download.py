"""Bringing a video home: whole or not at all, never over another file, never from inside."""

from __future__ import annotations

import dataclasses
import errno
import hashlib
import io
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sockets import Peer, answer, refused_port, replying, serving

import runner
from runner import download as module
from runner.download import Downloader
from runner.events import Event, FetchFailed, LinkExpired, Saved
from runner.sandbox import FilmSpec, tiny
from runner.tags import write
from runner.transport import Transport, client

FILM = tiny(FilmSpec.of("task-1", {"promptText": "A cat"}))
OTHER = tiny(FilmSpec.of("task-2", {}))
HEADERS = {"Authorization": "Bearer sk-very-secret-key"}


TRUST = httpx.create_ssl_context()


@pytest.fixture(autouse=True)
def _trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: TRUST)  # reading it takes long


def fetch(
    url: str,
    target: Path,
    *,
    task_id: str = "task-1",
    private_hosts: bool = True,
    backend: httpx.AsyncBaseTransport | None = None,
    tags: dict[str, str] | None = None,
) -> Event:
    """One download to its end."""

    async def main() -> Event:
        async with Transport("http://127.0.0.1", HEADERS, backend=backend) as door:
            downloader = Downloader(door, private_hosts=private_hosts)
            return await downloader.fetch(url, task_id, target, tags)

    return anyio.run(main)


def fetch_from(
    data: bytes, target: Path, task_id: str = "task-1", tags: dict[str, str] | None = None
) -> Event:
    """The download of what a server on this machine answers."""
    with serving(replying(data)) as server:
        return fetch(f"{server.url}/film.mp4?signature=s", target, task_id=task_id, tags=tags)


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def saved(place: Path, film: bytes = FILM) -> Saved:
    """The event for this film at this place."""
    return Saved(str(place), hashlib.sha256(film).hexdigest(), len(film))


CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"

# ---------------------------------------------------------------- a whole film


@pytest.mark.parametrize(
    "data",
    [
        answer(FILM, content_type="video/mp4"),
        answer(FILM, content_type="text/plain"),
        CHUNKED % (len(FILM), FILM),
    ],
    ids=["with a length", "of a wrong type", "in chunks"],
)
def test_a_whole_film_is_at_its_place(data: bytes, tmp_path: Path) -> None:
    """The bytes, their digest and their number; folders are made; nothing else is left."""
    target = tmp_path / "deep" / "er" / "lamp.mp4"
    assert fetch_from(data, target) == saved(target)
    assert files(tmp_path) == {"deep/er/lamp.mp4": FILM}


def test_a_video_is_an_ordinary_file(tmp_path: Path) -> None:
    """Its mode follows the umask, as for any file that a program makes."""
    before = os.umask(0o027)
    try:
        fetch_from(answer(FILM), tmp_path / "new" / "lamp.mp4")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "lamp.mp4").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o750
    assert (tmp_path / "new" / "lamp.mp4").stat().st_nlink == 1


def test_it_is_on_the_disk_before_it_is_at_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The part is synced before it gets its name, its folder after, a new folder's name too."""
    seen: list[tuple[int, bool]] = []
    target = tmp_path / "new" / "lamp.mp4"
    sync = os.fsync

    def noting(fd: int) -> None:
        seen.append((os.fstat(fd).st_ino, target.exists()))
        sync(fd)

    monkeypatch.setattr(os, "fsync", noting)
    fetch_from(answer(FILM), target)
    assert seen[-2:] == [(target.stat().st_ino, False), (target.parent.stat().st_ino, True)]
    assert (tmp_path.stat().st_ino, False) in seen[:-2]


def test_a_foreign_file_is_kept(tmp_path: Path) -> None:
    """Whatever stands there stays; the film goes beside it, under the next free number."""
    target = tmp_path / "lamp.mp4"
    target.write_bytes(b"mine")
    (tmp_path / "lamp-2.mp4").write_bytes(OTHER)
    assert fetch_from(answer(FILM), target) == saved(tmp_path / "lamp-3.mp4")
    assert files(tmp_path) == {"lamp-2.mp4": OTHER, "lamp-3.mp4": FILM, "lamp.mp4": b"mine"}


@pytest.mark.parametrize("kind", ["folder", "dangling link"])
def test_whatever_has_the_name_is_kept(kind: str, tmp_path: Path) -> None:
    """A folder or a link of that name is no reason to leave a paid film behind."""
    target = tmp_path / "lamp.mp4"
    if kind == "folder":
        target.mkdir()
        (target / "note").write_text("mine")
    else:
        target.symlink_to(tmp_path / "nowhere")
    assert fetch_from(answer(FILM), target) == saved(tmp_path / "lamp-2.mp4")
    assert target.is_dir() or target.is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_the_same_film_already_there_is_this_one(tmp_path: Path) -> None:
    """A run killed between publishing and saying so leaves no second copy behind."""
    target = tmp_path / "lamp.mp4"
    first = fetch_from(answer(FILM), target)
    inode = target.stat().st_ino
    assert fetch_from(answer(FILM), target) == first == saved(target)
    assert target.stat().st_ino == inode
    assert files(tmp_path) == {"lamp.mp4": FILM}
    (tmp_path / "lamp.mp4").write_bytes(b"mine")
    (tmp_path / "lamp-2.mp4").write_bytes(FILM)
    assert fetch_from(answer(FILM), target) == saved(tmp_path / "lamp-2.mp4")


def test_where_links_are_not_possible_it_is_moved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without hard links gets the film too, and keeps its own files."""

    def refuse(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "lamp.mp4"
    assert fetch_from(answer(FILM), target) == saved(target)
    target.write_bytes(b"mine")
    assert fetch_from(answer(FILM), target) == saved(tmp_path / "lamp-2.mp4")
    assert files(tmp_path) == {"lamp-2.mp4": FILM, "lamp.mp4": b"mine"}


def test_a_part_of_an_earlier_run_is_replaced(tmp_path: Path) -> None:
    """What a killed download left is neither continued nor kept; two tasks never share one."""
    target = tmp_path / "lamp.mp4"
    names: list[str] = []

    def note(peer: Peer) -> None:
        peer.read()
        peer.send(answer(FILM)[:200])
        while not (found := [path.name for path in tmp_path.iterdir()]):
            pass
        names.extend(found)
        peer.send(answer(FILM)[200:])

    with serving(note) as server:
        fetch(server.url, target)
    (part,) = names
    target.unlink()
    (tmp_path / part).write_bytes(FILM + b"of an earlier run")
    assert fetch_from(answer(FILM), target) == saved(target)
    assert files(tmp_path) == {"lamp.mp4": FILM}


def test_a_film_already_published_is_not_touched_by_its_part(tmp_path: Path) -> None:
    """Killed between the two names, a film has both: a new download does not write into it."""
    target = tmp_path / "lamp.mp4"
    with serving(half(Peer.hold)) as server, child(server.url, target) as process:
        while not (parts := list(tmp_path.glob("*.part"))):
            assert process.poll() is None
        process.kill()
    parts[0].write_bytes(FILM)
    os.link(parts[0], target)
    assert isinstance(fetch_from(answer(OTHER[:100]), target, task_id="t"), LinkExpired)
    assert files(tmp_path) == {"lamp.mp4": FILM}
    os.link(target, parts[0])
    assert fetch_from(answer(FILM), target, task_id="t") == saved(target)
    assert files(tmp_path) == {"lamp.mp4": FILM}


# ---------------------------------------------------------------- with metadata


def tagged(film: bytes = FILM, title: str = "lamp") -> bytes:
    """The film with a title in it."""
    write(io.BytesIO(film), made := io.BytesIO(), {"title": title})
    return made.getvalue()


def test_a_film_gets_its_metadata_before_it_gets_its_name(tmp_path: Path) -> None:
    """The digest is that of the file; the digest of what came is told beside it."""
    target = tmp_path / "lamp.mp4"
    event = fetch_from(answer(FILM), target, tags={"title": "lamp"})
    received = hashlib.sha256(FILM).hexdigest()
    assert event == dataclasses.replace(saved(target, tagged()), received=received)
    assert files(tmp_path) == {"lamp.mp4": tagged()}


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), ValueError("a bug")])
def test_a_film_that_can_not_be_tagged_comes_home(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it came, with a note that says why; nothing else is left."""

    def failing(source: BinaryIO, target: BinaryIO, tags: object) -> None:
        target.write(b"half")
        raise error

    monkeypatch.setattr(module.tags, "write", failing)
    target = tmp_path / "lamp.mp4"
    event = fetch_from(answer(FILM), target, tags={"title": "lamp"})
    assert isinstance(event, Saved)
    assert "no metadata was written: " in event.note
    assert dataclasses.replace(event, note="") == saved(target)
    assert files(tmp_path) == {"lamp.mp4": FILM}


@pytest.mark.parametrize("there", [FILM, tagged()], ids=["as it came", "tagged"])
def test_a_film_that_a_killed_run_published_is_this_one(there: bytes, tmp_path: Path) -> None:
    """With its metadata or, where that failed then, without: it is not put there twice."""
    target = tmp_path / "lamp.mp4"
    target.write_bytes(there)
    event = fetch_from(answer(FILM), target, tags={"title": "lamp"})
    assert isinstance(event, Saved)
    assert (event.output, event.sha256) == (str(target), hashlib.sha256(there).hexdigest())
    assert event.size == len(there)
    assert files(tmp_path) == {"lamp.mp4": there}


# ---------------------------------------------------------------- not a whole film

NOT_A_FILM = {
    "cut": answer(FILM[:500], content_length=str(len(FILM))),
    "cut in a chunk": (CHUNKED % (len(FILM), FILM))[:300],
    "without a last chunk": (CHUNKED % (len(FILM), FILM))[:-5],
    "short, without a length": b"HTTP/1.0 200 OK\r\n\r\n" + FILM[:-1],
    "torn at its source": answer(FILM[:-1]),
    "empty": answer(b""),
    "html": answer(b"<!doctype html><h1>Sign in</h1>", content_type="text/html"),
    "json": answer(b'{"error": "expired"}'),
    "compressed": answer(FILM, content_encoding="gzip")[:-1],
    "junk": b"junk\r\n\r\n",
    "a length of many digits": answer(FILM, content_length="9" * 5000),
    "expired 400": answer(b"", "400 Bad Request"),
    "expired 401": answer(b"", "401 Unauthorized"),
    "expired 403": answer(b"<Error/>", "403 Forbidden"),
    "gone 404": answer(b"", "404 Not Found"),
    "gone 410": answer(b"", "410 Gone"),
}


@pytest.mark.parametrize("data", NOT_A_FILM.values(), ids=NOT_A_FILM)
def test_what_is_not_the_film_needs_a_fresh_link(data: bytes, tmp_path: Path) -> None:
    """Torn, foreign or expired: another link is asked for, and nothing is left behind."""

    def once(peer: Peer) -> None:
        peer.read()
        peer.send(data)

    with serving(once) as server:
        event = fetch(f"{server.url}/film.mp4?signature=SECRET", tmp_path / "lamp.mp4")
    assert isinstance(event, LinkExpired)
    assert "SECRET" not in event.problem.message
    assert event.problem.message.isprintable()
    assert files(tmp_path) == {}


@pytest.mark.parametrize("announced", [len(FILM) - 1, len(FILM) + 1])
def test_a_film_is_as_long_as_announced(announced: int, tmp_path: Path) -> None:
    """Our own count is held against the host's word, whatever the HTTP library lets pass."""

    def lie(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-length": str(announced)}, stream=Once())

    event = fetch("https://a.example", tmp_path / "x.mp4", backend=httpx.MockTransport(lie))
    assert isinstance(event, LinkExpired)
    assert str(announced) in event.problem.message
    assert files(tmp_path) == {}


def test_a_download_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A film that trickles in for ever is asked for anew."""
    monkeypatch.setattr(module, "_LONGEST", 0.02)
    monkeypatch.setattr(client, "_FILM", httpx.Timeout(5))
    with serving(half(Peer.hold)) as server:
        event = fetch(server.url, tmp_path / "lamp.mp4")
    assert isinstance(event, LinkExpired)
    assert "after 0.02 seconds" in event.problem.message
    assert files(tmp_path) == {}


def test_a_host_that_is_gone_needs_a_fresh_link(tmp_path: Path) -> None:
    """Nobody answers there any more."""
    event = fetch(f"http://127.0.0.1:{refused_port()}/x", tmp_path / "lamp.mp4")
    assert isinstance(event, LinkExpired)


@pytest.mark.parametrize(
    ("status", "wait", "asked"),
    [
        ("500 Oh", "", None),
        ("502 Bad Gateway", "9", 9.0),
        ("503 Busy", "soon", None),
        ("429 Slow", "7", 7.0),
        ("206 Part", "", None),
        ("204 None", "", None),
        ("418 Teapot", "-3", None),
        ("503 Busy", "9" * 400, float("inf")),
    ],
)
def test_a_host_in_trouble_is_asked_again(
    status: str, wait: str, asked: float | None, tmp_path: Path
) -> None:
    """The link is still good; the host's own wish for a pause is kept."""
    event = fetch_from(answer(b"", status, retry_after=wait), tmp_path / "lamp.mp4")
    assert isinstance(event, FetchFailed)
    assert (event.local, event.retry_after) == (False, asked)
    assert event.problem.code == f"http_{status[:3]}"
    assert files(tmp_path) == {}


def test_a_film_has_a_largest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body without end does not fill the disk."""
    monkeypatch.setattr(module, "_LARGEST", len(FILM) - 1)
    assert isinstance(fetch_from(answer(FILM), tmp_path / "lamp.mp4"), LinkExpired)
    assert files(tmp_path) == {}
    monkeypatch.setattr(module, "_LARGEST", len(FILM))
    assert isinstance(fetch_from(answer(FILM), tmp_path / "lamp.mp4"), Saved)


# ---------------------------------------------------------------- redirects


@pytest.mark.parametrize("status", ["301 A", "302 B", "303 C", "307 D", "308 E"])
def test_a_redirect_is_followed_without_the_key(status: str, tmp_path: Path) -> None:
    """To another host and by a relative path, as GET, without the provider's headers."""
    with serving(replying(answer(FILM))) as films:
        away = answer(b"", status, location=f"{films.url}/film?signature=s")
        near = answer(b"moved", status, location="/elsewhere")

        def script(peer: Peer) -> None:
            while asked := peer.read():
                peer.send(near if asked.path == "/start" else away)

        with serving(script) as first:
            event = fetch(f"{first.url}/start", tmp_path / "lamp.mp4")
    assert event == saved(tmp_path / "lamp.mp4")
    asked = first.asked + films.asked
    assert [request.path for request in asked] == ["/start", "/elsewhere", "/film?signature=s"]
    assert all(request.method == "GET" for request in asked)
    assert "sk-very-secret-key" not in str(asked)


@pytest.mark.parametrize(("hops", "kind"), [(5, Saved), (6, LinkExpired)])
def test_redirects_end(hops: int, kind: type, tmp_path: Path) -> None:
    """Five are followed; a circle is not run for ever."""
    left = [hops]

    def hop(peer: Peer) -> None:
        while peer.read():
            left[0] -= 1
            peer.send(answer(FILM) if left[0] < 0 else answer(b"", "302 On", location="/next"))

    with serving(hop) as server:
        event = fetch(server.url, tmp_path / "lamp.mp4")
    assert isinstance(event, kind)
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    "location", ["", "https://[::1", "http://a b/", "ftp://a.example/", "file:///etc/passwd", "//"]
)
def test_a_senseless_redirect_is_an_event(location: str, tmp_path: Path) -> None:
    """Whatever stands in `location`, nothing is raised and nothing is left."""
    event = fetch_from(answer(b"", "302 On", location=location), tmp_path / "lamp.mp4")
    assert isinstance(event, LinkExpired)
    assert files(tmp_path) == {}


# ---------------------------------------------------------------- addresses

INSIDE = [
    "127.0.0.1",
    "127.255.0.9",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "255.255.255.255",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "films.localhost",
    "films.localhost.",
    "127.0.0.1.",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[fe80::1]",
    "[fd00::1]",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.1",
    "10.1",
    "2852039166",
    "0",
]


class Once(httpx.AsyncByteStream):
    """The film, as a stream that is read once."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield FILM


class Trap(httpx.AsyncBaseTransport):
    """Redirects to one address, and notes every other request."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.caught: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the first request on; whatever comes then has been fooled."""
        if request.url.host == "films.example":
            return httpx.Response(302, headers={"location": self.location})
        self.caught.append(str(request.url))
        return httpx.Response(200, stream=Once())


UNSAFE = [
    *(f"https://{host}/film.mp4" for host in INSIDE),
    *(f"https://{host}:8443/film.mp4" for host in INSIDE),
    "https://user:password@127.0.0.1/film.mp4",
    "https://films.example\\@127.0.0.1/film.mp4",
    "http://elsewhere.example/film.mp4",
    "HTTP://elsewhere.example/film.mp4",
    "file:///etc/passwd",
    "ftp://elsewhere.example/film.mp4",
    "//127.0.0.1/film.mp4",
    "https://[bad/film.mp4",
]


@pytest.mark.parametrize("url", UNSAFE)
def test_an_address_inside_is_never_asked(url: str, tmp_path: Path) -> None:
    """However it is spelt, and by a redirect too: no request, one event, no file."""
    trap = Trap(url)
    starts = [url, "https://films.example/film.mp4"]
    for start in starts[url.startswith("//") :]:
        event = fetch(start, tmp_path / "lamp.mp4", private_hosts=False, backend=trap)
        assert isinstance(event, LinkExpired)
        refused_here = start != url  # a redirect may be refused by the library before us
        assert event.problem.code in {"unsafe_url", *["download"] * refused_here}
        assert event.problem.message.isprintable()
    assert trap.caught == []
    assert files(tmp_path) == {}


def test_a_server_on_this_machine_is_not_asked(tmp_path: Path) -> None:
    """The same over a real socket: no connection is made."""
    with serving(replying(answer(FILM))) as server:
        event = fetch(server.url, tmp_path / "lamp.mp4", private_hosts=False)
    assert isinstance(event, LinkExpired)
    assert server.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/film.mp4",
        "https://8.8.8.8/film.mp4",
        "https://[2606:4700::1111]/film.mp4",
        "https://127.example/film.mp4",
        "https://10.example/film.mp4",
        "https://localhost.example/film.mp4",
    ],
)
def test_an_address_outside_is_asked(url: str, tmp_path: Path) -> None:
    """Only what leads inside is refused, not what looks a little like it."""
    trap = Trap(url)
    event = fetch(
        "https://films.example/x", tmp_path / "lamp.mp4", private_hosts=False, backend=trap
    )
    assert isinstance(event, Saved)
    assert len(trap.caught) == 1


@given(st.text(max_size=60), st.sampled_from(["", "https://", "http://", "https://[", "//"]))
def test_no_address_raises(text: str, start: str) -> None:
    """Any text as an address ends in an event."""
    place = Path("/proc/self/nowhere/lamp.mp4")

    async def main() -> Event:
        backend = Trap("")
        async with Transport("https://api.example", HEADERS, backend=backend) as door:
            downloader = Downloader(door)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Path, "mkdir", lambda *args, **kwargs: None)
                return await downloader.fetch(start + text, "task", place)

    assert isinstance(anyio.run(main), (LinkExpired, FetchFailed))


# ---------------------------------------------------------------- this machine's own fault


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    """The event says that the fault is here, and where; the file is kept."""
    (tmp_path / "out").write_bytes(b"mine")
    event = fetch_from(answer(FILM), tmp_path / "out" / "lamp.mp4")
    assert isinstance(event, FetchFailed)
    assert event.local
    assert str(tmp_path / "out") in event.problem.message
    assert files(tmp_path) == {"out": b"mine"}


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """No permission is a fault of this machine."""
    folder = tmp_path / "out"
    folder.mkdir(mode=0o500)
    if os.geteuid() == 0:
        folder = Path("/proc/self")  # not even root makes a file there
    event = fetch_from(answer(FILM), folder / "lamp.mp4")
    assert isinstance(event, FetchFailed)
    assert event.local


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    """What the file system can't name is a fault of this machine."""
    event = fetch_from(answer(FILM), tmp_path / ("x" * 300 + ".mp4"))
    assert isinstance(event, FetchFailed)
    assert event.local
    assert files(tmp_path) == {}


@pytest.mark.parametrize(("number", "local"), [(errno.EIO, True), (errno.EMFILE, False)])
def test_a_disk_that_fails(
    number: int, local: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync that fails is a fault of this machine; too many open files only passes by."""

    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    event = fetch_from(answer(FILM), tmp_path / "lamp.mp4")
    assert isinstance(event, FetchFailed)
    assert event.local is local
    assert files(tmp_path) == {}


CHILD = """
import resource, sys
from pathlib import Path
import anyio
from runner.download import Downloader
from runner.transport import Transport

async def main():
    async with Transport("http://127.0.0.1", {}) as transport:
        target = Path(sys.argv[2])
        event = await Downloader(transport, private_hosts=True).fetch(sys.argv[1], "t", target)
        print(type(event).__name__, getattr(event, "local", None), flush=True)

if sys.argv[3]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
anyio.run(main)
"""


def child(url: str, target: Path, limit: str = "") -> subprocess.Popen[str]:
    """A process of its own that downloads one film; `limit` is the largest file it may write."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, url, str(target), limit],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(runner.__file__).parents[1],
    )


def test_a_full_disk(tmp_path: Path) -> None:
    """Room for half of the film only: the fault is here, and the half is not kept."""
    with (
        serving(replying(answer(FILM))) as server,
        child(server.url, tmp_path / "lamp.mp4", str(len(FILM) // 2)) as process,
    ):
        out, _ = process.communicate()
    assert out.split() == ["FetchFailed", "True"]
    assert files(tmp_path) == {}


def half(then: Callable[[Peer], None]) -> Callable[[Peer], None]:
    """A script that sends the first half of the film."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(answer(FILM)[: len(FILM) // 2])
        then(peer)

    return script


def test_cancelling_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """A drained run leaves neither a film that is not whole nor a part of one."""
    target = tmp_path / "lamp.mp4"
    before: list[str] = []

    async def main() -> None:
        async with Transport("http://127.0.0.1", HEADERS) as door:
            downloader = Downloader(door, private_hosts=True)
            async with anyio.create_task_group() as group:
                group.start_soon(downloader.fetch, server.url, "task-1", target)
                while not before:
                    await anyio.sleep(0)
                    before.extend(files(tmp_path))
                group.cancel_scope.cancel()

    with serving(half(Peer.hold)) as server:
        anyio.run(main)
    assert before[0].startswith("lamp.mp4.")
    assert before[0].endswith(".part")
    assert files(tmp_path) == {}


def test_killing_in_the_middle_leaves_no_film(tmp_path: Path) -> None:
    """After SIGKILL there is at most a part file, which the next run replaces."""
    target = tmp_path / "lamp.mp4"
    with serving(half(Peer.hold)) as server, child(server.url, target) as process:
        while not files(tmp_path):
            assert process.poll() is None
        process.kill()
    assert not target.exists()
    with serving(replying(answer(FILM))) as server, child(server.url, target) as process:
        out, _ = process.communicate()
    assert out.split()[0] == "Saved"
    assert files(tmp_path) == {"lamp.mp4": FILM}
