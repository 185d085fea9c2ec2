"""Reflection and coupling are those of a transmission line, with sigmas that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ishtar.errors import TimeBaseError, UnitError
from ishtar.quantity import Measured
from ishtar.rf import (
    BadPower,
    coupling,
    injected_power,
    loading_resistance,
    reflected_share,
    reflection,
    return_loss,
    vswr,
)

T = np.arange(4000) * 1e-3  # s


def powers(forward: float = 1000.0, reflected: float = 100.0, seed: int = 0):
    rng = np.random.default_rng(seed)
    return (
        forward + 20.0 * rng.normal(size=T.size),
        reflected + 5.0 * rng.normal(size=T.size),
    )


class TestTheLine:
    def test_a_tenth_reflected_is_10_db(self):
        gamma = reflection(1000.0, 100.0)
        assert gamma == pytest.approx(math.sqrt(0.1))
        assert return_loss(gamma) == pytest.approx(10.0)
        assert vswr(gamma) == pytest.approx(1.925, rel=1e-3)
        assert injected_power(1000.0, 100.0) == 900.0

    def test_a_match_and_a_short(self):
        assert (vswr(0.0), return_loss(0.0), loading_resistance(0.0)) == (1.0, math.inf, 50.0)
        assert (vswr(1.0), return_loss(1.0), loading_resistance(1.0)) == (math.inf, 0.0, 0.0)

    @settings(deadline=None)
    @given(load=st.floats(0.1, 49.9))
    def test_a_resistance_is_found_again_from_its_reflection(self, load):
        gamma = abs(load - 50.0) / (load + 50.0)
        assert loading_resistance(gamma) == pytest.approx(load)
        assert vswr(gamma) == pytest.approx(50.0 / load)

    @settings(deadline=None)
    @given(forward=st.floats(1.0, 3000.0), gamma=st.floats(0.01, 0.99))
    def test_loading_resistance_carries_the_power_at_the_highest_current(self, forward, gamma):
        """P = R I²/2 with I_max = √(2 P_f/Z₀) (1 + |Γ|)."""
        i_max = math.sqrt(2.0 * forward / 50.0) * (1.0 + gamma)
        injected = injected_power(forward, forward * gamma**2)
        assert 0.5 * loading_resistance(gamma) * i_max**2 == pytest.approx(injected)

    def test_no_power_has_no_reflection(self):
        gamma = reflection([0.0, 5.0, 1000.0, -3.0], [1.0, 1.0, 10.0, 1.0], floor=10.0)
        assert np.isnan(gamma).tolist() == [True, True, False, True]

    def test_an_offset_below_zero_counts_as_nothing_and_too_much_stays_visible(self):
        assert reflection(100.0, -1.0) == 0.0
        assert reflection(100.0, 121.0) == pytest.approx(1.1)


class TestCoupling:
    def test_means_over_the_window_with_the_scatter(self):
        forward, reflected = powers()
        c = coupling(forward, reflected, T, (1.0, 3.0))
        assert c.n == 2000
        assert c.forward.value == pytest.approx(1000.0, abs=3.0)
        assert c.forward.sigma == pytest.approx(20.0 / math.sqrt(2000), rel=0.5)
        assert c.injected.value == pytest.approx(900.0, abs=3.0)
        assert c.reflection.value == pytest.approx(math.sqrt(0.1), rel=0.01)
        assert c.loading_resistance.unit == "ohm"

    def test_the_reflected_share_is_the_square_of_the_reflection(self):
        assert reflected_share(1000.0, 90.0) == pytest.approx(0.09)
        assert reflection(1000.0, 90.0) == pytest.approx(0.3)
        c = coupling(*powers(), relative_sigma=0.05)
        assert c.reflected_share.value == pytest.approx(0.1, rel=0.01)
        assert c.reflected_share.sigma == pytest.approx(0.1 * math.hypot(0.05, 0.05), rel=0.06)
        assert (c.reflected_share.unit, c.reflection.unit) == ("", "")

    def test_half_of_the_time_off_is_not_averaged(self):
        forward, reflected = powers()
        forward[:1000], reflected[:1000] = 0.0, 0.0
        c = coupling(forward, reflected, floor=50.0)
        assert c.duty == 0.75
        assert c.forward.value == pytest.approx(1000.0, abs=3.0)

    def test_the_window_ends_before_its_end(self):
        assert coupling(*powers(), T, (0.0, 0.01)).n == 10

    def test_calibration_does_not_average_down(self):
        c = coupling(*powers(), relative_sigma=0.05)
        assert c.forward.sigma == pytest.approx(50.0, rel=0.01)
        assert c.reflection.sigma / c.reflection.value == pytest.approx(
            0.5 * math.hypot(0.05, 0.05), rel=0.03
        )

    def test_what_the_detectors_share_cancels_in_the_ratio(self):
        c = coupling(*powers(), relative_sigma=0.05, correlation=1.0)
        assert c.forward.sigma == pytest.approx(50.0, rel=0.01)
        assert c.injected.sigma == pytest.approx(45.0, rel=0.01)
        assert c.reflection.sigma / c.reflection.value < 0.005

    def test_a_perfect_match_still_has_an_error(self):
        forward, _ = powers()
        rng = np.random.default_rng(4)
        c = coupling(forward, rng.normal(0.0, 5.0, T.size))
        assert 0.0 < c.reflection.sigma < 0.05

    def test_sigmas_hold_what_is_drawn(self):
        """1000 shots with their own calibration errors: 63 … 73 % within one sigma."""
        rng = np.random.default_rng(7)
        hits = []
        for _ in range(1000):
            forward = 1000.0 * (1 + 0.05 * rng.normal()) + 20.0 * rng.normal(size=64)
            reflected = 100.0 * (1 + 0.03 * rng.normal()) + 5.0 * rng.normal(size=64)
            c = coupling(forward, reflected, relative_sigma=(0.05, 0.03))
            hits.append(abs(c.reflection.value - math.sqrt(0.1)) < c.reflection.sigma)
        assert 0.63 < np.mean(hits) < 0.73

    def test_a_slow_drift_counts_as_scatter(self):
        forward, reflected = powers()
        still = coupling(forward, reflected).forward.sigma
        drifting = coupling(forward + np.linspace(0.0, 100.0, T.size), reflected).forward.sigma
        assert drifting > 5.0 * still

    def test_a_line_impedance_may_be_measured(self):
        c = coupling(*powers(), line_impedance=Measured(0.025, 0.0005, "kohm"))
        assert c.loading_resistance.value == pytest.approx(25.0 / c.vswr.value)
        with pytest.raises(UnitError):
            coupling(*powers(), line_impedance=Measured(50.0, 0.0, "V"))

    def test_one_sample_has_a_mean_but_no_scatter(self):
        c = coupling([100.0], [10.0])
        assert c.injected.value == 90.0
        assert math.isnan(c.injected.sigma)


class TestMistakes:
    def test_no_power_is_said(self):
        with pytest.raises(BadPower, match="no forward power above 0 W"):
            coupling(np.zeros(10), np.zeros(10))

    def test_shapes_must_match(self):
        with pytest.raises(BadPower, match="align them"):
            coupling(np.ones(3), np.ones(4))

    def test_a_window_needs_a_time_and_samples(self):
        with pytest.raises(TimeBaseError, match="give `time`"):
            coupling(*powers(), window=(0.0, 1.0))
        with pytest.raises(TimeBaseError, match="no sample from 9 s"):
            coupling(*powers(), T, (9.0, 10.0))

    def test_an_impossible_correlation_is_refused(self):
        with pytest.raises(BadPower, match="correlation is 2"):
            coupling(*powers(), correlation=2.0)

    def test_the_times_of_a_window_are_those_of_the_samples(self):
        with pytest.raises(TimeBaseError, match="give `time`"):
            coupling(*powers(), T[:-1], (0.0, 1.0))


class TestSigmas:
    """By the derivatives of the formulas, with nothing of the code under test."""

    F, R = 1000.0, 250.0

    def found(self, share_f, share_r, rho, **more):
        shares = {"relative_sigma": (share_f, share_r), "correlation": rho}
        return coupling(np.full(64, self.F), np.full(64, self.R), **shares, **more)

    @pytest.mark.parametrize("rho", [-1.0, -0.5, 0.0, 0.3, 1.0])
    @pytest.mark.parametrize(("share_f", "share_r"), [(1e-3, 0.0), (0.0, 1e-3), (1e-3, 2e-3)])
    def test_calibrations_propagate_by_their_derivatives(self, share_f, share_r, rho):
        c = self.found(share_f, share_r, rho)
        f, r, gamma = self.F, self.R, math.sqrt(self.R / self.F)
        assert (c.forward.value, c.reflected.value, c.reflection.value) == (f, r, gamma)
        assert c.forward.sigma == pytest.approx(f * share_f, rel=1e-3)
        assert c.reflected.sigma == pytest.approx(r * share_r, rel=1e-3)
        both = share_f**2 + share_r**2 - 2 * rho * share_f * share_r
        injected = math.sqrt(
            (f * share_f) ** 2 + (r * share_r) ** 2 - 2 * rho * f * share_f * r * share_r
        )
        assert c.injected.sigma == pytest.approx(injected, rel=1e-3)
        s = gamma / 2 * math.sqrt(both)
        assert c.reflection.sigma == pytest.approx(s, rel=1e-2)
        assert c.vswr.sigma == pytest.approx(2 * s / (1 - gamma) ** 2, rel=1e-2)
        assert c.return_loss.sigma == pytest.approx(20 / math.log(10) * s / gamma, rel=1e-2)
        assert c.loading_resistance.sigma == pytest.approx(100 * s / (1 + gamma) ** 2, rel=1e-2)

    def test_without_scatter_and_calibration_there_is_none(self):
        c = self.found(0.0, 0.0, 0.0)
        assert [m.sigma for m in (c.forward, c.injected, c.reflection, c.loading_resistance)] == [
            0.0
        ] * 4
        assert c.loading_resistance.value == pytest.approx(50 / 3)  # of a line of 50 ohm

    def test_the_line_impedance_adds_its_own(self):
        c = self.found(0.0, 0.0, 0.0, line_impedance=Measured(50.0, 0.5, "ohm"))
        assert c.loading_resistance.sigma == pytest.approx(0.5 / 3)
        assert c.reflection.sigma == 0.0


class TestTheFloor:
    def test_power_up_to_the_floor_is_none(self):
        assert np.isnan(reflection(10.0, 2.5, floor=10.0))
        assert reflection(10.0, 2.5, floor=9.9) == 0.5
        assert reflection(0.5, 0.125) == 0.5  # less than a watt is power, too
        c = coupling(np.array([10.0, 20.0, 20.0]), np.full(3, 5.0), floor=10.0)
        assert (c.forward.value, c.n) == (20.0, 2)

    @pytest.mark.parametrize("floor", [0.0, -5.0])
    def test_none_at_all_is_no_power_whatever_the_floor(self, floor):
        c = coupling(np.array([0.0, -1.0, 8.0]), np.full(3, 2.0), floor=floor)
        assert (c.forward.value, c.n) == (8.0, 1)
        assert np.isnan(reflection(-1.0, 2.0, floor=floor))

    @pytest.mark.parametrize("rho", [-1.0, 1.0])
    def test_whole_correlation_exists(self, rho):
        assert coupling(np.full(3, 4.0), np.full(3, 1.0), correlation=rho).reflection.value == 0.5

    @pytest.mark.parametrize("correlation", [1.01, -1.5])
    def test_more_than_whole_does_not(self, correlation):
        with pytest.raises(BadPower, match=r"correlation is -?1"):
            coupling(*powers(), correlation=correlation)

    def test_less_than_a_watt_is_on(self):
        assert coupling(np.full(3, 0.5), np.full(3, 0.125)).n == 3

    def test_a_table_of_powers_is_no_trace(self):
        with pytest.raises(BadPower, match="align them"):
            coupling(np.ones((2, 3)), np.ones((2, 3)))

    def test_an_impedance_in_another_unit_keeps_its_share_of_sigma(self):
        z = Measured(0.05, 0.0005, "kohm")
        c = coupling(np.full(3, 4.0), np.full(3, 1.0), line_impedance=z)
        assert c.loading_resistance.value == pytest.approx(50 / 3)
        assert c.loading_resistance.sigma == pytest.approx(0.5 / 3)

    def test_two_samples_have_a_scatter_and_one_has_none(self):
        two = coupling(np.array([4.0, 6.0]), np.array([1.0, 1.0])).forward
        assert two.value == 5.0
        assert math.isfinite(two.sigma)
        assert math.isnan(coupling(np.array([4.0]), np.array([1.0])).forward.sigma)
