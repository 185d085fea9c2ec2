"""Samples and envelopes as xarray objects, over time, frequency or sample number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.time_base import Axis, Counted, Regular

if TYPE_CHECKING:
    import xarray

__all__ = ["array_over", "envelope_over"]


def array_over(
    axis: Axis, window: tuple[int, int], values: NDArray[Any], name: str, attrs: dict[str, Any]
) -> xarray.DataArray:
    """Return the samples of ``window`` with their axis as coordinate.

    Times with a constant step are computed, not stored; ``.sel`` finds them only with
    ``method="nearest"``. Frequencies are stored, so that ``.sel(frequency=slice(a, b))`` works, as
    the message of `TimeBaseError` suggests.
    """
    import xarray as xr

    start, stop = window
    if isinstance(axis, Regular) and stop > start:
        from xarray.indexes import RangeIndex

        t0 = float(axis.t0 + axis.dt * start)
        index = RangeIndex.linspace(
            t0, t0 + axis.dt * (stop - start), stop - start, endpoint=False, dim=axis.dim
        )
        coords: Any = xr.Coordinates.from_xindex(index)
    elif isinstance(axis, Counted):
        import pandas as pd

        coords = {axis.dim: pd.RangeIndex(start, max(start, stop))}
    else:
        coords = {axis.dim: axis.places(start, stop)}
    array = xr.DataArray(values, dims=axis.dim, coords=coords, name=name, attrs=attrs)
    array[axis.dim].attrs["units"] = axis.unit or "1"
    return array


def envelope_over(
    axis: Axis,
    edges: NDArray[np.int64],
    blocks: NDArray[np.float64],
    clipped: NDArray[np.bool_] | None,
    attrs: dict[str, Any],
) -> xarray.Dataset:
    """Return minima and maxima of the blocks between edges, at the middles of the blocks."""
    import xarray as xr

    dim = axis.dim
    found: dict[str, Any] = {"min": (dim, blocks[:, 0], attrs), "max": (dim, blocks[:, 1], attrs)}
    if clipped is not None:
        found["clipped"] = (dim, clipped)
    coords = {dim: (dim, axis.middles(edges), {"units": axis.unit or "1"})}
    return xr.Dataset(found, coords=coords, attrs=attrs)
