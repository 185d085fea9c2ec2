"""What calibration and geometry make a probe's results uncertain by, in all sweeps alike.

A gain that is off by a share ε is off in every sweep of a shot, and no mean over sweeps makes it
smaller. How much of it reaches a result is found by analysing some sweeps again with bias, current
and tip changed by 2 % to both sides. To first order in ε, and with V for either potential:

    δ ln q = D ε                  q one of Te, ne, Isat; D the median over those sweeps
    δV     = (V + c Te) ε         for the bias, whose scale is that of V; without V for the others

so that each sweep's own sigma follows from its own values. For a probe in the orbital-motion limit
D is near 1 for Te on the bias, near 1 for ne on the current and −1 on the length of the tip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ishtar.machine.readings import Floats
from ishtar.measured import Measured

if TYPE_CHECKING:
    import xarray as xr

    from ishtar.gases import Gas
    from ishtar.langmuir import Background, Sweeps

STEP = 0.02  # far above the noise of a fit, and its curvature still far below
SAMPLE = 12  # sweeps that are analysed again
SCALED, POTENTIALS = ("Te", "ne", "Isat"), ("Vf", "Vp")


class Shape(TypedDict):
    """What the analysis takes of a tip: m², m, m."""

    area: float
    radius: float
    length: float


@dataclass(frozen=True, kw_only=True)
class Tip:
    """A cylindrical tip; lengths in m with their one-sigmas."""

    radius: Measured
    length: Measured

    @property
    def area(self) -> Measured:
        """Collecting area, m²: the side 2πrl and the free end πr²."""
        r, length = self.radius, self.length
        value = 2.0 * math.pi * r.value * length.value + math.pi * r.value**2
        by_r = 2.0 * math.pi * (length.value + r.value) * r.sigma
        return Measured(value, math.hypot(by_r, 2.0 * math.pi * r.value * length.sigma), "m^2")

    def arguments(self, radius: float = 1.0, length: float = 1.0) -> Shape:
        """Return what the analysis takes, radius and length scaled."""
        r, long = radius * self.radius.value, length * self.length.value
        return {"area": 2.0 * math.pi * r * long + math.pi * r**2, "radius": r, "length": long}


@dataclass(frozen=True, kw_only=True)
class Uncertain:
    """One-sigmas that all sweeps share: gains as shares, the bias's offset in V; and the tip."""

    tip: Tip
    bias_gain: float
    bias_offset: float
    current_gain: float

    def causes(self) -> Iterator[tuple[str, float]]:
        """Yield each cause with its sigma as a share, those that are not 0."""
        tip = self.tip
        shares = {
            "bias": self.bias_gain,
            "current": self.current_gain,
            "radius": tip.radius.sigma / tip.radius.value,
            "length": tip.length.sigma / tip.length.value,
        }
        yield from ((cause, share) for cause, share in shares.items() if share > 0.0)


@dataclass(frozen=True, kw_only=True)
class Record:
    """A stretch of bias, V, and current, A, the background still in it, and its ramps."""

    bias: Floats
    current: Floats
    t0: float
    dt: float
    sweeps: Sweeps
    background: Background


def common_sigmas(
    found: xr.Dataset, record: Record, gas: Gas, uncertain: Uncertain
) -> dict[str, Floats]:
    """Return the sigma of Vf, Vp, Te, ne and Isat of every sweep that all sweeps share.

    Parameters
    ----------
    found : xarray.Dataset
        What :func:`ishtar.langmuir.analyse_sweeps` makes of the record.
    record, gas, uncertain
        What it was made of, and how well that is known.

    Returns
    -------
    dict of str to numpy.ndarray
        (n_sweeps,); NaN where a sweep is not valid, and where no sweep could be analysed again.
    """
    value = {q: found[q].values for q in (*SCALED, *POTENTIALS)}
    variance = {q: np.where(found["valid"].values, 0.0, np.nan) for q in value}
    some = _some(record, found["valid"].values)
    for cause, share in uncertain.causes():
        slope = _slopes(some, gas, uncertain.tip, cause)
        for q in SCALED:
            variance[q] += (slope[q] * value[q] * share) ** 2
        for q in POTENTIALS:
            own = value[q] if cause == "bias" else 0.0
            variance[q] += ((own + slope[q] * value["Te"]) * share) ** 2
    for q in POTENTIALS:
        variance[q] += uncertain.bias_offset**2
    return {q: np.sqrt(v) for q, v in variance.items()}


def _some(record: Record, valid: np.ndarray) -> Record:
    """Return up to `SAMPLE` valid sweeps as a record of their own, the background taken off."""
    from ishtar.langmuir import Background, Sweeps

    good = np.flatnonzero(valid)
    chosen = good[np.unique(np.linspace(0, good.size - 1, SAMPLE).astype(int))] if good.size else []
    cuts = [slice(int(record.sweeps.start[k]), int(record.sweeps.stop[k])) for k in chosen]
    clean = record.current - record.background.current(record.bias, record.dt)
    ends = np.cumsum([0, *(cut.stop - cut.start for cut in cuts)])
    empty = [np.empty(0)]
    return Record(
        bias=np.concatenate([record.bias[cut] for cut in cuts] or empty),
        current=np.concatenate([clean[cut] for cut in cuts] or empty),
        t0=0.0,
        dt=record.dt,
        sweeps=Sweeps(
            start=ends[:-1].astype(np.intp),
            stop=ends[1:].astype(np.intp),
            direction=np.ones(len(cuts), np.int8),
            t0=0.0,
            dt=record.dt,
        ),
        background=Background(),
    )


def _slopes(some: Record, gas: Gas, tip: Tip, cause: str) -> dict[str, float]:
    """Return D and c of the module for one cause; NaN where no sweep bears the change."""
    from ishtar.langmuir import analyse_sweeps

    def at(step: float) -> xr.Dataset:
        factor = 1.0 + step
        return analyse_sweeps(
            some.bias * (factor if cause == "bias" else 1.0),
            some.current * (factor if cause == "current" else 1.0),
            dt=some.dt,
            gas=gas,
            sweeps=some.sweeps,
            **tip.arguments(
                radius=factor if cause == "radius" else 1.0,
                length=factor if cause == "length" else 1.0,
            ),
        )

    if not len(some.sweeps):
        return dict.fromkeys((*SCALED, *POTENTIALS), math.nan)
    up, down = at(STEP), at(-STEP)
    both = up["valid"].values & down["valid"].values
    if not both.any():
        return dict.fromkeys((*SCALED, *POTENTIALS), math.nan)

    def pair(q: str) -> tuple[Floats, Floats]:
        return up[q].values[both], down[q].values[both]

    slopes = {}
    for q in SCALED:
        high, low = pair(q)
        slopes[q] = float(np.median(np.log(high / low))) / (2.0 * STEP)
    te = sum(pair("Te")) / 2.0
    for q in POTENTIALS:
        high, low = pair(q)
        own = 0.5 * (high + low) if cause == "bias" else 0.0
        slopes[q] = float(np.median(((high - low) / (2.0 * STEP) - own) / te))
    return slopes
