"""The analysis of a whole record: pick-up taken out, sweeps fitted, rails and scatter judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import coherent
from ishtar.langmuir.background import Background
from ishtar.langmuir.bins import resolution
from ishtar.langmuir.clipping import Limits, at_limits, refuse_at_limits, refuse_clipped
from ishtar.langmuir.coherent import Answer, answers, subtracted
from ishtar.langmuir.engine import analyse_looks
from ishtar.langmuir.first_fit import Look, looks_of
from ishtar.langmuir.model import Probe
from ishtar.langmuir.record_pickup import (
    FEWEST_SWEEPS,
    Line,
    Track,
    lines_of_bias,
    period_of,
    source_of,
    strongest_line,
)
from ishtar.langmuir.scatter import scatter_of
from ishtar.langmuir.sweeps import Sweeps
from ishtar.langmuir.table import KEYS, Table

Floats = NDArray[np.float64]

_ROUNDS = 4
_MOST = 6  # lines that only the current has
_UNLIKE_TE, _UNLIKE_VP, _UNLIKE_NE = 0.12, 0.5, 0.4  # of Te, Te and ne


def analyse_record(
    bias: Floats,
    current: Floats,
    sweeps: Sweeps,
    probe: Probe,
    *,
    background: Background | None = None,
    limits: Limits | None = None,
    generators: Mapping[str, float] | None = None,
    reduction: float | None = None,
) -> tuple[Table, tuple[Line, ...]]:
    """Analyse the sweeps of a record: the one way, also for a single sweep.

    Parameters
    ----------
    bias, current : (n_t,) float64, V and A
        As they were recorded.
    sweeps : Sweeps
    probe : Probe
    background : Background, optional
        To be taken off the current.
    limits : (float, float), optional
        The least and the largest current that the recorder can show, A.
    generators : mapping of str to float, optional
        Frequencies, Hz, of what may be picked up.
    reduction : float, optional
        R, if it is known.

    Returns
    -------
    table : Table
    lines : tuple of Line
        Pick-up that was taken out, the strongest first.
    """
    known: dict[str, Any] = {"step": resolution(current), "reduction": reduction}
    raw = sweeps.table(current)
    at = at_limits(current, limits) if limits is not None else None
    if background is not None:
        current = current - background.current(bias, sweeps.dt)
    if at is not None:
        current = np.where(at, np.nan, current)
    record = ready(bias, current, sweeps, probe, generators=generators, **known)
    table = analyse_looks(record.looks, **known)
    if at is not None:
        refuse_at_limits(table, sweeps.table(at) > 0.0, np.isfinite(raw))
    if raw.size:
        # an amplifier may end before the recorder does
        refuse_clipped(table, sweeps.table(bias), sweeps.table(current), raw, probe, **known)
    for q in ("Vp", "Vf"):
        table.fit_sigma[q][:] = np.hypot(table.fit_sigma[q], record.unsure)
        table.noise_sigma[q][:] = np.hypot(table.noise_sigma[q], record.unsure)
    _compare(table, sweeps)
    return table, record.lines


def _compare(table: Table, sweeps: Sweeps) -> None:
    """Let the error bars hold what neighbouring sweeps differ by.

    As far as that is no more than a fault of the measurement may do: a plasma that is another from
    sweep to sweep says nothing of error bars.
    """
    for q in KEYS:
        own = table.noise_sigma[q]
        table.seen_sigma[q][:] = scatter_of(sweeps.time, table.value[q], own)
    te = table.value["Te"]
    unlike = table.seen_sigma["Te"] > _UNLIKE_TE * te
    unlike |= table.seen_sigma["Vp"] > _UNLIKE_VP * te
    unlike |= table.seen_sigma["ne"] > _UNLIKE_NE * table.value["ne"]
    for row in np.flatnonzero(unlike & table.valid):
        said = "another plasma from sweep to sweep: the neighbours say nothing of its error bars"
        table.note[row] = "; ".join(filter(None, (table.note[row], said)))
    for q in KEYS:
        # what theory leaves open is common to all sweeps and does not scatter
        own = table.noise_sigma[q]
        seen = np.where(unlike, own, np.fmax(own, table.seen_sigma[q]))
        table.sigma[q][:] = np.hypot(seen, table.theory_sigma(q))


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A record without the lines of pick-up.

    ``looks``, the first ones at its sweeps; ``lines``, what was taken out; ``unsure``, V rms: what
    of that may have been on the probe, for all that can be known.
    """

    looks: list[Look]
    lines: tuple[Line, ...]
    unsure: float = 0.0


