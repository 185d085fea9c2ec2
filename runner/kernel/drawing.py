"""Cache ticks and text layouts while a figure is drawn.

During layout, matplotlib finds the ticks of each axis about ten times and measures each text as
often, although both change only with the size of the axes. The cache lasts for one drawing, during
which nothing else can change the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axis import Axis
from matplotlib.text import Text

Ticks = tuple[Hashable, list[Any]]  # state of the axis, and its ticks in that state


_drawing_lock = RLock()  # the patched methods of matplotlib serve one thread at a time


@contextmanager
def cached_layout() -> Iterator[None]:
    """Draw faster within the block; the pixels stay the same."""
    with _drawing_lock, _cached_layout():
        yield


@contextmanager
def _cached_layout() -> Iterator[None]:
    ticks: dict[Axis, Ticks] = {}
    layouts: dict[Hashable, Any] = {}
    update, layout = getattr(Axis, "_update_ticks", None), getattr(Text, "_get_layout", None)
    if update is None or layout is None:  # a version of matplotlib that names them differently
        yield
        return
    try:
        Axis._update_ticks = _cached_ticks(update, ticks)  # type: ignore[attr-defined]
        Text._get_layout = _cached_text_layout(layout, layouts)  # type: ignore[attr-defined]
        yield
    finally:
        Axis._update_ticks = update  # type: ignore[attr-defined]
        Text._get_layout = layout  # type: ignore[attr-defined]


def _cached_ticks(
    update: Callable[[Axis], list[Any]], cache: dict[Axis, Ticks]
) -> Callable[[Axis], list[Any]]:
    formatter_axis: dict[Any, Axis] = {}  # the axis whose locations a formatter holds now

    def cached_update(axis: Axis) -> list[Any]:
        if axis.axes.name != "rectilinear":
            return update(axis)
        formatters = axis.get_major_formatter(), axis.get_minor_formatter()
        state = (*axis.axes.bbox.bounds, *axis.get_view_interval(), _dpi(axis))
        cached = cache.get(axis)
        if cached and cached[0] == state and all(formatter_axis.get(f) is axis for f in formatters):
            return list(cached[1])
        ticks = update(axis)
        cache[axis] = (state, list(ticks))
        formatter_axis.update(dict.fromkeys(formatters, axis))
        return ticks

    return cached_update


def _cached_text_layout(
    layout: Callable[[Text, Any], Any], cache: dict[Hashable, Any]
) -> Callable[[Text, Any], Any]:
    def cached_text_layout(text: Text, renderer: Any) -> Any:
        if text.get_wrap():  # the layout of a wrapped text depends on its position
            return layout(text, renderer)
        key = (
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
        if key not in cache:
            cache[key] = layout(text, renderer)
        return cache[key]

    return cached_text_layout


def _dpi(artist: Artist) -> float:
    return artist.figure.dpi if artist.figure else 0.0
