"""Where the chunks of a stored file are: our index, kerchunk's references, HDF5's own metadata."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters

from ishtar.remote.archive import INDEX
from ishtar.store.chunk_index import lengths
from ishtar.store.h5_names import group_name

PAGE = 1 << 16  # of the paged copy: what cloud storage likes is 64 kB and more
PAGES_KEPT = 64 << 20


def print_indexes(
    python: Path | None, peers: Path, stored: Path, channel: str, start: int, stop: int, at: Path
) -> None:
    """Print the sizes of the ways to find chunks, and what it takes to read them."""
    index = (stored.parent / INDEX).read_bytes()
    tables, _ = lengths(index)
    print("\nfinding chunks")
    print(
        f"  our index: {len(index):,} bytes: description {tables:,}, tables {len(index) - tables:,}"
    )
    if python is not None:
        _kerchunk(python, peers, stored, len(index))
    paged = at / "paged.h5"
    _rewrite(stored, paged)
    for what, path, pages in (("as stored", stored, 0), ("paged", paged, PAGES_KEPT)):
        for purpose, walk in (
            (
                f"the chunks of a slice of {channel.rpartition('/')[2]}",
                _slice(channel, start, stop),
            ),
            ("all channels and chunks", _everything),
        ):
            requests, received = _walked(path, pages, walk)
            print(f"  HDF5's own, {what:<10}{purpose:<36}{requests:>7} reads {received:>12,} bytes")
    paged.unlink()


def _kerchunk(python: Path, peers: Path, stored: Path, ours: int) -> None:
    command = [str(python), str(peers), "kerchunk", str(stored.resolve())]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    found = json.loads(run.stdout.splitlines()[-1])
    print(f"  kerchunk on the file as it is: {found['chunks']} chunks; it says {found['said']!r}")
    print(
        f"  kerchunk if it had the codec: {found['chunks_without_codec']:,} references, "
        f"{found['json']:,} bytes of JSON, {found['gzip']:,} compressed: "
        f"{found['gzip'] / ours:.1f} times our index"
    )


def _rewrite(stored: Path, paged: Path) -> None:
    """Copy a file, chunks as they are, into one whose metadata HDF5 gathers in pages."""
    with (
        h5py.File(stored) as source,
        h5py.File(
            paged, "w", fs_strategy="page", fs_page_size=PAGE, fs_persist=False, libver="v110"
        ) as copy,
    ):
        for name in source:
            source.copy(name, copy)
        for name, value in source.attrs.items():
            copy.attrs[name] = value


class _Counting(io.FileIO):
    """A file that counts what is read of it."""

    requests = received = 0

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer) or 0
        self.requests += 1
        self.received += count
        return count


def _walked(path: Path, pages: int, walk: Callable[[h5py.File], None]) -> tuple[int, int]:
    more = {"page_buf_size": pages} if pages else {}
    with _Counting(path, "r") as counting:
        with h5py.File(counting, "r", **more) as file:
            walk(file)
        return counting.requests, counting.received


def _slice(channel: str, start: int, stop: int) -> Callable[[h5py.File], None]:
    def walk(file: h5py.File) -> None:
        group = file[group_name(channel)]
        dict(group.attrs)
        data = group["data"]
        rows = data.chunks[0]
        for k in range(start // rows, -(-stop // rows)):
            assert data.id.get_chunk_info_by_coord((k * rows,)).size

    return walk


def _everything(file: h5py.File) -> None:
    def visit(_name: str, node: Any) -> None:
        dict(node.attrs)
        if isinstance(node, h5py.Dataset) and node.chunks:
            node.id.chunk_iter(lambda _: None)

    dict(file.attrs)
    file.visititems(visit)
