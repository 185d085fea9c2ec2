"""A change of scale changes the results by known powers and as a change of ρ would."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import analyse, probe_area, probe_current
from ishtar.langmuir.bins import bin_edges, bin_samples, sort_by_bias
from ishtar.langmuir.engine import analyse_scaled
from ishtar.langmuir.two_maxwellians import TwoMaxwellians

TIP = {"radius": 0.3e-3, "length": 5e-3}
PROBE = {"area": probe_area(**TIP), **TIP}
BIAS = np.linspace(-80.0, 50.0, 800)
F = 1.1


def sweep():
    current = probe_current(BIAS, ne=1e17, te=5.0, vp=12.0, **TIP)
    return current + 1e-3 * np.ptp(current) * np.random.default_rng(0).normal(size=BIAS.size)


def close(found, value):
    # as near as two fits come that are stopped at 3 % of a sigma
    return abs(found.value - value) < 0.03 * found.sigma


@pytest.mark.parametrize(
    ("scaled", "on_rho", "powers"),
    [
        ("bias", F**-0.75, {"Te": 1.0, "Vp": 1.0, "Vf": 1.0, "ne": -0.5, "Isat": 0.0}),
        ("current", F**0.5, {"Te": 0.0, "Vp": 0.0, "Vf": 0.0, "ne": 1.0, "Isat": 1.0}),
        ("area", F**-0.5, {"Te": 0.0, "Vp": 0.0, "Vf": 0.0, "ne": -1.0, "Isat": 0.0}),
    ],
)
def test_a_scale_is_a_power_and_a_factor_on_rho(scaled, on_rho, powers):
    by = {scaled: F}
    tip = {"area": by.get("area", 1.0) * PROBE["area"], "radius": PROBE["radius"]}
    i = sweep()
    found = analyse(by.get("bias", 1.0) * BIAS, by.get("current", 1.0) * i, **tip)
    probe = analyse(BIAS, i, **PROBE).probe
    _, same = analyse_scaled(BIAS[None, :], i[None, :], probe, (1.0, on_rho), step=0.0)
    for q, power in powers.items():
        assert close(getattr(found, q), same.value[q][0] * F**power), q


def test_rho_as_it_is_gives_the_sweep_alone():
    i = sweep()
    alone = analyse(BIAS, i, **PROBE)
    as_is, other = analyse_scaled(BIAS[None, :], i[None, :], alone.probe, (1.0, 1.1), step=0.0)
    assert as_is.value["Te"][0] == pytest.approx(alone.Te.value, rel=1e-6)
    assert other.value["ne"][0] != pytest.approx(alone.ne.value, rel=1e-6)


@pytest.mark.parametrize("shape", [(), (0.03, 0.1)])
def test_the_derivatives_of_two_maxwellians_are_those_of_its_differences(shape):
    samples = sort_by_bias(BIAS[None, :], sweep()[None, :])
    bins = bin_samples(samples, bin_edges(samples))
    probe = analyse(BIAS, sweep(), **PROBE).probe
    curve = TwoMaxwellians(bins=bins, sigma=np.full_like(bins.bias, 1e-6), probe=probe)
    p = np.array([39.0, 1.6, 12.3, 0.1, 0.9, -2.2, *shape])
    steps = 1e-6 * np.eye(p.size)
    for residual, jacobian, at, moves in (
        (curve.residual, curve.jacobian, p, steps),
        (
            curve.residual_of_one,
            curve.jacobian_of_one,
            np.delete(p, [4, 5]),
            1e-6 * np.eye(p.size - 2),
        ),
    ):
        numeric = np.stack([(residual(at + h) - residual(at - h)) / 2e-6 for h in moves], axis=1)
        exact = jacobian(at)
        assert np.abs(exact - numeric).max() < 1e-6 * np.abs(exact).max()
