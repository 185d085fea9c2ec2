"""Conventions of MATLAB and Octave for names, texts and HDF5 files (format 7.3)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ishtar.store.h5_names import unique_name

RESERVED = (  # MATLAB's keywords, and our own struct
    "break case catch classdef continue else elseif end for function global if otherwise parfor "
    "persistent return spmd switch try while ishtar"
)


def identifiers(names: Sequence[str]) -> list[str]:
    """Return unique MATLAB identifiers for names: ``DAQ/Lang I`` becomes ``DAQ_Lang_I``."""
    found: list[str] = []
    taken: set[str] = set()
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:56]
        if not plain[:1].isalpha() or plain in RESERVED.split():
            plain = f"x_{plain}"
        found.append(unique_name(plain, taken, "{}_{}"))
    return found


def ascii_symbols(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata with our own symbols in ASCII: Octave truncates other texts in a .mat."""
    signs = str.maketrans(
        {"…": "..", "—": "-", "−": "-", "·": "*", "→": "->", "±": "+-", "²": "^2", "³": "^3"}
    )
    return {k: v.translate(signs) if isinstance(v, str) else v for k, v in metadata.items()}


def struct(where: Any, name: str, content: Mapping[str, Any]) -> None:
    """Write a struct of numbers and texts."""
    fields(where.create_group(name), content)


def fields(group: Any, content: Mapping[str, Any], first: tuple[str, ...] = ()) -> None:
    """Write numbers and texts to a group in the form of a MATLAB struct's fields."""
    import h5py

    for name, value in content.items():
        if not isinstance(value, str):
            set_class(group.create_dataset(name, data=np.float64(value).reshape(1, 1)), "double")
        elif value:
            letters = np.frombuffer(value.encode("utf-16-le"), "<u2").reshape(-1, 1)
            set_class(
                group.create_dataset(name, data=letters), "char", MATLAB_int_decode=np.int32(2)
            )
        else:  # an empty array is stored as its size with a mark
            none = np.zeros(2, np.uint64)
            set_class(group.create_dataset(name, data=none), "char", MATLAB_empty=np.uint8(1))
    set_class(group, "struct")
    names = [*first, *content]
    order = np.empty(len(names), dtype=object)
    order[:] = [np.frombuffer(name.encode(), "S1") for name in names]
    group.attrs.create("MATLAB_fields", order, dtype=h5py.vlen_dtype(np.dtype("S1")))


def set_class(item: Any, name: str, **attributes: Any) -> None:
    """Set the MATLAB class of an item."""
    item.attrs["MATLAB_class"] = np.bytes_(name)
    for key, value in attributes.items():
        item.attrs[key] = value
