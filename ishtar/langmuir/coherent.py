"""What lines of known frequency do to the current, from all sweeps of a record together.

A line may be on the current itself, or move the voltage of the sheath, which the current follows
with its slope. Within one sweep a slow one is hidden behind the plasma's parameters; from sweep to
sweep its phase runs on, and theirs do not. So of each sweep that part of the data is taken which
its own parameters cannot explain, and what the line has in common in all of them is fitted to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import bin_sums
from ishtar.langmuir.first_fit import Look
from ishtar.langmuir.record_pickup import Track
from ishtar.langmuir.sweeps import Sweeps

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Ints = NDArray[np.intp]
Flags = NDArray[np.bool_]

_SURE = 4.0  # how many of its errors an amplitude must be to count
_NEIGHBOURS = 24  # sweeps over which a line that only the current has is followed
_ROUNDS = 3
_STRETCHES = 8  # of a record, whose answers are compared
_HIDDEN = 0.03  # part of a line that the sweeps' own parameters leave, below which it is hidden
_MOST_SHARE = 1.2  # of a voltage that was recorded
_COLUMNS = 4  # on the current and on the voltage, in phase and out of it


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the current does with a line, a complex amplitude a sweep.

    ``current`` A and ``volts`` V, each a track; None where it is not seen. ``unsure`` V: as slow as
    this, nobody can say whether a line of that amplitude was on the probe.
    """

    current: Track | None
    volts: Track | None
    unsure: float = 0.0

    def __add__(self, other: Answer) -> Answer:
        """Return both together, of the same line."""
        return Answer(
            current=_sum(self.current, other.current),
            volts=_sum(self.volts, other.volts),
            unsure=self.unsure,
        )


def _sum(one: Track | None, other: Track | None) -> Track | None:
    if one is None or other is None:
        return one or other
    return replace(one, amplitude=one.amplitude + other.amplitude)


def answers(
    looks: Sequence[Look], tracks: Sequence[Track], sweeps: Sweeps, *, steady: bool
) -> list[Answer]:
    """Return what the current does with each line.

    Parameters
    ----------
    looks : sequence of Look
    tracks : sequence of Track
    sweeps : Sweeps
    steady : bool
        The line has the same share in all sweeps, in the measure of its track; else it is followed.
    """
    return [(_shared if steady else _followed)(looks, track, sweeps) for track in tracks]


def _shared(looks: Sequence[Look], track: Track, sweeps: Sweeps) -> Answer:
    """Return the answer that has the same share of a track in all sweeps."""
    share = np.zeros((1, _COLUMNS))
    for _ in range(_ROUNDS):
        normal, right, raw = _equations(looks, track, sweeps, np.repeat(share, len(sweeps), axis=0))
        whole = normal.sum(0)
        # a share of the recorded voltage is a number of the size of one, or none
        whole[[2, 3], [2, 3]] += 1.0
        share, cov = _solved(whole[None], right.sum(0)[None])
    kept = np.diagonal(normal.sum(0)) / np.maximum(raw.sum(0), 1e-300)
    # as sure as stretches of the record agree: what the curve is misfitted by is no noise
    stretches = [
        _solved(normal[part].sum(0)[None] + np.diag([0.0, 0.0, 1.0, 1.0]), right[part].sum(0)[None])
        for part in np.array_split(np.arange(len(sweeps)), _STRETCHES)
    ]
    scatter = np.array([one[0][0] for one in stretches]).var(axis=0, ddof=1) / _STRETCHES
    cov[0][range(_COLUMNS), range(_COLUMNS)] += scatter
    volts, amperes = (_sure(share, cov, k)[0] for k in (2, 0))
    values = share[0]
    hidden = bool(kept[2:].max() < _HIDDEN)
    within = abs(complex(*values[2:])) < _MOST_SHARE
    return Answer(
        current=_times(track, complex(*values[:2]), amperes and kept[:2].max() > _HIDDEN),
        volts=_times(track, complex(*values[2:]), volts and within and not hidden),
        unsure=track.size if hidden else 0.0,
    )


def _followed(looks: Sequence[Look], track: Track, sweeps: Sweeps) -> Answer:
    """Return the answer on the current alone, which changes slowly from sweep to sweep.

    A voltage that the bias does not show is not looked for: beside a line on the current it would
    be taken for one many times as large.
    """
    share = np.zeros((len(sweeps), _COLUMNS))
    for _ in range(_ROUNDS):
        normal, right, raw = (_along(values) for values in _equations(looks, track, sweeps, share))
        share[:, :2], cov = _solved(normal[:, :2, :2], right[:, :2])
    kept = np.einsum("npp->np", normal)[:, :2] / np.maximum(raw[:, :2], 1e-300)
    at = np.rint(np.interp(track.time, sweeps.middles, np.arange(len(sweeps)))).astype(np.intp)
    good = _sure(share, cov, 0) & (kept.max(1) > _HIDDEN)
    value = np.where(good, share[:, 0] + 1j * share[:, 1], 0.0)[at]
    return Answer(current=_times(track, value, bool(good.any())), volts=None)


def _times(track: Track, share: complex | Complex, seen: bool) -> Track | None:
    if not seen:
        return None
    return replace(track, amplitude=np.asarray(share * track.amplitude, complex))


