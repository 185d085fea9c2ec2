"""The scope, group `Tektronix`: raw B-dot waveforms of two loops, in blocks of constant size.

RF of both generators with harmonics, and their difference frequency, whose beat with the ICRF
(11.76 − 2·5.86 MHz = 40 kHz) dominates the waveform. Each block of a tone is a precomputed sine and
cosine rotated by a phase, so that a block costs a few multiplications per sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from runner.simulate import instruments as ins
from runner.simulate.campaign import Campaign, Setup
from runner.simulate.discharge import Discharge

Counts = NDArray[np.int16]
Single = NDArray[np.float32]

GROUP: Final = "Tektronix"
CHANNELS: Final = ("CH1", "CH2")
BLOCK: Final = 1 << 18
RATES_HZ: Final = (250e6, 500e6, 1.25e9)
LONGEST_S: Final = 4.0
_CENTRE_S: Final = 2.9


@dataclass(frozen=True, kw_only=True)
class Record:
    """A scope record: first sample at `t0_s` on the shot's clock, `n` samples per channel."""

    n: int
    rate_hz: float
    t0_s: float


def record_of(n: int) -> Record:
    """Return the record with `n` samples: the slowest rate at which it fits into the discharge."""
    rate_hz = next((r for r in RATES_HZ if n / r <= LONGEST_S), RATES_HZ[-1])
    return Record(n=n, rate_hz=rate_hz, t0_s=max(0.02, _CENTRE_S - 0.5 * n / rate_hz))


@dataclass(frozen=True, kw_only=True)
class _Tone:
    """A frequency as icrf·f_icrf + helicon·f_helicon and its relative amplitude in both loops."""

    icrf: int
    helicon: int
    amplitude: tuple[float, float]


_TONES: Final = (
    _Tone(icrf=1, helicon=0, amplitude=(1.0, 0.55)),
    _Tone(icrf=2, helicon=0, amplitude=(0.10, 0.16)),
    _Tone(icrf=3, helicon=0, amplitude=(0.04, 0.03)),
    _Tone(icrf=0, helicon=1, amplitude=(0.8, 1.0)),
    _Tone(icrf=0, helicon=2, amplitude=(0.05, 0.08)),
    _Tone(icrf=-1, helicon=1, amplitude=(0.12, 0.10)),
)


def scope_blocks(
    campaign: Campaign, setup: Setup, plasma: Discharge, record: Record
) -> Iterator[dict[str, Counts]]:
    """Yield the counts of both channels, at most `BLOCK` samples at a time.

    Yields
    ------
    dict of str to (n,) int16
        Counts of `ins.SCOPE_V_PER_COUNT` volts.
    """
    rng = campaign.random(setup.number, "scope")
    phases = rng.uniform(0.0, 1.0, size=(len(_TONES), len(CHANNELS)))
    # One table of noise, read from a random offset for each block: random enough for a scope at a
    # tenth of the cost.
    noise = rng.standard_normal(4 * BLOCK + 1, dtype=np.float32)
    noise *= np.float32(ins.SCOPE_NOISE_V / ins.SCOPE_V_PER_COUNT)
    length = min(BLOCK, record.n)
    frequencies = [k.icrf * setup.icrf_hz + k.helicon * setup.helicon_hz for k in _TONES]
    turns = np.arange(length) / record.rate_hz
    sines = [_sine_cosine(f * turns) for f in frequencies]
    work: Single = np.empty(length, dtype=np.float32)
    for first in range(0, record.n, BLOCK):
        n = min(BLOCK, record.n - first)
        t = record.t0_s + (first + np.array([0, n])) / record.rate_hz
        envelopes = _envelopes(plasma, t, n)
        block: dict[str, Counts] = {}
        for c, channel in enumerate(CHANNELS):
            place = int(rng.integers(0, noise.size - n))
            signal = noise[place : place + n].copy()
            for k, tone in enumerate(_TONES):
                turn = (
                    2.0 * np.pi * ((frequencies[k] * first / record.rate_hz + phases[k, c]) % 1.0)
                )
                sine, cosine = sines[k]
                scale = tone.amplitude[c] / ins.SCOPE_V_PER_COUNT
                wave = work[:n]
                np.multiply(sine[:n], np.float32(scale * np.cos(turn)), out=wave)
                wave += cosine[:n] * np.float32(scale * np.sin(turn))
                wave *= envelopes[tone.icrf != 0, tone.helicon != 0]
                signal += wave
            np.clip(np.rint(signal, out=signal), -32768, 32767, out=signal)
            block[channel] = signal.astype(np.int16)
        yield block


def _sine_cosine(turns: NDArray[np.float64]) -> tuple[Single, Single]:
    angle = 2.0 * np.pi * np.mod(turns, 1.0)
    return np.sin(angle).astype(np.float32), np.cos(angle).astype(np.float32)


def _envelopes(
    plasma: Discharge, ends_s: NDArray[np.float64], n: int
) -> dict[tuple[bool, bool], Single]:
    """Return RF amplitudes in V across a block: for ICRF, helicon and their product.

    A block lasts a millisecond or less, so linear interpolation between its ends is sufficient.
    """
    icrf = np.interp(ends_s, plasma.t, plasma.bdot_icrf_v)
    helicon = np.interp(ends_s, plasma.t, plasma.bdot_helicon_v)
    mixed = np.sqrt(icrf * helicon)
    lines = {(True, False): icrf, (False, True): helicon, (True, True): mixed}
    return {k: np.linspace(v[0], v[1], n, dtype=np.float32) for k, v in lines.items()}
