"""The elements of TDMS metadata: texts, properties, indexes of raw data.

Nothing is read beyond the end of the metadata, whatever lengths and counts they state.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

from runner.ingest.ingest_errors import Rejected, one_line
from runner.ingest.tdms.tdms_layout import RawIndex, Scaler
from runner.ingest.tdms.tdms_types import (
    DAQMX,
    SCALER_TYPES,
    STRING,
    Order,
    UnknownValue,
    decoded,
    type_of,
    value_of,
    value_size,
)

LONGEST_GAP = 1 << 16  # bytes between metadata and values that are looked at
LONGEST_TEXT = 16 << 20  # bytes of a property
MAX_SCALERS = 64
NO_DATA, AS_BEFORE = 0xFFFFFFFF, 0
_FORMAT_CHANGING, _DIGITAL_LINE = 0x1269, 0x126A
_INDEX_BYTES = (20, 28)  # 28 where a size in bytes follows, as for texts


class MetadataEnds(Exception):
    """The metadata end before they are complete."""


class SizeUnknown(Exception):
    """The size of a property is unknown from its type."""

    def __init__(self, code: int, name: str) -> None:
        super().__init__(name)
        self.code, self.name = code, name


class MetadataBytes:
    """Bytes of metadata up to a limit; reading beyond it raises `MetadataEnds`.

    Parameters
    ----------
    file : binary file
    start, limit : int
        Where the metadata begin and end in it.
    order : str
        ``"<"`` or ``">"``.
    sizes : dict of int to int, optional
        Bytes of a value, by the codes of types that do not tell.
    """

    def __init__(
        self,
        file: BinaryIO,
        start: int,
        limit: int,
        order: Order,
        sizes: Mapping[int, int] | None = None,
    ) -> None:
        file.seek(start)
        self._file, self._left, self.order = file, limit - start, order
        self.sizes: Mapping[int, int] = sizes or {}
        self._u4, self._u8 = struct.Struct(order + "I"), struct.Struct(order + "Q")

    def rest(self) -> bytes:
        """Return the unread rest of the first bytes."""
        return self.take(min(self._left, LONGEST_GAP))

    def take(self, n: int) -> bytes:
        if n > self._left:
            raise MetadataEnds
        self._left -= n
        data = self._file.read(n)
        if len(data) < n:
            raise MetadataEnds
        return data

    def u4(self) -> int:
        return int(self._u4.unpack(self.take(4))[0])

    def u8(self) -> int:
        return int(self._u8.unpack(self.take(8))[0])

    def unpack(self, format: str) -> tuple[Any, ...]:
        s = struct.Struct(self.order + format)
        return s.unpack(self.take(s.size))

    def text(self) -> str:
        n = self.u4()
        if n > self._left:
            raise MetadataEnds
        if n > LONGEST_TEXT:
            raise Rejected(f"a text in its metadata has {n} bytes")
        return decoded(self.take(n))


def read_property(f: MetadataBytes) -> tuple[str, Any]:
    name, code = f.text(), f.u4()
    if code == STRING:
        return name, f.text()
    size = value_size(code)
    if size is None:
        if code not in f.sizes:
            raise SizeUnknown(code, name)
        f.take(f.sizes[code])
        return name, UnknownValue(f"({type_of(code).name}: not read)")
    return name, value_of(code, f.take(size), f.order)


def read_raw_index(f: MetadataBytes, header: int, path: str) -> RawIndex:
    if header in (_FORMAT_CHANGING, _DIGITAL_LINE):
        return _daqmx_index(f, header == _DIGITAL_LINE)
    data_type, path = type_of(f.u4()), one_line(path)
    dimension, count = f.unpack("IQ")
    known = data_type.kind != "unknown"
    if dimension != 1:
        raise Rejected(f"values of {path} have {dimension} dimensions")
    if header < 20 or (known and header not in _INDEX_BYTES):
        raise Rejected(f"the index of {path} states {header} bytes of itself")
    n_bytes: int | None
    if data_type.kind == "text" or (not known and header == 28):
        n_bytes = f.u8()
        if data_type.kind == "text" and n_bytes < 4 * count:
            raise Rejected(f"{count} texts of {path} in {n_bytes} bytes")
    elif not known:
        f.take(header - 20)
        n_bytes = None
    elif data_type.size is None and count:
        raise Rejected(f"{path} has {count} values without a type")
    else:
        n_bytes = count * (data_type.size or 0)
    return RawIndex(data_type=data_type, count=count, n_bytes=n_bytes)


def _daqmx_index(f: MetadataBytes, digital: bool) -> RawIndex:
    data_type = type_of(f.u4())
    dimension, count, n_scalers = f.unpack("IQI")
    if dimension != 1:
        raise Rejected(f"DAQmx values have {dimension} dimensions")
    if n_scalers > MAX_SCALERS:
        raise Rejected(f"a DAQmx channel has {n_scalers} scalers")
    scalers: list[Scaler] = []
    problem = ""
    for _ in range(n_scalers):
        code, buffer, place, _, number = f.unpack("IIIBI" if digital else "IIIII")
        kind = SCALER_TYPES.get(code)
        if kind is None:
            problem = f"its scaler {number} has the unknown type {code}"
            kind = type_of(DAQMX)
        if any(s.number == number for s in scalers):
            problem = f"it has two scalers {number}"
        if digital and (kind.dtype is None or kind.dtype.kind not in "iu"):
            problem = f"its digital line {number} is not a bit of an integer"
        scalers.append(
            Scaler(
                number=number,
                data_type=kind,
                buffer=buffer,
                offset=place // 8 if digital else place,
                bit=place % 8 if digital else None,
            )
        )
    if data_type.kind != "scalers" and (
        len(scalers) != 1 or scalers[0].data_type.code != data_type.code
    ):
        problem = problem or f"its scalers are not of its own type ({data_type.name})"
    widths = tuple(f.u4() for _ in range(f.u4()))
    if not widths:
        raise Rejected("a DAQmx channel states no width of a row")
    return RawIndex(
        data_type=data_type, count=count, scalers=tuple(scalers), widths=widths, problem=problem
    )
