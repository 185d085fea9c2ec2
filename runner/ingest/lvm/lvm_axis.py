"""The axis and the start of the samples of a LabVIEW measurement file.

Time is in s from the earliest start of a channel; where channels start at different times and the
file's own time is a second or more before them all, from that. An ``X0`` or an x column in seconds
since 1904 repeats the date and is subtracted. A dimension other than time keeps its unit.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from ishtar.errors import UnitError
from ishtar.units import WORDS, factor, parse_unit
from runner.ingest.ingest_errors import Rejected
from runner.ingest.lvm.lvm_layout import Place
from runner.ingest.lvm.lvm_text import LvmFile, Segment
from runner.ingest.parsing.dates import parse_moment
from runner.ingest.parsing.stated_moments import LONG_S

SECONDS = "s"
COUNTED = ""
_PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "μs": 1e6, "ns": 1e9, "min": 1 / 60}
_SECONDS_IN_WORDS = ("sec", "secs", "second", "seconds", "sek", "sekunden", "time", "s")
_COUNTS = ("sample", "samples", "#", "index", "count", "counts", "points", "pts")
_UNIT_OF = {
    "frequency": "Hz",
    "length": "m",
    "distance": "m",
    "position": "m",
    "electric_potential": "V",
    "voltage": "V",
    "electric_current": "A",
    "current": "A",
    "temperature": "K",
    "pressure": "Pa",
    "angle": "rad",
}
_LIKE_A_UNIT = re.compile(
    r"[A-Za-zµμ°Ω%]{1,12}(?:\^-?\d)?(?:[/*·][A-Za-zµμ°Ω%]{1,12}(?:\^-?\d)?){0,3}"
)
_EPOCHS = (dt.datetime(1904, 1, 1), dt.datetime(1970, 1, 1))
_QUARTER = 900.0  # s; zones differ by quarters of an hour
_WIDEST = 14 * 3600.0
_SAME_START = dt.timedelta(seconds=1)  # a smaller difference is rounding
_NEAR = 60.0  # s between the date that a header states and that of its first x


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis: a unit of the store, the file's units per unit, and a problem."""

    unit: str
    per_unit: float = 1.0
    problem: str = ""


def axis_of(dimension: str, label: str) -> Axis:
    """Return the axis that ``X_Dimension`` and ``X_Unit_Label`` state.

    Where they mean nothing that is known the samples are only counted, and the complaint says why.
    """
    dimension = dimension.replace(" ", "_")
    named, labelled = f"X_Dimension {dimension[:40]!r}", f"X_Unit_Label {label[:40]!r}"
    is_time = dimension.casefold() in ("", "time")
    unit, per_unit = _unit(label)
    if label.casefold() in _COUNTS:
        return Axis(unit=COUNTED)
    if not label:
        unit = SECONDS if is_time else _UNIT_OF.get(dimension.casefold(), "")
        if not unit:
            return Axis(unit=COUNTED, problem=f"{named} has no X_Unit_Label")
    if not unit:
        return Axis(unit=COUNTED, problem=f"{labelled} is not a known unit")
    if unit == SECONDS and not is_time:
        return Axis(unit=COUNTED, problem=f"{named} and {labelled} contradict each other")
    return Axis(unit=unit, per_unit=per_unit)


def _unit(label: str) -> tuple[str, float]:
    """Return the store's unit for a label, and the label's units per unit."""
    if label in _PER_SECOND:
        return SECONDS, _PER_SECOND[label]
    if label.casefold() in _SECONDS_IN_WORDS:
        return SECONDS, 1.0
    if not label or label in _UNIT_OF.values():
        return label, 1.0
    word = WORDS.get(label.casefold()) or {"hertz": "Hz"}.get(label.casefold(), label)
    if not looks_like_a_unit(word):
        return "", 1.0
    try:
        parse_unit(word)
    except UnitError:
        return "", 1.0
    try:
        return SECONDS, factor(SECONDS, word)
    except UnitError:
        return word, 1.0


def looks_like_a_unit(text: str) -> bool:
    """Return whether a text is safe for pint, which evaluates expressions."""
    return _LIKE_A_UNIT.fullmatch(text) is not None


