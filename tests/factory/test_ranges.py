"""Reports over a range of shots: made when asked for, kept up to date from then on."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest

from ishtar.query.shot_numbers import BadShotSelection
from runner.errors import ParameterError
from runner.receipts import Subject
from runner.templates.ranges import contains_any, range_of

pytestmark = pytest.mark.whole

READ = "import ishtar\nfrom ishtar.report import glue\ntb = ishtar.open()"
PROBE = "glue('I_end', float(tb[shot]['Lang_I'].load().min()) * factor, unit='A')"
MEAN = "table = tb.range(first, last).table(['gas', 'probe.I_end'])"
GLUE = "glue('n', int(table['probe.I_end'].notna().sum()))\nglue('gas', gas or 'any')"
RANGE = "first: int = 1\nlast: int = 2\ngas: str | None = None"
SIDECAR = "scope = 'range'\nafter = ['probe']"


@pytest.fixture(autouse=True)
def two_shots_and_templates(factory):
    """Give the workspace two shots and a template of ranges."""
    factory.shot(2)
    factory.template("probe", READ, PROBE, parameters="shot: int = 1\nfactor: float = 1.0")
    factory.template("profile", READ, MEAN, GLUE, parameters=RANGE, sidecar=SIDECAR)


def planned(call, *arguments):
    """Return the plan as {(subject, template): reasons}."""
    rows = json.loads(call("plan", "--json", *arguments)[1])
    return {(r["subject"], r["template"]): r["reasons"] for r in rows}


def test_a_range_is_taken_as_it_is_written_so_that_later_shots_belong_to_it():
    assert range_of("1..12", [3, 4], "profile") == Subject.range(1, 12)
    assert range_of(" 3..3 ", [3, 4], "profile") == Subject.range(3, 3)
    assert contains_any(Subject.range(1, 12), [40, 12])
    assert not contains_any(Subject.range(1, 12), [13])


@pytest.mark.parametrize("text", ["3", "3,4", "latest", "3..4,4"])
def test_shots_that_are_no_range_are_refused_with_one_to_write(text):
    with pytest.raises(ParameterError, match=r"write \d\.\.4"):
        range_of(text, [3, 4], "profile")


def test_letters_are_no_range():
    with pytest.raises(BadShotSelection):
        range_of("a..b", [3, 4], "profile")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--templates", "profile"], "add --shots with a range"),
        (["plan", "--templates", "profile"], "add --shots with a range"),
        (["run", "--templates", "profile", "--shots", "2"], "made for a range of shots"),
        (["run", "--templates", "profile", "--shots", "2..1"], "write 1..2"),
        (["run", "--templates", "profile", "--shots", "7..9"], "nearest are 1, 2"),
        (["run", "--templates", "profile", "--shots", "a..b"], "selects no shots"),
        (["rerun", "1", "profile"], "made for a range of shots"),
        (["rerun", "2..1", "profile"], "write 1..2"),
        (["rerun", "1..2", "profile", "-p", "first=2"], "first argument"),
        (["fork", "latest", "profile"], "made for a range of shots"),
        (["template", "test", "profile", "--shot", "1"], "made for a range of shots"),
    ],
)
def test_a_wrong_range_gets_one_line_that_says_what_to_do(call, arguments, words):
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert words in err


def test_a_range_is_planned_only_when_it_is_asked_for(call):
    asked = planned(call, "--templates", "profile", "--shots", "1..2")
    assert asked == {("00001..00002", "profile"): ["missing: never made"]}
    assert {template for _, template in planned(call)} == {"probe"}
    assert {template for _, template in planned(call, "--shots", "1..2")} == {"probe"}


def test_a_report_of_a_range_is_made_shown_and_made_again_when_its_inputs_change(factory, call):
    assert call("run", "--shots", "1..4", "--templates", "probe,profile", "--workers", "2")[0] == 0
    assert planned(call) == {}
    rows = json.loads(call("reports", "--shots", "2", "--json")[1])
    (row,) = [r for r in rows if r["template"] == "profile"]
    assert (row["subject"], row["state"], row["shot"]) == ("00001..00004", "ok", None)
    factory.calibrate("langmuir_1", "A", -1.0)
    factory.shot(3, probe=False)
    assert {subject for subject, _ in planned(call)} == {"00001", "00002", "00003", "00001..00004"}
    reasons = planned(call, "--templates", "profile")["00001..00004", "profile"]
    assert reasons == ["stale: shots of 00001..00004 (2 shots → 3 shots)"]
    assert planned(call, "--templates", "profile", "--shots", "3..4").keys() == {
        ("00003..00004", "profile")
    }
    call("run", "--workers", "2")  # shot 3 has no probe, and fails
    assert planned(call) == {}

    code, out, _ = call("rerun", "1..4", "profile", "-p", "gas=He")
    assert code == 0
    assert "gas = He" in out
    page = Path(out.strip().splitlines()[-1])
    assert "ranges/00001..00004/reruns/profile-" in str(page)
    assert page.exists()
    assert call("publish", "--shots", "2")[0] == 0
    site = factory.workspace.site
    assert (site / "ranges/00001..00004/profile.html").exists()
    assert "ranges/00001..00004/profile.html" in (site / "index.html").read_text(encoding="utf-8")


def test_a_fork_of_a_range_has_its_ends_filled_in(factory, call, tmp_path):
    target = tmp_path / "mine.ipynb"
    assert call("fork", "1..2", "profile", "-p", "gas=Ar", "-o", target)[0] == 0
    notebook = nbformat.read(target, as_version=4)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    assert cell.source.splitlines() == [
        "first: int = 1",
        "last: int = 2",
        "gas: str | None = 'Ar'",
    ]
    assert notebook.metadata["ishtar"]["origin"]["subject"] == "00001..00002"
