"""Langmuir probes: forward model, sweep detection, analysis with complete error bars.

>>> from ishtar.langmuir import analyse, probe_area, probe_current
>>> import numpy as np
>>> tip = {"radius": 0.25e-3, "length": 5e-3}
>>> bias = np.linspace(-60.0, 40.0, 500)
>>> current = probe_current(bias, ne=1e17, te=5.0, vp=20.0, gas="Ar", **tip)
>>> result = analyse(bias, current, area=probe_area(**tip), gas="Ar", **tip)
>>> round(result.Te.value, 1)
5.0
"""

from __future__ import annotations

from ishtar.langmuir.analysis import SweepResult, analyse, analyse_sweeps
from ishtar.langmuir.background import Background
from ishtar.langmuir.eedf import (
    EnergyDistribution,
    TwoTemperatures,
    energy_distribution,
    two_temperatures,
)
from ishtar.langmuir.limits import diffusion_parameter
from ishtar.langmuir.sweeps import SweepError, Sweeps, find_sweeps
from ishtar.langmuir.theory import (
    bohm_speed,
    debye_length,
    floating_potential,
    ion_saturation_current,
    probe_area,
    probe_current,
)

__all__ = [
    "Background",
    "EnergyDistribution",
    "SweepError",
    "SweepResult",
    "Sweeps",
    "TwoTemperatures",
    "analyse",
    "analyse_sweeps",
    "analysis",
    "arguments",
    "background",
    "bins",
    "bohm_speed",
    "debye_length",
    "diffusion_parameter",
    "energy_distribution",
    "engine",
    "find_sweeps",
    "floating_potential",
    "ion_saturation_current",
    "model",
    "probe_area",
    "probe_current",
    "record_analysis",
    "record_pickup",
    "table",
    "theory",
    "two_temperatures",
]
