"""The time base of a channel of a LabVIEW measurement file: regular, or a place for each sample.

A channel is regular where its x values are what ``X0`` and ``Delta_X`` say, to the digits printed,
and every segment goes on where the one before it ended; else each sample has its own place: the x
of the text, or, where there is none, that of its segment's header.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runner.ingest.ingest_errors import Rejected
from runner.ingest.lvm.lvm_axis import COUNTED, SECONDS, Axis, Starts, axis_of
from runner.ingest.lvm.lvm_layout import Place
from runner.ingest.lvm.lvm_text import LvmFile, Segment
from runner.ingest.parsing.stated_moments import LONG_S
from runner.ingest.parsing.text_table import text_lines

_CLOCK_S = 2e-6  # headers give times to the µs at best
_INSPECTED_ROWS = 64  # rows, to see how x is printed

Places = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A channel's samples in one segment.

    Attributes
    ----------
    n : int
        How many.
    begin : float or None
        Place of the first sample by the header, on the channel's axis; None if not stated.
    step : float or None
        Step by the header; None if not stated.
    shift : float
        Offset added to an x of the text, in the axis' unit.
    """

    segment: Segment
    place: Place
    n: int
    begin: float | None
    step: float | None
    shift: float


@dataclass(kw_only=True)
class Plan:
    """The storage of a channel: regular from ``t0``, or with a place for each sample."""

    axis: Axis
    parts: list[Part]
    t0: float = 0.0
    dt: float | None = None
    base: str = "X_Value"


