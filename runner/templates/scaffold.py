"""Write the first notebook of a new template: short, and ready to run in its workspace."""

from __future__ import annotations

from pathlib import Path

from ishtar.calibration import read_declarations
from ishtar.errors import IshtarError
from ishtar.shots.testbed import Testbed, stored_shots
from ishtar.workspace import Workspace

__all__ = ["write_scaffold"]

PARAMETERS = """\
shot: int = {shot}  # number of the shot
t_start: float | None = None  # [s] start of the window; None: of the record
t_end: float | None = None  # [s] end of the window; None: of the record"""

TOOLS = """\
# Tools, and the shot
import matplotlib.pyplot as plt

import ishtar
from ishtar.report import glue

this_shot = ishtar.open()[shot]"""

SIGNAL = """\
# The signal in the window
trace = this_shot["{signal}"][t_start:t_end]
trace"""

CHANNEL = """\
# A channel as recorded, until a signal is declared: then this_shot["NAME"]
trace = this_shot.channel(this_shot.channels()[0])[t_start:t_end]
trace"""

FIGURE = """\
# Figure
band = trace.envelope(1000)
(x,) = band.dims
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.fill_between(band[x], band["min"], band["max"])
ax.set(xlabel=f"{x} [{band[x].units}]", ylabel=f"[{trace.unit}]")
ax.set_title(f"{trace.name}, shot {shot}");"""

RESULT = """\
# Result; pages show the label
glue("highest", float(band["max"].max()), unit=trace.unit, label="highest value in the window")"""

NO_NEEDS = '# needs = ["NAME"]  # signals without which the report is skipped\n'


def write_scaffold(workspace: Workspace, path: Path) -> None:
    """Write a first notebook and its sidecar; it plots a declared signal of the workspace.

    Without any, it plots the first channel of the shot.

    Parameters
    ----------
    workspace : Workspace
        Supplies the signals and shots.
    path : Path
        The file of the notebook.
    """
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    shots = stored_shots(workspace)
    signal = _signal(workspace, shots)
    title = path.stem.replace("_", " ").capitalize()
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {title}\n\nWhat this report shows, in one sentence."),
            new_code_cell(
                PARAMETERS.format(shot=shots[-1] if shots else 1), metadata={"tags": ["parameters"]}
            ),
            new_code_cell(TOOLS),
            new_code_cell(SIGNAL.format(signal=signal) if signal else CHANNEL),
            new_code_cell(FIGURE),
            new_markdown_cell("The result of the report, with its unit:"),
            new_code_cell(RESULT),
        ],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    needs = f'needs = ["{signal}"]\n' if signal else NO_NEEDS
    path.with_suffix(".toml").write_text(needs, encoding="utf-8")


def _signal(workspace: Workspace, shots: list[int]) -> str:
    """Return a signal of the newest shot, else a wired one, else any; empty if there is none."""
    if shots:
        try:
            if here := Testbed(workspace)[shots[-1]].signals():
                return here[0]
        except IshtarError:  # invalid calibrations or a damaged file: use a declared name
            pass
    declared, _ = read_declarations(workspace.calibrations)
    wired = [name for name in declared.signals if name in declared.wiring]
    return next(iter([*wired, *declared.signals]), "")
