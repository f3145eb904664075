"""What the provider's answers mean: every row of the wire's tables, and whatever else may come."""

from __future__ import annotations

import json
from collections.abc import Callable
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.dialects import Answer, is_task_id, read_submit, read_task, retry_after
from runner.events import (
    Accepted,
    AccountRefused,
    Event,
    Invisible,
    Lost,
    PollFailed,
    Refused,
    Rendered,
    RenderFailed,
    StillRunning,
    Throttled,
    Unserved,
    WrongAddress,
)
from runner.jobs import Problem

ID = "3d957031-9a2a-45e2-9dc7-bc8513059c50"
FILM = "https://films.example/x.mp4?signature=s"
NOW = 1_800_000_000.0


Form = Callable[..., object]


def problem_of(event: Event) -> Problem:
    """The problem that an event tells of."""
    found = getattr(event, "problem", None)
    assert isinstance(found, Problem)
    return found


def answer(status: int, payload: object = b"", **headers: str) -> Answer:
    """An answer with this payload as JSON, or these bytes; underscores in headers are hyphens."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body)


def submit(status: int, payload: object = b"", **headers: str) -> Event:
    """What became of a submit."""
    return read_submit(answer(status, payload, **headers), NOW)


def task(status: int, payload: object = b"", **headers: str) -> Event:
    """What a poll says."""
    return read_task(answer(status, payload, **headers), ID, NOW)


def comet(code: str, message: str) -> object:
    """The gateway's envelope."""
    return {"error": {"message": message, "type": "comet_api_error", "param": "", "code": code}}


def route(code: str, message: str) -> object:
    """The task routes' envelope."""
    return {"code": code, "message": message, "data": None}


def plain(code: str, message: str) -> object:
    """Runway's envelope, which has no code."""
    return {"error": f"{message} {code}"}


def brief(code: str, message: str) -> object:
    """The envelope of the reverse format."""
    return {"code": code, "msg": message}


ENVELOPES: list[Form] = [comet, route, plain]

# ---------------------------------------------------------------- submit

