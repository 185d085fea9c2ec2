"""Check an installation and a workspace for problems, one by one.

Shots, a site or a service that do not exist *yet* are not a problem. A check that itself raises
counts as a problem under its name and does not stop the others.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.calibration import read_declarations
from ishtar.calibration.gaps import check_folder
from ishtar.catalogue import Catalogue
from ishtar.errors import IshtarError, WorkspaceError
from ishtar.shots.testbed import stored_shots
from ishtar.workspace import VARIABLE, Workspace
from runner.ingest import converters, scan
from runner.ingest.raw_files.quarantine import REASON, reason_of
from runner.monitoring.status import holder_troubles, read_status
from runner.scheduling.rebuild import why_lost
from runner.settings.file import Settings, read_settings
from runner.templates.check import problems_of
from runner.templates.template import read_templates

__all__ = ["Check", "examine"]

LEAST_FREE_GB = 5.0
LEAST_FREE_FILES = 10_000
SHOWN = 3  # of many problems
KERNEL_S = 120.0  # a cold start on a busy machine
OLDEST_PYTHON = (3, 11)


class Problem(Exception):
    """A problem; its text says what it is and what to do."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check; ``found`` describes it and, if it is bad, says what to do."""

    name: str
    good: bool
    found: str


def examine() -> Iterator[Check]:
    """Check the installation and the workspace of this folder, or of the environment variable."""
    yield _check("python", _python)
    yield _check("kernel", _kernel)
    workspace: list[Workspace] = []

    def find() -> str:
        workspace.append(Workspace.find())
        source = f", from {VARIABLE}" if os.environ.get(VARIABLE) else ""
        return f"{workspace[0].root}{source}"

    yield _check("workspace", find)
    for name, check in _WORKSPACE_CHECKS.items() if workspace else ():
        yield _check(name, check, workspace[0])


def _check(name: str, check: Callable[..., str], *arguments: Any) -> Check:
    try:
        return Check(name=name, good=True, found=check(*arguments))
    except (Problem, IshtarError) as fault:
        text = str(fault)
    except OSError as error:
        text = f"{error}: check the file system"
    except Exception as error:  # also from a facility's own code: the other checks go on
        text = f"cannot be checked ({type(error).__name__}: {error})"
    return Check(name=name, good=False, found=" ".join(text.split()))


# --- the installation -------------------------------------------------------------------------


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise Problem(f"{version} is too old: install Python {'.'.join(map(str, OLDEST_PYTHON))}")
    return version


def _kernel() -> str:
    """Run one cell like a report, in a kernel of its own."""
    from nbformat.v4 import new_code_cell, new_notebook

    from runner.execution.notebooks import run

    cell = new_code_cell("import ishtar.report, matplotlib.pyplot")
    advice = "install the package again, with its dependencies (ipykernel, papermill)"
    try:
        with tempfile.TemporaryDirectory(prefix="ishtar-doctor-") as folder:
            _, state, reason, _ = run(
                new_notebook(cells=[cell], metadata={"papermill": {}}),
                kernels="cold",
                folder=folder,
                execution_timeout=KERNEL_S,
            )
    except Exception as error:
        raise Problem(f"cannot start a kernel ({error}): {advice}") from error
    if state != "ok":
        raise Problem(f"a kernel cannot run a cell ({reason}): {advice}")
    return "a notebook runs"


# --- the workspace ----------------------------------------------------------------------------


def _settings(workspace: Workspace) -> str:
    settings = read_settings(workspace)
    if zone := settings.ingest.timezone:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            raise Problem(
                f"ishtar.toml [ingest] timezone = {zone!r} is not a time zone: write it like "
                "'Europe/Berlin'"
            ) from error
    _logo(workspace, settings)
    own = settings.ingest.converters
    try:
        list(converters(own, workspace.root))
    except IshtarError:
        raise
    except Exception as error:  # a facility's own module may raise anything when imported
        raise Problem(
            f"a converter cannot be loaded ({type(error).__name__}: {error}): fix its module, see "
            f"[ingest] converters = {list(own)}"
        ) from error
    return "ishtar.toml is valid" + (f", with {count(len(own), 'converter')}" * bool(own))


def _logo(workspace: Workspace, settings: Settings) -> None:
    logo = settings.facility.logo
    if logo and not (workspace.root / logo).is_file():
        raise Problem(f"ishtar.toml [facility] logo: {logo} is not in the workspace: correct it")


def _folders(workspace: Workspace) -> str:
    """Check that the factory can write its folders, or create those that do not exist yet."""
    data = workspace.catalogue.parent
    own = [workspace.incoming, workspace.quarantine, workspace.shots, workspace.days, data]
    problems = list(_unwritable([*own, workspace.reports, workspace.site]))
    for name in _watched(workspace):
        folder = workspace.root / name
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            problems.append(
                f"{folder} of [watch] folders cannot be read: mount the share, or correct the name"
            )
    return _good_unless(problems, "writable")


def _watched(workspace: Workspace) -> tuple[str, ...]:
    try:
        return read_settings(workspace).watch.folders
    except WorkspaceError:  # the check of the settings reports it
        return ()


def _unwritable(folders: Iterable[Path]) -> Iterator[str]:
    tried: set[Path] = set()
    for folder in folders:
        place = folder
        while not os.path.lexists(place):
            place = place.parent
        if place in tried:
            continue
        tried.add(place)
        if not place.exists():
            yield f"{place} is a broken link: fix it"
        elif not place.is_dir():
            yield f"{place} is not a folder: move it away"
        else:
            try:
                with tempfile.TemporaryFile(dir=place, prefix=".ishtar-doctor-"):
                    pass
            except OSError as error:
                yield f"{place} is not writable ({error.strerror}): change its owner or mode"


