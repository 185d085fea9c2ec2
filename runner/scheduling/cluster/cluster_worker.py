"""What a worker receives, and its checks before a job."""

from __future__ import annotations

import contextlib
import platform
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import ishtar
from ishtar.store import write_atomic
from runner.errors import ClusterError
from runner.jobs import Job

SHARE = 0.75  # of a worker's memory that a report may take


@dataclass(frozen=True, kw_only=True)
class WorkspaceLocation:
    """The location of a workspace, here and on workers, with a token to recognise it."""

    root: str
    there: str
    token: str
    version: str

    @classmethod
    def of(cls, root: Path, there: str = "") -> WorkspaceLocation:
        """Return the location of a workspace; create its token at the first use.

        The token never changes, so no cache of a network file system can show an old one.
        """
        path = _mark(root)
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                write_atomic(path, secrets.token_hex(16), exclusive=True)
        token = path.read_text("ascii")
        return cls(root=str(root), there=there or str(root), token=token, version=_version())

    def translated(self, value: Any) -> Any:
        """Return a job's argument with paths translated for a worker."""
        if isinstance(value, Job):
            there = self.translated(Path(value.reports)) if value.reports else ""
            return replace(value, root=self.there, reports=str(there), staged=True)
        if isinstance(value, Path) and value.is_relative_to(self.root):
            return Path(self.there, value.relative_to(self.root))
        return value


def _mark(root: Path) -> Path:
    return root / "data" / "cluster.token"


def _version() -> str:
    return f"ishtar {ishtar.__version__}, Python {platform.python_version()}"


def work(home: WorkspaceLocation | None, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """Run a job on a worker."""
    from distributed import get_worker

    worker = get_worker()
    if home is not None:
        check(home, worker.address, worker.state.nthreads)
    limit = worker.memory_manager.memory_limit  # bytes, None if unlimited
    return fn(*(_within(a, SHARE * limit / 1e6) if limit else a for a in args))


@cache  # errors are not cached
def check(home: WorkspaceLocation, address: str, threads: int) -> None:
    """Raise `ClusterError` unless this worker can make reports of a workspace."""
    who = f"the worker at {address} on {platform.node()}"
    if threads != 1:
        raise ClusterError(
            f"{who} takes {threads} jobs at once: start it with --nthreads 1, "
            "and --nworkers for more than one"
        )
    if home.version != _version():
        raise ClusterError(
            f"{who} has {_version()}, the coordinator {home.version}: install the same on both"
        )
    try:
        token = _mark(Path(home.there)).read_text("ascii")
    except OSError as error:
        raise ClusterError(
            f"{who} does not see the workspace at {home.there} ({error.strerror}): mount it there, "
            "or set root_on_workers in [pool] to its path"
        ) from error
    if token != home.token:
        raise ClusterError(
            f"{who} sees another workspace at {home.there}: mount that of the coordinator there, "
            "or set root_on_workers in [pool] to its path"
        )


def _within(value: Any, memory_mb: float) -> Any:
    """Return a job with the worker's memory limit, unless it has its own."""
    if isinstance(value, Job) and not value.memory_mb:
        return replace(value, memory_mb=memory_mb)
    return value
