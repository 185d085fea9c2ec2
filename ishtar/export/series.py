"""Series of samples to be written, and the content of an export."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import IshtarError
from ishtar.signals.protocols import AnySignal, RecordedSignal
from ishtar.signals.provenance import Provenance
from ishtar.signals.time_base import COUNTED, SECONDS, Regular

Array = NDArray[np.float64]

BLOCK = 1 << 18  # samples in memory at a time


class ExportError(IshtarError, ValueError):
    """Signals cannot be written as requested."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A signal to be written, with each ``every`` samples averaged into one value."""

    signal: AnySignal
    provenance: Provenance
    every: int = 1

    @property
    def name(self) -> str:
        """Name of the signal."""
        return self.signal.name

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return self.signal.unit

    @property
    def n(self) -> int:
        """Number of values."""
        return self.signal.n // self.every

    @property
    def x_name(self) -> str:
        """Name of the axis: ``time``, ``frequency``, or ``sample`` for bare sample numbers."""
        return self.signal.x_name

    @property
    def x_unit(self) -> str:
        """Unit of the axis; empty for sample numbers."""
        return self.signal.x_unit

    @property
    def x_title(self) -> str:
        """Name and unit of the axis, as the title of a column."""
        return f"{self.x_name} [{self.x_unit}]" if self.x_unit else self.x_name

    @property
    def dx(self) -> float | None:
        """Step in `x_unit` or samples; None if it is not constant."""
        step = 1.0 if self.x_unit == COUNTED else self.signal.dx
        return None if step is None else step * self.every

    @property
    def x0(self) -> float:
        """x of the first value, in `x_unit` or samples."""
        first = float(self.signal[0:1].places()[0])
        if self.dx is None:
            return float(next(self.places())[0])
        return first + self.dx / self.every * (self.every - 1) / 2

    def same_places(self, other: Series) -> bool:
        """Return whether values of equal index have equal x."""
        if (self.n, self.every, self.x_unit) != (other.n, other.every, other.x_unit):
            return False
        if self.dx is None or other.dx is None:
            if self.dx is not None or other.dx is not None:
                return False
            places = zip(self.places(), other.places(), strict=True)
            return all(np.array_equal(x, y) for x, y in places)
        return Regular(self.x0, self.dx, self.n).same_as(Regular(other.x0, other.dx, other.n))

    def values(self) -> Iterator[Array]:
        """Yield the values block by block."""
        return self._blocks(lambda signal: signal.values())

    @property
    def has_sigma(self) -> bool:
        """Whether a number of its calibration has an uncertainty; False for a published site's."""
        if self.provenance.precision or not self.n:
            return False
        return bool(cast(RecordedSignal, self.signal[0:1]).sigma().attrs["sources"])

    def sigmas(self) -> Iterator[Array]:
        """Yield the calibration's one sigma in the same blocks, averaged as the values are.

        What is common to all samples does not average down, so that this is an upper bound of the
        sigma of a mean, and exact if each number changes all samples in the same direction.
        """
        return self._blocks(lambda signal: cast(RecordedSignal, signal).sigma().values)

    def places(self) -> Iterator[Array]:
        """Yield the x of the values in the same blocks: times in s, sample numbers, frequencies."""
        step = self.dx
        if step is None:
            yield from self._blocks(lambda signal: signal.places())
            return
        x0 = self.x0
        for i, j in self._sample_ranges():
            yield x0 + step * np.arange(i // self.every, j // self.every, dtype=np.float64)

    def _sample_ranges(self) -> Iterator[tuple[int, int]]:
        step = max(BLOCK // self.every, 1) * self.every
        end = self.n * self.every
        return ((i, min(i + step, end)) for i in range(0, end, step))

    def _blocks(self, read: Callable[[AnySignal], Array]) -> Iterator[Array]:
        for i, j in self._sample_ranges():
            if self.every <= BLOCK:
                yield read(self.signal[i:j]).reshape(-1, self.every).mean(axis=1)
            else:  # one value from very many samples
                parts = (read(self.signal[a : min(a + BLOCK, j)]) for a in range(i, j, BLOCK))
                yield np.array([sum(float(x.sum()) for x in parts) / self.every])

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the series for a file; unknown texts are empty."""
        s = self.provenance
        return {
            "unit": self.unit,
            "name": self.name,
            "shot": s.shot,
            "channel": s.channel,
            "device": s.device,
            "calibration": s.calibration,
            "span": s.span,
            "source": s.source,
            "derived": s.derived,
            "description": s.description,
            "averaged": self.every,
            "x_unit": self.x_unit,
            **self.start_and_step(),
        }

    def start_and_step(self) -> dict[str, float]:
        """Return start and step by name; empty for sample numbers."""
        if self.x_unit == COUNTED:
            return {}
        names = ("t0", "dt") if self.x_unit == SECONDS else ("x0", "dx")
        return dict(zip(names, (self.x0, np.nan if self.dx is None else self.dx), strict=True))

    def step_text(self) -> str:
        """Return a description of the axis for a file's header."""
        if self.x_unit == COUNTED:
            return f"samples have numbers only, their times are unknown; {self.n} values"
        names = ("t0", "dt") if self.x_unit == SECONDS else ("x0", "dx")
        of = " on the shot's clock" if self.x_unit == SECONDS else ""
        step = (
            "irregular"
            if self.dx is None
            else f"{names[0]} = {self.x0:.15g} {self.x_unit}, "
            f"{names[1]} = {self.dx:.15g} {self.x_unit}"
        )
        return f"{self.x_name} in {self.x_unit}{of}: {step}, {self.n} values"


@dataclass(frozen=True, kw_only=True)
class Export:
    """The content of an export: series grouped by time base, and their provenance."""

    groups: tuple[tuple[Series, ...], ...]
    provenance: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The provenance as JSON."""
        return json.dumps(self.provenance, ensure_ascii=False, default=str)
