"""`runner verify` and the sidecars, with real runs."""

from __future__ import annotations

import json
from collections.abc import Callable

from desk import KEY, MANIFEST, Desk


def test_sidecars_come_with_the_videos(provided: Callable[..., Desk]) -> None:
    """With `sidecar: yes`, each video has one when the run ends; no key and no link in it."""
    desk = provided("--render", "100ms")
    desk.manifest(3, MANIFEST.replace("jobs:", "sidecar: yes\njobs:"))
    desk.run("run", "batch.yaml")
    for job in desk.status()["jobs"]:
        text = (desk.folder / job["output"]).with_suffix(".json").read_text()
        found = json.loads(text)
        assert (found["id"], found["sha256"]) == (job["id"], job["sha256"])
        assert found["task_id"] == job["task_id"]
        assert KEY not in text
        assert "127.0.0.1" not in text
    assert "3 as they came home, 0 missing, 0 changed" in desk.run("verify", "batch.yaml").stdout


def test_verify_names_what_is_wrong(provided: Callable[..., Desk]) -> None:
    """Missing and changed videos are named, with exit code 1; nothing else is touched."""
    desk = provided("--render", "100ms")
    desk.manifest(3)
    assert "none yet" in desk.run("verify", "batch.yaml").stdout
    desk.run("run", "batch.yaml")
    first, second, third = (desk.folder / job["output"] for job in desk.status()["jobs"])
    first.unlink()
    with second.open("ab") as video:
        video.write(b"x")
    said = desk.run("verify", "batch.yaml", code=1).stdout
    assert "lamp-01: " in said
    assert "lamp-02: " in said
    assert "lamp-03: " not in said
    assert "1 as they came home, 1 missing, 1 changed" in said
    assert "doctor batch.yaml --refetch" in said
    assert not list(third.parent.glob("*.json"))


def test_verify_writes_missing_sidecars(provided: Callable[..., Desk]) -> None:
    """Only those of videos that are there; another's file stays and is counted."""
    desk = provided("--render", "100ms")
    desk.manifest(3)
    desk.run("run", "batch.yaml")
    first, second, third = (desk.folder / job["output"] for job in desk.status()["jobs"])
    first.unlink()
    second.with_suffix(".json").write_text("mine")
    said = desk.run("verify", "batch.yaml", "--sidecars", code=1).stdout
    assert "lamp-02.json: another file has the sidecar's name" in said
    assert "1 sidecar missing" in said
    assert second.with_suffix(".json").read_text() == "mine"
    assert json.loads(third.with_suffix(".json").read_text())["id"] == "lamp-03"
    assert not first.with_suffix(".json").exists()
