"""Attributes of HDF5 objects as plain values: text, numbers, booleans and lists of them.

Names and texts come in any encoding; types come in kinds that mean nothing without the file
(references) or nothing outside it (pointers of dimension scales). What cannot be kept is named.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5t

from runner.ingest.hdf5.h5_errors import Notes, Omitted, Unreadable, reading, short
from runner.ingest.parsing.stated_numbers import stated_number

LONGEST = 64 << 10  # bytes of one attribute that are kept
ALL_OF_A_FILE = 8 << 20
MAX_ATTRIBUTES = 2000
MAX_POINTERS = 64  # texts of any length in one attribute
OF_THE_LIBRARY = {b"DIMENSION_LIST", b"REFERENCE_LIST"}  # see h5_time
_UNSEEN = {"Cc", "Zl", "Zp"}  # controls, ends of lines
_TURNS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_PLAIN = {h5t.REFERENCE: "references", h5t.OPAQUE: "bytes of an unknown kind"}

Attributes = dict[str, Any]


class AttributeReader:
    """Reads attributes until the properties of the file are full."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._bytes_left = ALL_OF_A_FILE

    def read(self, owner: h5g.GroupID | h5d.DatasetID, where: str) -> Attributes:
        """Return name → value; omissions are noted."""
        found: Attributes = {}
        for raw_name in self._names(owner, where):
            name = text_of(raw_name)
            try:
                if name in found:
                    raise Omitted("there are two of that name")
                found[name] = self._value(owner, raw_name)
            except Omitted as error:
                self._notes.add(f"attribute {name!r} of {where} is left out: {error}")
        return found

    def _names(self, owner: h5g.GroupID | h5d.DatasetID, where: str) -> list[bytes]:
        names: list[bytes] = []

        def take(name: bytes) -> bool | None:
            names.append(name)
            return len(names) > MAX_ATTRIBUTES or None

        with reading(f"the attributes of {where}"):
            h5a.iterate(owner, take)
        if len(names) > MAX_ATTRIBUTES:
            del names[MAX_ATTRIBUTES:]
            self._notes.add(f"{where} has more than {MAX_ATTRIBUTES} attributes: these are kept")
        return [name for name in names if name not in OF_THE_LIBRARY]

    def _value(self, owner: h5g.GroupID | h5d.DatasetID, name: bytes) -> Any:
        try:
            with reading("it"):
                attribute = h5a.open(owner, name)
                self._bytes_left -= _checked_size(attribute)
                if self._bytes_left < 0:
                    raise Omitted("the file has too many of them")
                holder = h5py.Dataset if isinstance(owner, h5d.DatasetID) else h5py.Group
                return plain(holder(owner).attrs[name])
        except Unreadable as error:  # keep the samples despite a bad attribute
            raise Omitted(f"it cannot be read ({short(error.__cause__ or error)})") from error


def _checked_size(attribute: h5a.AttrID) -> int:
    """Return the bytes of an attribute that can be stored."""
    kind = attribute.get_type()
    shape = attribute.shape
    count = math.prod(shape) if shape is not None else 0
    if what := _NOT_PLAIN.get(kind.get_class()):
        raise Omitted(f"it holds {what}")
    if kind.get_class() == h5t.VLEN or (_is_pointer(kind) and count > MAX_POINTERS):
        raise Omitted("it holds lists of any length")
    if kind.get_class() == h5t.COMPOUND and np.dtype(attribute.dtype).kind != "c":
        raise Omitted("it holds records")
    size = count * kind.get_size()
    if size > LONGEST:
        raise Omitted(f"it holds {count} values")
    return int(size)


def _is_pointer(kind: h5t.TypeID) -> bool:
    return bool(kind.get_class() == h5t.STRING and kind.is_variable_str())


def text_of(value: bytes | str) -> str:
    """Return a text in UTF-8, else Windows-1252, up to its first NUL."""
    raw = value.encode("utf-8", errors="surrogateescape") if isinstance(value, str) else value
    raw = raw.partition(b"\0")[0]
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")


def name_of(raw: bytes) -> str:
    """Return the name of an object, with invisible characters escaped (``\\x1b``)."""
    return "".join(
        c.encode("unicode_escape").decode()
        if c in _TURNS or unicodedata.category(c) in _UNSEEN
        else c
        for c in text_of(raw)
    )


def plain(value: Any) -> Any:
    """Return an HDF5 value as text, number, boolean, None or lists of them, for JSON."""
    if isinstance(value, bytes | str):
        text = text_of(value)
        if len(text.encode()) > LONGEST:
            raise Omitted(f"it holds a text of {len(text)} characters")
        return text
    if isinstance(value, np.ndarray):
        return [plain(item) for item in (value.tolist() if value.ndim else [value[()]])]
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.longdouble):
        value = float(value)
    item = value.item() if isinstance(value, np.generic) else value
    if item is None or isinstance(item, h5py.Empty):
        return None
    if isinstance(item, float) and not math.isfinite(item):
        return str(item)  # JSON has no such numbers
    if isinstance(item, bool | int | float):
        return item
    if isinstance(item, complex):
        return str(item)
    raise Omitted(f"it holds {type(item).__name__}")


def single(value: Any) -> Any:
    """Return the only item of a list, also of a nested one; None for an empty list."""
    while isinstance(value, list) and len(value) <= 1:
        value = value[0] if value else None
    return value


def number_of(value: Any) -> float | None:
    """Return a plain value as a finite number, also from text or a list of one."""
    return stated_number(single(value))


def one_text(value: Any) -> str:
    """Return a plain value as text, also from a list of one; else ''."""
    value = single(value)
    return value.strip() if isinstance(value, str) else ""
