"""The stand-in's images: real files, each flaw as it is told, and the account's balance."""

from __future__ import annotations

import json
from io import BytesIO

import pytest
from PIL import Image

from runner.sandbox import Reply, Request, Settings, Simulator
from runner.sandbox.pictures import FLAWS


def asked(
    path: str, method: str = "GET", wanted: str = "", sandbox: Simulator | None = None
) -> Reply:
    """The reply for an image."""
    sandbox = sandbox or Simulator(Settings(), lambda: 0.0)
    headers = {"range": wanted} if wanted else {}
    return sandbox.handle(Request(method, f"/pictures/cdn.example.com/{path}", headers))


def body(reply: Reply) -> bytes:
    """Its bytes."""
    assert isinstance(reply.body, bytes)
    return reply.body


def test_a_good_image_is_a_real_file() -> None:
    """It opens, at a usual size, whatever its name ends in; HEAD tells the same without it."""
    got, head = asked("lamp.jpg?w=9"), asked("lamp.jpg", "HEAD")
    with Image.open(BytesIO(body(got))) as image:
        image.load()
        assert (image.format, image.size) == ("PNG", (1280, 720))
    assert got.headers["content-type"] == "image/png"
    assert head.headers["content-length"] == got.headers["content-length"]
    assert body(head) == b""


def test_a_part_of_an_image() -> None:
    """A range gives 206, with the length of the whole."""
    whole, part = asked("lamp.jpg"), asked("lamp.jpg", wanted="bytes=0-9")
    assert part.status == 206
    assert body(part) == body(whole)[:10]
    assert part.headers["content-range"] == f"bytes 0-9/{len(body(whole))}"
    assert asked("lamp.jpg", wanted="bytes=99999999-").status == 200


@pytest.mark.parametrize("word", FLAWS)
def test_each_flaw_is_one(word: str) -> None:
    """Whatever is told of differs from the good image in what it answers."""
    good = asked("lamp.jpg", "HEAD")
    bad = asked(f"lamp-bad-{word}.jpg", "HEAD")
    assert (bad.status, bad.headers, bad.delay) != (good.status, good.headers, good.delay)


def test_words_that_are_no_flaws() -> None:
    """A catalog's own words do no harm."""
    for name in ("huge.jpg", "bad-boy.jpg", "notbad-huge.jpg", "bad-hugely.jpg"):
        assert asked(name).status == 200
        assert len(body(asked(name))) < 10_000


def test_a_key_that_came_with_an_image_is_noted() -> None:
    """No image's host may see it."""
    sandbox = Simulator(Settings(), lambda: 0.0)
    headers = {"authorization": "Bearer x"}
    sandbox.handle(Request("HEAD", "/pictures/a.example/a.jpg", headers))
    assert sandbox.audit()["film_requests_with_key"] == 1


def test_the_account() -> None:
    """Runway tells its balance to who has a key."""
    sandbox = Simulator(Settings(credit=7), lambda: 0.0)
    headers = {"authorization": "Bearer x", "x-runway-version": "2024-11-06"}
    told = sandbox.handle(Request("GET", "/v1/organization", headers))
    assert json.loads(body(told)) == {"creditBalance": 7}
    assert sandbox.handle(Request("GET", "/v1/organization", {})).status == 401
