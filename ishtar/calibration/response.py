"""Correct for a gain and phase that depend on frequency, with a filter of finite length.

The response H(f) is given at some frequencies. Between them gain and phase are interpolated
linearly; outside them the filter passes nothing. Calibrating divides by H: the filter is the
inverse Fourier transform of 1/H, tapered by a Hann window of ``length_s``, so that each value
depends on no more of the signal than that. Within 2/length_s of an end of the band the filter
fades; further inside it follows 1/H to 1 %. The default length is 8 periods of the lowest frequency
(or of the width of the band), doubled until this accuracy is reached.

At both ends of a record the signal is extended with its first and its last sample.

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

DEFAULT_PERIODS = 8.0  # of the lowest frequency: the first length tried if none is stated
MAX_TAPS = 1 << 20  # samples of a filter
POINTS_PER_TAP = 8  # points of the response for each sample of the filter
MAX_ERROR = 0.01  # relative to 1/H, inside the band away from its blurred ends
BLOCK = 1 << 16  # samples convolved at once


@dataclass(frozen=True, kw_only=True)
class FrequencyResponse:
    """Y(f) = X(f) / (gain(f) · e^(i·phase(f))) in the band of the frequencies given, 0 outside

    ``gain`` is in units out per unit in; ``phase_deg`` is the phase of the device's output relative
    to its input; ``relative_sigma`` is that of the gain as a whole.
    """

    monotonic: ClassVar[bool] = False
    frequency_hz: tuple[float, ...]
    gain: tuple[float, ...]
    phase_deg: tuple[float, ...]
    length_s: float = later(0.0)
    relative_sigma: float = later(0.0)

    def __post_init__(self) -> None:
        n = len(self.frequency_hz)
        refuse(n < 2, "give at least two frequencies")
        refuse(
            len(self.gain) != n or len(self.phase_deg) != n,
            "give as many gain and phase_deg as frequency_hz",
        )
        refuse(
            self.frequency_hz[0] < 0 or bool((np.diff(self.frequency_hz) <= 0).any()),
            "the frequencies must increase strictly, from 0 or above",
        )
        refuse(min(self.gain) <= 0, "a gain must be above 0: leave out frequencies without gain")
        refuse(
            self.relative_sigma < 0 or self.length_s < 0, "length and sigma must not be negative"
        )

    def margin(self, dt: float) -> int:
        """Return the number of samples that a value needs on each side."""
        return (len(_kernel(self, dt, False)) - 1) // 2

    def filtered(self, x: Array, dt: float) -> Array:
        """Return the device's input, (n − 2 · margin,); a NaN invalidates its neighbours."""
        return convolve(x, _kernel(self, dt, False))

    def response(self, x: Array, dt: float) -> Array:
        """Return the device's output, (n − 2 · margin,): the inverse of `filtered` in the band."""
        return convolve(x, _kernel(self, dt, True))

    def changes(self, y: Array) -> Mapping[str, Array]:
        """Return the change of the filtered values ``y`` by one sigma of the gain."""
        return {"response": -self.relative_sigma * y} if self.relative_sigma else {}

    def at(self, f: Array) -> NDArray[np.complex128]:
        """Return the device's complex response at frequencies (Hz) in its band."""
        phase = np.unwrap(self.phase_deg, period=360.0)
        gains = np.interp(f, self.frequency_hz, self.gain)
        return np.asarray(gains * np.exp(1j * np.deg2rad(np.interp(f, self.frequency_hz, phase))))


def convolve(x: Array, kernel: Array) -> Array:
    """Return the valid part of the convolution of samples with a kernel.

    Parameters
    ----------
    x : (n,) float64
        Samples; a NaN invalidates every value that depends on it.
    kernel : (m,) float64
        Filter.

    Returns
    -------
    (n − m + 1,) float64
        Empty if the samples are shorter than the kernel.
    """
    m = len(kernel)
    invalid = ~np.isfinite(x)
    if invalid.any():
        before = np.concatenate([[0], np.cumsum(invalid)])
        affected = before[m:] > before[:-m]
        return np.where(affected, np.nan, convolve(np.where(invalid, 0.0, x), kernel))
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
def _kernel(response: FrequencyResponse, dt: float, forward: bool) -> Array:
    first, last = response.frequency_hz[0], response.frequency_hz[-1]
    nyquist = 0.5 / dt
    if first >= nyquist:
        raise TimeBaseError(
            f"the frequency response begins at {first:g} Hz, above the Nyquist frequency "
            f"{nyquist:g} Hz of samples every {dt:g} s: check that it belongs to this device and "
            "channel"
        )
    if response.length_s:
        kernel, error = _design(response, dt, response.length_s, forward)
        if error > MAX_ERROR:
            raise CalibrationFileError(
                f"a filter of length_s = {response.length_s:g} deviates by {error:.0%} from the "
                "frequency response in the middle of its band: state a longer one, or none"
            )
        return kernel
    length = DEFAULT_PERIODS / min(first or last, last - first)
    while True:
        kernel, error = _design(response, dt, length, forward)
        if error <= MAX_ERROR:
            return kernel
        length *= 2


def _design(
    response: FrequencyResponse, dt: float, length: float, forward: bool
) -> tuple[Array, float]:
    """Return a filter of a given length (s), and its largest relative error inside the band."""
    half = int(np.ceil(length / dt / 2))
    if 2 * half + 1 > MAX_TAPS:
        raise CalibrationFileError(
            f"a frequency response of {length:g} s takes {2 * half + 1} samples of {dt:g} s, more "
            f"than the limit of {MAX_TAPS}: state a shorter length_s, or fewer frequencies"
        )
    size = 1 << int(np.ceil(np.log2(POINTS_PER_TAP * (2 * half + 1))))
    f = np.fft.rfftfreq(size, dt).astype(np.float64)
    first, last = response.frequency_hz[0], response.frequency_hz[-1]
    h = response.at(f)
    wanted = np.where((f >= first) & (f <= last), h if forward else 1.0 / h, 0.0)
    whole = np.fft.irfft(wanted, size)
    kernel = np.concatenate([whole[-half:], whole[: half + 1]]) * np.hanning(2 * half + 3)[1:-1]
    kernel.setflags(write=False)
    edge = 2.0 / length
    low = first + edge if first else 0.0
    inner = (f >= low) & (f <= min(last, 0.5 / dt) - edge)
    if not inner.any():
        return kernel, np.inf
    achieved = np.fft.rfft(np.roll(np.append(kernel, np.zeros(size - len(kernel))), -half))
    return kernel, float((np.abs(achieved - wanted)[inner] / np.abs(wanted[inner])).max())
