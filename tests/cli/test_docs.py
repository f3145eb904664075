"""docs/, as it is written: what each document says to type, and what it says of the code."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import pytest
from desk import KEY, Desk, Provider
from reading import QUICK, ROOT, Reader, blocks, commands, quoted, sections

from runner.events import Event
from runner.jobs import Status
from runner.ledger import Ledger

STATE = (ROOT / "docs" / "state.md").read_text()
PRODUCTS = """\
id,image,prompt
lamp-01,https://cdn.example.com/lamp-01.jpg,the shade sways
lamp-02,https://cdn.example.com/lamp-02.jpg,it shatters
vase-01,https://cdn.example.com/vase-01.jpg,it turns
"""


RECIPES = (ROOT / "docs" / "recipes.md").read_text()


def test_the_state_file_is_explained(tmp_path: Path) -> None:
    """Every table, column, status and event of the code is in docs/state.md, and no other."""
    with closing(Ledger.open(tmp_path / "batch.db")) as ledger:
        tables = {
            table: [row[1] for row in ledger.connection.execute(f"PRAGMA table_info({table})")]
            for (table,) in ledger.connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            )
        }
    named = set(re.findall(r"`(\w+)`", STATE))
    columns = {column for table, each in tables.items() if table[0] != "_" for column in each}
    assert columns | tables.keys() <= named
    rows = re.findall(r"^\| (`[^|]*) \|", STATE, re.MULTILINE)
    first = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    events = {each.__name__ for each in get_args(Event)}
    assert {name for name in first if name[0].isupper()} == events
    assert first - events == {*tables["jobs"], *Status}


@pytest.fixture
def reader(desk: Desk) -> Iterator[Reader]:
    """Somebody with a table, a key, and a provider that refuses one of three jobs."""
    desk.provider = Provider(desk.folder, *QUICK, "--fault", "submit:400#1~lamp-02")
    desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    desk.write("products.csv", PRODUCTS)
    quick = "--poll-interval 200ms"
    reader = Reader(desk, {"runner run": f"runner run {quick}"})
    desk.environment["COMETAPI_KEY"] = KEY
    yield reader
    desk.provider.stop()


def grow_old(state_file: Path) -> None:
    """Let forty days go by."""
    with closing(sqlite3.connect(state_file)) as connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET at = at - 40 * 86400")
        connection.execute("UPDATE runs SET started_at = started_at - 40 * 86400")
        connection.commit()


def test_the_state_file_is_asked_kept_and_pruned(reader: Reader) -> None:
    """The questions of docs/state.md have answers, its backup is whole, its archive as told."""
    desk = reader.desk
    reader.type(["runner init products.csv", *["runner run products.yaml  # exits with 1"] * 2])
    for part in sections(STATE):
        if part.startswith("## What prune writes"):
            grow_old(desk.folder / "state" / "products.db")
        said = reader.follow(part)
        assert [line for line in quoted(part) if line not in said.splitlines()] == []
        if part.startswith("## Questions"):
            rows = [line.split() for line in said.splitlines()]
            assert next(row[:2] for row in rows if row[:1] == ["done"]) == ["done", "2"]
            assert ["SubmitStarted", "planned", "submitting"] in [row[2:] for row in rows]
    assert len((desk.folder / "tasks.csv").read_text().splitlines()) == 3
    ledger = Ledger.read(desk.folder / "backup.db")
    assert ledger
    with closing(ledger):
        assert len(list(ledger.finished())) == 2
    (archive,) = (desk.folder / "state").glob("products-archive-*.jsonl")
    lines = [set(json.loads(line)) for line in archive.read_text().splitlines()]
    fields = re.findall(r"^\| (?:the head|a job|a run).* \| (.*) \|$", STATE, re.MULTILINE)
    told = [set(re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", each))) for each in fields]
    assert lines[:2] == told[:2]
    assert all(line in told for line in lines)


def test_the_recipes(reader: Reader) -> None:
    """Every recipe does what it says, one after the other, at one desk."""
    desk = reader.desk
    desk.write("keys/lamps", KEY)
    desk.write("keys/chairs", KEY)
    rows = PRODUCTS.splitlines(keepends=True)
    desk.write("products.csv", "".join([*rows[:2], *rows[3:]]))
    (task_ids,) = [line for line in commands(STATE) if "tasks.csv" in line]
    before = {
        "## Only the failed ones again": ["runner run products.yaml  # exits with 1"],
        "## The state file is lost": [task_ids],
    }
    reader.type(["runner init products.csv"])
    charged, bought = 0, {}
    for part in sections(RECIPES):
        title = part.splitlines()[0]
        if title in before:
            desk.write("products.csv", PRODUCTS)
            reader.type(before[title])
        reader.follow(part)
        charged, past = desk.audit()["charged"], charged
        bought[title.removeprefix("## ")] = charged - past
    assert {title: number for title, number in bought.items() if number} == {
        "Go on after a crash": 2,
        "Several catalogs with the same defaults": 2,
        "Another prompt for a part of the catalog": 3,
        "Only the failed ones again": 1,
        "Limits to what is spent": 2,
        "Two accounts": 2,
    }
    peek, *_ = [each["body"] for each in desk.audit()["charges"] if "chair" in str(each["body"])]
    assert peek["promptText"] == "Oak chair, soft daylight, the camera peeks over the edge"
    assert len(list((desk.folder / "outputs" / "products").glob("*.mp4"))) == 3
    shared = subprocess.check_output(["tar", "-tf", desk.folder / "sheet.tar.gz"], text=True)
    assert shared.count(".mp4") == 3
    assert "products/index.html" in shared
    ElementTree.parse(desk.folder / "results.xml")


def test_the_recipes_crontab_line_is_the_one_in_contrib() -> None:
    """Which has its own test: it is run there."""
    (line,) = blocks(RECIPES, "crontab")
    assert (ROOT / "contrib" / "crontab").read_text().endswith(f"\n{line}")
