"""How often the truth of the synthetic testbed's shots is within the error bars of its probe.

    python bench/langmuir_scenarios.py --demo demo

Every shot without a flaw, in steady plasma: sweeps from the machine tree, with calibration and
background, compared with the truth in the middle of each sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

import ishtar

Floats = NDArray[np.float64]
TRUTHS = {"Te": "T_e", "ne": "n_e", "Vp": "V_p"}
BURNING = 0.3  # of the shot's highest density
STEADY_PER_S = 1.0  # |d ln n/dt|: one percent during a sweep
EDGE_S = 0.02  # steady on both sides for this long, too
WITHIN_ONE = (0.60, 0.80)  # wanted of T_e and V_p


def coverage_of_demo(root: Path, *, strict: bool = False) -> None:
    """Print bias and coverage by shot and over all; with ``strict`` fail if they are missed."""
    testbed = ishtar.open(root)
    pulls: dict[str, list[Floats]] = {q: [] for q in TRUTHS}
    errors: dict[str, list[Floats]] = {q: [] for q in TRUTHS}
    print("shot   steady  valid" + "".join(f"{q + ' off':>10}{'1σ':>6}{'2σ':>6}" for q in TRUTHS))
    for path in sorted((root / "raw" / "truth").glob("*_truth.h5")):
        truth, notes = read_truth(path)
        number = int(notes["shot"])
        if notes["flaw"]:
            print(f"{number:>4}   left out: {notes['flaw']}")
            continue
        steady = when_steady(truth)
        if not steady.any():
            print(f"{number:>4}   left out: no steady plasma")
            continue
        window = truth["time"][steady][[0, -1]]
        found = testbed[number].machine["langmuir_1"].sweeps((float(window[0]), float(window[1])))
        t = found["time"].values
        at = np.interp(t, truth["time"], steady.astype(float)) == 1.0
        use = at & found["valid"].values
        for q, name in TRUTHS.items():
            expected = np.interp(t[use], truth["time"], truth[name])
            off = found[q].values[use] - expected
            pulls[q].append(off / larger_sigma(found, q)[use])
            scale = np.interp(t[use], truth["time"], truth["T_e"]) if q == "Vp" else expected
            errors[q].append(off / scale)
        counts = f"{number:>4}   {at.sum():6d} {use.sum():6d}"
        print(counts + "".join(cells(errors[q][-1], pulls[q][-1]) for q in TRUTHS))
    every = {q: (np.concatenate(errors[q]), np.concatenate(pulls[q])) for q in TRUTHS}
    n = every["Te"][0].size
    print(f" all   {'':6} {n:6d}" + "".join(cells(*every[q]) for q in TRUTHS))
    low, high = WITHIN_ONE
    missed = [q for q in ("Te", "Vp") if not low <= np.mean(np.abs(every[q][1]) < 1.0) <= high]
    if missed:
        print(f"missed: {low:.0%} to {high:.0%} of the truths within one sigma, of {missed}")
    if strict and missed:
        raise SystemExit("the error bars on the demo's shots are not what is wanted")


def larger_sigma(found: Any, quantity: str) -> Floats:
    """Return the sigma of a quantity: from the fit, or from the scatter between sweeps.

    The analysis may include the second one, too; its figures then show the larger.
    """
    own = np.asarray(found[f"{quantity}_sigma"].values, float)
    if f"{quantity}_sigma_seen" not in found:
        return own
    seen = np.asarray(found[f"{quantity}_sigma_seen"].values, float)
    return np.fmax(own, seen)


def read_truth(path: Path) -> tuple[dict[str, Floats], dict[str, object]]:
    """Return the series of a truth file, and its attributes."""
    with h5py.File(path) as f:
        return {name: np.asarray(f[name], float) for name in f}, dict(f.attrs)


def when_steady(truth: Mapping[str, Floats]) -> NDArray[np.bool_]:
    """Return where there is plasma and its density is nearly constant, nearby as well."""
    t, n = truth["time"], truth["n_e"]
    burns = (n > BURNING * n.max()) & np.isfinite(truth["T_e"])
    change = np.abs(np.gradient(np.log(np.maximum(n, 1.0)), t))
    bad = ~burns | (change > STEADY_PER_S)
    width = 2 * round(EDGE_S / float(t[1] - t[0])) + 1
    near = np.convolve(bad.astype(float), np.ones(width), mode="same")
    return near < 0.5


def cells(error: Floats, pull: Floats) -> str:
    """Return the cells of a quantity: median error in percent, shares within one and two sigma."""
    if not error.size:
        return f"{'–':>10}{'–':>6}{'–':>6}"
    one, two = (np.mean(np.abs(pull) < k) for k in (1.0, 2.0))
    return f"{100 * np.median(error):>+9.2f}%{one:>6.0%}{two:>6.0%}"
