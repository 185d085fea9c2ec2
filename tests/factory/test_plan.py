"""The plan: what is missing or stale, exactly, and why. Reports are made without kernels here."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from ishtar.catalogue import Catalogue
from ishtar.lineage.record import RAN, WHERE, Input, recording
from ishtar.shots.testbed import Testbed
from runner.cli import main
from runner.execution import library_code as code
from runner.execution.library_code import code_input
from runner.jobs import Done, Selection
from runner.receipts import NOTEBOOK, RECEIPT, Receipt, Scrap, Subject, identity, report_folder
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.staleness.current_state import CurrentState

pytestmark = pytest.mark.whole

HOMES = {"one": "ishtar.a", "two": "ishtar.b", "used": "ishtar.used"}
PROBE, GAUGE, DAY = "probe", "gauge", "summary"
DAYS = ["2026-11-22", "2026-11-23"]


def make(factory, coordinator, planned, reader, state="ok", scraps=()):
    """Write the report that a kernel would have made of a template which reads by ``reader``."""
    workspace = factory.workspace
    template = coordinator.templates()[planned.template]
    values = template.values(planned.subject)
    with recording() as recorder:
        reader(Testbed(workspace), planned.subject)
    ran, identities = code_of(template)
    inputs = tuple(sorted({*recorder.inputs, code_input(ran, identities)}))
    receipt = Receipt(
        scope=planned.subject.scope,
        subject=planned.subject.key,
        template=template.name,
        title=template.title,
        template_digest=template.code_digest,
        prose_digest=template.prose_digest,
        parameters=values,
        state=state,
        digest="",
        inputs=inputs,
        code=identities,
        ran=ran,
        scraps=tuple(scraps),
        started=f"2026-11-22T12:00:{len(coordinator.catalogue.reports()):02d}+00:00",
        duration_s=1.0,
    )
    receipt = replace(receipt, digest=identity(receipt))
    folder = report_folder(workspace.reports, planned.subject, template.name, receipt.digest)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECEIPT).write_text(receipt.to_json())
    (folder / NOTEBOOK).write_text(json.dumps({"cells": [glued(scrap) for scrap in scraps]}))
    done = Done(folder=folder.relative_to(workspace.reports).as_posix(), receipt=receipt)
    coordinator.note_report(done)
    return done


def code_of(template):
    """Return what of the test's own library a template runs, which only calls its functions."""
    library = code.library()
    calls = re.findall(r"^(?:ishtar\.)?(\w+)\(\)$", "\n".join(template.code), re.MULTILINE)
    records = [Input(kind=RAN, name=f"{HOMES[call]}:{call}") for call in calls if call in HOMES]
    ran = library.dependencies(records)
    return ran, library.digests(ran)


def glued(scrap):
    """Return the cell of an executed notebook that has glued a result."""
    payload = {"name": scrap.name, "data": scrap.value, "encoder": "json", "version": 1}
    output = {
        "output_type": "display_data",
        "data": {"application/scrapbook.scrap.json+json": payload},
        "metadata": {"ishtar": {"sigma": scrap.sigma, "unit": scrap.unit}},
    }
    return {"cell_type": "code", "outputs": [output]}


READERS = {
    PROBE: lambda tb, subject: tb[subject.number]["Lang_I"].load(),
    GAUGE: lambda tb, subject: tb[subject.number]["Ngas_P"].load(),
    DAY: lambda tb, subject: tb.day(subject.key).table(["Te"]),
}


def make_all(factory, coordinator, te=4.0):
    """Make everything that the plan asks for, until it asks for nothing."""
    for _ in range(3):
        for planned in coordinator.plan():
            scraps = [Scrap(name="Te", value=te, unit="eV")] if planned.template == PROBE else []
            make(factory, coordinator, planned, READERS[planned.template], scraps=scraps)


@pytest.fixture
def made(factory, coordinator):
    """Give a coordinator of two shots whose probe, gauge and day reports are all made."""
    factory.template(PROBE, "x = 1")
    factory.template(GAUGE, "x = 2")
    day = 'day: str = "2026-11-22"'
    sidecar = "scope = 'day'\nafter = ['probe']"
    factory.template(DAY, "x = 3", parameters=day, sidecar=sidecar)
    factory.shot(2)
    coordinator.sync_shots()
    make_all(factory, coordinator)
    return coordinator


def planned(coordinator, **kw):
    """Return the plan as {(subject, template): reasons}."""
    return {(p.subject.key, p.template): p.reasons for p in coordinator.plan(Selection(**kw))}


