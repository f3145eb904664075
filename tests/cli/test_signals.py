"""Signals at every moment of a run, and readers that go away."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from desk import KEY, Desk

Provided = Callable[..., Desk]

QUICK = ("--render", "100ms..200ms", "--queue", "50ms..50ms")


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
