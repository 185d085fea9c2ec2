"""``NI_Scale[...]`` properties of a TDMS channel as scale steps of the store.

Scale ``i`` takes its input from another scale or from the raw data; the last one gives the
channel's values. Only the chain from there back to the raw data is kept.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from ishtar.store import ScaleError

Properties = Mapping[str, Any]
RAW_DATA = 0xFFFFFFFF
_TYPE = re.compile(r"NI_Scale\[(\d+)\]_Scale_Type")


def scale_of(channel: str, *levels: Properties) -> tuple[list[dict[str, Any]], int | None]:
    """Return the scale steps of a channel, and which DAQmx scaler they begin at.

    Parameters
    ----------
    channel : str
        For messages.
    levels : mappings
        Properties of the channel, its group, the file: the first with scales counts.

    Raises
    ------
    ScaleError
        A scale type that the store does not know, or a scale without its numbers.
    """
    for properties in levels:
        count = _count(properties)
        if count:
            if properties.get("NI_Scaling_Status", "unscaled") == "scaled":
                return [], None
            try:
                return _chain(channel, properties, count)
            except KeyError as error:
                raise ScaleError(
                    f"channel {channel}: its scale lacks the property {error}; "
                    "write the file again, or remove its NI_Scale properties"
                ) from error
    return [], None


def is_scale_property(name: str) -> bool:
    """Say whether a property is told by the scale steps."""
    return name.startswith("NI_Scale[")


def _count(properties: Properties) -> int:
    if "NI_Number_Of_Scales" in properties:
        return int(properties["NI_Number_Of_Scales"])
    numbers = [int(m.group(1)) for m in map(_TYPE.match, properties) if m]
    return max(numbers) + 1 if numbers else 0


def _chain(
    channel: str, properties: Properties, count: int
) -> tuple[list[dict[str, Any]], int | None]:
    steps: list[dict[str, Any]] = []
    source = count - 1
    for _ in range(count + 1):
        if source == RAW_DATA:
            return steps[::-1], None
        prefix = f"NI_Scale[{source}]_"
        kind = properties.get(prefix + "Scale_Type")
        if kind is None:  # a scale without a type stands for a DAQmx scaler
            return steps[::-1], source
        if kind not in _KINDS:
            known = ", ".join(k for k in _KINDS if k != "AdvancedAPI")
            raise ScaleError(
                f"channel {channel} has a scale of type {kind!r}; known are {known}: "
                "add it to runner/ingest/tdms_scale.py"
            )
        step = _KINDS[kind](properties, prefix + kind + "_", channel)
        if step is not None:
            steps.append(step)
        source = int(properties.get(f"{prefix}{kind}_Input_Source", RAW_DATA))
    raise ScaleError(f"channel {channel}: its scales feed each other; write the file again")


def _linear(p: Properties, prefix: str, channel: str) -> dict[str, Any]:
    # y = slope x + intercept
    return {
        "kind": "linear",
        "slope": float(p[prefix + "Slope"]),
        "intercept": float(p[prefix + "Y_Intercept"]),
    }


def _polynomial(p: Properties, prefix: str, channel: str) -> dict[str, Any]:
    # y = c0 + c1 x + c2 x² …; four coefficients where their number is not said
    size = int(p.get(prefix + "Coefficients_Size", 4))
    coefficients = [float(p[f"{prefix}Coefficients[{i}]"]) for i in range(size)]
    return {"kind": "polynomial", "coefficients": coefficients or [0.0]}


def _table(p: Properties, prefix: str, channel: str) -> dict[str, Any]:
    # interpolated linearly from pre-scaled to scaled values
    n_x, n_y = int(p[prefix + "Pre_Scaled_Values_Size"]), int(p[prefix + "Scaled_Values_Size"])
    x = [float(p[f"{prefix}Pre_Scaled_Values[{i}]"]) for i in range(n_x)]
    y = [float(p[f"{prefix}Scaled_Values[{i}]"]) for i in range(n_y)]
    if x != sorted(x):
        x, y = x[::-1], y[::-1]
    if n_x != n_y or not x or any(b <= a for a, b in pairwise(x)):
        raise ScaleError(
            f"channel {channel}: the {n_x} and {n_y} values of its scale table are no table; "
            "they need one length, and x rising or falling: correct the NI_Scale properties"
        )
    return {"kind": "table", "x": x, "y": y}


def _nothing(p: Properties, prefix: str, channel: str) -> None:
    """Return no step: an AdvancedAPI scale hands its input on."""


_KINDS = {
    "Linear": _linear,
    "Polynomial": _polynomial,
    "Table": _table,
    "AdvancedAPI": _nothing,
}
