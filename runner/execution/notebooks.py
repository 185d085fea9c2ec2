"""A template's notebook: prepared with its parameters, run by papermill, read for its scraps."""

from __future__ import annotations

import contextlib
import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runner.execution.outcome import outcome
from runner.receipts import Scrap, State
from runner.templates.notebook_file import INJECTED, read_notebook
from runner.templates.parameters import injected_cell
from runner.templates.template import Template, declares_parameters, is_from_run

SCRAP = "application/scrapbook.scrap"  # kinds of output that scrapbook glues values into
LONGEST_NAME = 200  # of a scrap
LONGEST_TEXT = 100_000  # of one that stands for a value of another kind
LARGEST = 2**63  # whole numbers that catalogue and tables can hold are below
FLOAT_LARGEST = 10**308

logger = logging.getLogger(__name__)


def prepare(template: Template, values: Mapping[str, Any]) -> Any:
    """Return the template as a notebook with the cell that sets its parameters."""
    from nbformat import from_dict
    from nbformat.v4 import new_code_cell

    notebook = from_dict(read_notebook(template.path))
    notebook.cells = [cell for cell in notebook.cells if not is_from_run(cell)]
    position = next(k for k, cell in enumerate(notebook.cells) if declares_parameters(cell))
    injected = new_code_cell(injected_cell(values), id=INJECTED)
    injected.metadata["tags"] = [INJECTED]
    notebook.cells.insert(position + 1, injected)
    notebook.metadata["papermill"] = {"parameters": dict(values), "template": template.name}
    return notebook


def write(notebook: Any, path: Path) -> None:
    """Write a notebook as Jupyter does; its outputs were checked one by one as they came."""
    from nbformat import v4

    path.write_text(f"{v4.writes_json(notebook)}\n", encoding="utf-8")


def run(prepared: Any, **limits: Any) -> tuple[Any, State, str, float]:
    """Run a notebook by papermill with our engine, all in memory.

    The engine is asked for by papermill's registry, beside `papermill.execute_notebook`: that one
    would serialise the notebook three times and mark its errors in cells of its own.

    Parameters
    ----------
    prepared : NotebookNode
        Is filled with what the cells put out.
    limits
        What `runner.execution.engine.IshtarEngine` takes: limits, folder, environment, kind of
        kernel.

    Returns
    -------
    executed : NotebookNode
        With what it had where it failed.
    state, reason
        How it ended.
    cells_s : float, s
        Time that its cells took in all.
    """
    from papermill.engines import papermill_engines

    executed = papermill_engines.execute_notebook_with_engine(
        "ishtar",
        prepared,
        "python3",
        progress_bar=False,
        autosave_cell_every=0,
        **limits,
    )
    cells_s = 0.0
    for cell in executed.cells:
        cells_s += cell.metadata.pop("papermill", {}).get("duration") or 0.0
    return executed, *outcome(executed), cells_s


def read_scraps(notebook: Path) -> tuple[Scrap, ...]:
    """Return the scraps of an executed notebook; sigma and unit lie beside them."""
    return scraps_in(json.loads(notebook.read_bytes())["cells"])


def scraps_in(cells: Sequence[Mapping[str, Any]]) -> tuple[Scrap, ...]:
    """Return the scraps of executed cells, in the order in which their names were first glued.

    What scrapbook's reader does, without its schema, which it compiles anew for each value. A
    picture is no value.
    """
    found: dict[str, Scrap] = {}
    for cell in cells:
        for output in cell.get("outputs", []):
            for kind, payload in output.get("data", {}).items():
                if kind.startswith(SCRAP) and isinstance(payload, Mapping) and "name" in payload:
                    name = str(payload["name"])[:LONGEST_NAME]
                    extra = output.get("metadata", {}).get("ishtar", {})
                    extra = extra if isinstance(extra, Mapping) else {}
                    sigma, unit = extra.get("sigma"), extra.get("unit")
                    found[name] = Scrap(
                        name=name,
                        value=_plain(_decoded(payload)),
                        sigma=sigma if _is_finite(sigma) else None,
                        unit=unit if isinstance(unit, str) else "",
                        label=_text(extra.get("label")),
                        symbol=_text(extra.get("symbol")),
                    )
    return tuple(found.values())


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _is_finite(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < LARGEST if isinstance(value, int) else math.isfinite(value)


def _decoded(payload: Mapping[str, Any]) -> Any:
    """Return the data of a scrap as it was before it was glued."""
    data, encoder = payload.get("data"), payload.get("encoder")
    if encoder == "text":
        return data if isinstance(data, str) else str(data)
    if encoder == "json":
        if isinstance(data, str):
            # a string that is only a string, or more brackets than anybody means
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(data)
        return data
    from scrapbook.encoders import registry
    from scrapbook.scraps import payload_to_scrap

    try:
        return registry.decode(payload_to_scrap(payload)).data
    except Exception as error:  # of whichever library the encoder belongs to
        logger.warning("a scrap is kept as it was glued, as it cannot be decoded: %r", error)
        return data


def _plain(data: Any) -> float | int | str | bool | None:
    """Return a scrap's value; what was glued without Ishtar may be anything, and becomes text."""
    if isinstance(data, Mapping) and data.keys() == {"value"}:
        data = data["value"]
    if isinstance(data, int) and abs(data) >= LARGEST:
        return float(data) if abs(data) < FLOAT_LARGEST else str(data)[:LONGEST_NAME]
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return json.dumps(data, ensure_ascii=False, default=str)[:LONGEST_TEXT]
