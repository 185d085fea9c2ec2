"""The 16-bit DAQ, group `PXI M6251`: the counts of its channels, block by block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.simulate import instruments as ins
from runner.simulate.campaign import T_END_S, T_START_S, Campaign, Setup
from runner.simulate.discharge import Discharge
from runner.simulate.tip import ampere_per_volt, spikes, tip_current

Array = NDArray[np.float64]
Counts = NDArray[np.int16]

GROUP: Final = "PXI M6251"
SEGMENT_S: Final = 0.25
"""The acquisition loop reads the board's buffer four times a second."""

CHANNELS: Final = (
    "Lang_U",
    "Lang_I",
    "IC_Pfwd",
    "IC_Pref",
    "H_Pfwd",
    "H_Pref",
    "BigCoil_I",
    "SmallCoil_I",
    "Bdot_U",
    "Trigger",
)

_OVERRANGE: Final = 1000.0
"""Range switch at 10 µA/V instead of 10 mA/V."""
_LOST_S: Final = 3.0
"""The buffer that contains this time is lost: later samples move up."""
_LATE_S: Final = 0.02
_OPEN_SHIELD_V: Final = 0.3
_STUCK_BIT: Final = 1 << 6


def channel_names(setup: Setup) -> tuple[str, ...]:
    """Return the recorded channels."""
    unplugged = setup.flaw == "probe_unplugged"
    return tuple(c for c in CHANNELS if not (unplugged and c == "Lang_I"))


def daq_blocks(
    campaign: Campaign, setup: Setup, plasma: Discharge, rate_hz: float
) -> Iterator[dict[str, Counts]]:
    """Yield the counts of each channel, a segment at a time.

    Parameters
    ----------
    campaign, setup, plasma
        The shot.
    rate_hz : float
        Samples per second and channel.

    Yields
    ------
    dict of str to (n,) int16
        Sample i of the shot is at ``T_START_S + i/rate_hz``. A lost segment is empty.
    """
    names = channel_names(setup)
    noise = {c: campaign.random(setup.number, f"noise {c}") for c in names}
    rng = campaign.random(setup.number, "daq")
    phase = float(rng.uniform())  # what `tip.sweep_phase` returns
    drift = rng.normal(0.0, ins.COIL_OFFSET_DRIFT_V, size=2)
    spiked, sizes = spikes(campaign, setup)
    where = np.rint((spiked - T_START_S) * rate_hz).astype(np.intp)
    total = round((T_END_S - T_START_S) * rate_hz)
    step = round(SEGMENT_S * rate_hz)
    for first in range(0, total, step):
        index = np.arange(first, min(first + step, total), dtype=np.float64)
        t = T_START_S + index / rate_hz
        if setup.flaw == "late_trigger":
            t = t + _LATE_S
        volts = _volts(campaign, setup, plasma, t, phase, drift)
        here = (where >= first) & (where < first + index.size)
        volts["Lang_I"][where[here] - first] += sizes[here] * np.ptp(volts["Lang_I"])
        block = {c: _digitise(setup, c, volts[c], noise[c]) for c in names}
        lost = setup.flaw == "dropped_samples" and t[0] <= _LOST_S < t[-1]
        yield {} if lost else block


