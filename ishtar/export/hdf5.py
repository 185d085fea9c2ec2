"""Writer of .h5 files, and compressed datasets for the other formats that are HDF5."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.export.series import Array, Export, ExportError, Series

CHUNK = 1 << 16  # samples compressed together


def write_h5(export: Export, paths: Sequence[Path]) -> None:
    """Write a dataset for each signal, at its name, and one for each time base."""
    import h5py

    folders = {_axis_folder(series[0]) for series in export.groups}
    _refuse_nested_names([s.name for series in export.groups for s in series], folders)
    with h5py.File(paths[0], "w") as f:
        f.attrs["provenance"] = export.text
        f.attrs["shot"] = export.provenance["shot"]
        for k, series in enumerate(export.groups, 1):
            first = series[0]
            base = f"{_axis_folder(first)}/{k}"
            place = compressed(f, base, (first.n,), first.places())
            place.attrs.update({"unit": first.x_unit or "1"} | first.start_and_step())
            place.make_scale(first.x_name)
            for s in series:
                data = compressed(f, s.name, (s.n,), s.values())
                data.attrs.update(s.metadata() | {s.x_name: f"/{base}", "story": str(s.provenance)})
                data.dims[0].attach_scale(place)


def _axis_folder(series: Series) -> str:
    return "time_bases" if series.x_name == "time" else "axes"


def _refuse_nested_names(names: Sequence[str], folders: Collection[str]) -> None:
    """Raise `ExportError` if a name would be both a dataset and the group of another one."""
    for name in names:
        inner = [other for other in names if other.startswith(f"{name}/")]
        if name.partition("/")[0] in folders or inner:
            other = inner[0] if inner else "the times"
            raise ExportError(
                f"an .h5 file cannot hold both {name!r} and {other!r}, which would be inside it: "
                "export them separately, or as .mat"
            )


def compressed(
    where: Any, name: str, shape: tuple[int, ...], blocks: Iterator[Array], **how: Any
) -> Any:
    """Write a compressed dataset block by block along its last axis; ``how`` is for h5py."""
    chunk = (*(1 for _ in shape[:-1]), min(shape[-1], CHUNK))
    # only gzip and shuffle are filters of every HDF5, MATLAB's too
    filters = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
    data = where.create_dataset(name, shape, np.float64, chunks=chunk, **filters, **how)
    i = 0
    for block in blocks:
        data[..., i : i + len(block)] = block
        i += len(block)
    return data
