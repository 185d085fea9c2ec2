"""TDMS segments, LabVIEW text and archive files of the simulator read back as they were meant."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nptdms import TdmsFile

from runner.simulate import (
    Campaign,
    SimulationError,
    archive_of,
    simulate_shot,
    truncate,
    write_archive,
    write_lvm,
)
from runner.simulate.tdms_files import ChannelBlock, TdmsWriter, volts_properties

pytestmark = pytest.mark.whole

REAL_LVM = Path(__file__).parents[2] / "shared" / "data" / "tomas_powerbox_15_52_30_1.LVM"
CAMPAIGN = Campaign(size_mb=1.0)
TYPES = (np.int8, np.int16, np.int32, np.float32, np.float64)


def read(path: Path) -> dict[str, np.ndarray]:
    tdms = TdmsFile.read(path)
    return {c.path: c.read_data(scaled=False) for g in tdms.groups() for c in g.channels()}


@pytest.fixture(autouse=True)
def _quiet_nptdms():
    """Cut files are the subject here: npTDMS' own remarks on them are not."""
    logging.getLogger("nptdms").setLevel(logging.ERROR)


# --- TDMS -----------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    interleaved=st.booleans(),
    dtypes=st.lists(st.sampled_from(TYPES), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 40), min_size=1, max_size=6),
    other=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_any_sequence_of_segments_reads_back_to_the_same_values(
    tmp_path_factory, interleaved, dtypes, lengths, other
):
    path = tmp_path_factory.mktemp("tdms") / "x.tdms"
    rng = np.random.default_rng(len(lengths))
    written: dict[str, list[np.ndarray]] = {}
    with path.open("wb") as f:
        writer = TdmsWriter(f, {"a/0": {"unit_string": "V"}}, interleaved=interleaved)
        for n, second_group in zip(lengths, other, strict=False):
            blocks = [
                ChannelBlock(
                    group="b" if second_group else "a",
                    name=str(i),
                    values=rng.integers(-100, 100, size=n).astype(d),
                )
                for i, d in enumerate(dtypes)
            ]
            writer.write(blocks)
            for b in blocks:
                written.setdefault(b.path, []).append(b.values)
    found = read(path)
    assert found.keys() == written.keys()
    for name, parts in written.items():
        np.testing.assert_array_equal(found[name], np.concatenate(parts))


def test_interleaved_and_contiguous_shots_hold_the_same_integers(tmp_path):
    simulate_shot(CAMPAIGN, 2, tmp_path / "contiguous")
    simulate_shot(dataclasses.replace(CAMPAIGN, interleaved=True), 2, tmp_path / "interleaved")
    files = [tmp_path / k / "00002_Data.tdms" for k in ("contiguous", "interleaved")]
    a, b = (read(f) for f in files)
    assert a.keys() == b.keys()
    assert len(a) == 16
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert files[0].read_bytes() != files[1].read_bytes()


def test_metadata_is_left_out_where_nothing_changed(tmp_path):
    path = tmp_path / "x.tdms"
    block = [ChannelBlock(group="g", name="c", values=np.arange(10, dtype=np.int16))]
    with path.open("wb") as f:
        writer = TdmsWriter(f, {})
        sizes = [writer.write(block) for _ in range(3)]
    assert sizes[0] > sizes[1] == sizes[2] == 28 + 20


def test_interleaving_channels_of_different_length_is_refused(tmp_path):
    blocks = [
        ChannelBlock(group="g", name=str(n), values=np.zeros(n, dtype=np.int16)) for n in (3, 4)
    ]
    with (tmp_path / "x.tdms").open("wb") as f:
        writer = TdmsWriter(f, {}, interleaved=True)
        with pytest.raises(SimulationError, match="segments of their own"):
            writer.write(blocks)


def test_properties_of_every_type_come_back(tmp_path):
    path = tmp_path / "x.tdms"
    properties = {"text": "µA", "whole": 7, "real": 0.25, "yes": True}
    scale = volts_properties(volts_per_count=0.5, t0_s=-1.0, dt_s=0.1)
    with path.open("wb") as f:
        writer = TdmsWriter(f, {"/": properties, "g": {"k": 1}, "g/c's": scale})
        writer.write([ChannelBlock(group="g", name="c's", values=np.arange(3, dtype=np.int16))])
    tdms = TdmsFile.read(path)
    assert dict(tdms.properties) == properties
    channel = tdms["g"]["c's"]
    assert channel.properties["NI_Scale[0]_Linear_Input_Source"] == 0xFFFFFFFF
    np.testing.assert_array_equal(channel[:], [0.0, 0.5, 1.0])


