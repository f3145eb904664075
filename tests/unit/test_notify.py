"""Telling other machines, over real sockets: what they get, and that trouble is only words."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import anyio
import pytest
from sockets import Script, answer, refused_port, replying, serving

from runner import notify
from runner.errors import ConfigurationError

OK = replying(answer(b"OK"))
SECRET = "/ping/6f1c-secret"


@pytest.mark.parametrize(
    ("path", "event", "asked"),
    [
        (SECRET, "start", f"{SECRET}/start"),
        (SECRET, "success", SECRET),
        (SECRET, "fail", f"{SECRET}/fail"),
        (f"{SECRET}/", "start", f"{SECRET}/start"),
        (f"{SECRET}?create=1", "fail", f"{SECRET}/fail?create=1"),
    ],
)
def test_a_heartbeat_says_what_it_is(path: str, event: str, asked: str) -> None:
    """The suffixes of healthchecks-style services, before a query; the words in the body."""
    with serving(OK) as server:
        assert anyio.run(notify.beat, server.url + path, event, "lamps: é") == ""
    (got,) = server.asked
    assert (got.method, got.path, got.body.decode()) == ("POST", asked, "lamps: é")
    assert "authorization" not in got.headers


def test_a_webhook_gets_json() -> None:
    """One object, with its media type and without a key."""
    with serving(OK) as server:
        assert anyio.run(notify.post_json, f"{server.url}/hook", {"outcome": "done"}) == ""
    (got,) = server.asked
    assert json.loads(got.body) == {"outcome": "done"}
    assert got.headers["content-type"] == "application/json"
    assert "authorization" not in got.headers


REDIRECT = replying(answer(b"", "307 Temporary Redirect", location="/elsewhere"))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (replying(answer(b"no", "500 Internal Server Error")), "answered 500"),
        (replying(answer(b"", "404 Not Found")), "answered 404"),
        (REDIRECT, "answered 307, a redirect, which is not followed"),
        (lambda peer: peer.read() and peer.reset(), "Error"),
        (lambda peer: peer.send(b"junk\r\n\r\n"), "Error"),
    ],
)
def test_trouble_is_words_without_the_address(script: Script, words: str) -> None:
    """Whatever answers: one request, a short reason, and never the address's secret."""
    with serving(script) as server:
        said = anyio.run(notify.beat, server.url + SECRET, "success")
    assert words in said
    assert "secret" not in said
    assert len(server.asked) <= 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:{port}", "http://no-such-host.invalid", "http://[::1"]
)
def test_nobody_there_is_words(url: str) -> None:
    """No server, no such name, no address at all: the run never sees an exception."""
    said = anyio.run(notify.post_json, url.format(port=refused_port()) + SECRET, {})
    assert said
    assert "secret" not in said


def test_an_answer_that_never_comes_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that hangs is left."""
    monkeypatch.setattr("runner.transport.strangers._NOTE_WHOLE", 0.2)
    with serving(lambda peer: peer.hold()) as server:
        assert "no answer within 0.2 seconds" in anyio.run(notify.beat, server.url, "start")


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # in Apprise
def test_a_message_goes_to_every_address(capfd: pytest.CaptureFixture[str]) -> None:
    """Through Apprise: a service that doesn't take it is told by its number and kind alone."""
    with serving(OK) as server:
        port = server.port
        urls = [
            f"json://127.0.0.1:{port}{SECRET}",
            f"json://127.0.0.1:{refused_port()}{SECRET}",
            "nonsense://secret",
        ]
        said = anyio.run(notify.send_message, urls, "lamps: done", "all 3 videos")
    (got,) = server.asked
    told = json.loads(got.body)
    assert (told["title"], told["message"]) == ("lamps: done", "all 3 videos")
    assert "address 2 (json) did not take the message" in said
    assert "address 3 (nonsense) is none that Apprise knows" in said
    assert "secret" not in said
    assert capfd.readouterr() == ("", "")


def test_an_address_may_stand_in_a_variable() -> None:
    """`env:NAME` is looked up; a variable that is missing or holds none is named, not shown."""
    environment = {"GOOD": " https://hc.example.com/x ", "BAD": "hunter2"}
    assert notify.resolved("env:GOOD", "heartbeat", environment) == "https://hc.example.com/x"
    assert notify.resolved("https://a.example", "webhook", {}) == "https://a.example"
    with pytest.raises(ConfigurationError, match="heartbeat: the variable NONE is not set"):
        notify.resolved("env:NONE", "heartbeat", environment)
    with pytest.raises(ConfigurationError, match="BAD is not an address") as caught:
        notify.resolved("env:BAD", "heartbeat", environment)
    assert "hunter2" not in str(caught.value)


def test_metrics_are_put_in_place_whole(tmp_path: Path) -> None:
    """Written beside and moved, readable by the collector; nothing else is left."""
    path = tmp_path / "new" / "lamps.prom"
    before = os.umask(0o022)
    try:
        assert notify.write_metrics(path, "a 1\n") == ""
        assert notify.write_metrics(path, "a 2\n") == ""
    finally:
        os.umask(before)
    assert path.read_text() == "a 2\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [each.name for each in path.parent.iterdir()] == ["lamps.prom"]


def test_metrics_that_cant_be_written_are_words(tmp_path: Path) -> None:
    """A file where the folder should be: a reason, and no half file."""
    (tmp_path / "file").write_text("")
    assert "file" in notify.write_metrics(tmp_path / "file" / "x.prom", "a 1\n")
    (tmp_path / "x.prom").mkdir()
    assert notify.write_metrics(tmp_path / "x.prom", "a 1\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "x.prom"]
