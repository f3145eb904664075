"""The simulator's calls, rules, limits and books, in virtual time."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.sandbox import Reply, Request, Settings, Simulator, Span
from runner.sandbox.wire import Film, deliver

from .sandbox_world import BODY, COMET, HEADERS, RUNWAY, World, content


def test_a_task_goes_from_pending_to_a_film() -> None:
    """A flat task is PENDING, RUNNING with progress, then SUCCEEDED with an output."""
    world = World()
    task_id = world.submit()
    assert world.poll(task_id) == {
        "id": task_id,
        "status": "PENDING",
        "createdAt": "2027-01-15T08:00:00.000Z",
    }
    world.now += 3
    running = world.poll(task_id)
    assert (running["status"], running["progress"]) == ("RUNNING", 0.5)
    world.now += 2
    done = world.poll(task_id)
    assert done["status"] == "SUCCEEDED"
    assert done["output"][0].startswith(f"https://sandbox.test/films/{task_id}.mp4?")


@pytest.mark.parametrize("house", [COMET, RUNWAY])
def test_both_houses_serve_the_same_task(house: str) -> None:
    """A task created at either address is polled at both."""
    world = World()
    task_id = world.submit(house)
    assert world.poll(task_id, COMET)["id"] == world.poll(task_id, RUNWAY)["id"] == task_id


def test_ids_are_uuid_4_and_every_answer_has_a_request_id() -> None:
    """Ids look like the provider's, and support could find every answer."""
    world = World()
    replies = [world.create(), world.send("GET", "/nowhere"), world.send("GET", "/sandbox/ledger")]
    assert content(replies[0])["id"][14] == "4"
    ids = [reply.headers["x-cometapi-request-id"] for reply in replies]
    assert len(set(ids)) == 3


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic abc", "key"])
def test_a_missing_key_is_401_in_the_comet_envelope(authorization: str | None) -> None:
    """Without a bearer key nothing is charged."""
    world = World()
    headers = {"x-runway-version": "2024-11-06"}
    if authorization is not None:
        headers["authorization"] = authorization
    reply = world.send("POST", f"{COMET}/image_to_video", BODY, headers)
    assert reply.status == 401
    assert content(reply)["error"]["type"] == "comet_api_error"
    assert world.simulator.charges == []


def test_only_the_key_that_is_set_is_accepted() -> None:
    """With a key set, another key is 401; Runway's own routes answer in their own shape."""
    world = World(key="secret")
    assert world.create().status == 401
    assert set(content(world.create(RUNWAY))) == {"error"}
    good = {**HEADERS, "authorization": "Bearer secret"}
    assert world.send("POST", f"{COMET}/image_to_video", BODY, good).status == 200


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("POST", f"{COMET}/image_to_video"),
        ("GET", f"{COMET}/tasks/x"),
        ("POST", "/runway/feed"),
        ("DELETE", f"{RUNWAY}/tasks/x"),
    ],
)
def test_the_version_header_is_required(method: str, target: str) -> None:
    """Every call without X-Runway-Version is 400."""
    reply = World().send(method, target, BODY, {"authorization": "Bearer key"})
    assert reply.status == 400


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("promptImage", None),
        ("promptImage", ""),
        ("promptImage", "http://example.com/cat.jpg"),
        ("promptImage", "https://" + "x" * 2048),
        ("model", None),
        ("model", ""),
        ("promptText", "x" * 513),
        ("promptText", 7),
        ("seed", -1),
        ("seed", 1_000_000_000),
        ("seed", "7"),
        ("seed", True),
        ("watermark", "yes"),
        ("duration", 7),
        ("duration", "5"),
        ("ratio", "16:9"),
        ("ratio", 969),
    ],
)
def test_a_bad_parameter_is_named_in_the_issues(field: str, value: object) -> None:
    """Runway's validation error says which field is wrong, and nothing is charged."""
    world = World()
    reply = world.create(COMET, **{field: value})
    assert reply.status == 400
    error = content(reply)
    assert error["error"] == "Validation of body failed"
    assert [issue["path"] for issue in error["issues"]] == [[field]]
    assert all(set(issue) == {"code", "path", "message"} for issue in error["issues"])
    assert world.simulator.charges == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_400(body: bytes) -> None:
    """Whatever is not an object is refused, not a crash."""
    assert World().send("POST", f"{COMET}/image_to_video", body).status == 400


