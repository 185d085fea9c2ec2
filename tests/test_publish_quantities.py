"""Results as people say them: digits in brackets, prefixes, upper limits; columns and ranges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.publish.quantities import cell, quantity, range_text, scale_of, upper_limit
from tests.test_publish_format import plain

KINDS = [
    # with sigma: two significant digits of it, in the last places of the value
    (5_860_419.0, 15.0, "Hz", "5.860 419(15) MHz"),
    (4.1, 0.2, "eV", "4.10(20) eV"),
    (4.1, 0.0996, "eV", "4.10(10) eV"),
    (1500.0, 30.0, "eV", "1.500(30) keV"),
    (1.2e17, 1e16, "1/m^3", "1.20(10) × 10¹⁷ m⁻³"),
    (47_030.0, 1200.0, "W", "47.0(12) kW"),
    (938.2, 25.0, "W", "938(25) W"),
    (4700.0, 120.0, "", "4700(120)"),
    (-3.4, 0.034, "V", "-3.400(34) V"),
    (-4200.0, 30.0, "V", "-4.200(30) kV"),
    (0.064, 0.0003, "T", "64.00(30) mT"),
    (0.1547, 0.0019, "Pa", "0.1547(19) Pa"),  # down to 0.1 the given unit stays
    (0.61825, 0.00075, "s", "0.618 25(75) s"),
    (1.6e-4, 1.5e-5, "A", "160(15) µA"),
    (30.0, 0.1, "cm", "30.00(10) cm"),  # nobody says decicentimetres
    (45.2, 1.1, "percent", "45.2(11)%"),
    (-12.3, 0.4, "dB", "-12.30(40) dB"),
    (350.0, 12.0, "degC", "350(12) °C"),
    (0.0498, 0.0047, "", "0.0498(47)"),
    (12_345.678_91, 0.000_12, "", "12 345.678 91(12)"),
    # a prefix goes by what is printed, and is one for value and sigma
    (999.97, 0.05, "W", "999.970(50) W"),
    (999.996, 0.2, "W", "1.000 00(20) kW"),
    (2.0, 3000.0, "V", "0.0(30) kV"),
    # without sigma
    (47_000, None, "W", "47 kW"),
    (47_031, None, "W", "47.031 kW"),
    (47_031.7, None, "W", "47.03 kW"),
    (999.96, None, "W", "1 kW"),
    (0.0123, None, "s", "12.3 ms"),
    (1500.0, None, "ms", "1.5 s"),
    (1234.5, None, "s", "1234 s"),  # nobody says kiloseconds
    (3.14159, None, "", "3.142"),
    (350, None, "", "350"),
    (123_456, None, "", "123 456"),
    (0.0, None, "W", "0 W"),
    (5e-7, None, "m", "500 nm"),
    # what is no number, or has no sigma that counts
    (math.nan, 0.1, "eV", "–"),
    (None, None, "eV", "–"),
    (math.inf, None, "W", "∞ W"),
    (4.1, math.nan, "eV", "4.1 eV"),
    (4.1, math.inf, "eV", "4.1 eV"),
    (4.1, 0.0, "eV", "4.1 eV"),
    (1.0, 1e-17, "V", "1 V"),  # a sigma that float64 cannot tell from none
    (True, None, "", "yes"),
    ("Ar", None, "", "Ar"),
]


@pytest.mark.parametrize(("value", "sigma", "unit", "text"), KINDS)
def test_a_value_is_told_as_people_say_it(value, sigma, unit, text):
    assert plain(quantity(value, sigma, unit)) == text


@pytest.mark.parametrize(
    ("value", "sigma", "unit", "signed", "text"),
    [
        (2.9e-5, 5.2e-5, "W", None, "< 0.1 mW"),
        (-2.9e-5, 5.2e-5, "W", None, "< 70 µW"),
        (1e15, 1e16, "1/m^3", None, "< 2 × 10¹⁶ m⁻³"),
        (0.3, 0.5, "V", None, "0.30(50) V"),  # a voltage may lie on either side of zero
        (0.3, 0.5, "V", False, "< 1 V"),  # unless its template says that it does not
        (-3.0, 5.0, "W", True, "-3.0(50) W"),  # a balance of powers
        (5.3e-5, 5.2e-5, "W", None, "53(52) µW"),  # more than its sigma: a value
        (0.0, None, "W", None, "0 W"),  # nothing is known of its sigma
    ],
)
def test_what_cannot_be_below_zero_and_is_within_its_sigma_of_it_is_a_limit(
    value, sigma, unit, signed, text
):
    assert plain(quantity(value, sigma, unit, signed=signed)) == text


def test_what_was_glued_stays_beside_what_is_shown():
    shown = quantity(2.9e-5, 5.2e-5, "W")
    assert (shown.value, shown.sigma, shown.given) == (2.9e-5, 5.2e-5, "W")
    assert shown.is_limit


@given(st.floats(-1e3, 1e3), st.floats(1e-6, 1e3))
def test_a_limit_is_never_below_the_confidence_that_it_claims(value, sigma):
    assert upper_limit(value, sigma) >= (max(value, 0) + 1.2816 * sigma) * (1 - 1e-8)


@given(
    st.floats(allow_nan=False, allow_infinity=False, width=32),
    st.one_of(st.none(), st.floats(1e-30, 1e30)),
    st.sampled_from(["W", "eV", "s", "", "1/m^3", "cm", "mT"]),
)
def test_any_quantity_is_one_short_line(value, sigma, unit):
    text = str(quantity(value, sigma, unit))
    assert "e+" not in text
    assert len(text) < 70


def test_a_column_has_its_unit_in_the_head_and_what_does_not_fit_has_its_own():
    scale = scale_of([47e3, 30e3, 2e-5], "W")
    assert (scale.power, scale.unit) == (3, "kW")
    assert plain(cell(47e3, 1.2e3, "W", scale)) == "47.0(12)"
    assert plain(cell(250.0, 3.0, "W", scale)) == "0.2500(30)"
    assert plain(cell(2e-5, 1e-6, "W", scale)) == "20.0(10) µW"
    assert plain(cell(2e-5, 5e-5, "W", scale)) == "< 90 µW"
    assert plain(cell(None, None, "W", scale)) == "–"
    dense = scale_of([9e16, 1.2e17, 1.4e17], "1/m^3")
    assert plain(dense.unit) == "10¹⁷ m⁻³"
    assert plain(cell(1.2e17, 1e16, "1/m^3", dense)) == "1.20(10)"
    assert scale_of([0.1, 20.0, 3000.0], "") == scale_of([], "")


def test_a_column_of_mostly_nothing_has_the_unit_of_its_largest_values():
    scale = scale_of([0.8, 29e-6, 31e-6, 2e-6, 28e-6], "W")
    assert scale.unit == "W"
    assert plain(cell(0.8, None, "W", scale)) == "0.8"
    assert plain(cell(29e-6, None, "W", scale)) == "2.9 × 10⁻⁵"
    assert scale_of([0.08, 29e-6, 31e-6, 2e-3, 28e-6], "W").unit == "µW"  # 80 000 has five digits


def test_a_range_is_told_in_one_unit():
    assert plain(range_text(9.61e16, 1.44e17, "1/m^3")) == "(0.96 … 1.44) × 10¹⁷ m⁻³"
    assert plain(range_text(45e3, 48e3, "W")) == "45 … 48 kW"
    assert plain(range_text(3.07e-5, 530.0, "W")) == "0 … 530 W"
    assert plain(range_text(-3.4, 12.25, "V")) == "-3.4 … 12.2 V"
    assert plain(range_text(3.0, 3.0, "percent")) == "3%"
