"""The overhead of a report over its own computation: ours and the peers, on the same notebooks.

    python bench/report.py DEMO [--shot 3] [--repeat 3] [--templates overview,langmuir]
                                [--backfill 40] [--only-ours]

(a) the commands `papermill` and `jupyter nbconvert --to html`; (b) both in this process, with cold
kernels; (c) ours, by one worker: executed, scraps read, rendered, receipt written. DEMO is a
workspace with shots (`ishtar demo DEMO`); it is copied, not changed. The three methods alternate,
each running every template `repeat` times; the median counts. Overhead is wall time minus the sum
of the cells. All three must compute the same scraps.

Then ``--backfill`` reports of all shots with one worker and with two: reports per hour. The
worker's own work for a report is given as CPU time, independent of other load on the computer; it
includes work done while cells ran.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.workspace import VARIABLE, Workspace
from runner.execution.execute import execute
from runner.execution.notebooks import prepare, read_scraps, write
from runner.jobs import Done, Job
from runner.receipts import NOTEBOOK, Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.pool import open_pool
from runner.templates.template import Template

BIN = Path(sys.executable).parent


@dataclass(frozen=True, kw_only=True)
class Run:
    """One report: wall time, time of its cells, the worker's CPU time (s), and its results."""

    wall_s: float
    cells_s: float
    cpu_s: float = 0.0
    scraps: dict[str, Any]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("demo", type=Path)
    parser.add_argument("--shot", type=int, default=3)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--templates", default="")
    parser.add_argument("--backfill", type=int, default=40, help="reports; 0 for none")
    parser.add_argument("--only-ours", action="store_true", help="no peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder) / "ws"
        shutil.copytree(options.demo, root)
        os.environ[VARIABLE] = str(root)
        workspace = Workspace.at(root)
        with Coordinator(workspace) as coordinator:
            wanted = {n for n in options.templates.split(",") if n}
            templates = [
                t
                for t in coordinator.templates().values()
                if t.scope == "shot" and (not wanted or t.name in wanted)
            ]
            shots = coordinator.catalogue.shots()
        peers = not options.only_ours
        measure(workspace, templates, options.shot, options.repeat, Path(folder), peers=peers)
        if options.backfill:
            backfill(workspace, templates, shots, options.backfill)


def measure(
    workspace: Workspace,
    templates: list[Template],
    shot: int,
    repeat: int,
    folder: Path,
    *,
    peers: bool,
) -> None:
    """Run every template with the three methods and compare."""
    prepared = {}
    for template in templates:
        prepared[template.name] = folder / f"{template.name}.ipynb"
        write(prepare(template, template.values(Subject.shot(shot))), prepared[template.name])
    ways: dict[str, Callable[[str], Run]] = {
        "a: commands": lambda name: by_commands(prepared[name], folder / "out.ipynb"),
        "b: in process": lambda name: in_process(prepared[name], folder / "out.ipynb"),
    }
    found: dict[str, dict[str, list[Run]]] = {}
    for label, way in ways.items() if peers else ():
        found[label] = {name: [way(name) for _ in range(repeat)] for name in prepared}
    with ours(workspace, templates, shot) as run:
        for name in prepared:  # the workers and the server start, as in a run of many reports
            run(name)
        found["c: ours"] = {name: [run(name) for _ in range(repeat)] for name in prepared}
    show(found, list(prepared))


def by_commands(source: Path, target: Path) -> Run:
    """Run papermill, then nbconvert, as in a shell."""
    began = time.perf_counter()
    for command in (
        [BIN / "papermill", "--no-progress-bar", "-k", "python3", source, target],
        [BIN / "jupyter", "nbconvert", "--to", "html", target],
    ):
        subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return told(target, time.perf_counter() - began)


def in_process(source: Path, target: Path) -> Run:
    """Run both as libraries: only the kernel is new each time."""
    import papermill
    from nbconvert import HTMLExporter

    began = time.perf_counter()
    warnings.simplefilter("ignore", UserWarning)  # nbconvert cannot show a scrap
    papermill.execute_notebook(source, target, kernel_name="python3", progress_bar=False)
    html, _ = HTMLExporter().from_filename(str(target))
    target.with_suffix(".html").write_text(html, encoding="utf-8")
    return told(target, time.perf_counter() - began)


@contextlib.contextmanager
def ours(
    workspace: Workspace, templates: list[Template], shot: int
) -> Iterator[Callable[[str], Run]]:
    """Return a function that runs one report with one worker."""
    by_name = {t.name: t for t in templates}
    with open_pool(1) as pool:

        def run(name: str) -> Run:
            given = job(workspace, by_name[name], shot)
            began = time.perf_counter()
            done, cpu = pool.submit(timed, given).result()
            wall = time.perf_counter() - began
            assert done.receipt.state in ("ok", "skipped"), f"{name}: {done.receipt.reason}"
            scraps = {s.name: s.value for s in done.receipt.scraps}
            assert (workspace.reports / done.folder / NOTEBOOK).exists()
            cells = done.receipt.phases.get("cells", 0.0)
            return Run(wall_s=wall, cells_s=cells, cpu_s=cpu, scraps=scraps)

        yield run


def job(workspace: Workspace, template: Template, shot: int, reports: str = "") -> Job:
    """Return the job in the form a coordinator hands to a worker."""
    return Job(
        root=str(workspace.root),
        subject=Subject.shot(shot),
        template=template.name,
        reports=reports,
    )


def timed(given: Job) -> tuple[Done, float]:
    """Run a job, in a worker; return its CPU time, too."""
    began = time.process_time()
    done = execute(given)
    return done, time.process_time() - began


def backfill(
    workspace: Workspace, templates: list[Template], shots: list[int], reports: int
) -> None:
    """Make reports of all shots, one and two at a time; print reports per hour."""
    rates = []
    print(f"\nbackfill of {reports} reports")
    for workers in (1, 2):
        # a repeated shot gets another folder, as no report replaces another
        jobs = [
            job(workspace, template, shot, str(workspace.root / f"backfill-{workers}-{turn}"))
            for turn in range(1 + reports // (len(shots) * len(templates)))
            for shot in shots
            for template in templates
        ][:reports]
        with open_pool(workers) as pool:
            list(pool.map(timed, jobs[: 2 * workers]))  # the workers and the server start
            began = time.perf_counter()
            done = list(pool.map(timed, jobs))
            took = time.perf_counter() - began
        states = {d.receipt.state for d, _ in done}
        assert states <= {"ok", "skipped"}, states
        rates.append(3600 * len(done) / took)
        over = [d.receipt.duration_s - d.receipt.phases.get("cells", 0.0) for d, _ in done]
        print(
            f"{workers} worker{'s' * (workers > 1):<2} {rates[-1]:8.0f} reports an hour"
            f" ({took / len(done):.2f} s each); in the worker beside the cells"
            f" {1e3 * statistics.median(over):.0f} ms, of CPU in all"
            f" {1e3 * statistics.median(cpu for _, cpu in done):.0f} ms"
        )
    print(f"from 1 to 2 workers: {rates[1] / rates[0]:.2f} times as many")


def told(notebook: Path, wall_s: float) -> Run:
    """Return the results recorded in papermill's notebook."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    cells_s = sum(c.metadata.papermill.duration or 0.0 for c in cells)
    scraps = {s.name: s.value for s in read_scraps(notebook)}
    return Run(wall_s=wall_s, cells_s=cells_s, scraps=scraps)


def show(found: dict[str, dict[str, list[Run]]], names: list[str]) -> None:
    """Print times, ratios and overheads; fail if the methods' results differ."""
    ways = list(found)

    def middle(way: str, name: str, what: Callable[[Run], float]) -> float:
        return statistics.median(what(r) for r in found[way][name])

    head = "".join(f"{way:>16}" for way in ways)
    print(f"{'wall time [s]':<20}{head}" + "".join(f"{w[0]} / c".rjust(8) for w in ways[:-1]))
    sums = dict.fromkeys(ways, 0.0)
    for name in names:
        walls = {w: middle(w, name, lambda r: r.wall_s) for w in ways}
        sums = {w: sums[w] + walls[w] for w in ways}
        print(line(name, walls))
    print(line("all", sums))
    print("\noverhead: wall time less the sum of the cells [ms]")
    for way in ways:
        over = [r.wall_s - r.cells_s for name in names for r in found[way][name]]
        cells = sum(middle(way, name, lambda r: r.cells_s) for name in names)
        low, high = min(over), max(over)
        print(
            f"{way:<20}median {1e3 * statistics.median(over):7.0f}"
            f"   ({1e3 * low:.0f} … {1e3 * high:.0f}); cells {cells:.2f} s in all"
        )
    ours_s = statistics.median(r.wall_s - r.cells_s for n in names for r in found[ways[-1]][n])
    cpu = statistics.median(r.cpu_s for n in names for r in found[ways[-1]][n])
    print(f"CPU time of our worker for a report, median {1e3 * cpu:.0f} ms")
    for way in ways[:-1]:
        over_s = statistics.median(r.wall_s - r.cells_s for n in names for r in found[way][n])
        print(f"overhead of {way} / ours: {over_s / ours_s:.0f}")
    for name in names:
        results = [r.scraps for way in ways for r in found[way][name]]
        assert all(r == results[0] for r in results), f"{name}: the ways differ in their results"
    scraps = sum(len(found[ways[0]][n][0].scraps) for n in names)
    print(f"the same {scraps} scraps by {', '.join(ways)}")


def line(name: str, walls: dict[str, float]) -> str:
    """Return a row of the table."""
    *peers, ours_s = walls.values()
    ratios = "".join(f"{peer / ours_s:8.1f}" for peer in peers)
    return f"{name:<20}" + "".join(f"{v:16.3f}" for v in walls.values()) + ratios


if __name__ == "__main__":
    main()
