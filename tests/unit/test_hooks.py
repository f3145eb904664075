"""Programs started for videos and runs: real processes, no shell, no key, no way to fail a run."""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from runner import hooks
from runner.events import Saved, StillRunning
from runner.hooks import JobHooks, without_secrets
from runner.jobs import Job, Status

KEY = "sk-planted-4f9d2c7e"
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def start(*command: str, timeout: float = 30, **facts: str) -> str:
    """Run one program; what is to be warned of."""
    return anyio.run(hooks.start, command, ENVIRONMENT, facts, timeout)


def test_a_program_gets_its_arguments_as_they_are(tmp_path: Path) -> None:
    """No shell: spaces, quotes and stars are text, and facts come in the environment."""
    out = tmp_path / "out.json"
    code = "import json, os, sys; print(json.dumps([sys.argv[2:], os.environ['FACT']]), "
    code += "file=open(sys.argv[1], 'w'))"
    hard = ("$HOME", "a b", "*", "'", "; rm -rf x")
    assert start(sys.executable, "-c", code, str(out), *hard, FACT="$(id) é") == ""
    assert json.loads(out.read_text()) == [list(hard), "$(id) é"]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("sh", "-c", "echo one; echo two >&2; exit 7"), "sh exited with 7: two"),
        (("sh", "-c", "exit 3"), "sh exited with 3"),
        (("sh", "-c", "printf '\\033[31mred'; exit 1"), "sh exited with 1: \ufffd[31mred"),
        (("no-such-program",), "no-such-program can't be run: No such file or directory"),
        (("/etc/passwd",), "/etc/passwd can't be run: Permission denied"),
        (("sh", "-c", "kill -9 $$"), "sh exited with -9"),
    ],
)
def test_a_program_that_fails_is_words(command: Sequence[str], words: str) -> None:
    """Whatever goes wrong comes back as one line that can't steer a terminal."""
    assert start(*command) == words


def test_a_program_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    """After the time-out nothing of it is left: its last descendant lets go of the pipe."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    watch = select.poll()
    watch.register(reader, select.POLLIN | select.POLLHUP)
    said = start("sh", "-c", f"(echo here; exec sleep 600) > {pipe} & wait", timeout=1)
    assert said == "sh was killed after 1 seconds"
    assert os.read(reader, 10) == b"here\n"
    assert watch.poll(10_000) == [(reader, select.POLLHUP)]
    os.close(reader)


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for() -> None:
    """A program that leaves something running behind ends when it ends."""
    assert start("sh", "-c", "sleep 2 & exit 0", timeout=1.5) == ""


def test_the_key_is_taken_out_of_the_environment() -> None:
    """By its variable's name, and by its value wherever else it stands."""
    given = {
        "PATH": "/bin",
        "COMETAPI_KEY": "other",
        "AUTH": f"Bearer {KEY}",
        "NOTIFY_URL": "mailto://x",
        "SHORT": "abc",
    }
    kept = without_secrets(given, ("COMETAPI_KEY", "NOTIFY_URL"), (KEY, "b"))
    assert kept == {"PATH": "/bin", "SHORT": "abc"}


def test_each_video_that_comes_home_starts_one_program(tmp_path: Path) -> None:
    """Twenty videos, twenty programs with their facts; other events start none."""
    warned: list[str] = []
    script = 'echo "$RUNNER_JOB_STATUS $RUNNER_JOB_OUTPUT" > "$0/$RUNNER_JOB_ID"; '
    script += "test $RUNNER_JOB_ID != lamp-7"
    command = ("sh", "-c", script, str(tmp_path))

    async def main() -> None:
        started = JobHooks(command, ENVIRONMENT, {"RUNNER_NAME": "lamps"}, 30, warned.append)
        async with started.serving():
            for number in range(20):
                job = Job(number, f"lamp-{number}", "", "c", {"promptImage": "https://a/b"})
                started.observe(job, StillRunning("RUNNING"), job)
                done = Job(
                    number, job.id, "", "c", job.body, status=Status.DONE, output="out/x.mp4"
                )
                started.observe(job, Saved("out/x.mp4", "0" * 64, 1), done)

    anyio.run(main)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        f"lamp-{number}" for number in range(20)
    )
    assert (tmp_path / "lamp-3").read_text() == f"done {Path('out/x.mp4').absolute()}\n"
    assert warned == ["lamp-7: sh exited with 1"]


def test_without_a_command_nothing_is_started() -> None:
    """Most manifests have none."""
    job = Job(1, "lamp", "", "c", {})

    async def main() -> None:
        started = JobHooks((), {}, {}, 1, pytest.fail)
        async with started.serving():
            started.observe(job, Saved("x", "0", 1), job)

    anyio.run(main)
