"""Arcs: sudden reflections are counted, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.arcs import find_arcs
from ishtar.errors import TimeBaseError

DT = 2e-5
T = np.arange(50_000) * DT  # 1 s
FORWARD = np.where((T > 0.1) & (T < 0.9), 500.0, 1e-3)


def powers(share: np.ndarray, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """Return forward and reflected power with the detectors' noise, as shares of the power."""
    rng = np.random.default_rng(3)
    factor = 1.0 + noise * rng.standard_normal((2, T.size))
    return FORWARD * factor[0], FORWARD * share * factor[1]


def test_a_steady_match_and_a_slow_drift_are_no_arcs():
    assert find_arcs(*powers(np.full(T.size, 0.2)), DT, floor=5.0) == ()
    assert find_arcs(*powers(0.1 + 0.6 * T), DT, floor=5.0) == ()


def test_an_arc_is_found_with_its_time_and_length():
    share = np.where((T > 0.5) & (T < 0.505), 0.95, 0.2)
    (arc,) = find_arcs(*powers(share), DT, floor=5.0)
    assert arc.time == pytest.approx(0.5, abs=3e-4)
    assert arc.duration == pytest.approx(5e-3, abs=4e-4)
    assert arc.before == pytest.approx(0.2, abs=0.01)
    assert arc.during == pytest.approx(0.95, abs=0.03)
    assert not arc.tripped


def test_an_arc_that_ends_with_the_generator_off_has_tripped_it():
    share = np.where(T > 0.897, 0.95, 0.2)
    (arc,) = find_arcs(*powers(share), DT, floor=5.0)
    assert arc.tripped
    assert arc.duration == pytest.approx(3e-3, abs=4e-4)


def test_a_pulse_that_begins_with_all_power_reflected_is_no_arc():
    share = np.where(T < 0.108, 0.9, 0.3)  # no plasma yet
    assert find_arcs(*powers(share), DT, floor=5.0) == ()


def test_a_jump_of_the_mode_is_no_arc():
    share = np.where(T < 0.5, 0.12, 0.3)
    assert find_arcs(*powers(share), DT, floor=5.0) == ()


def test_a_plasma_that_goes_out_as_the_power_is_ramped_down_is_no_arc():
    ramp = np.interp(T, [0.1, 0.2, 0.5, 0.53], [0.0, 600.0, 600.0, 0.0])
    share = np.where(ramp > 80.0, 0.2, 0.85)
    assert find_arcs(ramp, share * ramp, DT, floor=5.0) == ()


def test_a_generator_that_is_off_has_no_arcs():
    rng = np.random.default_rng(1)
    off = 3e-3 * (1.0 + 0.1 * rng.standard_normal((2, T.size)))
    assert find_arcs(*off, DT, floor=5.0) == ()
    assert find_arcs([], [], DT, floor=5.0) == ()


@given(starts=st.sets(st.integers(3, 16), min_size=1, max_size=8))
def test_every_arc_is_counted_once(starts):
    share = np.full(T.size, 0.15)
    for k in starts:
        share[np.abs(T - 0.05 * k - 0.002) < 0.002] = 0.9
    found = find_arcs(*powers(share), DT, floor=5.0)
    assert [round(a.time / 0.05) for a in found] == sorted(starts)


def test_wrong_input_is_refused():
    with pytest.raises(TimeBaseError, match="align them"):
        find_arcs([1.0, 2.0], [1.0], DT, floor=1.0)
    with pytest.raises(TimeBaseError, match="give a positive `dt`"):
        find_arcs([1.0, 2.0], [1.0, 1.0], 0.0, floor=1.0)
