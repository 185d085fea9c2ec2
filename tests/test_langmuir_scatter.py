"""Birge's ratio shows scatter that the error bars do not hold, and nothing that is smooth."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import analyse_sweeps
from ishtar.langmuir.scatter import MIN_LINE, NEIGHBOURS, scatter_of
from tests.probe_fakes import KNOWN, TE, shot

TIME = 0.01 * np.arange(200)
RNG = np.random.default_rng(5)
NOISE = RNG.normal(size=(50, TIME.size))


def seen(value, sigma=0.1, time=TIME):
    return scatter_of(time, value, np.full(value.size, sigma))


@pytest.mark.parametrize("times", [1.0, 3.0])
def test_white_noise_is_seen_as_large_as_it_is(times):
    found = np.array([seen(4.0 + 0.1 * times * noise) for noise in NOISE])
    assert np.sqrt((found**2).mean()) == pytest.approx(0.1 * times, rel=0.02)
    # the ends, whose neighbours are on one side only, as well as the middle
    for part in (slice(0, NEIGHBOURS), slice(-NEIGHBOURS, None)):
        assert np.sqrt((found[:, part] ** 2).mean()) == pytest.approx(0.1 * times, rel=0.1)


def test_each_sweep_has_its_own_sigma_as_the_measure():
    sigma = np.where(np.arange(TIME.size) % 2, 0.1, 0.5)
    found = np.array([scatter_of(TIME, 3.0 * sigma * noise, sigma) for noise in NOISE])
    np.testing.assert_allclose(np.sqrt((found**2).mean(0)), 3.0 * sigma, rtol=0.3)


def test_scatter_here_says_nothing_of_sweeps_far_from_here():
    value = 0.1 * NOISE[0]
    value[100:] *= 10.0
    found = seen(value)
    far = 2 * NEIGHBOURS
    assert np.median(found[: 100 - far]) == pytest.approx(0.1, rel=0.3)
    assert np.median(found[100 + far :]) == pytest.approx(1.0, rel=0.3)


@pytest.mark.parametrize(
    "change",
    [
        np.full(TIME.size, 7.0),
        50.0 * TIME,
        20.0 * TIME**2,
        30.0 * np.sin(2.0 * np.pi * TIME / 2.0),
    ],
    ids=["none", "line", "parabola", "slow wave"],
)
def test_a_smooth_change_of_the_plasma_does_not_count(change):
    assert seen(change).max() < 0.01
    with_noise = np.array([seen(change + 0.1 * noise) for noise in NOISE[:20]])
    without = np.array([seen(0.1 * noise) for noise in NOISE[:20]])
    np.testing.assert_allclose(with_noise, without, rtol=0.05)


def test_the_clock_may_be_uneven():
    time = np.cumsum(RNG.uniform(0.2, 2.0, TIME.size))
    assert seen(3.0 * time + 0.01 * time**2, time=time).max() < 0.01


def test_missing_sweeps_are_left_out_and_stay_missing():
    value = 0.3 * NOISE[1]
    holes = np.arange(TIME.size) % 4 == 1
    some = np.where(holes, np.nan, value)
    found = seen(some)
    assert np.isnan(found[holes]).all()
    np.testing.assert_allclose(found[~holes], seen(value[~holes], time=TIME[~holes]), rtol=1e-9)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -0.1, np.inf])
def test_a_sweep_without_an_error_bar_has_no_part(bad):
    sigma = np.full(TIME.size, 0.1)
    sigma[50] = bad
    value = 0.1 * NOISE[2]
    value[50] = 1e6
    found = scatter_of(TIME, value, sigma)
    assert np.isnan(found[50])
    assert np.nanmax(found) < 0.3


def test_fewer_than_a_line_needs_say_nothing():
    value = 0.3 * NOISE[3]
    few = value[: MIN_LINE - 1]
    assert np.isnan(seen(few, time=TIME[: few.size])).all()
    enough = np.array([seen(0.3 * n[:MIN_LINE], time=TIME[:MIN_LINE]) for n in NOISE])
    assert np.sqrt((enough**2).mean()) == pytest.approx(0.3, rel=0.1)
    assert scatter_of(TIME[:0], value[:0], value[:0]).size == 0


def test_what_sweeps_scatter_by_is_in_their_error_bars():
    """Each sweep's bias is off by another amount: no fit of one sweep can see that."""
    s = shot(30)
    off = np.random.default_rng(8).normal(0.0, 0.3, 30)
    found = analyse_sweeps(s.bias + np.repeat(off, 400), s.current, dt=s.dt, **KNOWN)
    assert found["valid"].all()
    # 3 % of Te are theory's
    assert np.median(found["Vp_sigma_fit"]) < 0.15
    assert np.median(found["Vp_sigma_seen"]) == pytest.approx(0.3, rel=0.35)
    np.testing.assert_array_less(
        found["Vp_sigma_seen"].values, found["Vp_sigma"].values * (1.0 + 1e-9)
    )
    # which does not touch what does not scatter
    assert np.median(found["Te_sigma"]) < 2.0 * np.median(found["Te_sigma_fit"])


def test_a_plasma_that_is_another_from_sweep_to_sweep_widens_nothing():
    te = TE * np.where(np.arange(30) % 2, 1.5, 0.7)
    s = shot(30, te=np.repeat(te, 400), ends=(-60.0, 36.0))
    found = analyse_sweeps(s.bias, s.current, dt=s.dt, **KNOWN)
    assert found["valid"].all()
    np.testing.assert_allclose(found["Te"], te, rtol=0.05)
    assert (found["Te_sigma_seen"] > 0.5).all()
    np.testing.assert_allclose(found["Te_sigma"], found["Te_sigma_fit"], rtol=0.2)
