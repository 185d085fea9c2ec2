"""Swept Langmuir probes: from the declared tip and signals to sweeps with all their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import MissingCalibration, NotFoundError, TimeBaseError
from ishtar.langmuir.analysis import SweepResult, dataset_of, entries
from ishtar.langmuir.inputs import probe_of
from ishtar.langmuir.model import Probe
from ishtar.langmuir.record_analysis import analyse_record
from ishtar.langmuir.record_pickup import Line
from ishtar.langmuir.sweeps import Sweeps, find_sweeps
from ishtar.langmuir.table import Table
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.gas import chosen, species
from ishtar.machine.manipulator import Manipulator, Position
from ishtar.machine.readings import Time, gain_and_offset
from ishtar.machine.systematic import (
    Record,
    Tip,
    Uncertain,
    common_sigmas,
    response_of_record,
)
from ishtar.measured import Measured
from ishtar.signals.windows import bounds, seconds
from ishtar.units import factor

if TYPE_CHECKING:
    import xarray as xr

    from ishtar.gases import Gas
    from ishtar.langmuir import Background
    from ishtar.signals.protocols import RecordedSignal

Quiet = tuple[float, float] | Literal["before"] | None
QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat")
MARGIN_S = 0.05  # read on both sides of a time, so that its first and last ramps are whole
LONGEST_S = 5.0  # no ramp is looked for that is longer
NEIGHBOURS = 64  # ramps on either side of one: pick-up and scatter show only in many
QUIET_S = 0.05  # of record before the trigger, that a background can be taken from it


@dataclass(frozen=True, kw_only=True)
class ProbeSweep(SweepResult):
    """One sweep of a probe: as `SweepResult`, its sigmas with calibration and geometry in them.

    Parameters
    ----------
    time : float
        Middle of the sweep, s.
    common : dict of str to float
        The part of each sigma that all sweeps share.
    """

    time: float
    common: dict[str, float] = field(repr=False)

    def __str__(self) -> str:
        said = ", ".join(f"{q} = {getattr(self, q)}" for q in QUANTITIES)
        return f"sweep at {self.time:.4g} s: {said if self.valid else self.reason}"


class LangmuirProbe(Component):
    """A swept probe with a cylindrical tip.

    Parameters in the text: ``tip_radius``, ``tip_length``, each with its ``_sigma``, ``bias`` and
    ``current`` (signals; electron current positive).
    """

    @property
    def tip(self) -> Tip:
        """Its tip."""
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
        """Collecting area of the tip, m²; with its sigma it is ``tip.area``."""
        return self.tip.area.value

    def position(self, t: Time | None = None) -> Position:
        """Return where its tip is, m: the position of the manipulator that it is part of."""
        above = self.parent
        while above is not None:
            if isinstance(above, Manipulator):
                return above.position(t)
            above = above.parent
        raise ComponentError(
            f"{self.name} is part of no manipulator: say which with part_of at {self.where}",
            component=self.name,
        )

    def sweep(
        self, t: float, *, gas: str | Gas | None = None, quiet: Quiet = "before"
    ) -> ProbeSweep:
        """Analyse the sweep nearest to a time.

        Parameters
        ----------
        t : float
            s.
        gas, quiet
            As in `sweeps`.

        Returns
        -------
        ProbeSweep
            ``Vf, Vp, Te, ne, Isat`` as `Measured`, ``valid`` and ``reason``, ``time``.

        Raises
        ------
        ComponentError
            The bias is not swept at that time, or the gas is not known.
        """
        working, t = self._gas(gas), seconds(t, f"t={t!r}")
        ramps = _ramps(self.signal("bias"), (t, t), factor(self.signal("bias").unit, "V"))[1]
        near = _longest(ramps) * NEIGHBOURS if len(ramps) else MARGIN_S
        record, uncertain = self._read((t - near, t + near), quiet)
        all_ramps = record.sweeps
        k = int(np.argmin(np.abs(all_ramps.time - t))) if len(all_ramps) else 0
        if not len(all_ramps) or abs(all_ramps.time[k] - t) > 2.0 * _longest(all_ramps):
            away = f", the nearest sweep is at {all_ramps.time[k]:.4g} s" if len(all_ramps) else ""
            raise ComponentError(
                f"{self.text('bias')} is not swept at {t:g} s{away}: choose another time",
                component=self.name,
            )
        table, probe, _ = self._analyse(record, uncertain, working)
        value = {q: table.value[q] for q in QUANTITIES}
        change = response_of_record(record, table.valid, working, uncertain)
        shared = common_sigmas(value, table.valid, change, uncertain)
        common = {q: float(sigma[k]) for q, sigma in shared.items()}
        known = entries(table.rows(slice(k, k + 1)), probe)
        for q in QUANTITIES:
            m = known[q]
            known[q] = Measured(m.value, math.hypot(m.sigma, common[q]), m.unit)
            common[q] = math.hypot(common[q], float(table.theory_sigma(q)[k]))
        return ProbeSweep(**known, time=float(all_ramps.time[k]), common=common)

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
            From and until, s, of the middles of the sweeps; the whole record without it.
        gas : str or Gas, optional
            Working gas; as noted for the shot.
        quiet : (float, float) or "before" or None
            Time without plasma, s, from which offset, leak and capacitive current are taken and
            then subtracted everywhere; all before the trigger, if 50 ms are recorded; nothing.

        Returns
        -------
        xarray.Dataset
            That of :func:`ishtar.langmuir.analyse_sweeps`. ``Te_sigma`` … is what differs from
            sweep to sweep and averages down; ``Te_sigma_common`` … is what calibration, geometry
            and theory are uncertain by, which all sweeps share: add it once, to a mean.
        """
        working = self._gas(gas)
        return self._table(*self._read(None if t is None else _window(t), quiet), working)

    def _table(self, record: Record, uncertain: Uncertain, gas: Gas) -> xr.Dataset:
        """Return the analysis of a record's ramps, with what they share of their sigmas."""
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
            # all but that averages down
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
        self, record: Record, uncertain: Uncertain, gas: Gas
    ) -> tuple[Table, Probe, tuple[Line, ...]]:
        """Return the analysis of a record's ramps, with what the machine knows of them."""
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
        """Return the static field at the tip, T; None where no coils or no currents are known.

        On the axis, in the middle of the vessel: what it is used for needs no more than its size.
        """
        if not self.machine.of_kind("coils"):
            return None
        try:
            return abs(self.machine.axial_field(t=t).value)
        except (NotFoundError, MissingCalibration, TimeBaseError):
            return None

    def _generators(self) -> dict[str, float]:
        """Return names and frequencies, Hz, of the generators of the machine."""
        found = self.machine.of_kind("generator")
        return {g.name: g.value("frequency", "Hz") for g in found if g.has("frequency")}

    def working_gas(self, stated: str | Gas | None = None) -> tuple[Gas | None, str]:
        """Return the gas to reckon with and, in words, where it comes from: see `gas.chosen`."""
        return chosen(self.shot, stated)

    def _gas(self, gas: str | Gas | None) -> Gas:
        from ishtar.gases import gas as named

        return species(self.shot) if gas is None else named(gas)

    def _read(self, t: tuple[float, float] | None, quiet: Quiet) -> tuple[Record, Uncertain]:
        """Read bias and current around a time, with the ramps that have their middles in it."""
        bias, current = self.signal("bias"), self.signal("current")
        current.time_base  # noqa: B018  refuses what has no seconds, as bias.dt does
        if bias.dt is None or not bias.samples.base.same_as(current.samples.base):
            raise TimeBaseError(
                f"{self.name}: {bias.name} and {current.name} are on different time bases; align "
                "them and call ishtar.langmuir.analyse_sweeps"
            )
        to_volts = factor(bias.unit, "V")
        part, ramps = _ramps(bias, t, to_volts)
        near, same = bias[part], current[part]
        volts, amperes = near.values(), same.values()
        to_amperes = factor(current.unit, "A")
        gain, offset = gain_and_offset(near, volts)
        record = Record(
            bias=volts * to_volts,
            current=amperes * to_amperes,
            t0=near.t0,
            dt=bias.dt,
            sweeps=ramps,
            background=_background(bias, current, quiet),
            limits=_limits(same, amperes * to_amperes),
        )
        uncertain = Uncertain(
            tip=self.tip,
            bias_gain=gain,
            bias_offset=offset * to_volts,
            current_gain=gain_and_offset(same, amperes)[0],
        )
        return record, uncertain


