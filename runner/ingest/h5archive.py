"""Archive files ``NNNNN_Data.h5`` of older shots: the groups of the TDMS files as HDF5 groups.

Times: the group's attribute ``sampling`` in Hz, from ``Tstart`` where it is there (else from 0);
or a dataset ``Time`` of the same length: minutes in ``Generator``, ms in ``S7``, else by its
attribute ``unit``; or none, and ``time_base`` says ``samples``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from ishtar.store import ChannelWriter
from runner.ingest.context import Context
from runner.ingest.errors import NotWhole, Rejected
from runner.ingest.tdms import LONGEST_TEXTS
from runner.ingest.tdms_time import SECONDS

MAGIC = b"\x89HDF\r\n\x1a\n"
BLOCK_BYTES = 4 << 20
TIME_UNITS = {"Generator": "min", "S7": "ms"}
ATTRIBUTES = ("date", "gas", "program", "operator", "comment", "useful")


class H5Archive:
    """``NNNNN_Data.h5``."""

    name = "h5archive"
    version = "1"

    def matches(self, path: Path, head: bytes) -> bool:
        """Say whether the file begins as HDF5 does."""
        return head.startswith(MAGIC)

    def convert(self, path: Path, context: Context) -> None:
        """Copy every dataset of numbers, a block at a time."""
        import hdf5plugin  # noqa: F401  an archive may be compressed with its filters

        try:
            with h5py.File(path, "r", locking=False) as f:
                if "format" in f.attrs and "converter" in f.attrs:
                    raise Rejected("it is a stored file of this archive already: ingest its source")
                _describe(f, context)
                done = 0
                for dataset in _datasets(f):
                    done = _copy(dataset, context, done)
        except (OSError, RuntimeError, KeyError) as error:
            if isinstance(error, OSError) and error.errno is not None and not _is_format(error):
                raise
            if "truncated file" in str(error):
                raise NotWhole(f"{path.name} is truncated: {error}") from error
            raise Rejected(f"{path.name} is no HDF5 file that can be read: {error}") from error


def _is_format(error: OSError) -> bool:
    """Say whether HDF5 complains of the file, not of the disk or of permissions."""
    text = str(error)
    return "truncated file" in text or "signature" in text or "superblock" in text


def _describe(f: h5py.File, context: Context) -> None:
    properties = {key: _plain(value) for key, value in f.attrs.items()}
    context.properties.update(properties)
    context.properties["groups"] = {
        name: {key: _plain(value) for key, value in group.attrs.items()}
        for name, group in f.items()
        if isinstance(group, h5py.Group)
    }
    context.written_by("archive")
    for key, value in properties.items():
        if key.casefold() in ATTRIBUTES:
            context.attributes[key.casefold()] = value


def _datasets(f: h5py.File) -> Iterator[h5py.Dataset]:
    found: list[h5py.Dataset] = []
    f.visititems(lambda _, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    yield from found


def _copy(dataset: h5py.Dataset, context: Context, done: int) -> int:
    path = dataset.name.lstrip("/")
    if dataset.dtype.kind not in "iufb":
        _keep_text(dataset, path, context)
        return done
    if dataset.dtype.itemsize > 8:
        raise Rejected(f"{path} holds {dataset.dtype}, which is wider than 64 bits")
    if dataset.ndim == 0:
        context.properties.setdefault("scalars", {})[path] = _plain(dataset[()])
        return done
    if dataset.ndim > 2 or (dataset.ndim == 2 and 1 not in dataset.shape):
        context.note(f"{path} has the shape {dataset.shape} and is not stored")
        return done
    base = _time_base(dataset, path, context)
    properties = {key: _plain(value) for key, value in dataset.attrs.items()}
    kind = np.uint8 if dataset.dtype.kind == "b" else dataset.dtype
    writer = context.channel(
        path,
        dtype=np.float32 if dataset.dtype == np.float16 else kind,
        unit=str(_plain(dataset.attrs.get("unit", dataset.attrs.get("units", "")))),
        properties=properties | {"time_base": base.name},
        **({"irregular": True} if base.time is not None else {"t0": base.t0, "dt": base.dt}),
    )
    return _copy_values(dataset, base, writer, context, done)


def _copy_values(
    dataset: h5py.Dataset, base: _TimeBase, writer: ChannelWriter, context: Context, done: int
) -> int:
    step = max(1, BLOCK_BYTES // dataset.dtype.itemsize)
    for i in range(0, dataset.size, step):
        values = _slice(dataset, i, i + step)
        times = None
        if base.time is not None:
            times = _slice(base.time, i, i + step).astype(np.float64) / base.per_second
        writer.append(values, times, owned=True)
        done += values.nbytes
        context.progress(done)
    return done


def _slice(dataset: h5py.Dataset, start: int, stop: int) -> Any:
    """Read samples of a dataset of shape (n,), (n, 1) or (1, n)."""
    if dataset.ndim == 1:
        return dataset[start:stop]
    return dataset[0, start:stop] if dataset.shape[0] == 1 else dataset[start:stop, 0]


@dataclass(frozen=True, kw_only=True)
class _TimeBase:
    name: str
    t0: float = 0.0
    dt: float | None = None
    time: h5py.Dataset | None = None
    per_second: float = 1.0


def _time_base(dataset: h5py.Dataset, path: str, context: Context) -> _TimeBase:
    group = dataset.parent
    rate = _number(group.attrs.get("sampling"))
    if rate > 0:
        return _TimeBase(name="sampling", t0=_number(group.attrs.get("Tstart")), dt=1.0 / rate)
    time = group.get("Time")
    if isinstance(time, h5py.Dataset) and time.dtype.kind in "iuf" and time.ndim <= 2:
        stated = time.attrs.get("unit", time.attrs.get("units"))
        name = group.name.strip("/").split("/")[-1]
        unit = str(_plain(stated)) if stated is not None else TIME_UNITS.get(name, "")
        if time.size != dataset.size:
            context.note(
                f"{path} has {dataset.size} values but {time.name} {time.size}: "
                "stored by sample number"
            )
        elif unit in SECONDS:
            stored = time.name.lstrip("/")
            return _TimeBase(name=stored, time=time, per_second=SECONDS[unit])
        else:
            context.note(f"{time.name} does not say its unit: {path} is stored by sample number")
    return _TimeBase(name="samples", dt=1.0)


def _number(value: Any) -> float:
    try:
        number = float(np.asarray(value).reshape(-1)[0]) if value is not None else 0.0
    except (TypeError, ValueError):
        return 0.0
    return number if np.isfinite(number) else 0.0


def _keep_text(dataset: h5py.Dataset, path: str, context: Context) -> None:
    is_text = h5py.check_string_dtype(dataset.dtype) is not None or dataset.dtype.kind == "S"
    if not is_text or dataset.size * max(8, dataset.dtype.itemsize) > 8 * LONGEST_TEXTS:
        context.note(f"{path} holds {dataset.dtype}, {dataset.shape}, which is not stored")
        return
    context.properties.setdefault("texts", {})[path] = _plain(dataset[()])


def _plain(value: Any) -> Any:
    """Return an HDF5 value as text, number or list."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value.tolist()]
    return value.item() if isinstance(value, np.generic) else value
