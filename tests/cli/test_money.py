"""Before the money goes, as somebody at a desk sees it."""

from __future__ import annotations

import json
from collections.abc import Callable

from desk import MANIFEST, Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "200ms..500ms", "--queue", "50ms..100ms")


def done(desk: Desk) -> list[str]:
    """The ids of the finished jobs."""
    return [job["id"] for job in desk.status()["jobs"] if job["status"] == "done"]


def test_a_sample_then_the_rest(provided: Provided) -> None:
    """Three of eight, spread; the same again buys nothing; a larger sample keeps them."""
    desk = provided(*QUICK)
    desk.manifest(8)
    first = desk.run("run", "batch.yaml", "--sample", "3", code=3)
    assert "what was chosen is done" in first.stdout
    assert done(desk) == ["lamp-01", "lamp-03", "lamp-05"]
    again = desk.run("run", "batch.yaml", "--sample", "3", code=3)
    assert "(0 in this run)" in again.stdout
    desk.run("run", "batch.yaml", "--sample", "4", code=3)
    assert desk.audit()["charged"] == 4
    desk.run("run", "batch.yaml", "--sample", "100")
    assert desk.audit()["charged"] == 8


def test_by_name_and_by_number(provided: Provided) -> None:
    """--only, --first and --max-tasks narrow what is bought; --max-tasks alone goes on."""
    desk = provided(*QUICK)
    desk.manifest(9)
    desk.run("run", "batch.yaml", "--only", "lamp-0[45]", "--only", "lamp-09", code=3)
    assert done(desk) == ["lamp-04", "lamp-05", "lamp-09"]
    desk.run("run", "batch.yaml", "--first", "1", code=3)
    assert done(desk) == ["lamp-01", "lamp-04", "lamp-05", "lamp-09"]
    for bought in (6, 8):
        last = desk.run("run", "batch.yaml", "--max-tasks", "2", code=3)
        assert "the most that one run may buy is bought" in last.stdout
        assert desk.audit()["charged"] == bought


def test_an_id_that_nobody_has(desk: Desk) -> None:
    """A mistyped choice is refused, with the nearest id, and nothing is sent."""
    desk.manifest(3)
    for command in ("run", "plan"):
        refused = desk.run(command, "batch.yaml", "--only", "lamp-1", "--only", "chair-*", code=2)
        assert "lamp-1 is not in the manifest; did you mean lamp-01?" in refused.stderr
        assert "chair-* is not in the manifest" in refused.stderr


def test_a_plan_of_a_choice(desk: Desk) -> None:
    """The plan says how many of the submissions are chosen, and what they cost."""
    desk.manifest(8, MANIFEST.replace("jobs:", "price: 0.5\njobs:"))
    plan = desk.run("plan", "batch.yaml", "--sample", "3").stdout
    assert "8  submit     would be submitted and paid for, for 4.00" in plan
    assert "chosen: 3 of the 8 submissions, for 1.50" in plan
    found = json.loads(desk.run("plan", "batch.yaml", "--sample", "3", "--json").stdout)
    assert (found["chosen"], found["cost"]) == (3, "1.50")
    plan = desk.run("plan", "batch.yaml", "--max-tasks", "2").stdout
    assert "the next run may make 2 of these 8 submissions" in plan
