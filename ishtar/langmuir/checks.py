"""Reasons not to believe: before the fit, from the samples; after it, from its result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import Bins, Sorted, bin_edges, bin_samples

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MIN_SAMPLES = 40
MIN_RISING = 6
MIN_RAIL = 6

# What a fit may not exceed and still be believed.
_MAX_MODEL_ERROR = 0.25
_MAX_SIGMA_TE = 0.3
_MAX_SIGMA_LN_NE = 0.7


@dataclass
class Verdicts:
    """First reason found against each sweep."""

    n: int
    reason: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reason = [""] * self.n
        self.ok = np.ones(self.n, bool)

    def refuse(self, where: Flags, text: str, *facts: NDArray[Any]) -> None:
        """Note ``text``, its braces filled with each sweep's ``facts``, where nothing is yet."""
        for i in np.flatnonzero(where & self.ok):
            self.reason[i] = text.format(*(f[i] for f in facts))
        self.ok &= ~where


def refuse_unusable(samples: Sorted, step: float, verdicts: Verdicts) -> Bins | None:
    """Refuse sweeps that no fit can mend: empty, unswept, dead, clipped, of the wrong sign.

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
    # the noise of either end by itself: ripple of the bias makes the steep part noisier
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
    swing = np.ptp(bins.current, axis=1)
    dead = swing <= np.maximum(6.0 * noise / np.sqrt(np.maximum(count / m, 1.0)), 3.0 * step)
    verdicts.refuse(
        dead, "probe disconnected: the current stays within its noise of {:.2g} A", noise
    )
    verdicts.refuse(
        (low > 5.0 * error) & (high < -5.0 * error),
        "the current falls with bias: electron current must be positive",
    )
    for end, name in ((False, "lower"), (True, "upper")):
        n_rail = _samples_at_rail(samples, bins, noise, step, end)
        verdicts.refuse(n_rail > 0, f"clipped: {{:d}} samples at the {name} rail", n_rail)
    verdicts.refuse(
        (low > -3.0 * error) & (high > 0),
        "no floating potential: no ion current at the lowest bias",
    )
    verdicts.refuse(
        high < 3.0 * error_high,
        "no floating potential: no electron current at the highest bias",
    )
    # two Te above the floating potential electrons outnumber ions by e²
    ratio = high / np.maximum(-low, 1e-300)
    verdicts.refuse(
        (ratio < 3.0) & (low < 0.0),
        "no electron retardation range: the largest current is only {:.1f} times the ions'",
        ratio,
    )
    return bins


def _samples_at_rail(
    samples: Sorted, bins: Bins, noise: Floats, step: float, upper: bool
) -> NDArray[np.intp]:
    """Return how many samples sit on the largest or smallest value; 0 for an honest curve."""
    fill = -np.inf if upper else np.inf
    values = np.where(samples.present, samples.current, fill)
    rail = values.max(1) if upper else values.min(1)
    swing = np.maximum(np.ptp(bins.current, axis=1), 1e-300)
    at = np.abs(values - rail[:, None]) <= 1e-9 * swing[:, None]
    n_at = at.sum(1)
    # what the curve would have risen over the plateau, by its rise over as many volts before it
    missing = np.zeros(n_at.size)
    for row in np.flatnonzero(n_at >= np.maximum(MIN_RAIL, 0.02 * samples.count)):
        v, i = bins.bias[row], bins.current[row]
        last = samples.count[row] - 1
        at_edge = last - n_at[row] if upper else n_at[row]
        edge = samples.bias[row, np.clip(at_edge, 0, last)]
        wide = v[-1] - edge if upper else edge - v[0]
        inner = edge - wide if upper else edge + wide
        missing[row] = abs(np.interp(edge, v, i) - np.interp(inner, v, i))
    clipped = (n_at >= np.maximum(MIN_RAIL, 0.02 * samples.count)) & (
        missing > 4.0 * np.maximum(step, noise / 4.0)
    )
    return np.where(clipped, n_at, 0)


def judge(
    value: dict[str, Floats],
    sigma: dict[str, Floats],
    model_error: Floats,
    chi2: Floats,
    rows: NDArray[np.intp],
    bins: Bins,
    converged: Flags,
    verdicts: Verdicts,
) -> None:
    """Refuse fits that must not be believed, saying why."""
    n = len(verdicts.reason)

    def spread(values: NDArray[np.generic], fill: float = np.nan) -> Floats:
        out = np.full(n, fill)
        out[rows] = values
        return out

    te, vp, vf = (value[q] for q in ("Te", "Vp", "Vf"))
    lowest, highest = spread(bins.bias[:, 0]), spread(bins.bias[:, -1])
    with np.errstate(invalid="ignore", divide="ignore"):
        verdicts.refuse(spread(~converged, 0.0) > 0, "the fit did not converge")
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
            "Te {:.2g} eV cannot be told from a sweep of {:.3g} V",
            te,
            highest - lowest,
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
        unsure = (sigma["Te"] > _MAX_SIGMA_TE * te) | (sigma["ne"] > _MAX_SIGMA_LN_NE * ne)
        verdicts.refuse(
            unsure & (model_error > 0.0),
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
        verdicts.refuse(bad & (spread(converged, 1.0) > 0), "the fit ended in no number")
