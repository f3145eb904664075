"""The kept figures as the text of README.md, between its marks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from benchmarks import promises, results, tables

README = results.HERE / "README.md"
TITLES = {
    "promises": "What was promised",
    "compare": "The runner and its peers",
    "kills": "Killed and started again",
    "polls": "Ten thousand polls outstanding",
    "start": "Start",
    "idle": "Nothing to do",
    "progress": "The progress view",
    "provider": "The provider is not what is measured",
    "growth": "Growth",
}


def report(kept: Mapping[str, Any], parts: Collection[str] = ()) -> str:
    """The kept figures of these parts, or all of them."""
    shown = [
        part for part in TITLES if _has(part, kept) and (not parts or part in _shown_with(parts))
    ]
    return "".join(f"### {TITLES[part]}\n\n{section(part, kept)}\n\n" for part in shown)


def section(part: str, kept: Mapping[str, Any]) -> str:
    """One part's table, and when and where it was measured."""
    if part == "promises":
        return promises.table(kept)
    source = kept["compare" if part == "provider" else part]
    rows = source["rows"]
    match part:
        case "provider":
            text = tables.provider(rows, kept["saturation"]["rows"])
        case "growth":
            text = tables.growth(rows["jobs"], rows["flight"]) + "\n\n![growth](growth.svg)"
        case _:
            text = getattr(tables, part)(rows)
    return f"{text}\n\nMeasured on {source['date']}: {source['machine']}."


def write(kept: Mapping[str, Any], path: Path = README) -> None:
    """Put every kept part between its marks."""
    text = path.read_text()
    for part in TITLES:
        if _has(part, kept):
            begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
            marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
            fresh = f"{begin}\n\n{section(part, kept)}\n\n{end}"
            text = marked.sub(lambda _, fresh=fresh: fresh, text)  # type: ignore[misc]
    path.write_text(text)


def _has(part: str, kept: Mapping[str, Any]) -> bool:
    needs = {"provider": {"compare", "saturation"}, "promises": set()}
    return needs.get(part, {part}) <= kept.keys()


def _shown_with(parts: Collection[str]) -> set[str]:
    """What is printed after a part: also the provider's table, once both of its sources are."""
    return {*parts, "provider"} if "compare" in parts else set(parts)
