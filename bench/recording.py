"""The cost of recording which library code runs, compared with runs without it.

    python bench/recording.py [--rounds 5] [--python python3.13 …]

First the cells of the standard templates on a simulated shot, in alternating fresh processes:
processor time of the cells alone, and of the imports before them. Then the call of an empty
function: plain, with the library's mark, and under the alternative, `sys.monitoring`, if the
interpreter has it (Python 3.12 and newer).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ishtar.lineage.executed import FORKS
from ishtar.lineage.record import RAN, VARIABLE, read_records
from runner.ingest import ingest_file
from runner.scheduling.coordinator import Coordinator
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace

SHOT = 7
CELLS = """
import json, os, sys, time
import matplotlib
matplotlib.use("agg")
import matplotlib.pyplot as plt
import numpy, pandas, xarray, scipy.signal, scipy.optimize, pint
shown = time.process_time()
import ishtar.shots.testbed, ishtar.langmuir, ishtar.machine, ishtar.quality, ishtar.detection
imported = time.process_time()
os.environ["ISHTAR_LINEAGE"] = sys.argv[2]  # what is read is recorded in any case
for name, (parameters, *cells) in json.load(sys.stdin).items():
    names = {"display": lambda *shown: None}
    exec(parameters, names)
    names["shot"] = int(sys.argv[1])
    for cell in cells:
        exec(compile(cell, name, "exec"), names)
    plt.close("all")
print(json.dumps([imported - shown, time.process_time() - imported]))
"""
CALLS = """
import sys, time
marks = [False]
def plain(): pass
def marked(): marks[0] and plain(0)
def best(f, n=1_000_000):
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(n): f()
        times.append(time.perf_counter() - begin)
    return min(times) / n * 1e9
print(f"Python {sys.version.split()[0]}: plain {best(plain):.0f} ns", end="")
print(f", marked {best(marked):.0f} ns", end="")
if hasattr(sys, "monitoring"):
    m = sys.monitoring
    m.use_tool_id(3, "bench")
    m.register_callback(3, m.events.PY_START, lambda code, offset: m.DISABLE)
    m.set_events(3, m.events.PY_START)
    print(f", monitored {best(plain):.0f} ns", end="")
print(" a call")
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", nargs="*", default=[sys.executable])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        of_cells(Path(folder), options.rounds)
    for python in options.python:
        subprocess.run([python, "-c", CALLS], check=True)


def of_cells(folder: Path, rounds: int) -> None:
    """Run the standard templates' cells with and without recording, alternately."""
    simulate(Campaign(first=SHOT, shots=1), folder / "raw")
    workspace = make_workspace(folder / "ws", facility="T", clock_offset_s=-37.4)
    with Coordinator(workspace) as coordinator:
        for path in sorted(p for p in (folder / "raw").iterdir() if p.is_file()):
            ingest_file(path, layout=workspace, settings=coordinator.settings.ingest)
        coordinator.sync_shots()
        templates = {n: t.code for n, t in coordinator.templates().items() if t.scope == "shot"}
    text = json.dumps(templates)
    found: dict[str, list[list[float]]] = {"without": [], "with": []}
    for k in range(rounds + 1):
        for way, took in found.items():
            record = folder / f"{way}{k}.jsonl"
            plain = {k: v for k, v in os.environ.items() if k not in (VARIABLE, FORKS)}
            done = subprocess.run(
                [sys.executable, "-c", CELLS, str(SHOT), str(record)],
                input=text,
                capture_output=True,
                text=True,
                check=True,
                cwd=workspace.root,
                env=plain | ({VARIABLE: str(record)} if way == "with" else {}),
            )
            kinds = {item.kind for item in read_records(record)}
            assert (RAN in kinds) == (way == "with")
            if k:  # the first run fills the disk cache and compiles modules
                took.append(json.loads(done.stdout.splitlines()[-1]))
    imports, cells = ({way: min(t[i] for t in took) for way, took in found.items()} for i in (0, 1))
    for what, of in (
        ("importing the library", imports),
        (f"cells of {len(templates)} templates", cells),
    ):
        share = 100 * (of["with"] / of["without"] - 1)
        print(
            f"{what:<26} without {of['without']:.3f} s, with {of['with']:.3f} s of processor time: "
            f"{share:+.1f} % (best of {rounds})"
        )


if __name__ == "__main__":
    main()
