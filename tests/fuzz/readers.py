"""What others read from a file: npTDMS, h5py, and plain readers of text of our own.

Each returns channel → values in the file's own unit, or None where it reads nothing: then nothing
can be compared. They may crash or hang, too, so each runs in a process of its own.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import multiprocessing
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Values = dict[str, Any]
PATIENCE_S = 20.0
MEMORY = 2_000_000_000  # bytes


def apart(read: Callable[[Path], Values | None], path: Path) -> Values | None:
    """Return what a reader finds; None where it fails, crashes or hangs."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_read, args=(read, path, theirs))
    process.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(PATIENCE_S) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
        ours.close()


def _read(read: Callable[[Path], Values | None], path: Path, answer: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    warnings.simplefilter("ignore")
    try:
        found = read(path)
    except Exception:  # whatever the peer raises: it reads nothing
        found = None
    answer.send(found)


def tdms(path: Path) -> Values | None:
    """Read with npTDMS."""
    from nptdms import TdmsFile

    found: Values = {}
    for group in TdmsFile.read(path).groups():
        for channel in group.channels():
            name = f"{group.name}/{channel.name}"
            values = channel[:]
            if values.dtype.kind == "c":
                found[f"{name}.re"], found[f"{name}.im"] = values.real, values.imag
            elif values.dtype.kind in "iufb":
                found[name] = values.astype(np.float64)
    return found


def hdf5(path: Path) -> Values | None:
    """Read with h5py."""
    import h5py
    import hdf5plugin  # noqa: F401

    found: Values = {}
    with h5py.File(path, "r") as f:

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "iufb" and item.ndim == 1:
                found[name] = item[:].astype(np.float64)

        f.visititems(visit)
    # names that are no UTF-8 are bytes to h5py
    return {n.decode("latin-1") if isinstance(n, bytes) else n: v for n, v in found.items()}


def lvm(path: Path) -> Values | None:
    """Read the columns of plain files; None where segments differ in unit or names."""
    text = path.read_bytes().decode("latin-1").replace("\r\n", "\n")
    head, *segments = text.split("***End_of_Header***")[0:1] + text.split("X_Value\t")[1:]
    decimal = "," if "Decimal_Separator\t," in head else "."
    units = [line for line in text.split("\n") if line.startswith("Y_Unit_Label")]
    names = {s.split("\n", 1)[0] for s in segments}
    if len(names) != 1 or len(set(units)) != 1 or len(units) != len(segments):
        return None
    labels = [n for n in names.pop().split("\t") if n != "Comment"]
    columns: list[list[float]] = [[] for _ in labels]
    for segment in segments:
        for line in segment.split("\n")[1:]:
            if line[:1].isalpha() or not line.strip():
                break
            cells = line.replace(decimal, ".").split("\t")[1:]
            for column, cell in zip(columns, [*cells, *[""] * len(labels)], strict=False):
                column.append(float(cell) if cell.strip() else float("nan"))
    # a column ends with its last value: a row without any is none
    ends = [max((i + 1 for i, v in enumerate(c) if v == v), default=0) for c in columns]
    return {label: np.array(c[:n]) for label, c, n in zip(labels, columns, ends, strict=True)}


def datecsv(path: Path) -> Values | None:
    """Read the shot's date as dateutil does."""
    from dateutil import parser

    rows = list(csv.reader(io.StringIO(path.read_text()), delimiter=";"))
    if len(rows[0]) < 2:
        rows = list(csv.reader(io.StringIO(path.read_text())))
        rows = [list(pair) for pair in zip(*rows, strict=True)]
    facts = {row[0].strip(): row[1] for row in rows if len(row) == 2}
    text = " ".join(facts[key] for key in ("Date", "Time") if key in facts)
    default = dt.datetime(1, 1, 1)
    date = parser.parse(text, dayfirst="." in text[:6], default=default)
    if date.year == 1:  # it found a time alone
        return None
    return {"date": date.isoformat()}


def log(path: Path) -> Values | None:
    """Read the rows of pulses: those with power on, and dips of up to 2 s."""
    rows = [line.split("\t") for line in path.read_text().split("\n")[1:-1]]
    zero = dt.datetime(1900, 1, 1, 10)
    times = [(dt.datetime.strptime(row[0], "%H:%M:%S.%f") - zero).total_seconds() for row in rows]
    on = [i for i, row in enumerate(rows) if float(row[1]) > 10.0]
    taken = set(on)
    for a, b in itertools.pairwise(on):
        taken |= set(range(a, b)) if times[b] - times[a] <= 2.0 else set()
    pulses = sorted(taken)
    return {
        "Generator/ForwardPower": np.array([float(rows[i][1]) for i in pulses]),
        "Generator/ReflectedPower": np.array([float(rows[i][2]) for i in pulses]),
        "time": np.array([times[i] for i in pulses]),
    }
