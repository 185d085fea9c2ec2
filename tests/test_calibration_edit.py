"""New calibrations and wirings: the text grows, history stays, what would break it is refused."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ishtar.calibration import read_declarations
from ishtar.calibration.certify import certify, read_body, with_gain
from ishtar.calibration.edit import CalibrationEditError, RewritesHistory, toml
from ishtar.calibration.gaps import gaps
from ishtar.calibration.rewire import rewire
from ishtar.calibration.spans import valid_at
from ishtar.errors import CalibrationFileError, NoSuchSignal, NotFoundError

SIGNALS = """\
[I]
unit = "A"
[U]
unit = "V"
[B]
unit = "V"
[P]
unit = "V*A"
derived = "U * I"
"""
WIRING = """\
# The fast channels.

[[wiring]]
signal = "I"           # the probe
channel = "DAQ/I"
device = "probe"
port = "I"
from = 1

[[wiring]]
signal = "U"
channel = "DAQ/U"
device = "probe"
port = "U"
from = 1
"""
SLOW = """\
[[wiring]]
signal = "B"
channel = "PLC/B"
device = "coil"
from = 1
"""
PROBE = """\
serial = "LP-1"   # on the lid

[[calibration]]
version = 1
from = 1   # the first campaign
reference = "bench"

[calibration.ports.U]
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 20.0 }]

