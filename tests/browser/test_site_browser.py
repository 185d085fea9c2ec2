"""Every page of a built site in a real Chromium: from disk, and over HTTP under a sub-path.

``ISHTAR_TEST_SITE`` names a built site to look at besides that of the fakes, ``ISHTAR_CHROMIUM``
the browser where it is not ``chromium`` on the path. Screenshots go to ``tests/browser/shots/``.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from runner.publish import publish
from tests.site_fakes import campaign

pytestmark = pytest.mark.browser

SHOTS = Path(__file__).parent / "shots"
PHONE, DESKTOP = (390, 844), (1280, 900)
MAX_PAGES = 150  # of a large site; every kind of page comes first


def _given_site() -> list[str]:
    return ["fakes", "given"] if os.environ.get("ISHTAR_TEST_SITE") else ["fakes"]


@pytest.fixture(scope="session", params=_given_site())
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built site: of the fakes, which hold every fault, and the one that was given."""
    if request.param == "given":
        return Path(os.environ["ISHTAR_TEST_SITE"]).resolve()
    folder = tmp_path_factory.mktemp("campaign")
    publish(campaign(folder, plots=True), folder / "public")
    return folder / "public"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="session")
def served(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The site below ``/lab/shots of 2026/`` of a server of its own."""
    root = tmp_path_factory.mktemp("www")
    (root / "lab").mkdir()
    (root / "lab" / "shots of 2026").symlink_to(site)
    handler = functools.partial(_Quiet, directory=str(root))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/lab/shots%20of%202026/"
        server.shutdown()
        thread.join()


@dataclass
class Seen:
    """What a page did that it should not."""

    base: str
    troubles: list[str] = field(default_factory=list)

    def watch(self, page: Any) -> None:
        page.on("console", lambda m: self._note(page, f"console: {m.text}"))
        page.on("pageerror", lambda e: self._note(page, f"error: {e}"))
        page.on("requestfailed", lambda r: self._failed(page, r))
        page.on("request", lambda r: self._request(page, r.url))
        page.on("dialog", lambda d: (self._note(page, f"dialog: {d.message}"), d.dismiss()))
        page.on(
            "response",
            lambda r: self._note(page, f"{r.status}: {r.url}") if r.status >= 400 else None,
        )

    def _failed(self, page: Any, request: Any) -> None:
        # a lazy picture is given up when the next page is opened
        if request.failure != "net::ERR_ABORTED":
            self._note(page, f"failed request: {request.url} ({request.failure})")

    def _request(self, page: Any, url: str) -> None:
        if not url.startswith((self.base, "data:")):
            self._note(page, f"asked elsewhere: {url}")

    def _note(self, page: Any, text: str) -> None:
        self.troubles.append(f"{unquote(page.url).removeprefix(unquote(self.base))}: {text}")


def paths_of(site: Path) -> list[str]:
    """Return the pages of a site, one of each kind first."""
    paths = sorted(p.relative_to(site).as_posix() for p in site.rglob("*.html"))
    kinds: dict[str, str] = {}
    for path in reversed(paths):
        kinds[re.sub(r"\d+|[0-9a-f]{10}", "#", path)] = path
    first = sorted(kinds.values())
    return [*first, *(p for p in paths if p not in first)][:MAX_PAGES]


def open_page(chromium: Any, seen: Seen, size: tuple[int, int], *, dark: bool = False) -> Any:
    page = chromium.new_page()
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme="dark" if dark else "light")
    seen.watch(page)
    return page


def check_links(page: Any, site: Path, base: str, path: str) -> list[str]:
    """Return the links of the page that lead nowhere."""
    broken = []
    for address in page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)"):
        if not address.startswith(base):
            if address.startswith(("file:", "http://127.")):
                broken.append(f"{path}: {address} leaves the site")
            continue
        parts = urlsplit(address.removeprefix(base))
        target = site / unquote(parts.path or path)
        if not target.is_file():
            broken.append(f"{path}: {address}")
        elif parts.fragment and "=" not in parts.fragment and target.suffix == ".html":
            ids = re.findall(r'\bid="([^"]+)"', target.read_text(encoding="utf-8"))
            if unquote(parts.fragment) not in ids:
                broken.append(f"{path}: {address} has no such place")
    return broken


def crawl(chromium: Any, site: Path, base: str, shots: Path | None = None) -> list[str]:
    """Load every page at both widths; return everything that is wrong."""
    seen = Seen(base)
    wrong: list[str] = []
    kinds: set[str] = set()
    for size in (DESKTOP, PHONE):
        page = open_page(chromium, seen, size)
        for path in paths_of(site):
            page.goto(base + path, wait_until="load")
            wide, n_broken, title = page.evaluate(
                """() => [document.documentElement.scrollWidth - innerWidth,
                [...document.images].filter(i => i.loading !== 'lazy' && !i.naturalWidth).length,
                document.title]"""
            )
            if wide > 0:
                wrong.append(f"{path}: {wide} px wider than a screen of {size[0]} px")
            if n_broken:
                wrong.append(f"{path}: {n_broken} pictures are not there")
            if "pwned" in title:
                wrong.append(f"{path}: an output changed the title")
            if size is DESKTOP:
                wrong += check_links(page, site, base, path)
            kind = f"{size[0]}-{re.sub(r'[0-9]+|[0-9a-f]{10}', '#', path)}"
            if shots and kind not in kinds:
                kinds.add(kind)
                picture = shots / f"{path.replace('/', '_').removesuffix('.html')}-{size[0]}.png"
                page.screenshot(path=str(picture), full_page=True)
        page.close()
    return wrong + seen.troubles


def test_from_disk_no_page_has_an_error_a_broken_link_or_a_request_elsewhere(chromium, site):
    shots = SHOTS / site.parent.name.rstrip("0123456789")
    shutil.rmtree(shots, ignore_errors=True)
    assert crawl(chromium, site, f"{site.as_uri()}/", shots) == []


def test_under_a_sub_path_no_page_has_one_either(chromium, site, served):
    assert crawl(chromium, site, served) == []


def test_in_the_dark_every_kind_of_page_is_drawn(chromium, site):
    seen = Seen(f"{site.as_uri()}/")
    page = open_page(chromium, seen, DESKTOP, dark=True)
    for path in ("index.html", "latest.html", newest(site, "index.html")):
        page.goto(seen.base + path)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert sum(int(c) for c in re.findall(r"\d+", background)[:3]) < 120
        name = path.replace("/", "_").removesuffix(".html")
        page.screenshot(path=str(SHOTS / "dark" / f"{name}.png"), full_page=True)
    page.close()
    assert seen.troubles == []


def newest(site: Path, name: str) -> str:
    """Return the page of that name of the newest shot that has one."""
    found = sorted(site.glob(f"shots/*/{name}"))
    return found[-1].relative_to(site).as_posix()


def test_the_keyboard_reaches_everything_and_arrows_change_the_shot(chromium, site):
    seen = Seen(f"{site.as_uri()}/")
    page = open_page(chromium, seen, DESKTOP)
    shots = sorted(p.name for p in (site / "shots").iterdir())
    page.goto(f"{seen.base}shots/{shots[-1]}/index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(f"**/shots/{shots[-2]}/index.html")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**/shots/{shots[-1]}/index.html")
    for _ in range(200):
        page.keyboard.press("Tab")
        style = page.evaluate(
            """() => { const e = document.activeElement;
            if (!e || e === document.body) return null;
            const s = getComputedStyle(e), a = getComputedStyle(e, '::after');
            return [e.outerHTML.slice(0, 120), s.outlineStyle, a.outlineStyle]; }"""
        )
        if style is None:
            break
        assert "solid" in style[1:], f"no visible focus: {style[0]}"
    page.close()
    assert seen.troubles == []


def test_the_same_report_of_another_shot_opens_where_one_was_reading(chromium, site):
    seen = Seen(f"{site.as_uri()}/")
    page = open_page(chromium, seen, DESKTOP)
    reports = sorted(site.glob("shots/*/overview.html"))
    page.goto(reports[-1].as_uri())
    page.evaluate("scrollTo({top: 160, behavior: 'instant'})")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url(reports[-2].as_uri())
    page.wait_for_function("scrollY > 100")
    page.close()
    assert seen.troubles == []


def test_one_jumps_to_a_shot_by_its_number(chromium, site):
    seen = Seen(f"{site.as_uri()}/")
    page = open_page(chromium, seen, DESKTOP)
    number = int(min(p.name for p in (site / "shots").iterdir()))
    page.goto(f"{seen.base}index.html")
    page.get_by_label("Go to shot").fill("999999")
    page.keyboard.press("Enter")
    assert "There is no shot 999999" in page.locator("form.jump output").inner_text()
    page.get_by_label("Go to shot").fill(str(number))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/shots/{number:05d}/index.html")
    page.close()
    assert seen.troubles == []


def test_code_unfolds_and_nothing_moves_while_a_page_loads(chromium, site, served):
    seen = Seen(served)
    page = open_page(chromium, seen, DESKTOP)
    page.add_init_script(
        """window.shift = 0; new PerformanceObserver((list) => {
        for (const e of list.getEntries()) window.shift += e.value;
        }).observe({type: 'layout-shift', buffered: true});"""
    )
    for path in ("index.html", newest(site, "index.html"), newest(site, "langmuir.html")):
        page.goto(served + path, wait_until="networkidle")
        page.evaluate("scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(200)
        assert page.evaluate("window.shift") < 0.02, path
    folded = page.locator("details.code:not([open])").count()
    assert folded > 0
    page.get_by_role("button", name="Unfold all code").click()
    assert page.locator("details.code:not([open])").count() == 0
    page.close()
    assert seen.troubles == []


def test_without_scripts_every_report_reads(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / newest(site, "langmuir.html")).as_uri())
    assert "Where this comes from" in page.inner_text("main")
    assert page.locator("button:visible").count() == 0
    page.locator("details.code summary").first.click()
    assert page.locator("details.code[open] pre").first.is_visible()
    page.goto((site / "index.html").as_uri())
    assert not page.locator("form.jump").is_visible()
    assert page.locator(".month a").count() >= 1
    context.close()


def test_a_report_prints_on_paper(chromium, site):
    page = chromium.new_page()
    page.goto((site / newest(site, "langmuir.html")).as_uri())
    page.emulate_media(media="print")
    assert not page.locator(".pager").first.is_visible()
    assert not page.get_by_text("Download the notebook").is_visible()
    assert page.get_by_text("Where this comes from").is_visible()
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=str(SHOTS / "print.png"), full_page=True)
    page.close()
