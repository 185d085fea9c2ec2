"""What the tests of warm kernels share: notebooks of a few cells, and what is left of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from nbformat.v4 import new_code_cell, new_notebook

from runner.execution.notebooks import run
from runner.kernel.warm import owner


@contextmanager
def kernels_from(address: str | None) -> Iterator[None]:
    """Take kernels from the server at an address, or from one of our own, within the block."""
    before = owner.shared_address()
    owner.use(address)
    try:
        yield
    finally:
        owner.use(before)


def execute(folder: Path, *code: str, **limits: Any) -> Any:
    """Run cells in a folder; return the executed notebook."""
    notebook = new_notebook(cells=[new_code_cell(c) for c in code])
    notebook.metadata["papermill"] = {}
    return run(notebook, folder=str(folder), **limits)[0]


def printed(notebook: Any) -> str:
    """Return all that the cells have printed, and their errors."""
    return "".join(
        o.get("text", "") or o.get("evalue", "")
        for c in notebook.cells
        for o in c.get("outputs", [])
    ).strip()


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def soon(fact: Callable[[], object], within_s: float = 120.0) -> bool:
    """Tell whether something becomes true before long."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.02)
    return bool(fact())
