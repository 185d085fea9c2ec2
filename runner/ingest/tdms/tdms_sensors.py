"""Scales of sensors in TDMS files: RTD, thermocouple, thermistor, strain gauge.

npTDMS knows their equations. Only that of the RTD is solved here: npTDMS looks for the roots of
each sample below 0 °C by itself, which takes minutes for a second of a fast channel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ScaleError

SENSORS = frozenset(("RTD", "Strain", "Thermistor", "Thermocouple"))
_PREFIX = "NI_Scale[0]_"
Compute = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def sensor(channel: str, kind: str, properties: dict[str, Any]) -> Compute:
    """Return the function from raw to physical values of a sensor.

    Parameters
    ----------
    channel : str
        For messages.
    kind : str
        One of `SENSORS`.
    properties : dict
        Numbers of the scale, named as in the file.

    Raises
    ------
    ScaleError
        A number of the scale is missing or invalid.
    """
    from nptdms import scaling

    kinds = {
        "Strain": scaling.StrainScaling,
        "Thermistor": scaling.ThermistorScaling,
        "Thermocouple": scaling.ThermocoupleScaling,
    }
    numbered = {_PREFIX + name.partition("]_")[2]: value for name, value in properties.items()}
    try:
        if kind == "RTD":
            compute = _rtd({n.removeprefix(_PREFIX + "RTD_"): v for n, v in numbered.items()})
        else:
            compute = (
                kinds[kind]
                .from_properties({f"{_PREFIX}{kind}_Input_Source": 0} | numbered, 0)
                .scale
            )
        with np.errstate(all="ignore"):
            compute(np.array([0.0, 1.0]))
    except KeyError as error:
        raise ScaleError(f"channel {channel}: its {kind} scale has no valid {error}") from error
    except Exception as error:  # npTDMS raises bare exceptions, too
        raise ScaleError(f"channel {channel}: its {kind} scale cannot be used: {error}") from error
    return compute


def _rtd(p: dict[str, float]) -> Compute:
    current, r0 = p["Current_Excitation"], p["R0_Nominal_Resistance"]
    a, b, c = p["A"], p["B"], p["C"]
    lead = p["Lead_Wire_Resistance"] * {2: 2.0, 3: 1.0}.get(int(p["Resistance_Configuration"]), 0.0)
    if not (current and r0 and a):
        raise ValueError("excitation, nominal resistance and A must not be 0")

    # Callendar and Van Dusen: R/R0 = 1 + a T + b T² + c (T - 100) T³, T in °C, c only below 0 °C
    def temperature(volts: NDArray[np.float64]) -> NDArray[np.float64]:
        ratio = (volts / current - lead) / r0
        warm = np.sqrt(a**2 - 4.0 * b * (1.0 - ratio))
        t = (warm - a) / (2.0 * b) if b else (ratio - 1.0) / a
        cold = ratio < 1.0
        t[cold] = _cold(t[cold], ratio[cold])
        return t

    def _cold(t: NDArray[np.float64], ratio: NDArray[np.float64]) -> NDArray[np.float64]:
        for _ in range(20):  # Newton: doubles its digits each time, and begins within some 1 K
            error = 1.0 + a * t + b * t**2 + c * (t - 100.0) * t**3 - ratio
            t = t - error / (a + 2.0 * b * t + c * (4.0 * t**3 - 300.0 * t**2))
        error = 1.0 + a * t + b * t**2 + c * (t - 100.0) * t**3 - ratio
        return np.where((np.abs(error) < 1e-9) & (t >= -273.15) & (t <= 0.0), t, np.nan)

    return temperature
