"""Create a workspace: folders, settings, first templates and calibrations.

It starts as the reference testbed, or empty: with what works for any facility and names no signal.
Templates of the reference testbed can be added one by one.
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
# The settings of this workspace. Lines commented out show the defaults.

[facility]
name = {facility}
# tagline = ""
# jupyterhub = ""              # address of a JupyterHub that sees this workspace

[ingest]
# shot_pattern = ""            # the shot in a file's name, if that is not like 01234_Data.tdms
# shots_per_year = 10000       # if shots restart each year: 20260042 is shot 42 of 2026
# settle_s = 2.0               # a file is complete when it has not changed for this time
# truncated_wait_s = 60.0      # an incomplete file goes to quarantine after this time
# timeout_s = 60.0             # longest time without progress in a file's conversion
# memory_mb = 2000             # and the most memory that it may use
# keep_incoming = false        # keep files in data/incoming after they are stored and verified
{generator}
[run]
# workers = 0                  # 0: one for each core
# timeout_s = 300.0            # of a report without one in its sidecar
# output_mb = 50.0             # most output of a report
# memory_mb = 0.0              # most memory of a report; 0: an equal share of three quarters
# kernels = "warm"             # or "cold": ordinary ones, slow to start
# sandbox = "auto"             # or "off": let reports write outside their own folder

# [pool]
# kind = "local"               # or "inline", or "dask" for workers on other machines
# scheduler = ""               # of dask, "tcp://host:8786"; empty: a cluster on this machine
# workers = 0                  # reports at once on that scheduler's workers; 0: one for each
# root_on_workers = ""         # path of this workspace there; empty: the same

[publish]
# tile_samples = 262144        # how far traces on the site can be zoomed; 0: to single samples
# keep_tiles_days = 0          # age to remove finer levels of a shot's traces; 0: never
# keep_figures_days = 0        # age to remove figures of its reports; notebooks and scraps stay
# raw = "link"                 # raw data beside the pages; or "copy", or "off"
# raw_url = ""                 # address of another host that serves data/shots/
# parquet_every_s = 600.0      # largest age of the file of all scraps

[retention]
# keep_superseded_days = 0     # age to remove reports that newer ones replaced; 0: never
# keep_quarantine_days = 0     # age to remove files in quarantine
# move_raw_days = 0            # age to move raw data to raw_folder, on another disk
# raw_folder = ""

[serve]
# auth = "open"                # whoever works on this machine; or "tokens", or "proxy"
# read = "public"              # or "readers": only people who are known
# proxy_header = "X-Forwarded-User"
# proxies = ["127.0.0.1", "::1"]   # whose header is believed
# roles = {{}}                   # with "proxy": {{ anna = "operator", ben = "member" }}
# default_role = "reader"

[watch]
# folders = []                 # more folders to watch, network shares too; read only
# poll_s = 1.0
# day_summary_at = "21:00"
# changes_every_s = 10.0       # interval of checks for changed calibrations, templates, shots
# remake_changed = true        # make reports again that became stale by that, last of all
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
    """Create a workspace in ``folder``; existing files stay as they are.

    Parameters
    ----------
    folder : Path
        The root of the workspace.
    facility : str
        Name of the facility, at the top of the pages.
    empty : bool
        Leave out the signals, wiring, devices, machine and templates of the reference testbed.
    clock_offset_s, tolerance_s : float
        Offset and tolerance of the generator's clock, s; not for an empty workspace.
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
        No standard template has this name.
    TemplateError
        The workspace has a template of this name.
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
    for suffix in (".toml", ".ipynb"):  # the notebook last: it makes the template
        source = standard[name].with_suffix(suffix)
        if source.exists():
            shutil.copyfile(source, path.with_suffix(suffix))
    return path
