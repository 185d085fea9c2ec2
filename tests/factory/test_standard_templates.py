"""The standard templates on a simulated shot whose truth is known, through the whole factory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from runner.coordinator import Coordinator
from runner.ingest import ingest_file
from runner.publish.source import publish_workspace
from runner.simulate import Campaign, simulate
from runner.starter import make_workspace

GOOD, UNPLUGGED = 7, 8


@pytest.fixture(scope="module")
def campaign(tmp_path_factory) -> Iterator[tuple[Path, Coordinator]]:
    """Give the raw files of a good and a flawed shot, and all their reports."""
    folder = tmp_path_factory.mktemp("standard")
    raw = folder / "raw"
    simulate(Campaign(first=GOOD, shots=2, flaws={UNPLUGGED: "probe_unplugged"}), raw)
    workspace = make_workspace(folder / "ws", facility="T", clock_offset_s=-37.4)
    with Coordinator(workspace) as coordinator:
        for path in sorted(p for p in raw.iterdir() if p.is_file()):
            outcome = ingest_file(path, layout=workspace, settings=coordinator.settings.ingest)
            assert outcome.status == "stored", outcome
        coordinator.sync_shots()
        coordinator.run(workers=2)
        publish_workspace(coordinator)
        yield raw, coordinator


def test_every_report_of_a_good_shot_and_of_its_day_is_ok(campaign):
    _, coordinator = campaign
    rows = coordinator.catalogue.reports(current=True)
    states = {(r.subject, r.template): r.state for r in rows}
    assert [states["00007", t] for t in ("overview", "langmuir", "rf_power")] == ["ok"] * 3
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


def test_an_unplugged_probe_is_a_skipped_report_that_says_so_on_the_site(campaign):
    _, coordinator = campaign
    row = coordinator.catalogue.reports(subject="00008", template="langmuir")[0]
    assert row.state == "skipped"
    assert "Lang_I" in row.reason
    page = coordinator.workspace.site / "shots/00008/index.html"
    assert "Lang_I is missing" in page.read_text(encoding="utf-8")
