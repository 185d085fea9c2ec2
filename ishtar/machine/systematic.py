"""Systematic uncertainty of a probe's results, from calibration and geometry.

A relative gain error ε is the same in every sweep of a shot, and no mean over sweeps reduces it. To
first order in ε, with V for either potential, it changes the results by

    δ ln q = D ε                  q one of Te, ne, Isat
    δV     = (V + c Te) ε         for the bias, which scales V; without V for the others

so that each sweep's sigma follows from its own values.

All causes act alike. The fitted current is area × ne × √Te × a function of (U − Vp)/Te and of ρ,
the tip's radius r over the Debye length, ρ ~ r √(ne/Te). Scaling bias, current or tip therefore
changes the results by a known power; the rest is equivalent to a change of κ = r/√area, which at
constant area is a factor on ρ alone:

    bias × f        Te × f, ne × f^−1/2, V × f      κ × f^−3/4
    current × f     ne × f, Isat × f                κ × f^1/2
    area × f        ne × 1/f                        κ × f^−1/2
    radius × f      as the area that follows        κ × f as well

The response to κ is the median over some sweeps, analysed again with ρ 2 % higher and lower. It is
weak for a probe in the orbital-motion limit: D is near 1 for Te on the bias, near 1 for ne on the
current and −1 on the length of the tip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from ishtar.langmuir.arguments import probe_of
from ishtar.langmuir.bins import resolution
from ishtar.langmuir.engine import analyse_scaled
from ishtar.langmuir.table import Table
from ishtar.machine.readings import Floats
from ishtar.quantity import Measured

if TYPE_CHECKING:
    from ishtar.gases import Gas
    from ishtar.langmuir import Background, Sweeps

STEP = 0.02  # far above the noise of a fit, with negligible curvature
FACTORS = 1.0 + STEP, 1.0 / (1.0 + STEP)  # on ρ
SAMPLE = 12  # sweeps analysed again
MARGIN = 8  # samples on both sides of a sweep, more than dU/dt is smoothed over
SCALED, POTENTIALS = ("Te", "ne", "Isat"), ("Vf", "Vp")


class TipArguments(TypedDict):
    """Arguments of the analysis that describe a tip: m², m, m."""

    area: float
    radius: float
    length: float


@dataclass(frozen=True, kw_only=True)
class Tip:
    """A cylindrical tip; lengths in m with their sigmas."""

    radius: Measured
    length: Measured

    @property
    def area(self) -> Measured:
        """Collecting area, m²: the side 2πrl and the free end πr²."""
        r, length = self.radius, self.length
        value = 2.0 * math.pi * r.value * length.value + math.pi * r.value**2
        by_r = 2.0 * math.pi * (length.value + r.value) * r.sigma
        return Measured(value, math.hypot(by_r, 2.0 * math.pi * r.value * length.sigma), "m^2")

    def arguments(self) -> TipArguments:
        """Return the tip as arguments of the analysis."""
        area, r, length = self.area.value, self.radius.value, self.length.value
        return {"area": area, "radius": r, "length": length}

    def powers(self) -> tuple[float, float]:
        """Return d ln area/d ln radius and d ln area/d ln length."""
        side = 2.0 * math.pi * self.radius.value * self.length.value / self.area.value
        return 2.0 - side, side


@dataclass(frozen=True, kw_only=True)
class SharedUncertainty:
    """Sigmas that all sweeps share: relative gains, the offset of the bias in V, and the tip's."""

    tip: Tip
    bias_gain: float
    bias_offset: float
    current_gain: float

    def causes(self) -> Iterator[tuple[str, float]]:
        """Yield each cause with its relative sigma, if not 0."""
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
    """A record of bias, V, and current, A, including the background, and its ramps."""

    bias: Floats
    current: Floats
    t0: float
    dt: float
    sweeps: Sweeps
    background: Background
    limits: tuple[float, float] | None = None

    @property
    def middle(self) -> float:
        """Middle of the ramps, s."""
        ramps = self.sweeps.time
        if not ramps.size:
            return self.t0 + 0.5 * self.dt * self.bias.size
        return float(0.5 * (ramps[0] + ramps[-1]))

    def without_background(self, cut: slice) -> Floats:
        """Return the current of a slice without the background, A."""
        start = max(cut.start - MARGIN, 0)
        background = self.background.current(self.bias[start : cut.stop + MARGIN], self.dt)
        return self.current[cut] - background[cut.start - start : cut.stop - start]


