"""All plasma parameters at once, each with its uncertainty and unit."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ishtar.errors import IshtarError
from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir.theory import ELECTRON_MASS
from ishtar.plasma import collisions as c
from ishtar.plasma import formulary as f
from ishtar.plasma.cross_sections import has_cross_sections, relative_sigma
from ishtar.plasma.helicon import helicon_density, helicon_wavelength
from ishtar.plasma.propagate import propagate
from ishtar.quantity import Measured

__all__ = ["BadPlasma", "summary"]

_INPUT_UNITS = {
    "ne": "1/m^3",
    "te": "eV",
    "b": "T",
    "pressure": "Pa",
    "ti": "eV",
    "t_gas": "K",
    "radius": "m",
    "helicon_frequency": "Hz",
    "antenna_length": "m",
}
_TAU = 2.0 * math.pi

_UNITS = {
    "f_pe": "Hz",
    "f_pi": "Hz",
    "f_ce": "Hz",
    "f_ci": "Hz",
    "f_lh": "Hz",
    "debye_length": "m",
    "skin_depth": "m",
    "larmor_radius_e": "m",
    "larmor_radius_i": "m",
    "thermal_speed_e": "m/s",
    "thermal_speed_i": "m/s",
    "sound_speed": "m/s",
    "bohm_speed": "m/s",
    "alfven_speed": "m/s",
    "beta": "",
    "coulomb_logarithm": "",
    "nu_ei": "1/s",
    "nu_ee": "1/s",
    "mean_free_path_ei": "m",
    "neutral_density": "1/m^3",
    "ionisation_degree": "",
    "nu_en": "1/s",
    "nu_in": "1/s",
    "mean_free_path_en": "m",
    "mean_free_path_in": "m",
    "hall_e": "",
    "hall_i": "",
    "helicon_wavelength": "m",
    "helicon_density": "1/m^3",
}


class BadPlasma(IshtarError, ValueError):
    """An input that is not physical; ``name`` is its name."""

    def __init__(self, name: str, value: object) -> None:
        self.name, self.value = name, value
        super().__init__(
            f"{name} = {value} {_INPUT_UNITS[name]} is not physical: give a finite, positive number"
        )


def summary(
    ne: Measured | float,
    te: Measured | float,
    b: Measured | float,
    pressure: Measured | float,
    gas: str | Gas = "Ar",
    *,
    ti: Measured | float = 0.1,
    t_gas: Measured | float = 300.0,
    radius: Measured | float | None = None,
    helicon_frequency: Measured | float | None = None,
    antenna_length: Measured | float | None = None,
) -> dict[str, Measured]:
    """Return frequencies, lengths, speeds, collision rates and the helicon wave of a plasma.

    Sigmas are propagated to first order from independent inputs; a plain number counts as exact (a
    stated choice, as for the defaults of ``ti`` and ``t_gas``). The uncertainties of the cross
    sections are included.

    Parameters
    ----------
    ne, te : Measured or float
        Electron density, 1/m³, and temperature, eV. A `Measured` may have any compatible unit.
    b : Measured or float
        Magnetic field, T; 0 for none.
    pressure : Measured or float
        Of the neutral gas, Pa.
    gas : str or Gas
        Working gas.
    ti : Measured or float
        Ion temperature, eV.
    t_gas : Measured or float
        Gas temperature, K.
    radius : Measured or float, optional
        Of the plasma column, m. With ``helicon_frequency`` it adds ``helicon_wavelength``
        (m = +1), and with ``antenna_length`` also ``helicon_density``, at which the wavelength is
        twice the antenna length.
    helicon_frequency : Measured or float, optional
        Of the generator, Hz.
    antenna_length : Measured or float, optional
        m.

    Returns
    -------
    dict of str to Measured
        Frequencies ``f_*`` in Hz; ``hall_e`` and ``hall_i`` are ω_c over the total rate of momentum
        loss of that particle. Results that need cross sections are NaN for gases without them.

    Raises
    ------
    BadPlasma
        An input is not finite or not positive (``b``: not finite).
    UnitError
        A unit is not compatible.
    """
    gas = _gas(gas)
    values, sigmas = {}, {}
    given = {
        "ne": ne,
        "te": te,
        "b": b,
        "pressure": pressure,
        "ti": ti,
        "t_gas": t_gas,
        "radius": radius,
        "helicon_frequency": helicon_frequency,
        "antenna_length": antenna_length,
    }
    for name, quantity in given.items():
        if quantity is not None:
            values[name], sigmas[name] = _number(name, quantity)
    if has_cross_sections(gas):  # factors of 1 that carry the uncertainty of the cross sections
        values |= {"scale_en": 1.0, "scale_in": 1.0}
        sigmas |= {
            "scale_en": relative_sigma(gas, "electron"),
            "scale_in": relative_sigma(gas, "ion"),
        }
    found, error = propagate(_parameters(gas), values, sigmas)
    return {name: Measured(found[name], error[name], _UNITS[name]) for name in found}


def _number(name: str, quantity: Measured | float) -> tuple[float, float]:
    """Return an input and its sigma in the unit of the formulas."""
    if not isinstance(quantity, Measured):
        value, sigma = float(quantity), 0.0
    else:
        from ishtar.units import factor

        scale = factor(quantity.unit, _INPUT_UNITS[name])
        value, sigma = quantity.value * scale, quantity.sigma * scale
    if not math.isfinite(value) or (value <= 0.0 and name != "b"):
        raise BadPlasma(name, value)
    return value, sigma


def _parameters(gas: Gas) -> Callable[..., dict[str, Any]]:
    """Return the function from inputs to all parameters of a plasma in this gas."""

    def parameters(
        ne: float,
        te: float,
        b: float,
        pressure: float,
        ti: float,
        t_gas: float,
        radius: float | None = None,
        helicon_frequency: float | None = None,
        antenna_length: float | None = None,
        scale_en: float = math.nan,
        scale_in: float = math.nan,
    ) -> dict[str, Any]:
        nn = c.neutral_density(pressure, t_gas)
        known = has_cross_sections(gas)
        en = c.nu_en(nn, te, gas) * scale_en if known else math.nan
        cx = c.nu_in(nn, ti, t_gas, gas) * scale_in if known else math.nan
        ei = c.nu_ei(ne, te)
        out: dict[str, Any] = {
            "f_pe": f.omega_pe(ne) / _TAU,
            "f_pi": f.omega_pi(ne, gas) / _TAU,
            "f_ce": f.omega_ce(b) / _TAU,
            "f_ci": f.omega_ci(b, gas) / _TAU,
            "f_lh": f.omega_lh(ne, b, gas) / _TAU,
            "debye_length": f.debye_length(ne, te),
            "skin_depth": f.skin_depth(ne),
            "larmor_radius_e": f.larmor_radius_e(te, b),
            "larmor_radius_i": f.larmor_radius_i(ti, b, gas),
            "thermal_speed_e": f.thermal_speed_e(te),
            "thermal_speed_i": f.thermal_speed_i(ti, gas),
            "sound_speed": f.sound_speed(te, ti, gas),
            "bohm_speed": f.bohm_speed(te, gas),
            "alfven_speed": f.alfven_speed(ne, b, gas),
            "beta": f.beta(ne, te, b, ti),
            "coulomb_logarithm": c.coulomb_logarithm(ne, te),
            "nu_ei": ei,
            "nu_ee": c.nu_ee(ne, te),
            "mean_free_path_ei": c.mean_free_path_ei(ne, te),
            "neutral_density": nn,
            "ionisation_degree": c.ionisation_degree(ne, nn),
            "nu_en": en,
            "nu_in": cx,
            "mean_free_path_en": f.mean_speed(te, ELECTRON_MASS) / en,
            "mean_free_path_in": f.mean_speed(ti, gas.ion_mass) / cx,
            "hall_e": f.omega_ce(b) / (ei + en),
            # charge exchange costs an ion twice its momentum in the centre of mass, which is half
            # of that in the laboratory: the rate of momentum loss is that of charge exchange
            "hall_i": f.omega_ci(b, gas) / cx,
        }
        if radius is not None and helicon_frequency is not None:
            # without a field there is no helicon
            out["helicon_wavelength"] = (
                helicon_wavelength(ne, b, helicon_frequency, radius=radius) if b else math.nan
            )
            if antenna_length is not None:
                length = 2.0 * antenna_length
                out["helicon_density"] = helicon_density(
                    length, b, helicon_frequency, radius=radius
                )
        return out

    return parameters