[calibration.ports.I]
input = "V"
unit = "A"
# The amplifier inverts.
transforms = [
    { kind = "gain", gain = -0.01 },
]
"""
COIL = """\
[[calibration]]
version = 3
from = 1
input = "V"
unit = "V"
transforms = [
    { kind = "offset", offset = 0.5 },
    { kind = "gain", gain = 2.0 },
]
"""
TEXTS = {
    "signals.toml": SIGNALS,
    "wiring/fast.toml": WIRING,
    "wiring/slow.toml": SLOW,
    "devices/probe.toml": PROBE,
    "devices/coil.toml": COIL,
    "devices/spare.toml": 'serial = "new"\n',
}
GAIN = {"transforms": [{"kind": "gain", "gain": -0.02, "sigma": 1e-4}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "calibrations", TEXTS)


def written(folder: Path, texts: dict[str, str]) -> Path:
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder


def calibration(folder: Path, device: str, port: str, shot: int):
    declared, problems = read_declarations(folder)
    assert problems == []
    return valid_at((c for c in declared.devices[device].calibrations if c.port == port), shot)


def gain(folder: Path, device: str, port: str, shot: int) -> float:
    return calibration(folder, device, port, shot).transforms[-1].gain


def added(edit) -> list[str]:
    return [line[1:] for line in edit.diff.splitlines()[2:] if line.startswith("+")]


def removed(edit) -> list[str]:
    return [line[1:] for line in edit.diff.splitlines()[2:] if line.startswith("-")]


# --- calibrations


def test_a_new_calibration_closes_the_one_before_and_touches_nothing_else(folder):
    edit = certify(folder, "probe.I", first=10, body=GAIN, reference="meter", stored=range(1, 10))
    assert (folder / "devices/probe.toml").read_text() == PROBE  # nothing is written yet
    assert removed(edit) == []
    assert added(edit)[0] == "until = 10"
    assert edit.shots == ()
    edit.write()
    text = (folder / "devices/probe.toml").read_text()
    assert "from = 1   # the first campaign\nuntil = 10\n" in text
    assert "# The amplifier inverts." in text
    assert [gain(folder, "probe", "I", n) for n in (9, 10)] == [-0.01, -0.02]
    new = calibration(folder, "probe", "I", 10)
    assert (new.version, new.reference, new.input_unit, new.unit) == (2, "meter", "V", "A")
    assert new.transforms[0].sigma == 1e-4


def test_a_port_that_is_not_calibrated_anew_goes_over_with_its_own_reference(folder):
    before = calibration(folder, "probe", "U", 9)
    certify(folder, "probe.I", first=10, body=GAIN, reference="meter").write()
    after = calibration(folder, "probe", "U", 10)
    assert after.digest == before.digest  # no report becomes stale by it
    assert after.reference == "bench"
    certify(folder, "probe.I", first=20, body=GAIN, reference="again").write()
    assert calibration(folder, "probe", "U", 20).reference == "bench"
    assert calibration(folder, "probe", "I", 20).reference == "again"


def test_several_ports_can_be_calibrated_at_once(folder):
    body = {
        "ports": {
            "I": GAIN,
            "U": {"transforms": [{"kind": "gain", "gain": 21.0}]},
        }
    }
    certify(folder, "probe", first=10, body=body, reference="meter").write()
    assert gain(folder, "probe", "I", 10) == -0.02
    assert gain(folder, "probe", "U", 10) == 21.0


def test_a_device_that_never_had_one_gets_its_first(folder):
    body = {"input": "V", "unit": "V", **GAIN}
    certify(folder, "spare", first=10, body=body, reference="meter").write()
    assert calibration(folder, "spare", "", 10).version == 1
    with pytest.raises(CalibrationEditError, match="needs 'input'"):
        certify(written(folder, TEXTS), "spare", first=10, body=GAIN, reference="meter")


def test_a_calibration_ends_where_the_next_one_begins(folder):
    for first, value in (20, 4.0), (10, 3.0):
        body = with_gain(folder, "coil", first=first, gain=value, sigma=0.1)
        certify(folder, "coil", first=first, body=body, reference="x").write()
    assert [gain(folder, "coil", "", n) for n in (9, 10, 19, 20)] == [2.0, 3.0, 3.0, 4.0]
    assert str(calibration(folder, "coil", "", 10).span) == "10…19"
    assert calibration(folder, "coil", "", 20).transforms[0].offset == 0.5  # the other step stays


def test_another_gain_needs_one_gain_to_replace(folder):
    text = COIL.replace('{ kind = "offset", offset = 0.5 }', '{ kind = "gain", gain = 3.0 }')
    (folder / "devices/coil.toml").write_text(text)
    with pytest.raises(CalibrationEditError, match="does not have exactly one gain"):
        with_gain(folder, "coil", first=10, gain=1.0, sigma=0.0)
    assert with_gain(folder, "spare", first=10, gain=1.0, sigma=0.0) == {
        "transforms": [{"kind": "gain", "gain": 1.0, "sigma": 0.0}]
    }


def test_history_is_rewritten_only_with_a_reason_that_stays_in_the_text(folder):
    stored = [3, 7, 8, 30]
    with pytest.raises(RewritesHistory, match=r"stored shots 7\.\.8, 30:") as error:
        certify(folder, "probe.I", first=5, body=GAIN, reference="x", stored=stored)
    assert error.value.shots == (7, 8, 30)
    with pytest.raises(CalibrationEditError, match="is not one line of text"):
        certify(
            folder, "coil", first=5, body=GAIN, reference="x", stored=[7], rewrite_history="a\nb"
        )
    edit = certify(
        folder,
        "probe.I",
        first=5,
        body=GAIN,
        reference="x",
        stored=stored,
        rewrite_history="a resistor was mixed up",
    )
    assert edit.shots == (7, 8, 30)
    edit.write()
    text = (folder / "devices/probe.toml").read_text()
    (said,) = (line for line in text.splitlines() if "Rewrites history" in line)
    assert said.startswith("# Rewrites history (stored shots 7..8, 30): a resistor was mixed up. ")
    assert said.endswith("U is as in version 1.")


def test_stored_shots_after_the_new_span_are_not_its_history(folder):
    certify(folder, "coil", first=10, body=GAIN, reference="x").write()
    edit = certify(folder, "coil", first=5, body=GAIN, reference="y", stored=[12])
    assert edit.shots == ()


def test_an_entry_that_begins_at_the_same_shot_is_withdrawn_and_stays_to_be_read(folder):
    edit = certify(
        folder,
        "coil",
        first=1,
        body=GAIN,
        reference="x",
        stored=[4],
        rewrite_history="wrong cable",
    )
    edit.write()
    text = (folder / "devices/coil.toml").read_text()
    assert "# Withdrawn: replaced by version 4 (wrong cable).\n# [[calibration]]\n" in text
    assert '#     { kind = "gain", gain = 2.0 },\n# ]\n' in text
    assert gain(folder, "coil", "", 1) == -0.02
    certify(folder, "coil", first=1, body=GAIN, reference="y").write()  # and once more
    assert calibration(folder, "coil", "", 1).version == 5


@pytest.mark.parametrize(
    ("name", "body", "told"),
    [
        ("prob", GAIN, "did you mean 'probe'"),
        ("quite_new", GAIN, "begin calibrations/devices/quite_new.toml"),
        ("probe", GAIN, "has ports; its ports are probe.I, probe.U: name one"),
        ("probe.J", GAIN, "has no port 'J'"),
        ("coil.I", GAIN, "it has none: leave it out"),
    ],
)
def test_a_device_or_port_that_is_not_there_is_told(folder, name, body, told):
    with pytest.raises(NotFoundError) as error:
        certify(folder, name, first=10, body=body, reference="x")
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "no transforms: give"),
        ({"transforms": []}, "'transforms' is empty"),
        ({"transforms": [{"kind": "gian"}]}, "did you mean 'gain'"),
        ({"transforms": [{"kind": "gain", "gain": float("nan")}]}, "finite number"),
        ({"unit": "Pa", **GAIN}, "is in 'V', but"),
        ({"unit": "Vlt", **GAIN}, "unknown unit 'Vlt'"),
        ({"input": 3, **GAIN}, "'input' must be a text"),
    ],
)
def test_what_would_make_a_problem_is_refused_and_nothing_is_written(folder, body, told):
    with pytest.raises(CalibrationEditError) as error:
        certify(folder, "coil", first=10, body=body, reference="x")
    assert told in str(error.value)
    assert (folder / "devices/coil.toml").read_text() == COIL
    assert sorted(p.name for p in (folder / "devices").iterdir()) == [
        "coil.toml",
        "probe.toml",
        "spare.toml",
    ]


@pytest.mark.parametrize("reference", ["", "  ", "two\nlines", "a\x1b[0m"])
def test_numbers_without_a_reference_are_refused(folder, reference):
    with pytest.raises(CalibrationEditError, match="the reference"):
        certify(folder, "coil", first=10, body=GAIN, reference=reference)


def test_a_folder_with_problems_is_mended_first(folder):
    (folder / "wiring/slow.toml").write_text(SLOW.replace("coil", "coli"))
    with pytest.raises(CalibrationEditError, match=r"wiring/slow\.toml:1.*fix this first"):
        certify(folder, "coil", first=10, body=GAIN, reference="x")


@pytest.mark.parametrize(
    "text",
    [
        'calibration = [{ version = 1, from = 1, input = "V", unit = "V", '
        'transforms = [{ kind = "gain", gain = 1.0 }] }]\n',
        f'description = """\n[[calibration]]\n"""\n{COIL}',
        COIL.replace("from = 1", "from = 1\nuntil = 0x20"),
    ],
)
def test_a_text_written_in_an_unusual_way_is_left_to_people(folder, text):
    (folder / "devices/coil.toml").write_text(text)
    assert read_declarations(folder)[1] == []
    with pytest.raises(CalibrationEditError, match="cannot be edited safely"):
        certify(folder, "coil", first=10, body=GAIN, reference="x")


@pytest.mark.parametrize(
    "text",
    [
        COIL.rstrip("\n"),
        COIL.replace("\n", "\r\n"),
        COIL.replace("from = 1", "from = 1\nuntil = 40 # sold"),
        COIL.replace("from = 1\n", "") + "from = 1\n\n\n",
        f'description = "[[calibration]] äöü"\n{COIL}# the end\n',
        COIL.replace("[[calibration]]", "  [[ calibration ]]  # first"),
    ],
)
def test_comments_line_ends_and_layout_stay(folder, text):
    path = folder / "devices/coil.toml"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    certify(folder, "coil", first=10, body=GAIN, reference="Źródło").write()
    after = path.read_bytes().decode()
    kept = [line for line in text.split("\n") if line.strip() and "until" not in line]
    assert [line for line in after.split("\n") if line in kept][: len(kept)] == kept
    assert ("\r\n" in text) == ("\r\n" in after)
    assert after.count("\r\n") in (0, after.count("\n"))
    assert path.stat().st_mode & 0o777 == 0o640
    assert gain(folder, "coil", "", 9) == 2.0
    assert gain(folder, "coil", "", 10) == -0.02


def test_a_file_that_was_changed_meanwhile_is_left_alone(folder):
    edit = certify(folder, "coil", first=10, body=GAIN, reference="x")
    path = folder / "devices/coil.toml"
    path.write_text(COIL + "# a note\n")
    with pytest.raises(CalibrationEditError, match="changed in the meantime"):
        edit.write()
    assert path.read_text() == COIL + "# a note\n"


def test_a_link_stays_a_link(folder, tmp_path):
    shared = tmp_path / "shared.toml"
    (folder / "devices/coil.toml").rename(shared)
    (folder / "devices/coil.toml").symlink_to(shared)
    certify(folder, "coil", first=10, body=GAIN, reference="x").write()
    assert (folder / "devices/coil.toml").is_symlink()
    assert "until = 10" in shared.read_text()


def test_numbers_can_come_from_a_file(folder, tmp_path):
    path = tmp_path / "new.toml"
    path.write_text('unit = "V"\ntransforms = [{ kind = "gain", gain = 9.0 }]\n')
    certify(folder, "coil", first=10, body=read_body(path), reference="x").write()
    assert gain(folder, "coil", "", 10) == 9.0
    path.write_text("version = 3\n")
    with pytest.raises(
        CalibrationFileError, match=r"unknown keys version: .*; version, from and ref"
    ):
        read_body(path)
    path.write_text("transforms = [")
    with pytest.raises(CalibrationFileError, match="correct it"):
        read_body(path)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["probe.I", "probe.U", "coil"]), st.integers(2, 25)),
        min_size=1,
        max_size=5,
    )
)
def test_after_any_certifications_each_shot_has_the_numbers_that_were_certified(
    tmp_path_factory, asked
):
    folder = written(tmp_path_factory.mktemp("c") / "calibrations", TEXTS)
    shots = range(1, 30)
    truth = {
        "probe.I": dict.fromkeys(shots, -0.01),
        "probe.U": dict.fromkeys(shots, 20.0),
        "coil": dict.fromkeys(shots, 2.0),
    }
    starts: dict[str, set[int]] = {name: {1} for name in truth}
    for k, (name, first) in enumerate(asked):
        value = 100.0 + k
        body = {"transforms": [{"kind": "gain", "gain": value}]}
        certify(folder, name, first=first, body=body, reference="x").write()
        # The entries of the probe begin for both ports at once.
        both = ("probe.I", "probe.U") if name.startswith("probe") else (name,)
        until = min((s for other in both for s in starts[other] if s > first), default=30)
        truth[name] |= {n: value for n in range(first, until)}
        for other in both:
            starts[other].add(first)
    declared, problems = read_declarations(folder)
    assert problems == list(gaps(declared, shots)) == []
    for name, values in truth.items():
        device, _, port = name.partition(".")
        rows = [c for c in declared.devices[device].calibrations if c.port == port]
        assert {n: valid_at(rows, n).transforms[-1].gain for n in shots} == values


# --- wiring


def test_a_signal_is_plugged_in_elsewhere(folder):
    edit = rewire(folder, "I", first=10, channel="DAQ/Spare", comment="channel 3 is noisy")
    assert removed(edit) == []
    edit.write()
    declared = read_declarations(folder)[0]
    old, new = declared.wiring["I"]
    assert (str(old.span), str(new.span)) == ("1…9", "10…")
    assert (new.channel, new.device, new.port) == ("DAQ/Spare", "probe", "I")
    assert new.comment == "channel 3 is noisy"
    assert 'signal = "I"           # the probe' in (folder / "wiring/fast.toml").read_text()


def test_a_device_takes_its_calibration_along(folder):
    rewire(folder, "B", first=10, channel="DAQ/B").write()
    rewire(folder, "U", first=10, device="coil").write()
    declared = read_declarations(folder)[0]
    assert declared.wiring["U"][1].device == "coil"
    assert declared.wiring["U"][1].port == ""
    assert "DAQ/B" in (folder / "wiring/slow.toml").read_text()


def test_a_signal_is_unplugged_with_a_reason_and_comes_back(folder):
    rewire(folder, "B", first=10, unplugged="coil in repair").write()
    rewire(folder, "B", first=20, channel="PLC/B", device="coil").write()
    declared = read_declarations(folder)[0]
    assert [str(w.span) for w in declared.wiring["B"]] == ["1…9", "20…"]
    assert declared.wiring["B"][0].unplugged == "coil in repair"
    assert list(gaps(declared, range(1, 30))) == []


def test_why_a_signal_is_unplugged_goes_along_when_its_last_stretch_is_wired_anew(folder):
    rewire(folder, "B", first=20, unplugged="coil in repair").write()
    rewire(folder, "B", first=10, channel="PLC/C").write()
    rewire(folder, "B", first=30, channel="PLC/B", device="coil").write()
    declared = read_declarations(folder)[0]
    assert [str(w.span) for w in declared.wiring["B"]] == ["1…9", "10…19", "30…"]
    assert list(gaps(declared, range(1, 40))) == []


def test_a_signal_that_never_was_wired_goes_beside_its_neighbours(folder):
    (folder / "signals.toml").write_text(f'{SIGNALS}[N]\nunit = "V"\n')
    with pytest.raises(CalibrationEditError, match="give --channel"):
        rewire(folder, "N", first=10)
    with pytest.raises(CalibrationEditError, match="give --device"):
        rewire(folder, "N", first=10, channel="PLC/N")
    edit = rewire(folder, "N", first=10, channel="PLC/N", device="coil")
    assert edit.name == "wiring/slow.toml"


def test_the_first_wiring_of_all_makes_its_file(folder):
    for name in "fast", "slow":
        (folder / f"wiring/{name}.toml").unlink()
    rewire(folder, "B", first=1, channel="PLC/B", device="coil").write()
    assert tomllib.loads((folder / "wiring/wiring.toml").read_text())["wiring"] == [
        {"signal": "B", "channel": "PLC/B", "device": "coil", "from": 1}
    ]


def test_wiring_of_stored_shots_is_history_too(folder):
    with pytest.raises(RewritesHistory, match="stored shots 12:"):
        rewire(folder, "I", first=10, channel="DAQ/Spare", stored=[3, 12])
    with pytest.raises(RewritesHistory):
        rewire(folder, "I", first=10, unplugged="out", stored=[3, 12])
    rewire(
        folder, "I", first=1, channel="DAQ/Spare", stored=[3], rewrite_history="label swapped"
    ).write()
    text = (folder / "wiring/fast.toml").read_text()
    assert "# Rewrites history (stored shots 3): label swapped" in text
    assert '# signal = "I"           # the probe' in text
    (row,) = read_declarations(folder)[0].wiring["I"]
    assert row.channel == "DAQ/Spare"


def test_a_channel_that_another_device_feeds_is_doubted(folder):
    edit = rewire(folder, "B", first=10, channel="DAQ/U")
    assert "correct one of them" in edit.notes[-1]


@pytest.mark.parametrize(
    ("signal", "given_", "told"),
    [
        ("I", {}, "already has this wiring"),
        ("I", {"channel": "DAQ/I", "port": "I"}, "already has this wiring"),
        ("I", {"device": "nope"}, "no device 'nope'"),
        ("I", {"device": "coil"}, "gives 'V'"),
        ("B", {"device": "probe"}, "has the ports I, U: give --port"),
        ("B", {"device": "probe", "port": "X"}, "has no port 'X'"),
        ("P", {"channel": "DAQ/P"}, "is derived (U * I)"),
        ("I", {"unplugged": "why", "channel": "x"}, "leave them out"),
        ("I", {"channel": "DAQ/X", "comment": "a\nb"}, "give one line"),
        ("I", {"unplugged": "a\nb"}, "give one line"),
    ],
)
def test_a_wiring_that_cannot_be_is_refused(folder, signal, given_, told):
    with pytest.raises(CalibrationEditError) as error:
        rewire(folder, signal, first=10, **given_)
    assert told in str(error.value)
    assert (folder / "wiring/fast.toml").read_text() == WIRING


def test_a_signal_that_nobody_declared_is_told(folder):
    with pytest.raises(NoSuchSignal, match="declare it in signals"):
        rewire(folder, "quite_new", first=1, channel="DAQ/X", device="coil")
    rewire(folder, "B", first=10, unplugged="out").write()
    with pytest.raises(CalibrationEditError, match="nothing to unplug"):
        rewire(folder, "B", first=12, unplugged="out")


# --- values as text

json_like = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.dates()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_like)
def test_every_value_is_written_so_that_toml_reads_it_back(value):
    assert tomllib.loads(f"x = {toml(value)}")["x"] == value
