"""The objects of a TDMS file: file, groups and channels with their properties."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.ingest.tdms_blocks import TdmsMetadata


@dataclass(frozen=True, kw_only=True)
class Channel:
    path: str  # of the TDMS object
    group: str
    name: str
    properties: dict[str, Any]
    data_type: Any
    scalers: Mapping[int, Any]
    n: int

    @property
    def stored(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass(frozen=True, kw_only=True)
class Objects:
    file: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    channels: dict[tuple[str, str], Channel]


def read_objects(metadata: TdmsMetadata) -> Objects:
    from nptdms.common import ObjectPath

    file: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    channels: dict[tuple[str, str], Channel] = {}
    for text, found in metadata.objects.items():
        path = ObjectPath.from_string(text)
        properties = {k: plain(v) for k, v in found.properties.items()}
        if path.is_root:
            file = properties
        elif path.is_group:
            groups[path.group] = properties
        else:
            groups.setdefault(path.group, {})
            channels[path.group, path.channel] = Channel(
                path=text,
                group=path.group,
                name=path.channel,
                properties=properties,
                data_type=found.data_type,
                scalers=found.scaler_data_types or {},
                n=int(found.num_values),
            )
    return Objects(file=file, groups=groups, channels=channels)


def kind_of(channel: Channel) -> str:
    data_type = channel.data_type
    if channel.scalers:
        return "number"
    if data_type is None or data_type.enum_value == 0:
        return "nothing"
    if data_type.enum_value == 0x20:
        return "text"
    if data_type.enum_value == 0x44:
        return "timestamp"
    return {"b": "bool", "c": "complex"}.get(data_type.nptype.kind, "number")


def plain(value: Any) -> Any:
    """Return a TDMS property as a number, a text or a truth; time stamps as ISO text in UTC."""
    if hasattr(value, "as_datetime64"):
        return str(value.as_datetime64("us")) + "Z"
    return value.item() if isinstance(value, np.generic) else value
