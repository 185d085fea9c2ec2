"""Electrons and ions are as many: what the share of the electrons that arrive says of the density.

The density of a fit comes from the ions. The electrons say the same, if it is known which share R
of them arrives: all of them without a magnetic field, and with one what it holds back. So there are
two measurements of one density. Each has errors that the other has not: the ions are few, and a
flow or the electrons that they knock out of the tip raise their current by up to a half; the
electrons' number hangs on Vp and on what is known of the field. They are combined as such.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.limits import THIN_SHEATH, diffusion_parameter, ion_uncertainty
from ishtar.langmuir.model import LN_NE, LN_R, LN_TE, Flags, Probe

Floats = NDArray[np.float64]
Errors = tuple[Floats, Floats]  # covariance, and the part of it that noise makes

_AT_VP = 0.75  # 1/R − 1 at Vp for ψ0 = 1, of the integral over all energies
_FORMULA = 0.7  # of 1/R − 1: ψ0 is known within a factor two
_EXPLAINED = 0.7  # of ln R: a known field explains it that far
_KNEE, _THIN_KNEE = 0.05, 0.1  # of ln R: the electrons' theory about Vp, and for a thin sheath
_THIN_ERROR = 0.1  # of ne: Bohm's 0.61 is 0.5 to 0.65 in other theories
_MOST_IONS = 0.45  # of ln ne: what a flow or secondaries add to the ions' current, at most
# Where nobody says whether there is a field: how likely it is, and, without it, more ions; how far
# down a field may take R, and what more ions would make of the density then.
_FIELD, _MORE_IONS, _LEAST_R, _BESIDES = 0.5, 0.2, 0.1, 0.2


@dataclass(frozen=True, kw_only=True)
class Balance:
    """What follows for the fits of some sweeps, (n,) each.

    Attributes
    ----------
    theta, covariance : (n, p), (n, p, p) float64
        The parameters of the plasma and their errors, theory's in them. The fit keeps its own.
    noise : (n, p, p) float64
        The part of the errors that noise makes.
    excess : (n,) float64
        By how much the logarithm of the ions' current is larger than the density lets expect.
    doubt : (n,) float64
        What it adds to the error of ln ne that the electrons may be held by a field that nobody
        knows, or the ions be too many.
    """

    theta: Floats
    covariance: Floats
    noise: Floats
    excess: Floats
    doubt: Floats

    def but(self, which: Flags, other: Balance) -> Balance:
        """Return the same, for some sweeps that of another."""
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, values in columns.items():
            values[which] = getattr(other, name)[which]
        return Balance(**columns)


def balance(theta: Floats, errors: Errors, probe: Probe) -> Balance:
    """Combine the density of the ions with that of the electrons.

    Parameters
    ----------
    theta : (n, p) float64
        Fits, with ln ne that of the ions.
    errors : ((n, p, p), (n, p, p)) float64
        Their covariance, without what the theory of the ions may be wrong by, and the part of it
        that noise makes.
    probe : Probe
        With the field at the tip, if it is known; 0 for none.
    """
    rho = probe.rho(theta[:, LN_NE], theta[:, LN_TE])
    ions2 = (ion_uncertainty(rho) if probe.radius else np.full(rho.size, _THIN_ERROR)) ** 2
    knee2 = np.where(rho > THIN_SHEATH, _THIN_KNEE, _KNEE) ** 2
    either = _either(theta, errors, ions2, knee2)
    if probe.field is None or not (probe.radius and probe.length):
        return either
    te = np.exp(theta[:, LN_TE])
    hold = _AT_VP * diffusion_parameter(
        te, field=probe.field, radius=probe.radius, length=probe.length
    )
    off = -np.log1p(hold) - theta[:, LN_R]
    known = _combined(theta, errors, off, ions2, knee2 + (_FORMULA * hold) ** 2)
    return known.but(np.abs(off) > _EXPLAINED, either)


def _combined(theta: Floats, errors: Errors, off: Floats, ions2: Floats, share2: Floats) -> Balance:
    """Return what is known once ln R is: by ``off`` more, with a variance of ``share2``.

    The true ln ne is that of the fit less an error of the ions' theory, of variance ``ions2``, and
    the true ln R that of the fit and this error. What neither noise nor theory explains is more
    ions than there should be, as far as that goes, and else another share of the electrons.
    """
    covariance, noise = errors
    sure2 = np.maximum(covariance[:, LN_R, LN_R], 0.0)
    more = np.maximum(off**2 - sure2 - share2 - ions2, 0.0)
    by_ions = np.where(off > 0.0, np.minimum(more, _MOST_IONS**2), 0.0)
    ions2 = ions2 + by_ions
    total = sure2 + share2 + more - by_ions + ions2

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
        doubt=np.zeros(off.size),
    )


def _either(theta: Floats, errors: Errors, ions2: Floats, knee2: Floats) -> Balance:
    """Return what is known if the electrons may be held by a field, or the ions be too many.

    The mean of both, each as likely as R makes it. An R near one speaks for no field, one below
    what more ions explain for a field, and between it may be either.
    """
    free = _combined(theta, errors, -theta[:, LN_R], ions2, knee2)
    covariance, noise = errors
    off = -theta[:, LN_R]
    width = np.sqrt(np.maximum(covariance[:, LN_R, LN_R], 0.0) + ions2 + knee2)
    peak = np.exp(-0.5 * (off / width) ** 2) / (width * math.sqrt(2.0 * math.pi))
    tail = _between(off, _MOST_IONS, width)
    likely_free = (1.0 - _FIELD) * ((1.0 - _MORE_IONS) * peak + _MORE_IONS * tail)
    likely_held = _FIELD * _between(off, -math.log(_LEAST_R), width)
    total = likely_free + likely_held
    # beyond all of it nothing is likely
    weight = np.where(total > 1e-6, likely_free / np.maximum(total, 1e-300), 0.0)

    apart = free.theta - theta
    held = covariance.copy()
    held[:, LN_NE, LN_NE] += ions2
    held_doubt = _BESIDES * np.clip(off - 2.0 * width, 0.0, _MOST_IONS) / _MOST_IONS
    doubt2 = weight * (1.0 - weight) * apart[:, LN_NE] ** 2 + (1.0 - weight) * held_doubt**2
    w = weight[:, None, None]
    mixed = w * free.covariance + (1.0 - w) * held
    mixed += w * (1.0 - w) * apart[:, :, None] * apart[:, None, :]
    mixed[:, LN_NE, LN_NE] += (1.0 - weight) * held_doubt**2
    return Balance(
        theta=theta + weight[:, None] * apart,
        covariance=mixed,
        noise=w * free.noise + (1.0 - w) * noise,
        excess=weight * free.excess,
        doubt=np.sqrt(doubt2),
    )


def _between(off: Floats, most: float, width: Floats) -> Floats:
    """Return the density at ``off`` of what is anywhere between 0 and ``most``, blurred."""
    from scipy.special import ndtr

    return np.asarray((ndtr(off / width) - ndtr((off - most) / width)) / most)
