"""Signals on a common time base: what is computed, and where nothing is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ishtar.signals.alignment
from ishtar.errors import TimeBaseError, UnitError
from ishtar.signals.alignment import align, resample
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples
from tests.library_fakes import DT, FIRST, LAMED, MOVED, T0, N, memory_channel, truth


def make(values, *, name="x", shot=1, unit="V", **where) -> Signal:
    """Return a signal in memory."""
    channel = memory_channel(np.asarray(values, dtype=float), unit=unit, **where)
    provenance = Provenance(signal=name, shot=shot, unit=unit, channel="DAQ/x")
    return Signal(ChannelSamples(channel), provenance, on_read=lambda: None)


def test_linear_interpolates_and_is_nan_outside():
    """Between samples a straight line; before the first and after the last nothing."""
    s = make([0.0, 10.0, 20.0], dt=1.0, t0=1.0)
    found = align([s], t=[0.9, 1.0, 1.25, 2.0, 3.0, 3.1])["x"]
    np.testing.assert_allclose(found, [np.nan, 0.0, 2.5, 10.0, 20.0, np.nan])
    assert found.attrs["units"] == "V"
    assert found.attrs["method"] == "linear"


def test_nearest_takes_the_sample_at_the_smallest_distance():
    """Of two at the same distance the earlier."""
    s = make([0.0, 10.0, 20.0], dt=1.0)
    found = align([s], t=[-0.1, 0.4, 0.5, 0.6, 1.9, 2.0], method="nearest")["x"]
    np.testing.assert_array_equal(found, [np.nan, 0, 0, 10, 20, 20])


def test_irregular_samples_are_interpolated_in_their_own_times():
    """Their gaps are straight lines too; two samples at one time are no trouble."""
    s = make([0.0, 1.0, 3.0, 5.0], times=[0.0, 1.0, 1.0, 3.0])
    found = align([s], t=[0.5, 1.0, 2.0, 3.0, 3.5])["x"]
    np.testing.assert_allclose(found, [0.5, 3.0, 4.0, 5.0, np.nan])


def test_a_sample_beside_a_nan_keeps_its_value():
    """Only what lies between the two is unknown."""
    s = make([1.0, np.nan, 3.0, 4.0], dt=1.0)
    found = align([s], t=[0.0, 0.5, 1.0, 2.0, 2.5])["x"]
    np.testing.assert_array_equal(found, [1.0, np.nan, np.nan, 3.0, 3.5])


def test_times_that_were_computed_otherwise_find_their_samples():
    """A step of 0.1 s and a thousand of 0.1 ms end at the same sample, whatever the rounding."""
    s = make(np.arange(30_001.0), dt=1e-4, t0=-1.0)
    found = align([s], dt=0.1)["x"]
    np.testing.assert_allclose(found, np.arange(0, 30_001, 1000), atol=1e-6)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found.time, np.linspace(-1, 2, 31), atol=1e-12)


def test_a_step_covers_all_signals_and_says_where_they_overlap():
    """From the first sample of all to the last; each is NaN where it has none."""
    a, b = make(np.ones(11), dt=0.1), make(np.ones(11), name="y", dt=0.1, t0=0.5)
    found = align([a, b], dt=0.25)
    np.testing.assert_allclose(found.time, [0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5])
    assert np.isnan(found["x"]).sum() == 2
    assert np.isnan(found["y"]).sum() == 2
    assert found.attrs["overlap"] == pytest.approx([0.5, 1.0])
    assert "NaN" in found.attrs["outside"]


def test_a_mean_of_whole_samples_is_their_average():
    """Bins of five samples centred on the third."""
    values = np.random.default_rng(0).normal(1e6, 1.0, 1000)
    s = make(values, dt=0.01, t0=0.01)
    found = resample(s, 0.05)
    wanted = values[2 : 2 + 5 * 199].reshape(199, 5).mean(axis=1)
    np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=1e-13)
    assert found.time[0] == pytest.approx(0.05)
    assert "mean" in found.attrs["method"]


def test_a_mean_of_an_even_number_of_samples_is_not_shifted():
    """A ramp stays the ramp at the new times: the edge samples count half."""
    s = make(np.arange(1000.0), dt=0.01)
    found = resample(s, 0.1)
    np.testing.assert_allclose(found, found.time / 0.01, rtol=1e-12)


def test_a_mean_lets_no_fast_change_fold_back_where_linear_does():
    """Ripple of ten periods a bin vanishes in the mean."""
    t = np.arange(100_000) * 1e-5
    s = make(3.0 + np.sin(2 * np.pi * 10_000 * t + 0.5), dt=1e-5)
    assert np.abs(resample(s, 1e-3) - 3.0).max() < 1e-9
    assert np.abs(resample(s, 1e-3, "linear") - 3.0).max() > 0.4


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=60),
    ratio=st.floats(1.0, 9.0),
    t0=st.floats(-5, 5),
    block=st.integers(1, 70),
)
def test_all_means_together_are_the_mean(values, ratio, t0, block):
    """Bins that tile the record hold its whole integral, whatever the blocks it is read in."""
    s = make(values, dt=0.5, t0=t0)
    m = max(int(len(values) / ratio), 1)
    edges = t0 - 0.25 + np.linspace(0, 0.5 * len(values), m + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ishtar.signals.alignment, "BLOCK", block)
        found = ishtar.signals.alignment._means(s, edges)
    assert np.mean(found) == pytest.approx(np.mean(values), abs=1e-6)
    whole = ishtar.signals.alignment._means(s, edges)
    np.testing.assert_allclose(found, whole, atol=1e-6)


@pytest.mark.parametrize("method", ["linear", "nearest", "mean"])
@pytest.mark.parametrize("block", [1, 7, 1000])
def test_reading_in_blocks_changes_nothing(method, block, monkeypatch):
    """Memory is bounded, the result the same."""
    s = make(np.random.default_rng(1).normal(size=500), dt=0.01)
    whole = align([s], dt=0.033, method=method)["x"]
    monkeypatch.setattr(ishtar.signals.alignment, "BLOCK", block)
    np.testing.assert_allclose(align([s], dt=0.033, method=method)["x"], whole, atol=1e-12)


def test_a_bin_with_a_sample_that_is_not_finite_is_nan_and_no_other():
    """What is lost is shown, and what lies beside it is not lost."""
    values = np.arange(50.0)
    values[[17, 33]] = np.nan, np.inf
    found = resample(make(values, dt=0.1), 0.5)
    lost = np.isnan(found.values)
    assert set(np.round(found.time.values[lost], 6)) == {1.5, 3.5}
    np.testing.assert_allclose(found.values[~lost], found.time.values[~lost] * 10, rtol=1e-12)


def test_means_of_irregular_samples_are_of_those_in_the_bin():
    """An empty bin is NaN."""
    s = make([1.0, 2.0, 3.0, 10.0], times=[0.0, 0.2, 1.1, 4.0])
    found = align([s], t=[0.5, 1.5, 2.5, 3.5], method="mean")["x"]
    np.testing.assert_array_equal(found, [1.5, 3.0, np.nan, np.nan])


def test_a_stretch_is_aligned_alone():
    """Selections know nothing of what lies outside them."""
    s = make(np.arange(100.0), dt=0.1)[2.0:3.0]
    found = align([s], dt=0.5)["x"]
    np.testing.assert_allclose(found.time, [2.0, 2.5])
    np.testing.assert_allclose(found, [20.0, 25.0])


def test_fast_and_slow_signals_take_different_methods():
    """The mean of the fast ones, the line between the slow ones."""
    fast = make(np.arange(1000.0), dt=0.001)
    slow = make([0.0, 10.0], name="slow", times=[0.0, 1.0])
    found = align([fast, slow], dt=0.1, method={"x": "mean"})
    np.testing.assert_allclose(found["slow"], found.time * 10, atol=1e-12)
    np.testing.assert_allclose(found["x"][1:-1], found.time[1:-1] * 1000, rtol=1e-9)
    assert found["x"].attrs["method"] == "mean"
    assert found["slow"].attrs["method"] == "linear"


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({}, "give either dt in s or the times t; the signals have: x 1 s"),
        ({"dt": 1.0, "t": [1.0]}, "give either"),
        ({"dt": 0.0}, "positive number"),
        ({"dt": -1.0}, "positive number"),
        ({"dt": float("nan")}, "positive number"),
        ({"dt": 1e-12}, "take a larger one"),
        ({"dt": 100.0, "t0": 1.0}, "no multiple of 100 s"),
        ({"t": [2.0, 1.0]}, "ascend"),
        ({"t": [1.0, 1.0]}, "ascend"),
        ({"t": [np.nan]}, "finite"),
        ({"t": [[1.0]]}, "a row"),
        ({"t": []}, "a row"),
        ({"t": [1.0], "method": "mean"}, "one time has no bin"),
        ({"t": [1.0], "method": "cubic"}, "linear, nearest, mean"),
        ({"dt": 0.5, "method": "mean"}, "narrower than the 1 s"),
        ({"dt": 1.0, "method": {"y": "mean"}}, "'y', which is not among"),
    ],
)
def test_what_cannot_be_is_refused(how, says):
    """Each error says what to give instead."""
    s = make(np.arange(10.0), dt=1.0, t0=how.pop("t0", 0.0))
    with pytest.raises(TimeBaseError, match=says):
        align([s], **how)


def test_signals_that_do_not_go_together_are_refused():
    """Twice the same, none at all, none with samples, times that run backwards, other units."""
    s = make(np.arange(10.0), dt=1.0)
    with pytest.raises(TimeBaseError, match="given twice"):
        align([s, s], dt=1.0)
    with pytest.raises(TimeBaseError, match="no signals"):
        align([], dt=1.0)
    with pytest.raises(TimeBaseError, match="no samples here"):
        align([s[5:5]], dt=1.0)
    with pytest.raises(TimeBaseError, match="sample 2"):
        align([make([1.0, 2.0, 3.0], times=[0.0, 2.0, 1.0])], dt=1.0)
    with pytest.raises(UnitError, match="'A' and 'V'"):
        align([s, make([1.0, 2.0], unit="A", shot=2, dt=1.0)], dt=1.0)


def test_signals_of_a_stored_shot(testbed):
    """Calibrated values, the slow ones between their own times."""
    shot, real = testbed[FIRST], truth(FIRST)
    found = align([shot["Probe_U"], shot["Gas_P"]], dt=0.01)
    on = found.sel(time=slice(0.0, 1.0))
    wanted = np.interp(on.time, real.slow_time, real.values["Gas_P"])
    np.testing.assert_allclose(on["Gas_P"], wanted)
    np.testing.assert_allclose(on["Probe_U"], real.values["Probe_U"][500:1501:10], atol=1e-9)
    assert found["Gas_P"].attrs["units"] == "Pa"
    assert found["Probe_U"].attrs["calibration"]
    assert found.attrs["shot"] == FIRST


def test_several_shots_lie_along_a_dimension(testbed):
    """A shot that lacks a signal has NaN for it; what differs between shots is listed."""
    signals = [testbed[n]["Coil_I"] for n in (LAMED, FIRST, MOVED)]
    signals += [testbed[n]["Probe_I"] for n in (FIRST, MOVED)]
    found = align(signals, dt=DT)
    assert found["Probe_I"].dims == ("shot", "time")
    assert found.shot.values.tolist() == [FIRST, MOVED, LAMED]
    assert found.sizes["time"] == N
    assert np.isnan(found["Probe_I"].sel(shot=LAMED)).all()
    for n in (FIRST, MOVED):
        wanted = truth(n).values["Probe_I"]
        np.testing.assert_allclose(found["Probe_I"].sel(shot=n), wanted, atol=1e-9)
    assert found["Probe_I"].attrs["channel"] == ["DAQ/Probe_I", "DAQ/Spare"]
    assert found["Coil_I"].attrs["channel"] == "DAQ/Coil"


def test_a_stretch_of_a_stored_signal_is_resampled(testbed):
    """Means of calibrated samples, not calibrated means."""
    found = resample(testbed[FIRST]["Fwd_P"][0.0:2.0], 0.02)
    power = truth(FIRST).values["Fwd_P"]
    i = round((1.0 - T0) / DT)
    window = power[i - 10 : i + 11].copy()
    window[[0, -1]] *= 0.5
    assert found.sel(time=1.0, method="nearest") == pytest.approx(window.sum() / 20, rel=1e-9)
