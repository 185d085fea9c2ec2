"""HDF5 files as others write them, good and hostile, and what became of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

from ishtar.store import SourceFile
from runner.ingest import Outcome
from tests.ingest_fakes import ingest_into, source_of

GOOD = np.arange(20, dtype=np.int16)


def ingest(path: Path, **options: Any) -> Outcome:
    """Ingest a file into a workspace that lies beside it."""
    return ingest_into(path.parent / "workspace", path, **options)


class Written:
    """A file that a function filled, and what was stored of it."""

    def __init__(self, folder: Path, fill: Callable[[h5py.File], object], **options: Any) -> None:
        self.path = folder / "00007_Data.h5"
        self.path.parent.mkdir(exist_ok=True)
        with h5py.File(self.path, "w", **options) as f:
            fill(f)
        self.outcome = ingest(self.path)

    @property
    def reason(self) -> str:
        return self.outcome.reason

    @property
    def source(self) -> SourceFile:
        return source_of(self.outcome)

    def __getitem__(self, path: str) -> Any:
        return self.source.channels[path]

    @property
    def paths(self) -> list[str]:
        return list(self.source.channels)

    @property
    def refused(self) -> str:
        """The reason why it was not stored; no channel of it is."""
        assert self.outcome.status == "quarantined", self.outcome
        assert not self.outcome.stored
        return self.outcome.reason


def good(f: h5py.File) -> None:
    """Put a plain channel into a file, which must survive whatever is odd beside it."""
    f["good/U"] = GOOD


def filtered(
    f: h5py.File, name: str, codes: list[tuple[int, tuple[int, ...]]], n: int, chunk: int
) -> h5d.DatasetID:
    """Create a dataset of int16 with any filters; nothing is written into it."""
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((chunk,))
    for code, settings in codes:
        creation.set_filter(code, h5py.h5z.FLAG_OPTIONAL, settings)
    return h5d.create(f.id, name.encode(), h5t.STD_I16LE, h5s.create_simple((n,)), creation)
