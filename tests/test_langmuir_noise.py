"""The noise of a sweep is judged by what most of it shows, and coarse steps by what they hide."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import analyse_sweeps
from ishtar.langmuir.noise import noise_components, undithered_part
from tests.probe_fakes import KNOWN, TE, shot, vf_of

pytestmark = pytest.mark.whole

N, M, DOF = 400, 40, 10.0
SLOPE = np.tile(np.exp(np.linspace(-4.0, 0.0, M)), (N, 1))
FLAT, RIPPLE = 1.0, 4.0


def judged(odd: float, bins: int = 1):
    """Return the noise found where some bins of the flat part scatter more than they should."""
    rng = np.random.default_rng(3)
    scatter = (FLAT + RIPPLE * SLOPE**2) * rng.chisquare(DOF, (N, M)) / DOF
    for row in scatter:
        # two of the first three are no exception there, but what there is
        row[rng.choice(np.arange(3, 25), bins, replace=False)] *= odd
    return noise_components(scatter, np.full((N, M), DOF), SLOPE)


@pytest.mark.parametrize("odd", [1.0, 10.0, 50.0, 300.0])
@pytest.mark.parametrize("bins", [1, 2])
def test_a_bin_that_scatters_otherwise_does_not_change_what_the_noise_is(odd, bins):
    flat, ripple = judged(odd, bins)
    assert flat.mean() == pytest.approx(FLAT, rel=0.08)
    assert ripple.mean() == pytest.approx(RIPPLE, rel=0.08)


@pytest.mark.parametrize("share", [0.01, 0.03])
def test_noise_in_proportion_to_the_current_is_noise(share):
    """A density that fluctuates: the scatter is in a fifth of the bins, beside each other."""
    rng = np.random.default_rng(6)
    current = np.linspace(-0.05, 1.0, M) ** 3
    scatter = (1e-6 + (share * current) ** 2) * rng.chisquare(DOF, (N, M)) / DOF
    flat, ripple = noise_components(scatter, np.full((N, M), DOF), SLOPE)
    expected = flat[:, None] + ripple[:, None] * SLOPE**2
    # no bin of those is told apart as odd: what is expected of them is not a tenth of what is seen
    assert np.median(scatter[:, -3:] / expected[:, -3:]) < 5.0


def test_as_precise_as_the_scatter_lets_it_be():
    flat, _ = judged(1.0)
    assert flat.std() < 1.3 * FLAT * np.sqrt(2.0 / (25 * DOF))


def test_half_a_step_of_noise_moves_a_current_over_the_steps():
    own = np.sqrt(1.0 / 12.0)
    np.testing.assert_allclose(undithered_part(np.array([0.0, own]), 1.0), 1.0)
    assert undithered_part(np.array([np.hypot(own, 0.5)]), 1.0)[0] < 0.01
    assert (undithered_part(np.array([0.0, 1.0]), 0.0) == 0.0).all()


def recorded(steps: float, noise: float = 1e-5):
    """Return the analysis of a record whose ion current at Vf is so many steps."""
    clean = shot(12, noise=0.0)
    isat = abs(float(analyse_sweeps(clean.bias, clean.current, dt=clean.dt, **KNOWN)["Isat"][0]))
    step = isat / steps
    s = shot(12, noise=noise)
    return analyse_sweeps(s.bias, np.round(s.current / step) * step, dt=s.dt, **KNOWN)


class TestCoarseSteps:
    @pytest.mark.parametrize("steps", [20.0, 5.0, 2.0, 1.0, 0.8, 0.6])
    def test_the_floating_potential_is_as_unsure_as_they_make_it(self, steps):
        found = recorded(steps)
        assert found["valid"].all()
        assert (np.abs(found["Vf"] - vf_of()) < 3.0 * found["Vf_sigma"]).all()
        assert (np.abs(found["Te"] - TE) < 3.0 * found["Te_sigma"]).all()

    @pytest.mark.parametrize("steps", [0.5, 0.45, 0.4])
    def test_much_less_than_a_step_of_ion_current_is_none(self, steps):
        found = recorded(steps)
        assert not found["valid"].any()
        for reason in found["reason"].values:
            assert "the recorder's steps" in reason

    def test_noise_that_moves_it_over_them_shows_it_all_the_same(self):
        steps = 0.6
        clean = recorded(20.0)
        step = abs(float(clean["Isat"][0])) / steps
        largest = np.abs(shot(1, noise=0.0).current).max()
        found = recorded(steps, noise=0.6 * step / largest)
        assert found["valid"].mean() > 0.5
        off = np.abs(found["Vf"] - vf_of())[found["valid"]]
        assert (off < 4.0 * found["Vf_sigma"][found["valid"]]).all()
