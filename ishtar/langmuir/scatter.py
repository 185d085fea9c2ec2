"""How much neighbouring sweeps scatter, beside how much their error bars say that they should.

What no fit of one sweep can see (a density that drifts or fluctuates while the bias is swept, what
is left of pick-up) makes each sweep wrong in another way. It shows when sweeps are compared: by
Birge's ratio, the root of χ² per degree of freedom, of a parabola through the neighbours: what the
plasma changes by from sweep to sweep is smooth.

References
----------
R. T. Birge, Phys. Rev. 40, 207 (1932).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEIGHBOURS = 5  # sweeps on either side
FEWEST = 6  # sweeps with which a line says anything
ENOUGH = 9  # and a parabola


def scatter_of(time: Floats, value: Floats, sigma: Floats) -> Floats:
    """Return the scatter of each sweep's neighbours about a smooth curve, as a sigma of that sweep.

    Parameters
    ----------
    time : (n,) float64, s
        Middle of each sweep, rising.
    value, sigma : (n,) float64
        A quantity and its error bars, without what all sweeps have in common; NaN where there is
        none.

    Returns
    -------
    (n,) float64
        ``sigma`` times Birge's ratio; NaN with fewer than `FEWEST` of them.
    """
    n = value.size
    good = np.isfinite(value) & np.isfinite(sigma) & (sigma > 0.0)
    known = np.flatnonzero(good)
    out = np.full(n, np.nan)
    if known.size < FEWEST:
        return out
    t, y, s = time[known], value[known], sigma[known]
    width = min(2 * NEIGHBOURS + 1, known.size)
    # at either end as many as in the middle, from one side
    first = np.clip(np.arange(known.size) - NEIGHBOURS, 0, known.size - width)
    window = first[:, None] + np.arange(width)
    w = 1.0 / s[window]
    x = t[window] - t[:, None]
    x = x / np.maximum(np.abs(x).max(1, keepdims=True), 1e-300)
    order = 2 if width >= ENOUGH else 1
    basis = np.stack([w * x**k for k in range(order + 1)], axis=2)
    left = (w * (y[window] - y[:, None]))[:, :, None]
    normal = np.matmul(basis.transpose(0, 2, 1), basis)
    size = np.sqrt(np.einsum("npp->np", normal))
    normal /= size[:, :, None] * size[:, None, :]
    normal[:, range(order + 1), range(order + 1)] += 1e-9
    right = np.matmul(basis.transpose(0, 2, 1), left)[:, :, 0] / size
    a = np.linalg.solve(normal, right[:, :, None]) / size[:, :, None]
    left = (left - np.matmul(basis, a))[:, :, 0]
    birge2 = (left * left).sum(1) / (width - order - 1)
    # eight degrees of freedom tell it to a quarter only: the mean over the neighbours' curves
    out[known] = np.sqrt(birge2[window].mean(1)) * s
    return out
