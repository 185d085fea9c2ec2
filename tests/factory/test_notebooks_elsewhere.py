"""A notebook that was downloaded or forked runs unchanged where its workspace is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ishtar.workspace import Workspace
from runner.publish import publish_workspace
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.templates.origin_cell import CELL, with_origin
from tests.remote_fakes import serving

pytestmark = pytest.mark.whole

CODE = """
import ishtar
from ishtar.report import glue
tb = ishtar.open()
signal = tb[shot]["Lang_I"]
glue("mean", signal.mean().value, sigma=signal.mean().sigma, unit=signal.unit)
glue("rms", float((signal[0.1:0.9].load() ** 2).mean()))
glue("channels", len(tb[shot].channels()))
glue("shots", len(tb.shots("gas = Ar and before.peak > 0")))
glue("peak", tb.shots().table(["before.peak"])["before.peak"].max())
"""
BEFORE = """
import ishtar
from ishtar.report import glue
glue("peak", float(abs(ishtar.open()[shot]["Lang_I"].values()).max()))
"""


def scraps_of(notebook: Path) -> dict[str, Any]:
    """Return the scraps in a notebook's outputs."""
    found = {}
    for cell in json.loads(notebook.read_bytes())["cells"]:
        for output in cell.get("outputs", ()):
            for kind, data in output.get("data", {}).items():
                if "scrapbook.scrap" in kind:
                    found[data["name"]] = data["data"]
    return found


def run_elsewhere(notebook: Path, home: Path) -> dict[str, Any]:
    """Run a notebook as a student does, with nothing but the package; return its scraps."""
    out = home / "out.ipynb"
    home.mkdir(exist_ok=True)
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ISHTAR")}
    command = [sys.executable, "-m", "papermill", str(notebook), str(out), "-k", "python3"]
    done = subprocess.run(
        command, env=kept | {"HOME": str(home)}, cwd=home, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return scraps_of(out)


def test_a_report_and_a_fork_give_the_same_elsewhere_to_the_last_digit(
    factory, call, tmp_path, monkeypatch
):
    factory.template("before", BEFORE)
    factory.template("after", CODE, sidecar='after = ["before"]\n')
    factory.shot(2)
    with serving(tmp_path) as address:
        settings = factory.workspace.root / "ishtar.toml"
        text = settings.read_text().replace("[facility]\n", f'[facility]\nurl = "{address}/www"\n')
        settings.write_text(text)
        with Coordinator(Workspace.at(factory.workspace.root)) as coordinator:
            coordinator.sync_shots()
            while done := run_batch(coordinator, workers=0):  # until each sees both shots
                assert {d.receipt.state for d in done} == {"ok"}
            publish_workspace(coordinator)
        fork = tmp_path / "fork.ipynb"
        assert call("fork", 1, "after", "-o", fork)[0] == 0
        site = factory.workspace.site
        site.rename(tmp_path / "www")
        monkeypatch.chdir(tmp_path)
        factory.workspace.root.rename(tmp_path / "gone")
        downloaded = tmp_path / "www" / "shots" / "00001" / "after.ipynb"
        expected = scraps_of(downloaded)
        assert expected["shots"] == 2
        assert run_elsewhere(downloaded, tmp_path / "home") == expected
        assert run_elsewhere(fork, tmp_path / "home") == expected


def test_a_published_notebook_is_a_valid_one_with_the_cell_once(factory, tmp_path):
    factory.template("plain", "shot", 'print("code")')
    done = factory.run("plain")
    stored = (factory.workspace.reports / done.folder / "report.ipynb").read_bytes()
    made = with_origin(stored, tmp_path, "https://host/path")
    notebook = nbformat.reads(made.decode(), as_version=4)
    nbformat.validate(notebook)
    assert [c.id for c in notebook.cells].count(CELL) == 1
    assert next(c for c in notebook.cells if c.cell_type == "code").id == CELL
    assert notebook.cells[0].cell_type == "markdown"
    assert with_origin(made, tmp_path, "https://host/path") == made
    assert with_origin(stored, tmp_path, "") == stored
    assert with_origin(b"{}", tmp_path, "https://host/path") == b"{}"
