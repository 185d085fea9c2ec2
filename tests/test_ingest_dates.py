"""Dates and times of day: all of a text is read, or nothing of it."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ingest.parsing.dates import (
    LONGEST,
    find_date,
    iso,
    parse_date,
    parse_moment,
    parse_time,
)

HALF_PAST_THREE = dt.datetime(2026, 11, 22, 15, 30)
TWELVE_LATER = dt.datetime(2026, 11, 22, 15, 30, 12)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("9:04", 32640),
        ("09:04:06", 32646),
        ("15:30:12,733", 55812.733),
        ("15:30:12.733456", 55812.733456),
        ("15:30:12,4435127999997708487", 55812.443513),
        ("15:30:12:733", 55812.733),
        ("03:00:00.0 PM", 54000),
        ("10:00:00 PM", 79200),
        ("12:30 AM", 1800),
        ("12:30 PM", 45000),
        ("3 PM", 54000),
        ("3:00 p.m.", 54000),
        ("3:00 P. M.", 54000),
        ("3:00\u202fPM", 54000),  # the narrow blank of newer systems
        ("0:30 AM", 1800),
        ("15:30 PM", 55800),
        ("15.30.12", 55812),
        ("15.30.12,5", 55812.5),
        ("15h30", 55800),
        ("15h30m12", 55812),
        ("15 h 30 min 12.5 s", 55812.5),
        ("15.30 Uhr", 55800),
        ("15 Uhr", 54000),
        ("24:00:00", 86400),
        ("23:59:60", 86400),  # a leap second
        ("00:00:00", 0),
    ],
)
def test_a_time_of_day_is_read_as_people_write_it(text: str, seconds: float) -> None:
    after = parse_time(text)
    assert after is not None
    assert after.total_seconds() == pytest.approx(seconds, abs=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        *("", "15", "25:00", "24:00:01", "23:58:60", "15:60", "15:30:61", "9:4", "-1:00"),
        *("15.30", "15,5", "15:30,5", "15:30:12.", "15h", "0:30 PM", "13:00 AM", "24:00 PM"),
        *("15:30:12 or so", "at 15:30", "15:30:12Z", "153012", "T15:30", "quarter past three"),
        *("٣:٠٠:٠٠", "15:30:12 PM AM", "15:30\x00", "15:30:12 XM", "nan", "1e3", "15:30:12.7\x1e"),
    ],
)
def test_what_is_no_time_of_day_is_none_and_never_midnight(text: str) -> None:
    assert parse_time(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22", "2026/11/22", "2026.11.22", "2026_11_22", "20261122", " 2026-11-22 "),
        *("22.11.2026", "22. 11. 2026", "22.11.26", "22-Nov-2026", "22-Nov-26", "22Nov2026"),
        *("22 November 2026", "22nd November 2026", "22. November 2026", "Nov 22, 2026"),
        *("November 22nd, 2026", "2026-Nov-22", "11/22/2026", "22/11/2026", "11/22/26"),
        *("Sun 22 Nov 2026", "So., 22.11.2026", "Sunday, November 22, 2026", "SUN 2026-11-22"),
    ],
)
def test_a_date_is_read_in_english_and_in_german(text: str) -> None:
    assert parse_date(text) == dt.date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("3. Mai 2026", dt.date(2026, 5, 3)),
        ("3. März 2026", dt.date(2026, 3, 3)),
        ("3 Okt 2026", dt.date(2026, 10, 3)),
        ("24. Dez 2026", dt.date(2026, 12, 24)),
        ("01.02.99", dt.date(1999, 2, 1)),
        ("05/05/2026", dt.date(2026, 5, 5)),
    ],
)
def test_a_date_means_one_day(text: str, date: dt.date) -> None:
    assert parse_date(text) == date


@pytest.mark.parametrize(
    "text",
    [
        *("05/06/2026", "05-06-2026", "22-11-26", "11.22.2026", "30.02.2026", "2026-13-01"),
        *("Mon 22 Nov 2026", "Xyz 22 Nov 2026", "22 Brumaire 2026", "2026/11-22", "2026"),
        *("log of 2026-11-22", "2026-11-22 10:00", "1904-01-01", "0001-01-01", "9999-12-31"),
        *("2026-11", "22.11.", "2026-11-22x", "12026-11-22", "", "22.11.202"),
    ],
)
def test_a_date_of_two_readings_or_with_a_rest_is_none(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22 15:30:12", "2026-11-22T15:30:12", "2026-11-22 03:30:12 PM"),
        *("22.11.2026 15.30.12", "22.11.2026, 15:30:12", "22.11.2026 um 15h30m12"),
        *("20261122T153012", "20261122_153012", "20261122 153012", "20261122153012"),
        *("2026-11-22_15-30-12", "2026_11_22_15-30-12", "Nov 22, 2026 3:30:12 PM"),
        *("Sun Nov 22 15:30:12 2026", "15:30:12 22.11.2026", "22-Nov-2026 15:30:12"),
        *("Sonntag, 22. November 2026, 15:30:12 Uhr", "11/22/2026 3:30:12 p.m."),
    ],
)
def test_a_moment_is_a_date_and_its_time(text: str) -> None:
    assert parse_moment(text) == TWELVE_LATER


def test_a_moment_may_leave_out_the_seconds_and_end_a_day() -> None:
    for text in ("22.11.2026 15.30", "20261122T1530", "2026-11-22 15h30"):
        assert parse_moment(text) == HALF_PAST_THREE
    assert parse_moment("2026-11-22 24:00") == dt.datetime(2026, 11, 23)
    assert parse_moment("2026-12-31 23:59:60") == dt.datetime(2027, 1, 1)


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("2026-11-22T15:30:12Z", 0),
        ("2026-11-22 15:30:12 UTC", 0),
        ("2026-11-22T15:30:12.000000+01:00", 1),
        ("2026-11-22 15:30:12+0100", 1),
        ("2026-11-22T15:30:12-05:00", -5),
        ("2026-11-22 3:30:12 PM +01", 1),
        ("2026-11-22 15:30:12 CET", 1),
        ("2026-11-22 15:30:12 MEZ", 1),
        ("2026-07-22 15:30:12 CEST", 2),
        ("2026-10-25 02:30:00 CEST", 2),  # the hour that the clocks show twice
        ("2026-10-25 02:30:00 CET", 1),
    ],
)
def test_a_moment_keeps_its_zone(text: str, hours: int) -> None:
    moment = parse_moment(text)
    assert moment is not None
    assert moment.utcoffset() == dt.timedelta(hours=hours)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22", "15:30:12", "2026-11-22 ", "2026-11-22T", "2026-11-22 UTC"),
        *("2026-11-22 25:00", "2026-11-22 or so", "2026-11-22 15:30 maybe", "05/06/2026 15:30"),
        *("2026-07-22 15:30:12 CET", "2026-11-22 15:30:12 EST", "2026-11-22 15:30:12+99:00"),
        *("2026-11-22 10:30-11:00", "2026-11-22 15:30:12 [Europe/Berlin]", "3878186400.0"),
        *("1795341600", "30.02.2026 10:00", "2026-11-22 +01:00", "yesterday", "2026-11-22 1530"),
    ],
)
def test_what_is_no_whole_moment_is_none(text: str) -> None:
    assert parse_moment(text) is None


@given(st.text(max_size=2 * LONGEST))
def test_no_text_is_too_odd_for_the_parsers(text: str) -> None:
    assert parse_time(text) is None or ":" in text or any(c in text.casefold() for c in ".hmu")
    assert parse_moment(text) is None or any(c.isdigit() for c in text)
    find_date(text)


@given(st.datetimes(min_value=dt.datetime(1905, 1, 1), max_value=dt.datetime(2199, 12, 31)))
def test_what_is_written_as_iso_is_read_again(moment: dt.datetime) -> None:
    assert parse_moment(iso(moment)) == moment
    assert parse_moment(f"{moment:%d.%m.%Y %I:%M:%S.%f %p}") == moment
    assert parse_date(f"{moment:%d-%b-%Y}") == moment.date()


def test_iso_text_has_the_digits_that_the_moment_has() -> None:
    assert iso(dt.datetime(2026, 1, 2, 3, 4, 5, 1)) == "2026-01-02T03:04:05.000001"
    assert iso(dt.datetime(2026, 1, 2, 3, 4, 5, 1000)) == "2026-01-02T03:04:05.001"
    assert iso(dt.datetime(2026, 1, 2, 3, 4, 5)) == "2026-01-02T03:04:05"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("GENERATOR_2026-11-22.txt", dt.date(2026, 11, 22)),
        ("generator_20261122_153000.log", dt.date(2026, 11, 22)),
        ("generator_20261122153000.log", dt.date(2026, 11, 22)),
        ("gen_v1.2.26_22.11.2026", dt.date(2026, 11, 22)),
        ("log of Nov 22, 2026, by kovacs", dt.date(2026, 11, 22)),
        ("22.11.26 RF.txt", dt.date(2026, 11, 22)),
        ("2026-11-22 to 2026-11-23", None),
        ("generator_05-06-2026", None),
        ("shot 12345678901", None),
        ("", None),
    ],
)
def test_the_one_date_in_a_text_is_found(text: str, date: dt.date | None) -> None:
    assert find_date(text) == date
