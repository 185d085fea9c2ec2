"""What people have read at stored shots stays, unless they say why; what nobody read may come."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration import read_declarations
from ishtar.calibration.certify import certify
from ishtar.calibration.declared import Calibration, Declarations, Device, Wiring
from ishtar.calibration.edit import RewritesHistory
from ishtar.calibration.history import rewritten_shots
from ishtar.calibration.rewire import rewire
from ishtar.calibration.spans import Span, valid_at
from ishtar.calibration.transforms import Gain

STORED = [3, 4, 7, 8, 9]
TEXTS = {
    "signals.toml": '[I]\nunit = "V"\n[New]\nunit = "V"\n[Late]\nunit = "V"\n[Gone]\nunit = "V"\n',
    "wiring/all.toml": """\
[[wiring]]
signal = "I"
channel = "DAQ/I"
device = "known"
from = 1

[[wiring]]
signal = "Late"
channel = "DAQ/L"
device = "known"
from = 8

[[wiring]]
signal = "Gone"
channel = "DAQ/G"
device = "known"
from = 1
until = 2
unplugged = "probe in repair"
""",
    "devices/known.toml": """\
[[calibration]]
version = 1
from = 1
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0, sigma = 0.1 }]
""",
    "devices/spare.toml": 'serial = "S-1"\n',
    "devices/shelf.toml": """\
