"""The bytes of one signal: a head, and the blocks of its levels, the coarsest first.

::

    head     bytes of each block as uint32; if irregular, the place at which each begins as
             float64; the values of a ladder that is not straight, as parts of its range in uint32
             or as float64 of which the bits are taken for uint64, third differences: each in byte
             planes, all together compressed by zlib
    blocks   level by level, as `ishtar.packs.block_bytes` writes them

The index of a shot has what is needed to read the head: where it is and how long, the levels, the
ladder.
"""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ishtar.packs.block_bytes import MOST_BYTES, Bins, byte_planes, from_byte_planes, pack, unpack
from ishtar.packs.codes import LONG, Ladder, converted, ladder_entry, rounded, values_of
from ishtar.packs.levels import BLOCK, Block, Level, cut
from ishtar.signals.samples import Samples
from ishtar.signals.time_base import Along, Irregular

FORMAT = 2  # of the index of a shot, and of packs; 1 had a file for each block
IN_MEMORY = 1 << 20  # bytes of a level before it goes to a file
MOST_LADDER = 1 << 16  # codes
DIFFERENCES = 3  # of a ladder: those of a smooth one are next to nothing
COARSE_BYTES = 4096  # of a signal in the coarse file, beyond level 0

Array = NDArray[np.float64]
Span = tuple[int, int]
Fetch = Callable[[Sequence[Span]], Sequence[bytes]]
"""Returns bytes, by place in a part and length."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a part.

    Attributes
    ----------
    sizes : per level, (m,) int64
        Bytes of its blocks.
    starts : per level, (m,) float64
        Where its blocks begin, after the first place of the record; empty if sampling is regular.
    ladder : Ladder, optional
        The values of codes; None if each block has its own.
    """

    sizes: Sequence[NDArray[np.int64]]
    starts: Sequence[Array]
    ladder: Ladder | None

    def to_bytes(self) -> bytes:
        """Return the head as bytes."""
        planes = [byte_planes(np.concatenate(self.sizes).astype("<u4"))]
        if self.starts:
            planes.append(byte_planes(np.concatenate(self.starts).astype("<f8")))
        if self.ladder is not None and self.ladder.values is not None:
            values = self.ladder.values
            whole = values.view(np.uint64 if values.itemsize == 8 else np.uint32)
            before = np.zeros(DIFFERENCES, dtype=whole.dtype)
            planes.append(byte_planes(np.diff(whole, n=DIFFERENCES, prepend=before)))
        return zlib.compress(b"".join(planes), 9)

    def entry(self, levels: Sequence[Level], length: int) -> dict[str, Any]:
        """Return what the index of a shot says of a part whose head has a length."""
        sizes = [int(s.sum()) for s in self.sizes]
        return {
            "levels": [
                {"stride": level.stride, "bins": level.bins, "bytes": size}
                for level, size in zip(levels, sizes, strict=True)
            ],
            "irregular": bool(self.starts),
            "ladder": ladder_entry(self.ladder),
            "head": length,
            "block": levels[0].block,
        }


def write_part(
    samples: Samples, levels: Sequence[Level], out: BinaryIO, scratch: Path
) -> Generator[None, None, Mapping[str, Any]]:
    """Write the bytes of a signal in constant memory; yield now and then.

    Parameters
    ----------
    samples
        Of the signal.
    levels
        To write, the coarsest first.
    out
        Where to write.
    scratch
        Folder for temporary files, which have no names.

    Returns
    -------
    mapping
        For the index of the shot: see `Head.entry`.
    """
    codes = converted(samples)
    is_long = samples.base.n > LONG
    places = irregular_axis(samples)
    if places is not None:
        places.index(places.t0)  # raises if the places do not increase
    sizes: list[list[int]] = [[] for _ in levels]
    starts: list[list[float]] = [[] for _ in levels]
    with ExitStack() as stack:
        files = [
            stack.enter_context(tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(scratch)))
            for _ in levels
        ]
        for block in cut(codes or samples, levels):
            bins = _bins(block, levels[block.level], codes is not None, is_long, places)
            content = pack(bins)
            files[block.level].write(content)
            sizes[block.level].append(len(content))
            if bins.places is not None:
                starts[block.level].append(float(bins.places[0]))
            yield
        head = Head(
            sizes=[np.array(s, dtype=np.int64) for s in sizes],
            starts=[np.array(s) for s in starts] if places is not None else (),
            ladder=None if codes is None else codes.ladder,
        )
        content = head.to_bytes()
        out.write(content)
        for file in files:
            file.seek(0)
            shutil.copyfileobj(file, out)
            yield
    return head.entry(levels, len(content))


