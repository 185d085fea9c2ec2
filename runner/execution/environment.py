"""The environment of a run: variables of its kernel, versions of its packages."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import ishtar
from ishtar.lineage.record import REPORT
from ishtar.lineage.record import VARIABLE as LINEAGE
from ishtar.workspace import VARIABLE as WORKSPACE
from runner.execution.working_folder import WorkingFolder
from runner.jobs import Job
from runner.kernel import sandbox
from runner.templates.template import Template


def kernel_environment(job: Job, template: Template, folder: WorkingFolder) -> dict[str, str]:
    """Return the environment variables of a kernel that runs a job in its working folder."""
    return {
        WORKSPACE: job.root,
        LINEAGE: str(folder.record),
        REPORT: "/".join((template.name, *template.after)),
        **library_environment(Path(job.root)),
        **sandbox.environment(job.sandbox, (folder.work, folder.record)),
    }


def library_environment(root: Path) -> dict[str, str]:
    """Return a workspace's environment variables that libraries read when they are imported."""
    return {"MPLCONFIGDIR": str(root / "data" / "cache" / "matplotlib")}


@cache
def package_versions() -> Mapping[str, str]:
    """Return the versions of the packages that results depend on, and this machine's name."""
    from importlib.metadata import version

    packages = ("numpy", "scipy", "h5py", "matplotlib", "papermill", "ipykernel")
    return {
        "ishtar": ishtar.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
    } | {name: version(name) for name in packages}
