"""Plasma parameters from density, temperature, field and pressure: a formulary with errors.

>>> from ishtar.quantity import Measured
>>> from ishtar.plasma import summary
>>> p = summary(Measured(1e17, 5e15, "1/m^3"), Measured(5.0, 0.2, "eV"), 0.05, 0.3, "Ar")
>>> print(p["f_pe"])
2.839e+09 ± 7.1e+07 Hz
>>> print(p["debye_length"])
5.257e-05 ± 1.7e-06 m
"""

from __future__ import annotations

from ishtar.plasma.collisions import (
    coulomb_logarithm,
    electron_neutral_rate,
    ionisation_degree,
    mean_free_path_ei,
    mean_free_path_en,
    mean_free_path_in,
    neutral_density,
    nu_ee,
    nu_ei,
    nu_en,
    nu_in,
)
from ishtar.plasma.cross_sections import (
    NoCrossSection,
    charge_exchange_cross_section,
    electron_cross_section,
    ion_momentum_cross_section,
)
from ishtar.plasma.formulary import (
    alfven_speed,
    beta,
    bohm_speed,
    debye_length,
    larmor_radius_e,
    larmor_radius_i,
    mean_speed,
    omega_ce,
    omega_ci,
    omega_lh,
    omega_pe,
    omega_pi,
    skin_depth,
    sound_speed,
    thermal_speed_e,
    thermal_speed_i,
)
from ishtar.plasma.helicon import (
    BadMode,
    helicon_density,
    helicon_radial_root,
    helicon_wavelength,
)
from ishtar.plasma.propagate import propagate
from ishtar.plasma.summary import BadPlasma, summary

__all__ = [
    "BadMode",
    "BadPlasma",
    "NoCrossSection",
    "alfven_speed",
    "beta",
    "bohm_speed",
    "charge_exchange_cross_section",
    "coulomb_logarithm",
    "debye_length",
    "electron_cross_section",
    "electron_neutral_rate",
    "helicon_density",
    "helicon_radial_root",
    "helicon_wavelength",
    "ion_momentum_cross_section",
    "ionisation_degree",
    "larmor_radius_e",
    "larmor_radius_i",
    "mean_free_path_ei",
    "mean_free_path_en",
    "mean_free_path_in",
    "mean_speed",
    "neutral_density",
    "nu_ee",
    "nu_ei",
    "nu_en",
    "nu_in",
    "omega_ce",
    "omega_ci",
    "omega_lh",
    "omega_pe",
    "omega_pi",
    "propagate",
    "skin_depth",
    "sound_speed",
    "summary",
    "thermal_speed_e",
    "thermal_speed_i",
]
