"""What a shot does near and far by what each has: several signals at once, its first words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ishtar.signals.protocols import AnyShot, Window

if TYPE_CHECKING:
    import xarray

    from ishtar.export import Exported


class SeveralSignals:
    """Signals of a shot together."""

    def load(self: AnyShot, names: str | Sequence[str], t: Window | None = None) -> xarray.Dataset:
        """Read several signals that are on one time base: see `load_together`.

        Parameters
        ----------
        names : str or sequence of str
            Signals; patterns such as ``Lang_*``.
        t : (float or None, float or None), s, optional
            Window; None is open on that side.
        """
        from ishtar.export.dataset import load_together

        return load_together(self, names, t)

    def export(
        self: AnyShot,
        path: str | Path,
        names: Sequence[str],
        t: Window | None = None,
        n: int | None = None,
    ) -> Exported:
        """Write signals to a .mat, .csv, .parquet or .h5 file: see `ishtar.export.export`.

        Parameters
        ----------
        path : str or Path
            File to write; its suffix chooses the format.
        names : sequence of str
            Signals or channels; patterns such as ``Lang_*``.
        t : (float or None, float or None), s, optional
            Window; None is open on that side.
        n : int, optional
            At most this many samples of each, as minima and maxima.
        """
        from ishtar.export import export

        return export(self, path, names, t, n)


def head_of(shot: AnyShot, cut: Sequence[str]) -> str:
    """Return how the repr of a shot begins; ``cut`` names the sources that were salvaged."""
    known = shot.attributes.plain()
    head = f"<Shot {shot.number}: {known.get('date', 'date unknown')}"
    for name in ("gas", "program"):
        if name in known:
            head += f", {known[name]}"
    return head + (f"; salvaged: the recording was cut ({', '.join(cut)})" if cut else "")


def check_name(shot: AnyShot, name: Any) -> None:
    """Refuse what is no name of one signal."""
    if not isinstance(name, str):
        raise TypeError(
            f"shot {shot.number} gives one signal for one name, not for {name!r}: "
            "shot.load([...]) gives several on one time base"
        )
