"""Exact minima and maxima over blocks of a signal, read from the channel's pyramid if possible.

The pyramid of a channel stores minima and maxima of raw values. Monotonic curves map them to those
of calibrated values. Blocks in which a curve has a stationary point are read in full.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration.stationary_points import holds_turn, polynomial_turns, table_turns
from ishtar.signals.flags import at_rails
from ishtar.store import Channel
from ishtar.store.envelope import block_minmax

Array = NDArray[np.float64]
Edges = NDArray[np.int64]
BLOCK = 1 << 20  # samples in memory while a whole signal is read


@dataclass(frozen=True)
class Curve:
    """One step from raw to calibrated values, and its stationary points (None: unknown)."""

    apply: Callable[[Array], Array]
    turns: Array | None


NOWHERE: Array = np.empty(0)


def scale_turns(step: Any) -> Array | None:
    """Return the stationary points of one step of a file's own scale."""
    if step["kind"] == "polynomial":
        return polynomial_turns(step["coefficients"])
    if step["kind"] == "table":
        return table_turns(step["x"], step["y"])
    return NOWHERE


def even_edges(start: int, stop: int, n: int) -> Edges:
    """Return the edges of at most ``n`` blocks of equal length; the last may be shorter."""
    length = max(-(-(stop - start) // n), 1)
    return np.append(np.arange(start, stop, length, dtype=np.int64), stop)


def channel_blocks(
    channel: Channel, start: int, stop: int, n: int
) -> tuple[Edges, NDArray[np.generic]]:
    """Return edges, raw minima and maxima of at most ``n`` blocks that tile ``start … stop``.

    Returns
    -------
    edges : (m + 1,) int64
        Sample numbers; the first is ``start``, the last ``stop``.
    rows : (m, 2)
        Minimum and maximum, in the channel's dtype.
    """
    level = max((k for k in channel.levels if (stop - start) // k >= n), default=None)
    if level is None:
        edges = even_edges(start, stop, n)
        length = int(edges[1] - edges[0]) if len(edges) > 1 else 1
        return edges, block_minmax(channel.raw(start, stop), length)
    first, last = _whole(channel, level, start, stop)
    inner = np.arange(first, last + 1, dtype=np.int64) * level
    finer = [k for k in channel.levels if k < level]
    rows = [channel.level(level, first, last)]
    edges = np.minimum(inner, channel.n)
    if start < edges[0]:
        rows.insert(0, _row(channel, start, int(edges[0]), finer))
        edges = np.insert(edges, 0, start)
    if edges[-1] < stop:
        rows.append(_row(channel, int(edges[-1]), stop, finer))
        edges = np.append(edges, stop)
    merge = -(-(len(edges) - 1) // n)
    return np.append(edges[:-1:merge], edges[-1]), block_minmax(np.concatenate(rows), merge)


def clipped_blocks(channel: Channel, start: int, stop: int, n: int) -> NDArray[np.bool_]:
    """Return which of the blocks of `channel_blocks` contain a clipped sample, (m,)."""
    _, rows = channel_blocks(channel, start, stop, n)
    return np.asarray(at_rails(rows, channel).any(axis=1))


def _whole(channel: Channel, level: int, start: int, stop: int) -> tuple[int, int]:
    """Return the range of a level's blocks that lie in ``start … stop``; the last may be short."""
    first = -(-start // level)
    last = -(-stop // level) if stop == channel.n else stop // level
    return first, max(first, last)


def _row(channel: Channel, start: int, stop: int, levels: Sequence[int]) -> NDArray[Any]:
    """Return minimum and maximum of a range, (1, 2), from finer levels towards its ends."""
    return block_minmax(np.concatenate(list(_pieces(channel, start, stop, levels))), stop - start)


def _pieces(
    channel: Channel, start: int, stop: int, levels: Sequence[int]
) -> Iterator[NDArray[Any]]:
    for level in sorted(levels, reverse=True):
        first, last = _whole(channel, level, start, stop)
        if last > first:
            finer = [k for k in levels if k < level]
            yield channel.level(level, first, last)
            yield from _pieces(channel, start, first * level, finer)
            yield from _pieces(channel, min(last * level, channel.n), stop, finer)
            return
    if stop > start:
        raw = channel.raw(start, stop)
        yield np.stack([raw, raw], axis=1)


def image(
    edges: Edges,
    rows: NDArray[Any],
    curves: Sequence[Curve],
    read: Callable[[int, int], Array],
) -> Array:
    """Return minima and maxima of calibrated values from those of raw values.

    Parameters
    ----------
    edges, rows
        Returned by `channel_blocks`.
    curves
        From raw to calibrated, in order.
    read
        Returns calibrated samples, for blocks in which a curve is not monotonic.

    Returns
    -------
    (m, 2) float64
    """
    low, high = rows[:, 0].astype(np.float64), rows[:, 1].astype(np.float64)
    unsure = np.zeros(len(rows), dtype=bool)
    for curve in curves:
        unsure |= holds_turn(curve.turns, low, high)
        ends = curve.apply(low), curve.apply(high)
        unsure |= np.isnan(ends[0]) != np.isnan(ends[1])
        low, high = np.minimum(*ends), np.maximum(*ends)
    out = np.stack([low, high], axis=1)
    changes = np.flatnonzero(np.diff(unsure, prepend=False, append=False))
    for a, b in changes.reshape(-1, 2):  # runs of adjacent blocks
        out[a:b] = walk(read, edges[a : b + 1])
    return out


def walk(read: Callable[[int, int], Array], edges: Edges) -> Array:
    """Return minima and maxima between consecutive edges, (m, 2), reading each sample once."""
    out = np.full((len(edges) - 1, 2), np.nan)
    first, stop = int(edges[0]), int(edges[-1])
    for i in range(first, stop, BLOCK):
        x = read(i, min(i + BLOCK, stop))
        a = int(np.searchsorted(edges, i, side="right")) - 1
        b = int(np.searchsorted(edges, i + len(x), side="left"))
        starts = np.maximum(edges[a:b], i) - i
        out[a:b, 0] = np.fmin(out[a:b, 0], np.fmin.reduceat(x, starts))
        out[a:b, 1] = np.fmax(out[a:b, 1], np.fmax.reduceat(x, starts))
    return out
