"""What the manifest tests share: a folder to write into, and the corpus of broken manifests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.errors import ManifestError
from runner.manifest import Manifest, load

CORPUS = Path(__file__).parent / "corpus"
Write = Callable[..., Path]
Load = Callable[..., Manifest]
Mistakes = Callable[..., list[str]]


class Case(NamedTuple):
    """A broken manifest, the files beside it, and what must be said about it."""

    name: str
    files: dict[str, str]
    expected: list[str]


def cases() -> Iterator[Case]:
    """Every case of the corpus: `=== name`, the manifest, `--- file` parts, `>>> findings`."""
    for path in sorted(CORPUS.glob("*.txt")):
        for block in path.read_text(encoding="utf-8").split("=== ")[1:]:
            name, _, rest = block.partition("\n")
            rest, _, expected = rest.partition(">>>\n")
            manifest, *others = rest.split("--- ")
            files = {"manifest.yaml": manifest}
            files |= {part.partition("\n")[0]: part.partition("\n")[2] for part in others}
            yield Case(f"{path.stem}: {name}", files, expected.splitlines())


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
