"""Write the file of one source: streaming, in constant memory, atomically and verified.

One thread hashes the samples while another compresses and writes them. Then the file is read back
and its digests are compared; only after that is it renamed to its final name.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
from h5py import h5f, h5g
from numpy.typing import DTypeLike

from ishtar.errors import DamagedFile
from ishtar.store.atomic import fsync_dir, fsync_file, rename_exclusive, temporary_path
from ishtar.store.channel_writer import ChannelWriter, StoreError, WriterThreads
from ishtar.store.deferred_error_file import DeferredErrorFile
from ishtar.store.h5_names import CHANNELS, group_parts, to_json
from ishtar.store.h5_write import create_group, set_number, set_text
from ishtar.store.job_thread import JobThread
from ishtar.store.origin import FORMAT, Origin
from ishtar.store.scale import Step
from ishtar.store.verify import problems

METADATA_BYTES = 16 << 20  # 3 kB per channel; above the default 2 MB HDF5 would evict and reread it


class SourceWriter:
    """Writes ``path`` under a temporary name, and renames it if the block ends without an error.

    Use it as a context manager. ``attributes`` describe the shot (date, gas …), ``properties`` the
    source itself. Both, ``origin_sha256`` and ``origin_writer`` may be set until the block ends.

    Parameters
    ----------
    path : Path
        The file to write.
    origin : Origin
        Where its content comes from.
    exclusive : bool
        Never replace an existing file; of two processes the first wins, the other gets
        `FileExistsError`.
    verify : bool
        Read the written file back and compare all digests before renaming it.
    """

    def __init__(
        self, path: Path, origin: Origin, *, exclusive: bool = False, verify: bool = True
    ) -> None:
        self.path = Path(path)
        self.origin = origin
        self.origin_sha256: str = origin.sha256
        self.origin_writer: str = origin.writer
        self.attributes: dict[str, Any] = {}
        self.properties: dict[str, Any] = {}
        self._exclusive, self._verify = exclusive, verify
        self._channels: dict[str, ChannelWriter] = {}
        self._groups: dict[str, h5g.GroupID] = {}

    @property
    def temporary(self) -> Path:
        """The file while it is being written; whoever kills the writing process removes it."""
        return self._temporary

    @property
    def channels(self) -> dict[str, ChannelWriter]:
        """The channels created so far, by path."""
        return dict(self._channels)

    def __enter__(self) -> SourceWriter:
        self._temporary = temporary_path(self.path)
        self._disk = self._begin_file()
        self._threads = WriterThreads(self._disk.check)
        self._file = h5py.File(
            self._disk,
            "w",
            libver=("v110", "v110"),  # readable by every HDF5 since 1.10
            rdcc_nbytes=0,  # whole chunks are written: a cache would only waste memory
        )
        _keep_metadata(self._file.id)
        return self

    def _begin_file(self) -> DeferredErrorFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return DeferredErrorFile(self._temporary)
        except FileNotFoundError:  # another process removed the new folder while it was empty
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return DeferredErrorFile(self._temporary)

    def channel(
        self,
        path: str,
        *,
        dtype: DTypeLike,
        unit: str = "",
        t0: float = 0.0,
        dt: float | None = None,
        irregular: bool = False,
        x_unit: str = "s",
        scale: list[Step] | None = None,
        properties: dict[str, Any] | None = None,
    ) -> ChannelWriter:
        """Create a channel.

        Parameters
        ----------
        path : str
            ``group/name`` as in the source, ``"PXI M6251/Lang_I"``.
        dtype : dtype
            As recorded: integer or float.
        unit : str
            Of the scaled values, as stated by the source.
        t0, dt : float
            x of the first sample and the step to the next, in ``x_unit``: s on the shot's clock.
            An irregular channel takes ``t0`` from its first sample.
        irregular : bool
            The time of each sample is given instead of ``dt``.
        x_unit : str
            The unit of x: ``"s"`` for time, ``"Hz"`` for frequency, another unit, or ``""`` for
            bare sample numbers whose times are unknown.
        scale : list of steps
            See :func:`ishtar.store.apply_scale`.
        properties : dict
            What else the source states about the channel.

        Returns
        -------
        ChannelWriter
            Takes the samples.

        Raises
        ------
        StoreError
            The channel already exists, or its times are invalid.
        """
        if path in self._channels:
            raise StoreError(f"channel {path!r} occurs twice in {self.origin.source}: rename one")
        if irregular == (dt is not None):
            raise StoreError(f"channel {path!r}: give dt, or irregular=True with times")
        if dt is not None and not (np.isfinite(dt) and dt > 0):
            raise StoreError(f"channel {path!r}: dt is {dt} s: it must be positive")
        if not np.isfinite(t0):
            raise StoreError(f"channel {path!r}: t0 is {t0} s: it must be finite")
        group, name = group_parts(path)
        writer = ChannelWriter(
            self._parent(group),
            name,
            path,
            dtype=dtype,
            unit=unit,
            t0=t0,
            dt=dt,
            x_unit=x_unit,
            scale=list(scale or []),
            properties=dict(properties or {}),
            threads=self._threads,
        )
        self._channels[path] = writer
        return writer

    def _parent(self, group: str) -> h5g.GroupID:
        """Return the HDF5 group of a group of channels, created on first use."""
        if not self._groups:
            self._groups[""] = create_group(self._file.id, CHANNELS)
        if group not in self._groups:
            self._groups[group] = create_group(self._groups[""], group)
        return self._groups[group]

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        try:
            if exc_type is None:
                self._finish()
            self._threads.abandon()
            self._file.close()
            if exc_type is None:
                self._disk.check()
                self._publish()
        finally:
            self._threads.abandon()
            self._file.close()
            self._disk.close()
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        for channel in self._channels.values():
            channel.flush()
        self._threads.join()
        index = [channel.finish() for channel in self._channels.values()]
        root = self._file.id
        set_text(root, "index", to_json(index))
        set_number(root, "format", FORMAT)
        late = {"sha256": self.origin_sha256, "writer": self.origin_writer}
        for key, value in (asdict(self.origin) | late).items():
            (set_text if isinstance(value, str) else set_number)(root, key, value)
        set_text(root, "attributes", to_json(self.attributes))
        set_text(root, "properties", to_json(self.properties))

    def _publish(self) -> None:
        flushing = JobThread("store-fsync")  # fsync while the file is being verified
        flushing.put(lambda: fsync_file(self._temporary))
        try:
            if self._verify:
                self._read_back()
            flushing.join()
        finally:
            flushing.close()
        if self._exclusive:
            rename_exclusive(self._temporary, self.path)
        else:
            os.replace(self._temporary, self.path)
        fsync_dir(self.path.parent)

    def _read_back(self) -> None:
        for problem in problems(self._temporary):
            raise DamagedFile(
                f"{self.path.name} differs from what was written ({problem}): check disk and "
                "memory of this computer, then ingest its source again"
            )


def _keep_metadata(file: h5f.FileID) -> None:
    """Enlarge HDF5's metadata cache for many channels that are written in parallel."""
    cache = file.get_mdc_config()
    cache.set_initial_size = True
    cache.initial_size = cache.min_size = METADATA_BYTES
    file.set_mdc_config(cache)
