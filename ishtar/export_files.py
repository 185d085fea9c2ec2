"""Series of samples as files that other programs open: .mat, .h5, .csv, .parquet.

Each writer takes an `Export` and paths, and reads the samples block by block (a small .mat file
excepted, which is put together in memory). What goes into them is decided in `ishtar.export`.
"""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import IshtarError
from ishtar.signal import Signal, Story

Array = NDArray[np.float64]

BLOCK = 1 << 18  # samples in memory at a time
MAT5_MOST = 1 << 28  # bytes; a .mat file of more is HDF5, as MATLAB's own are above 2 GB
CHUNK = 1 << 16  # samples that are compressed together


class ExportError(IshtarError, ValueError):
    """Signals that cannot be written as asked."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """A signal as it goes into a file: every ``every`` samples averaged into one."""

    signal: Signal
    story: Story
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
    def dt(self) -> float | None:
        """Step in s; None where times are irregular."""
        return None if self.signal.dt is None else self.signal.dt * self.every

    @property
    def t0(self) -> float:
        """Time of the first value, s."""
        if self.signal.dt is None:
            return float(next(self.times())[0])
        return self.signal.t0 + self.signal.dt * (self.every - 1) / 2

    def values(self) -> Iterator[Array]:
        """Give the values block by block."""
        return self._blocks(Signal.values)

    def times(self) -> Iterator[Array]:
        """Give the times in the same blocks, s."""
        if self.signal.dt is None:
            yield from self._blocks(Signal.times)
            return
        t0, step = self.t0, self.signal.dt * self.every
        for i, j in self._stretches():
            yield t0 + step * np.arange(i // self.every, j // self.every, dtype=np.float64)

    def _stretches(self) -> Iterator[tuple[int, int]]:
        step = max(BLOCK // self.every, 1) * self.every
        end = self.n * self.every
        return ((i, min(i + step, end)) for i in range(0, end, step))

    def _blocks(self, read: Callable[[Signal], Array]) -> Iterator[Array]:
        for i, j in self._stretches():
            if self.every <= BLOCK:
                yield read(self.signal[i:j]).reshape(-1, self.every).mean(axis=1)
            else:  # one value of very many samples
                parts = (read(self.signal[a : min(a + BLOCK, j)]) for a in range(i, j, BLOCK))
                yield np.array([sum(float(x.sum()) for x in parts) / self.every])

    def facts(self) -> dict[str, Any]:
        """Return what a file says of it beside the values; empty texts where there is nothing."""
        s = self.story
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
            "t0": self.t0,
            "dt": np.nan if self.dt is None else self.dt,
        }


@dataclass(frozen=True, kw_only=True)
class Export:
    """What is to be written: series by common time base, and where they come from."""

    groups: tuple[tuple[Series, ...], ...]
    provenance: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The provenance as JSON."""
        return json.dumps(self.provenance, ensure_ascii=False, default=str)


Writer = Callable[[Export, Sequence[Path]], None]


# --- tables: one file for each time base ---------------------------------------------------------


def write_csv(export: Export, paths: Sequence[Path]) -> None:
    """Write text tables, with a head of comment lines."""
    # 15 digits do not show that 3 · 0.1 is not 0.3 in binary; of all else every digit is written
    regular = "{:.15g}".format
    for series, path in zip(export.groups, paths, strict=True):
        with path.open("w", encoding="utf-8", newline="\n") as f:
            _write_head(f, export, series)
            for blocks in zip(series[0].times(), *(s.values() for s in series), strict=True):
                times = map(regular if series[0].dt else repr, blocks[0].tolist())
                columns = [map(_written, x.tolist()) for x in blocks[1:]]
                f.writelines(",".join(row) + "\n" for row in zip(times, *columns, strict=True))


def _written(x: float) -> str:
    return repr(x) if x == x else "NaN"  # what pandas, numpy, MATLAB and Excel all take


