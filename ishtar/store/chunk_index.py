"""Where the samples of a stored file are, so that a slice can be read from a plain web server.

HDF5's own index of chunks is spread over a file: to follow it takes a request for each step. This
one is written beside the file when it is published. A reader needs the description of a shot's
files once, the table of a dataset once, and then the bytes of the chunks that a slice touches.

::

    8 bytes    MAGIC
    8 bytes    length of the description, little-endian
    8 bytes    length of the whole index
    …          the description: JSON, compressed by zlib
    …          the tables of chunks, and rows of small datasets, each compressed by zlib

Only what `ishtar.store.writer` writes can be described: chunks of whole rows, the filters in
`FILTERS`, and small datasets that lie between HDF5's own structures. Their rows are in the index,
after the description: the coarsest levels of 200 channels have 100 kB, and few are looked at.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5d, h5f
from numpy.typing import NDArray

from ishtar.errors import DamagedFile
from ishtar.store.h5_names import group_name
from ishtar.store.h5_read import (
    names_in,
    open_dataset,
    open_group,
    open_unchecked,
    read_rows,
    reporting_damage,
)
from ishtar.store.reader import SourceFile

MAGIC = b"ISHTARX1"
HEAD = struct.Struct("<8sQQ")
FORMAT = 1
FILTERS = {1: 0, 2: 1, 3: 0, 32008: 3}
"""Deflate, shuffle, fletcher32, bitshuffle: how many of the stored parameters HDF5 itself adds."""
INLINE_CHUNKS = 4  # tables up to this length are in the description
INLINE_BYTES = 64  # datasets without chunks up to this size are in the description
TABLE_ROW_BYTES = 24  # of a table: three numbers for each chunk
MAX_JSON = 1 << 26  # bytes of a description; that of a hundred channels has some 100 kB


@dataclass(frozen=True)
class Chunks:
    """The chunks of a dataset, in its order: place and length in the file, and filters left out."""

    offset: NDArray[np.int64]
    size: NDArray[np.int64]
    mask: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offset)


def describe_shot(files: Sequence[Path], **more: Any) -> bytes:
    """Return the index of a shot's files.

    Parameters
    ----------
    files : sequence of Path
        Its stored files.
    **more : JSON values
        What else a reader of the shot needs.

    Returns
    -------
    bytes
        The index. A file that cannot be read, or holds what no index describes, is in it with that
        reason.
    """
    tables: list[bytes] = []
    described = [_described_or_damaged(path, tables) for path in files]
    text = json.dumps({"format": FORMAT, "files": described, **more}, separators=(",", ":"))
    head = zlib.compress(text.encode(), 9)
    rest = b"".join(tables)
    return HEAD.pack(MAGIC, len(head), HEAD.size + len(head) + len(rest)) + head + rest


def _described_or_damaged(path: Path, tables: list[bytes]) -> Mapping[str, Any]:
    before = len(tables)
    try:
        return _describe(path, tables)
    except DamagedFile as error:
        del tables[before:]
        why = str(error).replace(str(path), path.name)
        return {"name": path.name, "size": 0, "damaged": why}


def _describe(path: Path, tables: list[bytes]) -> Mapping[str, Any]:
    source = SourceFile(path)
    at = sum(map(len, tables))
    datasets: dict[str, dict[str, Any]] = {}
    with reporting_damage(path), open_unchecked(path) as file:
        for channel in source.channels:
            entries = datasets[channel] = {}
            for name in _dataset_names(file, channel):
                dataset = open_dataset(file, f"{group_name(channel)}/{name}")
                entry, table = _dataset(path, dataset)
                if table:
                    entry["table" if "chunk" in entry else "rows_at"] = [at, len(table)]
                    tables.append(table)
                    at += len(table)
                entries[name] = entry
    return {
        "name": path.name,
        "size": path.stat().st_size,
        "origin": asdict(source.origin),
        "attributes": source.attributes,
        "properties": source.properties,
        "index": source.index,
        "datasets": datasets,
    }


def _dataset_names(file: h5f.FileID, channel: str) -> Iterator[str]:
    group = open_group(file, group_name(channel))
    names = {name.decode() for name in names_in(group)}
    yield from sorted(names & {"data", "time"})
    if "envelope" in names:
        yield from (f"envelope/{n.decode()}" for n in names_in(open_group(group, "envelope")))


def _dataset(path: Path, dataset: h5d.DatasetID) -> tuple[dict[str, Any], bytes]:
    """Return the description of a dataset, and its table or rows if these are long."""
    properties = dataset.get_create_plist()
    entry: dict[str, Any] = {"dtype": dataset.dtype.str, "shape": list(dataset.shape)}
    layout = properties.get_layout()
    if layout == h5d.CHUNKED:
        chunk = properties.get_chunk()
        if chunk[1:] != dataset.shape[1:]:
            raise DamagedFile(f"{path} has chunks of parts of rows: ingest its source again")
        filters = [properties.get_filter(i)[:3] for i in range(properties.get_nfilters())]
        entry["chunk"] = chunk[0]
        entry["filters"] = [[code, flags, list(values)] for code, flags, values in filters]
        chunks = _chunks(path, dataset, chunk[0])
        if len(chunks) > INLINE_CHUNKS:
            return entry, pack(chunks)
        entry["chunks"] = [chunks.offset.tolist(), chunks.size.tolist(), chunks.mask.tolist()]
        return entry, b""
    size = dataset.dtype.itemsize * int(np.prod(dataset.shape, dtype=np.int64))
    if layout == h5d.CONTIGUOUS and size > INLINE_BYTES and dataset.get_offset() is not None:
        count = dataset.shape[0]  # one chunk without filters
        entry |= {"chunk": count, "filters": [], "chunks": [[dataset.get_offset()], [size], [0]]}
        return entry, b""
    rows = read_rows(dataset).tobytes()
    if size > INLINE_BYTES:
        return entry, zlib.compress(rows, 9)
    entry["rows"] = base64.b64encode(rows).decode()
    return entry, b""


def _chunks(path: Path, dataset: h5d.DatasetID, rows: int) -> Chunks:
    count = -(-dataset.shape[0] // rows)
    table = np.zeros((3, count), dtype=np.int64)
    found: list[Any] = []
    dataset.chunk_iter(found.append)
    for chunk in found:
        k = chunk.chunk_offset[0] // rows
        if k < count:
            table[:, k] = chunk.byte_offset, chunk.size, chunk.filter_mask
    if not table[1].all():
        raise DamagedFile(f"{path} has a dataset without all its chunks: ingest its source again")
    return Chunks(*table)


def pack(chunks: Chunks) -> bytes:
    """Return a table of chunks as compressed bytes.

    Chunks follow one another with gaps, which are small numbers or repeat: the bytes of equal
    weight lie together, most of them zero.
    """
    gaps = np.diff(chunks.offset - np.concatenate([[0], np.cumsum(chunks.size)[:-1]]), prepend=0)
    table = np.stack([gaps, chunks.size, chunks.mask]).astype("<i8")
    planes = np.ascontiguousarray(table.view(np.uint8).reshape(3, -1, 8).transpose(0, 2, 1))
    return zlib.compress(planes.tobytes(), 9)


def unpack(content: bytes, count: int) -> Chunks:
    """Return the table that `pack` made; ValueError unless it has ``count`` chunks."""
    planes = inflate(content, TABLE_ROW_BYTES * count)
    if len(planes) != TABLE_ROW_BYTES * count:
        raise ValueError(f"a table of {len(planes)} bytes cannot hold {count} chunks")
    by_weight = np.frombuffer(planes, np.uint8).reshape(3, 8, count).transpose(0, 2, 1)
    gaps, size, mask = np.ascontiguousarray(by_weight).view("<i8").reshape(3, count)
    offset = np.cumsum(gaps) + np.concatenate([[0], np.cumsum(size)[:-1]])
    return Chunks(offset.astype(np.int64), size, mask)


def inflate(content: bytes, most: int) -> bytes:
    """Decompress at most ``most`` bytes; ValueError if there are more, or the content is cut."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(content, most + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(found) > most or not stream.eof:
        raise ValueError("compressed data are longer or shorter than they claim")
    return found


def lengths(content: bytes) -> tuple[int, int]:
    """Return where the tables begin in an index, and its length, from its first bytes.

    ValueError if it is none.
    """
    if len(content) < HEAD.size:
        raise ValueError("it is too short")
    magic, length, total = HEAD.unpack_from(content)
    if magic != MAGIC:
        raise ValueError("it is no index of a shot")
    return HEAD.size + int(length), int(total)


def read_description(content: bytes) -> dict[str, Any]:
    """Return the description at the beginning of an index; ValueError if there is none."""
    found = json.loads(inflate(content[HEAD.size : lengths(content)[0]], MAX_JSON))
    if not isinstance(found, dict) or not isinstance(found.get("files"), list):
        raise ValueError("it describes no files")
    return found
