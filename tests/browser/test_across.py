"""All shots as a table, plotted, compared and searched, in a real Chromium."""

from __future__ import annotations

import csv
import io
import math
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from runner.publish import publish
from runner.publish.quantities import quantity, scale_of
from runner.receipts import Scrap, Subject
from runner.render.format import number, unit_text
from runner.templates.results import ResultRecord
from tests.browser.looking import DESKTOP, PHONE, SHOTS, Seen, open_page, until, violations
from tests.notebook_fakes import MARKUP
from tests.site_fakes import FIRST, FakeSource, campaign, receipt

pytestmark = pytest.mark.browser

OLD = (7, 450)  # shots of other parts of the data than the campaign's
NEWEST = FIRST + 14
ACCENTED = "Première décharge"


def te_of(shot: int) -> float:
    """Return the electron temperature that the campaign gives a shot, in eV."""
    return 4.1 + 0.4 * math.sin(shot)


def across_source(folder: Path) -> FakeSource:
    """The campaign, two shots long before it, and a comment that a spreadsheet would run."""
    source = campaign(folder)
    known = {"Te": ResultRecord(label="electron temperature", symbol="T_e", order=1)}
    source.shown_templates = [
        replace(t, results=known) if t.name == "langmuir" else t for t in source.shown_templates
    ]
    for n in OLD:
        record = replace(
            source.records[FIRST],
            shot=n,
            date=datetime(2020, 1, 2, 10, n % 60),
            attributes={"gas": "H2", "program": "old", "comment": "=1+1" if n == 7 else ACCENTED},
        )
        source.records[n] = record
        te = Scrap(name="Te", value=te_of(n), sigma=0.2, unit="eV")
        source.add_report(
            receipt(Subject.shot(n), "langmuir", "Langmuir probe", scraps=(te,)), None
        )
    return source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FakeSource:
    return across_source(tmp_path_factory.mktemp("across"))


@pytest.fixture(scope="module")
def site(source: FakeSource) -> Path:
    out = source.reports_dir.parent / "public"
    publish(source, out)
    return out


@pytest.fixture
def seen(site: Path) -> Seen:
    return Seen(f"{site.as_uri()}/")


@pytest.fixture
def page(chromium: Any, seen: Seen) -> Iterator[Any]:
    """A page from disk; nothing that it should not do may happen."""
    page = open_page(chromium, seen, DESKTOP)
    yield page
    page.close()
    assert seen.troubles == []


def open_table(page: Any, base: str, state: str = "") -> None:
    # a change of the fragment alone would not load the page again
    page.goto("about:blank")
    page.goto(f"{base}table.html{'#' + state if state else ''}")
    until_still(page)


def until_still(page: Any) -> None:
    until(
        page,
        "document.querySelector('#grid td') !== null"
        " && !document.querySelector('#grid[aria-busy], #grid .wait')"
        " || /No shot matches/.test(document.getElementById('status').textContent)",
    )


def shown(page: Any) -> list[int]:
    """The shots in the table, from its top."""
    return [int(t) for t in page.locator("#grid tbody th a").all_inner_texts()]


def filter_by(page: Any, text: str) -> list[int]:
    page.fill("#filter", text)
    page.keyboard.press("Enter")
    until_still(page)
    return shown(page)


def column(page: Any, name: str) -> dict[int, str]:
    """The cells of a column by shot."""
    texts = page.locator("#grid thead th").all_inner_texts()
    heads = [re.split("[\n,]", t)[0] for t in texts]  # without unit and label
    at = heads.index(name)
    rows = page.locator("#grid tbody tr:not(.space)").all()
    cells = [row.locator("th, td").all_inner_texts() for row in rows]
    return {int(c[0].split()[0]): c[at] for c in cells}


# the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["disk", "server"])
def test_the_table_shows_all_shots_newest_first_with_values_and_units(
    chromium, site, served, source, way
):
    seen = Seen(f"{site.as_uri()}/" if way == "disk" else served)
    page = open_page(chromium, seen, DESKTOP)
    open_table(page, seen.base)
    assert shown(page) == sorted(source.records, reverse=True)
    te = column(page, "Te")
    assert te[NEWEST] == number(te_of(NEWEST), 0.2)
    assert te[FIRST + 10] == "–"
    head = page.locator("#grid thead th", has_text="ne").first.inner_text()
    assert "10¹⁷ m⁻³" in head.replace("\xa0", " ")
    row = page.locator("#grid tbody tr", has_text=str(FIRST + 11))
    assert re.search(r"\b2 of 3\b", row.inner_text())
    marks = row.locator(".reports a")
    assert [m.get_attribute("title") for m in marks.all()] == ["RF power: failed"]
    assert "RF power" in row.inner_text()
    for mark in marks.all():
        assert (site / mark.get_attribute("href")).is_file()
    page.close()
    assert seen.troubles == []