def ready(
    bias: Floats,
    current: Floats,
    sweeps: Sweeps,
    probe: Probe,
    *,
    step: float,
    reduction: float | None = None,
    generators: Mapping[str, float] | None = None,
) -> Ready:
    """Take the lines of pick-up out of a record and look at its sweeps.

    What the recorded bias shows and the current does not answer to was picked up on the way to the
    recorder; what it answers to was there. So a line is taken out of the bias, and put back as far
    as the current follows it. What is on the current alone is taken out of it.

    Parameters
    ----------
    bias, current : (n_t,) float64, V and A
    sweeps : Sweeps
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    reduction : float, optional
        R, if it is known.
    generators : mapping of str to float, optional
        Frequencies, Hz, of what may be picked up.
    """

    def look() -> list[Look]:
        table = sweeps.table(bias), sweeps.table(current)
        return looks_of(*table, probe, step=step, reduction=reduction)

    clock = period_of(bias, sweeps) if len(sweeps) >= FEWEST_SWEEPS else None
    if clock is None:
        return Ready(looks=look(), lines=())
    dt = sweeps.dt
    tracks = lines_of_bias(bias, sweeps, clock, generators)
    for track in tracks:
        bias = bias - track.wave(bias.size, dt)
    looks = look()
    found: list[tuple[float, float, Answer]] = []
    sums: list[Answer] = []
    # again with what was found: a sweep's own parameters had taken their part of a slow line
    for _ in range(_ROUNDS if tracks else 0):
        more = answers(_fitted(looks), tracks, sweeps, steady=True)
        sums = [a + b for a, b in zip(sums, more, strict=True)] if sums else more
        bias, current = subtracted(bias, current, more, dt)
        if not any(answer.volts or answer.current for answer in more):
            break
        looks = look()
    for track, answer in zip(tracks, sums, strict=True):
        found.append((track.frequency, _less(track, answer.volts), answer))
    unsure = float(np.sqrt(sum(answer.unsure**2 for *_, answer in found) / 2.0))
    for _ in range(_MOST):
        left, known = coherent.left_over(_fitted(looks), sweeps, bias.size)
        line = strongest_line(left, known, sweeps, 1.0 / (clock[1] * dt), generators)
        if line is None:
            break
        alone = replace(line, amplitude=np.ones_like(line.amplitude))
        (answer,) = answers(_fitted(looks), [alone], sweeps, steady=False)
        if answer.volts is None and answer.current is None:
            break
        found.append((line.frequency, 0.0, answer))
        bias, current = subtracted(bias, current, [answer], dt)
        looks = look()
    told = [_told(*each, generators, dt) for each in found]
    lines = tuple(line for line in told if line.bias > 0.0 or line.current > 0.0)
    return Ready(looks=looks, lines=lines, unsure=unsure)


def _less(track: Track, back: Track | None) -> float:
    """Return what is left of a line's amplitude after some of it was put back."""
    amplitude = track.amplitude - (0.0 if back is None else back.amplitude)
    return float(np.abs(amplitude).max())


def _fitted(looks: list[Look]) -> list[Look]:
    return [look for look in looks if look.good.size]


def _told(
    frequency: float,
    taken: float,
    answer: Answer,
    generators: Mapping[str, float] | None,
    dt: float,
) -> Line:
    def size(track: Track | None) -> float:
        return track.size if track is not None else 0.0

    return Line(
        frequency=frequency,
        bias=taken,
        current=size(answer.current),
        source=source_of(frequency, generators, dt),
    )
