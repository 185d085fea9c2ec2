"""Making a workspace: its folders, settings, templates and calibrations to start from.

It begins as the reference testbed, or empty: what works for any facility, and nothing that names a
signal. Templates of the reference testbed can be added one by one.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ishtar.calibration.edit import toml
from ishtar.errors import did_you_mean
from ishtar.workspace import MARKER, Workspace
from runner.errors import NoSuchTemplate, TemplateError
from runner.settings.bundled import bundled

SETTINGS = """\
# The settings of this workspace. What is commented out shows the default.

[facility]
name = {facility}
# tagline = ""
# jupyterhub = ""              # address of a JupyterHub that sees this workspace

[ingest]
# shot_pattern = ""            # how a file's name tells its shot, where it is not 01234_Data.tdms
# shots_per_year = 10000       # where shots count anew each year: 20260042 is shot 42 of 2026
# settle_s = 2.0               # a file is whole when it has not changed for so long
# truncated_wait_s = 60.0      # a file that is not whole goes to quarantine after so long
# timeout_s = 60.0             # a file's conversion may come no further for so long
# memory_mb = 2000             # and take so much memory
# keep_incoming = false        # leave files in data/incoming after they were stored and verified
{generator}
[run]
# workers = 0                  # 0: one for each core
# timeout_s = 300.0            # of a report, where its sidecar gives none
# output_mb = 50.0             # what a report may print and show
# memory_mb = 0.0              # what it may take; 0: an equal share of three quarters of all
# kernels = "warm"             # or "cold": ordinary ones, slow to start
# sandbox = "auto"             # or "off": may a report write outside of its own folder?

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
# changes_every_s = 10.0       # how often it looks for changed calibrations, templates, shots
# remake_changed = true        # reports that became stale by that are made anew, last of all
# metrics = ""                 # "127.0.0.1:9464" for Prometheus, or "file"
# log = "text"                 # or "json"
"""
IGNORED = "data/\nreports/\nsite/public/\n.ipynb_checkpoints/\n"


GENERATOR = """\
generator_clock_offset_s = {offset}
generator_tolerance_s = {tolerance}
"""


def make_workspace(
    folder: Path,
    *,
    facility: str,
    empty: bool = False,
    clock_offset_s: float = 0.0,
    tolerance_s: float = 10.0,
) -> Workspace:
    """Make a workspace in ``folder``; files that are there already are left as they are.

    Parameters
    ----------
    folder : Path
        Where.
    facility : str
        Its name, at the head of the pages.
    empty : bool
        Without signals, wiring, devices, machine and templates of the reference testbed.
    clock_offset_s, tolerance_s : float
        Of the generator's clock, s; not for an empty one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = GENERATOR.format(offset=clock_offset_s, tolerance=tolerance_s)
    settings = SETTINGS.format(facility=toml(facility), generator="" if empty else generator)
    for name in ("templates_nb", "calibrations"):
        if not (folder / name).exists():
            ignore = shutil.ignore_patterns(".*", "__pycache__")
            source = bundled("empty") / name if empty else bundled(name)
            shutil.copytree(source, folder / name, ignore=ignore)
    for part in ("data/incoming", "reports", "site"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for name, text in ((".gitignore", IGNORED), (MARKER, settings)):
        if not (folder / name).exists():
            (folder / name).write_text(text, encoding="utf-8")
    return Workspace.at(folder)


def add_template(workspace: Workspace, name: str) -> Path:
    """Copy a template of the reference testbed, with its sidecar, into a workspace.

    Raises
    ------
    NoSuchTemplate
        There is none of this name.
    TemplateError
        The workspace has one of this name.
    """
    folders = [bundled("templates_nb"), bundled("empty") / "templates_nb"]
    standard = {path.stem: path for folder in folders for path in sorted(folder.glob("*.ipynb"))}
    if name not in standard:
        hint = did_you_mean(name, standard)
        raise NoSuchTemplate(
            f"no standard template {name!r}{hint} (there are {', '.join(standard)})"
        )
    path = workspace.templates / f"{name}.ipynb"
    if path.exists():
        raise TemplateError(f"{path} exists already: move it away first")
    path.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".toml", ".ipynb"):  # the notebook last: without it, there is no template
        source = standard[name].with_suffix(suffix)
        if source.exists():
            shutil.copyfile(source, path.with_suffix(suffix))
    return path
