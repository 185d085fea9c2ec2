"""The machine at a shot: components by name and kind, their parameters in the unit asked for."""

from __future__ import annotations

import math

import pytest

from ishtar.errors import NoSuchComponent, UnitError
from ishtar.shots.testbed import Testbed
from tests.library_fakes import FIRST, MOVED


def test_components_are_those_of_the_shot(testbed):
    before, after = testbed[FIRST].machine, testbed[MOVED].machine
    assert before.names() == ["langmuir_1", "vessel"]
    assert before["langmuir_1"].tip_radius == pytest.approx(1e-4)
    assert after["langmuir_1"].tip_radius == pytest.approx(2e-4)
    assert [c.name for c in before] == before.names()
    assert [c.name for c in after.of_kind("langmuir_probe")] == ["langmuir_1"]
    assert repr(before) == f"<machine of shot {FIRST}: langmuir_1, vessel>"
    assert repr(before["langmuir_1"]).startswith("<langmuir_probe langmuir_1: tip_radius 0.1 mm")


def test_the_area_of_a_tip_is_its_side_and_its_free_end(testbed):
    r, length = 1e-4, 2.5e-3
    expected = 2 * math.pi * r * length + math.pi * r * r
    assert testbed[FIRST].machine["langmuir_1"].area == pytest.approx(expected)


def test_a_parameter_is_given_in_the_unit_asked_for(testbed):
    probe = testbed[FIRST].machine["langmuir_1"]
    assert probe.value("tip_radius", "um") == pytest.approx(100.0)
    with pytest.raises(UnitError, match=r"machine/all\.toml:8 .*tip_radius: 'mm' does not fit 'V'"):
        probe.value("tip_radius", "V")
    vessel = testbed[FIRST].machine["vessel"]
    with pytest.raises(UnitError, match=r"vessel\.material: 'steel' is not a quantity"):
        vessel.value("material", "m")
    with pytest.raises(UnitError, match=r"vessel\.ports: 12 has no unit"):
        vessel.value("ports", "m")


def test_what_is_not_there_names_the_nearest_and_where_it_is(testbed, workspace):
    with pytest.raises(
        NoSuchComponent, match="no component 'langmuir1'; did you mean 'langmuir_1'"
    ):
        testbed[FIRST].machine["langmuir1"]
    with pytest.raises(NoSuchComponent, match=r"no component 'x'; shot\.machine\.names\(\)"):
        testbed[FIRST].machine["x"]
    with pytest.raises(
        NoSuchComponent, match="no parameter 'tip_radus'; did you mean 'tip_radius'"
    ):
        testbed[FIRST].machine["langmuir_1"].value("tip_radus", "m")
    with pytest.raises(NoSuchComponent, match="it has diameter, material, ports; add it at"):
        testbed[FIRST].machine["vessel"].value("x", "m")
    path = workspace.calibrations / "machine" / "all.toml"
    path.write_text(path.read_text().replace("until = 1250\n", "until = 1240\n"))
    shot = Testbed(workspace)[FIRST]
    assert "langmuir_1" not in shot.machine
    with pytest.raises(NoSuchComponent, match="it exists at shots 1…1239, 1250…"):
        shot.machine["langmuir_1"]
