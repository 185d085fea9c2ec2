"""The texts of calibrations/: read whole, and every problem told at once, with file and line."""

from __future__ import annotations

import itertools
import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ishtar.calibration import load_declarations, read_declarations
from ishtar.calibration.checks import cycles
from ishtar.errors import CalibrationFileError
from tests.library_fakes import DEVICES, MACHINE, SIGNALS, WIRING

DEVICE = """\
[[calibration]]
version = 1
from = 1
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0 }]
"""
WIRE = """\
[[wiring]]
signal = "U"
channel = "DAQ/U"
device = "d"
from = 1
"""
GOOD = {"signals.toml": '[U]\nunit = "V"\n', "wiring/a.toml": WIRE, "devices/d.toml": DEVICE}


def written(folder: Path, texts: dict[str, str | bytes]) -> Path:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def problems(folder: Path, **texts: str) -> list[str]:
    """Return the problems of the good texts with some of them replaced or appended to (+)."""
    found: dict[str, str | bytes] = dict(GOOD)
    for key, text in texts.items():
        name = {"signals": "signals.toml", "wiring": "wiring/a.toml", "device": "devices/d.toml"}
        path = name.get(key, key)
        found[path] = f"{GOOD.get(path, '')}{text[1:]}" if text.startswith("+") else text
    return read_declarations(written(folder, found))[1]


def test_what_is_declared_is_read(tmp_path):
    texts = {
        "signals.toml": SIGNALS.replace("[Mixed]", "[Other]"),
        "wiring/all.toml": WIRING,
        "machine/all.toml": MACHINE,
        "README.md": "not read",
        "wiring/.#all.toml": "left behind by an editor {",
        **{f"devices/{name}.toml": text for name, text in DEVICES.items()},
    }
    folder = written(tmp_path, texts)
    declared, found = read_declarations(folder)
    assert found == []
    assert declared.signals["Inj_P"].derived == "Fwd_P - Ref_P"
    assert [str(w.span) for w in declared.wiring["Probe_I"]] == ["1240…1249", "1250…"]
    assert [c.label for c in declared.devices["probe"].calibrations] == [
        "probe.U v1",
        "probe.I v1",
        "probe.U v2",
    ]
    assert declared.devices["bare"].serial == "never calibrated"
    assert [str(c.span) for c in declared.components["langmuir_1"]] == ["1…1249", "1250…"]
    assert declared.wiring["Probe_I"][1].where == "wiring/all.toml:17 wiring 3"
    where = declared.devices["probe"].calibrations[2].where
    assert where == "devices/probe.toml:16 calibration 2 port U"
    assert load_declarations(folder) == declared


