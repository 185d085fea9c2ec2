"""The one browser that all browser tests share (a second cannot be started beside it), and sites.

``ISHTAR_TEST_SITE`` names the built site of the demo campaign, where it is not that of
``make campaign``; ``ISHTAR_CHROMIUM`` the browser, where it is not ``chromium`` on the path.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runner.publish import publish
from tests.browser.looking import DESKTOP, ROOT, Seen, open_page, serving
from tests.site_fakes import campaign as fake_campaign

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


@pytest.fixture(scope="session")
def campaign() -> Path:
    """The site of the demo campaign: sixty shots in three weeks, with faults."""
    default = ROOT / "campaign" / "site" / "public"
    site = Path(os.environ.get("ISHTAR_TEST_SITE", default)).resolve()
    assert (site / "index.html").is_file(), f"no site in {site}: `make campaign` first"
    return site


@pytest.fixture(scope="session")
def fakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of fakes: what no real campaign has, hostile outputs above all."""
    folder = tmp_path_factory.mktemp("fakes")
    publish(fake_campaign(folder, plots=True), folder / "public")
    return folder / "public"


@pytest.fixture(scope="session", params=["campaign", "fakes"])
def site(request: pytest.FixtureRequest) -> Path:
    """Both sites, one after the other."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def served(site: Path) -> Iterator[str]:
    """The site below a path of a server; a module with a `site` of its own has that one."""
    with serving(site) as address:
        yield address


@pytest.fixture
def page(chromium: Any, served: str) -> Iterator[Any]:
    """A page of the served site that must not log, fail or ask elsewhere."""
    seen = Seen(served)
    page = open_page(chromium, seen, DESKTOP)
    page.base = served
    yield page
    page.close()
    assert seen.troubles == []
