"""What a file is by its name: a table, a workbook or a list, where a manifest is expected."""

from __future__ import annotations

from pathlib import Path

from runner.manifest.suggest import nearest
from runner.manifest.values import shown

TABLES = (".csv", ".tsv", ".jsonl")
_WORKBOOKS = frozenset({".xlsx", ".xlsm", ".xls", ".ods", ".numbers"})
_MANIFESTS = frozenset({".yaml", ".yml"})


def no_manifest(path: Path) -> tuple[str, str] | None:
    """The message and hint for a file that is there and can't be a manifest, or None."""
    suffix = path.suffix.lower()
    if suffix in TABLES and path.is_file():
        return "is a table, not a manifest", f"make one: runner init {path}"
    return workbook(path)


def workbook(path: Path) -> tuple[str, str] | None:
    """The message and hint for a file of a spreadsheet program that is there, or None."""
    if path.suffix.lower() not in _WORKBOOKS or not path.exists():
        return None
    saved = path.with_suffix(".csv")
    return "is a workbook, not a table", f"save it as CSV (UTF-8), then: runner init {saved}"


def list_hint(path: Path) -> str:
    """What to do with a text file that turned out to be no manifest, or ""."""
    return f"a list of images? make one: runner init {path}" if path.suffix == ".txt" else ""


def neighbour(path: Path) -> str:
    """The hint for a manifest that is not there: the one beside it that was meant, or ""."""
    try:
        if path.exists():
            return ""
        beside = [each for each in path.parent.iterdir() if each.suffix in _MANIFESTS]
    except (OSError, ValueError):
        return ""
    same = next((each.name for each in beside if each.stem in (path.stem, path.name)), "")
    near = same or nearest(path.name, (each.name for each in beside))
    return f"did you mean {shown(str(path.with_name(near)))}?" if near else ""