def _ramps(
    bias: RecordedSignal, t: tuple[float, float] | None, to_volts: float
) -> tuple[slice, Sweeps]:
    """Return the stretch to read around a time and its ramps: those with their middle in the time.

    All of the stretch's where the time has no length.
    """
    dt, margin = bias.dt or math.nan, MARGIN_S
    while True:
        part = slice(None) if t is None else slice(t[0] - margin, t[1] + margin)
        near = bias[part]
        if not near.n:
            when = "any time" if t is None else f"{t[0]:g} s"
            raise TimeBaseError(
                f"{bias.name} has no sample at {when}: it is recorded from {bias.t0:.4g} to "
                f"{bias.t0 + dt * bias.n:.4g} s, choose a time in it"
            )
        ramps = find_sweeps(near.values() * to_volts, dt, t0=near.t0)
        # at both ends of the stretch a ramp may be cut; with two to spare none that counts is
        whole = len(ramps) and 2.0 * _longest(ramps) <= margin
        if whole or near.n == bias.n or margin > LONGEST_S:
            break
        margin *= 4.0
    if t is None or t[0] == t[1]:
        return part, ramps
    start, stop = t
    return part, _chosen(ramps, (ramps.time >= start) & (ramps.time < stop))


def _background(bias: RecordedSignal, current: RecordedSignal, quiet: Quiet) -> Background:
    """Return offset, leak and capacitance in V and A from a time without plasma."""
    from ishtar.langmuir import Background, SweepError
    from ishtar.langmuir.background import background_of

    if quiet == "before":
        quiet = (bias.t0, 0.0) if bias.t0 <= -QUIET_S else None
    if quiet is None:
        return Background()
    if isinstance(quiet, str):
        raise SweepError(f"quiet={quiet!r} is no time: give (from, until) in s, 'before' or None")
    volts, amperes = (s[float(quiet[0]) : float(quiet[1])].values() for s in (bias, current))
    scaled = volts * factor(bias.unit, "V"), amperes * factor(current.unit, "A")
    return background_of(*scaled, dt=bias.dt or math.nan)