def test_the_reference_calibrations_have_no_problem():
    folder = Path(__file__).parents[1] / "calibrations"
    declared, found = read_declarations(folder)
    assert found == []
    assert "Lang_I" in declared.signals


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        # texts that are none
        ({"signals": "[U"}, ["signals.toml: "]),
        ({"signals": "a = " + "9" * 5000}, ["signals.toml: "]),
        ({"signals": "a = " + "[" * 5000}, ["signals.toml: "]),
        ({"device": 'serial = "x'}, ["devices/d.toml: "]),
        # files and keys that nobody reads
        ({"signal.toml": ""}, ["signal.toml: is ignored"]),
        ({"devices/old/x.toml": ""}, ["devices/old/x.toml: is ignored"]),
        (
            {"wiring": WIRE.replace("[[wiring]]", "[[wirings]]")},
            ["wiring/a.toml: unknown key 'wirings'; did you mean 'wiring'?"],
        ),
        ({"wiring": "wiring = 3"}, ["wiring/a.toml: wiring must be a list of tables"]),
        ({"wiring": "wiring = [3]"}, ["wiring/a.toml wiring 1: must be a table"]),
        ({"machine/m.toml": "component = {}"}, ["machine/m.toml: component must be a list"]),
        # signals
        ({"signals": '[U]\nunit = "V"\n[W]\n'}, ["signals.toml:3 [W]: needs 'unit'"]),
        (
            {"signals": '[U]\nunit = "Vlt"\n'},
            ["signals.toml:1 [U]: unknown unit 'Vlt': write it as pint does"],
        ),
        ({"signals": "+U2 = 3\n"}, ["signals.toml:1 [U]: unknown key 'U2'"]),
        ({"signals": "U = 3\n"}, ["signals.toml [U]: must be a table"]),
        (
            {"signals": "+[W]\nunit = 'V'\nderived = 'u + X'\n"},
            [
                "signals.toml:3 [W]: no signal 'u'; did you mean 'U'?",
                "signals.toml:3 [W]: no signal 'X'",
            ],
        ),
        (
            {"signals": "+[W]\nunit = 'V'\nderived = 'U('\n"},
            ["signals.toml:3 [W]: 'U(' is not an expression"],
        ),
        (
            {"signals": "+[W]\nunit = 'V'\nderived = '3 + 4'\n"},
            ["signals.toml:3 [W]: '3 + 4' uses no signal"],
        ),
        (
            {"signals": "+[W]\nunit = 'A'\nderived = '2 * U'\n"},
            ["signals.toml:3 [W]: '2 * U' does not yield 'A': 'V' does not fit 'A'"],
        ),
        (
            {"signals": "+[A]\nunit = 'V'\nderived = 'B'\n[B]\nunit = 'V'\nderived = 'A + U'\n"},
            ["signals.toml:3 [A]: cycle A → B → A"],
        ),
        (
            {"signals": "+[A]\nunit = 'V'\nderived = '-A'\n"},
            ["signals.toml:3 [A]: cycle A → A"],
        ),
        (
            {"signals": "+imas = 'magnetics.ip.1.data'\n"},
            [
                "signals.toml:1 [U]: imas = 'magnetics.ip.1.data' is not the form of an IMAS path "
                "that is read here: write 'magnetics/ip[1]/data'"
            ],
        ),
        (
            {"signals": "+imas = 'magnetics/ip(1)/data'\n"},
            ["signals.toml:1 [U]: imas = 'magnetics/ip(1)/data' is not the form of an IMAS path "],
        ),
        *(
            (
                {"signals": f"+imas = '{path}'\n"},
                [f"signals.toml:1 [U]: imas = '{path}' is not an IMAS path: write the IDS and "],
            )
            for path in (
                *("", "magnetics", "a//b", "a/b c", "a/b[x]/c", "a/b[01]/c", "a/b[-1]/c"),
                *("a/b[:]/c", "a[0]/b", "a/b[0]", "a/b__c", "1a/b", "a/é", "a/b[0]x/c"),
            )
        ),
        ({"signals": "+imas = 3\n"}, ["signals.toml:1 [U]: 'imas' must be a text"]),
        (
            {"signals": "+imas = 'a/b'\n[W]\nunit = 'V'\nimas = 'a/b'\n"},
            [
                "signals.toml:4 [W]: imas = 'a/b' is that of signals.toml:1 [U]: give each signal "
                "a path of its own, or leave it out"
            ],
        ),
        # wiring
        (
            {"wiring": "+\n" + WIRE},
            ["wiring/a.toml:7 wiring 2: U is wired for 1…, but wiring/a.toml:1 wiring 1 has 1…"],
        ),
        (
            {"wiring": WIRE.replace('"U"', '"u"')},
            ["wiring/a.toml:1 wiring 1: no signal 'u' in signals.toml; did you mean 'U'?"],
        ),
        (
            {"wiring": WIRE.replace('"d"', '"dd"')},
            ["wiring/a.toml:1 wiring 1: no device 'dd' in devices/; did you mean 'd'?"],
        ),
        (
            {"wiring": WIRE.replace("channel", "chanel")},
            [
                "wiring/a.toml:1 wiring 1: unknown key 'chanel'; did you mean 'channel'?",
                "wiring/a.toml:1 wiring 1: needs 'channel'",
            ],
        ),
        ({"wiring": WIRE.replace("DAQ/U", "")}, ["wiring/a.toml:1 wiring 1: 'channel' is empty"]),
        ({"wiring": WIRE.replace("from = 1", "")}, ["wiring/a.toml:1 wiring 1: needs 'from'"]),
        (
            {"wiring": WIRE.replace("from = 1", "from = true")},
            ["wiring/a.toml:1 wiring 1: 'from' must be a whole number"],
        ),
        (
            {"wiring": WIRE.replace("from = 1", "from = 1.0")},
            ["wiring/a.toml:1 wiring 1: 'from' must be a whole number"],
        ),
        (
            {"wiring": "+unplugged = 'why'\n"},
            ["wiring/a.toml:1 wiring 1: 'unplugged' explains the end of an entry, but there"],
        ),
        (
            {"wiring": "+until = 1\n"},
            ["wiring/a.toml:1 wiring 1: span 1 … 1 contains no shot: until must be larger"],
        ),
        ({"wiring": "+until = -5\n"}, ["wiring/a.toml:1 wiring 1: 'from' and 'until' must"]),
        (
            {"wiring": "+until = 0x" + "f" * 5000},
            ["wiring/a.toml:1 wiring 1: 'from' and 'until' must be in 0"],
        ),
        (
            {"signals": "+[W]\nunit = 'V'\nderived = 'U'\n", "wiring": WIRE.replace('"U"', '"W"')},
            ["wiring/a.toml:1 wiring 1: W is derived (U): it cannot be wired"],
        ),
        (
            {"wiring": "+port = 'I'\n"},
            ["wiring/a.toml:1 wiring 1: d has no port 'I'; it has no ports"],
        ),
        (
            {"signals": '[U]\nunit = "A"\n'},
            [
                "wiring/a.toml:1 wiring 1: U is in 'A', but d v1 (devices/d.toml:1 calibration 1) "
                "gives 'V': 'V' does not fit 'A'"
            ],
        ),
        # devices
        ({"devices/a.b.toml": DEVICE}, ["devices/a.b.toml: a device name must not have a dot"]),
        (
            {"device": DEVICE.replace("[[calibration]]", "[[calibrations]]")},
            ["devices/d.toml: unknown key 'calibrations'; did you mean 'calibration'?"],
        ),
        ({"device": "calibration = 3"}, ["devices/d.toml: 'calibration' must be a list"]),
        ({"device": "calibration = [3]"}, ["devices/d.toml calibration 1: must be a table"]),
        (
            {"device": DEVICE.replace("version = 1\n", "")},
            ["devices/d.toml:1 calibration 1: needs 'version'"],
        ),
        (
            {"device": DEVICE.replace('input = "V"\n', "")},
            ["devices/d.toml:1 calibration 1: needs 'input'"],
        ),
        (
            {"device": DEVICE.replace('[{ kind = "gain", gain = 2.0 }]', "[]")},
            ["devices/d.toml:1 calibration 1: 'transforms' is empty"],
        ),
        (
            {"device": DEVICE.replace('{ kind = "gain", gain = 2.0 }', "3, {}, {kind='gain'}")},
            [
                "devices/d.toml:1 calibration 1: transform 3 is not a table",
                "devices/d.toml:1 calibration 1: unknown transform None",
                "devices/d.toml:1 calibration 1: gain needs 'gain': add it",
            ],
        ),
        (
            {"device": DEVICE.replace('"V"', '"Vlt"')},
            [
                "devices/d.toml:1 calibration 1: unknown unit 'Vlt'",
                "devices/d.toml:1 calibration 1: unknown unit 'Vlt'",
            ],
        ),
        ({"device": "+[calibration.ports]\n"}, ["devices/d.toml:1 calibration 1: give input"]),
        (
            {"device": "+\n" + DEVICE.replace("version = 1", "version = 2")},
            ["devices/d.toml:8 calibration 2: is valid for 1…, but devices/d.toml:1 calibration 1"],
        ),
        (
            {
                "device": DEVICE.replace("from = 1", "from = 1\nuntil = 9")
                + DEVICE.replace("from = 1", "from = 9").replace("2.0", "2.1")
            },
            ["devices/d.toml:8 calibration 2: is version 1, but differs from version 1 at"],
        ),
        # machine
        (
            {"machine/m.toml": "[[component]]\nname = 'a'\nkind = 'k'\nfrom = 1\npart_of = 'b'\n"},
            ["machine/m.toml:1 component 1: a is part of unknown component 'b'"],
        ),
        (
            {"machine/m.toml": "[[component]]\nname = 'a'\nkind = 'k'\nfrom = 1\npart_of = 'a'\n"},
            ["machine/m.toml:1 component 1: cycle of part_of a → a"],
        ),
        (
            {"machine/m.toml": "[[component]]\nname = 'a'\nkind = 'k'\nfrom = 1\n" * 2},
            ["machine/m.toml:5 component 2: a is declared for 1…, but machine/m.toml:1"],
        ),
        (
            {
                "machine/m.toml": "[[component]]\nname = 'a'\nkind = 'k'\nfrom = 1\n"
                "parameters = { r = '5 mmm', material = 'W', n = 3 }\n"
            },
            ["machine/m.toml:1 component 1: r = '5 mmm' looks like a quantity, but unknown unit"],
        ),
        (
            {"machine/m.toml": "[[component]]\nname = 'a'\nkind = 'Coil'\nfrom = 1\n"},
            ["machine/m.toml:1 component 1: a is of kind 'Coil', did you mean 'coils'?"],
        ),
    ],
)
def test_a_problem_is_told_with_its_file_and_line(tmp_path, texts, told):
    found = problems(tmp_path, **texts)
    assert len(found) == len(told), found
    for problem, beginning in zip(found, told, strict=True):
        assert problem.startswith(beginning)
        assert "\n" not in problem


