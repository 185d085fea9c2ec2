"""The standard templates on shots whose channels do not lie in time: none dies, each says it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from ishtar.store import SourceFile
from ishtar.workspace import Workspace
from runner.ingest import ingest_file
from runner.receipts import Receipt
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace
from tests.axis_fakes import store_again
from tests.factory.shared_fakes import made_once

pytestmark = [pytest.mark.whole, pytest.mark.long]

NOTHING, SOME = 7, 8  # shots: no channel of the DAQ and the scope lies in time; some do not
TEMPLATES = {
    "overview",
    "plasma_detection",
    "langmuir",
    "rf_coupling",
    "spectrum",
    "magnetic_field",
    "data_quality",
}
COUNTED = ("Lang_I", "Bdot_U", "Ngas_P", "Manip_U", "IC_Pref")
ALONG = "CH1"  # Bdot_1


@pytest.fixture(scope="module")
def coordinator(tmp_path_factory, worker_id) -> Iterator[Coordinator]:
    """Give a workspace with the reports of both shots."""
    folder = made_once(tmp_path_factory, "untimed", make_shots, worker_id)
    with Coordinator(Workspace.at(folder / "ws")) as coordinator:
        yield coordinator


def make_shots(folder: Path) -> None:
    simulate(Campaign(first=NOTHING, shots=2, size_mb=1.0), folder / "raw")
    workspace = make_workspace(folder / "ws", facility="T", clock_offset_s=-37.4)
    with Coordinator(workspace) as coordinator:
        for path in sorted(p for p in (folder / "raw").iterdir() if p.is_file()):
            ingest_file(path, layout=workspace, settings=coordinator.settings.ingest)
        for shot in (NOTHING, SOME):
            for path in workspace.shot_folder(shot).glob("*.tdms.h5"):
                store_again(path, changed(path, shot))
        coordinator.sync_shots()
        run_batch(coordinator, workers=2)


def changed(path: Path, shot: int) -> dict[str, str]:
    """Return what the channels of a shot lie along from now on."""
    paths = SourceFile(path).channels
    names = {p: p.rpartition("/")[2] for p in paths}
    if shot == NOTHING:
        return {p: "Hz" if p.startswith("Tek") else "" for p in paths}
    counted = {p: "" for p, name in names.items() if name in COUNTED}
    return counted | {p: "Hz" for p, name in names.items() if name == ALONG}


def words(coordinator: Coordinator, shot: int, template: str) -> str:
    """Return all that a report shows as text."""
    (row,) = [
        r
        for r in coordinator.catalogue.reports(subject=f"{shot:05d}", current=True)
        if r.template == template
    ]
    book = nbformat.read(coordinator.workspace.reports / row.folder / "report.ipynb", as_version=4)
    outputs = (o for c in book.cells if c.cell_type == "code" for o in c.outputs)
    return "\n".join(o.get("text") or str(o.get("data", {}).get("text/plain", "")) for o in outputs)


def state_of(coordinator: Coordinator, shot: int) -> dict[str, str]:
    """Return the states of a shot's reports."""
    rows = coordinator.catalogue.reports(subject=f"{shot:05d}", current=True)
    return {r.template: r.state for r in rows}


def test_no_template_dies_of_channels_without_seconds(coordinator):
    assert state_of(coordinator, NOTHING) == {
        "overview": "ok",
        "data_quality": "ok",
        "plasma_detection": "skipped",
        "langmuir": "skipped",
        "rf_coupling": "skipped",
        "spectrum": "skipped",
        "magnetic_field": "skipped",
    }
    assert state_of(coordinator, SOME) == dict.fromkeys(TEMPLATES, "ok") | {"langmuir": "skipped"}
    days = coordinator.catalogue.reports(subject="2026-11-22", current=True)
    assert {r.template: r.state for r in days} == {"day_summary": "ok"}


def test_what_is_skipped_says_that_nobody_knows_the_time(coordinator):
    rows = coordinator.catalogue.reports(subject=f"{NOTHING:05d}", current=True)
    reasons = {r.template: r.reason for r in rows if r.state == "skipped"}
    assert "'PXI M6251/BigCoil_I' is only counted" in reasons["magnetic_field"]
    assert "Bdot_1 (Tektronix/CH1) lies along frequency in Hz" in reasons["spectrum"]
    for name in ("langmuir", "plasma_detection"):
        assert "is only counted: nothing says when its samples were taken" in reasons[name]
    said = words(coordinator, NOTHING, "rf_coupling")
    assert "H_Pfwd (PXI M6251/H_Pfwd) is only counted" in said


def test_the_overview_names_them_and_gives_no_number_of_them(coordinator):
    said = words(coordinator, SOME, "overview")
    assert "Ngas_P (S7/Ngas_P) is only counted" in said
    assert "pressure is not known" in said
    scraps = {s.name for s in coordinator.catalogue.scraps([f"{SOME:05d}"])}
    assert "max_H_Pinj" in scraps
    assert not {"pressure", "max_IC_Pinj", "probe_position"} & scraps
    said = words(coordinator, NOTHING, "overview")
    assert "only counted" in said
    assert "1 s" not in said


def test_the_quality_of_the_data_has_no_rate_and_no_times_of_them(coordinator):
    said = words(coordinator, NOTHING, "data_quality")
    assert "time base" in said
    row = next(line for line in said.splitlines() if line.startswith("PXI M6251  "))
    assert row.split()[4:7] == ["none", "none", "none"]  # step, from, until
    assert said.count("<Figure") == 2  # the generator's log against time; all others apart


def test_what_can_be_told_of_a_shot_is_told_though_some_channels_have_no_seconds(coordinator):
    said = words(coordinator, SOME, "plasma_detection")
    assert "helicon antenna" in said
    assert "IC_Pref (PXI M6251/IC_Pref) is only counted" in said
    found = {s.name: s for s in coordinator.catalogue.scraps([f"{SOME:05d}"])}
    assert found["t_start"].value == pytest.approx(0.66, abs=0.02)
    assert found["B_axial"].value == pytest.approx(0.064, rel=0.05)
    said = words(coordinator, SOME, "rf_coupling")
    assert "IC_Pref (PXI M6251/IC_Pref) is only counted" in said
    assert found["H_Pinj_flat_top"].value > 100.0
    said = words(coordinator, SOME, "spectrum")
    assert "Bdot_1 is missing: Bdot_1 (Tektronix/CH1) lies along frequency" in said
    assert "Bdot_U (PXI M6251/Bdot_U) is only counted" in said


def test_a_report_that_went_by_the_lack_of_times_read_the_channel(coordinator):
    (row,) = [
        r
        for r in coordinator.catalogue.reports(subject=f"{NOTHING:05d}", current=True)
        if r.template == "plasma_detection"
    ]
    receipt = Receipt.read(coordinator.workspace.reports / row.folder)
    read = {(i.kind, i.name) for i in receipt.inputs}
    assert ("channel", "PXI M6251/Lang_I") in read
