"""What readers look for first: results by name and in order, states, what failed, changes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from ishtar.calibration import load_declarations
from ishtar.calibration.changes import changes as calib_diff
from runner.publish import publish
from runner.publish.changes import changes
from runner.publish.pages.calendar_pages import period_page
from runner.publish.pages.landing import MAX_FAILURES, home_page
from runner.publish.pages.templates import template_page_of
from runner.publish.records import ShotRecord, WiringRow
from runner.publish.shot_tables import shot_table
from runner.publish.source import WorkspaceSource
from runner.publish.view import View
from runner.publish.view_models import Mark, ResultName, ShotRow
from runner.receipts import Scrap, Subject
from runner.scheduling.coordinator import Coordinator
from runner.settings.publishing import PublishSettings
from runner.templates.results import ResultRecord
from tests.library_fakes import FIRST as SHOT
from tests.library_fakes import MOVED, write_workspace
from tests.site_fakes import DAYS, FIRST, FakeSource, campaign, receipt
from tests.test_publish_format import plain

pytestmark = pytest.mark.whole

LAST = FIRST + 14


@pytest.fixture
def source(tmp_path: Path) -> FakeSource:
    return campaign(tmp_path)


def describe(source: FakeSource, template: str, **results: ResultRecord) -> None:
    source.shown_templates = [
        replace(t, results={**t.results, **results}) if t.name == template else t
        for t in source.shown_templates
    ]


def view_of(source: FakeSource, **more: object) -> View:
    return View(source, "any", **more)  # type: ignore[arg-type]


def columns(view: View) -> list[str]:
    return [f"{c.template}.{c.name}" for c in shot_table(view, [LAST, LAST - 1]).columns]


# order and names -------------------------------------------------------------------------------


def test_results_come_in_the_order_of_settings_then_of_sidecars_then_of_reports(source):
    usual = columns(view_of(source))
    assert usual[0].startswith("overview.")
    describe(source, "langmuir", ne=ResultRecord(order=7), Te=ResultRecord(order=2))
    assert columns(view_of(source))[:2] == ["langmuir.Te", "langmuir.ne"]
    first = PublishSettings(results=("rf_power.max_IC_Pinj", "langmuir.ne"))
    found = columns(view_of(source, settings=first))
    assert found[:3] == ["rf_power.max_IC_Pinj", "langmuir.ne", "langmuir.Te"]
    assert len(found) == len(set(found))


def test_a_result_that_is_named_is_shown_though_its_template_names_others(source):
    langmuir = next(t for t in source.shown_templates if t.name == "langmuir")
    source.shown_templates[source.shown_templates.index(langmuir)] = replace(langmuir, key=("ne",))
    assert "langmuir.Te" not in columns(view_of(source))
    first = PublishSettings(results=("langmuir.Te",))
    assert columns(view_of(source, settings=first))[0] == "langmuir.Te"


@pytest.mark.parametrize("name", ["Te", "langmuir.", ".Te", ""])
def test_a_setting_that_names_no_result_is_refused(name):
    with pytest.raises(ValueError, match=r"must be a template and a result: langmuir\.Te"):
        PublishSettings(results=(name,))


@pytest.mark.parametrize(
    ("called", "short", "letters"),
    [
        (ResultName(name="Te"), "Te", ("Te", "")),
        (ResultName(name="Te", symbol="T_e"), "T_e", ("T", "e")),
        (ResultName(name="P", symbol="P_{H,max}"), "P_H,max", ("P", "H,max")),
        (ResultName(name="p", symbol="p", label="pressure"), "p", ("p", "")),
        (ResultName(name="n", label="shots"), "shots", ("shots", "")),
        (ResultName(name="x", symbol="_x"), "_x", ("_x", "")),
    ],
)
def test_a_result_is_called_by_its_symbol_else_its_label_else_its_name(called, short, letters):
    assert called.short == short
    assert called.letters == letters


def test_pages_and_data_name_results_and_keep_their_values_for_machines(source, tmp_path):
    label = "electron <temperature>"
    describe(source, "langmuir", Te=ResultRecord(label=label, symbol="T_e", order=1))
    out = tmp_path / "public"
    publish(source, out)
    day = (out / f"days/{DAYS[2]}.html").read_text()
    head = re.search(r'<th scope="col" class="num"[^>]*>.*?</th>', day)
    assert head
    assert 'title="electron &lt;temperature&gt; (langmuir.Te)"' in head[0]
    assert "<var>T<sub>e</sub></var>" in head[0]
    shot = json.loads((out / f"shots/{LAST:05d}/shot.json").read_text())
    (te,) = [s for r in shot["reports"] for s in r["scraps"] if s["name"] == "Te"]
    kept = f'data-value="{te["value"]}" data-sigma="{te["sigma"]}" data-unit="eV"'
    assert kept in day
    assert kept in (out / f"shots/{LAST:05d}/index.html").read_text()
    index = json.loads((out / "data/index.json").read_text())
    (known,) = [s for s in index["scraps"] if (s["template"], s["name"]) == ("langmuir", "Te")]
    assert (known["label"], known["symbol"], known["place"]) == (label, "T_e", 1)


def test_what_a_notebook_glued_names_a_result_on_its_page(source, tmp_path):
    scraps = (Scrap(name="q", value=2.0, label="safety factor", symbol="q_95"),)
    subject = Subject.shot(LAST)
    source.add_report(receipt(subject, "overview", "Overview", scraps=scraps), None)
    publish(source, tmp_path / "public")
    page = (tmp_path / f"public/shots/{LAST:05d}/overview.html").read_text()
    assert "<var>q<sub>95</sub></var>" in page
    assert "safety factor" in page


# states ----------------------------------------------------------------------------------------


def row_of(*states: str) -> ShotRow:
    marks = [Mark(template=f"t{k}", title=f"T{k}", state=s) for k, s in enumerate(states)]  # type: ignore[arg-type]
    return ShotRow(
        shot=1, href="", date=None, gas="", program="", comment="", problems=0, marks=marks
    )


def test_states_are_counted_over_all_reports_and_the_worst_are_named_first():
    row = row_of("ok", "skipped", "stale", "ok", "failed", "timeout")
    assert (row.n_ok, len(row.marks)) == (2, 6)
    told = [m.state for m, _ in row.exceptions]
    assert told == ["failed", "timeout", "stale", "skipped"]
    assert not any(named for _, named in row.exceptions)  # three names are no narrow cell
    few = row_of("ok", "skipped", "failed", "ok", "stale").exceptions
    assert [(m.state, named) for m, named in few] == [
        ("failed", True),
        ("stale", True),
        ("skipped", False),
    ]


def test_more_exceptions_than_there_is_room_for_are_counted():
    row = row_of(*["skipped"] * 11, "failed")
    assert [m.state for m, _ in row.exceptions] == ["failed", *["skipped"] * 7]
    assert row.n_more == 4
    assert row_of("ok", "failed").n_more == 0


def test_what_is_not_made_yet_has_one_sign_that_names_all_of_it():
    row = row_of(*["missing"] * 9, "ok")
    assert (row.n_ok, row.exceptions, row.n_more) == (1, [], 0)
    assert row.missing == [f"T{k}" for k in range(9)]


# what failed -----------------------------------------------------------------------------------


def fail(source: FakeSource, shots: list[int], template: str, reason: str) -> None:
    for n in shots:
        failed = receipt(Subject.shot(n), template, template, state="failed", reason=reason)
        source.add_report(failed, None)


def test_home_names_all_that_failed_alike_and_not_only_the_newest_of_them(source):
    shots = [LAST - k for k in range(14)]
    fail(source, shots[:9], "first", "KeyError: 'He'")
    fail(source, shots, "second", "ValueError: no peak")
    failures = home_page(view_of(source)).failures
    first, second = (next(f for f in failures if f.mark.template == t) for t in ("first", "second"))
    for found, wanted in ((first, shots[:9]), (second, shots)):
        told = [int(found.subject.text.removeprefix("Shot ")), *(int(a.text) for a in found.alike)]
        assert sorted(told) == sorted(wanted)


def test_what_home_leaves_out_is_counted_after_it_was_grouped(source):
    for k in range(MAX_FAILURES + 3):
        fail(source, [LAST, LAST - 1], f"t{k}", f"error {k}")
    before = len(home_page(view_of(campaign(source.reports_dir.parent / "other"))).failures)
    page = home_page(view_of(source))
    assert len(page.failures) == MAX_FAILURES
    assert page.more_failures == 2 * (MAX_FAILURES + 3) + before - _told(page.failures)
    source.trouble_texts = [f"file {k}" for k in range(30)]
    page = home_page(view_of(source))
    assert len(page.troubles) + page.more_troubles == 30


def _told(failures: object) -> int:
    return sum(1 + len(f.alike) for f in failures)  # type: ignore[attr-defined]


def test_pages_of_templates_and_months_group_before_they_cut(source):
    template = next(t for t in source.shown_templates if t.name == "langmuir")
    shots = [n for n in source.shots() if n != FIRST]
    fail(source, shots, "langmuir", "KeyError: 'He'")
    fail(source, [FIRST], "langmuir", "OSError")
    page = template_page_of(view_of(source), template, [])
    assert [_told([f]) for f in page.failures] == [len(shots), 1]
    assert page.more_failures == 0
    month = period_page(view_of(source), "2026-11", ["2026-11"])
    assert month.n_listed == month.n_failed
    assert len(shots) in {_told([f]) for f in month.failures}


# what changed ----------------------------------------------------------------------------------


def record(shot: int, **wiring: str) -> ShotRecord:
    row = WiringRow(signal="U", unit="V", channel="c/U", device="d", **wiring)
    return ShotRecord(shot=shot, date=None, attributes={}, sources=(), wiring=[row], components=())


def test_a_new_version_with_the_same_numbers_is_no_other_calibration():
    before = record(1, calibration="d v1", calibrated="aa")
    assert changes(before, record(2, calibration="d v2", calibrated="aa")) == []
    (change,) = changes(before, record(2, calibration="d v2", calibrated="bb"))
    assert (change.what, change.before, change.after) == ("calibration", "d v1", "d v2")
    # of a derived signal they are told at its parts
    derived = record(1, calibrated="aa")
    assert changes(derived, record(2, calibrated="bb")) == []
    (gone,) = changes(before, record(2, calibrated="cc"))
    assert gone.after == "none"


GAUGE = """
[[calibration]]
version = 1
from = 1
until = {moved}
input = "V"
unit = "Pa"
transforms = [{{ kind = "gain", gain = 2.0 }}]

