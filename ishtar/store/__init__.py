"""The raw data of shots as HDF5 files: one file for each source, written once.

::

    /                     format, shot, source, size, sha256, converter, writer, arrived,
                          attributes (JSON), properties (JSON)
    /channels/<path>      path, unit, n, t0, dt, scale (JSON), properties (JSON),
                          n_clipped, raw_min, raw_max, digest
        data              raw values as recorded
        time              seconds, only for irregular sampling
        envelope/<factor> (m, 2) minimum and maximum of each block of <factor> samples
"""

from ishtar.store.atomic import atomic_path, fsync_dir, write_atomic
from ishtar.store.channel_writer import ChannelWriter, StoreError
from ishtar.store.origin import Origin
from ishtar.store.reader import Channel, SourceFile
from ishtar.store.scale import ScaleError, apply_scale
from ishtar.store.verify import problems
from ishtar.store.writer import SourceWriter

__all__ = [
    "Channel",
    "ChannelWriter",
    "Origin",
    "ScaleError",
    "SourceFile",
    "SourceWriter",
    "StoreError",
    "apply_scale",
    "atomic",
    "atomic_path",
    "chunk_decode",
    "chunk_index",
    "envelope",
    "fsync_dir",
    "h5_names",
    "problems",
    "reader",
    "write_atomic",
]
