"""The contact sheet in a real browser: it opens, plays, filters, and stays within its bounds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from browser import chromium, need_one
from playwright.sync_api import Browser, Page, expect
from scene import HOSTILE, Story, some_stories, stage
from test_sheet import a_card, rendered

from runner.sheet.cards import State

Opened = Callable[..., Page]
ELSEWHERE = "https://cdn.example.com/"
PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"/>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for all."""
    need_one()
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of every ending, its report made by the command, and moved away from its videos."""
    desk = tmp_path_factory.mktemp("desk")
    here = Path.cwd()
    os.chdir(desk)
    try:
        stage(desk, some_stories())
    finally:
        os.chdir(here)
    command = [sys.executable, "-m", "runner", "report", "batch.yaml"]
    subprocess.run(command, cwd=desk, check=True, capture_output=True)
    moved = tmp_path_factory.mktemp("stick") / "sheet"
    shutil.move(desk / "reports" / "batch", moved)
    shutil.rmtree(desk / "outputs")
    return moved


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Opened]:
    """Opens the sheet from the disk; at the end, nothing may have gone wrong in it."""
    contexts, complaints = [], []

    def open_(
        page_file: Path | None = None,
        network: bool = False,
        watched: bool = True,
        **options: object,
    ) -> Page:
        context = browser.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if watched:
            page.on("console", lambda said: complaints.append(said.text))
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))

        def answer(route: object) -> None:
            if network:
                route.fulfill(body=PICTURE, content_type="image/svg+xml")  # type: ignore[attr-defined]
            else:
                route.abort("internetdisconnected")  # type: ignore[attr-defined]

        page.route(re.compile("^https?:"), answer)
        page.goto((page_file or folder / "index.html").as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [words for words in complaints if "Failed to load resource" not in words] == []


def until(page: Page, expression: str) -> None:
    """Wait for something to become true; the page's policy forbids Playwright's own way."""
    for _ in range(400):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"never: {expression}")


def ids(page: Page) -> list[str]:
    """The jobs in sight, in their order."""
    return page.locator("#grid .card h3").all_inner_texts()


def test_it_opens_from_the_disk_without_a_network(opened: Opened) -> None:
    """Every job has its card; what can't be had leaves its name; figures are drawn."""
    page = opened()
    expect(page).to_have_title("batch: contact sheet")
    assert ids(page) == [story.id for story in some_stories()]
    still = page.locator("#grid .card").first.locator(".still")
    expect(still).to_contain_text("lamp-01.jpg")
    expect(still.locator("img")).to_have_css("opacity", "0")
    expect(page.locator(".charts figure")).to_have_count(3)
    expect(page.locator(".totals")).to_contain_text("1.75 for 7 tasks")


def test_source_images_are_shown_where_there_is_a_network(opened: Opened) -> None:
    """The picture comes from its own address, asked without a referrer."""
    page = opened(network=True)
    image = page.locator("#grid img").first
    expect(image).to_have_css("opacity", "1")
    assert image.evaluate("image => [image.naturalWidth, image.src, image.referrerPolicy]") == [
        40,
        f"{ELSEWHERE}lamp-01.jpg",
        "no-referrer",
    ]


def test_videos_have_posters_and_play_under_the_mouse(opened: Opened) -> None:
    """A real H.264 file beside the page: a frame of it is shown, hovering plays, leaving rests."""
    page = opened()
    video = page.locator("#grid video").first
    until(page, "document.querySelector('#grid video').readyState >= 2")
    assert video.evaluate("video => [video.videoWidth, video.paused]") == [320, True]
    video.hover()
    until(page, "document.querySelector('#grid video').currentTime > 0.3")
    page.mouse.move(2, 2)
    until(page, "document.querySelector('#grid video').paused")


