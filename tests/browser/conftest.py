"""The one browser that all browser tests share: a second cannot be started beside it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser; playwright gives it a fresh user of its own."""
    from playwright.sync_api import sync_playwright

    executable = os.environ.get("ISHTAR_CHROMIUM") or shutil.which("chromium")
    assert executable, "no Chromium: install the chromium package, or set ISHTAR_CHROMIUM"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def chromium(browser: Any) -> Iterator[Any]:
    """A context with scripts, as readers have it."""
    context = browser.new_context()
    context.set_default_timeout(10_000)
    yield context
    context.close()
