"""Values of packs: those of the record, the same in the viewer's script as in Python."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ishtar.packs.codes import LONG, PER_SIGMA, STEPS, converted
from ishtar.packs.levels import levels_of
from ishtar.packs.part import Part, write_part
from ishtar.signals.samples import FileSamples
from ishtar.signals.time_base import Irregular, Regular

DECODE = Path(__file__).parent / "site_scripts" / "decode_packs.js"


@dataclass
class Recorded:
    """A channel without a pyramid."""

    values: np.ndarray
    levels = ()
    path = "DAQ/U"
    file = "daq.h5"

    def __post_init__(self) -> None:
        self.n, self.dtype = len(self.values), self.values.dtype
        self.raw_min, self.raw_max = float(self.values.min()), float(self.values.max())

    def raw(self, start: int, stop: int) -> np.ndarray:
        return self.values[start:stop]


class Sampled(FileSamples):
    """Samples as they are, or computed from those of a converter."""

    def __init__(self, x: np.ndarray, calibrate: Any = None, *, irregular: bool = False) -> None:
        self.channel, self.calibrate = (Recorded(x) if calibrate else None), calibrate
        self.x = calibrate(x) if calibrate else x
        n = len(x)
        self.base: Any = Regular(-0.25, 1e-5, n)
        if irregular:
            times = np.cumsum(np.random.default_rng(n).random(n)) - 3.0
            self.base = Irregular(read=lambda: times, n=n, t0=float(times[0]), name="U")

    def computed_from(self) -> Any:
        return (self.channel, self.calibrate) if self.channel else None

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.x[start:stop]

    def minmax(self, start: int, stop: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Give other bins than asked for: every sample is read then."""
        return np.array([start, stop]), np.zeros((1, 2))


def converter(n: int, dtype: str, seed: int = 0) -> np.ndarray:
    """Return samples that reach both limits of a converter."""
    limits = np.iinfo(dtype)
    rng = np.random.default_rng(seed + n)
    wave = np.sin(np.arange(n) / 50.0) + rng.normal(0.0, 0.1, n)
    span = limits.max - limits.min
    x = np.clip(np.rint(limits.min + span * (0.5 + 0.45 * wave)), limits.min, limits.max)
    x[: min(n, 2)] = [limits.min, limits.max][: min(n, 2)]
    return x.astype(dtype)


