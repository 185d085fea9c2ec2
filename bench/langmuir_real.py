"""The Langmuir analysis on measured sweeps, by both entry points, compared with PlasmaPy's.

    python bench/langmuir_real.py [--data ../shared/data] [--strict]

`Beckers2017.npy` (helium, a cylinder) and `Pace2015.npy` (argon, area only), each once alone and
once as one ramp of a record: with the ramp given, and with the ramp detected, which trims its ends.
Then `Beckers2017` with noise added: does its density stay the same?
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from langmuir_speed import plasmapy
from numpy.typing import NDArray

from ishtar.langmuir import SweepResult, Sweeps, analyse, analyse_sweeps, find_sweeps, probe_area

Floats = NDArray[np.float64]
QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat", "reduction")
DT = 1e-5
LEVELS = (0.01, 0.02, 0.04)
SEEDS = 20


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measured sweep and its publisher's description of the probe.

    Parameters
    ----------
    file : str
        In the folder of measurements.
    probe : dict
        Arguments for the analysis.
    ion : str
        In PlasmaPy's notation.
    """

    file: str
    probe: dict[str, Any]
    ion: str


_BECKERS = {"radius": 0.785e-3, "length": 1.145e-3}
SWEEPS = (
    Measured(
        file="Beckers2017.npy",
        probe={"area": probe_area(**_BECKERS), "gas": "He", **_BECKERS},
        ion="He-4 1+",
    ),
    Measured(file="Pace2015.npy", probe={"area": 0.738e-4, "gas": "Ar"}, ion="Ar-40 1+"),
)


def main() -> None:
    """Print the tables; with ``--strict`` fail if they miss the targets."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=default, help="folder of the measured sweeps")
    parser.add_argument("--strict", action="store_true")
    args = parser.parse_args()
    missed: list[str] = []
    for sweep in SWEEPS:
        path = args.data / sweep.file
        if not path.is_file():
            print(f"{sweep.file}: left out, there is no {path}")
            continue
        bias, current = np.load(path)
        missed += both_ways(sweep, bias, current)
        print(f"  {'PlasmaPy':28} {by_plasmapy(sweep, bias, current)}")
        if sweep.file.startswith("Beckers"):
            missed += with_noise(sweep, bias, current)
    if missed:
        print("missed:\n  " + "\n  ".join(missed))
    if args.strict and missed:
        raise SystemExit("the measured sweeps are not analysed as wanted")


def both_ways(sweep: Measured, bias: Floats, current: Floats) -> list[str]:
    """Print the results of both entry points; return where they differ or reject."""
    print(f"{sweep.file}: {bias.size} samples")
    missed = []
    whole = Sweeps(
        start=np.array([0]),
        stop=np.array([bias.size]),
        direction=np.array([1], np.int8),
        t0=0.0,
        dt=DT,
    )
    found = find_sweeps(bias, DT)
    for name, ramps in (("whole", whole), ("ramp as found", found)):
        if not len(ramps):
            missed.append(f"{sweep.file}: no ramp is found in it")
            continue
        part = next(iter(ramps))
        alone = analyse(bias[part], current[part], **sweep.probe)
        table = analyse_sweeps(bias, current, dt=DT, sweeps=ramps, **sweep.probe)
        a, b = numbers_alone(alone), numbers_of_table(table)
        same = alone.reason == str(table["reason"].values[0]) and np.array_equal(
            a, b, equal_nan=True
        )
        print(f"  {name + ', analyse':28} {line(a, alone.reason)}")
        print(f"  {name + ', analyse_sweeps':28} {line(b, str(table['reason'].values[0]))}")
        print(f"  {'':28} {'identical' if same else 'NOT identical'}")
        if not same:
            missed.append(f"{sweep.file}, {name}: the entry points differ")
        if not (alone.valid and table["valid"].values[0]):
            missed.append(f"{sweep.file}, {name}: refused")
    return missed


def numbers_alone(result: SweepResult) -> Floats:
    """Return values and sigmas of a result, (2, 6)."""
    measured = [getattr(result, q) for q in QUANTITIES]
    return np.array([[m.value for m in measured], [m.sigma for m in measured]], float)


def numbers_of_table(table: Any) -> Floats:
    """Return the same of the first sweep of a table."""
    return np.array([[table[q + s].values[0] for q in QUANTITIES] for s in ("", "_sigma")], float)


def line(numbers: Floats, reason: str) -> str:
    """Return T_e, n_e, V_p and V_f as text, or the reason for their absence."""
    if reason:
        return f"refused: {reason}"
    (vf, vp, te, ne, *_), (s_vf, s_vp, s_te, s_ne, *_) = numbers
    return (
        f"Te {te:.3f} ± {s_te:.3f} eV   ne ({ne / 1e16:.3f} ± {s_ne / 1e16:.3f})e16 1/m^3   "
        f"Vp {vp:.2f} ± {s_vp:.2f} V   Vf {vf:.2f} ± {s_vf:.2f} V"
    )


def by_plasmapy(sweep: Measured, bias: Floats, current: Floats) -> str:
    """Return PlasmaPy's results for a sweep, as text."""
    if importlib.util.find_spec("plasmapy") is None:
        return "is not installed: `make bench-langmuir` does it"
    import astropy.units as u

    order = np.argsort(bias, kind="stable")
    area = sweep.probe["area"] * u.m**2
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it announces its own deprecation
            peer = plasmapy()
            characteristic = peer.Characteristic(bias[order] * u.V, current[order] * u.A)
            found = peer.swept_probe_analysis(characteristic, area, sweep.ion)
    except (ValueError, RuntimeError) as error:  # raised for a sweep it cannot fit
        return f"gives up: {error}"
    te, ne = found["T_e"].to_value(u.eV), found["n_i_OML"].to_value(u.m**-3)
    vp, vf = found["V_P"].to_value(u.V), found["V_F"].to_value(u.V)
    return f"Te {te:.3f} eV   ni (OML) {ne / 1e16:.3f}e16 1/m^3   Vp {vp:.2f} V   Vf {vf:.2f} V"


