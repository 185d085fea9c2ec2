"""Notebooks as other programs leave them, and names that people give: used, or named as wrong."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from runner.errors import TemplateError
from runner.execution.notebooks import prepare
from runner.publish import publish_workspace
from runner.receipts import Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.templates.fork import fork
from runner.templates.notebook_file import INJECTED, read_notebook
from runner.templates.template import read_template, read_templates


def code(source: Any, tags: Any = None, **more: Any) -> dict[str, Any]:
    metadata = {} if tags is None else {"tags": tags}
    cell = {"cell_type": "code", "source": source, "metadata": metadata, "outputs": []}
    return {**cell, "execution_count": None, **more}


PARAMETERS = code("shot: int = 1", ["parameters"])
WORK = code("print(shot)")


def notebook(*cells: Any, minor: int = 5, **more: Any) -> dict[str, Any]:
    return {"nbformat": 4, "nbformat_minor": minor, "metadata": {}, "cells": [*cells], **more}


IR = {"name": "ir", "display_name": "R", "language": "R"}
PLAIN = notebook(PARAMETERS, WORK)
TEXT = json.dumps(PLAIN, indent=1)
TAKEN = {
    "with a byte order mark": b"\xef\xbb\xbf" + TEXT.encode(),
    "with the line ends of Windows": TEXT.replace("\n", "\r\n").encode(),
    "with them in its cells": notebook(code("shot: int = 1\r\n", ["parameters"]), WORK),
    "of format 4.0, without ids": notebook(PARAMETERS, WORK, minor=0),
    "with one id twice": notebook({**PARAMETERS, "id": "a"}, {**WORK, "id": "a"}),
    "with ids that are none": notebook({**PARAMETERS, "id": 3}, {**WORK, "id": ""}),
    "with the id of the cell of a run": notebook(PARAMETERS, {**WORK, "id": INJECTED}),
    "with an id that a cell without one could get": notebook(PARAMETERS, {**WORK, "id": "cell-0"}),
    "without metadata": {k: v for k, v in PLAIN.items() if k != "metadata"},
    "with outputs that are none": notebook(PARAMETERS, {**WORK, "outputs": 3}),
    "with a kernel of another language": {**PLAIN, "metadata": {"kernelspec": IR}},
}
REFUSED = {
    "in Latin 1": '{"é": 1}'.encode("latin-1"),
    "of format 3": {"nbformat": 3, "worksheets": []},
    "of format 5": {**PLAIN, "nbformat": 5},
    "of no format": {"cells": []},
    "with tags that are a text": notebook(code("shot: int = 1", "parameters")),
    "with tags that are numbers": notebook(PARAMETERS, code("1", [3])),
    "with attachments that are a number": notebook(
        PARAMETERS, {"cell_type": "markdown", "source": "x", "metadata": {}, "attachments": 3}
    ),
    "with an attachment that is a text": notebook(
        PARAMETERS,
        {"cell_type": "markdown", "source": "x", "metadata": {}, "attachments": {"a.png": "b"}},
    ),
    "with a cell of an unknown kind": notebook(PARAMETERS, {**WORK, "cell_type": "heading"}),
    "with metadata that are none": {**PLAIN, "metadata": None},
    "with a kernel that is a number": {**PLAIN, "metadata": {"kernelspec": 3}},
    "with half a character": notebook(PARAMETERS, code("print('\ud800')")),
    "with a number that is none": {**PLAIN, "metadata": {"x": float("nan")}},
    "with two cells of parameters": notebook(PARAMETERS, PARAMETERS),
    "with parameters in a text": notebook({**PARAMETERS, "cell_type": "markdown"}, WORK),
}
NAMES_REFUSED = ["a,b", "a#b", "a?b", "a%2Fb", "a:b", "<b>", 'a"b', "-x", "x ", "é" * 51, "a\nb"]
NAMES_TAKEN = ["with space", "with_space", "Lötkolben", "a.b", "index", "index_", "data", "CON"]


def put(path: Path, data: Any) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else json.dumps(data).encode())
    return path


@pytest.mark.parametrize("what", TAKEN)
def test_what_jupyter_opens_is_used_and_its_cells_have_ids_of_their_own(factory, what):
    template = read_template(put(factory.workspace.templates / "odd.ipynb", TAKEN[what]))
    assert [p.name for p in template.parameters] == ["shot"]
    prepared = prepare(template, {"shot": 7})
    sources = [cell.source.strip() for cell in prepared.cells]
    assert sources[0] == "shot: int = 1"
    assert "shot = 7" in sources[1]
    assert sources[2] == "print(shot)"
    assert len({cell.id for cell in prepared.cells}) == 3
    assert [cell.id for cell in prepare(template, {"shot": 7}).cells] == [
        cell.id for cell in prepared.cells
    ]
    import nbformat

    nbformat.validate(prepared)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_damaged_is_named_before_anything_runs(factory, what):
    put(factory.workspace.templates / "odd.ipynb", REFUSED[what])
    put(factory.workspace.templates / "good.ipynb", PLAIN)
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == ["good"]
    assert templates.problems["odd"].startswith("odd.ipynb: ")


def test_a_cell_is_read_with_the_id_that_it_has(factory):
    path = put(
        factory.workspace.templates / "x.ipynb",
        notebook(PARAMETERS, {**WORK, "id": "cell-0"}, {**WORK, "id": "mine"}),
    )
    assert [cell["id"] for cell in read_notebook(path)["cells"]] == ["cell-0-", "cell-0", "mine"]


@pytest.mark.parametrize("name", NAMES_REFUSED)
def test_a_name_that_addresses_and_lists_cannot_have_is_named(factory, name):
    put(factory.workspace.templates / f"{name}.ipynb", PLAIN)
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == []
    (problem,) = templates.problems.values()
    assert problem.endswith("rename it")


def test_a_name_in_no_known_alphabet_stops_no_plan(factory):
    """It is no text, and a catalogue, a page and a terminal refuse it."""
    put(factory.workspace.templates / "good.ipynb", PLAIN)
    put(Path(os.fsdecode(bytes(factory.workspace.templates / "bad") + b"\xff.ipynb")), PLAIN)
    factory.shot(1)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        assert [p.template for p in coordinator.plan()] == ["good"]
        assert coordinator.templates().problems["bad\\udcff"].endswith("rename it")


@pytest.mark.whole
def test_each_of_these_names_has_a_page_of_its_own(factory):
    for name in NAMES_TAKEN:
        put(factory.workspace.templates / f"{name}.ipynb", notebook(PARAMETERS, code("")))
    factory.shot(1)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        assert {d.receipt.state for d in run_batch(coordinator, workers=0)} == {"ok"}
        publish_workspace(coordinator)
    site = factory.workspace.root / "site" / "public" / "shots" / "00001"
    assert len(list(site.glob("*.ipynb"))) == len(NAMES_TAKEN)
    assert len(list(site.glob("*.html"))) == len(NAMES_TAKEN) + 1  # of the shot


@pytest.mark.whole
def test_a_template_that_is_damaged_after_the_plan_costs_itself_alone(factory):
    for name in ("a", "b", "c"):
        put(factory.workspace.templates / f"{name}.ipynb", PLAIN)
    factory.shot(1)
    path = factory.workspace.templates / "a.ipynb"

    def damage(event: Any) -> None:
        path.write_text("{")

    path_sidecar = path.with_suffix(".toml")
    path_sidecar.write_text("order = 200\n")  # it is the last, when the first one is told
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        with pytest.raises(TemplateError, match="a\\.ipynb"):
            run_batch(coordinator, workers=0, listener=damage)
        assert {r.template for r in coordinator.catalogue.reports()} == {"b", "c"}


def test_a_fork_of_a_report_taken_as_a_template_has_no_cell_of_the_run(factory):
    run = code("shot = 3", [INJECTED])
    path = put(factory.workspace.templates / "x.ipynb", notebook(PARAMETERS, run, WORK))
    made = fork(factory.workspace, read_template(path), Subject.shot(7), {"shot": 7})
    assert "shot = 3" not in [cell.source for cell in made.cells]
