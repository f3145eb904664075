"""Real processes: the command in a folder of its own, against a provider that is a process too."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from functools import cache
from pathlib import Path
from typing import Any

import certifi

KEY = "sk-planted-4f9d2c7e"

MANIFEST = """\
version: 1
concurrency: 3
poll_interval: 200ms
visibility_grace: 2s
defaults: {model: gen3a_turbo, prompt: slow push in}
jobs:
"""


@cache
def _one_authority() -> Path:
    """A file with one certificate, in place of the hundred and more that a system has."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    file = Path(tempfile.mkdtemp(prefix="authority-")) / "one.pem"
    file.write_text(first + end)
    atexit.register(shutil.rmtree, file.parent)
    return file


class Provider:
    """A sandbox in a process of its own."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "runner", "sandbox", "--films", "tiny"]
        if "--port" not in arguments:
            command += ["--port", "0"]
        command += ["--ledger", str(folder / "provider.jsonl"), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode()
        assert line.startswith("listening on "), line
        self.url = line.split()[-1]

    def audit(self) -> dict[str, Any]:
        """The provider's own books."""
        with urllib.request.urlopen(f"{self.url}/sandbox/ledger") as answer:
            books: dict[str, Any] = json.load(answer)
        return books

    def stop(self) -> None:
        """End the process."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate()


class Desk:
    """A folder in which somebody works with the command."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("COMETAPI", "RUNWAY", "RUNNER"))
        }
        self.environment["COMETAPI_KEY"] = KEY
        # To read all the authorities of this machine takes every process 0.1 s; none is asked for.
        self.environment["SSL_CERT_FILE"] = str(_one_authority())
        self.provider: Provider | None = None

    def write(self, name: str, text: str) -> Path:
        """A file in the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def manifest(self, jobs: int, head: str = MANIFEST) -> None:
        """`batch.yaml` with so many jobs."""
        lines = [
            f"  - {{id: lamp-{number:02}, image: https://cdn.example.com/{number:02}.jpg}}\n"
            for number in range(1, jobs + 1)
        ]
        self.write("batch.yaml", head + "".join(lines))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The command as a process that goes on by itself."""
        if self.provider:
            self.environment["RUNNER_BASE_URL"] = self.provider.url
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """The command, waited for, with the exit code it must have."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        assert "Traceback" not in err, err
        assert code is None or process.returncode == code, (process.returncode, out, err)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def status(self, manifest: str = "batch.yaml") -> dict[str, Any]:
        """What `status --json` says of a manifest."""
        answer: dict[str, Any] = json.loads(self.run("status", manifest, "--json").stdout)
        return answer

    def audit(self) -> dict[str, Any]:
        """The provider's own books."""
        assert self.provider is not None
        return self.provider.audit()
