"""Verify a stored file: read every sample and recompute every digest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from h5py import h5f

from ishtar.errors import DamagedFile
from ishtar.store.channel_writer import BLOCK_BYTES, CHUNK
from ishtar.store.digest import ChannelDigest, dtype_name
from ishtar.store.h5_names import group_name, to_json
from ishtar.store.h5_read import (
    open_dataset,
    open_group,
    open_unchecked,
    read_rows,
    reporting_damage,
)
from ishtar.store.job_thread import InlineJobs, JobThread
from ishtar.store.reader import Channel, SourceFile


def problems(path: Path) -> Iterator[str]:
    """Yield every problem of a stored file.

    Parameters
    ----------
    path : Path
        The HDF5 file of one source.

    Yields
    ------
    str
        A problem in one line; nothing for a valid file.
    """
    with ExitStack() as stack:
        try:
            source = SourceFile(path)
            with reporting_damage(path):
                file = stack.enter_context(open_unchecked(path))  # once for all channels
            channels = source.read_channels(file)
            indexed = source.channels
        except DamagedFile as error:
            yield str(error)
            return
        # as text, because NaN is not equal to itself
        if [to_json(vars(c)) for c in channels.values()] != [
            to_json(vars(c)) for c in indexed.values()
        ]:
            yield "its index differs from its channels"
        for channel in channels.values():
            try:
                with reporting_damage(path):
                    found = recompute_digest(channel, file)
            except (DamagedFile, ValueError) as error:
                yield f"channel {channel.path}: {error}"
                continue
            if found != channel.digest:
                yield f"channel {channel.path}: its values differ from those written"


def recompute_digest(channel: Channel, file: h5f.FileID) -> str:
    """Return the digest of the stored samples; it equals ``channel.digest`` if they are intact."""
    digest = ChannelDigest()
    group = open_group(file, group_name(channel.path))
    samples = open_dataset(group, "data")
    times = open_dataset(group, "time") if channel.irregular else None
    block = max(CHUNK, BLOCK_BYTES // channel.dtype.itemsize // CHUNK * CHUNK)
    hashing = JobThread("store-verify") if channel.n > block else InlineJobs()
    try:
        for start in range(0, channel.n, block):
            stop = start + block
            hashing.put(partial(digest.values.update, read_rows(samples, start, stop).data))
            if times is not None:
                hashing.put(partial(digest.times.update, read_rows(times, start, stop).data))
        hashing.join()
    finally:
        hashing.abandon()
    return digest.hexdigest(
        dtype=dtype_name(channel.dtype),
        unit=channel.unit,
        t0=channel.t0,
        dt=channel.dt,
        x_unit=channel.x_unit,
        scale=channel.scale,
    )
