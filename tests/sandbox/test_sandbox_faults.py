"""Every fault of the table does what its line says, and its text form is read back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.sandbox import KINDS, Fault, Reply
from runner.sandbox.faults import CALLS, IN_PROCESS_ONLY, FaultPicker, help_table, kinds_of
from runner.sandbox.wire import deliver

from .sandbox_world import COMET, RUNWAY, World, content

MADE = [(call, kind.name) for kind in KINDS for call in kind.calls]
FILM = b"0123456789" * 10


def strike(call: str, fault: str, house: str = COMET) -> tuple[Reply, int]:
    """The reply to one call hit by a fault, and how many tasks were charged for it."""
    world = World(fault)
    if call == "submit":
        reply = world.create(house)
        return reply, len(world.simulator.charges)
    task_id, link = world.finished() if not fault.startswith("poll") else (world.submit(), "")
    match call:
        case "poll":
            reply = world.send("GET", f"{house}/tasks/{task_id}")
        case "feed":
            reply = world.send("POST", "/runway/feed", {"task_id": task_id})
        case _:
            reply = world.film(link)
    return deliver(reply, FILM), 0


@pytest.mark.parametrize(("call", "kind"), [pair for pair in MADE if pair[0] != "task"])
def test_every_kind_makes_a_difference(call: str, kind: str) -> None:
    """No kind of the table is without effect on a call it is for."""
    if call == "submit":
        healthy, _ = strike("submit", "poll:500~nobody")
    else:
        healthy, _ = strike(call, f"{call}:{kind}~nobody")
    struck, _ = strike(call, f"{call}:{kind}")

    def seen(reply: Reply) -> object:
        headers = {k: v for k, v in reply.headers.items() if k != "x-cometapi-request-id"}
        return headers, reply.status, reply.body, reply.delay, reply.cut_after, reply.connect

    assert seen(struck) != seen(healthy)


@pytest.mark.parametrize("call", ["submit", "poll", "feed"])
@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [
        ("400", 400, b"Validation of body failed"),
        ("401", 401, b"comet_api_error"),
        ("402", 402, b"not enough credits"),
        ("403", 403, b"not allowed"),
        ("403-quota", 403, b"insufficient_user_quota"),
        ("408", 408, b"timed out"),
        ("429", 429, b"saturated"),
        ("429-empty", 429, b""),
        ("500", 500, b"Internal"),
        ("502", 502, b"<h1>"),
        ("503", 503, b"overloaded"),
        ("504", 504, b"<h1>"),
        ("524", 524, b"<h1>"),
        ("html", 200, b"<h1>"),
        ("junk", 200, b'{"id": "'),
        ("redirect", 301, b""),
    ],
)
def test_answers_on_the_api(call: str, kind: str, status: int, text: bytes) -> None:
    """The status and the words of each answer, and none of them charges."""
    reply, charged = strike(call, f"{call}:{kind}")
    assert isinstance(reply.body, bytes)
    assert (reply.status, charged) == (status, 0)
    assert text in reply.body
    assert (kind == "429-empty") <= (reply.body == b"")


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("404", 404, "not_found"),
        ("422", 422, "unprocessable_entity"),
        ("500-invalid-request", 500, "invalid_request"),
        ("503-no-channel", 503, "model_not_found"),
    ],
)
def test_answers_to_a_submit_alone(kind: str, status: int, code: str) -> None:
    """Their codes are in the comet envelope; nothing is charged."""
    reply, charged = strike("submit", f"submit:{kind}")
    assert (reply.status, content(reply)["error"]["code"], charged) == (status, code, 0)


def test_runway_answers_in_its_own_envelope() -> None:
    """At Runway's own address an error is a bare text."""
    reply, _ = strike("submit", "submit:503", RUNWAY)
    assert content(reply) == {"error": "The service is overloaded"}


def test_retry_after_as_seconds_and_as_a_date() -> None:
    """Both ways of writing the header, with the time asked for."""
    reply, _ = strike("submit", "submit:429-retry-after:7")
    assert reply.headers["retry-after"] == "7"
    reply, _ = strike("submit", "submit:429-retry-date:90")
    assert reply.headers["retry-after"] == "Fri, 15 Jan 2027 08:01:30 GMT"


@pytest.mark.parametrize(
    ("kind", "charged", "cut", "reset", "status"),
    [
        ("cut", 0, 0, False, 500),
        ("reset", 0, 0, True, 500),
        ("charged-then-cut", 1, 0, False, 500),
        ("charged-then-reset", 1, 0, True, 500),
        ("charged-then-500", 1, None, False, 500),
        ("charged-then-504", 1, None, False, 504),
        ("charged-no-id", 1, None, False, 200),
        ("slow:9", 1, None, False, 200),
        ("connect-error", 0, None, False, 0),
        ("connect-timeout", 0, None, False, 0),
        ("pool-timeout", 0, None, False, 0),
    ],
)
def test_what_a_broken_submit_costs(
    kind: str, charged: int, cut: int | None, reset: bool, status: int
) -> None:
    """Whether the task was charged is what the name says, whatever the client sees."""
    reply, paid = strike("submit", f"submit:{kind}")
    assert paid == charged
    assert (reply.cut_after, reply.reset, reply.status) == (cut, reset, status)
    if kind == "charged-no-id":
        assert "id" not in content(reply)
    assert reply.delay == (9 if kind == "slow:9" else 0)


