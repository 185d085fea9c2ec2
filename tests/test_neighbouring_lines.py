"""Neighbouring lines get their own amplitudes and frequencies, or are said to be one."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.spectral import Line, find_lines, spectrum
from ishtar.spectral.interference import Columns, solve

pytestmark = pytest.mark.whole

N = 8192


def seen(
    truth: dict[float, float],
    *,
    segment: int = N,
    window: str = "hann",
    noise: float = 1e-3,
    seed: int = 0,
    bits: float | None = None,
) -> tuple[Line, ...]:
    """Return the lines of sines of places in bins and amplitudes, phases drawn."""
    rng = np.random.default_rng(seed)
    t = np.arange(N)
    x = rng.normal(0.0, noise, N)
    for place, amplitude in truth.items():
        x += amplitude * np.sin(2 * np.pi * (place / segment * t + rng.uniform()))
    if bits is not None:
        x = np.round(x / bits).astype(np.int16) * bits
    return find_lines(spectrum(x, 1.0 / segment, segment=segment, window=window))


def agree(found: tuple[Line, ...], truth: dict[float, float], sigmas: float = 5.0) -> None:
    assert [line.resolved for line in found] == [True] * len(truth)
    for line, (place, amplitude) in zip(found, sorted(truth.items()), strict=True):
        assert abs(line.frequency.value - place) < sigmas * line.frequency.sigma
        assert abs(line.amplitude.value - amplitude) < sigmas * line.amplitude.sigma


def test_half_as_strong_and_five_bins_away_is_what_it_is():
    found = seen({300.0: 1.0, 305.0: 0.5})
    agree(found, {300.0: 1.0, 305.0: 0.5})
    assert found[1].amplitude.value == pytest.approx(0.5, abs=5e-4)
    assert found[1].frequency.value == pytest.approx(305.0, abs=1e-3)
    assert found[1].amplitude.sigma < 2e-4


@pytest.mark.parametrize("segment", [N, N // 4])
@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1, 0.01])
@pytest.mark.parametrize("apart", [2.0, 3.3, 5.5, 8.0, 12.0])
def test_pairs_in_a_hann_window_are_told_apart(ratio, apart, segment):
    truth = {300.4: 1.0, 300.4 + apart: ratio}
    agree(seen(truth, segment=segment, seed=int(10 * apart)), truth)


@pytest.mark.parametrize(
    ("window", "apart"), [("blackmanharris", 4.0), ("flattop", 5.0), ("boxcar", 5.0)]
)
def test_pairs_are_told_apart_in_other_windows(window, apart):
    truth = {300.4: 1.0, 300.4 + apart: 0.5}
    agree(seen(truth, window=window, segment=N // 4), truth)


@pytest.mark.parametrize(
    "window",
    ["hann", *(pytest.param(w, marks=pytest.mark.long) for w in ("blackmanharris", "flattop"))],
)
def test_what_is_closer_than_the_window_resolves_is_said_to_be_one(window):
    for seed in range(5):
        (line,) = seen({300.4: 1.0, 300.9: 1.0}, window=window, seed=seed)
        assert not line.resolved
        assert abs(line.frequency.value - 300.65) < 2.0 * line.frequency.sigma
        assert abs(line.amplitude.value - 1.0) < 2.0 * line.amplitude.sigma


@pytest.mark.parametrize("run", [0.5, 3.0, 10.0])
@pytest.mark.parametrize("segment", [N, N // 4])
def test_a_line_that_drifts_is_one_with_a_wide_sigma(run, segment):
    t = np.arange(N)
    x = np.sin(2 * np.pi * (300.0 * t + 0.5 * run * t**2 / N) / segment)
    x += np.random.default_rng(2).normal(0.0, 1e-2, N)
    (line,) = find_lines(spectrum(x, 1.0 / segment, segment=segment))
    assert not line.resolved
    assert abs(line.frequency.value - (300.0 + run / 2)) < line.frequency.sigma
    assert line.frequency.sigma > 0.9 * run / np.sqrt(12.0) / 4
    assert line.amplitude.value == pytest.approx(1.0, rel=0.02)


def test_a_line_that_goes_on_for_half_the_record_is_no_sine():
    t = np.arange(N)
    x = np.where(t < N // 2, np.sin(2 * np.pi * 300.3 * t / N), 0.0)
    x += np.random.default_rng(2).normal(0.0, 1e-2, N)
    assert not any(line.resolved for line in find_lines(spectrum(x, 1.0 / N, segment=N)))


def test_side_bands_are_not_taken_for_a_drift():
    truth = {297.3: 0.15, 300.3: 1.0, 303.3: 0.15}
    agree(seen(truth), truth)


def test_integers_of_a_recorder_are_enough():
    truth = {300.0: 1.0, 305.4: 0.5}
    agree(seen(truth, bits=1.0 / 30.0, noise=1e-2), truth)


def test_lines_exactly_on_bins_without_noise_are_exact():
    found = seen({300.0: 1.0, 304.0: 0.5}, noise=0.0)
    assert [line.frequency.value for line in found] == pytest.approx([300.0, 304.0], abs=1e-5)
    assert [line.amplitude.value for line in found] == pytest.approx([1.0, 0.5], abs=1e-5)


@pytest.mark.parametrize("first", [6.3, pytest.param(N / 2 - 12.3, marks=pytest.mark.long)])
def test_lines_beside_zero_and_beside_the_nyquist_frequency_know_their_images(first):
    truth = {first: 1.0, first + 5.0: 0.5}
    agree(seen(truth, window="boxcar"), truth)
    agree(seen(truth), truth)


@pytest.mark.parametrize("beside", [0.017, pytest.param(-0.009, marks=pytest.mark.long)])
def test_a_line_nearly_on_a_bin_without_a_window_may_be_on_its_other_side(beside):
    place = 307.0 + beside
    for seed in range(3):
        found = seen({place: 1.0, place + 5.0: 0.1}, window="boxcar", noise=3e-3, seed=seed)
        for line in (line for line in found if line.resolved):
            away = min(abs(line.frequency.value - place), abs(line.frequency.value - place - 5.0))
            assert away < 4.0 * line.frequency.sigma


def test_three_lines_three_bins_apart_are_three():
    truth = {300.3: 0.2, 303.3: 1.0, 306.3: 0.2}
    agree(seen(truth), truth)


@pytest.mark.long
def test_sigmas_of_pairs_hold_the_truth_two_times_out_of_three():
    rng, hits = np.random.default_rng(4), []
    for seed in range(150):
        first, apart = 300.0 + rng.uniform(), rng.uniform(2.0, 12.0)
        truth = {first: 1.0, first + apart: float(rng.choice([1.0, 0.3, 0.1]))}
        found = seen(truth, noise=0.02, segment=N // 4, seed=seed)
        for line, (place, amplitude) in zip(found, sorted(truth.items()), strict=True):
            assert line.resolved
            hits.append(
                (
                    abs(line.frequency.value - place) < line.frequency.sigma,
                    abs(line.amplitude.value - amplitude) < line.amplitude.sigma,
                )
            )
    assert 0.6 < np.mean(hits, axis=0).min() <= np.mean(hits, axis=0).max() < 0.82


def test_a_line_that_hardly_reaches_the_bins_gets_no_power_out_of_nothing():
    """Its column was blown up to the norm of the others: a power of 1e285, and no least squares."""
    rng = np.random.default_rng(2)
    values = np.column_stack([rng.uniform(0.1, 1.0, 30), 1e-290 * rng.uniform(0.1, 1.0, 30)])
    columns = Columns(
        values=values,
        pairs=[(0, 0), (1, 1)],
        prior=np.full(2, np.inf),
        slopes=[(0, 0, values[:, 0])],
    )
    g, residual, _ = solve(columns, 2.0 * values[:, 0], np.full(30, 0.1))
    assert g[0] == pytest.approx(2.0)
    assert abs(g[1]) < 1e3
    assert np.abs(residual).max() < 1e-9


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6))]
)
def test_a_slow_drift_of_few_steps_ends_in_lines_or_none(seed):
    """A detector's level that creeps over some of its steps, and no line at all."""
    rng = np.random.default_rng(seed)
    level = 6.0 + np.cumsum(rng.normal(0.0, 0.02, 10_670)) + rng.normal(0.0, 0.02, 10_670)
    recorded = np.round(level / 0.0123) * 0.0123
    for line in find_lines(spectrum(recorded, 1e-4)):
        assert np.isfinite([line.amplitude.value, line.amplitude.sigma, line.frequency.sigma]).all()
