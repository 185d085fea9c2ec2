"""The tip of the Langmuir probe: its current by either model, and its attributes in the truth."""

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

PLASMA_DENSITY: Final = 1e14
"""Lowest density of a plasma, 1/m³."""
HOT_SHARE: Final = 0.03
HOT_RATIO: Final = 4.0
"""For `hot_electrons`: their share of all electrons, and their temperature over the cold one."""
CALIBRATION_ERROR: Final = 1.05
"""For `wrong_calibration`: the true A/V of the current amplifier over the calibrated one."""
SPIKED_SHARE: Final = 0.06
"""For `spiky_record`: share of the sweeps with a spike; every second of them has two."""
SPIKE_SIZE: Final = (0.5, 1.5)
"""Range of the size of a spike over the swing of the current in the segment."""

_MIN_DENSITY: Final = 1e8  # 1/m³: the models need a density; the current of this one is negligible


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
        Bias of the tip at these times.
    """

    def at(values: Array) -> Array:
        return np.interp(t, plasma.t, values)

    ne = np.maximum(at(plasma.ne * plasma.ripple), _MIN_DENSITY)
    te, vp = at(plasma.te), at(plasma.vp)
    # RF across the sheath that remains after compensation
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
            # one sine instead of two, with the same mean square
            rf_amplitude=math.sqrt(2.0) * rf_rms,
            psi0=_psi0(campaign, setup, plasma),
        ),
    )


def ampere_per_volt(setup: Setup) -> float:
    """Return the true scale of the current amplifier, A at the tip per V at the DAQ."""
    return ins.CURRENT_A_PER_V * (CALIBRATION_ERROR if setup.flaw == "wrong_calibration" else 1.0)


def sweep_phase(campaign: Campaign, setup: Setup) -> float:
    """Return the phase of the sweep generator at the trigger, 0 to 1."""
    return float(campaign.random(setup.number, "daq").uniform())


def spikes(campaign: Campaign, setup: Setup) -> tuple[Array, Array]:
    """Return the times of spikes in the probe's current, s, and their sizes over its swing.

    While the helicon is on, a share `SPIKED_SHARE` of the sweeps has one, or one in each half.
    Other flaws have none.
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
    has[np.arange(n), which] = drawn < SPIKED_SHARE
    has[drawn < 0.5 * SPIKED_SHARE] = True
    times = begin[:, None] + half * (np.arange(2) + rng.uniform(0.0, 0.9, (n, 2)))
    sizes = rng.choice([-1.0, 1.0], (n, 2)) * rng.uniform(*SPIKE_SIZE, (n, 2))
    return times[has], sizes[has]


def probe_attributes(campaign: Campaign, setup: Setup, plasma: Discharge) -> Mapping[str, Any]:
    """Return attributes of the truth where the probe violates assumptions of the analysis.

    ``probe_model``, ``psi0``, ``hot_share`` and ``hot_ratio``, ``spikes_s`` (times in s),
    ``current_a_per_v``: each only if it applies.
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
    # the model of the analysis has only one temperature
    return "independent" if setup.flaw == "hot_electrons" else campaign.probe


def _hot(setup: Setup) -> tuple[float, float]:
    return (HOT_SHARE, HOT_RATIO) if setup.flaw == "hot_electrons" else (0.0, 1.0)


def _tip(setup: Setup) -> probe.Probe:
    return probe.Probe(radius=ins.PROBE_RADIUS_M, length=ins.PROBE_LENGTH_M, gas=setup.gas)


def _psi0(campaign: Campaign, setup: Setup, plasma: Discharge) -> float:
    """Return ψ₀ for the shot's mean field and temperature; 0 without a plasma."""
    burning = plasma.ne > PLASMA_DENSITY
    if not (campaign.magnetised and burning.any()):
        return 0.0
    te, b = float(plasma.te[burning].mean()), float(plasma.b_tesla[burning].mean())
    return probe.diffusion_parameter(te, b, ins.PROBE_RADIUS_M, ins.PROBE_LENGTH_M)
