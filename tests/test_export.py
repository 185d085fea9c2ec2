"""Exported files: read back by the programs that they are for, with units and origin."""

from __future__ import annotations

import json
import sys

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.io import loadmat

import ishtar.export.files
import ishtar.export.series
from ishtar.errors import DamagedFile, MissingCalibration, NoSuchChannel, NoSuchSignal
from ishtar.export.files import FORMATS
from ishtar.export.matlab import identifiers
from ishtar.export.series import Export, Series
from ishtar.export.writing import ExportError, export
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples
from tests.library_fakes import DT, FIRST, LAMED, T0, N, memory_channel, truth

REAL = truth(FIRST)
FAST = ["Probe_U", "Probe_I"]
MIXED = ["Probe_*", "Gas_P", "DAQ/Spare"]


@pytest.fixture
def shot(testbed):
    """A shot whose signals are known."""
    return testbed[FIRST]


@pytest.fixture(params=[1 << 18, 700])
def block(request, monkeypatch):
    """Files are written in one block, and in many."""
    monkeypatch.setattr(ishtar.export.series, "BLOCK", request.param)


def text_of(dataset):
    """Decode a MATLAB text as HDF5 keeps it."""
    if "MATLAB_empty" in dataset.attrs:
        return ""
    assert dataset.attrs["MATLAB_class"] == b"char"
    return dataset[()].astype("<u2").tobytes().decode("utf-16-le")


def test_a_small_mat_file_is_a_struct_for_each_signal(shot, tmp_path, block):
    """Values, times, unit and origin, as MATLAB reads them."""
    done = export(shot, tmp_path / "x.mat", MIXED)
    assert done.paths == (tmp_path / "x.mat",)
    assert done.signals == (("Probe_U", "Probe_I", "DAQ/Spare", "Gas_P"),)
    found = loadmat(tmp_path / "x.mat", squeeze_me=True, struct_as_record=False)
    for name in (*FAST, "Gas_P"):
        np.testing.assert_allclose(found[name].value, REAL.values[name], atol=1e-12)
    np.testing.assert_allclose(found["Probe_U"].time, REAL.time, atol=1e-12)
    np.testing.assert_array_equal(found["Gas_P"].time, REAL.slow_time)
    one = found["Probe_I"]
    assert (one.unit, one.shot, one.channel) == ("mA", FIRST, "DAQ/Probe_I")
    assert (one.t0, one.dt, one.averaged) == (T0, DT, 1)
    assert one.calibration == "probe.I v1"
    assert one.source == f"{FIRST:05d}_Data.tdms"
    assert one.span == "1..1249"
    assert np.isnan(found["Gas_P"].dt)
    assert found["DAQ_Spare"].name == "DAQ/Spare"
    told = json.loads(str(found["ishtar"].provenance))
    assert told["shot"] == FIRST
    assert told["attributes"]["gas"] == "Ar"
    assert told["signals"]["Probe_I"]["device"] == "probe"
    columns = loadmat(tmp_path / "x.mat")["Probe_U"]["value"][0, 0]
    assert columns.shape == (N, 1)


def test_a_large_mat_file_is_matlab_7_3(shot, tmp_path, block, monkeypatch):
    """HDF5 behind MATLAB's head: columns, classes, and a common time base once."""
    monkeypatch.setattr(ishtar.export.files, "MAT5_MAX_BYTES", 0)
    path = export(shot, tmp_path / "x.mat", MIXED).paths[0]
    head = path.read_bytes()[:512]
    assert head.startswith(b"MATLAB 7.3 MAT-file")
    assert head[124:128] == b"\x00\x02IM"
    with h5py.File(path) as f:
        assert f.userblock_size == 512
        one = f["Probe_I"]
        assert one.attrs["MATLAB_class"] == b"struct"
        assert one["value"].shape == (1, N)  # MATLAB's N × 1
        assert one["value"].attrs["MATLAB_class"] == b"double"
        assert one["value"].compression == "gzip"
        np.testing.assert_allclose(one["value"][0], REAL.values["Probe_I"], atol=1e-12)
        np.testing.assert_allclose(f["Probe_U/time"][0], REAL.time, atol=1e-12)
        np.testing.assert_array_equal(f["Gas_P/time"][0], REAL.slow_time)
        assert f["Probe_I/time"] == f["Probe_U/time"]
        assert f["Probe_I/time"] != f["Gas_P/time"]
        assert one["dt"][()] == [[DT]]
        assert text_of(one["unit"]) == "mA"
        assert text_of(one["calibration"]) == "probe.I v1"
        assert text_of(one["derived"]) == ""
        fields = [b"".join(f).decode() for f in one.attrs["MATLAB_fields"]]
        assert sorted(fields) == sorted(one)
        assert fields[:3] == ["value", "time", "unit"]
        assert json.loads(text_of(f["ishtar/provenance"]))["shot"] == FIRST


