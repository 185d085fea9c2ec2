"""A device whose gain and phase depend on frequency, undone by a filter of finite length.

The response H(f) is given at some frequencies. Between them gain and phase are interpolated
linearly; outside them nothing is known, and nothing is let through. Calibrating divides by H: the
filter is the inverse Fourier transform of 1/H, tapered by a Hann window of ``length_s`` so that
each value depends on that much of the signal around it and no more. Within 2/length_s of an end of
the band the filter fades; further inside it follows 1/H to 1 %. Where no length is stated it is 8
periods of the lowest frequency (or of the width of the band), doubled until that holds.

At the two ends of a record the signal is taken to go on with its first and its last sample.

Reference: A. V. Oppenheim, R. W. Schafer, *Discrete-Time Signal Processing*, 3rd ed., Pearson
(2010), sec. 7.5 (design of filters by windowing).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration.steps import Array, later, refuse
from ishtar.errors import CalibrationFileError, TimeBaseError

LENGTHS = 8.0  # periods of the lowest frequency, where no length is stated
MOST = 1 << 20  # samples of a filter
FINENESS = 8  # points of the response for each sample of the filter
MOST_OFF = 0.01  # of 1/H, further inside the band than its ends are blurred
BLOCK = 1 << 16  # samples that are convolved together


@dataclass(frozen=True, kw_only=True)
class FrequencyResponse:
    """Y(f) = X(f) / (gain(f) · e^(i·phase(f))) in the band of the frequencies given, 0 outside

    ``gain`` in units out per unit in, ``phase_deg`` of the device's output against its input;
    ``relative_sigma`` of the gain as a whole, as a share of it.
    """

    monotonic: ClassVar[bool] = False
    frequency_hz: tuple[float, ...]
    gain: tuple[float, ...]
    phase_deg: tuple[float, ...]
    length_s: float = later(0.0)
    relative_sigma: float = later(0.0)

    def __post_init__(self) -> None:
        n = len(self.frequency_hz)
        refuse(n < 2, "give two frequencies at least")
        refuse(
            len(self.gain) != n or len(self.phase_deg) != n,
            "give as many gain and phase_deg as frequency_hz",
        )
        refuse(
            self.frequency_hz[0] < 0 or bool((np.diff(self.frequency_hz) <= 0).any()),
            "the frequencies must rise throughout, from 0 or above",
        )
        refuse(min(self.gain) <= 0, "a gain must be above 0: leave out where there is none")
        refuse(self.relative_sigma < 0 or self.length_s < 0, "a length or sigma is not below 0")

    def margin(self, dt: float) -> int:
        """Return how many neighbours on each side a value needs."""
        return (len(_kernel(self, dt, False)) - 1) // 2

    def filtered(self, x: Array, dt: float) -> Array:
        """Return what the device saw, less a margin on both sides; a NaN spoils its neighbours."""
        return convolve(x, _kernel(self, dt, False))

    def response(self, x: Array, dt: float) -> Array:
        """Return what the device gives, less a margin on both sides: the inverse, in its band."""
        return convolve(x, _kernel(self, dt, True))

    def changes(self, y: Array) -> Mapping[str, Array]:
        """Return by how much one sigma of the gain changes what was filtered."""
        return {"response": -self.relative_sigma * y} if self.relative_sigma else {}

    def at(self, f: Array) -> NDArray[np.complex128]:
        """Return the device's response at frequencies (Hz) in its band."""
        phase = np.unwrap(self.phase_deg, period=360.0)
        gains = np.interp(f, self.frequency_hz, self.gain)
        return np.asarray(gains * np.exp(1j * np.deg2rad(np.interp(f, self.frequency_hz, phase))))


def convolve(x: Array, kernel: Array) -> Array:
    """Return the samples (n,) under a filter (m,) where it lies on them whole, (n − m + 1,)."""
    m = len(kernel)
    lost = ~np.isfinite(x)
    if lost.any():
        before = np.concatenate([[0], np.cumsum(lost)])
        touched = before[m:] > before[:-m]
        return np.where(touched, np.nan, convolve(np.where(lost, 0.0, x), kernel))
    n_out = len(x) - m + 1
    size = 1 << int(np.ceil(np.log2(max(BLOCK, 4 * m))))
    step = size - m + 1
    spectrum = np.fft.rfft(kernel, size)
    out = np.empty(max(n_out, 0))
    for i in range(0, n_out, step):
        whole = np.fft.irfft(np.fft.rfft(x[i : i + size], size) * spectrum, size)
        out[i : i + step] = whole[m - 1 : m - 1 + min(step, n_out - i)]
    return out


@lru_cache(maxsize=32)
def _kernel(response: FrequencyResponse, dt: float, forwards: bool) -> Array:
    first, last = response.frequency_hz[0], response.frequency_hz[-1]
    nyquist = 0.5 / dt
    if first >= nyquist:
        raise TimeBaseError(
            f"the frequency response begins at {first:g} Hz, but samples every {dt:g} s show "
            f"nothing above {nyquist:g} Hz: it is that of another device, or a faster channel"
        )
    if response.length_s:
        kernel, off = _design(response, dt, response.length_s, forwards)
        if off > MOST_OFF:
            raise CalibrationFileError(
                f"a frequency response of length_s = {response.length_s:g} is off by {off:.0%} in "
                "the middle of its band: state a longer one, or none"
            )
        return kernel
    length = LENGTHS / min(first or last, last - first)
    while True:
        kernel, off = _design(response, dt, length, forwards)
        if off <= MOST_OFF:
            return kernel
        length *= 2


def _design(
    response: FrequencyResponse, dt: float, length: float, forwards: bool
) -> tuple[Array, float]:
    """Return a filter of some length, and by what share it is off inside the band at most."""
    half = int(np.ceil(length / dt / 2))
    if 2 * half + 1 > MOST:
        raise CalibrationFileError(
            f"a frequency response of {length:g} s is {2 * half + 1} samples of {dt:g} s, {MOST} "
            "at most can be: state a shorter length_s, or fewer frequencies"
        )
    size = 1 << int(np.ceil(np.log2(FINENESS * (2 * half + 1))))
    f = np.fft.rfftfreq(size, dt).astype(np.float64)
    first, last = response.frequency_hz[0], response.frequency_hz[-1]
    h = response.at(f)
    wanted = np.where((f >= first) & (f <= last), h if forwards else 1.0 / h, 0.0)
    whole = np.fft.irfft(wanted, size)
    kernel = np.concatenate([whole[-half:], whole[: half + 1]]) * np.hanning(2 * half + 3)[1:-1]
    kernel.setflags(write=False)
    edge = 2.0 / length
    low = first + edge if first else 0.0
    inner = (f >= low) & (f <= min(last, 0.5 / dt) - edge)
    if not inner.any():
        return kernel, np.inf
    done = np.fft.rfft(np.roll(np.append(kernel, np.zeros(size - len(kernel))), -half))
    return kernel, float((np.abs(done - wanted)[inner] / np.abs(wanted[inner])).max())
