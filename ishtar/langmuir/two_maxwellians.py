"""The curve of a cold and a hot Maxwellian, against one sweep, with its derivatives."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins
from ishtar.langmuir.fit import ION_SLOPE, LN_NE, LN_R, LN_TE, SATURATION, VP, Probe

Floats = NDArray[np.float64]

# ln R, ln of hot over cold density, and the two of the shape: where, how sure, about what
_PRIOR_OF = np.array([3, 5, 6, 7])
_PRIOR_ROOT = np.array([1.0, 0.3, 1.0 / 0.1, 1.0 / 0.2])
_PRIOR_MEAN = np.array([0.0, -2.0, 0.0, 0.0])
# of one Maxwellian: as hot as the other, and hardly there
_ALONE = np.array([1e-6, -12.0])


@dataclass(kw_only=True)
class TwoMaxwellians:
    """What a sweep in bins leaves over from the curve of two Maxwellians.

    Its parameters ``p``: ln ne, ln Te of the cold, Vp, ln R, ln of hot over cold Te, ln of hot over
    cold density, and, with ``p`` of eight, the two of the shape.

    Parameters
    ----------
    bins : Bins
        Of one sweep.
    sigma : (1, m) float64, A
    probe : Probe
    """

    bins: Bins
    sigma: Floats
    probe: Probe
    _last: tuple[bytes, Floats, Floats] | None = field(default=None, init=False, repr=False)

    def residual(self, p: Floats) -> Floats:
        """Return what is left over of each bin, and of what is known before, in sigma."""
        return self._evaluated(p)[0]

    def jacobian(self, p: Floats) -> Floats:
        """Return the derivatives of `residual` by ``p``."""
        return self._evaluated(p)[1]

    def residual_of_one(self, q: Floats) -> Floats:
        """Return `residual` for one temperature: ``p`` without its fifth and sixth."""
        return self._evaluated(_one(q))[0]

    def jacobian_of_one(self, q: Floats) -> Floats:
        """Return the derivatives of `residual_of_one`."""
        return np.delete(self._evaluated(_one(q))[1], [4, 5], axis=1)

    def _evaluated(self, p: Floats) -> tuple[Floats, Floats]:
        # who fits asks for both at the same place, one after the other
        if self._last is None or self._last[0] != p.tobytes():
            self._last = (p.tobytes(), *self._evaluate(p))
        return self._last[1:]

    def _evaluate(self, p: Floats) -> tuple[Floats, Floats]:
        theta, by_p = cold_hot_ions(p)
        three = np.repeat(self.bins.bias, 3, axis=0), np.repeat(self.bins.spread, 3, axis=0)
        shares = np.array([1.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        value, jac, _ = fit.model(theta, *three, self.probe, shares=shares)
        left = (self.bins.current[0] - value.sum(0)) / self.sigma[0]
        slopes = -np.tensordot(jac, by_p, ((0, 1), (0, 1))) / self.sigma[0][:, None]
        some = slice(p.size - 4)
        off = _PRIOR_ROOT[some] * (p[_PRIOR_OF[some]] - _PRIOR_MEAN[some])
        stiff = _PRIOR_ROOT[some, None] * np.eye(p.size)[_PRIOR_OF[some]]
        return np.concatenate([left, off]), np.concatenate([slopes, stiff])


def _one(q: Floats) -> Floats:
    return np.concatenate([q[:4], _ALONE, q[4:]])


def cold_hot_ions(p: Floats) -> tuple[Floats, Floats]:
    """Return theta (3, 7) of cold electrons, hot ones and ions, and its derivatives (3, 7, p).

    The ions see the harmonic mean of the temperatures, weighted by density.
    """
    hot = 1.0 / (1.0 + math.exp(-p[5]))
    # what either adds to 1/Te of the ions
    by_cold, by_hot = (1.0 - hot) * math.exp(-p[1]), hot * math.exp(-p[1] - p[4])
    mean = by_cold + by_hot
    theta, by_p = np.zeros((3, fit.N_SHAPED)), np.zeros((3, fit.N_SHAPED, p.size))
    theta[:, LN_NE] = p[0] + math.log1p(-hot), p[0] + math.log(hot), p[0]
    by_p[:, LN_NE, 0] = 1.0
    by_p[:, LN_NE, 5] = -hot, 1.0 - hot, 0.0
    theta[:, LN_TE] = p[1], p[1] + p[4], -math.log(mean)
    by_p[:, LN_TE, 1] = 1.0
    by_p[:, LN_TE, 4] = 0.0, 1.0, by_hot / mean
    by_p[2, LN_TE, 5] = (hot * by_cold - (1.0 - hot) * by_hot) / mean
    alike = [(VP, 2), (LN_R, 3), (ION_SLOPE, 6), (SATURATION, 7)]
    for column, k in alike[: p.size - 4]:
        theta[:, column] = p[k]
        by_p[:, column, k] = 1.0
    return theta, by_p
