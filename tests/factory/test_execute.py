"""Executing a template: every way in which a report can end, with real kernels."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from runner.receipts import Receipt
from runner.staleness.integrity import report_damage
from tests.factory.warm_fakes import alive, soon

pytestmark = pytest.mark.whole

READ = """\
import ishtar
from ishtar.report import glue, skip
tb = ishtar.open()
current = tb[shot]["Lang_I"].load()"""


def texts(notebook):
    """Return all that a notebook's cells put out."""
    return "".join(
        o.get("text", "") or o.get("data", {}).get("text/plain", "") or o.get("evalue", "")
        for c in notebook.cells
        if c.cell_type == "code"
        for o in c.outputs
    )


def kernels() -> set[int]:
    """Return the processes below this one that are kernels, started cold."""
    return {
        p.pid
        for p in psutil.Process().children(recursive=True)
        if "ipykernel_launcher" in " ".join(p.cmdline())
    }


def test_a_report_carries_its_scraps_its_figures_and_all_that_it_read(factory):
    factory.template(
        "probe",
        READ,
        "import matplotlib.pyplot as plt\nplt.plot(current);",
        'glue("I_min", float(current.min()), sigma=0.01, unit="A")\n'
        'glue("gas", tb[shot].attributes["gas"])\nglue("nothing", float("nan"), unit="eV")',
        parameters="shot: int = 1\nt_start: float = 0.0  # [s] 0 .. 10",
    )
    done = factory.run("probe", parameters={"t_start": 0.5})
    r = done.receipt
    assert (r.state, r.reason) == ("ok", "")
    # The ramp ends at 9.99 V; the calibration makes -0.5 A of a volt.
    scraps = {s.name: s for s in r.scraps}
    assert scraps["I_min"].value == pytest.approx(-4.995)
    assert (scraps["I_min"].sigma, scraps["I_min"].unit) == (0.01, "A")
    assert scraps["gas"].value == "Ar"
    assert scraps["nothing"].value is None
    read = {(i.kind, i.name.partition(":")[0]) for i in r.inputs}
    assert read == {
        ("channel", "PXI M6251/Lang_I"),
        ("wiring", "Lang_I"),
        ("signal", "Lang_I"),
        ("calibration", "langmuir_1"),
        ("attribute", "gas"),
        ("code", "ishtar"),
    }
    folder = factory.workspace.reports / done.folder
    assert folder.name == r.digest
    assert len(r.figures) == 1
    assert (folder / "figures" / r.figures[0]).read_bytes().startswith(b"\x89PNG")
    assert Receipt.from_json((folder / "receipt.json").read_text()) == r
    counts = [c.execution_count for c in factory.notebook(done).cells if c.cell_type == "code"]
    assert counts == [1, None, 2, 3, 4]  # nobody wrote the cell with the parameters
    assert r.parameters == {"shot": 1, "t_start": 0.5}
    assert not list(factory.workspace.reports.glob(".tmp*"))


def test_a_report_that_glued_anything_is_as_it_was(factory):
    factory.template(
        "glues",
        "import scrapbook as sb\nsb.glue('d', {'b': 1, 'a': [2, {'d': 3, 'c': 4}]})\n"
        "sb.glue('l', [{'b': 1, 'a': 2}])\nsb.glue('t', 'a text\\nof two lines')",
        "from ishtar.report import glue\nglue('x', float('nan'), sigma=1.0, unit='eV')",
    )
    done = factory.run("glues")
    assert done.receipt.state == "ok"
    assert report_damage(factory.workspace.reports / done.folder) == ""


def test_scrapbook_reads_what_was_glued(factory):
    import scrapbook

    factory.template("probe", READ, 'glue("Te", 4.1, sigma=0.2, unit="eV")\nglue("gas", "He")')
    done = factory.run("probe")
    book = scrapbook.read_notebook(str(factory.workspace.reports / done.folder / "report.ipynb"))
    assert book.scraps["Te"].data == 4.1
    assert book.scraps["gas"].data == "He"


def test_a_failing_cell_keeps_the_partial_notebook_with_its_traceback(factory):
    factory.template("bad", "print('before')", "1 / 0", "print('after')")
    done = factory.run("bad")
    assert done.receipt.state == "failed"
    assert "ZeroDivisionError" in done.receipt.reason
    notebook = factory.notebook(done)
    assert "before" in texts(notebook)
    assert "after" not in texts(notebook)
    assert any(o.output_type == "error" for c in notebook.cells for o in c.get("outputs", []))
    assert len(notebook.cells) == 6  # papermill's own error cells are not left in it


