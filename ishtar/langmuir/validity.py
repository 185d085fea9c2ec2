"""Validity: checks of the samples before the fit, and of the result after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import Bins, SortedSamples, bin_edges, bin_samples
from ishtar.langmuir.model import BLUR
from ishtar.langmuir.table import Table

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_SAMPLES = 40
MIN_RISING = 6

# Limits for a valid fit.
_MAX_MODEL_ERROR = 0.25
_MAX_SIGMA_TE = 0.35
_MAX_SIGMA_LN_NE = 0.7
_MOST_HOT = 0.4
_MOST_BLUR = 0.8  # Te²: a sinusoid of 1.3 Te of amplitude
# Minimum ion current at Vf in steps of the recorder, and the noise above which it may be less.
_MIN_STEPS, _DITHERED = 0.65, 0.45


@dataclass
class Verdicts:
    """The first reason to refuse each sweep."""

    n: int
    reason: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reason = [""] * self.n
        self.ok = np.ones(self.n, bool)

    def refuse(self, where: Flags, text: str, *values: NDArray[Any]) -> None:
        """Refuse sweeps that are still ok with ``text``, formatted with each sweep's ``values``."""
        for i in np.flatnonzero(where & self.ok):
            self.reason[i] = text.format(*(v[i] for v in values))
        self.ok &= ~where


