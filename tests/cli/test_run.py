"""`runner run` as a process: whole batches, interruptions, and every way to end."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk import KEY, MANIFEST, Desk, Provider

Provided = Callable[..., Desk]

QUICK = ("--render", "200ms..500ms", "--queue", "50ms..100ms")
SLOW = ("--render", "60s..60s")


def check_files(desk: Desk) -> None:
    """Every done job's file has the recorded bytes, and nothing else lies about."""
    jobs = [job for job in desk.status()["jobs"] if job["status"] == "done"]
    for job in jobs:
        data = (desk.folder / job["output"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == job["sha256"]
    assert len(list((desk.folder / "outputs").rglob("*"))) == len(jobs) + 1


def wait_for(process: subprocess.Popen[str], changes: int) -> None:
    """Read that many lines of `--progress json` from a process."""
    assert process.stdout is not None
    for _ in range(changes):
        assert process.stdout.readline()


def test_a_batch_and_its_repetition(provided: Provided) -> None:
    """Everything comes home for one charge each; a second run sends nothing and says so."""
    desk = provided(*QUICK, "--dialect", "mixed", "--invisible", "300ms")
    desk.manifest(8)
    first = desk.run("run", "batch.yaml")
    assert "8 of 8 videos done, in outputs/batch" in first.stdout
    assert desk.status()["counts"]["done"] == 8
    check_files(desk)
    books = desk.audit()
    second = desk.run("run", "batch.yaml")
    assert "nothing to do" in second.stdout
    assert desk.audit()["answers"]["submit"] == books["answers"]["submit"]
    assert desk.audit()["answers"]["poll"] == books["answers"]["poll"]
    assert (books["charged"], books["duplicates"]) == (8, [])
    assert books["film_requests_with_key"] == 0
    assert books["most_unfinished_at_once"] <= 3


def test_a_hostile_provider(provided: Provided) -> None:
    """429s, cut and truncated downloads, failing polls, every dialect: one charge, whole files."""
    faults = ("submit:429#2", "film:truncated#2", "film:reset#1", "film:short#2", "poll:502#5")
    options = [part for fault in faults for part in ("--fault", fault)]
    desk = provided(*QUICK, "--dialect", "mixed", *options)
    desk.manifest(6)
    desk.run("run", "batch.yaml")
    assert desk.status()["counts"]["done"] == 6
    check_files(desk)
    assert desk.audit()["charged"] == 6


@pytest.mark.parametrize("changes", [1, 2, 4, 7, 10, 13])
def test_killed_and_run_again(provided: Provided, changes: int) -> None:
    """SIGKILL at different moments: nothing is paid for twice, what is in doubt is shown."""
    desk = provided("--render", "400ms..800ms", "--queue", "50ms..100ms")
    desk.manifest(5)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    wait_for(process, changes)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL  # in the middle, not after the end
    again = desk.run("run", "batch.yaml", code=None)
    status = desk.status()
    uncertain = [job for job in status["jobs"] if job["status"] == "uncertain"]
    assert again.returncode == (4 if uncertain else 0)
    assert status["counts"]["done"] + len(uncertain) == 5
    assert desk.audit()["duplicates"] == []
    assert desk.audit()["charged"] <= 5
    check_files(desk)


def test_one_interrupt_drains(provided: Provided) -> None:
    """Ctrl-C: tasks stay at the provider, exit 3 with how to resume, and the next run does."""
    desk = provided("--render", "1s..2s")
    desk.manifest(5)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    wait_for(process, 6)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "run batch.yaml" in err
    assert desk.status()["counts"]["running"] == 3
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 5


def test_sigterm_waits_for_the_submit_in_the_air(provided: Provided) -> None:
    """A submit that is under way when the run is asked to stop is answered and stored."""
    desk = provided("--render", "1s..1s", "--fault", "submit:slow:2s")
    desk.manifest(1)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    wait_for(process, 1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 3
    (job,) = desk.status()["jobs"]
    assert job["status"] == "running"
    assert job["task_id"]


def test_two_interrupts_leave_at_once(provided: Provided) -> None:
    """The second Ctrl-C ends it with 130; the submit in the air is uncertain afterwards."""
    desk = provided(*SLOW, "--fault", "submit:slow:50s")
    desk.manifest(1)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    wait_for(process, 1)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("a new state file")
    assert "waiting for 1 submit" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    desk.run("run", "batch.yaml", code=4)
    assert desk.status()["counts"]["uncertain"] == 1
    assert desk.audit()["charged"] <= 1


def test_a_deadline(provided: Provided) -> None:
    """`--deadline` stops by the clock with exit 3."""
    desk = provided(*SLOW)
    desk.manifest(2)
    done = desk.run("run", "batch.yaml", "--deadline", "1s", code=3)
    assert "deadline" in done.stdout
    assert desk.status()["counts"]["running"] == 2


def test_two_runs_at_once(provided: Provided) -> None:
    """The second one leaves at once with 75 and says who holds the state file."""
    desk = provided(*SLOW)
    desk.manifest(2)
    first = desk.start("run", "batch.yaml", "--progress", "json")
    wait_for(first, 2)
    second = desk.run("run", "batch.yaml", code=75)
    assert str(first.pid) in second.stderr
    desk.run("retry", "batch.yaml", "--yes", code=75)
    assert desk.status()["counts"]["done"] == 0
    first.kill()
    first.communicate()


def test_the_budget(provided: Provided) -> None:
    """Exit 3 at the cap, with what to do."""
    desk = provided(*QUICK)
    desk.manifest(5, MANIFEST.replace("concurrency", "budget: {tasks: 2}\nconcurrency"))
    done = desk.run("run", "batch.yaml", code=3)
    assert "2 of 2 tasks" in done.stdout
    assert desk.audit()["charged"] == 2


@pytest.mark.parametrize("fault", ["submit:401", "submit:403-quota", "poll:401"])
def test_a_refused_account(provided: Provided, fault: str) -> None:
    """Key or credit refused: exit 5 with the provider's words."""
    desk = provided(*QUICK, "--fault", fault)
    desk.manifest(2)
    done = desk.run("run", "batch.yaml", code=5)
    assert "mend the key or the credit" in done.stdout


def test_failures_and_their_retry(provided: Provided) -> None:
    """Exit 1 with the reasons; `retry` shows them, asks, and puts them back."""
    desk = provided(*QUICK, "--fault", "task:SAFETY.INPUT.TEXT#1")
    desk.manifest(3)
    failed = desk.run("run", "batch.yaml", code=1)
    assert "SAFETY.INPUT.TEXT" in failed.stdout
    assert "retry" in desk.run("run", "batch.yaml", code=1).stdout
    assert desk.audit()["charged"] == 3
    refused = desk.run("retry", "batch.yaml", code=2)
    assert "--yes" in refused.stderr
    wrong = desk.run("retry", "batch.yaml", "lamp-99", "--yes", code=2)
    assert "lamp-99 is not in the manifest" in wrong.stderr
    desk.run("retry", "batch.yaml", "--yes")
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 4


def lost(desk: Desk) -> dict[str, Any]:
    """A batch of one whose submit was charged and then cut; returns its job."""
    desk.manifest(1)
    desk.run("run", "batch.yaml", code=4)
    (job,) = desk.status()["jobs"]
    assert job["status"] == "uncertain"
    return dict(job)


CHARGED_THEN_CUT = (*QUICK, "--fault", "submit:charged-then-cut#1")


def test_resolve_shows_what_to_look_for(provided: Provided) -> None:
    """Without a decision: time window, model, image and the three ways out; exit 4."""
    desk = provided(*CHARGED_THEN_CUT)
    lost(desk)
    shown = desk.run("resolve", "batch.yaml", "--all", code=4).stdout
    for words in ("gen3a_turbo", "cdn.example.com/01.jpg", "--task-id", "--not-charged"):
        assert words in shown


def test_resolve_with_a_task_id(provided: Provided) -> None:
    """A person found the task: it is polled and brought home, and charged once."""
    desk = provided(*CHARGED_THEN_CUT)
    lost(desk)
    task_id = desk.audit()["charges"][0]["task_id"]
    desk.run("resolve", "batch.yaml", "lamp-01", "--task-id", task_id)
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 1
    check_files(desk)


def test_resolve_as_not_charged(provided: Provided) -> None:
    """A person's word that it was not charged: it is submitted again."""
    desk = provided(*QUICK, "--fault", "submit:500#1")
    lost(desk)
    desk.run("resolve", "batch.yaml", "--all", "--not-charged")
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 1
    assert desk.status()["jobs"][0]["attempts"] == 1


def test_resolve_by_giving_up(provided: Provided) -> None:
    """Given up, it counts as paid and failed."""
    desk = provided(*CHARGED_THEN_CUT)
    lost(desk)
    desk.run("resolve", "batch.yaml", "lamp-01", "--give-up")
    desk.run("run", "batch.yaml", code=1)
    assert desk.status()["jobs"][0]["attempts"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("lamp-02", "--give-up"), "lamp-02 is not uncertain; did you mean lamp-01?"),
        (("--not-charged",), "name the jobs, or say --all"),
        (("lamp-01", "--all", "--give-up"), "name the jobs, or say --all"),
        (("--all", "--task-id", "abc"), "name it"),
        (("lamp-01", "--task-id", "../x"), "does not look like a task id"),
        (("lamp-01", "--give-up", "--not-charged"), "exclude each other"),
    ],
)
def test_resolve_refuses_nonsense(
    provided: Provided, arguments: tuple[str, ...], words: str
) -> None:
    """Wrong ids and contradictions are refused, and nothing changes."""
    desk = provided(*CHARGED_THEN_CUT)
    before = lost(desk)
    assert words in desk.run("resolve", "batch.yaml", *arguments, code=2).stderr
    assert desk.status()["jobs"] == [before]


def test_a_changed_entry_is_held(provided: Provided) -> None:
    """One edited default pays for nothing until the change is accepted; then once each."""
    desk = provided(*QUICK)
    desk.manifest(3)
    desk.run("run", "batch.yaml")
    desk.manifest(3, MANIFEST.replace("slow push in", "fast zoom out"))
    held = desk.run("run", "batch.yaml", code=4)
    assert '"slow push in" -> "fast zoom out"' in held.stdout
    assert desk.audit()["charged"] == 3
    plan = json.loads(desk.run("plan", "batch.yaml", "--json").stdout)
    assert (plan["counts"]["held"], plan["counts"]["submit"]) == (3, 0)
    desk.run("run", "batch.yaml", "--accept-changes")
    assert desk.audit()["charged"] == 6
    check_files(desk)
    desk.run("run", "batch.yaml")
    desk.run("run", "batch.yaml", "--accept-changes")
    assert desk.audit()["charged"] == 6


def test_reordering_inserting_and_deleting(provided: Provided) -> None:
    """Other lines around a paid one never matter."""
    desk = provided(*QUICK)
    desk.manifest(3)
    desk.run("run", "batch.yaml")
    lines = (desk.folder / "batch.yaml").read_text().splitlines(keepends=True)
    new = "  - {id: chair, image: https://cdn.example.com/chair.jpg}\n"
    desk.write("batch.yaml", "".join([*lines[:-3], lines[-1], new, lines[-3]]))
    desk.run("run", "batch.yaml")
    assert desk.audit()["charged"] == 4
    assert desk.status()["counts"]["done"] == 4


def test_a_lost_state_file_pays_for_nothing(provided: Provided) -> None:
    """With the videos there and the state gone, entries are held instead of bought again."""
    desk = provided(*QUICK)
    desk.manifest(2)
    desk.run("run", "batch.yaml")
    for path in (desk.folder / "state").iterdir():
        path.unlink()
    assert "runner import batch.yaml" in desk.run("doctor", "batch.yaml", code=4).stdout
    held = desk.run("run", "batch.yaml", code=4)
    assert "unknown origin" in held.stdout
    assert "runner import batch.yaml --ids tasks.csv" in held.stdout
    assert desk.audit()["charged"] == 2


def test_a_state_file_belongs_to_one_provider(provided: Provided, tmp_path: Path) -> None:
    """Task ids of one provider are never asked at another."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    other = Provider(tmp_path / "state", *QUICK)
    refused = desk.run("run", "batch.yaml", "--base-url", other.url, code=2)
    assert desk.provider
    assert desk.provider.url in refused.stderr
    assert other.url in refused.stderr
    other.stop()


def test_a_rehearsal_keeps_to_itself(desk: Desk) -> None:
    """`--sandbox` needs no key and touches neither the state nor the outputs of the real batch."""
    del desk.environment["COMETAPI_KEY"]
    desk.manifest(1)
    desk.run("run", "batch.yaml", "--sandbox", "--progress", "none")
    assert (desk.folder / "state" / "batch-sandbox.db").exists()
    assert (desk.folder / "outputs" / "batch-sandbox" / "lamp-01.mp4").exists()
    assert not (desk.folder / "state" / "batch.db").exists()


def test_the_key_stays_secret(provided: Provided) -> None:
    """No file and no output holds the key or a signed link, whatever went wrong."""
    faults = ("submit:429#1", "submit:charged-then-cut#2", "poll:500#4", "film:expired#1")
    desk = provided(*QUICK, *(part for fault in faults for part in ("--fault", fault)))
    desk.manifest(6)
    said = [desk.run("run", "batch.yaml", "-v", code=None) for _ in range(2)]
    said.append(desk.run("status", "batch.yaml", "--json"))
    said.append(desk.run("resolve", "batch.yaml", code=None))
    said.append(desk.run("doctor", "batch.yaml", code=None))
    assert not any(KEY in done.stdout + done.stderr for done in said)
    assert not any("signature=" in done.stdout + done.stderr for done in said)
    assert b"signature=" not in (desk.folder / "state" / "batch.db").read_bytes()
    files = [path for path in desk.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not any(KEY.encode() in path.read_bytes() for path in files)


def test_json_progress_is_json(provided: Provided) -> None:
    """Standard output holds one object for each change of status, and nothing else."""
    desk = provided(*QUICK)
    desk.manifest(2)
    done = desk.run("run", "batch.yaml", "--progress", "json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    steps = [line["to"] for line in lines if line["id"] == "lamp-01"]
    assert steps == ["submitting", "running", "rendered", "done"]


def test_files_are_private_where_they_should_be(provided: Provided) -> None:
    """The state file is for its owner only."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    for path in (desk.folder / "state").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_a_plan_refuses_what_the_run_would(provided: Provided) -> None:
    """The state file is another provider's: `plan` says so too; `status` still shows it."""
    desk = provided("--render", "100ms..200ms")
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    elsewhere = ("batch.yaml", "--base-url", "http://127.0.0.1:9")
    words = [desk.run(command, *elsewhere, code=2).stderr for command in ("plan", "run")]
    assert words[0] == words[1]
    assert "its task ids belong to" in words[0]
    assert "done" in desk.run("status", *elsewhere).stdout