[[calibration]]
version = 1
from = 1
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 5.0 }]
""",
}
OTHER = {"transforms": [{"kind": "gain", "gain": 3.0, "sigma": 0.1}]}
SAME = {"transforms": [{"kind": "gain", "gain": 2.0, "sigma": 0.1}]}
FIRST = {"input": "V", "unit": "V", **OTHER}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TEXTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert read_declarations(tmp_path)[1] == []
    return tmp_path


def wire(folder: Path, signal: str, first: int, **given_: str):
    return rewire(folder, signal, first=first, stored=STORED, **given_)


def calibrate(folder: Path, device: str, first: int, body=FIRST):
    return certify(folder, device, first=first, body=body, reference="meter", stored=STORED)


# --- nobody can have read it: no reason is asked for


@pytest.mark.parametrize("device", ["known", "spare"])
def test_a_new_signal_is_wired_at_stored_shots(folder, device):
    edit = wire(folder, "New", 1, channel="DAQ/N", device=device)
    assert edit.shots == ()
    assert any("stored shots 3..4, 7..9" in note for note in edit.notes)
    assert "history" not in edit.diff


def test_a_second_name_of_a_channel_changes_no_first_one(folder):
    assert wire(folder, "New", 1, channel="DAQ/I", device="known").shots == ()


def test_a_device_that_had_no_calibration_gets_one_for_stored_shots(folder):
    wire(folder, "New", 1, channel="DAQ/N", device="spare").write()
    assert calibrate(folder, "spare", 1).shots == ()


def test_a_device_on_the_shelf_is_calibrated_anew_for_stored_shots(folder):
    edit = calibrate(folder, "shelf", 1)
    assert edit.shots == ()
    assert "# Withdrawn: replaced by version 2 (no number of a stored shot changes)." in edit.after


def test_the_same_numbers_confirmed_are_no_other_history(folder):
    edit = calibrate(folder, "known", 4, SAME)
    assert edit.shots == ()
    assert any("version 2 is valid for shots 4" in note for note in edit.notes)


def test_a_gap_between_calibrations_is_closed(folder):
    path = folder / "devices/known.toml"
    path.write_text(path.read_text().replace("from = 1", "from = 8"), encoding="utf-8")
    assert calibrate(folder, "known", 5).shots == ()


def test_without_stored_shots_nothing_is_history(folder):
    edit = rewire(folder, "I", first=1, channel="DAQ/X", stored=())
    assert edit.shots == ()
    assert not any("stored" in note for note in edit.notes)


# --- somebody may have read it: a reason is asked for


@pytest.mark.parametrize(
    ("signal", "first", "changed", "how"),
    [
        ("I", 4, (4, 7, 8, 9), {"channel": "DAQ/X"}),
        ("I", 8, (8, 9), {"device": "shelf"}),
        ("I", 8, (8, 9), {"unplugged": "why"}),
        ("Late", 4, (4, 7), {"channel": "DAQ/L", "device": "known"}),
        ("Gone", 5, (7, 8, 9), {"channel": "DAQ/G", "device": "known"}),
    ],
    ids=["channel", "device", "unplugged", "missing-before", "said-to-be-unplugged"],
)
def test_a_known_signal_wired_otherwise_is_history(folder, signal, first, changed, how):
    with pytest.raises(RewritesHistory, match="--rewrite-history") as error:
        wire(folder, signal, first, **how)
    assert error.value.shots == changed
    edit = wire(folder, signal, first, **how, rewrite_history="label swapped")
    assert edit.shots == changed
    assert "label swapped" in edit.diff


def test_other_numbers_of_a_device_that_was_read_are_history(folder):
    with pytest.raises(RewritesHistory) as error:
        calibrate(folder, "known", 7)
    assert error.value.shots == (7, 8, 9)


def test_a_smaller_sigma_is_another_number(folder):
    body = {"transforms": [{"kind": "gain", "gain": 2.0, "sigma": 0.01}]}
    with pytest.raises(RewritesHistory):
        calibrate(folder, "known", 7, body)


def test_a_signal_without_calibration_was_read_raw(folder):
    wire(folder, "New", 1, channel="DAQ/N", device="spare").write()
    with pytest.raises(RewritesHistory):
        wire(folder, "New", 1, channel="DAQ/M")


def test_only_shots_at_which_the_device_was_in_use_are_named(folder):
    text = (folder / "wiring/all.toml").read_text()
    one = text.replace("from = 1\n\n", "from = 1\nuntil = 4\n\n", 1)
    (folder / "wiring/all.toml").write_text(one.replace("from = 8", "from = 9"), encoding="utf-8")
    with pytest.raises(RewritesHistory) as error:
        calibrate(folder, "known", 1)
    assert error.value.shots == (3, 9)


# --- any texts at all

spans = st.builds(
    lambda first, n: Span(first, None if n == 0 else first + n),
    st.integers(1, 8),
    st.integers(0, 5),
)


def without_overlap(rows):
    kept = []
    for row in rows:
        if not any(row.span.overlaps(other.span) for other in kept):
            kept.append(row)
    return tuple(kept)


wirings = st.lists(
    st.builds(
        Wiring,
        signal=st.just("S"),
        channel=st.sampled_from(["a", "b"]),
        device=st.sampled_from(["d", "e"]),
        span=spans,
    ),
    max_size=3,
).map(without_overlap)
calibrations = st.lists(
    st.builds(
        lambda device, gain, span: Calibration(
            device=device,
            port="",
            version=1,
            span=span,
            input_unit="V",
            unit="V",
            transforms=(Gain(gain=gain),),
        ),
        device=st.just("d"),
        gain=st.sampled_from([1.0, 2.0]),
        span=spans,
    ),
    max_size=3,
).map(without_overlap)
texts = st.builds(
    lambda wires, rows: Declarations(
        signals={},
        wiring={"S": wires} if wires else {},
        devices={"d": Device(name="d", calibrations=rows), "e": Device(name="e")},
        components={},
    ),
    wirings,
    calibrations,
)


def read(d: Declarations, shot: int):
    """Return what a signal's numbers at a shot come from, None where there are none."""
    row = valid_at(d.wiring.get("S", ()), shot)
    known = row and valid_at(d.devices[row.device].calibrations, shot)
    return known and (row.digest, known.digest)


@given(texts, texts)
def test_whatever_is_changed_a_number_that_was_read_is_the_same_or_its_shot_is_named(before, after):
    named = rewritten_shots(before, after, STORED)
    for shot in STORED:
        was = read(before, shot)
        if was is not None and read(after, shot) != was:
            assert shot in named
        if before == after:
            assert shot not in named
