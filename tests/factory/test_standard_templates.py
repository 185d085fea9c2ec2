"""The standard templates on a simulated shot whose truth is known, through the whole factory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from ishtar.workspace import Workspace
from runner.ingest import ingest_file
from runner.publish import publish_workspace
from runner.receipts import Receipt
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace
from tests.factory.profile_fakes import functions_that_run, not_recorded
from tests.factory.shared_fakes import made_once

pytestmark = pytest.mark.whole

GOOD, UNPLUGGED = 7, 8


@pytest.fixture(scope="module")
def campaign(tmp_path_factory, worker_id) -> Iterator[tuple[Path, Coordinator]]:
    """Give the raw files of a good and a flawed shot, and all their reports."""
    folder = made_once(tmp_path_factory, "standard", make_campaign, worker_id)
    with Coordinator(Workspace.at(folder / "ws")) as coordinator:
        yield folder / "raw", coordinator


def make_campaign(folder: Path) -> None:
    raw = folder / "raw"
    simulate(Campaign(first=GOOD, shots=2, flaws={UNPLUGGED: "probe_unplugged"}), raw)
    workspace = make_workspace(folder / "ws", facility="T", clock_offset_s=-37.4)
    with Coordinator(workspace) as coordinator:
        for path in sorted(p for p in raw.iterdir() if p.is_file()):
            outcome = ingest_file(path, layout=workspace, settings=coordinator.settings.ingest)
            assert outcome.status == "stored", outcome
        coordinator.sync_shots()
        run_batch(coordinator, workers=2)
        publish_workspace(coordinator)


def test_every_report_of_a_good_shot_and_of_its_day_is_ok(campaign):
    _, coordinator = campaign
    rows = coordinator.catalogue.reports(current=True)
    states = {(r.subject, r.template): r.state for r in rows}
    of_shot = {t: state for (subject, t), state in states.items() if subject == "00007"}
    assert {"overview", "langmuir", "rf_coupling", "spectrum", "data_quality"} <= of_shot.keys()
    assert {t: s for t, s in of_shot.items() if s != "ok"} == {}
    assert states["2026-11-22", "day_summary"] == "ok"
    assert coordinator.plan() == []


def test_temperature_and_density_are_within_ten_percent_of_the_truth(campaign):
    raw, coordinator = campaign
    scraps = {s.name: s for s in coordinator.catalogue.scraps(["00007"]) if s.name in ("Te", "ne")}
    with h5py.File(raw / "truth" / "00007_truth.h5") as f:
        flat = (f["time"][()] > 1.0) & (f["time"][()] < 4.0)
        te, ne = f["T_e"][()][flat].mean(), f["n_e"][()][flat].mean()
    assert scraps["Te"].value == pytest.approx(te, rel=0.1)
    assert scraps["ne"].value == pytest.approx(ne, rel=0.1)
    assert (scraps["Te"].unit, scraps["ne"].unit) == ("eV", "1/m^3")
    assert np.isfinite([scraps["Te"].sigma, scraps["ne"].sigma]).all()


@pytest.mark.parametrize(
    ("shot", "seen_by"), [(GOOD, "helicon, probe"), (UNPLUGGED, "helicon, ICRF")]
)
def test_the_plasma_is_found_within_three_ms_of_the_truth(campaign, shot, seen_by):
    raw, coordinator = campaign
    rows = coordinator.catalogue.scraps([f"{shot:05d}"])
    found = {s.name: s for s in rows if s.template == "plasma_detection"}
    with h5py.File(raw / "truth" / f"{shot:05d}_truth.h5") as f:
        time, mode = f["time"][()], f["mode"][()]
    burning = time[mode > 0]
    assert found["plasma"].value is True
    assert found["seen_by"].value == seen_by
    assert found["t_start"].value == pytest.approx(burning[0], abs=3e-3)
    assert found["t_end"].value == pytest.approx(burning[-1], abs=3e-3)
    assert 0 < found["duration"].sigma < 3e-3
    assert found["mode"].value == "-EHW"[np.bincount(mode[mode > 0]).argmax()]


def test_the_window_of_the_probe_is_the_time_of_the_plasma(campaign):
    _, coordinator = campaign
    (row,) = coordinator.catalogue.reports(subject="00007", template="langmuir", current=True)
    read = {i.name for i in coordinator.catalogue.inputs()[row.folder] if i.kind == "scraps"}
    assert {"plasma_detection.t_start", "plasma_detection.t_end"} <= read
    scraps = {
        s.name: s for s in coordinator.catalogue.scraps(["00007"]) if s.template == "langmuir"
    }
    assert scraps["position"].value == pytest.approx(30.0, abs=0.2)
    assert scraps["position"].unit == "cm"
    assert scraps["valid_fraction"].value > 0.95


def test_an_unplugged_probe_is_a_skipped_report_that_says_so_on_the_site(campaign):
    _, coordinator = campaign
    row = coordinator.catalogue.reports(subject="00008", template="langmuir")[0]
    assert row.state == "skipped"
    assert "Lang_I" in row.reason
    page = coordinator.workspace.site / "shots/00008/index.html"
    assert "Lang_I is missing" in page.read_text(encoding="utf-8")


def test_generators_coupling_and_field_agree_with_the_truth_within_their_sigmas(campaign):
    raw, coordinator = campaign
    rows = coordinator.catalogue.scraps([f"{UNPLUGGED:05d}"])
    found = {(s.template, s.name): s for s in rows}
    with h5py.File(raw / "truth" / f"{UNPLUGGED:05d}_truth.h5") as f:
        time, facts = f["time"][()], dict(f.attrs)
        at = {name: f[name][()][(time > 2.4) & (time < 3.5)].mean() for name in f}
    true = {
        ("spectrum", "f_icrf"): facts["icrf_hz"],
        ("spectrum", "f_helicon"): facts["helicon_hz"],
        ("spectrum", "beat"): facts["helicon_hz"] - 2 * facts["icrf_hz"],
        ("rf_coupling", "IC_reflected_share"): at["IC_Pref"] / at["IC_Pfwd"],
        ("rf_coupling", "IC_Pinj_flat_top"): at["IC_Pfwd"] - at["IC_Pref"],
        ("rf_coupling", "H_Pinj_flat_top"): at["H_Pfwd"] - at["H_Pref"],
        ("magnetic_field", "B_axial"): at["B"],
    }
    off = {k: (found[k].value - v) / found[k].sigma for k, v in true.items()}
    assert {k: round(v, 2) for k, v in off.items() if not abs(v) < 3} == {}
    assert found["rf_coupling", "IC_arcs"].value == 0


def test_the_quality_of_a_shot_names_the_channel_that_is_missing_and_no_other_flaw(campaign):
    _, coordinator = campaign
    rows = coordinator.catalogue.scraps([f"{n:05d}" for n in (GOOD, UNPLUGGED)])
    found = {(s.subject, s.name): s.value for s in rows if s.template == "data_quality"}
    assert found["00007", "worst"] == "nothing"
    assert found["00008", "worst"] == "Lang_I: missing"
    assert (found["00008", "n_missing"], found["00008", "n_bad"]) == (1, 0)


def test_all_code_of_the_library_that_a_profiler_sees_is_in_the_receipts(campaign, monkeypatch):
    import matplotlib.pyplot as plt

    _, coordinator = campaign
    root = coordinator.workspace.root
    monkeypatch.chdir(root)
    monkeypatch.setenv("ISHTAR_WORKSPACE", str(root))
    missed, n_ran = {}, 0
    for template in coordinator.templates().values():
        if template.scope != "shot":
            continue
        names = {"display": lambda *shown: None}
        parameters, *cells = [cell for cell in template.code]
        exec(parameters, names)
        names |= {"shot": GOOD}
        with plt.style.context("default"), plt.ion(), functions_that_run() as ran:
            for cell in cells:
                exec(compile(cell, template.name, "exec"), names)
        plt.close("all")
        (row,) = coordinator.catalogue.reports(
            subject=f"{GOOD:05d}", template=template.name, current=True
        )
        receipt = Receipt.read(coordinator.workspace.reports / row.folder)
        missed[template.name] = not_recorded(ran, receipt.ran)
        n_ran += len(ran)
    assert {name: found for name, found in missed.items() if found} == {}
    assert n_ran > 500


def test_a_list_of_the_machine_is_written_for_people(campaign):
    _, coordinator = campaign
    page = (coordinator.workspace.site / "shots" / "00007" / "index.html").read_text()
    assert "-0.325 m, 0.325 m" in page
