"""Samples computed from other signals by a formula."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration.expression import evaluate, propagate
from ishtar.errors import TimeBaseError
from ishtar.signals.flags import CLIPPED, NOT_FINITE, OUT_OF_RANGE, Flags, Mask
from ishtar.signals.min_max import Edges, even_edges, walk
from ishtar.signals.samples import Changes, FileSamples, RecordedSamples, clipped_by_reading
from ishtar.signals.time_base import Along, Axis, Counted, step_text

Array = NDArray[np.float64]


@dataclass
class DerivedSamples(FileSamples):
    """A formula of signals on the same time base, or of equally many counted samples.

    ``scale`` converts from the formula's unit to that of the signal.
    """

    name: str
    expression: str
    parts: Mapping[str, RecordedSamples]
    scale: float = 1.0

    def __post_init__(self) -> None:
        first, *rest = self.parts
        for other in rest:
            bases = {name: self.parts[name].base for name in (first, other)}
            if bases[first].same_as(bases[other]):
                continue
            for name, base in bases.items():
                if isinstance(base, Counted | Along):
                    sides = (f"{k} ({b.n} samples, {step_text(b)})" for k, b in bases.items())
                    raise TimeBaseError(
                        f"{self.name} = {self.expression}: {' and '.join(sides)} cannot be "
                        f"combined: {name} {base.time_problem}"
                    )
            raise TimeBaseError(
                f"{self.name} = {self.expression}: {first} and {other} are on different time "
                "bases; load them and interpolate one onto the other yourself"
            )

    @property
    def base(self) -> Axis:
        """The axis that all parts share."""
        return next(iter(self.parts.values())).base

    @property
    def itemsize(self) -> int:
        """Bytes of a computed sample."""
        return 8

    @property
    def n_clipped(self) -> int | None:
        """0 if no part has clipped samples, else None: unknown without reading."""
        return 0 if all(part.n_clipped == 0 for part in self.parts.values()) else None

    def check(self) -> None:
        """Raise `MissingCalibration` if a part has no calibration."""
        for part in self.parts.values():
            part.check()

    def read(self, start: int, stop: int) -> Array:
        """Compute samples ``start … stop``."""
        values = {k: p.read(start, stop) for k, p in self.parts.items()}
        found = evaluate(self.expression, values)
        return found * self.scale if self.scale != 1.0 else found

    def sensitive(self, start: int, stop: int) -> tuple[Array, Changes]:
        """Return samples, and their change by one sigma of each source of uncertainty.

        Sources are added by name, so that those that several parts share can cancel.
        """
        read = {k: p.sensitive(start, stop) for k, p in self.parts.items()}
        values = {k: x for k, (x, _) in read.items()}
        found, changes = propagate(self.expression, values, {k: c for k, (_, c) in read.items()})
        return found * self.scale, {k: c * self.scale for k, c in changes.items()}

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Raise `TimeBaseError`: a formula has no recorded samples."""
        raise TimeBaseError(
            f"{self.name} is computed as {self.expression}: take raw() of {', '.join(self.parts)}"
        )

    def clipped(self, start: int, stop: int) -> Mask:
        """Return which samples depend on one at a limit of the recorder's range, (n,)."""
        nothing = np.zeros(max(stop - start, 0), dtype=bool)
        masks = (p.clipped(start, stop) for p in self.parts.values() if p.n_clipped != 0)
        return reduce(np.logical_or, masks, nothing)

    def flags(self, start: int, stop: int) -> Flags:
        """Return the flags of each sample and of the samples that it depends on, (n,)."""
        nothing = np.zeros(max(stop - start, 0), dtype=np.uint8)
        found = reduce(np.bitwise_or, (p.flags(start, stop) for p in self.parts.values()), nothing)
        found &= np.uint8(CLIPPED | OUT_OF_RANGE)
        lost = ~np.isfinite(self.read(start, stop))
        return np.asarray(found | (lost.astype(np.uint8) * np.uint8(NOT_FINITE)), dtype=np.uint8)

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges, minima and maxima; this computes every sample."""
        edges = even_edges(start, stop, n)
        return edges, walk(self.read, edges)

    def clipped_in(self, edges: Edges, n: int) -> Mask:
        """Return which blocks of `minmax` for ``n`` contain a clipped sample, (m,)."""
        return clipped_by_reading(self, edges)