@pytest.mark.parametrize("crashed", [True, False])
@pytest.mark.parametrize("interleaved", [True, False])
def test_a_cut_file_is_shorter_than_its_last_segment_says(tmp_path, crashed, interleaved):
    simulate_shot(dataclasses.replace(CAMPAIGN, interleaved=interleaved), 1, tmp_path)
    path = tmp_path / "00001_Data.tdms"
    before = path.read_bytes()
    size = truncate(path, fraction=0.25, crashed=crashed)
    after = path.read_bytes()
    assert len(after) == size < len(before)
    changed = sum(x != y for x, y in zip(after, before, strict=False))
    assert (changed > 0) is crashed
    assert changed <= 8  # no more than the length in one lead-in
    assert TdmsFile.read(path).file_status.incomplete_final_segment


def test_cutting_what_is_no_tdms_or_has_no_such_segment_is_refused(tmp_path):
    path = tmp_path / "x.tdms"
    path.write_bytes(b"not a segment" * 10)
    with pytest.raises(SimulationError, match="not a whole TDMS file"):
        truncate(path)
    with path.open("wb") as f:
        values = np.zeros(4, dtype=np.int16)
        TdmsWriter(f, {}).write([ChannelBlock(group="g", name="c", values=values)])
    with pytest.raises(SimulationError, match="1 segments"):
        truncate(path, segment=5)


# --- LabVIEW text ---------------------------------------------------------------------------


def lvm_lines(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="latin-1").split("\n")]


@pytest.mark.parametrize("mark", [",", "."])
def test_lvm_holds_the_values_with_the_decimal_mark_asked_for(tmp_path, mark):
    path = tmp_path / "x.lvm"
    values = {"a": np.linspace(-1, 1, 7), "b": np.arange(7) / 3}
    start = dt.datetime(2026, 11, 22, 10, 1, 2, 250000)
    write_lvm(path, values, dt_s=0.001, start=start, x0_s=-0.002, decimal_comma=mark == ",")
    rows = lvm_lines(path)
    header = next(i for i, r in enumerate(rows) if r[0] == "X_Value")
    table = [[float(c.replace(",", ".")) for c in r] for r in rows[header + 1 : header + 8]]
    np.testing.assert_allclose(np.array(table)[:, 0], -0.002 + 0.001 * np.arange(7), atol=1e-9)
    np.testing.assert_allclose(np.array(table)[:, 1:].T, list(values.values()), atol=6e-7)
    fields = {r[0]: r[1] for r in rows[:header] if len(r) > 1}
    assert fields["Decimal_Separator"] == mark
    assert fields["Time"] == f"10:01:02{mark}2500000000000000000"
    assert fields["X0"] == f"-2{mark}0000000000000000E-3"


@pytest.mark.skipif(not REAL_LVM.exists(), reason="needs ../shared/data")
def test_lvm_has_the_lines_of_a_real_one(tmp_path):
    path = tmp_path / "x.lvm"
    two = {"powebox": np.zeros(1000), "triggerbox": np.ones(1000)}
    write_lvm(path, two, dt_s=0.001, start=dt.datetime(2023, 11, 9, 15, 52, 34))
    ours, real = lvm_lines(path), lvm_lines(REAL_LVM)
    assert len(ours) == len(real)
    assert [len(r) for r in ours] == [len(r) for r in real]
    assert [r[0] for r in ours] == [r[0] for r in real]


def test_lvm_channels_of_different_length_are_refused(tmp_path):
    with pytest.raises(SimulationError, match="one length"):
        write_lvm(
            tmp_path / "x.lvm",
            {"a": [1.0], "b": [1.0, 2.0]},
            dt_s=1.0,
            start=dt.datetime(2026, 1, 1),
        )


# --- archive --------------------------------------------------------------------------------


def test_archive_has_sampling_rates_and_a_generator_in_minutes(tmp_path):
    path = tmp_path / "00001_Data.h5"
    write_archive(
        path,
        {"PXI M6251": {"Lang_U": np.arange(5.0)}},
        sampling_hz={"PXI M6251": 40e3},
        generator=([0.6, 0.9], [100.0, 101.0], [3.0, 2.0]),
    )
    with h5py.File(path) as f:
        assert f["PXI M6251"].attrs["sampling"] == 40e3
        np.testing.assert_allclose(f["Generator/Time"][:], [0.01, 0.015])
        np.testing.assert_array_equal(f["Generator/Fpower"][:], [100.0, 101.0])
        np.testing.assert_array_equal(f["Generator/Rpower"][:], [3.0, 2.0])


def test_archive_of_a_shot_holds_its_volts(tmp_path):
    tdms, _ = simulate_shot(CAMPAIGN, 3, tmp_path)
    archive_of(tdms, tmp_path / "00003_Data.h5")
    source = TdmsFile.read(tdms)
    with h5py.File(tmp_path / "00003_Data.h5") as f:
        assert set(f) == {"PXI M6251", "S7", "Tektronix"}
        assert f["PXI M6251"].attrs["sampling"] == 8e3
        np.testing.assert_array_equal(f["PXI M6251/Lang_I"][:], source["PXI M6251"]["Lang_I"][:])
        np.testing.assert_array_equal(f["S7/Time"][:], source["S7"]["Time"][:])
