"""What is saved by relying on what other projects keep to themselves (docs/internals.md).

    python bench/internals.py DEMO [--shot 3] [--rounds 7]

First the figures of a shot's reports, each drawn with and without what `runner.kernel.drawing` puts
in the place of matplotlib's methods: processor time, summed over the figures. Then a small report
with and without the shortcut of the engine: wall time. The ways take turns in one process; of each
the minimum is kept. DEMO is a workspace with shots (`ishtar demo DEMO`); nothing is written there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pickle
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib as mpl
import nbformat
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from nbclient.util import run_sync
from nbformat.v4 import new_code_cell, new_notebook
from papermill.clientwrap import PapermillNotebookClient

from ishtar.workspace import VARIABLE
from runner.execution.engine import LimitedClient
from runner.execution.notebooks import run
from runner.kernel import drawing
from runner.kernel.figures import png
from runner.kernel.warm import owner

RANGES = {"day_summary", "profile"}  # templates that are not of a shot
REPORT = (
    "import numpy as np, matplotlib.pyplot as plt\nx = np.linspace(0, 1, 20_000)",
    *[f"plt.subplots(layout='constrained')[1].plot(x, np.sin({k} * x));" for k in range(20, 23)],
    "print(x.sum())",
)
Way = Callable[[], contextlib.AbstractContextManager[object]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("demo", type=Path)
    parser.add_argument("--shot", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ[VARIABLE] = str(options.demo)
    mpl.use("agg")
    figures(options.demo / "templates_nb", options.shot, options.rounds)
    engine(options.rounds)


def figures(templates: Path, shot: int, rounds: int) -> None:
    """Draw the figures of a shot."""
    ways: Mapping[str, Way] = {
        "ours": contextlib.nullcontext,
        "without Axis._update_ticks": lambda: patch.object(drawing, "_cached_ticks", _plain),
        "without Text._get_layout": lambda: patch.object(drawing, "_cached_text_layout", _plain),
        "without both": lambda: patch.object(drawing, "_cached_layout", contextlib.nullcontext),
    }
    sums = dict.fromkeys(ways, 0.0)
    drawn = [pickle.dumps(figure) for figure in shown(templates, shot)]
    for figure in drawn:
        took: dict[str, list[float]] = {name: [] for name in ways}
        pictures = set()
        for _ in range(rounds):
            for name, way in ways.items():
                fresh = pickle.loads(figure)
                FigureCanvasAgg(fresh)
                with way():
                    began = time.process_time()
                    pictures.add(png(fresh))
                    took[name].append(time.process_time() - began)
        assert len(pictures) == 1, "what is remembered changes a picture"
        sums = {name: sums[name] + min(took[name]) for name in ways}
    print(f"\n{len(drawn)} figures of shot {shot}: CPU time [ms a shot]")
    show({name: [1e3 * value] for name, value in sums.items()})


def _plain(method: Any, _known: object) -> Any:
    return method


def shown(templates: Path, shot: int) -> Iterator[Figure]:
    """Yield the figures that the templates of a workspace make of a shot."""
    import matplotlib.pyplot as plt

    for path in sorted(templates.glob("*.ipynb")):
        if path.stem in RANGES:
            continue
        notebook = nbformat.read(path, as_version=4)
        parameters, *cells = (c.source for c in notebook.cells if c.cell_type == "code")
        names: dict[str, Any] = {"display": lambda *shown: None}
        exec(parameters, names)
        names["shot"] = shot
        with contextlib.redirect_stdout(None):
            for cell in cells:
                exec(compile(cell, path.stem, "exec"), names)
        yield from [plt.figure(number) for number in plt.get_fignums()]
        plt.close("all")


async def _until_nothing_comes(client: LimitedClient) -> Any:
    return await PapermillNotebookClient.async_start_new_kernel_client(client)


def engine(rounds: int) -> None:
    """Run a small report."""
    waiting = run_sync(_until_nothing_comes)
    ways: Mapping[str, Way] = {
        "ours": contextlib.nullcontext,
        "without async_start_new_kernel_client": lambda: patch.object(
            LimitedClient, "start_new_kernel_client", waiting
        ),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as folder, owner.WarmServer(spare=2) as server:
        server.start()
        owner.use(server.address)
        for turn in range(rounds + 2):
            for name, way in ways.items():
                time.sleep(0.5)  # until the next kernel is ready
                with way():
                    began = time.perf_counter()
                    notebook = report(Path(folder))
                    if turn >= 2:  # the server has imported everything
                        took[name].append(1e3 * (time.perf_counter() - began))
                assert notebook.cells[-1].outputs[0].text == "10000.0\n", notebook.cells[-1]
    print("\na report of three figures: wall time [ms a report]")
    show(took)


def report(folder: Path) -> Any:
    """Run the report as the factory does."""
    notebook = new_notebook(cells=[new_code_cell(code) for code in REPORT])
    notebook.metadata["papermill"] = {}
    return run(notebook, folder=str(folder))[0]


def show(took: Mapping[str, list[float]]) -> None:
    """Print the minimum and median of each way, and what the shortcut saves."""
    ours = took["ours"]
    for name, values in took.items():
        low, middle = min(values), statistics.median(values)
        saved = "" if name == "ours" else f"   saves {low - min(ours):6.0f}"
        print(f"{name:<40} min {low:7.0f}   median {middle:7.0f}{saved}")


if __name__ == "__main__":
    main()
