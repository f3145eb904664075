"""What holds for every manifest, checked with random ones."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import attempt
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from runner.jobs import Rate
from runner.manifest import Manifest, seconds
from runner.manifest.addresses import image
from runner.manifest.draft import quoted
from runner.manifest.fields import AXES, BUDGET, CATALOG, JOB, TOP, Field
from runner.manifest.quantities import RATE_UNITS, rate, span_text
from runner.manifest.values import InvalidError, identifier

quick = settings(max_examples=150)
IMAGES = st.integers(0, 9).map(lambda n: f"https://a.example.com/{n}.jpg")
WORDS = st.sampled_from(
    ["", "1", "5", "-1", "1280:720", "16:9", "a", "gen4.5", "5s", "{id}", "x.csv", "yes", "null"]
)
NAMES = st.sampled_from([*TOP, *JOB, *AXES, *CATALOG, "promt", "<<"])
LEAVES = WORDS | IMAGES | st.text(max_size=8) | st.integers() | st.booleans() | st.none()
TREES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)


@quick
@given(st.dictionaries(NAMES, TREES, max_size=8), st.booleans())
def test_any_structure(tree: dict[str, Any], flow: bool) -> None:
    """Whatever YAML says, there is a manifest or there are findings."""
    data = yaml.safe_dump({"version": 1, **tree}, default_flow_style=flow, allow_unicode=True)
    attempt({"m.yaml": data.encode("utf-8", "replace")})


@quick
@given(st.dictionaries(st.sampled_from([*JOB, "x"]), TREES, max_size=5))
def test_any_json_line(record: dict[str, Any]) -> None:
    """Whatever JSON says, there is a manifest or there are findings."""
    line = json.dumps(record).encode()
    attempt({"m.yaml": b"version: 1\ncatalog: {file: t.jsonl}", "t.jsonl": line})


@quick
@given(st.lists(st.tuples(IMAGES, st.integers(0, 3)), min_size=1, max_size=12), st.data())
def test_derived_ids_don_t_hang_on_other_lines(
    jobs: list[tuple[str, int]], data: st.DataObject
) -> None:
    """Reordering, inserting and deleting lines changes nobody's derived id."""

    def derived(rows: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        lines = "".join(f"  - {{image: '{url}', seed: {seed}}}\n" for url, seed in rows)
        manifest = attempt({"m.yaml": f"version: 1\njobs:\n{lines}".encode()})
        assert isinstance(manifest, Manifest)
        assert len({entry.id for entry in manifest.entries}) == len(rows)
        return {row: entry.derived for row, entry in zip(rows, manifest.entries, strict=True)}

    before = derived(jobs)
    others = data.draw(st.permutations(jobs))[: data.draw(st.integers(1, len(jobs)))]
    after = derived([("https://a.example.com/new.jpg", 0), *others])
    assert all(after[row] == before[row] for row in others)


@quick
@given(st.integers(0, 400 * 86_400_000))
def test_lengths_of_time_come_back(milliseconds: int) -> None:
    """A length of time written by us reads as itself."""
    assert seconds(span_text(milliseconds / 1000)) == milliseconds / 1000


@quick
@given(st.integers(1, 100_000), st.sampled_from(sorted(RATE_UNITS)), st.sampled_from(["/", " / "]))
def test_rates_are_read(count: int, unit: str, per: str) -> None:
    """Every number in every unit is that rate."""
    assert rate(f"{count}{per}{unit}") == Rate(count, RATE_UNITS[unit])


@quick
@given(st.text("0123456789/per. minutshd-", max_size=12))
def test_no_text_breaks_the_rate(text: str) -> None:
    """Whatever is written is a rate within bounds, or an error; what its hint offers is a rate."""
    try:
        read = rate(text)
    except InvalidError as problem:
        _, meant, hint = problem.hint.partition("did you mean ")
        if meant:
            rate(hint.rstrip("?"))
    else:
        assert 1 <= read.count <= 100_000
        assert read.seconds in RATE_UNITS.values()


@pytest.mark.parametrize(
    ("field", "pieces"),
    [
        (TOP["poll_interval"], "1|05|9.5|d|H| m|s |ms|-"),
        (TOP["rate"], "1|20|0|/| / |s|min|day|m"),
        (TOP["runway_version"], "20|24|-|1|06|2024-11-|31"),
        (BUDGET["cost"], "1|05|9.5|.|-|e"),
        (JOB["ratio"], "1|20|:|auto|_720p|_|AUTO"),
        (JOB["watermark"], "yes|no|on|off|true|false|1"),
    ],
    ids=lambda given: getattr(given, "name", ""),
)
def test_editors_are_told_what_the_parser_takes(field: Field, pieces: str) -> None:
    """A text fits the field's schema just when it is read; how large it is no pattern judges."""
    editor = Draft202012Validator(field.schema)
    words = pieces.split("|")
    texts = {"".join(some) for many in range(5) for some in product(words, repeat=many)}

    def agree(text: str) -> bool:
        assert field.parse is not None
        try:
            field.parse(text)
        except InvalidError as problem:
            return "out of range" in problem.message or not editor.is_valid(text)
        return editor.is_valid(text)

    assert not [text for text in texts if not agree(text)]


@quick
@given(st.text(max_size=40))
def test_an_accepted_id_is_a_safe_file_name(text: str) -> None:
    """Whatever passes is one path part that hides from nobody, and passes again."""
    try:
        id = identifier(text)
    except InvalidError:
        return
    assert Path(id).name == id
    assert identifier(id) == id
    assert id.isprintable()
    assert not id.startswith((".", "-", " "))


@quick
@given(st.text(max_size=40).map(lambda tail: "https://a.example.com/" + tail) | st.text())
def test_an_accepted_image_is_sent_as_it_is(text: str) -> None:
    """Whatever passes begins with https and can be printed and sent."""
    try:
        url = image(text)
    except InvalidError as problem:
        url, said = "", problem.message
    if not url:
        assert said.isprintable()
        return
    assert url == text
    assert url.lower().startswith("https://")
    assert url.isprintable()
    assert " " not in url


@quick
@given(st.text(min_size=1, max_size=30))
def test_a_quoted_text_reads_as_itself(text: str) -> None:
    """What a draft writes is what YAML reads."""
    clean = text.encode("utf-8", "replace").decode()
    assert yaml.safe_load(f"a: {quoted(clean)}") == {"a": clean}
