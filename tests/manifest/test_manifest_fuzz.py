"""A fuzzer in three layers: any bytes, any structure, and our own manifests with damage.

Whatever goes in, a Manifest comes out, or a ManifestError whose findings point into its files;
and that within a number of calls, which a slow machine doesn't change.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path

import pytest
from conftest import attempt, bounded, cases
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.errors import ManifestError
from runner.manifest import Manifest
from runner.manifest.fields import AXES, BUDGET, CATALOG, DEFAULTS, JOB, TOP

MANIFESTS = Path(__file__).parents[2] / "manifests"

fuzz = settings(max_examples=150)


# ---------------------------------------------------------------- any bytes

SIGNS = "ab:-[]{}&*!<>|'\"#%@`,? \n\r\t\\\u00e9\u2028\ufeff\U0001f3ac"
BYTES = st.binary(max_size=300) | st.text(SIGNS, max_size=120).map(str.encode)


@fuzz
@given(BYTES, st.booleans())
def test_any_bytes_as_a_manifest(data: bytes, begun: bool) -> None:
    """Bytes, with and without a beginning that is right."""
    attempt({"m.yaml": b"version: 1\njobs:\n" + data if begun else data})


@fuzz
@given(BYTES, st.sampled_from(["csv", "tsv", "jsonl"]), st.booleans())
def test_any_bytes_as_a_catalog(data: bytes, suffix: str, begun: bool) -> None:
    """The same for tables, with and without a header."""
    header = {"csv": b"id,image,seed\n", "tsv": b"id\timage\tseed\n", "jsonl": b""}[suffix]
    manifest = f"version: 1\ncatalog: {{file: t.{suffix}}}\n".encode()
    attempt({"m.yaml": manifest, f"t.{suffix}": header + data if begun else data})


# ---------------------------------------------------------------- any structure

RIGHT = {
    "version": ["1"],
    "name": ["spring", "007"],
    "provider": ["cometapi", "runway", "sandbox"],
    "runway_version": ["2024-11-06"],
    "concurrency": ["5", "auto"],
    "rate": ["30/min", "2 / s"],
    "output": ["out", "out/{id}.mp4", "out/{seed}{id}.mp4"],
    "budget": ["{tasks: 5}", "{cost: 20.00}", "{tasks_per_day: 3, cost_per_run: 2}"],
    "confirm_above": ["20.00", "{tasks: 50}"],
    "price": ["0.32", "{per_second: 0.05}", "{gen3a_turbo: 0.3}"],
    "poll_interval": ["5s"],
    "visibility_grace": ["10m"],
    "task_timeout": ["2h"],
    "sidecar": ["yes"],
    "poster": ["yes", "webp"],
    "metadata": ["yes", "{title: lamp}", "{comment: '{{ seed | no }}', title: '{{ name }}'}"],
    "preflight": ["strict", "off"],
    "include": ["s.yaml", "[s.yaml, s.yaml]"],
    "presets": ["{hero: low angle}"],
    "id": ["a", "b", "A", "lamp-01"],
    "image": ["https://a.example.com/a.jpg", "https://10.0.0.1/b.jpg"],
    "prompt": ["slow pan", '"pan: zoom"', '"{{ seed | no }} pan"'],
    "camera": ["static", "Pan-Left"],
    "model": ["gen3a_turbo", "gen4_turbo", "gen4.5", "veo3", "gen9"],
    "seed": ["1", "42"],
    "duration": ["5", "10"],
    "ratio": ["1280:720", "960:960"],
    "watermark": ["true", "no"],
    "file": ["t.csv", "t.jsonl", "none.csv"],
    "columns": ["{image: image}", "{image: photo, id: sku}", '{image: "{{ image }}"}'],
    "notify": ["{urls: [env:NOTIFY_URL, 'mailto://a.example'], on: failed}", "{urls: env:A}"],
    "heartbeat": ["https://hc.example.com/ping/abc", "env:HEARTBEAT"],
    "webhook": ["http://127.0.0.1:8000/hook?x=1"],
    "metrics": ["metrics/{name}.prom"],
    "on_done": ["{job: [echo, 1], run: [sh, -c, true], timeout: 5s}", "{run: [true]}"],
}
WRONG = st.sampled_from(
    [
        "",
        "~",
        "x",
        "-1",
        "1_000",
        "1e3",
        "16:9",
        "5s",
        "yes",
        '"\\e"',
        "''",
        "{}",
        "[]",
        "'",
        "{id}",
    ]
)
ANCHORS = st.sampled_from(["a", "b", "c"])
TAGS = st.sampled_from(["!!str", "!!int", "!!map", "!!seq", "!!null", "!!binary", "!x", "!"])
NAMES = st.sampled_from(
    [*TOP, *JOB, *AXES, *BUDGET, *CATALOG, "per_second", "promt", "? [a]", "<<"]
)


def flow_mapping(pairs: list[tuple[str, str]]) -> str:
    """A YAML mapping in braces; keys may come twice."""
    return "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Lists, mappings, merges, anchors and tags around values."""
    return st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(NAMES, inner), max_size=4).map(flow_mapping),
        st.tuples(ANCHORS, inner).map(lambda pair: f"&{pair[0]} {pair[1]}"),
        st.tuples(TAGS, inner).map(" ".join),
    )


