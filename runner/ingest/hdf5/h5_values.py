"""The channels that an HDF5 dataset becomes, and the meaning of its values.

A dataset of plain numbers makes one, complex numbers make two (``.re``, ``.im``), a table makes
one for each of its columns (``.0``, ``.1`` … or their names). ``scale_factor`` and ``add_offset``
(CF conventions) become a scale step; what CF calls missing becomes NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import h5py
import numpy as np
from h5py import h5t
from numpy.typing import NDArray

from runner.ingest.hdf5.h5_attributes import Attributes, number_of, one_text
from runner.ingest.hdf5.h5_errors import Notes, Omitted

UNITS = ("units", "unit", "unit_string")
LONGEST_UNIT = 40
NOT_WRITTEN = {  # netCDF's own fill values; of single bytes it has none
    **dict.fromkeys(("f4", "f8"), 9.969209968386869e36),
    "i2": -(2**15) + 1,
    "i4": -(2**31) + 1,
    "i8": -(2**63) + 2,
    "u2": 2**16 - 1,
    "u4": 2**32 - 1,
    "u8": 2**64 - 2,
}
Pick = Callable[[NDArray[Any]], NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Part:
    """One channel of a dataset: the suffix of its path, its type, and how to extract it."""

    suffix: str
    dtype: np.dtype[Any]
    pick: Pick


def number_type(kind: h5t.TypeID) -> np.dtype[Any]:
    """Return the type to read values of a file's type as.

    Raises
    ------
    Omitted
        They are no numbers.
    """
    try:
        stored = np.dtype((kind.get_super() if _is_plain_enum(kind) else kind).dtype)
    except Exception as error:  # TypeError, ValueError: numpy has no such type
        raise Omitted("it has an unknown type of numbers") from error
    found: np.dtype[Any] = stored
    if stored.kind in "iufc":
        found = stored.newbyteorder("=")
        return found
    if stored.kind in "bM":
        return found
    if stored.names and any(_is_number(stored[name]) for name in stored.names):
        if stored.hasobject:
            raise Omitted(f"it holds records with texts or references ({', '.join(stored.names)})")
        return found
    raise Omitted(f"it holds {_in_words(stored)}")


def _is_plain_enum(kind: h5t.TypeID) -> bool:
    return bool(kind.get_class() == h5t.ENUM and np.dtype(kind.dtype).kind != "b")


def _is_number(dtype: np.dtype[Any]) -> bool:
    return dtype.kind in "iufcbM" and dtype.subdtype is None


def _in_words(dtype: np.dtype[Any]) -> str:
    if h5py.check_ref_dtype(dtype) is not None:
        return "references"
    if h5py.check_vlen_dtype(dtype) is not None:
        return "lists of any length"
    if dtype.subdtype is not None:
        return f"an array {dtype.subdtype[1]} in each value"
    return f"no numbers ({dtype})"


def parts_of(dtype: np.dtype[Any], n_columns: int | None, path: str, notes: Notes) -> list[Part]:
    """Return the channels that values of a type become.

    Parameters
    ----------
    dtype : dtype
        As `number_type` gives it.
    n_columns : int or None
        Values of each sample; None: one.
    """
    parts: list[Part] = []
    for suffix, column in _columns(n_columns):
        if dtype.names is None:
            parts += _of_number(suffix, dtype, column)
            continue
        for name in dtype.names:
            if _is_number(dtype[name]):
                parts += _of_number(f"{suffix}.{name}", dtype[name], _field(name, column))
            else:
                notes.add(f"{path}.{name} is left out: it holds {_in_words(dtype[name])}")
    return parts


def _columns(n: int | None) -> Iterator[tuple[str, Pick]]:
    if n is None:
        yield "", lambda block: block.reshape(len(block))
        return
    for i in range(n):
        yield f".{i}", _column(i)


def _column(i: int) -> Pick:
    return lambda block: block.reshape(len(block), -1)[:, i]


def _field(name: str, column: Pick) -> Pick:
    return lambda block: column(block)[name]


def _of_number(suffix: str, dtype: np.dtype[Any], column: Pick) -> list[Part]:
    if dtype.kind == "c":
        real = np.dtype(np.float32 if dtype.itemsize == 8 else np.float64)
        return [
            Part(suffix=f"{suffix}.re", dtype=real, pick=lambda b: _as(column(b).real, real)),
            Part(suffix=f"{suffix}.im", dtype=real, pick=lambda b: _as(column(b).imag, real)),
        ]
    if dtype.kind == "b":  # a byte that is neither 0 nor 1 stays what it is
        return [_part(suffix, np.uint8, lambda b: np.ascontiguousarray(column(b)).view(np.uint8))]
    if dtype.kind == "M":
        return [_part(suffix, np.int64, lambda b: column(b).astype("M8[ns]").view(np.int64))]
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        real = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
        return [Part(suffix=suffix, dtype=real, pick=lambda b: _as(column(b), real))]
    return [_part(suffix, dtype.newbyteorder("="), column)]


def _part(suffix: str, dtype: Any, pick: Pick) -> Part:
    return Part(suffix=suffix, dtype=np.dtype(dtype), pick=pick)


def _as(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return values.astype(dtype)


def is_wide(dtype: np.dtype[Any]) -> bool:
    """Return whether numbers of a type lose digits in 64 bits."""
    if dtype.names is not None:
        return any(is_wide(dtype[name]) for name in dtype.names)
    return (dtype.kind == "f" and dtype.itemsize > 8) or (dtype.kind == "c" and dtype.itemsize > 16)


# the meaning of the numbers


@dataclass(kw_only=True)
class Meaning:
    """Unit, scale and missing values of a dataset; raw values are compared with ``missing``.

    Where there is a ``problem``, the numbers are raw ones without a unit.
    """

    unit: str
    problem: str = ""
    scale: list[dict[str, Any]] = field(default_factory=list)
    missing: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    n_missing: int = 0

    @property
    def has_missing(self) -> bool:
        """Whether some values may mean a missing one."""
        return bool(self.missing) or self.low > -math.inf or self.high < math.inf

    def dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """Return a type that can hold NaN and the values."""
        if not self.has_missing or dtype.kind == "f":
            return dtype
        return np.dtype(np.float32 if dtype.itemsize <= 2 else np.float64)

    def apply(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return raw values with NaN for missing ones, and count these."""
        missing_mask = self.missing_mask(values)
        if missing_mask is None:
            return values
        out = values.astype(self.dtype(values.dtype))
        out[missing_mask] = np.nan
        self.n_missing += int(np.count_nonzero(missing_mask))
        return out

    def missing_mask(self, values: NDArray[Any]) -> NDArray[np.bool_] | None:
        """Return which raw values are missing; None if none can be."""
        if not self.has_missing:
            return None
        missing = np.array(self.missing or [np.nan])
        if values.dtype.kind == "f":  # -999.9 of an attribute is not quite that of float32 data
            with np.errstate(over="ignore"):
                missing = missing.astype(values.dtype)
        missing_mask = np.isin(values, missing)
        return missing_mask | (values < self.low) | (values > self.high)


