"""Pages beside shots and days: templates, signals, devices, weeks, months, references, feeds."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from runner.publish import publish
from runner.publish.addresses import device_page, signal_page, slug, template_page
from runner.publish.history import drift, flags, spark, usual
from runner.publish.pages.bibliography import read_bibliography, with_citations
from runner.publish.pages.calendar_pages import heat, keys_of, period_name, week_of, years
from runner.publish.pages.feeds import ATOM
from runner.publish.records import Facility, TemplateRecord
from runner.publish.subject_data import day_summary_path
from runner.receipts import Scrap, Subject
from runner.render.markdown import markdown_to_html
from runner.render.sanitise import Document
from runner.templates.parameters import parse_parameters
from tests.notebook_fakes import MARKUP, words
from tests.site_fakes import DAYS, FIRST, FakeSource, campaign, receipt
from tests.test_publish_site import Page

pytestmark = pytest.mark.whole

BIB = r"""
@article{chen1991, author = {Chen, F. F.}, title = {Plasma ionization by {H}elicon waves},
  journal = {Plasma Phys. Control. Fusion}, volume = 33, pages = {339--364}, year = 1991,
  doi = {10.1088/0741-3335/33/4/006}}
@book{mueller, author = {M{\"u}ller, J. and B, C. and D, E. and F, G.}, title = {<b>Bold</b>},
  publisher = {P}, year = 2000, url = {javascript:alert(1)}}
"""


def _template(**more) -> TemplateRecord:
    values = {
        "name": MARKUP,
        "title": MARKUP,
        "scope": "shot",
        "description": MARKUP,
        "parameters": parse_parameters("t: float = 0.5  # [s] start, 0 .. 10"),
        "needs": ("Lang_I", "nowhere"),
        "after": ("langmuir",),
    }
    return TemplateRecord(**(values | more))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[FakeSource, Path]:
    folder = tmp_path_factory.mktemp("beside")
    source = campaign(folder)
    source.references = BIB
    source.shown_templates.append(_template())
    cited = receipt(Subject.shot(FIRST), "cited", "Cited")
    source.add_report(cited, [words("# Cited\n\nAs in {cite}`chen1991, nobody` and `{cite}`.")])
    publish(source, folder / "public")
    return source, folder / "public"


# names in addresses ---------------------------------------------------------------------------


def test_distinct_names_have_distinct_addresses_on_disks_without_capitals():
    names = ["Lang_I", "lang_i", "LANG_I", "a/b", "a_b", "a~b", "a~x2fb", "", ".", "..", "index"]
    names += ["Index", "con", "CON", "é", "É", "x" * 300, "x" * 301, "lang_i~21", "a.", "a"]
    slugs = [slug(name).casefold() for name in names]
    assert len(set(slugs)) == len(names)
    assert all(s.isascii() and "/" not in s and len(s) <= 100 for s in slugs)
    assert not {"", ".", "..", "index", "con"} & set(slugs)
    assert slug("rf_coupling") == "rf_coupling"


# what the pages say ---------------------------------------------------------------------------


def test_a_template_page_has_parameters_course_failures_and_no_link_to_nowhere(built):
    _, out = built
    text = (out / template_page("rf_power")).read_text(encoding="utf-8")
    assert "max_IC_Pinj" in text
    assert "<svg" in text
    assert "MissingCalibration" in text
    assert "the kernel died" in text
    text = (out / template_page(MARKUP)).read_text(encoding="utf-8")
    assert "<td>0 … 10</td>" in text
    assert "<td>s</td>" in text
    assert "nowhere" in text
    assert signal_page("nowhere") not in text
    assert f'href="../{signal_page("Lang_I")}"' in text


def test_a_signal_page_has_its_wiring_by_spans_of_shots_and_leads_to_the_viewer(built):
    _, out = built
    text = (out / signal_page("Lang_I")).read_text(encoding="utf-8")
    assert f"{FIRST} … {FIRST + 5}" in text
    assert f"{FIRST + 6} …" in text
    assert "shunt_1" in text
    assert "shunt_2" in text
    assert "traces.html#signals=Lang_I" in text
    assert (
        "<p>IMAS path: <code>langmuir_probes/embedded[0]/ion_saturation_current/data</code></p>"
        in text
    )
    text = (out / signal_page("n_line")).read_text(encoding="utf-8")
    assert "never been wired" in text
    assert "IMAS" not in text
    index = json.loads((out / "data/index.json").read_text(encoding="utf-8"))
    paths = {s["name"]: s.get("imas") for s in index["signals"]}
    assert paths["Lang_I"] == "langmuir_probes/embedded[0]/ion_saturation_current/data"
    assert set(paths.values()) == {paths["Lang_I"], None}


def test_a_device_page_has_its_calibrations_and_what_it_served(built):
    _, out = built
    text = (out / device_page("shunt_1")).read_text(encoding="utf-8")
    assert "y = gain · x" in text
    assert "V → A" in text
    assert "calibrations/devices/shunt_1.toml" in text
    assert "Lang_I" in text
    assert f"{FIRST} … {FIRST + 5}" in text


def test_weeks_and_months_have_the_days_and_what_failed(built):
    _, out = built
    week = Page(out / "weeks/2026-W47.html")
    assert "15 shots on 3 days" in week.text
    assert "MissingCalibration" in week.text
    assert f">{FIRST}</a>" in week.text
    month = Page(out / "months/2026-11.html")
    assert "November 2026" in month.text
    assert "helicon" not in month.text
    assert sum(1 for _, a in month.links() if "days/2026-11-" in a) >= 6  # calendar and table
    assert [week_of(d) for d in ("2026-12-31", "2027-01-03")] == ["2026-W53", "2026-W53"]
    assert keys_of("month", ["2026-11-30", "2026-12-01", "2026-12-02"]) == ["2026-11", "2026-12"]
    assert period_name("2026-W47") == "Week 47 of 2026"


def test_markup_in_any_name_is_text_on_every_page(built):
    _, out = built
    for path in out.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert MARKUP not in text, path


def test_the_newest_day_ends_the_calendar_of_a_year_and_years_sum_up():
    counts = {"2025-01-01": 3, "2025-11-22": 1, "2026-11-22": 40}
    found = heat(counts, "2026-11-22")
    assert [len(row) for row in found.rows] == [53] * 7
    assert found.rows[6][-1] is not None
    assert found.rows[6][-1].n_shots == 40
    assert sum(n for _, n in found.months) == 53
    assert found.n_shots == 41  # the first Monday is 2025-11-17
    assert [(y.year, y.n_shots) for y in years(counts)] == [(2026, 40), (2025, 4)]


# a result among those of the shots before -------------------------------------------------------


def _course(values, sigma=None):
    return [(i, Scrap(name="Te", value=v, sigma=sigma, unit="eV")) for i, v in enumerate(values)]


def test_a_result_that_moves_away_drifts_and_one_wild_shot_does_not():
    steady = [4.0 + 0.1 * math.sin(7 * i) for i in range(25)]
    assert drift(_course(steady)) == 0
    assert drift(_course([*steady[:24], 40.0])) == 0
    assert drift(_course([*steady[:20], 5.0, 5.1, 5.0, 5.2, 5.1])) > 3
    assert drift(_course([*steady[:20], 3.0, 2.9, 3.0, 2.8, 2.9])) < -3
    assert drift(_course([*steady[:20], 5.0, 5.1, 5.0, 5.2, 3.9])) == 0  # not all on one side
    assert drift(_course([*steady[:20], 5.0, 5.1, 5.0, 5.2, 5.1], sigma=0.5)) == 0
    assert drift(_course(steady[:9] + [9.0] * 5)) == 0  # too few before


def test_a_result_outside_its_limits_says_what_they_are():
    (flag,) = flags(_course([1.0, 25.0]), (0.5, 20.0))
    assert flag.word == "outside limits"
    assert "0.5" in flag.text
    assert "20" in flag.text
    assert flags(_course([1.0, 20.0]), (0.5, 20.0)) == []
    assert "at least" in flags(_course([0.1]), (0.5, None))[0].text
    assert flags([(1, None)], (0.5, None)) == ()


def test_a_course_with_gaps_is_a_broken_line_and_two_points_are_none():
    scraps = _course([1.0, 2.0, 3.0, 4.0])
    gap = [scraps[0], scraps[1], (2, None), scraps[3]]
    found = spark(gap)
    assert found is not None
    assert found.path.count("M") == 2
    assert found.x is not None
    assert spark(scraps[:2]) is None
    # the dot is the shot's own: where it has no result, there is none
    without = spark([*scraps, (4, None)])
    assert without is not None
    assert (without.x, without.y) == (None, None)
    alone = spark([scraps[0], (1, None), scraps[2], (3, None), scraps[3]])
    assert alone is not None
    assert alone.path.count("h") == 3  # a value without neighbours is seen, too
    assert usual(scraps) == ""
    assert usual(_course([float(i) for i in range(20)])) == "2 … 17"


# references -----------------------------------------------------------------------------------


def test_the_bibliography_is_plain_text_with_safe_links():
    known = read_bibliography(BIB)
    chen, mueller = known.references["chen1991"], known.references["mueller"]
    assert (chen.short, chen.authors) == ("Chen 1991", "F. F. Chen")
    assert chen.title == "Plasma ionization by Helicon waves"
    assert chen.where == "Plasma Phys. Control. Fusion 33, 339–364"
    assert chen.href == "https://doi.org/10.1088/0741-3335/33/4/006"
    assert mueller.short == "Müller et al. 2000"
    assert mueller.href == ""
    assert not known.problems


def test_a_broken_file_of_references_says_so_and_keeps_the_others():
    known = read_bibliography("@book{good, title={Good}}\n@article{bad, title={a} \n@book{x}")
    assert "good" in known.references
    assert known.problems
    assert known.problems[0].startswith("references.bib: ")


def test_citations_lead_to_the_bibliography_and_unknown_ones_are_said(built):
    _, out = built
    page = Page(out / "shots/01230/cited.html")
    href = page.first("a", **{"class": "cite"})["href"]
    assert href == "../../bibliography.html#ref-chen1991"
    assert "ref-chen1991" in Page(out / "bibliography.html").ids
    assert "[nobody: unknown reference]" in page.text
    assert "<code>{cite}</code>" in page.text


def test_a_citation_in_code_or_markup_of_a_notebook_is_no_citation():
    hostile = (
        '<span class="cite" data-cite="chen1991">x</span>\n\n    {cite}`chen1991`\n\n{cite}`"><b>`'
    )
    html = str(markdown_to_html(hostile, Document(), {}).html)
    known = read_bibliography(BIB)
    shown = with_citations(html, "shots/00001/a.html", known)
    assert "bibliography.html" not in shown
    assert "<b>" not in shown
    assert "&lt;b&gt;: unknown reference" in shown


# feeds ----------------------------------------------------------------------------------------


def _entries(path: Path):
    feed = ElementTree.parse(path).getroot()
    return feed, feed.findall(f"{{{ATOM}}}entry")


def _text(element, name):
    return element.find(f"{{{ATOM}}}{name}").text


def test_the_feeds_have_what_atom_asks_for_with_ids_that_stay(built, tmp_path):
    source, out = built
    for name, n in (("shots.xml", 15), ("failures.xml", 3)):
        feed, entries = _entries(out / name)
        assert len(entries) == n
        for element in (feed, *entries):
            assert _text(element, "id").startswith("urn:uuid:")
            assert _text(element, "updated")[10] == "T"
            assert _text(element, "title")
        assert len({_text(e, "id") for e in entries}) == n
        for e in entries:
            assert (out / e.find(f"{{{ATOM}}}link").attrib["href"]).is_file()
    ids = {_text(e, "id") for e in _entries(out / "shots.xml")[1]}
    elsewhere = replace(
        source, facility=replace(source.facility, url="https://shots.example.org/a/")
    )
    publish(elsewhere, tmp_path / "public")
    _, entries = _entries(tmp_path / "public/shots.xml")
    assert {_text(e, "id") for e in entries} == ids
    link = entries[0].find(f"{{{ATOM}}}link").attrib["href"]
    assert link == "https://shots.example.org/a/shots/01244/index.html"


# the facility ---------------------------------------------------------------------------------


def test_a_logo_of_the_workspace_stands_in_the_header(built, tmp_path):
    source, _ = built
    (source.reports_dir.parent / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    publish(
        replace(source, facility=replace(source.facility, logo="logo.svg")), tmp_path / "public"
    )
    page = Page(tmp_path / "public/shots/01230/index.html")
    logos = [a for _, a in page.links() if "assets/logo." in a]
    assert logos
    assert (page.path.parent / logos[0]).is_file()


def test_a_facility_takes_no_address_or_logo_of_another_kind():
    with pytest.raises(ValueError, match="must begin with http"):
        Facility(url="javascript:alert(1)")
    with pytest.raises(ValueError, match="must end with"):
        Facility(logo="logo.exe")


# publishing some ------------------------------------------------------------------------------


def test_a_day_in_numbers_is_published_for_its_week_and_month(built):
    _, out = built
    assert (out / day_summary_path(DAYS[0])).is_file()
