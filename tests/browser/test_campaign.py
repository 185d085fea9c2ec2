"""Three weeks at a testbed, read in a browser: what went wrong is told, and found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runner.demo.campaign_demo import (
    COMMENTS,
    LATE,
    NEW_ANTENNA,
    NEW_CALIBRATION,
    NEW_DETECTOR,
    PROFILE,
    RERUNS,
    TEMPLATE,
)
from runner.simulate import three_weeks
from runner.simulate.campaign import setup_of
from runner.simulate.weeks import HELIUM, NO_LOG
from tests.browser.looking import DESKTOP, Seen, open_page, until

pytestmark = pytest.mark.browser

DAYS = three_weeks()
SETUPS = {n: setup_of(day, n) for day in DAYS for n in day.numbers}
FIRST_VIEW, ZOOM = 300_000, 150_000  # bytes


@pytest.fixture(scope="module")
def site(campaign: Path) -> Path:
    return campaign


def text_of(page: Any, path: str) -> str:
    page.goto("about:blank")
    page.goto(page.base + path)
    return str(page.inner_text("main"))


def shot(number: int) -> str:
    return f"shots/{number:05d}/index.html"


@pytest.mark.parametrize(
    ("flaw", "words"),
    [
        ("probe_unplugged", "Lang_I is missing"),
        ("current_saturated", "Lang_I is clipped"),
        ("dead_channel", "Bdot_U is dead"),
        ("truncated", "Lang_I is missing"),
    ],
)
def test_the_page_of_a_flawed_shot_says_what_is_wrong(page, flaw, words):
    number = next(n for n, s in SETUPS.items() if s.flaw == flaw)
    assert words in text_of(page, shot(number))


def test_files_that_were_copied_by_halves_are_told_on_the_home_page(page):
    text = text_of(page, "index.html")
    assert "01241_Data.tdms is in quarantine" in text
    assert "truncated" in text


def test_every_comment_is_shown_as_it_was_written(page):
    for number, comment in COMMENTS:
        assert comment.strip() in text_of(page, shot(number)), number
        assert page.locator("main script").count() == 0
        assert page.title() != "pwned"


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (NEW_ANTENNA, "icrf_antenna"),
        (NEW_DETECTOR, "logdet_bdot_2"),
        (NEW_CALIBRATION, "logdet_ic"),
    ],
)
def test_a_change_of_the_testbed_is_told_at_its_first_shot_and_at_no_other(page, first, words):
    changes = "section[aria-labelledby=changes]"
    page.goto(page.base + shot(first))
    assert words in page.locator(changes).first.inner_text()
    page.goto(page.base + shot(first + 2))
    there = page.locator(changes)
    assert there.count() == 0 or words not in there.first.inner_text()


def test_a_template_that_forgot_helium_fails_there_and_says_why(page):
    helium = next(n for n, s in SETUPS.items() if s.gas == "He" and not s.flaw)
    text = text_of(page, f"shots/{helium:05d}/{TEMPLATE}.html")
    assert "KeyError" in text
    assert "Failed" in text or "failed" in text
    listed = text_of(page, f"templates/{TEMPLATE}.html")
    assert str(helium) in listed


def test_reports_that_people_asked_for_are_marked_and_found(page):
    (number, _), *_ = RERUNS
    page.goto(page.base + shot(number))
    page.locator("a[href*='reruns/langmuir-']").first.click()
    page.wait_for_url("**/reruns/**")
    assert "re-run" in page.inner_text("main").lower()
    page.goto(page.base + "index.html")
    page.locator(f"a[href='ranges/{PROFILE.key}/profile.html']").click()
    page.wait_for_url("**/profile.html")
    assert "n_positions" in page.inner_text("main")


def test_days_are_those_of_the_campaign_and_no_others(page, campaign):
    days = {p.stem for p in (campaign / "days").glob("2026-*.html")}
    assert days == {f"{day.date}" for day in DAYS}
    page.goto(f"{page.base}days/{HELIUM}.html")
    gas = page.locator("table.shots thead th").all_inner_texts().index("Gas")
    rows = page.locator("table.shots tbody tr").all_inner_texts()
    assert [row.split("\t")[gas].strip() for row in rows] == ["He"] * 5


def test_a_log_that_was_never_delivered_is_no_source_of_its_shots(page):
    without = next(day for day in DAYS if day.date == NO_LOG).first
    assert "GENERATOR_" not in text_of(page, shot(without))
    assert "GENERATOR_" in text_of(page, shot(without - 1))


def test_traces_of_two_shots_are_zoomed_for_few_bytes(chromium, served):
    seen = Seen(served)
    page = open_page(chromium, seen, DESKTOP)
    got: list[int] = []
    page.on("response", lambda r: got.append(len(r.body())))
    page.goto(f"{served}traces.html#shots=1199,1200&signals=Lang_I,H_Pfwd")
    page.wait_for_timeout(300)
    page.wait_for_selector("#viewer[aria-busy=false]")
    assert 0 < sum(got) < FIRST_VIEW
    for view in ("2,2.4", "2.2,2.22"):
        del got[:]
        page.evaluate(f"location.hash = 'shots=1199,1200&signals=Lang_I,H_Pfwd&t={view}'")
        page.wait_for_timeout(300)
        page.wait_for_selector("#viewer[aria-busy=false]")
        assert sum(got) < ZOOM
    page.close()
    assert seen.troubles == []


def test_the_table_is_filtered_to_the_shots_that_the_campaign_had(page):
    page.goto(page.base + "table.html#filter=gas=He&x=shot&y=langmuir.Te")
    until(
        page,
        "document.querySelector('#grid tbody th a') !== null && "
        "!document.querySelector('#grid[aria-busy], #grid .wait')",
    )
    shots = {int(t) for t in page.locator("#grid tbody th a").all_inner_texts()}
    assert shots == {n for n, s in SETUPS.items() if s.gas == "He" and n != LATE}
    until(page, "document.querySelector('main canvas') !== null")


def test_shots_before_and_after_a_change_are_compared(page):
    page.goto(page.base + f"compare.html#shots={NEW_DETECTOR - 1},{NEW_DETECTOR}")
    until(page, "/logdet_bdot_2/.test(document.querySelector('main').innerText)")


@pytest.mark.parametrize(
    ("asked", "found"),
    [("Prüfung", "1186"), ("logdet_bdot_2", "logdet_bdot_2"), ("Laframboise", "cylindrical")],
)
def test_the_search_finds_it(page, asked, found):
    page.goto(page.base + "search.html#q=" + asked)
    until(page, f"document.querySelector('main').innerText.includes({json.dumps(found)})")
