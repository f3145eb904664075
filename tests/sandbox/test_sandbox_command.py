"""`runner sandbox` as a person starts and stops it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from click.testing import CliRunner

from runner.commands.sandbox import sandbox
from runner.sandbox.faults import Fault

from .sandbox_world import BODY, COMET, HEADERS

ROOT = Path(__file__).parents[2]
START = "from runner.commands.sandbox import sandbox; sandbox()"


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(tmp_path: Path, ending: signal.Signals) -> None:
    """One line says where; the signal ends it with exit code 0 and what was charged."""
    ledger = tmp_path / "ledger.jsonl"
    options = ["--port", "0", "--films", "tiny", "--ledger", str(ledger), "--seed", "5"]
    with subprocess.Popen(
        [sys.executable, "-c", START, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found
        answer = httpx.post(f"{found[1]}{COMET}/image_to_video", json=BODY, headers=HEADERS)
        assert answer.status_code == 200
        taken = CliRunner().invoke(
            sandbox, ["--films", "tiny", "--port", str(urlsplit(found[1]).port)]
        )
        process.send_signal(ending)
        out, err = process.communicate(timeout=5)
    assert (process.returncode, out) == (0, "charged 1 task\n")
    assert "Traceback" not in err
    assert json.loads(ledger.read_text())["charge"]["task_id"] == answer.json()["id"]
    assert taken.exit_code == 2
    assert "already in use" in taken.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--dialect", "wraped"], "did you mean 'wrapped'? Allowed: flat, wrapped, mixed"),
        (["--fault", "sumbit:429"], "did you mean 'submit'?"),
        (["--fault", "film:truncatd"], "did you mean 'truncated'?"),
        (["--fault", "submit:connect-error"], "SandboxTransport only"),
        (["--films", "reel"], "did you mean 'real'?"),
        (["--render", "6s..2s"], "low end first"),
        (["--render", "soon"], "not a duration"),
        (["--link-lifetime", "0s"], "link_lifetime"),
        (["--slots", "0"], "--slots"),
        (["--rendr", "2s"], "--render"),
    ],
)
def test_a_wrong_option_is_explained(options: list[str], says: str) -> None:
    """Exit code 2, and words that help."""
    result = CliRunner().invoke(sandbox, options)
    assert result.exit_code == 2
    assert says in result.output


def test_a_file_that_is_no_ledger_is_a_clear_error(tmp_path: Path) -> None:
    """So is a place where no file can be."""
    file = tmp_path / "notes.txt"
    file.write_text("milk\n")
    for place in (file, file / "below" / "ledger.jsonl"):
        result = CliRunner().invoke(
            sandbox, ["--films", "tiny", "--port", "0", "--ledger", str(place)]
        )
        assert result.exit_code == 2
        assert "notes.txt" in result.output


def test_the_examples_in_the_help_are_right() -> None:
    """Every fault an example shows is one that can be read."""
    text = CliRunner().invoke(sandbox, ["--help"]).output
    shown = re.findall(r"--fault '?([^\s']+)", text)
    examples = [fault for fault in shown if ":" in fault]
    assert len(examples) >= 5
    assert all(Fault.parse(fault) for fault in examples)