VALUES = st.recursive(WRONG | ANCHORS.map("*{}".format) | st.text(max_size=6), nested, max_leaves=8)


@st.composite
def mappings(draw: st.DrawFn, names: tuple[str, ...], tidy: bool) -> str:
    """A mapping of known fields: all right when `tidy`, else with mistakes, merges and anchors."""
    chosen = draw(st.lists(st.sampled_from(names), max_size=5, unique=tidy))
    if tidy:
        chosen += [name for name in ("image", "file") if name in names and name not in chosen]
    values = [st.sampled_from(RIGHT[name]) | (st.nothing() if tidy else VALUES) for name in chosen]
    pairs = [(name, draw(value)) for name, value in zip(chosen, values, strict=True)]
    if tidy:
        return flow_mapping(pairs)
    if draw(st.booleans()):
        pairs.append(("<<", "*" + draw(ANCHORS)))
    return draw(st.just("") | ANCHORS.map("&{} ".format)) + flow_mapping(pairs)


@st.composite
def axes(draw: st.DrawFn, tidy: bool) -> str:
    """A matrix of at most three values an axis."""
    chosen = draw(st.lists(st.sampled_from([*AXES]), max_size=4, unique=True))
    least = 1 if tidy else 0
    pairs = []
    for name in chosen:
        value = st.sampled_from(RIGHT[AXES[name].name]) | (st.nothing() if tidy else WRONG)
        items = draw(st.lists(value, min_size=least, max_size=3))
        pairs.append((name, f"[{', '.join(items)}]"))
    return flow_mapping(pairs)


@st.composite
def manifests(draw: st.DrawFn) -> str:
    """A manifest, line by line: right more or less, or wrong in most places."""
    tidy = draw(st.booleans())
    sections = [*TOP] if not tidy else [name for name in TOP if name != "version"]
    chosen = draw(st.lists(st.sampled_from(sections), max_size=6, unique=tidy))
    text = "version: 1\n" if tidy or draw(st.booleans()) else ""
    wrong = st.nothing() if tidy else VALUES
    for name in [*chosen, "jobs"] if tidy and "jobs" not in chosen else chosen:
        match name:
            case "jobs":
                job = mappings(tuple(JOB), tidy) | wrong
                jobs = draw(st.lists(job, min_size=1 if tidy else 0, max_size=4))
                value = "".join(f"\n  - {job}" for job in jobs)
            case "defaults":
                value = draw(mappings(tuple(DEFAULTS), tidy))
            case "matrix":
                value = draw(axes(tidy) | wrong)
            case "catalog":
                value = draw(mappings(tuple(CATALOG), tidy))
            case _:
                value = draw(st.sampled_from(RIGHT[name]) | wrong)
        text += f"{name}: {value}\n"
    return text


TABLES = {
    "t.csv": b"id,image,seed\na,https://a.example.com/a.jpg,1\nb,https://a.example.com/b.jpg,\n",
    "s.yaml": b"defaults: {seed: 1, camera: tele}\npresets: {tele: long lens}\n",
    "t.jsonl": b'{"image": "https://a.example.com/a.jpg"}\n{"image": 1, "seed": []}\n',
}


@fuzz
@given(manifests())
def test_any_structure(text: str) -> None:
    """Fields right and wrong, aliases, merges and tags, in any mixture."""
    attempt({"m.yaml": text.encode("utf-8", "replace"), **TABLES})


