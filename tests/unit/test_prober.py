"""Asking for images: politely, again where it may help, and over real sockets without the key."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable

import anyio
import pytest
from sockets import Peer, answer, deaf, refused_port, replying, serving
from trio.testing import MockClock

from runner.dialects import Answer
from runner.images import BOUNDS, Fault, Picture
from runner.prober import AT_ONCE, PER_HOST, Found, Prober
from runner.sandbox.pictures import png
from runner.transport import BrokenError, Onlooker, TransportError

GOOD = png(640, 480)
TYPE = {"content-type": "image/png", "content-length": str(len(GOOD))}
URL = "https://a.example/1.png"

Reply = Callable[[str, str, int], Answer]


class World:
    """Hosts that answer by a rule, in virtual time, and what they were asked."""

    def __init__(self, reply: Reply, seconds: float = 0.0) -> None:
        self._reply = reply
        self._seconds = seconds
        self.asked: list[tuple[str, str, int]] = []
        self.most: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    async def look(self, method: str, url: str, most: int) -> Answer:
        """Answer after a while, and note how many were asking at once."""
        self.asked.append((method, url, most))
        for name in (url.split("/")[2], "all"):
            self._now[name] += 1
            self.most[name] = max(self.most[name], self._now[name])
        try:
            await anyio.sleep(self._seconds)
            return self._reply(method, url, most)
        finally:
            for name in (url.split("/")[2], "all"):
                self._now[name] -= 1

    def probe(self, *urls: str) -> dict[str, Found]:
        """All answers; each address gets one."""
        found: dict[str, list[Found]] = defaultdict(list)

        async def ask() -> None:
            await Prober(self.look).ask(urls, lambda url, each: found[url].append(each))

        clock = MockClock(autojump_threshold=0)
        anyio.run(ask, backend="trio", backend_options={"clock": clock})
        assert all(len(each) == 1 for each in found.values())
        assert set(found) == set(urls)
        return {url: each for url, (each,) in found.items()}


def good(method: str, url: str, most: int) -> Answer:
    """A host where all is well."""
    return Answer(200, TYPE, GOOD[:most])


def test_a_good_image_takes_two_questions() -> None:
    """HEAD, as the provider asks, then the first bytes."""
    world = World(good)
    assert world.probe(URL) == {URL: Picture("PNG", len(GOOD), 640, 480)}
    assert world.asked == [("HEAD", URL, 0), ("GET", URL, BOUNDS[0])]


def test_a_head_that_refuses_is_enough() -> None:
    """A 404 or a redirect is not followed by a GET, and not tried again."""
    world = World(lambda method, url, most: Answer(301, {"location": "https://b.example/"}, b""))
    found = world.probe(URL)[URL]
    assert isinstance(found, Fault)
    assert len(world.asked) == 1


@pytest.mark.parametrize("status", [403, 405, 501])
def test_a_host_that_knows_no_head(status: int) -> None:
    """The GET decides, both ways."""

    def reply(method: str, url: str, most: int) -> Answer:
        bad = method == "HEAD" or "bad" in url
        return Answer(status, {}, b"") if bad else good(method, url, most)

    assert isinstance(World(reply).probe(URL)[URL], Picture)
    assert isinstance(World(reply).probe(f"{URL}?bad")[f"{URL}?bad"], Fault)


def test_more_bytes_are_read_where_they_are_needed() -> None:
    """An image whose size stands far inside is asked for once more, with the greater bound."""
    late = b"\xff\xd8\xff\xe2\xff\xff" + bytes(65_533) + b"\xff\xc0\0\x11\x08\x01\xe0\x02\x80\x03"
    length = {"content-type": "image/jpeg", "content-length": "90000"}
    world = World(lambda method, url, most: Answer(200, length, late[:most]))
    assert world.probe(URL) == {URL: Picture("JPEG", 90_000, 640, 480)}
    assert [most for _, _, most in world.asked] == [0, *BOUNDS]


def test_what_may_pass_is_tried_again() -> None:
    """Two bad moments are forgiven; three are told."""
    for bad, kind in ((2, Picture), (3, Fault)):
        left = [bad]

        def reply(method: str, url: str, most: int, left: list[int] = left) -> Answer:
            if left[0]:
                left[0] -= 1
                raise BrokenError("cut")
            return good(method, url, most)

        assert isinstance(World(reply).probe(URL)[URL], kind)


def test_few_at_once() -> None:
    """So many in all, and fewer on one host."""
    for hosts, most in (("a", PER_HOST), ("abcde", AT_ONCE)):
        world = World(good, seconds=1.0)
        world.probe(*(f"https://{host}.example/{n}.png" for host in hosts for n in range(30)))
        assert world.most["all"] == most
        assert world.most["a.example"] <= PER_HOST


def silence(method: str, url: str, most: int) -> Answer:
    """Nobody is there."""
    raise BrokenError("no route")


def test_a_silent_host_is_left_alone() -> None:
    """Hundreds of its images cost a few questions; the other hosts' are asked for as ever."""

    def reply(method: str, url: str, most: int) -> Answer:
        return (silence if "//a." in url else good)(method, url, most)

    urls = [f"https://{host}.example/{n}.png" for n in range(200) for host in "ab"]
    world = World(reply, seconds=10.0)
    found = world.probe(*urls)
    assert sum(isinstance(each, Picture) for each in found.values()) == 200
    assert sum("//a." in url for _, url, _ in world.asked) <= 3 * 2 * PER_HOST


