"""Coverage and speed of the Langmuir analysis on simulated shots.

    python bench/langmuir.py [--sweeps 10000] [--seed 1] [--figures]

Every shot has its own probe, gas, bias, noise and RF pick-up, every sweep its own plasma over the
whole range of the testbed. What is printed: median errors of T_e and n_e, how often the truth is
inside one and two sigma, and the share of sweeps refused, with the reasons. The values are
asserted, the times are not.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import analyse, analyse_sweeps, probe_area, probe_current

Floats = NDArray[np.float64]
SWEEPS_PER_SHOT = 100
ADC_RANGES = np.array([1, 2, 5]) * 10.0 ** np.arange(-5, 2)[:, None]  # A, full scale


@dataclass(frozen=True, kw_only=True)
class Shot:
    """A simulated record and its truth, one entry of ``truth`` a sweep."""

    bias: Floats
    current: Floats
    dt: float
    probe: dict[str, float | str]
    truth: dict[str, Floats]
    disturbance: str


def simulate(
    rng: np.random.Generator, *, n: int = SWEEPS_PER_SHOT, drift: float = 0.0, blur: float = 0.0
) -> Shot:
    """Return a shot of ``n`` sweeps; ``drift`` and ``blur`` are things that the fit does not know.

    ``drift`` changes the density linearly by that fraction during each sweep; ``blur`` is
    unresolved RF across the sheath, rms in Te.
    """
    radius, length = rng.uniform(0.2e-3, 0.5e-3), rng.uniform(3e-3, 10e-3)
    gas = str(rng.choice(["Ar", "He"]))
    samples, dt = int(rng.integers(250, 2000)), 1e-5
    low, high = rng.uniform(-110.0, -75.0), rng.uniform(40.0, 75.0)
    truth = {
        "ne": 10 ** rng.uniform(16, 18, n),
        "Te": rng.uniform(3.0, 10.0, n),
        "Vp": rng.uniform(0.0, 25.0, n),
    }
    truth["reduction"] = np.full(n, rng.uniform(0.2, 1.0))
    up = np.linspace(low, high, samples, endpoint=False)
    ideal = np.tile(np.concatenate([up, up[::-1]]), n // 2 + 1)[: n * samples]
    each = np.repeat(np.arange(n), samples)

    # 11.76 MHz, sampled at 100 kS/s by a clock of its own: any frequency up to 50 kHz
    wave = 2.0 * np.pi * rng.uniform(0.0, 0.5) * np.arange(ideal.size) + rng.uniform(0, 2 * np.pi)
    disturbance = str(rng.choice(["none", "bias", "current", "both"]))
    ripple = rng.uniform(0.2, 2.0) if disturbance in ("bias", "both") else 0.0
    pickup = 10 ** rng.uniform(-3.5, -2.0) if disturbance in ("current", "both") else 0.0

    ramp = np.tile(np.linspace(-0.5, 0.5, samples), n)
    current = probe_current(
        ideal + ripple * np.sin(wave),
        ne=truth["ne"][each] * (1.0 + drift * ramp),
        te=truth["Te"][each],
        vp=truth["Vp"][each],
        reduction=truth["reduction"][each],
        rf_rms=blur * truth["Te"][each] if blur else 0.0,
        gas=gas,
        radius=radius,
        length=length,
    )
    # the operator sets the range by the largest current of the sweep's program
    largest = np.abs(current.reshape(n, samples)).max(1)
    ranges = np.sort(ADC_RANGES.ravel())
    full = ranges[np.minimum(np.searchsorted(ranges, 1.1 * largest), ranges.size - 1)]
    noise = 10 ** rng.uniform(-3.5, -2.0, n) * largest
    current = current + noise[each] * rng.normal(size=current.size)
    current += pickup * largest[each] * np.sin(wave + 1.0)
    step = full * 2.0 / 2**16
    current = np.round(current / step[each]) * step[each]
    bias = np.round((ideal + rng.normal(0.0, 0.02, ideal.size)) / 0.006) * 0.006
    return Shot(
        bias=bias,
        current=current,
        dt=dt,
        probe={
            "radius": radius,
            "length": length,
            "gas": gas,
            "area": probe_area(radius, length),
        },
        truth=truth,
        disturbance=disturbance,
    )


def study(rng: np.random.Generator, sweeps: int, **unknown: float) -> dict[str, float]:
    """Analyse ``sweeps`` simulated sweeps, print the table, return its numbers."""
    errors: dict[str, list[Floats]] = {q: [] for q in ("Te", "ne", "Vp", "reduction")}
    pulls: dict[str, list[Floats]] = {q: [] for q in errors}
    kinds: list[NDArray[np.str_]] = []
    reasons: Counter[str] = Counter()
    found = refused = expected = 0
    spent = 0.0
    while expected < sweeps:
        shot = simulate(rng, **unknown)
        expected += SWEEPS_PER_SHOT
        before = time.perf_counter()
        result = analyse_sweeps(shot.bias, shot.current, dt=shot.dt, **shot.probe)  # type: ignore[arg-type]
        spent += time.perf_counter() - before
        samples = shot.bias.size / SWEEPS_PER_SHOT
        which = (result["time"].values / shot.dt / samples).astype(int)
        valid = result["valid"].values
        found += valid.size
        refused += int((~valid).sum())
        reasons.update(
            "".join(c for c in str(r) if not c.isdigit())[:60] for r in result["reason"].values if r
        )
        kinds.append(np.full(int(valid.sum()), shot.disturbance))
        for q in errors:
            truth = shot.truth[q][which][valid]
            off = result[q].values[valid] - truth
            scale = shot.truth["Te"][which][valid] if q == "Vp" else truth
            errors[q].append(np.abs(off) / scale)
            pulls[q].append(off / result[f"{q}_sigma"].values[valid])
    kind = np.concatenate(kinds)
    out = {"found": found / expected, "refused": refused / found, "ms": 1e3 * spent / found}
    print(f"  {found} sweeps found of {expected}, {out['ms']:.2f} ms each")
    print(f"  refused {out['refused']:.1%}")
    for reason, count in reasons.most_common(6):
        print(f"    {count:5d}  {reason}")
    print(
        "  quantity    median error   90 % below   in 1 sigma  in 2 sigma   mean pull   by pick-up"
    )
    for q in errors:
        e, z = np.concatenate(errors[q]), np.concatenate(pulls[q])
        out[f"{q}_error"], out[f"{q}_inside"] = float(np.median(e)), float(np.mean(np.abs(z) < 1))
        by = ", ".join(f"{k} {np.mean(np.abs(z[kind == k]) < 1):.0%}" for k in np.unique(kind))
        one, two = (np.mean(np.abs(z) < s) for s in (1, 2))
        print(
            f"  {q:10s} {np.median(e):12.2%} {np.quantile(e, 0.9):12.2%} {one:12.1%}"
            f" {two:11.1%} {np.median(z):+11.2f}   {by}"
        )
    return out


def speed(rng: np.random.Generator, sweeps: int = 1000) -> float:
    """Return the time per sweep, ms, for one shot of ``sweeps`` sweeps."""
    shot = simulate(rng, n=sweeps)
    best = np.inf
    for _ in range(3):
        before = time.perf_counter()
        result = analyse_sweeps(shot.bias, shot.current, dt=shot.dt, **shot.probe)  # type: ignore[arg-type]
        best = min(best, time.perf_counter() - before)
    n = result.sizes["sweep"]
    print(f"  {n} sweeps of {shot.bias.size // sweeps} samples: {1e3 * best / n:.2f} ms each")
    return 1e3 * best / n


def figures(folder: Path, real: Path) -> None:
    """Draw the figures of docs/langmuir.md; the second needs the real sweeps in ``real``."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    tip = {"radius": 0.3e-3, "length": 5e-3}
    bias = np.linspace(-80.0, 45.0, 900)
    truth = probe_current(bias, ne=1e17, te=5.0, vp=12.0, **tip)
    noise = 0.004 * np.ptp(truth) * np.random.default_rng(0).normal(size=bias.size)
    cases = [
        (
            "simulated, Ar",
            bias,
            truth + noise,
            {"area": probe_area(**tip), "gas": "Ar", **tip},
            None,
        )
    ]
    draw(plt, cases, folder / "langmuir.png")
    if not real.is_dir():
        print(f"  no real sweeps in {real}: their figure is left as it is")
        return
    tip = {"radius": 0.785e-3, "length": 1.145e-3}
    cases = [
        (
            "Beckers 2017, He",
            *np.load(real / "Beckers2017.npy"),
            {"area": probe_area(**tip), "gas": "He", **tip},
            {"Vf": -5.76, "Vp": 2.15, "Te": 2.41},
        ),
        (
            "Pace 2015, Ar",
            *np.load(real / "Pace2015.npy"),
            {"area": 0.738e-4, "gas": "Ar"},
            {"Vf": -35.6, "Vp": -16.4, "Te": 3.52},
        ),
    ]
    draw(plt, cases, folder / "langmuir_real.png")


