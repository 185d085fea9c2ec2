"""The files of the PLC and the generator: slow channels, the date CSV, the power log of a day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.simulate import instruments as ins
from runner.simulate.campaign import T_END_S, T_START_S, Campaign, Setup, setup_of
from runner.simulate.discharge import Discharge

Array = NDArray[np.float64]

GROUP: Final = "S7"
CHANNELS: Final = ("Time", "Ngas_P", "Manip_U", "Cool_T")
UNITS: Final = {"Time": "ms", "Ngas_P": "V", "Manip_U": "count", "Cool_T": "degC"}
PERIOD_S: Final = 0.05
LOG_PERIOD_S: Final = 0.05


def slow_channels(campaign: Campaign, setup: Setup, plasma: Discharge) -> dict[str, Array]:
    """Return the PLC's channels, (n,) float64 each; `Time` in ms on the shot's clock.

    The PLC's cycle takes about 50 ms with some jitter; occasionally one is skipped.
    """
    rng = campaign.random(setup.number, "plc")
    n = round((T_END_S - T_START_S) / PERIOD_S)
    steps = PERIOD_S + rng.normal(0.0, 0.0015, size=n)
    steps += PERIOD_S * (rng.uniform(size=n) < 0.02)
    t = T_START_S + 0.012 + np.cumsum(steps) - steps[0]
    t = np.round(t[t < T_END_S], 4)
    heat = np.cumsum(np.interp(t, plasma.t, plasma.helicon_fwd_w)) * PERIOD_S * 1.2e-4
    gas = ins.gas_volts(np.interp(t, plasma.t, plasma.pressure_pa))
    gas = gas + 2e-3 * rng.standard_normal(t.size)
    position = ins.manip_counts(setup.probe_cm) + 0.6 * rng.standard_normal(t.size)
    return {
        "Time": 1e3 * t,
        "Ngas_P": np.clip(np.rint(gas / ins.S7_V_PER_COUNT), 0, 27648) * ins.S7_V_PER_COUNT,
        "Manip_U": np.rint(position),
        "Cool_T": np.round(19.5 + heat + 0.05 * rng.standard_normal(t.size), 1),
    }


def date_csv(setup: Setup) -> str:
    """Return the CSV that the PLC writes at the trigger of a shot, by its clock."""
    rows = {
        "Shot": f"{setup.number}",
        "Date": setup.trigger.isoformat(sep=" ", timespec="milliseconds"),
        "Gas": setup.gas,
        "Program": setup.program,
        "Operator": setup.operator,
        "Useful": "no" if setup.flaw == "no_plasma" else "yes",
        "Comment": setup.comment,
    }
    return "".join(f"{key};{value}\r\n" for key, value in rows.items())


@dataclass(frozen=True, kw_only=True, order=True)
class LogRow:
    """A row of the generator's log, by the PLC's clock."""

    time: dt.datetime
    forward_w: float
    reflected_w: float


def pulse_rows(campaign: Campaign, setup: Setup, plasma: Discharge) -> Iterator[LogRow]:
    """Yield the rows that the generator logs during the helicon pulse of a shot."""
    rng = campaign.random(setup.number, "log")
    on = np.flatnonzero(plasma.helicon_fwd_w > 0.0)
    if on.size == 0:
        return
    t = np.arange(plasma.t[on[0]], plasma.t[on[-1]], LOG_PERIOD_S) + float(rng.uniform(2e-3, 9e-3))
    for i, time_s in enumerate(t.tolist()):
        gain = float(rng.normal(1.0, 0.004))
        fwd = float(np.interp(time_s, plasma.t, plasma.helicon_fwd_w))
        ref = float(np.interp(time_s, plasma.t, plasma.helicon_ref_w))
        jitter = 0.0 if i == 0 else float(rng.uniform(-2e-3, 2e-3))
        yield LogRow(
            time=setup.trigger + dt.timedelta(seconds=time_s + jitter),
            forward_w=max(0.0, gain * fwd + float(rng.normal(0.0, 0.7))),
            reflected_w=max(0.0, gain * ref + float(rng.normal(0.0, 0.7))),
        )


def other_rows(campaign: Campaign) -> Iterator[LogRow]:
    """Yield the other rows of the day: idle rows, and conditioning pulses outside of shots."""
    rng = campaign.random(campaign.first, "log of the day")
    setups = [setup_of(campaign, n) for n in campaign.numbers]
    # In the morning, and halfway between two shots: minutes away from any trigger.
    conditioning = [setups[0].trigger - dt.timedelta(minutes=m) for m in (21.0, 14.5, 8.0)]
    for before, after in zip(setups[1::4], setups[2::4], strict=False):
        conditioning.append(before.trigger + 0.5 * (after.trigger - before.trigger))
    for start in conditioning:
        power_w = float(rng.uniform(300.0, 900.0))
        for k in range(int(rng.integers(8, 40))):
            fwd = power_w * float(rng.normal(1.0, 0.004))
            time = start + dt.timedelta(seconds=k * LOG_PERIOD_S)
            yield LogRow(time=time, forward_w=fwd, reflected_w=0.8 * fwd)
    for setup in setups:  # idle rows, 95 s before and after each shot
        for after_s in (-95.0, 95.0):
            fwd, ref = (abs(float(x)) for x in rng.normal(0.0, 0.6, size=2))
            time = setup.trigger + dt.timedelta(seconds=after_s)
            yield LogRow(time=time, forward_w=fwd, reflected_w=ref)


def generator_log(campaign: Campaign, rows: Iterable[LogRow]) -> str:
    """Return the day's log as text, by the generator's own clock."""
    offset = dt.timedelta(seconds=campaign.clock_offset_s)
    lines = ["Time\tForwardPower[W]\tReflectedPower[W]"]
    for row in sorted(rows):
        clock = (row.time + offset).time().isoformat(timespec="milliseconds")
        lines.append(f"{clock}\t{row.forward_w:.1f}\t{row.reflected_w:.1f}")
    return "\r\n".join(lines) + "\r\n"
