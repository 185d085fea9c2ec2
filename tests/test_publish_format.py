"""Numbers, units, sizes and times as the pages print them."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.render.format import (
    common_power,
    day_text,
    number,
    seconds_text,
    size_text,
    time_text,
    unit_text,
)


def plain(text: object) -> str:
    """Return the text with ordinary spaces and minus signs."""
    return str(text).replace("\u00a0", " ").replace("\u202f", " ").replace("\u2212", "-")


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
