"""The white noise of a block: of its quietest stretch, and in the quietest part of its spectrum.

Two measures are compared, each of which takes for noise what the other does not:

::

    in time        sixth differences, which smooth signals do not have, in stretches of the block:
                   before a discharge noise is weaker than in it, and of steps, pulses and tones
                   the differences have no tail as noise has
    by frequency   power in bands: that of tones, also of modulated ones, is missing in some
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

LEAST = 512  # samples: fewer do not tell what noise is
MEDIAN = 0.6745  # median of |x| in units of sigma, for a normal distribution
ORDER = 6  # of the differences
OF_DIFFERENCES = math.sqrt(math.comb(2 * ORDER, ORDER))  # their sigma, for white noise of 1
STRETCH = 256  # samples, of which noise is told by itself
FEWEST = 64  # known differences of a stretch; of fewer nothing is told
TAIL = 0.998  # one of 500 differences is larger, in noise by far: in a tone none is
LEAST_TAIL = 2.6  # sigma of the differences; 3.1 for a normal distribution
LEAST_PEAK = 1.5  # sigma, in each stretch: a tone has 1
PIECE = 512  # samples, of which the spectrum is taken
BANDS = 8
KAISER = 20.0  # the side lobes of a line have less than 1e-7 of it
ALIKE = 0.5  # of the noise of the block: what is less is not chance

Array = NDArray[np.float64]


def noise_of(x: Array) -> float:
    """Return sigma of the noise of samples, 0 if there is none; NaN are missing samples.

    The samples should have a range of about 1, so that their squares have one, too.
    """
    if len(x) < LEAST:
        return 0.0
    whole, least = _in_time(x)
    if not whole:
        return 0.0
    least = min(least, _by_frequency(x))
    return whole if least > ALIKE * whole else least


def _in_time(x: Array) -> tuple[float, float]:
    """Return sigma of the block, and of its quietest stretch; zeros if it is not noise."""
    differences = np.abs(np.diff(x, n=ORDER))
    sigmas, relative = [], []
    for stretch in np.array_split(differences, len(differences) // STRETCH + 1):
        known = stretch[np.isfinite(stretch)]
        if len(known) < FEWEST:
            continue
        sigma = float(np.median(known)) / MEDIAN
        if known.max() <= LEAST_PEAK * sigma or not sigma:
            return 0.0, 0.0
        sigmas.append(sigma)
        relative.append(known / sigma)
    if not sigmas or np.quantile(np.concatenate(relative), TAIL) <= LEAST_TAIL:
        return 0.0, 0.0
    whole = float(np.median(differences[np.isfinite(differences)])) / MEDIAN
    return whole / OF_DIFFERENCES, min(sigmas) / OF_DIFFERENCES


def _by_frequency(x: Array) -> float:
    """Return sigma of white noise with the power of the quietest band; 0 if that is unknown."""
    pieces = x[: len(x) // PIECE * PIECE].reshape(-1, PIECE)
    pieces = pieces[np.isfinite(pieces).all(axis=1)]
    if not len(pieces):
        return 0.0
    pieces = pieces - pieces.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(pieces * _window())[:, 1:]) ** 2
    bands = power.reshape(len(pieces), BANDS, -1)
    return math.sqrt(float(np.median(bands, axis=(0, 2)).min()) / math.log(2.0))


@cache
def _window() -> Array:
    window = np.kaiser(PIECE, KAISER)
    return np.asarray(window / math.sqrt(float(np.square(window).sum())))
