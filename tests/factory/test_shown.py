"""What a publication shows is found by queries at the command line and in reports."""

from __future__ import annotations

from typing import Any

import pytest

from runner.publish import publish_workspace
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator

pytestmark = pytest.mark.whole

ASKS = """import ishtar, scrapbook
scrapbook.glue("n", len(ishtar.open().shots("problems ~ 'Lang_I'")))"""


def cycle(factory: Any) -> list[str]:
    """Make what is to be made, publish; return the templates that were run."""
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        done = run_batch(coordinator, workers=0)
        publish_workspace(coordinator)
    assert {d.receipt.state for d in done} <= {"ok"}
    return sorted(d.receipt.template for d in done)


def found(call: Any, query: str) -> list[int]:
    """Return the shots that `ishtar shots` lists."""
    code, out, error = call("shots", query)
    assert code == 0, error
    return [int(row[0]) for row in map(str.split, out.splitlines()) if row and row[0].isdigit()]


def test_what_is_out_of_date_and_wrong_is_found_from_the_command_line(factory, call):
    factory.template("probe", "shot")
    factory.shot(2, probe=False)
    cycle(factory)
    assert found(call, "probe = out of date") == []
    assert found(call, "probe = ok") == [1, 2]
    assert found(call, "Probe of a shot = ok") == [1, 2]
    assert found(call, "problems ~ not recorded") == [2]
    assert found(call, "Lang_I") == [2]  # words are looked for in problems, too
    factory.template("probe", "shot + 1")
    with Coordinator(factory.workspace) as coordinator:
        publish_workspace(coordinator)
    assert found(call, "probe = out of date") == [1, 2]
    assert found(call, "probe = ok") == []
    cycle(factory)
    assert found(call, "probe = out of date") == []
    factory.shot(2)  # it was recorded after all
    cycle(factory)
    assert found(call, "problems ~ not recorded") == []


def test_a_report_that_asks_for_problems_is_made_again_when_they_change(factory):
    factory.template("plain", "shot")
    cycle(factory)
    factory.template("asks", ASKS)
    assert cycle(factory) == ["asks"]
    factory.shot(2, probe=False)
    cycle(factory)
    assert cycle(factory) == ["asks", "asks"]  # the publication found what is wrong with shot 2
    assert cycle(factory) == []
    with Coordinator(factory.workspace) as coordinator:
        scraps = coordinator.catalogue.scraps(["00001", "00002"], "n")
    assert [s.value for s in scraps] == [1, 1]
