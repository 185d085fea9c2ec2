"""First-order propagation of independent one-sigma errors through any function."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["propagate"]


def propagate(
    function: Callable[..., Mapping[str, Any]],
    values: Mapping[str, float],
    sigmas: Mapping[str, float],
    *,
    fraction: float = 1e-4,
) -> tuple[dict[str, float], dict[str, float]]:
    """Return ``function(**values)`` and the one-sigma of each of its results.

    ``σ_f² = Σ (∂f/∂x)² σ_x²`` over independent inputs, the derivatives by central differences.

    Parameters
    ----------
    function : callable
        Takes the values by name, returns numbers by name.
    values, sigmas : mapping of str to float
        The inputs and their one-sigmas; an input without a sigma is exact.
    fraction : float
        Step of the differences relative to each value (to its sigma if the value is 0).

    Returns
    -------
    dict, dict
        Values and sigmas by name. A NaN sigma makes the sigmas of all dependent results NaN.
    """
    base = {name: float(v) for name, v in function(**values).items()}
    variance = dict.fromkeys(base, 0.0)
    for name, sigma in sigmas.items():
        if sigma == 0.0:
            continue
        x = values[name]
        step = fraction * (abs(x) or (sigma if math.isfinite(sigma) else 1.0))
        up = function(**{**values, name: x + step})
        # one-sided at 0, where a central difference of |x| would vanish
        down = function(**{**values, name: x - step}) if x else base
        for key in base:
            slope = (float(up[key]) - float(down[key])) / ((2.0 if x else 1.0) * step)
            if slope != 0.0:  # also for NaN; zero times an unknown sigma is zero
                variance[key] += (slope * sigma) ** 2
    return base, {
        k: math.sqrt(v) if math.isfinite(base[k]) else math.nan for k, v in variance.items()
    }
