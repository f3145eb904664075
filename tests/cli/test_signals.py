"""Signals at every moment of a run, and readers that go away."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import KEY, MANIFEST, Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "100ms..200ms", "--queue", "50ms..50ms")
SHARES = (0, 0.3, 0.6, 0.8, 0.95, 0.98, 0.99, 0.995)  # of them all; the most are of imports


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_start(desk: Desk, number: signal.Signals) -> None:
    """While a large manifest is still read: 130, a word, no traceback, nothing made."""
    desk.manifest(60_000)
    process = desk.start("run", "batch.yaml", "--base-url", "http://127.0.0.1:9")
    while not _catches(process, signal.SIGTERM):
        assert process.poll() is None
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert not (desk.folder / "state").exists()


# Sends itself a SIGINT at the so-manieth thing that the interpreter does (an import, a file, ...)
# since the first handler stands.
INTERRUPTED = """\
import atexit, os, signal, sys
count, at = 0, {at}
def hook(event, arguments):
    global count
    count += count > 0 or (event, *arguments[:1]) == ("import", "runner.cli")
    if at and count == at:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
if not at:
    atexit.register(lambda: print("events:", count))
sys.argv[1:] = {arguments}
from runner.__main__ import main
main()
"""


def test_ctrl_c_at_any_moment(provided: Provided) -> None:
    """130, or the code of a run that stops cleanly or is done already; never a traceback."""
    desk = provided(*QUICK)
    desk.manifest(3, MANIFEST.replace("jobs:", "provider: sandbox\npreflight: strict\njobs:"))

    def run(at: int) -> subprocess.CompletedProcess[str]:
        for each in ("state", "outputs"):
            shutil.rmtree(desk.folder / each, ignore_errors=True)
        return _python(desk, "-c", INTERRUPTED.format(at=at, arguments=["run", "batch.yaml"]))

    whole = run(0)
    assert whole.returncode == 0, whole
    events = int(whole.stdout.rpartition("events:")[2])
    for share in SHARES:
        done = run(1 + int(events * share))
        assert done.returncode in ({130} if share < 0.5 else {0, 3, 130}), (share, done)
        assert "Traceback" not in done.stderr, (share, done)


def test_ctrl_c_within_an_exec(desk: Desk) -> None:
    """A module that is being imported makes dataclasses: CPython remembers an interrupt in one."""
    code = (
        "import runner.cli, runner.__main__\n"
        "def interrupted(*given, **options): exec('import signal; signal.raise_signal(2)')\n"
        "runner.cli.cli.main = interrupted\n"
        "runner.__main__.main()"
    )
    desk.write("interrupted.py", code)
    done = _python(desk, "-m", "interrupted")  # `-c` forgets, and so do scripts
    assert (done.returncode, done.stderr) == (130, "aborted\n")


def _python(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    if desk.provider:
        desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=desk.folder,
        env=desk.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_ctrl_c_in_the_second_of_two(provided: Provided) -> None:
    """Each manifest of a call heeds it: while its images are looked at, and while it works."""
    desk = provided(*QUICK)
    head = "version: 1\nprovider: sandbox\nconcurrency: 1\npoll_interval: 200ms\n"
    head += "preflight: strict\njobs:\n"
    job = "  - {{id: {0}, image: https://cdn.example.com/{0}.jpg, prompt: x, model: gen3a_turbo}}\n"
    desk.write("a.yaml", head + job.format("one"))
    desk.write("b.yaml", head + job.format("bad-slow"))
    process = desk.start("run", "a.yaml", "b.yaml")
    assert process.stderr is not None
    looks = 0
    while looks < 2:
        looks += "looking at 1 image" in process.stderr.readline()
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    desk.write("b.yaml", head + "".join(job.format(f"job-{number}") for number in range(20)))
    process = desk.start("run", "a.yaml", "b.yaml", "--progress", "json")
    assert process.stdout is not None
    assert "job-0" in process.stdout.readline()  # a.yaml is done already
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (3, False), err
    assert desk.status("b.yaml")["counts"]["planned"] >= 18


def test_ctrl_c_while_the_first_of_two_is_told(provided: Provided) -> None:
    """It comes when the first is home and others are told of it: the second is not begun."""
    desk = provided(*QUICK)
    head = "version: 1\nprovider: sandbox\npoll_interval: 200ms\n"
    job = "jobs: [{{id: {0}, image: https://cdn.example.com/{0}.jpg, model: gen3a_turbo}}]\n"
    told = "on_done: {run: [/bin/sh, -c, 'kill -INT $PPID; sleep 0.3']}\n"
    desk.write("a.yaml", head + told + job.format("one"))
    desk.write("b.yaml", head + job.format("two"))
    done = desk.run("run", "a.yaml", "b.yaml", code=3)
    assert "a: 1 of 1 video done" in done.stdout
    assert not (desk.folder / "state" / "b.db").exists()


def _catches(process: subprocess.Popen[str], number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal, as the kernel sees it."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_drain_like_ctrl_c(provided: Provided, number: signal.Signals) -> None:
    """A terminal that closes, a service that stops: exit 3, tasks stay at the provider."""
    desk = provided("--render", "60s..60s")
    desk.manifest(2)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    assert process.stdout is not None
    for _ in range(4):
        process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 3
    assert desk.status()["counts"]["running"] == 2


def test_a_reader_that_leaves_stops_nothing(provided: Provided) -> None:
    """`run --progress json | head -1`: the run goes on to its end, nothing becomes uncertain."""
    desk = provided(*QUICK)
    desk.manifest(4)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    assert desk.status()["counts"]["done"] == 4


@pytest.mark.parametrize("style", ["json", "plain"])
def test_nowhere_to_write_stops_nothing(provided: Provided, style: str) -> None:
    """Standard output and error on a full disk: every video comes home all the same."""
    desk = provided(*QUICK)
    desk.manifest(3)
    assert desk.provider
    desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "runner", "run", "batch.yaml", "-v", "--progress", style]
        process = subprocess.Popen(
            command, cwd=desk.folder, env=desk.environment, stdout=full, stderr=full
        )
        process.wait(timeout=60)
    assert desk.status()["counts"]["done"] == 3


def test_a_narrow_locale_stops_nothing(provided: Provided) -> None:
    """Ids and words that the output's encoding lacks are escaped."""
    desk = provided(*QUICK)
    head = "version: 1\npoll_interval: 200ms\njobs:\n"
    desk.write("batch.yaml", head + "  - {id: 灯, image: https://cdn.example.com/lamp.jpg}\n")
    desk.environment["PYTHONIOENCODING"] = "latin-1"
    for style in ("json", "plain"):
        desk.run("run", "batch.yaml", "-v", "--progress", style)
    assert "\\u706f" in desk.run("status", "batch.yaml").stdout
    assert KEY not in desk.run("plan", "batch.yaml").stdout


