"""Spectra of signals, and the lines in them: generators, their harmonics and beats.

>>> import numpy as np
>>> from ishtar.spectral import find_lines, spectrum
>>> t = np.arange(200_000) * 1e-8  # 2 ms at 100 MS/s
>>> u = 0.2 * np.sin(2 * np.pi * 5.86e6 * t) + np.random.default_rng(1).normal(0, 0.1, t.size)
>>> line, = find_lines(spectrum(u, 1e-8, unit="V"), {"ICRF": 5.86e6})
>>> line.label, round(line.amplitude.value, 2)
('ICRF', 0.2)
"""

from __future__ import annotations

from ishtar.spectral.lines import ExpectedLine, Line, expected_lines, find_lines
from ishtar.spectral.strips import even_stretches, spectrogram_of
from ishtar.spectral.welch import BadSpectrum, spectrogram, spectrum

__all__ = [
    "BadSpectrum",
    "ExpectedLine",
    "Line",
    "even_stretches",
    "expected_lines",
    "find_lines",
    "spectrogram",
    "spectrogram_of",
    "spectrum",
]
