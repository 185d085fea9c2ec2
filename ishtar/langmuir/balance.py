"""Quasineutrality: combine the density of the ions with that of the electrons.

The density of a fit comes from the ions. The electrons give the same density if the share R of them
that arrives is known: all of them without a magnetic field, fewer with one. These are two
measurements of one density with different errors. The ion current is small, and a flow or
secondary electrons raise it by up to a half; the electrons' density depends on Vp and on the
knowledge of the field. The two are combined with these errors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.limits import THIN_SHEATH, diffusion_parameter, ion_uncertainty
from ishtar.langmuir.model import LN_NE, LN_R, LN_TE, Flags, Probe

Floats = NDArray[np.float64]
Errors = tuple[Floats, Floats]  # covariance, and the part of it due to noise

_AT_VP = 0.75  # 1/R − 1 at Vp for ψ0 = 1, of the integral over all energies
_FORMULA = 0.7  # of 1/R − 1: ψ0 is known within a factor of two
_EXPLAINED = 0.7  # of ln R: largest deviation that a known field explains
_KNEE, _THIN_KNEE = 0.05, 0.1  # of ln R: electron theory near Vp, and for a thin sheath
_THIN_ERROR = 0.1  # of ne: Bohm's 0.61 is 0.5 to 0.65 in other theories
_MAX_ION_EXCESS = 0.45  # of ln ne: a flow or secondaries add no more to the ion current
# If the field is unknown: the probability of a field, that of excess ions without one, the lowest R
# of a field, and the error of ln ne if there are excess ions as well.
_P_FIELD, _P_EXCESS, _MIN_R, _EXCESS_ERROR = 0.5, 0.2, 0.1, 0.2


@dataclass(frozen=True, kw_only=True)
class Balance:
    """Combined parameters of the fits of some sweeps.

    Attributes
    ----------
    theta, covariance : (n, p), (n, p, p) float64
        Parameters of the plasma and their covariance, including theory. The fit keeps its own.
    noise : (n, p, p) float64
        The part of the covariance due to noise.
    excess : (n,) float64
        ln of the ion current over that expected for the density.
    ambiguity : (n,) float64
        Error of ln ne because either an unknown field may reduce the electrons or excess ions may
        be present.
    """

    theta: Floats
    covariance: Floats
    noise: Floats
    excess: Floats
    ambiguity: Floats

    def replaced(self, which: Flags, other: Balance) -> Balance:
        """Return a copy with some sweeps taken from another."""
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, values in columns.items():
            values[which] = getattr(other, name)[which]
        return Balance(**columns)


def balance(theta: Floats, errors: Errors, probe: Probe) -> Balance:
    """Combine the density of the ions with that of the electrons.

    Parameters
    ----------
    theta : (n, p) float64
        Fits, with ln ne from the ions.
    errors : ((n, p, p), (n, p, p)) float64
        Their covariance without the error of the ion theory, and the part of it due to noise.
    probe : Probe
        Its field is that at the tip, T: 0 for none, None if unknown.

    Returns
    -------
    Balance
    """
    rho = probe.rho(theta[:, LN_NE], theta[:, LN_TE])
    ions2 = (ion_uncertainty(rho) if probe.radius else np.full(rho.size, _THIN_ERROR)) ** 2
    knee2 = np.where(rho > THIN_SHEATH, _THIN_KNEE, _KNEE) ** 2
    unknown_field = _combined_without_field(theta, errors, ions2, knee2)
    if probe.field is None or not (probe.radius and probe.length):
        return unknown_field
    te = np.exp(theta[:, LN_TE])
    hold = _AT_VP * diffusion_parameter(
        te, field=probe.field, radius=probe.radius, length=probe.length
    )
    off = -np.log1p(hold) - theta[:, LN_R]
    known_field = _combined(theta, errors, off, ions2, knee2 + (_FORMULA * hold) ** 2)
    return known_field.replaced(np.abs(off) > _EXPLAINED, unknown_field)


def _combined(theta: Floats, errors: Errors, off: Floats, ions2: Floats, share2: Floats) -> Balance:
    """Combine with a known ln R: higher by ``off``, with a variance of ``share2``.

    The true ln ne is that of the fit minus an error of the ion theory, of variance ``ions2``, and
    the true ln R that of the fit plus this error. Any rest that neither noise nor theory explains
    is attributed to excess ions up to their maximum, and beyond to the share of the electrons.
    """
    covariance, noise = errors
    fit2 = np.maximum(covariance[:, LN_R, LN_R], 0.0)
    rest = np.maximum(off**2 - fit2 - share2 - ions2, 0.0)
    by_ions = np.where(off > 0.0, np.minimum(rest, _MAX_ION_EXCESS**2), 0.0)
    ions2 = ions2 + by_ions
    total = fit2 + share2 + rest - by_ions + ions2

    p = theta.shape[1]
    unit = np.zeros(p)
    unit[LN_NE], unit[LN_R] = -1.0, 1.0
    prior = covariance + ions2[:, None, None] * np.outer(unit, unit)
    gain = prior[:, :, LN_R] / total[:, None]
    passed = np.tile(np.eye(p), (off.size, 1, 1))
    passed[:, :, LN_R] -= gain
    return Balance(
        theta=theta + gain * off[:, None],
        covariance=prior - total[:, None, None] * gain[:, :, None] * gain[:, None, :],
        noise=np.matmul(np.matmul(passed, noise), passed.transpose(0, 2, 1)),
        excess=ions2 * off / total,
        ambiguity=np.zeros(off.size),
    )


def _combined_without_field(theta: Floats, errors: Errors, ions2: Floats, knee2: Floats) -> Balance:
    """Combine if the field is unknown: it may reduce the electrons, or there are excess ions.

    Averages both hypotheses, weighted by their probability given R. An R near one indicates no
    field, one below the range of excess ions a field; in between both are possible.
    """
    free = _combined(theta, errors, -theta[:, LN_R], ions2, knee2)
    covariance, noise = errors
    off = -theta[:, LN_R]
    width = np.sqrt(np.maximum(covariance[:, LN_R, LN_R], 0.0) + ions2 + knee2)
    peak = np.exp(-0.5 * (off / width) ** 2) / (width * math.sqrt(2.0 * math.pi))
    tail = _uniform_density(off, _MAX_ION_EXCESS, width)
    likely_free = (1.0 - _P_FIELD) * ((1.0 - _P_EXCESS) * peak + _P_EXCESS * tail)
    likely_held = _P_FIELD * _uniform_density(off, -math.log(_MIN_R), width)
    total = likely_free + likely_held
    # beyond the range of both neither is likely
    weight = np.where(total > 1e-6, likely_free / np.maximum(total, 1e-300), 0.0)

    apart = free.theta - theta
    held = covariance.copy()
    held[:, LN_NE, LN_NE] += ions2
    held_error = _EXCESS_ERROR * np.clip(off - 2.0 * width, 0.0, _MAX_ION_EXCESS) / _MAX_ION_EXCESS
    ambiguity2 = weight * (1.0 - weight) * apart[:, LN_NE] ** 2 + (1.0 - weight) * held_error**2
    w = weight[:, None, None]
    mixed = w * free.covariance + (1.0 - w) * held
    mixed += w * (1.0 - w) * apart[:, :, None] * apart[:, None, :]
    mixed[:, LN_NE, LN_NE] += (1.0 - weight) * held_error**2
    return Balance(
        theta=theta + weight[:, None] * apart,
        covariance=mixed,
        noise=w * free.noise + (1.0 - w) * noise,
        excess=weight * free.excess,
        ambiguity=np.sqrt(ambiguity2),
    )


def _uniform_density(off: Floats, high: float, width: Floats) -> Floats:
    """Return the probability density at ``off``: uniform over 0 … ``high``, with Gaussian blur."""
    from scipy.special import ndtr

    return np.asarray((ndtr(off / width) - ndtr((off - high) / width)) / high)
