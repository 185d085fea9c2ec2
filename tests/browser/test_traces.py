"""The trace viewer in a real Chromium, over shots whose every sample is known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from runner.publish import publish
from tests.browser.looking import AXE, DESKTOP, PHONE, SHOTS, Seen, open_page
from tests.notebook_fakes import MARKUP
from tests.trace_fakes import (
    BURST,
    DT,
    FIRST,
    MANY,
    SPIKE,
    SPIKE_HEIGHT,
    STATED,
    fine,
    trace_source,
    uneven_times,
)

pytestmark = pytest.mark.browser

FIRST_VIEW, ZOOM = 200_000, 60_000  # bytes
DIGITS = 1 / 65534  # of the range of a block


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of a few shots, with their traces."""
    folder = tmp_path_factory.mktemp("traced")
    publish(trace_source(folder), folder / "public")
    return folder / "public"


def show(page: Any, base: str, fragment: str) -> None:
    """Open the viewer at a fragment, and wait until all is as fine as it gets."""
    page.goto("about:blank")
    page.goto(f"{base}traces.html#{fragment}")
    settle(page)


def settle(page: Any) -> None:
    """Wait until what was asked for is drawn."""
    page.wait_for_timeout(160)  # the pause before a view is refined
    page.wait_for_selector("#viewer[aria-busy=false]")
    page.wait_for_timeout(50)


def rows(page: Any) -> list[list[str]]:
    """Return the table of values at the cursor."""
    return page.evaluate(
        "[...document.querySelectorAll('#trace-values tbody tr')]"
        ".map(r => [...r.children].map(c => c.textContent.trim()))"
    )


def number(text: str) -> float:
    """Return a number as the page writes it."""
    text = text.replace("−", "-").replace("\u00a0", " ")
    if "×" in text:
        mantissa, power = text.split(" × 10")
        digits = "⁰¹²³⁴⁵⁶⁷⁸⁹"
        ten = int("".join("-" if c == "⁻" else str(digits.index(c)) for c in power))
        return float(mantissa) * 10.0**ten
    return float(text)


def put_cursor(page: Any, seconds: float) -> None:
    page.get_by_label("Time", exact=True).fill(repr(seconds))
    page.keyboard.press("Enter")


def view_of(page: Any) -> tuple[float, float]:
    return float(page.input_value("#trace-from")), float(page.input_value("#trace-to"))


def levels(page: Any) -> list[str]:
    texts = page.locator(".trace-head .level").all_inner_texts()
    return [text.replace("\u00a0", " ") for text in texts]


def inked(page: Any, variable: str) -> int:
    """Return how many pixels of the first plot have the colour of a shot."""
    return page.evaluate(
        """(variable) => {
        const probe = document.createElement('span');
        probe.style.color = getComputedStyle(document.documentElement).getPropertyValue(variable);
        document.body.append(probe);
        const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
        probe.remove();
        const canvas = document.querySelector('.trace canvas');
        const copy = new OffscreenCanvas(canvas.width, canvas.height)
          .getContext('2d', {willReadFrequently: true});
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
        let n = 0;
        for (let i = 0; i < data.length; i += 4)
          n += Math.hypot(data[i] - r, data[i + 1] - g, data[i + 2] - b) < 60 && data[i + 3] > 80;
        return n; }""",
        variable,
    )


def test_a_shot_is_drawn_and_zoomed_to_samples_that_equal_the_truth(page):
    show(page, page.base, f"shots={FIRST}&signals=Lang_U")
    assert view_of(page) == (-0.5, 3.5)
    assert levels(page) == ["each point is 128 samples (2.56 ms), minimum and maximum"]
    assert inked(page, "--trace-1") > 5000
    i = 123_456
    t = -0.5 + i * DT
    show(page, page.base, f"shots={FIRST}&signals=Lang_U&t={t - 20 * DT!r},{t + 20 * DT!r}")
    assert levels(page) == ["single samples, 20 µs apart"]
    for k in (i, i + 1, i - 17):
        put_cursor(page, -0.5 + k * DT)
        (name, shot, value, unit, what) = rows(page)[0]
        assert (name, shot, unit, what) == ("Lang_U", str(FIRST), "V", "sample")
        assert math.isclose(number(value), float(fine(FIRST, k)), abs_tol=90 * DIGITS)


