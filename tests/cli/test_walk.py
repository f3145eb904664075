"""docs/walk.md, walked as it is written: from a table to a contact sheet, with one message."""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable

from desk import Desk
from reading import QUICK, ROOT, Reader, quoted, sections
from unit.sockets import answer, replying, serving

from runner import load

WALK = (ROOT / "docs" / "walk.md").read_text()


def test_the_walk(provided: Callable[..., Desk]) -> None:
    """Bad images are seen before anything is bought; then five, the rest, one message, one page."""
    desk = provided(*QUICK)
    assert desk.provider
    desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    (desk.folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "products.csv", desk.folder / "docs")
    bought, told = [], []
    with serving(replying(answer(b"OK"))) as listener:
        reader = Reader(
            desk,
            {
                "ntfy://our-catalog-videos": f"json://127.0.0.1:{listener.port}",
                "runner run walk.yaml": "runner run walk.yaml --poll-interval 200ms",
            },
        )
        for part in sections(WALK):
            said = reader.follow(part).splitlines()
            assert [line for line in quoted(part) if line not in said] == []
            bought.append(desk.audit()["charged"])
            told.append(len(listener.asked))
    assert bought == [0, 0, 0, 5, 200, 200, 200]
    assert told == [0, 0, 0, 0, 1, 1, 1]
    (message,) = (json.loads(asked.body) for asked in listener.asked)
    assert message["title"] == "walk: all videos are done"
    assert "paid 200 tasks, 50.00 of 60.00" in message["message"]
    folder = desk.folder / "walk" / "reports" / "walk"
    (jobs,) = re.findall(r'id="jobs">(.*?)</script>', (folder / "index.html").read_text(), re.S)
    cards = json.loads(jobs)
    assert len({card["id"] for card in cards}) == 200
    assert all((folder / card["film"]).stat().st_size > 1000 for card in cards)


def test_the_walks_extras_are_there() -> None:
    """What the walk asks to install is what the project offers."""
    (extras,) = re.findall(r"pip install '\.\[(.*)\]'", WALK)
    offered = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) <= offered["optional-dependencies"].keys()


def test_a_rehearsal_waits_for_little(desk: Desk) -> None:
    """The built-in stand-in may be asked each second; a provider, or who says otherwise, not."""
    desk.manifest(1, "version: 1\njobs:\n")
    path = desk.folder / "batch.yaml"
    assert load(path).limits.poll_interval == 5
    assert load(path, sandbox=True).limits.poll_interval == 1
    assert load(path, sandbox=True, poll_interval="3s").limits.poll_interval == 3