def test_a_syntax_error_is_a_failed_report(factory):
    factory.template("bad", "x = = 1")
    assert factory.run("bad").receipt.reason.startswith("SyntaxError")


def test_skip_ends_the_report_with_its_reason(factory):
    factory.template("probe", READ, 'skip("no probe in the plasma")', "1 / 0")
    done = factory.run("probe")
    assert (done.receipt.state, done.receipt.reason) == ("skipped", "no probe in the plasma")


def test_a_template_that_lacks_its_signals_is_skipped_without_a_kernel(factory):
    factory.shot(2, probe=False)
    factory.template("probe", "1 / 0", sidecar="needs = ['Lang_I']")
    r = factory.run("probe", 2).receipt
    assert r.state == "skipped"
    assert "Lang_I" in r.reason
    assert "PXI M6251/Lang_I" in r.reason
    # It read that the channel is not there, so it becomes stale when the channel arrives.
    assert ("channel", "PXI M6251/Lang_I", "absent") in {
        (i.kind, i.name, i.digest) for i in r.inputs
    }


def test_an_endless_loop_ends_at_the_time_limit_and_keeps_what_it_had(factory):
    factory.template("loop", "print('before')", "while True: pass")
    done, limit_s = factory.run_to_its_limit("loop", "before", kernels="cold")
    assert done.receipt.state == "timeout"
    assert f"{limit_s:g} s" in done.receipt.reason
    assert not kernels()


def test_a_kernel_that_dies_is_a_failed_report(factory):
    factory.template("dies", "print('before', flush=True)", "import os; os._exit(3)")
    done = factory.run("dies", kernels="cold")
    assert done.receipt.state == "failed"
    assert "died" in done.receipt.reason
    assert not kernels()


def test_a_flood_of_output_is_stopped_and_cut(factory):
    factory.template("flood", "print('before')", "while True: print('x' * 1000)")
    done = factory.run("flood", output_mb=1.0, timeout_s=60.0, kernels="cold")
    assert done.receipt.state == "failed"
    assert "1 MB" in done.receipt.reason
    folder = factory.workspace.reports / done.folder
    assert (folder / "report.ipynb").stat().st_size < 1_500_000
    assert not kernels()


def test_children_of_a_report_do_not_outlive_it(factory):
    factory.template(
        "spawns", "import subprocess\np = subprocess.Popen(['sleep', '600'])\nprint(p.pid)"
    )
    done = factory.run("spawns")
    pid = int(texts(factory.notebook(done)).strip())
    assert soon(lambda: not alive(pid)), "the child is still there"


def test_what_goes_on_when_its_cell_has_ended_is_kept_in_that_cell(factory):
    factory.template(
        "late",
        "import asyncio\nfrom IPython.display import display\n"
        "ended = asyncio.Event()\n"
        "async def go():\n    await ended.wait()\n    print('from the task')\n"
        "    shown.update('new')\n    display('a picture')\n"
        "shown = display('old', display_id=True)\ntask = asyncio.ensure_future(go())",
        "ended.set()\nawait task\nprint('second')",
    )
    first, second = factory.notebook(factory.run("late")).cells[-2:]
    kept = [o.get("text") or o["data"]["text/plain"] for o in first.outputs]
    assert kept == ["'new'", "from the task\n", "'a picture'"]
    assert [o.text for o in second.outputs] == ["second\n"]


def test_the_working_folder_of_a_report_is_its_own_and_goes_with_it(factory):
    factory.template("writes", "from pathlib import Path\nPath('x').touch()\nprint(Path.cwd())")
    done = factory.run("writes")
    folder = Path(texts(factory.notebook(done)).strip())
    assert factory.workspace.reports in folder.parents
    assert not folder.exists()


def test_the_same_inputs_give_the_same_identity(factory):
    factory.template("probe", READ)
    first, second = factory.run("probe"), factory.run("probe")
    assert first.folder == second.folder
    assert first.receipt.started < second.receipt.started


def test_a_rerun_never_takes_the_place_of_the_official_report(factory):
    factory.template("probe", READ)
    assert factory.run("probe").folder != factory.run("probe", rerun=True).folder
