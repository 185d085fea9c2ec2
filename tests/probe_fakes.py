"""Records of a swept probe by the model that shares no code with the analysis."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.simulate.probe import Physics, Plasma, Probe, floating_potential, probe_current
from runner.simulate.probe.recorder import triangle

Floats = NDArray[np.float64]

TIP = Probe(radius=0.3e-3, length=5e-3, gas="Ar")
KNOWN: dict[str, Any] = {"area": TIP.area, "radius": TIP.radius, "length": TIP.length, "gas": "Ar"}
NE, TE, VP = 1e17, 4.0, 12.0  # r/λ_D is 6.4
LOW, HIGH = -44.0, 28.0
SAMPLES, DT = 400, 1e-5
BIAS_NOISE = 0.02  # V


@dataclass(frozen=True, kw_only=True)
class Shot:
    """What was really there, and what was recorded of it."""

    bias: Floats
    current: Floats
    dt: float = field(default=DT)

    @property
    def time(self) -> Floats:
        """Time of each sample from the first one on, s."""
        return self.dt * np.arange(self.bias.size)


def shot(
    sweeps: int,
    *,
    te: Any = TE,
    ne: Any = NE,
    vp: Any = VP,
    noise: float = 3e-4,
    seed: int = 1,
    samples: int = SAMPLES,
    physics: Physics | None = None,
    probe: Probe = TIP,
    on_probe: Floats | float = 0.0,
    ends: tuple[float, float] = (LOW, HIGH),
) -> Shot:
    """Return a record of some sweeps; ``on_probe``, V, moves the probe unseen by the recorder."""
    bias = triangle(*ends, samples, sweeps)
    current = probe_current(bias + on_probe, Plasma(ne=ne, te=te, vp=vp), probe, physics)
    return noisy(Shot(bias=bias, current=current), noise, seed)


def noisy(clean: Shot, noise: float, seed: int) -> Shot:
    """Return a record with white noise, of the current in units of the largest one."""
    rng = np.random.default_rng(seed)
    n, size = clean.bias.size, noise * np.abs(clean.current).max()
    return replace(
        clean,
        bias=clean.bias + BIAS_NOISE * rng.normal(size=n),
        current=clean.current + size * rng.normal(size=n),
    )


def vf_of(te: float = TE, ne: float = NE, vp: float = VP, physics: Physics | None = None) -> float:
    """Return the floating potential, V."""
    return float(floating_potential(Plasma(ne=ne, te=te, vp=vp), TIP, physics))
