"""The response of the current to lines of known frequency, from all sweeps of a record together.

A line may be on the current itself, or on the sheath voltage, which the current follows with its
slope. Within one sweep a slow line is degenerate with the plasma parameters; from sweep to sweep
its phase advances. So the common response is fitted to the part of each sweep's data that its own
parameters cannot explain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import bin_sums
from ishtar.langmuir.first_fit import FirstFit
from ishtar.langmuir.record_pickup import Track
from ishtar.langmuir.sweeps import Sweeps

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

_SIGNIFICANT = 4.0  # standard deviations that an amplitude must exceed
_NEIGHBOURS = 24  # sweeps over which a line on the current alone is tracked
_ROUNDS = 3
_PARTS = 8  # of a record, whose responses are compared
_HIDDEN = 0.03  # part of a line left by the sweeps' own parameters, below which it is hidden
_MAX_SHARE = 1.2  # of a recorded voltage
_COLUMNS = 4  # on the current and on the voltage, in phase and in quadrature


@dataclass(frozen=True, kw_only=True)
class LineResponse:
    """Response of the current to a line, one complex amplitude per sweep.

    ``current`` A and ``volts`` V, each a track; None if not significant. ``undetectable`` V: the
    amplitude of a line that may have been on the probe but is too slow to be detected there.
    """

    current: Track | None
    volts: Track | None
    undetectable: float = 0.0

    def __add__(self, other: LineResponse) -> LineResponse:
        """Return the sum of two responses to the same line."""
        return LineResponse(
            current=_add(self.current, other.current),
            volts=_add(self.volts, other.volts),
            undetectable=self.undetectable,
        )


def _add(one: Track | None, other: Track | None) -> Track | None:
    if one is None or other is None:
        return one or other
    return replace(one, amplitude=one.amplitude + other.amplitude)


def line_responses(
    first_fits: Sequence[FirstFit], tracks: Sequence[Track], sweeps: Sweeps, *, steady: bool
) -> list[LineResponse]:
    """Return the response of the current to each line.

    Parameters
    ----------
    first_fits : sequence of FirstFit
    tracks : sequence of Track
    sweeps : Sweeps
    steady : bool
        Whether the response is the same share of the track in all sweeps; otherwise it varies.
    """
    return [
        (_steady_response if steady else _varying_response)(first_fits, track, sweeps)
        for track in tracks
    ]


def _steady_response(first_fits: Sequence[FirstFit], track: Track, sweeps: Sweeps) -> LineResponse:
    """Return the response with the same share of a track in all sweeps."""
    share = np.zeros((1, _COLUMNS))
    for _ in range(_ROUNDS):
        normal, right, raw = _equations(
            first_fits, track, sweeps, np.repeat(share, len(sweeps), axis=0)
        )
        whole = normal.sum(0)
        # prior: a share of the recorded voltage is of the order of one
        whole[[2, 3], [2, 3]] += 1.0
        share, cov = _solve(whole[None], right.sum(0)[None])
    kept = np.diagonal(normal.sum(0)) / np.maximum(raw.sum(0), 1e-300)
    # errors from the scatter of parts of the record: a misfit of the curve is not noise
    of_parts = [
        _solve(normal[part].sum(0)[None] + np.diag([0.0, 0.0, 1.0, 1.0]), right[part].sum(0)[None])
        for part in np.array_split(np.arange(len(sweeps)), _PARTS)
    ]
    scatter = np.array([one[0][0] for one in of_parts]).var(axis=0, ddof=1) / _PARTS
    cov[0][range(_COLUMNS), range(_COLUMNS)] += scatter
    volts, amperes = (_significant(share, cov, k)[0] for k in (2, 0))
    values = share[0]
    hidden = bool(kept[2:].max() < _HIDDEN)
    within = abs(complex(*values[2:])) < _MAX_SHARE
    return LineResponse(
        current=_scaled(track, complex(*values[:2]), amperes and kept[:2].max() > _HIDDEN),
        volts=_scaled(track, complex(*values[2:]), volts and within and not hidden),
        undetectable=track.size if hidden else 0.0,
    )


def _varying_response(first_fits: Sequence[FirstFit], track: Track, sweeps: Sweeps) -> LineResponse:
    """Return the response on the current alone, which changes slowly from sweep to sweep.

    A voltage that the bias does not show is not fitted: next to a line on the current the fit would
    return one many times too large.
    """
    share = np.zeros((len(sweeps), _COLUMNS))
    for _ in range(_ROUNDS):
        normal, right, raw = (
            _neighbour_sums(values) for values in _equations(first_fits, track, sweeps, share)
        )
        share[:, :2], cov = _solve(normal[:, :2, :2], right[:, :2])
    kept = np.einsum("npp->np", normal)[:, :2] / np.maximum(raw[:, :2], 1e-300)
    at = np.rint(np.interp(track.time, sweeps.middles, np.arange(len(sweeps)))).astype(np.intp)
    good = _significant(share, cov, 0) & (kept.max(1) > _HIDDEN)
    value = np.where(good, share[:, 0] + 1j * share[:, 1], 0.0)[at]
    return LineResponse(current=_scaled(track, value, bool(good.any())), volts=None)


def _scaled(track: Track, share: complex | Complex, seen: bool) -> Track | None:
    if not seen:
        return None
    return replace(track, amplitude=np.asarray(share * track.amplitude, complex))


def record_residual(
    first_fits: Sequence[FirstFit], sweeps: Sweeps, n: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return the residual of a record in units of its noise, (n,), and where it is known."""
    out, known = np.zeros(n), np.zeros(n, bool)
    for first in first_fits:
        noise = np.sqrt(np.maximum(np.median(first.bins.scatter, axis=1), 1e-300))
        in_time = first.samples.in_time(first.residuals()[1])
        good = (np.abs(in_time) < 30.0 * noise[:, None]) & (in_time != 0.0)
        for row, rest, fine, scale in zip(first.rows, in_time, good, noise, strict=True):
            a, b = int(sweeps.start[row]), int(sweeps.stop[row])
            out[a:b] = np.where(fine, rest / scale, 0.0)[: b - a]
            known[a:b] = fine[: b - a]
    return out, known


