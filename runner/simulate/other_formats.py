"""Formats other than TDMS: text files of LabVIEW and HDF5 files of the archive."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runner.simulate.campaign import SimulationError


def write_lvm(
    path: Path,
    channels: Mapping[str, ArrayLike],
    *,
    dt_s: float,
    start: dt.datetime,
    x0_s: float = 0.0,
    unit: str = "Volts",
    operator: str = "operator",
    decimal_comma: bool = True,
) -> None:
    """Write a LabVIEW measurement file (text): file header, channel header, rows.

    Parameters
    ----------
    path : Path
        File to write.
    channels : mapping of str to (n,) array_like
        Values by name, of equal length; written with six decimals, as by LabVIEW.
    dt_s, x0_s : float
        Step and start of the common time column.
    start : datetime
        Absolute local time of each channel's first sample.
    unit, operator : str
        Entries of the header.
    decimal_comma : bool
        Write a decimal comma, as with German settings; otherwise a point.
    """
    columns = [np.asarray(v, dtype=np.float64) for v in channels.values()]
    lengths = {c.size for c in columns}
    if len(lengths) != 1:
        raise SimulationError(
            "the channels of one .lvm file need one length: cut them to the shortest"
        )
    n = lengths.pop()
    mark = "," if decimal_comma else "."

    def number(value: float, form: str) -> str:
        return format(value, form).replace(".", mark)

    date = start.strftime("%Y/%m/%d")
    time = f"{start:%H:%M:%S}{mark}{start.microsecond:06d}0000000000000"
    # LabVIEW does not pad the exponent
    x0 = re.sub(r"E([+-])0(\d)$", r"E\1\2", number(x0_s, ".16E"))

    def each(value: object) -> str:
        return f"\t{value}" * len(columns) + "\t"

    lines = [
        "LabVIEW Measurement\t",
        "Writer_Version\t2",
        "Reader_Version\t2",
        "Separator\tTab",
        f"Decimal_Separator\t{mark}",
        "Multi_Headings\tYes",
        "X_Columns\tOne",
        "Time_Pref\tAbsolute",
        f"Operator\t{operator}",
        f"Date\t{date}",
        f"Time\t{time}",
        "***End_of_Header***\t",
        "\t",
        "Channels\t" + str(len(columns)) + "\t" * len(columns),
        "Samples" + each(n),
        "Date" + each(date),
        "Time" + each(time),
        "Y_Unit_Label" + each(unit),
        "X_Dimension" + each("Time"),
        "X0" + each(x0),
        "Delta_X" + each(number(dt_s, ".6f")),
        "***End_of_Header***" + "\t" * (len(columns) + 1),
        "X_Value\t" + "\t".join(channels) + "\tComment",
    ]
    with path.open("w", encoding="latin-1", newline="") as f:
        f.write("\r\n".join(lines) + "\r\n")
        for i, row in enumerate(zip(*columns, strict=True)):
            cells = [number(x0_s + i * dt_s, ".6f"), *(number(v, ".6f") for v in row)]
            f.write("\t".join(cells) + "\r\n")
        f.write("\r\n")


def write_archive(
    path: Path,
    groups: Mapping[str, Mapping[str, ArrayLike]],
    *,
    sampling_hz: Mapping[str, float],
    generator: tuple[ArrayLike, ArrayLike, ArrayLike] | None = None,
) -> None:
    """Write an archive file ``NNNNN_Data.h5``: a group per LabVIEW group, a dataset per channel.

    Parameters
    ----------
    path : Path
        File to write.
    groups : mapping of str to mapping of str to (n,) array_like
        Group → channel → values, in volts or in the unit of the source file.
    sampling_hz : mapping of str to float
        Group → its attribute `sampling`; omit groups with a `Time` channel.
    generator : tuple of three (n,) array_like, optional
        Time in s on the shot's clock, forward and reflected power in W, written as
        ``Generator/{Time,Fpower,Rpower}`` with `Time` in minutes, as in the archive.
    """
    import h5py

    with h5py.File(path, "w", libver="earliest") as f:
        for name, channels in groups.items():
            group = f.create_group(name)
            if name in sampling_hz:
                group.attrs["sampling"] = float(sampling_hz[name])
            for channel, values in channels.items():
                group.create_dataset(channel, data=np.asarray(values))
        if generator is not None:
            time_s, forward, reflected = (np.asarray(x, dtype=np.float64) for x in generator)
            group = f.create_group("Generator")
            group.create_dataset("Time", data=time_s / 60.0)
            group.create_dataset("Fpower", data=forward)
            group.create_dataset("Rpower", data=reflected)


def archive_of(tdms: Path, path: Path) -> None:
    """Write the archive file of a simulated shot (it is read into memory), in volts.

    The archive stores no absolute start; the attribute `Tstart` of a group is its start relative to
    the trigger, as in the TDMS file.
    """
    import h5py
    from nptdms import TdmsFile

    source = TdmsFile.read(tdms)
    groups: dict[str, dict[str, NDArray[Any]]] = {}
    sampling: dict[str, float] = {}
    for group in source.groups():
        groups[group.name] = {c.name: c[:] for c in group.channels()}
        if "SampleTime" in group.properties:
            sampling[group.name] = round(1.0 / group.properties["SampleTime"], 3)
    write_archive(path, groups, sampling_hz=sampling)
    with h5py.File(path, "r+") as f:
        for group in source.groups():
            if "Tstart" in group.properties:
                f[group.name].attrs["Tstart"] = group.properties["Tstart"]
