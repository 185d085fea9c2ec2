"""Single samples that cannot belong to a curve are left out, counted, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ishtar.langmuir import analyse, analyse_sweeps
from ishtar.langmuir.outliers import neighbour_medians, without_outliers
from runner.simulate.probe.recorder import quantised
from tests.probe_fakes import KNOWN, LOW, NE, SAMPLES, TE, shot

K = 400
PLACES = {1: [150], 2: [40, 300], 4: [33, 120, 251, 380], 8: list(range(25, 400, 50))}


@pytest.fixture
def curves() -> tuple[np.ndarray, np.ndarray]:
    """Twenty sweeps whose noise, and not their slope, parts one sample from the next."""
    rng = np.random.default_rng(4)
    bias = np.linspace(-40.0, 40.0, K) + rng.normal(0.0, 1e-3, (20, K))
    return bias, np.sin(bias / 30.0) + rng.normal(0.0, 0.05, (20, K))


def missing(values: np.ndarray) -> list[list[int]]:
    return [list(np.flatnonzero(np.isnan(row))) for row in values]


def test_a_line_leads_through_the_medians_of_five_before_and_after():
    values = 3.0 + 0.5 * np.arange(20.0)[None, :]
    np.testing.assert_allclose(np.mean(neighbour_medians(values), axis=0), values, rtol=1e-12)
    spiked = values.copy()
    spiked[0, [8, 9]] += 100.0
    assert np.abs(np.mean(neighbour_medians(spiked), axis=0) - values).max() < 1.0


class TestSpikes:
    @pytest.mark.parametrize("count", PLACES)
    @pytest.mark.parametrize("size", [-1.5, 1.0, 20.0])
    def test_on_the_current_they_are_left_out_and_counted(self, curves, count, size):
        bias, current = curves
        current[:, PLACES[count]] += size
        v, i, found = without_outliers(bias, current, 0.0)
        assert missing(v) == missing(i) == [PLACES[count]] * 20
        assert set(found) == {count}
        kept = np.isfinite(i)
        np.testing.assert_array_equal(i[kept], current[kept])

    @pytest.mark.parametrize("count", [1, 2, 4])
    @pytest.mark.parametrize("size", [-20.0, 15.0, 100.0])
    def test_on_the_bias_they_are_left_out_and_counted(self, curves, count, size):
        bias, current = curves
        bias += np.random.default_rng(2).normal(0.0, 0.6, bias.shape)  # three steps of the ramp
        bias[:, PLACES[count]] += size
        v, i, found = without_outliers(bias, current, 0.0)
        assert missing(v) == missing(i) == [PLACES[count]] * 20
        assert set(found) == {count}

    def test_the_order_of_time_does_not_matter_to_the_current(self, curves):
        bias, current = (x[:, ::-1].copy() for x in curves)
        current[:, 150] -= 1.0
        assert missing(without_outliers(bias, current, 0.0)[1]) == [[150]] * 20

    @pytest.mark.parametrize("pair", [[200, 201], [200, 202], [30, 31]])
    def test_neighbours_are_both_left_out(self, curves, pair):
        bias, current = curves
        current[:, pair] += 1.0
        assert missing(without_outliers(bias, current, 0.0)[1]) == [pair] * 20

    def test_more_than_two_per_cent_are_no_outliers(self, curves):
        """Eight of 400 may be; nine are what there is."""
        bias, current = curves
        nine = [*PLACES[8], 200]
        current[:10, PLACES[8]] += 1.0
        current[10:, nine] += 1.0
        v, i, found = without_outliers(bias, current, 0.0)
        assert list(found) == [8] * 10 + [0] * 10
        np.testing.assert_array_equal(v[10:], bias[10:])
        np.testing.assert_array_equal(i[10:], current[10:])
        assert missing(i[:10]) == [PLACES[8]] * 10

    def test_of_a_short_sweep_one_may_be(self):
        """One is always allowed; of fewer than thirty nothing is judged."""
        bias = np.linspace(-40.0, 40.0, 64)[None, :]
        current = bias / 200.0 + 0.05 * np.random.default_rng(1).normal(size=(1, 64))
        current[0, 30] += 1.0
        assert list(without_outliers(bias, current, 0.0)[2]) == [1]
        assert list(without_outliers(bias[:, :48], current[:, :48], 0.0)[2]) == [1]
        few = bias[:, 20:48], current[:, 20:48]
        assert list(without_outliers(*few, 0.0)[2]) == [0]

    def test_sweeps_of_different_length_lie_in_one_table(self, curves):
        bias, current = curves
        length = np.arange(300, 400, 5)
        gone = np.arange(K) >= length[:, None]
        current[:, 120] += 1.0
        current[:, 251] -= 1.0
        bias[gone] = current[gone] = np.nan
        current[3, 17] = np.nan
        v, i, found = without_outliers(bias, current, 0.0)
        assert set(found) == {2}
        for row, at in enumerate(missing(i)):
            lost = {120, 251, *range(length[row], K)} | ({17} if row == 3 else set())
            assert set(at) == lost
            assert set(missing(v)[row]) == lost - ({17} if row == 3 else set())

    def test_an_empty_sweep_beside_others_is_left_alone(self, curves):
        bias, current = curves
        bias[5] = current[5] = np.nan
        current[:, 120] += 1.0
        found = without_outliers(bias, current, 0.0)[2]
        assert list(found) == [1] * 5 + [0] + [1] * 14


class TestNoFalseOnes:
    def test_white_noise_has_none(self, curves):
        bias, current = curves
        v, i, found = without_outliers(bias, current, 0.0)
        assert not found.any()
        assert v is bias
        assert i is current

    @pytest.mark.parametrize("noise", [0.0, 1e-5, 3e-5])
    def test_a_quiet_steep_curve_has_none(self, noise):
        s = shot(20, noise=noise)
        table = s.bias.reshape(-1, SAMPLES), s.current.reshape(-1, SAMPLES)
        assert not without_outliers(*table, 0.0)[2].any()

    @pytest.mark.parametrize("bits", [8, 10, 12])
    def test_coarse_steps_have_none(self, bits):
        s = shot(20, noise=1e-5)
        current = quantised(s.current, bits, 0.2)
        step = 2.0 * np.abs(s.current).max() / 0.2 / 2**bits
        table = s.bias.reshape(-1, SAMPLES), current.reshape(-1, SAMPLES)
        assert not without_outliers(*table, step)[2].any()

    def test_a_jump_of_the_curve_is_none(self, curves):
        bias, current = curves
        current[:, 170:] += 1.0
        assert not without_outliers(bias, current, 0.0)[2].any()

    def test_where_noise_grows_along_the_curve_it_is_the_noise(self, curves):
        bias, _ = curves
        rng = np.random.default_rng(9)
        current = np.exp(bias / 20.0) * 0.3 * rng.normal(size=bias.shape)
        assert without_outliers(bias, current, 0.0)[2].sum() <= 2


class TestInTheAnalysis:
    def test_one_spike_a_sweep_costs_nothing(self):
        s = shot(20)
        rng = np.random.default_rng(1)
        at = np.arange(20) * SAMPLES + rng.integers(20, 380, 20)
        spiked = s.current.copy()
        spiked[at] += rng.choice([-1.0, 1.0], 20) * rng.uniform(0.2, 1.0, 20) * s.current.max()
        found = analyse_sweeps(s.bias, spiked, dt=s.dt, **KNOWN)
        assert found["valid"].all(), set(found["reason"].values)
        assert (found["outliers"] >= 1).all()
        np.testing.assert_allclose(found["Te"], TE, rtol=0.015)
        np.testing.assert_allclose(found["ne"], NE, rtol=0.1)

    def test_so_does_one_of_the_bias(self):
        s = shot(20)
        spiked = s.bias.copy()
        spiked[np.arange(20) * SAMPLES + 130] = LOW + 5.0
        found = analyse_sweeps(spiked, s.current, dt=s.dt, **KNOWN)
        assert found["valid"].all(), set(found["reason"].values)
        np.testing.assert_allclose(found["Te"], TE, rtol=0.015)

    def test_a_clean_sweep_lost_none(self):
        s = shot(1, noise=3e-5)
        clean = analyse(s.bias, s.current, **KNOWN)
        assert clean.valid
        assert clean.outliers == 0
        spiked = s.current.copy()
        spiked[90] += 0.5 * s.current.max()
        one = analyse(s.bias, spiked, **KNOWN)
        assert one.outliers >= 1
        assert one.Te.value == pytest.approx(clean.Te.value, abs=0.5 * clean.Te.sigma)

    def test_a_sweep_that_is_all_spikes_is_not_believed(self):
        s = shot(1)
        spiked = replace(s, current=s.current.copy())
        spiked.current[::10] += 0.7 * s.current.max()
        r = analyse(spiked.bias, spiked.current, **KNOWN)
        assert r.outliers == 0
        assert not r.valid or abs(r.Te.value - TE) < 3.0 * r.Te.sigma
