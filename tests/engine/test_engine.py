"""The engine against the simulated provider, in virtual time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import trio
from world import World, entries, entry

from runner.engine import Engine, Perform
from runner.events import AccountRefused, Event, StillRunning
from runner.jobs import Limits, Poll, Problem, Status, Step, Stop
from runner.sandbox import SandboxTransport, Span


def test_every_video_comes_home(tmp_path: Path) -> None:
    """Eight jobs, three at a time: one charge and one whole file each, no key at the films."""
    world = World(tmp_path)
    ending = world.run(entries(8))
    assert ending.stop is Stop.FINISHED
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 8
    world.check_home()
    audit = world.audit()
    assert audit["most_unfinished_at_once"] == 3
    assert audit["film_requests_with_key"] == 0
    assert audit["shortest_poll_gap"] >= 5


def test_a_second_run_does_nothing(tmp_path: Path) -> None:
    """A finished batch sends nothing at all when it is run again."""
    world = World(tmp_path)
    world.run(entries(3))
    requests = world.audit()["requests"]
    assert world.run(entries(3)).stop is Stop.FINISHED
    assert world.audit()["requests"] == requests


@pytest.mark.parametrize("dialect", ["flat", "wrapped", "mixed"])
def test_every_dialect_is_understood(tmp_path: Path, dialect: str) -> None:
    """Task details in each shape end as videos."""
    world = World(tmp_path, dialect=dialect)
    world.run(entries(12))
    assert set(world.statuses().values()) == {Status.DONE}
    world.check_home()


def test_runway_itself_is_understood(tmp_path: Path) -> None:
    """The same on Runway's own routes, which have no feed."""
    world = World(tmp_path, "poll:500@0.3")
    world.run(entries(3), api="runway")
    assert set(world.statuses().values()) == {Status.DONE}
    assert "feed" not in world.audit()["requests"]


@pytest.mark.parametrize(
    "fault",
    [
        "submit:429#4",
        "submit:429-empty#4",
        "submit:429-retry-after:40#2",
        "submit:429-retry-date:40#2",
        "submit:connect-error#3",
        "submit:connect-timeout#2",
        "submit:pool-timeout#2",
        "submit:503-no-channel#2",
        "poll:500@0.3",
        "poll:502@0.3",
        "poll:524@0.3",
        "poll:408@0.3",
        "poll:429@0.3",
        "poll:cut@0.3",
        "poll:reset@0.3",
        "poll:html@0.3",
        "poll:junk@0.3",
        "poll:redirect@0.3",
        "poll:connect-error@0.3",
        "poll:slow:45@0.2",
        "poll:400@0.3",
        "poll:invisible-400@0.3",
        "poll:invisible-code@0.3",
        "poll:invisible-message@0.3",
        "poll:invisible-status@0.3",
        "poll:invisible-404@0.3",
        "poll:unknown-status@0.4",
        "poll:throttled@0.4",
        "film:expired#2",
        "film:gone#2",
        "film:truncated#3",
        "film:truncated-reset#3",
        "film:short#3",
        "film:no-length",
        "film:html#2",
        "film:500#4",
        "film:429-retry-after:20#2",
        "film:redirect#1",
        "film:cut#2",
        "film:slow:90#2",
        "film:connect-error#2",
        "task:throttled:90",
    ],
)
def test_a_passing_fault_costs_nothing(tmp_path: Path, fault: str) -> None:
    """Each fault that passes ends with every video at home and one charge a job."""
    world = World(tmp_path, fault, invisible=Span(0, 20))
    ending = world.run(entries(6))
    assert ending.stop is Stop.FINISHED
    assert set(world.statuses().values()) == {Status.DONE}, world.jobs()
    assert world.charged == 6
    assert not world.audit()["duplicates"]
    world.check_home()


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("task:failed:SAFETY.INPUT.TEXT", "SAFETY.INPUT.TEXT"),
        ("task:failed:INTERNAL.BAD_OUTPUT.CODE01", "INTERNAL.BAD_OUTPUT.CODE01"),
        ("task:cancelled", "CANCELLED"),
        ("submit:400", "http_400"),
        ("submit:404", None),
        ("submit:422", None),
        ("submit:403", None),
        ("submit:500-invalid-request", "invalid_request"),
    ],
)
def test_a_refusal_or_failure_is_final(tmp_path: Path, fault: str, code: str | None) -> None:
    """The job fails once, keeps the provider's words, and is never bought again by itself."""
    world = World(tmp_path, fault)
    world.run(entries(2))
    charged = world.charged
    world.run(entries(2))
    jobs = world.jobs().values()
    assert {job.status for job in jobs} == {Status.FAILED}
    assert world.charged == charged
    for job in jobs:
        assert job.problem is not None
        assert job.problem.message
        assert code is None or job.problem.code == code
        assert job.attempts == (1 if fault.startswith("task:") else 0)