def test_two_names_of_one_state_file_are_one(provided: Provided) -> None:
    """A symbolic link to the state file shares its lock."""
    desk = provided("--render", "60s..60s")
    desk.manifest(2)
    first = desk.start("run", "batch.yaml", "--state", "real.db", "--progress", "json")
    assert first.stdout is not None
    first.stdout.readline()
    (desk.folder / "link.db").symlink_to("real.db")
    desk.run("run", "batch.yaml", "--state", "link.db", code=75)
    first.kill()
    first.communicate()


def _robbed(desk: Desk, *manifests: str) -> subprocess.Popen[str]:
    """A run whose state files are deleted as soon as one of its tasks is at the provider."""
    process = desk.start("run", *manifests, "--progress", "json")
    assert process.stdout is not None
    while '"running"' not in process.stdout.readline():
        pass
    shutil.rmtree(desk.folder / "state")
    return process


def test_a_state_file_that_is_deleted_during_a_run(provided: Provided) -> None:
    """No more is bought, what was stored is put back, and the next run goes on from there."""
    desk = provided("--render", "1s..1s", "--queue", "50ms..50ms")
    desk.manifest(9)
    process = _robbed(desk, "batch.yaml")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, (out, err)
    assert "was moved or deleted while it was in use" in err
    assert "run again" in err
    assert "Traceback" not in err
    assert desk.status()["counts"]["planned"] == 6
    desk.run("run", "batch.yaml")
    assert len(desk.audit()["charges"]) == 9


