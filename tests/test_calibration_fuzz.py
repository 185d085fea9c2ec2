"""Whatever the texts hold, the checker tells problems and never crashes.

The reference texts are mutated in every way that a slip of an editor, a bad merge or a foreign
program may: bytes, lines, and values of every type that TOML knows.
"""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ishtar.calibration import Declarations, read_declarations
from ishtar.calibration.changes import changes, changes_of_texts
from ishtar.calibration.edit import toml
from ishtar.calibration.gaps import check_folder
from ishtar.calibration.show import show

pytestmark = pytest.mark.whole

REFERENCE = Path(__file__).parents[1] / "calibrations"
NAMES = sorted(p.relative_to(REFERENCE).as_posix() for p in REFERENCE.rglob("*.toml"))
TEXTS = {name: (REFERENCE / name).read_bytes() for name in NAMES}
SHOTS = [0, 1, 7, 100]
SOUND = read_declarations(REFERENCE)[0]
fuzzed = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

hostile = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "V",
        "m^",
        "1e999 m",
        "nan V",
        "-",
        "a.b",
        "I",
        "__import__('os')",
        "🔥",
        "=" * 99,
    ]
)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.just(10**400)
    | st.floats()
    | hostile
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.dates()
    | st.times()
    | st.datetimes(timezones=st.none() | st.just(datetime.UTC))
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            hostile | st.sampled_from(["kind", "gain", "from", "unit"]), inner, max_size=3
        )
    ),
    max_leaves=5,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Give a copy of the reference texts; each test puts back what it changed."""
    copy = tmp_path_factory.mktemp("fuzz") / "calibrations"
    for name, text in TEXTS.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(text)
    return copy


def survives(folder: Path, name: str, text: bytes) -> tuple[Declarations, list[Any]]:
    """Read the texts with one replaced; ask of the result what the commands ask."""
    (folder / name).write_bytes(text)
    try:
        declared, findings = check_folder(folder, SHOTS)
    finally:
        (folder / name).write_bytes(TEXTS[name])
    assert all(str(f) and "\n" not in str(f) for f in findings)
    for change in [*changes_of_texts(SOUND, declared), *changes(declared, 1, declared, 7)]:
        assert str(change)
    if not any(f.sure for f in findings):
        for known in (*declared.signals, *declared.devices, *declared.components):
            show(declared, known, 1)
    return declared, findings


@fuzzed
@given(st.sampled_from(NAMES), st.data())
def test_bytes_that_changed(folder, name, data):
    text = TEXTS[name]
    at = data.draw(st.integers(0, len(text)))
    until = data.draw(st.integers(at, min(at + 30, len(text))))
    survives(folder, name, text[:at] + data.draw(st.binary(max_size=12)) + text[until:])


@fuzzed
@given(st.sampled_from(NAMES), st.data())
def test_lines_that_were_lost_doubled_or_swapped(folder, name, data):
    lines = TEXTS[name].splitlines(keepends=True)
    a, b = (data.draw(st.integers(0, len(lines) - 1)) for _ in "ab")
    match data.draw(st.sampled_from(["lost", "doubled", "swapped", "moved", "merge"])):
        case "lost":
            del lines[min(a, b) : max(a, b)]
        case "doubled":
            lines[a:a] = lines[min(a, b) : max(a, b) + 1]
        case "swapped":
            lines[a], lines[b] = lines[b], lines[a]
        case "moved":
            other = TEXTS[data.draw(st.sampled_from(NAMES))].splitlines(keepends=True)
            lines[a:a] = other[:b]
        case _:
            lines[a:a] = [b"<<<<<<< HEAD\n", *lines[b : b + 3], b"=======\n", b">>>>>>> mine\n"]
    survives(folder, name, b"".join(lines))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where in a document something can be put in place of what is there."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in inner:
        found.append((*path, key))
        if isinstance(part, dict | list):
            found += places(part, (*path, key))
    return found


@settings(fuzzed, max_examples=80)
@given(st.sampled_from(NAMES), values, st.data())
def test_values_of_every_type_in_every_place(folder, name, value, data):
    document = tomllib.loads(TEXTS[name].decode())
    *path, last = data.draw(st.sampled_from(places(document)))
    inside: Any = document
    for key in path:
        inside = inside[key]
    if isinstance(inside, dict) and data.draw(st.booleans()):
        last = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
    inside[last] = value
    text = "".join(f"{toml(str(key))} = {toml(part)}\n" for key, part in document.items())
    tomllib.loads(text)
    survives(folder, name, text.encode())


@pytest.mark.parametrize("name", ["\n", "U\r\nok", "\x1b[2J", "\u2028"])
def test_what_is_named_like_a_command_to_a_terminal_is_told_on_one_line(folder, name):
    device = "devices/langmuir_1.toml"
    document = tomllib.loads(TEXTS[device].decode())
    document["calibration"][0]["ports"][name] = 1
    text = "".join(f"{toml(str(key))} = {toml(part)}\n" for key, part in document.items())
    _, findings = survives(folder, device, text.encode())
    assert findings
    assert all(str(finding).isprintable() for finding in findings)


def test_the_texts_as_they_are_have_no_problem(folder):
    declared, findings = survives(folder, NAMES[0], TEXTS[NAMES[0]])
    assert findings == []
    assert declared.signals
