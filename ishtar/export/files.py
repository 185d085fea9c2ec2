"""Writers of series of samples for other programs: .mat, .h5, .csv, .parquet.

Each writer takes an `Export` and paths, and reads the samples block by block, except for a small
.mat file, which is assembled in memory. `ishtar.export.writing` decides what goes into them.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import IshtarError
from ishtar.export.matlab import ascii_symbols, fields, identifiers, set_class, struct
from ishtar.signals.protocols import AnySignal
from ishtar.signals.provenance import Provenance
from ishtar.signals.time_base import COUNTED, SECONDS, Regular
from ishtar.store import atomic_path

Array = NDArray[np.float64]

BLOCK = 1 << 18  # samples in memory at a time
MAT5_MAX_BYTES = 1 << 28  # a larger .mat file is HDF5, as MATLAB's own are above 2 GB
CHUNK = 1 << 16  # samples compressed together


class ExportError(IshtarError, ValueError):
    """Signals cannot be written as requested."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A signal to be written, with each ``every`` samples averaged into one value."""

    signal: AnySignal
    provenance: Provenance
    every: int = 1

    @property
    def name(self) -> str:
        """Name of the signal."""
        return self.signal.name

    @property
    def unit(self) -> str:
        """Unit of the values."""
        return self.signal.unit

    @property
    def n(self) -> int:
        """Number of values."""
        return self.signal.n // self.every

    @property
    def x_name(self) -> str:
        """Name of the axis: ``time``, ``frequency``, or ``sample`` for bare sample numbers."""
        return self.signal.x_name

    @property
    def x_unit(self) -> str:
        """Unit of the axis; empty for sample numbers."""
        return self.signal.x_unit

    @property
    def x_title(self) -> str:
        """Name and unit of the axis, as the title of a column."""
        return f"{self.x_name} [{self.x_unit}]" if self.x_unit else self.x_name

    @property
    def dx(self) -> float | None:
        """Step in `x_unit` or samples; None if it is not constant."""
        step = 1.0 if self.x_unit == COUNTED else self.signal.dx
        return None if step is None else step * self.every

    @property
    def x0(self) -> float:
        """x of the first value, in `x_unit` or samples."""
        first = float(self.signal[0:1].places()[0])
        if self.dx is None:
            return float(next(self.places())[0])
        return first + self.dx / self.every * (self.every - 1) / 2

    def same_places(self, other: Series) -> bool:
        """Return whether values of equal index have equal x."""
        if (self.n, self.every, self.x_unit) != (other.n, other.every, other.x_unit):
            return False
        if self.dx is None or other.dx is None:
            if self.dx is not None or other.dx is not None:
                return False
            places = zip(self.places(), other.places(), strict=True)
            return all(np.array_equal(x, y) for x, y in places)
        return Regular(self.x0, self.dx, self.n).same_as(Regular(other.x0, other.dx, other.n))

    def values(self) -> Iterator[Array]:
        """Yield the values block by block."""
        return self._blocks(lambda signal: signal.values())

    def places(self) -> Iterator[Array]:
        """Yield the x of the values in the same blocks: times in s, sample numbers, frequencies."""
        step = self.dx
        if step is None:
            yield from self._blocks(lambda signal: signal.places())
            return
        x0 = self.x0
        for i, j in self._sample_ranges():
            yield x0 + step * np.arange(i // self.every, j // self.every, dtype=np.float64)

    def _sample_ranges(self) -> Iterator[tuple[int, int]]:
        step = max(BLOCK // self.every, 1) * self.every
        end = self.n * self.every
        return ((i, min(i + step, end)) for i in range(0, end, step))

    def _blocks(self, read: Callable[[AnySignal], Array]) -> Iterator[Array]:
        for i, j in self._sample_ranges():
            if self.every <= BLOCK:
                yield read(self.signal[i:j]).reshape(-1, self.every).mean(axis=1)
            else:  # one value from very many samples
                parts = (read(self.signal[a : min(a + BLOCK, j)]) for a in range(i, j, BLOCK))
                yield np.array([sum(float(x.sum()) for x in parts) / self.every])

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of the series for a file; unknown texts are empty."""
        s = self.provenance
        return {
            "unit": self.unit,
            "name": self.name,
            "shot": s.shot,
            "channel": s.channel,
            "device": s.device,
            "calibration": s.calibration,
            "span": s.span,
            "source": s.source,
            "derived": s.derived,
            "description": s.description,
            "averaged": self.every,
            "x_unit": self.x_unit,
            **self.start_and_step(),
        }

    def start_and_step(self) -> dict[str, float]:
        """Return start and step by name; empty for sample numbers."""
        if self.x_unit == COUNTED:
            return {}
        names = ("t0", "dt") if self.x_unit == SECONDS else ("x0", "dx")
        return dict(zip(names, (self.x0, np.nan if self.dx is None else self.dx), strict=True))

    def step_text(self) -> str:
        """Return a description of the axis for a file's header."""
        if self.x_unit == COUNTED:
            return f"samples have numbers only, their times are unknown; {self.n} values"
        names = ("t0", "dt") if self.x_unit == SECONDS else ("x0", "dx")
        of = " on the shot's clock" if self.x_unit == SECONDS else ""
        step = (
            "irregular"
            if self.dx is None
            else f"{names[0]} = {self.x0:.15g} {self.x_unit}, "
            f"{names[1]} = {self.dx:.15g} {self.x_unit}"
        )
        return f"{self.x_name} in {self.x_unit}{of}: {step}, {self.n} values"


@dataclass(frozen=True, kw_only=True)
class Export:
    """The content of an export: series grouped by time base, and their provenance."""

    groups: tuple[tuple[Series, ...], ...]
    provenance: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The provenance as JSON."""
        return json.dumps(self.provenance, ensure_ascii=False, default=str)


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


# --- HDF5 ----------------------------------------------------------------------------------------


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
            place = _dataset(f, base, (first.n,), first.places())
            place.attrs.update({"unit": first.x_unit or "1"} | first.start_and_step())
            place.make_scale(first.x_name)
            for s in series:
                data = _dataset(f, s.name, (s.n,), s.values())
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


def _dataset(where: Any, name: str, shape: tuple[int, ...], blocks: Iterator[Array]) -> Any:
    """Write a compressed dataset block by block along its last axis."""
    chunk = (*(1 for _ in shape[:-1]), min(shape[-1], CHUNK))
    data = where.create_dataset(
        name, shape, np.float64, chunks=chunk, compression="gzip", compression_opts=4, shuffle=True
    )
    i = 0
    for block in blocks:
        data[..., i : i + len(block)] = block
        i += len(block)
    return data


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
            set_class(_dataset(group, "value", (1, s.n), s.values()), "double")
            if k in times:
                group[s.x_name] = times[k]  # a hard link to the same numbers
            else:
                times[k] = _dataset(group, s.x_name, (1, s.n), s.places())
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
    ".parquet": Format(write_parquet, True),
}


def write_all(export: Export, form: Format, paths: Sequence[Path]) -> None:
    """Write all files to temporary names, then rename them; none appears if one fails."""
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(path)) for path in paths]
        form.write(export, temporary)