def test_a_deleted_state_file_and_two_interrupts(provided: Provided) -> None:
    """Who leaves at once leaves it put back, too."""
    desk = provided("--render", "60s..60s", "--fault", "submit:slow:60s~02.jpg")
    desk.manifest(2)
    process = _robbed(desk, "batch.yaml")
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    while "interrupt again" not in process.stderr.readline():
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is back in its place" in err
    counts = desk.status()["counts"]
    assert (counts["running"], counts["submitting"]) == (1, 1)


def test_a_deleted_state_file_ends_the_whole_call(provided: Provided) -> None:
    """Whoever deleted one may have deleted the next one's, which would be bought again."""
    desk = provided("--render", "500ms..500ms")
    for name in ("a", "b"):
        desk.manifest(1)
        (desk.folder / "batch.yaml").rename(desk.folder / f"{name}.yaml")
    process = _robbed(desk, "a.yaml", "b.yaml")
    out, err = process.communicate(timeout=60)
    assert process.returncode == 4, (out, err)
    assert sorted(each.name for each in (desk.folder / "state").glob("*.db")) == ["a.db"]


def test_what_is_not_run_is_not_planned(provided: Provided) -> None:
    """A file that could pay twice is told by `plan` and `doctor`, too; a lost one by all."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    state = desk.folder / "state"
    (state / "batch.db.kept-1").write_bytes((state / "batch.db").read_bytes())
    for command in ("run", "plan", "doctor"):
        assert "kept-1: see which" in desk.run(command, "batch.yaml", code=2).stderr
    desk.run("status", "batch.yaml")
    (state / "batch.db.kept-1").unlink()
    (state / "batch.db").rename(state / "batch.db-wal")
    for command in ("run", "plan", "doctor", "status", "resolve"):
        assert "put the file back" in desk.run(command, "batch.yaml", code=2).stderr


def test_a_state_file_with_two_names(provided: Provided) -> None:
    """A hard link would have a lock of its own: refused before anything is bought."""
    desk = provided(*QUICK)
    desk.manifest(1)
    desk.run("run", "batch.yaml")
    (desk.folder / "state" / "other.db").hardlink_to(desk.folder / "state" / "batch.db")
    done = desk.run("run", "batch.yaml", "--state", "state/other.db", code=2)
    assert "has 2 names" in done.stderr


def test_a_key_that_the_provider_quotes_is_hidden(provided: Provided) -> None:
    """An error that repeats the key is stored and shown without it."""
    desk = provided(*QUICK, "--fault", f"poll:unknown-status:{KEY.upper()}#1")
    desk.environment["COMETAPI_KEY"] = KEY.upper()
    desk.manifest(1)
    done = desk.run("run", "batch.yaml", "-v")
    assert "***" in done.stderr
    assert KEY.upper() not in done.stderr
    assert KEY.upper().encode() not in (desk.folder / "state" / "batch.db").read_bytes()


def test_certificates_that_cant_be_read(desk: Desk) -> None:
    """A wrong SSL_CERT_FILE is a matter of configuration: exit 2, no traceback."""
    desk.manifest(1)
    desk.environment["SSL_CERT_FILE"] = "/nowhere"
    refused = desk.run("run", "batch.yaml", "--base-url", "https://api.example.invalid", code=2)
    assert "SSL_CERT_FILE" in refused.stderr


def test_resolve_sees_what_a_killed_run_left(provided: Provided) -> None:
    """A submit that a run died waiting for can be settled before the next run."""
    desk = provided("--render", "60s..60s", "--fault", "submit:slow:50s")
    desk.manifest(1)
    process = desk.start("run", "batch.yaml", "--progress", "json")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert "1 job may have been charged" in desk.run("resolve", "batch.yaml", code=4).stdout
    desk.run("resolve", "batch.yaml", "lamp-01", "--give-up")
    assert desk.status()["counts"]["failed"] == 1
