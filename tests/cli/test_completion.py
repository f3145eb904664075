"""What a shell is told when somebody presses Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from runner.commands.completion import SHELLS
from runner.jobs import Entry
from runner.ledger import Ledger


def asked(folder: Path, typed: str, shell: str = "bash") -> list[str]:
    """What completes the last word of what was typed, one offer a line."""
    words = typed.split(" ")
    place = {"COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    code = "from runner.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**os.environ, **place, "_RUNNER_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which a batch was begun."""
    with closing(Ledger.open(tmp_path / "state" / "shop.db")) as ledger:
        for id in ("lamp-01", "lamp-02", "vase"):
            ledger.add(Entry(id, "", {"model": "m"}, id, None, "shop.yaml", 1))
    return tmp_path


def test_commands_ids_and_choices_are_completed(folder: Path) -> None:
    """By what is known of them; a file is left to the shell."""
    assert asked(folder, "runner re") == ["plain,report", "plain,retry", "plain,resolve"]
    assert asked(folder, "runner resolve shop.yaml lam") == ["plain,lamp-01", "plain,lamp-02"]
    assert asked(folder, "runner run shop.yaml --only va") == ["plain,vase"]
    assert asked(folder, "runner status sh") == ["file,sh"]
    (folder / "state" / "shop.db").write_bytes(b"no database" * 1000)
    assert asked(folder, "runner resolve shop.yaml lam") == [""]


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_gets_its_script(shell: str) -> None:
    """It names the variable by which the shell asks."""
    done = subprocess.run(
        [sys.executable, "-m", "runner", "completion", shell],
        capture_output=True,
        text=True,
        check=False,
    )
    if shell == "bash" and done.returncode:  # click looks for a bash that is new enough
        pytest.skip("no bash 4.4 or newer here")
    assert f"_RUNNER_COMPLETE={shell}_complete" in done.stdout
