"""Metadata and posters, with a real run and real films."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import av
import pytest
from desk import MANIFEST, Desk
from PIL import Image

from runner import posters
from runner.cli import main

HEAD = MANIFEST.replace(
    "jobs:", "sidecar: yes\nposter: yes\nmetadata: {title: 'Lämp {{ id }}'}\njobs:"
)


def test_videos_come_home_with_title_and_poster(provided: Callable[..., Desk]) -> None:
    """The file is the one that the state file knows, and the sidecar knows what came."""
    desk = provided("--films", "real", "--render", "100ms")
    desk.manifest(2, HEAD.replace("gen3a_turbo", "gen4_turbo, ratio: '1280:720', duration: 2"))
    desk.run("run", "batch.yaml")
    for job in desk.status()["jobs"]:
        video = desk.folder / job["output"]
        data = video.read_bytes()
        assert hashlib.sha256(data).hexdigest() == job["sha256"]
        with av.open(str(video)) as film:
            assert film.metadata["title"] == f"Lämp {job['id']}"
            assert film.streams.video[0].frames == 24
        sidecar = json.loads(video.with_suffix(".json").read_text())
        assert sidecar["sha256"] == job["sha256"]
        assert len(sidecar["received_sha256"]) == 64
        assert sidecar["received_sha256"] != job["sha256"]
        with Image.open(video.with_suffix(".jpg")) as poster:
            assert poster.size == (1280, 720)
    names = sorted(path.name for path in video.parent.iterdir())
    assert names == [
        f"lamp-0{number}.{kind}" for number in (1, 2) for kind in ("jpg", "json", "mp4")
    ]

    video.with_suffix(".jpg").unlink()
    video.with_suffix(".json").unlink()
    said = desk.run("verify", "batch.yaml").stdout
    assert "2 as they came home, 0 missing, 0 changed" in said
    assert "1 poster missing; next: " in said
    said = desk.run("verify", "batch.yaml", "--posters", "--sidecars").stdout
    assert "missing;" not in said
    assert video.with_suffix(".jpg").exists()
    assert json.loads(video.with_suffix(".json").read_text()) == sidecar


def test_without_the_extra_nothing_is_sent(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wish that can't be fulfilled is told of before the state file is touched."""
    desk.manifest(1, HEAD)
    monkeypatch.chdir(desk.folder)
    monkeypatch.setattr(posters, "find_spec", lambda name: None)
    for command in (("run",), ("tick",), ("verify", "--posters")):
        with pytest.raises(SystemExit) as ended:
            main([*command, "batch.yaml"])
        assert ended.value.code == 2
        assert "`poster` needs the extra `media`: pip install" in capsys.readouterr().err
    assert [path.name for path in desk.folder.iterdir()] == ["batch.yaml"]
