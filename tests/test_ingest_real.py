"""Real measurements, where they lie: the values that npTDMS and the text give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from nptdms import TdmsFile

from ishtar.store import SourceFile
from runner.ingest import IngestSettings, Layout, ingest_file

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real measurements in {DATA}"),
]
LVM = sorted(p.name for p in DATA.glob("*.LVM")) or ["none"]


def stored(name: str, tmp_path: Path, shot: int | None = 41) -> SourceFile:
    outcome = ingest_file(
        DATA / name,
        layout=Layout.of(tmp_path),
        settings=IngestSettings(timezone="UTC"),
        shot=shot,
    )
    assert (outcome.status, outcome.reason) == ("stored", "")
    return SourceFile(outcome.stored[0])


@pytest.mark.parametrize("name", ["raw1.tdms", "Digital_Input.tdms"])
def test_tdms_gives_what_nptdms_gives(name: str, tmp_path: Path) -> None:
    source = stored(name, tmp_path)
    peer = TdmsFile.read(DATA / name)
    n = 0
    for group in peer.groups():
        for channel in group.channels():
            ours = source.channels[f"{group.name}/{channel.name}"]
            np.testing.assert_array_equal(ours.scaled(), channel[:])
            np.testing.assert_array_equal(ours.raw(), channel.raw_data)
            assert ours.dtype == channel.raw_data.dtype
            assert ours.dt == channel.properties["wf_increment"]
            n += 1
    assert n == len(source.channels) > 0


def test_raw_integers_stay_integers_and_the_date_is_read(tmp_path: Path) -> None:
    source = stored("raw1.tdms", tmp_path)
    assert source.attributes["date"] == "2016-12-15T22:35:21"
    assert {str(c.dtype) for c in source.channels.values()} == {"int16"}
    assert {c.unit for c in source.channels.values()} == {"Volts"}


@pytest.mark.parametrize("name", LVM)
def test_lvm_gives_what_the_text_says(name: str, tmp_path: Path) -> None:
    source = stored(name, tmp_path, shot=None)  # its name says it
    assert source.origin.shot == int(Path(name).stem[-1])
    lines = (DATA / name).read_text("latin-1").split("\n")
    first = next(i for i, line in enumerate(lines) if line.startswith("X_Value")) + 1
    rows = [line.split("\t") for line in lines[first:] if line.strip()]
    labels = [label.strip() for label in lines[first - 1].split("\t")[1:-1]]
    assert len(rows) == 1000
    for k, label in enumerate(labels, 1):
        channel = source.channels[f"tomas_powerbox/{label}"]
        assert channel.raw().tolist() == [float(row[k].replace(",", ".")) for row in rows]
        x = [float(row[0].replace(",", ".")) for row in rows]
        np.testing.assert_allclose(channel.time(), x, atol=1e-12)
        assert (channel.dt, channel.unit) == (0.001, "Volts")
    start = next(line for line in lines[12:] if line.startswith("Time")).split("\t")[1]
    assert source.attributes["date"].startswith("2023-11-09T" + start[:12].replace(",", "."))
    assert source.attributes["operator"] == "d.nicolai"