def test_without_a_network_few_are_asked() -> None:
    """A thousand hosts that are all silent are this machine's trouble."""
    world = World(silence, seconds=10.0)
    found = world.probe(*(f"https://{n}.example/a.png" for n in range(1000)))
    assert all(isinstance(each, Fault) and not each.reached for each in found.values())
    assert len(world.asked) <= 3 * (20 + AT_ONCE)


# ---------------------------------------------------------------- over real sockets


def look(url: str, method: str = "GET", most: int = 100) -> Answer:
    """One question of an onlooker."""

    async def ask() -> Answer:
        async with Onlooker(4, proxies=False) as onlooker:
            return await onlooker.look(method, url, most)

    return anyio.run(ask)


def test_the_first_bytes_alone_are_read() -> None:
    """A host that sends a gigabyte, whatever range was asked for, is left after the bound."""
    sent = [0]

    def script(peer: Peer) -> None:
        while peer.read():
            peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
            while True:
                peer.send(bytes(65_536))
                sent[0] += 65_536

    with serving(script) as server:
        assert look(f"{server.url}/a.jpg").body == bytes(100)
    assert sent[0] < 100_000_000  # what the kernel takes for a reader that has left
    (asked,) = server.asked
    assert asked.headers["range"] == "bytes=0-99"
    assert "authorization" not in asked.headers
    assert "cookie" not in asked.headers


def test_no_redirect_is_followed() -> None:
    """It is an answer like any other."""
    moved = answer(b"", "302 Found", location="/elsewhere", set_cookie="a=b")
    with serving(replying(moved)) as server:
        assert look(f"{server.url}/a.jpg", "HEAD").status == 302
    assert [each.path for each in server.asked] == ["/a.jpg"]


@pytest.mark.parametrize("said", [b"junk\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-le", b""])
def test_every_failure_is_one_error(said: bytes) -> None:
    """Whatever a host does, one sort of exception leaves."""

    def script(peer: Peer) -> None:
        peer.read()
        peer.send(said)

    with serving(script) as server, pytest.raises(TransportError):
        look(f"{server.url}/a.jpg")
    with pytest.raises(TransportError):
        look(f"http://127.0.0.1:{refused_port()}/a.jpg")


def test_patience_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that takes no connection, or trickles, holds nobody."""
    monkeypatch.setattr("runner.transport.strangers._LOOK_WHOLE", 0.2)
    with deaf() as url, pytest.raises(TransportError, match="no answer within"):
        look(f"{url}/a.jpg")