def refuse_unusable(samples: SortedSamples, step: float, verdicts: Verdicts) -> Bins | None:
    """Refuse sweeps that cannot be fitted: empty, unswept, dead, of the wrong sign.

    Returns the samples in bins; None if every sweep has too few.
    """
    count = samples.count
    few = count < MIN_SAMPLES
    verdicts.refuse(few, f"too few points: {{:d}} where {MIN_SAMPLES} are needed", count)
    if not verdicts.ok.any():
        return None
    last = np.maximum(count - 1, 0)
    rows = np.arange(count.size)
    span = samples.bias[rows, last] - samples.bias[:, 0]
    verdicts.refuse(span < 1.0, "the bias is not swept: it spans {:.2g} V", span)
    bins = bin_samples(samples, bin_edges(samples))
    m = bins.current.shape[1]
    tail = max(2, m // 20)
    # the noise at each end separately: ripple of the bias makes the steep part noisier
    noise, noise_high = (
        np.sqrt(
            (bins.scatter[:, end] * bins.dof[:, end]).sum(1)
            / np.maximum(bins.dof[:, end].sum(1), 1.0)
            + step**2 / 12.0
        )
        for end in (slice(0, m // 3), slice(m - m // 3, m))
    )
    low, high = bins.current[:, :tail].mean(1), bins.current[:, -tail:].mean(1)
    root = np.sqrt(np.maximum(bins.count[:, :tail].sum(1), 1))
    error, error_high = np.hypot(noise / root, step / 4.0), np.hypot(noise_high / root, step / 4.0)
    mean = (bins.current * bins.count).sum(1) / np.maximum(count, 1)
    off = np.abs(bins.current - mean[:, None]) * np.sqrt(bins.count)
    dead = (off.max(1) <= 5.0 * noise) | (np.ptp(bins.current, axis=1) <= 3.0 * step)
    verdicts.refuse(
        dead, "probe disconnected: the current stays within its noise of {:.2g} A", noise
    )
    verdicts.refuse(
        (low > 5.0 * error) & (high < -5.0 * error),
        "the current falls with bias: electron current must be positive",
    )
    verdicts.refuse(
        (low > 3.0 * error) & (high > 0),
        "no floating potential: no ion current at the lowest bias",
    )
    verdicts.refuse(
        (_ions_seen(bins, noise, step) < 3.0) & (high > 0),
        "the ion current is lost in noise of {:.2g} A",
        noise,
    )
    verdicts.refuse(
        high < 3.0 * error_high,
        "no floating potential: no electron current at the highest bias",
    )
    # two Te above the floating potential electrons outnumber ions by e²
    ratio = high / np.maximum(-low, 1e-300)
    verdicts.refuse(
        (ratio < 4.0) & (low < 0.0),
        "no electron retardation range: the largest current is only {:.1f} times the ions'",
        ratio,
    )
    return bins


def _ions_seen(bins: Bins, noise: Floats, step: float) -> Floats:
    """Return the significance of the negative current at low bias, in standard deviations.

    The maximum over means of different numbers of the lowest bins.
    """
    m = bins.current.shape[1]
    best = np.full(noise.size, -np.inf)
    for width in {max(2, m // 20), m // 10, m // 6, m // 4, m // 3}:
        count = bins.count[:, :width]
        total = np.maximum(count.sum(1), 1)
        mean = (bins.current[:, :width] * count).sum(1) / total
        error = np.hypot(noise / np.sqrt(total), step / 4.0)
        best = np.maximum(best, -mean / np.maximum(error, 1e-300))
    return best


def judge(
    table: Table,
    rows: NDArray[np.intp],
    bins: Bins,
    converged: Flags,
    verdicts: Verdicts,
    step: float,
) -> None:
    """Refuse invalid fits with a reason; ``step``, A, is that of the recorder."""
    n = len(verdicts.reason)
    value, sigma = table.value, table.sigma
    model_error, chi2 = table.model_error, table.chi2

    def spread(values: NDArray[np.generic], fill: float = np.nan) -> Floats:
        out = np.full(n, fill)
        out[rows] = values
        return out

    blur = spread(np.maximum(table.theta[rows, BLUR], 0.0))
    te, vp, vf = (value[q] for q in ("Te", "Vp", "Vf"))
    lowest, highest = spread(bins.bias[:, 0]), spread(bins.bias[:, -1])
    with np.errstate(invalid="ignore", divide="ignore"):
        verdicts.refuse(spread(~converged, 0.0) > 0, "the fit did not converge")
        verdicts.refuse(
            blur > _MOST_BLUR,
            "RF across the sheath: some {:.2g} V of amplitude, more than Te {:.2g} eV",
            np.sqrt(2.0 * blur) * te,
            te,
        )
        verdicts.refuse(
            vf - lowest < te,
            "no ion branch: the sweep starts {:.2g} V below the floating potential",
            vf - lowest,
        )
        verdicts.refuse(
            (highest - vf < 2.0 * te) | (vp - vf < 0.5 * te),
            "no electron retardation range: {:.2g} V above the floating potential, Te {:.2g} eV",
            highest - vf,
            te,
        )
        verdicts.refuse(
            (te < 0.05) | (te > (highest - lowest) / 3.0),
            "Te {:.2g} eV cannot be determined from a sweep of {:.3g} V",
            te,
            highest - lowest,
        )
        verdicts.refuse(
            value["hot_fraction"] > _MOST_HOT,
            "not the curve of one Maxwellian and a few hot electrons: {:.0%} would be hot",
            value["hot_fraction"],
        )
        # without noise as dither, a current below one step reads zero over many volts
        still = table.noise < _DITHERED * step
        verdicts.refuse(
            still & (np.abs(value["Isat"]) < _MIN_STEPS * step),
            "the ion current is lost in the recorder's steps: one is {:.2g} times it",
            step / np.abs(value["Isat"]),
        )
        rising = (bins.bias > vf[rows, None]) & (bins.bias < vp[rows, None])
        in_rise = spread((bins.count * rising).sum(1))
        verdicts.refuse(
            in_rise < MIN_RISING,
            "no electron retardation range: {:.0f} samples between Vf and Vp",
            in_rise,
        )
        verdicts.refuse(
            model_error > _MAX_MODEL_ERROR,
            "not a probe characteristic: it differs by {:.0%} from the fit, χ² {:.3g}",
            model_error,
            chi2,
        )
        ne = value["ne"]
        imprecise = (sigma["Te"] > _MAX_SIGMA_TE * te) | (sigma["ne"] > _MAX_SIGMA_LN_NE * ne)
        verdicts.refuse(
            imprecise & (model_error > 0.0),
            "not the curve of one Maxwellian: it differs by {:.0%}, Te {:.2g} ± {:.2g} eV",
            model_error,
            te,
            sigma["Te"],
        )
        verdicts.refuse(
            sigma["Te"] > _MAX_SIGMA_TE * te,
            "noise too high: Te {:.2g} ± {:.2g} eV",
            te,
            sigma["Te"],
        )
        verdicts.refuse(
            sigma["ne"] > _MAX_SIGMA_LN_NE * ne,
            "noise too high: ne {:.2g} ± {:.2g} 1/m³",
            ne,
            sigma["ne"],
        )
        bad = ~np.isfinite(te + vp + vf + ne)
        verdicts.refuse(bad & (spread(converged, 0.0) > 0), "the fit result is not finite")
