"""Profile of a plan with nothing to do: 100,000 shots × 8 templates.

    python bench/plan.py [--shots 100000] [--inputs 6]

The catalogue is faked: no shot and no report has files. Every report is in the state left by a plan
that found it up to date. Then one shot is marked dirty, as by an arriving source, which must put
exactly its reports into the plan.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import sqlite3
import tempfile
import time
from pathlib import Path

from ishtar.catalogue import Catalogue
from ishtar.catalogue.rows import REPORT_COLUMNS
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.staleness.current_state import CurrentState
from runner.staleness.fingerprints import fingerprints_of
from runner.staleness.plan import make_plan
from runner.templates.template import Templates, read_templates
from runner.workspaces.new_workspace import make_workspace

N_TEMPLATES = 8
ROUNDS = 3


def main() -> None:
    """Fake the catalogue, plan, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shots", type=int, default=100_000)
    parser.add_argument("--inputs", type=int, default=6, help="inputs read by each report")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        workspace = make_workspace(Path(folder) / "ws", facility="Bench")
        templates = of_shots(workspace)
        begin = time.perf_counter()
        fake(workspace, templates, options.shots, options.inputs)
        size = workspace.catalogue.stat().st_size / 1e6
        print(f"{options.shots} shots × {len(templates)} templates, {size:.0f} MB", end="")
        print(f", faked in {time.perf_counter() - begin:.0f} s")
        measure(workspace, templates)


def of_shots(workspace: Workspace) -> Templates:
    """Return eight templates of single shots: the existing ones, and copies of one."""
    found = read_templates(workspace.templates)
    mine = [t.name for t in found.values() if t.scope == "shot"][:N_TEMPLATES]
    for path in workspace.templates.iterdir():
        if path.stem not in mine:
            path.unlink()
    for k in range(N_TEMPLATES - len(mine)):
        for path in workspace.templates.glob("overview.*"):
            shutil.copy(path, workspace.templates / f"overview_{k}{path.suffix}")
    return read_templates(workspace.templates)


def fake(workspace: Workspace, templates: Templates, n: int, n_inputs: int) -> None:
    """Write shots, reports and their inputs, none in doubt."""
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        testbed = Testbed(workspace)
        present = CurrentState(testbed, catalogue)
        catalogue.mark_changed(fingerprints_of(testbed.declarations, templates, present))
    db = sqlite3.connect(workspace.catalogue, isolation_level=None)
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO shots (shot, date, day, attributes) VALUES (?, ?, ?, '{}')",
        ((k, f"2026-11-22T{k}", f"day {k // 100}") for k in range(1, n + 1)),
    )
    for template in templates.values():
        name, code, prose = template.name, template.code_digest, template.prose_digest
        db.executemany(
            f"INSERT INTO reports ({REPORT_COLUMNS}, doubted) VALUES "
            "(?, 'shot', ?, ?, 'x', 'ok', '', 0, 1, '2026-11-22T10:00:00+00:00', 1.0, ?, ?, '{}', "
            "0)",
            ((f"{k:05d}/{name}/x", f"{k:05d}", name, code, prose) for k in range(1, n + 1)),
        )
        db.executemany(
            "INSERT INTO inputs VALUES (?, 'channel', ?, ?, '', 'x')",
            (
                (f"{k:05d}/{name}/x", f"PXI M6251/ai{i}", f"{k:05d}")
                for k in range(1, n + 1)
                for i in range(n_inputs)
            ),
        )
    db.execute("COMMIT")
    db.close()


def measure(workspace: Workspace, templates: Templates) -> None:
    """Plan for everything; then for everything with one shot dirty."""
    testbed = Testbed(workspace)
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        best, profile = float("inf"), cProfile.Profile()
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            plan = make_plan(testbed, catalogue, templates)
            best = min(best, time.perf_counter() - begin)
            assert plan == []
        print(f"  nothing to do          {best:8.2f} s (asked: 2 s)")
        profile.runcall(make_plan, testbed, catalogue, templates)
        top(profile)
        with sqlite3.connect(workspace.catalogue) as db:
            db.execute("UPDATE reports SET doubted = 1 WHERE subject = '00042'")
        begin = time.perf_counter()
        plan = make_plan(testbed, catalogue, templates)
        assert {job.subject.key for job in plan} == {"00042"}
        assert len(plan) == len(templates)
        print(f"  one shot dirty          {time.perf_counter() - begin:8.2f} s")


def top(profile: cProfile.Profile) -> None:
    """Print the functions that take most of the time; profiling makes calls slower."""
    rows = pstats.Stats(profile).get_stats_profile().func_profiles.items()
    for name, row in sorted(rows, key=lambda item: -item[1].tottime)[:6]:
        print(f"    {row.tottime:6.2f} s  {row.ncalls:>12} ×  {name}")


if __name__ == "__main__":
    main()
