"""How names and texts are kept in HDF5, which has rules of its own for both."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np

LONGEST_ATTRIBUTE = 60_000  # bytes; HDF5 keeps up to 64 kB in an object's header


def group_name(path: str) -> str:
    """Return the HDF5 group of a channel path ``group/name``; no two paths share one.

    The first ``/`` parts group and name, further ones belong to the name (``cDAQ1/ai0``).
    """
    group, slash, name = path.partition("/")
    return f"channels/{_quote(group) if slash else '%'}/{_quote(name if slash else group)}"


def _quote(part: str) -> str:
    quoted = quote(part, safe=" ")
    if not quoted.strip("."):  # '' cannot be a name, '.' and '..' mean something to HDF5
        return quoted.replace(".", "%2E") or "%-"
    return quoted


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


def set_text(group: h5py.Group, name: str, text: str) -> None:
    """Keep a text as an attribute, or as a dataset where it is longer than attributes may be."""
    if len(text.encode()) < LONGEST_ATTRIBUTE:
        group.attrs[name] = text
    else:
        group.create_dataset(f"text_{name}", data=np.frombuffer(text.encode(), dtype=np.uint8))


def get_text(group: h5py.Group, name: str) -> str:
    """Return a text that `set_text` kept."""
    if name in group.attrs:
        return str(group.attrs[name])
    return group[f"text_{name}"][()].tobytes().decode()
