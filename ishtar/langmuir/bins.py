"""Bin the samples of sweeps by bias and estimate the noise from the scatter inside the bins.

A bin is the mean of its samples in both bias and current. The mean of a bent curve differs from the
curve at the mean; the model corrects for that with the spread of the bias in each bin.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.intp]

_SAMPLES_PER_BIN = 4
_MIN_BINS, _MAX_BINS = 12, 48
_COARSE = 30


@dataclass(frozen=True, kw_only=True)
class Bins:
    """Sweeps in bins, sorted by bias.

    ``edges`` (n, m + 1) ranks; ``count`` (n, m); ``bias``, ``current``, ``spread`` (n, m) V, A, V²
    (variance of the bias in the bin); ``scatter`` (n, m) A², variance of the samples about a local
    line, and ``dof`` (n, m), its degrees of freedom.
    """

    edges: Ints
    count: Ints
    bias: Floats
    current: Floats
    spread: Floats
    scatter: Floats
    dof: Floats

    def rows(self, which: Ints) -> Bins:
        """Return a copy of some of the sweeps."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def put(self, which: Ints, other: Bins) -> None:
        """Replace some of the sweeps, in place."""
        for f in fields(self):
            getattr(self, f.name)[which] = getattr(other, f.name)


@dataclass(frozen=True, kw_only=True)
class SortedSamples:
    """Samples of each sweep in the order of their bias, missing ones last and zero.

    ``bias``, ``current`` (n, k) V, A; ``order`` (n, k) original index; ``count`` (n,).
    """

    bias: Floats
    current: Floats
    order: Ints
    count: Ints

    def rows(self, which: Ints) -> SortedSamples:
        """Return a copy of some of the sweeps."""
        return replace(self, **{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def put(self, which: Ints, other: SortedSamples) -> None:
        """Replace some of the sweeps, in place."""
        for f in fields(self):
            getattr(self, f.name)[which] = getattr(other, f.name)

    def in_time(self, values: Floats) -> Floats:
        """Return values (n, k) of the sorted samples in the order of time, zero if missing."""
        out = np.zeros_like(values)
        np.put_along_axis(out, self.order, np.where(self.present, values, 0.0), 1)
        return out

    def shifted(self, bias: Floats, current: Floats) -> SortedSamples:
        """Return the samples with ``bias`` and ``current`` (n, k), in the order of time, added."""
        v = self.bias + np.take_along_axis(bias, self.order, 1)
        i = self.current + np.take_along_axis(current, self.order, 1)
        again = sort_by_bias(np.where(self.present, v, np.nan), i)
        return replace(again, order=np.take_along_axis(self.order, again.order, 1))

    @property
    def present(self) -> Flags:
        """Whether the sample exists, (n, k)."""
        return np.asarray(np.arange(self.bias.shape[1]) < self.count[:, None])


def sort_by_bias(bias: Floats, current: Floats) -> SortedSamples:
    """Sort padded sweeps (n, k) by bias; NaN in either is a missing sample."""
    bad = ~(np.isfinite(bias) & np.isfinite(current))
    order = np.argsort(np.where(bad, np.inf, bias), axis=1, kind="stable")
    clean_bias, clean_current = np.where(bad, 0.0, bias), np.where(bad, 0.0, current)
    return SortedSamples(
        bias=np.take_along_axis(clean_bias, order, 1),
        current=np.take_along_axis(clean_current, order, 1),
        order=order,
        count=bias.shape[1] - bad.sum(1),
    )


def bin_edges(samples: SortedSamples) -> Ints:
    """Return ranks (n, m + 1) that split each sweep into m bins.

    Half of the bins are distributed by the number of samples and half by the rise of the current:
    the knee, which carries most information, gets narrow bins.
    """
    count = samples.count
    n = count.size
    typical = float(np.median(count)) if n else 0.0
    m = int(np.clip(typical // _SAMPLES_PER_BIN, _MIN_BINS, _MAX_BINS))
    parts = np.linspace(0.0, 1.0, _COARSE + 1)
    coarse = np.rint(count[:, None] * parts).astype(np.intp)
    width = np.maximum(np.diff(coarse, axis=1), 1)
    mean = bin_sums(coarse, samples.current) / width
    rise = np.abs(np.diff(mean, axis=1))
    # half of the rise between two means belongs to each of their bins
    each = np.pad(rise, ((0, 0), (0, 1))) + np.pad(rise, ((0, 0), (1, 0)))
    share = 0.5 / _COARSE + 0.5 * each / np.maximum(each.sum(1, keepdims=True), 1e-300)
    passed = np.concatenate([np.zeros((n, 1)), np.cumsum(share, axis=1)], axis=1)
    passed /= passed[:, -1:]
    goal = np.linspace(0.0, 1.0, m + 1)
    place = np.array([np.interp(goal, row, parts) for row in passed]).reshape(n, m + 1)
    edges = np.rint(count[:, None] * place).astype(np.intp)
    # no empty bins if there are enough samples
    step = np.arange(m + 1)
    edges = np.maximum.accumulate(edges - step, axis=1) + step
    top = count[:, None] - step[::-1]
    return np.asarray(np.clip(np.minimum(edges, np.maximum(top, 0)), 0, count[:, None]))


def bin_of_rank(edges: Ints, longest: int) -> Ints:
    """Return the bin of each rank, (n, longest); ranks past the end get the last bin."""
    n, m = edges.shape[0], edges.shape[1] - 1
    width = np.diff(edges, axis=1)
    width[:, -1] += longest - edges[:, -1]
    return np.repeat(np.tile(np.arange(m), n), width.ravel()).reshape(n, longest)


def bin_sums(edges: Ints, values: Floats) -> Floats:
    """Return the sum of ``values`` (n, k) over each bin, (n, m)."""
    total = np.zeros((values.shape[0], values.shape[1] + 1))
    np.cumsum(values, axis=1, out=total[:, 1:])
    return np.asarray(np.diff(np.take_along_axis(total, edges, 1), axis=1))


def bin_samples(samples: SortedSamples, edges: Ints) -> Bins:
    """Average the samples in the bins of ``edges``."""
    count = np.diff(edges, axis=1)
    n = np.maximum(count, 1).astype(float)
    # centre each sweep to avoid cancellation in the sums of squares
    k = np.maximum(samples.count, 1)[:, None]
    v0, i0 = samples.bias.sum(1)[:, None] / k, samples.current.sum(1)[:, None] / k
    v, i = samples.bias - v0, samples.current - i0
    mean_v = bin_sums(edges, v) / n
    vv = np.maximum(bin_sums(edges, v * v) / n - mean_v**2, 0.0)
    mean_i, scatter, dof = _scatter(edges, n, v, i, mean_v, vv)
    return Bins(
        edges=edges,
        count=count,
        bias=mean_v + v0,
        current=mean_i + i0,
        spread=vv,
        scatter=scatter,
        dof=dof,
    )


def _scatter(
    edges: Ints, n: Floats, v: Floats, i: Floats, mean_v: Floats, vv: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return mean of ``i``, variance about a line in ``v`` and its degrees of freedom, per bin."""
    mean_i = bin_sums(edges, i) / n
    ii = np.maximum(bin_sums(edges, i * i) / n - mean_i**2, 0.0)
    vi = bin_sums(edges, v * i) / n - mean_v * mean_i
    explained = np.divide(vi * vi, vv, out=np.zeros_like(vv), where=vv > 1e-12)
    dof = np.maximum(n - 2.0, 0.0)
    return mean_i, np.maximum(ii - explained, 0.0) * n / np.maximum(dof, 1.0), dof


def with_scatter(bins: Bins, samples: SortedSamples, residual: Floats) -> Bins:
    """Return the bins with the scatter of ``residual`` (n, k) A instead of the current's."""
    n = np.maximum(bins.count, 1).astype(float)
    k = np.maximum(samples.count, 1)[:, None]
    v0 = samples.bias.sum(1)[:, None] / k
    v = samples.bias - v0
    _, scatter, dof = _scatter(bins.edges, n, v, residual, bins.bias - v0, bins.spread)
    return replace(bins, scatter=scatter, dof=dof)


def resolution(values: Floats) -> float:
    """Return the quantisation step of a record in the unit of ``values``, 0 if not quantised."""
    flat = values[np.isfinite(values)].ravel()
    if flat.size > 20_000:
        flat = flat[: 20_000 * (flat.size // 20_000) : flat.size // 20_000]
    levels = np.unique(flat)
    if levels.size < 3 or levels.size > 0.9 * flat.size:
        return 0.0
    steps = np.diff(levels)
    # after scaling to floats, equal steps differ in the last bits
    return float(np.median(steps[steps < 1.5 * steps[steps > 1e-9 * np.ptp(levels)].min()]))
