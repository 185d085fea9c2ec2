"""The pages across shots, as the server writes them, and what the search looks through."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from runner.publish import publish
from runner.publish.data.search import search_entries
from runner.publish.pages.across_shots import COMPARED, NEWEST, across_pages
from runner.publish.view import View
from runner.receipts import Subject
from runner.templates.results import ResultRecord
from tests.site_fakes import FIRST, FakeSource, campaign

pytestmark = pytest.mark.whole

NAMES = ("table.html", "compare.html", "search.html")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> FakeSource:
    return campaign(tmp_path_factory.mktemp("across"))


@pytest.fixture(scope="module")
def site(source: FakeSource) -> Path:
    out = source.reports_dir.parent / "public"
    publish(source, out)
    return out


def view_of(source: FakeSource, out: Path) -> View:
    return View(source, "any", out)


def test_the_table_page_holds_the_newest_shots_for_browsers_without_scripts(source, tmp_path):
    table = across_pages(view_of(source, tmp_path))[0]
    assert table.path == "table.html"
    shots = [row.shot for row in table.table.rows]
    assert shots == sorted(source.records, reverse=True)[:NEWEST]
    assert table.n_shots == len(source.records)


def test_a_site_without_shots_has_the_pages_as_well(tmp_path):
    publish(FakeSource(tmp_path / "reports"), tmp_path / "public")
    for name in NAMES:
        assert (tmp_path / "public" / name).is_file()
    assert "No shots yet" in (tmp_path / "public" / "table.html").read_text()


def test_every_script_that_a_page_names_is_there_and_linked_once(source, site):
    for name, page in zip(NAMES, across_pages(view_of(source, site)), strict=True):
        html = (site / name).read_text()
        for script in page.scripts:
            stem = script.removesuffix(".js")
            found = list((site / "assets").glob(f"{stem}.*.js"))
            assert len(found) == 1, script
            assert html.count(f"assets/{found[0].name}") == 1


def test_no_page_across_shots_has_a_script_or_style_of_its_own_in_it(site):
    for name in NAMES:
        html = (site / name).read_text()
        assert "<script>" not in html
        assert "style=" not in html


def test_the_parts_of_the_data_say_which_templates_have_results_in_them(site):
    part = json.loads((site / "data/shots/0006.json").read_text())
    assert part["scraps"] == ["langmuir", "overview", "rf_power"]
    for template in part["scraps"]:
        assert (site / f"data/scraps/{template}/0006.js").is_file()


def test_the_search_finds_everything_that_has_a_page_and_every_address_is_there(source, site):
    entries = list(search_entries(view_of(source, site)))
    kinds = {e.kind for e in entries}
    assert kinds >= {"template", "signal", "device", "calibration", "day", "page"}
    for e in entries:
        assert (site / e.href.partition("#")[0]).is_file(), e
    written = json.loads((site / "data/search.json").read_text())
    assert [e for e in written if e["kind"] not in {"result", "attribute"}] == [
        vars(e) for e in entries
    ]


def test_the_search_knows_results_by_every_name_and_attributes(tmp_path):
    source, site = campaign(tmp_path), tmp_path / "public"
    langmuir = next(t for t in source.shown_templates if t.name == "langmuir")
    te = ResultRecord(label="electron temperature", symbol="T_{e}")
    source.shown_templates[source.shown_templates.index(langmuir)] = replace(
        langmuir, results={"Te": te}
    )
    publish(source, site)
    written = json.loads((site / "data/search.json").read_text())
    (found,) = [e for e in written if e["kind"] == "result" and "langmuir.Te " in e["text"]]
    assert found["title"] == "electron temperature, T_e"
    assert found["text"] == "langmuir.Te · eV · Langmuir probe"
    assert found["href"].startswith("table.html#columns=langmuir.Te,")
    assert found["href"].endswith("&x=shot&y=langmuir.Te")
    attributes = {e["title"]: e["href"] for e in written if e["kind"] == "attribute"}
    assert attributes.keys() == set(
        json.loads((site / "data/index.json").read_text())["attributes"]
    )
    assert attributes["gas"] == "table.html#query=gas%20%21%3D%20none"
    assert "date" not in attributes


def test_a_signal_is_found_by_its_channel_and_devices(source, tmp_path):
    found = {e.title: e for e in search_entries(view_of(source, tmp_path)) if e.kind == "signal"}
    assert "PXI M6251/Lang_I" in found["Lang_I"].text
    assert "shunt_1" in found["Lang_I"].text
    assert "shunt_2" in found["Lang_I"].text


def test_publishing_one_shot_leaves_comparing_and_searching_as_they_are(source, site):
    before = {n: (site / n).stat().st_mtime_ns for n in NAMES}
    done = publish(source, site, only={Subject.shot(FIRST)})
    assert not set(done.written) & set(NAMES)
    assert before == {n: (site / n).stat().st_mtime_ns for n in NAMES}


def test_no_more_shots_are_compared_than_the_pages_say(source, tmp_path):
    table, compare, _ = across_pages(view_of(source, tmp_path))
    assert table.most_compared == compare.most == COMPARED
