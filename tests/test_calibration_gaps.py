"""What the texts leave open under shots that are there."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration import Calibration, Declarations, Device, Wiring
from ishtar.calibration.checks import Names
from ishtar.calibration.gaps import check_folder, gaps, ranges, shared_channels
from ishtar.calibration.spans import Span
from ishtar.calibration.transforms import Gain

SHOTS = range(1, 30)


def declared(calibrated: list[Span], wired: list[Span], unplugged: str = "") -> Declarations:
    """Return signal U, wired through device d at some shots, which is calibrated at others."""
    rows = tuple(
        Calibration(
            device="d",
            port="",
            version=1,
            span=span,
            input_unit="V",
            unit="V",
            transforms=(Gain(gain=2.0),),
            where=f"devices/d.toml:{k + 1} calibration {k + 1}",
        )
        for k, span in enumerate(calibrated)
    )
    wires = tuple(
        Wiring(
            signal="U",
            channel="DAQ/U",
            device="d",
            span=span,
            unplugged=unplugged,
            where=f"wiring/a.toml:{k + 1} wiring {k + 1}",
        )
        for k, span in enumerate(wired)
    )
    return Declarations(
        signals={},
        wiring={"U": wires},
        devices={"d": Device(name="d", calibrations=rows, where="devices/d.toml")},
        components={},
    )


def test_what_is_calibrated_throughout_has_no_gap():
    assert list(gaps(declared([Span(1, 10), Span(10)], [Span(1)]), SHOTS)) == []


def test_a_gap_between_two_calibrations_under_a_stored_shot_is_told_with_its_place():
    d = declared([Span(1, 10), Span(15)], [Span(1)])
    assert list(gaps(d, [9, 10, 11, 14, 15])) == [
        "devices/d.toml:1 calibration 1: d has no calibration at stored shots 10..11, 14, but "
        "U (wiring/a.toml:1 wiring 1) uses it: add one"
    ]
    assert list(gaps(d, [9, 15, 16])) == []  # nobody shot there


def test_a_device_without_calibration_at_a_stored_shot_is_told():
    (told,) = gaps(declared([], [Span(1)]), [4])
    assert told.startswith("devices/d.toml: d has no calibration at stored shot 4, but U")
    (told,) = gaps(declared([Span(5)], [Span(1)]), [4])
    assert told.startswith("devices/d.toml: d has no calibration at stored shot 4")


def test_a_device_that_is_not_wired_needs_no_calibration():
    assert list(gaps(declared([Span(1, 10)], [Span(1, 10)]), SHOTS)) == []


def test_a_gap_in_the_wiring_is_told_unless_somebody_says_why():
    d = declared([Span(1)], [Span(1, 10), Span(15)])
    assert list(gaps(d, [9, 12, 20])) == [
        "wiring/a.toml:1 wiring 1: U is not wired at stored shot 12, but is before and after "
        '(wiring/a.toml:2 wiring 2): close the gap, or give the reason with unplugged = "…"'
    ]
    assert list(gaps(declared([Span(1)], [Span(1, 10), Span(15)], "repair"), [12])) == []
    assert list(gaps(declared([Span(1)], [Span(1, 10)]), [12])) == []  # gone for good


def test_a_flawed_entry_is_told_once_and_makes_no_gap():
    d = declared([Span(1, 10), Span(15)], [Span(1, 10), Span(15)])
    assert list(gaps(d, SHOTS, Names(faulty_devices={"d"}, partly_read={"U"}))) == []
    assert list(gaps(d, SHOTS, Names(incomplete=True))) == []


spans = st.lists(st.integers(1, 29), min_size=2, max_size=6, unique=True).map(sorted)


@given(spans, st.lists(st.booleans(), min_size=6, max_size=6), st.sets(st.sampled_from(SHOTS)))
def test_exactly_the_stored_shots_without_calibration_are_told(edges, kept, stored):
    rows = [
        Span(a, b)
        for (a, b), keep in zip(zip(edges, [*edges[1:], None], strict=True), kept, strict=False)
        if keep
    ]
    without = [n for n in sorted(stored) if not any(n in span for span in rows)]
    told = list(gaps(declared(rows, [Span(1)]), sorted(stored)))
    assert len(told) == bool(without)
    if without:
        shots = f"stored shot{'s' if len(without) > 1 else ''} {ranges(without)}, but"
        assert shots in told[0]


@given(st.sets(st.integers(0, 50), min_size=1).map(sorted))
def test_ranges_hold_the_numbers_and_no_others(numbers):
    found = []
    for part in ranges(numbers).split(", "):
        first, _, last = part.partition("..")
        found += range(int(first), int(last or first) + 1)
    assert found == numbers


def test_one_channel_fed_by_two_devices_is_doubted_and_two_names_for_one_are_not():
    def wired(signal: str, device: str, span: Span) -> Wiring:
        return Wiring(signal=signal, channel="DAQ/1", device=device, span=span, where=signal)

    def among(*rows: Wiring) -> list[str]:
        wiring = {row.signal: (row,) for row in rows}
        return list(
            shared_channels(Declarations(signals={}, wiring=wiring, devices={}, components={}))
        )

    a = wired("A", "one", Span(1, 10))
    assert among(a, wired("B", "one", Span(5))) == []
    assert among(a, wired("B", "two", Span(10))) == []
    assert among(a, wired("B", "two", Span(5))) == [
        "B: B uses 'DAQ/1' via two at 5…, but A via one at 1…9 (A): correct one of them"
    ]


TEXTS = {
    "signals.toml": '[U]\nunit = "V"\n\n[W]\nunit = "Vlt"\n',
    "wiring/a.toml": '[[wiring]]\nsignal = "U"\nchannel = "DAQ/U"\ndevice = "d"\nfrom = 1\n',
    "devices/d.toml": """\
[[calibration]]
version = 1
from = 1
until = 5
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0 }]
""",
    "devices/e.toml": '[[calibration]\nserial = "x"\n',
}


@pytest.mark.parametrize("leave_out", ["", "devices/e.toml"])
def test_findings_carry_file_and_line_all_at_once(tmp_path: Path, leave_out):
    for name, text in TEXTS.items():
        if name != leave_out:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
    _, findings = check_folder(tmp_path, [3, 7])
    places = [(f.file, f.line, f.sure) for f in findings]
    assert ("signals.toml", 4, True) in places
    if leave_out:
        assert ("devices/d.toml", 1, True) in places  # the gap at shot 7
    else:
        assert ("devices/e.toml", 1, True) in places
    assert len(findings) == 2
