"""Range of validity of the probe theory, and its uncertainty within."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE

__all__ = ["RHO_OF_TABLES", "THIN_SHEATH", "diffusion_parameter", "ion_uncertainty"]

Floats = NDArray[np.float64]

_THIN = 25.0  # above it results depend on the model of the sheath
THIN_SHEATH = 20.0  # above it a plane sheath also bends the curve at Vp
RHO_OF_TABLES = 100.0  # radius over Debye length at which the tables end


def ion_uncertainty(rho: ArrayLike) -> Floats:
    """Return the relative uncertainty of the ion current theory at ρ.

    Published fits to the same curves differ by some 3 % rms, for orbital motion by 1 %. Towards a
    thin sheath the curves of a collisionless cylinder and Bohm's flux 0.61 n c_s diverge, by 15 %
    and more at ρ = 100, where the tables end.
    """
    rho = np.asarray(rho, float)
    fits = 0.01 + 0.02 * np.minimum(rho / 2.0, 1.0)
    beyond = 0.08 * np.log2(np.maximum(rho / _THIN, 1.0))
    return np.asarray(np.hypot(fits, beyond))


def diffusion_parameter(te: ArrayLike, *, field: float, radius: float, length: float) -> Floats:
    """Return the diffusion parameter ψ0 of a cylinder in a magnetic field at the energy Te.

    Diffusion across the field refills the flux tube of the electrons; ψ0 is its resistance over
    that of the sheath. For a tip across the field ψ0 = r ln(π L/4 r)/(γ R_L), R_L the gyroradius at
    the energy Te, γ between 0.71 and 4/3; we use 1. Without scattering by fluctuations it is
    larger; along the field it is π L/(4 γ R_L). It is accurate to a factor of two. Above about 1 it
    changes Te and Vp.

    Parameters
    ----------
    te : array_like
        Electron temperature, eV.
    field : float
        Magnetic flux density, T; 0 for none.
    radius, length : float
        Of the tip, m.

    Returns
    -------
    float64, shape of ``te``
        Dimensionless.

    References
    ----------
    Tsv. K. Popov et al., Plasma Phys. Control. Fusion 51, 065014 (2009).
    """
    speed = np.sqrt(2.0 * ELEMENTARY_CHARGE * np.asarray(te, float) / ELECTRON_MASS)
    gyration = ELEMENTARY_CHARGE * abs(field) / ELECTRON_MASS / speed  # 1/R_L
    return np.asarray(radius * math.log(max(math.pi * length / (4.0 * radius), math.e)) * gyration)
