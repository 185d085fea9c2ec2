"""Runs many small reports, counts resources before and after, and fails if any leak.

python bench/leaks.py [--reports 500]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import psutil
from nbformat.v4 import new_code_cell, new_notebook

from runner.execution.notebooks import run
from runner.kernel.warm import owner

CODE = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"


def main() -> None:
    """Run, count, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--reports", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, owner.WarmServer() as server:
        server.start()
        owner.use(server.address)
        for _ in range(5):
            one(folder)
        before = counted(server)
        began = time.perf_counter()
        for _ in range(options.reports):
            one(folder)
        took = time.perf_counter() - began
        after = counted(server)
    print(f"{options.reports} reports in {took:.1f} s, {1e3 * took / options.reports:.0f} ms each")
    for name, (first, last) in {n: (before[n], after[n]) for n in before}.items():
        print(f"{name:<28}{first:>8} → {last}")
    grown = [n for n in before if n != "memory here [MB]" and after[n] > before[n]]
    assert not grown, f"more than before: {', '.join(grown)}"


def one(folder: str) -> None:
    """Run one report of one figure."""
    notebook = new_notebook(cells=[new_code_cell(CODE)], metadata={"papermill": {}})
    executed, state, reason, _ = run(notebook, folder=folder)
    assert state == "ok", reason
    assert executed.cells[0].outputs


def counted(server: owner.WarmServer) -> dict[str, int]:
    """Count what could leak, once the server has a kernel ready again."""
    time.sleep(3.0)
    here, there = psutil.Process(), psutil.Process(server.pid)
    return {
        "files open here": here.num_fds(),
        "threads here": here.num_threads(),
        "memory here [MB]": here.memory_info().rss // 1_000_000,
        "files open in the server": there.num_fds(),
        "threads of the server": there.num_threads(),
        "processes below the server": len(there.children(recursive=True)),
        "files in its folder": len(list(Path(server.address).parent.iterdir())),
    }


if __name__ == "__main__":
    main()