SUBMIT = [
    (400, "bad_request", "promptImage is unusable", Refused),
    (404, "not_found", "no such path", Refused),
    (413, "too_large", "too large", Refused),
    (422, "unprocessable_entity", "not understood", Refused),
    (401, "invalid_api_key", "wrong, expired or exhausted", AccountRefused),
    (402, "payment", "pay", AccountRefused),
    (402, "quota_not_enough", "", AccountRefused),
    (403, "quota_not_enough", "", AccountRefused),
    (403, "insufficient_user_quota", "", AccountRefused),
    (403, "x", "You do not have enough credits", AccountRefused),
    (403, "x", "YOU DO NOT HAVE ENOUGH CREDITS", AccountRefused),
    (400, "x", "not enough credits to run this task", AccountRefused),
    (429, "insufficient_quota", "", AccountRefused),
    (403, "access_denied", "not allowed", Refused),
    (429, "rate_limit_exceeded", "saturated", Throttled),
    (429, "daily_limit_exceeded", "daily cap", Throttled),
    (503, "model_not_found", "", Unserved),
    (503, "x", "No available channel for model gen4", Unserved),
    (500, "internal_error", "oh", Lost),
    (500, "x", "you still have enough credits, try later", Lost),
    (502, "bad_gateway", "oh", Lost),
    (503, "service_unavailable", "oh", Lost),
    (504, "timeout", "oh", Lost),
    (524, "timeout", "oh", Lost),
    (408, "request_timeout", "oh", Lost),
    (408, "request_timeout", "not enough credits", Lost),
    (499, "closed", "the client closed the request", Lost),
    (200, "x", "no id in it", Lost),
    (200, "quota_not_enough", "not enough credits", Lost),
    (202, "x", "no id in it", Lost),
    (301, "x", "moved", WrongAddress),
    (302, "x", "moved", WrongAddress),
    (405, "x", "not here", Refused),
    (100, "x", "what", Lost),
    (600, "x", "what", Lost),
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(("status", "code", "message", "kind"), SUBMIT)
def test_a_submit_in_every_envelope(
    status: int, code: str, message: str, kind: type, envelope: Form
) -> None:
    """Every row of the wire's table: only what clearly was not charged may be sent again."""
    event = submit(status, envelope(code, message))
    assert type(event) is kind
    if envelope is not plain:
        expected = "no_task_id" if status in {200, 202} else code
        assert problem_of(event).code == expected
    assert message in problem_of(event).message


def test_an_invalid_request_behind_a_500_is_refused() -> None:
    """A bad request in disguise, told by its code alone; words that mention it are not enough."""
    assert isinstance(submit(500, comet("invalid_request", "bad")), Refused)
    assert isinstance(submit(500, route("invalid_request", "bad")), Refused)
    assert isinstance(submit(500, comet("oh", "invalid_request")), Lost)
    assert isinstance(submit(502, comet("invalid_request", "bad")), Lost)


def test_runways_issues_are_told() -> None:
    """A refused body says where it is wrong, a few places at most."""
    issues = [{"code": "custom", "path": ["promptImage", 0], "message": "not HTTPS"}] * 9
    event = submit(400, {"error": "Validation of body failed", "issues": issues})
    assert isinstance(event, Refused)
    assert event.problem.message.startswith(
        "Validation of body failed; promptImage.0: not HTTPS; promptImage.0: not HTTPS"
    )
    assert event.problem.message.count("not HTTPS") == 5


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, Lost), (301, WrongAddress), (404, Refused), (429, Throttled), (500, Lost), (502, Lost)],
)
@pytest.mark.parametrize(
    "body", [b"", b"  \n", b"<!doctype html><h1>Oh</h1>", b"junk", b"null", b"[]", b'"x"', b"7"]
)
def test_a_submit_without_an_envelope(status: int, kind: type, body: bytes) -> None:
    """An empty body, a page of HTML or junk: the status decides, and the words say what came."""
    event = submit(status, body)
    page = status == 404 and body.startswith(b"<")
    assert type(event) is (WrongAddress if page else kind)
    assert f"HTTP {status}" in problem_of(event).message
    assert ("HTML" in problem_of(event).message) == body.startswith(b"<")


@pytest.mark.parametrize(
    "payload",
    [
        {"id": ID},
        {"task_id": ID},
        {"id": ID, "status": "PENDING"},
        {"code": 200, "msg": "ok", "data": {"task_id": ID}, "exec_time": 1},
        {"code": "success", "message": "", "data": {"id": ID}},
        {"code": "success", "data": ID},
        {"data": ID},
        {"id": "", "data": {"task_id": ID}},
        {"id": None, "task_id": ID},
        {"error": None, "id": ID},
    ],
)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_every_form_of_an_accepted_task(payload: object, status: int) -> None:
    """The id is found wherever the wire puts it."""
    assert submit(status, payload) == Accepted(ID)


def test_a_number_is_an_id_too() -> None:
    """Gateways number their rows; the number is kept as text."""
    assert submit(200, {"id": 12345}) == Accepted("12345")


@pytest.mark.parametrize(
    "id",
    [
        "",
        " ",
        None,
        True,
        False,
        1.5,
        float("nan"),
        float("inf"),
        [],
        [ID],
        {},
        {"id": ID},
        "../" + ID,
        "a/b",
        "a?b",
        "a#b",
        "a b",
        "a%2fb",
        ".",
        "..",
        "-",
        "_x",
        "x" * 201,
        ID + "\n",
        "\x1b[31m",
        "\u0661\u0662",
        "caf\u00e9",
        "\ud800",
        "\x00",
    ],
)
@pytest.mark.parametrize("place", ["id", "task_id", "data", "data.id", "data.task_id"])
def test_what_is_no_id_is_never_accepted(id: object, place: str) -> None:
    """An id goes into addresses and names of files: one of the wrong shape is in doubt."""
    payload: object = id
    for name in reversed(place.split(".")):
        payload = {name: payload}
    event = submit(200, payload)
    if place == "data" and isinstance(id, dict) and id:
        assert event == Accepted(ID)
    else:
        assert isinstance(event, Lost)
        assert event.problem.code == "no_task_id"


