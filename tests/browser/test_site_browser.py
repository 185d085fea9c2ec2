"""Built sites in a real Chromium, from disk and over HTTP under a sub-path: how they behave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.browser.looking import (
    DESKTOP,
    PHONE,
    SHOTS,
    Seen,
    follow,
    open_page,
    pages_of,
    samples,
)

pytestmark = pytest.mark.browser


def crawl(chromium: Any, site: Path, base: str, each: int) -> list[str]:
    """Load pages of every kind at both widths; return everything that is wrong."""
    seen = Seen(base)
    wrong: list[str] = []
    for size in (DESKTOP, PHONE):
        page = open_page(chromium, seen, size)
        for path in samples(site, each):
            page.goto("about:blank")
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
        page.close()
    return wrong + seen.troubles


def test_from_disk_no_page_has_an_error_or_a_request_elsewhere(chromium, site):
    assert crawl(chromium, site, f"{site.as_uri()}/", each=3) == []


def test_under_a_sub_path_no_page_has_one_either(chromium, site, served):
    assert crawl(chromium, site, served, each=1) == []


def test_every_page_is_reached_by_links_and_no_link_is_broken(site):
    reached, broken = follow(site)
    assert broken == []
    assert set(pages_of(site)) - reached == {"404.html"}


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
    assert page.locator("main a[href^='days/2026-']").count() >= 1
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


@pytest.mark.parametrize("screen", [(1920, 1080), (1280, 720), (3840, 2160)])
def test_the_screen_on_the_wall_shows_all_of_the_newest_shot_without_scrolling(
    chromium, campaign, screen
):
    seen = Seen(f"{campaign.as_uri()}/")
    page = open_page(chromium, seen, screen)
    page.goto(f"{seen.base}latest.html")
    page.wait_for_timeout(50)
    tall, picture = page.evaluate(
        """() => [document.documentElement.scrollHeight - innerHeight,
        document.querySelector('.picture').getBoundingClientRect().bottom - innerHeight]"""
    )
    smallest = page.evaluate(
        """() => Math.min(...[...document.querySelectorAll('main dt, main dd, main .usual,'
        + 'main .states li')].map(e => parseFloat(getComputedStyle(e).fontSize)))"""
    )
    page.close()
    assert tall <= 0
    assert picture <= 0
    assert smallest >= screen[1] / 45  # 15 mm on a screen 1.2 m wide
    assert seen.troubles == []