def test_at_first_every_report_is_missing(factory, coordinator):
    factory.template(PROBE, "x = 1")
    assert planned(coordinator) == {("00001", PROBE): ("missing: never made",)}


def test_a_second_plan_is_empty(made):
    assert planned(made) == {}


def test_a_changed_calibration_makes_exactly_its_readers_stale_and_is_named(factory, made):
    factory.calibrate("langmuir_1", "A", -0.6)
    path = factory.workspace.calibrations / "devices" / "langmuir_1.toml"
    path.write_text(path.read_text().replace("version = 1", "version = 2"))
    reason = ("stale: calibration langmuir_1 (v1 → v2)",)
    assert planned(made) == {("00001", PROBE): reason, ("00002", PROBE): reason}


def test_a_new_version_with_the_same_numbers_makes_nothing_stale(factory, made):
    path = factory.workspace.calibrations / "devices" / "langmuir_1.toml"
    path.write_text(path.read_text().replace("version = 1", "version = 2"))
    assert planned(made) == {}
    # compared once, not by every plan from now on
    assert made.catalogue.dirty([PROBE, GAUGE, DAY], None) == []


def test_a_calibration_that_begins_later_leaves_earlier_shots_alone(factory, made):
    path = factory.workspace.calibrations / "devices" / "langmuir_1.toml"
    old = path.read_text().replace("from = 1", "from = 1\nuntil = 2")
    new = old.replace("version = 1", "version = 2").replace("from = 1\nuntil = 2", "from = 2")
    path.write_text(old + new.replace("-0.5", "-0.7"))
    assert list(planned(made)) == [("00002", PROBE)]


def test_changed_code_is_a_reason_and_changed_words_are_not(factory, made):
    factory.template(GAUGE, "x = 2  # a remark")
    plan = made.plan()
    assert {(p.template, p.action) for p in plan} == {(GAUGE, "render")}
    factory.template(GAUGE, "x = 20")
    reason = ("stale: template code changed",)
    assert planned(made) == {("00001", GAUGE): reason, ("00002", GAUGE): reason}


def test_another_source_that_nobody_read_makes_nobody_stale(factory, made):
    wiring = factory.workspace.calibrations / "wiring" / "more.toml"
    signals = factory.workspace.calibrations / "signals.toml"
    signals.write_text(signals.read_text() + '[New]\nunit = "Pa"\n')
    wiring.write_text('[[wiring]]\nsignal = "New"\nchannel = "a/b"\ndevice = "gauge_1"\nfrom = 1\n')
    assert planned(made) == {}


def test_a_day_report_follows_the_scraps_that_it_read(factory, made):
    assert ("2026-11-22", DAY) not in planned(made)
    one = made.plan(Selection(shots=[1], names=[PROBE], force=True))[0]
    make(factory, made, one, READERS[PROBE], scraps=[Scrap(name="Te", value=5.0, unit="eV")])
    assert planned(made) == {("2026-11-22", DAY): ("stale: scrap Te of shot 1 (4 → 5)",)}


def test_a_new_shot_makes_the_day_report_stale(factory, made):
    factory.shot(3)
    made.sync_shots()
    assert planned(made)["2026-11-22", DAY] == ("stale: shots of 2026-11-22 (2 shots → 3 shots)",)


def test_a_failed_report_is_not_tried_again_on_the_same_inputs(factory, coordinator):
    factory.template(PROBE, "x = 1")
    make(factory, coordinator, coordinator.plan()[0], READERS[PROBE], state="failed")
    assert planned(coordinator) == {}
    factory.template(PROBE, "x = 2")
    assert ("00001", PROBE) in planned(coordinator)


def test_a_channel_that_arrives_late_makes_the_skipped_report_stale(factory, coordinator):
    factory.shot(2, probe=False)
    coordinator.sync_shots()
    factory.template(PROBE, "x = 1")

    def look(tb, subject):
        assert "Lang_I" not in tb[subject.number]

    for p in coordinator.plan(Selection(shots=[2])):
        make(factory, coordinator, p, look, state="skipped")
    assert planned(coordinator, shots=[2]) == {}
    factory.shot(2)
    coordinator.sync_shots()
    assert planned(coordinator, shots=[2]) == {
        ("00002", PROBE): ("stale: channel PXI M6251/Lang_I arrived",)
    }


def test_force_plans_what_is_asked_for_and_nothing_else(made):
    assert planned(made, shots=[2], names=[GAUGE], force=True) == {("00002", GAUGE): ("forced",)}


