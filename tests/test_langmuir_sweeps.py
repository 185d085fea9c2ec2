"""Ramps are found in any periodic bias, and only there."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import SweepError, find_sweeps

DT = 1e-5
T = np.arange(100_000) * DT  # 1 s
PERIOD = 0.02  # s: 1000 samples a ramp of a triangle


def triangle(phase):
    return 2.0 * np.abs(2.0 * (phase % 1.0) - 1.0) - 1.0  # starts at the top


SHAPES = {
    "triangle": triangle(T / PERIOD),
    "sine": np.sin(2 * np.pi * T / PERIOD),
    "sawtooth": 2.0 * np.minimum((T / PERIOD % 1.0) / 0.97, (1 - T / PERIOD % 1.0) / 0.03) - 1.0,
}


@pytest.fixture(params=[0.0, 1.0], ids=["clean", "noisy"])
def noise(request):
    rng = np.random.default_rng(3)
    return request.param * (rng.normal(0, 0.3, T.size) + 0.8 * np.sin(2 * np.pi * 3571.0 * T))


@pytest.mark.parametrize(("shape", "expected"), [("triangle", 100), ("sine", 99), ("sawtooth", 50)])
def test_every_whole_ramp_is_found_once(shape, expected, noise):
    sweeps = find_sweeps(40.0 * SHAPES[shape] - 20.0 + noise, DT)
    assert len(sweeps) == expected
    if shape == "sawtooth":
        assert set(sweeps.direction) == {1}  # the flyback is left out
    else:
        assert np.all(np.diff(sweeps.direction) != 0)
    assert np.all(sweeps.start[1:] >= sweeps.stop[:-1])


def test_ramps_keep_nearly_all_of_a_triangle_and_know_their_time():
    sweeps = find_sweeps(40.0 * SHAPES["triangle"], DT, t0=-0.5)
    length = sweeps.stop - sweeps.start
    assert np.all((length > 970) & (length <= 1001))
    np.testing.assert_allclose(sweeps.time, -0.5 + 0.005 + 0.01 * np.arange(100), atol=2e-4)


def test_the_bias_rises_where_the_direction_says_so(noise):
    bias = 40.0 * SHAPES["sine"] + noise
    for ramp, direction in zip(sweeps := find_sweeps(bias, DT), sweeps.direction, strict=True):
        assert np.sign(bias[ramp][-20:].mean() - bias[ramp][:20].mean()) == direction


def test_times_without_sweeping_are_left_out(noise):
    bias = np.where((T > 0.3) & (T < 0.7), 40.0 * SHAPES["triangle"], -40.0) + noise
    sweeps = find_sweeps(bias, DT)
    assert len(sweeps) in (39, 40, 41)
    assert sweeps.time.min() > 0.3
    assert sweeps.time.max() < 0.7


def test_pauses_at_the_ends_are_left_out():
    bias = np.clip(60.0 * SHAPES["triangle"], -30.0, 30.0)
    sweeps = find_sweeps(bias, DT)
    length = sweeps.stop - sweeps.start
    assert len(sweeps) == 100
    assert np.all((length > 450) & (length < 510))


@pytest.mark.parametrize("bias", [np.zeros(1000), np.full(1000, np.nan), np.empty(0), np.ones(3)])
def test_a_bias_that_is_not_swept_has_no_sweeps(bias):
    sweeps = find_sweeps(bias, DT)
    assert len(sweeps) == 0
    assert sweeps.table(bias).size == 0


def test_missing_samples_do_not_break_a_ramp():
    bias = 40.0 * SHAPES["triangle"]
    bias[::97] = np.nan
    assert len(find_sweeps(bias, DT)) == 100


def test_a_table_ends_short_ramps_with_nan():
    sweeps = find_sweeps(40.0 * SHAPES["sine"], DT)
    table = sweeps.table(T)
    assert table.shape[0] == len(sweeps)
    assert np.all(np.isfinite(table).sum(1) == sweeps.stop - sweeps.start)


@pytest.mark.parametrize("bias", [np.zeros((3, 4)), 1.0])
def test_only_a_single_record_is_taken(bias):
    with pytest.raises(SweepError, match="one record"):
        find_sweeps(bias, DT)


def test_time_must_run():
    with pytest.raises(SweepError, match="positive"):
        find_sweeps(np.zeros(100), 0.0)
