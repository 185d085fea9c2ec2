"""Published currents of a cylindrical probe, as tables and formulas, and their exact limits.

All are dimensionless: the potential over the electron temperature in, the current over a random
flux out. The electrons' unit is ``e n A √(e Te/2π mₑ)``, the ions' ``e n A √(e Te/2π mᵢ)``.

References
----------
.. [1] J. G. Laframboise, *Theory of spherical and cylindrical Langmuir probes in a collisionless
   Maxwellian plasma at rest*, UTIAS Report 100, Toronto (1966), table 6c.
.. [2] F. F. Chen, Phys. Plasmas 8, 3029 (2001), eq. 7 and table I.
.. [3] H. M. Mott-Smith and I. Langmuir, Phys. Rev. 28, 727 (1926).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

RHO_MAX: Final = 100.0
"""Largest radius over Debye length that the sources cover."""

_RHO: Final = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0, 100.0)
_X: Final = (0.1, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 25.0)
_O = math.nan  # equal to the limit without space charge within the digits of the table
_N = -1.0  # not in the table

# One row per _RHO, one column per _X. Copies of the table print 2.247 at (2, 3), which exceeds the
# orbital limit: a misprint, replaced by the limit.
_TABLE_6C: Final = (
    (_O, _O, _O, _O, _O, _O, _O, _O, _O, _O, _O, _O, _O),
    (_O, _O, _O, _O, _O, _O, _O, _O, _O, 3.735, 4.493, 5.141, 5.711),
    (_O, _O, _O, _O, _O, _O, _O, 2.750, 3.266, 3.703, 4.439, 5.060, 5.607),
    (_O, _O, _O, _O, _O, _O, 2.237, 2.731, 3.227, 3.645, 4.342, 4.936, 5.462),
    (_O, _O, _O, _O, 1.754, 1.928, 2.226, 2.701, 3.174, 3.567, 4.235, 4.789, 5.291),
    (_O, _O, _O, 1.554, 1.747, 1.913, 2.192, 2.626, 3.050, 3.402, 3.990, 4.489, 4.926),
    (_O, 1.2100, 1.371, 1.549, 1.735, 1.893, 2.151, 2.544, 2.920, 3.231, 3.749, 4.183, 4.565),
    (1.0803, 1.208, 1.362, 1.523, 1.677, 1.798, 1.98, 2.22, 2.442, 2.622, 2.919, 3.166, 3.384),
    (_N, 1.205, 1.348, 1.486, 1.605, 1.689, 1.801, 1.940, 2.060, 2.157, 2.319, 2.455, 2.576),
    (_N, _N, _N, _N, _N, _N, _N, _N, _N, _N, 2.082, 2.177, 2.262),
    (_N, _N, _N, _N, _N, _N, _N, _N, _N, _N, _N, 2.025, 2.092),
    (_N, 1.198, 1.327, 1.439, 1.523, 1.576, 1.638, 1.703, 1.756, 1.798, 1.868, 1.929, 1.983),
    (_N, 1.194, 1.314, 1.409, 1.478, 1.518, 1.561, 1.599, 1.628, 1.650, 1.686, 1.719, 1.747),
)

_FAR: Final = 200.0  # (V − Vp)/Te up to which the table is extrapolated
_N_X: Final = 1500
_N_RHO: Final = 240


def orbital_limit(x: ArrayLike) -> Floats:
    """Return the current of attracted particles to an infinitely thin cylinder, exact [3]_.

    ``2√(x/π) + exp(x) erfc(√x)`` for a Maxwellian at rest.

    Parameters
    ----------
    x : array_like
        Attracting potential over the temperature of the particles, ≥ 0.
    """
    from scipy.special import erfcx

    root = np.sqrt(np.asarray(x, float))
    return np.asarray(2.0 / math.sqrt(math.pi) * root + erfcx(root))


def attracted_electrons(x: ArrayLike, rho: ArrayLike) -> Floats:
    """Return Laframboise's current of the attracted electrons to a cylinder, Ti = Te [1]_.

    His table divided by `orbital_limit`, interpolated monotonically (PCHIP) in x and in ln ρ. The
    table has three to five digits; its values at ρ ≤ 1 are those of the limit. Missing
    values at ρ = 30 and 40 are interpolated between 20 and 50, and at x = 0.1, where the deficit
    against the limit grows with x² (0.1 % at ρ = 50), taken from x = 0.3. Above x = 25 the last
    power law is extrapolated.

    Parameters
    ----------
    x : array_like
        (V − Vp)/Te ≥ 0.
    rho : array_like
        Probe radius over Debye length, at most `RHO_MAX`; broadcast against ``x``.

    Raises
    ------
    ValueError
        For ρ above `RHO_MAX`.
    """
    x, rho = np.asarray(x, float), checked_rho(rho)
    column = np.log1p(np.minimum(x, _FAR)) * ((_N_X - 1) / math.log1p(_FAR))
    row = np.log(np.maximum(rho, 0.5) / 0.5) * ((_N_RHO - 1) / math.log(RHO_MAX / 0.5))
    return np.asarray(orbital_limit(x) * np.exp(interpolated(_fine_table(), row, column)))


def interpolated(table: Floats, row: Floats, column: Floats) -> Floats:
    """Return a table at fractional indices by bilinear interpolation."""
    i = np.minimum(row.astype(np.intp), table.shape[0] - 2)
    j = np.minimum(column.astype(np.intp), table.shape[1] - 2)
    u, v = row - i, column - j
    lower = (1.0 - v) * table[i, j] + v * table[i, j + 1]
    upper = (1.0 - v) * table[i + 1, j] + v * table[i + 1, j + 1]
    return np.asarray((1.0 - u) * lower + u * upper)


@cache
def laframboise_table() -> tuple[Floats, Floats, Floats]:
    """Return ρ (13,), x (13,) and the table 6c (13, 13), with the gaps filled as described."""
    from scipy.interpolate import PchipInterpolator

    rho, x = np.array(_RHO), np.array(_X)
    limit = orbital_limit(x)
    values = np.array(_TABLE_6C)
    values = np.where(np.isnan(values), limit, values)
    short = values[:, 0] < 0.0
    values[short & (values[:, 1] > 0.0), 0] = 0.0  # filled below; the others like any gap
    for j in range(1, x.size):
        known = values[:, j] > 0.0
        ratio = np.log(values[known, j] / limit[j])
        fill = PchipInterpolator(np.log(rho[known]), ratio)(np.log(rho[~known]))
        values[~known, j] = limit[j] * np.exp(fill)
    deficit = np.log(values[:, 1] / limit[1])
    values[short, 0] = limit[0] * np.exp(deficit[short] * (x[0] / x[1]) ** 2)
    return rho, x, values


@cache
def _fine_table() -> Floats:
    """Return the logarithm of table over limit, (`_N_RHO`, `_N_X`), even in ln ρ and ln(1 + x)."""
    from scipy.interpolate import PchipInterpolator

    rho, x, values = laframboise_table()
    ratio = np.log(values / orbital_limit(x))
    w = np.log1p(x)
    slope = (ratio[:, -1] - ratio[:, -2]) / (w[-1] - w[-2])
    far = ratio[:, -1] + slope * (math.log1p(_FAR) - w[-1])
    # mirrored at x = 0, where all curves leave with the limit's own slope
    nodes = np.concatenate([-w[2::-1], [0.0], w, [math.log1p(_FAR)]])
    none = np.zeros((rho.size, 1))
    wide = np.hstack([ratio[:, 2::-1], none, ratio, far[:, None]])
    fine = PchipInterpolator(nodes, wide, axis=1)(np.linspace(0.0, math.log1p(_FAR), _N_X))
    thin = np.zeros((1, _N_X))
    at = np.concatenate([[0.5], rho])
    grid = np.exp(np.linspace(math.log(0.5), math.log(RHO_MAX), _N_RHO))
    return np.asarray(PchipInterpolator(np.log(at), np.vstack([thin, fine]))(np.log(grid)))


def chen_ions(eta: ArrayLike, rho: ArrayLike) -> Floats:
    """Return Laframboise's current of cold ions (Ti ≪ Te) to a cylinder by Chen's formula [2]_.

    ::

        1/i⁴ = 1/(A η^B)⁴ + 1/(C η^D)⁴
        A = 1.12 + 1/(1/(0.00034 ρ^6.87) − 1/(0.145 ln(ρ/110)))
        B = 0.50 + 0.008 ρ^1.50 exp(−0.180 ρ^0.80)
        C = 1.07 + 0.95 ρ^−1.01
        D = 0.05 + 1.54 ρ^0.30 exp(−1.135 ρ^0.370)

    For 2 ≤ η ≤ 25 it is within 6 % of the solution itself, `cold_ions.cold_ions`, and within 3 %
    of the orbital limit for thin wires.

    Parameters
    ----------
    eta : array_like
        (Vp − V)/Te; no ions where it is negative.
    rho : array_like
        Probe radius over electron Debye length, at most `RHO_MAX`; broadcast against ``eta``.

    Raises
    ------
    ValueError
        For ρ above `RHO_MAX`.
    """
    eta, rho = np.asarray(eta, float), np.maximum(checked_rho(rho), 1e-3)
    a = 1.12 + 1.0 / (1.0 / (0.00034 * rho**6.87) - 1.0 / (0.145 * np.log(rho / 110.0)))
    b = 0.50 + 0.008 * rho**1.50 * np.exp(-0.180 * rho**0.80)
    c = 1.07 + 0.95 * rho**-1.01
    d = 0.05 + 1.54 * rho**0.30 * np.exp(-1.135 * rho**0.370)
    up = np.maximum(eta, 1e-12)
    i = ((a * up**b) ** -4.0 + (c * up**d) ** -4.0) ** -0.25
    return np.asarray(np.where(eta > 0.0, i, 0.0))


def checked_rho(rho: ArrayLike) -> Floats:
    """Return ρ as an array; raise ValueError above the largest value of the sources."""
    rho = np.asarray(rho, float)
    if np.any(rho > RHO_MAX * (1.0 + 1e-9)):
        raise ValueError(
            f"radius over Debye length is {rho.max():.4g}, the tables end at {RHO_MAX:g}; "
            "choose a thinner probe or a lower density"
        )
    return np.asarray(np.minimum(rho, RHO_MAX))
