"""Lineage: what was read is recorded, each thing once; what was not read is not."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.errors import IshtarError, NoSuchSignal, NotFoundError
from ishtar.lineage.record import (
    ABSENT,
    VARIABLE,
    Input,
    Recorder,
    digest,
    is_recording,
    read_records,
    record,
    recording,
)
from ishtar.opening import open_testbed
from ishtar.shots.testbed import Testbed
from runner.staleness.current_state import CurrentState
from tests.library_fakes import FIRST, LAMED, MOVED

A = Input(kind="signal", name="A", digest="1")
B = Input(kind="channel", name="µ → \u2028 \x85 \ud800", subject="00001", version="x", digest="2")


@pytest.fixture(autouse=True)
def no_file(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def kinds(recorder: Recorder) -> set[tuple[str, str]]:
    return {(i.kind, i.name) for i in recorder.inputs}


# The recorder


def test_nobody_records_unless_asked():
    assert not is_recording()
    record(A)
    with recording() as recorder:
        assert is_recording()
    assert not recorder.inputs


def test_everything_is_recorded_once_and_by_whoever_records_outside_too():
    with recording() as outer:
        record(A)
        with recording() as inner:
            record(A)
            record(B)
        record(A)
    assert list(outer.inputs) == [A, B]
    assert list(inner.inputs) == [A, B]


def test_a_kernels_records_go_into_its_file_even_while_somebody_records_inside(
    tmp_path, monkeypatch
):
    path = tmp_path / "inputs.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    assert is_recording()
    record(B)
    with recording() as recorder:
        record(A)
        record(A)
    assert list(recorder.inputs) == [A]
    assert read_records(path) == (B, A)
    assert len([line for line in path.read_text().splitlines() if line]) == 2


def test_the_records_of_a_process_that_dies_are_kept(tmp_path):
    path = tmp_path / "inputs.jsonl"
    code = (
        "import os; from ishtar.lineage.record import Input, record; "
        "record(Input(kind='signal', name='A', digest='1')); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code], env={VARIABLE: str(path)}, check=False)
    assert done.returncode == 9
    assert read_records(path) == (A,)


inputs = st.builds(
    Input,
    kind=st.text(max_size=5),
    name=st.text(max_size=5),
    subject=st.text(max_size=5),
    version=st.text(max_size=5),
    digest=st.text(max_size=5),
)


@given(st.lists(inputs, max_size=5), st.integers(0, 60))
def test_a_torn_last_record_costs_that_record_only(tmp_path_factory, items, cut):
    path = tmp_path_factory.mktemp("records") / "inputs.jsonl"
    recorder = Recorder(path)
    for item in items:
        recorder.add(item)
    path.touch()
    assert read_records(path) == tuple(sorted(set(items)))
    whole = path.read_bytes()
    path.write_bytes(whole[: max(len(whole) - cut, 0)])
    n_left = sum(1 for line in path.read_bytes().split(b"\n")[:-1] if line)
    kept = list(dict.fromkeys(items))[:n_left]
    assert read_records(path) == tuple(sorted(kept))


def test_what_could_not_be_written_is_written_at_the_next_look_after_whatever_was_torn(tmp_path):
    path = tmp_path / "gone" / "inputs.jsonl"
    recorder = Recorder(path)
    with pytest.raises(FileNotFoundError):
        recorder.add(A)
    path.parent.mkdir()
    path.write_text('{"kind": "sig')
    recorder.add(A)
    assert read_records(path) == (A,)


def test_no_file_is_no_records_and_lines_that_are_none_are_left_out(tmp_path):
    path = tmp_path / "inputs.jsonl"
    assert read_records(path) == ()
    lines = ["{", '{"kind": 3, "colour": 1}', "[]", "\xff", json.dumps(vars(A))]
    path.write_bytes("\n".join([*lines, ""]).encode("latin-1"))
    assert read_records(path) == (A,)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_a_digest_is_short_plain_and_the_same_again(value):
    assert digest(value) == digest(value)
    assert len(digest(value)) == 20
    assert digest({"a": value, "b": 1}) == digest({"b": 1, "a": value})
    assert digest([value]) != digest([value, value])


# What is recorded when


def test_a_handle_records_signal_and_wiring_and_reading_channel_and_calibration(testbed):
    with recording() as recorder:
        s = testbed[FIRST]["Probe_U"]
        assert s.shape
        assert s[2.0:3.0].unit
    assert kinds(recorder) == {("signal", "Probe_U"), ("wiring", "Probe_U")}
    with recording() as recorder:
        s[0:5].load()
    assert kinds(recorder) == {("channel", "DAQ/Probe_U"), ("calibration", "probe.U")}
    for read in (s.envelope, s.values, s.explain):
        with recording() as recorder:
            read()
        assert kinds(recorder) == {("channel", "DAQ/Probe_U"), ("calibration", "probe.U")}


def test_raw_samples_do_not_depend_on_a_calibration(testbed):
    with recording() as recorder:
        testbed[FIRST]["Probe_U"].raw()
        testbed[FIRST].channel("DAQ/Fwd").load()
    assert kinds(recorder) == {
        ("signal", "Probe_U"),
        ("wiring", "Probe_U"),
        ("channel", "DAQ/Probe_U"),
        ("channel", "DAQ/Fwd"),
    }


def test_a_derived_signal_records_its_parts_to_the_last(testbed):
    with recording() as recorder:
        s = testbed[FIRST]["Share"]
    handles = {("signal", n) for n in ("Share", "Inj_P", "Fwd_P", "Ref_P")}
    handles |= {("wiring", n) for n in ("Fwd_P", "Ref_P")}
    assert kinds(recorder) == handles
    with recording() as recorder:
        s[0:3].load()
    assert kinds(recorder) == {
        ("channel", "DAQ/Fwd"),
        ("channel", "DAQ/Ref"),
        ("calibration", "detector.fwd"),
        ("calibration", "detector.ref"),
    }


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("Nothing", ("signal", "Nothing")),
        ("Nowhere_U", ("wiring", "Nowhere_U")),
        ("Probe_U", ("channel", "DAQ/Probe_U")),
        ("Bare_U", ("calibration", "bare")),
    ],
)
def test_what_was_looked_for_in_vain_is_recorded_as_absent(testbed, name, absent):
    shot = testbed[LAMED]

    def take() -> None:
        with pytest.raises(LookupError):
            shot[name].load()

    def look_for() -> None:
        with contextlib.suppress(NoSuchSignal):
            assert name not in shot

    for look in (look_for, lambda: shot.problem(name), take):
        with recording() as recorder:
            look()
        assert {(i.kind, i.name) for i in recorder.inputs if i.digest == ABSENT} == {absent}


def test_raw_samples_of_a_signal_without_calibration_record_that_it_has_none(testbed):
    with recording() as recorder:
        testbed[FIRST]["Bare_U"].raw()
    assert ("channel", "DAQ/Spare") in kinds(recorder)
    absent = [(i.kind, i.name) for i in recorder.inputs if i.digest == ABSENT]
    assert absent == [("calibration", "bare")]


def test_the_parts_that_a_derived_signal_lacks_are_recorded_as_absent(workspace):
    path = workspace.calibrations / "signals.toml"
    path.write_text(path.read_text() + '[Two]\nunit = "V"\nderived = "2 * Probe_U"\n')
    with recording() as recorder:
        assert "Two" not in Testbed(workspace)[LAMED]
    absent = [(i.kind, i.name) for i in recorder.inputs if i.digest == ABSENT]
    assert absent == [("channel", "DAQ/Probe_U")]


def test_asking_what_there_is_asks_for_every_declared_signal(testbed):
    for ask in (testbed[LAMED].signals, testbed[LAMED].missing):
        with recording() as recorder:
            ask()
        names = {name for kind, name in kinds(recorder) if kind == "signal"}
        assert names == {"all signals", *testbed.declarations.signals}
        assert ("channel", "DAQ/Probe_U") in kinds(recorder)
    with recording() as recorder:
        repr(testbed[LAMED])
    assert not recorder.inputs


def test_an_imas_path_is_an_input_of_who_asks_by_it_and_of_nobody_else(testbed):
    path = "langmuir_probes/embedded[0]/v_floating/data"
    with recording() as by_path:
        testbed[FIRST].imas()[path].load()
    with recording() as by_name:
        testbed[FIRST]["Probe_U"].load()
    assert kinds(by_path) - kinds(by_name) == {("signal", "all IMAS paths")}
    assert {i.name for i in by_path.inputs if i.kind == "wiring"} == {"Probe_U"}


def test_attributes_and_components_are_recorded_there_or_not(testbed):
    shot = testbed[FIRST]
    with recording() as recorder:
        assert shot.attributes["gas"] == "Ar"
        assert shot.attributes.get("colour") is None
        assert shot.date is not None
        assert shot.machine["vessel"].kind == "vessel"
        assert "antenna" not in shot.machine
    digests = {(i.kind, i.name): i.digest == ABSENT for i in recorder.inputs}
    assert digests == {
        ("attribute", "gas"): False,
        ("attribute", "colour"): True,
        ("attribute", "date"): False,
        ("machine", "vessel"): False,
        ("machine", "antenna"): True,
    }
    with recording() as recorder:
        shot.attributes.plain()
        shot.machine.names()
    assert not recorder.inputs


# What is recorded is what is asked again


def everything(tb: Testbed) -> None:
    """Read whatever the library hands out."""
    for number in (FIRST, MOVED, LAMED):
        shot = tb[number]
        shot.missing()
        list(shot.imas())
        for name in [*shot.signals(), "Nothing"]:
            if shot.problem(name) is None:
                shot[name][0:2].load()
        for path in [*shot.channels(), "DAQ/Nothing"]:
            try:
                shot.channel(path)[0:1].load()
            except IshtarError:
                assert path == "DAQ/Nothing"
        for name in ("gas", "date", "nothing"):
            shot.attributes.get(name)
        for name in ("langmuir_1", "nothing"):
            assert (name in shot.machine) == (name == "langmuir_1")
        tb.scraps(number)
    tb.shots()
    tb.day("2026-11-22").table(["gas", "nothing", "Te", "langmuir.Te.sigma", "other.Te"])
    tb.range(FIRST, MOVED)


def test_whatever_is_recorded_has_the_same_digest_when_it_is_asked_again(workspace):
    tb = Testbed(workspace)
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        for number in (FIRST, MOVED, LAMED):
            stored = {path: tb[number].find_channel(path) for path in tb[number].channels()}
            channels = {path: (c.file.stem, c.digest) for path, c in stored.items()}
            catalogue.put_shot(number, tb[number].attributes.plain(), [], channels)
        scraps = [("Te", 4.1, 0.2, "eV"), ("mode", "H", None, "")]
        catalogue.put_report(report(FIRST), [], scraps)
        with recording() as recorder:
            everything(tb)
        assert {i.kind for i in recorder.inputs} == {
            *("signal", "wiring", "channel", "calibration"),
            *("attribute", "machine", "scraps", "shots"),
        }
        assert any(i.digest == ABSENT for i in recorder.inputs)
        present = CurrentState(Testbed(workspace), catalogue)
        for item in recorder.inputs:
            assert present.now(item) == item


def report(shot: int) -> ReportRow:
    return ReportRow(
        folder=f"{shot:05d}/langmuir/abc",
        scope="shot",
        subject=f"{shot:05d}",
        template="langmuir",
        digest="abc",
        state="ok",
        reason="",
        rerun=False,
        current=True,
        started="2026-11-22T10:00:00.000+01:00",
        duration_s=1.0,
        template_digest="t",
        prose_digest="p",
        parameters={},
    )


def test_what_a_commit_says_can_never_become_stale(workspace, monkeypatch):
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (
        ["init", "-q"],
        ["add", "calibrations"],
        ["commit", "-qm", "x"],
        ["tag", "v1"],
    ):
        subprocess.run([*git, *arguments], cwd=workspace.root, check=True)
    tb = open_testbed(workspace.root, calib="v1")
    with recording() as recorder:
        then = tb[FIRST]["Probe_I"].values()
    kinds = {i.kind for i in recorder.inputs}
    assert kinds == {"pinned", "channel"}
    device = workspace.calibrations / "devices" / "probe.toml"
    device.write_text(device.read_text().replace("gain = -0.01", "gain = -0.02"))
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        present = CurrentState(Testbed(workspace), catalogue)
        assert all(present.now(i) == i for i in recorder.inputs if i.kind == "pinned")
    np.testing.assert_array_equal(
        open_testbed(workspace.root, calib="v1")[FIRST]["Probe_I"].values(), then
    )
    assert (Testbed(workspace)[FIRST]["Probe_I"].values() != then).all()
    assert repr(tb).endswith("with calibrations of v1>")
    with pytest.raises(NotFoundError, match="no tag or commit 'v2'"):
        open_testbed(workspace.root, calib="v2")


def test_times_depend_on_the_channel_and_on_no_calibration(testbed):
    for read in (lambda s: s.times(), lambda s: s.t0):
        with recording() as seen:
            read(testbed[1249]["Probe_U"])
        assert [i.kind for i in seen.inputs if i.kind in ("channel", "calibration")] == ["channel"]
