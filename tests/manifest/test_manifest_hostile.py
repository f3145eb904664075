"""Manifests that are large, deep, cut, or made to do harm."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import yaml
from conftest import Mistakes, Write

from runner.errors import ManifestError
from runner.manifest import entries, load, tree

HEAD = "version: 1\njobs:\n"
IMAGE = "https://a.example.com/a.jpg"
QUICK = 5.0
KEYS = 20_000  # of a mapping that is merged over and over


def test_five_mistakes_in_two_thousand_lines(mistakes: Mistakes) -> None:
    """Each of five mistakes is named by its line, and nothing else is said."""
    wrong = {
        17: "  - {image: https://a.example.com/17.jpg, promt: x}",
        404: "  - {image: http://a.example.com/404.jpg}",
        999: "  - {image: https://a.example.com/999.jpg, ratio: 16:9}",
        1500: "  - {id: job-3, image: https://a.example.com/1500.jpg}",
        2000: "  - {image: https://a.example.com/2000.jpg, seed: 1_000}",
    }
    rows = [
        wrong.get(line, f"  - {{id: job-{line}, image: https://a.example.com/{line}.jpg}}")
        for line in range(3, 2001)
    ]
    found = mistakes(HEAD + "\n".join(rows) + "\n")
    assert [int(text.split(":")[1]) for text in found] == list(wrong)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize("unit", ["[", "- ", "{a: ", "[[", "? "])
def test_deep_nesting(
    mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch, loader: str, unit: str
) -> None:
    """A hundred thousand brackets are a finding, with either of PyYAML's parsers."""
    monkeypatch.setattr(tree, "_LOADER", getattr(yaml, loader))
    start = time.process_time()
    (line,) = mistakes(unit * 100_000)
    assert "nested more than 32 levels deep" in line
    assert time.process_time() - start < QUICK


def test_the_pure_parser_reads_the_same(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without libyaml the same manifest gives the same entries."""
    path = write(
        HEAD + f"  - &a {{id: 007, image: {IMAGE}}}\n  - {{<<: *a, id: b, ratio: 960:960}}\n"
    )
    fast = load(path)
    monkeypatch.setattr(tree, "_LOADER", yaml.SafeLoader)
    assert load(path) == fast


def test_a_bomb_of_jobs(mistakes: Mistakes) -> None:
    """Lists of lists of aliases are not expanded, only refused."""
    layers = "".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]\n" for n in range(1, 30))
    start = time.process_time()
    found = mistakes(f"x0: &x0 [a]\n{layers}version: 1\njobs: *x29\n")
    assert any("jobs[0]: must be a mapping, not a list" in line for line in found)
    assert time.process_time() - start < QUICK


@pytest.mark.parametrize(
    ("merges", "lists"),
    [
        ("  - <<: [" + ", ".join(["*a"] * 1000) + "]\n", 1),
        ("  - <<: *a\n", 201),  # 200 times 20,000 values are just allowed
    ],
)
def test_a_bomb_of_merges(
    mistakes: Mistakes, monkeypatch: pytest.MonkeyPatch, merges: str, lists: int
) -> None:
    """Merging a large mapping over and over stops at the very `<<` that passes the bound."""
    large = "{" + ", ".join(f"k{n}: 1" for n in range(KEYS)) + "}"
    seen = []
    merge = tree._Builder._merge
    monkeypatch.setattr(
        tree._Builder, "_merge", lambda *arguments: (seen.append(1), merge(*arguments))[1]
    )
    found = mistakes(f"version: 1\na: &a {large}\njobs:\n{merges * 300}")
    assert "merges (`<<`) take over too many values" in found[-1]
    assert len(seen) == lists


def test_a_text_of_a_gigabyte(write: Write) -> None:
    """A file that is too large is refused unread."""
    path = write(HEAD + "  - prompt: '")
    os.truncate(path, 1 << 30)
    start = time.process_time()
    with pytest.raises(ManifestError, match=r"larger than 64 MiB \(move the jobs into"):
        load(path)
    assert time.process_time() - start < QUICK


def test_a_long_text(mistakes: Mistakes) -> None:
    """One value has its limit too."""
    found = mistakes(HEAD + f"  - {{image: {IMAGE}, prompt: '{'x' * 200_000}'}}\n")
    assert found == ["manifest.yaml:3:50: a text of 200,000 characters; at most 100,000"]


def test_a_catalog_that_is_one_endless_line(mistakes: Mistakes, write: Write) -> None:
    """A catalog of a gigabyte without a line break is refused after the first megabyte."""
    write("", **{"t__csv": "image\nhttps"})
    with Path("t.csv").open("ab") as stream:
        stream.write(b"x" * (1 << 21))
    (line,) = mistakes("version: 1\ncatalog: {file: t.csv}")
    assert line == "t.csv:2: a line of more than 1,048,576 bytes"


def test_a_bad_row_in_the_middle_of_many(mistakes: Mistakes) -> None:
    """One row in a hundred thousand is found, by line and cell."""
    rows = [f"https://a.example.com/{n}.jpg,{n}" for n in range(100_000)]
    rows[49_998] = "https://a.example.com/x.jpg,4l"
    found = mistakes("version: 1\ncatalog: {file: t.csv}", t__csv="image,seed\n" + "\n".join(rows))
    assert found == ["t.csv:50000:2: seed: `4l` is not a whole number"]


def test_an_unknown_model_is_looked_up_once(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a strange model may have meant is worked out once, not again for every row."""
    asked: list[str] = []

    def nearest(name: str, choices: object, cutoff: float = 0.6) -> str:
        asked.append(name)
        return ""

    monkeypatch.setattr(entries, "nearest", nearest)
    rows = f"{IMAGE},no-such-model\n" * 5_000
    path = write("version: 1\ncatalog: {file: t.csv}", t__csv="image,model\n" + rows)
    (warning,) = load(path).warnings
    assert "(and 4999 more)" in warning.message
    assert asked == ["no-such-model"]


def test_many_mistakes_are_counted(mistakes: Mistakes) -> None:
    """Beyond a thousand mistakes the rest is a number."""
    rows = "x\n" * 2500
    found = mistakes("version: 1\ncatalog: {file: t.csv}", t__csv="image\n" + rows)
    assert len(found) == 1001
    assert found[-1] == "t.csv:1002: … and 1500 more mistakes, not listed"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"version: 1\nname: \xff\n", "manifest.yaml:2: is not UTF-8 text"),
        ("version: 1\n".encode("utf-16"), "manifest.yaml:1: is not UTF-8 text"),
        (b"version: 1\nname: a\x00b\n", "manifest.yaml:2:8: control character U+0000"),
        (b"version: 1\nname: 'a\x1b[2J'\n", "manifest.yaml:2:9: control character U+001B"),
    ],
)
def test_bytes_that_are_no_text(mistakes: Mistakes, data: bytes, said: str) -> None:
    """What can't be read as text is located as well."""
    (line,) = mistakes(data)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"image\nhttps://a.example.com/a.jpg\n\xff\n", "t.csv:3: is not UTF-8 text"),
        ("image\n".encode("utf-16"), "t.csv:1: a NUL byte"),
        (b"image\nhttps://a.example.com/a.jpg\0\n", "t.csv:2: a NUL byte"),
        (b"image\rhttps://a.example.com/a.jpg\r", "t.csv:1: not a valid table"),
        (b'image\n"a"b\n', "t.csv:2: not a valid table"),
        (b"image\n" + b"x" * 140_000, "t.csv:2: not a valid table: field larger than"),
    ],
)
def test_catalogs_that_are_no_tables(mistakes: Mistakes, data: bytes, said: str) -> None:
    """The same for catalogs."""
    assert mistakes("version: 1\ncatalog: {file: t.csv}", t__csv=data)[0].startswith(said)


