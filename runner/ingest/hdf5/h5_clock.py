"""A dataset whose values are the places of the samples of others."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.ingest.hdf5.h5_errors import Notes, Omitted
from runner.ingest.hdf5.h5_storage import Values
from runner.ingest.hdf5.h5_structure import Found
from runner.ingest.hdf5.h5_units import PlaceUnit
from runner.ingest.hdf5.h5_values import meaning_of, parts_of

LONGEST_HELD = (
    1 << 21
)  # places that are held in memory; a longer clock is read along with each user


class Clock:
    """Places of samples, in s or in their own unit; ``from_first``: counted from the first.

    Raises
    ------
    Omitted
        They cannot be places: not all numbers, not all written, or all the same.
    """

    def __init__(
        self, found: Found, values: Values, unit: PlaceUnit, notes: Notes, *, from_first: bool
    ) -> None:
        self._values, self._from_first = values, from_first
        parts = parts_of(values.dtype, None, found.path, notes)
        if len(parts) != 1:
            raise Omitted("it has no plain numbers")
        if values.n_missing:
            raise Omitted(f"{values.n_missing} of its values were never written")
        self._pick = parts[0].pick
        self._meaning = meaning_of(
            found.attributes, parts[0].dtype, None, found.path, notes, exact=False
        )
        self._per_unit = unit.per_second or Fraction(1)
        self._first: Any = 0
        self.steps_back = 0
        self._held: NDArray[np.float64] | None = None
        self._at, self._ready = 0, np.empty(0)
        self._stream: Iterator[NDArray[np.float64]] = iter(())
        self._inspect()

    def first_s(self) -> Fraction:
        """Return the first value in s, exactly."""
        slope, offset = self._scale()
        return (Fraction(self._first) * Fraction(slope) + Fraction(offset)) / self._per_unit

    def places(self, start: int, stop: int) -> NDArray[np.float64]:
        """Return places of samples; a long clock is read forward, or again from the start."""
        if self._held is not None:
            return self._held[start:stop]
        if start < self._at:
            self._rewind()
        while self._at + len(self._ready) < stop:
            block = next(self._stream)
            drop = min(max(start - self._at, 0), len(self._ready))
            self._ready = np.concatenate([self._ready[drop:], block])
            self._at += drop
        return self._ready[start - self._at : stop - self._at]

    def _inspect(self) -> None:
        """Read it once to check that it is finite, not constant, and monotonic."""
        low, high, held, last = np.inf, -np.inf, [], -np.inf
        for i, raw in self._raw():
            if not i and self._from_first:
                self._first = raw[0].item()
            places = self._as_places(raw)
            if not np.all(np.isfinite(places)):
                raise Omitted("not all of its values are numbers")
            low, high = min(low, float(places.min())), max(high, float(places.max()))
            self.steps_back += int(np.count_nonzero(np.diff(places, prepend=last) < 0.0))
            last = float(places[-1])
            if self._values.n <= LONGEST_HELD:
                held.append(places)
        if self._values.n > 1 and low == high:
            raise Omitted("all of its values are the same")
        if self._values.n <= LONGEST_HELD:
            self._held = np.concatenate([*held, np.empty(0)])
        else:
            self._rewind()

    def _rewind(self) -> None:
        self._at, self._ready = 0, np.empty(0)
        self._stream = (self._as_places(r) for _, r in self._raw())

    def _raw(self) -> Iterator[tuple[int, NDArray[Any]]]:
        for i, block in self._values.blocks():
            yield i, self._pick(block)

    def _as_places(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        slope, offset = self._scale()
        if self._from_first:  # subtract first, so that large counts keep their digits
            whole = raw.astype(np.int64) if raw.dtype.kind in "iu" else raw.astype(np.float64)
            places, offset = (whole - self._first).astype(np.float64), 0.0
        else:
            places = raw.astype(np.float64)
        if (missing_mask := self._meaning.missing_mask(raw)) is not None:
            places[missing_mask] = np.nan
        if self._meaning.scale:
            places = places * slope + offset
        return np.asarray(places / float(self._per_unit))

    def _scale(self) -> tuple[float, float]:
        if not self._meaning.scale:
            return 1.0, 0.0
        step = self._meaning.scale[0]
        return float(step["slope"]), float(step["intercept"])
