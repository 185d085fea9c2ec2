"""Making a workspace: its folders, settings, templates and calibrations to start from."""

from __future__ import annotations

import shutil
from pathlib import Path

from ishtar.workspace import MARKER, Workspace
from runner.bundled import bundled

SETTINGS = """\
# The settings of this workspace. What is commented out shows the default.

[facility]
name = {facility!r}
# tagline = ""
# jupyterhub = ""              # address of a JupyterHub that sees this workspace

[ingest]
# settle_s = 2.0               # a file is whole when it has not changed for so long
# truncated_wait_s = 60.0      # a file that is not whole goes to quarantine after so long
# keep_incoming = false        # leave files in data/incoming after they were stored and verified
generator_clock_offset_s = {offset}
generator_tolerance_s = {tolerance}

[run]
# workers = 0                  # 0: one for each core
# timeout_s = 300.0            # of a report, where its sidecar gives none
# output_mb = 50.0             # what a report may print and show
# memory_mb = 0.0              # what it may take; 0: an equal share of three quarters of all
# kernels = "warm"             # or "cold": ordinary ones, slow to start

# [pool]
# kind = "local"               # or "inline", or "dask" for workers on other machines
# scheduler = ""               # of dask, "tcp://host:8786"; empty: a cluster on this machine
# workers = 0                  # reports at once on that scheduler's workers; 0: one for each
# root_on_workers = ""         # where they see this workspace; empty: at the same path

[publish]
# tile_samples = 262144        # how far traces on the site can be zoomed; 0: to single samples
# keep_tiles_days = 0          # then the finer levels of a shot's traces are let go; 0: never
# keep_figures_days = 0        # then the figures of its reports are; notebooks and scraps stay
# parquet_every_s = 600.0      # how old the file of all scraps may get

[watch]
# folders = []                 # further folders to watch, network shares too; only read
# poll_s = 1.0
# day_summary_at = "21:00"
# metrics = ""                 # "127.0.0.1:9464" for Prometheus, or "file"
# log = "text"                 # or "json"
"""
IGNORED = "data/\nreports/\nsite/public/\n.ipynb_checkpoints/\n"


def make_workspace(
    folder: Path, *, facility: str, clock_offset_s: float = 0.0, tolerance_s: float = 10.0
) -> Workspace:
    """Make a workspace in ``folder``; files that are there already are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    settings = SETTINGS.format(facility=facility, offset=clock_offset_s, tolerance=tolerance_s)
    for name in ("templates_nb", "calibrations"):
        if not (folder / name).exists():
            ignore = shutil.ignore_patterns(".*", "__pycache__")
            shutil.copytree(bundled(name), folder / name, ignore=ignore)
    for part in ("data/incoming", "reports", "site"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", IGNORED), (MARKER, settings)):
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    return Workspace.at(folder)
