"""The tip of the Langmuir probe: what it collects, by one or the other model, and its traits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import theory
from runner.simulate import instruments as ins
from runner.simulate import probe
from runner.simulate.campaign import Campaign, Setup
from runner.simulate.discharge import HELICON_OFF_S, HELICON_ON_S, Discharge

Array = NDArray[np.float64]

BURNING: Final = 1e14
"""Density in 1/m³ from which on there is a plasma."""
HOT_SHARE: Final = 0.03
HOT_RATIO: Final = 4.0
"""Of `hot_electrons`: their share of all electrons, and their temperature over the others'."""
WRONG_BY: Final = 1.05
"""Of `wrong_calibration`: the true A/V of the current amplifier over the calibrated one."""
SPIKED: Final = 0.06
"""Of `spiky_record`: share of the sweeps with a spike; every second of them has two."""
SPIKE: Final = (0.5, 1.5)
"""Size of a spike, from and to, over the swing of the current in the segment."""

_LEAST: Final = 1e8  # 1/m³: the models want a density, and this one's current is nothing


def tip_current(
    campaign: Campaign, setup: Setup, plasma: Discharge, t: Array, bias: Array
) -> Array:
    """Return the current of the tip, A, electron current positive.

    Parameters
    ----------
    campaign, setup, plasma
        The shot.
    t : (n,) float64, s
        Times on the shot's clock.
    bias : (n,) float64, V
        Of the tip at these times.
    """

    def at(values: Array) -> Array:
        return np.interp(t, plasma.t, values)

    ne = np.maximum(at(plasma.ne * plasma.ripple), _LEAST)
    te, vp = at(plasma.te), at(plasma.vp)
    # what the compensation leaves of the RF across the sheath
    rf_rms = ins.PROBE_RF_V * np.sqrt((at(plasma.icrf_fwd_w) + at(plasma.helicon_fwd_w)) / 1e3)
    if _model(campaign, setup) == "analysis":
        return theory.probe_current(
            bias,
            ne=ne,
            te=te,
            vp=vp,
            gas=setup.gas,
            radius=ins.PROBE_RADIUS_M,
            length=ins.PROBE_LENGTH_M,
            rf_rms=rf_rms,
        )
    share, ratio = _hot(setup)
    return probe.probe_current(
        bias,
        probe.Plasma(ne=(1.0 - share) * ne, te=te, vp=vp),
        _tip(setup),
        probe.Physics(
            hot_share=share,
            hot_ratio=ratio,
            # one sine in place of two: the sheath sees the same mean square
            rf_amplitude=math.sqrt(2.0) * rf_rms,
            psi0=_psi0(campaign, setup, plasma),
        ),
    )


def ampere_per_volt(setup: Setup) -> float:
    """Return what the current amplifier does in truth, A at the tip per V at the DAQ."""
    return ins.CURRENT_A_PER_V * (WRONG_BY if setup.flaw == "wrong_calibration" else 1.0)


def sweep_phase(campaign: Campaign, setup: Setup) -> float:
    """Return the place in its period, 0 to 1, at which the sweep generator is at the trigger."""
    return float(campaign.random(setup.number, "daq").uniform())


def spikes(campaign: Campaign, setup: Setup) -> tuple[Array, Array]:
    """Return when a spike is in the probe's current, s, and its size over the current's swing.

    While the helicon is on, a share `SPIKED` of the sweeps has one, or one in each half. No other
    flaw has any.
    """
    if setup.flaw != "spiky_record":
        return np.empty(0), np.empty(0)
    rng = campaign.random(setup.number, "spikes")
    half = 0.25 / ins.SWEEP_HZ  # two sweeps a period, two halves a sweep
    first = math.ceil((HELICON_ON_S * ins.SWEEP_HZ + sweep_phase(campaign, setup)) * 2.0)
    n = math.floor((HELICON_OFF_S - HELICON_ON_S) * 2.0 * ins.SWEEP_HZ) - 1
    begin = (0.5 * (first + np.arange(n)) - sweep_phase(campaign, setup)) / ins.SWEEP_HZ
    drawn, which = rng.uniform(size=n), rng.integers(2, size=n)
    has = np.zeros((n, 2), dtype=bool)
    has[np.arange(n), which] = drawn < SPIKED
    has[drawn < 0.5 * SPIKED] = True
    times = begin[:, None] + half * (np.arange(2) + rng.uniform(0.0, 0.9, (n, 2)))
    sizes = rng.choice([-1.0, 1.0], (n, 2)) * rng.uniform(*SPIKE, (n, 2))
    return times[has], sizes[has]


def traits(campaign: Campaign, setup: Setup, plasma: Discharge) -> Mapping[str, Any]:
    """Return what the truth says of the probe where it is not what the analysis takes it for.

    ``probe_model``, ``psi0``, ``hot_share`` and ``hot_ratio``, ``spikes_s`` (times in s),
    ``current_a_per_v``: each only where there is something to say.
    """
    said: dict[str, Any] = {}
    if (model := _model(campaign, setup)) != "analysis":
        said["probe_model"] = model
    if campaign.magnetised:
        said["psi0"] = _psi0(campaign, setup, plasma)
    if setup.flaw == "hot_electrons":
        said["hot_share"], said["hot_ratio"] = _hot(setup)
    if setup.flaw == "spiky_record":
        said["spikes_s"] = spikes(campaign, setup)[0]
    if setup.flaw == "wrong_calibration":
        said["current_a_per_v"] = ampere_per_volt(setup)
    return said


def _model(campaign: Campaign, setup: Setup) -> str:
    # the analysis's own model has one temperature only
    return "independent" if setup.flaw == "hot_electrons" else campaign.probe


def _hot(setup: Setup) -> tuple[float, float]:
    return (HOT_SHARE, HOT_RATIO) if setup.flaw == "hot_electrons" else (0.0, 1.0)


def _tip(setup: Setup) -> probe.Probe:
    return probe.Probe(radius=ins.PROBE_RADIUS_M, length=ins.PROBE_LENGTH_M, gas=setup.gas)


def _psi0(campaign: Campaign, setup: Setup, plasma: Discharge) -> float:
    """Return ψ₀ of the shot's mean field and temperature; 0 where there is no plasma."""
    burning = plasma.ne > BURNING
    if not (campaign.magnetised and burning.any()):
        return 0.0
    te, b = float(plasma.te[burning].mean()), float(plasma.b_tesla[burning].mean())
    return probe.diffusion_parameter(te, b, ins.PROBE_RADIUS_M, ins.PROBE_LENGTH_M)
