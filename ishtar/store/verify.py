"""Is a stored file what was written? Every sample is read and every digest computed anew."""

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
from ishtar.store.h5_read import damage_told, open_dataset, open_group, opened, read_rows
from ishtar.store.lane import Here, Lane
from ishtar.store.reader import Channel, SourceFile


def problems(path: Path) -> Iterator[str]:
    """Yield what is wrong with a stored file, nothing for a good one."""
    with ExitStack() as stack:
        try:
            source = SourceFile(path)
            with damage_told(path):
                file = stack.enter_context(opened(path))  # once, however many the channels
            channels = source.read_channels(file)
            indexed = source.channels
        except DamagedFile as error:
            yield str(error)
            return
        # as text, because NaN is not equal to itself
        if [to_json(vars(c)) for c in channels.values()] != [
            to_json(vars(c)) for c in indexed.values()
        ]:
            yield "its index says otherwise than its channels"
        for channel in channels.values():
            try:
                with damage_told(path):
                    found = recomputed_digest(channel, file)
            except (DamagedFile, ValueError) as error:
                yield f"channel {channel.path}: {error}"
                continue
            if found != channel.digest:
                yield f"channel {channel.path}: its values are not those that were written"


def recomputed_digest(channel: Channel, file: h5f.FileID) -> str:
    """Return the digest of what the file holds now; equal to ``channel.digest`` if all is well."""
    digest = ChannelDigest()
    group = open_group(file, group_name(channel.path))
    samples = open_dataset(group, "data")
    times = open_dataset(group, "time") if channel.irregular else None
    block = max(CHUNK, BLOCK_BYTES // channel.dtype.itemsize // CHUNK * CHUNK)
    hashing = Lane("store-verify") if channel.n > block else Here()
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
