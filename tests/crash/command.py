"""The command line of the long tests: how much, from which seed, in which folder."""

from __future__ import annotations

import argparse
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T", int, float)


def long_test(
    name: str, doc: str | None, much: tuple[str, T], run: Callable[[Path, T, int], int]
) -> int:
    """Run a long test as its command line says; return its exit status.

    Parameters
    ----------
    name : str
        Of the package below ``tests``.
    doc : str, optional
        What ``--help`` says.
    much : (str, T)
        Name of the option that says how much, and its default.
    run : callable
        Takes a folder, how much, and the seed.
    """
    option, default = much
    parser = argparse.ArgumentParser(prog=f"python -m tests.{name}", description=doc)
    parser.add_argument(f"--{option}", type=type(default), default=default)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10_000))
    parser.add_argument("--keep", type=Path, help="work in this new folder, and leave it")
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    if given.keep:
        given.keep.mkdir()
        return run(given.keep, getattr(given, option), given.seed)
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        return run(Path(folder), getattr(given, option), given.seed)
