"""What people ask of a running service: reports with their own parameters, corrections."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ishtar.attributes import read_edits
from ishtar.workspace import Workspace
from runner.acts import DONE, REFUSED, Act, Outcome, find, new_act, submit, waiting
from runner.jobs import Done, Job
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.service.reruns import Reruns
from runner.service.take_acts import take_act
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


def test_what_cannot_be_made_is_refused_with_the_reason(workspace):
    wrong = [
        ({"template": "tripled"}, "tripled"),
        ({"subject": "shot one"}, "'shot one'"),
        ({"parameters": {"gain": "much"}}, "gain must be float"),
        ({"parameters": {"gain": 11.0}}, "outside 0 .. 10"),
        ({"parameters": {"loss": 1.0}}, "loss"),
        ({"parameters": None}, "'NoneType' object is not iterable"),
    ]
    acts = [(asked(workspace, **wanted), why) for wanted, why in wrong]
    watch(workspace, once=True)
    for act, why in acts:
        outcome = became(workspace, act)
        assert outcome.state == REFUSED
        assert why in outcome.detail


def unable(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Let workers raise an error instead of making a report."""

    def fail(_: Job) -> Done:
        raise error

    monkeypatch.setattr("runner.service.reruns.open_workers", lambda *_: ThreadPoolExecutor(1))
    monkeypatch.setattr("runner.service.reruns.execute", fail)


def made_of(reruns: Reruns, coordinator: Coordinator, path: Path) -> list[Subject]:
    """Take an act as the service does; return the subjects of its report."""
    take_act(coordinator, path, reruns)
    found: list[Subject] = []
    while reruns.busy:
        found += reruns.collect()
        time.sleep(0.01)
    return found


def test_an_act_that_cannot_be_made_keeps_no_other_from_being_made(
    workspace, coordinator, monkeypatch
):
    acts = [asked(workspace, parameters={"gain": gain}) for gain in (1.5, 2.0)]
    first, second = waiting(workspace)
    with closing(Reruns(coordinator)) as reruns, monkeypatch.context() as patched:
        unable(patched, RuntimeError("no such page"))
        assert made_of(reruns, coordinator, first) == []
    outcome = became(workspace, acts[0])
    assert outcome == Outcome(
        state=REFUSED, detail="it cannot be made (RuntimeError: no such page)"
    )
    with closing(Reruns(coordinator)) as reruns:
        assert made_of(reruns, coordinator, second) == [Subject.shot(1)]
    assert became(workspace, acts[1]).state == DONE


def test_an_act_that_the_machine_cannot_make_now_stays(workspace, coordinator, monkeypatch):
    act = asked(workspace)
    [path] = waiting(workspace)
    with closing(Reruns(coordinator)) as reruns, monkeypatch.context() as patched:
        unable(patched, OSError(28, "No space left on device"))
        with pytest.raises(OSError, match="No space left"):
            made_of(reruns, coordinator, path)
        assert not reruns.busy
    assert became(workspace, act).state == "waiting"


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
