"""`runner report` as a process: the sheet and the exports of batches that really ran."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
from desk import KEY, MANIFEST, Desk, Provider

QUICK = ("--render", "200ms..300ms", "--queue", "50ms..50ms")
INDEX = Path("reports") / "batch" / "index.html"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A batch in which one job failed, one submit was lost, and four videos came home."""
    faults = ("submit:charged-then-cut~02.jpg", "task:SAFETY.INPUT.IMAGE~03.jpg")
    desk = Desk(tmp_path_factory.mktemp("ran"))
    desk.manifest(6, MANIFEST.replace("poll_interval", "price: 0.32\npoll_interval"))
    options = [part for fault in faults for part in ("--fault", fault)]
    desk.provider = Provider(desk.folder, *QUICK, *options)
    try:
        desk.run("run", "batch.yaml", code=4)
    finally:
        desk.provider.stop()
    return desk


@pytest.fixture
def mixed(ran: Desk, tmp_path: Path) -> Desk:
    """A copy of it, to do with as one likes; the provider is gone."""
    desk = Desk(shutil.copytree(ran.folder, tmp_path / "desk"))
    desk.environment = dict(ran.environment)
    return desk


def jobs(page: Path) -> dict[str, dict[str, object]]:
    """The jobs that a page shows, by id."""
    data = re.search(r'id="jobs">(.*?)</script>', page.read_text(), re.DOTALL)
    assert data
    return {job["id"]: job for job in json.loads(data[1])}


def test_the_sheet_of_a_batch(mixed: Desk) -> None:
    """Every job, its video beside the page under a name of its own, the commands that settle it."""
    done = mixed.run("report", "batch.yaml")
    assert done.stdout.startswith(f"{INDEX}: 6 jobs")
    shown = jobs(mixed.folder / INDEX)
    assert len(shown) == 6
    film = mixed.folder / INDEX.parent / str(shown["lamp-01"]["film"])
    assert film.samefile(mixed.folder / "outputs" / "batch" / "lamp-01.mp4")
    assert shown["lamp-02"]["trouble"] == "answer lost"
    assert shown["lamp-03"]["trouble"] == "image refused by the safety filter"
    (command,) = shown["lamp-03"]["commands"]  # type: ignore[misc]
    words = command[1].split()
    assert words[:4] == ["python", "-m", "runner", "retry"]
    mixed.run(*words[3:], "--yes")
    assert mixed.status()["counts"]["planned"] == 1


def test_what_it_writes_is_all_it_touches(mixed: Desk) -> None:
    """Videos, state and manifest stay as they are; the key and signed links are nowhere."""
    before = {
        path: path.read_bytes() for path in mixed.folder.rglob("*") if path.suffix != ".jsonl"
        and path.is_file() and not path.name.endswith(("-shm", "-wal"))
    }  # fmt: skip
    exports = ["--csv", "a.csv", "--json", "a.json", "--junit", "a.xml"]
    for arguments in ([], exports, ["--to", "one.html"]):
        mixed.run("report", "batch.yaml", *arguments)
    for path, content in before.items():
        assert path.read_bytes() == content, path
    for path in mixed.folder.rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
            assert b"signature=" not in path.read_bytes(), path


def test_again_and_again(mixed: Desk) -> None:
    """A second report takes the place of the first, and what a run brought is in it."""
    mixed.run("report", "batch.yaml")
    mixed.run("resolve", "batch.yaml", "lamp-02", "--give-up")
    mixed.run("report", "batch.yaml")
    assert jobs(mixed.folder / INDEX)["lamp-02"]["state"] == "failed"
    assert not list(mixed.folder.rglob("*.part"))


def test_nothing_of_anybody_is_overwritten(mixed: Desk) -> None:
    """A page of another kind, the manifest, the state file: refused, with a word, untouched."""
    other = mixed.write("site/index.html", "<p>mine</p>")
    refused = mixed.run("report", "batch.yaml", "--to", "site", code=2)
    assert "no contact sheet" in refused.stderr
    assert other.read_text() == "<p>mine</p>"
    for target in ("batch.yaml", "state/batch.db", "./state/../batch.yaml"):
        assert "needs it" in mixed.run("report", "batch.yaml", "--csv", target, code=2).stderr
    assert mixed.status()["counts"]["done"] == 4


def test_a_place_that_cant_be_written(mixed: Desk) -> None:
    """A file where a folder must be: the path and the reason, no traceback."""
    mixed.write("taken", "")
    assert "taken" in mixed.run("report", "batch.yaml", "--to", "taken/sheet", code=2).stderr
    assert "taken" in mixed.run("report", "batch.yaml", "--json", "taken/x.json", code=2).stderr


def test_exports_to_standard_output(mixed: Desk) -> None:
    """`-` prints just the export, and no page is written."""
    rows = list(csv.DictReader(mixed.run("report", "batch.yaml", "--csv", "-").stdout.splitlines()))
    assert [row["status"] for row in rows] == [
        "done",
        "uncertain",
        "failed",
        "done",
        "done",
        "done",
    ]
    assert rows[0]["spent"] == "0.32"
    whole = json.loads(mixed.run("report", "batch.yaml", "--json", "-").stdout)
    assert len(whole["jobs"]) == 6
    suites = ElementTree.fromstring(mixed.run("report", "batch.yaml", "--junit", "-").stdout)
    assert (suites[0].get("failures"), suites[0].get("errors")) == ("1", "1")
    assert not (mixed.folder / "reports").exists()


def test_a_batch_never_run(desk: Desk) -> None:
    """Before the first run the sheet shows what would be bought; no state file is made."""
    desk.manifest(2)
    desk.run("report", "batch.yaml")
    assert jobs(desk.folder / INDEX)["lamp-01"]["state"] == "planned"
    assert not (desk.folder / "state").exists()


def test_a_rehearsals_commands_repeat_its_options(desk: Desk) -> None:
    """A command copied from the sheet of a rehearsal never touches the real batch."""
    desk.manifest(1)
    desk.run("report", "batch.yaml", "--sandbox", "--state", "my state.db")
    page = (desk.folder / "reports" / "batch-sandbox" / "index.html").read_text()
    assert "runner run batch.yaml --state &#39;my state.db&#39; --sandbox<" in page


def test_another_disk_gets_copies(mixed: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a second name is impossible the videos are copied, whole."""
    from runner.jobs import Status
    from runner.sheet import folder
    from runner.sheet.cards import Card, State

    def refuse(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    source = mixed.folder / "outputs" / "batch" / "lamp-01.mp4"
    card = Card(
        1, "lamp", State.DONE, Status.DONE, "", "", "", (), 1, 0, None,
        output=str(source), sha256="ab" * 32,
    )  # fmt: skip
    place = folder.Place.at(mixed.folder / "copy")
    place.gather([card])
    copy = mixed.folder / "copy" / place.video(card)
    assert copy.read_bytes() == source.read_bytes()
    assert not copy.samefile(source)


def test_without_the_extra(mixed: Desk) -> None:
    """The page says how to get its engine; the exports do without."""
    mixed.write("blocked/jinja2.py", "raise ImportError('not installed')\n")
    mixed.environment["PYTHONPATH"] = str(mixed.folder / "blocked")
    refused = mixed.run("report", "batch.yaml", code=2)
    assert "pip install 'image-to-video-runner[report]'" in refused.stderr
    assert not (mixed.folder / "reports").exists()
    mixed.run("report", "batch.yaml", "--csv", "a.csv")
