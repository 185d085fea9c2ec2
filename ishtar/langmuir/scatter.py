"""The scatter of neighbouring sweeps compared with their error bars.

Some errors are invisible to the fit of one sweep: a density that drifts or fluctuates during the
sweep, residual pick-up. They differ from sweep to sweep, while the plasma changes smoothly. Birge's
ratio, the square root of χ² per degree of freedom, of a parabola through the neighbours shows them.

References
----------
R. T. Birge, Phys. Rev. 40, 207 (1932).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEIGHBOURS = 5  # sweeps on either side
MIN_LINE = 6  # sweeps for a line
MIN_PARABOLA = 9  # sweeps for a parabola


def scatter_of(time: Floats, value: Floats, sigma: Floats) -> Floats:
    """Return the scatter of each sweep's neighbours about a smooth curve, as a sigma of that sweep.

    Parameters
    ----------
    time : (n,) float64, s
        Middle of each sweep, increasing.
    value, sigma : (n,) float64
        A quantity and its error bars without the part that all sweeps share; NaN if invalid.

    Returns
    -------
    (n,) float64
        ``sigma`` times Birge's ratio; NaN with fewer than `MIN_LINE` valid sweeps.
    """
    n = value.size
    good = np.isfinite(value) & np.isfinite(sigma) & (sigma > 0.0)
    known = np.flatnonzero(good)
    out = np.full(n, np.nan)
    if known.size < MIN_LINE:
        return out
    t, y, s = time[known], value[known], sigma[known]
    width = min(2 * NEIGHBOURS + 1, known.size)
    # one-sided windows of full width at the ends
    first = np.clip(np.arange(known.size) - NEIGHBOURS, 0, known.size - width)
    window = first[:, None] + np.arange(width)
    w = 1.0 / s[window]
    x = t[window] - t[:, None]
    x = x / np.maximum(np.abs(x).max(1, keepdims=True), 1e-300)
    order = 2 if width >= MIN_PARABOLA else 1
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
    # with eight degrees of freedom it is accurate to a quarter only: average over the neighbours
    out[known] = np.sqrt(birge2[window].mean(1)) * s
    return out