def test_the_structures_are_neither_all_right_nor_all_wrong() -> None:
    """The test of the test: what is mixed there loads often, and fails in many ways."""
    outcomes: list[Manifest | ManifestError] = []

    @settings(max_examples=150, database=None, derandomize=True)
    @given(manifests())
    def collect(text: str) -> None:
        outcomes.append(attempt({"m.yaml": text.encode("utf-8", "replace")}))

    collect()
    said = {
        finding.message
        for outcome in outcomes
        if isinstance(outcome, ManifestError)
        for finding in outcome.findings
    }
    assert sum(isinstance(outcome, Manifest) for outcome in outcomes) > 5
    assert len(said) > 20


# ---------------------------------------------------------------- our own, damaged


def shipped() -> dict[str, dict[str, bytes]]:
    """The manifests that come with the project, and the catalog in each of its forms."""
    table = (MANIFESTS / "catalog.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(table)))
    tabbed = io.StringIO()
    writer = csv.DictWriter(tabbed, list(rows[0]), delimiter="\t")
    writer.writeheader()
    writer.writerows(rows)
    forms = {
        "csv": table,
        "tsv": tabbed.getvalue(),
        "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
    }
    catalog = (MANIFESTS / "catalog.yaml").read_text(encoding="utf-8")
    found = {"yaml": {"m.yaml": (MANIFESTS / "quickstart.yaml").read_bytes()}}
    for suffix, text in forms.items():
        manifest = catalog.replace("file: catalog.csv", f"file: t.{suffix}")
        found[suffix] = {"m.yaml": manifest.encode(), f"t.{suffix}": text.encode()}
    return found


SHIPPED = shipped()
# A matrix is the one thing that makes much work of few bytes; its limit has a test of its own.
CORPUS = [case.files for case in cases() if "a matrix of a billion" not in case.name]
CORPUS = [files for files in CORPUS if sum(map(len, files.values())) < 1_500]


def test_without_damage_they_load() -> None:
    """Each form of what is damaged below is right to begin with."""
    for files in SHIPPED.values():
        outcome = attempt(files)
        assert isinstance(outcome, Manifest)
        assert outcome.entries
        assert outcome.warnings == ()


@st.composite
def damaged(draw: st.DrawFn, whole: dict[str, bytes]) -> dict[str, bytes]:
    """Flip bits, swap, drop and repeat lines, put signs in, and cut, in any of the files."""
    files = dict(whole)
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(sorted(files)))
        data = bytearray(files[name])
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "put", "take", "swap", "twice", "drop", "cut", "cr"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "put":
                data[at:at] = draw(st.sampled_from(SIGNS)).encode()
            case "take":
                del data[at : at + draw(st.integers(1, 20))]
            case "cut":
                del data[at:]
            case "cr":
                data = data.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r"])))
            case change:
                lines = bytes(data).splitlines(keepends=True)
                if lines:
                    one = draw(st.integers(0, len(lines) - 1))
                    other = draw(st.integers(0, len(lines) - 1))
                    lines[one], lines[other] = lines[other], lines[one]
                    if change != "swap":
                        lines[one : one + 1] = [lines[one]] * (2 if change == "twice" else 0)
                data = bytearray(b"".join(lines))
        files[name] = bytes(data)
    return files


@fuzz
@given(st.data())
def test_our_own_manifests_damaged(data: st.DataObject) -> None:
    """What is nearly right is told what is wrong, or is right."""
    files = SHIPPED[data.draw(st.sampled_from(sorted(SHIPPED)))]
    attempt(data.draw(damaged(files)))


@fuzz
@given(st.data())
def test_the_corpus_damaged(data: st.DataObject) -> None:
    """What is wrong already, made worse."""
    files = {**data.draw(st.sampled_from(CORPUS))}
    files["m.yaml"] = files.pop("manifest.yaml")
    attempt(data.draw(damaged(files)))


# ---------------------------------------------------------------- the bound


def test_the_bound_stops_what_does_not_end() -> None:
    """The test of the test: a loop without end is stopped, and the profiler is as before."""
    before = sys.getprofile()

    def nothing() -> None: ...

    def forever() -> None:
        with bounded():
            while True:
                nothing()

    with pytest.raises(AssertionError, match=r"more than 1,500,000 calls, last in .*nothing"):
        forever()
    assert sys.getprofile() is before
