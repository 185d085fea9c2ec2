"""The floating potential is where the current changes its sign, whatever the curve is."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ishtar.langmuir import analyse_sweeps
from ishtar.langmuir.bins import sort_by_bias
from ishtar.langmuir.crossing import floating_potential_of
from runner.simulate.probe import Physics
from tests.probe_fakes import KNOWN, shot, vf_of

N, K = 300, 400
BIAS = np.linspace(-40.0, 40.0, K)


def tanh(v):
    """No curve of any probe; zero at 3 + 8 artanh 0.4."""
    return np.tanh((v - 3.0) / 8.0) - 0.4


def two_exponentials(v):
    """Two temperatures, 3 and 9 eV, and ions that rise with bias."""
    return 2.0 * np.exp((v - 20.0) / 3.0) + 0.4 * np.exp((v - 20.0) / 9.0) - 0.1 + 1e-3 * v


CURVES = {
    "tanh": (tanh, 3.0 + 8.0 * math.atanh(0.4), 2.5),
    "two temperatures": (two_exponentials, 5.41462, 2.0),
}


def found(current, *, bias=BIAS, reach=3.0, step=0.0, fitted=None):
    """Return floating potentials and their sigmas; ``fitted`` is wanted only if it is given."""
    bias = np.broadcast_to(bias, current.shape).copy()

    def unwanted(rows, at):
        raise AssertionError("the fit was asked for")

    return floating_potential_of(
        sort_by_bias(bias, current), np.full(len(current), reach), step, fitted or unwanted
    )


def noise(size, seed=1, n=N):
    return size * np.random.default_rng(seed).normal(size=(n, K))


@pytest.mark.parametrize("name", CURVES)
def test_the_truth_needs_no_theory_and_sigma_is_what_it_scatters_by(name):
    curve, truth, reach = CURVES[name]
    assert curve(truth) == pytest.approx(0.0, abs=1e-4)
    vf, sigma = found(curve(BIAS) + noise(5e-3), reach=reach)
    assert vf.mean() == pytest.approx(truth, abs=0.05)
    pull = (vf - truth) / sigma
    assert np.sqrt((pull**2).mean()) == pytest.approx(1.0, abs=0.15)
    assert (np.abs(pull) < 3.0).mean() > 0.98


def test_sigma_goes_with_the_noise():
    small, large = (found(tanh(BIAS) + noise(s))[1] for s in (5e-3, 2e-2))
    assert np.median(large) == pytest.approx(4.0 * np.median(small), rel=0.05)


def test_where_noise_hides_the_slope_more_of_the_curve_is_used():
    """The bend of what then is no parabola is taken off by the fit."""
    truth = CURVES["tanh"][1]

    def exact(rows, bias):
        return tanh(bias)

    vf, sigma = found(tanh(BIAS) + noise(0.3), reach=1.0, fitted=exact)
    assert np.isfinite(vf).all()
    assert np.median(vf) == pytest.approx(truth, abs=0.15)
    pull = np.abs(vf - truth) / sigma
    assert (pull < 1.0).mean() == pytest.approx(0.68, abs=0.12)
    assert (pull < 3.0).mean() > 0.95


@pytest.mark.parametrize("step", [0.05, 0.2])
def test_coarse_steps_are_in_sigma(step):
    """Without noise all that is known of the zero is the step that it lies on."""
    truth = CURVES["tanh"][1] + np.linspace(-2.0, 2.0, 60)
    bias = BIAS + (truth - CURVES["tanh"][1])[:, None]
    current = np.round((tanh(BIAS) + noise(1e-4, n=60)) / step) * step
    current = current + np.zeros_like(bias)

    def exact(rows, at):
        return tanh(at - (truth[rows] - CURVES["tanh"][1])[:, None])

    vf, sigma = found(current, bias=bias, step=step, fitted=exact)
    slope = (1.0 - 0.4**2) / 8.0
    assert (sigma < step / slope).all()
    assert (np.abs(vf - truth) < 3.0 * sigma).mean() > 0.95


@pytest.mark.parametrize("offset", [2.0, -2.0])
def test_a_current_of_one_sign_has_none(offset):
    vf, sigma = found(tanh(BIAS) + offset + noise(1e-3, n=5))
    assert np.isnan(vf).all()
    assert np.isnan(sigma).all()


def test_without_a_reach_there_is_none_and_the_others_have_theirs():
    current = tanh(BIAS) + noise(1e-3, n=4)
    samples = sort_by_bias(np.tile(BIAS, (4, 1)), current)
    reach = np.array([3.0, np.nan, 0.0, 3.0])
    vf, _ = floating_potential_of(samples, reach, 0.0, lambda rows, at: tanh(at))
    assert list(np.isfinite(vf)) == [True, False, False, True]


def test_missing_samples_and_another_order_change_nothing_that_counts():
    current = tanh(BIAS) + noise(3e-3, n=40)
    whole, sigma = found(current)
    some = current.copy()
    some[:, ::9] = np.nan
    mixed = np.random.default_rng(2).permutation(K)
    vf, _ = found(some[:, mixed], bias=BIAS[mixed])
    assert (np.abs(vf - whole) < 1.5 * sigma).all()


@pytest.mark.parametrize(
    "physics",
    [
        Physics(),
        Physics(hot_share=0.05, hot_ratio=4.0),
        Physics(secondaries=0.3),
        Physics(psi0=5.0),
    ],
    ids=["one temperature", "two temperatures", "secondaries", "magnetised"],
)
def test_the_analysis_has_it_right_also_of_plasmas_that_it_does_not_know(physics):
    s = shot(30, physics=physics, noise=1e-3, ends=(-60.0, 28.0))
    table = analyse_sweeps(s.bias, s.current, dt=s.dt, **KNOWN)
    assert table["valid"].mean() > 0.9
    pull = (table["Vf"] - vf_of(physics=physics)) / table["Vf_sigma"]
    assert float(np.abs(pull).max()) < 4.0
    assert (np.abs(pull) < 2.0).mean() > 0.8
    assert np.nanmedian(table["Vf_sigma"]) < 1.0