@dataclass(kw_only=True)
class Planner:
    """Makes the plans of a file's channels, reading shared columns once."""

    file: LvmFile
    starts: Starts
    rows_beyond: dict[int, int] = field(default_factory=dict)
    _filled: dict[int, list[int]] = field(default_factory=dict)
    _head: tuple[int, list[list[str]]] = (0, [])
    _matches: dict[object, bool] = field(default_factory=dict)

    def plan(self, places: list[Place]) -> Plan:
        """Return the plan of a channel from its place in each segment."""
        pairs = list(zip(self.file.segments, places, strict=True))
        axis = self._axis(pairs)
        parts = [self._part(segment, place, axis) for segment, place in pairs]
        if axis.unit != COUNTED:
            if (plan := self._regular(axis, parts)) is not None:
                return plan
            if self.file.x_columns != "No":
                if not self._is_constant(axis, parts):
                    return Plan(axis=axis, parts=parts)
                constant = Axis(unit=COUNTED, problem="its x column is constant")
                return Plan(axis=constant, parts=parts, dt=1.0, base="samples")
            if all(p.step is not None and p.begin is not None for p in parts):
                return Plan(axis=axis, parts=parts, base="Delta_X")
            axis = Axis(unit=COUNTED, problem="its header has no valid Delta_X")
        return Plan(axis=axis, parts=parts, dt=1.0, base="samples")

    def _axis(self, pairs: list[tuple[Segment, Place]]) -> Axis:
        """Return the axis of the channel, which all segments must agree on."""
        stated: list[tuple[str, str]] = []
        for segment, place in pairs:
            found = tuple(
                self._inherited(segment, place, tag, stated[-1][i] if stated else "")
                for i, tag in enumerate(("X_Dimension", "X_Unit_Label"))
            )
            stated.append((found[0], found[1]))
        axes = [axis_of(*texts) for texts in dict.fromkeys(stated)]
        if len({(a.unit, a.per_unit) for a in axes}) > 1:
            raise Rejected(
                f"{pairs[0][1].label} has different axes in its segments: save them in "
                "files of their own"
            )
        return axes[0]

    @staticmethod
    def _inherited(segment: Segment, place: Place, tag: str, before: str) -> str:
        """Return an entry; a header without the tag inherits the previous one."""
        return segment.entry(tag, place.entry) if tag in segment.header else before

    def _part(self, segment: Segment, place: Place, axis: Axis) -> Part:
        x0 = self._number(segment, place, "X0", 0.0)
        step = self._number(segment, place, "Delta_X", None)
        step = step / axis.per_unit if step is not None and step > 0 else None
        begin = x0 / axis.per_unit if x0 is not None else None
        n, shift = self._n_samples(segment, place), 0.0
        if axis.unit == SECONDS:
            first = self._first_x(segment, place, axis) if n else None
            if first is not None and abs(first) >= LONG_S > abs(begin or 0.0):
                begin = first  # X0 counts from the start, the column from 1904
            if begin is not None:
                absolute = abs(begin) >= LONG_S
                begin += self.starts.shift(segment, place, begin)
                if absolute and abs(begin) < _CLOCK_S:
                    begin = 0.0  # seconds since 1904 have no more digits
            shift = self.starts.shift(segment, place, first) if first is not None else 0.0
        return Part(segment=segment, place=place, n=n, begin=begin, step=step, shift=shift)

    def _number(
        self, segment: Segment, place: Place, tag: str, default: float | None
    ) -> float | None:
        text = segment.entry(tag, place.entry)
        number = self.file.number(text) if text else default
        return number if number is not None and math.isfinite(number) else None

    def _n_samples(self, segment: Segment, place: Place) -> int:
        """Return the number of samples of a channel in a segment: short ones leave cells empty."""
        promised = segment.samples(place.entry) if self.file.many_headings else None
        if promised is not None and promised >= segment.n_rows:
            return segment.n_rows
        filled = self._filled_rows(segment)[place.column]
        if promised is not None and filled > promised:
            self.rows_beyond[segment.number] = filled
        return max(filled, promised or 0)

    def _filled_rows(self, segment: Segment) -> list[int]:
        """Return for each column the number of rows up to its last non-empty cell."""
        if segment.number not in self._filled:
            filled, row = [0] * len(segment.columns), 0
            for lines in self.file.lines(segment):
                for line in text_lines(lines):
                    row += 1
                    for c, cell in enumerate(line.split(self.file.separator)):
                        if c < len(filled) and cell and not cell.isspace():
                            filled[c] = row
            self._filled[segment.number] = filled
        return self._filled[segment.number]

    def _first_x(self, segment: Segment, place: Place, axis: Axis) -> float | None:
        """Return the first x of a channel in a segment, if any."""
        if place.x_column is None:
            return None
        cell = self._x_cells(segment, place.x_column)[0]
        try:
            x = float(cell.replace(self.file.decimal, ".")) / axis.per_unit
        except ValueError:  # the row is refused where it is read
            return None
        return x if math.isfinite(x) else None

    def _x_cells(self, segment: Segment, column: int) -> list[str]:
        """Return the first few cells of an x column."""
        if segment.number != self._head[0]:
            self._head = segment.number, self.file.first_rows(segment, _INSPECTED_ROWS)
        return [row[column].strip() if column < len(row) else "" for row in self._head[1]]

    def _regular(self, axis: Axis, parts: list[Part]) -> Plan | None:
        """Return a regular plan if all segments continue each other evenly."""
        with_samples = [p for p in parts if p.n] or parts[:1]
        t0, step, n = with_samples[0].begin, with_samples[0].step, 0
        if t0 is None or step is None:
            return None
        for part in with_samples:
            if part.begin is None or part.step != step:
                return None
            late = abs(part.begin - (t0 + n * step))
            if n and late > max(1e-3 * step, _CLOCK_S if axis.unit == SECONDS else 0.0):
                return None
            if not self._x_matches_header(part, axis):
                return None
            n += part.n
        return Plan(axis=axis, parts=parts, t0=t0, dt=step, base="Delta_X")

    def _is_constant(self, axis: Axis, parts: list[Part]) -> bool:
        """Return whether all samples have the same x, which then is no time."""
        found: set[float] = set()
        n = 0
        for part in parts:
            column = part.place.x_column
            if column is None:
                return False
            if not part.n:
                continue
            head = self._x_cells(part.segment, column)[: part.n]
            if len(set(head)) > 1:
                return False
            left = part.n
            for _, (x,) in self.file.rows(part.segment, [column]):
                found.update((np.unique(x[:left]) + part.shift * axis.per_unit).tolist())
                left -= len(x[:left])
                if len(found) > 1:
                    return False
            n += part.n
        return n > 1

    def _x_matches_header(self, part: Part, axis: Axis) -> bool:
        """Return whether the x column agrees with the header, within its printed digits."""
        if part.place.x_column is None:
            return True
        key = (part.segment.number, part.place.x_column, part.begin, part.step, part.n)
        if key not in self._matches:  # channels that share an x column mostly ask the same
            self._matches[key] = self._compare_x(part, axis)
        return self._matches[key]

    def _compare_x(self, part: Part, axis: Axis) -> bool:
        assert part.place.x_column is not None
        assert part.begin is not None
        assert part.step is not None
        digits, exponent = self._digits(part.segment, part.place.x_column)
        n = 0
        for _, (x,) in self.file.rows(part.segment, [part.place.x_column]):
            x = x[: part.n - n]
            if not np.all(np.isfinite(x)):
                return False
            promised = part.begin - part.shift + part.step * np.arange(n, n + len(x))
            # whole numbers are exact
            printed = 0.51 * 10.0**-digits * (np.abs(x) if exponent else 1.0) if digits else 0.0
            rounding = 4 * np.spacing(np.abs(x).max(initial=0.0))
            wrong = np.abs(x - promised * axis.per_unit) > printed + rounding
            if np.any(wrong):
                return False
            n += len(x)
        return True

    def _digits(self, segment: Segment, column: int) -> tuple[int, bool]:
        """Return the most decimals of the first x cells, and whether they have exponents."""
        most, exponents = 0, False
        for cell in self._x_cells(segment, column):
            mantissa, e, _ = cell.upper().replace(",", ".").partition("E")
            most, exponents = max(most, len(mantissa.partition(".")[2])), exponents or bool(e)
        return most, exponents


def places(part: Part, axis: Axis, first: int, x: NDArray[np.float64] | None, n: int) -> Places:
    """Return the places of consecutive samples of a part.

    Parameters
    ----------
    first, n : int
        Number of the first one in its segment, and how many.
    x : (n,) or None
        Of the text, where it has any.

    Raises
    ------
    Rejected
        An x is missing.
    """
    with np.errstate(over="ignore"):
        if x is None:
            assert part.begin is not None
            assert part.step is not None
            found: Places = part.begin + part.step * np.arange(first, first + n, dtype=np.float64)
        else:
            found = x / axis.per_unit + part.shift
    wrong = np.flatnonzero(~np.isfinite(found))
    if len(wrong):
        raise Rejected(
            f"row {first + int(wrong[0]) + 1} of segment {part.segment.number} has no x for "
            f"{part.place.label}"
        )
    return found
