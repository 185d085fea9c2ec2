"""The second model of a Langmuir probe, against what shares nothing with it."""

from __future__ import annotations

import ast
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gamma, gammaincc, iv

import runner.simulate.probe as package
from runner.simulate.probe import (
    Physics,
    Plasma,
    Probe,
    diffusion_parameter,
    floating_potential,
    probe_current,
)
from runner.simulate.probe.cold_ions import ETA, cold_cylinder, cold_ions
from runner.simulate.probe.currents import (
    CHARGE,
    ELECTRON_MASS,
    debye_length,
    electron_current,
    ion_current,
)
from runner.simulate.probe.magnetised import magnetised_electrons
from runner.simulate.probe.tables import (
    RHO_MAX,
    attracted_electrons,
    chen_ions,
    laframboise_table,
    orbital_limit,
)

pytestmark = pytest.mark.whole

TIP = Probe(radius=0.25e-3, length=5e-3, gas="Ar")
PLASMA = Plasma(ne=1e17, te=4.0, vp=12.0)
ARGON = 39.95 * 1.66053906660e-27 - ELECTRON_MASS


def thermal(te: float, mass: float) -> float:
    """Return e n A √(e Te/2πm) of `TIP` in `PLASMA`, from the mean speed: ¼ n v̄ A."""
    mean_speed = math.sqrt(8.0 * CHARGE * te / (math.pi * mass))
    side, end = 2.0 * math.pi * 0.25e-3 * 5e-3, math.pi * 0.25e-3**2
    return CHARGE * 1e17 * 0.25 * mean_speed * (side + end)


