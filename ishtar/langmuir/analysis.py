"""The public analysis: one sweep, or all sweeps of a shot, by the same code."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import UnitError
from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir import fit
from ishtar.langmuir.background import Background, background_of, capacitance_of_ramps
from ishtar.langmuir.bins import resolution
from ishtar.langmuir.checks import MIN_RAIL
from ishtar.langmuir.engine import QUANTITIES, Table, analyse_padded
from ishtar.langmuir.fit import Probe
from ishtar.langmuir.sweeps import SweepError, Sweeps, find_sweeps
from ishtar.measured import Measured

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SweepResult", "analyse", "analyse_sweeps"]

Floats = NDArray[np.float64]

UNITS = {"Vf": "V", "Vp": "V", "Te": "eV", "ne": "1/m^3", "Isat": "A", "reduction": "1"}
_LONG_NAMES = {
    "Vf": "floating potential",
    "Vp": "plasma potential",
    "Te": "electron temperature",
    "ne": "electron density",
    "Isat": "ion current at the floating potential",
    "reduction": "electron current over its unmagnetised value",
}
_NAMES_OF_UNIT = {"V": {"V", "volt", "volts"}, "A": {"A", "ampere", "amperes", "amp", "amps"}}


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """What one sweep says of the plasma.

    Parameters
    ----------
    Vf, Vp : Measured
        Floating and plasma potential, V.
    Te : Measured
        Electron temperature, eV.
    ne : Measured
        Electron density, 1/m³.
    Isat : Measured
        Ion current at the floating potential, A, positive.
    reduction : Measured
        R, the electron current over that of an unmagnetised probe.
    valid : bool
        Whether to believe it; if not, all values are NaN.
    reason : str
        Why not; empty where ``valid``.
    chi2 : float
        χ² per degree of freedom of the fit against the noise seen in the data.
    model_error : float
        Relative misfit beyond the noise, 0 where χ² is good.
    noise : float
        Noise of a sample of the current, A.
    ripple : float
        Voltage between probe and plasma that the record does not show, V rms.
    """

    Vf: Measured
    Vp: Measured
    Te: Measured
    ne: Measured
    Isat: Measured
    reduction: Measured
    valid: bool
    reason: str
    chi2: float
    model_error: float
    noise: float
    ripple: float
    probe: Probe = field(repr=False)
    theta: tuple[float, ...] = field(repr=False)

    def current(self, bias: ArrayLike) -> Floats:
        """Return the fitted current, A, at ``bias``, V; NaN if the fit is not valid."""
        v = np.atleast_1d(np.asarray(bias, float))
        theta = np.array([self.theta])
        if not self.valid:
            return np.full(np.shape(bias), np.nan)
        value, _, _ = fit.model(theta, v.reshape(1, -1), np.zeros((1, v.size)), self.probe)
        return np.asarray(value.reshape(np.shape(bias)))

    def ion_current(self, bias: ArrayLike) -> Floats:
        """Return the ions' part of the fitted current, A, positive, at ``bias``, V."""
        v = np.atleast_1d(np.asarray(bias, float))
        theta = np.array([self.theta])
        value, jac, _ = fit.model(theta, v.reshape(1, -1), np.zeros((1, v.size)), self.probe)
        return np.asarray((jac[0, fit.LN_R] - value[0]).reshape(np.shape(bias)))


def analyse(
    bias: ArrayLike,
    current: ArrayLike,
    *,
    area: float,
    gas: str | Gas = "Ar",
    radius: float | None = None,
    length: float | None = None,
    reduction: float | None = None,
) -> SweepResult:
    """Analyse one sweep.

    Fits the whole characteristic at once, by weighted least squares with the noise found in the
    data: the electrons' exponential and knee, and the ions' branch. With ``radius``, the ion
    current is Laframboise's for a cylinder of that radius over the Debye length, from the
    orbital-motion limit to a thin sheath; without, Bohm's flux 0.61 ne c_s with a sheath that
    widens at a fitted rate.

    Parameters
    ----------
    bias : (n,) array_like, V
        In any order, up and down mixed; NaN is a missing sample. Order in time, where there is
        one, lets narrow-band pick-up be found.
    current : (n,) array_like, A
        Electron current positive.
    area : float
        Collecting area, m².
    gas : str or Gas
        Working gas.
    radius, length : float, optional
        Of a cylindrical tip, m; checked against ``area``.
    reduction : float, optional
        R, if it is known (1 without magnetic field); else it is fitted.

    Returns
    -------
    SweepResult

    Raises
    ------
    SweepError
        For arrays that do not fit together and impossible geometry.
    UnitError
        For data that carry another unit than V and A.

    References
    ----------
    Laframboise 1966, Narasimhan and Steinbrüchel 2001, Hutchinson 2002; see
    :mod:`ishtar.langmuir.theory`.
    """
    v, i = pair(bias, current)
    probe = probe_of(area, gas, radius, length, reduction)
    table = analyse_padded(v[None, :], i[None, :], probe, step=resolution(i), reduction=reduction)
    return SweepResult(**entries(table, probe))


