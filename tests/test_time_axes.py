"""Samples that do not lie in time have no seconds anywhere, and say what they lie along."""

from __future__ import annotations

import re
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.io import loadmat

import ishtar
from ishtar.calibration.load import load_declarations
from ishtar.errors import MissingCalibration, MissingScale, TimeBaseError
from ishtar.export.series import Series
from ishtar.export.writing import ExportError
from ishtar.lineage.record import recording
from ishtar.quality import examine
from ishtar.quality.channel_view import ChannelView
from ishtar.shots.any_testbed import Shots
from ishtar.shots.shot import Shot
from ishtar.signals.alignment import align, resample
from ishtar.signals.calibrated import CalibratedSamples
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples, axis_of
from ishtar.signals.source_notes import notes_of, salvaged
from ishtar.signals.time_base import Along, Counted, Irregular, Regular, in_seconds
from ishtar.spectral import spectrogram_of
from ishtar.store import SourceFile
from ishtar.store.reader import channel_of
from tests.axis_fakes import (
    BARE,
    COUNTED,
    DF,
    F0,
    N_LINES,
    NOTES,
    SOURCE,
    TIMED,
    WHY,
    lines,
    spectrum,
    uneven_lines,
    write_axes,
)
from tests.library_fakes import DT, SCALE, T0, N, memory_channel, raw_of

ONLY_COUNTED = "is only counted: nothing says when its samples were taken; select by sample"
ALONG_HZ = "lies along frequency in Hz, not along time"


@pytest.fixture(scope="module")
def testbed(tmp_path_factory):
    return ishtar.open(write_axes(tmp_path_factory.mktemp("axes") / "ws").root)


@pytest.fixture(scope="module")
def shot(testbed) -> Shot:
    return testbed[COUNTED]


# --- the type ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"x_unit": "s"}, Regular),
        ({"times": [0.0, 1.0, 3.0]}, Irregular),
        ({"x_unit": "", "dt": 1.0}, Counted),
        ({"x_unit": "Hz", "t0": F0}, Along),
        ({"x_unit": "Hz", "times": [1.0, 2.0, 4.0]}, Along),
        ({"x_unit": "m", "dt": 0.1}, Along),
    ],
)
def test_the_type_of_an_axis_says_whether_there_are_seconds(given, kind):
    axis = axis_of(memory_channel([1.0, 2.0, 3.0], **given))
    assert type(axis) is kind
    if kind in (Regular, Irregular):
        assert in_seconds(axis, "x") is axis
    else:
        with pytest.raises(TimeBaseError, match=r"only counted|lies along"):
            in_seconds(axis, "x")
        assert not hasattr(axis, "dt")
        assert not hasattr(axis, "t0")
        assert not hasattr(axis, "times")
        assert not hasattr(axis, "index")


def test_a_file_from_before_units_of_x_is_known_by_its_time_base(tmp_path, shot):
    source = next(s for s in shot.sources if s.origin.source == SOURCE)
    old = dict(next(i for i in source.index if i["path"] == "DAQ/Fwd"))
    del old["x_unit"]
    channel = channel_of(source.path, **old)
    assert isinstance(axis_of(channel), Counted)
    old["properties"] = {"time_base": "SampleTime"}
    assert isinstance(axis_of(channel_of(source.path, **old)), Regular)


def test_what_samples_lie_along_is_the_same_only_in_the_same_unit():
    base = Regular(0.0, 1.0, 5)
    counted = Counted(5, "a")
    assert counted.same_as(Counted(5, "b"))
    assert not counted.same_as(Counted(6, "a"))
    assert not counted.same_as(base)
    assert not base.same_as(counted)
    along = Along(base, "Hz", "a")
    assert along.same_as(Along(Regular(0.0, 1.0, 5), "Hz", "b"))
    assert not along.same_as(Along(base, "m", "a"))
    assert not along.same_as(base)
    assert not base.same_as(along)