def test_an_h5_file_holds_each_signal_at_its_name(shot, tmp_path, block):
    """Unit and origin as attributes, the time base as a scale."""
    path = export(shot, tmp_path / "x.h5", MIXED).paths[0]
    with h5py.File(path) as f:
        data = f["Probe_I"]
        np.testing.assert_allclose(data[()], REAL.values["Probe_I"], atol=1e-12)
        assert data.compression == "gzip"
        assert data.attrs["unit"] == "mA"
        assert data.attrs["shot"] == FIRST
        assert data.attrs["calibration"] == "probe.I v1"
        assert data.attrs["channel"] == "DAQ/Probe_I"
        assert data.attrs["source"] == f"{FIRST:05d}_Data.tdms"
        assert (data.attrs["t0"], data.attrs["dt"]) == (T0, DT)
        np.testing.assert_allclose(f[data.attrs["time"]], REAL.time, atol=1e-12)
        np.testing.assert_array_equal(f["Gas_P"].dims[0][0], REAL.slow_time)
        assert f["DAQ/Spare"].shape == (N,)
        assert json.loads(f.attrs["provenance"])["signals"]["Probe_U"]["device"] == "probe"


def test_a_csv_file_has_units_in_head_and_columns(shot, tmp_path, block):
    """Every digit of the values, times without the dust of binary fractions."""
    path = export(shot, tmp_path / "x.csv", FAST).paths[0]
    assert path == tmp_path / "x.csv"
    lines = path.read_text("utf-8").splitlines()
    head = [line for line in lines if line.startswith("#")]
    assert head[0].startswith(f"# shot {FIRST} (")
    assert "gas: Ar" in head[0]
    assert any("t0 = -0.5 s, dt = 0.001 s, 6000 values" in line for line in head)
    assert "# Probe_I of shot 1249 [mA]" in head
    assert "# calibration probe.I v1" in head
    assert lines[len(head)] == "time [s],Probe_U [V],Probe_I [mA]"
    assert lines[len(head) + 4].startswith("-0.497,")
    table = pd.read_csv(path, comment="#")
    np.testing.assert_array_equal(table["Probe_I [mA]"], shot["Probe_I"].values())
    np.testing.assert_allclose(table["time [s]"], REAL.time, atol=1e-14)
    assert len(table) == N


def test_tables_of_two_time_bases_are_two_files(shot, tmp_path):
    """Nothing is interpolated to fit beside something else; NaN is written so."""
    done = export(shot, tmp_path / "x.csv", ["Probe_U", "Gas_P", "Probe_I", "Position"])
    assert [p.name for p in done.paths] == ["x.1.csv", "x.2.csv"]
    assert done.signals == (("Probe_U", "Probe_I"), ("Gas_P", "Position"))
    assert "x.2.csv: Gas_P, Position" in str(done)
    table = pd.read_csv(done.paths[1], comment="#")
    np.testing.assert_array_equal(table["time [s]"], REAL.slow_time)
    np.testing.assert_allclose(table["Position [cm]"], REAL.values["Position"], atol=1e-9)
    assert table["Position [cm]"].isna().any()
    assert "time in s on the shot's clock: irregular, 50 values" in done.paths[1].read_text("utf-8")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.1.csv", "x.2.csv"]


