"""Plasma parameters are those of the NRL formulary and of the literature on argon and helium."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ishtar.errors import UnitError
from ishtar.plasma import (
    BadMode,
    BadPlasma,
    NoCrossSection,
    alfven_speed,
    beta,
    bohm_speed,
    charge_exchange_cross_section,
    coulomb_logarithm,
    electron_cross_section,
    electron_neutral_rate,
    helicon_density,
    helicon_radial_root,
    helicon_wavelength,
    ion_momentum_cross_section,
    ionisation_degree,
    larmor_radius_e,
    larmor_radius_i,
    mean_free_path_ei,
    mean_free_path_en,
    mean_free_path_in,
    mean_speed,
    neutral_density,
    nu_ee,
    nu_ei,
    nu_en,
    nu_in,
    omega_ce,
    omega_ci,
    omega_lh,
    omega_pe,
    omega_pi,
    propagate,
    skin_depth,
    sound_speed,
    summary,
    thermal_speed_e,
    thermal_speed_i,
)
from ishtar.quantity import Measured

NE, TE, B = 1e17, 5.0, 0.05  # 1/m³, eV, T
N_CM, GAUSS = NE * 1e-6, B * 1e4
MU = {"Ar": 39.948 / 1.00728, "He": 4.0026 / 1.00728}  # ion mass over proton mass

densities = st.floats(1e14, 1e20)
temperatures = st.floats(0.5, 50.0)
fields = st.floats(1e-3, 1.0)


class TestFormulary:
    """Numbers in front: the formulary's, cm and gauss, turned into SI by hand."""

    def test_frequencies(self):
        assert omega_pe(NE) == pytest.approx(5.64e4 * N_CM**0.5, rel=1e-3)
        assert omega_ce(B) == pytest.approx(1.76e7 * GAUSS, rel=1e-3)
        for name, mu in MU.items():
            assert omega_pi(NE, name) == pytest.approx(1.32e3 * (N_CM / mu) ** 0.5, rel=4e-3)
            assert omega_ci(B, name) == pytest.approx(9.58e3 * GAUSS / mu, rel=1e-3)

    def test_lengths(self):
        assert skin_depth(NE) == pytest.approx(5.31e5 * N_CM**-0.5 * 1e-2, rel=1e-3)
        assert larmor_radius_e(TE, B) == pytest.approx(2.38 * TE**0.5 / GAUSS * 1e-2, rel=2e-3)
        ion = 1.02e2 * (MU["Ar"] * 0.1) ** 0.5 / GAUSS * 1e-2
        assert larmor_radius_i(0.1, B) == pytest.approx(ion, rel=3e-3)

    def test_speeds(self):
        assert thermal_speed_e(TE) == pytest.approx(4.19e7 * TE**0.5 * 1e-2, rel=2e-3)
        ion = 9.79e5 * (0.1 / MU["He"]) ** 0.5 * 1e-2
        assert thermal_speed_i(0.1, "He") == pytest.approx(ion, rel=1e-3)
        alfven = 2.18e11 * GAUSS * (MU["Ar"] * N_CM) ** -0.5 * 1e-2
        assert alfven_speed(NE, B) == pytest.approx(alfven, rel=2e-3)
        assert mean_speed(1.0, 9.1093837e-31) == pytest.approx(
            6.69e5, rel=1e-3
        )  # 6.7e7 cm/s at 1 eV

    def test_the_sound_speed_of_cold_ions_is_the_bohm_speed(self):
        assert sound_speed(TE, 0.0) == bohm_speed(TE)
        assert sound_speed(TE, TE) == pytest.approx(2.0 * bohm_speed(TE))

    def test_beta(self):
        assert beta(NE, TE, B) == pytest.approx(4.03e-11 * N_CM * TE / GAUSS**2, rel=2e-3)

    def test_without_a_field_nothing_gyrates(self):
        assert omega_ce(0.0) == 0.0
        assert larmor_radius_e(TE, 0.0) == larmor_radius_i(0.1, 0.0) == math.inf
        assert omega_ce(-B) == omega_ce(B)

    @settings(deadline=None)
    @given(ne=densities, b=fields)
    def test_lower_hybrid_lies_below_both_of_its_limits(self, ne, b):
        thin = math.hypot(omega_pi(ne), omega_ci(b))
        assert omega_lh(ne, b) < min(thin, math.sqrt(omega_ce(b) * omega_ci(b)))
        assert omega_lh(1e24, b) == pytest.approx(math.sqrt(omega_ce(b) * omega_ci(b)), rel=1e-3)

    @settings(deadline=None)
    @given(ne=densities, te=temperatures, b=fields, k=st.floats(1.1, 10.0))
    def test_scaling_laws(self, ne, te, b, k):
        assert omega_pe(k * ne) == pytest.approx(k**0.5 * omega_pe(ne))
        assert larmor_radius_e(k * te, k * b) == pytest.approx(k**-0.5 * larmor_radius_e(te, b))
        assert beta(k**2 * ne, te, k * b) == pytest.approx(beta(ne, te, b))
        assert skin_depth(ne) * omega_pe(ne) == pytest.approx(299792458.0)
        assert larmor_radius_e(te, b) * omega_ce(b) == pytest.approx(thermal_speed_e(te))

    def test_arrays_broadcast(self):
        assert omega_lh(np.full((3, 1), NE), np.full(4, B)).shape == (3, 4)
        assert nu_en(np.full((3, 1), 1e20), np.linspace(1, 9, 4)).shape == (3, 4)