def test_a_word_beside_an_error_is_no_id() -> None:
    """In an envelope that says it failed, `data` is no id but more of the error."""
    assert isinstance(submit(200, {"code": "fail", "message": "oh", "data": "error"}), Lost)


@pytest.mark.parametrize("text", [ID, "a", "x" * 200, "task_1.2:3-4", "0"])
def test_the_shape_of_an_id(text: str) -> None:
    """What may go into an address and a name of a file."""
    assert is_task_id(text)


@pytest.mark.parametrize(
    ("headers", "message", "expected"),
    [
        ({"x_cometapi_request_id": "abc"}, "", "abc"),
        ({"x_oneapi_request_id": "abc"}, "", "abc"),
        ({"x_cometapi_request_id": "a", "x_oneapi_request_id": "b"}, "", "a"),
        ({}, "oh (request id: 20261122abcdef)", "20261122abcdef"),
        ({}, "oh, Request ID 20261122abcdef!", "20261122abcdef"),
        ({"x_oneapi_request_id": "abc"}, "(request id: 20261122abcdef)", "abc"),
        ({}, "no id", ""),
        ({"x_oneapi_request_id": "\x1b[2J" + "x" * 500}, "", "\ufffd[2J" + "x" * 95 + "\u2026"),
    ],
)
def test_the_request_id_is_kept(headers: dict[str, str], message: str, expected: str) -> None:
    """Support asks for it: from a header, or from within the message; printable and short."""
    assert problem_of(submit(400, comet("x", message), **headers)).request_id == expected
    assert submit(200, {"id": ID}, **headers) == Accepted(ID, expected if headers else "")


# ---------------------------------------------------------------- poll: where a task is


def flat(status: str, **more: object) -> object:
    """The flat form."""
    return {"id": ID, "status": status, "createdAt": "2026-01-01", **more}


def wrapped(status: str, **more: object) -> object:
    """The wrapped form seen live: the outer word in the gateway's language."""
    data = {
        "task_id": ID,
        "action": "IMAGE_TO_VIDEO",
        "status": status,
        "fail_reason": "",
        "submit_time": 1,
        "start_time": 0,
        "finish_time": 0,
        "progress": "0%",
        "data": {"id": ID, "status": "PENDING", "createdAt": "2026"},
        **more,
    }
    return {"code": "success", "message": "", "data": data}


def feed(status: str, **more: object) -> object:
    """The compatibility feed."""
    return {"task_id": ID, "action": "x", "status": status, "fail_reason": "", **more}


WAITING = ["PENDING", "THROTTLED", "RUNNING", "NOT_START", "SUBMITTED", "QUEUED", "IN_PROGRESS"]
WAITING += ["UNKNOWN", "NEW_WORD"]


@pytest.mark.parametrize("form", [flat, wrapped, feed])
@pytest.mark.parametrize("word", WAITING)
def test_a_task_on_its_way(word: str, form: Form) -> None:
    """Every waiting word, and any unknown one, is the task still running; case does not matter."""
    for spelt in (word, word.lower(), word.capitalize(), f" {word} "):
        assert task(200, form(spelt)) == StillRunning(word)


PLACES: dict[str, dict[str, object]] = {
    "output list": {"output": [FILM]},
    "output text": {"output": FILM},
    "second of output": {"output": [None, "no link", FILM]},
    "video_url": {"video_url": FILM},
    "result_url": {"result_url": FILM},
    "url": {"url": FILM},
    "legacy fail_reason": {"fail_reason": FILM},
    "beside an empty output": {"output": [], "video_url": FILM},
    "output before the rest": {
        "output": [FILM],
        "video_url": "https://x.example",
        "result_url": "https://y.example",
    },
}


