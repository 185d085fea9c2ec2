"""The command line as its users meet it: exit codes, JSON, one-line errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import pytest

from runner.cli import COMMANDS, main
from runner.receipts import RECEIPT, Receipt

pytestmark = pytest.mark.whole

READ = "import ishtar\nfrom ishtar.report import glue\ncurrent = ishtar.open()[shot]['Lang_I']"
GLUE = 'glue("I_end", float(current[t_start:1.0].load().min()), unit="A")'
PARAMETERS = "shot: int = 1\nt_start: float = 0.0  # [s] start, 0 .. 1"


def test_every_command_has_a_help_text(call):
    for name in COMMANDS:
        code, out, _ = call(name, "--help")
        assert code == 0
        assert len(out.splitlines()) > 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["runn"], "did you mean 'run'"),
        (["signal", "1", "Lang_J"], "did you mean 'Lang_I'"),
        (["signal", "17", "Lang_I"], "nearest are 1"),
        (["signal", "one", "Lang_I"], "1200..1250"),
        (["run", "--templates", "prob"], "did you mean 'probe'"),
        (["rerun", "1", "probe", "-p", "t_strat=0.5"], "did you mean 't_start'"),
        (["rerun", "1", "probe", "-p", "t_start=two"], "must be float"),
        (["rerun", "1", "probe", "-p", "t_start=7"], "outside 0 .. 1 s"),
        (["rerun", "1", "probe", "-p", "shot=8"], "first argument"),
        (["fork", "1", "prob"], "did you mean 'probe'"),
        (["ingest", "nowhere.tdms"], "nowhere.tdms"),
        (["shots", "5..3"], "3..5"),
        (["signal", "1", "Lang_I", "--at", "2", "1"], "earlier time first"),
    ],
)
def test_a_mistake_gets_one_line_that_says_what_to_do(factory, call, arguments, words):
    factory.template("probe", READ, GLUE, parameters=PARAMETERS)
    code, out, err = call(*arguments)
    assert code == 2
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert words in err


def test_outside_a_workspace_every_command_says_how_to_make_one(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["shots"])
    assert ended.value.code == 2
    assert "ishtar init" in capsys.readouterr().err


def test_a_signal_as_json_has_its_story_and_the_values_asked_for(call):
    code, out, _ = call("signal", "1", "Lang_I", "--json", "--at", "0.1", "0.103")
    document = json.loads(out)
    assert code == 0
    assert document["unit"] == "A"
    assert (document["n"], document["dt"], document["t0"]) == (1000, 1e-3, 0.0)
    assert document["channel"] == "PXI M6251/Lang_I"
    assert (document["device"], document["calibration"]) == ("langmuir_1", "langmuir_1 v1")
    assert document["values"] == pytest.approx([-0.5, -0.505, -0.51])


def test_run_plan_reports_and_scraps_tell_one_story(factory, call):
    factory.template("probe", READ, GLUE, parameters=PARAMETERS)
    factory.template("bad", "raise ValueError('no')")
    assert json.loads(call("plan", "--json")[1]) == [
        {"shot": 1, "subject": "00001", "template": t, "reasons": ["missing: never made"]}
        for t in ("bad", "probe")
    ]
    rows = json.loads(call("reports", "--json")[1])
    assert {r["state"] for r in rows} == {"missing"}
    code, out, err = call("run", "--workers", "2")
    assert code == 1
    assert "1 failed, 1 ok" in out
    assert "ValueError: no" in err
    assert json.loads(call("plan", "--json")[1]) == []
    rows = {r["template"]: r for r in json.loads(call("reports", "--json")[1])}
    assert rows["probe"]["state"] == "ok"
    assert rows["bad"]["state"] == "failed"
    assert Path(rows["probe"]["notebook"]).exists()
    assert set(rows["probe"]) >= {
        "shot", "template", "state", "digest", "notebook", "html", "duration_s", "reasons"
    }  # fmt: skip
    assert json.loads(call("scraps", "1", "--json")[1]) == [
        {"template": "probe", "name": "I_end", "value": -4.995, "sigma": None, "unit": "A"}
    ]
    factory.calibrate("langmuir_1", "A", -1.0)
    rows = {r["template"]: r for r in json.loads(call("reports", "--json")[1])}
    assert rows["probe"]["state"] == "stale"
    assert "calibration langmuir_1" in rows["probe"]["reasons"][0]


def test_a_fork_has_its_parameters_and_origin_and_runs_as_it_is(factory, call, tmp_path):
    factory.template("probe", READ, GLUE, parameters=PARAMETERS)
    target = tmp_path / "elsewhere" / "mine.ipynb"
    code, out, _ = call("fork", "1", "probe", "-p", "t_start=0.5", "-o", target)
    assert code == 0
    assert str(target) in out
    notebook = nbformat.read(target, as_version=4)
    origin = notebook.metadata["ishtar"]["origin"]
    assert (origin["template"], origin["shot"]) == ("probe", 1)
    assert origin["parameters"] == {"shot": 1, "t_start": 0.5}
    assert origin["template_digest"]
    assert origin["calibrations"]
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    assert cell.source == PARAMETERS.replace("0.0", "0.5")
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    code, _, err = call("fork", "1", "probe", "-o", target)
    assert code == 2
    assert "exists already" in err


def test_a_rerun_lies_beside_the_official_report(factory, call):
    factory.template("probe", READ, GLUE, parameters=PARAMETERS)
    assert call("run", "--workers", "1")[0] == 0
    code, out, _ = call("rerun", "1", "probe", "-p", "t_start=0.9")
    assert code == 0
    page = Path(out.strip().splitlines()[-1])
    assert page.exists()
    assert re.search(r"reruns/probe-[0-9a-f]{10}\.html$", str(page))
    rows = json.loads(call("reports", "--json")[1])
    assert sorted(r["rerun"] for r in rows) == [False, True]
    assert len({r["html"] for r in rows}) == 2
    assert json.loads(call("plan", "--json")[1]) == []


def test_what_is_set_for_runs_holds_for_reruns_and_previews(factory, call):
    """Each had a list of settings of its own: re-runs and previews ignored `sandbox`."""
    factory.unbounded().template("probe", READ, GLUE, parameters=PARAMETERS)
    for command in ("run --workers 1", "rerun 1 probe -p t_start=0.9", "template test probe"):
        assert call(*command.split())[0] == 0
    receipts = [Receipt.read(path.parent) for path in factory.workspace.root.rglob(RECEIPT)]
    assert len(receipts) == 3
    assert {receipt.sandbox for receipt in receipts} == {"none: switched off"}


def test_a_changed_word_is_rendered_and_not_executed(factory, call):
    path = factory.template("probe", READ, GLUE, parameters=PARAMETERS)
    call("run", "--workers", "1")
    before = json.loads(call("reports", "--json")[1])[0]
    path.write_text(path.read_text().replace("Some words.", "Better words."))
    call("run", "--workers", "1")
    after = json.loads(call("reports", "--json")[1])[0]
    assert (after["digest"], after["duration_s"]) == (before["digest"], before["duration_s"])
    assert "Better words." in Path(after["notebook"]).read_text()
    assert "I_end" in Path(after["notebook"]).read_text()


def test_doctor_and_checks_name_what_is_wrong(factory, call):
    assert call("calib", "check")[0] == 0
    factory.template("probe", READ, sidecar="needs = ['Lang_Q']")
    code, _, err = call("template", "check")
    assert code == 1
    assert "Lang_Q" in err
    factory.calibrate("gauge_1", "parsec/fortnight_", 1.0)
    code, _, err = call("calib", "check")
    assert code == 1
    assert "devices/gauge_1.toml" in err
    code, out, _ = call("doctor", "--json")
    assert code == 1
    assert {r["check"]: r["state"] for r in json.loads(out)}["calibrations"] == "wrong"


def test_a_new_template_runs_as_it_is(factory, call):
    assert call("template", "new", "my_power")[0] == 0
    code, out, _ = call("template", "list", "--json")
    assert code == 0
    assert json.loads(out)[0]["template"] == "my_power"
    assert call("template", "new", "my_power")[0] == 2
    assert call("template", "new", "no way")[0] == 2


def test_a_misspelt_setting_is_named(factory, call):
    with (factory.workspace.root / "ishtar.toml").open("a") as f:
        f.write("poll = 3\n")
    code, _, err = call("plan")
    assert code == 2
    assert "did you mean 'poll_s'" in err


def test_verify_finds_a_damaged_file(factory, call):
    assert call("verify")[0] == 0
    path = next(factory.workspace.shot_folder(1).glob("*.h5"))
    data = bytearray(path.read_bytes())
    path.write_bytes(data[: len(data) // 2])
    code, out, _ = call("verify", "--json")
    assert code == 1
    assert path.name in json.loads(out)[0]["file"]


def test_two_coordinators_do_not_work_on_one_workspace(factory, call):
    from runner.scheduling.lock import coordinator_lock

    with coordinator_lock(factory.workspace):
        code, _, err = call("run")
    assert code == 1
    assert "process" in err