def test_from_disk_the_first_levels_are_drawn_and_the_page_says_how_to_see_more(chromium, site):
    base = f"{site.as_uri()}/"
    seen = Seen(base)
    page = open_page(chromium, seen, DESKTOP)
    show(page, base, f"shots={FIRST}&signals=Lang_U,probe_07")
    assert view_of(page) == (-0.5, 3.5)
    assert levels(page)[0] == "each point is 128 samples (2.56 ms), minimum and maximum"
    assert inked(page, "--trace-1") > 5000
    assert page.locator("#trace-problems").is_hidden()
    show(page, base, f"shots={FIRST}&signals=Lang_U&t=1,1.002")
    assert levels(page)[0].endswith("minimum and maximum; finer data needs a web server")
    told = page.inner_text("#trace-problems")
    assert "Opened from disk" in told
    assert "ishtar serve" in told
    put_cursor(page, 1.0)
    i = round(1.5 / DT) // 128 * 128
    low, high = (number(x) for x in rows(page)[0][2].split(" … "))
    known = [float(fine(FIRST, k)) for k in range(i, i + 128)]
    assert low == pytest.approx(min(known), abs=90 * DIGITS)
    assert high == pytest.approx(max(known), abs=90 * DIGITS)
    page.close()
    assert seen.troubles == []


def test_one_sample_among_millions_is_seen_from_far_and_the_page_says_what_was_not_kept(page):
    show(page, page.base, f"shots={FIRST}&signals=Lang_I")
    put_cursor(page, SPIKE * 1e-6)
    assert number(rows(page)[0][2].split("…")[1]) == pytest.approx(SPIKE_HEIGHT, rel=1e-4)
    assert rows(page)[0][4] == "min and max of 2048 samples"
    t = SPIKE * 1e-6
    show(page, page.base, f"shots={FIRST}&signals=Lang_I&t={t - 1e-4},{t + 1e-4}")
    assert levels(page) == [
        "each point is 32 samples (32 µs), minimum and maximum; finer data was not kept"
    ]
    put_cursor(page, t)
    assert number(rows(page)[0][2].split("…")[1]) == pytest.approx(SPIKE_HEIGHT, rel=1e-4)


def test_a_burst_in_a_long_record_is_a_line_that_is_seen(page):
    # 200 µs of 4 s: a seventeenth of a pixel, as the record of a fast scope in that of a shot
    show(page, page.base, f"shots={FIRST}&signals={BURST},Lang_U")
    assert view_of(page) == (-0.5, 3.5)
    assert inked(page, "--trace-1") > 50


def test_shots_lie_over_each_other_and_keep_their_own_values(page):
    fragment = f"shots={FIRST},{FIRST + 1}&signals=Lang_U&t=1,1.002"
    show(page, page.base, fragment)
    i = 75_040
    put_cursor(page, -0.5 + i * DT)
    table = rows(page)
    assert [row[1] for row in table] == [str(FIRST), str(FIRST + 1)]
    for shot, row in zip((FIRST, FIRST + 1), table, strict=True):
        assert math.isclose(number(row[2]), float(fine(shot, i)), abs_tol=90 * DIGITS)
    assert inked(page, "--trace-1") > 100
    assert inked(page, "--trace-2") > 100
    page.screenshot(path=str(SHOTS / "traces-two.png"), full_page=True)


