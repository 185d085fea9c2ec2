"""The data of the site: what shards and index hold, and what a publication of one shot rewrites."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from runner.publish import publish
from runner.publish.describe import number_spans
from runner.publish.writer import json_bytes, script_bytes
from runner.receipts import Scrap, Subject
from runner.service.deferred_work import shots_over_age
from runner.settings.publishing import PublishSettings
from tests.notebook_fakes import MARKUP
from tests.site_fakes import FIRST, FakeSource, YearsAhead, _shot, campaign, receipt

pytestmark = pytest.mark.whole

DATE = datetime(2026, 11, 22, 10, 0)


@pytest.fixture(scope="module")
def campaign_folder(tmp_path_factory) -> tuple[FakeSource, Path]:
    folder = tmp_path_factory.mktemp("data")
    source = campaign(folder)
    publish(source, folder / "public")
    return source, folder / "public"


def small(folder: Path, shots: list[int]) -> FakeSource:
    """A source with some shots, and one report each, without a notebook."""
    source = FakeSource(folder / "reports")
    for n in shots:
        source.records[n] = replace(_shot(FIRST, DATE), shot=n)
        add(source, n, Scrap(name="Te", value=1.0 + n, sigma=0.1, unit="eV"))
    return source


def add(source: FakeSource, n: int, *scraps: Scrap, template: str = "langmuir") -> None:
    source.add_report(
        replace(receipt(Subject.shot(n), template, template.title()), scraps=tuple(scraps)), None
    )


def read(out: Path, path: str) -> Any:
    text = (out / f"{path}.json").read_text()
    assert (out / f"{path}.js").read_text() == f'ishtar.data("{path}", {text.rstrip()});\n'
    return json.loads(text)


def data_files(out: Path) -> dict[str, bytes]:
    return {
        p.relative_to(out).as_posix(): p.read_bytes()
        for p in (out / "data").rglob("*")
        if p.is_file() and p.suffix != ".parquet"
    }


def test_the_index_says_what_there_is(campaign_folder):
    source, out = campaign_folder
    index = read(out, "data/index")
    assert index["shots"] == f"{FIRST}-{FIRST + 14}"
    assert index["shard"] == 200
    assert index["shards"] == [6]
    assert index["days"] == list(source.days())
    assert {"name": "Lang_U", "unit": "V"} in index["signals"]
    te = next(s for s in index["scraps"] if s["name"] == "Te")
    assert (te["template"], te["unit"], te["key"]) == ("langmuir", "eV", True)
    assert [t["name"] for t in index["templates"]] == [t.name for t in source.templates()]


def test_a_shard_says_of_each_shot_what_its_page_does(campaign_folder):
    source, out = campaign_folder
    shard = read(out, "data/shots/0006")
    assert shard["shot"] == list(source.shots())
    i = shard["shot"].index(FIRST + 8)
    assert shard["comment"][i] == MARKUP  # as text; whoever shows it escapes it
    assert shard["attributes"]["useful"][:2] == [False, True]
    assert shard["problems"][11] == list(source.shot(FIRST + 11).problems)
    assert shard["states"]["rf_power"][11] == "failed"
    table = read(out, "data/scraps/langmuir/0006")
    for n, value in zip(table["shot"], table["columns"]["Te"]["value"], strict=True):
        reports = source.reports(Subject.shot(n))
        scraps = next(r for r in reports if r.receipt.template == "langmuir").receipt.scraps
        assert value == next((s.value for s in scraps if s.name == "Te"), None)
    assert set(shard["scraps"]) == {p.name for p in (out / "data/scraps").iterdir() if p.is_dir()}


def test_a_shot_has_its_facts_and_figures(campaign_folder):
    _, out = campaign_folder
    shot = read(out, f"shots/{FIRST:05d}/shot")
    assert shot["attributes"]["gas"] == "He"
    report = next(r for r in shot["reports"] if r["template"] == "langmuir")
    for figure in report["figures"]:
        assert (out / figure["file"]).is_file()
        assert figure["width"] > 0
    assert (out / report["thumbnail"]).is_file()
    scraps = json.loads((out / f"shots/{FIRST:05d}/scraps.json").read_text())["scraps"]
    assert [s for s in scraps if s["template"] == "langmuir"] == [
        {"template": "langmuir", **s} for s in report["scraps"]
    ]


def test_one_shot_rewrites_its_shard_and_no_other(tmp_path):
    source = small(tmp_path, [1, 2, 199, 200, 401])
    out = tmp_path / "public"
    publish(source, out)
    assert read(out, "data/index")["shards"] == [0, 1, 2]
    add(source, 401, Scrap(name="Te", value=7.5, sigma=0.1, unit="eV"))
    done = publish(source, out, only=[Subject.shot(401)])
    changed = {p for p in done.written if p.startswith("data/")}
    files = ("scraps/langmuir/0002", "index")  # whose stamps tell readers what changed
    assert changed == {f"data/{name}.{kind}" for name in files for kind in ("json", "js")}
    assert read(out, "data/scraps/langmuir/0002")["columns"]["Te"]["value"] == [7.5]


@pytest.mark.parametrize("change", ["new shot", "new template", "lost report", "gone shot"])
def test_publishing_what_changed_gives_what_publishing_all_does(tmp_path, change):
    source = small(tmp_path, [1, 2, 199, 200])
    out = tmp_path / "public"
    publish(source, out)
    number = 199
    if change == "new shot":
        number = 777
        source.records[number] = replace(source.records[1], shot=number)
        add(source, number, Scrap(name="Vp", value=12.0, unit="V"))
    elif change == "new template":
        add(source, number, Scrap(name="P", value=3, unit="W"), template="power")
    elif change == "lost report":
        source.all_reports.pop(Subject.shot(number))
    else:
        number = 200
        del source.records[number]
        source.all_reports.pop(Subject.shot(number))
    publish(source, out, only=[Subject.shot(number)])
    publish(source, tmp_path / "fresh")
    assert data_files(out) == data_files(tmp_path / "fresh")


@pytest.mark.parametrize("damage", ["{", "[]", '{"shot": [1]}', None])
def test_a_damaged_shard_is_made_anew_from_all_its_shots(tmp_path, damage):
    source = small(tmp_path, [1, 2, 3])
    out = tmp_path / "public"
    publish(source, out)
    whole = data_files(out)
    path = out / "data/shots/0000.json"
    path.unlink() if damage is None else path.write_text(damage)
    publish(source, out, only=[Subject.shot(3)])
    assert data_files(out) == whole


def test_a_site_without_data_is_published_whole(tmp_path):
    source = small(tmp_path, [1, 2, 3])
    out = tmp_path / "public"
    publish(source, out)
    (out / "data/index.json").unlink()
    publish(source, out, only=[Subject.shot(3)])
    assert read(out, "data/index")["shots"] == "1-3"


def test_scraps_in_other_units_come_into_that_of_their_column(tmp_path):
    source = small(tmp_path, [1])
    for n, (value, unit) in enumerate([(2.0, "kW"), (500.0, "W"), (3.0, "V")], start=2):
        source.records[n] = replace(source.records[1], shot=n)
        add(source, n, Scrap(name="P", value=value, sigma=value / 10, unit=unit))
    publish(source, tmp_path / "public")
    columns = read(tmp_path / "public", "data/scraps/langmuir/0000")["columns"]
    assert columns["P"]["unit"] == "kW"
    assert columns["P"]["value"] == [None, 2.0, 0.5, None]
    assert columns["P"]["sigma"][2] == pytest.approx(0.05)
    assert columns["P [V]"]["value"] == [None, None, None, 3.0]


def test_numbers_that_json_has_not_are_told():
    assert json_bytes({"a": float("nan"), "b": [-float("inf")]}) == b'{"a":"nan","b":["-inf"]}\n'
    assert script_bytes("p", b"[1]\n") == b'ishtar.data("p", [1]);\n'


def test_all_scraps_are_in_one_parquet_file(tmp_path):
    source = small(tmp_path, [1, 250])
    add(
        source,
        250,
        Scrap(name="Te", value=4.0, sigma=0.5, unit="eV"),
        Scrap(name="gas", value="Ar"),
        Scrap(name="good", value=True),
    )
    out = tmp_path / "public"
    publish(source, out)
    assert read(out, "data/index")["parquet"] == "data/scraps.parquet"
    rows = pq.read_table(out / "data/scraps.parquet").to_pylist()
    by_key = {(r["shot"], r["name"]): (r["value"], r["sigma"], r["unit"], r["text"]) for r in rows}
    assert by_key == {
        (1, "Te"): (2.0, 0.1, "eV", None),
        (250, "Te"): (4.0, 0.5, "eV", None),
        (250, "gas"): (None, None, "", "Ar"),
        (250, "good"): (1.0, None, "", None),
    }


def test_without_pyarrow_the_site_goes_without(tmp_path, monkeypatch):
    for module in ("index", "parquet"):
        monkeypatch.setattr(f"runner.publish.data.{module}.find_spec", lambda name: None)
    out = tmp_path / "public"
    publish(small(tmp_path, [1]), out)
    assert read(out, "data/index")["parquet"] is None
    assert not (out / "data/scraps.parquet").exists()


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([7], "7"), ([1, 2, 3, 5, 8, 9], "1-3,5,8-9")]
)
def test_numbers_are_told_in_spans(numbers, text):
    assert number_spans(numbers) == text


def test_figures_of_old_reports_are_let_go_and_come_back(tmp_path, monkeypatch):
    source = campaign(tmp_path)
    out = tmp_path / "public"
    publish(source, out)
    report = out / f"shots/{FIRST:05d}/langmuir"
    figures = {p.name for p in report.glob("figure-*")}
    assert figures
    monkeypatch.setattr("runner.publish.retention.datetime", YearsAhead)
    publish(source, out, settings=PublishSettings(keep_figures_days=30))
    kept = [p.name for p in report.iterdir() if p.suffix != ".css"]  # colours of tables are words
    assert kept == ["thumbnail.png"]
    assert "the notebook still has it" in report.with_suffix(".html").read_text()
    assert report.with_suffix(".ipynb").is_file()
    shot = read(out, f"shots/{FIRST:05d}/shot")
    assert all(r["figures"] == [] for r in shot["reports"])
    publish(source, out)
    assert {p.name for p in report.glob("figure-*")} == figures


def test_what_is_due_to_be_let_go_is_found_by_its_age(tmp_path, monkeypatch):
    source = campaign(tmp_path)
    out = tmp_path / "public"
    publish(source, out)
    monkeypatch.setattr("runner.publish.retention.datetime", YearsAhead)
    settings = PublishSettings(keep_figures_days=30)
    dates = {FIRST: source.shot(FIRST).date, FIRST + 1: None}
    assert list(shots_over_age(out, dates, settings)) == [FIRST]
    publish(source, out, only=[Subject.shot(FIRST)], settings=settings)
    assert list(shots_over_age(out, dates, settings)) == []


@pytest.mark.parametrize("wrong", [{"tile_samples": -1}, {"keep_tiles_days": -1}])
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must not be negative"):
        PublishSettings(**wrong)
