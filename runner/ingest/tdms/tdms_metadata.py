"""The metadata of a TDMS file: segments, objects, properties, and their changes.

npTDMS reads TDMS files well, but keeps only the last value of a property that changes from segment
to segment, gives up a whole file for one type that it does not know, and cannot tell what of a cut
file is whole. So the structure is read here, and npTDMS reads the same files in the tests.

Whatever a file claims, no more is read or kept than it has bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from runner.ingest.ingest_errors import NotWhole, Rejected, one_line
from runner.ingest.tdms.tdms_index import (
    AS_BEFORE,
    LONGEST_GAP,
    NO_DATA,
    MetadataBytes,
    MetadataEnds,
    SizeUnknown,
    read_property,
    read_raw_index,
)
from runner.ingest.tdms.tdms_layout import RawIndex, Region, Shape, regions, shape_of
from runner.ingest.tdms.tdms_types import Order, possible_sizes, type_of

_LEAD_IN = 28
_UNFINISHED = 0xFFFFFFFFFFFFFFFF
_META, _NEW_LIST, _RAW, _INTERLEAVED, _BIG = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 6

# Properties whose values count from the segment on that states them
_STEADY = (
    "wf_",
    "NI_Scal",
    "NI_Number_Of_Scales",
    "unit_string",
    "SampleTime",
    "Tstart",
    "sampling",
)
_COUNTERS = ("wf_samples",)  # of no consequence here, and different in every write of a loop


@dataclass(kw_only=True, slots=True)
class Object:
    """The file, a group or a channel.

    Attributes
    ----------
    properties : dict
        The last value of each.
    first : dict
        The first value of those that changed.
    changes : list of (int, str, value)
        Segment, name and new value of each change.
    """

    properties: dict[str, Any] = field(default_factory=dict)
    first: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[int, str, Any]] = field(default_factory=list)
    index: RawIndex | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """A segment: its start, the position of its values, and the start of the next one."""

    number: int
    position: int
    data_position: int
    next_segment_pos: int
    shape: Shape | None
    whole: bool = True

    def regions(self) -> list[Region]:
        """Return the regions of its values, in file order."""
        if self.shape is None:
            return []
        found = regions(self.shape, self.data_position, self.next_segment_pos, whole=self.whole)
        return [r for r in found if r.n_rows]

    def is_short(self, found: list[Region]) -> bool:
        """Return whether the regions end within their last chunk."""
        assert self.shape is not None
        size = self.next_segment_pos - self.data_position
        return bool(found) and size % max(1, self.shape.chunk_bytes) != 0


@dataclass(frozen=True, kw_only=True)
class Salvaged:
    """The salvaged part of an incomplete file: its bytes, the total, and the reason."""

    bytes: int
    of: int
    segments: int
    reason: str


Mention = tuple[str, int, RawIndex | None, list[tuple[str, Any]]]


class MetadataReader:
    """Reads the segments of a file in order.

    Parameters
    ----------
    file : binary file
    name : str
        For messages.
    size : int
        Bytes of the file that count.

    Attributes
    ----------
    objects : dict of str to Object
        By path, in the order in which the file names them.
    segments : list of Segment
        Those with values.
    lost : dict of str to str
        Paths of channels whose values cannot be read, and why.
    short, padded : list of int
        Segments whose last chunk is shorter than stated, and those with something between their
        metadata and their values: so LabVIEW may have written them, or they are damaged.
    position : int
        Where the next segment begins: of a damaged file, where it is damaged.
    salvaged : Salvaged or None
        The salvaged part of an incomplete file.
    """

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        self._file, self._name, self._size = file, name, size
        self.objects: dict[str, Object] = {}
        self.segments: list[Segment] = []
        self.lost: dict[str, str] = {}
        self.short: list[int] = []
        self.padded: list[int] = []
        self.salvaged: Salvaged | None = None
        self.version = 0
        self.position = 0
        self.n_segments = 0
        self._listed: dict[str, int] = {}  # places in the list of objects
        self._active: set[str] = set()  # those with values
        self._parts: list[tuple[str, RawIndex]] = []
        self._stale = False
        self._shape_key: Any = None
        self._last_shape: Shape | None = None
        self._signatures: dict[str, Any] = {}
        self._sizes: dict[int, int] = {}  # of values of types that do not tell it

    def read(self, *, unfinished: bool = False) -> None:
        """Read all segments.

        Parameters
        ----------
        unfinished : bool
            Take the whole rows of a last segment that was not written to its end.

        Raises
        ------
        NotWhole
            The file ends too early.
        Rejected
            It cannot be understood.
        """
        while self.position < self._size:
            self._segment(self.position, self.n_segments + 1, unfinished)

    def _segment(self, position: int, number: int, unfinished: bool) -> None:
        toc, order, data_position, end = self._lead_in(position, number)
        whole = end <= self._size
        if data_position > self._size:
            raise self._cut(f"it ends inside the metadata of segment {number}")
        if not whole and not unfinished:
            raise self._cut(f"its last segment, number {number}, is incomplete")
        end = min(end, self._size)
        try:
            metadata_end = position + _LEAD_IN
            if toc & _META:
                mentions = self._metadata(position + _LEAD_IN, data_position, order)
                metadata_end = self._file.tell()
                self._apply(mentions, number, new_list=bool(toc & _NEW_LIST))
            shape = self._shape(toc, order, end - data_position)
            segment = Segment(
                number=number,
                position=position,
                data_position=data_position,
                next_segment_pos=end,
                shape=shape,
                whole=whole,
            )
            found = segment.regions()  # what is wrong with them is said now
        except MetadataEnds:
            raise self._wrong(number, position, "its metadata are longer than stated") from None
        except Rejected as error:
            raise self._wrong(number, position, str(error)) from error
        if not whole and not found:
            raise self._cut(f"nothing of its last segment, number {number}, is complete")
        if shape is not None:
            self.segments.append(segment)
            if whole and segment.is_short(found):
                self.short.append(number)
            if data_position > metadata_end and self._is_written(metadata_end, data_position):
                self.padded.append(number)
        self.n_segments, self.position = number, end

    def _is_written(self, start: int, end: int) -> bool:
        """Return whether the gap before values, which LabVIEW leaves on some disks, is not zero."""
        self._file.seek(start)
        return bool(self._file.read(min(end - start, LONGEST_GAP)).strip(b"\0"))

    def _cut(self, what: str) -> NotWhole:
        return NotWhole(f"{self._name} is truncated: {what}")

    def _wrong(self, number: int, position: int, what: str) -> Rejected:
        where = f"segment {number}, at byte {position}"
        return Rejected(f"{self._name} is damaged: {where}: {what}")

    def _lead_in(self, position: int, number: int) -> tuple[int, Order, int, int]:
        """Return flags, byte order, and where values and segment end."""
        self._file.seek(position)
        head = self._file.read(_LEAD_IN)
        if head[:4] != b"TDSm"[: len(head)]:
            if not head.strip(b"\0"):
                raise self._cut(f"it has only zeros at byte {position}")
            raise self._wrong(number, position, "no segment begins there")
        if len(head) < _LEAD_IN:
            raise self._cut(f"{len(head)} bytes after segment {number - 1} are not a segment")
        (toc,) = struct.unpack("<I", head[4:8])
        order: Order = ">" if toc & _BIG else "<"
        version, following, raw = struct.unpack(order + "IQQ", head[8:])
        self.version = self.version or version
        body = position + _LEAD_IN
        if following == _UNFINISHED:  # LabVIEW's mark while it writes, for ever if it crashes
            return toc, order, body + raw, self._size + 1
        if raw > following:
            raise self._wrong(number, position, "its values begin after its end")
        return toc, order, body + raw, body + following

    def _metadata(self, start: int, limit: int, order: Order) -> list[Mention]:
        """Return the objects in the metadata of a segment, and leave the file at their end.

        Raises
        ------
        MetadataEnds
            It says more than it has bytes for.
        Rejected
            It cannot be understood, or only by a guess.
        """
        try:
            return self._mentions(MetadataBytes(self._file, start, limit, order, self._sizes))
        except SizeUnknown as unknown:
            odd = unknown
        fitting = dict(self._fitting(odd.code, start, limit, order))
        best = [s for s, (_, end) in fitting.items() if end == limit] or list(fitting)
        if len(best) != 1:
            kind = type_of(odd.code).name
            raise Rejected(
                f"its property {one_line(odd.name)} is of a kind that is not read ({kind}), "
                "and its size is not certain"
            )
        self._sizes, (mentions, end) = self._sizes | {odd.code: best[0]}, fitting[best[0]]
        self._file.seek(end)
        return mentions

    def _fitting(
        self, code: int, start: int, limit: int, order: Order
    ) -> Iterator[tuple[int, tuple[list[Mention], int]]]:
        """Yield the sizes of a type for which the rest is valid, and that rest."""
        for size in possible_sizes(code):
            f = MetadataBytes(self._file, start, limit, order, self._sizes | {code: size})
            try:
                mentions, end = self._mentions(f), self._file.tell()
                if not f.rest().strip(b"\0"):
                    yield size, (mentions, end)
            except (MetadataEnds, Rejected, SizeUnknown):
                continue

    def _mentions(self, f: MetadataBytes) -> list[Mention]:
        mentions: list[Mention] = []
        seen: set[str] = set()
        for _ in range(f.u4()):
            path = f.text()
            if path in seen:
                raise Rejected(f"it lists {one_line(path)} twice")
            seen.add(path)
            header = f.u4()
            index = None if header in (NO_DATA, AS_BEFORE) else read_raw_index(f, header, path)
            mentions.append((path, header, index, [read_property(f) for _ in range(f.u4())]))
        return mentions

    def _apply(self, mentions: list[Mention], number: int, *, new_list: bool) -> None:
        """Apply the objects in the metadata of a segment."""
        if new_list:
            self._listed.clear()
            self._active.clear()
        self._stale = True
        for path, header, index, properties in mentions:
            o = self.objects.setdefault(path, Object())
            o.index = index or o.index
            if header == AS_BEFORE and o.index is None:
                raise Rejected(
                    f"values of {one_line(path)} repeat the previous layout, but there is none"
                )
            self._listed.setdefault(path, len(self._listed))
            if header != NO_DATA and o.index is not None and o.index.count:
                self._active.add(path)
            else:
                self._active.discard(path)
            _state(o, properties, number)

    def _shape(self, toc: int, order: Order, size: int) -> Shape | None:
        """Return the layout of the segment's values; None if it has none."""
        if not size:
            return None
        if not toc & _RAW:
            raise Rejected(f"it has {size} bytes of values, but states none")
        if not self._active:
            raise Rejected(f"it has {size} bytes of values, but no channel for them")
        if self._stale:  # only now, because most segments of some files have no values
            parts: list[tuple[str, RawIndex]] = []
            for path in sorted(self._active, key=self._listed.__getitem__):
                index = self.objects[path].index
                assert index is not None
                parts.append((path, index))
            if parts != self._parts:
                self._parts, self._shape_key = parts, None
            self._stale = False
        guessed = any(index.n_bytes is None for _, index in self._parts)
        key = (order, toc & _INTERLEAVED, size if guessed else 0)
        if key != self._shape_key or self._last_shape is None:
            self._last_shape = shape_of(self._parts, order, bool(toc & _INTERLEAVED), size)
            self._shape_key = key
            self._look_for_lost(self._last_shape)
        return self._last_shape

    def _look_for_lost(self, shape: Shape) -> None:
        for path, reason in shape.lost.items():
            self.lost.setdefault(path, reason)
        for path, index in self._parts:
            if self._signatures.setdefault(path, index.signature) != index.signature:
                self.lost.setdefault(path, "the type of its values changes from segment to segment")


def _state(o: Object, properties: list[tuple[str, Any]], number: int) -> None:
    """Record the properties in a segment, and their changes."""
    for name, value in properties:
        if name in o.properties and name.startswith(_STEADY) and name not in _COUNTERS:
            old = o.properties[name]
            if not (old == value or (old != old and value != value)):  # NaN stays NaN
                o.first.setdefault(name, old)
                o.changes.append((number, name, value))
        o.properties[name] = value
