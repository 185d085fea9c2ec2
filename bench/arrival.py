"""Time from a whole 50 MB file to its published pages, phase by phase.

    python bench/arrival.py [--size-mb 50] [--workers 2]

The service's own functions, with its workers warm, on a fresh workspace with the standard
templates. The wait for a complete file is a setting and is reported separately, as are the zoomable
traces, which the service makes after the pages. The reports' results are compared with the
simulation's truth, so that a fast wrong answer does not count.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from datetime import datetime
from pathlib import Path

import h5py
import numpy as np

from runner.ingest import ingest_file
from runner.jobs import Selection
from runner.publish import publish_workspace
from runner.receipts import Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.pool import open_pool
from runner.service.deferred_work import DeferredWork, do_deferred_work
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=50.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        measure(Path(folder), options.size_mb, options.workers)


def measure(folder: Path, size_mb: float, workers: int) -> None:
    """Send shot 1 through to warm everything up, then time shot 2."""
    raw = folder / "raw"
    simulate(Campaign(first=7, shots=2, size_mb=size_mb), raw)
    workspace = make_workspace(folder / "ws", facility="Bench", clock_offset_s=-37.4)
    with Coordinator(workspace) as coordinator, open_pool(workers) as pool:
        for number in (7, 8):
            times = {}
            files = sorted(raw.glob(f"{number:05d}_D*"))
            for path in files:
                shutil.copy(path, workspace.incoming)
            begin = time.perf_counter()
            for path in files:
                outcome = ingest_file(
                    workspace.incoming / path.name,
                    layout=workspace,
                    settings=coordinator.settings.ingest,
                    incoming=True,
                )
                assert outcome.status == "stored", outcome
            coordinator.note_shot(number)
            times["ingest"] = time.perf_counter()
            done = run_batch(coordinator, Selection(shots=[number], scopes=("shot",)), pool=pool)
            assert {d.receipt.state for d in done} == {"ok"}, done
            times["reports"] = time.perf_counter()
            without_traces = publish_workspace(
                coordinator, [Subject.shot(number)], traces=False
            ).without_traces
            times["publish"] = time.perf_counter()
            deferred = DeferredWork(coordinator.settings.publish)
            deferred.add(without_traces)
            while len(deferred):
                do_deferred_work(coordinator, deferred)
            traces_s = time.perf_counter() - times["publish"]
        truth_error(coordinator, raw, number)
    assert (workspace.site / f"shots/{number:05d}/langmuir.html").exists()
    size = sum(f.stat().st_size for f in files) / 1e6
    print(f"one shot of {size:.0f} MB, {len(done)} reports, {workers} workers, all warm")
    last = begin
    for name, at in times.items():
        print(f"  {name:<22}{at - last:8.2f} s")
        last = at
    print(f"  {'whole file to pages':<22}{last - begin:8.2f} s")
    receipts = sorted((d.receipt for d in done), key=lambda r: r.started)
    cells = sum(r.phases["cells"] for r in receipts)
    busy = sum(r.duration_s for r in receipts)
    print(f"  the reports' own cells: {cells:.2f} s, of {busy:.2f} s that workers were busy;")
    print(f"  on {workers} workers no engine needs less than {cells / workers:.2f} s for them:")
    first = datetime.fromisoformat(receipts[0].started)
    for r in receipts:
        began = (datetime.fromisoformat(r.started) - first).total_seconds()
        beside = 1e3 * (r.duration_s - r.phases["cells"])
        print(
            f"    {r.template:<18} from {began:5.2f} to {began + r.duration_s:5.2f} s,"
            f" {beside:4.0f} ms beside its cells"
        )
    print(f"  besides, when nothing else is to be done: traces to zoom into, {traces_s:.2f} s")
    settle = coordinator.settings.ingest.settle_s
    print(
        f"  besides, the proof that the file is whole: {settle:g} s (settle_s) and up to one poll"
    )


def truth_error(coordinator: Coordinator, raw: Path, number: int) -> None:
    """Compare T_e and n_e with the simulation's inputs."""
    scraps = {s.name: s for s in coordinator.catalogue.scraps([f"{number:05d}"])}
    with h5py.File(raw / "truth" / f"{number:05d}_truth.h5") as f:
        time_s, te, ne = (f[name][()] for name in ("time", "T_e", "n_e"))
    flat = (time_s > 1.0) & (time_s < 4.0)
    for name, truth in (("Te", te), ("ne", ne)):
        error = scraps[name].value / np.mean(truth[flat]) - 1
        print(f"{name} {scraps[name].value:.4g} {scraps[name].unit}, {error:+.1%} off the truth")
        assert abs(error) < 0.1


if __name__ == "__main__":
    main()