@pytest.mark.parametrize(
    ("kind", "status", "found"),
    [
        ("invisible-400", 400, {"code": "task_not_exist"}),
        ("invisible-code", 200, {"code": "task_not_exist"}),
        ("invisible-message", 200, {"message": "task_not_exist"}),
        ("invisible-status", 200, {"status": "task_not_exist"}),
        ("invisible-404", 404, {"error": "Task not found"}),
        ("throttled", 200, {"status": "THROTTLED"}),
        ("unknown-status", 200, {"status": "REVIEWING"}),
        ("unknown-status:PAUSED", 200, {"status": "PAUSED"}),
    ],
)
def test_what_a_poll_may_claim(kind: str, status: int, found: dict[str, str]) -> None:
    """Each odd answer to a poll has its word in its field."""
    reply, _ = strike("poll", f"poll:{kind}")
    assert reply.status == status
    assert content(reply).items() >= found.items()


@pytest.mark.parametrize(
    ("kind", "status", "length", "sent", "cut"),
    [
        ("expired", 403, None, None, None),
        ("gone", 404, None, None, None),
        ("500", 500, None, None, None),
        ("html", 200, None, None, None),
        ("truncated", 200, "100", FILM, 50),
        ("truncated-reset", 200, "100", FILM, 50),
        ("short", 200, "66", FILM[:66], None),
        ("no-length", 200, None, FILM, None),
    ],
)
def test_broken_films(
    kind: str, status: int, length: str | None, sent: bytes | None, cut: int | None
) -> None:
    """What is announced, what is there, and where it breaks."""
    reply, _ = strike("film", f"film:{kind}")
    assert (reply.status, reply.cut_after) == (status, cut)
    assert reply.reset == (kind == "truncated-reset")
    if sent is not None:
        assert reply.body == sent
        assert reply.headers.get("content-length") == length


def test_tasks_that_never_end_well() -> None:
    """Stuck runs for ever, never is never found, throttled waits: all of them charged."""
    world = World("task:stuck~one", "task:never~two", "task:throttled:60~three")
    stuck, never, late = (world.submit(promptText=text) for text in ("one", "two", "three"))
    world.now += 59
    assert world.poll(late)["status"] == "THROTTLED"
    world.now += 1e6
    assert (world.poll(stuck)["status"], world.poll(stuck)["progress"]) == ("RUNNING", 0.99)
    assert world.poll(never)["code"] == "task_not_exist"
    assert world.poll(late)["status"] == "SUCCEEDED"
    assert len(world.simulator.charges) == 3


def test_first_and_order() -> None:
    """The first faults run out in turn, then all is well."""
    world = World("submit:500#2", "submit:429#1")
    assert [world.create().status for _ in range(5)] == [500, 500, 429, 200, 200]


def test_match_looks_at_prompt_image_and_id() -> None:
    """A fault hits only the tasks that contain its text, on every call."""
    world = World("submit:500~dog", "submit:502~x.png", "film:gone~cat.jpg")
    assert world.create(promptText="a dog").status == 500
    assert world.create(promptImage="https://example.com/x.png").status == 502
    assert world.film(world.finished()[1]).status == 404
    other = World()
    task_id = other.submit()
    world = World(f"poll:503~{task_id}")
    assert world.submit() == task_id
    assert world.send("GET", f"{COMET}/tasks/{task_id}").status == 503


def test_the_rate_is_a_share_of_the_calls() -> None:
    """A fifth of the calls is hit, give or take, and the same ones each time."""

    def hits(seed: int) -> list[bool]:
        picker = FaultPicker([Fault.parse("poll:500@0.2")], seed)
        return [picker.pick("poll", [""]) is not None for _ in range(1000)]

    assert 150 < sum(hits(1)) < 250
    assert hits(1) == hits(1) != hits(2)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("submit:429@0.2", Fault("submit", "429", rate=0.2)),
        ("film:truncated#3", Fault("film", "truncated", first=3)),
        ("task:SAFETY.INPUT.TEXT@0.1", Fault("task", "failed", "SAFETY.INPUT.TEXT", rate=0.1)),
        ("poll:slow:5s~https://a.b/@c#d", Fault("poll", "slow", "5s", match="https://a.b/@c#d")),
        ("task:failed", Fault("task", "failed", "INTERNAL")),
        ("submit:slow:1.5s@1#1~x", Fault("submit", "slow", "1.5s", first=1, match="x")),
    ],
)
def test_the_text_form(text: str, fault: Fault) -> None:
    """A fault is read from the command line's form."""
    assert Fault.parse(text) == fault


@given(
    pair=st.sampled_from(MADE),
    rate=st.floats(0.001, 1),
    first=st.none() | st.integers(0, 10**6),
    match=st.text(max_size=20),
)
def test_text_forms_are_read_back(
    pair: tuple[str, str], rate: float, first: int | None, match: str
) -> None:
    """Whatever is written is read as the same fault."""
    fault = Fault(*pair, rate=round(rate, 3), first=first, match=match)
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("429", "write CALL:KIND"),
        ("submit:", "write CALL:KIND"),
        ("sumbit:429", "did you mean 'submit'"),
        ("film:truncatd", "did you mean 'truncated'"),
        ("poll:charged-then-cut", "not a poll fault"),
        ("submit:429:5", "takes no argument"),
        ("poll:slow:soon", "not a duration"),
        ("poll:500@2", "not a rate"),
        ("poll:500@1.2.3", "not a rate"),
        ("task:safety", "not a task fault"),
    ],
)
def test_mistakes_are_explained(text: str, says: str) -> None:
    """A wrong fault says what is allowed, or the nearest right name."""
    with pytest.raises(ValueError, match=says):
        Fault.parse(text)


def test_the_help_names_every_kind_a_server_can_do() -> None:
    """The table in the help is the table in the code."""
    words = help_table().split()
    for call in CALLS:
        for kind in kinds_of(call).values():
            assert (kind.usage in words) == (kind.name not in IN_PROCESS_ONLY)
