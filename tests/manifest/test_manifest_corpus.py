"""Every broken manifest of the corpus, with exactly the findings it must give."""

from __future__ import annotations

from pathlib import Path

from conftest import Case, Mistakes, cases

LEAST = 90


def test_broken_manifest(broken: Case, mistakes: Mistakes) -> None:
    """A broken manifest gives the expected findings, all of them and no others."""
    text = broken.files.pop("manifest.yaml")
    for name, content in broken.files.items():
        Path(name).write_text(content, encoding="utf-8")
    assert mistakes(text) == broken.expected


def test_the_corpus_is_whole() -> None:
    """No case got lost, none is there twice, and each expects something."""
    found = list(cases())
    assert len(found) >= LEAST
    assert len({case.name for case in found}) == len(found)
    assert all(case.expected for case in found)
