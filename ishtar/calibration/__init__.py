"""Calibrations, wiring and machine, declared in text files, and the transforms that they name."""

from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    Device,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.load import load_declarations, read_declarations

__all__ = [
    "Calibration",
    "ComponentDeclaration",
    "Declarations",
    "Device",
    "SignalDeclaration",
    "Wiring",
    "certify",
    "changes",
    "components",
    "edit",
    "equations",
    "expression",
    "facility",
    "gaps",
    "load_declarations",
    "pinned",
    "read_declarations",
    "rewire",
    "show",
    "spans",
    "stationary_points",
    "steps",
    "transforms",
]
