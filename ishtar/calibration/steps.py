"""The interface of calibration steps, built in or a facility's own.

A step maps a device's output to its input. Besides its equation it may define ``derivative`` and
``changes`` (the change by one sigma of each of its uncertain numbers); the defaults of both are
finite differences of the equation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Quiet = Callable[[float, float], Array]
"""Return the mean of a transform's own input between two times (s), (1,)."""

STEP = float(np.cbrt(np.finfo(float).eps))  # relative; optimal for a central difference


class Transform(Protocol):
    """A step that maps each sample on its own.

    One that is not ``monotonic`` may have ``turns()``: the x at which its slope changes sign or its
    values begin and end, so that min/max follow without reading every sample.
    """

    monotonic: ClassVar[bool]

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the calibrated values."""
        ...


@runtime_checkable
class Filter(Protocol):
    """A step that maps each sample with its neighbours; it needs regular sampling."""

    def margin(self, dt: float) -> int:
        """Return the number of samples that a value needs on each side, at a step ``dt`` (s)."""
        ...

    def filtered(self, x: Array, dt: float) -> Array:
        """Return (n − 2 · margin,) values of (n,) samples."""
        ...

    def changes(self, y: Array) -> Mapping[str, Array]:
        """Return the change of the filtered values by one sigma of each uncertain number."""
        ...


Step = Transform | Filter


def later(default: Any, **metadata: Any) -> Any:
    """Return a dataclass field that was added to a transform after its first release.

    It is left out of the transform's identity if it is not given, so that older calibrations keep
    theirs. The metadata ``of`` names the number that a sigma belongs to.
    """
    return field(default=default, metadata={"later": True, **metadata})


def refuse(wrong: bool, why: str) -> None:
    """Raise ValueError with the reason if a condition on the numbers is violated."""
    if wrong:
        raise ValueError(why)


def counts(f: Field[Any], value: Any) -> bool:
    """Return whether a number is part of the identity: False for a `later` field not given."""
    return not (f.metadata.get("later") and value == f.default)


def identity(step: Any) -> list[Any]:
    """Return what a step's results depend on: kind, numbers, and the code if a facility's own."""
    numbers = {f.name: getattr(step, f.name) for f in fields(step)}
    given = {f.name: numbers[f.name] for f in fields(step) if counts(f, numbers[f.name])}
    source = getattr(type(step), "source_digest", "")
    return [type(step).__name__, given, *([source] if source else [])]


def derivative(step: Any, x: Array, quiet: Quiet) -> Array | float:
    """Return ∂y/∂x of a step, sample by sample.

    Parameters
    ----------
    step : Transform
        The step.
    x : (n,) float64
        Its input.
    quiet : callable
        As for `Transform.apply`.

    Returns
    -------
    (n,) float64 or float
        In units out per unit in.
    """
    if hasattr(step, "derivative"):
        found: Array | float = step.derivative(x)
        return found
    if not x.size:
        return 0.0
    finite = np.abs(x[np.isfinite(x)])
    h = STEP * np.maximum(np.abs(x), float(finite.max(initial=0.0)) * 1e-3 or 1.0)
    return np.asarray((step.apply(x + h, quiet) - step.apply(x - h, quiet)) / (2 * h))


def changes(step: Any, x: Array, quiet: Quiet) -> Mapping[str, Array]:
    """Return the change of a step's values by one sigma of each of its uncertain numbers.

    Without a method ``changes``, a field ``sigma_NAME`` is the sigma of the field ``NAME``.

    Parameters
    ----------
    step : Transform
        The step.
    x : (n,) float64
        Its input.
    quiet : callable
        As for `Transform.apply`.

    Returns
    -------
    mapping of str to (n,) float64
        The changes by name of the number, in units out.
    """
    if hasattr(step, "changes"):
        found: Mapping[str, Array] = step.changes(x)
        return found
    named = {f.name: getattr(step, f.name) for f in fields(step)}
    pairs = {n.removeprefix("sigma_"): s for n, s in named.items() if n.startswith("sigma_") and s}
    differences = {}
    for name, sigma in pairs.items():
        up, down = (replace(step, **{name: named[name] + h}) for h in (sigma, -sigma))
        differences[name] = (up.apply(x, quiet) - down.apply(x, quiet)) / 2
    return differences


def stated(step: Any) -> tuple[str, ...]:
    """Return the names of a step's numbers that have a sigma, as in `changes`."""
    if hasattr(step, "changes"):
        return tuple(step.changes(np.empty(0)))
    sigmas = [f.name for f in fields(step) if f.name.startswith("sigma_")]
    return tuple(name.removeprefix("sigma_") for name in sigmas if getattr(step, name))