def _calibrations(workspace: Workspace) -> str:
    folder = workspace.calibrations
    if not folder.is_dir():
        raise Problem(
            f"{folder} does not exist, so no signals are known: restore it from git or a backup, "
            f"or create an empty folder if you have no signals yet"
        )
    declared, findings = check_folder(folder, stored_shots(workspace))
    problems = [f"calibrations/{f}" for f in findings if f.sure]
    return _good_unless(
        problems,
        f"{count(len(declared.signals), 'signal')}, {count(len(declared.devices), 'device')}",
        "`ishtar calib check` lists all",
    )


def _templates(workspace: Workspace) -> str:
    folder = workspace.templates
    if not folder.is_dir():
        raise Problem(
            f"{folder} does not exist, so no reports are made: restore it from git or a backup, or "
            "write a template with `ishtar template new NAME`"
        )
    templates = read_templates(folder)
    problems = [f"{name} cannot be used: {why}" for name, why in templates.problems.items()]
    declared, _ = read_declarations(workspace.calibrations)
    problems += [f"{t.name}: {p}" for t in templates.values() for p in problems_of(t, declared)]
    none = "none yet: `ishtar template new NAME` writes one"
    good = f"{len(templates)}: {', '.join(templates)}" if templates else none
    return _good_unless(problems, good, "`ishtar template check` lists all")


def _disk(workspace: Workspace) -> str:
    folders = [workspace.root, workspace.catalogue.parent, workspace.reports, workspace.site]
    places = [f for f in folders if f.is_dir()]
    free, place = min((shutil.disk_usage(f).free / 1e9, f) for f in places)
    if free < LEAST_FREE_GB:
        raise Problem(
            f"{free:.1f} GB free at {place}, less than {LEAST_FREE_GB:g}: free some space"
        )
    for f in places:
        stat = os.statvfs(f)
        if stat.f_files and stat.f_favail < LEAST_FREE_FILES:
            raise Problem(f"space for {stat.f_favail} more files at {f} (inodes): remove some")
    return f"{free:.0f} GB free"


def _incoming(workspace: Workspace) -> str:
    if not workspace.incoming.is_dir() and read_status(workspace).state == "working":
        raise Problem(
            f"{workspace.incoming} does not exist, so no files arrive: mount it, or create it"
        )
    n = sum(1 for _ in scan([workspace.incoming]))
    return f"{count(n, 'file')} waiting" + (": `ishtar watch` ingests them" if n else "")


def _quarantine(workspace: Workspace) -> str:
    folder = workspace.quarantine
    held = sorted(p for p in folder.glob("[!.]*") if not p.name.endswith(REASON))
    if not held:
        return "empty"
    reasons = [f"{p.name}: {reason_of(p).get('reason', 'no reason recorded')}" for p in held]
    more = f"; and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    raise Problem(
        f"{count(len(held), 'file')} in {folder}: {'; '.join(reasons[:SHOWN])}{more}: fix "
        "the cause and ingest them from there, or remove them"
    )


def _catalogue(workspace: Workspace) -> str:
    stored = stored_shots(workspace)
    if not workspace.catalogue.exists():
        if stored:
            raise Problem(f"none, but {count(len(stored), 'shot')}: run `ishtar rebuild`")
        return "none yet: created with the first shot"
    with contextlib.closing(Catalogue(workspace.catalogue)) as catalogue:
        reports = len(catalogue.reports())
        if why := why_lost(workspace):
            raise Problem(f"{why}: run `ishtar rebuild`")
        return f"{count(len(catalogue.shots()), 'shot')}, {count(reports, 'report')}"


def _site(workspace: Workspace) -> str:
    exists = (workspace.site / "index.html").exists()
    return "built" if exists else "none yet: `ishtar publish` builds it"


def _service(workspace: Workspace) -> str:
    found = read_status(workspace)
    holder = found.holder
    who = f"{holder.doing}, process {holder.process} on {holder.host}" if holder else found.other
    if found.state == "dead" and holder is not None and holder.doing == "watch":
        raise Problem(f"{who}, was killed: start `ishtar watch` again")
    if found.state == "silent":
        raise Problem(f"{who}, is silent: check with `ishtar status` whether it is still running")
    if (quiet := found.stalled_s) is not None:
        raise Problem(
            f"{who}, is alive but has done nothing for {quiet:.0f} s: see `ishtar status` and its "
            "log, or start it again"
        )
    if found.state == "working" and holder is not None and not found.other:
        lasting = holder_troubles(holder)
        if lasting:
            raise Problem(f"{who}, cannot do everything: {'; '.join(lasting[:SHOWN])}")
    return f"{who}, works" if found.state == "working" else "not running: start `ishtar watch`"


def count(n: int, what: str) -> str:
    """Return a number with its noun: ``1 shot``, ``2 shots``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _good_unless(problems: list[str], good: str, where: str = "") -> str:
    """Return ``good`` if there are no problems; else raise the first few."""
    if not problems:
        return good
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise Problem("; ".join(problems[:SHOWN]) + more + (f"; {where}" if more and where else ""))


_WORKSPACE_CHECKS: dict[str, Callable[[Workspace], str]] = {
    "settings": _settings,
    "folders": _folders,
    "calibrations": _calibrations,
    "templates": _templates,
    "disk": _disk,
    "incoming": _incoming,
    "quarantine": _quarantine,
    "catalogue": _catalogue,
    "site": _site,
    "service": _service,
}
