"""Packs: levels against every sample, codes and blocks against what they were made from."""

from __future__ import annotations

import io
import zlib
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ishtar.packs import part as parts
from ishtar.packs.block_bytes import Bins, pack, unpack
from ishtar.packs.codes import NO_VALUE, PER_SIGMA, STEPS, Ladder, rounded, values_of
from ishtar.packs.levels import (
    BLOCK,
    COARSEST,
    FINEST_BINS,
    IRREGULAR_BLOCK,
    SPARSE,
    Level,
    cut,
    levels_of,
)
from ishtar.packs.part import Part, write_part
from ishtar.signals.time_base import Irregular, Regular


class Walk:
    """Samples of a random walk, which notes how many were read at once at most."""

    n_clipped = 0
    itemsize = 8

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        self.x = np.cumsum(rng.normal(size=n))
        self.x[n // 2 : n // 2 + 3] = np.nan
        self.base: Any = Regular(0.0, 1e-6, n)
        self.most = 0

    def read(self, start: int, stop: int) -> np.ndarray:
        self.most = max(self.most, stop - start)
        return self.x[start:stop]

    def minmax(self, start: int, stop: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        """A source that cannot give the bins asked for: they are walked then."""
        return np.array([start, stop]), np.zeros((1, 2))


def written(samples: Any, levels: list[Level], folder: Path) -> tuple[dict[str, Any], bytes]:
    """Return the entry and the bytes of a part."""
    out = io.BytesIO()
    steps = write_part(samples, levels, out, folder)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return {**end.value, "n": samples.base.n}, out.getvalue()


def part_of(entry: dict[str, Any], content: bytes) -> Part:
    return Part(entry, lambda spans: [content[at : at + length] for at, length in spans])


# --- levels --------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 5, 2048, 2049, 9000, 40_000, 100_003, 2_000_000, 10**9])
@pytest.mark.parametrize("most", [0, 1, 5000, 262_144])
@pytest.mark.parametrize("irregular", [False, True])
def test_levels_begin_with_one_block_and_go_down_to_what_is_kept(n, most, irregular):
    levels = levels_of(n, most, irregular=irregular)
    assert levels[0].blocks == 1
    assert levels[0].bins <= COARSEST
    assert all(k.bins == -(-n // k.stride) for k in levels)
    assert {k.block for k in levels} == {IRREGULAR_BLOCK if irregular else BLOCK}
    for a, b in pairwise(levels):
        assert a.stride == 4 * b.stride or (b.stride == 1 and a.stride <= FINEST_BINS)
    if most == 0 or n <= most:
        assert levels[-1].stride == 1
    elif len(levels) > 1:
        assert levels[-1].bins <= max(most, n // SPARSE + 1)
    if n >= 10**9:
        assert levels[-1].stride <= SPARSE


def test_a_record_without_samples_has_no_level():
    assert levels_of(0, 0) == []


@pytest.mark.parametrize("n", [3, 4097, 100_003, 1_500_001])
@pytest.mark.parametrize("most", [0, 5000])
def test_every_bin_of_every_level_has_the_extremes_of_its_samples(n, most):
    samples = Walk(n)
    levels = levels_of(n, most)
    found = {(block.level, block.k): block.rows for block in cut(samples, levels)}
    assert samples.most <= 1 << 20
    for i, level in enumerate(levels):
        rows = np.concatenate([found.pop((i, k)) for k in range(level.blocks)])
        starts = np.arange(0, n, level.stride)
        np.testing.assert_array_equal(rows[:, 0], np.fmin.reduceat(samples.x, starts))
        np.testing.assert_array_equal(rows[:, 1], np.fmax.reduceat(samples.x, starts))
    assert not found


# --- codes ---------------------------------------------------------------------------------------


def test_what_is_drawn_holds_what_was_reached():
    rng = np.random.default_rng(1)
    rows = np.sort(rng.normal(size=(3000, 2)) * 1e6, axis=1)
    codes, lo, step = rounded(rows, single=False, by_noise=True)
    low, high = values_of(codes[0], lo, step), values_of(codes[1], lo, step)
    assert (low <= rows[:, 0] + 1e-6 * step).all()
    assert (high >= rows[:, 1] - 1e-6 * step).all()
    assert max((rows[:, 0] - low).max(), (high - rows[:, 1]).max()) <= step * 1.0001


def test_no_value_stays_no_value_and_a_constant_is_exact():
    rows = np.array([[np.nan, np.nan], [3.25, 3.25], [np.inf, np.inf]])
    codes, lo, step = rounded(rows, single=True, by_noise=True)
    np.testing.assert_array_equal(values_of(codes[0], lo, step), [np.nan, 3.25, np.nan])
    codes, *_ = rounded(rows[:1], single=False, by_noise=True)
    assert (codes == NO_VALUE).all()


def test_numbers_near_the_largest_have_a_range():
    _, lo, step = rounded(np.array([[-1.7e308, 1.7e308]]), single=False, by_noise=True)
    assert np.isfinite(lo + step * STEPS)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_noise_is_rounded_to_a_part_of_it_on_any_smooth_background(scale):
    rng = np.random.default_rng(3)
    t = np.linspace(0, 1, BLOCK)
    for background in (0 * t, 100 * t, 30 * np.sin(40 * t)):
        x = scale * (background + rng.normal(0.0, 0.5, size=BLOCK))
        _, _, step = rounded(np.stack([x, x], axis=1), single=True, by_noise=True)
        assert step == pytest.approx(0.5 * scale / PER_SIGMA, rel=0.15)


@pytest.mark.parametrize(
    "shape",
    [
        lambda i: np.sin(0.8 * i),
        lambda i: np.sin(2.9 * i),
        lambda i: i % 7,
        lambda i: np.where(i % 50 < 25, 0.0, 1.0),
        lambda i: np.sin(0.1 * i) + np.where(i == 17, 40.0, 0.0),
        lambda i: 1e-9 * i**2,
        lambda i: 40 * np.sin(i * 1e-3) + 0.5 * (i % 7),
    ],
)
def test_a_tone_steps_and_smooth_signals_are_not_taken_for_noise(shape):
    x = shape(np.arange(BLOCK, dtype=np.float64))
    _, _, step = rounded(np.stack([x, x], axis=1), single=True, by_noise=True)
    assert step == pytest.approx(np.ptp(x) / STEPS)


def step_of(x: np.ndarray) -> float:
    return rounded(np.stack([x, x], axis=1), single=True, by_noise=True)[2]


AT = np.arange(BLOCK, dtype=np.float64)
RNG = np.random.default_rng(11)
WHITE = RNG.normal(size=BLOCK)
PACKETS = np.exp(-(((AT % 300 - 150) / 40.0) ** 2))
MIXED = {  # samples, and sigma of their least noise
    "before a discharge noise is weaker": (WHITE * np.where(AT < 1600, 0.01, 1.0), 0.01),
    "weaker now and then": (WHITE * np.where(AT % 1000 < 450, 0.01, 1.0), 0.01),
    "bursts": (WHITE * (1 + 20 * (AT % 1000 < 100)), 1.0),
    "spikes": (WHITE + np.where(AT % 97 == 5, 300.0, 0.0), 1.0),
    "uniform": (RNG.uniform(-(3**0.5), 3**0.5, BLOCK), 1.0),
    "of Laplace": (RNG.laplace(0.0, 0.5**0.5, BLOCK), 1.0),
    "of whole numbers": (np.rint(WHITE), 1.0),
    "a chirp without noise": (np.sin(np.cumsum(np.linspace(0.1, 3.0, BLOCK))), 0.0),
    "a fast chirp without noise": (np.sin(np.cumsum(np.linspace(1.5, 3.0, BLOCK))), 0.0),
    "packets of a fast tone without noise": (np.sin(2.5 * AT) * PACKETS, 0.0),
    "packets of a tone without noise": (np.sin(1.5 * AT) * PACKETS, 0.0),
    "packets of a fast tone in noise": (np.sin(2.5 * AT) * PACKETS + 0.01 * WHITE, 0.01),
    "a modulated tone": (3 * np.sin(2.9 * AT) * (1 + 0.8 * np.sin(0.01 * AT)) + WHITE, 1.0),
    "a tone, then noise": (np.where(AT < 2000, np.sin(2.5 * AT), 0.3 * WHITE), 0.0),
}


@pytest.mark.parametrize("kind", MIXED)
def test_a_step_is_half_of_the_least_noise_at_most(kind):
    x, sigma = MIXED[kind]
    exact = np.ptp(x) / STEPS
    assert exact * 0.999 <= step_of(x) <= max(0.55 * sigma, 1.001 * exact)


def test_a_weak_tone_and_a_small_step_in_noise_stay():
    weak = 0.02 * np.sin(0.7 * AT) + np.where(AT < 2000, 0.0, 0.2)
    x = WHITE + weak
    codes, lo, step = rounded(np.stack([x, x], axis=1), single=True, by_noise=True)
    change = values_of(codes[0], lo, step) - x
    assert abs(2 * np.mean(change * np.sin(0.7 * AT))) < 0.003
    assert abs(change[:2000].mean() - change[2000:].mean()) < 0.01


def test_of_minima_and_maxima_the_less_noisy_ones_count():
    rows = np.stack([-5.0 + WHITE, 0.001 * RNG.normal(size=BLOCK)], axis=1)
    _, _, step = rounded(rows, single=False, by_noise=True)
    assert step <= 0.001


def test_blocks_with_missing_samples_have_noise_too():
    x = WHITE.copy()
    x[1000:1400] = np.nan
    assert step_of(x) == pytest.approx(1 / PER_SIGMA, rel=0.15)
    x[::7] = np.nan
    assert step_of(x) == pytest.approx((np.nanmax(x) - np.nanmin(x)) / STEPS)


@pytest.mark.parametrize(("n", "by_noise"), [(100, True), (BLOCK, False)])
def test_few_samples_are_as_exact_as_can_be(n, by_noise):
    x = np.random.default_rng(5).normal(size=n)
    _, _, step = rounded(np.stack([x, x], axis=1), single=True, by_noise=by_noise)
    assert step == pytest.approx(np.ptp(x) / STEPS)


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-3.0, 7.0, 4096),
        np.exp(np.linspace(-8, 4, 3000)),
        np.interp(np.arange(500), [0, 100, 300, 499], [0.0, 1.0, 1.0, 90.0]),
        10.0 ** np.linspace(-11.0, 3.0, 65_536),  # of a vacuum gauge
        -(10.0 ** np.linspace(3.0, -11.0, 4096)),
        np.array([5.0]),
        np.full(7, 2.5),
    ],
)
def test_a_ladder_gives_each_code_its_value(values, tmp_path):
    ladder = Ladder.of(values)
    codes = np.arange(len(values), dtype=np.uint16)
    np.testing.assert_allclose(ladder.look_up(codes), values, atol=1e-9 * np.ptp(values))
    # neighbouring codes are as far apart as they are
    np.testing.assert_allclose(np.diff(ladder.look_up(codes)), np.diff(values), rtol=0.02)
    head = parts.Head(sizes=[np.array([1])], starts=(), ladder=ladder).to_bytes()
    entry = {"n": 1, "levels": [{"stride": 1, "bins": 1}], "irregular": False, "block": BLOCK}
    entry |= {"head": len(head), "ladder": parts.ladder_entry(ladder)}
    again = part_of(entry, head).head.ladder
    np.testing.assert_array_equal(again.look_up(codes), ladder.look_up(codes))


# --- blocks --------------------------------------------------------------------------------------

rng = np.random.default_rng(7)
CODES = {
    "noise": rng.integers(30_000, 30_100, size=(1, BLOCK)),
    "ramp": np.arange(BLOCK)[None] * 16,
    "wrapping": rng.integers(0, 65536, size=(2, 999)),
    "curve": (32_000 * (1 + np.sin(np.arange(500) / 40)))[None],
    "one": np.array([[7]]),
    "missing": np.array([[NO_VALUE, 3, NO_VALUE], [NO_VALUE, 9, NO_VALUE]]),
    "pairs": np.sort(rng.integers(0, 3000, size=(2, BLOCK)), axis=0),
}


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("irregular", [False, True])
@pytest.mark.parametrize("has_ladder", [False, True])
def test_a_block_is_what_it_was(kind, irregular, has_ladder):
    codes = CODES[kind].astype(np.uint16)
    n = codes.shape[1]
    if kind == "wrapping" and not has_ladder:
        codes = np.minimum(codes, STEPS)
    if kind == "missing" and has_ladder:
        codes = np.minimum(codes, 65_000)
    places = np.cumsum(rng.random(n)) if irregular else None
    rounding = None if has_ladder else (-1.5, 0.25)
    content = pack(Bins(codes=codes, rounding=rounding, places=places))
    found = unpack(content, n, columns=len(codes), has_ladder=has_ladder, irregular=irregular)
    np.testing.assert_array_equal(found.codes, codes)
    assert found.rounding == rounding
    if irregular:
        np.testing.assert_array_equal(found.places, places)


def test_a_damaged_block_is_a_value_error():
    content = pack(Bins(codes=CODES["pairs"].astype(np.uint16), rounding=(0.0, 1.0)))
    how = {"columns": 2, "has_ladder": False, "irregular": False}
    short, damaged = "a block of 4096 bins has", "Error -3 while decompressing"
    for wrong, why in (
        (content[:-9], short),
        (b"", short),
        (content[:100] + b"xyz" + content[103:], damaged),
        (zlib.compress(b""), short),
    ):
        with pytest.raises(ValueError, match=why):
            unpack(wrong, BLOCK, **how)
    with pytest.raises(ValueError, match="no prediction 9"):
        unpack(zlib.compress(b"\x09" + bytes(2 + 16 + 2)), 1, **(how | {"columns": 1}))
    bomb = zlib.compress(bytes(1 << 26), 9)
    with pytest.raises(ValueError, match="a block of 4096 bins has"):
        unpack(bomb, BLOCK, **how)


# --- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 3000, 100_003])
def test_a_part_has_every_bin_of_every_level(n, tmp_path):
    samples = Walk(n)
    levels = levels_of(n, 0)
    part = part_of(*written(samples, levels, tmp_path))
    assert list(tmp_path.iterdir()) == []
    for number, level in enumerate(levels):
        starts = np.arange(0, n, level.stride)
        rows, places = part.rows(number, 0, level.bins)
        assert places is None
        # of each block, a 65534th of its range, or a third of the noise of a walk with steps of 1
        slack = level.stride**0.5 / PER_SIGMA + np.nanmax(np.abs(rows), initial=0.0) / STEPS
        for got, known in (
            (rows[:, 0], np.fmin.reduceat(samples.x, starts)),
            (rows[:, 1], np.fmax.reduceat(samples.x, starts)),
        ):
            np.testing.assert_allclose(got, known, atol=slack, equal_nan=True)
        first, last = level.bins // 3, level.bins // 3 + 5
        np.testing.assert_array_equal(part.rows(number, first, last)[0], rows[first:last])


def test_an_irregular_part_has_the_place_of_each_bin(tmp_path):
    n = 10_000
    times = 5.0 + np.cumsum(np.random.default_rng(2).random(n))
    samples = Walk(n)
    samples.base = Irregular(read=lambda: times, n=n, t0=float(times[0]), name="slow")
    levels = levels_of(n, 0, irregular=True)
    part = part_of(*written(samples, levels, tmp_path))
    for number, level in enumerate(levels):
        known = times[:: level.stride] - times[0]
        np.testing.assert_array_equal(part.rows(number, 0, level.bins)[1], known)
        np.testing.assert_array_equal(part.head.starts[number], known[:: level.block])


def test_a_copy_with_fewer_levels_is_the_same_part_without_the_others(tmp_path):
    samples = Walk(100_003)
    whole = part_of(*written(samples, levels_of(samples.base.n, 0), tmp_path))
    out = io.BytesIO()
    entry = {**whole.copy(out, 2), "n": samples.base.n}
    assert [k["stride"] for k in entry["levels"]] == [128, 32]
    assert len(out.getvalue()) == entry["head"] + sum(k["bytes"] for k in entry["levels"])
    copy = part_of(entry, out.getvalue())
    for number in range(2):
        np.testing.assert_array_equal(
            copy.rows(number, 0, 10**6)[0], whole.rows(number, 0, 10**6)[0]
        )


def ladder_of(**what: Any) -> dict[str, Any]:
    return {"ladder": {"lo": 0.0, "hi": 1.0, "n": 4, "straight": False, "bytes": 4} | what}


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"head": 20}, "a head has"),
        ({"n": 3}, "cannot hold 3 samples"),
        ({"block": 10**9}, "at most 4096 bins"),
        ({"block": 0}, "at most 4096 bins"),
        ({"irregular": True}, "a head has"),
        ({"levels": [{"stride": 1, "bins": 10**15}]}, "cannot hold"),
        ({"levels": [{"stride": 128, "bins": 5}]}, "a head has"),
        (ladder_of(n=10**9), "at most 65536 codes"),
        (ladder_of(straight=True), "a block of"),
        (ladder_of(bytes=3), "4 or 8 bytes"),
    ],
)
def test_an_entry_that_lies_is_a_value_error(wrong, why, tmp_path):
    samples = Walk(100_003)
    entry, content = written(samples, levels_of(samples.base.n, 0), tmp_path)
    with pytest.raises(ValueError, match=why):
        part_of(entry | wrong, content).rows(0, 0, 10**6)


def test_flipped_bytes_are_a_value_error_or_change_no_shape(tmp_path):
    samples = Walk(20_000)
    levels = levels_of(samples.base.n, 0)
    entry, content = written(samples, levels, tmp_path)
    flips = np.random.default_rng(4)
    for _ in range(300):
        wrong = bytearray(content)
        wrong[flips.integers(len(wrong))] ^= 1 << flips.integers(8)
        try:
            rows, _ = part_of(entry, bytes(wrong)).rows(1, 0, 10**6)
        except ValueError:
            continue
        assert rows.shape == (levels[1].bins, 2)
