"""Which source dates a shot, and what a reader hears of the others."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import permutations
from types import SimpleNamespace

import numpy as np
import pytest

from ishtar.attributes.edits import (
    Change,
    Edit,
    History,
    current,
    stated,
)
from ishtar.attributes.stated_dates import StatedDate, stated_dates
from ishtar.attributes.validation import AttributeEditError, check
from ishtar.errors import DamagedFile
from ishtar.lineage.record import OWN
from ishtar.quality import Severity
from ishtar.quality.dating import date_findings
from ishtar.shots.clocks import ClockDifference, clock_differences, clock_of, row_step_s

SECONDS, MILLI, MICRO = (
    "2026-11-22T15:00:00",
    "2026-11-22T15:00:00.730",
    "2026-11-22T15:00:00.730001",
)
EARLY, LATE = "2026-11-22T16:00:00+01:00", "2026-11-23T09:00:00+01:00"


@dataclass
class Channel:
    times: list[float]
    properties: dict = field(default_factory=lambda: {"time_base": "matched by clock"})

    def time(self):
        if not self.times:
            raise DamagedFile("it is damaged")
        return np.array(self.times)


def source(name, date, converter="tdms 1", arrived="2026-11-22T16:00:00+01:00", channels=()):
    return SimpleNamespace(
        path=SimpleNamespace(name=f"{name}.h5"),
        origin=SimpleNamespace(source=name, converter=converter, arrived=arrived, sha256="0"),
        attributes={} if date is None else {"date": date},
        properties={},
        channels={f"c{k}": c for k, c in enumerate(channels)},
    )


def plc(name, date, arrived="2026-11-22T16:00:00+01:00"):
    return source(name, date, "datecsv 1", arrived)


def log(*times):
    return source("LOG", None, "generatorlog 1", channels=[Channel(list(times))])


def edit(after, who="Ada", name="date"):
    changes = {name: Change(before=None, after=after)}
    return Edit(when="2026-11-23T08:00:00+01:00", who=who, why="", changes=changes)


def shot(*sources, edits=()):
    class Attributes(dict):
        pass

    return SimpleNamespace(
        sources=sources,
        edits=History(edits=tuple(edits)),
        attributes=Attributes(),
        number=3,
        notes=OWN,
    )


@pytest.mark.parametrize(
    ("sources", "best"),
    [
        ([source("a", SECONDS)], "a"),
        ([source("a", SECONDS), plc("z", SECONDS)], "z"),
        ([plc("a", SECONDS), source("z", MILLI)], "a"),
        ([source("a", MILLI), source("z", SECONDS)], "a"),
        ([source("a", SECONDS), source("z", MILLI)], "z"),
        ([source("a", MICRO), source("z", MILLI)], "z"),  # both resolve more than a second
        ([source("a", SECONDS), source("z", SECONDS)], "z"),
        ([plc("a", MILLI, EARLY), plc("b", SECONDS, LATE)], "b"),
        ([plc("b", MILLI, EARLY), plc("a", SECONDS, LATE)], "a"),
        # by the time, not by its text: 10:30+02:00 is before 10:00+00:00
        ([plc("a", MILLI, "2026-11-22T10:00Z"), plc("b", MILLI, "2026-11-22T10:30+02:00")], "a"),
        ([plc("a", MILLI), plc("b", MILLI)], "b"),
        ([plc("a", MILLI, "who knows"), plc("b", MILLI, "2026-11-22T10:00:00")], "b"),
        ([plc("b", MILLI, "who knows"), plc("a", MILLI, "2026-11-22T10:00:00")], "a"),
        ([plc("a", "2026-11-22"), source("z", SECONDS)], "z"),  # a day alone is no clock
        ([plc("a", "2026-11-22"), source("z", "2026-11-21")], "a"),
        ([plc("a", "15 o'clock"), source("z", "2026-11-22")], "z"),
        ([plc("a", "2026-11-22T15:00:00+01:00"), source("z", SECONDS)], "z"),
        ([source("a", None), source("z", "")], None),
    ],
)  # fmt: skip
def test_the_clock_that_counts_is_the_same_whatever_came_first(sources, best):
    for given in (sources, sources[::-1]):
        dates = stated_dates(given)
        assert (dates[0].by if dates else None) == best
        clock = clock_of(given, ())
        assert (clock.by if clock else None) == best
        assert stated(given).get("date") == (dates[0].text if dates else stated(given).get("date"))


def test_the_order_is_whole():
    names = [
        source("a", SECONDS), source("b", SECONDS), source("c", MILLI), source("d", "2026-11-22"),
        plc("e", SECONDS), plc("f", "2026-11-22"), plc("g", "never"), source("h", "never"),
    ]  # fmt: skip
    assert [d.by for d in stated_dates(names)] == list("ecbafdgh")


def test_other_attributes_follow_the_date_file_that_arrived_last():
    first, second, other = (
        plc("b", None, "2026-11-22T16:00:00+01:00"),
        plc("a", None, "2026-11-23T09:00:00+01:00"),
        source("z", None),
    )
    first.attributes["gas"], second.attributes["gas"], other.attributes["gas"] = "Ar", "He", "Xe"
    other.attributes["operator"] = "Ada"
    first.attributes["operator"] = None
    assert stated([first, second, other]) == {"gas": "He", "operator": "Ada"}


def test_what_a_date_says():
    assert StatedDate.of("a", SECONDS).moment == datetime(2026, 11, 22, 15)
    assert StatedDate.of("a", SECONDS).day == date(2026, 11, 22)
    assert StatedDate.of("a", SECONDS) == StatedDate(
        by="a", text=SECONDS, day=date(2026, 11, 22), moment=datetime(2026, 11, 22, 15)
    )
    assert [StatedDate.of("a", t).resolution_s for t in (SECONDS, MILLI, MICRO)] == [
        1.0,
        1e-3,
        1e-6,
    ]
    day = StatedDate.of("a", "2026-11-22")
    assert (day.day, day.moment, day.resolution_s) == (date(2026, 11, 22), None, 1.0)
    for text in ("", "noon", "2026-11-22T15:00:00+01:00", 7):
        nothing = StatedDate.of("a", text)
        assert (nothing.text, nothing.day, nothing.moment) == (str(text), None, None)


def test_a_person_s_correction_goes_over_all_clocks_and_may_take_the_date_away():
    sources = [plc("a", MILLI)]
    edits = [
        edit("2026-11-22T16:00:00"),
        edit("2026-11-22T17:00:00", "Bob"),
        edit("He", name="gas"),
    ]
    clock = clock_of(sources, edits)
    assert (clock.by, clock.moment) == ("the correction by Bob", datetime(2026, 11, 22, 17))
    assert clock_of(sources, [*edits, edit(None)]) is None
    assert clock_of(sources, [edit("He", name="gas")]).by == "a"
    for given in (edits, [*edits, edit(None)], []):
        clock = clock_of(sources, given)
        assert current(stated(sources), given).get("date") == (clock.text if clock else None)


def test_a_correction_is_a_local_time_without_a_zone():
    assert check({"date": "2026-11-22 15:00:00.5"}) == {"date": "2026-11-22T15:00:00.500000"}
    assert check({"date": datetime(2026, 11, 22, 15)}) == {"date": "2026-11-22T15:00:00"}
    for wrong in ("2026-11-22T15:00:00+01:00", datetime.fromisoformat("2026-11-22T15:00:00+01:00")):
        with pytest.raises(AttributeEditError, match="without a time zone"):
            check({"date": wrong})


def told(*sources, edits=()):
    return [str(d) for d in clock_differences(shot(*sources, edits=edits))]


def test_a_difference_that_the_rows_of_the_log_show_is_told():
    tdms, csv = source("x.tdms", SECONDS), plc("x.csv", MILLI)
    assert told(tdms, csv, log(0.0, 0.1, 0.2)) == [
        "x.tdms says 15:00:00, x.csv 15:00:00.730: times of the generator follow x.csv"
    ]
    assert told(tdms, csv, log(0.0, 1.0, 2.0)) == []  # less than a row


@pytest.mark.parametrize(("step", "seen"), [(0.729, True), (0.731, False)])
def test_the_step_of_the_rows_is_the_limit(step, seen):
    sources = source("x.tdms", SECONDS), plc("x.csv", MILLI), log(0.0, step, 2 * step)
    assert bool(told(*sources)) is seen


def test_a_difference_of_just_one_step_is_not_seen():
    sources = source("x.tdms", SECONDS), plc("x.csv", "2026-11-22T15:00:00.500")
    assert told(*sources, log(0.0, 0.5)) == []
    assert told(*sources, log(0.0, 0.4375)) != []


def test_without_pulses_whole_seconds_and_milliseconds_of_one_second_are_the_same():
    tdms = source("x.tdms", SECONDS)
    assert told(tdms, plc("x.csv", MILLI)) == []
    assert told(tdms, plc("x.csv", "2026-11-22T15:00:01")) == []
    assert told(tdms, plc("x.csv", "2026-11-22T15:00:01.001")) == [
        "x.tdms says 15:00:00, x.csv 15:00:01.001: the shot goes by x.csv"
    ]
    assert told(source("x.tdms", MICRO), plc("x.csv", MILLI)) == []
    assert told(source("x.tdms", "2026-11-22T15:00:00.732001"), plc("x.csv", MILLI)) == [
        "x.tdms says 15:00:00.732001, x.csv 15:00:00.730: the shot goes by x.csv"
    ]


def test_another_day_is_told_with_the_days():
    assert told(source("x.tdms", "2026-11-22T23:59:59"), plc("x.csv", "2026-11-23T00:00:01")) == [
        "x.tdms says 2026-11-22 23:59:59, x.csv 2026-11-23 00:00:01: the shot goes by x.csv"
    ]
    csv = plc("x.csv", MILLI)
    assert told(source("x.tdms", "2026-11-21"), csv) == [
        "x.tdms says 2026-11-21, x.csv 2026-11-22 15:00:00.730: the shot goes by x.csv"
    ]
    assert told(source("x.tdms", "2026-11-22"), csv) == []
    assert told(source("x.tdms", "2026-11-22"), plc("x.csv", "2026-11-22")) == []


def test_dates_that_say_nothing_are_told():
    assert told(source("x.tdms", "noon"), plc("x.csv", MILLI)) == [
        "x.tdms states the date 'noon', which is not a local time: "
        "`ishtar edit SHOT date=…` corrects it"
    ]
    (text,) = told(plc("x.csv", MILLI), edits=[edit("2026-11-22T15:00:00+01:00")])
    assert text.startswith("the correction by Ada states the date '2026-11-22T15:00:00+01:00'")
    assert told(plc("x.csv", MILLI), edits=[edit(None)]) == [
        f"x.csv says {MILLI}, but the shot's date was removed"
    ]
    assert told(source("x", None)) == []
    assert told(source("x.tdms", "noon")) == [
        "x.tdms states the date 'noon', which is not a local time: "
        "`ishtar edit SHOT date=…` corrects it"
    ]


def test_a_day_alone_is_told_beside_a_time_of_that_day():
    day, moment = (StatedDate.of(by, text) for by, text in (("a", "2026-11-22"), ("b", MILLI)))
    texts = [
        str(ClockDifference(date=d, clock=c, matched=True)) for d, c in permutations((day, moment))
    ]
    assert texts == [
        "a says 2026-11-22, b 2026-11-22 15:00:00.730: times of the generator follow b",
        "b says 2026-11-22 15:00:00.730, a 2026-11-22: times of the generator follow a",
    ]


def test_a_correction_is_told_beside_what_it_corrects():
    sources, ada = (source("x.tdms", SECONDS), plc("x.csv", MILLI)), "the correction by Ada"
    assert told(*sources, edits=[edit("2026-11-22T16:00:00")]) == [
        f"x.csv says 15:00:00.730, {ada} 16:00:00: the shot goes by {ada}",
        f"x.tdms says 15:00:00, {ada} 16:00:00: the shot goes by {ada}",
    ]


def test_the_finest_of_what_was_matched_counts_and_damage_is_passed_over():
    assert row_step_s([log(0.0, 0.2, 0.4, 5.0), log(0.0, 0.1)]) == 0.2 / 2
    assert row_step_s([log(0.0, 0.25), log(0.0, 0.5)]) == 0.25
    assert row_step_s([log(), log(0.0, 0.5)]) == 0.5
    assert row_step_s([log(1.0)]) is None
    assert row_step_s([log(0.0, 0.0, 1.0, 0.5)]) == 1.0
    other = source("x", None, channels=[Channel([0.0, 0.1], {}), Channel([0.0, 0.3])])
    assert row_step_s([other]) == 0.3


@pytest.mark.parametrize(
    ("tdms", "severity", "seconds", "is_rounding"),
    [
        (SECONDS, Severity.NOTE, -0.73, True),
        ("2026-11-22T15:00:01", Severity.NOTE, 0.27, True),
        ("2026-11-22T15:00:02", Severity.SUSPECT, 1.27, False),
        ("2026-11-22T15:00:00.830", Severity.SUSPECT, 0.1, False),
        ("2026-11-21", Severity.SUSPECT, None, False),
    ],
)
def test_what_whole_seconds_do_not_explain_is_suspect(tdms, severity, seconds, is_rounding):
    this = shot(source("x.tdms", tdms), plc("x.csv", MILLI), log(0.0, 0.05))
    (difference,) = clock_differences(this)
    assert difference.seconds == (None if seconds is None else pytest.approx(seconds))
    assert difference.is_rounding is is_rounding
    (finding,) = date_findings(this)
    assert (finding.kind, finding.severity, finding.where) == ("clocks", severity, "x.tdms")
    assert finding.text == str(difference)


def test_one_second_between_whole_seconds_is_no_rounding():
    this = shot(source("x.tdms", "2026-11-22T15:00:01"), plc("x.csv", SECONDS), log(0.0, 0.05))
    assert [f.severity for f in date_findings(this)] == [Severity.SUSPECT]