def _equations(
    first_fits: Sequence[FirstFit], track: Track, sweeps: Sweeps, share: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return each sweep's normal equations for the four shares of a line.

    Sweeps are weighted by the quality of their fit if the line has the ``share`` (n, 4). Returns
    the matrix (n, 4, 4), the right-hand side (n, 4), and the diagonal of the matrix before the
    sweep's own parameters are projected out, (n, 4).
    """
    n = len(sweeps)
    normal, right = np.zeros((n, _COLUMNS, _COLUMNS)), np.zeros((n, _COLUMNS))
    raw = np.zeros((n, _COLUMNS))
    for first in first_fits:
        jacobian, rest_of, steep_of, _ = first.residuals()
        k = rest_of.shape[1]
        t = np.asarray(sweeps.dt * (sweeps.start[first.rows][:, None] + np.arange(k)), float)
        wave = np.take_along_axis(track.phasor(t), first.samples.order, 1)
        steep, rest = steep_of, rest_of
        present = first.samples.present
        count = np.maximum(first.bins.count, 1)

        def mean(
            values: Floats, present: NDArray[np.bool_] = present, first: FirstFit = first
        ) -> Floats:
            sums = bin_sums(first.bins.edges, np.where(present, values, 0.0))
            return sums / np.maximum(first.bins.count, 1)

        weight = np.where(first.bins.count > 0, 1.0 / first.sigma, 0.0)
        columns = np.stack(
            [mean(wave.real), mean(-wave.imag), mean(steep * wave.real), mean(-steep * wave.imag)],
            axis=1,
        )
        columns *= weight[:, None, :]
        data = (mean(rest) * weight)[:, None, :]
        before = (columns * columns).sum(2)
        # project the sweep's own parameters out
        q, _ = np.linalg.qr((jacobian * weight[:, None, :]).transpose(0, 2, 1))
        columns = columns - np.matmul(np.matmul(columns, q), q.transpose(0, 2, 1))
        data = data - np.matmul(np.matmul(data, q), q.transpose(0, 2, 1))
        # down-weight badly fitted sweeps; the line itself does not count as a misfit
        free = max(count.shape[1] - q.shape[2], 1)
        left = data - np.matmul(share[first.rows][:, None, :], columns)
        worth = 1.0 / np.maximum((left * left).sum((1, 2)) / free, 1.0)
        normal[first.rows] = np.matmul(columns, columns.transpose(0, 2, 1)) * worth[:, None, None]
        right[first.rows] = np.matmul(columns, data.transpose(0, 2, 1))[:, :, 0] * worth[:, None]
        raw[first.rows] = before * worth[:, None]
    return normal, right, raw


def _neighbour_sums(values: Floats) -> Floats:
    """Return weighted sums over neighbouring sweeps, the nearest with most weight."""
    kernel = np.hanning(_NEIGHBOURS + 3)[1:-1]
    flat = values.reshape(values.shape[0], -1)
    half = kernel.size // 2
    done = [np.convolve(c, kernel, mode="full")[half : half + c.size] for c in flat.T]
    return np.asarray(np.stack(done, axis=1).reshape(values.shape))


def _solve(normal: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return shares (n, p) and their covariance (n, p, p)."""
    size = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-300))
    scaled = normal / (size[:, :, None] * size[:, None, :])
    scaled += 1e-6 * np.eye(size.shape[1])
    cov = np.linalg.inv(scaled) / (size[:, :, None] * size[:, None, :])
    return np.matmul(cov, right[:, :, None])[:, :, 0], cov


def _significant(share: Floats, cov: Floats, k: int) -> Flags:
    """Return whether the pair of shares from ``k`` on is significant, (n,)."""
    part, pair = cov[:, k : k + 2, k : k + 2], share[:, k : k + 2]
    inverse = np.linalg.inv(part + 1e-300 * np.eye(2))
    return np.asarray(np.einsum("np,npq,nq->n", pair, inverse, pair) > _SIGNIFICANT**2)


def without_lines(
    bias: Floats, current: Floats, found: Sequence[LineResponse], dt: float
) -> tuple[Floats, Floats]:
    """Return bias plus the voltage and current minus the current of the lines, (n_t,)."""
    for response in found:
        if response.volts is not None:
            bias = bias + response.volts.wave(bias.size, dt)
        if response.current is not None:
            current = current - response.current.wave(bias.size, dt)
    return bias, current
