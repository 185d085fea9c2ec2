"""What the index of a shot must look like before anything is computed from it.

A site is written by others: a text where a number belongs must not become an error of numpy far
from here. All functions raise ValueError or TypeError.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from ishtar.store import Channel, Origin, apply_scale
from ishtar.store.chunk_decode import ChunkedRows

MAX_SAMPLES = 1 << 48  # numbers up to here, and their places in a file, are exact


def origin_of(entry: Any) -> Origin:
    """Return the origin that an entry describes."""
    wanted = {"shot": int, "size": int}
    for f in fields(Origin):
        _check_type(f.name, entry[f.name], wanted.get(f.name, str))
    return Origin(**entry)


def plain_values(entry: Any) -> dict[str, Any]:
    """Return attributes or properties by name, whose texts are all texts."""
    found = dict(entry)
    for name, value in found.items():
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no name")
        _check_texts(value)
    return found


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, list):
        for one in value:
            _check_texts(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            name.encode()
            _check_texts(one)


def check_channel(channel: Channel, rows: Mapping[str, ChunkedRows]) -> None:
    """Check a channel, and that its description and its datasets agree."""
    _check_facts(channel)
    expected: dict[str, tuple[int, ...]] = {"data": (channel.n,)}
    if channel.irregular:
        expected["time"] = (channel.n,)
    for factor in channel.levels:
        _check_type("level", factor, int)
        if factor < 1:
            raise ValueError(f"{channel.path} has a level of {factor} samples")
        expected[f"envelope/{factor}"] = (-(-channel.n // factor), 2)
    for name, shape in expected.items():
        if rows[name].shape != shape:
            raise ValueError(f"{name} of {channel.path} has {rows[name].shape}, not {shape}")
        dtype = np.dtype(np.float64) if name == "time" else channel.dtype
        if rows[name].dtype != dtype:
            raise ValueError(f"{name} of {channel.path} has {rows[name].dtype}, not {dtype}")
    if channel.dtype.kind in "iu" and channel.n:
        limits = np.iinfo(channel.dtype)
        if not limits.min <= channel.raw_min <= channel.raw_max <= limits.max:
            raise ValueError(f"{channel.path} has no range of {channel.dtype}")


def _check_facts(channel: Channel) -> None:
    for name in ("path", "unit", "x_unit", "digest"):
        _check_type(name, getattr(channel, name), str)
    for name in ("n", "n_clipped"):
        _check_type(name, getattr(channel, name), int)
    for name in ("t0", "raw_min", "raw_max"):
        _check_type(name, getattr(channel, name), float)
    if not 0 <= channel.n <= MAX_SAMPLES:
        raise ValueError(f"{channel.path} has {channel.n} samples")
    if not 0 <= channel.n_clipped <= channel.n:
        raise ValueError(f"{channel.path} has {channel.n_clipped} clipped samples")
    if channel.dt is not None:
        _check_type("dt", channel.dt, float)
        if not (np.isfinite(channel.dt) and channel.dt > 0):
            raise ValueError(f"{channel.path} has a step of {channel.dt}")
    _check_type("scale", channel.scale, list)
    two = np.zeros(2)
    with np.errstate(all="ignore"):
        if apply_scale(two, channel.scale).shape != two.shape:
            raise ValueError(f"the scale of {channel.path} does not map a sample to a value")


def _check_type(name: str, value: Any, wanted: type) -> None:
    """Check the type of a value; an integer is a float, too, but True is no number."""
    kinds: Any = (int, float) if wanted is float else wanted
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TypeError(f"{name} is {value!r:.40}, not of type {wanted.__name__}")
    if isinstance(value, str):
        value.encode()  # what has no characters is no text
    if wanted is float:
        float(value)  # not every integer is one