@pytest.mark.parametrize("form", [flat, wrapped, feed])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("word", ["SUCCEEDED", "SUCCESS", "succeeded", "Success"])
def test_every_place_of_a_video(word: str, place: str, form: Form) -> None:
    """Wherever the wire has shown the video's address, it is found."""
    assert task(200, form(word, **PLACES[place])) == Rendered(FILM)


@pytest.mark.parametrize("name", ["output", "video_url", "result_url"])
def test_a_video_inside_the_wrapping(name: str) -> None:
    """Runway's own answer inside the gateway's, which nobody has seen finished yet."""
    inner = {"id": ID, "status": "SUCCEEDED", name: [FILM] if name == "output" else FILM}
    assert task(200, wrapped("SUCCESS", data=inner)) == Rendered(FILM)
    assert task(200, {"code": "success", "data": inner}) == Rendered(FILM)


@pytest.mark.parametrize(
    "link",
    [
        None,
        7,
        "",
        "no link",
        "ftp://films.example/x",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "//films.example/x",
        "https://films.example/\x1b[2J",
        "https://films.example/\n",
        "https://films.example/\ud800",
        "https://films.example/" + "x" * 100_000,
        ["https://films.example"],
        {"url": FILM},
    ],
)
def test_a_finished_task_without_a_usable_video(link: object) -> None:
    """It is asked again, not failed: the video was paid for. What is no link goes nowhere."""
    for form in (flat, wrapped, feed):
        for name in ("output", "video_url", "fail_reason"):
            value = [link] if name == "output" else link
            event = task(200, form("SUCCEEDED", **{name: value}))
            assert isinstance(event, PollFailed)
            assert event.problem.code == "no_video"


@pytest.mark.parametrize("word", ["FAILED", "FAILURE", "failed", "CANCELLED", "canceled"])
@pytest.mark.parametrize(
    ("form", "more", "code", "words"),
    [
        (
            flat,
            {"failure": "Moderated", "failureCode": "SAFETY.INPUT"},
            "SAFETY.INPUT",
            "Moderated",
        ),
        (flat, {"failure": None, "failureCode": None}, "", "no more"),
        (wrapped, {"fail_reason": "Moderated"}, "", "Moderated"),
        (
            wrapped,
            {
                "fail_reason": "outer",
                "data": {"status": "FAILED", "failure": "inner", "failureCode": "INTERNAL"},
            },
            "INTERNAL",
            "inner",
        ),
        (feed, {"fail_reason": "Moderated"}, "", "Moderated"),
    ],
)
def test_a_failed_task(
    word: str, form: Form, more: dict[str, object], code: str, words: str
) -> None:
    """The innermost code and words are kept; without a code, the provider's own word is."""
    event = task(200, form(word, **more))
    assert isinstance(event, RenderFailed)
    assert event.problem.code == (code or word.upper())
    assert words in event.problem.message


# ---------------------------------------------------------------- poll: no state

UNKNOWN = [
    (400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}),
    (400, {"code": "x", "message": "task_not_exist"}),
    (404, {"code": "task_not_exist"}),
    (500, {"code": "task_not_exist"}),
    (200, {"code": "task_not_exist"}),
    (200, {"message": "task_not_exist"}),
    (200, {"status": "task_not_exist"}),
    (200, {"code": "TASK_NOT_EXIST"}),
    (200, {"code": "success", "data": {"status": "task_not_exist"}}),
    (200, {"code": "success", "data": {"code": "task_not_exist"}}),
    (400, {"error": {"code": "task_not_exist", "message": "x"}}),
    (400, {"error": {"code": "x", "message": "task_not_exist"}}),
    (404, {"error": "An API key was found, but the task was not"}),
    (404, {"error": {"message": "not found"}}),
    (404, {}),
]


