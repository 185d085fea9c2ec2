"""Write TDMS segment by segment, contiguous or interleaved, as a LabVIEW acquisition loop does.

The writer of npTDMS supports contiguous data only and repeats the metadata in every segment;
LabVIEW writes interleaved data from a DAQ buffer, and omits metadata that have not changed.

Format: National Instruments, *TDMS File Format Internal Structure*.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from runner.simulate.campaign import SimulationError

PropertyValue = str | bool | int | float | np.uint32
Properties = Mapping[str, PropertyValue]

_META, _NEW_OBJECTS, _RAW, _INTERLEAVED = 1 << 1, 1 << 2, 1 << 3, 1 << 5
_VERSION: Final = 4713
_LEAD_IN: Final = struct.Struct("<4siiQQ")
_UNFINISHED: Final = 0xFFFFFFFFFFFFFFFF
_NO_DATA, _SAME_AS_BEFORE = 0xFFFFFFFF, 0
_DATA_TYPES: Final = {
    np.dtype(np.int8): 1,
    np.dtype(np.int16): 2,
    np.dtype(np.int32): 3,
    np.dtype(np.int64): 4,
    np.dtype(np.float32): 9,
    np.dtype(np.float64): 10,
}
_RAW_DATA_INPUT: Final = np.uint32(0xFFFFFFFF)


def volts_properties(
    *, volts_per_count: float, t0_s: float, dt_s: float, **more: PropertyValue
) -> dict[str, PropertyValue]:
    """Return the properties of a waveform of raw counts with a linear scale to volts."""
    return {
        "NI_Scaling_Status": "unscaled",
        "NI_Number_Of_Scales": 1,
        "NI_Scale[0]_Scale_Type": "Linear",
        "NI_Scale[0]_Linear_Slope": volts_per_count,
        "NI_Scale[0]_Linear_Y_Intercept": 0.0,
        "NI_Scale[0]_Linear_Input_Source": _RAW_DATA_INPUT,
        "unit_string": "V",
        "wf_start_offset": t0_s,
        "wf_increment": dt_s,
        **more,
    }


@dataclass(frozen=True, kw_only=True)
class ChannelBlock:
    """The next samples (n,) of one channel; properties are written with its first block."""

    group: str
    name: str
    values: NDArray[Any]

    @property
    def path(self) -> str:
        """The object path, quoted as in TDMS."""
        return _path(self.group, self.name)


class TdmsWriter:
    """Append segments to an open file.

    Parameters
    ----------
    file : binary file
        Open for writing, at the start.
    properties : mapping of str to Properties
        Properties of ``"/"``, ``"group"`` and ``"group/channel"``; written in the first segment
        with the object.
    interleaved : bool
        Write sample by sample instead of channel by channel; the channels of a segment must have
        the same length.
    """

    def __init__(
        self, file: BinaryIO, properties: Mapping[str, Properties], *, interleaved: bool = False
    ) -> None:
        self._file = file
        self._interleaved = interleaved
        self._pending = {_object_path(k): v for k, v in properties.items()}
        self._known: set[str] = set()
        self._index: dict[str, tuple[int, int]] = {}
        self._last: list[str] = []

    def write(self, blocks: Sequence[ChannelBlock]) -> int:
        """Append one segment; return its size in bytes.

        Raises
        ------
        SimulationError
            Interleaved channels differ in length.
        """
        if self._interleaved and len({b.values.size for b in blocks}) > 1:
            raise SimulationError(
                "interleaved channels need one length: write them in segments of their own"
            )
        metadata = self._metadata(blocks)
        data = self._data(blocks)
        size = sum(d.nbytes for d in data)
        toc = _RAW | (_INTERLEAVED if self._interleaved else 0)
        toc |= (_META | _NEW_OBJECTS) if metadata else 0
        lead_in = _LEAD_IN.pack(b"TDSm", toc, _VERSION, len(metadata) + size, len(metadata))
        self._file.write(lead_in + metadata)
        for d in data:
            self._file.write(memoryview(d).cast("B"))
        return len(lead_in) + len(metadata) + size

    def _data(self, blocks: Sequence[ChannelBlock]) -> list[NDArray[Any]]:
        if not self._interleaved:
            return [np.ascontiguousarray(b.values) for b in blocks]
        if len({b.values.dtype for b in blocks}) == 1:
            return [np.stack([b.values for b in blocks], axis=1)]
        frame = np.dtype([(str(i), b.values.dtype) for i, b in enumerate(blocks)])
        table = np.empty(blocks[0].values.size, dtype=frame)
        for i, b in enumerate(blocks):
            table[str(i)] = b.values
        return [table.view(np.uint8)]

    def _metadata(self, blocks: Sequence[ChannelBlock]) -> bytes:
        """Return the metadata of a segment; empty if they equal those of the last segment."""
        index = {b.path: (_DATA_TYPES[b.values.dtype], b.values.size) for b in blocks}
        order = list(index)
        if order == self._last and all(self._index[p] == index[p] for p in order):
            return b""
        objects: list[bytes] = []
        for path in ["/", *dict.fromkeys(_path(b.group) for b in blocks)]:
            if path not in self._known:
                objects.append(self._object(path, struct.pack("<I", _NO_DATA)))
        for path in order:
            if self._index.get(path) == index[path]:
                raw = struct.pack("<I", _SAME_AS_BEFORE)
            else:
                raw = struct.pack("<IIIQ", 20, index[path][0], 1, index[path][1])
            objects.append(self._object(path, raw))
        self._index.update(index)
        self._last = order
        return struct.pack("<I", len(objects)) + b"".join(objects)

    def _object(self, path: str, raw_index: bytes) -> bytes:
        properties = {} if path in self._known else self._pending.get(path, {})
        self._known.add(path)
        head = _text(path) + raw_index + struct.pack("<I", len(properties))
        return head + b"".join(_text(k) + _value(v) for k, v in properties.items())


def truncate(path: Path, *, segment: int = -1, fraction: float = 0.5, crashed: bool = False) -> int:
    """Cut a TDMS file inside one of its segments; return the new size in bytes.

    Parameters
    ----------
    path : Path
        The file, changed in place.
    segment : int
        Index of the segment to cut; negative from the end.
    fraction : float
        Fraction of the segment's raw data that remains, 0 to 1.
    crashed : bool
        Mark the segment as unfinished, as LabVIEW leaves it after a crash; otherwise its lead-in
        states more data than there are, as in an incomplete copy.

    Raises
    ------
    SimulationError
        The file is not TDMS, or has no such segment.
    """
    starts = _segments(path)
    try:
        start, data_start, end = starts[segment]
    except IndexError:
        raise SimulationError(
            f"{path.name} has {len(starts)} segments, not number {segment}: name another"
        ) from None
    size = data_start + int((end - data_start) * fraction)
    with path.open("r+b") as f:
        f.truncate(size)
        if crashed:
            f.seek(start + 12)
            f.write(struct.pack("<Q", _UNFINISHED))
    return size


def _segments(path: Path) -> list[tuple[int, int, int]]:
    """Return (start, start of the raw data, end) in bytes of each segment of a complete file."""
    found = []
    size = os.path.getsize(path)
    with path.open("rb") as f:
        start = 0
        while start < size:
            f.seek(start)
            head = f.read(_LEAD_IN.size)
            if len(head) < _LEAD_IN.size or head[:4] != b"TDSm":
                raise SimulationError(f"{path.name} is not a whole TDMS file: simulate it again")
            _, _, _, following, raw = _LEAD_IN.unpack(head)
            body = start + _LEAD_IN.size
            end = min(body + following, size)
            found.append((start, min(body + raw, size), end))
            start = end
    return found


def _path(*parts: str) -> str:
    return "/" + "/".join("'" + p.replace("'", "''") + "'" for p in parts)


def _object_path(key: str) -> str:
    return "/" if key == "/" else _path(*key.split("/"))


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<I", len(encoded)) + encoded


def _value(value: PropertyValue) -> bytes:
    """Encode a property: its type number and the value."""
    if isinstance(value, bool):
        return struct.pack("<I?", 0x21, value)
    if isinstance(value, np.uint32):
        return struct.pack("<II", 7, int(value))
    if isinstance(value, int):
        return struct.pack("<Ii", 3, value)
    if isinstance(value, float):
        return struct.pack("<Id", 10, value)
    return struct.pack("<I", 0x20) + _text(value)