def test_every_mistake_is_reported_at_once() -> None:
    """Three wrong fields give three issues."""
    reply = World().create(seed=-1, ratio="1:1", duration=6)
    assert {issue["path"][0] for issue in content(reply)["issues"]} == {"seed", "ratio", "duration"}


@pytest.mark.parametrize(
    "body",
    [
        {"ratio": "1584:672", "duration": 10, "seed": 999_999_999, "watermark": True},
        {"promptText": "x" * 512},
        {"model": "gen4_turbo", "duration": 7, "promptText": "x" * 1000},
        {"model": "veo3.1", "ratio": "1920:1080", "duration": 4},
        {"model": "gen4_turbo", "promptImage": "data:image/png;base64,AAAA"},
    ],
)
def test_good_bodies_are_accepted(body: dict[str, Any]) -> None:
    """The edges of the rules are inside; other models are held to less."""
    assert World().create(**body).status == 200


def test_runway_itself_knows_no_watermark() -> None:
    """A field CometAPI documents is refused at Runway's own address."""
    world = World()
    assert world.create(COMET, model="gen4_turbo", watermark=False).status == 200
    assert world.create(RUNWAY, model="gen4_turbo", watermark=False).status == 400


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/"), ("GET", f"{COMET}/image_to_video"), ("POST", "/v2/image_to_video")],
)
def test_anything_else_is_an_html_404(method: str, target: str) -> None:
    """A wrong path answers as a web server does."""
    reply = World().send(method, target)
    assert reply.status == 404
    assert reply.headers["content-type"].startswith("text/html")


def test_delete_makes_a_task_unfindable() -> None:
    """204, and then the task and its film are gone; a second DELETE finds nothing."""
    world = World()
    task_id, link = world.finished()
    assert world.send("DELETE", f"{RUNWAY}/tasks/{task_id}").status == 204
    assert world.send("GET", f"{RUNWAY}/tasks/{task_id}").status == 404
    assert world.send("GET", f"{COMET}/tasks/{task_id}").status == 400
    assert world.film(link).status == 404
    assert world.send("DELETE", f"{COMET}/tasks/{task_id}").status == 400


def test_slots_make_tasks_wait_in_order() -> None:
    """With two slots the third task starts when the first ends, the fifth when the third does."""
    world = World(slots=2)
    ids = [world.submit() for _ in range(5)]

    def statuses() -> list[str]:
        return [world.poll(task_id)["status"][0] for task_id in ids]

    assert statuses() == ["P", "P", "T", "T", "T"]
    world.now += 5
    assert statuses() == ["S", "S", "P", "P", "T"]
    world.now += 5
    assert statuses() == ["S", "S", "S", "S", "P"]


def test_a_stuck_task_does_not_block_the_slots() -> None:
    """The task behind a stuck one gets its turn."""
    world = World("task:stuck#1", slots=1)
    _, second = world.submit(), world.submit()
    world.now += 10
    assert world.poll(second)["status"] == "SUCCEEDED"


def test_throttled_is_queued_when_wrapped() -> None:
    """The wrapped dialect has no word for waiting, but Runway's own inside."""
    world = World(slots=1, dialect="wrapped")
    world.submit()
    row = world.poll(world.submit())["data"]
    assert (row["status"], row["data"]["status"]) == ("QUEUED", "THROTTLED")


def test_the_daily_cap_lifts_after_a_day() -> None:
    """Over the cap is 429; a day later there is room again."""
    world = World(daily_cap=1)
    world.submit()
    assert world.create().status == 429
    world.now += 86_400
    assert world.create().status == 200


def test_credit_runs_out() -> None:
    """After the last paid task: 403 insufficient_user_quota, and no charge."""
    world = World(credit=1)
    world.submit()
    reply = world.create()
    assert reply.status == 403
    assert content(reply)["error"]["code"] == "insufficient_user_quota"
    assert len(world.simulator.charges) == 1


