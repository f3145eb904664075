"""Before the money goes, as somebody at a desk sees it."""

from __future__ import annotations

import json
import shlex
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


def digest(desk: Desk, *options: str) -> str:
    """The digest of what the next run would buy."""
    found: str = json.loads(desk.run("plan", "batch.yaml", *options, "--json").stdout)["digest"]
    return found


def test_only_what_was_planned_is_bought(provided: Provided) -> None:
    """A changed prompt, price, id or number of jobs makes another plan, which is refused."""
    desk = provided(*QUICK)
    head = MANIFEST.replace("jobs:", "price: 0.5\njobs:")
    desk.manifest(3, head)
    planned = digest(desk)
    assert f"--plan {planned}" in desk.run("plan", "batch.yaml").stdout
    for jobs, other in (
        (4, head),
        (2, head),
        (3, head.replace("slow push in", "slow pull out")),
        (3, head.replace("0.5", "0.6")),
    ):
        desk.manifest(jobs, other)
        refused = desk.run("run", "batch.yaml", "--plan", planned, code=2)
        assert f"not what was planned as {planned}" in refused.stderr
        assert digest(desk) != planned
    assert desk.audit()["charged"] == 0
    desk.manifest(3, head)
    assert digest(desk, "--sample", "2") != planned
    desk.run("run", "batch.yaml", "--plan", planned)
    desk.run("run", "batch.yaml", "--plan", planned)
    assert desk.audit()["charged"] == 3


def test_much_money_needs_consent(provided: Provided) -> None:
    """Above the amount nothing is bought without a word; below it, nobody is asked."""
    desk = provided(*QUICK)
    desk.manifest(4, MANIFEST.replace("jobs:", "price: 0.5\nconfirm_above: 1.00\njobs:"))
    refused = desk.run("run", "batch.yaml", code=2)
    assert "would buy 4 tasks for 2.00, more than confirm_above (1.00)" in refused.stderr
    assert desk.audit()["charged"] == 0
    desk.run("run", "batch.yaml", "--max-tasks", "2", code=3)
    assert desk.audit()["charged"] == 2
    desk.manifest(9, MANIFEST.replace("jobs:", "confirm_above: {tasks: 6}\njobs:"))
    refused = desk.run("run", "batch.yaml", code=2)
    assert "would buy 7 tasks, more than confirm_above (6 tasks)" in refused.stderr
    desk.run("run", "batch.yaml", "--yes")
    assert desk.audit()["charged"] == 9


def test_a_rehearsal_asks_nobody(desk: Desk) -> None:
    """What is free needs no consent."""
    desk.manifest(1, MANIFEST.replace("jobs:", "confirm_above: {tasks: 0}\njobs:"))
    desk.run("run", "batch.yaml", "--sandbox")


def test_budgets_are_shown(provided: Provided) -> None:
    """The plan and the last words tell what today's budget leaves, and which one ended a run."""
    desk = provided(*QUICK)
    head = MANIFEST.replace("jobs:", "price: 0.5\nbudget: {tasks: 9, cost_per_day: 1.50}\njobs:")
    desk.manifest(5, head)
    last = desk.run("run", "batch.yaml", code=3).stdout
    assert "today 3 tasks, 1.50 of 1.50" in last
    assert "the day's budget is spent" in last
    plan = desk.run("plan", "batch.yaml").stdout
    assert "today (UTC): 3 tasks, 1.50 of 1.50 so far" in plan
    assert "the next run may make 0 of these 2 submissions" in plan
    found = json.loads(desk.run("plan", "batch.yaml", "--json").stdout)["budget"]
    assert found["per_day"]["spent"] == {"tasks": 3, "cost": "1.50"}


def test_the_command_that_a_plan_shows(provided: Provided) -> None:
    """Copied as it stands it buys what the plan showed: the choice is in it."""
    desk = provided(*QUICK)
    desk.manifest(6)
    plan = desk.run("plan", "batch.yaml", "--only", "lamp-*", "--sample", "2").stdout
    words = shlex.split(plan.splitlines()[-1].partition(" runner ")[2])
    assert words[:4] == ["run", "batch.yaml", "--only=lamp-*", "--sample=2"]
    desk.run(*words, code=3)
    assert desk.audit()["charged"] == 2