@pytest.mark.parametrize(
    ("given", "made", "told"),
    [
        ("V", "V", None),
        ("V", "A", "an offset does not convert 'V' to 'A': add a gain"),
        ("V", "mV", "an offset does not convert 'V' to 'mV': add a gain"),
    ],
)
def test_an_offset_alone_makes_no_unit_of_another(tmp_path, given, made, told):
    text = f"""
[[calibration]]
version = 1
from = 1
reference = "bench"
input = "{given}"
unit = "{made}"
transforms = [
    {{ kind = "quiet_offset", t_start_s = -0.5, t_end_s = -0.1 }},
    {{ kind = "offset", offset = 0.1 }},
]
"""
    found = problems(tmp_path, **{"signals.toml": "", "wiring/a.toml": "", "devices/d.toml": text})
    assert len(found) == (told is not None)
    assert all(told in problem and "devices/d.toml:2" in problem for problem in found)


def test_a_port_may_have_a_reference_of_its_own(tmp_path):
    ports = """
[[calibration]]
version = 1
from = 1
reference = "all"
[calibration.ports.A]
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0 }]
[calibration.ports.B]
input = "V"
unit = "V"
transforms = [{ kind = "gain", gain = 2.0 }]
reference = "own"
"""
    texts = {"signals.toml": "", "devices/d.toml": ports}
    declared, found = read_declarations(written(tmp_path, texts))
    assert found == []
    assert [c.reference for c in declared.devices["d"].calibrations] == ["all", "own"]


