"""The figures of docs/langmuir.md: a simulated sweep and the two measured ones.

python bench/langmuir_figures.py [--data ../shared/data]
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.langmuir import analyse, probe_area, probe_current


def main() -> None:
    """Draw them."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=root.parent / "shared" / "data")
    args = parser.parse_args()
    figures(root / "docs" / "img", args.data)


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


if __name__ == "__main__":
    main()