def test_uneven_samples_are_drawn_at_their_own_times(page):
    times = uneven_times()
    show(page, page.base, f"shots={FIRST}&signals=Ngas_P")
    assert levels(page) == ["each point is 4 samples, minimum and maximum"]
    assert view_of(page)[1] == pytest.approx(times[-1], rel=1e-3)
    t = float(times[3210])
    show(page, page.base, f"shots={FIRST}&signals=Ngas_P&t={t - 0.004},{t + 0.004}")
    assert levels(page) == ["single samples"]
    put_cursor(page, t)
    assert number(rows(page)[0][2]) == pytest.approx(0.1 + 3.21, abs=1e-3)


def test_a_link_shows_the_same_view_again(page, chromium):
    show(page, page.base, f"shots={FIRST},{FIRST + 2}&signals=Lang_U,Ngas_P")
    plot = page.locator(".trace .u-over").first
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 60, steps=4)
    page.mouse.up()
    settle(page)
    begin, end = view_of(page)
    whole = 3.5 - -0.5
    assert begin == pytest.approx(-0.5 + whole / 4, abs=0.02)
    assert end == pytest.approx(-0.5 + whole / 2, abs=0.02)
    link = page.url
    assert f"shots={FIRST},{FIRST + 2}&signals=Lang_U,Ngas_P&t=" in link
    other = chromium.new_page()
    other.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    other.goto(link)
    settle(other)
    assert view_of(other) == (begin, end)
    put_cursor(page, 1.0)
    page.wait_for_timeout(300)  # an address changes a moment later
    assert page.url.endswith("&cursor=1")
    other.goto("about:blank")
    other.goto(page.url)
    settle(other)
    assert float(other.input_value("#trace-cursor")) == 1.0
    assert rows(other) == rows(page)
    other.close()
    page.mouse.dblclick(box["x"] + 300, box["y"] + 50)
    settle(page)
    assert view_of(page) == (-0.5, 3.5)
    assert "t=" not in page.url.split("#")[1]


def test_bytes_of_the_first_view_and_of_each_zoom_are_few(browser, served):
    seen = Seen(served)
    context = browser.new_context()  # which keeps nothing of other tests
    page = open_page(context, seen, DESKTOP)
    answers: list[Any] = []
    page.on("requestfinished", lambda request: answers.append(request))

    def received() -> int:
        """Bytes since the last call, as they came: `ishtar serve` compresses texts."""
        sizes = [request.sizes() for request in answers]
        answers.clear()
        return sum(s["responseBodySize"] + s["responseHeadersSize"] for s in sizes)

    page.goto(f"{served}traces.html#shots={FIRST}")
    settle(page)
    page.wait_for_load_state("networkidle")
    assert len(rows(page)) == 3
    first = received()
    zooms = []
    page.goto("about:blank")
    signals = "Lang_U,Lang_I,Ngas_P"
    shots = ",".join(str(FIRST + k) for k in range(4))
    show(page, served, f"shots={shots}&signals={signals}")
    for _ in range(10):
        received()
        page.keyboard.press("+")
        settle(page)
        zooms.append(received())
    print(f"first view {first} bytes, zooms {zooms}")
    page.close()
    context.close()
    assert 50_000 < first < FIRST_VIEW
    assert max(zooms) < ZOOM
    assert sum(zooms) > 50_000
    assert seen.troubles == []


@pytest.mark.parametrize("signals", ["Lang_U", "Lang_U,Ngas_P"])
def test_few_plots_fill_their_card(page, signals):
    show(page, page.base, f"shots={FIRST}&signals={signals}")
    left = page.evaluate(
        """() => document.getElementById('trace-plots').getBoundingClientRect().bottom
            - [...document.querySelectorAll('.trace')].at(-1).getBoundingClientRect().bottom"""
    )
    assert 0 <= left < 8


