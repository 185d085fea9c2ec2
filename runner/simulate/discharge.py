"""The physics of one discharge on a grid of 0.1 ms: the truth that the instruments measure.

A zero-dimensional model: the density follows from the power balance, the electron temperature from
the particle balance, in which ionisation equals the losses,

    n V e (f n_g Σ k_j E_j + (u_B/L) ε_w) = P_abs        f n_g k_iz(T_e) = u_B/L + d(ln n)/dt

with n_g the gas density, f the fraction of the length in which electrons are hot, u_B the Bohm
speed, L the distance to the end walls along the field, ε_w the energy that an ion–electron pair
carries to the wall. The coupled power depends on the mode: capacitive (E), inductive (H), wave (W),
each entered and left at different powers. Rates: Lieberman & Lichtenberg, *Principles of Plasma
Discharges* (argon); helium fits as common in atmospheric-pressure modelling.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ishtar.gases import gas as gas_named
from runner.simulate import instruments as ins
from runner.simulate.campaign import T_END_S, T_START_S, Campaign, Setup

Array = NDArray[np.float64]

E_CHARGE: Final = 1.602176634e-19  # C
M_ELECTRON: Final = 9.1093837015e-31  # kg
BOLTZMANN: Final = 1.380649e-23  # J/K
GRID_S: Final = 1e-4
MODES: Final = ("none", "E", "H", "W")

HELICON_ON_S: Final = 0.6
HELICON_OFF_S: Final = 4.2
ICRF_ON_S: Final = 2.2
ICRF_OFF_S: Final = 3.6
_ARC_S: Final = 2.95

_VOLUME_M3: Final = 0.3
_LENGTH_M: Final = 1.0
_HOT_PART: Final = 0.25
_T_GAS_K: Final = 300.0
_NONE, _E, _H, _W = range(4)


@dataclass(frozen=True, kw_only=True)
class Gas:
    """Mass in kg; rate coefficients k = a T^b exp(-c/T) in m³/s, T in eV; energies in eV."""

    mass_kg: float
    ionise: tuple[float, float, float]
    excite: tuple[float, float, float]
    e_ionise: float
    e_excite: float
    threshold: float
    """Factor on the powers of the mode jumps: light ions need more."""

    @property
    def sheath(self) -> float:
        """ln sqrt(M / 2π m): plasma minus floating potential in units of T_e."""
        return 0.5 * math.log(self.mass_kg / (2.0 * math.pi * M_ELECTRON))


GASES: Final = {
    "Ar": Gas(
        mass_kg=gas_named("Ar").ion_mass,
        ionise=(2.34e-14, 0.59, 17.44),
        excite=(2.48e-14, 0.33, 12.78),
        e_ionise=15.76,
        e_excite=12.14,
        threshold=1.0,
    ),
    "He": Gas(
        mass_kg=gas_named("He").ion_mass,
        ionise=(1.50e-15, 0.68, 24.6),
        excite=(4.2e-15, 0.31, 19.8),
        e_ionise=24.6,
        e_excite=19.8,
        threshold=1.25,
    ),
}


@dataclass(frozen=True, kw_only=True)
class _Mode:
    """Coupling of a mode: powers to enter and leave it, W, efficiency, reflected share, peaking."""

    enter_w: float
    leave_w: float
    efficiency: float
    reflected_share: float
    peaking: float
    bdot_v: float
    """Helicon part of the B-dot signal in V at 1 kW."""


_MODE: Final = (
    _Mode(enter_w=0, leave_w=0, efficiency=0.0, reflected_share=0.85, peaking=1.0, bdot_v=0.015),
    _Mode(enter_w=150, leave_w=80, efficiency=0.45, reflected_share=0.30, peaking=1.0, bdot_v=0.03),
    _Mode(
        enter_w=700, leave_w=450, efficiency=0.62, reflected_share=0.12, peaking=1.1, bdot_v=0.08
    ),
    _Mode(
        enter_w=1750, leave_w=1300, efficiency=0.90, reflected_share=0.05, peaking=1.4, bdot_v=0.25
    ),
)


@dataclass(frozen=True, kw_only=True)
class Discharge:
    """The truth of one shot on the grid; all (n_t,), times in s on the shot's clock.

    `te` in eV, `ne` in 1/m³ and `vp` in V are values at the probe, averaged over fluctuations;
    `ripple` is the density over `ne`.
    """

    t: Array
    te: Array
    ne: Array
    vp: Array
    ripple: Array
    mode: NDArray[np.int8]
    helicon_fwd_w: Array
    helicon_ref_w: Array
    icrf_fwd_w: Array
    icrf_ref_w: Array
    big_coil_a: Array
    small_coil_a: Array
    b_tesla: Array
    pressure_pa: Array
    bdot_icrf_v: Array
    bdot_helicon_v: Array


def discharge(campaign: Campaign, setup: Setup) -> Discharge:
    """Run the model for one shot."""
    gas = GASES[setup.gas]
    rng = campaign.random(setup.number, "discharge")
    steps = round((T_END_S - T_START_S) / GRID_S)
    t = np.linspace(T_START_S, T_END_S, steps + 1, dtype=np.float64)
    big = setup.big_coil_a * _trapezoid(t, 0.05, 0.45, 4.55, 4.85)
    small = setup.small_coil_a * _trapezoid(t, 0.05, 0.35, 4.55, 4.80)
    field = ins.axial_field(big, small)
    pressure = 2e-3 + setup.pressure_pa * _lag(_trapezoid(t, 0.10, 0.11, 4.40, 4.41), 0.12)

    helicon = _helicon_program(setup, t)
    ignition_s = float(rng.uniform(1e-3, 8e-3))
    mode = _modes(helicon, pressure, field, gas, ignition_s)
    share = _lag(np.array([m.reflected_share for m in _MODE])[mode], 2e-3)
    helicon_ref = np.clip(share * rng.normal(1.0, 0.02), 0.0, 1.0) * helicon

    icrf = _icrf_program(setup, t)
    # Plasma in front of the antenna loads it; the matching network is tuned for this.
    icrf_match = _lag(np.where(mode > _NONE, 0.30 - 0.06 * mode, 0.90), 2e-3)
    if setup.flaw == "icrf_arc":
        icrf_match = np.where((t > _ARC_S) & (t < _ARC_S + 0.02), 0.95, icrf_match)
    icrf_ref = icrf_match * icrf

    efficiency = _lag(np.array([m.efficiency for m in _MODE])[mode], 2.5e-3)
    peaking = _lag(np.array([m.peaking for m in _MODE])[mode], 2.5e-3)
    icrf_in = (icrf - icrf_ref) * (mode > _NONE)
    absorbed = efficiency * (helicon - helicon_ref) + 0.35 * icrf_in
    # ICRF sheaths drive convection across the field: particles are lost faster.
    length = _LENGTH_M / (1.0 + 0.5 * _lag(icrf_in, 1e-3) / 1e3)
    ne, te = _balance(gas, absorbed, pressure, length, peaking)
    vp = gas.sheath * te + 2.0 + 5.0 * _lag(icrf_in, 1e-4) / 1e3
    vp = np.where(ne > 1e14, vp, 0.0)

    wave = np.array([m.bdot_v for m in _MODE])[mode] * np.sqrt(helicon / 1e3)
    return Discharge(
        t=t,
        te=te,
        ne=ne,
        vp=vp,
        ripple=1.0 + 0.01 * _drift_waves(rng, t.size),
        mode=mode.astype(np.int8),
        helicon_fwd_w=helicon,
        helicon_ref_w=helicon_ref,
        icrf_fwd_w=icrf,
        icrf_ref_w=icrf_ref,
        big_coil_a=big,
        small_coil_a=small,
        b_tesla=field,
        pressure_pa=pressure,
        bdot_icrf_v=0.9 * np.sqrt(np.maximum(icrf - icrf_ref, 0.0) / 1e3),
        bdot_helicon_v=_lag(wave, 2e-3),
    )


def _helicon_program(setup: Setup, t: Array) -> Array:
    if setup.flaw == "no_plasma":  # interlock: off after 12 ms, well before the end of the ramp
        return (
            setup.helicon_w
            * _trapezoid(t, HELICON_ON_S, HELICON_ON_S + 0.2, 9.0, 9.1)
            * (t < HELICON_ON_S + 0.012)
        )
    if setup.helicon_triangle:
        middle = 0.5 * (HELICON_ON_S + HELICON_OFF_S)
        return setup.helicon_w * _trapezoid(t, HELICON_ON_S, middle, middle, HELICON_OFF_S)
    return setup.helicon_w * _trapezoid(
        t, HELICON_ON_S, HELICON_ON_S + 0.2, HELICON_OFF_S - 0.03, HELICON_OFF_S
    )


def _icrf_program(setup: Setup, t: Array) -> Array:
    power = setup.icrf_w * _trapezoid(t, ICRF_ON_S, ICRF_ON_S + 0.1, ICRF_OFF_S - 0.03, ICRF_OFF_S)
    if setup.flaw == "icrf_arc":
        power = power * (t < _ARC_S + 0.005)
    return power


def _modes(
    helicon_w: Array, pressure_pa: Array, field_t: Array, gas: Gas, ignition_s: float
) -> NDArray[np.int64]:
    """Follow the forward power through the modes, with hysteresis; 0 none, 1 E, 2 H, 3 W."""
    up = [math.inf if m is _MODE[_NONE] else m.enter_w * gas.threshold for m in _MODE]
    down = [m.leave_w * gas.threshold for m in _MODE]
    up[_E], down[_E] = _MODE[_E].enter_w, _MODE[_E].leave_w  # breakdown, not a mode jump
    burns = pressure_pa > 0.03
    waves = field_t > 0.02  # without a field there is no helicon wave
    mode = np.zeros(helicon_w.size, dtype=np.int64)
    now, waited = _NONE, 0.0
    for i, (power, gas_in, wave_ok) in enumerate(
        zip(helicon_w.tolist(), burns.tolist(), waves.tolist(), strict=True)
    ):
        if now == _NONE:
            waited = waited + GRID_S if power > up[_E] and gas_in else 0.0
            if waited >= ignition_s:
                now = _E
        elif power < down[now] or not gas_in or (now == _W and not wave_ok):
            now -= 1
        elif now < _W and power > up[now + 1] and (now < _H or wave_ok):
            now += 1
        mode[i] = now
    return mode


def _rate(coefficients: tuple[float, float, float], te: Array) -> Array:
    a, b, c = coefficients
    return a * te**b * np.exp(-c / te)


def _balance(
    gas: Gas, absorbed_w: Array, pressure_pa: Array, length_m: Array, peaking: Array
) -> tuple[Array, Array]:
    """Solve both balances; return density at the probe (1/m³) and electron temperature (eV)."""
    table = np.geomspace(0.3, 14.0, 1200)
    ionise = _rate(gas.ionise, table)
    bohm = np.sqrt(E_CHARGE * table / gas.mass_kg)
    gas_density = pressure_pa / (BOLTZMANN * _T_GAS_K)
    depletion = np.ones_like(gas_density)
    density = np.full_like(gas_density, 1e10)
    for _ in range(3):  # gas depletion depends on the density; this converges fast
        hot_gas = _HOT_PART * depletion * gas_density
        # steady state: k_iz/u_B, which rises with T_e, equals 1/(f n_g L)
        steady = np.interp(1.0 / (hot_gas * length_m), ionise / bohm, table)
        pairs = np.sqrt(E_CHARGE * steady / gas.mass_kg) / length_m
        per_pair_ev = (
            gas.e_ionise
            + gas.e_excite * _rate(gas.excite, steady) / _rate(gas.ionise, steady)
            + steady * (2.5 + gas.sheath)
        )
        target = absorbed_w / (_VOLUME_M3 * E_CHARGE * pairs * per_pair_ev)
        density = _follow(np.maximum(target, 1e10), rise_s=2.5e-3, fall_s=1.2e-3)
        depletion = 1.0 - 0.4 * density / (density + 1.5e17)
    growth = np.gradient(np.log(density), GRID_S)
    te = np.interp(np.maximum(pairs + growth, 1.0) / hot_gas, ionise, table)
    te = np.clip(_lag(te, 2e-4), 0.3, 12.0)
    return density * peaking, te


def _follow(target: Array, *, rise_s: float, fall_s: float) -> Array:
    """Relax towards a target, with different time constants up and down."""
    up, down = 1.0 - math.exp(-GRID_S / rise_s), 1.0 - math.exp(-GRID_S / fall_s)
    out = []
    now = float(target[0])
    for goal in target.tolist():
        now += (goal - now) * (up if goal > now else down)
        out.append(now)
    return np.array(out)


def _lag(values: Array, tau_s: float) -> Array:
    """Apply a first-order low-pass that starts in equilibrium."""
    from scipy.signal import lfilter

    keep = math.exp(-GRID_S / tau_s)
    out, _ = lfilter([1.0 - keep], [1.0, -keep], values, zi=[keep * values[0]])
    return np.asarray(out, dtype=np.float64)


def _drift_waves(rng: np.random.Generator, n: int) -> Array:
    """Return fluctuations of unit variance below about 2 kHz."""
    waves = _lag(rng.standard_normal(n), 1.5e-4)
    return np.asarray(waves / waves.std())


def _trapezoid(t: Array, on: float, full: float, end: float, off: float) -> Array:
    """Rise linearly from `on` to `full`, stay at 1 until `end`, fall to zero at `off`."""
    return np.interp(t, [on, full, end, off], [0.0, 1.0, 1.0, 0.0])
