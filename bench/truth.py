"""Results of the demo's reports compared with the simulation's inputs, shot by shot.

    python bench/truth.py [demo]

T_e and n_e are means over the flat top, from the Langmuir report; the truth is averaged over the
same part of the discharge. Shots without a result are listed with the reason, those with a flaw
with the flaw; their errors do not count.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import h5py

import ishtar
from ishtar.lineage.record import subject_of

FLAT_TOP_SHARE = 0.7  # of the highest density, as in the template


def main() -> None:
    """Print the table; fail if a good shot is off by more than 10 %."""
    root = Path(sys.argv[1] if len(sys.argv) > 1 else "demo")
    testbed = ishtar.open(root)
    table = testbed.shots().table(["langmuir.Te", "langmuir.ne"])
    print("shot   T_e found / true [eV]        n_e found / true [1e17/m^3]")
    worst = 0.0
    for number, row in table.iterrows():
        te, ne = row["langmuir.Te"], row["langmuir.ne"]
        if te is None or te != te:
            with closing(testbed.catalogue()) as catalogue:
                (report,) = catalogue.reports(
                    subject=subject_of(number), template="langmuir", current=True
                )
            print(f"{number:>4}   {report.state}: {report.reason[:90]}")
            continue
        with h5py.File(root / "raw" / "truth" / f"{number:05d}_truth.h5") as f:
            density, temperature = f["n_e"][()], f["T_e"][()]
            flaw = str(f.attrs["flaw"])
        flat = density > FLAT_TOP_SHARE * density.max()
        true_te, true_ne = temperature[flat].mean(), density[flat].mean()
        off = te / true_te - 1, ne / true_ne - 1
        worst = worst if flaw else max(worst, *map(abs, off))
        line = (
            f"{number:>4}   {te:6.3f} / {true_te:6.3f}  ({off[0]:+5.1%})     "
            f"{ne / 1e17:7.4f} / {true_ne / 1e17:7.4f}  ({off[1]:+5.1%})   {flaw}"
        )
        print(line.rstrip())
    print(f"largest error of a shot without a flaw {worst:.1%}")
    assert worst < 0.1


if __name__ == "__main__":
    main()
