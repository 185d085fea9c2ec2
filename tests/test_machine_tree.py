"""The tree of components, what changed between shots, what is recorded of both, and bad texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from ishtar.calibration import load_declarations, read_declarations
from ishtar.calibration.components import PARAMETERS
from ishtar.catalogue import Catalogue
from ishtar.errors import CalibrationFileError, NoSuchComponent, UnitError
from ishtar.inputs import identity
from ishtar.lineage.record import recording
from ishtar.machine import KINDS, Changes, Component, Machine
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.simulate import instruments
from runner.staleness.current_state import CurrentState
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.machine_fakes import CHANGED, MACHINE, WHOLE, write_machine_workspace


@pytest.fixture(scope="module")
def machine_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return write_machine_workspace(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def tb(machine_workspace: Workspace) -> Testbed:
    return Testbed(machine_workspace)


class TestTree:
    def test_parents_and_children(self, tb):
        machine = tb[WHOLE].machine
        probe = machine["tip_1"]
        assert probe.parent.name == "arm"
        assert probe.parent.parent.name == "vessel"
        assert machine["vessel"].parent is None
        assert [c.name for c in machine["tube"].children] == ["helicon", "small"]
        assert probe.children == []

    def test_it_is_shown_with_kinds_and_parameters(self, tb):
        lines = repr(tb[WHOLE].machine.tree()).splitlines()
        assert lines[0].startswith("amplifier (generator)  forward Idle, ")
        assert "vessel (vessel)  diameter 1.0 m, paint blue" in lines
        at = lines.index("    arm (manipulator)  signal Place, position 30 cm, position_sigma 2 cm")
        assert lines[at + 1].startswith("        tip_1 (langmuir probe)  bias U, current I")
        assert any("positions -0.4 m, 0.4 m, positions_sigma 3 mm" in line for line in lines)
        assert repr(Machine(tb.declarations, 0).tree()) == "shot 0: no component is declared"

    def test_a_component_whose_parent_is_away_is_shown_as_a_root(self, workspace):
        path = workspace.calibrations / "machine" / "all.toml"
        text = path.read_text().replace('kind = "vessel"\nfrom = 1', 'kind = "vessel"\nfrom = 1250')
        path.write_text(text)
        tb = Testbed(workspace)
        assert str(tb[FIRST].machine.tree()).startswith("langmuir_1 (langmuir probe)")
        with pytest.raises(NoSuchComponent, match=r"no component 'vessel'; it exists at shots"):
            _ = tb[FIRST].machine["langmuir_1"].parent

    def test_a_kind_without_physics_is_a_plain_component(self, tb):
        vessel = tb[WHOLE].machine["vessel"]
        assert type(vessel) is Component
        assert vessel.text("paint") == "blue"
        with pytest.raises(
            UnitError, match=r"all\.toml:\d+.*, vessel\.paint: 'blue' is not a plain number"
        ):
            vessel.count("paint")

    def test_lists_are_recorded_as_lists_and_their_members(self, tb):
        with recording() as recorder:
            assert [c.name for c in tb[WHOLE].machine.of_kind("coils")] == ["big", "small"]
            assert tb[WHOLE].machine["tube"].children
        assert {i.name for i in recorder.inputs} == {
            *("all of kind coils", "big", "small"),
            *("tube", "all parts of tube", "helicon"),
        }

    def test_a_new_component_of_a_kind_changes_the_list(self, tmp_path):
        workspace = write_machine_workspace(tmp_path)
        before = load_declarations(workspace.calibrations)
        more = '[[component]]\nname = "third"\nkind = "coils"\nfrom = 1\n'
        path = workspace.calibrations / "machine" / "more.toml"
        path.write_text(more)
        after = load_declarations(workspace.calibrations)
        for which, same in (("coils", False), ("antenna", True)):
            name = identity.OF_KIND + which
            one, two = (identity.component_input(d, name, WHOLE) for d in (before, after))
            assert (one == two) == same


class TestDiff:
    def test_hardware_wiring_and_calibration_that_changed(self, testbed):
        found = testbed[MOVED].machine.diff(testbed[FIRST])
        assert isinstance(found, Changes)
        assert {(c.kind, c.name) for c in found} >= {
            ("machine", "langmuir_1.tip_radius"),
            ("wiring", "Probe_I"),
            ("calibration", "probe.U"),
        }
        (radius,) = found.of("machine")
        assert (radius.before, radius.after) == ("0.1 mm", "0.2 mm")
        assert "machine langmuir_1.tip_radius: 0.1 mm → 0.2 mm" in repr(found)
        assert len(repr(found).splitlines()) == len(found)
        back = testbed[FIRST].machine.diff(testbed[MOVED].machine).of("machine")
        assert (back[0].before, back[0].after) == ("0.2 mm", "0.1 mm")

    def test_nothing_changed_is_said(self, testbed):
        found = testbed[LAMED].machine.diff(testbed[MOVED])
        assert found == ()
        assert repr(found) == "nothing changed"

    def test_what_it_compared_is_one_input_that_can_be_asked_again(self, workspace):
        tb = Testbed(workspace)
        with recording() as recorder:
            tb[MOVED].machine.diff(tb[FIRST])
        (item,) = recorder.inputs
        assert (item.kind, item.name) == ("machine", f"changes since {FIRST}")
        assert item.version.endswith(" changes")
        with Catalogue(workspace.catalogue, write=True) as catalogue:
            assert CurrentState(Testbed(workspace), catalogue).now(item) == item
            path = workspace.calibrations / "machine" / "all.toml"
            path.write_text(path.read_text().replace('"0.2 mm"', '"0.3 mm"'))
            now = CurrentState(Testbed(workspace), catalogue).now(item)
            assert now.digest != item.digest
            # what is the same at both shots is no part of the difference
            path.write_text(
                path.read_text().replace('"0.3 mm"', '"0.2 mm"').replace("1.0 m", "2 m")
            )
            assert CurrentState(Testbed(workspace), catalogue).now(item) == item

    def test_between_different_texts_everything_of_this_one_is_recorded(self, testbed, tb):
        with recording() as recorder:
            found = tb[CHANGED].machine.diff(testbed[FIRST])
        assert {c.kind for c in found} == {"signal", "wiring", "calibration", "machine"}
        named = {(i.kind, i.name) for i in recorder.inputs}
        assert {("machine", "tip_1"), ("wiring", "U"), ("calibration", "probe.I")} <= named
        assert ("machine", "langmuir_1") not in named


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('bias = "U"\n', 'bias = "V"\n', "tip_1.bias = 'V' is not a signal in signals.toml"),
        ('bias = "U"\n', "bias = 3\n", "tip_1.bias = 3 must be a text"),
        ('tip_radius = "0.2 mm"\n', 'tip_radius = "2 V"\n', "tip_1.tip_radius = '2 V': 'V' does"),
        ('tip_radius = "0.2 mm"\n', "tip_radius = 2\n", "tip_1.tip_radius = 2: 2 has no unit"),
        ('"0.004 mm"', '"-0.004 mm"', "tip_1.tip_radius_sigma = '-0.004 mm' is negative"),
        ('radius_sigma = "2 mm"', 'radus_sigma = "2 mm"', "big.radus_sigma = '2 mm' is a sigma"),
        ('width = "0.1 m"', 'widht = "0.1 m"', "widht is never read; did you mean 'width'"),
        ("turns = 100", 'turns = "100"', "big.turns = '100' must be a bare number"),
        ("turns = 100", "turns = nan", "big.turns = nan must be a finite number"),
        ('["-0.4 m", "0.4 m"]', '["-0.4 m", 4]', "big.positions = 4: 4 has no unit"),
        ('"11.76 MHz"', '"11.76 MHzz"', "helicon.frequency = '11.76 MHzz': unknown unit 'MHzz'"),
    ],
)
def test_a_wrong_parameter_is_found_with_file_and_line(tmp_path, old, new, problem):
    workspace = write_machine_workspace(tmp_path)
    path = workspace.calibrations / "machine" / "all.toml"
    assert old in MACHINE
    path.write_text(MACHINE.replace(old, new, 1))
    _, problems = read_declarations(workspace.calibrations)
    (found,) = problems
    assert found.startswith("machine/all.toml:")
    assert problem in found
    with pytest.raises(CalibrationFileError):
        load_declarations(workspace.calibrations)


def test_the_reference_machine_has_the_field_of_the_synthetic_testbed():
    declared = load_declarations(Path(__file__).parents[1] / "calibrations")
    machine = Machine(declared, 1)
    for name, per_ampere in (
        ("big_coils", instruments.BIG_COIL_TESLA_PER_A),
        ("small_coils", instruments.SMALL_COIL_TESLA_PER_A),
    ):
        slope = machine[name].tesla_per_ampere(0.0)
        assert slope.value == pytest.approx(per_ampere, rel=1e-4)
        assert 0.0 < slope.sigma < 0.01 * slope.value
    for probe in machine.of_kind("langmuir_probe"):
        assert probe.tip_radius == instruments.PROBE_RADIUS_M
        assert probe.tip_length == instruments.PROBE_LENGTH_M


def test_every_kind_and_what_it_reads_is_documented():
    page = (Path(__file__).parents[1] / "docs" / "machine.md").read_text(encoding="utf-8")
    assert set(KINDS) == PARAMETERS.keys()
    words = {*KINDS, *(name for known in PARAMETERS.values() for name in known)}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []
