"""Give a complete report its final name, durably and atomically."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from ishtar.store import fsync_dir
from ishtar.store.atomic import fsync_files
from runner.jobs import Done, Job
from runner.receipts import Receipt


def finish(job: Job, reports: Path, temporary: Path, folder: Path, receipt: Receipt) -> Done:
    """Make a complete report durable; place it, unless the caller will."""
    fsync_files(path for path in temporary.rglob("*") if path.is_file())
    name = folder.relative_to(reports).as_posix()
    done = Done(folder=name, receipt=receipt, staged=temporary.name)
    return done if job.staged else place(reports, done)


def place(reports: Path, done: Done) -> Done:
    """Rename a complete report to its final name, replacing one of the same identity."""
    temporary, folder = reports / done.staged, reports / done.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    replaced: list[Path] = []
    while True:
        try:
            os.rename(temporary, folder)
            break
        except OSError:
            if not folder.is_dir() or not temporary.is_dir():
                raise
            replaced.append(temporary.with_name(f"{temporary.name}-old-{len(replaced)}"))
            os.rename(folder, replaced[-1])
    for aside in replaced:  # only after the new report is in place
        shutil.rmtree(aside, ignore_errors=True)
    fsync_dir(folder.parent)
    return replace(done, staged="")
