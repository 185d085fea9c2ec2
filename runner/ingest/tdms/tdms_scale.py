"""``NI_Scale[...]`` properties of a TDMS channel: the scale of its raw values.

Scale ``i`` takes its input from other scales or from the raw data; the last one gives the channel's
values. Only what leads from there back to the raw data counts. Chains of Linear, Polynomial and
Table become scale steps of the store, which keeps the raw values; those of others are computed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ScaleError, apply_scale
from runner.ingest.ingest_errors import one_line
from runner.ingest.parsing.stated_numbers import stated_number
from runner.ingest.tdms.tdms_sensors import SENSORS, sensor

Properties = Mapping[str, Any]
Raws = Mapping[int | None, NDArray[Any]]
Step = dict[str, Any]

RAW_DATA = 0xFFFFFFFF
MAX_SCALES = 100  # that feed one channel
_SLICE = 1 << 16  # samples that are computed at a time
_TYPE = re.compile(r"NI_Scale\[(\d+)\]_Scale_Type")


@dataclass(frozen=True, kw_only=True)
class _Node:
    """One scale: its inputs, and its result: a step, nothing, or a computation."""

    kind: str
    inputs: tuple[int, ...]
    step: Step | None = None
    compute: Callable[..., NDArray[Any]] | None = None


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """The scaling of raw values. Two are equal if their properties are.

    Attributes
    ----------
    nodes : dict
        Scales by number, each behind those that it takes its input from.
    """

    nodes: Mapping[int, _Node]
    source: Mapping[str, Any]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Scaling) and self.source == other.source

    __hash__ = None  # type: ignore[assignment]

    @property
    def steps(self) -> list[Step] | None:
        """Steps of the store; None if these cannot express it."""
        if any(n.compute or len(n.inputs) > 1 for n in self.nodes.values()):
            return None
        return [n.step for n in self.nodes.values() if n.step is not None]

    @property
    def raws(self) -> set[int | None]:
        """The raw values it needs: numbers of DAQmx scalers, None for the channel's own."""
        if not self.nodes:
            return {None}
        inputs = {i for n in self.nodes.values() for i in n.inputs}
        scalers: set[int | None] = {i for i, n in self.nodes.items() if n.kind == "scaler"}
        return scalers | ({None} if RAW_DATA in inputs else set())

    @property
    def allows_complex(self) -> bool:
        """Whether complex values can be scaled."""
        return not any(
            n.compute or (n.step and n.step["kind"] == "table") for n in self.nodes.values()
        )

    @property
    def kinds(self) -> str:
        """Names of the scales, for messages."""
        named = dict.fromkeys(n.kind for n in self.nodes.values() if n.kind != "scaler")
        return ", ".join(named)

    def complex_steps(self) -> tuple[list[Step], list[Step]] | None:
        """Return steps of real and of imaginary part: an offset is real; None if there are none."""
        steps = self.steps
        if steps is None or any(_degree(s) > 1 for s in steps):
            return None
        return steps, [_without_offset(s) for s in steps]

    def apply(self, raws: Raws) -> NDArray[Any]:
        """Return scaled values, (n,) float64 or complex128, in constant memory."""
        n = len(next(iter(raws.values())))
        is_complex = any(r.dtype.kind == "c" for r in raws.values())
        out = np.empty(n, dtype=np.complex128 if is_complex else np.float64)
        with np.errstate(all="ignore"):  # what has no value becomes NaN, and is counted
            for k in range(0, n, _SLICE):
                part = {key: r[k : k + _SLICE].astype(out.dtype) for key, r in raws.items()}
                out[k : k + _SLICE] = self._slice(part)
        return out

    def _slice(self, raws: Raws) -> NDArray[Any]:
        done: dict[int, NDArray[Any]] = {}
        result = raws[None] if None in raws else next(iter(raws.values()))
        for number, node in self.nodes.items():
            inputs = [raws[None] if i == RAW_DATA else done[i] for i in node.inputs]
            if node.kind == "scaler":
                result = raws[number]
            elif node.compute is not None:
                result = node.compute(*inputs)
            elif node.step is None:
                result = inputs[0]
            elif inputs[0].dtype.kind == "c":
                result = _complex(inputs[0], node.step)
            else:
                result = apply_scale(inputs[0], [node.step])
            done[number] = result
        return result


