"""The scale of a source file: steps from recorded integers to physical values.

These are the file's own scales (``NI_Scale[...]`` of a TDMS file, ``sampling`` factors of an
archive), stored with the raw integers and applied on reading. They are not calibrations, see
:mod:`ishtar.calibration`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import IshtarError

Step = Mapping[str, Any]


class ScaleError(IshtarError, ValueError):
    """A scale step is unknown or incomplete."""


def _linear(x: NDArray[np.float64], step: Step) -> NDArray[np.float64]:
    return x * float(step["slope"]) + float(step["intercept"])


def _polynomial(x: NDArray[np.float64], step: Step) -> NDArray[np.float64]:
    return np.asarray(
        np.polynomial.polynomial.polyval(x, np.asarray(step["coefficients"], dtype=float))
    )


def _table(x: NDArray[np.float64], step: Step) -> NDArray[np.float64]:
    return np.asarray(
        np.interp(x, np.asarray(step["x"], dtype=float), np.asarray(step["y"], dtype=float))
    )


STEPS = {"linear": _linear, "polynomial": _polynomial, "table": _table}


def check_scale(scale: Sequence[Step]) -> None:
    """Raise `ScaleError` if a step is unknown to `apply_scale`."""
    for step in scale:
        if step.get("kind") not in STEPS:
            raise ScaleError(
                f"unknown scale type {step.get('kind')!r} (known: {', '.join(sorted(STEPS))}): "
                "add it to ishtar/store/scale.py"
            )


def apply_scale(raw: NDArray[Any], scale: Sequence[Step]) -> NDArray[np.float64]:
    """Apply the file's scale steps, in order.

    Parameters
    ----------
    raw : (...,) any real dtype
        Values as recorded.
    scale : sequence of mappings
        ``{"kind": "linear", "slope": a, "intercept": b}``,
        ``{"kind": "polynomial", "coefficients": [c0, c1, ...]}`` (ascending powers) or
        ``{"kind": "table", "x": [...], "y": [...]}`` (x ascending).

    Returns
    -------
    (...,) float64
        Values in the unit that the file states.

    Raises
    ------
    ScaleError
        A step is unknown.
    """
    check_scale(scale)
    out = np.asarray(raw, dtype=np.float64)
    for step in scale:
        out = STEPS[step["kind"]](out, step)
    return out