def test_a_parquet_file_has_columns_with_metadata(shot, tmp_path, block):
    """As pandas reads it, and with the origin in the schema."""
    path = export(shot, tmp_path / "x.parquet", FAST).paths[0]
    table = pd.read_parquet(path)
    np.testing.assert_array_equal(table["Probe_I"], shot["Probe_I"].values())
    np.testing.assert_allclose(table["time"], REAL.time, atol=1e-12)
    schema = pq.read_schema(path)
    facts = schema.field("Probe_I").metadata
    assert (facts[b"unit"], facts[b"calibration"]) == (b"mA", b"probe.I v1")
    assert schema.field("time").metadata[b"dt"] == b"0.001"
    assert json.loads(schema.metadata[b"ishtar"])["shot"] == FIRST


def test_parquet_without_pyarrow_says_what_to_install(shot, tmp_path, monkeypatch):
    """It comes with scrapbook, and may be missing elsewhere."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExportError, match="pip install pyarrow"):
        export(shot, tmp_path / "x.parquet", FAST)
    assert not list(tmp_path.iterdir())


def test_a_window_is_half_open(shot, tmp_path):
    """Whole numbers are seconds too, and an end may be open."""
    for window, first, n in (((0, 1), 500, 1000), ((5.0, None), 5500, 500), ((None, -0.4), 0, 100)):
        export(shot, tmp_path / "x.h5", ["Probe_U", "Gas_P"], t=window)
        with h5py.File(tmp_path / "x.h5") as f:
            wanted = REAL.values["Probe_U"][first : first + n]
            np.testing.assert_allclose(f["Probe_U"], wanted, atol=1e-12)
            assert f["Probe_U"].attrs["t0"] == pytest.approx(REAL.time[first])
            told = json.loads(f.attrs["provenance"])
            assert told["window_s"] == list(window)
            assert ("Gas_P" in f) != ("Gas_P" in told["left_out"])


@pytest.mark.parametrize("block", [1 << 18, 70], indirect=True)
@pytest.mark.parametrize(("n", "every"), [(100, 60), (7, 858), (6000, 1), (9999, 1), (1, 6000)])
def test_fewer_values_are_means_at_mean_times(shot, tmp_path, block, n, every):
    """Neighbouring samples are averaged; the file says how many."""
    export(shot, tmp_path / "x.h5", ["Probe_I", "Gas_P"], n=n)
    m = N // every
    with h5py.File(tmp_path / "x.h5") as f:
        data = f["Probe_I"]
        cut = REAL.values["Probe_I"][: m * every].reshape(m, every)
        np.testing.assert_allclose(data[()], cut.mean(axis=1), atol=1e-10)
        times = REAL.time[: m * every].reshape(m, every).mean(axis=1)
        np.testing.assert_allclose(f[data.attrs["time"]], times, atol=1e-9)
        assert data.attrs["averaged"] == every
        assert len(data) <= n
        slow = f["Gas_P"].attrs["averaged"]
        cut = REAL.slow_time[: 50 // slow * slow].reshape(-1, slow)
        np.testing.assert_allclose(f[f["Gas_P"].attrs["time"]], cut.mean(axis=1), atol=1e-9)


def test_what_a_pattern_matches_and_cannot_be_read_is_told(shot, testbed, tmp_path):
    """It is left out, in the answer and in the file; a plain name is an error."""
    done = export(shot, tmp_path / "x.csv", ["*_U"])
    assert done.signals == (("Probe_U",),)
    assert "no calibration" in done.left_out["Bare_U"]
    assert "not wired" in done.left_out["Nowhere_U"]
    assert "left out Bare_U: bare has no calibration" in str(done)
    assert "# left out: Bare_U: bare has no calibration" in done.paths[0].read_text("utf-8")
    with pytest.raises(MissingCalibration):
        export(shot, tmp_path / "y.csv", ["Bare_U"])
    with pytest.raises(NoSuchChannel):
        export(testbed[LAMED], tmp_path / "y.csv", ["Probe_U"])
    with pytest.raises(NoSuchSignal, match=r"can be read: Bare_U: bare has no calibration"):
        export(shot, tmp_path / "y.csv", ["Bare_*"])
    assert not (tmp_path / "y.csv").exists()


@pytest.mark.parametrize(
    ("names", "how", "error", "says"),
    [
        (["Prob_*"], {}, NoSuchSignal, "did you mean 'Probe_"),
        (["Probe"], {}, NoSuchSignal, "did you mean 'Probe_"),
        (["DAQ/Prb_*"], {}, NoSuchSignal, "did you mean 'DAQ/Probe"),
        (["DAQ/Probe_X"], {}, NoSuchSignal, "no signal"),
        (["???"], {}, NoSuchSignal, "there are Probe_U"),
        ([], {}, ExportError, "no signals are given"),
        ("Probe_U", {}, ExportError, "a list of names"),
        (["Probe_U"], {"t": (50, 60)}, ExportError, "from 50 s to 60 s"),
        (["Probe_U"], {"n": 0}, ExportError, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(shot, tmp_path, names, how, error, says):
    """Each error says what there is instead, and leaves no file."""
    with pytest.raises(error, match=says):
        export(shot, tmp_path / "x.csv", names, **how)
    assert not list(tmp_path.iterdir())


def test_an_ending_says_how_to_write(shot, tmp_path):
    """Of capitals too."""
    with pytest.raises(ExportError, match=r"\.csv or \.h5 or \.mat or \.nc or \.parquet"):
        export(shot, tmp_path / "x.xlsx", FAST)
    assert export(shot, tmp_path / "X.H5", FAST).paths[0].exists()


@pytest.mark.parametrize("ending", ["csv", "h5", "mat", "parquet"])
def test_a_file_appears_whole_or_not_at_all(shot, tmp_path, monkeypatch, ending):
    """What was there stays where writing fails half way; else it is replaced."""
    path = tmp_path / f"x.{ending}"
    path.write_text("before")
    values = Signal.values

    def fail(self):
        if self.name == "Probe_I":
            raise DamagedFile("torn: ingest it again")
        return values(self)

    with monkeypatch.context() as patch:
        patch.setattr(Signal, "values", fail)
        with pytest.raises(DamagedFile):
            export(shot, path, FAST)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
    export(shot, path, FAST)
    assert path.stat().st_size > 1000


def test_names_become_matlab_identifiers():
    """Whatever a channel is called, each once."""
    names = ["PXI M6251/Lang_I", "PXI_M6251_Lang_I", "1st", "end", "ishtar", "é", "x" * 99, ""]
    found = identifiers(names)
    assert found[:5] == ["PXI_M6251_Lang_I", "PXI_M6251_Lang_I_2", "x_1st", "x_end", "x_ishtar"]
    assert len(set(found)) == len(names)
    assert all(name.isidentifier() and name.isascii() and len(name) < 64 for name in found)


def test_a_name_inside_another_is_refused_for_h5_only(tmp_path):
    """HDF5 has one tree of names: a data set holds no other."""
    one = memory_channel([1.0, 2.0], path="DAQ")
    two = memory_channel([1.0, 2.0], path="DAQ/x")
    series = tuple(
        Series(signal=s, provenance=s.provenance)
        for s in (_signal("DAQ", one), _signal("DAQ/x", two))
    )
    about = {"shot": 1, "software": "ishtar", "exported": "", "attributes": {}, "left_out": {}}
    what = Export(groups=(series,), provenance=about)
    with pytest.raises(ExportError, match=r"cannot hold both 'DAQ' and 'DAQ/x'.*or as \.mat"):
        FORMATS[".h5"].write(what, [tmp_path / "x.h5"])
    FORMATS[".mat"].write(what, [tmp_path / "x.mat"])
    assert {"DAQ", "DAQ_x"} <= loadmat(tmp_path / "x.mat").keys()


def _signal(name, channel):
    provenance = Provenance(signal=name, shot=1, unit="V", channel=channel.path)
    return Signal(ChannelSamples(channel), provenance, on_read=lambda: None)
