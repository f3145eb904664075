"""What a person at a terminal sees, on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable

from desk import MANIFEST, Desk


def on_a_terminal(desk: Desk, *arguments: str, typed: str = "") -> tuple[int, str]:
    """Run the command with a terminal as its standard error; exit code and all it drew there.

    What is `typed` comes from the same terminal; without it there is no input.
    """
    ours, theirs = pty.openpty()
    if desk.provider:
        desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *arguments],
        cwd=desk.folder,
        env={**desk.environment, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "30"},
        stdin=theirs if typed else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, typed.encode())
    drawn = b""
    try:
        while piece := os.read(ours, 65536):
            drawn += piece
    except OSError:
        pass  # how Linux says that the other end of a terminal is gone
    os.close(ours)
    return process.wait(timeout=30), drawn.decode()


def test_the_live_view(provided: Callable[..., Desk]) -> None:
    """A bar, counts, tasks at the provider, money and the latest problem."""
    desk = provided("--render", "1s..2s", "--fault", "poll:502#1")
    desk.manifest(3)
    code, drawn = on_a_terminal(desk, "run", "batch.yaml")
    assert code == 0
    for words in (
        "batch",
        "0/3",
        "3 running",
        "3 of 3 at the provider",
        "paid 3 tasks",
        "http_502",
    ):
        assert words in drawn
    assert "\x1b[3" in drawn


def test_no_color(provided: Callable[..., Desk]) -> None:
    """NO_COLOR is honoured: the view still moves, without colours."""
    desk = provided("--render", "1s..1s")
    desk.manifest(1)
    desk.environment["NO_COLOR"] = "1"
    code, drawn = on_a_terminal(desk, "run", "batch.yaml")
    assert code == 0
    assert "1 running" in drawn
    assert "\x1b[3" not in drawn.replace("\x1b[3A", "")


def test_names_can_not_steer_the_terminal(provided: Callable[..., Desk]) -> None:
    """Words from the provider are shown without their control characters."""
    desk = provided("--render", "1s..1s", "--fault", "poll:unknown-status:\x1b]0;owned\x07#1")
    desk.manifest(1)
    _, drawn = on_a_terminal(desk, "run", "batch.yaml", "-v")
    assert "OWNED" in drawn
    assert "\x1b]0;" not in drawn


def test_asking_before_much_is_bought(provided: Callable[..., Desk]) -> None:
    """Above the amount somebody at a terminal is asked; only a yes buys."""
    desk = provided("--render", "200ms..200ms")
    desk.manifest(2, MANIFEST.replace("jobs:", "price: 1\nconfirm_above: 1.50\njobs:"))
    code, drawn = on_a_terminal(desk, "run", "batch.yaml", typed="n\n")
    assert "would buy 2 tasks for 2.00, more than confirm_above (1.50). Buy them? [y/N]" in drawn
    assert (code, desk.audit()["charged"]) == (2, 0)
    code, _ = on_a_terminal(desk, "run", "batch.yaml", typed="y\n")
    assert (code, desk.audit()["charged"]) == (0, 2)