# --- a signal ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Probe_U", ONLY_COUNTED), ("Inj_P", ONLY_COUNTED), ("Spectrum", ALONG_HZ)],
)
def test_whatever_needs_seconds_is_refused_with_the_reason(shot, name, reason):
    signal = shot[name]
    for ask in (
        lambda: signal.dt,
        lambda: signal.t0,
        lambda: signal.time_base,
        lambda: signal.times(),
        lambda: signal[2.0:2.1],
        lambda: signal[:3.0],
        lambda: signal[100:200].t0,
        lambda: signal.resample(1e-3),
        lambda: resample(signal, 1e-3),
        lambda: align([signal], dt=1e-3),
        lambda: align([signal, shot["Gas_P"]], t=[0.0, 1.0]),
        lambda: shot.load([name], t=(0.0, 1.0)),
        lambda: spectrogram_of(signal, segment=64),
    ):
        with pytest.raises(TimeBaseError, match=reason) as told:
            ask()
        assert name in str(told.value)
        assert "\n" not in str(told.value)
    assert reason in signal.time_problem
    assert shot.problem(name) is None
    assert reason in shot.problem(name, in_time=True)


def test_who_asks_whether_there_are_seconds_goes_by_the_channel(shot):
    with recording() as read:
        assert shot.problem("Probe_U", in_time=True)
    assert ("channel", "DAQ/Probe_U") in {(i.kind, i.name) for i in read.inputs}
    with recording() as read:
        assert shot.problem("Gas_P", in_time=True) is None
    assert "channel" not in {i.kind for i in read.inputs}


def test_a_signal_in_time_is_as_it_was(testbed):
    signal = testbed[TIMED]["Probe_U"]
    assert (signal.dt, signal.t0, signal.x_unit, signal.x_name) == (DT, T0, "s", "time")
    assert (signal.dx, signal.x0) == (DT, T0)
    assert signal.time_problem is None
    assert testbed[TIMED].problem("Probe_U", in_time=True) is None
    assert testbed[TIMED].problem("Nowhere_U", in_time=True) is not None
    np.testing.assert_allclose(signal.places(), signal.times())
    assert signal.explain().time_base == ""


def test_counted_samples_are_loaded_over_their_numbers(shot):
    signal = shot["Probe_U"]
    assert (signal.x_unit, signal.x_name, signal.x0, signal.dx) == ("", "sample", None, None)
    whole = signal.load()
    assert whole.dims == ("sample",)
    assert whole.sample.dtype.kind == "i"
    np.testing.assert_array_equal(whole.sample, np.arange(N))
    assert isinstance(whole.indexes["sample"], pd.RangeIndex)
    part = signal[100:103].load()
    assert part.sample.values.tolist() == [100, 101, 102]
    np.testing.assert_allclose(part, 21.0 * SCALE * raw_of(COUNTED)["Probe_U"][100:103])
    assert signal[100:103].places().tolist() == [100, 101, 102]
    assert signal[100:100].load().sample.size == 0
    for array in (part, signal[:9].raw(), signal[:9].sigma(), signal[:9].quality()):
        assert "time" not in array.coords
        assert array.sample.attrs["units"] == "1"


def test_a_spectrum_is_loaded_over_frequency(shot):
    signal = shot["Spectrum"]
    assert (signal.x_unit, signal.x_name) == ("Hz", "frequency")
    assert (signal.x0, signal.dx) == (F0, DF)
    assert signal[100:].x0 == F0 + 100 * DF
    loaded = signal.load()
    assert loaded.dims == ("frequency",)
    assert loaded.frequency.attrs["units"] == "Hz"
    np.testing.assert_allclose(loaded.frequency, lines())
    np.testing.assert_allclose(loaded, 2.0 * spectrum())
    peak = loaded.sel(frequency=slice(F0 + 99.5 * DF, F0 + 100.5 * DF))
    assert peak.values == pytest.approx([2.02])


def test_an_uneven_spectrum_has_a_frequency_for_each_sample(shot):
    signal = shot["Uneven"]
    assert (signal.x0, signal.dx) == (pytest.approx(1e3), None)
    np.testing.assert_allclose(signal.load().frequency, uneven_lines())
    band = signal.envelope(3)
    at = uneven_lines()
    np.testing.assert_allclose(band.frequency[0], (at[0] + at[19]) / 2)


