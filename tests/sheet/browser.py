"""A real browser: the system's Chromium, without a window and without a network of its own."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
FLAGS = (
    "--no-sandbox",  # root, as CI is, can't have Chromium's own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


MISSING = "no Chromium to try the contact sheet in (Debian: apt install chromium)"


def executable() -> str | None:
    """Where Chromium is, or None."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def need_one() -> None:
    """Skip the test where there is no Chromium, and say so; in CI that is a failure."""
    if executable() is None and os.environ.get("CI"):
        pytest.fail(MISSING)
    if executable() is None:
        pytest.skip(MISSING)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, started and ended."""
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=executable(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()
