"""Signals of a shot as an xarray tree, whose samples are read when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.export.netcdf import axis_facts, names_of, shot_facts, signal_facts
from ishtar.export.series import Series
from ishtar.export.writing import gather
from ishtar.signals.time_base import SECONDS

if TYPE_CHECKING:
    import xarray

    from ishtar.signals.protocols import AnyShot, AnySignal


def signal_tree(
    shot: AnyShot,
    names: str | Sequence[str] | None = None,
    t: tuple[float | None, float | None] | None = None,
) -> xarray.DataTree:
    """Return signals of a shot as a tree with a node for each time base.

    Names and attributes are those of a NetCDF file of `export`, so that ``tree.to_netcdf("x.nc")``
    needs no help. Samples are read, and calibrated, each time they are used: a thousand by
    ``tree["time/Lang_I"][1000:2000].values``; by ``tree.load()`` all, once. Only times without a
    constant step are read at once, as they tell which signals belong together.

    Parameters
    ----------
    shot : Shot
        The shot.
    names : str or sequence of str, optional
        Signals or channels, with ``*`` and ``?``. The default is every signal that can be read.
    t : (float, float), optional
        Window in s on the shot's clock, half-open; None for an open end.

    Returns
    -------
    xarray.DataTree
        Nodes ``time``, ``time_2`` … (``sample``, ``frequency`` without times), each with a variable
        (time,) float64 for each signal: ``attrs`` has unit, shot, channel, device, calibration,
        source. ``tree.attrs`` has the shot's attributes; ``comment`` says what is left out and why.

    Raises
    ------
    NoSuchSignal
        A name is unknown, or nothing that a pattern matches can be read.
    ExportError
        The window has no samples.
    """
    import xarray as xr

    wanted = ["*"] if names is None else [names] if isinstance(names, str) else names
    what = gather(shot, wanted, t)
    axes, variables = names_of(what)
    nodes = {"/": xr.Dataset(attrs=shot_facts(what))}
    for node, series in zip(axes, what.groups, strict=True):
        dim = series[0].x_name
        arrays = {variables[s.name]: (dim, _lazy(s.signal), signal_facts(s, dim)) for s in series}
        nodes[node] = xr.Dataset(arrays, coords=_coordinates(series[0]))
    return xr.DataTree.from_dict(nodes, name=f"shot {shot.number}")


def _coordinates(s: Series) -> xarray.Coordinates:
    """Return the axis of a series; times with a constant step are computed, not stored."""
    import xarray as xr

    dim = s.x_name
    if s.x_unit == SECONDS and s.dx is not None:
        from xarray.indexes import RangeIndex

        end = s.x0 + s.dx * s.n
        index = RangeIndex.linspace(s.x0, end, s.n, endpoint=False, dim=dim)
        found = xr.Coordinates.from_xindex(index)
    else:
        found = xr.Coordinates({dim: np.concatenate(list(s.places()))})
    found[dim].attrs.update(axis_facts(s))
    return found


def _lazy(signal: AnySignal) -> Any:
    """Return an array for xarray that reads a signal's samples when they are used."""
    from xarray.core.indexing import LazilyIndexedArray

    return LazilyIndexedArray(_signal_array()(signal))


@cache
def _signal_array() -> Any:
    """Return the class of such arrays, made late, as importing xarray is slow.

    It is written as xarray's documentation asks of a backend (*How to add a new backend*).
    """
    from xarray.backends import BackendArray
    from xarray.core.indexing import IndexingSupport, explicit_indexing_adapter

    class SignalArray(BackendArray):
        """The samples of a signal; xarray does by itself what is neither a number nor a slice."""

        def __init__(self, signal: AnySignal) -> None:
            self.signal = signal
            self.shape = signal.shape
            self.dtype = np.dtype(np.float64)

        def __getitem__(self, key: Any) -> Any:
            return explicit_indexing_adapter(key, self.shape, IndexingSupport.BASIC, self._read)

        def _read(self, key: tuple[Any, ...]) -> Any:
            picked = range(self.shape[0])[key[0]]
            if isinstance(picked, int):
                return self.signal[picked : picked + 1].values()[0]
            if not picked:
                return np.empty(0)
            # steps are positive: xarray turns arrays round by itself
            return self.signal[picked[0] : picked[-1] + 1].values()[:: picked.step]

    return SignalArray