def test_only_the_newest_part_is_read_until_more_is_needed(chromium, site, served, source):
    read: list[str] = []
    seen = Seen(served)
    page = open_page(chromium, seen, (1280, 500))
    page.on("request", lambda r: read.append(r.url.removeprefix(served)))
    many = range(20_000, 20_120)  # so that the old ones are out of sight
    page.route(
        "**/data/index.js",
        lambda route: route.fulfill(
            content_type="text/javascript",
            body=(site / "data/index.js")
            .read_text()
            .replace(f"-{NEWEST}", f"-{NEWEST},{many[0]}-{many[-1]}")
            .replace('"shards":[', '"shards":[100,'),
        ),
    )
    rows = {"shot": list(many), **{k: [None] * 120 for k in ("date", "gas", "program")}}
    rows |= {"operator": [None] * 120, "comment": ["late"] * 120, "problems": [[]] * 120}
    body = str(rows).replace("None", "null").replace("'", '"')[:-1] + ', "states": {}}'
    page.route(
        "**/data/shots/0100.js",
        lambda route: route.fulfill(
            content_type="text/javascript", body=f'ishtar.data("data/shots/0100", {body});'
        ),
    )
    open_table(page, served)
    assert [r for r in read if "data/shots/" in r] == ["data/shots/0100.js"]
    assert page.locator("#grid tbody tr:not(.space)").count() < 60
    page.evaluate("document.getElementById('grid').scrollTop = 1e6")
    until(page, f"!!document.querySelector('#grid a[href=\"shots/{OLD[0]:05d}/index.html\"]')")
    until_still(page)
    assert "data/shots/0000.js" in read
    assert filter_by(page, "program = old") == [450, 7]
    page.close()
    assert seen.troubles == []


def test_a_filter_finds_the_shots_that_the_truth_says(page, seen, source):
    has_te = [n for n in source.records if n not in {FIRST + k for k in (5, 9, 10, 12, 13)}]
    open_table(page, seen.base)
    newest = sorted(source.records, reverse=True)

    def those(test: Any) -> list[int]:
        return [n for n in newest if test(n)]

    gas = {n: r.attributes.get("gas") for n, r in source.records.items()}
    assert filter_by(page, "gas = Ar") == those(lambda n: gas[n] == "Ar")
    assert filter_by(page, "gas != Ar") == those(lambda n: gas[n] != "Ar")
    hot = those(lambda n: n in has_te and te_of(n) > 4.2)
    assert filter_by(page, "Te > 4.2") == hot
    assert filter_by(page, "langmuir.Te>4.2 eV") == hot
    assert filter_by(page, "Te > 0.0042 keV") == hot  # of the same unit, another prefix
    assert filter_by(page, "T_e > 4.2") == hot
    assert filter_by(page, "electron temperature > 4.2 eV") == hot
    useful = {n: r.attributes.get("useful") for n, r in source.records.items()}
    assert filter_by(page, "useful = no") == those(lambda n: useful[n] is False)
    assert filter_by(page, "gas=He; Te ≥ 4.2") == [n for n in hot if gas[n] == "He"]
    assert filter_by(page, "Te = none") == those(lambda n: n not in has_te)
    assert filter_by(page, "shot = 1236..1239") == [1239, 1238, 1237, 1236]
    assert filter_by(page, "date = 2026-11-20") == [FIRST + 5, FIRST + 4]
    assert filter_by(page, "date < 2026-11-20; gas ~ h") == [1233, 1232, 1231, 1230, 450, 7]
    assert filter_by(page, "rf_power = failed") == [FIRST + 11, FIRST + 4]
    assert filter_by(page, "Langmuir probe = timed out") == [FIRST + 12]
    assert filter_by(page, "problems > 0") == [FIRST + 11]
    assert filter_by(page, "premiere DECHARGE") == [450]
    assert filter_by(page, '"strap back in;"; gas = Ar') == [NEWEST]
    assert filter_by(page, "no such words") == []
    assert page.inner_text("#status") == "No shot matches the filter."
    assert filter_by(page, '"<script>"; program ~ ramp') == [FIRST + 11, FIRST + 8]
    assert filter_by(page, "gas == 'He' and Te >= 4.2") == [n for n in hot if gas[n] == "He"]
    assert filter_by(page, "4.2 < Te and not (gas == 'He' or useful)") == [
        n for n in hot if gas[n] != "He" and useful[n] is False
    ]
    assert filter_by(page, "Te is None and 'strap' in lower(comment)") == []
    assert filter_by(page, "shot in (7, 1236..1237) or problems > 0") == [1241, 1237, 1236, 7]
    assert filter_by(page, "1236..1237, latest") == [NEWEST, 1237, 1236]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Tee > 3", "There is no column “Tee”"),
        ("Te > much", "“much” is no number"),
        ("Te > 3 V", "langmuir.Te is in eV, not in “V”"),
        ("> 3", "names nothing to compare"),
        ("Te >", "needs a value after it"),
        ("gas > 3", "gas is a text"),
        ("date > yesterday", "is no date: write it as 2026-11-22"),
        ("gas == 'Ar' & Te > 3", "write and"),
        ("(gas = Ar", "expected )"),
        ("usefull", "did you mean useful"),
    ],
)
def test_a_filter_that_cannot_be_read_says_so_and_keeps_the_shots(page, seen, text, words):
    open_table(page, seen.base)
    before = shown(page)
    page.fill("#filter", text)
    page.keyboard.press("Enter")
    until(page, "document.getElementById('filter-problem').textContent !== ''")
    assert words in page.inner_text("#filter-problem")
    assert page.get_attribute("#filter", "aria-invalid") == "true"
    assert shown(page) == before