def test_all_problems_of_all_files_are_told_at_once(tmp_path):
    found = problems(
        tmp_path,
        signals="[U]\nunit = 'Vlt'\n[W]\nunit = 'V'\nderived = 'U + Z'\n",
        wiring=WIRE + "until = 10\nport = 'x'\n" + WIRE.replace("1", "5") + WIRE.replace("1", "7"),
        device=DEVICE.replace("gain = 2.0", "gain = true").replace("version = 1", "version = 'a'"),
    )
    assert len(found) == 5
    assert [p.split(":")[0] for p in found] == [
        "signals.toml",
        "devices/d.toml",
        "signals.toml",
        "wiring/a.toml",
        "wiring/a.toml",
    ]


def test_a_flaw_in_an_entry_is_no_flaw_of_those_that_use_it(tmp_path):
    found = problems(tmp_path, device=DEVICE + "colour = 'red'\n", signals="[U]\nunit = 'Vlt'\n")
    assert len(found) == 2


def test_without_headers_a_problem_still_names_its_entry(tmp_path):
    found = problems(tmp_path, wiring='wiring = [{ signal = "U", device = "d", from = 1 }]')
    assert found == ["wiring/a.toml wiring 1: needs 'channel'"]


def test_a_header_inside_a_text_does_not_shift_the_lines(tmp_path):
    comment = '"""\n[[wiring]]\n"""'
    found = problems(tmp_path, wiring=WIRE.replace("from = 1", f"comment = {comment}"))
    assert found == ["wiring/a.toml wiring 1: needs 'from', its first shot"]