def left_over(looks: Sequence[Look], sweeps: Sweeps, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what the fits leave of a record, in units of its noise, (n,), and where they do."""
    out, known = np.zeros(n), np.zeros(n, bool)
    for look in looks:
        noise = np.sqrt(np.maximum(np.median(look.bins.scatter, axis=1), 1e-300))
        in_time = look.samples.in_time(look.left()[1])
        good = (np.abs(in_time) < 30.0 * noise[:, None]) & (in_time != 0.0)
        for row, rest, fine, scale in zip(look.rows, in_time, good, noise, strict=True):
            a, b = int(sweeps.start[row]), int(sweeps.stop[row])
            out[a:b] = np.where(fine, rest / scale, 0.0)[: b - a]
            known[a:b] = fine[: b - a]
    return out, known


def _equations(
    looks: Sequence[Look], track: Track, sweeps: Sweeps, share: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return each sweep's normal equations of the line's four shares.

    A sweep counts by how well it is fitted when the line has the ``share`` (n, 4). Returned are
    (n, 4, 4), (n, 4), and what is on the diagonal of the first before the sweep's own parameters
    have taken theirs, (n, 4).
    """
    n = len(sweeps)
    normal, right = np.zeros((n, _COLUMNS, _COLUMNS)), np.zeros((n, _COLUMNS))
    raw = np.zeros((n, _COLUMNS))
    for look in looks:
        jacobian, rest_of, steep_of, _ = look.left()
        k = rest_of.shape[1]
        t = np.asarray(sweeps.dt * (sweeps.start[look.rows][:, None] + np.arange(k)), float)
        wave = np.take_along_axis(track.phasor(t), look.samples.order, 1)
        steep, rest = steep_of, rest_of
        present = look.samples.present
        count = np.maximum(look.bins.count, 1)

        def mean(values: Floats, present: NDArray[np.bool_] = present, look: Look = look) -> Floats:
            sums = bin_sums(look.bins.edges, np.where(present, values, 0.0))
            return sums / np.maximum(look.bins.count, 1)

        weight = np.where(look.bins.count > 0, 1.0 / look.sigma, 0.0)
        columns = np.stack(
            [mean(wave.real), mean(-wave.imag), mean(steep * wave.real), mean(-steep * wave.imag)],
            axis=1,
        )
        columns *= weight[:, None, :]
        data = (mean(rest) * weight)[:, None, :]
        before = (columns * columns).sum(2)
        # less what the sweep's own parameters can do
        q, _ = np.linalg.qr((jacobian * weight[:, None, :]).transpose(0, 2, 1))
        columns = columns - np.matmul(np.matmul(columns, q), q.transpose(0, 2, 1))
        data = data - np.matmul(np.matmul(data, q), q.transpose(0, 2, 1))
        # a sweep that is fitted badly says little; what the line itself does is no bad fit
        free = max(count.shape[1] - q.shape[2], 1)
        left = data - np.matmul(share[look.rows][:, None, :], columns)
        worth = 1.0 / np.maximum((left * left).sum((1, 2)) / free, 1.0)
        normal[look.rows] = np.matmul(columns, columns.transpose(0, 2, 1)) * worth[:, None, None]
        right[look.rows] = np.matmul(columns, data.transpose(0, 2, 1))[:, :, 0] * worth[:, None]
        raw[look.rows] = before * worth[:, None]
    return normal, right, raw


def _along(values: Floats) -> Floats:
    """Return sums over neighbouring sweeps, the near ones counting most."""
    kernel = np.hanning(_NEIGHBOURS + 3)[1:-1]
    flat = values.reshape(values.shape[0], -1)
    half = kernel.size // 2
    done = [np.convolve(c, kernel, mode="full")[half : half + c.size] for c in flat.T]
    return np.asarray(np.stack(done, axis=1).reshape(values.shape))


def _solved(normal: Floats, right: Floats) -> tuple[Floats, Floats]:
    """Return shares (n, p) and their covariance (n, p, p)."""
    size = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-300))
    scaled = normal / (size[:, :, None] * size[:, None, :])
    scaled += 1e-6 * np.eye(size.shape[1])
    cov = np.linalg.inv(scaled) / (size[:, :, None] * size[:, None, :])
    return np.matmul(cov, right[:, :, None])[:, :, 0], cov


def _sure(share: Floats, cov: Floats, k: int) -> Flags:
    """Return whether the pair of shares from ``k`` on is sure, (n,)."""
    part, pair = cov[:, k : k + 2, k : k + 2], share[:, k : k + 2]
    inverse = np.linalg.inv(part + 1e-300 * np.eye(2))
    return np.asarray(np.einsum("np,npq,nq->n", pair, inverse, pair) > _SURE**2)


def subtracted(
    bias: Floats, current: Floats, found: Sequence[Answer], dt: float
) -> tuple[Floats, Floats]:
    """Return bias and current, (n_t,), with a line's voltage put on and its current taken off."""
    for answer in found:
        if answer.volts is not None:
            bias = bias + answer.volts.wave(bias.size, dt)
        if answer.current is not None:
            current = current - answer.current.wave(bias.size, dt)
    return bias, current
