"""Outputs of a notebook in a browser: their colours, their boxes, and nothing that acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.render.notebook import render_report
from tests.browser.looking import ROOT, Seen, open_page, violations
from tests.notebook_fakes import code, hostile_cells, notebook, shows, words
from tests.output_fakes import SHOWN_KINDS

pytestmark = pytest.mark.browser

CSP = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Outputs</title>
<meta http-equiv="Content-Security-Policy" content="{csp}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="ishtar.css"></head>
<body><main><h1>Outputs</h1><div class="sheet alone"><article class="body">{body}</article></div>
</main></body></html>"""
WIDE = "+".join(f"x_{{{n}}}" for n in range(99))


@pytest.fixture(scope="module")
def page_of_all(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of every kind of output, as the site frames it."""
    folder = tmp_path_factory.mktemp("outputs")
    cells = [kind.cell for kind in SHOWN_KINDS.values()] + hostile_cells()
    wide = [words(f"$${WIDE}$$"), code("Math", shows({"text/latex": f"$${WIDE}$$"}))]
    (folder / "report.ipynb").write_text(notebook(cells + wide), encoding="utf-8")
    render_report(folder / "report.ipynb", folder)
    style = ROOT / "site" / "theme" / "assets" / "ishtar.css"
    (folder / "ishtar.css").write_bytes(style.read_bytes())
    body = (folder / "report.html").read_text(encoding="utf-8")
    page = folder / "page.html"
    page.write_text(PAGE.format(csp=CSP, body=body), encoding="utf-8")
    return page


def test_a_page_of_all_outputs_asks_for_nothing_and_breaks_no_rule(chromium, page_of_all):
    seen = Seen(page_of_all.parent.as_uri())
    page = open_page(chromium, seen, (1280, 900))
    page.goto(page_of_all.as_uri())
    page.wait_for_load_state("networkidle")
    assert seen.troubles == []
    assert page.title() == "Outputs"
    page.close()


@pytest.mark.parametrize("dark", [False, True])
def test_colours_of_a_styler_are_seen_and_can_be_read(chromium, page_of_all, dark):
    page = open_page(chromium, Seen(page_of_all.parent.as_uri()), (1280, 900), dark=dark)
    page.goto(page_of_all.as_uri())
    cell = page.locator("td", has_text="1.5").first
    look = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color]"
    assert cell.evaluate(look) == ["rgb(255, 255, 0)", "rgb(0, 0, 0)"]
    weight = "e => getComputedStyle(e).fontWeight"
    assert page.locator("td", has_text="-2.0").first.evaluate(weight) == "700"
    line = "e => getComputedStyle(e).textDecorationLine"
    assert page.locator("del").first.evaluate(line) == "line-through"
    page.locator("td", has_text="-2.0").first.scroll_into_view_if_needed()
    assert violations(page, only="color-contrast") == []
    page.close()


def test_what_scrolls_on_a_phone_is_reached_by_keyboard(chromium, page_of_all):
    page = open_page(chromium, Seen(page_of_all.parent.as_uri()), (360, 740))
    page.goto(page_of_all.as_uri())
    scrolls = "e => e.scrollWidth > e.clientWidth"
    formula = page.locator("math[display=block]").last
    assert formula.evaluate(scrolls)
    assert violations(page, only="scrollable-region-focusable") == []
    formula.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "() => [...document.querySelectorAll('math[display=block]')].at(-1).scrollLeft > 0"
    )
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 360
    page.close()
