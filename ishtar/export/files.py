"""Writers of series of samples for other programs: .mat, .h5, .nc, .csv, .parquet.

Each writer takes an `Export` and paths, and reads the samples block by block, except for a small
.mat file, which is assembled in memory. `ishtar.export.writing` decides what goes into them.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from ishtar.export.hdf5 import compressed, write_h5
from ishtar.export.matlab import ascii_symbols, fields, identifiers, set_class, struct
from ishtar.export.netcdf import write_netcdf
from ishtar.export.series import Export, ExportError, Series
from ishtar.store import atomic_path

MAT5_MAX_BYTES = 1 << 28  # a larger .mat file is HDF5, as MATLAB's own are above 2 GB

Writer = Callable[[Export, Sequence[Path]], None]


# --- tables: one file for each time base ---------------------------------------------------------


def write_csv(export: Export, paths: Sequence[Path]) -> None:
    """Write text tables, with a header of comment lines."""
    # Regular times have 15 digits, which hide that 3 · 0.1 is not 0.3 in binary; all other numbers
    # are written in full.
    regular = "{:.15g}".format
    for series, path in zip(export.groups, paths, strict=True):
        with path.open("w", encoding="utf-8", newline="\n") as f:
            _write_head(f, export, series)
            for blocks in zip(series[0].places(), *(s.values() for s in series), strict=True):
                times = map(regular if series[0].dx else repr, blocks[0].tolist())
                columns = [map(_number_text, x.tolist()) for x in blocks[1:]]
                f.writelines(",".join(row) + "\n" for row in zip(times, *columns, strict=True))


def _number_text(x: float) -> str:
    return repr(x) if x == x else "NaN"  # pandas, numpy, MATLAB and Excel all accept this


def _write_head(f: TextIO, export: Export, series: Sequence[Series]) -> None:
    p, first = export.provenance, series[0]
    known = ", ".join(f"{k}: {v}" for k, v in p["attributes"].items())
    lines = [
        f"shot {p['shot']}" + (f" ({known})" if known else ""),
        f"{p['software']}, {p['exported']}",
        first.step_text(),
    ]
    if first.every > 1:
        lines.append(f"each value is the mean of {first.every} samples")
    lines += [line for s in series for line in str(s.provenance).splitlines()]
    lines += [f"left out: {name}: {why}" for name, why in p["left_out"].items()]
    f.writelines(f"# {' '.join(line.split())}\n" for line in lines)
    out = io.StringIO()
    names = [f"{s.name} [{s.unit or '1'}]" for s in series]
    csv.writer(out, lineterminator="\n").writerow([first.x_title, *names])
    f.write(out.getvalue())


def write_parquet(export: Export, paths: Sequence[Path]) -> None:
    """Write Parquet tables, with unit and origin in the metadata of each column."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportError(
            f"Parquet needs pyarrow ({error}): install it with `pip install pyarrow`, or write .h5"
        ) from error
    for series, path in zip(export.groups, paths, strict=True):
        first = series[0]
        where = {k: "None" if v != v else repr(v) for k, v in first.start_and_step().items()}
        fields = [
            pa.field(first.x_name, pa.float64(), metadata={"unit": first.x_unit or "1"} | where)
        ]
        for s in series:
            metadata = {k: str(v) for k, v in s.metadata().items()}
            fields.append(pa.field(s.name, pa.float64(), metadata=metadata))
        schema = pa.schema(fields, metadata={"ishtar": export.text})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for blocks in zip(first.places(), *(s.values() for s in series), strict=True):
                writer.write_table(pa.table([pa.array(x) for x in blocks], schema=schema))


# --- MATLAB --------------------------------------------------------------------------------------


def write_mat(export: Export, paths: Sequence[Path]) -> None:
    """Write a struct for each signal: ``Lang_I.value``, ``.time``, ``.unit`` … and ``ishtar``."""
    size = sum(16 * s.n for series in export.groups for s in series)
    write = _write_mat5 if size <= MAT5_MAX_BYTES else _write_mat73
    write(export, paths[0])


def _named(export: Export) -> Iterator[tuple[str, Series, int]]:
    """Yield (identifier, series, number of its time base)."""
    flat = [(s, k) for k, series in enumerate(export.groups) for s in series]
    for name, (s, k) in zip(identifiers([s.name for s, _ in flat]), flat, strict=True):
        yield name, s, k


def _mat_facts(s: Series) -> dict[str, Any]:
    """Return the metadata of a series, with its provenance as text."""
    return ascii_symbols(s.metadata() | {"story": str(s.provenance)})


def _about(export: Export) -> dict[str, Any]:
    p = export.provenance
    text = json.dumps(p, default=str)  # JSON escapes everything to ASCII
    return {"shot": p["shot"], "software": p["software"], "provenance": text}


def _write_mat5(export: Export, path: Path) -> None:
    from scipy.io import savemat

    content: dict[str, Any] = {"ishtar": _about(export)}
    for name, s, _ in _named(export):
        value, place = (np.concatenate(list(x)) for x in (s.values(), s.places()))
        content[name] = {"value": value, s.x_name: place} | _mat_facts(s)
    with path.open("wb") as f:  # savemat would append .mat to a name
        savemat(f, content, do_compression=True, oned_as="column", long_field_names=True)


def _write_mat73(export: Export, path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as f:
        struct(f, "ishtar", _about(export))
        times: dict[int, Any] = {}
        for name, s, k in _named(export):
            group = f.create_group(name)
            # MATLAB reverses the axes: (1, n) here is a column there
            set_class(compressed(group, "value", (1, s.n), s.values()), "double")
            if k in times:
                group[s.x_name] = times[k]  # a hard link to the same numbers
            else:
                times[k] = compressed(group, s.x_name, (1, s.n), s.places())
                set_class(times[k], "double")
            fields(group, _mat_facts(s), first=("value", s.x_name))
    head = f"MATLAB 7.3 MAT-file, Platform: {sys.platform}, written by ishtar HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(head.encode().ljust(116) + bytes(8) + (0x0200).to_bytes(2, "little") + b"IM")


@dataclass(frozen=True)
class Format:
    """The writer of a file type, and whether each file holds only one time base."""

    write: Writer
    table: bool


FORMATS: dict[str, Format] = {
    ".csv": Format(write_csv, True),
    ".h5": Format(write_h5, False),
    ".mat": Format(write_mat, False),
    ".nc": Format(write_netcdf, False),
    ".parquet": Format(write_parquet, True),
}


def write_all(export: Export, form: Format, paths: Sequence[Path]) -> None:
    """Write all files to temporary names, then rename them; none appears if one fails."""
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(path)) for path in paths]
        form.write(export, temporary)