def test_what_only_the_loaded_shots_can_tell_is_said_at_the_filter_too(page, seen):
    open_table(page, seen.base)
    before = filter_by(page, "Te > 4")
    assert filter_by(page, "Te == 'hot'") == before
    until(page, "document.getElementById('filter-problem').textContent !== ''")
    assert "Te holds numbers" in page.inner_text("#filter-problem")
    assert page.inner_text("#filter-problem mark") == "Te"
    assert page.get_attribute("#filter", "aria-invalid") == "true"
    filter_by(page, "Te > 3")
    assert page.inner_text("#filter-problem") == ""


@pytest.mark.parametrize(
    ("older", "text"),
    [
        ("gas=Ar;Te>3", "gas = Ar; Te > 3"),
        ("gas%20!=%20%22Ar%22", 'not gas = "Ar"'),
        ("useful", '"useful"'),
    ],
)
def test_a_link_of_older_pages_shows_its_filter_as_a_query(page, seen, older, text):
    open_table(page, seen.base, f"filter={older}&x=shot&y=langmuir.Te")
    assert page.input_value("#filter") == text
    before = shown(page)
    page.select_option("#axis-c", "gas")
    until(page, "location.hash.includes('query=')")
    assert "filter=" not in page.url
    open_table(page, seen.base, page.url.partition("#")[2])
    assert (page.input_value("#filter"), shown(page)) == (text, before)


def test_a_column_sorts_both_ways_with_missing_values_last(page, seen, source):
    open_table(page, seen.base)
    head = page.get_by_role("button", name=re.compile(r"^Te\b"))
    missing = {n for n, text in column(page, "Te").items() if text == "–"}
    have = [n for n in source.records if n not in missing]
    head.click()
    until_still(page)
    assert shown(page)[: len(have)] == sorted(have, key=te_of, reverse=True)
    head = page.get_by_role("button", name=re.compile(r"^Te\b"))
    assert head.evaluate("e => e === document.activeElement")
    head.press("Enter")
    until_still(page)
    assert shown(page)[: len(have)] == sorted(have, key=te_of)
    assert set(shown(page)[len(have) :]) == missing
    assert page.locator("th[data-id='langmuir.Te']").get_attribute("aria-sort") == "ascending"