def test_json_nested_too_deeply(mistakes: Mistakes) -> None:
    """A line of JSON that would exhaust the stack is a finding."""
    table = '{"image": ' + "[" * 100_000
    (line,) = mistakes("version: 1\ncatalog: {file: t.jsonl}", t__jsonl=table)
    assert line == "t.jsonl:1: not valid JSON: nested too deeply"


def test_files_that_are_none(mistakes: Mistakes, tmp_path: Path) -> None:
    """A missing file, a folder and a device are told apart."""
    for path, said in (
        (tmp_path / "no.yaml", "there is no such file"),
        (tmp_path, "is a folder"),
        (Path(os.devnull), "is not a file"),
        (Path("a\0b"), "that can't be a file's name"),
    ):
        with pytest.raises(ManifestError, match=said):
            load(path)
    (tmp_path / "folder.csv").mkdir()
    (line,) = mistakes("version: 1\ncatalog: {file: folder.csv}")
    assert line == "folder.csv: is not a file"


def test_messages_obey_nobody(mistakes: Mistakes) -> None:
    """Nothing from a manifest reaches the terminal as a control character."""
    keys = '"\\e[2J\\u202e": 1\n'
    values = "".join(
        f'    {name}: "\\e]0;x"\n' for name in ("image", "id", "model", "ratio", "seed")
    )
    found = mistakes(f"version: 1\n{keys}jobs:\n  -\n{values}")
    assert all(line.isprintable() for line in found)
    assert len(found) == 6


def test_a_catalog_hidden_behind_a_fifo_does_not_hang(mistakes: Mistakes, write: Write) -> None:
    """A pipe that nobody writes to is refused instead of waited for."""
    write("")
    os.mkfifo("t.csv")
    assert mistakes("version: 1\ncatalog: {file: t.csv}") == ["t.csv: is not a file"]


def test_large_manifests_are_quick(write: Write) -> None:
    """20,000 jobs of YAML and 50,000 rows of CSV, well within the time PyYAML alone takes."""
    rows = "".join(
        f"  - {{id: j{n}, image: https://a.example.com/{n}.jpg}}\n" for n in range(20_000)
    )
    table = "image\n" + "".join(f"https://a.example.com/c{n}.jpg\n" for n in range(50_000))
    path = write(f"{HEAD}{rows}catalog: {{file: t.csv}}\n", t__csv=table)
    start = time.process_time()
    assert len(load(path).entries) == 70_000
    assert time.process_time() - start < QUICK