class TestCollisions:
    def test_coulomb_logarithm(self):
        assert coulomb_logarithm(1e16, 3.0) == pytest.approx(23.0 - math.log(1e10**0.5 * 3.0**-1.5))
        assert coulomb_logarithm(1e18, 20.0) == pytest.approx(24.0 - math.log(1e12**0.5 / 20.0))
        assert coulomb_logarithm(1e30, 0.1) == 1.0

    def test_coulomb_logarithm_is_the_formularys_to_a_sixth_and_has_no_step(self):
        te = np.geomspace(1.0, 30.0, 500)
        log = coulomb_logarithm(NE, te)
        published = np.where(te < 10.0, 23.0 + 1.5 * np.log(te), 24.0 + np.log(te))
        assert np.max(np.abs(log + 0.5 * math.log(N_CM) - published)) < 0.155
        assert np.max(np.diff(log)) < 0.02

    def test_electron_ion_rate(self):
        published = 2.91e-6 * N_CM * coulomb_logarithm(NE, TE) * TE**-1.5
        assert nu_ei(NE, TE) == pytest.approx(published, rel=2e-3)
        # like particles, from the formulary's ions: 4.80e-8 n λ T^-3/2 μ^-1/2, μ of an electron
        like = 4.80e-8 * N_CM * coulomb_logarithm(NE, TE) * TE**-1.5 * 1836.15**0.5
        assert nu_ee(NE, TE) == pytest.approx(like, rel=3e-3)
        assert mean_free_path_ei(NE, TE) == pytest.approx(
            mean_speed(TE, 9.1093837e-31) / nu_ei(NE, TE)
        )

    def test_neutral_gas(self):
        assert neutral_density(133.322, 273.15) == pytest.approx(3.535e22, rel=1e-3)  # 1 Torr, 0 °C
        assert ionisation_degree(1e18, 9e18) == 0.1

    @pytest.mark.parametrize(
        ("name", "energy", "published"),  # 1e-20 m²; He: Crompton 1970; Ar: Yamabe 1983
        [
            ("He", 0.01, 5.21),
            ("He", 2.0, 6.99),
            ("He", 10.0, 4.72),
            ("Ar", 0.25, 0.091),
            ("Ar", 1.0, 1.38),
            ("Ar", 10.0, 15.0),
        ],
    )
    def test_electron_cross_sections_are_the_published_ones(self, name, energy, published):
        assert electron_cross_section(energy, name) == pytest.approx(published * 1e-20, rel=5e-3)

    def test_argon_hides_from_slow_electrons(self):
        """Ramsauer's minimum; helium has none."""
        energy = np.geomspace(0.01, 20.0, 300)
        argon = electron_cross_section(energy, "Ar")
        assert 0.2 < energy[argon.argmin()] < 0.3
        assert argon.max() / argon.min() > 100.0
        helium = electron_cross_section(energy, "He")
        assert helium.max() / helium.min() < 3.0

    def test_rate_is_the_maxwellian_average(self):
        from scipy.integrate import quad

        te = 4.0
        value, _ = quad(
            lambda x: x * math.exp(-x) * float(electron_cross_section(x * te)),
            0.0,
            30.0,
            limit=200,
            epsrel=1e-6,
        )
        rate = value * mean_speed(te, 9.1093837e-31)
        assert electron_neutral_rate(te) == pytest.approx(rate, rel=1e-4)

    def test_momentum_is_lost_more_slowly_than_electrons_are_scattered(self):
        """Lieberman and Lichtenberg, table 3.3, have the rate of all elastic collisions."""
        te = np.linspace(1.0, 7.0, 13)
        log = np.log(te)
        all_elastic = 2.336e-14 * te**1.609 * np.exp(0.0618 * log**2 - 0.1171 * log**3)
        ratio = electron_neutral_rate(te) / all_elastic
        assert np.all((ratio > 0.5) & (ratio < 0.85))

    def test_helium_rate_at_a_few_ev_is_about_seven_in_1e14(self):
        assert electron_neutral_rate(4.0, "He") == pytest.approx(7.3e-14, rel=0.05)

    def test_ions_exchange_charge_as_published(self):
        # Phelps 1994: Q_m of Ar+ is 1.16e-18 m² at 1 eV; He+: Q_back 1.88e-19, Q_iso 7.6e-20 m² at
        # 1 eV in the centre of mass, 2 eV of the ion
        assert ion_momentum_cross_section(1.0, "Ar") == pytest.approx(1.16e-18, rel=0.01)
        backward = 1e-19 * 0.001**-0.15 * 1.001**-0.25 * 6.0**-0.15
        helium = backward + 0.5 * 7.63e-20
        assert charge_exchange_cross_section(2.0, "He") == pytest.approx(helium, rel=1e-6)
        energy = np.geomspace(0.01, 300.0, 50)
        for name in ("Ar", "He"):
            assert np.all(np.diff(charge_exchange_cross_section(energy, name)) < 0.0)

    def test_a_slow_argon_ion_goes_three_centimetres_at_a_millitorr(self):
        """Lieberman and Lichtenberg's λ = 1/(330 p[Torr]) cm, for ions of room temperature."""
        nn = neutral_density(0.133322, 300.0)
        ion = mean_free_path_in(nn, 0.026, 300.0) * math.sqrt(2.0)  # on atoms at rest
        assert ion == pytest.approx(0.0303, rel=0.25)

    def test_mean_free_paths_shrink_with_pressure(self):
        assert mean_free_path_en(2e20, TE) == pytest.approx(0.5 * mean_free_path_en(1e20, TE))
        assert nu_in(2e20, 0.1) == pytest.approx(2.0 * nu_in(1e20, 0.1))

    def test_another_gas_has_no_cross_sections_and_says_so(self):
        with pytest.raises(NoCrossSection, match="no cross sections of H2, only of Ar"):
            nu_en(1e20, TE, "hydrogen")


