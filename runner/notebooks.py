"""A template's notebook: prepared with its parameters, run by papermill, read for its scraps."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runner.outcome import outcome
from runner.parameters import injected_cell
from runner.receipts import Scrap, State
from runner.templates import Template


def prepare(template: Template, values: Mapping[str, Any]) -> Any:
    """Return the template as a notebook with the cell that sets its parameters."""
    import nbformat
    from nbformat.v4 import new_code_cell

    notebook = nbformat.read(template.path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    position = next(
        k for k, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])
    )
    injected = new_code_cell(injected_cell(values), id="injected-parameters")
    injected.metadata["tags"] = ["injected-parameters"]
    notebook.cells.insert(position + 1, injected)
    notebook.metadata["papermill"] = {"parameters": dict(values), "template": template.name}
    return notebook


def write(notebook: Any, path: Path) -> None:
    """Write a notebook."""
    import nbformat

    nbformat.write(nbformat.from_dict(notebook), path, version=4)


def run(prepared: Any, **limits: Any) -> tuple[Any, State, str, float]:
    """Run a notebook by papermill with our engine, all in memory.

    Parameters
    ----------
    prepared : NotebookNode
    limits
        What `runner.engine.IshtarEngine` takes: limits, folder, environment, kind of kernel.

    Returns
    -------
    executed : NotebookNode
        With what it had where it failed.
    state, reason
        How it ended.
    cells_s : float, s
        Time that its cells took in all.
    """
    import papermill
    from papermill.execute import remove_error_markers

    kept: list[Any] = []
    with contextlib.suppress(papermill.PapermillExecutionError):  # told by its outputs, below
        papermill.execute_notebook(
            prepared,
            None,
            engine_name="ishtar",
            kernel_name="python3",
            progress_bar=False,
            request_save_on_cell_execute=False,
            executed=kept.append,
            **limits,
        )
    executed = remove_error_markers(kept[0])
    cells_s = 0.0
    for cell in executed.cells:
        cells_s += cell.metadata.pop("papermill", {}).get("duration") or 0.0
    about = executed.metadata.get("papermill", {})
    for path in ("input_path", "output_path"):  # there are none
        about.pop(path, None)
    return executed, *outcome(executed), cells_s


def read_scraps(notebook: Path) -> tuple[Scrap, ...]:
    """Return the scraps of an executed notebook, by scrapbook; sigma and unit lie beside them."""
    import scrapbook

    book = scrapbook.read_notebook(str(notebook))
    extras: dict[str, dict[str, Any]] = {}
    for cell in book.node.cells:
        for output in cell.get("outputs", []):
            marks = output.get("metadata", {})
            if "ishtar" in marks and "scrapbook" in marks:
                extras[marks["scrapbook"]["name"]] = marks["ishtar"]
    found = []
    for name, scrap in book.scraps.items():
        if scrap.data is None and scrap.display is not None:
            continue  # a picture, not a value
        extra = extras.get(name, {})
        found.append(
            Scrap(
                name=name,
                value=_plain(scrap.data),
                sigma=extra.get("sigma"),
                unit=extra.get("unit", ""),
            )
        )
    return tuple(found)


def _plain(data: Any) -> float | int | str | bool | None:
    """Return a scrap's value; what was glued without Ishtar may be anything, and becomes text."""
    if isinstance(data, Mapping) and data.keys() == {"value"}:
        data = data["value"]
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, float):
        return data if data == data and abs(data) != float("inf") else None
    return json.dumps(data, ensure_ascii=False, default=str)