UNSCALED = Scaling(nodes={}, source={})


def scale_of(channel: str, *levels: Properties) -> Scaling:
    """Return the scaling of a channel's raw values.

    Parameters
    ----------
    channel : str
        For messages.
    levels : mappings
        Properties of the channel, its group, the file: the first with scales counts.

    Raises
    ------
    ScaleError
        A scale is unknown, incomplete or invalid.
    """
    for properties in levels:
        count = _count(channel, properties)
        if count:
            if properties.get("NI_Scaling_Status", "unscaled") == "scaled":
                return UNSCALED
            source = {k: v for k, v in properties.items() if k.startswith("NI_Scal")}
            return Scaling(nodes=dict(_nodes(channel, properties, count - 1)), source=source)
    return UNSCALED


def is_scale_property(name: str) -> bool:
    """Return whether the scale steps express a property."""
    return name.startswith("NI_Scale[")


def _count(channel: str, properties: Properties) -> int:
    stated = properties.get("NI_Number_Of_Scales")
    if stated is not None:
        number = stated_number(stated)
        if number is None or number < 0 or number != int(number):
            raise ScaleError(f"channel {channel} has {one_line(str(stated))!r} scales")
        return int(number)
    numbers = [int(m.group(1)) for m in map(_TYPE.match, properties) if m]
    return max(numbers) + 1 if numbers else 0


def _nodes(channel: str, p: Properties, last: int) -> Iterator[tuple[int, _Node]]:
    """Yield the scales that lead to the last one, each after its inputs."""
    nodes: dict[int, _Node] = {}
    done: set[int] = set()
    path: list[int] = [last]
    while path:
        number = path[-1]
        if number not in nodes:
            if len(nodes) == MAX_SCALES:
                raise ScaleError(f"channel {channel} has more than {MAX_SCALES} scales")
            nodes[number] = _node(channel, p, number)
        wanted = [i for i in nodes[number].inputs if i != RAW_DATA and i not in done]
        if not wanted:
            if number not in done:
                done.add(number)
                yield number, nodes[number]
            path.pop()
        elif wanted[0] in path:
            raise ScaleError(f"channel {channel}: its scales feed each other; write the file again")
        else:
            path.append(wanted[0])


def _node(channel: str, p: Properties, number: int) -> _Node:
    prefix = f"NI_Scale[{number}]_"
    kind = p.get(prefix + "Scale_Type")
    if kind is None:  # a scale without a type stands for a DAQmx scaler
        return _Node(kind="scaler", inputs=())
    numbers = _Numbers(channel, p, f"{prefix}{kind}_")
    if kind in ("Add", "Subtract"):
        inputs = [numbers.source(f"{side}_Operand_Input_Source") for side in ("Left", "Right")]
        # NI's own readers subtract the left operand from the right one
        compute = np.add if kind == "Add" else _right_minus_left
        return _Node(kind=kind, inputs=tuple(inputs), compute=compute)
    source = (numbers.source("Input_Source", RAW_DATA),)
    if kind in SENSORS:
        return _Node(kind=kind, inputs=source, compute=sensor(channel, kind, numbers.all()))
    if kind in _STEPS:
        return _Node(kind=kind, inputs=source, step=_STEPS[kind](numbers))
    known = ", ".join(sorted({*_STEPS, *SENSORS, "Add", "Subtract"}))
    raise ScaleError(
        f"channel {channel} has a scale of type {one_line(str(kind))!r}; known are {known}"
    )


