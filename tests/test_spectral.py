"""Spectra keep the power of a signal; lines are found where and as strong as they were made."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal as scipy_signal

from ishtar.spectral import (
    BadSpectrum,
    even_stretches,
    expected_lines,
    find_lines,
    spectrogram,
    spectrogram_of,
    spectrum,
)

pytestmark = pytest.mark.whole

DT = 1e-8  # s: 100 MS/s
N = 1 << 15


def noise(n: int = N, rms: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0, rms, n)


def sine(amplitude: float, frequency: float, n: int = N, dt: float = DT, phase: float = 0.7):
    return amplitude * np.sin(2 * np.pi * frequency * dt * np.arange(n) + phase)


class TestSpectrum:
    def test_it_is_welchs(self):
        x = noise(20_000) + 3.0
        ours = spectrum(x, DT, segment=1000, overlap=0.25, window="blackmanharris")
        f, psd = scipy_signal.welch(
            x, 1 / DT, window="blackmanharris", nperseg=1000, noverlap=250, detrend="constant"
        )
        np.testing.assert_allclose(ours["psd"], psd, rtol=1e-9, atol=psd.max() * 1e-15)
        np.testing.assert_allclose(ours["frequency"], f)

    @settings(max_examples=30, deadline=None)
    @given(n=st.integers(8, 600), seed=st.integers(0, 1000))
    def test_parseval_is_exact_for_one_segment_without_a_taper(self, n, seed):
        x = noise(n, seed=seed)
        s = spectrum(x, DT, segment=n, window="boxcar")
        power = float(s["psd"].sum()) * s.attrs["spacing_hz"]
        assert power == pytest.approx(np.mean((x - x.mean()) ** 2), rel=1e-9)

    def test_parseval_holds_for_the_tapered_segments(self):
        x = noise(4096)
        s = spectrum(x, DT, segment=512, overlap=0.5)
        w = scipy_signal.get_window("hann", 512)
        rows = np.lib.stride_tricks.sliding_window_view(x, 512)[::256]
        rows = (rows - rows.mean(axis=1, keepdims=True)) * w
        expected = np.sum(rows**2) / len(rows) / np.sum(w**2)
        assert float(s["psd"].sum()) * s.attrs["spacing_hz"] == pytest.approx(expected, rel=1e-10)

    def test_white_noise_is_flat_at_its_density_with_the_scatter_that_is_stated(self):
        s = spectrum(noise(1 << 18), DT, segment=1024)
        inner = s.isel(frequency=slice(2, -2))
        z = (inner["psd"] - 2.0 * DT) / inner["psd_sigma"]
        assert float(inner["psd"].mean()) == pytest.approx(2.0 * DT, rel=0.01)
        assert float(z.std()) == pytest.approx(1.0, abs=0.1)

    def test_the_amplitude_of_a_sine_in_a_bin_is_its_own(self):
        f = 100 / (1024 * DT)
        s = spectrum(sine(0.3, f), DT, unit="V", segment=1024)
        assert float(s["amplitude"].max()) == pytest.approx(0.3, rel=1e-6)
        assert s["frequency"].values[np.argmax(s["amplitude"].values)] == pytest.approx(f)
        assert s["psd"].attrs["units"] == "(V)^2/Hz"
        assert s.attrs["resolution_hz"] == pytest.approx(1.5 * s.attrs["spacing_hz"])

    def test_batches_of_segments_do_not_show(self, monkeypatch):
        x = noise(10_000).astype(np.float32)
        whole = spectrum(x, DT, segment=256)
        columns = spectrogram(x, DT, segment=256, columns=7)
        monkeypatch.setattr("ishtar.spectral.welch._BATCH", 700)
        np.testing.assert_allclose(spectrum(x, DT, segment=256)["psd"], whole["psd"], rtol=1e-12)
        again = spectrogram(x, DT, segment=256, columns=7)
        np.testing.assert_allclose(again["psd"], columns["psd"], rtol=1e-12)

    def test_integers_are_taken_and_short_traces_too(self):
        assert spectrum(np.arange(20) % 5, 1.0).attrs["segment"] == 20

    @pytest.mark.parametrize(
        ("values", "options", "says"),
        [
            (np.ones(5), {}, "at least 8 real samples"),
            (np.ones((4, 9)), {}, "real samples"),
            (np.ones(64, complex), {}, "real samples"),
            (np.r_[np.ones(40), np.nan, np.ones(40)], {}, "sample 40 is not finite"),
            (np.ones(64), {"segment": 100}, "does not fit 64"),
            (np.ones(64), {"overlap": 1.0}, "overlap is 1.0"),
            (np.ones(64), {"window": "hat"}, "unknown window 'hat'"),
        ],
    )
    def test_what_makes_no_spectrum_is_refused(self, values, options, says):
        with pytest.raises(BadSpectrum, match=says):
            spectrum(values, DT, **options)

    def test_a_sampling_interval_must_exist(self):
        with pytest.raises(BadSpectrum, match="give a positive `dt` in s"):
            spectrum(np.ones(64), 0.0)


class TestSpectrogram:
    def test_a_line_that_begins_is_seen_to_begin(self):
        x = noise(rms=0.1)
        x[N // 2 :] += sine(1.0, 20e6)[N // 2 :]
        g = spectrogram(x, DT, t0=-1e-4, segment=256, unit="V")
        at = g["psd"].sel(frequency=20e6, method="nearest")
        began = float(g["time"][int(np.argmax(at.values > 0.5 * at.values.max()))])
        assert began == pytest.approx(-1e-4 + 0.5 * N * DT, abs=256 * DT)

    def test_columns_are_averaged_and_none_is_left_out(self):
        x = noise()
        fine = spectrogram(x, DT, segment=256, columns=10_000)
        coarse = spectrogram(x, DT, segment=256, columns=15)
        assert coarse.sizes["time"] == 15
        assert fine.sizes["time"] == 255
        np.testing.assert_allclose(
            coarse["psd"].mean("time"), spectrum(x, DT, segment=256)["psd"], rtol=1e-9
        )
        np.testing.assert_allclose(coarse["time"][0], fine["time"][:17].mean(), atol=1e-12)

    def test_no_columns_are_refused(self):
        with pytest.raises(BadSpectrum, match="columns=0"):
            spectrogram(noise(), DT, columns=0)


FUNDAMENTALS = {"ICRF": 5.86e6, "helicon": 11.76e6}


class TestExpectedLines:
    def test_harmonics_and_beats_are_named(self):
        lines = {x.label: x for x in expected_lines(FUNDAMENTALS)}
        assert lines["2×ICRF"].frequency_hz == pytest.approx(11.72e6)
        assert lines["helicon − ICRF"].frequency_hz == pytest.approx(5.90e6)
        assert lines["helicon − 2×ICRF"].frequency_hz == pytest.approx(0.04e6)
        assert lines["ICRF + helicon"].order == 2
        assert len(lines) == 5 + 5 + 2 * 6

    def test_frequencies_above_half_the_rate_are_folded(self):
        (line,) = expected_lines({"g": 5.86e6}, harmonics=1, sample_rate_hz=1e5)
        assert line.folded
        assert line.frequency_hz == pytest.approx(40e3)

    def test_impossible_fundamentals_are_refused(self):
        with pytest.raises(BadSpectrum, match="'g'"):
            expected_lines({"g": -1.0})


class TestLines:
    def test_generators_harmonics_and_beats_are_told_apart(self):
        n, dt = 1 << 18, 8e-9
        icrf, helicon = 5.86e6 * (1 + 5e-5), 11.76e6 * (1 - 3e-5)
        truth = {
            "ICRF": (icrf, 1.0),
            "helicon": (helicon, 0.5),
            "2×ICRF": (2 * icrf, 0.05),
            "3×ICRF": (3 * icrf, 0.02),
            "helicon − ICRF": (helicon - icrf, 0.02),
            "": (17.1e6, 0.01),
        }
        x = noise(n, 0.02) + sum(sine(a, f, n, dt) for f, a in truth.values())
        found = find_lines(spectrum(x, dt, unit="V", segment=1 << 16), FUNDAMENTALS)
        assert {line.label for line in found} == set(truth)
        assert len(found) == len(truth)
        for line in found:
            frequency, amplitude = truth[line.label]
            assert abs(line.frequency.value - frequency) < 4.0 * line.frequency.sigma
            assert abs(line.amplitude.value - amplitude) < 4.0 * line.amplitude.sigma
            assert line.frequency.sigma < 20.0
            assert (line.amplitude.unit, line.frequency.unit) == ("V", "Hz")
        assert [x.frequency.value for x in found] == sorted(x.frequency.value for x in found)

    @pytest.mark.long
    @pytest.mark.parametrize("window", ["hann", "blackmanharris"])
    def test_sigmas_hold_the_truth_two_times_out_of_three(self, window):
        rng = np.random.default_rng(5)
        hits = []
        for k in range(450):
            f, a = rng.uniform(5e6, 15e6), 10 ** rng.uniform(-1.0, 0.0)
            x = noise(1 << 14, 0.5, seed=k) + sine(a, f, 1 << 14, phase=rng.uniform(0, 6.3))
            segment = [1024, 4096, 16384][k % 3]
            found = find_lines(spectrum(x, DT, segment=segment, window=window), {"g": f})
            (line,) = [x for x in found if x.label]  # one in 1000 holds a false alarm, too
            hits.append(
                (
                    abs(line.amplitude.value - a) < line.amplitude.sigma,
                    abs(line.frequency.value - f) < line.frequency.sigma,
                )
            )
        amplitude, frequency = np.mean(hits, axis=0)
        assert 0.62 < amplitude < 0.75
        assert 0.62 < frequency < 0.77

    def test_noise_alone_has_no_lines(self):
        found = [
            find_lines(spectrum(noise(seed=k), DT, segment=s))
            for k in range(60)
            for s in (512, 4096, N)
        ]
        assert sum(map(len, found)) <= 1

    def test_a_strong_line_does_not_bring_its_wings_along(self):
        for f in np.linspace(10e6, 10.1e6, 11):
            (line,) = find_lines(spectrum(sine(1.0, f) + noise(rms=1e-6), DT, segment=4096))
            assert line.amplitude.value == pytest.approx(1.0, rel=2e-5)

    def test_a_line_stands_out_of_coloured_noise(self):
        red = np.cumsum(noise(1 << 17)) * 1e-2
        x = red + sine(0.3, 8e6, 1 << 17)
        found = find_lines(spectrum(x, DT, segment=4096), {"g": 8e6})
        (line,) = [x for x in found if x.label == "g"]
        assert line.amplitude.value == pytest.approx(0.3, abs=5 * line.amplitude.sigma)

    def test_a_slow_recorder_shows_generators_as_aliases(self):
        """5.86 MHz + 50 ppm at 100 kS/s runs backwards from 40 kHz."""
        n, dt = 200_000, 1e-5
        x = sine(0.6, 5.86e6 * (1 + 5e-5), n, dt) + noise(n, 0.1)
        (line,) = find_lines(spectrum(x, dt), {"ICRF": 5.86e6}, tolerance=1e-4)
        assert line.label == "ICRF"
        assert line.expected is not None
        assert line.expected.folded
        assert line.frequency.value == pytest.approx(40e3 - 293.0, abs=0.1)

    def test_two_generators_that_fold_together_get_a_line_each_and_a_warning(self):
        n, dt = 200_000, 1e-5
        x = noise(n, 0.1) + sine(0.6, 5.86e6 * (1 + 5e-5), n, dt)
        x = x + sine(0.4, 11.76e6 * (1 + 3e-5), n, dt)
        found = find_lines(spectrum(x, dt), FUNDAMENTALS, tolerance=1e-4)
        assert {line.label for line in found} == {"ICRF", "helicon"}
        assert all(set(line.also) & {"ICRF", "helicon"} for line in found)

    def test_too_few_bins_are_said(self):
        with pytest.raises(BadSpectrum, match="use longer segments"):
            find_lines(spectrum(noise(64), DT, segment=16))

    def test_without_fundamentals_lines_have_no_names(self):
        (line,) = find_lines(spectrum(sine(1.0, 9e6) + noise(rms=0.1), DT))
        assert (line.label, line.expected, line.also) == ("", None, ())
        assert math.isfinite(line.excess_db)

    def test_each_generator_may_have_a_tolerance_of_its_own(self):
        """The second harmonic of a tuned generator is stronger than the crystal's line near it."""
        x = noise(rms=0.01) + sine(1.0, 5.86e6) + sine(0.5, 11.72e6) + sine(0.1, 11.76e6)
        stated = {"ICRF": 6.0e6, "helicon": 11.76e6}
        own = {"ICRF": 0.03, "helicon": 1e-3}
        found = find_lines(spectrum(x, DT, segment=N // 2), stated, tolerance=own)
        assert [line.label for line in found] == ["ICRF", "2×ICRF", "helicon"]
        with pytest.raises(BadSpectrum, match="one tolerance for each"):
            find_lines(spectrum(x, DT), stated, tolerance={"ICRF": 0.03})


class Record:
    """A signal that counts what is read of it."""

    unit, t0 = "V", 2.0

    def __init__(self, values: np.ndarray, dt: float | None = DT) -> None:
        self._values, self.dt, self.read = values, dt, [0]

    @property
    def n(self) -> int:
        return self._values.size

    def __getitem__(self, key: slice) -> Record:
        part = Record(self._values[key], self.dt)
        part.read = self.read
        return part

    def values(self) -> np.ndarray:
        self.read[0] += self.n
        return self._values


class TestStretches:
    @given(n=st.integers(0, 10_000), length=st.integers(1, 500), count=st.integers(1, 50))
    def test_they_lie_in_the_record_apart_and_reach_its_ends(self, n, length, count):
        found = even_stretches(n, length=length, count=count)
        assert len(found) == min(count, n // length)
        assert all(b - a == length for a, b in found)
        assert all(b <= c for (_, b), (c, _) in itertools.pairwise(found))
        if found:
            assert found[0][0] == 0
            assert len(found) == 1 or found[-1][1] == n

    def test_a_short_record_is_transformed_in_full(self):
        x = noise(40_000)
        ours = spectrogram_of(Record(x), segment=1024, columns=30)
        whole = spectrogram(x, DT, t0=2.0, segment=1024, columns=30, unit="V")
        np.testing.assert_array_equal(ours["psd"], whole["psd"])
        assert ours.attrs["covered"] == 1.0

    def test_of_a_long_one_only_stretches_are_read_and_it_says_how_much(self):
        n, on = 400_000, slice(200_000, 300_000)
        x = noise(n, 0.1)
        x[on] += sine(1.0, 8e6, 100_000)
        record = Record(x)
        gram = spectrogram_of(record, segment=1024, columns=40, averages=2, in_full=10_000)
        assert gram.sizes["time"] == 40
        assert record.read[0] == 40 * 1536
        assert gram.attrs["covered"] == pytest.approx(record.read[0] / n)
        level = gram["psd"].sel(frequency=8e6, method="nearest")
        seen = gram["time"].values[level.values > 1e-7]
        assert seen.min() == pytest.approx(2.0 + DT * on.start, abs=1.5 * n * DT / 40)
        assert seen.max() == pytest.approx(2.0 + DT * on.stop, abs=1.5 * n * DT / 40)

    def test_wrong_use_is_refused(self):
        with pytest.raises(BadSpectrum, match="regular sampling"):
            spectrogram_of(Record(noise(1000), dt=None), segment=64)
        with pytest.raises(BadSpectrum, match="use 1 or more"):
            spectrogram_of(Record(noise(1000)), segment=64, columns=0)
        with pytest.raises(BadSpectrum, match="does not fit"):
            spectrogram_of(Record(noise(1000)), segment=4096)
