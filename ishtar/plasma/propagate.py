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
    """Return what ``function(**values)`` gives and the one-sigma of each number of it.

    ``σ_f² = Σ (∂f/∂x)² σ_x²`` over independent inputs, the derivatives by central differences.

    Parameters
    ----------
    function : callable
        Takes the values by name, returns numbers by name.
    values, sigmas : mapping of str to float
        The inputs and their one-sigmas; an input without a sigma is taken as exact.
    fraction : float
        Step of the differences in units of each value (of its sigma where the value is 0).

    Returns
    -------
    dict, dict
        Values and sigmas by name. A sigma that is NaN makes all NaN that depend on it.
    """
    base = {name: float(v) for name, v in function(**values).items()}
    variance = dict.fromkeys(base, 0.0)
    for name, sigma in sigmas.items():
        if sigma == 0.0:
            continue
        x = values[name]
        step = fraction * (abs(x) or (sigma if math.isfinite(sigma) else 1.0))
        up = function(**{**values, name: x + step})
        # one-sided at 0, where |x| is as steep as elsewhere but the same on both sides
        down = function(**{**values, name: x - step}) if x else base
        for key in base:
            slope = (float(up[key]) - float(down[key])) / ((2.0 if x else 1.0) * step)
            if slope != 0.0:  # NaN counts; zero times an unknown sigma is zero
                variance[key] += (slope * sigma) ** 2
    return base, {
        k: math.sqrt(v) if math.isfinite(base[k]) else math.nan for k, v in variance.items()
    }