def with_noise(sweep: Measured, bias: Floats, current: Floats) -> list[str]:
    """Print the density for several levels of added noise; return where it leaves two sigma."""
    clean = analyse(bias, current, **sweep.probe)
    print(f"  ne with noise added; it is {clean.ne} without")
    print("    noise   valid   ne (median)   sigma (median)   within 2 sigma of the clean value")
    missed = []
    for level in LEVELS:
        values, sigmas, reasons = [], [], []
        for seed in range(SEEDS):
            noise = np.random.default_rng(seed).normal(size=current.size)
            result = analyse(bias, current + level * current.max() * noise, **sweep.probe)
            if result.valid:
                values.append(result.ne.value)
                sigmas.append(result.ne.sigma)
            else:
                reasons.append(result.reason)
        ne, sigma = np.array(values), np.array(sigmas)
        off = np.abs(ne - clean.ne.value)
        inside = int(np.sum(off <= 2.0 * sigma))
        jointly = int(np.sum(off <= 2.0 * np.hypot(sigma, clean.ne.sigma)))
        middle = [np.median(v) / 1e16 if v.size else math.nan for v in (ne, sigma)]
        print(
            f"    {level:5.0%} {ne.size:4d}/{SEEDS} {middle[0]:10.2f}e16 {middle[1]:13.2f}e16   "
            f"{inside} of {ne.size}; with the clean sigma, too: {jointly}"
            + (f"   refused: {reasons[0]}" if reasons else "")
        )
        if inside < 0.9 * ne.size:
            missed.append(f"{sweep.file}: with {level:.0%} of noise {inside} of {ne.size} stay")
    return missed


if __name__ == "__main__":
    main()