def irregular_axis(samples: Samples) -> Irregular | None:
    """Return the axis of irregular samples; None for others."""
    axis = samples.base
    base = axis.base if isinstance(axis, Along) else axis
    return base if isinstance(base, Irregular) else None


def _bins(
    block: Block, level: Level, has_ladder: bool, is_long: bool, places: Irregular | None
) -> Bins:
    single = level.stride == 1
    of_bins = None
    if places is not None:
        first = block.k * level.block * level.stride
        stop = min(first + len(block.rows) * level.stride, places.n)
        of_bins = places.times(first, stop)[:: level.stride] - places.t0
    if has_ladder:
        columns = block.rows[:, :1] if single else block.rows
        return Bins(codes=columns.T.astype(np.uint16), places=of_bins)
    codes, lo, step = rounded(block.rows, single=single, by_noise=is_long)
    return Bins(codes=codes, rounding=(lo, step), places=of_bins)


@dataclass
class Part:
    """Read the bins of a signal, of which ``fetch`` returns bytes.

    Errors about content are ValueError.
    """

    entry: Mapping[str, Any]
    fetch: Fetch

    @cached_property
    def levels(self) -> Sequence[Level]:
        """The levels, the coarsest first."""
        block = int(self.entry["block"])
        if not 0 < block <= BLOCK:
            raise ValueError(f"a block has at most {BLOCK} bins, not {block}")
        return [
            Level(stride=int(level["stride"]), bins=int(level["bins"]), block=block)
            for level in self.entry["levels"]
        ]

    @cached_property
    def head(self) -> Head:
        """The head."""
        count = sum(level.blocks for level in self.levels)
        if not 0 < count <= 2 * int(self.entry["n"]):
            raise ValueError(f"{count} blocks cannot hold {self.entry['n']} samples")
        described = self.entry["ladder"]
        n = int(described["n"]) if described else 0
        if n > MOST_LADDER:
            raise ValueError(f"a ladder has at most {MOST_LADDER} codes, not {n}")
        of_ladder = n * _value_bytes(described)
        [content] = self.fetch([(0, int(self.entry["head"]))])
        lengths = (4 * count, 8 * count if self.entry["irregular"] else 0, of_ladder)
        try:
            planes = zlib.decompressobj().decompress(content, sum(lengths) + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from error
        if len(planes) != sum(lengths):
            raise ValueError(f"a head has {len(planes)} bytes, not {sum(lengths)}")
        first, second = lengths[0], lengths[0] + lengths[1]
        sizes = from_byte_planes(planes[:first], "<u4").astype(np.int64)
        if sizes.max() > MOST_BYTES:
            raise ValueError(f"a block has at most {MOST_BYTES} bytes, not {sizes.max()}")
        starts = from_byte_planes(planes[first:second], "<f8") if lengths[1] else None
        return Head(
            sizes=self._by_level(sizes),
            starts=() if starts is None else self._by_level(starts),
            ladder=self._ladder(planes[second:]),
        )

    def _by_level(self, values: NDArray[Any]) -> Sequence[NDArray[Any]]:
        return np.split(values, np.cumsum([level.blocks for level in self.levels])[:-1])

    def _ladder(self, planes: bytes) -> Ladder | None:
        described = self.entry["ladder"]
        if not described:
            return None
        values = None
        if width := _value_bytes(described):
            whole = from_byte_planes(planes, f"<u{width}")
            for _ in range(DIFFERENCES):
                whole = np.cumsum(whole, dtype=whole.dtype)
            values = whole.astype(np.uint32) if width == 4 else whole.view(np.float64)
        lo, hi = float(described["lo"]), float(described["hi"])
        return Ladder(lo=lo, hi=hi, n=int(described["n"]), values=values)

    @cached_property
    def _edges(self) -> Sequence[NDArray[np.int64]]:
        """Where the blocks of each level begin, and where the last one ends."""
        found, at = [], int(self.entry["head"])
        for sizes in self.head.sizes:
            found.append(np.concatenate([[0], np.cumsum(sizes)]) + at)
            at = int(found[-1][-1])
        return found

    def rows(self, number: int, first: int, last: int) -> tuple[Array, Array | None]:
        """Return bins ``first … last`` of a level.

        Parameters
        ----------
        number
            Of the level.
        first, last
            Bins, with the rules of a slice.

        Returns
        -------
        rows : (m, 2)
            Minima and maxima; equal for single samples.
        places : (m,), optional
            Of their first samples, after the first one of the record; None if sampling is regular.
        """
        level, edges = self.levels[number], self._edges[number]
        last = min(last, level.bins)
        block = level.block
        blocks = range(first // block, -(-last // block))
        spans = [(int(edges[k]), int(edges[k + 1] - edges[k])) for k in blocks]
        found, places = [], []
        for k, content in zip(blocks, self.fetch(spans), strict=True):
            bins = unpack(
                content,
                min(block, level.bins - k * block),
                columns=1 if level.stride == 1 else 2,
                has_ladder=self.head.ladder is not None,
                irregular=bool(self.head.starts),
            )
            inside = slice(max(first - k * block, 0), last - k * block)
            found.append(_values(bins, self.head.ladder)[inside])
            if bins.places is not None:
                places.append(bins.places[inside])
        return np.concatenate(found), np.concatenate(places) if places else None

    def first_levels(self) -> Sequence[Sequence[bytes]]:
        """Return level 0, and those after it that are small, as blocks that need no ladder."""
        found: list[list[bytes]] = []
        for number, level in enumerate(self.levels):
            if (
                number
                and sum(k["bytes"] for k in self.entry["levels"][: number + 1]) > COARSE_BYTES
            ):
                break
            found.append([self._without_ladder(number, k) for k in range(level.blocks)])
        return found

    def _without_ladder(self, number: int, k: int) -> bytes:
        level = self.levels[number]
        rows, places = self.rows(number, k * level.block, (k + 1) * level.block)
        codes, lo, step = rounded(rows, single=level.stride == 1, by_noise=self.entry["n"] > LONG)
        return pack(Bins(codes=codes, rounding=(lo, step), places=places))

    def copy(self, out: BinaryIO, n_levels: int) -> Mapping[str, Any]:
        """Write the part with its first levels only; return what the index says of it."""
        levels = self.levels[:n_levels]
        head = Head(
            sizes=self.head.sizes[:n_levels],
            starts=self.head.starts[:n_levels],
            ladder=self.head.ladder,
        )
        content = head.to_bytes()
        out.write(content)
        for edges in self._edges[:n_levels]:
            for at in range(int(edges[0]), int(edges[-1]), IN_MEMORY):
                [found] = self.fetch([(at, min(IN_MEMORY, int(edges[-1]) - at))])
                out.write(found)
        return head.entry(levels, len(content))


def _value_bytes(ladder: Mapping[str, Any] | None) -> int:
    """Return the bytes of each value in the head, of what an index says of a ladder."""
    if not ladder or ladder["straight"]:
        return 0
    width = ladder["bytes"]
    if width not in (4, 8):
        raise ValueError(f"values of a ladder have 4 or 8 bytes, not {width}")
    return int(width)


def _values(bins: Bins, ladder: Ladder | None) -> Array:
    if ladder is not None:
        if bins.codes.max(initial=0) >= ladder.n:
            raise ValueError(f"a code is above the {ladder.n} of the ladder")
        columns = [ladder.look_up(column) for column in bins.codes]
    else:
        assert bins.rounding is not None
        columns = [values_of(column, *bins.rounding) for column in bins.codes]
    return np.stack([columns[0], columns[-1]], axis=1)