def test_columns_are_chosen_and_a_link_and_the_back_button_restore_them(page, seen, chromium):
    open_table(page, seen.base)
    heads = "[...document.querySelectorAll('#grid thead .name')].map(e => e.textContent)"
    usual = page.evaluate(heads)
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("checkbox", name="Operator").check()
    page.get_by_role("checkbox", name="Comment").uncheck()
    filter_by(page, "gas = Ar; Te > 3")
    page.get_by_role("button", name=re.compile("^Vp")).click()
    until_still(page)
    assert "Operator" in page.evaluate(heads)
    assert "Comment" not in page.evaluate(heads)
    other = chromium.new_page()
    other.goto(page.url)
    until_still(other)
    assert shown(other) == shown(page)
    assert other.evaluate(heads) == page.evaluate(heads)
    assert other.input_value("#filter") == "gas = Ar; Te > 3"
    other.close()
    for _ in range(4):
        page.go_back()
    until(page, "location.hash === ''")
    until_still(page)
    assert page.evaluate(heads) == usual
    assert page.input_value("#filter") == ""


@pytest.mark.parametrize("way", ["disk", "server"])
def test_what_is_shown_is_downloaded_as_csv(chromium, site, served, source, way):
    seen = Seen(f"{site.as_uri()}/" if way == "disk" else served)
    page = open_page(chromium, seen, DESKTOP)
    open_table(page, seen.base, "columns=gas,langmuir.Te,comment&filter=shot%3C1239")
    with page.expect_download() as got:
        page.get_by_role("button", name="Download as CSV").click()
    text = Path(got.value.path()).read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text)))
    assert rows[0] == ["shot", "langmuir.Te [eV]", "langmuir.Te sigma [eV]", "gas", "comment"]
    by_shot = {int(r[0]): r for r in rows[1:]}
    assert list(by_shot) == shown(page)
    assert float(by_shot[FIRST][1]) == te_of(FIRST)
    assert float(by_shot[FIRST][2]) == 0.2
    assert by_shot[FIRST + 8][4] == MARKUP
    assert by_shot[7][4] == "'=1+1"  # no formula
    page.close()
    # a file that is saved is no page that is opened
    assert [t for t in seen.troubles if "blob:" not in t] == []


# the plot ------------------------------------------------------------------------------------


def test_a_result_is_plotted_against_another_coloured_by_a_third(page, seen, source):
    open_table(page, seen.base)
    page.select_option("#axis-y", "langmuir.Te")
    until(page, "document.querySelectorAll('.axes .label').length === 2")
    assert page.input_value("#axis-x") == "shot"
    page.select_option("#axis-x", "langmuir.ne")
    page.select_option("#axis-c", "rf_power.max_IC_Pinj")
    until(page, "!!document.querySelector('.key .bar')")
    labels = [t.replace("\xa0", " ") for t in page.locator(".axes .label").all_text_contents()]
    assert labels == ["ne (10¹⁷ m⁻³)", "electron temperature T_e (eV)"]
    assert "max_IC_Pinj (W)" in page.inner_text(".key")
    about = page.get_attribute("#plot canvas", "aria-label")
    n = len([t for t in column(page, "ne").values() if t != "–"])
    assert f"of {n} shots" in about
    assert "#" in page.url
    assert "x=langmuir.ne" in page.url
    assert f"{len(source.records) - n} of {len(source.records)} shots" in page.inner_text("#plot")
    filter_by(page, "gas = He")
    page.select_option("#axis-c", "gas")
    until(page, "!!document.querySelector('ul.key li svg path')")
    assert page.locator("ul.key path").first.get_attribute("fill") == "#0072b2"
    assert page.locator("ul.key li").all_inner_texts() == ["Gas", "He"]
    assert "of 4 shots" in page.get_attribute("#plot canvas", "aria-label")


