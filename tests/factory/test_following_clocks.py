"""A better clock from end to end: pulses, plan, reports, pages, and the commands that see to it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from nptdms import ChannelObject, RootObject, TdmsWriter

from ishtar.attributes.edits import edit
from ishtar.shots.testbed import Testbed
from runner.acts import new_act, submit, waiting
from runner.publish import publish_workspace
from runner.scheduling.rebuild import rebuild
from runner.service.reruns import Reruns
from runner.service.take_acts import take_act
from tests.factory.test_plan import make, planned
from tests.generator_fakes import HEADER, NAME, clock

pytestmark = pytest.mark.whole

FORWARD = "stale: channel Generator/ForwardPower (content changed)"
READERS = {
    "power": lambda tb, s: tb[s.number].channel("Generator/ForwardPower").times(),
    "gauge": lambda tb, s: tb[s.number]["Ngas_P"].load(),
    "quality": lambda tb, s: examined(tb[s.number]),
}


def rows(start):
    return [f"{clock(start, 0.1 * k)}\t{500 + k}\t1.0" for k in range(20)]


def examined(shot):
    from ishtar.quality import examine

    return examine(shot)


@pytest.fixture
def day(factory, call):
    """Give a day whose log is known; shot 7 has its TDMS, and no date file yet."""
    raw = factory.workspace.root / "raw"
    raw.mkdir()
    (raw / NAME).write_text("\n".join([HEADER, *rows("15:00:01"), *rows("16:00:01")]) + "\n")
    with TdmsWriter(raw / "00007_Data.tdms") as writer:
        channel = ChannelObject("S7", "Ngas_P", np.arange(9.0), {"wf_increment": 0.1})
        writer.write_segment([RootObject({"date": "2026-11-22 15:00:00"}), channel])
    (raw / "00007_Date.csv").write_text("Date;2026-11-22 15:00:00.730\nGas;Ar\n")
    assert call("ingest", raw / NAME, raw / "00007_Data.tdms")[0] == 0
    for name in READERS:
        factory.template(name, "x = 1")
    return raw


def make_all(factory, coordinator):
    coordinator.sync_shots()
    for p in coordinator.plan():
        make(factory, coordinator, p, lambda tb, s, name=p.template: tolerant(name, tb, s))
    assert planned(coordinator) == {}


def tolerant(name, tb, subject):
    from contextlib import suppress

    from ishtar.errors import NotFoundError

    with suppress(NotFoundError):  # shot 1 has no pulse
        READERS[name](tb, subject)


def first(factory, shot):
    return round(Testbed(factory.workspace)[shot].channel("Generator/ForwardPower").times()[0], 3)


def test_reports_that_read_the_pulses_follow_the_clock_and_the_page_says_so(
    factory, coordinator, call, day
):
    make_all(factory, coordinator)
    assert first(factory, 7) == 1.0
    code, out, _ = call("ingest", day / "00007_Date.csv", "--json")
    assert (code, json.loads(out)[0]["shots"]) == (0, [7])
    assert first(factory, 7) == 0.27
    plan = planned(coordinator)
    assert plan["00007", "power"] == (FORWARD,)
    assert FORWARD in plan["00007", "quality"]
    assert plan.keys() == {("00007", "power"), ("00007", "quality")}
    code, out, _ = call("plan", "--why")
    assert FORWARD in out
    make_all(factory, coordinator)

    publish_workspace(coordinator)
    said = (
        "00007_Data.tdms says 15:00:00, 00007_Date.csv 15:00:00.730: times of the generator "
        "follow 00007_Date.csv"
    )
    folder = factory.workspace.site / "shots" / "00007"
    page = (folder / "index.html").read_text()
    assert f"<b>00007_Data.tdms</b>: {said}" in page
    assert said in (folder / "shot.json").read_text()
    assert "things are wrong" not in page.split("</h2>")[0]
    found = examined(Testbed(factory.workspace)[7]).of_kind("clocks")
    assert [f.text for f in found] == [said]
    assert "Notes on the raw files" not in (folder.parent / "00001" / "index.html").read_text()


def test_a_source_on_another_day_is_a_mark_on_the_page(factory, coordinator, call, day):
    (day / "00007_Date.csv").write_text("Date;2026-11-23 15:00:00.730\n")
    assert call("ingest", day / "00007_Date.csv")[0] == 0
    coordinator.sync_shots()
    publish_workspace(coordinator)
    page = (factory.workspace.site / "shots" / "00007" / "index.html").read_text()
    said = "00007_Data.tdms says 2026-11-22 15:00:00, 00007_Date.csv 2026-11-23 15:00:00.730"
    assert page.count(said) == 1
    assert page.index(said) < page.index("Sources")
    assert "Notes on the raw files" not in page


def test_a_source_that_only_states_another_date_makes_data_quality_stale(
    factory, coordinator, call, day
):
    assert call("ingest", day / "00007_Date.csv")[0] == 0
    make_all(factory, coordinator)
    late = day / "00007_Second.tdms"
    with TdmsWriter(late) as writer:
        channel = ChannelObject("Second", "a", np.arange(9.0), {"wf_increment": 0.1})
        writer.write_segment([RootObject({"date": "2026-11-22 15:00:09"}), channel])
    assert call("ingest", late)[0] == 0
    assert planned(coordinator) == {
        ("00007", "quality"): (
            "stale: channel all channels (3 channels → 4 channels)",
            "stale: the list of files of shot 7 (3 files → 4 files)",
        )
    }


def test_a_corrected_date_moves_the_pulses_and_every_shot_that_they_touch_is_noted(
    factory, coordinator, call, day
):
    make_all(factory, coordinator)
    assert call("edit", 7, "date=2026-11-22T15:00:00.5", "--who", "Ada")[0] == 0
    assert first(factory, 7) == 0.5
    assert planned(coordinator)["00007", "power"] == (FORWARD,)
    assert call("edit", 7, "date=2026-11-22T16:00:00", "--who", "Ada")[0] == 0
    assert first(factory, 7) == 1.0
    assert call("edit", 1, "date=2026-11-22T15:00:00", "--who", "Ada")[0] == 0
    assert first(factory, 1) == 1.0
    # one shot's date takes a pulse from another one: both are stale
    make_all(factory, coordinator)
    assert call("edit", 1, "date=2026-11-22T16:00:02", "--who", "Ada")[0] == 0
    plan = planned(coordinator)
    for shot in ("00001", "00007"):
        gone = "stale: channel Generator/ForwardPower is gone"
        assert plan[shot, "power"] == (gone,)
    assert call("edit", 1, "gas=He", "--who", "Ada")[0] == 0


def test_a_correction_by_a_program_is_followed_when_the_shots_are_looked_at(
    factory, coordinator, day
):
    make_all(factory, coordinator)
    edit(factory.workspace.shot_folder(1), {"date": "2026-11-22T15:00:02"}, who="Ada")
    assert coordinator.sync_shots() == [1, 7]
    gone = ("stale: channel Generator/ForwardPower is gone",)
    assert planned(coordinator)["00007", "power"] == gone
    assert coordinator.sync_shots() == []
    # the day that it was of is known from the catalogue alone
    edit(factory.workspace.shot_folder(1), {"date": "2027-01-01T00:00:00"}, who="Ada")
    assert coordinator.sync_shots() == [1, 7]
    assert first(factory, 7) == 1.0


def test_a_date_that_is_corrected_by_the_web_service_gives_a_pulse_back(factory, coordinator, day):
    make_all(factory, coordinator)
    reruns = Reruns(coordinator)

    def correct(date):
        wanted = {"shot": 1, "changes": {"date": date}, "why": "", "version": None, "new": False}
        submit(factory.workspace, new_act("attributes", "Ada", wanted))
        [path] = waiting(factory.workspace)
        return take_act(coordinator, path, reruns)

    assert correct("2026-11-22T15:00:02") == [1, 7]
    gone = ("stale: channel Generator/ForwardPower is gone",)
    assert planned(coordinator)["00007", "power"] == gone
    assert correct("2027-01-01T00:00:00") == [1, 7]
    assert first(factory, 7) == 1.0


def test_a_source_that_is_removed_is_noticed_when_the_shots_are_looked_at(
    factory, coordinator, call, day
):
    (day / "00007_Date.csv").write_text("Date;2026-12-24 15:00:00.730\n")
    assert call("ingest", day / "00007_Date.csv")[0] == 0
    coordinator.sync_shots()
    notes = factory.workspace.days / "2026-12-24" / "shots"
    assert [p.name for p in notes.iterdir()] == ["00007.json"]
    (factory.workspace.shot_folder(7) / "00007_Date.csv.h5").unlink()
    coordinator.sync_shots()
    assert list(notes.iterdir()) == []
    assert first(factory, 7) == 1.0


def test_verify_names_what_rebuild_puts_right(factory, call, day):
    assert call("verify")[0] == 0
    edit(factory.workspace.shot_folder(7), {"date": "2026-11-22T15:00:00.5"}, who="Ada")
    note = factory.workspace.days / "2026-11-22" / "shots" / "00001.json"
    note.write_text("{")
    code, out, _ = call("verify", "--json")
    assert code == 1
    told = {row["file"]: row["problem"] for row in json.loads(out)}
    assert told.keys() == {
        "data/days/2026-11-22/shots/00001.json",
        f"data/days/2026-11-22/{NAME}",
    }
    assert "`ishtar rebuild` corrects it" in told[f"data/days/2026-11-22/{NAME}"]
    assert first(factory, 7) == 1.0
    assert call("rebuild")[0] == 0
    assert first(factory, 7) == 0.5
    assert call("verify")[0] == 0


def test_a_log_that_cannot_be_matched_is_a_problem_of_the_rebuild(factory, call, day):
    (factory.workspace.days / "2026-11-22" / "Thumbs.db").write_bytes(b"\0")
    shots, _, problems = rebuild(factory.workspace)
    assert shots == 2
    (problem,) = problems
    assert "Thumbs.db is not matched" in problem
    assert call("rebuild")[0] == 1
