"""What may be wrong with an installation and a workspace, looked for one thing after the other.

What is not there *yet* is no fault: shots, a site, a service. A look that fails itself is a fault
by that name, and the others go on.
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
from runner.ingest.raw_files.quarantine import REASON, reason_of
from runner.ingest.raw_files.settling import scan
from runner.ingest.registry import converters
from runner.monitoring.status import read_status, worth_telling_of
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


class Wrong(Exception):
    """A fault; its text says what, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at: ``found`` says how it stands; where wrong, what to do."""

    name: str
    good: bool
    found: str


def examine() -> Iterator[Check]:
    """Look at the installation and the workspace that this folder lies in, or that is named."""
    yield _look("python", _python)
    yield _look("kernel", _kernel)
    workspace: list[Workspace] = []

    def find() -> str:
        workspace.append(Workspace.find())
        named = f", named by {VARIABLE}" if os.environ.get(VARIABLE) else ""
        return f"{workspace[0].root}{named}"

    yield _look("workspace", find)
    for name, what in _OF_WORKSPACE.items() if workspace else ():
        yield _look(name, what, workspace[0])


def _look(name: str, what: Callable[..., str], *given: Any) -> Check:
    try:
        return Check(name=name, good=True, found=what(*given))
    except (Wrong, IshtarError) as fault:
        text = str(fault)
    except OSError as error:
        text = f"{error}: look into it"
    except Exception as error:  # of a facility's own code, too: the other looks go on
        text = f"cannot be looked at ({type(error).__name__}: {error})"
    return Check(name=name, good=False, found=" ".join(text.split()))


# --- the installation -------------------------------------------------------------------------


def _python() -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < OLDEST_PYTHON:
        raise Wrong(f"{version} is too old: install Python {'.'.join(map(str, OLDEST_PYTHON))}")
    return version


def _kernel() -> str:
    """Run one cell as a report is run, in a kernel that is started for it."""
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
        raise Wrong(f"no kernel can be started ({error}): {advice}") from error
    if state != "ok":
        raise Wrong(f"a kernel cannot run a cell ({reason}): {advice}")
    return "a notebook runs"


# --- the workspace ----------------------------------------------------------------------------


def _settings(workspace: Workspace) -> str:
    settings = read_settings(workspace)
    if zone := settings.ingest.timezone:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(zone)
        except (ValueError, OSError, KeyError) as error:
            raise Wrong(
                f"ishtar.toml [ingest] timezone = {zone!r} is no zone: write 'Europe/Berlin'"
            ) from error
    _logo(workspace, settings)
    own = settings.ingest.converters
    try:
        list(converters(own, workspace.root))
    except IshtarError:
        raise
    except Exception as error:  # whatever a facility's own module does when it is imported
        raise Wrong(
            f"a converter cannot be loaded ({type(error).__name__}: {error}): mend its module, see "
            f"[ingest] converters = {list(own)}"
        ) from error
    return "ishtar.toml is understood" + (f", with {count(len(own), 'converter')}" * bool(own))


def _logo(workspace: Workspace, settings: Settings) -> None:
    logo = settings.facility.logo
    if logo and not (workspace.root / logo).is_file():
        raise Wrong(f"ishtar.toml [facility] logo: there is no {logo} in the workspace: correct it")


def _folders(workspace: Workspace) -> str:
    """Try to write where the factory writes; what is not there yet must be possible to make."""
    data = workspace.catalogue.parent
    own = [workspace.incoming, workspace.quarantine, workspace.shots, workspace.days, data]
    problems = list(_unwritable([*own, workspace.reports, workspace.site]))
    for name in _watched(workspace):
        folder = workspace.root / name
        if not folder.is_dir() or not os.access(folder, os.R_OK | os.X_OK):
            problems.append(
                f"{folder} of [watch] folders cannot be read: mount the share, or correct the name"
            )
    return _without(problems, "can be written")


def _watched(workspace: Workspace) -> tuple[str, ...]:
    try:
        return read_settings(workspace).watch.folders
    except WorkspaceError:  # told as a fault of the settings
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
            yield f"{place} is a link that leads nowhere: mend it"
        elif not place.is_dir():
            yield f"{place} is no folder: move it away"
        else:
            try:
                with tempfile.TemporaryFile(dir=place, prefix=".ishtar-doctor-"):
                    pass
            except OSError as error:
                yield f"{place} cannot be written ({error.strerror}): change its owner or mode"


def _calibrations(workspace: Workspace) -> str:
    folder = workspace.calibrations
    if not folder.is_dir():
        raise Wrong(
            f"{folder} is not there, so no signal is known: restore it from git or a copy, or "
            f"make an empty folder if there is no signal yet"
        )
    declared, findings = check_folder(folder, stored_shots(workspace))
    problems = [f"calibrations/{f}" for f in findings if f.sure]
    return _without(
        problems,
        f"{count(len(declared.signals), 'signal')}, {count(len(declared.devices), 'device')}",
        "`ishtar calib check` lists all",
    )


def _templates(workspace: Workspace) -> str:
    folder = workspace.templates
    if not folder.is_dir():
        raise Wrong(
            f"{folder} is not there, so no report is made: restore it from git or a copy, or "
            "begin one with `ishtar template new NAME`"
        )
    templates = read_templates(folder)
    problems = [f"{name} cannot be used: {why}" for name, why in templates.problems.items()]
    declared, _ = read_declarations(workspace.calibrations)
    problems += [f"{t.name}: {p}" for t in templates.values() for p in problems_of(t, declared)]
    none = "none yet: `ishtar template new NAME` begins one"
    good = f"{len(templates)}: {', '.join(templates)}" if templates else none
    return _without(problems, good, "`ishtar template check` lists all")


def _disk(workspace: Workspace) -> str:
    folders = [workspace.root, workspace.catalogue.parent, workspace.reports, workspace.site]
    places = [f for f in folders if f.is_dir()]
    free, place = min((shutil.disk_usage(f).free / 1e9, f) for f in places)
    if free < LEAST_FREE_GB:
        raise Wrong(f"{free:.1f} GB free at {place}, less than {LEAST_FREE_GB:g}: free some space")
    for f in places:
        stat = os.statvfs(f)
        if stat.f_files and stat.f_favail < LEAST_FREE_FILES:
            raise Wrong(f"room for {stat.f_favail} more files at {f}: remove some (inodes)")
    return f"{free:.0f} GB free"


def _incoming(workspace: Workspace) -> str:
    if not workspace.incoming.is_dir() and read_status(workspace).state == "working":
        raise Wrong(f"{workspace.incoming} is not there, so no file arrives: mount it, or make it")
    n = sum(1 for _ in scan([workspace.incoming]))
    return f"{count(n, 'file')} waiting" + (": `ishtar watch` takes what is there" if n else "")


def _quarantine(workspace: Workspace) -> str:
    folder = workspace.quarantine
    held = sorted(p for p in folder.glob("[!.]*") if not p.name.endswith(REASON))
    if not held:
        return "empty"
    told = [f"{p.name}: {reason_of(p).get('reason', 'no reason is noted')}" for p in held]
    more = f"; and {len(held) - SHOWN} more" if len(held) > SHOWN else ""
    raise Wrong(
        f"{count(len(held), 'file')} in {folder}: {'; '.join(told[:SHOWN])}{more}: correct "
        "the cause and ingest from there, or remove it"
    )


def _catalogue(workspace: Workspace) -> str:
    stored = stored_shots(workspace)
    if not workspace.catalogue.exists():
        if stored:
            raise Wrong(f"none, but {count(len(stored), 'shot')}: `ishtar rebuild` makes it anew")
        return "none yet: it comes with the first shot"
    with contextlib.closing(Catalogue(workspace.catalogue)) as catalogue:
        reports = len(catalogue.reports())
        if why := why_lost(workspace):
            raise Wrong(f"{why}: `ishtar rebuild` makes it anew")
        return f"{count(len(catalogue.shots()), 'shot')}, {count(reports, 'report')}"


def _site(workspace: Workspace) -> str:
    there = (workspace.site / "index.html").exists()
    return "is built" if there else "none yet: `ishtar publish` builds it"


def _service(workspace: Workspace) -> str:
    found = read_status(workspace)
    holder = found.holder
    who = f"{holder.doing}, process {holder.process} on {holder.host}" if holder else found.other
    if found.state == "dead" and holder is not None and holder.doing == "watch":
        raise Wrong(f"{who}, was killed: start `ishtar watch` again")
    if found.state == "silent":
        raise Wrong(f"{who}, is not heard of any more: see whether it lives, `ishtar status`")
    if (quiet := found.unmoved_s) is not None:
        raise Wrong(
            f"{who}, lives and has done nothing for {quiet:.0f} s: see `ishtar status` and its "
            "log; start it again where nothing helps"
        )
    if found.state == "working" and holder is not None and not found.other:
        lasting = worth_telling_of(holder)
        if lasting:
            raise Wrong(f"{who}, cannot do everything: {'; '.join(lasting[:SHOWN])}")
    return f"{who}, works" if found.state == "working" else "none runs: `ishtar watch` is one"


def count(n: int, what: str) -> str:
    """Return a number of things in words: ``1 shot``, ``2 shots``."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _without(problems: list[str], good: str, where: str = "") -> str:
    """Return how it stands where there is no problem; else raise the first few."""
    if not problems:
        return good
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    raise Wrong("; ".join(problems[:SHOWN]) + more + (f"; {where}" if more and where else ""))


_OF_WORKSPACE: dict[str, Callable[[Workspace], str]] = {
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
