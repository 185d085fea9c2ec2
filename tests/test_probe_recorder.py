"""What the simulated recorder of a probe does to a record, and what draws its noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runner.simulate.probe import recorder

RNG = np.random.default_rng


def test_a_triangle_rises_and_falls_from_end_to_end():
    bias = recorder.triangle(-10.0, 30.0, 200, 3)
    assert bias.size == 600
    steps = np.diff(bias).reshape(-1)
    assert np.all(steps[:199] > 0)
    assert np.all(steps[200:399] < 0)
    assert np.ptp(bias) == pytest.approx(40.0, rel=0.01)
    assert bias.mean() == pytest.approx(10.0)


def test_drift_is_zero_in_the_middle_of_each_sweep():
    saw = recorder.drift(100, 4).reshape(4, 100)
    assert saw.mean(axis=1) == pytest.approx(0.0, abs=1e-12)
    assert np.ptp(saw, axis=1) == pytest.approx(0.99)


def test_broad_band_noise_has_its_band_and_a_deviation_of_one():
    noise = recorder.broad_band(RNG(1), 20_000, band=0.1)
    power = np.abs(np.fft.rfft(noise)) ** 2
    f = np.fft.rfftfreq(noise.size)
    assert noise.std() == pytest.approx(1.0)
    assert noise.mean() == pytest.approx(0.0, abs=1e-9)
    assert power[f > 0.101].sum() < 1e-12 * power.sum()
    low, high = power[(f > 0) & (f < 0.05)].mean(), power[(f > 0.05) & (f < 0.1)].mean()
    assert low / high == pytest.approx(1.0, abs=0.2)


def test_one_over_f_noise_loses_power_with_frequency():
    noise = recorder.one_over_f(RNG(2), 2**16)
    power = np.abs(np.fft.rfft(noise)[1:]) ** 2
    f = np.fft.rfftfreq(noise.size)[1:]
    slope = np.polyfit(np.log(f), np.log(power), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.05)
    assert noise.std() == pytest.approx(1.0)


def test_an_alias_is_one_line_over_the_whole_record():
    wave = recorder.alias(10_000, 500, 2.5, 0.3)
    spectrum = np.abs(np.fft.rfft(wave))
    assert spectrum.argmax() == 50  # 2.5 periods in each of 20 sweeps
    assert np.sum(wave**2) == pytest.approx(5_000)


def test_spikes_are_single_samples_of_every_sweep():
    values = np.sin(np.arange(2_000) / 100.0)
    spiked = recorder.with_spikes(RNG(3), values, 400, 40, (0.5, 1.0))
    off = np.abs(spiked - values).reshape(5, 400)
    assert np.all((off > 0).sum(axis=1) == 40)
    hit = off[off > 0]
    assert hit.min() >= 0.49
    assert hit.max() <= 1.0


def test_a_lag_follows_a_step_exponentially():
    step = np.concatenate([np.zeros(10), np.ones(200)])
    after = recorder.lagged(step, 5.0)
    assert np.all(after[:10] == 0.0)
    assert after[10 + 4] == pytest.approx(1.0 - math.exp(-1.0), rel=1e-9)
    assert after[-1] == pytest.approx(1.0)
    assert np.array_equal(recorder.lagged(step, 0.0), step)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_a_converter_shows_as_many_steps_as_it_has(bits):
    values = np.linspace(-0.2, 1.0, 200_000)
    shown = recorder.quantised(values, bits, 0.2)
    step = 2.0 * 5.0 / 2**bits
    assert np.abs(shown - values).max() <= 0.5001 * step
    levels = np.unique(shown)
    assert levels.size == pytest.approx(1.2 / step, abs=2)
    assert np.diff(levels) == pytest.approx(step, rel=1e-6)


def test_a_converter_cuts_what_it_cannot_show():
    shown = recorder.quantised(np.array([-3.0, 0.0, 3.0]), 8, 1.5)
    assert shown[0] == pytest.approx(-2.0)
    assert shown[2] == pytest.approx(2.0 * 127 / 128)