@pytest.mark.parametrize(
    "fault",
    [
        "submit:charged-then-cut",
        "submit:charged-then-reset",
        "submit:charged-then-500",
        "submit:charged-then-504",
        "submit:charged-no-id",
        "submit:slow:500",
        "submit:500",
        "submit:502",
        "submit:503",
        "submit:504",
        "submit:524",
        "submit:408",
        "submit:html",
        "submit:junk",
        "submit:cut",
        "submit:reset",
    ],
)
def test_what_may_have_been_charged_is_held(tmp_path: Path, fault: str) -> None:
    """No answer that tells: uncertain, reserved, and not submitted again by any later run."""
    world = World(tmp_path, f"{fault}#1")
    world.run(entries(1))
    for _ in range(2):
        world.run(entries(1))
    job = world.jobs()["lamp-01"]
    assert job.status is Status.UNCERTAIN
    assert job.attempts == 1
    assert world.audit()["requests"]["submit"] == 1


def test_resubmitting_is_a_choice(tmp_path: Path) -> None:
    """With the risk accepted, a lost submit is bought again; both attempts count as paid."""
    world = World(tmp_path, "submit:charged-then-cut#1")
    world.limits = replace(world.limits, resubmit_uncertain=True)
    world.run(entries(1))
    job = world.jobs()["lamp-01"]
    assert job.status is Status.DONE
    assert job.attempts == 2
    assert world.charged == 2


def test_resubmitting_has_an_end(tmp_path: Path) -> None:
    """A provider that loses every submit is not paid for ever."""
    world = World(tmp_path, "submit:charged-then-cut")
    world.limits = replace(world.limits, resubmit_uncertain=True)
    world.run(entries(1))
    world.run(entries(1))
    assert world.jobs()["lamp-01"].status is Status.UNCERTAIN
    assert world.charged == 3


@pytest.mark.parametrize("fault", ["submit:401#1", "submit:402#1", "submit:403-quota#1"])
def test_a_refused_account_stops_the_run(tmp_path: Path, fault: str) -> None:
    """Planned jobs stay planned and are bought when the account is well again."""
    world = World(tmp_path, fault)
    ending = world.run(entries(5))
    assert ending.stop is Stop.ACCOUNT
    assert sorted(world.statuses().values()) == [Status.PLANNED] * 3 + [Status.RUNNING] * 2
    world.run(entries(5))
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 5


@pytest.mark.parametrize("fault", ["submit:redirect#1", "submit:html-404#1"])
def test_a_wrong_address_stops_the_run(tmp_path: Path, fault: str) -> None:
    """A redirect or a page is nobody's refusal of a job: it stays planned."""
    world = World(tmp_path)
    if fault == "submit:html-404#1":
        backend = httpx.MockTransport(lambda request: httpx.Response(404, html="<p>not here"))
        ending = world.run(entries(3), backend=backend)
    else:
        world = World(tmp_path, fault)
        ending = world.run(entries(3))
    assert ending.stop is Stop.ADDRESS
    assert set(world.statuses().values()) <= {Status.PLANNED, Status.RUNNING}
    assert Status.PLANNED in world.statuses().values()


