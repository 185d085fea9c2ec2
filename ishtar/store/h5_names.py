"""Encoding of names and texts for HDF5, which restricts both."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import numpy as np

CHANNELS = "channels"  # the group of all channels


def group_name(path: str) -> str:
    """Return the HDF5 group of a channel path ``group/name``, unique for each path."""
    return "/".join((CHANNELS, *group_parts(path)))


def group_parts(path: str) -> tuple[str, str]:
    """Return the names of the outer and inner HDF5 group of a channel path.

    The first ``/`` separates group and name; others belong to the name (``cDAQ1/ai0``).
    """
    group, slash, name = path.partition("/")
    return _quote(group) if slash else "%", _quote(name if slash else group)


def _quote(part: str) -> str:
    quoted = quote(part, safe=" ")
    if not quoted.strip("."):  # '' is not a valid name; '.' and '..' have a meaning in HDF5
        return quoted.replace(".", "%2E") or "%-"
    return quoted


def unique_name(name: str, taken: set[str], numbered: str = "{} ({})") -> str:
    """Return the name, with a number appended if it is in ``taken``, and add it there.

    Different sources of a path can collide: ``a/b`` with ``c``, and ``a`` with ``b/c``.
    """
    free, k = name, 1
    while free in taken:
        k += 1
        free = numbered.format(name, k)
    taken.add(free)
    return free


def to_json(value: Any) -> str:
    """Return values, including numpy's, as JSON; values without a JSON form become strings."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        item = value.item()
        return item if isinstance(item, bool | int | float | str) else str(value)
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
