"""The page on adding a template does what it says: its cells and commands, run in their order."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from ishtar.workspace import Workspace
from runner.cli import main
from runner.scheduling.coordinator import Coordinator
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace
from tests.factory.page_fakes import DOCS, blocks, cell, replace_cells

pytestmark = pytest.mark.whole

PAGE = "adding-a-template.md"


def done(arguments: list[str]) -> bool:
    """Run a command; whether it ended well."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return end.value.code == 0


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A fresh workspace with one shot, and no template but ours."""
    (tmp_path / "ws" / "templates_nb").mkdir(parents=True)
    made = make_workspace(tmp_path / "ws", facility="Tutorial")
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("ISHTAR_WORKSPACE", raising=False)
    simulate(Campaign(first=7, shots=1, size_mb=1.0), made.root / "raw")
    files = sorted(str(p) for p in (made.root / "raw").glob("00007_*"))
    assert done(["ingest", *files])
    return made


def test_the_steps_lead_from_an_empty_notebook_to_its_pages(workspace, capsys):
    notebook = workspace.templates / "bdot.ipynb"
    cells = []
    for kind, text in blocks(PAGE):
        if kind == "sh":
            if cells:  # what was written since the last command
                replace_cells(notebook, cells)
            for line in text.splitlines():
                name, *arguments = shlex.split(line)
                assert name == "ishtar"
                assert done(arguments), f"{line}\n{capsys.readouterr()}"
        elif kind == "toml":
            notebook.with_suffix(".toml").write_text(text, encoding="utf-8")
        else:
            cells.append(cell(kind, text))

    with Coordinator(workspace) as coordinator:
        (row,) = coordinator.catalogue.reports(subject="00007", template="bdot")
        (scrap,) = coordinator.catalogue.scraps(["00007"], "Bdot_P")
    assert row.state == "ok", row.reason
    assert scrap.unit == "mW"
    assert scrap.sigma is not None
    report = (workspace.site / "shots/00007/bdot.html").read_text(encoding="utf-8")
    assert "<h1>B-dot probe</h1>" in report
    assert "Bdot_P" in report
    assert 'alt="Figure: power at the B-dot probe' in report or "power at the B-dot probe" in report
    assert len(list((workspace.site / "shots/00007/bdot").glob("*.png"))) >= 1
    about = (workspace.site / "templates/bdot.html").read_text(encoding="utf-8")
    assert "Power at the B-dot probe against time" in about
    assert "end of the window" in about
    assert (workspace.root / "trials/bdot/index.html").is_file()


def test_the_table_of_pages_names_pages_that_exist_in_every_site():
    text = (DOCS / PAGE).read_text(encoding="utf-8")
    assert [kind for kind, _ in blocks(PAGE)].count("sh") == 3
    for page in ("shots/00007/bdot.html", "templates/bdot.html", "table.html"):
        assert f"`{page}" in text
