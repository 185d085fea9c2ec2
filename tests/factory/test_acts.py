"""What people ask of a running service: reports with their own parameters, corrections."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ishtar.attributes import read_edits
from ishtar.workspace import Workspace
from runner.acts import DONE, REFUSED, Act, Outcome, find, new_act, submit, waiting
from runner.service.watch import watch
from tests.factory.service_fakes import Service

pytestmark = pytest.mark.whole

TWICE = "from ishtar.report import glue\nglue('twice', 2 * gain)"
GAIN = "shot: int = 1\ngain: float = 1.0  # of the probe, 0 .. 10"


@pytest.fixture
def workspace(factory) -> Workspace:
    """A workspace with a template that has a parameter, and its report."""
    factory.template("doubled", TWICE, parameters=GAIN)
    watch(factory.workspace, once=True)
    return factory.workspace


def asked(workspace: Workspace, **wanted: Any) -> Act:
    """Let a person ask for a report."""
    content = {"template": "doubled", "subject": "00001", "parameters": {}} | wanted
    return submit(workspace, new_act("rerun", "anna", content))[0]


def became(workspace: Workspace, act: Act) -> Outcome:
    found = find(workspace, act.id)
    assert found is not None
    return found[1]


def test_a_report_with_other_parameters_is_made_beside_the_official_one(workspace):
    acts = [asked(workspace, parameters={"gain": gain}) for gain in (2.0, 3.5)]
    watch(workspace, once=True)
    for act, twice in zip(acts, (4.0, 7.0), strict=True):
        outcome = became(workspace, act)
        assert (outcome.state, outcome.result["state"]) == (DONE, "ok")
        assert outcome.result["scraps"]["twice"]["value"] == twice
        page = workspace.site / outcome.result["page"]
        assert "gain" in page.read_text()
    assert waiting(workspace) == []
    official = json.loads((workspace.site / "shots/00001/scraps.json").read_text())
    assert "2.0" in json.dumps(official)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        ({"template": "tripled"}, "tripled"),
        ({"subject": "shot one"}, "'shot one'"),
        ({"parameters": {"gain": "much"}}, "gain must be float"),
        ({"parameters": {"gain": 11.0}}, "outside 0 .. 10"),
        ({"parameters": {"loss": 1.0}}, "loss"),
        ({"parameters": None}, ""),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_reason(workspace, wanted, why):
    act = asked(workspace, **wanted)
    watch(workspace, once=True)
    outcome = became(workspace, act)
    assert outcome.state == REFUSED
    assert why in outcome.detail


def test_a_failing_report_is_done_and_says_so(workspace, factory):
    factory.template("broken", "1 / depth", parameters="shot: int = 1\ndepth: int = 1")
    act = asked(workspace, template="broken", parameters={"depth": 0})
    watch(workspace, once=True)
    outcome = became(workspace, act)
    assert (outcome.state, outcome.result["state"]) == (DONE, "failed")
    assert "ZeroDivisionError" in outcome.detail


def test_a_rerun_that_the_end_of_the_service_cut_off_is_made_by_the_next_one(factory, workspace):
    slow = "import time\ntime.sleep(pause)"
    factory.template("slow", slow, parameters="shot: int = 1\npause: float = 0.0")
    watch(workspace, once=True)
    act = asked(workspace, template="slow", parameters={"pause": 600.0})
    with Service(workspace) as service:
        service.wait_for(lambda: any(workspace.reports.rglob(".tmp-rerun-*")))
    assert became(workspace, act).state == "waiting"
    [path] = waiting(workspace)
    path.write_text(path.read_text().replace("600.0", "0.25"))
    watch(workspace, once=True)
    outcome = became(workspace, act)
    assert (outcome.state, outcome.result["state"]) == (DONE, "ok")


def test_a_correction_reaches_the_page(factory, workspace):
    wanted = {"shot": 1, "changes": {"gas": "He"}, "why": "bottle", "version": None, "new": False}
    act, _ = submit(workspace, new_act("attributes", "anna", wanted))
    watch(workspace, once=True)
    assert became(workspace, act).state == DONE
    page = (workspace.site / "shots/00001/index.html").read_text()
    assert ">He<" in page
    [edit] = read_edits(workspace.shot_folder(1))
    assert (edit.who, edit.why) == ("anna", "bottle")