def test_an_envelope_lies_along_the_same(shot):
    band = shot["Probe_U"].envelope(3)
    assert set(band.coords) == {"sample"}
    u = shot["Probe_U"].values()
    assert float(band["min"].min()) == u.min()
    band = shot["Spectrum"][0:8].envelope(2, quality=True)
    np.testing.assert_allclose(band.frequency, F0 + DF * np.array([1.5, 5.5]))
    assert band["clipped"].dims == ("frequency",)


def test_a_mean_needs_no_seconds(shot):
    mean = shot["Probe_U"][10:20].mean()
    assert mean.value == pytest.approx(shot["Probe_U"].values()[10:20].mean())


def test_repr_and_story_say_it_and_name_no_second(shot):
    counted, along = shot["Probe_U"], shot["Spectrum"]
    assert "6000 samples, only counted, no time base" in repr(counted)
    assert "400 samples, along frequency in Hz, every 2500 Hz" in repr(along)
    assert "along frequency in Hz, irregular" in repr(shot["Uneven"])
    for signal in (counted, along, shot["Inj_P"]):
        assert not re.search(r"\ddt|dt \d|\d s\b", repr(signal))
        assert re.search(
            r"time base +none: samples (are only counted|lie along)", str(signal.explain())
        )
    assert "none: samples lie along frequency in Hz" in str(along.explain())
    assert shot["Gas_P"].explain().time_base == ""


def test_signals_go_together_only_along_the_same(shot):
    both = shot.load(["Probe_U", "Fwd_P"])
    assert both.sizes == {"sample": N}
    with pytest.raises(TimeBaseError, match=r"only counted, no time base.*load Probe_U separately"):
        shot.load(["Gas_P", "Probe_U"])
    with pytest.raises(TimeBaseError, match="Spectrum, Uneven separately"):
        shot.load(["Spectrum", "Uneven"])


# --- calibrations and formulas -------------------------------------------------------------------


def test_a_quiet_time_is_no_stretch_of_sample_numbers(shot):
    with pytest.raises(
        TimeBaseError, match=r"transducer v1 needs a quiet time.*'DAQ/Coil' is only"
    ):
        shot["Coil_I"]
    assert "needs a quiet time" in shot.missing()["Coil_I"]
    with recording() as read:
        assert shot.problem("Coil_I")
    kinds = {(i.kind, i.name) for i in read.inputs}
    assert {("channel", "DAQ/Coil"), ("calibration", "transducer")} <= kinds


@pytest.mark.parametrize("x_unit", ["", "Hz"])
@pytest.mark.parametrize(
    ("transform", "need"),
    [
        ('{ kind = "quiet_offset", t_start_s = 0.0, t_end_s = 5.0 }', "a quiet time"),
        (
            '{ kind = "frequency_response", frequency_hz = [0.0, 0.5], gain = [1.0, 2.0], '
            "phase_deg = [0.0, 0.0] }",
            "a sampling interval",
        ),
    ],
)
def test_steps_that_need_time_refuse_what_has_none(tmp_path, x_unit, transform, need):
    text = '[[calibration]]\nversion = 1\nfrom = 1\ninput = "V"\nunit = "V"\n'
    text += f"transforms = [{transform}]\n"
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices/d.toml").write_text(text)
    (calibration,) = load_declarations(tmp_path).devices["d"].calibrations
    channel = memory_channel(np.arange(100.0), dt=1.0, x_unit=x_unit)
    with pytest.raises(TimeBaseError, match=f"d v1 needs {need}"):
        CalibratedSamples(channel, calibration, "V")
    CalibratedSamples(memory_channel(np.arange(100.0), dt=1.0), calibration, "V").read(0, 10)


def test_a_formula_takes_samples_that_are_counted_alike(shot, testbed):
    injected = shot["Inj_P"]
    assert (injected.x_unit, injected.n) == ("", N)
    fwd, ref = shot["Fwd_P"].values(), shot["Ref_P"].values()
    np.testing.assert_allclose(injected.values(), (fwd - ref) / 1000)
    np.testing.assert_allclose(shot["Share"].load(), 1 - ref / fwd)
    with pytest.raises(
        TimeBaseError, match=r"Probe_U \(6000 samples, only counted, no time base\)"
    ):
        shot["Mixed"]


