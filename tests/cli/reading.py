"""Documents, read as a user reads them: the files they show, and the commands they tell to type."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from desk import Desk, Provider

ROOT = Path(__file__).parents[2]
PORT = "8123"
QUICK = ("--render", "200ms..300ms", "--queue", "50ms..100ms")

_BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
_SAID = re.compile(r"\s+#.*")
_EXIT = re.compile(r"# exits with (\d+)")


def blocks(text: str, language: str) -> list[str]:
    """The code blocks of one language."""
    return [code for found, _, code in _BLOCK.findall(text) if found == language]


def sections(text: str) -> list[str]:
    """A document's parts: what comes first, then each with its heading."""
    return _SECTION.split(text)


def quoted(text: str) -> list[str]:
    """The lines that a document says the commands print."""
    return [line for block in blocks(text, "text") for line in block.splitlines()]


def without_comment(line: str) -> str:
    """What is typed of a line."""
    return _SAID.sub("", line)


def commands(text: str) -> list[str]:
    """Every command line of a text's shell blocks, without its comment."""
    lines = "".join(blocks(text, "sh")).splitlines()
    return [without_comment(line) for line in lines if line.strip()]


def header_commands(manifest: Path) -> list[str]:
    """The command lines in the comment at the head of a manifest: those that are indented."""
    head = manifest.read_text().split("\nversion:")[0]
    return re.findall(r"^#   (\w.*)$", head, re.MULTILINE)


EXPECT = (
    'expect() { code=$?; [ $code = "$1" ] || { echo "exit $code, not $1: $2" >&2; exit 99; }; }'
)


class Reader:
    """Somebody who types what is written, at a desk of their own.

    A line ends with the code that its comment names (`# exits with 3`), else with 0. A sandbox
    that the text starts on its port is started on a free one, and renders quickly. `instead` has
    what is typed in the place of an address that only an example can have.
    """

    def __init__(self, desk: Desk, instead: Mapping[str, str] | None = None) -> None:
        self.desk = desk
        self.instead = dict(instead or {})
        path = f"{Path(sys.executable).parent}{os.pathsep}{desk.environment['PATH']}"
        desk.environment |= {"PATH": path, "PYTHONPATH": str(ROOT)}
        del desk.environment["COMETAPI_KEY"]

    def follow(self, text: str) -> str:
        """Write the files that a document shows, and type its commands; what they said.

        Parts of one document are typed into one terminal: folder and variables stay.
        """
        found = _BLOCK.findall(text)
        for _, title, code in found:
            if title:
                self.desk.write(title, code)
        return self.type(
            [line for language, _, code in found if language == "sh" for line in code.splitlines()]
        )

    def type(self, lines: Sequence[str]) -> str:
        """Type these lines into one shell; what they printed."""
        terminal = shlex.quote(str(self.desk.folder / ".terminal"))
        script = [f"if [ -e {terminal} ]; then . {terminal}; fi", EXPECT]
        for line in lines:
            if line.startswith("runner sandbox"):
                self._start_sandbox(line)
            elif without_comment(line).strip():
                code = found[1] if (found := _EXIT.search(line)) else "0"
                script += [self._typed(line), f"expect {code} {shlex.quote(line)}"]
        script.append(f"{{ export -p; echo \"cd '$PWD'\"; }} > {terminal}")
        done = subprocess.run(
            ["bash", "-u", "-c", "\n".join(script)],
            cwd=self.desk.folder,
            env=self.desk.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def _typed(self, line: str) -> str:
        for example, real in self.instead.items():
            line = line.replace(example, real)
        return line

    def _start_sandbox(self, line: str) -> None:
        words = shlex.split(line, comments=True)[2:]
        assert words[:2] == ["--port", PORT], line
        self.desk.provider = Provider(self.desk.folder, *QUICK, *words[2:])
        self.instead[f"http://127.0.0.1:{PORT}"] = self.desk.provider.url