def test_an_answer_about_another_task_is_no_answer(tmp_path: Path) -> None:
    """A provider that mixes tasks up: no video is saved under another job's name."""
    world = World(tmp_path, limits=Limits(task_timeout=600))
    inner = SandboxTransport(world.simulator)

    async def mixed_up(request: httpx.Request) -> httpx.Response:
        if "/tasks/" in request.url.path:
            first = world.simulator.charges[0].task_id
            path = f"/runwayml/v1/tasks/{first}"
            request = httpx.Request(
                "GET", request.url.copy_with(path=path), headers=request.headers
            )
        return await inner.handle_async_request(request)

    world.run(entries(3), backend=httpx.MockTransport(mixed_up))
    world.check_home()
    jobs = world.jobs()
    assert all(Path(job.output).stem == job.id for job in jobs.values() if job.output)
    shas = [job.sha256 for job in jobs.values() if job.sha256]
    assert len(shas) == len(set(shas))


def test_a_task_that_changes_its_mind(tmp_path: Path) -> None:
    """Finished, then running again, then finished: the video comes home once, whole."""
    world = World(tmp_path, "film:expired#1")
    inner = SandboxTransport(world.simulator)
    finished: list[str] = []

    async def wavering(request: httpx.Request) -> httpx.Response:
        response = await inner.handle_async_request(request)
        if "/tasks/" not in request.url.path:
            return response
        body = await response.aread()
        if b"SUCCEEDED" in body:
            finished.append("yes")
            if len(finished) in {2, 3}:
                id = request.url.path.rpartition("/")[2]
                return httpx.Response(200, json={"id": id, "status": "RUNNING"})
        return httpx.Response(response.status_code, headers=response.headers, content=body)

    world.run(entries(1), backend=httpx.MockTransport(wavering))
    assert len(finished) == 4
    assert world.statuses() == {"lamp-01": Status.DONE}
    assert world.charged == 1
    world.check_home()


def test_one_id_is_one_jobs(tmp_path: Path) -> None:
    """A submit answered with the id of another job's task is in doubt."""
    world = World(tmp_path, limits=Limits(concurrency=1, visibility_grace=1))
    inner = SandboxTransport(world.simulator)

    async def repeating(request: httpx.Request) -> httpx.Response:
        response = await inner.handle_async_request(request)
        if request.method == "POST" and "image_to_video" in request.url.path:
            return httpx.Response(200, json={"id": world.simulator.charges[0].task_id})
        return response

    world.run(entries(2), backend=httpx.MockTransport(repeating))
    assert world.statuses() == {"lamp-01": Status.DONE, "lamp-02": Status.UNCERTAIN}
    problem = world.jobs()["lamp-02"].problem
    assert problem
    assert problem.code == "duplicate_task_id"


def test_a_task_that_can_not_be_asked_about_ends(tmp_path: Path) -> None:
    """Answers that make no sense for longer than the time-out: a person's, with the id kept."""
    world = World(tmp_path, "poll:400", "feed:500", limits=Limits(task_timeout=300))
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.UNCERTAIN}
    assert world.jobs()["lamp-01"].task_id


def test_a_provider_out_of_reach_is_waited_for(tmp_path: Path) -> None:
    """No network for longer than the time-out says nothing about the task."""
    limits = Limits(task_timeout=300)
    world = World(tmp_path, "poll:connect-error#40", "feed:connect-error#40", limits=limits)
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.DONE}


