"""Electrons of a magnetised plasma, which reach a probe only by diffusion across the field.

Fast electrons have a larger gyroradius and are impeded less, so that the characteristic is reduced
at the plasma potential and less steep below it: its shape changes, not only a factor as in the
analysis.

References
----------
.. [1] R. R. Arslanbekov, N. A. Khromov and A. A. Kudryavtsev, Plasma Sources Sci. Technol. 3,
   528 (1994).
.. [2] Tsv. K. Popov et al., Plasma Phys. Control. Fusion 51, 065014 (2009).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MASS_OVER_CHARGE: Final = 9.1093837015e-31 / 1.602176634e-19  # kg/C, of an electron
_NODES: Final = 80
_DEEP: Final = 80.0  # (Vp − V)/Te above which the reduction is constant


def magnetised_electrons(x: Floats, above: Floats, psi0: float) -> Floats:
    """Return the electron current over the random current [1]_, [2]_.

    ::

        i = ∫ (w − η) e^−w / (1/F + ψ(w) (w − η)/w) dw  from η,   ψ(w) = ψ0/√w,   η = max(−x, 0)

    w is an electron's energy over T_e. Without ψ it is ``F e^−η``. Below the plasma potential
    F = 1 and this is the published formula; above, F is the current through the sheath alone, in
    series with the diffusion.

    Parameters
    ----------
    x : ndarray
        (V − Vp)/Te.
    above : ndarray
        F, of the shape of ``x`` or broadcast with it; 1 where x < 0.
    psi0 : float
        ψ at w = 1.
    """
    eta = np.maximum(-x, 0.0)
    below, over, sheath = _tables(psi0)
    depth = np.minimum(eta, _DEEP) * ((below.size - 1) / _DEEP)
    # linear between steps of 0.01 T_e
    k = np.minimum(depth.astype(np.intp), below.size - 2)
    part = depth - k
    retarded = np.exp(-eta) * ((1.0 - part) * below[k] + part * below[k + 1])
    attracted = np.interp(above, sheath, over)
    return np.asarray(np.where(x < 0.0, retarded, attracted))


def diffusion_parameter(te: float, field: float, radius: float, length: float) -> float:
    """Return ψ at the energy of T_e for a cylinder across the field [2]_.

    ::

        ψ = r ln(π L/4 r)/(γ R_L),   R_L = √(2 m T_e/e)/B

    with γ = 1; it is 0.71 to 4/3, depending on r over the Debye length.

    Parameters
    ----------
    te : float
        Electron temperature, eV.
    field : float
        Flux density, T.
    radius, length : float
        Dimensions of the cylinder, m; slender, L > 4 r.
    """
    gyroradius = math.sqrt(2.0 * _MASS_OVER_CHARGE * te) / field
    return radius * math.log(math.pi * length / (4.0 * radius)) / gyroradius


def reduction(eta: Floats, psi0: float, sheath: float | Floats = 1.0) -> Floats:
    """Return the integral over e^−η by quadrature; with `sheath` the F of `magnetised_electrons`.

    In t = √(w − η), in which the integrand is smooth, by Gauss and Legendre.
    """
    eta, sheath = np.broadcast_arrays(np.asarray(eta, float), np.asarray(sheath, float))
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    t = 3.5 * (nodes + 1.0)  # neglects e^−49 of the current
    s = t * t
    w = s + eta[..., None]
    psi = psi0 / np.sqrt(w)
    value = 2.0 * t * s * np.exp(-s) / (1.0 / sheath[..., None] + psi * s / w)
    return np.asarray(value @ (3.5 * weights))


@lru_cache(maxsize=16)
def _tables(psi0: float) -> tuple[Floats, Floats, Floats]:
    """Return the reduction by η (in steps of 0.01) and, at η = 0, by F, with the F."""
    eta = np.linspace(0.0, _DEEP, round(_DEEP / 0.01) + 1)
    sheath = np.linspace(1.0, 30.0, 3000)
    if not (psi0 > 0.0 and math.isfinite(psi0)):
        raise ValueError(f"psi0 is {psi0}; give a positive number")
    return reduction(eta, psi0), reduction(np.zeros(sheath.size), psi0, sheath), sheath