[[calibration]]
version = 2
from = {moved}
input = "V"
unit = "Pa"
reference = "checked again"
transforms = [{{ kind = "gain", gain = {gain} }}]
"""


@pytest.mark.parametrize("gain", [2.0, 2.1])
def test_a_shot_page_and_calib_diff_call_the_same_calibrations_changed(tmp_path, gain):
    workspace = write_workspace(tmp_path)
    text = GAUGE.format(moved=MOVED, gain=gain)
    (tmp_path / "calibrations/devices/gauge.toml").write_text(text)
    declared = load_declarations(workspace.calibrations)
    found = calib_diff(declared, SHOT, declared, MOVED)
    ports = {c.name for c in found if c.kind == "calibration"}
    assert ("gauge" in ports) == (gain != 2.0)
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        source = WorkspaceSource(workspace, coordinator.catalogue)
        told = changes(source.shot(SHOT), source.shot(MOVED))
    gas = {w.signal for w in source.shot(MOVED).wiring if w.device == "gauge"}
    assert gas
    recalibrated = {c.name for c in told if c.what == "calibration"}
    assert (gas <= recalibrated) == (gain != 2.0)
    assert (recalibrated & gas == set()) == (gain == 2.0)


# descriptions ----------------------------------------------------------------------------------


def test_every_page_has_a_description_and_that_of_a_shot_has_its_results(source, tmp_path):
    describe(source, "langmuir", Te=ResultRecord(symbol="T_e", order=1))
    comment = 'density "jumps" at 1.8 kW <b>'
    last = source.records[LAST]
    source.records[LAST] = replace(last, attributes={**last.attributes, "comment": comment})
    source.facility = replace(source.facility, url="https://shots.example.org/public/")
    out = tmp_path / "public"
    publish(source, out)
    seen = {}
    for path in sorted(out.rglob("*.html")):
        if path.name == "404.html":  # found at addresses that do not exist
            continue
        text = path.read_text()
        name = path.relative_to(out).as_posix()
        found = dict(re.findall(r'<meta (?:name|property)="([\w:]+)" content="([^"]*)">', text))
        assert found["description"], name
        assert found["og:description"] == found["description"]
        assert found["og:title"]
        assert found["og:site_name"] == "Helicon testbed"
        assert found["og:url"] == f"https://shots.example.org/public/{name}"
        seen[name] = plain(unescape(found["description"]))
    shot = seen[f"shots/{LAST:05d}/index.html"]
    assert shot.startswith(f"Shot {LAST}, {DAYS[2]} ")
    assert re.search(r"T_e = \d\.\d+\(\d\d\) eV", shot)
    assert 'Density "jumps" at 1.8 kW <b>' in shot
    assert seen["index.html"].startswith("Shots, calibrated and traceable. 15 shots on 3 days.")
    assert seen[f"days/{DAYS[2]}.html"].startswith("9 shots on Sunday 22 November 2026.")