def test_a_formula_of_counted_and_timed_samples_is_refused_though_they_are_as_many():
    timed = ChannelSamples(memory_channel(np.arange(5.0), dt=1.0))
    counted, fewer = (
        ChannelSamples(memory_channel(np.arange(n), dt=1.0, x_unit="")) for n in (5.0, 4.0)
    )
    along = ChannelSamples(memory_channel(np.arange(5.0), dt=1.0, x_unit="Hz"))
    for other in (timed, fewer, along):
        for parts in ({"a": counted, "b": other}, {"a": other, "b": counted}):
            with pytest.raises(TimeBaseError, match="cannot be combined"):
                DerivedSamples("c", "a + b", parts)
    assert DerivedSamples("c", "a + b", {"a": along, "b": along}).base.unit == "Hz"


# --- exports -------------------------------------------------------------------------------------

NAMES = ["Probe_U", "Gas_P", "Spectrum", "Uneven"]


def test_a_csv_file_has_numbers_of_samples_and_frequencies_in_place_of_times(shot, tmp_path):
    done = shot.export(tmp_path / "x.csv", NAMES)
    heads = {}
    for path, (name,) in zip(done.paths, done.signals, strict=True):
        text = path.read_text()
        heads[name] = next(line for line in text.splitlines() if not line.startswith("#"))
        if name == "Gas_P":
            assert "time in s on the shot's clock: irregular" in text
        else:
            assert "clock" not in text
            assert "dt =" not in text
    assert heads["Probe_U"] == "sample,Probe_U [V]"
    assert heads["Spectrum"] == "frequency [Hz],Spectrum [V]"
    assert heads["Gas_P"] == "time [s],Gas_P [Pa]"
    counted = pd.read_csv(done.paths[0], comment="#")
    np.testing.assert_array_equal(counted["sample"], np.arange(N))
    assert "only counted" in done.paths[0].read_text()
    assert "x0 = 1000000 Hz, dx = 2500 Hz, 400 values" in done.paths[2].read_text()


def test_means_of_counted_samples_lie_at_mean_numbers(shot, tmp_path):
    shot.export(tmp_path / "x.csv", ["Probe_U"], n=600)
    table = pd.read_csv(tmp_path / "x.csv", comment="#")
    np.testing.assert_allclose(table["sample"], 4.5 + 10 * np.arange(600))
    np.testing.assert_allclose(
        table["Probe_U [V]"], shot["Probe_U"].values().reshape(-1, 10).mean(axis=1)
    )


@pytest.mark.parametrize("most", [1 << 28, 0])
def test_a_mat_file_has_no_time_where_there_is_none(shot, tmp_path, monkeypatch, most):
    monkeypatch.setattr("ishtar.export.files.MAT5_MAX_BYTES", most)
    shot.export(tmp_path / "x.mat", NAMES)
    if most:
        found = loadmat(tmp_path / "x.mat", simplify_cells=True)
        fields = {name: set(found[name]) for name in NAMES}
        places = found["Spectrum"]["frequency"]
        numbers = found["Probe_U"]["sample"]
    else:
        with h5py.File(tmp_path / "x.mat") as f:
            fields = {name: set(f[name]) for name in NAMES}
            places, numbers = f["Spectrum/frequency"][0], f["Probe_U/sample"][0]
    np.testing.assert_allclose(places, lines())
    np.testing.assert_allclose(numbers, np.arange(N))
    assert {"time", "t0", "dt"} <= fields["Gas_P"]
    assert not {"time", "t0", "dt", "x0", "dx"} & fields["Probe_U"]
    assert {"x0", "dx"} <= fields["Spectrum"]
    assert not {"time", "t0", "dt"} & fields["Spectrum"]