def unit_of(attributes: Attributes) -> str:
    """Return the unit that attributes state, or ''."""
    named = {name.casefold(): value for name, value in attributes.items()}
    unit = next((text for key in UNITS if (text := one_text(named.get(key)))), "")
    unit = unit.partition(" since ")[0].strip()  # the moment belongs to the axis: see h5_units
    return "" if unit == "1" or len(unit) > LONGEST_UNIT else unit


def meaning_of(
    attributes: Attributes,
    dtype: np.dtype[Any],
    fill: Any,
    path: str,
    notes: Notes,
    *,
    exact: bool = True,
) -> Meaning:
    """Return the meaning of the numbers of a dataset; unknown attributes leave them raw.

    Parameters
    ----------
    fill : number or None
        The fill value that the dataset itself defines.
    exact : bool
        64-bit integers must not become floats: of those none is missing.
    """
    meaning = Meaning(unit=unit_of(attributes))
    odd: list[str] = [key for key in ("scale_factor", "add_offset") if key in attributes]
    plain = dtype.kind in "iuf" and dtype.itemsize <= 8
    if one_text(attributes.get("_Unsigned")).casefold() == "true" and dtype.kind == "i":
        plain = False
        odd.append("_Unsigned")
    if odd:
        slope = number_of(attributes.get("scale_factor", 1.0))
        offset = number_of(attributes.get("add_offset", 0.0))
        if not plain or slope is None or offset is None or slope == 0:
            values = ", ".join(f"{key} {attributes[key]!r}" for key in odd)
            problem = f"{path} states {values}, which is not supported"
            notes.add(f"{problem}: stored raw, without a unit")
            return Meaning(unit="", problem=problem)
        meaning.scale = [{"kind": "linear", "slope": slope, "intercept": offset}]
    if plain:
        _read_missing(meaning, attributes, dtype, fill, path, notes, exact)
    return meaning


def _read_missing(
    meaning: Meaning,
    attributes: Attributes,
    dtype: np.dtype[Any],
    fill: Any,
    path: str,
    notes: Notes,
    exact: bool,
) -> None:
    missing: list[float] = []
    for key in ("_FillValue", "missing_value"):
        stated = attributes.get(key)
        for value in stated if isinstance(stated, list) else [stated]:
            if (number := _exact(value)) is not None:
                missing.append(number)
            elif value is not None and value != "nan":
                notes.add(f"{path} states {key} {value!r}, which is not a number")
    not_written = NOT_WRITTEN.get(f"{dtype.kind}{dtype.itemsize}")
    if fill is not None and not_written is not None and fill == dtype.type(not_written):
        missing.append(fill.item())
    limits = attributes.get("valid_range")
    low, high = limits if isinstance(limits, list) and len(limits) == 2 else (None, None)
    low, high = attributes.get("valid_min", low), attributes.get("valid_max", high)
    low, high = number_of(low), number_of(high)
    some = bool(missing) or low is not None or high is not None
    if some and exact and dtype.kind in "iu" and dtype.itemsize == 8:
        notes.add(f"{path} has 64-bit numbers: those that it calls missing are stored as they are")
        return
    meaning.missing = tuple(missing)
    meaning.low = -math.inf if low is None else low
    meaning.high = math.inf if high is None else high


def _exact(value: Any) -> float | None:
    """Return a number unchanged, including an integer that float would round."""
    return value if isinstance(value, int) and not isinstance(value, bool) else number_of(value)