def odd(n: int) -> np.ndarray:
    """Return samples some of which have no value."""
    x = np.random.default_rng(n).normal(size=n)
    x[n // 3 : n // 2 : 5] = np.nan
    x[n // 2 :: 301], x[n // 2 + 1 :: 407] = np.inf, -np.inf
    return x


def wave(n: int) -> np.ndarray:
    return np.sin(np.arange(n) / 70.0) + np.random.default_rng(n).normal(0, 0.1, n)


def line(x: np.ndarray) -> np.ndarray:
    return 0.3 + 0.0125 * x.astype(np.float64)


def falling(x: np.ndarray) -> np.ndarray:
    return 7.0 - 0.0125 * x.astype(np.float64)


def bent(x: np.ndarray) -> np.ndarray:
    return np.sinh(x.astype(np.float64) / np.iinfo(x.dtype).max * 3.0)


def falling_bent(x: np.ndarray) -> np.ndarray:
    return -(bent(x) + 2.0)


def gauge(x: np.ndarray) -> np.ndarray:
    """A vacuum gauge: the logarithm of the pressure is measured, over 14 decades."""
    limits = np.iinfo(x.dtype)
    return 10.0 ** (14.0 * (x.astype(np.float64) - limits.min) / (limits.max - limits.min) - 11.0)


def flat(x: np.ndarray) -> np.ndarray:
    return np.full(len(x), -0.125)


CALIBRATIONS = (line, falling, bent, falling_bent, gauge, flat)
LENGTHS = (1, 2, 2048, 2049, 4096, 4097, 40_000)
CONVERTED = {
    f"{calibrate.__name__} {dtype} {n}": Sampled(converter(n, dtype), calibrate)
    for calibrate in CALIBRATIONS
    for dtype in ("uint8", "int8", "int16", "uint16")
    for n in LENGTHS
} | {
    "gauge of 16 bits": Sampled(converter(70_000, "uint16"), gauge),
    "constant": Sampled(np.full(5000, 7, "int16"), line),
    "irregular": Sampled(converter(10_000, "int16"), bent, irregular=True),
}
ROUNDED = {
    f"{kind.__name__} {n} {irregular}": Sampled(kind(n), irregular=irregular)
    for kind in (odd, wave, np.zeros)
    for n in (*LENGTHS, LONG + 1000)
    for irregular in (False, True)
} | {
    "denormals": Sampled(wave(3000) * 1e-315),
    "least number": Sampled(np.arange(100) % 2 * 5e-324),
    "few least numbers": Sampled(np.arange(5000) % 100_000 * 20 * 5e-324),
    "large": Sampled(np.clip(wave(3000) * 1e308, -8e307, 8e307)),
    "minus zero": Sampled(np.array([-0.0, 0.0, -0.0])),
    "far from zero": Sampled(1e6 + np.arange(5000) * 2.0**-33),
    "nothing": Sampled(np.full(5000, np.nan)),
    "infinite": Sampled(np.full(300, -np.inf)),
    "non-monotonic": Sampled(converter(5000, "int16"), lambda x: line(x) ** 2),
    "outside of a table": Sampled(
        converter(5000, "int16"), lambda x: np.interp(x, [0, 100], [0, 1], np.nan, np.nan)
    ),
}
ALL = CONVERTED | ROUNDED


@pytest.fixture(scope="module")
def packs(tmp_path_factory) -> tuple[Path, dict[str, dict[str, Any]]]:
    """All signals as packs in one file, and what an index says of them."""
    folder = tmp_path_factory.mktemp("packs")
    entries = {}
    with (folder / "all.pack").open("wb") as out:
        for name, samples in ALL.items():
            at = out.tell()
            levels = levels_of(samples.base.n, 0, irregular=isinstance(samples.base, Irregular))
            steps = write_part(samples, levels, out, folder)
            while True:
                try:
                    next(steps)
                except StopIteration as end:
                    entries[name] = {**end.value, "n": samples.base.n}
                    break
            entries[name] |= {"pack": "all.pack", "at": at}
    return folder, entries


@pytest.fixture(scope="module")
def parts(packs) -> dict[str, Part]:
    folder, entries = packs
    content = memoryview((folder / "all.pack").read_bytes())

    def part_of(entry: dict[str, Any]) -> Part:
        of_entry = content[entry["at"] :]
        return Part(entry, lambda spans: [bytes(of_entry[a : a + n]) for a, n in spans])

    return {name: part_of(entry) for name, entry in entries.items()}


def extremes(samples: Sampled, stride: int) -> np.ndarray:
    x = np.where(np.isfinite(samples.x), samples.x, np.nan)
    starts = np.arange(0, len(x), stride)
    return np.stack([np.fmin.reduceat(x, starts), np.fmax.reduceat(x, starts)], axis=1)


def test_the_viewer_reads_what_python_reads(packs, parts):
    folder, entries = packs
    (folder / "packs.json").write_text(json.dumps(list(entries.values())))
    subprocess.run(["node", DECODE, folder], check=True)
    decoded = json.loads((folder / "decoded.json").read_text())
    for (name, part), levels in zip(parts.items(), decoded, strict=True):
        for number, found in enumerate(levels):
            rows, places = part.rows(number, 0, part.levels[number].bins)
            seen = np.array([found["low"], found["high"]], dtype=np.float64).T
            np.testing.assert_array_equal(seen, rows, err_msg=name)
            if places is not None:
                np.testing.assert_array_equal(found["places"], places, err_msg=name)


@pytest.mark.parametrize("name", CONVERTED)
def test_samples_of_a_converter_are_exact(parts, name):
    part = parts[name]
    for number, level in enumerate(part.levels):
        known = extremes(CONVERTED[name], level.stride)
        rows, _ = part.rows(number, 0, level.bins)
        if part.head.ladder is None:  # it would be longer than the record
            assert part.entry["n"] < 65_536
            continue
        width = np.ptp(CONVERTED[name].x)
        np.testing.assert_allclose(rows, known, atol=1e-9 * width, rtol=1e-14)
        if "gauge" in name:
            np.testing.assert_allclose(rows, known, rtol=1e-6)


@pytest.mark.parametrize("name", ROUNDED)
def test_no_sample_lies_outside_of_the_band(parts, name):
    part = parts[name]
    for number, level in enumerate(part.levels):
        known = extremes(ROUNDED[name], level.stride)
        rows, _ = part.rows(number, 0, level.bins)
        np.testing.assert_array_equal(np.isnan(rows), np.isnan(known))
        finite = known[np.isfinite(known)]
        slack = np.ptp(finite) / STEPS if len(finite) else 0.0
        slack = max(slack, 2.0**-1022)
        if part.entry["n"] > LONG and "zeros" not in name:
            slack = max(slack, 1.15 / PER_SIGMA)  # sigma of the noise is 1 at most
        ulp = 4 * np.spacing(np.abs(finite).max(initial=0.0))
        if level.stride > 1:
            assert (rows[:, 0] <= known[:, 0] + ulp)[np.isfinite(known[:, 0])].all()
            assert (rows[:, 1] >= known[:, 1] - ulp)[np.isfinite(known[:, 1])].all()
        np.testing.assert_allclose(rows, known, rtol=0, atol=slack * 1.01 + ulp)


def test_a_converter_of_unknown_range_is_rounded(tmp_path):
    samples = Sampled(converter(3000, "int16"), line)
    samples.channel.raw_min = samples.channel.raw_max = float("nan")
    assert converted(samples) is None
