"""What a report was made from: code that ran before is known, code that changed is noticed."""

import os

import pytest

from ishtar.lineage.record import RAN, Input
from runner.execution import run_record
from runner.execution.library_code import CHANGING, Library
from runner.execution.run_record import RunRecord

RECORDS = [Input(kind=RAN, name="lib.probe:area", digest="")]
FIRST = "def area():\n    return 1\n"
SECOND = "def area():\n    return 2\n"


@pytest.fixture
def probe(tmp_path, monkeypatch):
    """The file of the module that a report uses, in a library of its own."""
    root = tmp_path / "lib"
    root.mkdir()
    (root / "__init__.py").write_text("")
    path = root / "probe.py"
    path.write_text(FIRST)
    os.utime(path, ns=(1, 1))
    monkeypatch.setattr(run_record, "library", lambda: Library(root))
    return path


def code(record: RunRecord) -> str:
    return record.made_from(RECORDS, (), it_ran=True).code["lib.probe"]


def test_code_is_followed_once_for_reports_that_run_the_same(probe, monkeypatch):
    first = RunRecord().made_from(RECORDS, (), it_ran=True)

    def unexpected(self, records):
        raise AssertionError("it is known what this runs")

    monkeypatch.setattr(Library, "dependencies", unexpected)
    assert RunRecord().made_from(RECORDS, (), it_ran=True) == first


def test_a_module_that_changed_between_two_reports_has_another_digest(probe):
    before = code(RunRecord())
    probe.write_text(SECOND)
    after = code(RunRecord())
    assert CHANGING not in (before, after)
    assert before != after
    probe.write_text(FIRST)
    os.utime(probe, ns=(1, 1))
    assert code(RunRecord()) == before


def test_a_known_module_that_changes_while_a_report_runs_is_noticed(probe):
    code(RunRecord())
    record = RunRecord()
    probe.write_text(SECOND)
    assert code(record) == CHANGING
    assert code(RunRecord()) != CHANGING


def test_few_of_them_are_kept(probe, monkeypatch):
    monkeypatch.setattr(run_record, "_known", {})
    monkeypatch.setattr(run_record, "_MAX_KNOWN", 2)
    for n in range(5):
        records = [*RECORDS, Input(kind=RAN, name=f"lib.probe:f{n}", digest="")]
        RunRecord().made_from(records, (), it_ran=True)
    assert len(run_record._known) == 2
