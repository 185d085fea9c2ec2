"""The current of cold ions to a cylinder, by solving Poisson's equation.

The theory is that of Bernstein and Rabinowitz [1]_ and, for cold ions, of Laframboise [2]_: no
collisions, Boltzmann electrons, and ions whose energy far away is small but whose angular momentum
is not. Laframboise published figures; the numbers here are the solution itself, `cold_cylinder`, at
the points of a table. `tables.chen_ions` is a fit to his figures and agrees within 6 %.

All lengths are in electron Debye lengths, η = (Vp − V)/Te.

References
----------
.. [1] I. B. Bernstein and I. N. Rabinowitz, Phys. Fluids 2, 112 (1959).
.. [2] J. G. Laframboise, UTIAS Report 100, Toronto (1966), ch. VIII.
.. [3] S. H. Lam, Phys. Fluids 8, 73 (1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.simulate.probe.tables import RHO_MAX, checked_rho, interpolated

Floats = NDArray[np.float64]

RHO: Final = (3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 10.0, 13.0, 17.0, 22.0, 30.0, 40.0, 50.0, 70.0, 100.0)
ETA: Final = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0)

# The current over the orbital limit; one row per RHO, one column per ETA.
RATIO: Final = """
1.0000 1.0000 1.0000 1.0000 1.0000 1.0000 1.0000 0.9819 0.9548 0.9366 0.9236 0.9139 0.9000
1.0000 1.0000 1.0000 1.0000 0.9886 0.9712 0.9423 0.9111 0.8778 0.8564 0.8413 0.8300 0.8140
1.0000 1.0000 1.0000 0.9768 0.9499 0.9269 0.8913 0.8550 0.8174 0.7937 0.7773 0.7649 0.7475
1.0000 0.9951 0.9734 0.9265 0.8883 0.8582 0.8143 0.7714 0.7284 0.7019 0.6835 0.6698 0.6508
1.0000 0.9805 0.9469 0.8870 0.8419 0.8076 0.7586 0.7118 0.6656 0.6372 0.6177 0.6033 0.5831
0.9967 0.9532 0.9053 0.8299 0.7768 0.7375 0.6827 0.6315 0.5816 0.5514 0.5307 0.5155 0.4942
0.9904 0.9318 0.8751 0.7906 0.7328 0.6908 0.6329 0.5792 0.5275 0.4964 0.4751 0.4594 0.4376
0.9817 0.9080 0.8428 0.7499 0.6880 0.6435 0.5830 0.5274 0.4742 0.4423 0.4206 0.4046 0.3823
0.9727 0.8858 0.8135 0.7139 0.6489 0.6027 0.5404 0.4835 0.4294 0.3970 0.3750 0.3588 0.3363
0.9646 0.8666 0.7889 0.6843 0.6172 0.5698 0.5062 0.4485 0.3939 0.3613 0.3392 0.3229 0.3003
0.9559 0.8465 0.7634 0.6543 0.5853 0.5371 0.4726 0.4144 0.3594 0.3267 0.3045 0.2881 0.2654
0.9488 0.8305 0.7435 0.6313 0.5612 0.5124 0.4474 0.3890 0.3339 0.3012 0.2789 0.2626 0.2398
0.9441 0.8197 0.7302 0.6162 0.5455 0.4964 0.4313 0.3728 0.3177 0.2850 0.2627 0.2464 0.2236
0.9381 0.8057 0.7133 0.5972 0.5259 0.4766 0.4114 0.3530 0.2980 0.2654 0.2432 0.2268 0.2041
0.9329 0.7937 0.6988 0.5814 0.5097 0.4604 0.3953 0.3370 0.2822 0.2496 0.2275 0.2112 0.1884
"""

_THIN: Final = 2.5  # up to here the orbital limit is valid for all η of the table
_FLAT: Final = math.log(2.0)  # up to here all turning points are at the probe
_FAR: Final = 200.0
_N_ETA: Final = 1200
_N_RHO: Final = 240


def cold_ions(eta: ArrayLike, rho: ArrayLike) -> Floats:
    """Return the current of cold ions, in units of e n A √(e Te/2π mᵢ).

    The orbital limit 2√(η/π) up to ρ of 2.6 to 4, by η, then less; for ρ → ∞ it would fall to 1.03
    [3]_. The table is interpolated monotonically (PCHIP) in ln ρ and ln(1 + η), to 0.5 %, and to
    1 % where the curves leave the limit; above η = 40 the last power law is extrapolated.

    Parameters
    ----------
    eta : array_like
        (Vp − V)/Te; no ions where it is negative.
    rho : array_like
        Probe radius over electron Debye length, at most `tables.RHO_MAX`; broadcast against
        ``eta``.

    Raises
    ------
    ValueError
        For ρ above that.
    """
    up, rho = np.maximum(np.asarray(eta, float), 0.0), checked_rho(rho)
    row = np.log(np.maximum(rho, _THIN) / _THIN) * ((_N_RHO - 1) / math.log(RHO_MAX / _THIN))
    column = np.log1p(np.minimum(up, _FAR)) * ((_N_ETA - 1) / math.log1p(_FAR))
    ratio = np.exp(interpolated(_fine_table(), row, column))
    return np.asarray(2.0 / math.sqrt(math.pi) * np.sqrt(up) * ratio)


@cache
def _fine_table() -> Floats:
    """Return the logarithm of the ratio, (`_N_RHO`, `_N_ETA`), uniform in ln ρ and ln(1 + η)."""
    from scipy.interpolate import PchipInterpolator

    w, ratio = np.log1p(np.array(ETA)), np.log(np.loadtxt(RATIO.splitlines()))
    slope = (ratio[:, -1] - ratio[:, -2]) / (w[-1] - w[-2])
    far = ratio[:, -1] + slope * (math.log1p(_FAR) - w[-1])
    ones = np.zeros((ratio.shape[0], 2))
    nodes = np.concatenate([[0.0, math.log1p(_FLAT)], w, [math.log1p(_FAR)]])
    wide = np.hstack([ones, ratio, far[:, None]])
    fine = PchipInterpolator(nodes, wide, axis=1)(np.linspace(0.0, math.log1p(_FAR), _N_ETA))
    at = np.log(np.array([_THIN, *RHO]))
    grid = np.linspace(math.log(_THIN), math.log(RHO_MAX), _N_RHO)
    return np.asarray(PchipInterpolator(at, np.vstack([np.zeros((1, _N_ETA)), fine]))(grid))


@dataclass(frozen=True, kw_only=True)
class Sheath:
    """A solution: the potential around all probes that collect the same angular momenta.

    Parameters
    ----------
    absorbed_radius : float
        Radius inside of which no ion has a turning point.
    momentum : float
        Largest collected angular momentum, over √(2 mᵢ e Te) and the Debye length.
    radius, eta : (n,) float64
        The potential, from the absorbed radius inwards.
    """

    absorbed_radius: float
    momentum: float
    radius: Floats
    eta: Floats

    def probe(self, eta: float) -> tuple[float, float]:
        """Return ρ of the probe at a potential, and its current in the unit of `cold_ions`."""
        rho = float(np.interp(eta, self.eta, self.radius))
        return rho, 2.0 / math.sqrt(math.pi) * self.momentum / rho


def cold_cylinder(absorbed_radius: float, eta_max: float = 45.0) -> Sheath:
    """Solve Poisson's equation around a cylinder that attracts cold ions.

    ::

        (1/r) d/dr (r dη/dr) = n(r, η) − exp(−η)
        n = 1 − asin(s)/π  outside,  asin(s)/π  inside the absorbed radius,  s = J/(r √η)

    At the absorbed radius r²η, the square of the angular momentum that can just reach r, has its
    minimum J². Its value there is found by shooting outwards: too large and the potential rises
    again, too small and orbits are blocked further outside. Inwards the equation is integrated
    once. The current is valid for probes for which it is below the orbital limit.

    Parameters
    ----------
    absorbed_radius : float
        In Debye lengths, above 5.6: thinner sheaths block no orbit.
    eta_max : float
        Largest η of the solution.

    Raises
    ------
    ValueError
        There is no such solution.
    """
    low, high = 1e-3, 60.0
    for _ in range(70):
        middle = math.sqrt(low * high)
        rises, shuts = _shoot(absorbed_radius, middle)
        if rises:
            high = middle
        elif shuts:
            low = middle
        else:
            break
    if middle > 40.0:
        raise ValueError(
            f"no orbit is blocked at r = {absorbed_radius:g}: choose a radius above 5.6"
        )
    momentum = absorbed_radius * math.sqrt(middle)

    def deep(_: float, y: Floats) -> float:
        return float(y[0] - eta_max)

    deep.terminal = True  # type: ignore[attr-defined]
    found = _integrate(absorbed_radius, middle, momentum, 1e-2, [deep], inside=True)
    steps = np.linspace(absorbed_radius, found.t[-1], 4000)
    return Sheath(
        absorbed_radius=absorbed_radius, momentum=momentum, radius=steps, eta=found.sol(steps)[0]
    )


def _shoot(radius: float, eta: float) -> tuple[bool, bool]:
    """Return whether the potential rises outwards, and whether it blocks orbits there."""
    momentum = radius * math.sqrt(eta)

    def rises(_: float, y: Floats) -> float:
        return float(y[1])

    def shuts(r: float, y: Floats) -> float:
        return momentum / (r * math.sqrt(max(y[0], 1e-12))) - 1.0000001

    rises.terminal = shuts.terminal = True  # type: ignore[attr-defined]
    found = _integrate(radius, eta, momentum, radius + 60.0, [rises, shuts], inside=False)
    return bool(found.t_events[0].size), bool(found.t_events[1].size)


def _integrate(
    radius: float, eta: float, momentum: float, to: float, events: list[Any], *, inside: bool
) -> Any:
    from scipy.integrate import solve_ivp

    def slope(r: float, y: Floats) -> list[float]:
        depth = max(y[0], 1e-12)
        share = math.asin(min(momentum / (r * math.sqrt(depth)), 1.0)) / math.pi
        ions = share if inside else 1.0 - share
        return [y[1], ions - math.exp(-depth) - y[1] / r]

    return solve_ivp(
        slope,
        (radius, to),
        [eta, -2.0 * eta / radius],
        rtol=1e-10,
        atol=1e-13,
        events=events,
        max_step=0.5,
        dense_output=inside,
    )
