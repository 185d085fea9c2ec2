"""The machine at a shot: a tree of components, each with the physics of its kind.

>>> import ishtar
>>> machine = ishtar.open()[7].machine
>>> machine["langmuir_1"].sweep(t=2.0).Te  # Measured: value, sigma, unit
>>> machine.axial_field(z=0.0, t=(2.4, 3.4))
>>> machine.diff(ishtar.open()[6])
"""

from ishtar.machine.component import Component, ComponentError
from ishtar.machine.diff import Changes
from ishtar.machine.tree import KINDS, Machine, Tree

__all__ = ["KINDS", "Changes", "Component", "ComponentError", "Machine", "Tree", "component"]