def test_an_address_that_may_not_be_asked_needs_a_person(tmp_path: Path) -> None:
    """A provider that gives links into a private network: uncertain in the end, never asked."""
    world = World(tmp_path)
    inner = SandboxTransport(world.simulator)
    asked: list[str] = []

    async def leading_inside(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        response = await inner.handle_async_request(request)
        body = (await response.aread()).replace(b"https://api.example.com", b"https://10.0.0.1")
        return httpx.Response(response.status_code, content=body)

    world.run(entries(1), backend=httpx.MockTransport(leading_inside))
    assert world.statuses() == {"lamp-01": Status.UNCERTAIN}
    assert set(asked) == {"api.example.com"}


def test_a_new_price_counts_for_what_is_still_to_be_paid(tmp_path: Path) -> None:
    """The budget is kept with today's price, also for jobs planned before there was one."""
    world = World(tmp_path, "submit:401#1", limits=Limits(budget_cost=2_000_000))
    world.limits = Limits()
    assert world.run(entries(9)).stop is Stop.ACCOUNT
    bought = world.charged
    world.limits = Limits(budget_cost=2_000_000)
    priced = [replace(each, cost=1_000_000) for each in entries(9)]
    assert world.run(priced).stop is Stop.BUDGET
    assert world.charged == bought + 2


def test_running_tasks_survive_a_refused_account(tmp_path: Path) -> None:
    """A key that expires while tasks run: they stay at the provider and are brought home later."""
    world = World(tmp_path, "poll:401#1")
    assert world.run(entries(3)).stop is Stop.ACCOUNT
    assert set(world.statuses().values()) == {Status.RUNNING}
    world.run(entries(3))
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 3


def test_a_model_nobody_serves_is_given_up(tmp_path: Path) -> None:
    """After a few tries every job of that model fails, unpaid; other models go on."""
    world = World(tmp_path, "submit:503-no-channel~nobody")
    wanted = [*entries(4, promptText="nobody"), entry("chair", model="gen4_turbo", ratio="960:960")]
    world.run(wanted)
    statuses = world.statuses()
    assert statuses.pop("chair") is Status.DONE
    assert set(statuses.values()) == {Status.FAILED}
    assert world.audit()["requests"]["submit"] <= 3 * 4 + 1
    assert all(job.attempts == 0 for id, job in world.jobs().items() if id != "chair")


def test_an_id_that_never_appears_needs_a_person(tmp_path: Path) -> None:
    """Past the grace the job is uncertain with its id kept, and is not bought again."""
    world = World(tmp_path, "task:never")
    world.run(entries(1))
    job = world.jobs()["lamp-01"]
    assert job.status is Status.UNCERTAIN
    assert job.task_id == world.simulator.charges[0].task_id
    world.run(entries(1))
    assert world.charged == 1


def test_a_task_that_never_ends_needs_a_person(tmp_path: Path) -> None:
    """Past the time-out the job is uncertain with its id kept, and its slot is free again."""
    world = World(tmp_path, "task:stuck~lamp-01", limits=Limits(concurrency=1, task_timeout=600))
    world.run(entries(2))
    assert world.statuses() == {"lamp-01": Status.UNCERTAIN, "lamp-02": Status.DONE}
    assert world.jobs()["lamp-01"].task_id


def test_a_late_task_is_brought_home_on_evidence(tmp_path: Path) -> None:
    """A task given up as too slow is asked about once more by the next run, free of charge."""
    world = World(tmp_path, render=Span(1000, 1000), limits=Limits(task_timeout=300))
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.UNCERTAIN}
    world.now += 3600
    world.run(entries(1))
    assert world.statuses() == {"lamp-01": Status.DONE}
    assert world.charged == 1


def test_the_feed_is_a_second_source(tmp_path: Path) -> None:
    """Task details that never work leave the feed, still no more often than the interval."""
    world = World(tmp_path, "poll:500")
    world.run(entries(2))
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.audit()["shortest_poll_gap"] >= 5


def test_a_deadline_that_is_over_already_buys_nothing(tmp_path: Path) -> None:
    """When reading took all the time that there was, nothing is submitted any more."""
    world = World(tmp_path)
    assert world.run(entries(6), deadline=0).stop is Stop.DEADLINE
    assert not world.simulator.charges


def test_a_deadline_leaves_tasks_running(tmp_path: Path) -> None:
    """The clock stops the run; the next one polls what is there before it submits more."""
    world = World(tmp_path, render=Span(300, 300))
    assert world.run(entries(6), deadline=60).stop is Stop.DEADLINE
    counts = list(world.statuses().values())
    assert counts.count(Status.RUNNING) == 3
    assert counts.count(Status.PLANNED) == 3
    assert world.run(entries(6)).stop is Stop.FINISHED
    assert world.charged == 6
    assert world.audit()["most_unfinished_at_once"] == 3


def test_a_submit_in_the_air_is_stored(tmp_path: Path) -> None:
    """A deadline in the middle of a slow submit waits for its answer and keeps the id."""
    world = World(tmp_path, "submit:slow:50")
    world.run(entries(1), deadline=10)
    assert world.statuses() == {"lamp-01": Status.RUNNING}
    assert world.charged == 1


