"""A value as JSON, and as the script that hands it to a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it: not-finite numbers as texts, other things as their text.

    ``nan``, ``inf`` and ``-inf`` have no place in JSON, and are not nothing: they stay told.
    """
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else repr(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(v) for v in value]
    return str(value)


def json_bytes(value: Any) -> bytes:
    """Return a value as JSON, on one line, the same bytes for the same value."""
    try:
        text = _dumps(value)
    except ValueError:  # a number that is not finite
        text = _dumps(plain(value))
    return text.encode(errors="replace") + b"\n"


def _dumps(value: Any) -> str:
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=plain
    )


def script_bytes(path: str, json_text: bytes) -> bytes:
    """Return the script that gives a datum to the page which asked for ``path``."""
    name = json.dumps(path).encode()
    return b"ishtar.data(" + name + b", " + json_text.rstrip(b"\n") + b");\n"