def test_a_day_is_planned_where_one_of_the_shots_asked_for_is_of_it(factory, made):
    factory.shot(3, date="2026-11-23T10:00:00")
    made.sync_shots()
    for shots, days in (([1], ["2026-11-22"]), ([3], ["2026-11-23"]), ([2, 3], DAYS), ([9], [])):
        plan = made.plan(Selection(shots=shots, names=[DAY], force=True))
        assert [p.subject.key for p in plan] == days


def test_a_range_is_planned_where_it_is_asked_for(factory, made):
    parameters = "first: int = 1\nlast: int = 2"
    factory.template("profile", "x = 4", parameters=parameters, sidecar="scope = 'range'")
    assert made.plan(Selection(names=["profile"])) == []
    asked = [Subject.range(1, 2), Subject.range(2, 2)]
    assert [p.subject for p in made.plan(Selection(names=["profile"], ranges=asked))] == asked


@pytest.mark.parametrize(
    ("subject", "shots"),
    [
        ("00001..00002", [1, 2]),
        ("00002..00002", [2]),
        ("00001..00001", [1]),
        ("00003..00009", []),
        ("2026-11-22", [1, 2]),
        ("2026-11-23", []),
        (f"{WHERE}shot > 1", [2]),
    ],
)
def test_the_shots_of_a_subject_are_those_that_there_are_now(factory, made, subject, shots):
    present = CurrentState(Testbed(factory.workspace), made.catalogue)
    assert present.numbers(subject) == shots


def test_what_is_known_of_a_shot_that_is_none_is_nothing(factory, made):
    present = CurrentState(Testbed(factory.workspace), made.catalogue)
    assert (present.attributes(9), present.channels(9), present.sources(9)) == ({}, {}, [])
    assert present.attributes(1)["date"].startswith("2026-11-22")


def test_code_of_a_report_without_a_receipt_is_gone_and_asked_of_the_next(factory, made):
    present = CurrentState(Testbed(factory.workspace), made.catalogue)
    row = made.catalogue.reports(current=True)[0]
    (item,) = [i for i in made.catalogue.inputs([row.folder])[row.folder] if i.kind == "code"]
    assert present.now(item, "nowhere").digest == "absent"
    assert present.now(item, row.folder).digest == item.digest
    assert present.now(item, "nowhere").digest == item.digest  # the same code for both
    foreign = Input(kind="of later", name="x", digest="d")
    assert present.now(foreign, row.folder).digest == "absent"


def test_force_alone_plans_everything_in_order_of_the_shots(made):
    plan = made.plan(Selection(force=True))
    assert {p.reasons for p in plan} == {("forced",)}
    assert sorted((p.template, p.subject.key) for p in plan) == [
        *((GAUGE, key) for key in ("00001", "00002")),
        *((PROBE, key) for key in ("00001", "00002")),
        (DAY, "2026-11-22"),
    ]
    for name in (PROBE, GAUGE):
        assert [p.subject.key for p in plan if p.template == name] == ["00001", "00002"]


def test_a_damaged_receipt_counts_as_missing_after_a_rebuild(factory, made):
    row = made.catalogue.reports(subject="00001", template=PROBE)[0]
    (factory.workspace.reports / row.folder / RECEIPT).write_text("{}")
    made.close()
    shots, reports, problems = rebuild(factory.workspace)
    assert (shots, reports, len(problems)) == (2, 4, 1)
    with Coordinator(factory.workspace) as again:
        assert planned(again)["00001", PROBE] == ("missing: never made",)


def remove_notebook(folder):
    (folder / NOTEBOOK).unlink()


def cut_receipt(folder):
    (folder / RECEIPT).write_text('{"format": 1')


def remove_receipt(folder):
    (folder / RECEIPT).unlink()


def alter_input(folder):
    data = json.loads((folder / RECEIPT).read_text())
    data["inputs"][0]["digest"] = "0" * 20
    (folder / RECEIPT).write_text(json.dumps(data))


def alter_result(folder):
    data = json.loads((folder / RECEIPT).read_text())
    data["scraps"][0]["value"] = 4.1
    (folder / RECEIPT).write_text(json.dumps(data))


@pytest.mark.parametrize("command", ["verify", "publish", "plan", "plan --shots 1"])
@pytest.mark.parametrize("harm", [cut_receipt, remove_receipt])
def test_a_damaged_receipt_that_is_met_makes_its_report_missing(
    factory, made, command, harm, monkeypatch, capsys
):
    row = made.catalogue.reports(subject="00001", template=PROBE)[0]
    harm(factory.workspace.reports / row.folder)
    assert planned(made) == {}  # which reads no receipts
    monkeypatch.chdir(factory.workspace.root)
    with pytest.raises(SystemExit) as end:
        main(command.split())
    assert end.value.code == (command == "verify")
    assert planned(made)["00001", PROBE] == ("missing: never made",)
    assert {key for key in planned(made) if key[1] == GAUGE} == set()


