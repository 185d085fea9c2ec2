"""The Langmuir analysis compared with PlasmaPy's, on the same sweeps in the same run.

    python bench/langmuir_speed.py [--sweeps 1000] [--samples 1000] [--seed 1]

Simulated sweeps of one shot with noise and 16 bits, without magnetic field and RF, so that they
contain no effect unknown to PlasmaPy's method. The timed call works on finished arrays: ours takes
the whole record, finds the sweeps, estimates noise and pick-up and returns every result with its
sigma; PlasmaPy's takes one sweep at a time, already cut out, and returns values. Both T_e are
compared with the truth, so that a fast wrong answer does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import analyse_sweeps, find_sweeps, probe_area, probe_current

Floats = NDArray[np.float64]
TIP = {"radius": 0.3e-3, "length": 5e-3}
DT = 1e-5
PARTS = 10


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--sweeps", type=int, default=1000)
    parser.add_argument("--samples", type=int, default=1000, help="of each sweep")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    peer = plasmapy()
    bias, current, te = simulate(options.sweeps, options.samples, options.seed)
    sweeps = find_sweeps(bias, DT)
    cut = [(bias[part], current[part]) for part in sweeps]
    truth = te[((sweeps.start + sweeps.stop) // 2) // options.samples]
    warm_up(peer, cut[0])

    # Alternately, and the best of each tenth, so that other load affects both equally.
    ours, theirs, answers = np.inf, np.inf, []
    for tenth in np.array_split(np.arange(len(cut)), PARTS):
        begin = time.perf_counter()
        found = analyse_sweeps(bias, current, dt=DT, area=probe_area(**TIP), **TIP)
        ours = min(ours, time.perf_counter() - begin)
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers += [peer_analysis(peer, *cut[k]) for k in tenth]
        theirs = min(theirs, (time.perf_counter() - begin) * len(cut) / len(tenth))

    n = len(cut)
    print(f"{n} sweeps of {options.samples} samples")
    print("            a sweep     T_e off (median)   answers")
    report("ishtar", ours / n, found["Te"].values / truth - 1)
    report("PlasmaPy", theirs / n, np.array(answers) / truth - 1)
    print(f"  {theirs / ours:.0f} times as fast (asked: 50)")
    off = np.abs(found["Te"].values / truth - 1)
    assert found["valid"].values.mean() > 0.95
    assert np.nanmedian(off) < 0.03
    inside = off * truth < found["Te_sigma"].values
    print(f"  the truth is within one of our sigmas in {inside[found['valid'].values].mean():.0%}")


def plasmapy() -> ModuleType:
    """Import PlasmaPy's module without its request to a web service."""
    try:
        import requests

        unreachable = requests.exceptions.ConnectionError("not asked")
        with (
            mock.patch("requests.get", side_effect=unreachable),
            contextlib.redirect_stdout(io.StringIO()),  # it prints that
        ):
            from plasmapy.diagnostics import langmuir
    except ImportError as error:
        raise SystemExit(f"{error}: `make bench-langmuir` installs it") from error
    return langmuir


def simulate(n: int, samples: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """Return bias, current and the true T_e of each sweep."""
    rng = np.random.default_rng(seed)
    up = np.linspace(-80.0, 45.0, samples, endpoint=False)
    bias = np.tile(np.concatenate([up, up[::-1]]), n // 2 + 1)[: n * samples]
    te = rng.uniform(3.0, 8.0, n)
    each = np.repeat(np.arange(n), samples)
    ne, vp = 10 ** rng.uniform(16.5, 17.5, n), rng.uniform(8.0, 16.0, n)
    current = probe_current(bias, ne=ne[each], te=te[each], vp=vp[each], gas="Ar", **TIP)
    current += rng.normal(0.0, 1e-3, current.size) * np.abs(current.reshape(n, -1)).max(1)[each]
    step = np.abs(current).max() / 2**15
    return bias, np.round(current / step) * step, te


def warm_up(peer: ModuleType, one: tuple[Floats, Floats]) -> None:
    """Let both do their lazy imports."""
    analyse_sweeps(*one, dt=DT, area=probe_area(**TIP), **TIP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer_analysis(peer, *one)


def peer_analysis(peer: ModuleType, bias: Floats, current: Floats) -> float:
    """Return T_e, eV, by PlasmaPy; NaN if it fails."""
    import astropy.units as u

    order = np.argsort(bias)
    characteristic = peer.Characteristic(bias[order] * u.V, current[order] * u.A)
    area: Any = probe_area(**TIP) * u.m**2
    try:
        found = peer.swept_probe_analysis(characteristic, area, "Ar-40 1+")
    except (ValueError, RuntimeError):  # raised for a sweep it cannot fit
        return float("nan")
    return float(found["T_e"].to_value(u.eV))


def report(name: str, seconds: float, off: Floats) -> None:
    """Print a line of the table."""
    print(
        f"  {name:<10}{seconds * 1e3:7.2f} ms  {np.nanmedian(np.abs(off)):14.2%}"
        f"  {np.isfinite(off).mean():12.1%}"
    )


if __name__ == "__main__":
    main()
