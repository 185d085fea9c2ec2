"""A second model of a Langmuir probe, independent of the one that the analysis fits.

It shares no code with `ishtar.langmuir`, so that comparisons reveal errors in either: tests and
benchmarks check the analysis against it, and the synthetic testbed can record it.

>>> from runner.simulate.probe import Physics, Plasma, Probe, probe_current
>>> tip = Probe(radius=0.25e-3, length=5e-3, gas="Ar")
>>> plasma = Plasma(ne=1e17, te=4.0, vp=12.0)
>>> current = probe_current([-40.0, 30.0], plasma, tip, Physics(hot_share=0.02, hot_ratio=4.0))
"""

from runner.simulate.probe.currents import (
    Physics,
    Plasma,
    Probe,
    debye_length,
    floating_potential,
    ion_current,
    probe_current,
)
from runner.simulate.probe.magnetised import diffusion_parameter

__all__ = [
    "Physics",
    "Plasma",
    "Probe",
    "debye_length",
    "diffusion_parameter",
    "floating_potential",
    "ion_current",
    "probe_current",
]