class _Numbers:
    """The numbers of one scale, as numbers or as text."""

    def __init__(self, channel: str, p: Properties, prefix: str) -> None:
        self.channel, self._p, self._prefix = channel, p, prefix

    def number(self, name: str, default: float | None = None) -> float:
        name = self._prefix + name
        if name not in self._p and default is not None:
            return default
        if name not in self._p:
            raise ScaleError(
                f"channel {self.channel}: its scale has no property {name!r}; "
                "write the file again, or remove its NI_Scale properties"
            )
        number = stated_number(self._p[name])
        if number is None:
            value = one_line(str(self._p[name]))
            raise ScaleError(
                f"channel {self.channel}: its {name} is {value!r}, which is not a number"
            )
        return number

    def whole(self, name: str, default: float | None = None) -> int:
        number = self.number(name, default)
        if number < 0 or number != int(number):
            raise ScaleError(f"channel {self.channel}: its {self._prefix}{name} is {number}")
        return int(number)

    def source(self, name: str, default: int | None = None) -> int:
        number = self.number(name, default)
        return RAW_DATA if number == -1 else int(number)  # as a signed number, too

    def all(self) -> dict[str, Any]:
        """Return the properties of the scale under their names in the file."""
        names = [n for n in self._p if n.startswith(self._prefix)]
        return {n: self.number(n.removeprefix(self._prefix)) for n in names}


def _linear(p: _Numbers) -> Step:
    # y = slope x + intercept
    return {"kind": "linear", "slope": p.number("Slope"), "intercept": p.number("Y_Intercept")}


def _polynomial(p: _Numbers) -> Step:
    # y = c0 + c1 x + c2 x² …; four coefficients where their number is not said
    size = p.whole("Coefficients_Size", 4)
    coefficients = [p.number(f"Coefficients[{i}]") for i in range(size)]
    return {"kind": "polynomial", "coefficients": coefficients or [0.0]}


def _table(p: _Numbers) -> Step:
    # interpolated linearly from pre-scaled to scaled values
    n_x, n_y = p.whole("Pre_Scaled_Values_Size"), p.whole("Scaled_Values_Size")
    x = [p.number(f"Pre_Scaled_Values[{i}]") for i in range(n_x)]
    y = [p.number(f"Scaled_Values[{i}]") for i in range(n_y)]
    if x != sorted(x):
        x, y = x[::-1], y[::-1]
    if n_x != n_y or not x or any(b <= a for a, b in pairwise(x)):
        raise ScaleError(
            f"channel {p.channel}: the {n_x} and {n_y} values of its scale table do not match; "
            "they need one length, and x rising or falling: correct the NI_Scale properties"
        )
    return {"kind": "table", "x": x, "y": y}


def _nothing(p: _Numbers) -> None:
    """Return no step: an AdvancedAPI scale passes its input on."""


_STEPS: dict[str, Callable[[_Numbers], Step | None]] = {
    "Linear": _linear,
    "Polynomial": _polynomial,
    "Table": _table,
    "AdvancedAPI": _nothing,
}


def _right_minus_left(left: NDArray[Any], right: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(right - left)


def _degree(step: Step) -> float:
    if step["kind"] == "polynomial":
        return max((i for i, c in enumerate(step["coefficients"]) if c), default=0)
    return 1 if step["kind"] == "linear" else np.inf


def _without_offset(step: Step) -> Step:
    if step["kind"] == "linear":
        return step | {"intercept": 0.0}
    return step | {"coefficients": [0.0, *step["coefficients"][1:]]}


def _complex(x: NDArray[Any], step: Step) -> NDArray[Any]:
    if step["kind"] == "linear":
        return np.asarray(x * step["slope"] + step["intercept"])
    if step["kind"] == "polynomial":
        return np.asarray(np.polynomial.polynomial.polyval(x, step["coefficients"]))
    raise ScaleError("a table cannot scale complex values")
