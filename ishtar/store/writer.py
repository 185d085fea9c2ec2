"""Writing the file of one source: streaming, in constant memory, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ishtar.errors import IshtarError
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_dir
from ishtar.store.envelope import PyramidBuilder
from ishtar.store.scale import Step, check_scale

FORMAT = 1
LONGEST_ATTRIBUTE = 60_000  # bytes; HDF5 keeps up to 64 kB in an object's header
CHUNK = 1 << 16  # samples; 128 kB of int16: a 100 ms slice of a fast channel is a few chunks


class StoreError(IshtarError, ValueError):
    """Something was written that does not make a channel."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a stored file came from.

    ``sha256`` may be empty at first and be set on the writer when the source was read to its end.
    """

    shot: int
    source: str
    size: int
    sha256: str
    converter: str
    writer: str
    arrived: str


def group_name(path: str) -> str:
    """Return the HDF5 group of a channel path: parts quoted, joined by ``/``."""
    return "channels/" + "/".join(quote(part, safe=" ") or "%" for part in path.split("/"))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)


def _set_text(group: h5py.Group, name: str, text: str) -> None:
    """Keep a text as an attribute, or as a dataset where it is longer than attributes may be."""
    if len(text.encode()) < LONGEST_ATTRIBUTE:
        group.attrs[name] = text
    else:
        group.create_dataset(f"text_{name}", data=text.encode())


class ChannelWriter:
    """Takes the samples of one channel, any number at a time."""

    def __init__(
        self,
        group: h5py.Group,
        path: str,
        *,
        dtype: DTypeLike,
        unit: str,
        t0: float,
        dt: float | None,
        scale: list[Step],
        properties: dict[str, Any],
    ) -> None:
        import hdf5plugin

        check_scale(scale)
        self.path = path
        self._scale = scale
        self._group = group
        self._dtype = np.dtype(dtype)
        if self._dtype.kind not in "iuf":
            raise StoreError(f"channel {path!r} holds {self._dtype}, not numbers: leave it out")
        self._irregular = dt is None
        options: dict[str, Any] = {
            "shape": (0,),
            "maxshape": (None,),
            "chunks": (CHUNK,),
            **hdf5plugin.Bitshuffle(cname="lz4"),
        }
        self._data = group.create_dataset("data", dtype=self._dtype, **options)
        if self._irregular:
            self._time = group.create_dataset("time", dtype=np.float64, **options)
        self._pyramid = PyramidBuilder(self._dtype)
        self._hash = hashlib.blake2b(digest_size=20)
        self._pending: list[NDArray[Any]] = []
        self._n_pending = 0
        self._n_written = 0
        self._clipped = 0
        self._min: Any = None
        self._max: Any = None
        group.attrs["path"] = path
        group.attrs["unit"] = unit
        group.attrs["t0"] = float(t0)
        if dt is not None:
            group.attrs["dt"] = float(dt)
        _set_text(group, "scale", _json(scale))
        _set_text(group, "properties", _json(properties))

    @property
    def n(self) -> int:
        """Number of samples taken so far."""
        return self._n_written + self._n_pending

    def append(self, values: ArrayLike, time_s: ArrayLike | None = None) -> None:
        """Take the next samples; ``time_s`` (same length) for an irregular channel."""
        x = np.ascontiguousarray(values, dtype=self._dtype)
        if x.ndim != 1:
            raise StoreError(f"channel {self.path!r} got an array of shape {x.shape}; give 1-D")
        if self._irregular != (time_s is not None):
            raise StoreError(f"channel {self.path!r}: time_s is for irregular channels, and needed")
        if not len(x):
            return
        if time_s is not None:
            t = np.ascontiguousarray(time_s, dtype=np.float64)
            if t.shape != x.shape:
                raise StoreError(
                    f"channel {self.path!r}: {len(x)} values but {t.shape} times; give one each"
                )
            n = self._time.shape[0]
            self._time.resize((n + len(t),))
            self._time[n:] = t
            self._hash.update(t.tobytes())
        self._hash.update(x.data)
        self._pyramid.add(x)
        self._count_rails(x)
        self._pending.append(x.copy() if x is values else x)
        self._n_pending += len(x)
        if self._n_pending >= CHUNK:
            self._write(self._n_pending // CHUNK * CHUNK)

    def _count_rails(self, x: NDArray[Any]) -> None:
        lo, hi = x.min(), x.max()
        if self._dtype.kind in "iu":
            limits = np.iinfo(self._dtype)
            if lo == limits.min or hi == limits.max:
                self._clipped += int(np.count_nonzero((x == limits.min) | (x == limits.max)))
        self._min = lo if self._min is None else min(self._min, lo)
        self._max = hi if self._max is None else max(self._max, hi)

    def _write(self, count: int) -> None:
        block = self._pending[0] if len(self._pending) == 1 else np.concatenate(self._pending)
        self._data.resize((self._n_written + count,))
        self._data[self._n_written :] = block[:count]
        self._n_written += count
        rest = block[count:].copy()
        self._pending, self._n_pending = ([rest] if len(rest) else []), len(rest)

    def finish(self) -> None:
        """Write what is pending, the pyramid and the digest."""
        if self._n_pending:
            self._write(self._n_pending)
        attrs = self._group.attrs
        attrs["n"] = self._n_written
        attrs["n_clipped"] = self._clipped
        if self._n_written:
            attrs["raw_min"], attrs["raw_max"] = self._min, self._max
        identity = _json([self._scale, attrs["t0"], attrs.get("dt"), attrs["unit"]])
        self._hash.update(identity.encode())
        attrs["digest"] = self._hash.hexdigest()
        levels = self._group.create_group("envelope")
        for factor, level in self._pyramid.levels().items():
            levels.create_dataset(str(factor), data=level)


class SourceWriter:
    """Writes ``path`` under a temporary name; renames it when the block ends without an error.

    Use as a context manager. ``attributes`` are what the source says of the shot (date, gas …),
    ``properties`` everything else that it says of itself.
    """

    def __init__(self, path: Path, origin: Origin) -> None:
        self.path = Path(path)
        self.origin = origin
        self.origin_sha256: str = origin.sha256
        self.attributes: dict[str, Any] = {}
        self.properties: dict[str, Any] = {}
        self._channels: dict[str, ChannelWriter] = {}

    def __enter__(self) -> SourceWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        name = f"{TEMPORARY_PREFIX}{os.getpid()}-{self.path.name[-80:]}"
        self._temporary = self.path.parent / name
        self._file = h5py.File(self._temporary, "w", libver=("v110", "latest"))
        return self

    def channel(
        self,
        path: str,
        *,
        dtype: DTypeLike,
        unit: str = "",
        t0: float = 0.0,
        dt: float | None = None,
        irregular: bool = False,
        scale: list[Step] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> ChannelWriter:
        """Begin a channel.

        Parameters
        ----------
        path : str
            ``group/name`` as in the source, ``"PXI M6251/Lang_I"``.
        dtype : dtype
            As recorded: integer or float.
        unit : str
            Of the scaled values, as the source says it.
        t0, dt : float
            Time of the first sample and sampling interval, s, on the shot's clock.
        irregular : bool
            Times are given with the samples instead of ``dt``.
        scale : list of steps
            See :func:`ishtar.store.apply_scale`.
        """
        if path in self._channels:
            raise StoreError(f"channel {path!r} was begun twice in {self.origin.source}")
        if irregular == (dt is not None):
            raise StoreError(f"channel {path!r}: give dt, or irregular=True with times")
        if dt is not None and not (np.isfinite(dt) and dt > 0):
            raise StoreError(f"channel {path!r}: dt is {dt} s; it must be positive")
        writer = ChannelWriter(
            self._file.create_group(group_name(path)),
            path,
            dtype=dtype,
            unit=unit,
            t0=t0,
            dt=dt,
            scale=list(scale or []),
            properties=dict(properties or {}),
        )
        self._channels[path] = writer
        return writer

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self._finish()
        finally:
            try:
                self._file.close()
            finally:
                if exc_type is not None:
                    self._temporary.unlink(missing_ok=True)
        if exc_type is None:
            try:
                with self._temporary.open("rb") as f:
                    os.fsync(f.fileno())
                os.replace(self._temporary, self.path)
                fsync_dir(self.path.parent)
            finally:
                self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        for channel in self._channels.values():
            channel.finish()
        attrs = self._file.attrs
        attrs["format"] = FORMAT
        for key, value in (asdict(self.origin) | {"sha256": self.origin_sha256}).items():
            attrs[key] = value
        _set_text(self._file, "attributes", _json(self.attributes))
        _set_text(self._file, "properties", _json(self.properties))
