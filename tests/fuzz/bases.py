"""Small good files of each kind, from which damaged ones are made, and crafted bad ones."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import h5py
import hdf5plugin
import numpy as np
from nptdms import ChannelObject, GroupObject, RootObject, TdmsWriter

Base = tuple[str, bytes]
"""Name of the file, with its shot number, and its content."""


def _tdms(write: Callable[[TdmsWriter], None]) -> bytes:
    out = io.BytesIO()
    with TdmsWriter(out) as writer:
        write(writer)
    return out.getvalue()


def tdms() -> Iterator[Base]:
    """Yield TDMS files: integers with a scale, several segments, floats, texts, complex numbers."""
    scale = {
        "NI_Scaling_Status": "unscaled",
        "NI_Number_Of_Scales": 1,
        "NI_Scale[0]_Scale_Type": "Linear",
        "NI_Scale[0]_Linear_Slope": 0.25,
        "NI_Scale[0]_Linear_Y_Intercept": 1.0,
        "NI_Scale[0]_Linear_Input_Source": 0xFFFFFFFF,
        "unit_string": "V",
    }
    root = RootObject({"DateTime": "2026-11-22 15:00:00"})
    group = GroupObject("PXI M6251", {"SampleTime": 1e-5, "Tstart": -0.5})

    def plain(w: TdmsWriter) -> None:
        w.write_segment([root, group, ChannelObject("PXI M6251", "a", np.arange(50, dtype="i2"))])

    def scaled(w: TdmsWriter) -> None:
        for k in range(3):
            values = np.arange(20 * k, 20 * k + 20, dtype="i2")
            more = np.linspace(0, 1, 20) + k
            w.write_segment(
                [
                    root,
                    ChannelObject("g", "a", values, scale | {"wf_increment": 0.1}),
                    ChannelObject("g", "b", more, {"wf_increment": 0.1, "unit_string": "A"}),
                ]
            )

    def odd(w: TdmsWriter) -> None:
        w.write_segment(
            [
                ChannelObject("g", "text", ["one", "two", "drei"]),
                ChannelObject("g", "bool", np.array([True, False, True])),
                ChannelObject("g", "complex", np.array([1 + 2j, 3 - 1j])),
                ChannelObject("g", "f4", np.array([1.5, 2.5], dtype="f4"), {"wf_increment": 1.0}),
                ChannelObject("g", "u8", np.array([1, 2**63], dtype="u8")),
            ]
        )

    for number, write in enumerate((plain, scaled, odd), 1):
        yield f"{number:05d}_Data.tdms", _tdms(write)


LVM_HEAD = (
    "LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\n"
    "Decimal_Separator\t{decimal}\nMulti_Headings\tYes\nX_Columns\t{x}\nTime_Pref\tAbsolute\n"
    "Operator\tff\nDate\t2026/11/22\nTime\t10:00:00.0\n***End_of_Header***\t\n"
)


def lvm() -> Iterator[Base]:
    """Yield LVM files: one x column, none, decimal comma, two segments."""
    segment = (
        "\t\nChannels\t2\t\t\nSamples\t4\t4\t\nDate\t2026/11/22\t2026/11/22\t\n"
        "Time\t10:00:00.0\t10:00:00.0\t\nY_Unit_Label\tV\tA\t\nX_Dimension\tTime\tTime\t\n"
        "X0\t0\t0\t\nDelta_X\t0.1\t0.1\t\n***End_of_Header***\t\t\t\nX_Value\tU\tI\tComment\n"
    )
    rows = "".join(f"{i / 10:.6f}\t{1.5 + i}\t{0.25 + 10 * i}\n" for i in range(4))
    bare = "".join(f"\t{1.5 + i}\t{0.25 + 10 * i}\n" for i in range(4))
    later = segment.replace("10:00:00.0", "10:00:05.0")
    one = LVM_HEAD.format(decimal=".", x="One") + segment + rows
    none = LVM_HEAD.format(decimal=".", x="No") + segment + bare + later + bare
    comma = (LVM_HEAD.format(decimal=",", x="One") + segment + rows).replace("0.", "0,")
    comma = comma.replace("1.5", "1,5").replace(".25", ",25").replace(".5", ",5")
    for number, text in enumerate((one, none, comma), 1):
        yield f"{number:05d}_box.lvm", text.replace("\n", "\r\n").encode()


def _hdf5(write: Callable[[h5py.File], None]) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as f:
        f.attrs["date"] = "2026-11-22T15:00:00"
        write(f)
    return out.getvalue()


def hdf5() -> Iterator[Base]:
    """Yield HDF5 archives: contiguous, chunked and compressed, with a clock of their own."""

    def plain(f: h5py.File) -> None:
        group = f.create_group("PXI M6251")
        group.attrs["sampling"] = 1e4
        group["Lang_I"] = np.arange(200, dtype="i2")

    def packed(f: h5py.File) -> None:
        group = f.create_group("g")
        group.attrs["sampling"] = 1e3
        values = np.arange(3000, dtype="f8") ** 0.5
        group.create_dataset("gzip", data=values, chunks=(1000,), compression="gzip", shuffle=True)
        group.create_dataset("lz4", data=values, chunks=(1024,), **hdf5plugin.LZ4())
        group.create_dataset("sum", data=values, chunks=(1000,), fletcher32=True)

    def clock(f: h5py.File) -> None:
        group = f.create_group("Generator")
        group["Time"] = np.arange(30) / 60
        group["Fpower"] = np.arange(30.0)

    for number, write in enumerate((plain, packed, clock), 1):
        yield f"{number:05d}_Data.h5", _hdf5(write)


def hdf5_crafted(folder: Path, random: Random) -> Iterator[tuple[str, bytes, dict[str, bytes]]]:
    """Yield archives that claim or link what they must not: name, content, what must never appear.

    The last is a secret of this computer that the file points at, by a name for the message.
    """
    secret = folder / "secret.txt"
    secret.write_bytes(bytes(random.randrange(65, 90) for _ in range(4096)))
    outside = {"a file outside": secret.read_bytes()}

    def dataset(f: h5py.File, layout: Callable[[h5py.h5p.PropDCID], None], shape: int) -> None:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        layout(plist)
        space = h5py.h5s.create_simple((shape,), (h5py.h5s.UNLIMITED,) if shape == 1000 else None)
        group = f.require_group("g")
        group.attrs["sampling"] = 1e3
        h5py.h5d.create(group.id, b"a", h5py.h5t.NATIVE_INT16, space, plist)

    def external(f: h5py.File) -> None:
        name = str(secret).encode()
        dataset(f, lambda p: p.set_external(name, 0, 2048), 1024)

    def virtual(f: h5py.File) -> None:
        layout = h5py.VirtualLayout(shape=(100,), dtype="i2")
        layout[:] = h5py.VirtualSource(f"{random.random()}.h5", "x", shape=(100,))
        f.create_virtual_dataset("g/a", layout)

    def link(f: h5py.File) -> None:
        other = folder / "other.h5"
        if not other.exists():
            with h5py.File(other, "w") as o:
                o["a"] = np.frombuffer(secret.read_bytes(), dtype="i2")
        f["g/a"] = h5py.ExternalLink(str(other), "/a")

    def claim(f: h5py.File) -> None:
        f.create_dataset("g/a", shape=(2 ** random.randrange(34, 50),), dtype="i2", chunks=(4096,))

    def claim_contiguous(f: h5py.File) -> None:
        f.create_dataset("g/a", shape=(2 ** random.randrange(30, 40),), dtype="i2")

    def short_chunk(f: h5py.File) -> None:
        d = f.create_dataset("g/a", shape=(4096,), dtype="i2", chunks=(4096,))
        d.id.write_direct_chunk((0,), bytes(2 * random.randrange(0, 4095)))

    def short_gzip(f: h5py.File) -> None:
        import zlib

        d = f.create_dataset("g/a", shape=(4096,), dtype="i2", chunks=(4096,), compression="gzip")
        d.id.write_direct_chunk((0,), zlib.compress(bytes(2 * random.randrange(0, 4095))))

    def masked(f: h5py.File) -> None:
        d = f.create_dataset("g/a", shape=(4096,), dtype="i2", chunks=(4096,), compression="gzip")
        d.id.write_direct_chunk((0,), bytes(random.randrange(1, 8191)), filter_mask=1)

    def garbage_lz4(f: h5py.File) -> None:
        d = f.create_dataset("g/a", (4096,), "i2", chunks=(4096,), **hdf5plugin.LZ4())
        size = 2 ** random.randrange(1, 40)
        d.id.write_direct_chunk((0,), struct.pack(">QI", size, 1 << 30) + random.randbytes(50))

    def bitshuffle(f: h5py.File) -> None:
        d = f.create_dataset("g/a", (4096,), "i2", chunks=(4096,), **hdf5plugin.Bitshuffle())
        size = 2 ** random.randrange(1, 40)
        d.id.write_direct_chunk((0,), struct.pack(">QI", size, 8192) + random.randbytes(50))

    def cycle(f: h5py.File) -> None:
        group = f.create_group("g")
        group["again"] = group
        group["lost"] = h5py.SoftLink("/nowhere")
        group["loop"] = h5py.SoftLink("/g/loop")

    crafts = (
        *(external, virtual, link, claim, claim_contiguous, short_chunk, short_gzip, masked),
        *(garbage_lz4, bitshuffle, cycle),
    )
    while True:
        for craft in crafts:
            yield f"00001_{craft.__name__}.h5", _hdf5(craft), outside


def csv() -> Iterator[Base]:
    """Yield CSV files of the PLC."""
    yield "00001_Date.csv", b"Date;2026-11-22 15:00:00.123\r\nGas;Ar\r\nProgram;scan 1\r\n"
    yield "00002_Date.csv", b"Date,Time,Gas\n22.11.2026,15:00:00,He\n"


def log() -> Iterator[Base]:
    """Yield logs of the generator."""
    rows = "".join(f"10:00:{i:02d}.5\t{500.0 * (3 < i < 9)}\t{5.0}\n" for i in range(15))
    head = "Time\tForwardPower[W]\tReflectedPower[W]\n"
    yield "GENERATOR_2026-11-22.txt", (head + rows).encode()