def test_an_axis_is_logarithmic_where_asked_and_the_address_says_so(page, seen):
    open_table(page, seen.base, "x=shot&y=rf_power.max_IC_Pinj")
    until(page, "document.querySelectorAll('.axes .label').length === 2")
    assert page.is_disabled("#log-x")  # numbers of shots have no zero to count from
    page.check("#log-y")
    until(page, "/logarithmic/.test(document.querySelector('#plot canvas').ariaLabel)")
    assert page.url.endswith("&log=y")
    ticks = page.locator(".axes text[text-anchor=end]")
    values = [math.log10(float(t)) for t in ticks.all_text_contents()]
    places = [float(t.get_attribute("y")) for t in ticks.all()]
    assert len(values) > 1
    decade = (places[-1] - places[0]) / (values[-1] - values[0])
    for place, value in zip(places, values, strict=True):
        assert place == pytest.approx(places[0] + decade * (value - values[0]), abs=0.5)
    open_table(page, seen.base, "x=langmuir.Te&y=langmuir.ne&log=x,y")
    until(page, "document.querySelectorAll('.axes .label').length === 2")
    assert page.is_checked("#log-x")
    assert page.is_checked("#log-y")


def test_zero_has_no_place_on_a_logarithmic_axis(page, seen):
    open_table(page, seen.base)
    drawn = page.evaluate(
        """() => { const of = {label: '', isTime: false, isWhole: false, isLog: true};
        const axis = ishtar.axis(of, [{at: 1e-6, sigma: 1e-5}, {at: 1e4, sigma: null}]);
        return [axis.part(0), axis.part(-1), axis.part(1e-6) < 0.2, axis.part(1e4) > 0.8,
                axis.ticks(6).map(t => t.text)]; }"""
    )
    assert drawn == [0, 0, True, True, ["10⁻⁶", "0.001", "1", "1000"]]


def test_a_point_is_read_and_opened_by_pointer_and_by_keyboard(page, seen):
    open_table(page, seen.base, f"x=shot&y=langmuir.Te&filter=shot={FIRST}..{FIRST + 2}")
    until(page, "document.querySelectorAll('.axes .label').length === 2")
    page.locator("#plot canvas").press("ArrowRight")
    reading = page.locator("#plot output")
    assert f"Shot {FIRST} " in reading.inner_text()
    assert number(te_of(FIRST), 0.2) in reading.inner_text()
    assert "eV" in reading.inner_text()
    page.keyboard.press("ArrowRight")
    ring = page.locator("#plot circle.chosen")
    x, y = float(ring.get_attribute("cx")), float(ring.get_attribute("cy"))
    page.keyboard.press("ArrowRight")
    assert f"Shot {FIRST + 2} " in reading.inner_text()
    box = page.locator("#plot canvas").bounding_box()
    page.mouse.move(box["x"] + x + 3, box["y"] + y - 3)
    assert f"Shot {FIRST + 1} " in reading.inner_text()
    page.mouse.click(box["x"] + x, box["y"] + y)
    page.wait_for_url(f"**/shots/{FIRST + 1:05d}/index.html")
    page.go_back()
    until(page, "document.querySelectorAll('.axes .label').length === 2")
    page.locator("#plot canvas").press("ArrowLeft")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/shots/{FIRST + 2:05d}/index.html")


def test_numbers_and_units_read_as_on_the_pages_that_the_server_makes(page, seen):
    open_table(page, seen.base)
    chance = random.Random(5)
    pairs: list[tuple[float, float | None]] = [(0.0, None), (12345, None), (0.0996, 0.0996)]
    for _ in range(300):
        value = chance.gauss(0, 1) * 10.0 ** chance.randint(-8, 20)
        sigma = abs(value) * 10.0 ** chance.uniform(-4, 1) if chance.random() < 0.7 else None
        pairs.append((value, sigma))
    theirs = page.evaluate("pairs => pairs.map(([v, s]) => ishtar.numbers.number(v, s))", pairs)
    assert theirs == [number(v, s) for v, s in pairs]
    chosen = ("W", "Hz", "eV", "1/m^3", "", "cm", "percent", "s", "mT", "dB", "ms", "degC", "V/m")
    told = [(v, s, chance.choice(chosen), chance.choice((None, True, False))) for v, s in pairs]
    theirs = page.evaluate(
        "of => of.map(([v, s, u, g]) => ishtar.numbers.quantity(v, s, u, g))", told
    )
    assert theirs == [str(quantity(v, s, u, signed=g)) for v, s, u, g in told]
    heads = [([v for v, _ in pairs[k : k + 5]], chosen[k % len(chosen)]) for k in range(100)]
    theirs = page.evaluate("of => of.map(([vs, u]) => ishtar.numbers.scaleOf(vs, u))", heads)
    assert theirs == [vars(scale_of(vs, u)) for vs, u in heads]
    units = ["eV", "1/m^3", "A/V", "W/m^2", "degC", "", "1", "m^-3", "kg*m^2/s^2", "a.u. (old)"]
    assert page.evaluate("us => us.map(ishtar.numbers.unitText)", units) == [
        unit_text(u) for u in units
    ]