def _volts(
    campaign: Campaign, setup: Setup, plasma: Discharge, t: Array, phase: float, drift: Array
) -> dict[str, Array]:
    """Return the voltages at the DAQ inputs, V, before noise."""

    def at(values: Array) -> Array:
        return np.interp(t, plasma.t, values)

    icrf_fwd, icrf_ref = at(plasma.icrf_fwd_w), at(plasma.icrf_ref_w)
    helicon_fwd, helicon_ref = at(plasma.helicon_fwd_w), at(plasma.helicon_ref_w)
    icrf_kv = np.sqrt(
        icrf_fwd / 1e3
    )  # RF voltages are proportional to the root of power; 1 at 1 kW
    helicon_kv = np.sqrt(helicon_fwd / 1e3)
    pickup = 0.6 * icrf_kv * _aliased(setup.icrf_hz, t) + 0.4 * helicon_kv * _aliased(
        setup.helicon_hz, t
    )

    bias, slope = _sweep(t, phase)
    current = tip_current(campaign, setup, plasma, t, bias)
    current = current + ins.PROBE_STRAY_F * slope + ins.PROBE_PICKUP_A * pickup
    big_offset = ins.BIG_COIL_OFFSET_V + drift[0]
    small_offset = ins.SMALL_COIL_OFFSET_V + drift[1]
    bdot = np.hypot(at(plasma.bdot_icrf_v), at(plasma.bdot_helicon_v))
    return {
        "Lang_U": (bias + ins.BIAS_PICKUP_V * pickup) / ins.BIAS_V_PER_V,
        "Lang_I": current / ampere_per_volt(setup),
        "IC_Pfwd": ins.log_detector_volts(icrf_fwd),
        "IC_Pref": ins.log_detector_volts(icrf_ref),
        "H_Pfwd": ins.log_detector_volts(helicon_fwd),
        "H_Pref": ins.log_detector_volts(helicon_ref),
        "BigCoil_I": at(plasma.big_coil_a) / ins.BIG_COIL_A_PER_V + big_offset,
        "SmallCoil_I": at(plasma.small_coil_a) / ins.SMALL_COIL_A_PER_V + small_offset,
        "Bdot_U": ins.bdot_volts(bdot),
        # the TTL trigger line, high during the discharge
        "Trigger": np.where((t >= 0.0) & (t < 4.9), 4.8, 0.1),
    }


_NOISE_V: Final = {
    "IC_Pfwd": ins.LOG_NOISE_V,
    "IC_Pref": ins.LOG_NOISE_V,
    "H_Pfwd": ins.LOG_NOISE_V,
    "H_Pref": ins.LOG_NOISE_V,
    "BigCoil_I": ins.COIL_NOISE_V,
    "SmallCoil_I": ins.COIL_NOISE_V,
    "Bdot_U": ins.BDOT_NOISE_V,
}


def _digitise(setup: Setup, channel: str, volts: Array, rng: np.random.Generator) -> Counts:
    """Apply the flaw of a channel, add noise, round and clip to 16 bits."""
    if setup.flaw == "current_saturated" and channel == "Lang_I":
        volts = _OVERRANGE * volts
    if setup.flaw == "dead_channel" and channel == "Bdot_U":
        return np.zeros(volts.size, dtype=np.int16)
    sigma = _NOISE_V.get(channel, ins.ADC_NOISE_V)
    if setup.flaw == "noisy_channel" and channel == "BigCoil_I":
        sigma = _OPEN_SHIELD_V
    noisy = volts + sigma * rng.standard_normal(volts.size, dtype=np.float32)
    counts = np.clip(np.rint(noisy / ins.ADC_V_PER_COUNT), -32768, 32767).astype(np.int16)
    stuck = setup.flaw == "stuck_bit" and channel == "SmallCoil_I"
    return counts | np.int16(_STUCK_BIT) if stuck else counts


def _sweep(t: Array, phase: float) -> tuple[Array, Array]:
    """Return the triangular bias in V and its slope in V/s; the generator is free-running."""
    span = ins.BIAS_MAX_V - ins.BIAS_MIN_V
    turn = np.mod(ins.SWEEP_HZ * t + phase, 1.0)
    rising = turn < 0.5
    bias = ins.BIAS_MIN_V + span * np.where(rising, 2.0 * turn, 2.0 - 2.0 * turn)
    slope = np.where(rising, 1.0, -1.0) * 2.0 * span * ins.SWEEP_HZ
    return bias, slope


def _aliased(f_hz: float, t: Array) -> Array:
    """Sample a tone far above the sampling rate: the DAQ has no anti-aliasing filter."""
    return np.sin(2.0 * np.pi * np.mod(f_hz * t, 1.0))
