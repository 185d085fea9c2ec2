"""The analysis of a whole record: remove pick-up, fit the sweeps, check clipping and scatter."""

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
from ishtar.langmuir.coherent import LineResponse, line_responses, without_lines
from ishtar.langmuir.engine import analyse_first_fits
from ishtar.langmuir.first_fit import FirstFit, first_fits_of
from ishtar.langmuir.model import Probe
from ishtar.langmuir.record_pickup import (
    MIN_SWEEPS,
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
_MAX_LINES = 6  # on the current alone
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
    """Analyse the sweeps of a record; all analyses use this function, also of a single sweep.

    Parameters
    ----------
    bias, current : (n_t,) float64, V and A
        As recorded.
    sweeps : Sweeps
    probe : Probe
    background : Background, optional
        Subtracted from the current.
    limits : (float, float), optional
        Lowest and highest current of the recorder, A.
    generators : mapping of str to float, optional
        Frequencies, Hz, of generators that may be picked up.
    reduction : float, optional
        R, if known.

    Returns
    -------
    table : Table
    lines : tuple of Line
        Pick-up that was removed, strongest first.
    """
    options: dict[str, Any] = {"step": resolution(current), "reduction": reduction}
    raw = sweeps.table(current)
    at = at_limits(current, limits) if limits is not None else None
    if background is not None:
        current = current - background.current(bias, sweeps.dt)
    if at is not None:
        current = np.where(at, np.nan, current)
    record = clean_record(bias, current, sweeps, probe, generators=generators, **options)
    table = analyse_first_fits(record.first_fits, **options)
    if at is not None:
        refuse_at_limits(table, sweeps.table(at) > 0.0, np.isfinite(raw))
    if raw.size:
        # an amplifier may clip before the recorder does
        refuse_clipped(table, sweeps.table(bias), sweeps.table(current), raw, probe, **options)
    for q in ("Vp", "Vf"):
        table.fit_sigma[q][:] = np.hypot(table.fit_sigma[q], record.undetectable)
        table.noise_sigma[q][:] = np.hypot(table.noise_sigma[q], record.undetectable)
    _widen_by_scatter(table, sweeps)
    return table, record.lines


def _widen_by_scatter(table: Table, sweeps: Sweeps) -> None:
    """Widen the error bars to the scatter of neighbouring sweeps.

    Only up to the size of a measurement error: a plasma that changes from sweep to sweep does not
    widen the error bars.
    """
    for q in KEYS:
        own = table.noise_sigma[q]
        table.scatter_sigma[q][:] = scatter_of(sweeps.time, table.value[q], own)
    te = table.value["Te"]
    unlike = table.scatter_sigma["Te"] > _UNLIKE_TE * te
    unlike |= table.scatter_sigma["Vp"] > _UNLIKE_VP * te
    unlike |= table.scatter_sigma["ne"] > _UNLIKE_NE * table.value["ne"]
    for row in np.flatnonzero(unlike & table.valid):
        note = "the plasma changes from sweep to sweep: its scatter is not in the error bars"
        table.note[row] = "; ".join(filter(None, (table.note[row], note)))
    for q in KEYS:
        # the uncertainty of the theory is common to all sweeps and does not scatter
        own = table.noise_sigma[q]
        seen = np.where(unlike, own, np.fmax(own, table.scatter_sigma[q]))
        table.sigma[q][:] = np.hypot(seen, table.theory_sigma(q))


@dataclass(frozen=True, kw_only=True)
class CleanRecord:
    """A record without lines of pick-up.

    ``first_fits`` of its sweeps; ``lines``, the removed pick-up; ``undetectable``, V rms, the part
    of it that may have been on the probe without being detectable there.
    """

    first_fits: list[FirstFit]
    lines: tuple[Line, ...]
    undetectable: float = 0.0


def clean_record(
    bias: Floats,
    current: Floats,
    sweeps: Sweeps,
    probe: Probe,
    *,
    step: float,
    reduction: float | None = None,
    generators: Mapping[str, float] | None = None,
) -> CleanRecord:
    """Remove the lines of pick-up from a record and fit its sweeps once.

    A line on the recorded bias without response of the current was picked up on the way to the
    recorder; with a response, it was on the probe. So a line is removed from the bias, and restored
    as far as the current follows it. A line on the current alone is removed from the current.

    Parameters
    ----------
    bias, current : (n_t,) float64, V and A
    sweeps : Sweeps
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    reduction : float, optional
        R, if known.
    generators : mapping of str to float, optional
        Frequencies, Hz, of generators that may be picked up.
    """

    def refit() -> list[FirstFit]:
        table = sweeps.table(bias), sweeps.table(current)
        return first_fits_of(*table, probe, step=step, reduction=reduction)

    clock = period_of(bias, sweeps) if len(sweeps) >= MIN_SWEEPS else None
    if clock is None:
        return CleanRecord(first_fits=refit(), lines=())
    dt = sweeps.dt
    tracks = lines_of_bias(bias, sweeps, clock, generators)
    for track in tracks:
        bias = bias - track.wave(bias.size, dt)
    first_fits = refit()
    found: list[tuple[float, float, LineResponse]] = []
    sums: list[LineResponse] = []
    # repeated, as the sweeps' own parameters had absorbed part of a slow line
    for _ in range(_ROUNDS if tracks else 0):
        more = line_responses(_fitted(first_fits), tracks, sweeps, steady=True)
        sums = [a + b for a, b in zip(sums, more, strict=True)] if sums else more
        bias, current = without_lines(bias, current, more, dt)
        if not any(response.volts or response.current for response in more):
            break
        first_fits = refit()
    for track, response in zip(tracks, sums, strict=True):
        found.append((track.frequency, _remaining(track, response.volts), response))
    undetectable = float(np.sqrt(sum(response.undetectable**2 for *_, response in found) / 2.0))
    for _ in range(_MAX_LINES):
        left, known = coherent.record_residual(_fitted(first_fits), sweeps, bias.size)
        line = strongest_line(left, known, sweeps, 1.0 / (clock[1] * dt), generators)
        if line is None:
            break
        alone = replace(line, amplitude=np.ones_like(line.amplitude))
        (response,) = line_responses(_fitted(first_fits), [alone], sweeps, steady=False)
        if response.volts is None and response.current is None:
            break
        found.append((line.frequency, 0.0, response))
        bias, current = without_lines(bias, current, [response], dt)
        first_fits = refit()
    all_lines = [_line(*each, generators, dt) for each in found]
    lines = tuple(line for line in all_lines if line.bias > 0.0 or line.current > 0.0)
    return CleanRecord(first_fits=first_fits, lines=lines, undetectable=undetectable)


def _remaining(track: Track, restored: Track | None) -> float:
    """Return the amplitude of a line minus its restored part."""
    amplitude = track.amplitude - (0.0 if restored is None else restored.amplitude)
    return float(np.abs(amplitude).max())


def _fitted(first_fits: list[FirstFit]) -> list[FirstFit]:
    return [first for first in first_fits if first.good.size]


def _line(
    frequency: float,
    removed: float,
    response: LineResponse,
    generators: Mapping[str, float] | None,
    dt: float,
) -> Line:
    def size(track: Track | None) -> float:
        return track.size if track is not None else 0.0

    return Line(
        frequency=frequency,
        bias=removed,
        current=size(response.current),
        source=source_of(frequency, generators, dt),
    )
