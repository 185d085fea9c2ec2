"""Plasma parameters with this machine's field, gauge pressure and recorded gas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ishtar.errors import NoSuchComponent
from ishtar.machine.gas import GasSupply, recorded_gas
from ishtar.machine.readings import Time
from ishtar.machine.rf_line import RFLine
from ishtar.quantity import Measured

if TYPE_CHECKING:
    from ishtar.gases import Gas
    from ishtar.machine.component import Machine


def plasma(
    machine: Machine,
    ne: Measured | float,
    te: Measured | float,
    t: Time,
    place: tuple[float, float],
    gas: str | Gas | None,
    pressure: Measured | float | None,
    assumed: dict[str, Any],
) -> dict[str, Measured]:
    """Return :func:`ishtar.plasma.summary` for a place (z, r), m, and a time, s."""
    from ishtar.plasma import summary

    z, r = place
    found = machine.field(float(z), float(r), t=t)
    b = Measured(float(found["b"]), float(found["b_sigma"]), "T")
    supplies = [c for c in machine.of_kind("gas") if isinstance(c, GasSupply)]
    if pressure is None:
        if not supplies:
            raise NoSuchComponent(
                f"shot {machine.number} has no component of kind 'gas', so no pressure: give "
                "pressure="
            )
        pressure = supplies[0].pressure(t)
    declared = _helicon(machine)
    if supplies and supplies[0].has("temperature"):
        declared["t_gas"] = supplies[0].temperature
    gas = gas if gas is not None else recorded_gas(machine.shot)
    known = {"b": b, "pressure": _as_measured(pressure)}
    return known | summary(ne, te, b, pressure, gas, **{**declared, **assumed})


def _helicon(machine: Machine) -> dict[str, Measured]:
    """Return frequency, antenna length and column radius; empty unless one antenna is helicon."""
    found = [
        c
        for c in machine.of_kind("antenna")
        if isinstance(c, RFLine) and c.parameters.get("wave") == "helicon"
    ]
    if len(found) != 1:
        return {}
    antenna = found[0]
    known = {"helicon_frequency": antenna.frequency}
    if antenna.has("length"):
        known["antenna_length"] = antenna.quantity("length", "m")
    tube = antenna.parent
    if tube is not None and tube.has("diameter"):
        wide = tube.quantity("diameter", "m")
        known["radius"] = Measured(0.5 * wide.value, 0.5 * wide.sigma, "m")
    return known


def _as_measured(pressure: Measured | float) -> Measured:
    return pressure if isinstance(pressure, Measured) else Measured(pressure, 0.0, "Pa")