@dataclass(kw_only=True)
class Starts:
    """The starts of the segments of each channel, from the headers.

    Attributes
    ----------
    zero : datetime or None
        Time zero.
    complaint : str
        Why the stated date is not used.
    """

    found: dict[tuple[int, int], dt.datetime | None] = field(default_factory=dict)
    zero: dt.datetime | None = None
    problem: str = ""
    _subtract: float | None = None

    @classmethod
    def of(cls, file: LvmFile, layouts: list[dict[str, Place]]) -> Starts:
        """Read the dates and times of all headers.

        Raises
        ------
        Rejected
            Some cannot be read, although segments or channels have different ones.
        """
        starts, read = cls(), {}
        for segment, places in zip(file.segments, layouts, strict=True):
            for place in places.values():
                text = _start_text(file, segment, place)
                if text not in read:
                    read[text] = _moment(text)
                starts.found[segment.number, place.entry] = read[text]
        unread = [text for text, moment in read.items() if moment is None]
        if unread and len(read) > 1:
            quoted = " ".join(unread[0]).strip()[:64]
            raise Rejected(
                f"its headers state different starts, of which {quoted!r} cannot be read: "
                "write Date as 2026/11/22 and Time as 15:30:12"
            )
        if unread and any(unread[0]):
            quoted = " ".join(unread[0]).strip()
            starts.problem = f"its start {quoted[:64]!r} cannot be read: the shot gets no date"
        starts.zero = starts._zero(file)
        return starts

    def _zero(self, file: LvmFile) -> dt.datetime | None:
        moments = [m for m in self.found.values() if m is not None]
        if not moments:
            return None
        earliest = min(moments)
        first = {m for (number, _), m in self.found.items() if number == 1}
        opened = _moment((file.header.get("Date", ""), file.header.get("Time", "")))
        if len(first) > 1 and opened is not None and earliest - opened >= _SAME_START:
            return opened  # the common clock: no channel starts at the trigger
        return earliest

    def of_channel(self, segment: Segment, place: Place) -> dt.datetime | None:
        """Return the start of a channel's segment."""
        return self.found[segment.number, place.entry]

    def shift(self, segment: Segment, place: Place, x: float) -> float:
        """Return the offset from a file's x, beginning at ``x``, to the shot's time, s.

        Raises
        ------
        Rejected
            It is too large for a time from the start, and does not repeat the date.
        """
        start = self.of_channel(segment, place)
        if abs(x) < LONG_S:
            begun = start is not None and self.zero is not None
            return (start - self.zero).total_seconds() if begun else 0.0  # type: ignore[operator]
        if self._subtract is None:
            self._subtract = x if start is None else self._date_again(x, start)
        return -self._subtract

    def _date_again(self, x: float, start: dt.datetime) -> float:
        """Return time zero as the file counts it: since 1904 (or 1970), in some time zone."""
        assert self.zero is not None
        for epoch in _EPOCHS:
            late = x - (start - epoch).total_seconds()
            zone = _QUARTER * round(late / _QUARTER)
            if abs(zone) <= _WIDEST and abs(late - zone) <= _NEAR:
                return (self.zero - epoch).total_seconds() + zone
        raise Rejected(
            f"its x begins at {x:.15g} s, which is neither a time from the start nor the date "
            f"{start} in seconds since 1904"
        )


def _start_text(file: LvmFile, segment: Segment, place: Place) -> tuple[str, str]:
    date = segment.entry("Date", place.entry) or file.header.get("Date", "")
    time = segment.entry("Time", place.entry) or file.header.get("Time", "")
    return date, time


def _moment(text: tuple[str, str]) -> dt.datetime | None:
    moment = parse_moment(" ".join(text))
    return None if moment is None or moment.tzinfo is not None else moment


def problems(axes: Iterator[tuple[str, Axis]]) -> Iterator[str]:
    """Yield what to tell of axes, channels of the same complaint together."""
    paths_of: dict[str, list[str]] = {}
    for path, axis in axes:
        if axis.problem:
            paths_of.setdefault(axis.problem, []).append(path)
    for problem, paths in paths_of.items():
        names = ", ".join(paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
        verb = "are" if len(paths) > 1 else "is"
        yield f"{problem}: {names} {verb} stored by sample number"
