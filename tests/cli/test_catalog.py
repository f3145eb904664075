"""A catalog's columns in the videos' paths, with real runs."""

from __future__ import annotations

from collections.abc import Callable

from desk import Desk

MANIFEST = """\
version: 1
poll_interval: 100ms
output: "videos/{brand}/{ratio}/{id}.mp4"
defaults: {ratio: 1280:720, prompt: "{{ brand }} lamp"}
catalog: {file: t.csv, columns: {id: sku, image: photo}}
"""
ROWS = [
    "lamp-01,https://cdn.example.com/1.jpg,North & Co",
    "lamp-02,https://cdn.example.com/2.jpg,South",
]


def table(rows: list[str]) -> str:
    """The catalog with these rows."""
    return "\n".join(["sku,photo,brand", *rows, ""])


def outputs(desk: Desk) -> dict[str, str]:
    """Where each job's video is."""
    return {job["id"]: job["output"] for job in desk.status()["jobs"]}


def test_videos_go_where_their_columns_say(provided: Callable[..., Desk]) -> None:
    """Each by its own row, whatever the order of the rows is when its task is asked about."""
    desk = provided("--render", "1500ms")
    desk.write("batch.yaml", MANIFEST)
    desk.write("t.csv", table(ROWS))
    desk.run("run", "batch.yaml", "--deadline", "700ms", code=3)
    assert {job["status"] for job in desk.status()["jobs"]} == {"running"}
    desk.write("t.csv", table(["lamp-03,https://cdn.example.com/3.jpg,East", *reversed(ROWS)]))
    desk.run("run", "batch.yaml")
    assert outputs(desk) == {
        "lamp-01": "videos/North - Co/1280x720/lamp-01.mp4",
        "lamp-02": "videos/South/1280x720/lamp-02.mp4",
        "lamp-03": "videos/East/1280x720/lamp-03.mp4",
    }
    assert len(desk.audit()["charges"]) == 3


def test_a_video_whose_row_is_gone_still_comes_home(provided: Callable[..., Desk]) -> None:
    """Nobody knows its column any more: it reads `auto`."""
    desk = provided("--render", "1500ms")
    desk.write("batch.yaml", MANIFEST)
    desk.write("t.csv", table(ROWS))
    desk.run("run", "batch.yaml", "--deadline", "700ms", code=3)
    desk.write("t.csv", table(ROWS[:1]))
    desk.run("run", "batch.yaml")
    assert outputs(desk)["lamp-02"] == "videos/auto/1280x720/lamp-02.mp4"
    assert (desk.folder / outputs(desk)["lamp-02"]).exists()


def test_an_edited_template_is_held(provided: Callable[..., Desk]) -> None:
    """What was paid for stays; the filled-in prompts differ, and nothing is bought unasked."""
    desk = provided("--render", "100ms")
    desk.write("batch.yaml", MANIFEST)
    desk.write("t.csv", table(ROWS))
    desk.run("run", "batch.yaml")
    desk.write("batch.yaml", MANIFEST.replace("{{ brand }} lamp", "{{ brand }} lamp at night"))
    desk.run("run", "batch.yaml", code=4)
    assert len(desk.audit()["charges"]) == 2


def test_a_lost_state_file_pays_nothing_again(provided: Callable[..., Desk]) -> None:
    """Videos at their rows' places are found there, and their rows held."""
    desk = provided("--render", "100ms")
    desk.write("batch.yaml", MANIFEST)
    desk.write("t.csv", table(ROWS))
    desk.run("run", "batch.yaml")
    desk.run("run", "batch.yaml", "--state", "state/other.db", code=4)
    assert len(desk.audit()["charges"]) == 2
