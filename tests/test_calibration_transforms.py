"""Transforms: their equations, their inverses, and numbers that make no sense."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration import Calibration
from ishtar.calibration.spans import Span
from ishtar.calibration.stationary_points import holds_turn, polynomial_turns, table_turns
from ishtar.calibration.transforms import (
    TRANSFORMS,
    Gain,
    LogDetector,
    Offset,
    Polynomial,
    QuietOffset,
    Table,
    parse_transform,
)
from ishtar.errors import CalibrationFileError, UnitError
from ishtar.signals.calibrated import CalibratedSamples
from tests.library_fakes import memory_channel

numbers = st.floats(-1e6, 1e6)
sizes = st.floats(1e-3, 1e3)
values = st.lists(st.floats(-100, 100, allow_subnormal=False), min_size=1, max_size=20).map(
    np.array
)


def no_quiet_time(t_start: float, t_end: float) -> Any:
    raise AssertionError("this transform asks for no quiet time")


# Equations and inverses


@given(values, sizes, st.sampled_from([1, -1]))
def test_a_gain_and_its_inverse_undo_each_other(x, size, sign):
    gain = Gain(gain=sign * size)
    np.testing.assert_allclose(gain.apply(x, no_quiet_time), sign * size * x, rtol=1e-15)
    np.testing.assert_allclose(
        gain.inverse(gain.apply(x, no_quiet_time)), x, rtol=1e-12, atol=1e-300
    )


@given(values, numbers)
def test_an_offset_and_its_inverse_undo_each_other(x, offset):
    step = Offset(offset=offset)
    np.testing.assert_allclose(step.inverse(step.apply(x, no_quiet_time)), x, atol=1e-9)


@given(
    st.lists(st.floats(-2, 5), min_size=1).map(np.array),
    st.floats(-1, 1),
    st.floats(0, 3),
    st.floats(0.01, 0.2),
)
def test_a_log_detector_and_its_inverse_undo_each_other(x, zero, intercept, slope):
    step = LogDetector(zero=zero, intercept=intercept, slope=slope)
    np.testing.assert_allclose(step.inverse(step.apply(x, no_quiet_time)), x, atol=1e-9)


def test_the_log_detector_of_the_testbed_gives_what_its_formula_gives():
    step = LogDetector(zero=0.02, intercept=2.2503, slope=0.0520)
    assert step.apply(np.array([2.2703]), no_quiet_time) == pytest.approx(10.0)
    assert step.apply(np.array([2.2703 + 0.52]), no_quiet_time) == pytest.approx(100.0)
    x = 2.5
    expected = 10 ** (((x - 0.02 - 2.2503) / 0.0520 + 10) / 10)
    assert step.apply(np.array([x]), no_quiet_time) == pytest.approx(expected, rel=1e-14)


def test_a_power_that_no_voltage_gives_has_no_inverse():
    step = LogDetector(zero=0, intercept=2, slope=0.05)
    assert np.isnan(step.inverse(np.array([-1.0]))).all()
    assert np.isinf(step.apply(np.array([1e9]), no_quiet_time)).all()


@given(values, st.lists(st.floats(-10, 10), min_size=1, max_size=5))
def test_a_polynomial_is_the_sum_of_its_powers(x, rest):
    coefficients = (0.5, *rest, 1.0)
    found = Polynomial(coefficients=coefficients).apply(x, no_quiet_time)
    powers = np.array([c * x**k for k, c in enumerate(coefficients)])
    np.testing.assert_allclose(found, powers.sum(axis=0), atol=1e-9 * np.abs(powers).sum())


rising = st.lists(st.floats(-100, 100), min_size=2, max_size=10, unique=True).map(sorted)


@given(st.data(), rising, st.booleans(), st.booleans())
def test_a_table_and_its_inverse_undo_each_other(data, x, falls, backwards):
    x = [round(v, 3) + 0.01 * k for k, v in enumerate(x)]
    y = np.cumsum(data.draw(st.lists(sizes, min_size=len(x), max_size=len(x))))
    y = -y if falls else y
    order = slice(None, None, -1 if backwards else 1)
    table = Table(x=tuple(x[order]), y=tuple(y[order]))
    at = data.draw(st.lists(st.floats(0, 1), min_size=1)).copy()
    inside = x[0] + np.array(at) * (x[-1] - x[0])
    inside = np.clip(inside, x[0], x[-1])
    found = table.apply(inside, no_quiet_time)
    np.testing.assert_allclose(found, np.interp(inside, x, y), rtol=1e-12)
    back = table.inverse(np.clip(found, min(y), max(y)))
    np.testing.assert_allclose(back, inside, atol=1e-6)


def test_a_table_ends_where_its_numbers_end():
    table = Table(x=(1444.0, 900.0, 446.0), y=(55.3, 25.0, 2.2))
    found = table.apply(np.array([445.9, 446, 900, 1444, 1444.1]), no_quiet_time)
    np.testing.assert_array_equal(found, [np.nan, 2.2, 25.0, 55.3, np.nan])
    with pytest.raises(ValueError, match="increase or decrease"):
        Table(x=(0.0, 1.0, 2.0), y=(0.0, 1.0, 0.0)).inverse(np.array([0.5]))


# Calibrations: steps in order, units between them


def calibrated(*steps: Any, channel: Any, unit: str = "V", of: str = "V") -> CalibratedSamples:
    calibration = Calibration(
        device="d",
        port="",
        version=1,
        span=Span(1),
        input_unit="V",
        unit=of,
        transforms=steps,
        where="devices/d.toml:1",
    )
    return CalibratedSamples(channel, calibration, unit)


def test_a_quiet_offset_is_taken_from_what_the_steps_before_it_give():
    x = np.concatenate([np.full(100, 2.0), np.full(100, 5.0)])
    quiet = QuietOffset(t_start_s=0.0, t_end_s=0.1)
    channel = memory_channel(x, dt=1e-3)
    found = calibrated(Gain(gain=10.0), quiet, Offset(offset=1.0), channel=channel).read(98, 102)
    assert found.tolist() == [-1.0, -1.0, 29.0, 29.0]
    two = calibrated(quiet, Gain(gain=2.0), quiet, channel=channel).read(100, 101)
    assert two.tolist() == [6.0]


def test_a_quiet_offset_is_read_once_whatever_is_asked_after():
    channel = memory_channel(np.arange(1000.0), dt=1e-3)
    samples = calibrated(QuietOffset(t_start_s=0.0, t_end_s=0.5), channel=channel)
    samples.read(0, 1)
    samples.read(700, 710)
    assert channel.taken["raw"] == 500 + 1 + 10


def test_a_long_quiet_time_is_walked(monkeypatch):
    monkeypatch.setattr("ishtar.quantity.BLOCK", 7)
    channel = memory_channel(np.arange(100.0), dt=1e-3)
    samples = calibrated(QuietOffset(t_start_s=0.0, t_end_s=0.05), channel=channel)
    assert samples.read(60, 61).tolist() == [60 - 24.5]


@pytest.mark.parametrize(
    ("recorded", "gives", "wanted", "scale"),
    [
        ("V", "A", "A", 1.0),
        ("mV", "A", "A", 1e-3),
        ("V", "A", "mA", 1e3),
        ("mV", "kW", "W", 1.0),
        ("Volts", "A", "A", 1.0),  # as LabVIEW's drivers write it
        ("", "A", "A", 1.0),  # none stated: taken as what the calibration takes
        ("kilovolt", "", "percent", 1e5),
    ],
)
def test_units_of_file_calibration_and_signal_are_converted(recorded, gives, wanted, scale):
    channel = memory_channel([1.0, 2.0], unit=recorded)
    found = calibrated(Gain(gain=3.0), channel=channel, of=gives, unit=wanted).read(0, 2)
    np.testing.assert_allclose(found, [3.0 * scale, 6.0 * scale], rtol=1e-12)


@pytest.mark.parametrize(
    ("recorded", "gives", "wanted", "told"),
    [
        ("A", "A", "A", "'DAQ/x' is recorded in 'A', d v1 takes 'V' .* correct devices/d.toml:1"),
        ("furlongs per fortnight", "A", "A", "unknown unit|does not fit"),
        ("V", "A", "V", "d v1 gives 'A', signals.toml says 'V' .*devices/d.toml:1"),
        ("V", "degC", "K", "cannot be scaled"),
        ("dBm", "A", "A", "does not fit"),
        ("V", "dBm", "mW", "cannot be scaled"),
    ],
)
def test_units_that_do_not_fit_are_refused_in_one_line(recorded, gives, wanted, told):
    with pytest.raises(UnitError, match=told) as error:
        calibrated(
            Gain(gain=3.0), channel=memory_channel([1.0], unit=recorded), of=gives, unit=wanted
        )
    assert "\n" not in str(error.value)


# Where a curve turns


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=4), st.floats(-6, 6), st.floats(0.01, 5))
def test_between_its_turns_a_polynomial_lies_between_its_ends(roots, low, width):
    curve = np.polynomial.Polynomial.fromroots(roots).integ()
    turns = polynomial_turns(tuple(curve.coef))
    assert turns is not None
    x = np.linspace(low, low + width, 50)
    if not holds_turn(turns, x[:1], x[-1:])[0]:
        rounding = 1e-12 * np.polynomial.Polynomial(np.abs(curve.coef))(np.abs(x).max())
        ends = curve(x[[0, -1]])
        assert curve(x).min() >= ends.min() - rounding
        assert curve(x).max() <= ends.max() + rounding


def test_turns_that_cannot_be_worked_out_make_every_range_unsure():
    assert polynomial_turns((0.0, 1e300, 1e-320)) is None or np.isfinite(
        polynomial_turns((0.0, 1e300, 1e-320))  # type: ignore[arg-type]
    ).all() in (True, False)
    unsure = holds_turn(None, np.array([0.0, 1.0]), np.array([0.0, 2.0]))
    assert unsure.tolist() == [False, True]


def test_a_polyline_turns_at_its_peaks_and_not_on_its_shoulders():
    assert table_turns([0, 1, 2, 3, 4, 5], [0, 1, 1, 2, 1, 1]).tolist() == [3.0]
    assert table_turns([0, 1, 2, 3], [0, 1, 1, 0]).tolist() == [2.0]
    assert table_turns([3, 2, 1, 0], [0, 1, 0, 1]).tolist() == [1.0, 2.0]


# From text


GOOD = {
    "gain": {"gain": 2, "sigma": 0.1},
    "offset": {"offset": -1},
    "quiet_offset": {"t_start_s": -0.5, "t_end_s": 0},
    "polynomial": {"coefficients": [0, 1]},
    "log_detector": {"zero": 0, "intercept": 2.0, "slope": 0.05},
    "table": {"x": [0, 1], "y": [5, 5]},
    "frequency_response": {"frequency_hz": [1, 2], "gain": [1, 2], "phase_deg": [0, -9]},
}


def test_every_transform_can_be_written_in_a_calibration():
    assert GOOD.keys() == TRANSFORMS.keys()
    for kind, entry in GOOD.items():
        transform = parse_transform({"kind": kind, **entry})
        assert type(transform) is TRANSFORMS[kind]
        for name, value in entry.items():
            expected = tuple(value) if isinstance(value, list) else value
            assert getattr(transform, name) == expected


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({}, "unknown transform None"),
        ({"kind": "gian", "gain": 1}, "unknown transform 'gian'; did you mean 'gain'?"),
        ({"kind": ["gain"]}, "unknown transform \\['gain'\\]"),
        (3, "transform 3 is not a table"),
        ("gain", "transform 'gain' is not a table"),
        ({"kind": "gain"}, "gain needs 'gain': add it"),
        ({"kind": "gain", "gain": 1, "sigm": 2}, "gain has no 'sigm'; did you mean 'sigma'"),
        ({"kind": "gain", "gain": True}, "gain: gain = True is not a finite number"),
        ({"kind": "gain", "gain": "20"}, "gain = '20' is not a finite number"),
        ({"kind": "gain", "gain": float("nan")}, "gain = nan is not a finite number"),
        ({"kind": "gain", "gain": float("inf")}, "not a finite number"),
        ({"kind": "gain", "gain": 10**400}, "not a finite number"),
        ({"kind": "gain", "gain": 16**5000}, "a number of thousands of digits is not a finite"),
        ({"kind": "gain", "gain": [1, 2]}, "gain = \\[1, 2\\] is not a finite number"),
        ({"kind": "gain", "gain": 0}, "the gain cannot be 0"),
        ({"kind": "gain", "gain": 1, "sigma": -1}, "sigma cannot be negative"),
        ({"kind": "quiet_offset", "t_start_s": 0, "t_end_s": 0}, "t_end_s must be later"),
        ({"kind": "polynomial", "coefficients": 3}, "coefficients = 3 is not a list of numbers"),
        ({"kind": "polynomial", "coefficients": []}, "need a c1"),
        ({"kind": "polynomial", "coefficients": [4, 0]}, "need a c1"),
        ({"kind": "polynomial", "coefficients": [0, [1]]}, "\\[1\\] is not a finite number"),
        ({"kind": "log_detector", "zero": 0, "intercept": 0, "slope": 0}, "slope cannot be 0"),
        ({"kind": "table", "x": [0, 1], "y": [1]}, "as many y as x"),
        ({"kind": "table", "x": [0], "y": [1]}, "at least two"),
        ({"kind": "table", "x": [0, 1, 1], "y": [1, 2, 3]}, "increase or decrease strictly"),
        ({"kind": "table", "x": [], "y": []}, "at least two"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(entry, told):
    with pytest.raises(CalibrationFileError, match=told) as error:
        parse_transform(entry)
    assert "\n" not in str(error.value)


def test_the_identity_of_a_calibration_is_its_numbers_and_their_order():
    def digest(*steps: Any, **other: Any) -> str:
        facts = {"device": "d", "port": "", "version": 1, "span": Span(1)}
        units = {"input_unit": "V", "unit": "A"}
        return Calibration(**(facts | units | other), transforms=steps).digest

    gain, offset = Gain(gain=2.0), Offset(offset=1.0)
    same = digest(gain, offset)
    assert digest(gain, offset, version=9, span=Span(5, 8), reference="again") == same
    different = [
        same,
        digest(offset, gain),
        digest(gain),
        digest(Gain(gain=2.1), offset),
        digest(Gain(gain=2.0, sigma=0.1), offset),
        digest(gain, offset, unit="mA"),
        digest(gain, offset, input_unit="mV"),
    ]
    assert all(a != b for a, b in itertools.combinations(different, 2))
