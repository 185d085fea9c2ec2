"""The public analysis: one sweep, or all sweeps of a record, with the same code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as hidden
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.gases import Gas
from ishtar.langmuir.arguments import limits_of, pair, probe_of, window
from ishtar.langmuir.background import Background, background_of, capacitance_of_ramps
from ishtar.langmuir.hot import fitted_current, theta_of_ions
from ishtar.langmuir.model import Probe, ions
from ishtar.langmuir.record_analysis import analyse_record
from ishtar.langmuir.record_pickup import Line
from ishtar.langmuir.sweeps import SweepError, Sweeps, find_sweeps
from ishtar.langmuir.table import KEYS, Table
from ishtar.quantity import Measured

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["SweepResult", "analyse", "analyse_sweeps"]

Floats = NDArray[np.float64]

UNITS = {
    "Vf": "V",
    "Vp": "V",
    "Te": "eV",
    "ne": "1/m^3",
    "Isat": "A",
    "reduction": "1",
    "Te_hot": "eV",
    "hot_fraction": "1",
}
_LONG_NAMES = {
    "Vf": "floating potential",
    "Vp": "plasma potential",
    "Te": "electron temperature",
    "ne": "electron density",
    "Isat": "ion current at the floating potential",
    "reduction": "electron current over its unmagnetised value",
    "Te_hot": "temperature of the hot electrons",
    "hot_fraction": "density of the hot electrons over that of all",
}


@dataclass(frozen=True, kw_only=True)
class SweepResult:
    """Results of one sweep.

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
        R, the electron current relative to that of an unmagnetised probe.
    Te_hot, hot_fraction : Measured
        Temperature, eV, of hot electrons and their share of the density; NaN if one temperature
        explains the sweep. Otherwise Te and ne are those of the cold electrons.
    valid : bool
        Whether the result can be used; if not, all values are NaN.
    reason : str
        Why the result is invalid; empty if ``valid``.
    note : str
        Causes other than noise that widen an error bar; empty if there are none.
    chi2 : float
        χ² per degree of freedom of the fit, with the noise estimated from the data.
    model_error : float
        Relative misfit beyond the noise, 0 if χ² is good.
    noise : float
        Noise of a sample of the current, A.
    ripple : float
        Unrecorded voltage between probe and plasma, V rms.
    outliers : int
        Single samples that were excluded.
    """

    Vf: Measured
    Vp: Measured
    Te: Measured
    ne: Measured
    Isat: Measured
    reduction: Measured
    Te_hot: Measured
    hot_fraction: Measured
    valid: bool
    reason: str
    note: str
    chi2: float
    model_error: float
    noise: float
    ripple: float
    outliers: int
    probe: Probe = hidden(repr=False)
    theta: tuple[float, ...] = hidden(repr=False)

    def current(self, bias: ArrayLike) -> Floats:
        """Return the fitted current, A.

        Parameters
        ----------
        bias : (n,) array_like, V

        Returns
        -------
        (n,) float64, A
            Electron current positive; NaN if the result is invalid.
        """
        v = np.atleast_1d(np.asarray(bias, float))
        theta = np.array([self.theta])
        if not self.valid:
            return np.full(np.shape(bias), np.nan)
        value = fitted_current(theta, v.reshape(1, -1), self.probe)
        return np.asarray(value.reshape(np.shape(bias)))

    def ion_current(self, bias: ArrayLike) -> Floats:
        """Return the ion part of the fitted current, A.

        Parameters
        ----------
        bias : (n,) array_like, V

        Returns
        -------
        (n,) float64, A
            Positive; NaN if the sweep could not be fitted.
        """
        v = np.atleast_1d(np.asarray(bias, float))
        found = ions(theta_of_ions(np.array([self.theta])), v.reshape(1, -1), self.probe)
        return np.asarray(found.reshape(np.shape(bias)))


def analyse(
    bias: ArrayLike,
    current: ArrayLike,
    *,
    area: float,
    gas: str | Gas = "Ar",
    radius: float | None = None,
    length: float | None = None,
    reduction: float | None = None,
    field: float | None = None,
    limits: tuple[float, float] | None = None,
) -> SweepResult:
    """Analyse one sweep.

    Fits the whole characteristic at once by weighted least squares, with the noise estimated from
    the data: electron exponential, knee and ion branch. With ``radius``, the ion current is
    Laframboise's for a cylinder of that radius over the Debye length, from the orbital-motion limit
    to a thin sheath; without, it is Bohm's flux 0.61 ne c_s with a sheath that widens at a fitted
    rate.

    Parameters
    ----------
    bias : (n,) array_like, V
        In any order, up and down mixed; NaN is a missing sample. Narrow-band pick-up is found only
        in samples that are in the order of time.
    current : (n,) array_like, A
        Electron current positive.
    area : float
        Collecting area, m².
    gas : str or Gas
        Working gas.
    radius, length : float, optional
        Of a cylindrical tip, m; checked against ``area``.
    reduction : float, optional
        R, if known (1 without magnetic field); by default it is fitted.
    field : float, optional
        Magnetic flux density at the tip, T; 0 for none. It determines the share R of the electrons
        that arrives, so that both electrons and ions measure the density. If unknown, an R below 1
        may be due to a field or to excess ions, which adds to the sigma of the density.
    limits : (float, float), optional
        Lowest and highest current of the recorder, A. By default a sweep counts as clipped if it
        stays at its extreme value while its curve would continue.

    Returns
    -------
    SweepResult

    Raises
    ------
    SweepError
        The arrays do not match, or the geometry is impossible.
    UnitError
        The data have a unit other than V and A.

    References
    ----------
    Laframboise 1966, Narasimhan and Steinbrüchel 2001, Hutchinson 2002; see
    :mod:`ishtar.langmuir.theory`.
    """
    v, i = pair(bias, current)
    probe = probe_of(area, gas, radius, length, reduction, field)
    limits = limits_of(limits)
    single = Sweeps(
        start=np.array([0]),
        stop=np.array([v.size]),
        direction=np.array([1], np.int8),
        t0=0.0,
        dt=1.0,
    )
    table, _ = analyse_record(v, i, single, probe, limits=limits, reduction=reduction)
    return SweepResult(**entries(table, probe))


def entries(table: Table, probe: Probe) -> dict[str, Any]:
    """Return the fields of a `SweepResult` for the first sweep of a table."""
    measured = {
        q: Measured(value=float(table.value[q][0]), sigma=float(table.sigma[q][0]), unit=UNITS[q])
        for q in KEYS
    }
    return dict(
        **measured,
        valid=bool(table.valid[0]),
        reason=table.reason[0],
        note=table.note[0],
        chi2=float(table.chi2[0]),
        model_error=float(table.model_error[0]),
        noise=float(table.noise[0]),
        ripple=float(table.ripple[0]),
        probe=replace(probe, rho_electrons=table.knee[:1]),
        theta=tuple(float(x) for x in table.theta[0]),
        outliers=int(table.outliers[0]),
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
    field: float | None = None,
    sweeps: Sweeps | None = None,
    quiet: tuple[float, float] | None = None,
    background: Background | None = None,
    ramps: bool = False,
    generators: Mapping[str, float] | None = None,
    limits: tuple[float, float] | None = None,
) -> xr.Dataset:
    """Analyse all sweeps of a record.

    Parameters
    ----------
    bias, current : (n_t,) array_like, V and A
        Records on one time base; electron current positive.
    dt, t0 : float
        Sampling interval and time of the first sample, s.
    area, gas, radius, length, reduction, field
        As in :func:`analyse`.
    sweeps : Sweeps, optional
        The ramps; by default those that :func:`find_sweeps` finds in ``bias``.
    quiet : (float, float), optional
        From and until, s, a time without plasma: offset, leakage and capacitive current are
        determined there and subtracted everywhere.
    background : Background, optional
        A known background, instead of ``quiet``.
    ramps : bool
        Determine the capacitance from the difference of up and down ramps, after any other
        background is subtracted.
    generators : mapping of str to float, optional
        Names and frequencies, Hz, of generators whose RF may be picked up. Lines are also found
        without it; where one is expected the threshold is lower, and the line is named after it.
    limits
        As in :func:`analyse`.

    Returns
    -------
    xarray.Dataset
        Dimension ``sweep``, coordinate ``time`` (middle of the sweep, s); ``Vf Vp Te ne Isat
        reduction`` each with ``_sigma``; ``valid``, ``reason``, ``direction``, ``chi2``,
        ``model_error``, ``noise`` (A), ``ripple`` (V rms between probe and plasma), ``outliers``
        (excluded samples) and ``note``. ``Te_sigma`` … combines ``Te_sigma_theory``, which all
        sweeps share, with the larger of the fit's noise and the scatter of neighbouring sweeps,
        ``Te_sigma_seen``; ``Te_sigma_fit`` is sigma by the fit alone. ``Te_hot`` and
        ``hot_fraction`` are NaN unless two temperatures explain a sweep clearly better; ``Te`` and
        ``ne`` are then the cold ones. Values are NaN where not ``valid``. Units are in
        ``attrs["units"]``, the lines removed from the record in ``attrs["pickup"]``.

    Raises
    ------
    SweepError
        The arrays do not match, the geometry is impossible, the sweeps or the quiet time are not
        within the record.
    UnitError
        The data have a unit other than V and A.
    """
    v, i = pair(bias, current)
    probe = probe_of(area, gas, radius, length, reduction, field)
    limits = limits_of(limits)
    if quiet is not None and background is not None:
        raise SweepError("both quiet and background are given; give one of them")
    if sweeps is None:
        sweeps = find_sweeps(v, dt, t0=t0)
    elif len(sweeps) and int(sweeps.stop.max()) > v.size:
        raise SweepError(
            f"sweeps extend to sample {int(sweeps.stop.max())} of {v.size}; find them in this bias"
        )
    if quiet is not None:
        background = background_of(*window(v, i, t0, dt, quiet), dt=dt)
    subtracted = background or Background()
    if ramps and len(sweeps) > 1:
        extra = capacitance_of_ramps(v, i - subtracted.current(v, dt), sweeps)
        subtracted = replace(subtracted, capacitance=subtracted.capacitance + extra)
    table, lines = analyse_record(
        v,
        i,
        sweeps,
        probe,
        background=subtracted if subtracted != Background() else None,
        limits=limits,
        generators=generators,
        reduction=reduction,
    )
    return dataset_of(table, sweeps, probe, subtracted, lines)


def dataset_of(
    table: Table, sweeps: Sweeps, probe: Probe, background: Background, lines: Sequence[Line]
) -> xr.Dataset:
    """Return the dataset of `analyse_sweeps` for a table of results."""
    dataset = _dataset(table, sweeps)
    dataset.attrs.update(
        gas=probe.gas.symbol,
        area_m2=probe.area,
        radius_m=probe.radius if probe.radius else math.nan,
        field_T=math.nan if probe.field is None else probe.field,
        offset_A=background.offset,
        leak_S=background.conductance,
        capacitance_F=background.capacitance,
        pickup="; ".join(map(str, lines)),
        pickup_Hz=[line.frequency for line in lines],
        pickup_bias_V=[line.bias for line in lines],
        pickup_current_A=[line.current for line in lines],
    )
    return dataset


def _dataset(table: Table, sweeps: Sweeps) -> xr.Dataset:
    import xarray as xr

    data: dict[str, Any] = {}
    for q in KEYS:
        unit = {"units": UNITS[q]}
        data[q] = ("sweep", table.value[q], {**unit, "long_name": _LONG_NAMES[q]})
        fit, scatter, theory = table.fit_sigma[q], table.scatter_sigma[q], table.theory_sigma(q)
        for name, values, meaning in (
            ("sigma", table.sigma[q], f"standard deviation of {q}"),
            ("sigma_fit", fit, f"standard deviation of {q} by the fit of its sweep"),
            ("sigma_theory", theory, f"uncertainty of {q} from theory, common to all sweeps"),
            ("sigma_seen", scatter, f"scatter of {q} of neighbouring sweeps about a smooth curve"),
        ):
            data[f"{q}_{name}"] = ("sweep", values, {**unit, "long_name": meaning})
    data["valid"] = ("sweep", table.valid)
    data["reason"] = ("sweep", np.array(table.reason, dtype=str))
    data["note"] = ("sweep", np.array(table.note, dtype=str))
    data["direction"] = ("sweep", sweeps.direction, {"long_name": "+1 rising bias, -1 falling"})
    data["chi2"] = ("sweep", table.chi2, {"units": "1", "long_name": "χ² per degree of freedom"})
    data["model_error"] = ("sweep", table.model_error, {"units": "1"})
    data["noise"] = ("sweep", table.noise, {"units": "A", "long_name": "noise of a sample"})
    data["outliers"] = ("sweep", table.outliers, {"long_name": "samples excluded as spikes"})
    data["ripple"] = ("sweep", table.ripple, {"units": "V", "long_name": "rms ripple of the bias"})
    time = ("sweep", sweeps.time, {"units": "s", "long_name": "middle of the sweep"})
    return xr.Dataset(data, coords={"time": time})
