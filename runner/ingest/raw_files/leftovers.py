"""Temporary files left by killed processes: nothing ever reads them."""

from __future__ import annotations

import time
from pathlib import Path

from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.ingest.layout import DataFolders


def remove_leftovers(layout: DataFolders, *, older_than_s: float = 86_400.0) -> list[Path]:
    """Remove temporary files without recent changes, and return them.

    Parameters
    ----------
    older_than_s : float
        A younger file may belong to a running process, s.
    """
    removed = []
    limit = time.time() - older_than_s
    for folder in (layout.shots, layout.days, layout.quarantine):
        for path in sorted(folder.rglob(f"{TEMPORARY_PREFIX}*")):
            if path.is_file() and path.stat().st_mtime < limit:
                path.unlink(missing_ok=True)
                removed.append(path)
    return removed