def common_sigmas(
    value: Mapping[str, Floats],
    valid: np.ndarray,
    change: Mapping[str, float],
    uncertain: SharedUncertainty,
) -> dict[str, Floats]:
    """Return the systematic sigma of Vf, Vp, Te, ne and Isat of every sweep.

    Parameters
    ----------
    value : dict of str to (n_sweeps,) float64
        Results of the analysis.
    valid : (n_sweeps,) bool
    change : dict of str to float
        `response` of the results to κ.
    uncertain : SharedUncertainty
        Sigmas of calibration and tip.

    Returns
    -------
    dict of str to numpy.ndarray
        (n_sweeps,); NaN for an invalid sweep, and if no sweep could be analysed again.
    """
    variance = {q: np.where(valid, 0.0, np.nan) for q in (*SCALED, *POTENTIALS)}
    for cause, share in uncertain.causes():
        power, powers = _powers(uncertain.tip, cause)
        for q in SCALED:
            variance[q] += ((powers.get(q, 0.0) + power * change[q]) * value[q] * share) ** 2
        for q in POTENTIALS:
            own = value[q] if cause == "bias" else 0.0
            variance[q] += ((own + power * change[q] * value["Te"]) * share) ** 2
    for q in POTENTIALS:
        variance[q] += uncertain.bias_offset**2
    return {q: np.sqrt(v) for q, v in variance.items()}


def response(up: Table, down: Table) -> dict[str, float]:
    """Return d ln q/d ln κ of Te, ne and Isat, and (dV/d ln κ)/Te of both potentials.

    Parameters
    ----------
    up, down : Table
        The same sweeps analysed with ρ multiplied by each of `FACTORS`.

    Returns
    -------
    dict of str to float
        Medians over the sweeps; NaN if no sweep is valid in both.
    """
    both = up.valid & down.valid
    if not both.any():
        return dict.fromkeys((*SCALED, *POTENTIALS), math.nan)
    between = math.log(FACTORS[0] / FACTORS[1])

    def pair(q: str) -> tuple[Floats, Floats]:
        return up.value[q][both], down.value[q][both]

    change = {}
    for q in SCALED:
        high, low = pair(q)
        change[q] = float(np.median(np.log(high / low))) / between
    te = sum(pair("Te")) / 2.0
    for q in POTENTIALS:
        high, low = pair(q)
        change[q] = float(np.median((high - low) / te)) / between
    return change


def response_of_record(
    record: Record, valid: np.ndarray, gas: Gas, uncertain: SharedUncertainty
) -> dict[str, float]:
    """Return the `response` of up to `SAMPLE` of a record's valid sweeps."""
    good = np.flatnonzero(valid)
    if not good.size:
        return dict.fromkeys((*SCALED, *POTENTIALS), math.nan)
    sample = good[np.unique(np.linspace(0, good.size - 1, SAMPLE).astype(int))]
    start, stop = record.sweeps.start[sample], record.sweeps.stop[sample]
    bias, current = (np.full((sample.size, int((stop - start).max())), np.nan) for _ in "UI")
    for row, (a, b) in enumerate(zip(start.tolist(), stop.tolist(), strict=True)):
        bias[row, : b - a] = record.bias[a:b]
        current[row, : b - a] = record.without_background(slice(a, b))
    probe = probe_of(gas=gas, reduction=None, **uncertain.tip.arguments())
    return response(*analyse_scaled(bias, current, probe, FACTORS, step=resolution(current)))


def _powers(tip: Tip, cause: str) -> tuple[float, dict[str, float]]:
    """Return the powers of f in κ and in the results: the table in the module docstring."""
    by_radius, by_length = tip.powers()
    powers = {
        "bias": (-0.75, {"Te": 1.0, "ne": -0.5}),
        "current": (0.5, {"ne": 1.0, "Isat": 1.0}),
        "radius": (1.0 - 0.5 * by_radius, {"ne": -by_radius}),
        "length": (-0.5 * by_length, {"ne": -by_length}),
    }
    return powers[cause]
