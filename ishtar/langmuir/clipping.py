"""Samples clipped at the limits of recorder or amplifier.

A sample at a known limit is not a measurement. If the limits are unknown, the largest value of a
sweep need not be one: a quiet record with coarse steps stays at one value for long as well. It is a
limit if the curve fitted without those samples continues beyond it or, if the rest cannot be
fitted, if the current rises steeply up to it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.engine import analyse_padded
from ishtar.langmuir.hot import fitted_current
from ishtar.langmuir.model import Probe
from ishtar.langmuir.table import Table

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Limits = tuple[float, float]

MIN_RAIL = 6
_SHARE = 0.02  # of the samples of a sweep
_ALL = 0.95  # of the samples beyond the edge of a limit are at it
_BEYOND = 0.1  # of the current: a curve that continues by less has lost nothing relevant


def at_limits(raw: Floats, limits: Limits) -> Flags:
    """Return which samples (n, k) are at or beyond the recorder's limits, A."""
    low, high = limits
    return np.asarray((raw <= low) | (raw >= high))


def refuse_at_limits(table: Table, at: Flags, present: Flags) -> None:
    """Refuse the sweeps with more than a few samples at a limit."""
    count = (at & present).sum(1)
    for row in np.flatnonzero(count >= np.maximum(MIN_RAIL, _SHARE * present.sum(1))):
        _refuse(table, int(row), int(count[row]), "recorder's limit")


def refuse_clipped(
    table: Table,
    bias: Floats,
    current: Floats,
    raw: Floats,
    probe: Probe,
    *,
    step: float,
    reduction: float | None,
) -> None:
    """Refuse the sweeps whose curve continues beyond the value that they stay at.

    Parameters
    ----------
    table : Table
        Results of these sweeps.
    bias, current : (n, k) float64, V and A
    raw : (n, k) float64, A
        Current as recorded: subtracting a background bends a limit.
    probe, step, reduction
        As in the analysis.
    """
    for upper in (False, True) if raw.size else ():
        flat = flat_end(bias, raw, upper=upper)
        rows = np.flatnonzero(flat.any(1))
        if not rows.size:
            continue
        part = np.where(flat[rows], np.nan, current[rows])
        again = analyse_padded(bias[rows], part, probe.rows(rows), step=step, reduction=reduction)
        beyond = _beyond(again, bias[rows], current[rows], flat[rows], probe.rows(rows), upper)
        for k, row in enumerate(rows):
            threshold = 4.0 * max(step, _noise(again.noise[k]))
            if step == 0.0:
                # without quantisation no two samples are equal
                clipped = True
            elif again.valid[k]:
                clipped = beyond[k] > threshold
            else:
                rise = _rise_to_rail(bias[row], current[row], flat[row], upper)
                clipped = rise > threshold or not table.valid[row]
            level = float(np.median(raw[row, flat[row]]))
            if clipped and not upper and step and abs(level) < 0.75 * step:
                table.refuse(
                    int(row), f"the ion current is lost in the recorder's steps of {step:.2g} A"
                )
            elif clipped:
                where = "upper rail" if upper else "lower rail"
                if not upper and step and abs(level) < 1.5 * step:
                    where += f", or on the first of the recorder's steps of {step:.2g} A"
                _refuse(table, int(row), int(flat[row].sum()), where)


def _rise_to_rail(bias: Floats, current: Floats, flat: Flags, upper: bool) -> float:
    """Return the change of the current just before it reaches a rail, A."""
    at_rail = bias[flat]
    edge = at_rail.min() if upper else at_rail.max()
    width = np.ptp(at_rail) / 8.0
    distance = edge - bias if upper else bias - edge
    near = (distance > 0.0) & (distance < width) & np.isfinite(current)
    if near.sum() < 2:
        return 0.0
    return float(np.ptp(np.append(current[near], np.median(current[flat]))))


def _noise(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def flat_end(bias: Floats, raw: Floats, *, upper: bool) -> Flags:
    """Return the samples (n, k) at one end of each sweep that equal its extreme value."""
    present = np.isfinite(bias) & np.isfinite(raw)
    fill = -np.inf if upper else np.inf
    values = np.where(present, raw, fill)
    extreme = values.max(1) if upper else values.min(1)
    extreme = np.where(np.isfinite(extreme), extreme, 0.0)
    swing = np.where(present, raw, extreme[:, None])
    close = 1e-9 * np.maximum(np.ptp(swing, axis=1), 1e-300)
    at = present & (np.abs(values - extreme[:, None]) <= close[:, None])
    count = at.sum(1)
    enough = count >= np.maximum(MIN_RAIL, _SHARE * present.sum(1))
    out = np.zeros_like(at)
    for row in np.flatnonzero(enough & (np.ptp(swing, axis=1) > 0.0)):
        edge = float(np.median(bias[row, at[row]]))
        beyond = present[row] & (bias[row] >= edge if upper else bias[row] <= edge)
        if at[row][beyond].mean() >= _ALL:
            out[row] = at[row]
    return np.asarray(out)


def _beyond(
    again: Table, bias: Floats, current: Floats, flat: Flags, probe: Probe, upper: bool
) -> Floats:
    """Return how far the fitted curve continues beyond the flat end, (n,) A; 0 if unknown."""
    out = np.zeros(bias.shape[0])
    rows = np.flatnonzero(again.valid)
    # with the fitted knee, which determines how the curve continues
    tip = replace(probe.rows(rows), rho_electrons=again.knee[rows] if probe.radius else None)
    value = fitted_current(again.theta[rows], np.nan_to_num(bias[rows]), tip)
    for row, fitted in zip(rows, value, strict=True):
        at_rail = flat[row]
        off = float(np.mean(fitted[at_rail] - current[row, at_rail]))
        size = off if upper else -off
        out[row] = size if size > _BEYOND * abs(float(np.mean(fitted[at_rail]))) else 0.0
    return out


def _refuse(table: Table, row: int, count: int, where: str) -> None:
    if not table.reason[row].startswith(("clipped", "probe disconnected")):
        table.refuse(row, f"clipped: {count} samples at the {where}")