def draw(plt: Any, cases: list[Any], path: Path) -> None:
    """Draw each sweep with its fit, linear above and the electrons' logarithm below."""
    fig, axes = plt.subplots(
        2, len(cases), figsize=(4.8 * len(cases), 5.6), squeeze=False, sharex="col"
    )
    for (name, bias, current, probe, other), (top, bottom) in zip(cases, axes.T, strict=True):
        r = analyse(bias, current, **probe)
        v = np.linspace(bias.min(), bias.max(), 500)
        ions = r.ion_current(v)
        top.plot(bias, 1e3 * current, ".", ms=2, color="0.6")
        top.plot(v, 1e3 * r.current(v), color="C0", label="fit")
        top.plot(v, -1e3 * ions, color="C3", lw=1, label="ions")
        top.set(title=name, ylabel="current / mA")
        top.text(0.03, 0.95, f"Te {r.Te}\nne {r.ne}", transform=top.transAxes, va="top", fontsize=8)
        bottom.semilogy(bias, 1e3 * (current + r.ion_current(bias)), ".", ms=2, color="0.6")
        bottom.semilogy(v, 1e3 * (r.current(v) + ions), color="C0")
        bottom.set(xlabel="bias / V", ylabel="electron current / mA")
        bottom.set_ylim(1e3 * np.ptp(current) * 2e-4, 1.5e3 * current.max())
        for axis in (top, bottom):
            axis.axvline(r.Vf.value, color="C2", lw=1, ls="--")
            axis.axvline(r.Vp.value, color="C1", lw=1, ls="--")
        if other:
            for q, color in (("Vf", "C2"), ("Vp", "C1")):
                top.axvline(other[q], color=color, lw=1, ls=":")
            x = np.array([other["Vf"], other["Vp"]])
            y = r.current(other["Vp"]) + r.ion_current(other["Vp"])
            label = f"PlasmaPy's slope, {other['Te']} eV"
            bottom.semilogy(
                x, 1e3 * y * np.exp((x - x[1]) / other["Te"]), "k:", lw=1.5, label=label
            )
            bottom.legend(fontsize=8, loc="lower right")
        top.legend(fontsize=8, loc="center left")
    fig.tight_layout()
    fig.savefig(path, dpi=80)
    print(f"  {path}")


def main() -> None:
    """Run the study."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sweeps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--figures", action="store_true", help="only draw those of the docs")
    args = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    if args.figures:
        figures(root / "docs" / "img", root.parent / "shared" / "data")
        return
    rng = np.random.default_rng(args.seed)
    print("Plasma as the model has it: noise, RF pick-up, 16 bits, up and down ramps")
    result = study(rng, args.sweeps)
    print("The same, and what the fit does not know: density drifting by 5 %, RF of 0.2 Te rms")
    study(rng, args.sweeps // 10, drift=0.05, blur=0.2)
    print("Speed")
    speed(rng)
    assert result["Te_error"] < 0.03, "T_e is off"
    assert result["ne_error"] < 0.10, "n_e is off"
    for q in ("Te", "ne", "Vp"):
        assert 0.63 <= result[f"{q}_inside"] <= 0.73, f"the error bar of {q} is not honest"


if __name__ == "__main__":
    main()
