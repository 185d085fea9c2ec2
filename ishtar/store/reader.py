"""Reading the file of one source: opened for each read, closed at once, only what is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5f, h5g
from numpy.typing import NDArray

from ishtar.errors import DamagedFile
from ishtar.store.blocks import LONG, filling, in_blocks, looking_up
from ishtar.store.digest import COUNTED, SECONDS
from ishtar.store.h5_names import CHANNELS, group_name
from ishtar.store.h5_read import (
    content_told,
    damage_told,
    has,
    names_in,
    open_dataset,
    open_group,
    open_h5,
    opened,
    read_float,
    read_integer,
    read_rows,
    read_text,
)
from ishtar.store.origin import FORMAT, Origin
from ishtar.store.scale import Step, apply_scale


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel of one stored file. Holding it costs nothing; reading is a verb.

    ``t0``, ``dt`` and `time` are in ``x_unit``: ``"s"`` on the shot's clock; ``""`` where samples
    are only counted; else what the samples lie along is no time at all, ``"Hz"``.
    """

    file: Path
    path: str
    unit: str
    n: int
    dtype: np.dtype[Any]
    t0: float
    dt: float | None
    x_unit: str
    scale: list[Step] = field(repr=False)
    properties: dict[str, Any] = field(repr=False)
    n_clipped: int
    raw_min: float
    raw_max: float
    digest: str
    levels: tuple[int, ...]

    @property
    def irregular(self) -> bool:
        """Whether the samples carry times of their own."""
        return self.dt is None

    @property
    def nbytes(self) -> int:
        """Size of the raw samples in memory."""
        return self.n * self.dtype.itemsize

    def raw(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read samples ``start … stop`` as recorded."""
        with open_h5(self.file) as f:
            return read_rows(open_dataset(f, f"{group_name(self.path)}/data"), start, stop)

    def time(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Return where samples ``start … stop`` lie, in ``x_unit``."""
        stop = self.n if stop is None else min(stop, self.n)
        if self.dt is not None:
            return self.t0 + self.dt * np.arange(start, stop, dtype=np.float64)
        with open_h5(self.file) as f:
            return read_rows(open_dataset(f, f"{group_name(self.path)}/time"), start, stop)

    def scaled(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Read samples ``start … stop`` with the file's own scale applied."""
        return self.through(partial(apply_scale, scale=self.scale), start, stop)

    def through(
        self,
        compute: Callable[[NDArray[Any]], NDArray[np.float64]],
        start: int = 0,
        stop: int | None = None,
    ) -> NDArray[np.float64]:
        """Read samples ``start … stop`` and compute from them, in one pass over memory.

        Parameters
        ----------
        compute : callable
            Of raw samples (m,), gives as many values, each from its sample alone: a long
            stretch goes through it in blocks. It must not keep its argument.

        Returns
        -------
        (n,) float64
        """
        start, stop, _ = slice(start, stop).indices(self.n)
        if stop - start < LONG:
            return compute(self.raw(start, stop))
        with ExitStack() as stack:
            with damage_told(self.file):
                f = stack.enter_context(opened(self.file))
                data = open_dataset(f, f"{group_name(self.path)}/data")

            def read(a: int, b: int, into: NDArray[Any]) -> NDArray[Any]:
                with damage_told(self.file):
                    return read_rows(data, a, b, into=into)

            few = self.dtype.kind in "iu" and self.dtype.itemsize <= 2
            fill = (
                looking_up(compute, self.raw_min, self.raw_max, self.dtype)
                if few
                else filling(compute)
            )
            return in_blocks(read, fill, start, stop, self.dtype)

    def level(self, factor: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read blocks ``start … stop`` of a level of the envelope pyramid: (m, 2) raw min, max."""
        with open_h5(self.file) as f:
            level = open_dataset(f, f"{group_name(self.path)}/envelope/{factor}")
            return read_rows(level, start, stop)


class SourceFile:
    """The stored file of one source."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with content_told(self.path), open_h5(self.path) as f:
            stored = read_integer(f, "format")
            if stored != FORMAT:
                raise DamagedFile(
                    f"{self.path} has format {stored}, this version reads {FORMAT}: "
                    "use the version of ishtar that wrote it, or ingest its source again"
                )
            self.origin = Origin(
                shot=read_integer(f, "shot"),
                source=read_text(f, "source"),
                size=read_integer(f, "size"),
                sha256=read_text(f, "sha256"),
                converter=read_text(f, "converter"),
                writer=read_text(f, "writer"),
                arrived=read_text(f, "arrived"),
            )
            self.attributes: dict[str, Any] = json.loads(read_text(f, "attributes"))
            self.properties: dict[str, Any] = json.loads(read_text(f, "properties"))
            self._index: list[dict[str, Any]] = json.loads(read_text(f, "index"))

    @cached_property
    def channels(self) -> dict[str, Channel]:
        """Channels by path, in the order of their names."""
        with content_told(self.path):
            index = sorted(self._index, key=lambda facts: facts["path"])
            return {facts["path"]: self._channel(**facts) for facts in index}

    def read_channels(self, file: h5f.FileID | None = None) -> dict[str, Channel]:
        """Read the channels from their own groups; the index only repeats them, in one read.

        Parameters
        ----------
        file : FileID, optional
            This file, where it is open already.
        """
        with ExitStack() as stack, content_told(self.path), damage_told(self.path):
            file = file or stack.enter_context(opened(self.path))
            found = [_facts(group) for group in _channel_groups(file)]
            found.sort(key=lambda facts: facts["path"])
            return {facts["path"]: self._channel(**facts) for facts in found}

    def _channel(
        self,
        *,
        dtype: str,
        levels: list[int],
        dt: float | None = None,
        x_unit: str | None = None,
        raw_min: float = np.nan,
        raw_max: float = np.nan,
        **facts: Any,
    ) -> Channel:
        if x_unit is None:  # files from before units of x say it in a property
            counted = facts["properties"].get("time_base") == "samples"
            x_unit = COUNTED if counted else SECONDS
        return Channel(
            file=self.path,
            dtype=np.dtype(dtype),
            levels=tuple(levels),
            dt=dt,
            x_unit=x_unit,
            raw_min=raw_min,
            raw_max=raw_max,
            **facts,
        )


def _channel_groups(file: h5f.FileID) -> Iterator[h5g.GroupID]:
    if CHANNELS.encode() in file:
        top = open_group(file, CHANNELS)
        for group_name in names_in(top):
            group = open_group(top, group_name)
            for name in names_in(group):
                yield open_group(group, name)


def _facts(group: h5g.GroupID) -> dict[str, Any]:
    """Return what the group of a channel says of it, as the index does."""
    facts: dict[str, Any] = {key: read_text(group, key) for key in ("path", "unit", "digest")}
    facts |= {key: read_integer(group, key) for key in ("n", "n_clipped")}
    facts["t0"] = read_float(group, "t0")
    facts |= {k: read_float(group, k) for k in ("dt", "raw_min", "raw_max") if has(group, k)}
    if has(group, "x_unit"):
        facts["x_unit"] = read_text(group, "x_unit")
    facts["dtype"] = open_dataset(group, "data").dtype.str
    facts["levels"] = sorted(int(factor) for factor in names_in(open_group(group, "envelope")))
    return facts | {key: json.loads(read_text(group, key)) for key in ("scale", "properties")}
