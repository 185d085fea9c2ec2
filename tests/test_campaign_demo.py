"""The demo campaign: the plan of its three weeks, and what people change in between."""

from __future__ import annotations

import pytest

from ishtar.calibration import load_declarations
from ishtar.workspace import Workspace
from runner.demo import campaign_demo as campaign
from runner.simulate import Campaign, SimulationError, three_weeks
from runner.simulate.campaign import setup_of
from runner.simulate.weeks import HELIUM
from runner.templates.template import read_templates
from runner.workspaces.new_workspace import make_workspace

pytestmark = pytest.mark.whole


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    made = make_workspace(tmp_path / "ws", facility="Test")
    campaign.change_testbed(made)
    campaign.add_template(made)
    return made


def test_three_weeks_are_sixty_shots_in_a_row_on_twelve_days():
    days = three_weeks()
    assert [n for day in days for n in day.numbers] == list(range(1181, 1241))
    dates = [day.date for day in days]
    assert dates == sorted(set(dates))
    assert (dates[-1] - dates[0]).days < 21
    assert any(date.weekday() == 5 for date in dates)
    assert {day.size_mb for day in days} == {1.0}


def test_each_flaw_is_there_once_and_both_gases_are_used():
    days = three_weeks()
    flaws = [flaw for day in days for flaw in day.flaws.values()]
    assert len(flaws) == len(set(flaws)) == 11
    gases = {n: setup_of(day, n).gas for day in days for n in day.numbers}
    assert set(gases.values()) == {"Ar", "He"}
    assert {gases[n] for day in days if day.date == HELIUM for n in day.numbers} == {"He"}


def test_the_pressure_rises_from_day_to_day():
    argon = [
        [s.pressure_pa for n in day.numbers if (s := setup_of(day, n)).gas == "Ar"]
        for day in three_weeks()
    ]
    means = [sum(found) / len(found) for found in argon if found]
    assert means[-1] > 1.08 * means[0]


@pytest.mark.parametrize(("name", "value"), [("line", 12), ("line", -1), ("pressure", 9.0)])
def test_a_line_or_a_pressure_that_cannot_be_is_refused(name, value):
    with pytest.raises(SimulationError, match=r": (choose|ask)"):
        Campaign(**{name: value})


def test_the_testbed_changes_where_the_campaign_says(workspace):
    declared = load_declarations(workspace.calibrations)
    spans = {w.device: w.span for w in declared.wiring["Bdot_U"]}
    first = campaign.NEW_DETECTOR
    assert first - 1 in spans["logdet_bdot"]
    assert first not in spans["logdet_bdot"]
    assert first in spans["logdet_bdot_2"]
    old, new = declared.components["icrf_antenna"]
    assert campaign.NEW_ANTENNA not in old.span
    assert campaign.NEW_ANTENNA in new.span
    versions = {c.version: c.span for c in declared.devices["logdet_ic"].calibrations}
    assert campaign.NEW_CALIBRATION not in versions[1]
    assert campaign.NEW_CALIBRATION in versions[2]


def test_the_template_with_a_fault_is_a_whole_template(workspace):
    templates = read_templates(workspace.templates)
    assert templates.problems == {}
    assert templates[campaign.TEMPLATE].after == ("langmuir",)
