"""Shots whose every sample is known, for tests of traces: a `FakeSource` that gives signals too.

Each signal is a function of the number of its sample, so that what a page says can be compared with
the truth at any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.time_base import Irregular, Regular, TimeBase
from runner.publish.records import ShotRecord, WiringRow
from tests.notebook_fakes import MARKUP
from tests.site_fakes import FakeSource

Array = NDArray[np.float64]

FIRST = 41
N_SHOTS = 4
DT = 2e-5
N_FINE = 200_000  # kept down to single samples
N_LONG = 3_000_000  # not
SPIKE = 1_234_567  # of the long one
SPIKE_HEIGHT = 9.0
MANY = 56
BURST = "Bdot_1"
STATED = "no calibration of interferometer_1 at this shot"


@dataclass(frozen=True, kw_only=True)
class KnownSamples:
    """Samples that a function of their number gives: what publishing asks of `Samples`."""

    base: TimeBase
    value: Callable[[Array], Array]
    itemsize: int = 8

    def check(self) -> None:
        """Nothing is missing."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``."""
        return self.value(np.arange(start, stop, dtype=np.float64))

    def minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], Array]:
        """Return blocks of no use: the caller walks through the samples."""
        return np.array([start, stop], dtype=np.int64), np.zeros((1, 2))


@dataclass(frozen=True, kw_only=True)
class KnownSignal:
    """A signal of `KnownSamples`."""

    unit: str
    samples: KnownSamples

    @property
    def n(self) -> int:
        return self.samples.base.n

    @property
    def t0(self) -> float:
        return self.samples.base.t0

    @property
    def dt(self) -> float | None:
        return self.samples.base.dt


def fine(shot: int, i: Any) -> Array:
    """Return ``Lang_U`` of a shot, V: another phase in each shot."""
    return np.asarray(40.0 * np.sin(np.asarray(i) * 1e-3 + shot) + 0.5 * (np.asarray(i) % 7))


def long(i: Array) -> Array:
    """Return ``Lang_I``, A: small, with one sample that stands out."""
    return np.where(i == SPIKE, SPIKE_HEIGHT, 1e-2 * np.cos(i * 3e-5))


def uneven_times(n: int = 5000) -> Array:
    """Return the times of ``Ngas_P``, s."""
    return np.cumsum(0.0004 + 0.0003 * np.sin(np.arange(n)))


def known_signals(shot: int) -> Mapping[str, KnownSignal]:
    """Return the signals of a shot."""
    times = uneven_times()
    irregular = Irregular(read=lambda: times, n=len(times), t0=float(times[0]), name="Ngas_P")
    found = {
        "Lang_U": KnownSignal(
            unit="V",
            samples=KnownSamples(
                base=Regular(t0=-0.5, dt=DT, n=N_FINE), value=lambda i: fine(shot, i)
            ),
        ),
        "Ngas_P": KnownSignal(
            unit="Pa", samples=KnownSamples(base=irregular, value=lambda i: 0.1 + i * 1e-3)
        ),
    }
    if shot == FIRST:
        base = Regular(t0=0.0, dt=1e-6, n=N_LONG)
        found["Lang_I"] = KnownSignal(unit="A", samples=KnownSamples(base=base, value=long))
        short = Regular(t0=2.0, dt=1e-9, n=200_000)
        found[BURST] = KnownSignal(
            unit="V", samples=KnownSamples(base=short, value=lambda i: np.sin(i * 0.05))
        )
        small = Regular(t0=0.0, dt=1e-3, n=50)
        for k in range(MANY):
            found[f"probe_{k:02d}"] = KnownSignal(
                unit="mV", samples=KnownSamples(base=small, value=lambda i, k=k: i + k)
            )
        found[MARKUP] = KnownSignal(unit="V", samples=KnownSamples(base=small, value=lambda i: i))
    return found


@dataclass
class TraceSource(FakeSource):
    """A source whose shots have signals, and no reports."""

    def signal(self, number: int, name: str) -> Any:
        """Return a signal."""
        return known_signals(number)[name]


def trace_source(folder: Path) -> TraceSource:
    """Return a source of some shots with signals; of the first one of every kind."""
    source = TraceSource(folder / "reports")
    for shot in range(FIRST, FIRST + N_SHOTS):
        rows = [
            WiringRow(
                signal=name,
                unit=signal.unit,
                channel=f"PXI M6251/{name}",
                device="d",
                calibration="v1",
                span=f"{FIRST} …",
                made=f"{shot} {name}",
            )
            for name, signal in known_signals(shot).items()
        ]
        rows.append(WiringRow(signal="n_line", unit="1/m^2", problem=STATED))
        source.records[shot] = ShotRecord(
            shot=shot,
            date=datetime(2026, 11, 20, 10, shot - FIRST),
            attributes={"gas": "Ar"},
            sources=[],
            wiring=rows,
            components=[],
            problems=[],
        )
    return source