class TestHelicon:
    F = 11.76e6

    def test_a_thin_column_follows_the_textbook(self):
        """Chen 1991: k_perp = 3.83/a and ne = B k_par k_perp/(ω μ₀ e) for long waves."""
        wavelength, radius = 5.0, 0.05
        k_par, k_perp = 2 * math.pi / wavelength, 3.83 / radius
        ne = B * k_par * k_perp / (2 * math.pi * self.F * 4e-7 * math.pi * 1.602e-19)
        for m in (-1, 0, 1):
            found = helicon_density(wavelength, B, self.F, radius=radius, m=m)
            assert found == pytest.approx(ne, rel=0.02)

    def test_the_wave_meets_its_boundary(self):
        from scipy.special import jv, jvp

        k = np.geomspace(1e-3, 1e2, 40)
        for m in (-1, 1):
            x = helicon_radial_root(k, m)
            residual = m * np.hypot(k, x) * jv(m, x) + k * x * jvp(m, x)
            np.testing.assert_allclose(residual / np.hypot(k, x), 0.0, atol=1e-9)
        plus, minus = helicon_radial_root(k, 1), helicon_radial_root(k, -1)
        assert np.all((plus > 2.404) & (plus < 3.8318))
        assert np.all((minus > 3.8316) & (minus < 5.136))

    @settings(max_examples=40, deadline=None)
    @given(ne=densities, b=fields, radius=st.floats(0.01, 0.5), m=st.sampled_from([-1, 0, 1]))
    def test_wavelength_and_density_are_inverses(self, ne, b, radius, m):
        wavelength = helicon_wavelength(ne, b, self.F, radius=radius, m=m)
        back = helicon_density(wavelength, b, self.F, radius=radius, m=m)
        assert back == pytest.approx(ne, rel=1e-6)

    def test_dispersion_holds(self):
        wavelength = helicon_wavelength(1e18, B, self.F, radius=0.2, m=1)
        k = 2 * math.pi / wavelength
        total = math.hypot(k, helicon_radial_root(k * 0.2, 1) / 0.2)
        right = 2 * math.pi * self.F * 4e-7 * math.pi * 1.602177e-19 * 1e18 / B
        assert k * total == pytest.approx(right, rel=1e-5)

    def test_more_density_shortens_the_wave_and_more_field_lengthens_it(self):
        ne = np.geomspace(1e15, 1e20, 30)
        assert np.all(np.diff(helicon_wavelength(ne, B, self.F, radius=0.1)) < 0.0)
        b = np.linspace(0.01, 0.1, 30)
        assert np.all(np.diff(helicon_wavelength(1e18, b, self.F, radius=0.1)) > 0.0)

    def test_other_modes_are_refused(self):
        with pytest.raises(BadMode, match="m = 2"):
            helicon_wavelength(1e18, B, self.F, radius=0.1, m=2)