def test_it_shares_no_code_with_the_analysis():
    for path in Path(package.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import(names=names):
                    modules = [alias.name for alias in names]
                case ast.ImportFrom(module=module):
                    modules = [str(module)]
                case _:
                    continue
            assert not [m for m in modules if m.startswith("ishtar") and m != "ishtar.gases"]


@pytest.mark.parametrize(
    ("rho", "x", "value"),
    [(0.5, 25.0, 5.7526), (3.0, 10.0, 3.567), (10.0, 5.0, 2.22), (50.0, 25.0, 1.983)],
)
def test_attracted_electrons_are_those_of_the_published_table(rho, x, value):
    assert attracted_electrons(x, rho) == pytest.approx(value, rel=1e-4)


def test_the_interpolation_goes_through_the_table():
    rho, x, values = laframboise_table()
    assert attracted_electrons(x[None, :], rho[:, None]) == pytest.approx(values, rel=1e-4)


@pytest.mark.parametrize("x", [0.0, 0.3, 2.0, 15.0])
def test_the_orbital_limit_is_that_of_angular_momentum(x):
    # every orbit with an impact parameter below r √(1 + x/E) hits: ∫ √(E + x) e^−E dE
    expected = 2.0 / math.sqrt(math.pi) * quad(lambda e: math.sqrt(e + x) * math.exp(-e), 0, 60)[0]
    assert orbital_limit(x) == pytest.approx(expected, rel=1e-8)


def test_attracted_electrons_are_between_a_plane_and_the_orbital_limit():
    x = np.linspace(0.0, 40.0, 2000)[None, :]
    rho = np.geomspace(0.3, RHO_MAX, 60)[:, None]
    current = attracted_electrons(x, rho)
    assert np.all(current >= 1.0 - 1e-9)
    assert np.all(current <= orbital_limit(x) * (1.0 + 1e-9))
    assert np.all(np.diff(current, axis=1) > 0.0)  # more voltage, more current
    assert np.all(np.diff(current, axis=0) < 1e-9)  # a thicker probe, less per area
    slope = np.diff(current, axis=1) / np.diff(x)
    assert np.all(np.diff(slope, axis=1) < 2e-3)  # and no bumps of the table's rounding


@pytest.mark.parametrize("rho", [0.3, 5.0, 60.0])
def test_the_knee_has_no_corner(rho):
    step = 1e-4
    above = (attracted_electrons(step, rho) - 1.0) / step
    assert above == pytest.approx(1.0, abs=0.03)  # √x of the limit: 1 + x − 0.75 x^1.5


@pytest.mark.parametrize("current", [cold_ions, chen_ions])
def test_cold_ions_of_a_wire_are_those_of_the_orbital_limit(current):
    eta = np.array([3.0, 10.0, 25.0])
    assert current(eta, 0.3) == pytest.approx(2.0 * np.sqrt(eta / math.pi), rel=0.02)
    assert current(eta, 2.0) == pytest.approx(2.0 * np.sqrt(eta / math.pi), rel=0.06)


@pytest.mark.parametrize(
    "absorbed_radius",
    [*(pytest.param(r, marks=pytest.mark.long) for r in (9.0, 13.5, 20.0, 27.0, 45.0)), 100.0],
)
def test_cold_ions_are_the_solution_of_poissons_equation(absorbed_radius):
    sheath = cold_cylinder(absorbed_radius)
    for eta in (*ETA, 1.2, 2.5, 6.0, 12.0, 22.0, 35.0):
        rho, current = sheath.probe(eta)
        if 3.0 < rho < RHO_MAX and current < 0.995 * 2.0 * math.sqrt(eta / math.pi):
            near_the_limit = rho < 4.0  # which the curves leave with a kink
            error = 1e-2 if near_the_limit else 5e-3
            assert cold_ions(eta, rho) == pytest.approx(current, rel=error)


def test_before_a_thick_probe_the_plasma_is_neutral():
    # then r √η sin(π exp(−η)) = J, which has its largest value, 0.915 r, at the sheath's edge
    eta = np.linspace(0.5, 2.0, 10_000)
    edge = float(np.max(np.sqrt(eta) * np.sin(np.pi * np.exp(-eta))))
    sheath = cold_cylinder(150.0)
    assert sheath.eta[0] == pytest.approx(math.log(2.0), rel=2e-3)  # n = 1/2 where orbits are shut
    _, current = sheath.probe(1.0)
    assert current == pytest.approx(2.0 / math.sqrt(math.pi) * edge, rel=0.02)


def test_no_orbit_is_blocked_around_a_wire():
    with pytest.raises(ValueError, match="no orbit is blocked"):
        cold_cylinder(4.0)


def test_a_published_fit_of_the_cold_ions_agrees():
    eta = np.array(ETA)[(np.array(ETA) >= 2.0) & (np.array(ETA) <= 25.0)]
    rho = np.geomspace(0.5, RHO_MAX, 60)[:, None]
    off = chen_ions(eta, rho) / cold_ions(eta, rho) - 1.0
    assert np.abs(off).max() < 0.065
    assert np.sqrt(np.mean(off**2)) < 0.03


def test_the_tables_end_where_their_sources_do():
    for current in (attracted_electrons, cold_ions, chen_ions):
        current(5.0, RHO_MAX)
        with pytest.raises(ValueError, match="the tables end at 100"):
            current(5.0, 1.01 * RHO_MAX)


def test_at_the_plasma_potential_the_random_electron_current_flows():
    current = probe_current(12.0, PLASMA, TIP)
    assert current == pytest.approx(thermal(4.0, ELECTRON_MASS), rel=1e-9)


def test_below_it_the_electrons_are_retarded_by_boltzmann():
    current = electron_current(np.array([4.0, 0.0]), PLASMA, TIP, Physics())
    assert current[0] / current[1] == pytest.approx(math.e, rel=1e-12)


def test_bohms_flux_goes_through_the_edge_of_the_sheath():
    sheath = Physics(ions="sheath", electrons="sheath")
    speed = math.sqrt(CHARGE * 4.0 / ARGON)
    debye = 7434.0 * math.sqrt(4.0 / 1e17)  # m, the formulary's number
    for radius, length, dimensions in ((0.25e-3, 5e-3, 1), (1e-3, 0.0, 2)):
        probe = Probe(radius=radius, length=length, gas="Ar")
        width = debye * math.sqrt(2.0) / 3.0 * (2.0 * 10.0) ** 0.75
        edge = probe.area * (1.0 + width / radius) ** dimensions
        expected = math.exp(-0.5) * CHARGE * 1e17 * speed * edge
        got = ion_current(12.0 - 40.0, PLASMA, probe, sheath)
        assert got == pytest.approx(expected, rel=1e-3)


def test_rf_lifts_an_exponential_by_the_bessel_function():
    rf = Physics(rf_amplitude=8.0)
    with_rf, without = (
        probe_current(-15.0, PLASMA, TIP, p) + ion_mean
        for p, ion_mean in ((rf, _mean_ions(-15.0, 8.0)), (Physics(), _mean_ions(-15.0, 0.0)))
    )
    assert with_rf / without == pytest.approx(iv(0, 2.0), rel=1e-6)


def _mean_ions(bias: float, amplitude: float) -> float:
    phase = 2.0 * math.pi * np.arange(4096) / 4096
    ions = ion_current(bias + amplitude * np.sin(phase), PLASMA, TIP, Physics())
    return float(ions.mean())


@pytest.mark.parametrize("amplitude", [0.5, 2.0, 8.0])
def test_rf_over_the_knee_is_the_mean_over_its_phase(amplitude):
    phase = 2.0 * math.pi * np.arange(20_000) / 20_000
    bias = np.array([4.0, 10.0, 12.0, 15.0])[:, None]
    expected = probe_current(bias + amplitude * np.sin(phase), PLASMA, TIP).mean(axis=1)
    got = probe_current(bias[:, 0], PLASMA, TIP, Physics(rf_amplitude=amplitude))
    assert got == pytest.approx(expected, rel=3e-4)


def test_two_temperatures_keep_the_density_and_show_the_hot_one_far_below():
    two = Physics(hot_share=0.1, hot_ratio=4.0)
    at_vp = electron_current(12.0, PLASMA, TIP, two)
    hot = thermal(16.0, ELECTRON_MASS) * 0.1 / 0.9  # a tenth of all, the cold ones are 1e17
    assert at_vp == pytest.approx(thermal(4.0, ELECTRON_MASS) + hot, rel=1e-9)
    far = electron_current(np.array([-88.0, -104.0]), PLASMA, TIP, two)
    assert math.log(far[0] / far[1]) == pytest.approx(1.0, abs=1e-3)  # 16 V at 16 eV
    assert floating_potential(PLASMA, TIP, two) < floating_potential(PLASMA, TIP) - 4.0


def test_bohms_speed_of_two_temperatures_is_that_of_the_harmonic_mean():
    two = Physics(hot_share=0.5, hot_ratio=3.0, ions="sheath")
    effective = 1.0 / (0.5 / 4.0 + 0.5 / 12.0)
    wide = Probe(radius=0.1, length=0.0)  # the sheath's width is nothing to it
    got = ion_current(-60.0, PLASMA, wide, two)
    bohm = math.exp(-0.5) * CHARGE * 2e17 * math.sqrt(CHARGE * effective / ARGON) * wide.area
    assert got == pytest.approx(bohm, rel=0.02)


def test_a_weak_field_leaves_the_electrons_alone():
    x = np.linspace(-20.0, 10.0, 61)
    above = np.where(x > 0.0, attracted_electrons(np.maximum(x, 0.0), 2.0), 1.0)
    expected = np.exp(np.minimum(x, 0.0)) * above
    assert magnetised_electrons(x, above, 1e-9) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("eta", [0.0, 1.0, 5.0, 20.0])
def test_a_strong_field_lets_in_what_diffuses(eta):
    # ∫ w^1.5 e^−w dw from η, over ψ0: an incomplete gamma function
    got = magnetised_electrons(np.array([-eta]), np.ones(1), 1e6)[0]
    assert got * 1e6 == pytest.approx(gamma(2.5) * gammaincc(2.5, eta), rel=1e-3)


def test_a_field_takes_height_and_slope_from_the_electrons():
    bias = np.array([8.0, 0.0])
    slope = {}
    for psi0 in (0.0, 1.0, 5.0):
        current = electron_current(bias, PLASMA, TIP, Physics(psi0=psi0))
        slope[psi0] = 8.0 / math.log(current[0] / current[1])
    assert slope[0.0] == pytest.approx(4.0, rel=1e-9)
    assert 1.08 < slope[1.0] / 4.0 < 1.2
    assert 1.2 < slope[5.0] / 4.0 < 1.5


def test_the_gyroradius_of_hot_electrons_is_their_own():
    both = Physics(electrons="orbital", psi0=4.0, hot_share=0.25, hot_ratio=4.0)
    bias = np.array([-20.0, 5.0, 12.0, 40.0])
    cold = electron_current(bias, PLASMA, TIP, Physics(electrons="orbital", psi0=4.0))
    alone = Plasma(ne=1e17 / 3.0, te=16.0, vp=12.0)  # a quarter of all; the cold ones are 1e17
    hot = electron_current(bias, alone, TIP, Physics(electrons="orbital", psi0=2.0))
    assert electron_current(bias, PLASMA, TIP, both) == pytest.approx(cold + hot, rel=1e-9)


def test_the_diffusion_parameter_is_that_of_the_gyroradius():
    # 4 eV in 0.1 T: electrons of 1.186e6 m/s turn on 67.45 µm
    got = diffusion_parameter(4.0, 0.1, 0.25e-3, 5e-3)
    assert got == pytest.approx(0.25e-3 / 67.45e-6 * math.log(math.pi * 5.0), rel=1e-3)


def test_a_fast_beam_of_ions_hits_the_shadow_of_the_cylinder():
    flow = Physics(mach_across=50.0, ions="orbital")
    shadow = 2.0 * TIP.radius * TIP.length * (TIP.area / (2.0 * math.pi * TIP.radius * TIP.length))
    beam = CHARGE * 1e17 * 50.0 * math.sqrt(CHARGE * 4.0 / ARGON) * shadow
    assert ion_current(-4.0, PLASMA, TIP, flow) == pytest.approx(beam, rel=0.01)


def test_a_beam_is_caught_by_energy_and_angular_momentum():
    # an orbit that grazes r with v²/2 + eΦ/m: its impact parameter is r √(1 + 2 eΦ/m v²)
    flow = Physics(mach_across=1.5, ions="orbital")
    speed = 1.5 * math.sqrt(CHARGE * 4.0 / ARGON)
    at_probe = math.sqrt(speed**2 + 2.0 * CHARGE * 20.0 / ARGON)
    impact = TIP.radius * at_probe / speed
    expected = CHARGE * 1e17 * speed * 2.0 * impact / (2.0 * math.pi * TIP.radius) * TIP.area
    assert ion_current(-8.0, PLASMA, TIP, flow) == pytest.approx(expected, rel=1e-6)


def test_flow_onto_a_thin_sheath_is_more_upstream_than_downstream():
    # flux exp(0.67 M cos θ) around the cylinder: its mean by direct summation
    theta = 2.0 * math.pi * np.arange(1000) / 1000
    expected = np.exp(0.67 * 0.8 * np.cos(theta)).mean()
    flow, rest = (Physics(ions="sheath", mach_across=m) for m in (0.8, 0.0))
    got = ion_current(-40.0, PLASMA, TIP, flow) / ion_current(-40.0, PLASMA, TIP, rest)
    assert got == pytest.approx(expected, rel=1e-9)


def test_flow_along_the_axis_reaches_only_the_end():
    flow = Physics(mach_along=2.0)
    more = ion_current(-40.0, PLASMA, TIP, flow) - ion_current(-40.0, PLASMA, TIP, Physics())
    end = CHARGE * 1e17 * 2.0 * math.sqrt(CHARGE * 4.0 / ARGON) * math.pi * TIP.radius**2
    assert more == pytest.approx(end, rel=1e-6)


def test_secondaries_are_counted_as_ions():
    deep = [probe_current(-80.0, PLASMA, TIP, Physics(secondaries=g)) for g in (0.0, 0.3)]
    assert deep[1] / deep[0] == pytest.approx(1.3, rel=1e-6)
    at_vp = probe_current(12.0, PLASMA, TIP, Physics(secondaries=0.3))
    assert at_vp == pytest.approx(thermal(4.0, ELECTRON_MASS), rel=1e-9)


@pytest.mark.parametrize(
    "physics", [Physics(), Physics(rf_amplitude=4.0), Physics(psi0=5.0), Physics(hot_share=0.02)]
)
def test_no_current_flows_at_the_floating_potential(physics):
    vf = float(floating_potential(PLASMA, TIP, physics))
    found = brentq(lambda v: float(probe_current(v, PLASMA, TIP, physics)), -60.0, 11.0)
    assert vf == pytest.approx(found, abs=1e-6)


def test_arrays_of_plasmas_are_as_many_plasmas():
    ne, te, vp = np.array([1e16, 1e17]), np.array([3.0, 5.0]), np.array([0.0, 9.0])
    both = probe_current(np.array([-20.0, 25.0]), Plasma(ne=ne, te=te, vp=vp), TIP)
    for k, bias in enumerate((-20.0, 25.0)):
        one = probe_current(bias, Plasma(ne=ne[k], te=te[k], vp=vp[k]), TIP)
        assert both[k] == pytest.approx(float(one), rel=1e-12)


def test_the_debye_length_is_that_of_the_formulary():
    assert debye_length(1e16, 1.0) == pytest.approx(74.34e-6, rel=1e-3)
