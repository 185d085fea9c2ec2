"""Folders that take long to make, made by one of the processes that run the tests."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


def made_once(
    factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object], worker: str
) -> Path:
    """Return a copy of a folder that ``make`` fills, of this process alone.

    Parameters
    ----------
    worker : str
        Of pytest-xdist, ``master`` where there is none.
    """
    mine = factory.mktemp(name)
    if worker == "master":
        make(mine)
        return mine
    shared = factory.getbasetemp().parent / f"shared-{name}"
    with (shared.with_name(f"{shared.name}.lock")).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (shared / "whole").exists():
            shutil.rmtree(shared, ignore_errors=True)
            (shared / "made").mkdir(parents=True)
            make(shared / "made")
            (shared / "whole").touch()
    return Path(shutil.copytree(shared / "made", mine, dirs_exist_ok=True, symlinks=True))
