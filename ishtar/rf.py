"""The share of a generator's power that reaches the plasma: reflection, VSWR, loading resistance.

From the forward and reflected power of a directional coupler, P_f and P_r, W:

    |Γ| = √(P_r/P_f)      VSWR = (1 + |Γ|)/(1 − |Γ|)      return loss = −10 log₁₀(P_r/P_f) dB
    P_inj = P_f − P_r     R = Z₀ (1 − |Γ|)/(1 + |Γ|)

*Reflection* always means the coefficient |Γ|, and its square P_r/P_f is the *reflected share*.

R, the loading resistance, is the resistance at the current maxima on the line, 2 P_inj/I_max². It
characterises the antenna only if the coupler is between antenna and matching network: on the
generator side of a match Γ is 0 by design and R is Z₀, independent of the plasma. Losses in line
and network count as injected power.

Reference: D. M. Pozar, *Microwave Engineering*, 4th ed., Wiley (2012), sec. 2.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError, TimeBaseError
from ishtar.plasma import propagate
from ishtar.quantity import Measured, mean_of

__all__ = [
    "BadPower",
    "Coupling",
    "coupling",
    "injected_power",
    "loading_resistance",
    "reflected_share",
    "reflection",
    "return_loss",
    "vswr",
]

Floats = NDArray[np.float64]


class BadPower(IshtarError, ValueError):
    """Powers or settings that allow no coupling."""


def reflection(forward: ArrayLike, reflected: ArrayLike, *, floor: float = 0.0) -> Floats:
    """Return the magnitude of the reflection coefficient, |Γ| = √(P_r/P_f).

    Parameters
    ----------
    forward, reflected : array_like
        Powers, W; broadcast against each other.
    floor : float
        The result is NaN up to this forward power, W.

    Returns
    -------
    numpy.ndarray
        float64, shape of the broadcast. A negative reflected power, due to an offset, counts as 0;
        one above the forward power is kept (|Γ| > 1), as it reveals a calibration error.
    """
    forward, reflected = np.asarray(forward, float), np.asarray(reflected, float)
    on = forward > max(floor, 0.0)
    ratio = np.maximum(reflected, 0.0) / np.where(on, forward, 1.0)
    return np.asarray(np.where(on, np.sqrt(ratio), np.nan))


def reflected_share(forward: ArrayLike, reflected: ArrayLike, *, floor: float = 0.0) -> Floats:
    """Return the reflected share of the power, |Γ|² = P_r/P_f; the result as in `reflection`.

    Parameters
    ----------
    forward, reflected : array_like
        Powers, W; broadcast against each other.
    floor : float
        The result is NaN up to this forward power, W.
    """
    return np.asarray(reflection(forward, reflected, floor=floor) ** 2)


def vswr(gamma: ArrayLike) -> Floats:
    """Return the voltage standing wave ratio of |Γ|; infinite for total reflection (|Γ| ≥ 1)."""
    gamma = np.asarray(gamma, float)
    below = np.where(gamma >= 1.0, 0.0, gamma)
    return np.asarray(np.where(gamma >= 1.0, np.inf, (1.0 + below) / (1.0 - below)))


def return_loss(gamma: ArrayLike) -> Floats:
    """Return the return loss −20 log₁₀|Γ|, dB; infinite without reflection."""
    with np.errstate(divide="ignore"):
        return np.asarray(-20.0 * np.log10(np.asarray(gamma, float)))


def injected_power(forward: ArrayLike, reflected: ArrayLike) -> Floats:
    """Return the injected power P_f − P_r, W.

    Parameters
    ----------
    forward, reflected : array_like
        Powers, W; broadcast against each other.
    """
    return np.asarray(np.asarray(forward, float) - np.asarray(reflected, float))


def loading_resistance(gamma: ArrayLike, line_impedance: float = 50.0) -> Floats:
    """Return the loading resistance Z₀ (1 − |Γ|)/(1 + |Γ|), ohm; its validity is in the module.

    Parameters
    ----------
    gamma : array_like
        Magnitude of the reflection coefficient, |Γ|.
    line_impedance : float
        Z₀ of the line, ohm.
    """
    gamma = np.asarray(gamma, float)
    return np.asarray(line_impedance * (1.0 - gamma) / (1.0 + gamma))


@dataclass(frozen=True, kw_only=True)
class Coupling:
    """The coupling over a time window, from the mean powers.

    Parameters
    ----------
    forward, reflected, injected : Measured
        Mean powers, W.
    reflection, reflected_share, vswr : Measured
        |Γ|, |Γ|² and the standing wave ratio, no units.
    return_loss : Measured
        dB.
    loading_resistance : Measured
        ohm.
    duty : float
        Share of the window's samples with forward power above the floor; only these are averaged.
    n : int
        Number of averaged samples.
    """

    forward: Measured
    reflected: Measured
    injected: Measured
    reflection: Measured
    reflected_share: Measured
    vswr: Measured
    return_loss: Measured
    loading_resistance: Measured
    duty: float
    n: int


def coupling(
    forward: ArrayLike,
    reflected: ArrayLike,
    time: ArrayLike | None = None,
    window: tuple[float, float] | None = None,
    *,
    floor: float = 0.0,
    relative_sigma: float | tuple[float, float] = 0.0,
    correlation: float = 0.0,
    line_impedance: Measured | float = 50.0,
) -> Coupling:
    """Return the coupling averaged over a time window.

    Ratios are those of the mean powers: a mean of ratios would give times of low power the same
    weight.

    Parameters
    ----------
    forward, reflected : array_like
        (n_t,), W.
    time : array_like, optional
        (n_t,), s; needed for ``window``.
    window : (float, float), optional
        From, until, s; by default all samples.
    floor : float
        Forward power, W, that a sample must exceed to be averaged.
    relative_sigma : float or (float, float)
        Relative calibration sigma of both powers, or of forward and reflected. It is common to all
        samples and does not average down. 0 is a stated choice: the sigmas then contain only the
        scatter.
    correlation : float
        Of these two calibration errors, −1 … 1: errors common to both detectors cancel in Γ.
    line_impedance : Measured or float
        Z₀, ohm.

    Returns
    -------
    Coupling
        Sigmas from the scatter of block means (which includes slow drifts) and the calibration,
        propagated by finite steps of one sigma, as the slope of the square root in |Γ| diverges at
        0. With fewer than 2 samples the scatter is NaN.

    Raises
    ------
    BadPower
        The shapes do not match, the correlation is out of range, or no sample is above the floor.
    TimeBaseError
        The window has no sample, or ``time`` is missing.
    """
    forward, reflected = np.asarray(forward, float), np.asarray(reflected, float)
    if forward.ndim != 1 or forward.shape != reflected.shape:
        raise BadPower(
            f"forward power has shape {forward.shape}, reflected {reflected.shape}: align them"
        )
    if not -1.0 <= correlation <= 1.0:
        raise BadPower(f"correlation is {correlation}: use -1 … 1")
    if window is not None:
        forward, reflected = _cut(forward, reflected, time, window)
    on = (forward > max(floor, 0.0)) & np.isfinite(reflected)
    if not on.any():
        raise BadPower(
            f"no forward power above {floor:g} W in the window: choose one with the generator on"
        )
    pair = relative_sigma if isinstance(relative_sigma, tuple) else (relative_sigma,) * 2
    share_f, share_r = pair
    p_f, p_r = float(forward[on].mean()), float(reflected[on].mean())
    # Independent causes: scatter of each power, common and separate parts of the calibration
    shared = math.sqrt(abs(correlation))
    alone = math.sqrt(1.0 - abs(correlation))
    sign = math.copysign(1.0, correlation)
    values = {"df": 0.0, "dr": 0.0, "cal": 0.0, "cal_f": 0.0, "cal_r": 0.0}
    sigmas = {
        "df": _error_of_mean(forward[on]),
        "dr": _error_of_mean(reflected[on]),
        "cal": shared,
        "cal_f": alone * share_f,
        "cal_r": alone * share_r,
    }
    if share_f == share_r == 0.0:
        sigmas["cal"] = 0.0
    values["z0"], sigmas["z0"] = _ohms(line_impedance)

    def parameters(
        df: float, dr: float, cal: float, cal_f: float, cal_r: float, z0: float
    ) -> dict[str, float]:
        f = p_f * (1.0 + share_f * cal + cal_f) + df
        r = p_r * (1.0 + sign * share_r * cal + cal_r) + dr
        gamma = reflection(f, r)
        return {
            "forward": f,
            "reflected": r,
            "injected": float(injected_power(f, r)),
            "reflection": float(gamma),
            "reflected_share": float(gamma**2),
            "vswr": float(vswr(gamma)),
            "return_loss": float(return_loss(gamma)),
            "loading_resistance": float(loading_resistance(gamma, z0)),
        }

    found, error = propagate(parameters, values, sigmas, fraction=1.0)
    unit = {"return_loss": "dB", "loading_resistance": "ohm", "reflection": "", "vswr": ""}
    unit["reflected_share"] = ""
    made = {k: Measured(found[k], error[k], unit.get(k, "W")) for k in found}
    return Coupling(**made, duty=float(on.mean()), n=int(on.sum()))


def _ohms(impedance: Measured | float) -> tuple[float, float]:
    if not isinstance(impedance, Measured):
        return float(impedance), 0.0
    from ishtar.units import factor

    scale = factor(impedance.unit, "ohm")
    return impedance.value * scale, impedance.sigma * scale


def _cut(
    forward: Floats, reflected: Floats, time: ArrayLike | None, window: tuple[float, float]
) -> tuple[Floats, Floats]:
    t = np.asarray(time, float)
    if time is None or t.shape != forward.shape:
        raise TimeBaseError("a window needs the time of each sample: give `time`")
    inside = (t >= window[0]) & (t < window[1])
    if not inside.any():
        raise TimeBaseError(
            f"no sample from {window[0]:g} s until {window[1]:g} s: choose a window within the shot"
        )
    return forward[inside], reflected[inside]


def _error_of_mean(x: Floats) -> float:
    """Return the one-sigma of a mean of possibly correlated samples."""
    return mean_of(lambda i, j: (x[i:j], {}), 0, x.size).error if x.size > 1 else math.nan
