"""Plasma, modes and pulses found in powers and currents whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.detection import (
    DetectionError,
    Span,
    find_above,
    find_jumps,
    find_loaded,
    find_probed,
    joined,
    plasma_spans,
    reflected_share,
)
from ishtar.quantity import Measured
from runner.simulate.campaign import Campaign, setup_of
from runner.simulate.discharge import MODES, discharge

pytestmark = pytest.mark.whole

STEP = 5e-4
T = STEP * np.arange(-1000, 10000)
SHOTS = range(1, 13)


def span(start, end, sigma=1e-3):
    """Return a span with equal errors."""
    return Span(start=Measured(start, sigma, "s"), end=Measured(end, sigma, "s"))


def edges(spans):
    """Return starts and ends as plain numbers."""
    return [(s.start.value, s.end.value) for s in spans]


@pytest.fixture(scope="module")
def simulated():
    """Give the true modes, and powers as a detector shows them, of all shots of a day."""
    campaign, found = Campaign(), {}
    for number in SHOTS:
        truth = discharge(campaign, setup_of(campaign, number))
        rng = np.random.default_rng(number)

        def seen(power, rng=rng, truth=truth):
            at = np.interp(T, truth.t, power) + 3e-3  # the detector's own noise
            return at * rng.normal(1.0, 0.003, T.size)

        found[number] = (truth, seen(truth.helicon_fwd_w), seen(truth.helicon_ref_w))
    return found


@pytest.mark.parametrize("number", SHOTS)
def test_start_and_end_are_found_within_two_ms_of_the_truth(simulated, number):
    truth, forward, reflected = simulated[number]
    burning = truth.t[truth.mode > 0]
    (found,) = find_loaded(T, forward, reflected)
    assert found.start.value == pytest.approx(burning[0], abs=2e-3)
    assert found.end.value == pytest.approx(burning[-1], abs=2e-3)
    assert 1e-4 < found.start.sigma < 2e-3
    assert found.duration.value == pytest.approx(burning[-1] - burning[0], abs=3e-3)


@pytest.mark.parametrize("number", SHOTS)
def test_jumps_of_mode_are_found_in_their_order_within_three_ms(simulated, number):
    truth, forward, reflected = simulated[number]
    (burning,) = find_loaded(T, forward, reflected)
    first, jumps = find_jumps(T, reflected_share(forward, reflected), burning)
    changes = np.flatnonzero(np.diff(truth.mode))
    lasts = np.diff(truth.t[changes], append=np.inf)
    true = [
        (truth.t[k + 1], MODES[truth.mode[k]], MODES[truth.mode[k + 1]])
        for k, length in zip(changes, lasts, strict=True)
        if length > 0.008  # the antenna takes 2 ms to follow
    ][1:]
    true = [change for change in true if change[2] != "none"]
    assert first == "E"
    assert [(j.before, j.after) for j in jumps][: len(true)] == [c[1:] for c in true]
    for jump, (time, _, _) in zip(jumps, true, strict=False):
        assert jump.time.value == pytest.approx(time, abs=3e-3)
        assert jump.time.sigma < 3e-3
    up = [j for j in jumps if j.before < j.after]
    assert all(j.share_after < 0.6 * j.share_before for j in up)


def test_a_generator_that_trips_before_breakdown_makes_no_plasma():
    campaign = Campaign(flaws={1: "no_plasma"})
    truth = discharge(campaign, setup_of(campaign, 1))
    powers = [np.interp(T, truth.t, p) for p in (truth.helicon_fwd_w, truth.helicon_ref_w)]
    assert find_loaded(T, *powers) == ()
    (on,) = find_above(T, powers[0], 10.0)
    assert 0.003 < on.duration.value < 0.013


def test_a_generator_that_is_off_tells_nothing():
    off = np.full(T.size, 1e-3)
    assert find_above(T, off, 10.0) == ()
    assert find_loaded(T, off, off) == ()
    assert np.isnan(reflected_share(off, off)).all()


def test_pulses_are_told_apart_and_their_short_pauses_are_not():
    power = np.where((T > 0.1) & (T < 0.2) | (T > 0.203) & (T < 0.3) | (T > 1.0) & (T < 1.5), 50, 0)
    power[(T > 2.0) & (T < 2.001)] = 50  # a spike
    found = find_above(T, power, 10.0)
    assert edges(found) == [
        pytest.approx((0.1, 0.3), abs=STEP),
        pytest.approx((1.0, 1.5), abs=STEP),
    ]


def test_missing_samples_are_not_above_a_level():
    values = np.where(T < 1.0, np.nan, np.where(T < 2.0, 5.0, 0.0))
    (found,) = find_above(T, values, 1.0)
    assert found.start.value == pytest.approx(1.0, abs=STEP)


def probe(start, end, *, noise=5e-6, period=0.02):
    """Return the band of a swept probe's current: electrons during half of each sweep."""
    rng = np.random.default_rng(3)
    low, high = (
        -abs(rng.normal(2 * noise, noise, T.size)),
        abs(rng.normal(2 * noise, noise, T.size)),
    )
    sweeping = (start < T) & (end > T) & (np.mod(T, period) < period / 2)
    return -low, high + 1e-3 * sweeping


