"""The constants of the synthetic testbed's instruments with units, and inverse calibrations.

The reference calibrations in ``calibrations/`` are derived from this module: its ``*_volts``
functions are the inverses of calibrations, from a physical value to volts at the DAQ input.

Sources: the types of calibration of the reference testbed (gain, log detector, look-up table); the
ranges of a PXI-6251 at ±10 V and of a Siemens S7 analogue input; the rest is chosen so that
normal shots use these ranges well.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# --- PXI M6251: 16 bits over ±10 V ------------------------------------------------------------
ADC_RANGE_V: Final = 10.0
ADC_V_PER_COUNT: Final = ADC_RANGE_V / 32768
ADC_NOISE_V: Final = 0.45e-3
"""One-sigma noise of the board and its cables, about 1.5 counts."""

# --- Langmuir probe `langmuir_1` --------------------------------------------------------------
BIAS_V_PER_V: Final = 20.0
"""`Lang_U`: probe bias per volt at the DAQ (divider 1:20)."""
CURRENT_A_PER_V: Final = -0.01
"""`Lang_I`: probe current (electrons positive) per volt at the DAQ; 10 V is 0.1 A."""
PROBE_RADIUS_M: Final = 0.1e-3
PROBE_LENGTH_M: Final = 2.5e-3
"""Cylindrical tip: at 3e17 1/m^3 its electron current still fits into 0.1 A."""
PROBE_STRAY_F: Final = 60e-12
"""Capacitance of tip and cable that the driven shield leaves; its current is C dU/dt."""
PROBE_RF_V: Final = 0.6
"""RF across the sheath after compensation, V rms at 1 kW; proportional to the root of power."""
PROBE_PICKUP_A: Final = 8e-6
BIAS_PICKUP_V: Final = 0.4
"""Pick-up on current and bias at 1 kW of ICRF and helicon together, aliased by the DAQ."""
BIAS_MIN_V: Final = -70.0
BIAS_MAX_V: Final = 50.0
SWEEP_HZ: Final = 50.0
"""Triangle between the two limits: 100 sweeps (up and down) per second."""

# --- Logarithmic detectors: IC_Pfwd, IC_Pref, H_Pfwd, H_Pref [W] and Bdot_U [dBm] -------------
# P[W] = 10**(((x - 0.02 - 2.2503)/0.0520 + 10)/10); the detector sees P through a 30 dB coupler,
# so that the same expression without the outer power is the level in dBm at its input.
LOG_ZERO_V: Final = 0.02
LOG_INTERCEPT_V: Final = 2.2503
LOG_V_PER_DB: Final = 0.0520
LOG_REFERENCE_DB: Final = 10.0
LOG_FLOOR_V: Final = 0.42
"""Output without input: the noise of the detector, -25.6 dBm or, as power, 2.8 mW."""
LOG_NOISE_V: Final = 2.5e-3
"""One-sigma noise of a detector's output, about 1.1 % of a power."""
BDOT_OHM: Final = 50.0
BDOT_NOISE_V: Final = 2.5e-3

# --- Coil currents and field ------------------------------------------------------------------
BIG_COIL_A_PER_V: Final = 100.0
SMALL_COIL_A_PER_V: Final = 50.0
BIG_COIL_OFFSET_V: Final = 0.037
SMALL_COIL_OFFSET_V: Final = -0.022
"""Offsets of the current amplifiers; they drift from shot to shot by `COIL_OFFSET_DRIFT_V`."""
COIL_OFFSET_DRIFT_V: Final = 0.006
COIL_NOISE_V: Final = 1.5e-3
BIG_COIL_TESLA_PER_A: Final = 1.2e-4
SMALL_COIL_TESLA_PER_A: Final = 0.8e-4
"""Axial field in the middle of the vessel per ampere in each set of coils."""

# --- Slow channels of the PLC -----------------------------------------------------------------
S7_V_PER_COUNT: Final = 10.0 / 27648
GAS_PA: Final = (-0.012, 0.118, 0.0042)
"""`Ngas_P`: pressure in Pa = c0 + c1 x + c2 x², x in volts."""
MANIP_COUNTS: Final = (446.0, 612.0, 790.0, 945.0, 1108.0, 1290.0, 1444.0)
MANIP_CM: Final = (2.2, 10.9, 20.4, 28.8, 37.6, 47.3, 55.3)
"""`Manip_U`: potentiometer (raw counts of the PLC) → position of the probe in cm."""

# --- Scope ------------------------------------------------------------------------------------
SCOPE_RANGE_V: Final = 2.0
SCOPE_V_PER_COUNT: Final = SCOPE_RANGE_V / 32768
SCOPE_NOISE_V: Final = 4.0e-3


def log_detector_volts(power_w: Array) -> Array:
    """Invert P = 10**(((x - 0.02 - 2.2503)/0.0520 + 10)/10), with the detector's noise floor.

    Parameters
    ----------
    power_w : (n,) float64, W
        Power in the line, 0 or more.

    Returns
    -------
    (n,) float64, V
        1 W gives 1.750 V, 3 kW 3.558 V, nothing `LOG_FLOOR_V`.
    """
    seen_w = np.maximum(power_w, 0.0) + log_detector_power(LOG_FLOOR_V)
    decibel = 10.0 * np.log10(seen_w)
    return LOG_ZERO_V + LOG_INTERCEPT_V + LOG_V_PER_DB * (decibel - LOG_REFERENCE_DB)


def log_detector_power(volts: float) -> float:
    """Return the power in W for a detector output in V."""
    level = (volts - LOG_ZERO_V - LOG_INTERCEPT_V) / LOG_V_PER_DB + LOG_REFERENCE_DB
    return float(10.0 ** (level / 10.0))


def bdot_volts(amplitude_v: Array) -> Array:
    """Return the output of the B-dot's log detector for an RF amplitude (peak) in V at 50 Ω."""
    # The detector's formula in dBm is that of the powers in W: 30 dB is the coupler.
    return log_detector_volts(1e3 * np.square(amplitude_v) / (2.0 * BDOT_OHM))


def bdot_dbm(amplitude_v: Array) -> Array:
    """Return the level in dBm, noise floor included, of an RF amplitude (peak) in V at 50 Ω."""
    volts = bdot_volts(amplitude_v)
    return (volts - LOG_ZERO_V - LOG_INTERCEPT_V) / LOG_V_PER_DB + LOG_REFERENCE_DB


def gas_volts(pressure_pa: Array) -> Array:
    """Invert the gauge's polynomial (its rising branch), clipped to the PLC's 0…10 V."""
    c0, c1, c2 = GAS_PA
    root = np.sqrt(np.maximum(c1 * c1 - 4.0 * c2 * (c0 - pressure_pa), 0.0))
    return np.clip((root - c1) / (2.0 * c2), 0.0, 10.0)


def manip_counts(position_cm: float) -> float:
    """Invert the manipulator's look-up table."""
    return float(np.interp(position_cm, MANIP_CM, MANIP_COUNTS))


def axial_field(big_coil_a: Array, small_coil_a: Array) -> Array:
    """Return the axial field in T of the two coil currents in A."""
    return BIG_COIL_TESLA_PER_A * big_coil_a + SMALL_COIL_TESLA_PER_A * small_coil_a
