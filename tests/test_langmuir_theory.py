"""The forward model of a probe says what theory and published tables say."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from ishtar.gases import GASES, UnknownGas, gas
from ishtar.langmuir import (
    bohm_speed,
    current_factors,
    debye_length,
    floating_potential,
    ion_saturation_current,
    probe_area,
    probe_current,
)
from ishtar.langmuir.current_factors import electron_factor, ion_coefficients, ion_factor

TIP = {"radius": 0.3e-3, "length": 5e-3}


class TestGases:
    def test_a_gas_is_found_by_symbol_and_by_name(self):
        assert gas("ar") is gas("Argon") is gas(gas("Ar"))

    def test_an_unknown_gas_names_the_nearest(self):
        with pytest.raises(UnknownGas, match="did you mean 'argon'"):
            gas("argn")

    def test_an_unknown_gas_is_a_key_error_too(self):
        with pytest.raises(KeyError):
            gas("unobtainium")

    def test_ion_masses_are_those_of_singly_charged_ions(self):
        assert gas("Ar").ion_mass == pytest.approx(6.6336e-26, rel=1e-3)
        assert gas("He").ion_mass == pytest.approx(6.6455e-27, rel=1e-3)
        assert all(10.0 < g.ionisation_ev < 25.0 for g in GASES)


def test_debye_length_and_bohm_speed_have_their_textbook_values():
    assert debye_length(1e16, 1.0) == pytest.approx(74.3e-6, rel=1e-3)  # 7430 √(T/n) m
    assert bohm_speed(4.0, "H2") == pytest.approx(1.38e4, rel=1e-2)


class TestElectrons:
    @pytest.mark.parametrize(
        ("rho", "x", "published"),  # Laframboise 1966, table 6c
        [(0.5, 25.0, 5.7526), (3.0, 10.0, 3.567), (10.0, 5.0, 2.22), (50.0, 25.0, 1.983)],
    )
    def test_saturation_follows_laframboise(self, rho, x, published):
        assert electron_factor(x, rho) == pytest.approx(published, rel=0.025)

    def test_a_thin_probe_is_orbital_motion_limited(self):
        x = np.linspace(0.0, 25.0, 60)
        exact = 2 * np.sqrt(x / math.pi) + np.exp(x) * [math.erfc(math.sqrt(v)) for v in x]
        np.testing.assert_allclose(electron_factor(x, 0.3), exact, rtol=0.01)

    def test_the_knee_has_no_corner(self):
        for rho in (0.5, 5.0, 50.0):
            h = 1e-5
            below, at, above = electron_factor([-h, 0.0, h], rho)
            assert at == pytest.approx(1.0)
            assert above - at == pytest.approx(at - below, rel=1e-3)

    def test_below_the_plasma_potential_the_current_is_exponential(self):
        v = np.linspace(-5.0, 5.0, 11)
        kw = {"ne": 1e17, "te": 4.0, "vp": 10.0, **TIP}
        ions = ion_factor((10.0 - v) / 4.0, TIP["radius"] / debye_length(1e17, 4.0))
        unit = 1.602e-19 * 1e17 * probe_area(**TIP) * bohm_speed(4.0) / math.sqrt(2 * math.pi)
        log = np.log(probe_current(v, **kw) + ions * unit)
        np.testing.assert_allclose(np.diff(log), 1.0 / 4.0, rtol=1e-3)


class TestIons:
    def test_coefficients_are_the_published_ones_between_3_and_50_debye_lengths(self):
        a, b = ion_coefficients(10.0)
        assert a == pytest.approx(1.18 - 0.00080 * 10**1.35, rel=1e-6)
        assert b == pytest.approx(0.0684 + (0.722 + 9.28) ** -0.729, rel=1e-3)

    def test_the_thick_sheath_is_orbital_motion_limited(self):
        np.testing.assert_allclose(
            ion_factor([4.0, 16.0], 0.5), np.array([4.0, 8.0]) / math.sqrt(math.pi), rtol=2e-3
        )

    def test_no_jump_between_the_regimes(self):
        a, b = ion_coefficients(np.linspace(0.3, 60.0, 4000))
        assert np.abs(np.diff(a)).max() < 2e-3
        assert np.abs(np.diff(b)).max() < 3e-3

    def test_a_thin_sheath_draws_about_the_bohm_current(self):
        # 0.61 n c_s in the same unit is 1.52
        assert ion_factor(3.0, 50.0) == pytest.approx(1.52, rel=0.25)

    def test_far_above_the_plasma_potential_no_ions_arrive_and_nothing_overflows(self):
        assert np.all(ion_factor([-20.0, -400.0], [1.0, 30.0]) < 1e-6)


class TestProbe:
    def test_the_current_vanishes_at_the_floating_potential(self):
        ne, te = np.meshgrid([1e16, 1e17, 1e18], [3.0, 10.0])
        kw = {"ne": ne, "te": te, "vp": 12.0, "gas": "He", "radius": 0.3e-3, "reduction": 0.4}
        vf = floating_potential(**kw)
        isat = ion_saturation_current(ne=ne, te=te, gas="He", reduction=0.4, **TIP)
        current = probe_current(vf, length=TIP["length"], **kw)
        assert np.all(np.abs(current) < 1e-9 * isat)

    def test_argon_floats_about_five_te_below_the_plasma(self):
        vf = floating_potential(ne=1e18, te=1.0, vp=0.0, gas="Ar", radius=0.5e-3)
        assert -5.6 < vf < -4.6

    def test_arguments_broadcast(self):
        bias = np.linspace(-60, 40, 11)[:, None]
        current = probe_current(bias, ne=[1e16, 1e17, 1e18], te=5.0, vp=[0.0, 5.0, 9.0], **TIP)
        assert current.shape == (11, 3)
        assert np.all(np.diff(current, axis=0) > 0)

    def test_a_magnetic_field_takes_electrons_and_leaves_ions(self):
        kw = {"ne": 1e17, "te": 5.0, "vp": 0.0, **TIP}
        free, held = (probe_current([-200.0, 30.0], reduction=r, **kw) for r in (1.0, 0.2))
        assert held[0] == pytest.approx(free[0], rel=1e-9)
        assert held[1] == pytest.approx(0.2 * free[1], rel=0.01)

    def test_fast_rf_lowers_the_floating_potential_and_keeps_the_slope(self):
        kw = {"ne": 1e17, "te": 5.0, "vp": 20.0, **TIP}
        v = np.array([-2.0, 0.0])
        still, moved = (probe_current(v, rf_rms=r, **kw) for r in (0.0, 2.5))
        assert np.all(moved > still)
        # averaged over a sinusoid, exp(V/Te) grows by I0(√2 rms/Te)
        growth = np.i0(math.sqrt(2.0) * 0.5)
        assert np.diff(moved)[0] == pytest.approx(growth * np.diff(still)[0], rel=0.01)


def test_importing_the_package_stays_light():
    late = "{'scipy', 'xarray', 'pandas'}"
    code = f"import sys, ishtar.langmuir; print(*sorted({late} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# Seen from outside of the formulas


@pytest.mark.parametrize("rho", [0.3, 1.7, 2.5, 6.0, 20.0, 49.0, 80.0])
@pytest.mark.parametrize(
    "of", [current_factors.electron_branch, current_factors.ion_branch], ids=["electrons", "ions"]
)
def test_derivatives_are_those_of_the_function(of, rho):
    x = np.array([-4.0, -0.7, 0.2, 1.0, 5.0, 30.0])
    at = np.full_like(x, rho)
    step = 1e-5
    value, by_x, by_ln_rho = (np.array(part) for part in of(x, at))
    numeric = (of(x + step, at)[0] - of(x - step, at)[0]) / (2 * step)
    np.testing.assert_allclose(by_x, numeric, rtol=1e-6, atol=1e-9)
    up, down = (of(x, at * np.exp(s))[0] for s in (step, -step))
    np.testing.assert_allclose(by_ln_rho, (up - down) / (2 * step), rtol=1e-5, atol=1e-9)
    assert np.all(value > 0)


def test_the_area_is_that_of_a_side_and_an_end():
    assert probe_area(2.0, 3.0) == pytest.approx(16 * math.pi)
    assert probe_area(2.0, 3.0, end=False) == pytest.approx(12 * math.pi)


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("reduction", [1.0, 0.3])
def test_at_the_floating_potential_as_many_ions_arrive_as_electrons(end, reduction):
    """The electrons' current is known without any theory of sheaths."""
    plasma = {"ne": 1e17, "te": 3.0, "radius": 1e-4, "reduction": reduction}
    ions = ion_saturation_current(**plasma, length=2.5e-3, end=end)
    vf = floating_potential(**plasma, vp=0.0)
    area = 2 * math.pi * 1e-4 * 2.5e-3 + (math.pi * 1e-8 if end else 0.0)
    thermal = (
        1.602176634e-19 * 1e17 * math.sqrt(1.602176634e-19 * 3.0 / (2 * math.pi * 9.1093837e-31))
    )
    assert ions == pytest.approx(reduction * area * thermal * math.exp(vf / 3.0), rel=1e-6)
