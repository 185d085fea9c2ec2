"""Samples at the limits of recorder or amplifier, and what they hide.

Where the limits are known, what lies on one is no measurement. Where they are not, the largest
value of a sweep is not yet a limit: a quiet record of coarse steps stays on one value for long,
too. It is one if the curve, fitted without those samples, goes on beyond it, or, where no curve can
be fitted to the rest, if the current runs into it.
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
_ALL = 0.95  # of those beyond the edge of a limit lie on it
_BEYOND = 0.1  # of the swing: a curve that goes on by less has lost nothing that counts


def at_limits(raw: Floats, limits: Limits) -> Flags:
    """Return which samples (n, k) lie on or beyond the recorder's limits, A."""
    low, high = limits
    return np.asarray((raw <= low) | (raw >= high))


def refuse_at_limits(table: Table, at: Flags, present: Flags) -> None:
    """Refuse the sweeps of which more than single samples are at a limit."""
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
    """Refuse the sweeps whose curve goes on beyond the value that they stay on.

    Parameters
    ----------
    table : Table
        Of these sweeps, analysed.
    bias, current : (n, k) float64, V and A
    raw : (n, k) float64, A
        The current as it was recorded: what is taken off makes a limit bend.
    probe, step, reduction
        As they were analysed.
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
            much = 4.0 * max(step, _noise(again.noise[k]))
            if step == 0.0:
                # nothing that is measured without steps is the same twice
                clipped = True
            elif again.valid[k]:
                clipped = beyond[k] > much
            else:
                runs_in = _rise_beside(bias[row], current[row], flat[row], upper)
                clipped = runs_in > much or not table.valid[row]
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


def _rise_beside(bias: Floats, current: Floats, flat: Flags, upper: bool) -> float:
    """Return by how much the current rises or falls, A, on the last part of its way to a rail."""
    there = bias[flat]
    edge = there.min() if upper else there.max()
    wide = np.ptp(there) / 8.0
    inside = edge - bias if upper else bias - edge
    beside = (inside > 0.0) & (inside < wide) & np.isfinite(current)
    if beside.sum() < 2:
        return 0.0
    return float(np.ptp(np.append(current[beside], np.median(current[flat]))))


def _noise(value: float) -> float:
    return float(value) if np.isfinite(value) else 0.0


def flat_end(bias: Floats, raw: Floats, *, upper: bool) -> Flags:
    """Return the samples (n, k) at one end of each sweep that all have its extreme value."""
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
        there = bias[row, at[row]]
        edge = float(np.median(there))
        beyond = present[row] & (bias[row] >= edge if upper else bias[row] <= edge)
        if at[row][beyond].mean() >= _ALL:
            out[row] = at[row]
    return np.asarray(out)


def _beyond(
    again: Table, bias: Floats, current: Floats, flat: Flags, probe: Probe, upper: bool
) -> Floats:
    """Return how far the fitted curve goes on beyond the flat end, (n,) A; 0 if unknown."""
    out = np.zeros(bias.shape[0])
    rows = np.flatnonzero(again.valid)
    # with the knee that was fitted: another would go on otherwise
    tip = replace(probe.rows(rows), rho_electrons=again.knee[rows] if probe.radius else None)
    value = fitted_current(again.theta[rows], np.nan_to_num(bias[rows]), tip)
    for row, fitted in zip(rows, value, strict=True):
        there = flat[row]
        off = float(np.mean(fitted[there] - current[row, there]))
        size = off if upper else -off
        out[row] = size if size > _BEYOND * abs(float(np.mean(fitted[there]))) else 0.0
    return out


def _refuse(table: Table, row: int, count: int, where: str) -> None:
    if not table.reason[row].startswith(("clipped", "probe disconnected")):
        table.refuse(row, f"clipped: {count} samples at the {where}")
