"""The sidecar of a template, ``NAME.toml``: its keys, their values and all problems."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from ishtar.attributes.moments import time_of_day
from ishtar.errors import did_you_mean
from ishtar.plain_files import read_plain
from runner.errors import TemplateError
from runner.receipts import Scope
from runner.templates.results import read_results

Check = Callable[[Any], str]
"""Returns what a value should have been; empty if it is valid."""


def _texts(value: Any) -> str:
    good = isinstance(value, list) and all(isinstance(v, str) and v for v in value)
    return "" if good else 'a list of names, ["NAME"]'


def _subjects(value: Any) -> str:
    good = isinstance(value, list) and all(
        isinstance(v, str | int) and not isinstance(v, bool) for v in value
    )
    return "" if good else 'a list of shots, days or ranges, [3, 7] or ["1..12"]'


def _positive(value: Any) -> str:
    good = _is_number(value) and 0 < value < math.inf
    return "" if good else "a number above 0"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: Any) -> str:
    return "" if isinstance(value, int) and not isinstance(value, bool) else "a whole number"


def _truth(value: Any) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _scope(value: Any) -> str:
    return "" if value in get_args(Scope) else "shot, day or range"


def _time(value: Any) -> str:
    try:
        time_of_day(value)
    except (TypeError, ValueError):
        return 'a time of day, "21:00"'
    return ""


def _limits(value: Any) -> str:
    pairs = list(value.values()) if isinstance(value, dict) else [None]
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(map(_is_number, pair))):
            return "lowest and highest of each result, { Te = [0.5, 20.0] }, inf for an open side"
        if not pair[0] < pair[1]:
            return f"lowest and highest of each result, and {pair[0]!r} is not below {pair[1]!r}"
    return ""


def _results(value: Any) -> str:
    if not isinstance(value, dict):
        return f"results = {value!r:.80} must be a table of results, [results.Te]"
    try:
        read_results(value, "results")
    except TemplateError as error:
        return str(error)
    return ""


KEYS: Mapping[str, Check] = {
    "scope": _scope,
    "draft": _truth,
    "needs": _texts,
    "after": _texts,
    "timeout_s": _positive,
    "memory_mb": _positive,
    "schedule": _time,
    "limits": _limits,
    "order": _whole,
    "key": _texts,
    "golden": _subjects,
    "results": _results,
}


def problems_of(sidecar: Mapping[str, Any]) -> Iterator[str]:
    """Yield the problems of a sidecar, key by key."""
    for name, value in sidecar.items():
        if name not in KEYS:
            yield f"unknown key {name!r}{did_you_mean(name, KEYS)}"
        elif wanted := KEYS[name](value):
            yield wanted if name == "results" else f"{name} = {value!r:.80} must be {wanted}"


def read_sidecar(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return the valid part of a sidecar, and its problems.

    Parameters
    ----------
    path : Path
        The file, which need not exist.
    """
    try:
        data = tomllib.loads(read_plain(path).decode())
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return {}, [f"{path.name} cannot be read: {why}"]
    good = {name: v for name, v in data.items() if name in KEYS and not KEYS[name](v)}
    return good, [f"{path.name}: {problem}" for problem in problems_of(data)]