def test_a_task_is_invisible_at_first() -> None:
    """For as long as the setting says, polls say task_not_exist (404 at Runway's own address)."""
    world = World(invisible=Span(3, 3))
    task_id = world.submit()
    assert world.poll(task_id)["code"] == "task_not_exist"
    assert world.feed(task_id)["code"] == "task_not_exist"
    assert world.send("GET", f"{RUNWAY}/tasks/{task_id}").status == 404
    world.now += 3
    assert world.poll(task_id)["status"] == "RUNNING"


def test_the_books_show_how_a_client_behaved() -> None:
    """The audit counts calls, answers, twins, gaps between polls and keys sent with films."""
    world = World("poll:500#1")
    first, second = world.submit(promptText="a"), world.submit(promptText="a")
    world.submit(promptText="b")
    for wait in (0, 2, 3):
        world.now += wait
        world.send("GET", f"{COMET}/tasks/{first}")
    world.feed(second)
    link = world.poll(second, RUNWAY)["output"][0]
    world.film(link, authorization="Bearer key")
    audit = content(world.send("GET", "/sandbox/ledger", headers={}))
    assert audit["charged"] == 3
    assert audit["duplicates"] == [[first, second]]
    assert audit["requests"] == {"submit": 3, "poll": 4, "feed": 1, "film": 1}
    assert audit["answers"]["poll"] == {"500": 1, "200": 3}
    assert audit["most_unfinished_at_once"] == 3
    assert audit["shortest_poll_gap"] == 0
    assert audit["film_requests_with_key"] == 1
    assert audit["charges"][0]["body"] == {**BODY, "promptText": "a"}
    assert [charge.task_id for charge in world.simulator.charges][:2] == [first, second]


def test_most_unfinished_counts_the_moment_not_the_sum() -> None:
    """Tasks one after the other are one at a time; a deleted one no longer counts."""
    world = World()
    for _ in range(3):
        world.finished()
    assert world.simulator.audit()["most_unfinished_at_once"] == 1
    for _ in range(3):
        world.send("DELETE", f"{COMET}/tasks/{world.submit()}")
        world.now += 1
    assert world.simulator.audit()["most_unfinished_at_once"] == 1


def test_the_gap_between_polls_is_per_task() -> None:
    """Polls of two tasks at the same moment are no gap; two of one task are."""
    world = World()
    first, second = world.submit(), world.submit()
    for task_id in (first, second):
        world.poll(task_id)
    assert world.simulator.audit()["shortest_poll_gap"] is None
    world.now += 1.5
    world.feed(first)
    assert world.simulator.audit()["shortest_poll_gap"] == 1.5


def test_links_expire_and_polls_give_fresh_ones() -> None:
    """An old link is 403, a tampered one too; a new poll's link works."""
    world = World(link_lifetime=10.0)
    task_id, link = world.finished()
    assert world.film(link).status == 200
    assert world.film(link.replace("signature=", "signature=0")).status == 403
    assert world.film(link.partition("?")[0] + "?expires=9&signature=x").status == 403
    world.now += 10
    assert world.film(link).status == 403
    fresh = world.poll(task_id)["output"][0]
    assert fresh != link
    assert world.film(fresh).status == 200


def test_a_film_is_not_there_before_it_is_rendered() -> None:
    """A link signed for one film opens no other."""
    world = World()
    _, link = world.finished()
    other = world.submit()
    query = link.partition("?")[2]
    assert world.send("GET", f"/films/{other}.mp4?{query}", headers={}).status == 403


@pytest.mark.parametrize(
    ("header", "status", "data", "content_range"),
    [
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=7-", 206, b"789", "bytes 7-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
        ("bytes=-4", 206, b"6789", "bytes 6-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=3-1", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("lines=1-2", 200, b"0123456789", None),
        ("", 200, b"0123456789", None),
    ],
)
def test_ranges(header: str, status: int, data: bytes, content_range: str | None) -> None:
    """One byte range is served, one outside is 416, anything else is ignored."""
    world = World()
    reply = deliver(world.film(world.finished()[1], range=header), b"0123456789")
    assert (reply.status, reply.body) == (status, data)
    assert reply.headers.get("content-range") == content_range
    assert reply.headers["content-length"] == str(len(data))


def test_head_gives_the_length_and_no_body() -> None:
    """HEAD of a film announces it; HEAD of nothing is an empty 404."""
    world = World()
    reply = deliver(world.film(world.finished()[1], method="HEAD"), b"0123456789")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "10")
    assert world.send("HEAD", "/nowhere").body == b""