# comparing -----------------------------------------------------------------------------------


def open_compare(page: Any, base: str, shots: str) -> None:
    page.goto("about:blank")
    page.goto(f"{base}compare.html#shots={shots}")
    until(page, "document.querySelectorAll('table.beside').length > 0")


def row(page: Any, name: str) -> Any:
    return page.locator("table.beside tbody tr").filter(
        has=page.locator("th", has_text=re.compile(f"^{re.escape(name)}( ?differs)?$"))
    )


@pytest.mark.parametrize("way", ["disk", "server"])
def test_shots_are_compared_in_attributes_results_configuration_and_figures(
    chromium, site, served, way
):
    seen = Seen(f"{site.as_uri()}/" if way == "disk" else served)
    page = open_page(chromium, seen, DESKTOP)
    a, b = FIRST + 3, FIRST + 6
    open_compare(page, seen.base, f"{a},{b}")
    assert "differs" in row(page, "gas").get_attribute("class")
    assert row(page, "operator").get_attribute("class") is None
    apart = abs(te_of(b) - te_of(a)) / math.hypot(0.2, 0.2)
    assert apart > 1
    assert f"{apart:.1f} σ" in row(page, "Te electron temperature").inner_text()
    assert "differs" in row(page, "Te electron temperature").get_attribute("class")
    changed = page.get_by_role("region", name="What differs in wiring").inner_text()
    assert "shunt_1" in changed
    assert "shunt_2" in changed
    assert "Lang_U" not in changed
    figures = page.locator("section.figures", has_text="Overview").locator("img")
    assert figures.count() == 2
    for image in figures.all():
        image.scroll_into_view_if_needed()
        assert (site / image.get_attribute("src")).is_file()
    assert page.get_by_role("link", name="Their traces").get_attribute("href") == (
        f"traces.html#shots={a},{b}"
    )
    page.get_by_label("only differences").check()
    until(page, "!document.querySelector('main').innerText.includes('M. Usoltceva')")
    page.close()
    assert seen.troubles == []


def test_long_names_break_between_their_words(page, seen):
    open_compare(page, seen.base, str(FIRST))
    parts = page.evaluate(
        """['plasma_detection.n_missing', 'T_e', 'Bdot_U, device', '__'].map(name => {
        const box = ishtar.el('span', null, ishtar.breakable(name));
        return [box.textContent === name, box.innerHTML]; })"""
    )
    assert parts == [
        [True, "plasma_<wbr>detection.<wbr>n_<wbr>missing"],
        [True, "T_<wbr>e"],
        [True, "Bdot_<wbr>U, device"],
        [True, "__"],
    ]
    assert page.locator(".beside tbody th wbr").count() > 0


def test_a_new_version_with_the_same_numbers_is_no_other_calibration(page, seen):
    open_compare(page, seen.base, str(FIRST))
    found = page.evaluate(
        """() => { const shot = (n, version, calibrated) => ({shot: n, wiring: [{signal: 'U',
            channel: 'c/U', device: 'd', calibration: version, problem: '', calibrated}]});
        const rows = (...shots) => ishtar.differences.wiring(shots).rows
            .map(r => [r.name, r.cells.map(c => c.text)]);
        return [rows(shot(1, 'd v1', 'aa'), shot(2, 'd v2', 'aa')),
                rows(shot(1, 'd v1', 'aa'), shot(2, 'd v2', 'bb')),
                rows(shot(1, '', 'aa'), shot(2, '', 'bb')),
                rows(shot(1, 'd v1', undefined), shot(2, 'd v2', undefined))]; }"""
    )
    differs = [["U, calibration", ["d v1", "d v2"]]]
    assert found == [[], differs, [], differs]


def test_the_configuration_that_changed_stands_before_everything_else(page, seen):
    open_compare(page, seen.base, f"{FIRST + 3},{FIRST + 6}")
    heads = page.locator("#beside h2").all_inner_texts()
    assert heads == ["Configuration", "Attributes", "Key results", "Reports"]