@pytest.mark.parametrize(("status", "payload"), UNKNOWN)
def test_every_form_of_a_task_that_is_not_known(status: int, payload: object) -> None:
    """Not known yet means wait: never a failure, and never another submit."""
    assert isinstance(task(status, payload), Invisible)


POLL = [
    (400, "x", "bad", PollFailed),
    (401, "invalid_api_key", "wrong", AccountRefused),
    (402, "quota_not_enough", "", AccountRefused),
    (403, "insufficient_user_quota", "", AccountRefused),
    (403, "access_denied", "not allowed", PollFailed),
    (408, "x", "late", PollFailed),
    (422, "x", "bad", PollFailed),
    (429, "rate", "slow", PollFailed),
    (500, "x", "oh", PollFailed),
    (500, "invalid_request", "oh", PollFailed),
    (502, "x", "oh", PollFailed),
    (503, "model_not_found", "oh", PollFailed),
    (503, "x", "oh", PollFailed),
    (504, "x", "oh", PollFailed),
    (524, "x", "oh", PollFailed),
    (301, "x", "moved", PollFailed),
    (200, "fail", "oh", PollFailed),
    (200, "success", "no status", PollFailed),
]


@pytest.mark.parametrize("envelope", ENVELOPES)
@pytest.mark.parametrize(("status", "code", "message", "kind"), POLL)
def test_a_poll_in_every_envelope(
    status: int, code: str, message: str, kind: type, envelope: Form
) -> None:
    """A question may fail for many reasons; only a refused account stops the run."""
    assert type(task(status, envelope(code, message))) is kind


@pytest.mark.parametrize("status", [200, 301, 400, 404, 429, 500, 502])
@pytest.mark.parametrize(
    "body",
    [b"", b"<!doctype html>", b"junk", b"null", b"[]", b'[{"status": "SUCCEEDED"}]', b'"x"', b"7"],
)
def test_a_poll_without_an_envelope(status: int, body: bytes) -> None:
    """HTML or junk says nothing about the task: a wrong path is no missing task."""
    assert isinstance(task(status, body), PollFailed)


def test_a_forbidden_poll_has_a_code_of_its_own() -> None:
    """The policy counts these, so the provider's own word does not hide them."""
    event = task(403, comet("access_denied", "not allowed"))
    assert isinstance(event, PollFailed)
    assert event.problem.code == "forbidden"
    assert event.problem.message == "not allowed"


@pytest.mark.parametrize("form", [flat, wrapped, feed])
def test_an_answer_about_another_task_is_no_answer(form: Form) -> None:
    """A mix-up at the provider puts nobody's video under another's name."""
    for word in ("SUCCEEDED", "FAILED", "RUNNING"):
        mixed = json.loads(json.dumps(form(word, output=[FILM])).replace(ID, "another"))
        event = task(200, mixed)
        assert isinstance(event, PollFailed)
        assert event.problem.code == "wrong_task"
        assert "another" in event.problem.message
    assert task(200, {"status": "SUCCEEDED", "output": [FILM]}) == Rendered(FILM)
    assert task(200, wrapped("RUNNING", data={"id": "upstream's own"})) == StillRunning("RUNNING")


@pytest.mark.parametrize("status", [None, 7, True, [], {}, "", "  "])
def test_a_status_that_is_no_word(status: object) -> None:
    """Nothing is concluded from it; a good word in another layer still counts."""
    assert isinstance(task(200, {"id": ID, "status": status}), PollFailed)
    inner = {"status": "RUNNING"}
    assert task(200, {"status": status, "data": inner}) == StillRunning("RUNNING")


