"""Every broken manifest of the corpus, with exactly the findings it must give."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Case, Load, cases, misplaced

from runner.cli import main
from runner.errors import ManifestError
from runner.manifest import load

LEAST = 289
KEY = "sk-planted-4f9d2c7e"
COMMANDS = (
    ("run", "manifest.yaml"),
    ("plan", "manifest.yaml"),
    ("check", "manifest.yaml"),
    ("status", "manifest.yaml"),
    ("retry", "manifest.yaml", "--yes"),
    ("resolve", "manifest.yaml", "--all", "--not-charged"),
)
EVERY = 3


def unpack(case: Case) -> None:
    """Write a case's files into the current folder, and nothing else."""
    for old in Path().iterdir():
        old.unlink()
    for name, content in case.files.items():
        Path(name).write_bytes(content)


def test_broken_manifest(broken: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken manifest gives the expected findings, all of them and no others."""
    monkeypatch.chdir(tmp_path)
    unpack(broken)
    with pytest.raises(ManifestError) as caught:
        load(Path("manifest.yaml"))
    assert str(caught.value).splitlines() == broken.expected
    for finding in caught.value.findings:
        assert not misplaced(finding, broken.files.get(finding.file, b"")), finding


def test_the_corpus_is_whole() -> None:
    """No case got lost, none is there twice, and each expects something."""
    found = list(cases())
    assert len(found) >= LEAST
    assert len({case.name for case in found}) == len(found)
    assert len({tuple(case.files.items()) for case in found}) == len(found)
    assert all(case.expected for case in found)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A provider that nobody must call: a socket that listens, and a key that would do."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        port = listening.getsockname()[1]
        monkeypatch.setenv("RUNNER_BASE_URL", f"http://127.0.0.1:{port}")
        for name in ("COMETAPI_KEY", "RUNWAYML_API_SECRET"):
            monkeypatch.setenv(name, KEY)
        yield listening


@pytest.mark.parametrize("number", range(len(COMMANDS)), ids=[words[0] for words in COMMANDS])
def test_a_broken_manifest_stops_every_command(
    number: int,
    provider: socket.socket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each command says the findings and ends with 2: no traceback, no file, no connection."""
    monkeypatch.chdir(tmp_path)
    calls: list[object] = []
    connect = socket.socket.connect

    def noted(self: socket.socket, address: tuple[str, int]) -> None:
        calls.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", noted)
    for case in list(cases())[number % EVERY :: EVERY]:
        unpack(case)
        with pytest.raises(SystemExit) as ended:
            main(COMMANDS[number])
        told = capsys.readouterr()
        count = len(case.expected)
        last = f"{count} mistake{'s' * (count != 1)}; nothing was sent"
        assert (ended.value.code, told.out) == (2, ""), case.name
        assert told.err.splitlines() == [*case.expected, last], case.name
        assert {path.name: path.read_bytes() for path in Path().iterdir()} == case.files
    with pytest.raises(BlockingIOError):
        provider.accept()
    assert not calls


def test_the_provider_of_these_tests_would_notice(provider: socket.socket) -> None:
    """The test of the test: one connection to the base URL and it is there."""
    host, _, port = os.environ["RUNNER_BASE_URL"].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))):
        provider.settimeout(5)
        provider.accept()[0].close()


@pytest.mark.parametrize(
    ("model", "meant"),
    [
        ("gen4-turbo", "gen4_turbo"),
        ("gen4turbo", "gen4_turbo"),
        ("Gen4.5", "gen4.5"),
        ("veo-3", "veo3"),
    ],
)
def test_a_misspelt_model_is_a_doubt(loaded: Load, model: str, meant: str) -> None:
    """A model near a known one passes, for it may exist, with the known one named."""
    job = f"{{image: https://a.example.com/a.jpg, prompt: x, model: {model}}}"
    (warning,) = loaded(f"version: 1\njobs: [{job}]").warnings
    assert warning.message == f"`{model}` is not a known model; passed through unchecked"
    assert warning.hint == f"did you mean `{meant}`?"