def _limits(current: RecordedSignal, amperes: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the least and the largest current of the recorder, A, if the record touches one.

    They are those of the integers that a sample is recorded as: 16 bits and the like. A recorder of
    fewer bits in such integers never touches them, and its limits are not known.
    """
    counts = np.asarray(current.raw().values)
    if counts.dtype.kind not in "iu" or not counts.size:
        return None
    info = np.iinfo(counts.dtype)
    touched = amperes[(counts == info.min) | (counts == info.max)]
    if not touched.size:
        return None
    inside = float(np.median(amperes))
    low, high = touched[touched < inside], touched[touched >= inside]
    return (
        float(low.max()) if low.size else -math.inf,
        float(high.min()) if high.size else math.inf,
    )


def _window(t: tuple[float, float]) -> tuple[float, float]:
    start, stop = (math.nan if bound is None else bound for bound in bounds(t))
    if not start < stop:
        raise TimeBaseError(f"from {start:g} until {stop:g} s is no time: give t=(2.0, 3.0)")
    return start, stop


def _chosen(ramps: Sweeps, which: NDArray[np.bool_]) -> Sweeps:
    return Sweeps(
        start=ramps.start[which],
        stop=ramps.stop[which],
        direction=ramps.direction[which],
        t0=ramps.t0,
        dt=ramps.dt,
    )


def _longest(ramps: Sweeps) -> float:
    """Return the duration of the longest ramp, s."""
    return float((ramps.stop - ramps.start).max()) * ramps.dt
