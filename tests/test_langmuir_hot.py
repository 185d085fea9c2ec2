"""A few hot electrons are told, and what then is said is of the cold ones."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import analyse, analyse_sweeps
from runner.simulate.probe import Physics
from tests.probe_fakes import KNOWN, NE, SAMPLES, TE, VP, shot, vf_of

pytestmark = pytest.mark.whole

HOT = [(0.02, 4.0), (0.1, 3.0)]
QUANTITIES = {"Te": TE, "ne": NE, "Vp": VP}


def analysed(s):
    return analyse_sweeps(s.bias, s.current, dt=s.dt, **KNOWN)


@pytest.mark.parametrize(("share", "ratio"), HOT, ids=["2 % at 4 Te", "10 % at 3 Te"])
@pytest.mark.parametrize("noise", [3e-4, 1e-3])
def test_the_cold_ones_are_the_result(share, ratio, noise):
    physics = Physics(hot_share=share, hot_ratio=ratio)
    found = analysed(shot(30, physics=physics, noise=noise, ends=(-60.0, 28.0)))
    assert found["valid"].all()
    assert np.isfinite(found["hot_fraction"]).all()
    for q, truth in QUANTITIES.items():
        pull = np.abs(found[q] - truth) / found[f"{q}_sigma"]
        assert np.median(pull) < 2.0, q
        assert (pull < 3.0).mean() >= 0.9, q
    assert float(found["Te"].median()) == pytest.approx(TE, rel=0.05)
    assert float(found["ne"].median()) == pytest.approx(NE, rel=0.12)
    assert float(found["hot_fraction"].median()) == pytest.approx(share, rel=0.2)
    assert float(found["Te_hot"].median()) == pytest.approx(ratio * TE, rel=0.12)
    for q, truth in (("hot_fraction", share), ("Te_hot", ratio * TE)):
        assert (np.abs(found[q] - truth) < 3.0 * found[f"{q}_sigma"]).mean() >= 0.9, q
    # their current moves the floating potential by several Te, and that is measured
    assert vf_of(physics=physics) < vf_of() - TE
    assert (np.abs(found["Vf"] - vf_of(physics=physics)) < 4.0 * found["Vf_sigma"]).all()


def test_one_sweep_alone_says_the_same():
    s = shot(1, physics=Physics(hot_share=0.1, hot_ratio=3.0), ends=(-60.0, 28.0))
    r = analyse(s.bias, s.current, **KNOWN)
    assert r.valid, r.reason
    assert r.hot_fraction.value == pytest.approx(0.1, abs=3.0 * r.hot_fraction.sigma)
    assert (r.hot_fraction.unit, r.Te_hot.unit) == ("1", "eV")
    assert r.Te.value == pytest.approx(TE, abs=3.0 * r.Te.sigma)
    # the curve that it draws is of both
    np.testing.assert_allclose(r.current(s.bias), s.current, atol=0.01 * s.current.max())


@pytest.mark.parametrize("noise", [3e-4, 1e-3])
def test_one_temperature_is_not_taken_for_two(noise):
    found = analysed(shot(200, noise=noise))
    assert found["valid"].all()
    two = np.isfinite(found["hot_fraction"].values)
    assert two.mean() < 0.05
    alone = found["Te"].values[~two]
    assert np.median(alone) == pytest.approx(TE, rel=0.01)
    assert np.isnan(found["Te_hot"].values[~two]).all()


def test_sweeps_with_and_without_lie_in_one_record():
    each = np.repeat(np.arange(20) >= 10, SAMPLES)
    hot = shot(20, physics=Physics(hot_share=0.1, hot_ratio=3.0), ends=(-60.0, 28.0))
    cold = shot(20, ends=(-60.0, 28.0))
    found = analyse_sweeps(
        cold.bias, np.where(each, hot.current, cold.current), dt=cold.dt, **KNOWN
    )
    assert found["valid"].all()
    np.testing.assert_array_equal(np.isfinite(found["hot_fraction"]), np.arange(20) >= 10)
    np.testing.assert_allclose(found["Te"], TE, rtol=0.06)
    np.testing.assert_allclose(found["ne"], NE, rtol=0.15)
