"""Small inputs that each stand for a kind seen in the field, where they lie."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ishtar.store import Channel, SourceFile
from runner.ingest import IngestSettings, Layout, Outcome, Rejected, ingest_file, shot_in
from tests.ingest_fakes import source_of

CASES = Path(__file__).resolve().parents[2] / "shared" / "cases"
pytestmark = [
    pytest.mark.whole,
    pytest.mark.skipif(not CASES.is_dir(), reason=f"no cases in {CASES}"),
]
SETTINGS = IngestSettings(truncated_wait_s=0.0)


@dataclass
class Case:
    """What became of a file."""

    outcome: Outcome

    @property
    def source(self) -> SourceFile:
        return source_of(self.outcome)

    def channel(self, name: str) -> Channel:
        found = [c for p, c in self.source.channels.items() if p.split("/")[-1] == name]
        (channel,) = found
        return channel

    def values(self, name: str) -> list[float]:
        return self.channel(name).scaled().tolist()

    def times(self, name: str) -> Any:
        channel = self.channel(name)
        assert channel.x_unit == "s"
        return channel.time()


@pytest.fixture
def case(tmp_path: Path) -> Callable[[str], Case]:
    """Give what becomes of a case, named as in its README."""

    def take(name: str) -> Case:
        (path,) = [p for p in CASES.glob(f"{name}*")]
        return Case(ingest_file(path, layout=Layout.of(tmp_path), settings=SETTINGS))

    return take


def near(times: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(times, expected, rtol=0, atol=1e-9)


def test_two_cards_that_started_apart(case: Callable[[str], Case]) -> None:
    found = case("tdms/00001_two_starts")
    assert found.times("a")[0] == 0.0
    near(found.times("b")[:1], [0.5])


def test_a_pause_between_segments(case: Callable[[str], Case]) -> None:
    times = case("tdms/00002_pause").times("a")
    assert len(times) == 10
    near(times[5:] - times[:5], [10.0] * 5)


def test_a_sample_time_in_text(case: Callable[[str], Case]) -> None:
    source = case("tdms/00007_text_sampletime").source
    for channel in source.channels.values():
        assert (channel.x_unit, channel.dt, channel.t0) == ("s", 1e-5, -0.5)


@pytest.mark.parametrize("name", ["tdms/00009_time_lower", "tdms/00010_time_stamps"])
def test_a_time_channel_of_another_kind(case: Callable[[str], Case], name: str) -> None:
    source = case(name).source
    timed = [c for c in source.channels.values() if c.path.split("/")[-1].lower() != "time"]
    assert timed
    for channel in timed:
        assert channel.x_unit == "s"
        near(channel.time(), [0, 0.1, 0.2, 0.3, 0.4])


def test_scaled_complex_numbers(case: Callable[[str], Case]) -> None:
    source = case("tdms/00015_complex_scaled").source
    (re,) = [c for p, c in source.channels.items() if p.endswith(".re")]
    (im,) = [c for p, c in source.channels.items() if p.endswith(".im")]
    assert (re.scaled() + 1j * im.scaled()).tolist() == [12 + 4j, 16 + 8j]


def test_an_increment_in_milliseconds(case: Callable[[str], Case]) -> None:
    for channel in case("tdms/00021_ms_increment").source.channels.values():
        assert (channel.x_unit, channel.dt) == ("s", pytest.approx(1e-4, rel=1e-12))


@pytest.mark.parametrize(
    ("name", "date"),
    [
        ("lvm/00102_pm", "2026-11-22T15:00:00"),
        ("csv/00201_Date", "2026-11-22T15:00:00"),
        ("csv/00209_Date", "2026-11-22T15:30:12"),
        ("hdf5/00406_Data", "2026-11-22T15:00:00"),
    ],
)
def test_times_of_day(case: Callable[[str], Case], name: str, date: str) -> None:
    assert case(name).source.attributes["date"] == date


def test_x_in_seconds_since_1904(case: Callable[[str], Case]) -> None:
    near(case("lvm/00108_x_absolute_1904").times("U"), [0, 0.1, 0.2, 0.3])


def test_a_pause_without_x(case: Callable[[str], Case]) -> None:
    times = case("lvm/00112_no_x_second_seg_gap").times("U")
    near(times, [0, 0.1, 0.2, 0.3, 5.0, 5.1, 5.2, 5.3])


def test_a_later_segment_in_another_unit(case: Callable[[str], Case]) -> None:
    found = case("lvm/00118_seg2_other_units")
    if found.outcome.status == "quarantined":
        assert "mV" in found.outcome.reason
        return
    assert found.channel("U").unit == "V"
    np.testing.assert_allclose(
        found.values("U"), [1.5, 2.5, 3.5, 4.5, 0.0015, 0.0025, 0.0035, 0.0045], rtol=1e-12
    )


def test_more_rows_than_samples(case: Callable[[str], Case]) -> None:
    found = case("lvm/00120_samples_less_than_rows")
    if found.values("U") != [1.5, 2.5, 3.5, 4.5]:
        assert found.values("U") == [1.5, 2.5]
        assert "2" in found.outcome.reason


def test_columns_with_an_x_each_as_labview_writes_them(case: Callable[[str], Case]) -> None:
    found = case("lvm/00124_multi_three_channels")
    for name, unit, values, start, step in (
        ("U", "V", [1, 2, 3, 4], 1.0, 0.1),
        ("I", "A", [10, 20], 1.5, 0.2),
        ("p", "Pa", [100, 200, 300, 400], 2.0, 0.1),
    ):
        assert (found.channel(name).unit, found.values(name)) == (unit, values)
        # counted from the file's time, which the shot's zero may differ from
        zero = found.times("U")[0] - 1.0
        near(found.times(name) - zero, (start + step * np.arange(len(values))).tolist())


def test_a_pulse_of_the_evening_belongs_to_the_shot_of_the_evening(tmp_path: Path) -> None:
    layout = Layout.of(tmp_path / "workspace")
    folder = tmp_path / "files"
    shutil.copytree(CASES / "generator", folder)
    for path in sorted(folder.iterdir()):
        outcome = ingest_file(path, layout=layout, settings=SETTINGS)
        assert outcome.status == "stored", outcome.reason
    stored = {n: [p.name for p in (layout.shots / n).glob("GEN*")] for n in ("00301", "00302")}
    assert [len(names) for names in stored.values()] == [1, 0]
    (path,) = (layout.shots / "00301").glob("GEN*")
    power = SourceFile(path).channels["Generator/ForwardPower"]
    assert power.scaled().tolist() == [500.0] * 5
    near(power.time(), [2, 3, 4, 5, 6])


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("hdf5/00501_short_chunk", "chunk"),
        ("hdf5/00502_external_storage", "external"),
        ("hdf5/00505_claims_2_40_samples", "claim"),
    ],
)
def test_an_archive_that_claims_what_it_does_not_hold(
    case: Callable[[str], Case], name: str, why: str
) -> None:
    found = case(name)
    assert found.outcome.status == "quarantined"
    assert why in found.outcome.reason


def test_a_virtual_dataset_without_its_source_is_never_zeros(case: Callable[[str], Case]) -> None:
    found = case("hdf5/00503_virtual_without_source")
    assert "virtual" in found.outcome.reason
    if found.outcome.status == "stored":
        assert not [c for c in found.source.channels.values() if c.n]


def test_a_latin_1_attribute_is_kept_or_noted(case: Callable[[str], Case]) -> None:
    found = case("hdf5/00504_latin1_attribute")
    assert found.channel("Lang_I").n
    kept = "Größe" in str(found.source.properties) + str(found.channel("Lang_I").properties)
    assert kept or "Gr" in found.outcome.reason


def test_the_names_of_the_list() -> None:
    yearly = replace(SETTINGS, shot_pattern=r"shot_(?P<year>\d{4})_(?P<shot>\d+)")
    assert shot_in("01234_Data.tdms", SETTINGS) == 1234
    assert shot_in("22.11.2026 shot 1301.tdms", SETTINGS) == 1301
    assert shot_in("4.5kW_1302.tdms", SETTINGS) == 1302
    assert shot_in("#12345.lvm", SETTINGS) == 12345
    assert shot_in("shot_2026_0042.tdms", yearly) == 20260042
    for name in ("2026-11-22_10-30-00.tdms", "10-31-12 data.tdms", "shot_2026_0042.tdms"):
        with pytest.raises(Rejected):
            shot_in(name, SETTINGS)