def test_results_closer_than_their_sigma_are_not_marked(page, seen):
    a, b = FIRST + 6, FIRST + 14  # Te nearly the same
    assert abs(te_of(a) - te_of(b)) / math.hypot(0.2, 0.2) > 1
    near = FIRST + 7
    assert abs(te_of(a) - te_of(near)) / math.hypot(0.2, 0.2) < 1
    open_compare(page, seen.base, f"{a},{near}")
    assert row(page, "Te electron temperature").get_attribute("class") is None
    assert "σ" in row(page, "Te electron temperature").inner_text()


def test_shots_are_added_and_removed_and_the_address_follows(page, seen):
    open_compare(page, seen.base, str(FIRST))
    page.get_by_label("Add a shot").fill(f"{FIRST + 2}, {FIRST + 4}")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#chips li').length === 3")
    assert page.url.endswith(f"#shots={FIRST},{FIRST + 2},{FIRST + 4}")
    page.get_by_role("button", name=f"Remove shot {FIRST}").click()
    until(page, "document.querySelectorAll('#chips li').length === 2")
    page.go_back()
    until(page, "document.querySelectorAll('#chips li').length === 3")
    page.get_by_role("button", name="Next shot").click()
    until(page, "document.querySelectorAll('#chips li').length === 4")
    assert page.url.endswith(f",{FIRST + 5}")
    page.get_by_label("Add a shot").fill("99999")
    page.keyboard.press("Enter")
    assert f"There is no shot 99999; the nearest is {NEWEST}." in page.inner_text("#problem")
    page.get_by_label("Add a shot").fill(f"{FIRST + 7} {FIRST + 8} {FIRST + 9}")
    page.keyboard.press("Enter")
    assert "6 shots fit side by side" in page.inner_text("#problem")


def test_a_filter_of_few_shots_leads_to_their_comparison(page, seen):
    open_table(page, seen.base, f"filter=shot={FIRST}..{FIRST + 1}")
    page.get_by_role("link", name="Compare these").click()
    until(page, "document.querySelectorAll('table.beside').length > 0")
    assert page.url.endswith(f"compare.html#shots={FIRST + 1},{FIRST}")


# the search ----------------------------------------------------------------------------------


def search_for(page: Any, text: str) -> list[str]:
    page.fill("#q", text)
    page.wait_for_timeout(30)
    return [t.split("\n")[0] for t in page.locator("[role=option]").all_inner_texts()]


@pytest.mark.parametrize("way", ["disk", "server"])
def test_the_search_finds_shots_templates_signals_devices_and_days(chromium, site, served, way):
    seen = Seen(f"{site.as_uri()}/" if way == "disk" else served)
    page = open_page(chromium, seen, DESKTOP)
    page.goto(f"{seen.base}search.html")
    until(page, "/shots and/.test(document.getElementById('status').textContent)")
    assert search_for(page, str(FIRST + 3))[0] == f"Shot {FIRST + 3}"
    assert search_for(page, "0007")[0] == "Shot 7"
    assert search_for(page, "decharge PREMIERE") == ["Shot 450"]
    assert search_for(page, "strap jumps") == [f"Shot {NEWEST}"]
    assert "Langmuir probe" in search_for(page, "langmuir")
    assert "Lang_I" in search_for(page, "lang_i")
    assert "shunt_2" in search_for(page, "shunt")
    assert "2026-11-20" in search_for(page, "2026-11-20")
    assert search_for(page, "electron temperature")[0] == "electron temperature, T_e"
    assert search_for(page, "operator")[0] == "operator"
    assert f"Shot {FIRST + 3}" in search_for(page, "useful yes")
    assert search_for(page, "gas = He and Te > 4.2")[0] == "The table of the shots that meet this"
    link = page.locator("[role=option]").first.get_attribute("href")
    assert link == "table.html#query=gas%20=%20He%20and%20Te%20%3E%204.2"
    assert search_for(page, "Tee > 3") == []
    assert "no column “Tee”" in page.inner_text("#status")
    assert search_for(page, "nothing of that kind") == []
    assert "0 found" in page.inner_text("#status")
    search_for(page, "lang")
    groups = page.locator("#results h2").all_inner_texts()
    assert "Signals 2" in groups
    page.close()
    assert seen.troubles == []


