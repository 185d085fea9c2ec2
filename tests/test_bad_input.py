"""What is written wrongly at a prompt gets one line that says what to write instead."""

from __future__ import annotations

import math

import pytest

from ishtar.errors import IshtarError, NoSuchComponent, TimeBaseError, WorkspaceError
from ishtar.export.writing import ExportError
from ishtar.machine import Machine
from ishtar.opening import open_testbed
from ishtar.shots.testbed import Testbed
from ishtar.signals.alignment import align
from ishtar.signals.windows import bounds, seconds
from ishtar.workspace import Workspace
from tests.library_fakes import FIRST
from tests.machine_fakes import WHOLE, write_machine_workspace


@pytest.fixture(scope="module")
def machine(tmp_path_factory) -> Machine:
    return Testbed(write_machine_workspace(tmp_path_factory.mktemp("machine")))[WHOLE].machine


@pytest.fixture
def shot(testbed):
    return testbed[FIRST]


def test_a_window_is_two_numbers_or_open_ends():
    assert bounds(None) == (None, None)
    assert bounds((2, None)) == (2.0, None)
    assert [type(b) for b in bounds([2, 3])] == [float, float]
    assert seconds(2, "t") == 2.0


@pytest.mark.parametrize("t", [2, 2.0, "", "ab", "12", (1,), (1, 2, 3), ("1", "2"), object(), 1j])
def test_anything_else_is_no_window(t, shot, tmp_path):
    for use in (
        bounds,
        lambda t: shot.load(["Probe_U"], t=t),
        lambda t: shot.export(tmp_path / "x.mat", ["Probe_U"], t=t),
    ):
        with pytest.raises(TimeBaseError, match=r"give (start and end|seconds)"):
            use(t)
    assert list(tmp_path.iterdir()) == []


class TestSignals:
    @pytest.mark.parametrize("n", [2.5, "7", None, math.nan])
    def test_an_envelope_has_a_whole_number_of_stretches(self, shot, n):
        with pytest.raises(TypeError, match="a whole number of intervals"):
            shot["Probe_U"].envelope(n)

    def test_a_step_is_a_number(self, shot):
        with pytest.raises(TimeBaseError, match="dt = '1ms' is not a time: give seconds"):
            shot["Probe_U"].resample("1ms")

    @pytest.mark.parametrize("signals", ["U", ["Probe_U"], [1]])
    def test_what_is_aligned_are_signals(self, signals):
        with pytest.raises(TypeError, match="a list of signals"):
            align(signals, dt=1e-3)

    def test_one_signal_is_no_list_of_signals(self, shot):
        with pytest.raises(TypeError, match="a list of signals"):
            align(shot["Probe_U"], dt=1e-3)

    def test_times_to_align_at_are_numbers(self, shot):
        with pytest.raises(TimeBaseError, match="give seconds"):
            align([shot["Probe_U"]], t=["a"])

    def test_a_channel_is_a_path(self, shot):
        with pytest.raises(TypeError, match="3 is not a channel: write its path"):
            shot.channel(3)


class TestFiles:
    @pytest.mark.parametrize("n", [2.5, "7", True])
    def test_a_number_of_values_is_whole(self, shot, tmp_path, n):
        with pytest.raises(ExportError, match="a whole number"):
            shot.export(tmp_path / "x.csv", ["Probe_U"], n=n)

    def test_names_are_texts(self, shot, tmp_path):
        with pytest.raises(ExportError, match="5 is not the name of a signal"):
            shot.export(tmp_path / "x.csv", [5])

    def test_a_place_that_cannot_be_written_is_named(self, shot, tmp_path):
        (tmp_path / "x.csv").mkdir()
        (tmp_path / "x.csv" / "full").write_text("")
        with pytest.raises(
            ExportError, match=r"x\.csv cannot be written .*: choose another folder"
        ):
            shot.export(tmp_path / "x.csv", ["Probe_U"])


class TestTestbed:
    @pytest.mark.parametrize("number", ["7", "latest", 7.0, None])
    def test_a_shot_is_a_number(self, testbed, number):
        with pytest.raises(TypeError, match=r"is not a shot: write its number, tb\[1234\]"):
            testbed[number]
        with pytest.raises(TypeError, match="is not a shot"):
            testbed.range(1, number)

    def test_no_day_is_not_every_day(self, testbed):
        with pytest.raises(TypeError, match="None is not a day"):
            testbed.day(None)

    def test_a_query_is_a_text(self, testbed):
        with pytest.raises(TypeError, match="5 is not a query"):
            testbed.shots(5)

    def test_one_column_may_be_named_alone(self, catalogued):
        assert list(catalogued.range(1, 0).table("date").columns) == ["date"]
        with pytest.raises(TypeError, match="5 is not a column"):
            catalogued.range(1, 0).table([5])

    def test_an_address_is_no_folder(self):
        with pytest.raises(WorkspaceError, match="is an address: give"):
            open_testbed("ftp://example.org/x")

    def test_a_revision_is_a_text(self, workspace):
        with pytest.raises(TypeError, match="calib=5 is not a revision"):
            open_testbed(workspace.root, calib=5)


@pytest.fixture
def catalogued(workspace: Workspace) -> Testbed:
    from ishtar.catalogue import Catalogue

    Catalogue(workspace.catalogue, write=True).close()
    return Testbed(workspace)


class TestMachine:
    def test_a_component_is_a_name(self, machine):
        with pytest.raises(TypeError, match="5 is not the name of a component"):
            machine[5]

    def test_a_kind_that_nobody_has_heard_of_names_the_nearest(self, machine):
        assert machine.of_kind("coils")
        with pytest.raises(NoSuchComponent, match="no kind of component 'coil'; did you mean"):
            machine.of_kind("coil")
        with pytest.raises(NoSuchComponent, match="there are "):
            machine.of_kind(5)

    def test_a_kind_that_this_shot_lacks_is_no_mistake(self, machine):
        assert Machine(machine._declarations, 0).of_kind("coils") == []

    @pytest.mark.parametrize("other", [3, "x", None])
    def test_a_difference_is_from_a_shot(self, machine, other):
        with pytest.raises(TypeError, match="give the other shot itself"):
            machine.diff(other)

    def test_one_place_has_one_factor(self, machine):
        (coils, *_) = machine.of_kind("coils")
        with pytest.raises(TypeError, match="give one z in m"):
            coils.tesla_per_ampere([0.0, 0.1])

    @pytest.mark.parametrize("t", ["a", None, (1, 2, 3), (0.4, 0.3), (None, 0.4), (0.3, "a")])
    def test_a_time_of_a_component_is_a_time(self, machine, t):
        probe, gas = machine.of_kind("langmuir_probe")[0], machine.of_kind("gas")[0]
        for ask in (gas.pressure, probe.sweep if not isinstance(t, tuple) else probe.sweeps):
            if t is None and ask == gas.pressure:
                continue  # all of the record
            with pytest.raises(TimeBaseError, match=r"is not a time|s is empty") as caught:
                ask(t)
            assert isinstance(caught.value, IshtarError)

    def test_one_time_is_no_stretch_for_sweeps(self, machine):
        with pytest.raises(TimeBaseError, match=r"t=0\.3 is not a time window"):
            machine.of_kind("langmuir_probe")[0].sweeps(0.3)