def nest_deeply(folder):
    (folder / NOTEBOOK).write_text("[" * 100_000)


@pytest.mark.parametrize("harm", [remove_notebook, alter_input, alter_result, nest_deeply])
def test_verify_finds_a_report_that_is_not_what_it_was(factory, made, harm, monkeypatch, capsys):
    row = made.catalogue.reports(subject="00001", template=PROBE)[0]
    monkeypatch.chdir(factory.workspace.root)
    with pytest.raises(SystemExit) as end:
        main(["verify"])
    assert end.value.code == 0
    harm(factory.workspace.reports / row.folder)
    with pytest.raises(SystemExit) as end:
        main(["verify"])
    assert end.value.code == 1
    assert row.folder in capsys.readouterr().out
    due = {("00001", PROBE), ("2026-11-22", DAY)}
    assert set(planned(made)) == due
    assert {(p.subject.key, p.template) for p in made.due()} == due  # not taken for a new one


def test_a_rebuilt_catalogue_equals_the_live_one(factory, made):
    def content(catalogue: Catalogue) -> str:
        return json.dumps(
            [
                [vars(r) for r in catalogue.reports()],
                sorted(str(i) for items in catalogue.inputs().values() for i in items),
                [vars(s) for s in catalogue.scraps()],
                [[n, catalogue.attributes(n), [vars(s) for s in catalogue.sources(n)]]
                 for n in catalogue.shots()],
            ],
            default=dict,
        )  # fmt: skip

    before = content(made.catalogue)
    made.close()
    assert rebuild(factory.workspace)[2] == []
    with Coordinator(factory.workspace) as again:
        assert content(again.catalogue) == before


LIBRARY = {
    "__init__": "from ishtar.a import one",
    "a": "def one():\n    return 1\ndef lonely():\n    return 1",
    "b": "def two():\n    return 2",
}


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Give a function that puts other source in the place of the library."""
    root = tmp_path / "library" / "ishtar"
    root.mkdir(parents=True)
    monkeypatch.setattr(code, "library_folder", lambda: root)

    def put(**changed):
        for name, source in (LIBRARY | changed).items():
            (root / f"{name}.py").write_text(source)

    put()
    return put


@pytest.mark.parametrize(
    ("changed", "stale"),
    [
        ({"a": 'def one():\n    """D."""\n    return 1  # c\n\ndef lonely():\n    return 1'}, {}),
        ({"a": "def one():\n    return 1\ndef lonely():\n    return 2"}, {}),
        (
            {"a": "def one():\n    return 3\ndef lonely():\n    return 1"},
            {PROBE: "ishtar.a", GAUGE: "ishtar.a"},
        ),
        ({"b": "def two():\n    return 3"}, {GAUGE: "ishtar.b"}),
        ({"b": "K = 1\ndef two():\n    return 2"}, {GAUGE: "ishtar.b"}),
        ({"c": "def three():\n    return 3"}, {}),
    ],
)
def test_library_code_makes_those_stale_that_ran_it(factory, coordinator, library, changed, stale):
    factory.template(PROBE, "import ishtar\nishtar.one()")
    factory.template(GAUGE, "import ishtar\nfrom ishtar.b import two\nishtar.one()\ntwo()")
    for p in coordinator.plan():
        make(factory, coordinator, p, READERS[p.template])
    assert planned(coordinator) == {}
    library(**changed)
    assert planned(coordinator) == {
        ("00001", name): (f"stale: code {module} (content changed)",)
        for name, module in stale.items()
    }


def test_code_of_the_library_is_no_second_reason_where_the_template_has_changed(
    factory, coordinator, library
):
    """Other code of the template runs other code of the library."""
    factory.template(PROBE, "import ishtar\nishtar.one()")
    for p in coordinator.plan():
        make(factory, coordinator, p, READERS[p.template])
    library(a="def one():\n    return 3\ndef lonely():\n    return 1")
    factory.template(PROBE, "import ishtar\nishtar.lonely()")
    assert planned(coordinator) == {("00001", PROBE): ("stale: template code changed",)}


def test_subjects_are_their_folders():
    for subject in (Subject.shot(7), Subject.day("2026-11-22"), Subject.range(3, 12)):
        assert Subject.parse(subject.key) == subject
    assert Subject.shot(7).key == "00007"
    assert Subject.shot(123456).key == "123456"
    with pytest.raises(ValueError, match="is not the name"):
        Subject.parse("../etc")
