"""The sandbox knows nothing of the client it is there to test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import runner.sandbox

HERE = Path(runner.sandbox.__file__).parent
HEAVY = {"av", "PIL"}


def imported(file: Path) -> set[str]:
    """Every module a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("file", sorted(HERE.glob("*.py")), ids=lambda file: file.name)
def test_it_imports_nothing_from_the_rest(file: Path) -> None:
    """Of the package, only the sandbox itself; the drawing libraries only where films are drawn."""
    names = imported(file)
    ours = {name for name in names if name.partition(".")[0] == "runner"}
    assert all(name == "runner.sandbox" or name.startswith("runner.sandbox.") for name in ours)
    if file.name not in ("encoder.py", "scene.py"):
        assert not HEAVY & {name.partition(".")[0] for name in names}


@pytest.mark.parametrize("file", sorted(HERE.glob("*.py")), ids=lambda file: file.name)
def test_modules_stay_small(file: Path) -> None:
    """Each fits in a head."""
    assert len(file.read_text().splitlines()) < 300