def test_the_film_is_the_one_that_was_asked_for() -> None:
    """Size, length and captions come from the request body."""
    world = World()
    link = world.finished(ratio="720:1280", duration=10, promptText="a yawn", seed=3)[1]
    film = world.film(link).body
    assert isinstance(film, Film)
    spec = film.spec
    assert (spec.width, spec.height, spec.seconds, spec.seed) == (720, 1280, 10.0, 3)
    assert (spec.image, spec.prompt, spec.model) == (BODY["promptImage"], "a yawn", "gen3a_turbo")


def _story(seed: int) -> list[Reply]:
    world = World(
        "submit:500@0.3", "task:failed@0.4", dialect="mixed", seed=seed, render=Span(2, 9)
    )
    story = [world.create(promptText=str(n)) for n in range(12)]
    for charge in world.simulator.charges:
        world.now += 1
        story.append(world.send("GET", f"{COMET}/tasks/{charge.task_id}"))
    return story


def test_the_same_seed_gives_the_same_world() -> None:
    """Every byte of every answer is repeated; another seed tells another story."""
    assert _story(1) == _story(1)
    assert _story(1) != _story(2)


def test_adding_a_fault_leaves_the_tasks_as_they_were() -> None:
    """Ids and plans have dice of their own."""
    ids = [World().submit(), World("poll:500@0.5").submit(), World("submit:slow").submit()]
    assert len(set(ids)) == 1


def test_tasks_outlive_the_simulator() -> None:
    """A new simulator fed the old one's records knows its tasks, and gives new ids to new ones."""
    old = World("task:failed:ASSET.INVALID#1", slots=1)
    failed, done, deleted = (old.submit(promptText=text) for text in "abc")
    old.send("DELETE", f"{COMET}/tasks/{deleted}")
    new = World(slots=1)
    new.now = old.now + 10
    new.simulator.restore(json.loads(json.dumps(old.records)))
    assert new.poll(failed)["failureCode"] == "ASSET.INVALID"
    assert new.poll(done)["status"] == "SUCCEEDED"
    assert new.poll(deleted)["code"] == "task_not_exist"
    assert new.simulator.charges == old.simulator.charges
    fresh = new.submit()
    assert fresh not in (failed, done, deleted)
    assert new.poll(fresh)["status"] == "THROTTLED"  # the deleted task's slot was planned for it


def test_settings_that_make_no_sense_are_refused() -> None:
    """Each says what is wrong."""
    with pytest.raises(ValueError, match="did you mean 'mixed'"):
        Settings(dialect="mixd")
    with pytest.raises(ValueError, match="slots"):
        Settings(slots=0)
    with pytest.raises(ValueError, match="link_lifetime"):
        Settings(link_lifetime=0)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from([*BODY, "promptText", "seed", "duration", "ratio", "watermark", "task_id"])


@settings(max_examples=150)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "HEAD", "PUT"]),
    target=st.sampled_from(
        [f"{COMET}/image_to_video", f"{RUNWAY}/image_to_video", "/runway/feed", f"{COMET}/tasks/x"]
    )
    | st.text(max_size=20),
    body=st.dictionaries(FIELDS, JUNK, max_size=4),
)
def test_nothing_a_client_sends_makes_it_raise(
    method: str, target: str, body: dict[str, object]
) -> None:
    """Any method, path and body get an answer that HTTP can carry."""
    world = World()
    for sent in (body, {**BODY, "model": "any", **body}):
        reply = world.send(method, target, sent)
        assert 200 <= reply.status < 600
    json.dumps(world.simulator.audit())


def test_the_origin_of_links_is_the_clients_view() -> None:
    """A client that reached the sandbox by another name gets links by that name."""
    world = World()
    task_id = world.submit()
    world.now += 5
    request = Request("GET", f"{COMET}/tasks/{task_id}", HEADERS, b"", "http://box:99")
    link = content(world.simulator.handle(replace(request)))["output"][0]
    assert link.startswith("http://box:99/films/")


def test_the_clock_may_start_at_zero() -> None:
    """Virtual clocks begin at 0."""
    simulator = Simulator(Settings(), lambda: 0.0)
    assert simulator.handle(Request("GET", "/")).status == 404
