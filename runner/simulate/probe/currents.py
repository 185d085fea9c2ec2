"""The current of a Langmuir probe in a plasma that may violate assumptions of the analysis.

A second forward model that shares no code with `ishtar.langmuir`: a reference for the analysis must
be independent of it. `probe_current` adds the electron and the ion current; each field of `Physics`
is an effect that the model of the analysis neglects.

References
----------
.. [1] R. R. Arslanbekov, N. A. Khromov and A. A. Kudryavtsev, Plasma Sources Sci. Technol. 3,
   528 (1994); Tsv. K. Popov et al., Plasma Phys. Control. Fusion 51, 065014 (2009), eq. 2.
.. [2] N. St. J. Braithwaite and J. E. Allen, J. Phys. D 21, 1733 (1988): Bohm's criterion with two
   electron temperatures.
.. [3] H. M. Mott-Smith and I. Langmuir, Phys. Rev. 28, 727 (1926); W. R. Hoegy and L. E. Wharton,
   J. Appl. Phys. 44, 5365 (1973): a cylinder in a drifting plasma.
.. [4] M. A. Lieberman and A. J. Lichtenberg, *Principles of Plasma Discharges*, 2nd ed., Wiley
   (2005), sec. 6.2 and 6.3: Bohm's flux and Child's law of the sheath's width.
.. [5] I. H. Hutchinson, Plasma Phys. Control. Fusion 44, 1953 (2002): a probe in flowing ions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.gases import gas as gas_of
from runner.simulate.probe.cold_ions import cold_ions
from runner.simulate.probe.magnetised import magnetised_electrons
from runner.simulate.probe.tables import attracted_electrons, chen_ions, orbital_limit

Floats = NDArray[np.float64]
Law = Literal["laframboise", "orbital", "sheath"]
IonLaw = Literal["laframboise", "chen", "orbital", "sheath"]

CHARGE: Final = 1.602176634e-19  # C
ELECTRON_MASS: Final = 9.1093837015e-31  # kg
PERMITTIVITY: Final = 8.8541878128e-12  # F/m


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The collecting surface and the gas around it.

    Parameters
    ----------
    radius : float
        Radius of the cylinder or disc, m.
    length : float
        Length of the cylinder, m; one end collects like its side. 0 for a one-sided disc.
    gas : str
        Gas of the singly charged ions.
    """

    radius: float
    length: float
    gas: str = "Ar"

    @property
    def area(self) -> float:
        """Collecting area, m²."""
        return math.pi * self.radius * (2.0 * self.length + self.radius)

    @property
    def ion_mass(self) -> float:
        """Mass of an ion, kg."""
        return gas_of(self.gas).ion_mass


@dataclass(frozen=True, kw_only=True)
class Plasma:
    """The plasma at the probe: numbers, or arrays that broadcast against the bias.

    Parameters
    ----------
    ne : array_like
        Density of the (cold) electrons at the probe, 1/m³.
    te : array_like
        Their temperature, eV.
    vp : array_like
        Plasma potential, V.
    """

    ne: ArrayLike
    te: ArrayLike
    vp: ArrayLike


@dataclass(frozen=True, kw_only=True)
class Physics:
    """The laws of collection, and further effects.

    Parameters
    ----------
    electrons : {"laframboise", "orbital", "sheath"}
        Law of the attracted electrons: tables of a cylinder; infinitely thin cylinder; random flux
        through the edge of a sheath that widens by Child's law.
    ions : {"laframboise", "chen", "orbital", "sheath"}
        The same for the attracted cold ions: Laframboise's theory solved, Chen's fit to his
        figures, the orbital limit, or Bohm's flux through the sheath's edge.
    hot_share, hot_ratio : float
        Hot share of all electrons, and their temperature over that of the cold ones.
    rf_amplitude : array_like
        Amplitude of a sinusoidal voltage across the sheath, V; the current is averaged over its
        phase.
    psi0 : float
        Diffusion parameter ψ at the energy of the cold T_e: resistance to magnetised electrons
        outside of the sheath over that of the sheath.
    mach_across, mach_along : float
        Flow of the ions over √(e Te/mᵢ), across the cylinder's axis and along it, onto its end.
    secondaries : float
        Electrons emitted by the probe per incident ion.
    """

    electrons: Law = "laframboise"
    ions: IonLaw = "laframboise"
    hot_share: float = 0.0
    hot_ratio: float = 1.0
    rf_amplitude: ArrayLike = 0.0
    psi0: float = 0.0
    mach_across: float = 0.0
    mach_along: float = 0.0
    secondaries: float = 0.0