def test_what_cannot_be_read_is_a_problem_and_no_crash(tmp_path):
    folder = written(tmp_path, {**GOOD, "devices/x.toml": b'serial = "\xff"'})
    (folder / "machine").mkdir()
    (folder / "machine" / "m.toml").mkdir()
    found = read_declarations(folder)[1]
    assert [p.split(":")[0] for p in found] == ["devices/x.toml", "machine/m.toml"]


def test_loading_names_the_first_problem_and_how_many_there_are(tmp_path):
    folder = written(tmp_path / "calibrations", {"signals.toml": "[U]\n[W]\n[X]\n"})
    with pytest.raises(CalibrationFileError) as error:
        load_declarations(folder)
    assert str(error.value) == (
        "calibrations/signals.toml:1 [U]: needs 'unit' (and 2 more): fix it; "
        "`ishtar calib check` lists all"
    )
    assert len(error.value.problems) == 3


def test_an_empty_folder_declares_nothing(tmp_path):
    declared, found = read_declarations(tmp_path / "not there")
    assert not declared.signals
    assert found == []


def test_a_chain_of_thousands_of_signals_is_no_problem(tmp_path):
    rows = ["[s0]\nunit = 'V'\n"]
    rows += [f"[s{k}]\nunit = 'V'\nderived = 's{k - 1}'\n" for k in range(1, 1500)]
    assert problems(tmp_path, signals="+" + "".join(rows)) == []


@given(st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 9), max_size=4)))
def test_a_cycle_is_found_exactly_where_there_is_one(graph):
    edges = {str(a): [str(b) for b in bs] for a, bs in graph.items()}
    reach = {a: set(bs) for a, bs in edges.items()}
    for _ in edges:
        for bs in reach.values():
            bs.update(*(reach.get(b, set()) for b in list(bs)))
    cyclic = {a for a, bs in reach.items() if a in bs}
    found = list(cycles(edges))
    assert {name for cycle in found for name in cycle} <= cyclic
    assert bool(found) == bool(cyclic)
    for cycle in found:
        assert cycle[0] == cycle[-1]
        assert all(b in edges[a] for a, b in itertools.pairwise(cycle))


# Fuzz


def toml(value: object) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value).replace("\x7f", "\\u007f")
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)


WORDS = """signal channel device port from until version input unit transforms kind gain offset
sigma coefficients x y polynomial table log_detector quiet_offset t_start_s t_end_s calibration
ports wiring component name parameters part_of derived U V d A/V degC"""
words = st.sampled_from(WORDS.split())
leaves = (
    words
    | st.text(st.characters(codec="utf-8", max_codepoint=0xFFFF), max_size=4)
    | st.integers(-3, 2000)
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.booleans()
    | st.sampled_from(["5 mm", "U + V", "U(", "-U"])
)
entries = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=5),
    max_leaves=12,
)
PLACES = ["signals.toml", "wiring/a.toml", "devices/d.toml", "machine/m.toml"]
HEADS = {"wiring/a.toml": "wiring", "devices/d.toml": "calibration", "machine/m.toml": "component"}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(PLACES), st.dictionaries(words, entries, max_size=6), st.booleans())
def test_no_table_crashes_the_checker(tmp_path, place, table, as_entry):
    top = {HEADS[place]: [table]} if as_entry and place in HEADS else table
    text = "".join(f"{toml(key)} = {toml(value)}\n" for key, value in top.items())
    tomllib.loads(text)
    _, found = read_declarations(written(tmp_path, {**GOOD, place: text}))
    assert all("\n" not in problem for problem in found)
    assert all(problem.startswith(tuple(PLACES)) for problem in found)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(PLACES[:3]), st.data())
def test_no_broken_text_crashes_the_checker(tmp_path, place, data):
    text = GOOD[place].encode()
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, len(text)))
    junk = data.draw(
        st.binary(max_size=5) | st.text("[]{}=\"'#\n.,3e_", max_size=5).map(str.encode)
    )
    read_declarations(written(tmp_path, {**GOOD, place: text[:at] + junk + text[until:]}))