class TestSummary:
    ne = Measured(1e17, 5e15, "1/m^3")
    te = Measured(5.0, 0.2, "eV")
    b = Measured(50.0, 1.0, "mT")
    p = Measured(0.3, 0.03, "Pa")

    def test_sigmas_are_those_of_the_powers(self):
        s = summary(self.ne, self.te, self.b, self.p)
        relative = {k: v.sigma / v.value for k, v in s.items() if v.sigma}
        assert relative["f_pe"] == pytest.approx(0.5 * 0.05, rel=1e-3)
        assert relative["f_ce"] == pytest.approx(0.02, rel=1e-3)
        assert relative["debye_length"] == pytest.approx(0.5 * math.hypot(0.05, 0.04), rel=1e-3)
        assert relative["larmor_radius_e"] == pytest.approx(math.hypot(0.02, 0.02), rel=1e-3)
        assert relative["neutral_density"] == pytest.approx(0.1, rel=1e-3)
        assert s["f_ce"].value == pytest.approx(28.0e9 * 0.05, rel=1e-3)

    def test_uncertain_cross_sections_count(self):
        s = summary(1e17, 5.0, 0.05, 0.3)
        assert s["nu_ei"].sigma == 0.0
        assert s["nu_en"].sigma / s["nu_en"].value == pytest.approx(0.07)
        assert s["mean_free_path_in"].sigma / s["mean_free_path_in"].value == pytest.approx(0.15)

    def test_first_order_agrees_with_drawing_lots(self):
        s = summary(self.ne, self.te, self.b, self.p, radius=0.1, helicon_frequency=11.76e6)
        rng = np.random.default_rng(1)
        ne = rng.normal(1e17, 5e15, 4000)
        te = rng.normal(5.0, 0.2, 4000)
        b = rng.normal(0.05, 0.001, 4000)
        assert s["nu_ei"].sigma == pytest.approx(nu_ei(ne, te).std(), rel=0.05)
        assert s["f_lh"].sigma == pytest.approx(omega_lh(ne, b).std() / 2 / math.pi, rel=0.05)
        wave = helicon_wavelength(ne, b, 11.76e6, radius=0.1)
        assert s["helicon_wavelength"].sigma == pytest.approx(wave.std(), rel=0.05)

    def test_every_parameter_has_a_unit_that_pint_knows(self):
        from ishtar.units import parse_unit

        s = summary(1e17, 5, 0.05, 0.3, radius=0.1, helicon_frequency=1e7, antenna_length=0.2)
        assert len(s) == 29
        for measured in s.values():
            parse_unit(measured.unit)
            assert math.isfinite(measured.value)

    def test_an_unknown_sigma_stays_unknown_only_where_it_matters(self):
        s = summary(Measured(1e17, math.nan, "1/m^3"), self.te, self.b, self.p)
        assert math.isnan(s["f_pe"].sigma)
        assert s["f_ce"].sigma > 0.0

    def test_without_a_field_there_is_no_helicon_but_a_plasma(self):
        s = summary(1e17, 5.0, 0.0, 0.3, radius=0.1, helicon_frequency=1e7)
        assert s["larmor_radius_e"].value == math.inf
        assert math.isnan(s["helicon_wavelength"].value)
        assert s["f_pe"].value > 0.0

    def test_hydrogen_has_all_but_collisions_with_neutrals(self):
        s = summary(1e17, 5.0, 0.05, 0.3, "H2")
        assert math.isnan(s["nu_en"].value)
        assert math.isnan(s["nu_en"].sigma)
        assert s["nu_ei"].value > 0.0

    def test_bad_inputs_are_named(self):
        with pytest.raises(BadPlasma, match=r"te = nan eV is not physical"):
            summary(1e17, math.nan, 0.05, 0.3)
        with pytest.raises(BadPlasma, match="pressure"):
            summary(1e17, 5.0, 0.05, 0.0)
        with pytest.raises(UnitError, match="does not fit"):
            summary(Measured(1e17, 0.0, "1/m^2"), 5.0, 0.05, 0.3)


def test_propagation_adds_independent_errors_in_quadrature():
    values, sigmas = propagate(
        lambda x, y: {"sum": x + y, "product": x * y}, {"x": 2.0, "y": 0.0}, {"x": 0.3, "y": 0.4}
    )
    assert values == {"sum": 2.0, "product": 0.0}
    assert sigmas["sum"] == pytest.approx(0.5)
    assert sigmas["product"] == pytest.approx(0.8)
