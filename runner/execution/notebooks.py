"""Prepare a template's notebook with its parameters, run it by papermill, read its scraps."""

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
from runner.templates.notebook_file import INJECTED, declares_parameters
from runner.templates.parameters import injected_cell
from runner.templates.template import Template

SCRAP = "application/scrapbook.scrap"  # kinds of output that scrapbook glues values into
LONGEST_NAME = 200  # of a scrap
LONGEST_TEXT = 100_000  # of a value of another type, stored as text
LARGEST = 2**63  # integers in catalogue and tables must be below
FLOAT_LARGEST = 10**308

logger = logging.getLogger(__name__)


def prepare(template: Template, values: Mapping[str, Any]) -> Any:
    """Return the template as a notebook, with a cell that sets its parameters."""
    from nbformat import from_dict
    from nbformat.v4 import new_code_cell

    notebook = from_dict(template.notebook)
    position = next(k for k, cell in enumerate(notebook.cells) if declares_parameters(cell))
    injected = new_code_cell(injected_cell(values), id=INJECTED)
    injected.metadata["tags"] = [INJECTED]
    notebook.cells.insert(position + 1, injected)
    notebook.metadata["papermill"] = {"parameters": dict(values), "template": template.name}
    return notebook


def write(notebook: Any, path: Path) -> None:
    """Write a notebook as Jupyter does; its outputs were checked one by one on arrival."""
    from nbformat import v4

    path.write_text(f"{v4.writes_json(notebook)}\n", encoding="utf-8")


def run(prepared: Any, **limits: Any) -> tuple[Any, State, str, float]:
    """Run a notebook by papermill with our engine, in memory.

    Use papermill's registry of engines, not `papermill.execute_notebook`, which would serialise the
    notebook three times and insert cells to mark errors.

    Parameters
    ----------
    prepared : NotebookNode
        Receives the outputs of the cells.
    limits
        Arguments of `runner.execution.engine.IshtarEngine`: limits, folder, environment, kind of
        kernel.

    Returns
    -------
    executed : NotebookNode
        The notebook with its outputs, up to a failure.
    state, reason
        The outcome.
    cells_s : float, s
        Total time of its cells.
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
    """Return the scraps of an executed notebook, with sigma and unit from their metadata."""
    return scraps_in(json.loads(notebook.read_bytes())["cells"])


def scraps_in(cells: Sequence[Mapping[str, Any]]) -> tuple[Scrap, ...]:
    """Return the scraps of executed cells, in the order in which their names were first glued.

    Like scrapbook's reader, but without its schema, which it compiles for each value. Ignore
    pictures.
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
    """Return the data of a scrap, decoded."""
    data, encoder = payload.get("data"), payload.get("encoder")
    if encoder == "text":
        return data if isinstance(data, str) else str(data)
    if encoder == "json":
        if isinstance(data, str):
            # not JSON, or nested too deeply
            with contextlib.suppress(ValueError, RecursionError):
                return json.loads(data)
        return data
    from scrapbook.encoders import registry
    from scrapbook.scraps import payload_to_scrap

    try:
        return registry.decode(payload_to_scrap(payload)).data
    except Exception as error:  # from any library that an encoder uses
        logger.warning("a scrap cannot be decoded and is kept as it was glued: %r", error)
        return data


def _plain(data: Any) -> float | int | str | bool | None:
    """Return a scrap's value; anything but a plain value, glued without Ishtar, becomes text."""
    if isinstance(data, Mapping) and data.keys() == {"value"}:
        data = data["value"]
    if isinstance(data, int) and abs(data) >= LARGEST:
        return float(data) if abs(data) < FLOAT_LARGEST else str(data)[:LONGEST_NAME]
    if data is None or isinstance(data, bool | int | str):
        return data
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    return json.dumps(data, ensure_ascii=False, default=str)[:LONGEST_TEXT]
