"""Every kind of page of the demo campaign: looked at on paper white and in the dark, and checked.

Pictures of all of them go to ``tests/browser/shots/``, to be looked at by people.
"""

from __future__ import annotations

import re
import shutil

import pytest

from tests.browser.looking import (
    DESKTOP,
    PHONE,
    SHOTS,
    Seen,
    kind_of,
    open_page,
    samples,
    violations,
)

pytestmark = pytest.mark.browser

LOOKS = {
    "desktop": (DESKTOP, False),
    "phone": (PHONE, False),
    "dark": (DESKTOP, True),
    "phone-dark": (PHONE, True),
}
STATES = {  # pages that show what their address asks for
    "table.html": "x=shot&y=langmuir.Te&c=rf_coupling.H_Pinj_flat_top&filter=gas=Ar",
    "traces.html": "shots=1199,1200&signals=Lang_I,H_Pfwd",
    "compare.html": "shots=1205,1206",
    "search.html": "q=langmuir",
}


@pytest.mark.parametrize("look", LOOKS)
def test_an_accessibility_checker_finds_nothing_in_any_kind_of_page(chromium, campaign, look):
    size, dark = LOOKS[look]
    seen = Seen(f"{campaign.as_uri()}/")
    folder = SHOTS / look
    shutil.rmtree(folder, ignore_errors=True)
    page = open_page(chromium, seen, size, dark=dark)
    wrong = []
    for path in samples(campaign, each=1):
        state = STATES.get(path, "")
        page.goto("about:blank")
        page.goto(f"{seen.base}{path}{'#' + state if state else ''}")
        page.wait_for_timeout(600 if state else 30)
        # all of it in a light desktop; elsewhere what another look may change
        only = "" if look == "desktop" else "color-contrast"
        wrong += [f"{path}: {text}" for text in violations(page, only=only)]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wide > 0:
            wrong.append(f"{path}: {wide} px wider than the screen")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(c) for c in re.findall(r"\d+", background)[:3])
        if (brightness < 120) != dark:
            wrong.append(f"{path}: its background is {background}")
        page.evaluate(
            """Promise.all([...document.images].map((image) => {
            image.loading = 'eager';
            return image.decode(); }))"""
        )
        name = re.sub(r"[^\w.#-]", "_", kind_of(path).removesuffix(".html"))
        page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    page.close()
    assert not (found := wrong + seen.troubles), "\n".join(found)


def test_the_keyboard_reaches_everything_on_every_kind_of_page_and_focus_is_seen(
    chromium, campaign
):
    seen = Seen(f"{campaign.as_uri()}/")
    page = open_page(chromium, seen, DESKTOP)
    for path in samples(campaign, each=1):
        if path == "404.html":
            continue
        page.goto("about:blank")
        page.goto(seen.base + path)
        page.wait_for_timeout(30)
        met = []
        for _ in range(24):
            page.keyboard.press("Tab")
            found = page.evaluate(
                """() => { const e = document.activeElement;
                if (!e || e === document.body) return null;
                const s = getComputedStyle(e), a = getComputedStyle(e, '::after');
                return [e.textContent.trim().slice(0, 60), e.getAttribute('href') || '',
                        s.outlineStyle, a.outlineStyle]; }"""
            )
            if found is None:
                break
            assert {"solid", "auto"} & set(found[2:]), f"{path}: no focus is seen on {found[:2]}"
            met.append(found[0])
        if path == "search.html":
            continue  # it begins in its field
        assert met[0] == "Skip to content", path
        assert met[2:6] == ["Home", "Latest", "Days", "Table"], path
    page.close()
    assert seen.troubles == []
