"""Datasets of text, which become properties."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5t

from runner.ingest.hdf5.h5_attributes import one_text, text_of
from runner.ingest.hdf5.h5_errors import Omitted
from runner.ingest.hdf5.h5_storage import Claims, Values
from runner.ingest.hdf5.h5_structure import Found

LONGEST = 64_000  # characters of all texts of a dataset
MAX_TEXTS = 8000


def is_text(found: Found) -> bool:
    """Return whether a dataset has texts; MATLAB stores its own as numbers."""
    if found.id.get_type().get_class() == h5t.STRING:
        return True
    return one_text(found.attributes.get("MATLAB_class")) == "char"


def text_of_dataset(found: Found, claims: Claims) -> Any:
    """Return the text of a dataset, or a list of its texts.

    Raises
    ------
    Omitted
        They are longer than properties may be, or were never written.
    """
    kind, shape = found.id.get_type(), found.id.shape
    count = math.prod(shape)
    if kind.get_class() != h5t.STRING:
        return _of_matlab(found, claims, count)
    if count > MAX_TEXTS or (not kind.is_variable_str() and count * kind.get_size() > LONGEST):
        raise Omitted(f"it holds {count} texts, which exceed the limit")
    if not shape:
        _check_scalar(found, claims)
        return _kept([h5py.Dataset(found.id)[()]])[0]
    values = Values(found, np.dtype(object), claims)
    values.check()
    texts: list[str] = []
    dataset = h5py.Dataset(found.id)
    for start, stop in values.spans:
        for i in range(start, stop):
            texts += _kept(np.asarray(dataset[i], dtype=object).reshape(-1).tolist())
            if sum(map(len, texts)) > LONGEST:
                raise Omitted("its texts exceed the limit")
    return texts


def _check_scalar(found: Found, claims: Claims) -> None:
    layout = found.id.get_create_plist().get_layout()
    if layout == h5d.CONTIGUOUS:
        if (place := found.id.get_offset()) is None:
            raise Omitted("its text was never written")
        size = found.id.get_type().get_size()
        claims.add(found.path, size, np.array([place]), np.array([size]))
    elif layout != h5d.COMPACT:
        raise Omitted("its text is in another file")


def _kept(values: list[Any]) -> list[str]:
    texts = [text_of(value) for value in values if isinstance(value, bytes | str)]
    if sum(map(len, texts)) > LONGEST:
        raise Omitted("its text exceeds the limit")
    return texts


def _of_matlab(found: Found, claims: Claims, count: int) -> str:
    if count > LONGEST:
        raise Omitted(f"it holds a text of {count} characters")
    if not count or found.attributes.get("MATLAB_empty"):
        return ""
    codes = Values(found, np.dtype(np.uint16), claims).whole()
    return codes.reshape(-1).astype("<u2").tobytes().decode("utf-16-le", errors="replace")
