"""Members that shots of a workspace and of a published site share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ishtar.signals.protocols import AnyShot, Window

if TYPE_CHECKING:
    import xarray

    from ishtar.export import Exported


class SeveralSignals:
    """Load and export several signals of a shot together."""

    facility = ""
    """Name of the facility, for the files of others; empty if it is not stated."""

    def load(self: AnyShot, names: str | Sequence[str], t: Window | None = None) -> xarray.Dataset:
        """Read several signals on the same time base: see `load_together`.

        Parameters
        ----------
        names : str or sequence of str
            Signals; patterns such as ``Lang_*``.
        t : (float or None, float or None), s, optional
            Window; None for an open bound.

        Returns
        -------
        xarray.Dataset
            A variable for each signal, (time,) float64.
        """
        from ishtar.export.dataset import load_together

        return load_together(self, names, t)

    def dataset(
        self: AnyShot, names: str | Sequence[str] | None = None, t: Window | None = None
    ) -> xarray.DataTree:
        """Return signals as a tree with a node for each time base: see `signal_tree`.

        Parameters
        ----------
        names : str or sequence of str, optional
            Signals or channels; patterns such as ``Lang_*``. The default is every signal.
        t : (float or None, float or None), s, optional
            Window; None for an open bound.

        Returns
        -------
        xarray.DataTree
            Nodes ``time``, ``time_2`` …; samples are read when they are used.
        """
        from ishtar.export.data_tree import signal_tree

        return signal_tree(self, names, t)

    def export(
        self: AnyShot,
        path: str | Path,
        names: Sequence[str],
        t: Window | None = None,
        n: int | None = None,
    ) -> Exported:
        """Write signals to a .mat, .csv, .parquet, .h5 or .nc file: see `ishtar.export.export`.

        Parameters
        ----------
        path : str or Path
            File to write; its suffix chooses the format.
        names : sequence of str
            Signals or channels; patterns such as ``Lang_*``.
        t : (float or None, float or None), s, optional
            Window; None for an open bound.
        n : int, optional
            Write at most this many values of each signal, means of neighbouring samples.
        """
        from ishtar.export import export

        return export(self, path, names, t, n)


def head_of(shot: AnyShot, cut: Sequence[str]) -> str:
    """Return the beginning of a shot's repr; ``cut`` names the sources that were salvaged."""
    known = shot.attributes.plain()
    head = f"<Shot {shot.number}: {known.get('date', 'date unknown')}"
    for name in ("gas", "program"):
        if name in known:
            head += f", {known[name]}"
    return head + (f"; salvaged: the recording was cut ({', '.join(cut)})" if cut else "")


def check_name(shot: AnyShot, name: Any) -> None:
    """Raise `TypeError` if a name is not a string."""
    if not isinstance(name, str):
        raise TypeError(
            f"shot {shot.number}: {name!r} is not the name of a signal; "
            "shot.load([...]) reads several on the same time base"
        )