def entries(table: Table, probe: Probe) -> dict[str, Any]:
    """Return the fields of a `SweepResult` for the first sweep of a table."""
    measured = {
        q: Measured(value=float(table.value[q][0]), sigma=float(table.sigma[q][0]), unit=UNITS[q])
        for q in (*QUANTITIES, "reduction")
    }
    return dict(
        **measured,
        valid=bool(table.valid[0]),
        reason=table.reason[0],
        chi2=float(table.chi2[0]),
        model_error=float(table.model_error[0]),
        noise=float(table.noise[0]),
        ripple=float(table.ripple[0]),
        probe=probe,
        theta=tuple(float(x) for x in table.theta[0]),
    )


def analyse_sweeps(
    bias: ArrayLike,
    current: ArrayLike,
    *,
    dt: float,
    t0: float = 0.0,
    area: float,
    gas: str | Gas = "Ar",
    radius: float | None = None,
    length: float | None = None,
    reduction: float | None = None,
    sweeps: Sweeps | None = None,
    quiet: tuple[float, float] | None = None,
    background: Background | None = None,
    ramps: bool = False,
) -> xr.Dataset:
    """Analyse all sweeps of a shot.

    Parameters
    ----------
    bias, current : (n_t,) array_like, V and A
        Records on one time base; electron current positive.
    dt, t0 : float
        Time between samples and of the first one, s.
    area, gas, radius, length, reduction
        As in :func:`analyse`.
    sweeps : Sweeps, optional
        The ramps; found in ``bias`` by :func:`find_sweeps` if not given.
    quiet : (float, float), optional
        From and to, s: a time without plasma, from which offset, leak and capacitive current are
        taken and then subtracted everywhere.
    background : Background, optional
        Known instead.
    ramps : bool
        Take the capacitance from the difference of up and down ramps; after any other background.

    Returns
    -------
    xarray.Dataset
        Dimension ``sweep``, coordinate ``time`` (middle of the sweep, s); ``Vf Vp Te ne Isat
        reduction`` each with ``_sigma``; ``valid``, ``reason``, ``direction``, ``chi2``,
        ``model_error``, ``noise`` (A) and ``ripple`` (V rms of the bias that the data betray).
        Values are NaN where not ``valid``. Units are in ``attrs["units"]``.
    """
    v, i = pair(bias, current)
    probe = probe_of(area, gas, radius, length, reduction)
    if quiet is not None and background is not None:
        raise SweepError("both quiet and background are given; give one of them")
    if sweeps is None:
        sweeps = find_sweeps(v, dt, t0=t0)
    elif len(sweeps) and int(sweeps.stop.max()) > v.size:
        raise SweepError(
            f"sweeps reach sample {int(sweeps.stop.max())} of {v.size}; find them anew"
        )
    step = resolution(i)
    # A rail is flat only in the record itself: after a background is taken off it no longer is.
    n_rail = samples_at_record_limit(sweeps.table(i), i)
    if quiet is not None:
        background = background_of(*_window(v, i, t0, dt, quiet), dt=dt)
    if background is not None:
        i = i - background.current(v, dt)
    extra = 0.0
    if ramps and len(sweeps) > 1:
        extra = capacitance_of_ramps(v, i, sweeps)
        i = i - Background(capacitance=extra).current(v, dt)
    table = analyse_padded(sweeps.table(v), sweeps.table(i), probe, step=step, reduction=reduction)
    refuse_clipped(table, n_rail)
    dataset = _dataset(table, sweeps)
    used = background or Background()
    dataset.attrs.update(
        gas=probe.gas.symbol,
        area_m2=probe.area,
        radius_m=probe.radius if probe.radius else math.nan,
        offset_A=used.offset,
        leak_S=used.conductance,
        capacitance_F=used.capacitance + extra,
    )
    return dataset


def samples_at_record_limit(currents: Floats, record: Floats) -> Floats:
    """Return how many samples of each sweep lie at the largest or smallest value of the record.

    0 where they are too few to be a rail: noise alone puts single samples there.
    """
    at = (currents == record.max()) | (currents == record.min())
    n_at = at.sum(axis=1)
    enough = np.maximum(MIN_RAIL, 0.02 * np.isfinite(currents).sum(axis=1))
    return np.where((n_at >= enough) & (np.ptp(record) > 0), n_at, 0)


