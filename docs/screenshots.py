"""Draw the README's pictures anew: a batch that really ran, on the stand-in provider.

`make screenshots` runs it. The dates are spread over two weeks afterwards, so that the charts have
something to show, and the source images, which no host has, are painted as the films begin.
"""

from __future__ import annotations

import io
import os
import pty
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, Route
from rich.console import Console
from rich.text import Text

from runner.sandbox.film import FilmSpec
from runner.sandbox.scene import Scene

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
sys.path.append(str(ROOT / "tests" / "sheet"))
from browser import MISSING, chromium, executable  # noqa: E402 - where the tests have theirs

PRODUCTS = {
    "walnut-desk-lamp": "the shade sways, soft daylight",
    "linen-curtain": "a breeze moves the curtain",
    "terracotta-vase": "the vase turns once, slowly",
    "oak-armchair": "slow push in, dust in a beam of light",
    "copper-teapot": "steam rises from the spout",
    "wool-blanket": "slow pan left along the weave",
    "brass-mirror": "light wanders over the frame",
    "birch-shelf": "slow zoom out",
}
HEAD = """\
version: 1
concurrency: 6
poll_interval: 500ms
price: {gen3a_turbo: 0.32, gen4_turbo: 0.25, gen4.5: 0.60}
budget: {tasks: 60, cost: 20.00}
defaults: {duration: 2}
jobs:
"""
FAULTS = (
    "submit:charged-then-cut#1~oak-armchair",
    "task:SAFETY.INPUT.IMAGE#1~copper-teapot",
    "task:INTERNAL.BAD_OUTPUT#1~brass-mirror",
    "poll:503#4",
    "submit:429#2",
)
COLUMNS = 92


class Still(Scene):
    """The picture that a film begins with, before anything is written on it."""

    def _caption(self) -> None:
        pass


def still(address: str) -> bytes:
    """The source image at an address, as JPEG."""
    film = FilmSpec("", address, "", "", 1, 1280, 720, 2.0)
    picture = Still(film).frame(0).crop((0, 0, 1280, 660))
    target = io.BytesIO()
    picture.save(target, "JPEG")
    return target.getvalue()


def manifest(folder: Path) -> None:
    """`spring-catalog.yaml`: three models for each product."""
    shapes = {"gen4_turbo": "1280:720", "gen3a_turbo": "1280:768", "gen4.5": "960:960"}
    jobs = [
        f"  - {{id: {name}-{model.replace('_', '-')}, image: https://shop.example.com/{name}.jpg, "
        f"prompt: '{prompt}', model: {model}, ratio: '{ratio}', duration: "
        f"{5 if model == 'gen3a_turbo' else 4}}}\n"
        for model, ratio in shapes.items()
        for name, prompt in PRODUCTS.items()
    ]
    (folder / "spring-catalog.yaml").write_text(HEAD + "".join(jobs))


@contextmanager
def provider() -> Iterator[str]:
    """The stand-in as a process; gives its address."""
    command = [sys.executable, "-m", "runner", "sandbox", "--port", "0", "--render", "2s..6s"]
    command += [word for fault in FAULTS for word in ("--fault", fault)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().decode().split()[-1]
    finally:
        process.terminate()
        process.communicate()


def run_on_a_terminal(folder: Path, address: str) -> list[str]:
    """The batch, run to its end; every picture of the live view that was drawn."""
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": "24", "TERM": "xterm-256color"}
    environment = {**os.environ, **size, "COMETAPI_KEY": "stand-in", "RUNNER_BASE_URL": address}
    command = [sys.executable, "-m", "runner", "run", "spring-catalog.yaml"]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    drawn = b""
    try:
        while piece := os.read(ours, 65536):
            drawn += piece
    except OSError:
        pass  # how Linux says that the other end of a terminal is gone
    process.wait()
    frames = re.split(r"(?:\r|\x1b\[2K|\x1b\[1A)+", drawn.decode().replace("\r\n", "\n"))
    return [frame for frame in frames if "at the provider" in frame]


def live_view(browser: Browser, frames: list[str]) -> None:
    """One moment of the live view, when half was done and something had gone wrong."""
    counted = [frame for frame in frames if frame.count("!") >= 2] or frames
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text("$ runner run spring-catalog.yaml", style="bold"))
    console.print(Text.from_ansi(counted[len(counted) // 2].strip("\n")), no_wrap=True, crop=True)
    page = browser.new_page(viewport={"width": 1240, "height": 700}, device_scale_factor=1)
    page.set_content(f"<body style='margin:0'>{console.export_svg(title='runner')}")
    save(page.locator("svg").first.screenshot(), "live")


def spread(state: Path) -> None:
    """Let the batch have taken two weeks: each submission on a day of its own."""
    with sqlite3.connect(state) as connection:
        guards = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        for (guard,) in connection.execute(guards).fetchall():
            connection.execute(f'DROP TRIGGER "{guard}"')  # the log is append-only, but here
        back = "86400 * ((job * 7) % 12)"
        connection.execute(f"UPDATE events SET at = at - {back}")
        times = ("submitted_at", "since", "finished_at")
        back = back.replace("job", "key")
        moves = ", ".join(f"{name} = iif({name}, {name} - {back}, 0)" for name in times)
        connection.execute(f"UPDATE jobs SET {moves}")
    connection.close()


def open_sheet(browser: Browser, folder: Path, **options: object) -> Page:
    """The contact sheet, with its source images where they would be."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]

    def paint(route: Route) -> None:
        route.fulfill(body=still(route.request.url), content_type="image/jpeg")

    page.route(re.compile("^https://shop"), paint)
    page.goto((folder / "reports" / "spring-catalog" / "index.html").as_uri())
    page.wait_for_timeout(3000)
    return page


def save(picture: bytes, name: str) -> None:
    """A picture as docs/images/NAME.webp."""
    target = IMAGES / f"{name}.webp"
    Image.open(io.BytesIO(picture)).convert("RGB").save(target, quality=82, method=6)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size // 1024} KB")


def main() -> None:
    """Run the batch, then take its pictures."""
    if executable() is None:
        sys.exit(MISSING)
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, chromium() as browser:
        folder = Path(name)
        manifest(folder)
        with provider() as address:
            frames = run_on_a_terminal(folder, address)
        spread(folder / "state" / "spring-catalog.db")
        report = [sys.executable, "-m", "runner", "report", "spring-catalog.yaml"]
        subprocess.run(report, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        live_view(browser, frames)
        desktop = {"width": 1400, "height": 1320}
        for scheme, file in (("light", "sheet"), ("dark", "sheet-dark")):
            page = open_sheet(browser, folder, viewport=desktop, color_scheme=scheme)
            save(page.screenshot(), file)
        phone = {"width": 390, "height": 844}
        page = open_sheet(
            browser, folder, viewport=phone, is_mobile=True, has_touch=True, device_scale_factor=2
        )
        save(page.screenshot(), "sheet-phone")
        page = open_sheet(browser, folder, viewport={"width": 1400, "height": 900})
        page.locator("#grid .still").first.click()
        page.wait_for_timeout(1500)
        save(page.screenshot(), "sheet-large")


if __name__ == "__main__":
    main()