def test_videos_play_at_a_tap(opened: Opened) -> None:
    """On a phone a tap plays, another stops; the page fits its width."""
    page = opened(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    video = page.locator("#grid video").first
    video.tap()
    until(page, "document.querySelector('#grid video').currentTime > 0.2")
    video.tap()
    until(page, "document.querySelector('#grid video').paused")


def test_reduced_motion_is_respected(opened: Opened) -> None:
    """Nothing moves by itself for those who asked for calm; a click still plays."""
    page = opened(reduced_motion="reduce")
    video = page.locator("#grid video").first
    until(page, "document.querySelector('#grid video').readyState >= 2")
    video.hover()
    assert video.evaluate("video => video.paused")
    video.click()
    until(page, "document.querySelector('#grid video').currentTime > 0.2")


def test_filters_and_order(opened: Opened) -> None:
    """By status, model and text, together; by time and cost; and back again."""
    page = opened()
    page.get_by_role("button", name="Uncertain 2").click()
    assert ids(page) == ["lamp-04", "lamp-05"]
    expect(page.locator("#shown")).to_have_text("2 of 8 shown")
    page.get_by_label("Search").fill("lost answer")
    assert ids(page) == ["lamp-04"]
    page.get_by_label("Search").fill("no such thing")
    expect(page.get_by_text("Nothing fits these filters")).to_be_visible()
    page.get_by_role("button", name="Show everything").click()
    page.get_by_role("button", name="Need you 3").click()
    assert ids(page) == ["lamp-03", "lamp-04", "lamp-05"]
    page.keyboard.press("Escape")
    page.get_by_label("Model").select_option("gen3a_turbo")
    assert ids(page) == ["lamp-02"]
    page.keyboard.press("Escape")
    page.get_by_label("Order").select_option("Slowest first")
    assert ids(page)[:3] == ["lamp-02", "lamp-08", "lamp-01"]
    page.get_by_role("button", name="took too long").click()
    assert ids(page) == ["lamp-05"]


def test_everything_by_keyboard(opened: Opened) -> None:
    """Arrows and J/K move, Space plays, Enter enlarges, / searches, Esc goes back."""
    page = opened()

    def focused() -> str:
        return str(page.evaluate("document.activeElement.getAttribute('aria-label')"))

    page.keyboard.press("j")
    assert focused() == "lamp-02, done"
    page.keyboard.press(" ")
    until(page, "document.querySelectorAll('#grid video')[1].currentTime > 0.2")
    page.keyboard.press("k")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert focused() in {"lamp-04, uncertain", "lamp-05, uncertain", "lamp-06, running"}
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    large = page.locator("#large")
    expect(large).to_be_visible()
    until(page, "document.querySelector('#large video').currentTime > 0.1")
    page.keyboard.press("ArrowRight")
    expect(large.locator("h3")).to_have_text("lamp-02")
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    assert focused() == "lamp-02, done"
    page.keyboard.press("/")
    page.keyboard.type("lamp-07")
    assert ids(page) == ["lamp-07"]
    page.keyboard.press("Escape")
    assert len(ids(page)) == 8


def test_commands_are_copied(opened: Opened) -> None:
    """The button puts the very command line into the clipboard."""
    page = opened(permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: Pay for another attempt").click()
    expect(page.get_by_role("button", name="Copy: Pay for another attempt")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == "python -m runner retry batch.yaml lamp-03"


def test_hostile_words_stay_words(opened: Opened) -> None:
    """A prompt and a failure full of markup are shown as they are, and nothing of it runs."""
    page = opened()
    prompt = page.locator("#grid .card").nth(1).locator(".prompt")
    assert prompt.evaluate("element => element.textContent") == HOSTILE
    said = page.locator("#grid .card").nth(2).locator(".said")
    assert HOSTILE in str(said.evaluate("element => element.textContent"))
    assert page.locator("#grid script, #grid [onerror]").count() == 0


def test_nothing_but_the_pages_own_script_runs(opened: Opened, folder: Path) -> None:
    """Were some markup to get through one day, the page's policy would still stop it."""
    whole = (folder / "index.html").read_text()
    planted = "<script>document.title = 'owned'</script><style>body { display: none }</style>"
    (folder / "planted.html").write_text(whole.replace("<main>", f"<main>{planted}"))
    page = opened(folder / "planted.html", watched=False)
    expect(page).to_have_title("batch: contact sheet")
    expect(page.locator("h1")).to_be_visible()
    assert len(ids(page)) == 8


def test_dark_and_light(opened: Opened) -> None:
    """As the system has it at first, then as the reader chooses, and that is remembered."""
    page = opened(color_scheme="dark")

    def light() -> bool:
        colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return max(int(part) for part in colour[4:-1].split(",")) > 128

    assert not light()
    page.locator("#theme").click()
    assert light()
    page.reload()
    assert light()


def test_names_for_those_who_cant_see(opened: Opened) -> None:
    """Every button, field, picture and card has a name; statuses are words, not only colours."""
    page = opened(network=True)
    nameless = page.evaluate(
        """[...document.querySelectorAll('button, input, select, video, #grid img, .card, svg.bar')]
        .filter(e => !(e.getAttribute('aria-label') || e.alt || e.textContent.trim()
                       || e.getAttribute('aria-hidden')))
        .map(e => e.outerHTML)"""
    )
    assert nameless == []
    tree = page.locator("main").aria_snapshot()
    assert 'listitem "lamp-03, failed"' in tree
    assert 'img "Source image lamp-01.jpg"' in tree


def test_five_thousand_jobs(opened: Opened, tmp_path: Path) -> None:
    """A large batch is there at once: few elements, videos only where one looks, quick filters."""
    many = [
        a_card(
            number=number,
            id=f"product-{number:05}",
            prompt=f"slow push in, item {number}",
            state=State.FAILED if number % 10 == 0 else State.DONE,
            output="nothing.mp4",
        )
        for number in range(1, 5001)
    ]
    (tmp_path / "index.html").write_text(rendered(many))
    page = opened(tmp_path / "index.html")
    expect(page.locator("#shown")).to_have_text("5000 jobs")
    assert page.evaluate("document.querySelectorAll('*').length") < 6000
    assert page.locator("#grid video[src]").count() < 60
    page.get_by_role("button", name="Failed 500").click()
    expect(page.locator("#shown")).to_have_text("500 of 5000 shown")
    page.get_by_label("Search").fill("item 4990")
    assert ids(page) == ["product-04990"]
    page.keyboard.press("Escape")
    assert page.locator("#grid .card").count() < 200
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    until(page, "document.querySelectorAll('#grid .card').length > 120")
    spent = page.evaluate(
        """async () => {
            const began = performance.now();
            document.querySelector('[data-only=failed]').click();
            await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
            return performance.now() - began;
        }"""
    )
    assert spent < 10_000  # instant; the bound is for a machine that is busy with other things


def test_one_file_beside_the_videos(
    opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With --to NAME.html the videos are played where they are."""
    monkeypatch.chdir(tmp_path)
    stage(tmp_path, [Story("lamp-01"), replace(Story("lamp-02"), ending="planned")])
    command = [sys.executable, "-m", "runner", "report", "batch.yaml", "--to", "see/it.html"]
    subprocess.run(command, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "see").iterdir()] == ["it.html"]
    page = opened(tmp_path / "see" / "it.html")
    until(page, "document.querySelector('#grid video').readyState >= 2")