def refuse_clipped(table: Table, n_rail: Floats) -> None:
    """Refuse the sweeps that lie at the record's limit; a dead probe's noise is told as that."""
    for row in np.flatnonzero(n_rail):
        if not table.reason[row].startswith(("clipped", "probe disconnected")):
            table.valid[row] = False
            table.reason[row] = f"clipped: {int(n_rail[row])} samples at the recorder's limit"
            for values in (*table.value.values(), *table.sigma.values()):
                values[row] = np.nan


def _dataset(table: Table, sweeps: Sweeps) -> xr.Dataset:
    import xarray as xr

    data: dict[str, Any] = {}
    for q in (*QUANTITIES, "reduction"):
        data[q] = ("sweep", table.value[q], {"units": UNITS[q], "long_name": _LONG_NAMES[q]})
        data[f"{q}_sigma"] = (
            "sweep",
            table.sigma[q],
            {"units": UNITS[q], "long_name": f"standard deviation of {q}"},
        )
    data["valid"] = ("sweep", table.valid)
    data["reason"] = ("sweep", np.array(table.reason, dtype=str))
    data["direction"] = ("sweep", sweeps.direction, {"long_name": "+1 rising bias, -1 falling"})
    data["chi2"] = ("sweep", table.chi2, {"units": "1", "long_name": "χ² per degree of freedom"})
    data["model_error"] = ("sweep", table.model_error, {"units": "1"})
    data["noise"] = ("sweep", table.noise, {"units": "A", "long_name": "noise of a sample"})
    data["ripple"] = ("sweep", table.ripple, {"units": "V", "long_name": "rms ripple of the bias"})
    time = ("sweep", sweeps.time, {"units": "s", "long_name": "middle of the sweep"})
    return xr.Dataset(data, coords={"time": time})


def _window(
    v: Floats, i: Floats, t0: float, dt: float, quiet: tuple[float, float]
) -> tuple[Floats, Floats]:
    a, b = (round((t - t0) / dt) for t in quiet)
    a, b = max(a, 0), min(b, v.size)
    if b - a < 20:
        raise SweepError(
            f"the quiet time {quiet[0]:g}…{quiet[1]:g} s holds {max(b - a, 0)} samples of a record "
            f"from {t0:g} to {t0 + dt * v.size:g} s; give one inside it"
        )
    return v[a:b], i[a:b]


def pair(bias: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    v, i = _record("bias", bias, "V"), _record("current", current, "A")
    if v.shape != i.shape:
        raise SweepError(
            f"bias has {v.size} samples and current {i.size}; give both on one time base"
        )
    return v, i


def _record(name: str, data: Any, unit: str) -> Floats:
    """Return data as (n,) float64, refusing another unit or shape."""
    stated = getattr(data, "attrs", {}).get("units", getattr(data, "attrs", {}).get("unit"))
    if stated is None and hasattr(data, "magnitude") and hasattr(data, "units"):
        stated, data = str(data.units), data.magnitude
    if stated is not None and str(stated) not in _NAMES_OF_UNIT[unit]:
        raise UnitError(f"{name} is in {stated!r}; give it in {unit}")
    values = np.asarray(data)
    if values.dtype.kind not in "fiu":
        raise SweepError(f"{name} holds {values.dtype}; give real numbers in {unit}")
    if values.ndim != 1:
        raise SweepError(f"{name} has shape {values.shape}; give one record, shape (n,)")
    return values.astype(float)


def probe_of(
    area: float,
    gas: str | Gas,
    radius: float | None,
    length: float | None,
    reduction: float | None,
) -> Probe:
    """Return what the model must know; SweepError for an impossible geometry."""
    if not 1e-9 < area < 0.1:
        raise SweepError(f"area is {area:g}; give the collecting area in m², 1e-9 … 0.1")
    for name, value in (("radius", radius), ("length", length)):
        if value is not None and not 1e-6 < value < 0.5:
            raise SweepError(f"{name} is {value:g}; give it in m, 1e-6 … 0.5")
    if radius is not None and length is not None:
        side, both = 2 * math.pi * radius * length, 2 * math.pi * radius * (length + radius)
        if not 0.8 * side < area < 1.2 * both:
            raise SweepError(
                f"area {area:.3g} m² is not that of a cylinder of radius {radius:g} m and length "
                f"{length:g} m, {side:.3g} … {both:.3g} m²; correct one of them"
            )
    if reduction is not None and not 0.0 < reduction <= 1.0:
        raise SweepError(f"reduction is {reduction:g}; give 0 < reduction ≤ 1, or None to fit it")
    return Probe(area=float(area), radius=radius, gas=_gas(gas))