def test_a_swept_probe_tells_the_time_to_about_a_sweep():
    low, high = probe(0.62, 4.2)
    (found,) = find_probed(T, low, high, quiet_until=0.6)
    assert found.start.value == pytest.approx(0.62, abs=0.012)
    assert found.end.value == pytest.approx(4.2, abs=0.012)
    assert 0.002 < found.start.sigma < 0.01


def test_noise_alone_is_no_plasma():
    low, high = probe(10.0, 11.0)
    assert find_probed(T, low, high, quiet_until=0.6) == ()


def test_a_dead_probe_sees_nothing():
    still = np.zeros(T.size)
    assert find_probed(T, still, still, quiet_until=0.6) == ()


def test_without_a_quiet_time_the_probe_cannot_tell():
    low, high = probe(0.62, 4.2)
    with pytest.raises(DetectionError, match="needs 10"):
        find_probed(T, low, high, quiet_until=-1.0)


def test_the_antennas_give_the_times_and_the_probe_what_they_do_not_see():
    antenna, near, later = span(1.0, 2.0), span(1.01, 2.004, 0.004), span(3.0, 3.5, 0.004)
    assert edges(plasma_spans([antenna], [near])) == [(1.0, 2.0)]
    assert edges(plasma_spans([antenna], [near, later])) == [(1.0, 2.0), (3.0, 3.5)]
    assert edges(plasma_spans([antenna], [span(0.5, 2.5, 0.004)])) == [(0.5, 2.5)]
    assert edges(plasma_spans([], [later])) == [(3.0, 3.5)]
    assert edges(plasma_spans([antenna], [])) == [(1.0, 2.0)]
    assert plasma_spans([], []) == ()


def test_antennas_that_overlap_see_one_plasma():
    both = joined([span(2.0, 3.0)], [span(1.0, 2.5), span(4.0, 5.0)])
    assert edges(both) == [(1.0, 3.0), (4.0, 5.0)]


def test_a_plasma_until_the_end_of_the_record_ends_there():
    forward = np.where(T > 1.0, 100.0, 0.0)
    share = np.where(T > 1.01, 0.1, 0.9)
    (found,) = find_loaded(T, forward, share * forward)
    assert found.end.value == pytest.approx(T[-1], abs=2 * STEP)


@pytest.mark.parametrize("wrong", [[1.0, 2.0], np.zeros((3, 3)), np.zeros(T.size - 1)])
def test_arrays_that_do_not_fit_together_are_refused(wrong):
    with pytest.raises(DetectionError, match="one time base"):
        find_above(T if len(wrong) != 2 else wrong, wrong, 1.0)