def _write_head(f: TextIO, export: Export, series: Sequence[Series]) -> None:
    p, first = export.provenance, series[0]
    step = "irregular" if first.dt is None else f"t0 = {first.t0:.15g} s, dt = {first.dt:.15g} s"
    known = ", ".join(f"{k}: {v}" for k, v in p["attributes"].items())
    lines = [
        f"shot {p['shot']}" + (f" ({known})" if known else ""),
        f"{p['software']}, {p['exported']}",
        f"time in s on the shot's clock: {step}, {first.n} values",
    ]
    if first.every > 1:
        lines.append(f"each value is the mean of {first.every} samples")
    lines += [line for s in series for line in str(s.story).splitlines()]
    lines += [f"left out: {name}: {why}" for name, why in p["left_out"].items()]
    f.writelines(f"# {' '.join(line.split())}\n" for line in lines)
    out = io.StringIO()
    names = [f"{s.name} [{s.unit or '1'}]" for s in series]
    csv.writer(out, lineterminator="\n").writerow(["time [s]", *names])
    f.write(out.getvalue())


def write_parquet(export: Export, paths: Sequence[Path]) -> None:
    """Write Parquet tables; unit and origin are in the metadata of each column."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise ExportError(
            f"Parquet needs pyarrow ({error}): install it with `pip install pyarrow`, or write .h5"
        ) from error
    for series, path in zip(export.groups, paths, strict=True):
        time = {"unit": "s", "t0": repr(series[0].t0), "dt": repr(series[0].dt)}
        fields = [pa.field("time", pa.float64(), metadata=time)]
        for s in series:
            facts = {k: str(v) for k, v in s.facts().items()}
            fields.append(pa.field(s.name, pa.float64(), metadata=facts))
        schema = pa.schema(fields, metadata={"ishtar": export.text})
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for blocks in zip(series[0].times(), *(s.values() for s in series), strict=True):
                writer.write_table(pa.table([pa.array(x) for x in blocks], schema=schema))


# --- HDF5 ----------------------------------------------------------------------------------------


def write_h5(export: Export, paths: Sequence[Path]) -> None:
    """Write a data set for each signal, at its name, and one for each time base."""
    import h5py

    _refuse_names_in_names([s.name for series in export.groups for s in series])
    with h5py.File(paths[0], "w") as f:
        f.attrs["provenance"] = export.text
        f.attrs["shot"] = export.provenance["shot"]
        for k, series in enumerate(export.groups, 1):
            base = f"time_bases/{k}"
            time = _dataset(f, base, (series[0].n,), series[0].times())
            time.attrs.update({"unit": "s", "t0": series[0].t0, "dt": series[0].facts()["dt"]})
            time.make_scale("time")
            for s in series:
                data = _dataset(f, s.name, (s.n,), s.values())
                data.attrs.update(s.facts() | {"time": f"/{base}", "story": str(s.story)})
                data.dims[0].attach_scale(time)


def _refuse_names_in_names(names: Sequence[str]) -> None:
    """Refuse a name that would have to be a data set and the group of another one."""
    taken = [*names, "time_bases"]
    for name in names:
        inner = [other for other in taken if other.startswith(f"{name}/")]
        if name == "time_bases" or inner:
            other = inner[0] if inner else "the times"
            raise ExportError(
                f"an .h5 file cannot hold both {name!r} and {other!r}, which would lie inside it: "
                "export them apart, or as .mat"
            )


def _dataset(where: Any, name: str, shape: tuple[int, ...], blocks: Iterator[Array]) -> Any:
    """Write a compressed data set block by block along its last axis."""
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

TAKEN = (  # what MATLAB keeps for itself, and we
    "break case catch classdef continue else elseif end for function global if otherwise parfor "
    "persistent return spmd switch try while ishtar"
)


def write_mat(export: Export, paths: Sequence[Path]) -> None:
    """Write a struct for each signal: ``Lang_I.value``, ``.time``, ``.unit`` … and ``ishtar``."""
    size = sum(16 * s.n for series in export.groups for s in series)
    write = _write_mat5 if size <= MAT5_MOST else _write_mat73
    write(export, paths[0])


def identifiers(names: Sequence[str]) -> list[str]:
    """Return names that MATLAB takes, each once: ``DAQ/Lang I`` becomes ``DAQ_Lang_I``."""
    found: list[str] = []
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:56]
        if not plain[:1].isalpha() or plain in TAKEN.split():
            plain = f"x_{plain}"
        unique, k = plain, 1
        while unique in found:
            k += 1
            unique = f"{plain}_{k}"
        found.append(unique)
    return found


def _named(export: Export) -> Iterator[tuple[str, Series, int]]:
    """Give identifier, series and number of its time base."""
    flat = [(s, k) for k, series in enumerate(export.groups) for s in series]
    for name, (s, k) in zip(identifiers([s.name for s, _ in flat]), flat, strict=True):
        yield name, s, k


def _mat_facts(s: Series) -> dict[str, Any]:
    """Return the facts with our own signs in ASCII: Octave cuts other texts of a .mat short."""
    facts = s.facts() | {"story": str(s.story)}
    signs = str.maketrans(
        {"…": "..", "—": "-", "−": "-", "·": "*", "→": "->", "±": "+-", "²": "^2", "³": "^3"}
    )
    return {k: v.translate(signs) if isinstance(v, str) else v for k, v in facts.items()}


def _about(export: Export) -> dict[str, Any]:
    p = export.provenance
    text = json.dumps(p, default=str)  # JSON has its own way to write any sign in ASCII
    return {"shot": p["shot"], "software": p["software"], "provenance": text}


def _write_mat5(export: Export, path: Path) -> None:
    from scipy.io import savemat

    content: dict[str, Any] = {"ishtar": _about(export)}
    for name, s, _ in _named(export):
        value, time = (np.concatenate(list(x)) for x in (s.values(), s.times()))
        content[name] = {"value": value, "time": time} | _mat_facts(s)
    with path.open("wb") as f:  # given a name, savemat would add .mat to it
        savemat(f, content, do_compression=True, oned_as="column", long_field_names=True)


def _write_mat73(export: Export, path: Path) -> None:
    import h5py

    with h5py.File(path, "w", userblock_size=512) as f:
        _struct(f, "ishtar", _about(export))
        times: dict[int, Any] = {}
        for name, s, k in _named(export):
            group = f.create_group(name)
            # MATLAB's axes run the other way round: (1, n) here is a column there
            _class(_dataset(group, "value", (1, s.n), s.values()), "double")
            if k in times:
                group["time"] = times[k]  # a second name of the same numbers
            else:
                times[k] = _dataset(group, "time", (1, s.n), s.times())
                _class(times[k], "double")
            _fields(group, _mat_facts(s), first=("value", "time"))
    head = f"MATLAB 7.3 MAT-file, Platform: {sys.platform}, written by ishtar HDF5 schema 1.00 ."
    with path.open("r+b") as raw:
        raw.write(head.encode().ljust(116) + bytes(8) + (0x0200).to_bytes(2, "little") + b"IM")


def _struct(where: Any, name: str, content: Mapping[str, Any]) -> None:
    _fields(where.create_group(name), content)


def _fields(group: Any, content: Mapping[str, Any], first: tuple[str, ...] = ()) -> None:
    """Fill a group with numbers and texts as MATLAB keeps a struct's fields."""
    import h5py

    for name, value in content.items():
        if not isinstance(value, str):
            _class(group.create_dataset(name, data=np.float64(value).reshape(1, 1)), "double")
        elif value:
            letters = np.frombuffer(value.encode("utf-16-le"), "<u2").reshape(-1, 1)
            _class(group.create_dataset(name, data=letters), "char", MATLAB_int_decode=np.int32(2))
        else:  # an empty array is its size, and a mark
            none = np.zeros(2, np.uint64)
            _class(group.create_dataset(name, data=none), "char", MATLAB_empty=np.uint8(1))
    _class(group, "struct")
    names = [*first, *content]
    order = np.empty(len(names), dtype=object)
    order[:] = [np.frombuffer(name.encode(), "S1") for name in names]
    group.attrs.create("MATLAB_fields", order, dtype=h5py.vlen_dtype(np.dtype("S1")))


def _class(item: Any, name: str, **attributes: Any) -> None:
    item.attrs["MATLAB_class"] = np.bytes_(name)
    for key, value in attributes.items():
        item.attrs[key] = value


@dataclass(frozen=True)
class Format:
    """How files of a kind are written, and whether they hold one time base only."""

    write: Writer
    table: bool


FORMATS: dict[str, Format] = {
    ".csv": Format(write_csv, True),
    ".h5": Format(write_h5, False),
    ".mat": Format(write_mat, False),
    ".parquet": Format(write_parquet, True),
}


def write_all(export: Export, form: Format, paths: Sequence[Path]) -> None:
    """Write files that all appear whole, once the last one is written, or none does."""
    from ishtar.store import atomic_path

    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(path)) for path in paths]
        form.write(export, temporary)
