"""What the manifest tests share: a folder to write into, and the corpus of broken manifests."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest

from runner.errors import Finding, ManifestError
from runner.manifest import Manifest, load
from runner.manifest.findings import MAX_STORED

CORPUS = Path(__file__).parent / "corpus"
MAX_INPUT = 1 << 16
MAX_CALLS = 1_500_000
Write = Callable[..., Path]
Load = Callable[..., Manifest]
Mistakes = Callable[..., list[str]]


class Case(NamedTuple):
    """A broken manifest, the files beside it, and what must be said about it."""

    name: str
    files: dict[str, bytes]
    expected: list[str]


def cases() -> Iterator[Case]:
    """Every case of the corpus: `=== name`, the manifest, `--- file` parts, `>>> findings`.

    A file's name may be followed by what is done to its text, in brackets: see `encoded`.
    """
    for path in sorted(CORPUS.glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        for block in re.split(r"^=== ", text, flags=re.MULTILINE)[1:]:
            name, _, rest = block.partition("\n")
            rest, _, expected = rest.rpartition(">>>\n")
            manifest, *others = re.split(r"^--- ", rest, flags=re.MULTILINE)
            files = {"manifest.yaml": manifest.encode()}
            for part in others:
                head, _, content = part.partition("\n")
                file, _, changes = head.partition(" [")
                files[file] = encoded(content, changes.rstrip("]").split())
            yield Case(f"{path.stem}: {name}", files, expected.splitlines())


def encoded(text: str, changes: list[str]) -> bytes:
    """A file's bytes: what an editor, a spreadsheet or a cut would have made of the text.

    `crlf` and `cr` are line ends, `bom` a byte order mark, `cut` leaves out the last line break;
    `escapes` reads `\\u00a0`, `repeat` reads `{{x*600}}`, `bytes` reads `\\xe9`; anything else is
    the name of an encoding.
    """
    encoding = "utf-8"
    for change in changes:
        match change:
            case "crlf" | "cr":
                text = text.replace("\n", {"crlf": "\r\n", "cr": "\r"}[change])
            case "bom":
                text = "\ufeff" + text
            case "cut":
                text = text.removesuffix("\n")
            case "escapes":
                text = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), text)
            case "repeat":
                text = re.sub(r"\{\{(.+?)\*(\d+)\}\}", lambda found: found[1] * int(found[2]), text)
            case "bytes":
                return re.sub(
                    rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), text.encode()
                )
            case _:
                encoding = change
    return text.encode(encoding)


def misplaced(finding: Finding, data: bytes) -> bool:
    """Whether a finding points outside of its file: no such line, or no such place in it.

    A column counts characters, and cells in a .csv or .tsv, where a row may go on for some lines.
    """
    if not finding.line:
        return finding.column != 0
    text = data.decode("utf-8-sig", "replace")
    if finding.file.endswith((".csv", ".tsv")):
        rows = text.split("\n")
        rest = "".join(rows[finding.line - 1 :])
        return finding.line > len(rows) or finding.column > 1 + len(re.findall("[,;\t]", rest))
    rows = re.split("\n" if finding.file.endswith(".jsonl") else "\r\n|\r|\n", text)
    return finding.line > len(rows) or finding.column > len(rows[finding.line - 1]) + 1


@contextmanager
def bounded() -> Iterator[None]:
    """Stop what calls more functions than any input of this size is worth."""
    left = MAX_CALLS

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        assert left, f"more than {MAX_CALLS:,} calls, last in {frame.f_code.co_qualname}"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(before)


def attempt(files: dict[str, bytes]) -> Manifest | ManifestError:
    """Load `m.yaml` among some files; whatever is not an error for people, escapes."""
    assert sum(map(len, files.values())) <= MAX_INPUT
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        outcome: Manifest | ManifestError
        try:
            with bounded():
                outcome = load(Path(folder) / "m.yaml")
        except ManifestError as error:
            outcome = error
    if isinstance(outcome, ManifestError):
        assert 0 < len(outcome.findings) <= MAX_STORED + len(files)
        for finding in outcome.findings:
            assert str(finding).isprintable()
            assert not misplaced(finding, files.get(Path(finding.file).name, b"")), finding
    return outcome


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each corpus case its own test."""
    if "broken" in metafunc.fixturenames:
        corpus = list(cases())
        metafunc.parametrize("broken", corpus, ids=[case.name for case in corpus])


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a manifest, and files beside it, into the current folder; give the manifest's path."""
    monkeypatch.chdir(tmp_path)

    def write(text: str | bytes, name: str = "manifest.yaml", **others: str | bytes) -> Path:
        files = {name: text} | {key.replace("__", "."): value for key, value in others.items()}
        for file, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            Path(file).write_bytes(data)
        return Path(name)

    return write


@pytest.fixture
def loaded(write: Write) -> Load:
    """Write a manifest and load it."""

    def loaded(text: str | bytes, **others: str | bytes) -> Manifest:
        return load(write(text, **others))

    return loaded


@pytest.fixture
def mistakes(write: Write) -> Mistakes:
    """Write a broken manifest and give its findings, as they are printed."""

    def mistakes(text: str | bytes, **others: str | bytes) -> list[str]:
        with pytest.raises(ManifestError) as caught:
            load(write(text, **others))
        return str(caught.value).splitlines()

    return mistakes
