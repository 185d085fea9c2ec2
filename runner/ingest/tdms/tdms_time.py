"""The places of samples of a TDMS channel: regular, in pieces, or by a channel of times."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.ingest.parsing.stated_numbers import SECONDS, TimeUnit
from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_objects import Channel
from runner.ingest.tdms.tdms_scale import UNSCALED, Scaling
from runner.ingest.tdms.tdms_types import PER_SECOND

__all__ = ["COUNTED", "LONGEST_CLOCK", "SECONDS", "Clock", "Clocks", "Piece", "TimeBase"]

LONGEST_CLOCK = 1 << 21  # samples of a channel of times that are held in memory


@dataclass(frozen=True, kw_only=True)
class Piece:
    """From value ``first`` on a sample every ``step``, from ``start`` on."""

    first: int
    start: float
    step: float

    def end(self, n: int) -> float:
        """Return its end if value ``n`` begins the next one."""
        return self.start + (n - self.first) * self.step


@dataclass(frozen=True, kw_only=True)
class TimeBase:
    """The places of samples of a channel: regular, in pieces, or by another channel."""

    name: str
    t0: float = 0.0
    dt: float | None = None
    x_unit: str = "s"
    pieces: tuple[Piece, ...] = ()
    time: Channel | None = None
    steps_back: int = 0

    @property
    def irregular(self) -> bool:
        """Whether each sample has its own place."""
        return self.dt is None

    def places(self, first: int, n: int) -> NDArray[np.float64]:
        """Return the places of values ``first … first + n`` of a channel in pieces."""
        out = np.empty(n)
        begins = np.array([p.first for p in self.pieces])
        k = int(np.searchsorted(begins, first, side="right")) - 1
        done = 0
        while done < n:
            piece = self.pieces[k]
            end = self.pieces[k + 1].first if k + 1 < len(self.pieces) else first + n
            until = min(n, end - first)
            out[done:until] = (
                piece.start
                + np.arange(first + done - piece.first, first + until - piece.first) * piece.step
            )
            done, k = until, k + 1
        return out


COUNTED = TimeBase(name="samples", dt=1.0, x_unit="")


@dataclass(frozen=True, kw_only=True)
class Clock:
    """A channel of times: in a unit, or of time stamps.

    ``first_s`` is the first of times that count from a date, s, and ``moment`` when that was, in
    2^-64 s since 1904, where it is known.
    """

    channel: Channel
    unit: TimeUnit | None
    scaling: Scaling = UNSCALED
    first_s: float | None = None
    moment: int | None = None


@dataclass(kw_only=True)
class Facts:
    """What is known of the values of a channel of times."""

    n_bad: int = 0
    ticks: int | None = None  # of the first time stamp
    first: Any = None
    last: Any = None
    steps_back: int = 0


class Clocks:
    """Values of channels of times: a short one is read once, a long one along with each user."""

    def __init__(self, metadata: TdmsMetadata) -> None:
        self._metadata = metadata
        self._short: dict[str, list[NDArray[Any]]] = {}
        self._facts: dict[str, Facts] = {}

    def _values(self, time: Channel) -> Iterator[NDArray[Any]]:
        if time.path in self._short:
            return iter(self._short[time.path])
        blocks = (b.values for b in self._metadata.blocks(only=time.path))
        if time.n > LONGEST_CLOCK:
            return blocks
        self._short[time.path] = list(blocks)
        return iter(self._short[time.path])

    def facts(self, time: Channel) -> Facts:
        """Read a channel of times once, to check that it can be one."""
        if time.path in self._facts:
            return self._facts[time.path]
        facts = Facts()
        for values in self._values(time):
            if values.dtype.names:
                seconds = values["seconds"].astype(np.int64)
                days = seconds // 86400  # at least 1905, and what fits a number of ns
                good = (days > 366) & (days < 130_000)
                x = seconds.astype(np.longdouble) + values["fraction"].astype(
                    np.longdouble
                ) / np.longdouble(PER_SECOND)
            else:
                x, good = values, np.isfinite(values)
            facts.n_bad += int(np.count_nonzero(~good))
            if len(x):
                back = x[1:] < x[:-1]
                facts.steps_back += int(np.count_nonzero(back))
                facts.steps_back += facts.last is not None and bool(x[0] < facts.last)
                if facts.first is None:
                    facts.first = x[0]
                    facts.ticks = _ticks(values[0]) if values.dtype.names else None
                facts.last = x[-1]
        self._facts[time.path] = facts
        return facts

    def seconds(self, clock: Clock, zero: int) -> Iterator[NDArray[np.float64]]:
        """Yield times on the shot's clock, in constant memory."""
        for values in self._values(clock.channel):
            if values.dtype.names:
                whole = values["seconds"].astype(np.int64) - zero // PER_SECOND
                part = values["fraction"].astype(np.float64) - float(zero % PER_SECOND)
                yield whole + part / PER_SECOND
            else:
                assert clock.unit is not None
                seconds = clock.unit.seconds(clock.scaling.apply({None: values}))
                if clock.first_s is None:
                    yield seconds
                else:
                    begins = 0.0 if clock.moment is None else (clock.moment - zero) / PER_SECOND
                    yield seconds - clock.first_s + round(begins, 6)


def _ticks(value: Any) -> int:
    return int(value["seconds"]) * PER_SECOND + int(value["fraction"])
