"""Read the file of one source: each read opens and closes it, and reads only what is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5f, h5g
from numpy.typing import NDArray

from ishtar.errors import DamagedFile
from ishtar.store.blocks import MIN_LENGTH, fill_by_computing, fill_by_lookup, in_blocks
from ishtar.store.digest import COUNTED, SECONDS
from ishtar.store.h5_names import CHANNELS, group_name
from ishtar.store.h5_read import (
    has_attribute,
    names_in,
    open_dataset,
    open_group,
    open_h5,
    open_unchecked,
    read_float,
    read_integer,
    read_rows,
    read_text,
    reporting_damage,
    reporting_invalid_content,
)
from ishtar.store.origin import FORMAT, Origin
from ishtar.store.scale import Step, apply_scale

ReadRows = Callable[[int, int | None, NDArray[Any] | None], NDArray[Any]]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A lazy handle of one channel in a stored file; only its methods read samples.

    ``t0``, ``dt`` and `time` are in ``x_unit``: ``"s"`` on the shot's clock, ``""`` for bare sample
    numbers, or another unit if the axis is not time, ``"Hz"``.
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
        """Whether each sample has its own time."""
        return self.dt is None

    @property
    def nbytes(self) -> int:
        """Size of the raw samples in memory."""
        return self.n * self.dtype.itemsize

    @contextmanager
    def reading(self, name: str, start: int, stop: int | None) -> Iterator[ReadRows]:
        """Open a dataset of the channel, of which rows in ``start … stop`` will be read.

        Parameters
        ----------
        name : str
            ``data``, ``time`` or ``envelope/<factor>``.
        start, stop : int
            The rows that are needed, with the rules of a slice.

        Yields
        ------
        callable
            Reads the rows ``start … stop``, into an array of their shape if one is given.
        """
        with ExitStack() as stack:
            with reporting_damage(self.file):
                f = stack.enter_context(open_unchecked(self.file))
                dataset = open_dataset(f, f"{group_name(self.path)}/{name}")

            def read(a: int, b: int | None, into: NDArray[Any] | None) -> NDArray[Any]:
                with reporting_damage(self.file):
                    return read_rows(dataset, a, b, into=into)

            yield read

    def raw(self, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read raw samples.

        Parameters
        ----------
        start, stop : int, optional
            The samples ``start … stop``, with the rules of a slice.

        Returns
        -------
        (n,) of the channel's dtype
            Values as recorded, without scale or calibration.

        Raises
        ------
        DamagedFile
            The file cannot be read.
        """
        with self.reading("data", start, stop) as read:
            return read(start, stop, None)

    def time(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Return the times (or other x) of samples.

        Parameters
        ----------
        start, stop : int, optional
            The samples ``start … stop``.

        Returns
        -------
        (n,) float64, ``x_unit``
            Computed for regular sampling, else read.
        """
        stop = self.n if stop is None else min(stop, self.n)
        if self.dt is not None:
            return self.t0 + self.dt * np.arange(start, stop, dtype=np.float64)
        with self.reading("time", start, stop) as read:
            return read(start, stop, None)

    def scaled(self, start: int = 0, stop: int | None = None) -> NDArray[np.float64]:
        """Read samples and apply the file's own scale.

        Parameters
        ----------
        start, stop : int, optional
            The samples ``start … stop``, with the rules of a slice.

        Returns
        -------
        (n,) float64, ``unit``
            Scaled, but not calibrated.
        """
        return self.through(partial(apply_scale, scale=self.scale), start, stop)

    def through(
        self,
        compute: Callable[[NDArray[Any]], NDArray[np.float64]],
        start: int = 0,
        stop: int | None = None,
    ) -> NDArray[np.float64]:
        """Read samples and compute values from them, in one pass over memory.

        Parameters
        ----------
        compute : callable
            Maps raw samples (m,) to values (m,), each from its own sample alone; long channels are
            computed in blocks. It must not keep its argument.
        start, stop : int, optional
            The samples ``start … stop``, with the rules of a slice.

        Returns
        -------
        (n,) float64
            What ``compute`` returns.
        """
        start, stop, _ = slice(start, stop).indices(self.n)
        if stop - start < MIN_LENGTH:
            return compute(self.raw(start, stop))
        with self.reading("data", start, stop) as read:
            few = self.dtype.kind in "iu" and self.dtype.itemsize <= 2
            fill = (
                fill_by_lookup(compute, self.raw_min, self.raw_max, self.dtype)
                if few
                else fill_by_computing(compute)
            )
            return in_blocks(read, fill, start, stop, self.dtype)

    def level(self, factor: int, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """Read blocks of a level of the envelope pyramid.

        Parameters
        ----------
        factor : int
            Samples in a block, one of ``levels``.
        start, stop : int, optional
            The blocks ``start … stop``, with the rules of a slice.

        Returns
        -------
        (m, 2) of the channel's dtype
            Raw minimum and maximum of each block.
        """
        with self.reading(f"envelope/{factor}", start, stop) as read:
            return read(start, stop, None)


class SourceFile:
    """The stored file of one source.

    Parameters
    ----------
    path : Path
        The HDF5 file; its attributes and index are read at once.

    Raises
    ------
    DamagedFile
        The file cannot be read, or has another format.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        with reporting_invalid_content(self.path), open_h5(self.path) as f:
            stored = read_integer(f, "format")
            if stored != FORMAT:
                raise DamagedFile(
                    f"{self.path} has format {stored}, but this version reads {FORMAT}: "
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
            self.index: list[dict[str, Any]] = json.loads(read_text(f, "index"))

    @cached_property
    def channels(self) -> dict[str, Channel]:
        """Channels by path, in alphabetical order."""
        with reporting_invalid_content(self.path):
            index = sorted(self.index, key=lambda record: record["path"])
            return {record["path"]: channel_of(self.path, **record) for record in index}

    def read_channels(self, file: h5f.FileID | None = None) -> dict[str, Channel]:
        """Read the channels from their own groups, which the index only repeats.

        Parameters
        ----------
        file : FileID, optional
            This file, if it is already open.
        """
        with (
            ExitStack() as stack,
            reporting_invalid_content(self.path),
            reporting_damage(self.path),
        ):
            file = file or stack.enter_context(open_unchecked(self.path))
            found = [_channel_record(group) for group in _channel_groups(file)]
            found.sort(key=lambda record: record["path"])
            return {record["path"]: channel_of(self.path, **record) for record in found}


def channel_of(
    file: Path,
    *,
    of: Callable[..., Channel] = Channel,
    dtype: str,
    levels: list[int],
    dt: float | None = None,
    x_unit: str | None = None,
    raw_min: float = np.nan,
    raw_max: float = np.nan,
    **rest: Any,
) -> Channel:
    """Return the channel that a record of a file's index describes, as ``of`` makes it."""
    if x_unit is None:  # older files have no unit of x, but a property
        counted = rest["properties"].get("time_base") == "samples"
        x_unit = COUNTED if counted else SECONDS
    return of(
        file=file,
        dtype=np.dtype(dtype),
        levels=tuple(levels),
        dt=dt,
        x_unit=x_unit,
        raw_min=raw_min,
        raw_max=raw_max,
        **rest,
    )


def _channel_groups(file: h5f.FileID) -> Iterator[h5g.GroupID]:
    if CHANNELS.encode() in file:
        top = open_group(file, CHANNELS)
        for group_name in names_in(top):
            group = open_group(top, group_name)
            for name in names_in(group):
                yield open_group(group, name)


def _channel_record(group: h5g.GroupID) -> dict[str, Any]:
    """Return the description of a channel from its group, in the form of the index."""
    record: dict[str, Any] = {key: read_text(group, key) for key in ("path", "unit", "digest")}
    record |= {key: read_integer(group, key) for key in ("n", "n_clipped")}
    record["t0"] = read_float(group, "t0")
    optional = [key for key in ("dt", "raw_min", "raw_max") if has_attribute(group, key)]
    record |= {key: read_float(group, key) for key in optional}
    if has_attribute(group, "x_unit"):
        record["x_unit"] = read_text(group, "x_unit")
    record["dtype"] = open_dataset(group, "data").dtype.str
    record["levels"] = sorted(int(factor) for factor in names_in(open_group(group, "envelope")))
    return record | {key: json.loads(read_text(group, key)) for key in ("scale", "properties")}
