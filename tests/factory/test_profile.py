"""The profile over many shots, on results whose truth is known; there is no raw data at all."""

from __future__ import annotations

from dataclasses import replace

import nbformat
import pytest

from ishtar.catalogue import ReportRow
from ishtar.lineage.record import subject_of
from runner.jobs import Selection
from runner.receipts import Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.workspaces.new_workspace import make_workspace

pytestmark = pytest.mark.whole

POSITIONS = {1: 30.0, 2: 10.0, 3: 20.0, 4: 30.05, 5: 20.1, 6: 25.0, 7: 15.0, 8: 22.0, 9: 40.0}
HELIUM, USELESS, WITHOUT, NOISY = 6, 7, 8, 9
PEAK_CM = 20.05


def density(position: float) -> float:
    """Return the true density at a position, 1/m³."""
    return 1e17 * (1.0 - ((position - PEAK_CM) / 40.0) ** 2)


def note_langmuir(coordinator: Coordinator, shot: int) -> None:
    """Write into the catalogue what the Langmuir report of a shot would have found."""
    subject, position = subject_of(shot), POSITIONS[shot]
    row = ReportRow(
        folder=f"{subject}/langmuir/0",
        scope="shot",
        subject=subject,
        template="langmuir",
        digest="0",
        state="ok",
        reason="",
        rerun=False,
        current=True,
        started="2026-11-22T12:00:00+00:00",
        duration_s=1.0,
        template_digest="0",
        prose_digest="0",
        parameters={},
    )
    ne = density(position) * (1.02 if shot in (4, 5) else 1.0)  # the second at a position
    scraps = [
        ("position", position, 0.04, "cm"),
        ("Te", 4.0, 0.1, "eV"),
        ("ne", ne, 0.01 * ne, "1/m^3"),
        ("Vp", 20.0, 0.5, "V"),
        ("valid_fraction", 0.2 if shot == NOISY else 0.98, 0.01, ""),
    ]
    coordinator.catalogue.put_report(row, [], [] if shot == WITHOUT else scraps)


@pytest.fixture(scope="module")
def profile(tmp_path_factory):
    """Give the results and the printed text of a profile over shots at five positions."""
    workspace = make_workspace(tmp_path_factory.mktemp("profile") / "ws", facility="T")
    with Coordinator(workspace) as coordinator:
        for shot in POSITIONS:
            useful = "no" if shot == USELESS else "yes"
            gas = "He" if shot == HELIUM else "Ar"
            noted = {"gas": gas, "program": "scan", "useful": useful}
            coordinator.catalogue.put_shot(shot, noted, [])
            note_langmuir(coordinator, shot)
        asked = Selection(names=["profile"], ranges=[Subject.range(1, 9)])
        (done,) = run_batch(coordinator, asked, workers=0)
        assert coordinator.plan(asked) == []
        job_again = coordinator.plan(replace(asked, force=True))
        assert [p.subject.key for p in job_again] == ["00001..00009"]
    book = nbformat.read(workspace.reports / done.folder / "report.ipynb", as_version=4)
    text = "".join(
        str(output.get("text", "") or output.get("data", {}).get("text/plain", ""))
        for cell in book.cells
        for output in cell.get("outputs", [])
    )
    return done.receipt, {s.name: s for s in done.receipt.scraps}, text


def test_shots_at_one_position_become_one_point(profile):
    receipt, found, _ = profile
    assert receipt.state == "ok", receipt.reason
    assert found["n_positions"].value == 4  # 10, 20 and 20.1, 25, 30 and 30.05 cm


def test_the_density_is_highest_where_it_truly_is(profile):
    _, found, _ = profile
    assert found["position_max_ne"].value == pytest.approx(PEAK_CM, abs=0.1)
    assert found["max_ne"].value == pytest.approx(1.01e17, rel=0.002)
    assert found["max_ne"].sigma == pytest.approx(1e15, rel=0.1)  # ± 1 % of two that differ by 2 %
    assert (found["max_ne"].unit, found["position_max_ne"].unit) == ("1/m^3", "cm")


def test_shots_that_are_left_out_are_named_with_the_reason(profile):
    _, found, text = profile
    assert found["n_left_out"].value == 3
    assert "it was marked as not useful" in text
    assert "langmuir has no position, Te, ne, Vp: its page tells why" in text
    assert "only 20% of its sweeps are valid" in text


def test_no_raw_data_is_read(profile):
    receipt, _, _ = profile
    assert {i.kind for i in receipt.inputs} <= {"code", "scraps", "shots", "attribute"}
