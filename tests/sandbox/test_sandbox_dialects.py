"""Task details in every form that was seen."""

from __future__ import annotations

from typing import Any

import pytest

from runner.sandbox.dialects import MIXED, MIXED_FEED, Form, describe, form_for, not_visible
from runner.sandbox.tasks import Charge, Plan, Task

from .sandbox_world import EPOCH, RUNWAY, World, content

DONE = Task(Charge("id-1", EPOCH, {}, "r"), Plan(0, 0, 1, 4))
LINK = "https://films/1.mp4"


def test_a_wrapped_task_looks_like_the_live_one() -> None:
    """The envelope, the row and the inner task have the fields of the live answer."""
    world = World(dialect="wrapped")
    task_id = world.submit()
    assert world.poll(task_id) == {
        "code": "success",
        "message": "",
        "data": {
            "task_id": task_id,
            "action": "IMAGE_TO_VIDEO",
            "status": "QUEUED",
            "fail_reason": "",
            "submit_time": int(EPOCH),
            "start_time": 0,
            "finish_time": 0,
            "progress": "0%",
            "data": {
                "id": task_id,
                "status": "PENDING",
                "createdAt": "2027-01-15T08:00:00.000Z",
            },
        },
    }
    assert world.feed(task_id) == world.poll(task_id)


def test_a_wrapped_task_runs_and_succeeds() -> None:
    """Progress in per cent, start and finish in unix seconds, the film in data.data.output."""
    world = World(dialect="wrapped")
    task_id = world.submit()
    world.now += 3
    row = world.poll(task_id)["data"]
    assert (row["status"], row["progress"], row["start_time"]) == ("IN_PROGRESS", "50%", EPOCH + 1)
    world.now += 2
    row = world.poll(task_id)["data"]
    assert (row["status"], row["progress"], row["finish_time"]) == ("SUCCESS", "100%", EPOCH + 5)
    assert row["data"]["output"][0].endswith(world.poll(task_id)["data"]["data"]["output"][0][-64:])


def test_the_flat_feed() -> None:
    """In the flat dialect the feed is a bare row with result_url."""
    world = World()
    task_id, _ = world.finished()
    row = world.feed(task_id)
    assert (row["task_id"], row["status"]) == (task_id, "SUCCESS")
    assert row["result_url"].startswith("https://sandbox.test/films/")
    assert "data" not in row


@pytest.mark.parametrize(
    ("form", "path"),
    [
        (Form("flat"), ["output", 0]),
        (Form("wrapped"), ["data", "data", "output", 0]),
        (Form("wrapped", "data.video_url"), ["data", "data", "video_url"]),
        (Form("wrapped", "result_url"), ["data", "result_url"]),
        (Form("wrapped", "video_url"), ["data", "video_url"]),
        (Form("wrapped", "fail_reason"), ["data", "fail_reason"]),
        (Form("feed", "result_url"), ["result_url"]),
        (Form("feed", "video_url"), ["video_url"]),
    ],
)
def test_the_video_is_where_the_form_says_and_nowhere_else(
    form: Form, path: list[str | int]
) -> None:
    """Each variation has the link at its one place, and only at the end."""
    found: Any = describe(DONE, EPOCH + 5, form, LINK)
    assert str(found).count(LINK) == 1
    for step in path:
        found = found[step]
    assert found == LINK
    assert LINK not in str(describe(DONE, EPOCH + 4, form, LINK))


def test_statuses_may_be_in_lower_case() -> None:
    """The lower-case form lowers both statuses."""
    assert describe(DONE, EPOCH + 5, Form("flat", lower=True), LINK)["status"] == "succeeded"
    wrapped: Any = describe(DONE, EPOCH + 5, Form("wrapped", lower=True), LINK)
    assert (wrapped["data"]["status"], wrapped["data"]["data"]["status"]) == (
        "success",
        "succeeded",
    )


def test_mixed_uses_every_form_and_keeps_to_it_for_a_task() -> None:
    """Over many tasks each form comes up, and a task never changes its own."""
    world = World(dialect="mixed")
    ids = [world.submit() for _ in range(200)]
    assert {form_for("mixed", "poll", task_id) for task_id in ids} == set(MIXED)
    assert {form_for("mixed", "feed", task_id) for task_id in ids} == set(MIXED_FEED)
    assert all(world.poll(task_id) == world.poll(task_id) for task_id in ids)


@pytest.mark.parametrize("dialect", ["flat", "wrapped"])
def test_a_failed_and_a_cancelled_task(dialect: str) -> None:
    """Both dialects tell the failure's code, and that a task was cancelled."""
    world = World("task:SAFETY.INPUT.TEXT~bad", "task:cancelled~stop", dialect=dialect)
    failed, cancelled = world.submit(promptText="bad"), world.submit(promptText="stop")
    world.now += 5
    if dialect == "flat":
        task = world.poll(failed)
        assert (task["status"], task["failureCode"]) == ("FAILED", "SAFETY.INPUT.TEXT")
        assert "moderation" in task["failure"]
        assert world.poll(cancelled)["status"] == "CANCELLED"
    else:
        row = world.poll(failed)["data"]
        assert (row["status"], row["fail_reason"]) == ("FAILURE", "SAFETY.INPUT.TEXT")
        assert world.poll(cancelled)["data"]["data"]["status"] == "CANCELLED"


@pytest.mark.parametrize(
    ("form", "status", "key"),
    [
        (Form("flat", invisible="400"), 400, "code"),
        (Form("flat", invisible="code"), 200, "code"),
        (Form("flat", invisible="message"), 200, "message"),
        (Form("flat", invisible="status"), 200, "status"),
    ],
)
def test_not_visible_yet(form: Form, status: int, key: str) -> None:
    """task_not_exist is in the field the form says."""
    reply = not_visible(form)
    assert reply.status == status
    assert isinstance(reply.body, bytes)
    assert f'"{key}": "task_not_exist"'.encode() in reply.body


def test_runway_tells_what_a_task_costs() -> None:
    """At Runway's own address only: an estimate at first, free failures, dear moderation."""
    world = World("task:INTERNAL~broken", "task:SAFETY.INPUT.TEXT~bad")
    fine, broken, bad = (world.submit(promptText=text) for text in ("fine", "broken", "bad"))
    assert world.poll(fine, RUNWAY)["estimatedCost"] == {"credits": 25}
    world.now += 5
    costs = [world.poll(task_id, RUNWAY)["cost"]["credits"] for task_id in (fine, broken, bad)]
    assert costs == [25, 0, 25]
    assert "cost" not in world.poll(fine)
    assert content(world.create(RUNWAY, model="gen4.5"))["estimatedCost"] == {"credits": 60}
    assert set(content(world.create())) == {"id"}
