"""Units: what is not known is refused, and conversion is a factor or nothing."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.errors import UnitError
from ishtar.quantity import Measured
from ishtar.units import PLAIN, check_unit, factor, parse_quantity, parse_unit, registry


def test_the_units_that_need_no_asking_mean_to_pint_what_they_mean_to_us():
    for unit in PLAIN:
        quantity = 3.0 * parse_unit(unit)
        assert quantity.to_base_units().magnitude >= 0
    assert factor("mT", "T") == pytest.approx(1e-3)
    assert factor("m^-3", "1/cm^3") == pytest.approx(1e-6)
    assert parse_unit("V") == registry().volt


def test_equal_and_everyday_units_do_not_load_pint():
    code = (
        "import sys; from ishtar.units import check_unit, factor; check_unit('1/m^3'); "
        "assert factor('V', 'V') == 1.0; assert 'pint' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("mA", "A", 1e-3),
        ("Volts", "V", 1.0),  # LabVIEW
        ("Amps", "mA", 1e3),
        ("amps", "A", 1.0),
        ("degC", "celsius", 1.0),
        ("1", "", 1.0),
        ("count", "", 1.0),
        ("%", "", 0.01),
        ("V*A", "W", 1.0),
        ("eV", "J", 1.602176634e-19),
    ],
)
def test_units_are_a_factor_apart(source, target, expected):
    assert factor(source, target) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("V", "A", "'V' does not fit 'A'"),
        ("V", "", "'V' does not fit ''"),
        ("Vlt", "V", "unknown unit 'Vlt'"),
        ("Vlt", "Vlt", "unknown unit 'Vlt'"),
        ("3 V", "V", "unknown unit '3 V'"),
        ("VOLTS!", "V", "unknown unit"),
        ("(((", "V", "unknown unit"),
        ("degC", "K", "'degC' cannot be scaled to 'K': use an absolute unit"),
        ("degC", "degF", "cannot be scaled"),
        ("dBm", "mW", "cannot be scaled"),
    ],
)
def test_units_that_are_no_factor_apart_are_refused(source, target, told):
    with pytest.raises(UnitError) as error:
        factor(source, target)
    assert told in str(error.value)


@given(st.text(max_size=12))
def test_no_text_crashes_the_check(text):
    with contextlib.suppress(UnitError):
        check_unit(text)


@pytest.mark.parametrize(
    "text",
    [
        *("9**9**9", "9^9^9", "(9**99)**99", "m^1000", "2**99", "m^9^9^9", "m^(9)^9", "(3*m)^9"),
        *("((9**99*1)**99*1)**99", "m^1e9", "m^9)9", "V" * 600, "m^2*9**9**9"),
    ],
)
def test_a_text_that_pint_would_compute_for_ever_is_no_unit(text):
    with pytest.raises(UnitError, match="unknown unit"):
        check_unit(text)


@pytest.mark.parametrize(
    "text",
    [
        *("m^-3", "1/m^3", "(m/s)^2", "kg*m^2/s^3", "m**-3", "T/A", "kg m^2 / s^2", "kg·m^2"),
        *("(1/m^3) ** 1.0 * (eV) ** 1.0", "(1/m^3) ** 0.3333333333333333", "V/Hz^0.5", "m^(1/2)"),
    ],
)
def test_powers_of_units_are_units(text):
    check_unit(text)


def test_what_is_no_text_is_no_unit():
    for unit in (None, 3, ["V"]):
        with pytest.raises(UnitError, match="write it as text"):
            check_unit(unit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [("5 mm", "m", 5e-3), (" 1e-4  T/A ", "T/A", 1e-4), ("12", "", 12.0), ("3 kW", "W", 3000.0)],
)
def test_quantities_are_a_number_a_space_and_a_unit(text, unit, expected):
    assert parse_quantity(text, unit) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", [5, 5.0, True, None, "5mm", "mm", "", "nan m", "inf m", "5", "5 V", "5 mmm", "five mm"]
)
def test_anything_else_is_no_quantity(text):
    with pytest.raises(UnitError):
        parse_quantity(text, "m")


def test_a_measured_value_is_written_with_its_sigma_where_it_has_one():
    assert str(Measured(4.1234, 0.21, "eV")) == "4.123 ± 0.21 eV"
    assert str(Measured(4.1234, float("nan"), "eV")) == "4.123 eV"


@pytest.mark.parametrize(
    ("value", "sigma", "shown"),
    [
        (5_860_356.93, 15.2, "5860357 ± 15 Hz"),
        (-0.0639748, 4.4e-6, "-0.0639748 ± 4.4e-06 Hz"),
        (400.0, 2.0, "400 ± 2 Hz"),
        (1.0, 1e-300, "1 ± 1e-300 Hz"),
        (0.0, 0.2, "0 ± 0.2 Hz"),
        (float("nan"), 0.2, "nan ± 0.2 Hz"),
    ],
)
def test_a_value_is_written_as_far_as_its_sigma_reaches(value, sigma, shown):
    assert str(Measured(value, sigma, "Hz")) == shown
