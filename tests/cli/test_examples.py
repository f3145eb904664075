"""The manifests that come with the project, worked on as the comment at their head says."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from desk import KEY, Desk
from reading import QUICK, ROOT, Reader, header_commands
from unit.sockets import answer, replying, serving

Provided = Callable[..., Desk]


UNTIL_DONE = "for i in $(seq 50); do runner tick manifests/cron.yaml -qq && break; done"


def follow(desk: Desk, name: str, instead: dict[str, str] | None = None, *more: str) -> str:
    """Type what the head of a manifest says, in a folder with copies of all of them."""
    shutil.copytree(ROOT / "manifests", desk.folder / "manifests")
    if desk.provider:
        desk.environment["RUNNER_BASE_URL"] = desk.provider.url
    lines = header_commands(ROOT / "manifests" / f"{name}.yaml")
    assert len(lines) >= 2, lines
    return Reader(desk, instead).type([*lines, *more])


def videos(folder: Path) -> set[str]:
    """The names of the videos in a folder."""
    return {path.stem for path in folder.rglob("*.mp4")}


def test_the_catalog(provided: Provided) -> None:
    """A rehearsal of two, two in earnest, then all, each row's video in its room's folder."""
    desk = provided(*QUICK)
    typed = "runner run manifests/catalog.yaml"
    said = follow(desk, "catalog", {"sk-your-key": KEY, typed: f"{typed} --poll-interval 200ms"})
    assert "6 of 6 videos done" in said
    assert (desk.folder / "videos" / "dining room" / "chair-02.mp4").exists()
    assert desk.audit()["charged"] == 6
    assert videos(desk.folder / "outputs" / "spring-catalog-sandbox") == {"lamp-01", "clock-05"}
    bought = {charge["body"]["promptText"] for charge in desk.audit()["charges"]}
    assert any(words.startswith("Oak chair in a dining room, soft daylight, ") for words in bought)


def test_retry(desk: Desk) -> None:
    """Failures are paid for again when somebody says so, or mends the entry; not before."""
    try:
        typed = "runner run manifests/retry.yaml"
        said = follow(desk, "retry", {typed: f"{typed} --poll-interval 200ms"})
        assert "paid 6 of 8 tasks (2 in this run)" in said
        assert videos(desk.folder / "outputs" / "retry") == {"lamp", "chair", "teapot", "vase"}
        assert desk.audit()["charged"] == 6
    finally:
        if desk.provider:
            desk.provider.stop()


def test_cron(provided: Provided) -> None:
    """Silent ticks, a heartbeat from each, and one message when all is done."""
    desk = provided("--render", "2s..2s")
    with serving(replying(answer(b"OK"))) as listener:
        examples = {
            "https://hc.example.com": listener.url,
            "mailtos://you:password@example.com": f"json://127.0.0.1:{listener.port}/message",
        }
        said = follow(desk, "cron", examples, UNTIL_DONE)
    assert videos(desk.folder / "outputs" / "cron") == {"lamp", "chair", "teapot"}
    assert said.count("3 of 3 videos done") == 1
    paths = [asked.path.rstrip("/") for asked in listener.asked]
    assert paths.count("/message") == 1
    assert paths.count("/ping/your-check/start") >= 2
    metrics = (desk.folder / "state" / "cron.prom").read_text()
    assert 'runner_jobs{batch="cron",status="done"} 3' in metrics
