"""The objects of a TDMS file: file, groups and channels with their properties."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ishtar.store.h5_names import unique_name
from runner.ingest.ingest_errors import one_line
from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_types import DataType, TimeStamp, UnknownValue, type_of

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
LONGEST_NAME = 1000  # characters of a channel's path

# what the store and its readers say in properties: a file may not say it in their place
_OURS = {
    *("groups", "notes", "salvaged", "texts", "text_properties", "time_base", "computed"),
    *("scale_missing", "left_out", "bool", "no_data", "timestamp", "time_steps_back"),
}


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A channel of the file: ``stored`` is its path in the store, ``n`` its number of values."""

    path: str  # of the TDMS object
    group: str
    name: str
    stored: str
    properties: dict[str, Any]
    data_type: DataType
    scalers: Mapping[int, DataType]
    n: int

    @property
    def kind(self) -> str:
        """The kind of its values: number, bool, complex, timestamp, text or nothing."""
        if self.scalers:
            kinds = {t.kind for t in self.scalers.values()}
            return "timestamp" if kinds == {"timestamp"} else "number"
        return "nothing" if self.data_type.kind in ("scalers", "unknown") else self.data_type.kind


@dataclass(frozen=True, kw_only=True)
class Objects:
    """All objects; ``left_out`` are channels that are not stored, with their reasons."""

    file: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    channels: dict[tuple[str, str], Channel]
    left_out: dict[str, str]


def read_objects(metadata: TdmsMetadata) -> Objects:
    """Return the objects of a file, with unique names of channels."""
    file: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    channels: dict[tuple[str, str], Channel] = {}
    left_out: dict[str, str] = {}
    taken: set[str] = set()
    for text, found in metadata.objects.items():
        path = object_path(text)
        shown = one_line("/".join(path) if path else text)
        if path is None or (len(path) < 2 and text in metadata.n_values):
            left_out[shown] = "it is no channel of a group"
        if path is None:
            continue
        if not path:
            file = found.properties
        elif len(path) == 1:
            groups[path[0]] = found.properties
        elif text in metadata.lost:
            left_out[shown] = metadata.lost[text]
        elif len(text) > LONGEST_NAME:
            left_out[shown] = f"its name has {len(text)} characters"
        else:
            groups.setdefault(path[0], {})
            stored = unique_name("/".join(map(cleaned, path)), taken)
            index = found.index
            channels[path[0], path[1]] = Channel(
                path=text,
                group=path[0],
                name=path[1],
                stored=stored,
                properties=found.properties,
                data_type=index.data_type if index else type_of(0),
                scalers={s.number: s.data_type for s in index.scalers} if index else {},
                n=metadata.n_values.get(text, 0),
            )
    return Objects(file=file, groups=groups, channels=channels, left_out=left_out)


def object_path(text: str) -> tuple[str, ...] | None:
    """Return the parts of an object path, ``/'group'/'it''s'``; None for an invalid one."""
    parts: list[str] = []
    rest = text
    while rest and rest != "/":
        if not rest.startswith("/'"):
            return None
        rest, part = rest[2:], ""
        while True:
            head, quote, rest = rest.partition("'")
            part += head
            if not quote:
                return None
            if not rest.startswith("'"):
                break
            part, rest = part + "'", rest[1:]
        parts.append(part)
    return tuple(parts) if len(parts) <= 2 else None


def cleaned(text: str) -> str:
    """Return a name or a unit without control characters, which HDF5 cannot keep."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def kept(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return properties as plain values; reserved names get a suffix."""
    return {
        (f"{name} (of the file)" if name in _OURS else name): plain(value)
        for name, value in properties.items()
    }


def plain(value: Any) -> Any:
    """Return a TDMS property as a number, a text or a boolean; time stamps as ISO text in UTC."""
    return str(value) if isinstance(value, TimeStamp | UnknownValue | complex) else value
