"""Swept Langmuir probes: sweeps analysed with the uncertainty of tip and calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ishtar.errors import MissingCalibration, NotFoundError, TimeBaseError
from ishtar.langmuir import SweepResult
from ishtar.langmuir.analysis import dataset_of, entries
from ishtar.langmuir.arguments import probe_of
from ishtar.langmuir.model import Probe
from ishtar.langmuir.record_analysis import analyse_record
from ishtar.langmuir.record_pickup import Line
from ishtar.langmuir.table import Table
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.gas import recorded_gas, working_gas
from ishtar.machine.manipulator import Manipulator, Position
from ishtar.machine.probe_records import (
    MARGIN_S,
    Quiet,
    background_from,
    longest,
    ramps_at,
    recorder_limits,
)
from ishtar.machine.readings import Time, gain_and_offset, interval
from ishtar.machine.systematic import (
    Record,
    SharedUncertainty,
    Tip,
    common_sigmas,
    response_of_record,
)
from ishtar.quantity import Measured
from ishtar.signals.windows import seconds
from ishtar.units import factor

if TYPE_CHECKING:
    import xarray as xr

    from ishtar.gases import Gas

QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat")
NEIGHBOURS = 64  # ramps on either side of one: pick-up and scatter show only in many


@dataclass(frozen=True, kw_only=True)
class ProbeSweep(SweepResult):
    """One sweep of a probe: a `SweepResult` whose sigmas include calibration and geometry.

    Parameters
    ----------
    time : float
        Middle of the sweep, s.
    common : dict of str to float
        The part of each sigma that all sweeps share, in the unit of the quantity.
    """

    time: float
    common: dict[str, float] = field(repr=False)

    def __str__(self) -> str:
        values = ", ".join(f"{q} = {getattr(self, q)}" for q in QUANTITIES)
        return f"sweep at {self.time:.4g} s: {values if self.valid else self.reason}"


class LangmuirProbe(Component):
    """A swept probe with a cylindrical tip.

    Declared parameters: ``tip_radius`` and ``tip_length``, each with its ``_sigma``, ``bias`` and
    ``current`` (signals; electron current positive).
    """

    @property
    def tip(self) -> Tip:
        """Tip with the sigmas of its lengths."""
        radius, length = (self.quantity(f"tip_{side}", "m") for side in ("radius", "length"))
        return Tip(radius=radius, length=length)

    @property
    def tip_radius(self) -> float:
        """Radius of the tip, m."""
        return self.value("tip_radius", "m")

    @property
    def tip_length(self) -> float:
        """Length of the tip, m."""
        return self.value("tip_length", "m")

    @property
    def area(self) -> float:
        """Collecting area of the tip, m²; ``tip.area`` has its sigma."""
        return self.tip.area.value

    def position(self, t: Time | None = None) -> Position:
        """Return the position of the tip, m: that of the manipulator that the probe is part of.

        Parameters
        ----------
        t : float or (float, float), optional
            Time, s, or from and until; by default the whole record.

        Returns
        -------
        Position
            As :meth:`ishtar.machine.manipulator.Manipulator.position`.

        Raises
        ------
        ComponentError
            The probe is on no manipulator, or the manipulator has no position.
        """
        parent = self.parent
        while parent is not None:
            if isinstance(parent, Manipulator):
                return parent.position(t)
            parent = parent.parent
        raise ComponentError(
            f"{self.name} is not part of a manipulator: add part_of at {self.where}",
            component=self.name,
        )

    def sweep(
        self, t: float, *, gas: str | Gas | None = None, quiet: Quiet = "before"
    ) -> ProbeSweep:
        """Analyse the sweep nearest to a time.

        Parameters
        ----------
        t : float
            Time, s.
        gas, quiet
            As in `sweeps`.

        Returns
        -------
        ProbeSweep
            ``Vf, Vp, Te, ne, Isat`` as `Measured`, ``valid`` and ``reason``, ``time``.

        Raises
        ------
        ComponentError
            The bias is not swept at that time, or no gas is given or recorded.
        """
        working, t = self._gas(gas), seconds(t, f"t={t!r}")
        ramps = ramps_at(self.signal("bias"), (t, t), factor(self.signal("bias").unit, "V"))[1]
        near = longest(ramps) * NEIGHBOURS if len(ramps) else MARGIN_S
        record, uncertain = self._read((t - near, t + near), quiet)
        all_ramps = record.sweeps
        k = int(np.argmin(np.abs(all_ramps.time - t))) if len(all_ramps) else 0
        if not len(all_ramps) or abs(all_ramps.time[k] - t) > 2.0 * longest(all_ramps):
            hint = f", the nearest sweep is at {all_ramps.time[k]:.4g} s" if len(all_ramps) else ""
            raise ComponentError(
                f"{self.text('bias')} is not swept at {t:g} s{hint}: choose another time",
                component=self.name,
            )
        table, probe, _ = self._analyse(record, uncertain, working)
        value = {q: table.value[q] for q in QUANTITIES}
        change = response_of_record(record, table.valid, working, uncertain)
        shared = common_sigmas(value, table.valid, change, uncertain)
        common = {q: float(sigma[k]) for q, sigma in shared.items()}
        results = entries(table.rows(slice(k, k + 1)), probe)
        for q in QUANTITIES:
            m = results[q]
            results[q] = Measured(m.value, math.hypot(m.sigma, common[q]), m.unit)
            common[q] = math.hypot(common[q], float(table.theory_sigma(q)[k]))
        return ProbeSweep(**results, time=float(all_ramps.time[k]), common=common)

    def sweeps(
        self,
        t: tuple[float, float] | None = None,
        *,
        gas: str | Gas | None = None,
        quiet: Quiet = "before",
    ) -> xr.Dataset:
        """Analyse all sweeps between two times.

        Parameters
        ----------
        t : (float, float), optional
            From and until, s, for the middles of the sweeps; by default the whole record.
        gas : str or Gas, optional
            Working gas; by default the one recorded for the shot.
        quiet : (float, float) or "before" or None
            From and until, s, a time without plasma: offset, leakage and capacitive current are
            determined there and subtracted everywhere. ``"before"`` is all before the trigger, if
            at least 50 ms are recorded. None subtracts nothing.

        Returns
        -------
        xarray.Dataset
            As :func:`ishtar.langmuir.analyse_sweeps`. ``Te_sigma`` … varies from sweep to sweep and
            averages down. ``Te_sigma_common`` … comes from calibration, geometry and theory, and
            all sweeps share it: add it once, to a mean.

        Raises
        ------
        ComponentError
            No gas is given or recorded.
        TimeBaseError
            Bias and current have different time bases, or no sample in that time.
        """
        working = self._gas(gas)
        return self._table(*self._read(None if t is None else interval(t), quiet), working)

    def _table(self, record: Record, uncertain: SharedUncertainty, gas: Gas) -> xr.Dataset:
        """Return the analysis of a record's ramps, with the sigmas that they share."""
        table, probe, lines = self._analyse(record, uncertain, gas)
        found = dataset_of(table, record.sweeps, probe, record.background, lines)
        value = {q: found[q].values for q in QUANTITIES}
        valid = found["valid"].values
        change = response_of_record(record, valid, gas, uncertain)
        for q, common in common_sigmas(value, valid, change, uncertain).items():
            attrs = {
                "units": found[q].attrs["units"],
                "long_name": f"standard deviation of {q} that all sweeps share",
            }
            theory = found[f"{q}_sigma_theory"].values
            found[f"{q}_sigma_common"] = ("sweep", np.hypot(common, theory), attrs)
            # the rest averages down
            own = np.sqrt(np.maximum(found[f"{q}_sigma"].values ** 2 - theory**2, 0.0))
            found[f"{q}_sigma"] = ("sweep", own, found[f"{q}_sigma"].attrs)
        found.attrs |= {
            "probe": self.name,
            "shot": self.machine.number,
            "area_sigma_m2": uncertain.tip.area.sigma,
            "bias_gain_sigma": uncertain.bias_gain,
            "bias_offset_sigma_V": uncertain.bias_offset,
            "current_gain_sigma": uncertain.current_gain,
        }
        return found

    def _analyse(
        self, record: Record, uncertain: SharedUncertainty, gas: Gas
    ) -> tuple[Table, Probe, tuple[Line, ...]]:
        """Analyse a record's ramps with the machine's field and generators."""
        field = self._field(record.middle)
        probe = probe_of(gas=gas, reduction=None, field=field, **uncertain.tip.arguments())
        table, lines = analyse_record(
            record.bias,
            record.current,
            record.sweeps,
            probe,
            background=record.background,
            limits=record.limits,
            generators=self._generators(),
        )
        return table, probe, lines

    def _field(self, t: float) -> float | None:
        """Return the static field at the tip, T; None without coils or currents.

        Taken on the axis in the middle of the vessel: the analysis needs only its order.
        """
        if not self.machine.of_kind("coils"):
            return None
        try:
            return abs(self.machine.axial_field(t=t).value)
        except (NotFoundError, MissingCalibration, TimeBaseError):
            return None

    def _generators(self) -> dict[str, float]:
        """Return the frequency, Hz, of each generator by name."""
        found = self.machine.of_kind("generator")
        return {g.name: g.value("frequency", "Hz") for g in found if g.has("frequency")}

    def working_gas(self, stated: str | Gas | None = None) -> tuple[Gas | None, str]:
        """Return the working gas for an analysis and a sentence about its origin.

        Parameters
        ----------
        stated : str or Gas, optional
            Takes precedence over the gas recorded for the shot.

        Returns
        -------
        gas : Gas or None
            None if no gas is stated and none, or an unknown one, is recorded.
        origin : str
            Names a contradiction between the stated and the recorded gas.

        Raises
        ------
        UnknownGas
            The stated gas is unknown.
        """
        return working_gas(self.shot, stated)

    def _gas(self, gas: str | Gas | None) -> Gas:
        from ishtar.gases import gas as named

        return recorded_gas(self.shot) if gas is None else named(gas)

    def _read(
        self, t: tuple[float, float] | None, quiet: Quiet
    ) -> tuple[Record, SharedUncertainty]:
        """Read bias and current around a time, with the ramps whose middles are in it."""
        bias, current = self.signal("bias"), self.signal("current")
        current.time_base  # noqa: B018  raises without a time base, as bias.dt does
        if bias.dt is None or not bias.samples.base.same_as(current.samples.base):
            raise TimeBaseError(
                f"{self.name}: {bias.name} and {current.name} are on different time bases; align "
                "them and call ishtar.langmuir.analyse_sweeps"
            )
        to_volts = factor(bias.unit, "V")
        part, ramps = ramps_at(bias, t, to_volts)
        bias_part, current_part = bias[part], current[part]
        volts, amperes = bias_part.values(), current_part.values()
        to_amperes = factor(current.unit, "A")
        gain, offset = gain_and_offset(bias_part, volts)
        record = Record(
            bias=volts * to_volts,
            current=amperes * to_amperes,
            t0=bias_part.t0,
            dt=bias.dt,
            sweeps=ramps,
            background=background_from(bias, current, quiet),
            limits=recorder_limits(current_part, amperes * to_amperes),
        )
        uncertain = SharedUncertainty(
            tip=self.tip,
            bias_gain=gain,
            bias_offset=offset * to_volts,
            current_gain=gain_and_offset(current_part, amperes)[0],
        )
        return record, uncertain
