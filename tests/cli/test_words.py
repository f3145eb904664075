"""Mistakes of every kind: a clear word, the right exit code, nothing sent and nothing touched."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from desk import Desk

from runner.cli import COMMANDS
from runner.errors import EXIT_CODES


def untouched(desk: Desk) -> bool:
    """Whether nothing was made in the folder."""
    return {path.name for path in desk.folder.iterdir()} <= {"batch.yaml", "key"}


def test_a_typo_is_named_with_its_line(desk: Desk) -> None:
    """A misspelt field: file, line, column, the nearest name, exit 2, no state file."""
    desk.manifest(2)
    text = (
        (desk.folder / "batch.yaml")
        .read_text()
        .replace("image: https://cdn", "imgae: https://cdn", 1)
    )
    desk.write("batch.yaml", text)
    for command in ("run", "plan", "check", "status", "retry", "resolve"):
        done = desk.run(command, "batch.yaml", code=2)
        assert re.search(r"batch\.yaml:7:\d+: jobs\[0\]", done.stderr), done.stderr
        assert "did you mean `image`" in done.stderr
        assert untouched(desk)


def test_no_key(desk: Desk) -> None:
    """Without a key: exit 2, which variable, and the way to try without one."""
    del desk.environment["COMETAPI_KEY"]
    desk.manifest(1)
    done = desk.run("run", "batch.yaml", code=2)
    assert "COMETAPI_KEY" in done.stderr
    assert "--sandbox" in done.stderr
    assert untouched(desk)


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "k\x00ey", "schlüssel", "   "])
def test_a_key_that_cant_be_one(desk: Desk, key: str) -> None:
    """A mangled key file is refused without showing what is in it."""
    desk.manifest(1)
    desk.write("key", key)
    done = desk.run("run", "batch.yaml", "--key-file", "key", code=2)
    assert key.strip() == "" or key not in done.stderr
    assert untouched(desk)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rnu", "batch.yaml"), "did you mean `run`?"),
        (("run",), "MANIFEST"),
        (("run", "nowhere.yaml"), "nowhere.yaml"),
        (("run", "batch.yaml", "--sate", "x"), "--state"),
        (("run", "batch.yaml", "--deadline", "soon"), "length of time"),
        (("run", "batch.yaml", "--concurrency", "0"), "--concurrency"),
        (("run", "batch.yaml", "--concurrency", "many"), "not a whole number"),
        (("run", "batch.yaml", "--rate", "30"), "write it like 30/min"),
        (("run", "batch.yaml", "--progress", "loud"), "--progress"),
        (("run", "batch.yaml", "--output", "{nmae}/{id}.mp4"), "{name}"),
        (("run", "batch.yaml", "--base-url", "http://api.example.com"), "https"),
        (("run", "batch.yaml", "--base-url", "nonsense"), "base URL"),
        (("run", "batch.yaml", "--key-file", "nowhere"), "nowhere"),
        (("plan", "."), "folder"),
    ],
)
def test_wrong_usage(desk: Desk, arguments: tuple[str, ...], words: str) -> None:
    """Each wrong option or argument is named, exit 2, and nothing is made."""
    desk.manifest(1)
    done = desk.run(*arguments, code=2)
    assert words in done.stderr
    assert untouched(desk)


def test_an_output_folder_that_is_a_file(desk: Desk) -> None:
    """Found before anything is paid for."""
    desk.manifest(1)
    desk.write("outputs", "not a folder")
    done = desk.run("run", "batch.yaml", "--base-url", "http://127.0.0.1:1", code=2)
    assert "outputs is a file" in done.stderr


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_for_people(desk: Desk, command: str) -> None:
    """Each command's help has an example and the exit codes."""
    shown = desk.run(*command.split(), "--help").stdout
    assert "runner " in shown
    if command != "sandbox":
        for code, words in EXIT_CODES.items():
            assert re.search(rf"{code.value}\s+{re.escape(words[:30])}", shown), shown
        assert "Example" in shown or not command


def test_the_version(desk: Desk) -> None:
    """`runner --version` says which."""
    assert re.search(r"\d+\.\d+\.\d+", desk.run("--version").stdout)


def test_looking_makes_nothing(desk: Desk) -> None:
    """`plan`, `status`, `check` and `resolve` make no file, on a batch never run."""
    desk.manifest(2)
    for command in ("plan", "status", "check", "resolve"):
        desk.run(command, "batch.yaml")
        assert untouched(desk)


def test_a_reader_that_leaves_is_no_error(desk: Desk) -> None:
    """`runner status | head -1` ends quietly."""
    desk.manifest(3000)
    process = desk.start("status", "batch.yaml", "--all")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.wait(timeout=30)
    process.stderr.close()


def test_the_package_is_typed() -> None:
    """Type checkers of programs that import it see its types."""
    import runner

    assert (Path(runner.__file__).parent / "py.typed").exists()


def test_commands_to_copy_work_on_the_same_batch(desk: Desk) -> None:
    """A rehearsal never prints a command that would start the paid run in its place."""
    desk.manifest(2)
    done = desk.run(
        "run", "batch.yaml", "--sandbox", "--state", "my state.db", "--progress", "none"
    )
    copied = next(line for line in done.stdout.splitlines() if line.startswith("next: "))
    assert "batch.yaml --state 'my state.db' --sandbox" in copied


def test_a_deadline_of_nothing_is_refused(desk: Desk) -> None:
    """It would buy tasks and leave at once."""
    desk.manifest(1)
    done = desk.run("run", "batch.yaml", "--sandbox", "--deadline", "0s", code=2)
    assert "too short" in done.stderr
    assert untouched(desk)


def test_an_output_that_cant_be_written_is_told(desk: Desk) -> None:
    """A full disk under a log: words, not a traceback."""
    desk.manifest(1)
    command = [sys.executable, "-m", "runner", "status", "batch.yaml"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command,
            cwd=desk.folder,
            env=desk.environment,
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert b"can't be written" in done.stderr
    assert b"Traceback" not in done.stderr
