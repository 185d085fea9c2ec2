"""Data types of TDMS files, and their binary format.

Format: National Instruments, *TDMS File Format Internal Structure*.
"""

from __future__ import annotations

import datetime as dt
import struct
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

PER_SECOND = 1 << 64  # a time stamp counts 2^-64 s
_1904 = dt.datetime(1904, 1, 1, tzinfo=dt.UTC)
TIMESTAMP, STRING, DAQMX = 0x44, 0x20, 0xFFFFFFFF
Order = Literal["<", ">"]
EXTENDED = (0x0B, 0x1B)  # 80-bit floats; how many bytes they take depends on the writer
FIXED_POINT = 0x4F


@dataclass(frozen=True, kw_only=True, slots=True)
class DataType:
    """A type of values: ``dtype`` little-endian; None for texts, void and unknown types."""

    code: int
    name: str
    kind: str  # number, bool, complex, timestamp, text, nothing, scalers, unknown
    dtype: np.dtype[Any] | None = None

    @property
    def size(self) -> int | None:
        """Size of a value in the file, bytes."""
        return self.dtype.itemsize if self.dtype is not None else None

    def in_file(self, order: Order) -> np.dtype[Any]:
        """Return the dtype in the file; a time stamp is reversed as a whole."""
        assert self.dtype is not None
        if self.dtype.names and order == ">":
            return np.dtype([("seconds", ">i8"), ("fraction", ">u8")])
        return self.dtype.newbyteorder(order)


def _number(code: int, name: str, kind: str = "number") -> DataType:
    dtype = np.dtype(np.uint8 if kind == "bool" else name)
    return DataType(code=code, name=name, kind=kind, dtype=dtype)


_STAMP = np.dtype([("fraction", "<u8"), ("seconds", "<i8")])
TYPES = {
    t.code: t
    for t in (
        DataType(code=0, name="nothing", kind="nothing"),
        _number(1, "int8"),
        _number(2, "int16"),
        _number(3, "int32"),
        _number(4, "int64"),
        _number(5, "uint8"),
        _number(6, "uint16"),
        _number(7, "uint32"),
        _number(8, "uint64"),
        _number(9, "float32"),
        _number(10, "float64"),
        _number(0x19, "float32"),  # with a unit, which is in `unit_string`
        _number(0x1A, "float64"),
        DataType(code=STRING, name="text", kind="text"),
        _number(0x21, "bool", "bool"),
        DataType(code=TIMESTAMP, name="time stamp", kind="timestamp", dtype=_STAMP),
        _number(0x08000C, "complex64", "complex"),
        _number(0x10000D, "complex128", "complex"),
        DataType(code=DAQMX, name="raw DAQmx data", kind="scalers"),
    )
}
_UNKNOWN = {code: "extended float" for code in EXTENDED} | {FIXED_POINT: "fixed-point number"}

# DAQmx scalers number the types in their own way
SCALER_TYPES = {code: TYPES[t] for code, t in enumerate((5, 1, 6, 2, 7, 3, 8, 4, 9, 10))} | {
    0xFFFFFFFF: TYPES[TIMESTAMP]
}


def type_of(code: int) -> DataType:
    """Return the type with a number in the file; of kind ``unknown`` for others."""
    name = _UNKNOWN.get(code, f"type 0x{code:X}")
    return TYPES.get(code) or DataType(code=code, name=name, kind="unknown")


class TimeStamp(NamedTuple):
    """A moment as LabVIEW keeps it: s since 1904 UTC, and 2^-64 s."""

    seconds: int
    fraction: int

    @property
    def ticks(self) -> int:
        """The moment in 2^-64 s since 1904: exact, which ns are not at GS/s."""
        return self.seconds * PER_SECOND + self.fraction

    def __str__(self) -> str:
        moment = moment_of(self.ticks)
        if moment is None:
            return f"{self.seconds} s since 1904"
        return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment_of(ticks: int) -> dt.datetime | None:
    """Return a moment in 2^-64 s since 1904 as UTC, to the µs; None for an impossible year."""
    micros = (ticks * 1_000_000 + PER_SECOND // 2) // PER_SECOND
    try:
        return _1904 + dt.timedelta(microseconds=micros)
    except OverflowError:
        return None


def ticks_of(moment: dt.datetime) -> int:
    """Return a moment with a zone in 2^-64 s since 1904."""
    return (moment - _1904) // dt.timedelta(microseconds=1) * PER_SECOND // 1_000_000


def is_set(ticks: int) -> bool:
    """Return whether a moment is set: LabVIEW's "not set" is 1904."""
    moment = moment_of(ticks)
    return moment is not None and 1904 < moment.year < 2262


def decoded(data: bytes) -> str:
    """Return a text: UTF-8, as TDMS requires, else the code page of LabVIEW on Windows."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_STRUCTS = {
    order: {
        t.code: struct.Struct(order + c)
        for t, c in (
            *((TYPES[code], "bhiqBHIQfd"[code - 1]) for code in range(1, 11)),
            (TYPES[0x19], "f"),
            (TYPES[0x1A], "d"),
            (TYPES[0x21], "?"),
        )
    }
    for order in "<>"
}


class UnknownValue(str):
    """A placeholder for a property value of an unsupported type: neither number nor date."""

    __slots__ = ()


def possible_sizes(code: int) -> tuple[int, ...]:
    """Return the possible sizes of a value of unknown type, bytes."""
    if type_of(code).kind == "nothing":
        return (0, 1)
    return (
        (10, 12, 16) if code in EXTENDED else (8, 16) if code == FIXED_POINT else (1, 2, 4, 8, 16)
    )


def value_size(code: int) -> int | None:
    """Return the size of a property of a type, bytes; None for texts and unknown types."""
    return type_of(code).size


def value_of(code: int, data: bytes, order: Order) -> Any:
    """Return a property's value from its bytes."""
    if plain := _STRUCTS[order].get(code):
        return plain.unpack(data)[0]
    if code == TIMESTAMP:
        a, b = struct.unpack(order + ("Qq" if order == "<" else "qQ"), data)
        return TimeStamp(b, a) if order == "<" else TimeStamp(a, b)
    return complex(np.frombuffer(data, dtype=type_of(code).in_file(order))[0])
