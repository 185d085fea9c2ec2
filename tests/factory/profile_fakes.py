"""What really runs of the library while a notebook's cells run, for comparison."""

from __future__ import annotations

import cProfile
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import CodeType

import ishtar

RECORDER = ("ishtar.lineage.record", "ishtar.lineage.executed")
ROOT = Path(ishtar.__file__).parent


@contextmanager
def functions_that_run() -> Iterator[set[tuple[str, str]]]:
    """Gather (module, function) of the library's functions that are called in the block."""
    found: set[tuple[str, str]] = set()
    profile = cProfile.Profile()
    with profile:
        yield found
    for entry in profile.getstats():
        code = entry.code
        if not isinstance(code, CodeType) or not code.co_flags & inspect.CO_OPTIMIZED:
            continue  # of C, or the body of a class or module
        if code.co_filename.startswith(str(ROOT)):
            found.add((_module(code.co_filename), code.co_qualname))


def _module(file: str) -> str:
    parts = Path(file).relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def not_recorded(
    ran: Iterable[tuple[str, str]], recorded: Mapping[str, Sequence[str]]
) -> list[tuple[str, str]]:
    """Return what ran, but is in no record; the recorder's own modules are in none."""
    missed = []
    for module, qualname in ran:
        outer = qualname.split(".<locals>")[0]  # a function inside another is part of it
        name = ".".join(part for part in outer.split(".") if not part.startswith("<"))
        if name not in recorded.get(module, ()) and module not in RECORDER:
            missed.append((module, qualname))
    return sorted(missed)
