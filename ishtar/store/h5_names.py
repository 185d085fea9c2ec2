"""How names and texts are kept in HDF5, which has rules of its own for both."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import numpy as np

CHANNELS = "channels"  # the group of all channels


def group_name(path: str) -> str:
    """Return the HDF5 group of a channel path ``group/name``; no two paths share one."""
    return "/".join((CHANNELS, *group_parts(path)))


def group_parts(path: str) -> tuple[str, str]:
    """Return the names of the two groups, one in the other, that a channel path stands for.

    The first ``/`` parts group and name, further ones belong to the name (``cDAQ1/ai0``).
    """
    group, slash, name = path.partition("/")
    return _quote(group) if slash else "%", _quote(name if slash else group)


def _quote(part: str) -> str:
    quoted = quote(part, safe=" ")
    if not quoted.strip("."):  # '' cannot be a name, '.' and '..' mean something to HDF5
        return quoted.replace(".", "%2E") or "%-"
    return quoted


def free_name(name: str, taken: set[str], numbered: str = "{} ({})") -> str:
    """Return the name, or with a number behind it if it is taken; from now on it is.

    ``a/b`` and ``c`` are one path with ``a`` and ``b/c``.
    """
    free, k = name, 1
    while free in taken:
        k += 1
        free = numbered.format(name, k)
    taken.add(free)
    return free


def to_json(value: Any) -> str:
    """Return JSON text of plain values, numpy's among them; what has no JSON becomes text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        item = value.item()
        return item if isinstance(item, bool | int | float | str) else str(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
