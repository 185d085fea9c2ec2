"""What every step of a calibration has in common, built in or a facility's own.

A step takes what a device gave to what the device saw. Beside its equation it may tell how it
carries a small change (``derivative``) and what one sigma of each of its uncertain numbers changes
(``changes``); where it tells neither, both are worked out from its equation by small differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields, replace
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Quiet = Callable[[float, float], Array]
"""Gives a transform the mean of its own input between two times (s), (1,)."""

STEP = float(np.cbrt(np.finfo(float).eps))  # relative; best for a central difference


class Transform(Protocol):
    """A step that takes each sample by itself.

    One that is not ``monotonic`` may have ``turns()``: where its slope changes sign or its values
    begin and end, so that an envelope can be drawn without reading every sample.
    """

    monotonic: ClassVar[bool]

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the calibrated values."""
        ...


@runtime_checkable
class Filter(Protocol):
    """A step that takes each sample with its neighbours; it needs regular sampling."""

    def margin(self, dt: float) -> int:
        """Return how many neighbours on each side it needs at a step of ``dt`` (s)."""
        ...

    def filtered(self, x: Array, dt: float) -> Array:
        """Return (n − 2 · margin,) values of (n,) samples."""
        ...

    def changes(self, y: Array) -> Mapping[str, Array]:
        """Return by how much one sigma of each uncertain number changes what was filtered."""
        ...


Step = Transform | Filter


def later(default: Any, **metadata: Any) -> Any:
    """Declare a number that a kind of transform did not have from the beginning.

    Where it is not given it is left out of the transform's identity, so that calibrations written
    before it was invented keep theirs. ``of`` names the number that a sigma belongs to.
    """
    return field(default=default, metadata={"later": True, **metadata})


def refuse(wrong: bool, why: str) -> None:
    """Raise ValueError, for numbers that make no sense."""
    if wrong:
        raise ValueError(why)


def is_said(f: Field[Any], value: Any) -> bool:
    """Tell whether a number counts: not one that came `later` and was not given."""
    return not (f.metadata.get("later") and value == f.default)


def identity(step: Any) -> list[Any]:
    """Return what of a step its results depend on: kind, numbers, and the code of a facility's."""
    numbers = {f.name: getattr(step, f.name) for f in fields(step)}
    said = {f.name: numbers[f.name] for f in fields(step) if is_said(f, numbers[f.name])}
    source = getattr(type(step), "source_digest", "")
    return [type(step).__name__, said, *([source] if source else [])]


def derivative(step: Any, x: Array, quiet: Quiet) -> Array | float:
    """Return ∂y/∂x of a step, sample by sample."""
    if hasattr(step, "derivative"):
        found: Array | float = step.derivative(x)
        return found
    if not x.size:
        return 0.0
    finite = np.abs(x[np.isfinite(x)])
    h = STEP * np.maximum(np.abs(x), float(finite.max(initial=0.0)) * 1e-3 or 1.0)
    return np.asarray((step.apply(x + h, quiet) - step.apply(x - h, quiet)) / (2 * h))


def changes(step: Any, x: Array, quiet: Quiet) -> Mapping[str, Array]:
    """Return by how much one sigma of each uncertain number of a step changes its values.

    A facility's own transform has a field ``sigma_NAME`` for the field ``NAME`` and no more.
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
    """Return the numbers of a step that state a sigma, by the names that `changes` gives them."""
    if hasattr(step, "changes"):
        return tuple(step.changes(np.empty(0)))
    sigmas = [f.name for f in fields(step) if f.name.startswith("sigma_")]
    return tuple(name.removeprefix("sigma_") for name in sigmas if getattr(step, name))