# ---------------------------------------------------------------- waiting


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1", None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("9" * 30, None),
        ("7, 8", None),
        ("Fri, 99 Foo 2026 99:99:99 GMT", None),
        ("1 Jan 99:99 99999999999", None),
        (formatdate(NOW + 60, usegmt=True), 60.0),
        (formatdate(NOW + 60), 60.0),
        (formatdate(NOW - 60, usegmt=True), 0.0),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    """Seconds or a date by our own clock; nonsense is no wish at all."""
    got = answer(429, b"", retry_after=value)
    assert retry_after(got, NOW) == seconds
    assert submit(429, b"", retry_after=value) == Throttled(
        problem_of(submit(429, b"")),
        seconds,
    )
    polled = task(429, b"", retry_after=value)
    assert isinstance(polled, PollFailed)
    assert polled.retry_after == seconds


@pytest.mark.parametrize("skew", [-7200.0, 0.0, 7200.0])
def test_a_date_counts_from_the_servers_clock(skew: float) -> None:
    """When the answer tells its own time, a wrong clock on either side does not matter."""
    when = formatdate(NOW + skew + 60, usegmt=True)
    told = formatdate(NOW + skew, usegmt=True)
    assert retry_after(answer(429, b"", retry_after=when, date=told), NOW) == 60.0
    assert retry_after(answer(429, b"", retry_after=when, date="junk"), NOW) == max(0, 60 + skew)


# ---------------------------------------------------------------- whatever else may come

NASTY = [
    "\x1b[2J\x1b]0;title\x07",
    "line\r\nline\nline\u2028line\x85line",
    "\x00\x08\x7f\x9b31m",
    "\u202eright to left\u2066",
    "\ud800",
    "x" * 30_000,
    "\x1b" * 30_000,
]


def texts(event: Event) -> list[str]:
    """Every text in an event that is stored or shown, except a video's address."""
    problem = getattr(event, "problem", None)
    found = [problem.code, problem.message, problem.request_id] if problem else []
    found += [getattr(event, name, "") for name in ("remote_status", "task_id", "request_id")]
    return found


def check(event: Event) -> None:
    """Nothing in an event steers a terminal, breaks a line, floods a log or can't be stored."""
    for text in texts(event):
        assert text.isprintable()
        assert len(text) <= 600
        text.encode()
    if isinstance(event, Rendered):
        assert event.url.startswith(("http://", "https://"))
        assert event.url.isprintable()
        event.url.encode()


@pytest.mark.parametrize("nasty", NASTY, ids=range(len(NASTY)))
def test_what_comes_from_outside_is_one_short_printable_line(nasty: str) -> None:
    """In every place where the provider's words are kept."""
    for envelope in (*ENVELOPES, brief):
        for status in (200, 400, 401, 403, 404, 429, 500, 503):
            payload = envelope(nasty, nasty)
            check(submit(status, payload))
            check(task(status, payload))
    check(submit(400, {"error": nasty, "issues": [{"path": [nasty], "message": nasty}] * 9}))
    check(submit(400, b"{}", x_oneapi_request_id=nasty))
    check(task(200, flat(nasty)))
    check(task(200, flat("FAILED", failure=nasty, failureCode=nasty)))
    check(task(200, flat("SUCCEEDED", output=[f"https://films.example/{nasty}"])))