def test_keys_zoom_move_and_read_the_values(page):
    show(page, page.base, f"shots={FIRST}&signals=Lang_U&t=1,2")
    press = page.keyboard.press
    put_cursor(page, 1.5)
    page.locator("#trace-plots").focus()
    press("+")
    assert view_of(page) == (1.25, 1.75)
    press("ArrowRight")
    assert view_of(page) == (1.375, 1.875)
    press("Shift+ArrowLeft")
    assert view_of(page) == (0.875, 1.375)
    press("-")
    assert view_of(page)[1] - view_of(page)[0] == 1
    for _ in range(14):
        press("+")
    settle(page)
    before = float(page.input_value("#trace-cursor"))
    press(".")
    press(".")
    assert float(page.input_value("#trace-cursor")) == pytest.approx(before + 2 * DT, abs=DT / 2)
    press("Shift+<")
    after = float(page.input_value("#trace-cursor"))
    assert after == pytest.approx(before - 8 * DT, abs=DT / 2)
    said = page.inner_text("#trace-said")
    assert f"Lang_U, shot {FIRST}: {rows(page)[0][2]} V" in said
    i = round((after + 0.5) / DT)
    assert number(rows(page)[0][2]) == pytest.approx(float(fine(FIRST, i)), abs=2e-3)
    press("Escape")
    assert view_of(page) == (-0.5, 3.5)


def test_the_wheel_zooms_a_plot_that_was_clicked_and_else_scrolls_the_page(page):
    show(page, page.base, f"shots={FIRST}&signals=Lang_U")
    box = page.locator(".trace .u-over").first.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + 60)
    page.mouse.wheel(0, -240)
    settle(page)
    assert view_of(page) == (-0.5, 3.5)
    page.mouse.down()
    page.mouse.up()
    page.mouse.wheel(0, -120)
    settle(page)
    begin, end = view_of(page)
    assert end - begin == pytest.approx(4 / 2**0.5, rel=1e-3)
    assert (0.5 - begin) / (end - begin) == pytest.approx(0.25, abs=0.01)


def test_signals_and_shots_are_found_among_many(page):
    show(page, page.base, f"shots={FIRST}&signals=Lang_U")
    page.locator("summary", has_text="Signals").click()
    boxes = page.locator(".pick[open] li")
    boxes.first.wait_for()
    assert boxes.count() == MANY + 6
    assert STATED in boxes.filter(has_text="n_line").inner_text()
    page.keyboard.type("probe_17")
    assert boxes.count() == 1
    page.keyboard.press("Enter")
    settle(page)
    assert [row[0] for row in rows(page)] == ["Lang_U", "probe_17"]
    page.keyboard.press("Escape")
    assert page.locator(".pick[open]").count() == 0
    page.locator("summary", has_text="Shots").click()
    page.get_by_role("checkbox", name=str(FIRST + 1)).check()
    settle(page)
    assert [row[:2] for row in rows(page)][1] == ["Lang_U", str(FIRST + 1)]
    page.keyboard.press("Escape")
    page.get_by_role("button", name=f"Remove shot {FIRST}").click()
    settle(page)
    assert f"shots={FIRST + 1}&" in page.url
    page.get_by_role("button", name=f"{FIRST + 2} ›").click()
    settle(page)
    assert f"shots={FIRST + 2}&" in page.url


def test_what_a_link_names_and_is_not_there_is_told(page):
    show(page, page.base, f"shots={FIRST},7777&signals=Lang_U,n_line,nothing")
    told = page.locator("#trace-problems li").all_inner_texts()
    assert told == [
        "There is no shot 7777 on this site.",
        f"n_line of shot {FIRST} cannot be drawn: {STATED}.",
        f"Shot {FIRST} has no signal nothing.",
    ]
    assert len(rows(page)) == 1


def test_a_name_with_markup_is_text(page):
    page.goto(f"{page.base}shots/{FIRST:05d}/index.html")
    page.get_by_role("link", name=MARKUP, exact=True).click()
    settle(page)
    assert rows(page)[0][0] == MARKUP
    assert page.locator(".trace-head b").inner_text() == MARKUP
    assert page.locator("main img, main script").count() == 0


