"""The identity of the library's own code, as one input of every report.

Of all functions of the library only those count that the report's notebook can reach, and of those
neither comments nor layout nor docstrings: what cannot change a number makes nothing stale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import ishtar
from ishtar.lineage import Input, digest
from runner.reach import Package


@lru_cache(maxsize=2)
def _package(files: tuple[tuple[str, int, int], ...], root: str) -> Package:
    return Package.at(Path(root))  # the files are there to tell when to read it again


def library() -> Package:
    """Return the library as it is installed now, taken apart."""
    root = Path(ishtar.__file__).parent
    files = []
    for path in sorted(root.rglob("*.py")):
        stat = path.stat()
        files.append((path.relative_to(root).as_posix(), stat.st_mtime_ns, stat.st_size))
    return _package(tuple(files), str(root))


@lru_cache(maxsize=256)
def _parts(package: Package, cells: tuple[str, ...]) -> Mapping[str, str]:
    return {
        module: digest(package.modules[module].source(units))
        for module, units in sorted(package.reached(cells).items())
    }


def code_parts(cells: Sequence[str]) -> Mapping[str, str]:
    """Return the modules that some code can reach, each with the digest of what it reaches there.

    Parameters
    ----------
    cells : sequence of str
        The code of a notebook.
    """
    return _parts(library(), tuple(cells))


def code_input(cells: Sequence[str]) -> Input:
    """Return the identity of the library's code that some code can reach."""
    return input_of(code_parts(cells))


def input_of(parts: Mapping[str, str]) -> Input:
    """Return what `code_parts` gives as one input."""
    found = digest(dict(parts))
    return Input(kind="code", name="ishtar", version=ishtar.__version__, digest=found)
