"""What really runs of the library while a notebook's cells run, for comparison."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import ishtar

ROOT = Path(ishtar.__file__).parent


@contextmanager
def functions_that_run() -> Iterator[set[tuple[str, str]]]:
    """Gather (module, function) of the library's functions that are called in the block."""
    found: set[tuple[str, str]] = set()
    codes: set[Any] = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        code = frame.f_code
        if event == "call" and code not in codes:
            codes.add(code)
            if code.co_flags & inspect.CO_OPTIMIZED and code.co_filename.startswith(str(ROOT)):
                found.add((_module(code.co_filename), code.co_qualname))

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def _module(file: str) -> str:
    parts = Path(file).relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def not_reached(
    ran: Iterable[tuple[str, str]], reached: dict[str, set[str]]
) -> list[tuple[str, str]]:
    """Return what ran although nobody thought that it could."""
    missed = []
    for module, qualname in ran:
        outer = qualname.split(".<locals>")[0]  # a function inside another is part of it
        name = ".".join(part for part in outer.split(".") if not part.startswith("<"))
        if name not in reached.get(module, ()):
            missed.append((module, qualname))
    return sorted(missed)