def test_nothing_flickers_or_moves_while_a_view_is_refined(page):
    page.add_init_script(
        """window.shift = 0; new PerformanceObserver((list) => {
        for (const e of list.getEntries()) if (!e.hadRecentInput) window.shift += e.value;
        }).observe({type: 'layout-shift', buffered: true});"""
    )
    show(page, page.base, f"shots={FIRST}&signals=Lang_U")
    page.route("**/traces/Lang_U*.pack", lambda r: (page.wait_for_timeout(300), r.continue_()))
    blank = page.evaluate(
        """async () => { let least = Infinity;
        const canvas = document.querySelector('.trace canvas');
        const copy = new OffscreenCanvas(canvas.width, canvas.height)
          .getContext('2d', {willReadFrequently: true});
        for (let i = 0; i < 40; i++) {
          if (i % 8 === 0) document.dispatchEvent(new KeyboardEvent('keydown', {key: '+'}));
          await new Promise(requestAnimationFrame);
          copy.clearRect(0, 0, canvas.width, canvas.height);
          copy.drawImage(canvas, 0, 0);
          const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
          let n = 0;
          for (let k = 2; k < data.length; k += 4) n += data[k] > data[k - 2] + 80;
          least = Math.min(least, n);
        }
        return least; }"""
    )
    assert blank > 500
    settle(page)
    page.unroute("**/traces/Lang_U*.pack")
    assert page.evaluate("window.shift") < 0.05


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_a_phone_light_and_dark_and_fingers_move_it(browser, served, dark):
    context = browser.new_context(
        has_touch=True, is_mobile=True, viewport={"width": PHONE[0], "height": PHONE[1]}
    )
    seen = Seen(served)
    page = open_page(context, seen, PHONE, dark=dark)
    show(page, served, f"shots={FIRST},{FIRST + 1}&signals=Lang_U,Ngas_P&t=1,2")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") == 0
    SHOTS.mkdir(exist_ok=True)
    word = "dark" if dark else "light"
    page.screenshot(path=str(SHOTS / f"traces-phone-{word}.png"), full_page=True)
    page.locator(".trace .u-over").first.scroll_into_view_if_needed()
    box = page.locator(".trace .u-over").first.bounding_box()
    touch = context.new_cdp_session(page)

    def send(kind: str, *xs: float) -> None:
        points = [{"x": x, "y": box["y"] + 50, "id": k} for k, x in enumerate(xs)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    middle = box["x"] + box["width"] / 2
    send("touchStart", middle)
    for k in range(1, 11):
        send("touchMove", middle - box["width"] * k / 40)
    send("touchEnd")
    settle(page)
    begin, end = view_of(page)
    assert begin == pytest.approx(1.25, abs=0.06)
    assert end - begin == pytest.approx(1, abs=0.01)
    send("touchStart", middle - 30, middle + 30)
    for k in range(1, 11):
        send("touchMove", middle - 30 - 3 * k, middle + 30 + 3 * k)
    send("touchEnd")
    settle(page)
    begin, end = view_of(page)
    assert end - begin == pytest.approx(0.5, abs=0.06)
    page.close()
    context.close()
    assert seen.troubles == []


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing_wrong_with_it(chromium, served, dark):
    page = open_page(chromium, Seen(served), DESKTOP, dark=dark)
    show(page, served, f"shots={FIRST},{FIRST + 1}&signals=Lang_U,n_line")
    page.locator("summary", has_text="Keys").click()
    page.locator("summary", has_text="Signals").click()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run({preload: false})")
    page.close()
    assert [(v["id"], v["nodes"][0]["html"]) for v in found["violations"]] == []
    assert len(found["passes"]) > 30


def test_without_scripts_the_page_says_what_it_needs_and_where_the_data_is(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "traces.html").as_uri())
    assert "needs JavaScript" in page.inner_text("main")
    assert page.locator("button:visible").count() == 0
    context.close()
