"""Which shot a file belongs to: dates, times and values in its name are no shot numbers."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest

from runner.ingest import IngestSettings, Layout, Rejected, ingest_file, shot_in

DEFAULT = IngestSettings()


@pytest.mark.parametrize(
    ("name", "shot"),
    [
        ("01234_Data.tdms", 1234),
        ("1234.tdms", 1234),
        ("01234_Data_2.tdms", 1234),
        ("Data_01234.tdms", 1234),
        ("#12345.lvm", 12345),
        ("shot 1301.tdms", 1301),
        ("Shot1301.tdms", 1301),
        ("Schuss Nr. 1301.tdms", 1301),
        ("shot 1301 run 2.tdms", 1301),
        ("run 2 shot 1301.tdms", 1301),
        ("22.11.2026 shot 1301.tdms", 1301),
        ("22.11.2026_1361.tdms", 1361),
        ("22. November 2026_1361.tdms", 1361),
        ("Nov 22 2026 1361.tdms", 1361),
        ("1301 10 PM.tdms", 1301),
        ("1301 10.30 Uhr.tdms", 1301),
        ("2026-11-22_10-30-00+0100_1301.tdms", 1301),
        ("2026-11-22T10:30:00+01:00 1301.tdms", 1301),
        ("mark_1301.tdms", 1301),
        ("1_dec.tdms", 1),
        ("shot_12_PM1.tdms", 12),
        ("12_PM1.tdms", 12),
        ("shot_7_PM.lvm", 7),
        ("#7 pm.lvm", 7),
        ("shot 12 am.lvm", 12),
        ("shot 12 mar.h5", 12),
        ("shot_12_Dec.tdms", 12),
        ("Shot 5_may.tdms", 5),
        ("2026-11-22-1375.tdms", 1375),
        ("20261122-1375.tdms", 1375),
        ("22.11.2026-4567.tdms", 4567),
        ("10-30-00-4567.tdms", 4567),
        ("31-12-26_123.tdms", 123),
        ("26-11-22_123.tdms", 123),
        ("10-30-00_1301.tdms", 1301),
        ("1301 2026-Nov-22 10.30 Uhr.tdms", 1301),
        ("2026-11-22T10-30-00.123+0100 1301.tdms", 1301),
        ("2026-11-22_10-30-00 UTC+1_1301.tdms", 1301),
        ("may_1301.tdms", 1301),
        ("1301_2026-11-22.tdms", 1301),
        ("2026-11-22_10-30-00_1301.tdms", 1301),
        ("2026-11-22T10.30.00.123 shot 1301.tdms", 1301),
        ("20261122_103000_1301.tdms", 1301),
        ("tomas_powerbox_15_52_30_1.LVM", 1),
        ("tomas_powerbox_15_53_02_14.LVM", 14),
        ("1302_15h30.tdms", 1302),
        ("4.5kW_1302.tdms", 1302),
        ("4,5 kW 1302.tdms", 1302),
        ("1302 500 W.tdms", 1302),
        ("0.5Pa_12ms_1302.tdms", 1302),
        ("3He_1302.tdms", 1302),
        ("CH1_1302.tdms", 1302),
        ("2026.tdms", 2026),  # nothing says that it is a year
        ("01302_A.tdms", 1302),  # a letter, not amperes: there is no other number
    ],
)
def test_a_name_gives_its_one_shot_number(name: str, shot: int) -> None:
    assert shot_in(name, DEFAULT) == shot


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("2026-11-22_10-30-00.tdms", "a date or a time of day, but no shot number"),
        ("22.11.2026.tdms", "a date or a time of day, but no shot number"),
        ("20261122T103000Z.tdms", "a date or a time of day, but no shot number"),
        ("10-31-12 data.tdms", "a date or a time of day, but no shot number"),
        ("10-30-00.123.tdms", "a date or a time of day, but no shot number"),
        ("15h30m12s.tdms", "a date or a time of day, but no shot number"),
        ("10 PM.tdms", "a date or a time of day, but no shot number"),
        ("10 Uhr.tdms", "a date or a time of day, but no shot number"),
        ("10.30 p.m..tdms", "a date or a time of day, but no shot number"),
        ("22. November.tdms", "a date or a time of day, but no shot number"),
        ("22 Nov 2026.tdms", "a date or a time of day, but no shot number"),
        ("Nov 2026.tdms", "a date or a time of day, but no shot number"),
        ("5. März 2026.tdms", "a date or a time of day, but no shot number"),
        ("2026-11-22_10-30-00+0100.tdms", "a date or a time of day, but no shot number"),
        ("22-Nov-26.lvm", "a date or a time of day, but no shot number"),
        ("2026-Nov-22.lvm", "a date or a time of day, but no shot number"),
        ("10 Uhr 30.lvm", "a date or a time of day, but no shot number"),
        ("2026-11-22_10-30-00+01.lvm", "a date or a time of day, but no shot number"),
        ("2026-11-22_10-30-00 UTC+1.lvm", "a date or a time of day, but no shot number"),
        ("2026-11-22T10-30-00.123+0100.lvm", "a date or a time of day, but no shot number"),
        ("22 Nov 2026 1030.lvm", "1030 or a time of day"),
        ("Nov 22, 2026 1030.lvm", "1030 or a time of day"),
        ("26-11-22_1030.lvm", "1030 or a time of day"),
        ("22.11.26 1030.lvm", "1030 or a time of day"),
        ("2026-11-22_103000.lvm", "103000 or a time of day"),
        ("31.12.26_001302.tdms", "001302 or a time of day"),
        ("22.11.2026 103000.lvm", "103000 or a time of day"),
        ("2026-11-22_1030.tdms", "1030 or a time of day"),
        ("22.11.2026 1031.tdms", "1031 or a time of day"),
        ("22.11.2026_1301.tdms", "1301 or a time of day"),
        ("20261122_153012_123.tdms", "123 or a time of day"),
        ("2026-11-22_10-30-00_123.tdms", "123 or a time of day"),
        ("10-30-00-123.tdms", "123 or a time of day"),
        ("20261122_1030.tdms", "1030 or a time of day"),
        ("2026_11_22_1030.tdms", "1030 or a time of day"),
        ("shot_2026_0042.tdms", "2026 or 0042"),
        ("2026_0042.tdms", "2026 or 0042"),
        ("1302_3.tdms", "1302 or 3"),
        ("12_10_30_15.tdms", "12 or 10 or 30 or 15"),
        ("2_channels_1302.tdms", "2 or 1302"),
        ("1301_and_1302.tdms", "1301 or 1302"),
        ("shot 1301 shot 1302.tdms", "1301 or 1302"),
        ("Data.tdms", "no separate shot number"),
        ("M6251.tdms", "no separate shot number"),
        ("4.5kW.tdms", "no separate shot number"),
        ("1234.5.tdms", "no separate shot number"),
        ("7b_Data.tdms", "no separate shot number"),
        ("1302½.tdms", "no separate shot number"),
        ("٣٤.tdms", "no separate shot number"),
        ("00000_Data.tdms", "which go from 1 to 99999"),
        ("100000_Data.tdms", "which go from 1 to 99999"),
    ],
)
def test_a_name_that_may_mean_several_shots_or_none_is_refused(name: str, why: str) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        shot_in(name, DEFAULT)
    assert "--shot N" in str(refused.value)


def by(pattern: str, **more: int) -> IngestSettings:
    return IngestSettings(shot_pattern=pattern, **more)


YEARLY = r"shot_(?P<year>\d{4}|\d\d)_(?P<shot>\d+)"


@pytest.mark.parametrize(
    ("pattern", "path", "shot"),
    [
        (YEARLY, "shot_2026_0042.tdms", 20260042),
        (YEARLY, "shot_26_42.TDMS", 20260042),
        (r"^(?P<year>\d\d)(?P<shot>\d{4})\.", "260042.lvm", 20260042),
        (r"^(?P<shot>\d{4})(?P<year>\d\d)\.", "004226.lvm", 20260042),
        (r"(?P<year>\d{4})/\d\d-\d\d/(?P<shot>\d+)_", "2026/11-22/0042_Data.tdms", 20260042),
        (r"^\d{4}-\d\d-\d\d/(?P<shot>\d+)", "2026-11-22/0042.tdms", 42),
        (r"powerbox_\d\d_\d\d_\d\d_(?P<shot>\d+)\.lvm$", "tomas_powerbox_15_52_30_1.LVM", 1),
        (r"_(?P<shot>\d+)\.", "2026-11-22_10-30-00_77.tdms", 77),
    ],
)
def test_a_facility_says_how_its_names_are_built(pattern: str, path: str, shot: int) -> None:
    assert shot_in(PurePath(path), by(pattern)) == shot


@pytest.mark.parametrize(
    ("pattern", "path", "why"),
    [
        (r"shot_(?P<shot>\d{4})", "shot_12345.tdms", "does not match"),  # never a part of a number
        (r"shot_(?P<shot>\d{4})", "01234_Data.tdms", "does not match"),  # and never the default
        (r".*(?P<shot>\d+)", "shot1302.lvm", "does not match"),
        (r"\w*(?P<shot>\d+)\.lvm", "shot1302.lvm", "does not match"),
        (r"(?P<shot>\d+?).*\.lvm", "1302_box.lvm", "does not match"),
        (r"(?P<shot>\d{4})\d*", "130255_x.lvm", "does not match"),
        (r".*(?P<shot>\d{1,6})_box", "001302_box.lvm", "does not match"),
        (r"(?P<shot>\d+)", "1301_2.lvm", "matches in several ways"),
        (r"(?P<shot>\w+)\.lvm", "abc.lvm", "does not match"),
        (YEARLY, "shot_2026_0.tdms", "not a shot number within a year"),
        (YEARLY, "shot_2026_10000.tdms", "not a shot number within a year"),
    ],
)
def test_a_name_that_does_not_fit_the_pattern_is_refused(pattern: str, path: str, why: str) -> None:
    with pytest.raises(Rejected, match=why) as refused:
        shot_in(path, by(pattern))
    assert "--shot N" in str(refused.value)


def test_a_facility_with_many_shots_a_year_keeps_room_for_them() -> None:
    settings = by(YEARLY, shots_per_year=1_000_000)
    assert shot_in("shot_2026_123456.tdms", settings) == 2026_123456


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "not a regular expression"),
        (r"(\d+)", "needs a group"),
        (r"(?P<year>\d+)", "needs a group"),
        (r"(?P<shot>\d+)(?P<day>\d+)", "may have one more"),
    ],
)
def test_a_pattern_that_cannot_work_is_said_before_any_file(pattern: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        by(pattern)


def test_a_csv_may_state_the_number_of_a_shot_within_its_year(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path / "workspace")
    results = []
    for name, shot in (("shot_2026_0042.csv", 42), ("shot_2027_42.csv", 20270042)):
        path = tmp_path / name
        path.write_text(f"Date;2026-11-22 15:00:00\nShot;{shot}\n")
        outcome = ingest_file(path, layout=layout, settings=by(YEARLY))
        results.append((outcome.status, outcome.shots))
    assert results == [("stored", [20260042]), ("stored", [20270042])]
    path = tmp_path / "shot_2026_0043.csv"
    path.write_text("Date;2026-11-22 15:00:00\nShot;42\n")
    assert ingest_file(path, layout=layout, settings=by(YEARLY)).status == "quarantined"