def test_resumed_tasks_are_asked_before_anything_is_bought(tmp_path: Path) -> None:
    """The first requests of a resumed run are polls."""
    world = World(tmp_path, render=Span(300, 300))
    world.run(entries(3), deadline=60)
    world.seen.clear()
    world.run(entries(5))
    names = [type(event).__name__ for _, event, _ in world.seen]
    assert names.index("SubmitStarted") > 0
    assert world.audit()["most_unfinished_at_once"] == 3


def test_the_budget_is_a_hard_cap(tmp_path: Path) -> None:
    """No more paid tasks than the budget, over all runs; running ones are brought home."""
    world = World(tmp_path, limits=Limits(concurrency=5, budget_tasks=4))
    assert world.run(entries(9)).stop is Stop.BUDGET
    assert world.run(entries(9)).stop is Stop.BUDGET
    statuses = list(world.statuses().values())
    assert statuses.count(Status.DONE) == 4
    assert statuses.count(Status.PLANNED) == 5
    assert world.charged == 4


def test_the_cost_is_a_hard_cap(tmp_path: Path) -> None:
    """Spent, reserved and uncertain costs together never pass the budget."""
    limits = Limits(concurrency=5, budget_cost=1_000_000)
    world = World(tmp_path, "submit:charged-then-cut#1", limits=limits)
    assert world.run([replace(each, cost=320_000) for each in entries(9)]).stop is Stop.BUDGET
    assert world.charged == 3
    assert sum(job.spent for job in world.jobs().values()) == 960_000


def test_refused_submits_give_their_budget_back(tmp_path: Path) -> None:
    """A submit that was refused for now or for good was never paid for."""
    world = World(tmp_path, "submit:429#3", "submit:400~lamp-02", limits=Limits(budget_tasks=3))
    world.run(entries(4))
    assert world.charged == 3
    statuses = world.statuses()
    assert statuses.pop("lamp-02") is Status.FAILED
    assert set(statuses.values()) == {Status.DONE}


def test_a_foreign_file_is_never_overwritten(tmp_path: Path) -> None:
    """Where a video's name is taken by another file, the video goes beside it."""
    world = World(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "lamp-01.mp4").write_bytes(b"holiday film")
    world.run(entries(1))
    assert (tmp_path / "out" / "lamp-01.mp4").read_bytes() == b"holiday film"
    assert Path(world.jobs()["lamp-01"].output).name == "lamp-01-2.mp4"


def test_a_removed_entry_is_brought_home(tmp_path: Path) -> None:
    """An entry deleted while its task runs: the video still comes, nothing new is bought."""
    world = World(tmp_path, render=Span(300, 300))
    world.run(entries(3), deadline=60)
    world.run([])
    assert set(world.statuses().values()) == {Status.DONE}
    assert world.charged == 3


def test_the_event_log_replays_to_the_rows(tmp_path: Path) -> None:
    """Each job's events lead from planned to where its row says it is, without a gap."""
    world = World(
        tmp_path, "submit:429#2", "poll:500@0.2", "film:truncated#2", "task:cancelled@0.3"
    )
    world.run(entries(8))
    ledger = world.open()
    for job in ledger.jobs():
        at = Status.PLANNED
        for past in ledger.events(job):
            assert past.before is at
            at = past.after
        assert at is job.status
    ledger.close()


@pytest.mark.parametrize("luck", range(12))
def test_a_run_that_is_told_to_stop_submits_no_more(tmp_path: Path, luck: int) -> None:
    """Not even when another job's news wakes the submitter in that very moment.

    Trio shuffles what is to go on at one time, so one order in two or three would show it.
    """
    trio._core._run._r.seed(luck)  # type: ignore[attr-defined]  # else a failure is not repeatable
    world = World(tmp_path, limits=Limits(concurrency=2))
    world.run(entries(6), deadline=1)

    def wrap(perform: Perform, engine: Engine) -> Perform:
        both = trio.Event()
        asked: list[Step] = []

        async def together(step: Step) -> Event:
            if not isinstance(step, Poll):
                return await perform(step)
            asked.append(step)
            first = len(asked) == 1
            if not first:
                both.set()
            await both.wait()
            return StillRunning("RUNNING") if first else AccountRefused(Problem("402", "no credit"))

        return together

    assert world.run(entries(6), wrap=wrap).stop is Stop.ACCOUNT
    assert world.charged == 2