def test_the_slash_leads_to_the_search_and_the_keyboard_does_the_rest(page, seen):
    page.goto(f"{seen.base}shots/{FIRST:05d}/index.html")
    page.keyboard.press("/")
    page.wait_for_url("**/search.html")
    until(page, "document.activeElement.id === 'q'")
    until(page, "/shots and/.test(document.getElementById('status').textContent)")
    page.keyboard.type("helium he")
    page.fill("#q", "helicon_flat")
    until(page, "document.querySelectorAll('[role=option]').length > 2")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    chosen = page.locator("[aria-selected=true]")
    assert chosen.count() == 1
    assert page.get_attribute("#q", "aria-activedescendant") == chosen.get_attribute("id")
    target = chosen.get_attribute("href")
    assert target == page.locator("[role=option]").nth(1).get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{target}")
    page.go_back()
    until(page, "document.getElementById('q').value === 'helicon_flat'")
    until(page, "document.querySelectorAll('[role=option]').length > 2")
    page.fill("#q", str(FIRST))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/shots/{FIRST:05d}/index.html")


# everywhere ----------------------------------------------------------------------------------

STATES = {
    "table": "table.html#x=shot&y=langmuir.Te&c=rf_power.max_IC_Pinj",
    "table_columns": f"table.html#columns=gas,comment,langmuir.note%20{'%3Cscript%3E'}",
    "compare": f"compare.html#shots={FIRST + 3},{FIRST + 8},{FIRST + 11}",
    "search": "search.html#q=script",
}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_fit_the_screen_and_show_markup_as_text(chromium, seen, size, dark):
    page = open_page(chromium, seen, size, dark=dark)
    folder = SHOTS / "across"
    for name, path in STATES.items():
        page.goto("about:blank")
        page.goto(seen.base + path)
        page.wait_for_timeout(250)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert (
            page.evaluate("document.querySelectorAll('main script, main b[onclick]').length") == 0
        )
        if name != "table":
            assert "<script>" in page.inner_text("main"), path
        look = f"{name}-{size[0]}-{'dark' if dark else 'light'}.png"
        page.screenshot(path=str(folder / look), full_page=True)
    page.close()
    assert seen.troubles == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_an_accessibility_checker_finds_nothing(chromium, seen, dark):
    page = open_page(chromium, seen, DESKTOP, dark=dark)
    for path in STATES.values():
        page.goto("about:blank")
        page.goto(seen.base + path)
        page.wait_for_timeout(250)
        assert violations(page) == [], path
    page.close()
    assert seen.troubles == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_moves_while_a_page_is_filled(chromium, seen, size):
    page = open_page(chromium, seen, size)
    page.add_init_script(
        """window.shift = 0; new PerformanceObserver((list) => {
        for (const e of list.getEntries()) window.shift += e.value;
        }).observe({type: 'layout-shift', buffered: true});"""
    )
    for path in STATES.values():
        page.goto("about:blank")
        page.goto(seen.base + path)
        page.wait_for_timeout(300)
        assert page.evaluate("window.shift") < 0.02, path
    page.close()
    assert seen.troubles == []


def test_heads_and_shot_numbers_stay_in_sight_on_a_phone(chromium, seen):
    page = open_page(chromium, seen, (390, 500))
    open_table(page, seen.base)
    page.evaluate("document.getElementById('grid').scrollTo(300, 200)")
    page.wait_for_timeout(60)
    box = page.locator("#grid").bounding_box()
    head = page.locator("#grid thead th").first.bounding_box()
    first = page.locator("#grid tbody th").nth(8).bounding_box()
    assert abs(head["x"] - box["x"]) < 3
    assert abs(head["y"] - box["y"]) < 3
    assert abs(first["x"] - box["x"]) < 3
    page.close()
    assert seen.troubles == []


def test_without_scripts_there_are_the_newest_shots_and_links_to_the_rest(browser, site, source):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "table.html").as_uri())
    rows = page.locator("table.shots tbody tr")
    assert rows.count() == len(source.records)
    assert str(NEWEST) in rows.first.inner_text()
    assert not page.locator("#filter").is_visible()
    for name in ("compare", "search"):
        page.goto((site / f"{name}.html").as_uri())
        assert "needs JavaScript" in page.inner_text("main")
        for link in page.locator("main a:visible").all():
            assert (site / link.get_attribute("href")).is_file()
    context.close()