def test_an_h5_file_has_axes_beside_time_bases(shot, tmp_path):
    shot.export(tmp_path / "x.h5", NAMES)
    with h5py.File(tmp_path / "x.h5") as f:
        assert f["Probe_U"].attrs["sample"] == "/axes/1"
        assert "time" not in f["Probe_U"].attrs
        assert "dt" not in f["Probe_U"].attrs
        assert f["axes/1"].attrs["unit"] == "1"
        assert f["Gas_P"].attrs["time"] == "/time_bases/2"
        frequency = f[f["Spectrum"].attrs["frequency"]]
        assert (frequency.attrs["unit"], frequency.attrs["x0"]) == ("Hz", F0)
        np.testing.assert_allclose(frequency, lines())


def test_a_parquet_file_names_its_columns_by_what_they_are(shot, tmp_path):
    done = shot.export(tmp_path / "x.parquet", NAMES)
    firsts = [pq.read_schema(path).field(0) for path in done.paths]
    assert [f.name for f in firsts] == ["sample", "time", "frequency", "frequency"]
    assert [f.metadata[b"unit"] for f in firsts] == [b"1", b"s", b"Hz", b"Hz"]
    assert b"t0" not in firsts[0].metadata
    assert firsts[2].metadata[b"dx"] == b"2500.0"


def test_samples_and_seconds_that_are_the_same_numbers_are_not_one_column(tmp_path):
    one, other, third = (
        Series(
            signal=Signal(
                ChannelSamples(memory_channel(np.arange(5.0), dt=1.0, path=unit, x_unit=unit)),
                Provenance(signal=unit, shot=1, unit="V"),
                on_read=lambda: None,
            ),
            provenance=Provenance(signal=unit, shot=1, unit="V"),
        )
        for unit in ("s", "", "Hz")
    )
    assert one.same_places(one)
    assert not one.same_places(other)
    assert not other.same_places(third)
    assert not third.same_places(one)


def test_a_window_of_time_leaves_out_what_has_none_and_says_why(shot, tmp_path):
    done = shot.export(tmp_path / "x.csv", ["Gas_P", "Probe_U", "Spectrum"], t=(0.0, 2.0))
    assert done.signals == (("Gas_P",),)
    assert ONLY_COUNTED in done.left_out["Probe_U"]
    assert ALONG_HZ in done.left_out["Spectrum"]
    with pytest.raises(ExportError, match=ONLY_COUNTED):
        shot.export(tmp_path / "x.csv", ["Probe_U"], t=(0.0, 2.0))


# --- quality -------------------------------------------------------------------------------------


def test_quality_has_no_rates_and_no_seconds_of_what_has_none(shot):
    found = examine(shot)
    daq, scope = found.recorders["DAQ"], found.recorders["Scope"]
    assert daq.time_base == "none of Coil, Fwd, Noise, Probe_U, Ref, trigger"
    assert daq.dt == DT  # of its one channel that has a time base
    assert (scope.dt, scope.time_base) == (None, "none")
    assert np.isnan([scope.start, scope.end]).all()
    assert set(found.noise) == {"DAQ/Spare"}
    told = {f.where: f.text for f in found.of_kind("time base")}
    assert "only counted" in told["DAQ/Fwd"]
    assert "(Spectrum, Uneven) are along Hz, not along time" in told["Scope"]
    timeless = [f for f in found.findings if f.where in ("DAQ/trigger", "DAQ/Fwd", "Scope")]
    assert {f.kind for f in timeless} == {"time base"}  # no gaps, rate, trigger, coverage
    assert [f.where for f in found.of_kind("scale")] == ["DAQ/Spare"]
    # the trigger falls at sample 5000, which is no time until which something happened
    assert found.of_kind("coverage", "trigger") == []


def test_quality_shows_all_notes_and_that_a_recording_was_cut(shot):
    found = examine(shot)
    assert [f.text for f in found.of_kind("source")] == sorted(NOTES, key=NOTES.index)
    (cut,) = found.of_kind("salvaged")
    assert cut.where == SOURCE
    assert "4096 of 10000 bytes were kept" in cut.text
    assert cut.severity.word == "bad"