def test_json_of_any_depth_is_read_or_left() -> None:
    """Where the parser just manages, so does everything after it."""
    depths = [*range(900, 1000), 5_000, 200_000]
    for depth in depths:
        for name in (
            b"code",
            b"message",
            b"status",
            b"error",
            b"data",
            b"id",
            b"output",
            b"issues",
        ):
            body = b'{"' + name + b'":' + b"[" * depth + b"]" * depth + b"}"
            assert isinstance(submit(200, body), Lost)
            assert isinstance(task(200, body), PollFailed)
            body = b'{"' + name + b'":' * 1 + b'{"data":' * depth + b"1" + b"}" * depth + b"}"
            assert isinstance(submit(200, body), Lost)
            assert isinstance(task(200, body), PollFailed)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id": ' + b"9" * 5000 + b"}",
        b'{"id": -1}',
        b'{"id": 1e999}',
        b'{"id": -Infinity}',
        b'{"id": "\\ud800"}',
        b'{"id": "\xff"}',
        '{"id": "x"}'.encode("utf-16"),
        b'{"id": "x"',
        b'{"id": "x"} trailing',
        b'{"id": "x", "id": null}',
    ],
)
def test_odd_json_is_not_a_task(body: bytes) -> None:
    """Nothing odd is taken for an id, except in another encoding that JSON allows."""
    event = submit(200, body)
    if body.startswith("\ufeff".encode("utf-16-le")):
        assert event == Accepted("x")
    else:
        assert isinstance(event, Lost)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        [ID, FILM, "SUCCESS", "FAILED", "RUNNING", "task_not_exist", "success", "quota_not_enough"]
    ),
)
NAMES = ["id", "task_id", "code", "message", "msg", "error", "data", "status", "output"]
NAMES += [
    "video_url",
    "result_url",
    "url",
    "fail_reason",
    "failure",
    "failureCode",
    "issues",
    "path",
]
names = st.sampled_from(NAMES)
payloads = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=5)),
    max_leaves=12,
)
bodies = st.one_of(st.binary(max_size=60), payloads.map(lambda value: json.dumps(value).encode()))
headers = st.dictionaries(
    st.sampled_from(["retry-after", "date", "x-oneapi-request-id", "content-type"]),
    st.one_of(st.text(max_size=40), st.sampled_from(["7", formatdate(NOW), "1 Jan 99999 1:1"])),
)
statuses = st.one_of(st.integers(100, 599), st.sampled_from([200, 400, 403, 404, 429, 500, 503]))

SUBMITTED = (WrongAddress, Accepted, Throttled, Unserved, Refused, AccountRefused, Lost)
POLLED = (StillRunning, Invisible, PollFailed, AccountRefused, Rendered, RenderFailed)


@given(statuses, headers, bodies)
def test_any_answer_to_a_submit(status: int, headers: dict[str, str], body: bytes) -> None:
    """Never an exception; accepted only with a usable id and a 2xx, and then always."""
    event = read_submit(Answer(status, headers, body), NOW)
    assert isinstance(event, SUBMITTED)
    check(event)
    if isinstance(event, Accepted):
        assert 200 <= status < 300
        assert is_task_id(event.task_id)
        assert event.task_id.encode() in body or b"\\u" in body or b"\x00" in body
    elif 200 <= status < 300:
        assert isinstance(event, Lost)


@given(st.sampled_from([408, 499, *range(500, 600)]), headers, bodies)
def test_a_platform_error_is_in_doubt(status: int, headers: dict[str, str], body: bytes) -> None:
    """A submit that ends in a 5xx or a time-out may be charged, unless it clearly says why not."""
    event = read_submit(Answer(status, headers, body), NOW)
    said = (b"invalid_request", b"quota", b"model_not_found", b"credit", b"channel", b"balance")
    if not any(word in body.lower() for word in said):
        assert isinstance(event, Lost)


@given(statuses, headers, bodies)
def test_any_answer_to_a_poll(status: int, headers: dict[str, str], body: bytes) -> None:
    """Never an exception; a verdict on the task only from a 2xx that says so."""
    event = read_task(Answer(status, headers, body), ID, NOW)
    assert isinstance(event, POLLED)
    check(event)
    if isinstance(event, (StillRunning, Rendered, RenderFailed)):
        assert 200 <= status < 300


@given(st.text(max_size=60), st.text(max_size=60), st.floats(0, 4e9))
def test_any_wish_to_wait(value: str, date: str, now: float) -> None:
    """A pause that is asked for is a number, never negative, or nothing."""
    wait = retry_after(answer(429, b"", retry_after=value, date=date), now)
    assert wait is None or 0 <= wait < 1e12
