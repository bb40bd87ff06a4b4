"""A real headless browser, whichever this machine has."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_path() -> str:
    """The program; empty where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser, closed at the end."""
    with sync_playwright() as playwright:
        # Who runs as root has no sandbox; the page is our own.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=browser_path(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


def require_browser() -> None:
    """Skip where there is no browser; fail in CI, which installs one."""
    if browser_path():
        return
    missing = f"needs a browser: one of {', '.join(NAMES)}"
    if os.environ.get("CI"):
        pytest.fail(missing)
    pytest.skip(missing)
