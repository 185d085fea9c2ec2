"""Results of the analysis of many sweeps, one entry per sweep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.model import N_SHAPED

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.intp]

QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat")
KEYS = (*QUANTITIES, "reduction", "Te_hot", "hot_fraction")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Results of many sweeps, each array with one entry per sweep.

    ``value`` and all sigmas have the keys of :data:`KEYS`: ``fit_sigma`` by the fit of the sweep,
    ``noise_sigma`` the part of it that varies from sweep to sweep, ``scatter_sigma`` the scatter of
    neighbouring sweeps; ``sigma`` includes the larger of these two. ``knee`` is the radius over the
    Debye length for the attracted electrons; ``theta`` (n, 10) is the fit, its last two columns NaN
    with one temperature; ``chi2`` per degree of freedom; ``model_error`` the relative misfit beyond
    noise; ``outliers`` the number of excluded samples; ``note`` causes other than noise that widen
    an error bar.
    """

    value: dict[str, Floats]
    sigma: dict[str, Floats]
    noise_sigma: dict[str, Floats]
    fit_sigma: dict[str, Floats]
    scatter_sigma: dict[str, Floats]
    valid: Flags
    reason: list[str]
    note: list[str]
    chi2: Floats
    model_error: Floats
    noise: Floats
    ripple: Floats
    outliers: Ints
    knee: Floats = field(repr=False)
    theta: Floats = field(repr=False)

    def theory_sigma(self, quantity: str) -> Floats:
        """Return the part of sigma, (n,), that all sweeps share: the uncertainty of the theory."""
        own, fitted = self.noise_sigma[quantity], self.fit_sigma[quantity]
        return np.sqrt(np.maximum(fitted**2 - own**2, 0.0))

    def rows(self, which: slice) -> Table:
        """Return a part of the sweeps."""
        return Table(
            **{of: {q: v[which] for q, v in getattr(self, of).items()} for of in _KEYED},  # type: ignore[arg-type]
            **{name: getattr(self, name)[which] for name in _COLUMNS},
        )

    def refuse(self, row: int, reason: str) -> None:
        """Mark a sweep as invalid and clear its values."""
        self.valid[row], self.reason[row] = False, reason
        self.clear(np.array([row]))

    def clear(self, rows: NDArray[np.intp] | Flags) -> None:
        """Clear values and notes of some sweeps."""
        for of in _KEYED:
            for values in getattr(self, of).values():
                values[rows] = np.nan
        for i in np.arange(self.valid.size)[rows]:
            self.note[i] = ""


_KEYED = ("value", "sigma", "noise_sigma", "fit_sigma", "scatter_sigma")
_COLUMNS = (
    "valid",
    "reason",
    "note",
    "chi2",
    "model_error",
    "noise",
    "ripple",
    "outliers",
    "knee",
    "theta",
)


def empty_table(n: int) -> Table:
    """Return a table of n sweeps without results."""

    def nan() -> Floats:
        return np.full(n, np.nan)

    return Table(
        **{of: {q: nan() for q in KEYS} for of in _KEYED},
        valid=np.zeros(n, bool),
        reason=[""] * n,
        note=[""] * n,
        chi2=nan(),
        model_error=nan(),
        noise=nan(),
        ripple=nan(),
        outliers=np.zeros(n, np.intp),
        knee=nan(),
        theta=np.full((n, N_SHAPED + 2), np.nan),
    )


def concatenated(parts: Sequence[Table]) -> Table:
    """Return the tables concatenated."""
    if not parts:
        return empty_table(0)

    def column(name: str) -> Floats | list[str]:
        columns = [getattr(p, name) for p in parts]
        if isinstance(columns[0], list):
            return [entry for c in columns for entry in c]
        return np.concatenate(columns)

    def keyed(of: str) -> dict[str, Floats]:
        return {q: np.concatenate([getattr(p, of)[q] for p in parts]) for q in KEYS}

    return Table(
        **{of: keyed(of) for of in _KEYED},  # type: ignore[arg-type]
        **{name: column(name) for name in _COLUMNS},  # type: ignore[arg-type]
    )
