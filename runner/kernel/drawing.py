"""Drawing a figure without working out the same thing again and again.

While it lays a figure out, matplotlib looks for the ticks of each axis about ten times, and
measures each text as often, though neither changes but with the size of the axes. Both are
remembered here for as long as one drawing takes, in which nothing else can change a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.text import Text

Ticks = tuple[Hashable, list[Any]]


_alone = RLock()  # of the threads that draw: what is put in place of matplotlib's is for one


@contextmanager
def remembering() -> Iterator[None]:
    """Draw faster within the block; what is drawn is the same to the last pixel."""
    with _alone, _remembering():
        yield


@contextmanager
def _remembering() -> Iterator[None]:
    found: dict[Axis, Ticks] = {}
    measured: dict[Hashable, Any] = {}
    look, measure = getattr(Axis, "_update_ticks", None), getattr(Text, "_get_layout", None)
    if look is None or measure is None:  # another matplotlib, which calls them something else
        yield
        return
    try:
        Axis._update_ticks = _remembered_ticks(look, found)  # type: ignore[attr-defined]
        Text._get_layout = _remembered_layout(measure, measured)  # type: ignore[attr-defined]
        yield
    finally:
        Axis._update_ticks = look  # type: ignore[attr-defined]
        Text._get_layout = measure  # type: ignore[attr-defined]


def _remembered_ticks(
    look: Callable[[Axis], list[Any]], found: dict[Axis, Ticks]
) -> Callable[[Axis], list[Any]]:
    served: dict[Any, Axis] = {}  # formatters, and the axis whose numbers each holds

    def update(axis: Axis) -> list[Any]:
        if axis.axes.name != "rectilinear":
            return look(axis)
        formatters = axis.get_major_formatter(), axis.get_minor_formatter()
        state = (*axis.axes.bbox.bounds, *axis.get_view_interval(), _dpi(axis))
        known = found.get(axis)
        if known and known[0] == state and all(served.get(f) is axis for f in formatters):
            return list(known[1])
        ticks = look(axis)
        found[axis] = (state, list(ticks))
        served.update(dict.fromkeys(formatters, axis))
        return ticks

    return update


def _remembered_layout(
    measure: Callable[[Text, Any], Any], measured: dict[Hashable, Any]
) -> Callable[[Text, Any], Any]:
    def layout(text: Text, renderer: Any) -> Any:
        if text.get_wrap():  # then it depends on where it is
            return measure(text, renderer)
        said = (
            text,
            text.get_text(),
            hash(text.get_fontproperties()),
            text.get_horizontalalignment(),
            text.get_verticalalignment(),
            text.get_rotation(),
            text.get_rotation_mode(),
            text.get_usetex(),
            text.get_parse_math(),
            _dpi(text),
        )
        if said not in measured:
            measured[said] = measure(text, renderer)
        return measured[said]

    return layout


def _dpi(artist: Artist) -> float:
    return artist.figure.dpi if artist.figure else 0.0
