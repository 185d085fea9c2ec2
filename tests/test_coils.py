"""The field of coils is Biot and Savart's, on the axis and off it, and does what Maxwell asks.

References
----------
.. [1] J. D. Jackson, *Classical Electrodynamics*, 3rd ed., Wiley (1999), sec. 5.5.
.. [2] J. Simpson, J. Lane, C. Immer and R. Youngquist, *Simple Analytic Expressions for the
   Magnetic Field of a Circular Current Loop*, NASA (2001).
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import ellipe, ellipk, elliprd

from ishtar.coils import (
    BadCoils,
    CoilSet,
    NoSuchCoil,
    field,
    field_map,
    flux,
    magpylib_sources,
    on_axis_field,
    on_axis_measured,
    tesla_per_ampere,
)
from ishtar.quantity import Measured

MU0 = 4e-7 * math.pi
BIG = CoilSet(
    name="big_coils",
    radius_m=0.6,
    positions_m=(-0.5, 0.5),
    turns=100,
    width_m=0.1,
    depth_m=0.08,
)
SMALL = CoilSet(name="small_coils", radius_m=0.25, positions_m=(1.0, 1.4), turns=60)
COILS = [BIG, SMALL]
CURRENTS = {"big_coils": 400.0, "small_coils": 200.0}
LOOP = CoilSet(name="loop", radius_m=0.3, positions_m=(0.0,), turns=1)


def biot_savart(a: float, r: float, z: float, n: int = 4000) -> tuple[float, float]:
    """Return b_r, b_z of a loop with 1 A, T, summed over its elements."""
    phi = 2 * np.pi * (np.arange(n) + 0.5) / n
    source = np.stack([a * np.cos(phi), a * np.sin(phi), np.zeros(n)], axis=1)
    element = np.stack([-np.sin(phi), np.cos(phi), np.zeros(n)], axis=1) * (2 * np.pi * a / n)
    way = np.array([r, 0.0, z]) - source
    b = MU0 / (4 * np.pi) * np.cross(element, way) / np.linalg.norm(way, axis=1)[:, None] ** 3
    return float(b[:, 0].sum()), float(b[:, 2].sum())


def closed_form(a: float, r: float, z: float) -> tuple[float, float, float]:
    """Return b_r, b_z, T, and r A_φ, Wb/rad, of a loop with 1 A by elliptic integrals [1]_, [2]_.

    C = ∫ sin² cos²/Δ³ takes the place of differences of K and E, which cancel near the axis.
    """
    near, far = (a - r) ** 2 + z**2, (a + r) ** 2 + z**2
    m = 4.0 * a * r / far
    k, e = ellipk(m), ellipe(m)
    d, b = elliprd(0.0, 1.0 - m, 1.0) / 3.0, elliprd(0.0, 1.0, 1.0 - m) / 3.0 * (1.0 - m)
    c = (d - b) / m
    scale = MU0 / math.pi
    b_r = scale * z * a * m * (d - c) / (near * math.sqrt(far))
    b_z = scale * ((a**2 - r**2 - z**2) * e / near + k) / (2.0 * math.sqrt(far))
    return b_r, b_z, 0.5 * scale * m**1.5 * math.sqrt(a * r) * c


class TestOnTheAxis:
    def test_a_loop_has_half_mu0_over_its_radius_in_its_centre(self):
        assert tesla_per_ampere(LOOP, 0.0) == pytest.approx(MU0 / 0.6, rel=1e-8)

    def test_a_helmholtz_pair_is_flat_in_the_middle(self):
        pair = CoilSet(name="h", radius_m=0.5, positions_m=(-0.25, 0.25), turns=10)
        middle = tesla_per_ampere(pair, 0.0)
        assert middle == pytest.approx(0.8**1.5 * MU0 * 10 / 0.5, rel=1e-8)
        assert tesla_per_ampere(pair, 0.05) == pytest.approx(middle, rel=2e-4)

    def test_a_long_solenoid_has_mu0_n_i(self):
        solenoid = CoilSet(
            name="s", radius_m=0.05, positions_m=tuple(np.linspace(-2, 2, 2001)), turns=1
        )
        assert tesla_per_ampere(solenoid, 0.0) == pytest.approx(MU0 * 500, rel=2e-3)

    def test_sets_add_up(self):
        z = np.linspace(-1.0, 2.0, 7)
        both = on_axis_field(COILS, CURRENTS, z)
        one = on_axis_field(COILS, CURRENTS | {"small_coils": 0.0}, z)
        np.testing.assert_allclose(both - one, 200.0 * tesla_per_ampere(SMALL, z), rtol=1e-9)

    def test_coils_wound_the_other_way_make_a_cusp(self):
        cusp = [
            CoilSet(name="a", radius_m=0.5, positions_m=(-0.4,), turns=10),
            CoilSet(name="b", radius_m=0.5, positions_m=(0.4,), turns=-10),
        ]
        assert on_axis_field(cusp, {"a": 1.0, "b": 1.0}, 0.0) == pytest.approx(0.0, abs=1e-20)

    def test_a_thick_winding_comes_close_to_a_filament_far_away(self):
        thin = CoilSet(name="t", radius_m=0.6, positions_m=(-0.5, 0.5), turns=100)
        assert tesla_per_ampere(BIG, 6.0) == pytest.approx(tesla_per_ampere(thin, 6.0), rel=5e-3)
        # the exact integral over the winding, by brute force
        a = 0.6 + np.linspace(-0.04, 0.04, 401)
        z = np.linspace(-0.05, 0.05, 401)
        aa, zz = np.meshgrid(a, z)
        loops = [0.5 * MU0 * aa**2 * (aa**2 + (zz + p) ** 2) ** -1.5 for p in (-0.5, 0.5)]
        exact = 100 * sum(np.trapezoid(np.trapezoid(x, a, axis=1), z) for x in loops) / 0.008
        assert tesla_per_ampere(BIG, 0.0) == pytest.approx(exact, rel=1e-6)

    def test_sigmas_of_the_currents_add_in_quadrature(self):
        currents = {
            "big_coils": Measured(0.4, 0.004, "kA"),
            "small_coils": Measured(200.0, 2.0, "A"),
        }
        b = on_axis_measured(COILS, currents, 0.7)
        assert b.value == pytest.approx(float(on_axis_field(COILS, CURRENTS, 0.7)))
        slopes = [float(tesla_per_ampere(c, 0.7)) for c in COILS]
        assert b.sigma == pytest.approx(math.hypot(4.0 * slopes[0], 2.0 * slopes[1]))
        assert b.unit == "T"


class TestOffTheAxis:
    def test_on_the_axis_it_is_that_of_circles(self):
        z = np.linspace(-1.0, 2.0, 61)
        b_r, b_z = field([LOOP], {"loop": 2.0}, 0.0, z)
        np.testing.assert_allclose(b_z, MU0 * 0.3**2 * (0.3**2 + z**2) ** -1.5, rtol=1e-8)
        np.testing.assert_array_equal(b_r, 0.0)
        np.testing.assert_array_equal(flux(COILS, CURRENTS, 0.0, z), 0.0)

    @settings(deadline=None)
    @given(
        r=st.floats(1e-3, 0.9),
        z=st.floats(-1.0, 1.0).filter(lambda z: z == 0.0 or abs(z) > 1e-9),
    )
    @example(r=0.3001, z=0.0)
    @example(r=0.3, z=1e-4)
    def test_a_loop_is_what_elliptic_integrals_say(self, r, z):
        if math.hypot(r - 0.3, z) < 1e-5:
            return  # on the filament
        *b, psi = closed_form(0.3, r, z)
        found = field([LOOP], {"loop": 1.0}, r, z)
        # the rest is CODATA's μ₀ of another year
        assert found == pytest.approx(b, rel=1e-8, abs=1e-8 * math.hypot(*b))
        assert flux([LOOP], {"loop": 1.0}, r, z) == pytest.approx(psi, rel=1e-6)

    def test_on_a_filament_there_is_no_number(self):
        assert not np.isfinite(field([LOOP], {"loop": 1.0}, [0.3, 0.3], [0.0, 1e-200])).any()

    @settings(deadline=None)
    @given(r=st.floats(0.0, 0.9), z=st.floats(-1.0, 1.0))
    def test_a_loop_is_what_its_elements_add_up_to(self, r, z):
        near = math.hypot(r - 0.3, z)
        if near < 0.02:  # between the elements of the sum
            return
        expected = biot_savart(0.3, r, z)
        b_r, b_z = field([LOOP], {"loop": 1.0}, r, z)
        assert (b_r, b_z) == pytest.approx(expected, rel=1e-7, abs=1e-14)

    def test_close_to_the_axis_nothing_cancels(self):
        """The radial field goes as r, without a step where series and closed form meet."""
        r = np.geomspace(1e-9, 1e-3, 400)
        b_r, _ = field([LOOP], {"loop": 1.0}, r, 0.2)
        slope = b_r / r
        np.testing.assert_allclose(slope, slope[0], rtol=1e-4)
        assert np.max(np.abs(np.diff(np.log(slope)))) < 1e-6
        psi = flux([LOOP], {"loop": 1.0}, r, 0.2)
        np.testing.assert_allclose(psi / r**2, 0.5 * tesla_per_ampere(LOOP, 0.2), rtol=1e-4)

    def test_the_field_has_no_sources_and_comes_from_the_flux(self):
        r, z, h = 0.2, 0.3, 1e-5
        b_r, b_z = field(COILS, CURRENTS, r, z)
        dz = flux(COILS, CURRENTS, r, np.array([z - h, z + h]))
        dr = flux(COILS, CURRENTS, np.array([r - h, r + h]), z)
        assert b_r == pytest.approx(-(dz[1] - dz[0]) / (2 * h) / r, rel=1e-6)
        assert b_z == pytest.approx((dr[1] - dr[0]) / (2 * h) / r, rel=1e-6)

    def test_a_map_has_units_and_both_sides_of_the_axis(self):
        m = field_map(COILS, CURRENTS, np.linspace(-0.3, 0.3, 7), np.linspace(-1, 2, 5))
        assert m["b_z"].dims == ("z", "r")
        assert m["b"].attrs["units"] == "T"
        assert m.attrs["current_big_coils_A"] == 400.0
        np.testing.assert_allclose(m["b_z"].values, m["b_z"].values[:, ::-1], rtol=1e-12)
        np.testing.assert_allclose(m["b_r"].values, -m["b_r"].values[:, ::-1], atol=1e-18)


def test_magpylib_gets_the_filaments_for_its_views():
    sources = magpylib_sources([BIG, SMALL], CURRENTS)
    assert len(sources) == 2 * 36 + 2
    assert sum(s.current for s in sources) == pytest.approx(2 * (100 * 400.0 + 60 * 200.0))


class TestMistakes:
    def test_a_current_for_no_coil_names_the_nearest(self):
        with pytest.raises(NoSuchCoil, match="did you mean 'big_coils'"):
            on_axis_field(COILS, CURRENTS | {"big_coil": 1.0}, 0.0)

    def test_a_coil_without_a_current_is_not_taken_as_off(self):
        with pytest.raises(NoSuchCoil, match="'small_coils' has no current"):
            on_axis_field(COILS, {"big_coils": 1.0}, 0.0)

    def test_two_sets_of_one_name_are_refused(self):
        with pytest.raises(BadCoils, match="share a name"):
            field([SMALL, SMALL], {"small_coils": 1.0}, 0.0, 0.0)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"radius_m": -1.0},
            {"positions_m": ()},
            {"turns": math.nan},
            {"depth_m": 3.0},
            {"width_m": -0.1},
        ],
    )
    def test_impossible_coils_are_refused(self, wrong):
        good = {"name": "c", "radius_m": 0.3, "positions_m": (0.0,), "turns": 10.0}
        with pytest.raises(BadCoils, match="c"):
            CoilSet(**(good | wrong))