def test_noise_before_the_trigger_is_that_of_a_time():
    x = np.random.default_rng(1).normal(size=500)
    assert ChannelView(memory_channel(x, t0=-0.4)).noise is not None
    assert ChannelView(memory_channel(x, t0=-0.4, x_unit="Hz")).noise is None
    assert ChannelView(memory_channel(x, t0=-0.4, x_unit="Hz")).span == pytest.approx(
        (np.nan, np.nan), nan_ok=True
    )


def test_a_spectrum_is_not_short_for_being_shorter_than_what_lies_in_time(shot):
    assert examine(shot).of_kind("short") == []


def test_places_of_faults_are_numbers_of_samples():
    x = np.zeros(1000, dtype=np.int16)
    x[100:150] = 32767
    x[600:] = np.arange(400)
    channel = memory_channel(x, dt=1.0, x_unit="")
    object.__setattr__(channel, "n_clipped", 50)
    told = {f.kind: f.text for f in ChannelView(channel).findings([])}
    assert "between sample 100 and 149" in told["clipped"]
    assert not told["clipped"].endswith(" s")
    timed = memory_channel(x, dt=1e-3)
    object.__setattr__(timed, "n_clipped", 50)
    told = {f.kind: f.text for f in ChannelView(timed).findings([])}
    assert "between 0.1 and 0.149 s" in told["clipped"]


# --- what a file held that could not be stored as it is ------------------------------------------


def test_a_channel_without_its_scale_is_read_raw_and_not_calibrated(shot):
    signal = shot["Probe_I"]
    assert shot.problem("Probe_I") is not None
    for ask in (signal.load, signal.values, signal.envelope, signal.mean, signal.check):
        with pytest.raises(MissingScale, match=f"without the scale that its file states .{WHY}"):
            ask()
    assert issubclass(MissingScale, MissingCalibration)
    np.testing.assert_array_equal(signal.raw(), raw_of(COUNTED)["Spare"])
    assert signal.explain().scale_missing == WHY
    assert f"scale missing   {WHY}" in str(signal.explain())
    assert "scale missing" in repr(signal)
    channel = shot.channel("DAQ/Spare")
    assert "scale missing" in repr(channel)
    assert channel.load().attrs["scale_missing"] == WHY
    assert "no unit stated" in repr(channel)


def test_a_scale_that_is_given_later_makes_what_read_it_stale(shot):
    with recording() as read:
        assert shot.problem("Probe_I")
    assert ("channel", "DAQ/Spare") in {(i.kind, i.name) for i in read.inputs}


def test_a_salvaged_recording_is_marked_for_ever(shot, testbed):
    assert "; salvaged: the recording was cut (01260_Data.tdms)" in repr(shot)
    assert "salvaged" not in repr(testbed[BARE])
    assert "salvaged" not in repr(testbed[TIMED]["Probe_U"])
    for name in ("Fwd_P", "Inj_P"):
        assert "the recording was cut, 4096 of 10000" in shot[name].explain().salvaged
        assert "salvaged" in repr(shot[name])
    assert shot["Spectrum"].explain().salvaged == ""  # of another source


def test_what_a_file_says_of_itself_is_no_note_of_ours(shot):
    theirs = SimpleNamespace(properties={"notes": "by the operator", "salvaged": "yes"})
    assert notes_of(theirs) == []
    assert salvaged(theirs) == ""
    (source,) = [s for s in shot.sources if s.origin.source == SOURCE]
    assert isinstance(source, SourceFile)
    assert notes_of(source) == NOTES


def test_a_map_over_shots_survives_one_without_seconds(testbed):
    found = Shots(testbed, [TIMED, COUNTED]).map(lambda s: s["Probe_U"].dt)
    assert found.values[TIMED] == DT
    assert ONLY_COUNTED in str(found.errors[COUNTED])


def test_a_spectrum_of_a_spectrum_is_not_taken(shot):
    assert shot["Spectrum"].n == N_LINES
    with pytest.raises(TimeBaseError, match=ALONG_HZ):
        spectrogram_of(shot["Spectrum"], segment=16)
