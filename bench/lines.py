"""Two lines, 2 to 12 bins apart: results of `find_lines` compared with the truth.

    python bench/lines.py [--trials 5] [--windows hann blackmanharris flattop boxcar] [--seed 1]

Each trial draws new phases, positions between bins and noise. A row is a window, a number of
segments, an amplitude ratio and a distance. It shows mean and scatter of the weaker line's errors,
in bins and relative to its amplitude; the share of both lines' numbers within one and two sigmas;
the number of trials that found one line instead of two, with and without saying so; and the number
of trials with a number off by more than five sigmas, which must be negligible.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field

import numpy as np

from ishtar.spectral import Line, find_lines, spectrum

SAMPLES, NOISE = 4096, 3e-3
RATIOS = (1.0, 0.5, 0.1, 0.01)
APART = (2, 3, 4, 5, 6, 8, 10, 12)
WINDOWS = ("hann", "blackmanharris", "flattop", "boxcar")


@dataclass
class Tally:
    """Results over the trials of a row."""

    errors: list[tuple[float, float]] = field(default_factory=list)
    in_sigmas: list[tuple[float, float]] = field(default_factory=list)
    one: int = 0
    unsaid: int = 0
    wrong: int = 0

    def add(self, found: tuple[Line, ...], truth: dict[float, float], segment: int) -> None:
        """Compare the lines of a spectrum with the true positions and amplitudes."""
        alone = [line for line in found if line.resolved]
        self.one += any(not line.resolved for line in found)
        self.unsaid += len(alone) < 2 and len(alone) == len(found)
        weaker = min(truth, key=lambda place: truth[place])
        wrong = False
        for line in alone:
            place = line.frequency.value * segment
            near = min(truth, key=lambda p: abs(p - place))
            off = place - near, line.amplitude.value / truth[near] - 1.0
            z = (
                off[0] / (line.frequency.sigma * segment),
                off[1] * truth[near] / line.amplitude.sigma,
            )
            self.in_sigmas.append(z)
            wrong |= max(map(abs, z)) > 5.0
            if near == weaker:
                self.errors.append(off)
        self.wrong += wrong

    def row(self) -> str:
        """Return the row's figures."""
        z = np.abs(np.array(self.in_sigmas).reshape(-1, 2))
        e = np.array(self.errors).reshape(-1, 2)
        if not len(z) or not len(e):
            return f"{'-':>62} {self.one:4} {self.unsaid:6} {self.wrong:5}"
        bias, scatter = e.mean(axis=0), e.std(axis=0)
        within = [f"{100 * np.mean(z[:, k] < n):4.0f}" for k in (0, 1) for n in (1, 2)]
        return (
            f"{bias[0]:+9.1e} {scatter[0]:8.1e}  {bias[1]:+9.1e} {scatter[1]:8.1e}   "
            f"{' '.join(within)} {self.one:4} {self.unsaid:6} {self.wrong:5}"
        )


def main() -> None:
    """Measure, print, and stop at wrong numbers with small sigmas."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--windows", nargs="+", default=WINDOWS)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"amplitudes 1 and the ratio, noise {NOISE:g} a sample, {options.trials} trials a row")
    print(
        f"{'window':>14} seg ratio apart  {'place: bias, scatter':>18}  {'amplitude: same':>18}    "
        "f 1σ  2σ A 1σ  2σ  one unsaid wrong"
    )
    trials = wrong = 0
    for window in options.windows:
        for segments in (1, 4):
            for ratio in RATIOS:
                for apart in APART:
                    # a row does not depend on the others run
                    rng = np.random.default_rng(
                        [options.seed, *window.encode(), segments, apart, int(100 * ratio)]
                    )
                    tally = measure(window, SAMPLES // segments, ratio, apart, options.trials, rng)
                    print(
                        f"{window:>14} {segments:3} {ratio:5} {apart:5}  {tally.row()}", flush=True
                    )
                    trials, wrong = trials + options.trials, wrong + tally.wrong
    print(f"{wrong} of {trials} trials hold a number that is off by more than five sigmas")
    if wrong > 0.01 * trials:
        raise SystemExit("lines are told with sigmas that are too small")


def measure(
    window: str, segment: int, ratio: float, apart: int, trials: int, rng: np.random.Generator
) -> Tally:
    """Return the results for two lines ``apart`` bins from each other."""
    tally, t = Tally(), np.arange(SAMPLES)
    for _ in range(trials):
        first = 0.3 * segment + rng.uniform()
        truth = {first: 1.0, first + apart: ratio}
        x = rng.normal(0.0, NOISE, SAMPLES)
        for place, amplitude in truth.items():
            x += amplitude * np.sin(2 * np.pi * (place / segment * t + rng.uniform()))
        tally.add(find_lines(spectrum(x, 1.0, segment=segment, window=window)), truth, segment)
    return tally


if __name__ == "__main__":
    main()