def debye_length(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return √(ε₀ Te/(e ne)), m, for ne in 1/m³ and Te in eV."""
    return np.asarray(np.sqrt(PERMITTIVITY * np.asarray(te) / (CHARGE * np.asarray(ne))))


def random_flux(te: ArrayLike, mass: float) -> Floats:
    """Return √(e Te/2π m), m/s: the flux to a surface in a Maxwellian plasma over its density."""
    return np.asarray(np.sqrt(CHARGE * np.asarray(te, float) / (2.0 * math.pi * mass)))


def probe_current(
    bias: ArrayLike, plasma: Plasma, probe: Probe, physics: Physics | None = None
) -> Floats:
    """Return the current of a probe, A, electron current positive.

    Parameters
    ----------
    bias : array_like
        Bias of the probe, V; broadcast against the plasma's values.
    plasma, probe, physics
        See these classes; by default Laframboise's cylinder without further effects.

    Returns
    -------
    numpy.ndarray
        float64, shape of the broadcast.
    """
    physics = physics or Physics()

    def total(v: Floats) -> Floats:
        return electron_current(v, plasma, probe, physics) - ion_current(v, plasma, probe, physics)

    amplitude = np.asarray(physics.rf_amplitude, float)
    largest = float(np.max(np.abs(amplitude) / np.asarray(plasma.te, float)))
    if not largest:
        return total(np.asarray(bias, float))
    nodes = min(max(8, math.ceil(24.0 * largest)), 64)
    return phase_mean(total, np.asarray(bias, float), amplitude, nodes)


def phase_mean(
    current: Callable[[Floats], Floats], bias: Floats, amplitude: ArrayLike, nodes: int
) -> Floats:
    """Return the mean of ``current(bias + amplitude sin φ)`` over the phase φ.

    Gauss–Chebyshev: exact to rounding for an exponential (the Bessel function I₀); accurate to
    1e-3 of the current at the knee, whose curvature jumps, with a node per twelfth of T_e.
    """
    amplitude = np.asarray(amplitude, float)
    phase = (2.0 * np.arange(nodes) + 1.0) * math.pi / (2.0 * nodes)
    return np.asarray(sum(current(bias + c * amplitude) for c in np.cos(phase)) / nodes)


def electron_current(bias: ArrayLike, plasma: Plasma, probe: Probe, physics: Physics) -> Floats:
    """Return the electron current without RF, A; of both temperatures if there are two."""
    ne, te, vp = (np.asarray(v, float) for v in (plasma.ne, plasma.te, plasma.vp))
    rise = np.asarray(bias, float) - vp
    n, t = _all_electrons(ne, te, physics)
    rho = probe.radius / debye_length(n, t)
    cold = ne * random_flux(te, ELECTRON_MASS) * _electron_factor(rise / te, rho, probe, physics)
    if physics.hot_share:
        hot_te = physics.hot_ratio * te
        hot = replace(physics, psi0=physics.psi0 / math.sqrt(physics.hot_ratio))
        factor = _electron_factor(rise / hot_te, rho, probe, hot)
        cold = cold + (n - ne) * random_flux(hot_te, ELECTRON_MASS) * factor
    return np.asarray(CHARGE * probe.area * cold)


def ion_current(bias: ArrayLike, plasma: Plasma, probe: Probe, physics: Physics) -> Floats:
    """Return the ion current with secondary electrons, A, positive."""
    ne, te, vp = (np.asarray(v, float) for v in (plasma.ne, plasma.te, plasma.vp))
    # with two temperatures, the cold electrons determine the field that attracts ions [2]_
    n, t = _all_electrons(ne, te, physics)
    rho = probe.radius / debye_length(n, t)
    eta = (vp - np.asarray(bias, float)) / t
    up = np.maximum(eta, 0.0)
    if physics.ions == "sheath":
        # Bohm's flux; closer to Vp, the same cold ions after a smaller fall in the presheath
        speed = np.where(up < 0.5, np.sqrt(2.0 * up) * np.exp(-up), math.exp(-0.5))
        speed = speed * math.sqrt(2.0 * math.pi) * _widening(up, rho, probe)
    elif physics.ions == "orbital":
        speed = 2.0 / math.sqrt(math.pi) * np.sqrt(up)
    elif physics.ions == "chen":
        speed = chen_ions(eta, rho)
    else:
        speed = cold_ions(eta, rho)
    if physics.mach_across and physics.ions == "sheath":
        # Around the probe the flux is ∝ exp(K M cos θ/2), K = 1.34 [5]_; its mean is a Bessel
        # function.
        speed = speed * np.i0(0.5 * 1.34 * physics.mach_across)
    elif physics.mach_across:
        # A cold beam onto a thin cylinder: e n 2rL √(v² + 2eΦ/m), exact [3]_. The same
        # ratio to the current at rest is assumed for thicker ones, for which no law is known.
        beam = np.sqrt(up + 0.5 * physics.mach_across**2)
        speed = np.where(up > 1e-9, speed * beam / np.sqrt(np.maximum(up, 1e-9)), 0.0)
    current = n * random_flux(t, probe.ion_mass) * speed * probe.area
    if physics.mach_along:
        drift = physics.mach_along * np.sqrt(CHARGE * t / probe.ion_mass)
        current = current + np.where(up > 0.0, n * drift * math.pi * probe.radius**2, 0.0)
    return np.asarray(CHARGE * (1.0 + physics.secondaries) * current)


def floating_potential(plasma: Plasma, probe: Probe, physics: Physics | None = None) -> Floats:
    """Return the bias, V, at which `probe_current` is zero, by bisection to 1e-9 V.

    The plasma's values and the RF amplitude have one shape.
    """
    te, vp = np.asarray(plasma.te, float), np.asarray(plasma.vp, float)
    high, low = vp + 0.0 * te, vp - 40.0 * te
    for _ in range(60):
        middle = 0.5 * (low + high)
        positive = probe_current(middle, plasma, probe, physics) > 0.0
        high, low = np.where(positive, middle, high), np.where(positive, low, middle)
    return np.asarray(0.5 * (low + high))


def _all_electrons(ne: Floats, te: Floats, physics: Physics) -> tuple[Floats, Floats]:
    """Return the density of all electrons and their screening temperature, the harmonic mean."""
    share = physics.hot_share
    return ne / (1.0 - share), te / (1.0 - share + share / physics.hot_ratio)


def _electron_factor(x: Floats, rho: Floats, probe: Probe, physics: Physics) -> Floats:
    """Return the electron current over the random current at their temperature."""
    up = np.maximum(x, 0.0)
    if physics.electrons == "sheath":
        above = _widening(up, rho, probe)
    elif physics.electrons == "orbital":
        above = orbital_limit(up)
    else:
        above = np.ones(np.broadcast_shapes(np.shape(up), np.shape(rho)))
        some = np.broadcast_to(up > 0.0, above.shape)
        wide = np.broadcast_to(rho, above.shape)
        above[some] = attracted_electrons(np.broadcast_to(up, above.shape)[some], wide[some])
    if physics.psi0:
        return magnetised_electrons(x, above, physics.psi0)
    return np.asarray(np.exp(np.minimum(x, 0.0)) * above)


def _widening(up: Floats, rho: Floats, probe: Probe) -> Floats:
    """Return the area of the sheath's edge over the area of the probe.

    Child's law, s = λ_D (√2/3) (2 up)^(3/4) [4]_. A cylinder's edge has the radius r + s, a disc's
    s more on all sides.
    """
    width = math.sqrt(2.0) / 3.0 * (2.0 * up) ** 0.75 / rho
    return np.asarray(1.0 + width if probe.length else (1.0 + width) ** 2)
