"""Numbers, units, sizes and times as the pages print them."""

from __future__ import annotations

import math
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.publish.format import (
    common_power,
    day_text,
    number,
    quantity,
    range_text,
    scaled_unit,
    seconds_text,
    size_text,
    time_text,
    unit_text,
)


def plain(text: object) -> str:
    """Return the text with ordinary spaces and minus signs."""
    return str(text).replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-")


@pytest.mark.parametrize(
    ("value", "sigma", "unit", "text"),
    [
        (4.1, 0.2, "eV", "4.10 ± 0.20 eV"),
        (4.1, 0.0996, "eV", "4.10 ± 0.10 eV"),
        (1.2e17, 1e16, "1/m^3", "(1.20 ± 0.10) × 10¹⁷ m⁻³"),
        (1.2e17, None, "1/m^3", "1.2 × 10¹⁷ m⁻³"),
        (-3.4, 0.034, "V", "-3.400 ± 0.034 V"),
        (5.0, 100.0, "V", "5 ± 100 V"),
        (0.0, 0.2, "V", "0.00 ± 0.20 V"),
        (938.2, 25.0, "W", "938 ± 25 W"),
        (3.14159, None, "", "3.142"),
        (350, None, "", "350"),
        (123456, None, "", "123 456"),
        (math.nan, 0.1, "eV", "–"),
        (4.1, math.nan, "eV", "4.1 eV"),
        (None, None, "eV", "–"),
        (True, None, "", "yes"),
        ("Ar", None, "", "Ar"),
    ],
)
def test_a_value_gets_the_digits_that_its_sigma_supports(value, sigma, unit, text):
    assert plain(quantity(value, sigma, unit)) == text


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.one_of(st.none(), st.floats(min_value=1e-30, max_value=1e30)),
)
def test_any_number_can_be_printed_on_one_short_line(value, sigma):
    text = number(value, sigma)
    assert "\n" not in text
    assert "e+" not in text
    assert len(text) < 70


@pytest.mark.parametrize(
    ("unit", "text"),
    [
        ("1/m^3", "m⁻³"),
        ("m**-3", "m⁻³"),
        ("A/V", "A/V"),
        ("W/m**2", "W/m²"),
        ("kg*m^2/s^2/A", "kg m² s⁻² A⁻¹"),
        ("degC", "°C"),
        ("us", "µs"),
        ("dimensionless", ""),
        ("1", ""),
        ("", ""),
        ("a b!", "a b!"),
        ("<b>", "<b>"),
    ],
)
def test_units_are_written_as_products_of_powers(unit, text):
    assert plain(unit_text(unit)) == text


def test_a_column_gives_its_power_of_ten_to_its_head():
    assert common_power([9e16, 1.2e17, 1.4e17]) == 17
    assert common_power([0.1, 20.0, 3000.0]) == 0
    assert common_power([]) == 0
    assert plain(scaled_unit(17, "1/m^3")) == "10¹⁷ m⁻³"
    assert plain(range_text(9.61e16, 1.44e17)) == "(0.96 … 1.44) × 10¹⁷"
    assert plain(range_text(3.07e-5, 530.0)) == "0 … 530"
    assert plain(range_text(-3.4, 12.25)) == "-3.4 … 12.2"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(41, "41 B"), (52_428_800, "52.4 MB"), (999_960, "1.0 MB"), (3e9, "3.0 GB")],
)
def test_sizes_have_decimal_prefixes(n_bytes, text):
    assert plain(size_text(n_bytes)) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.001, "< 0.01 s"),
        (0.42, "0.42 s"),
        (12.3, "12 s"),
        (125, "2 min 05 s"),
        (4000, "1 h 06 min"),
    ],
)
def test_durations_read_as_a_clock(seconds, text):
    assert plain(seconds_text(seconds)) == text


def test_times_and_days_need_no_locale():
    assert time_text(datetime(2026, 11, 22, 10, 1, 2)) == "2026-11-22 10:01:02"
    assert time_text("2026-11-22T10:01:02+01:00", date=False) == "10:01:02"
    assert time_text("not a time") == "not a time"
    assert day_text("2026-11-22") == "Sunday 22 November 2026"
