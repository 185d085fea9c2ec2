"""TDMS, as LabVIEW writes it: contiguous, interleaved and DAQmx, raw values kept as they are.

Times, the first that a channel has:

1. in group ``S7``: its channel ``Time``, in ms, where it has the same length;
2. ``wf_increment`` and ``wf_start_offset`` of the channel;
3. ``SampleTime`` and ``Tstart`` of its group (``PXI M6251``, ``Tektronix``), or ``sampling`` in Hz;
4. a channel ``Time`` of the same length in its group, by its unit;
5. none: ``dt`` is 1 and ``time_base`` says ``samples``: sample numbers, not seconds.

Which one it was stands in the channel's property ``time_base``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ChannelWriter, apply_scale
from runner.ingest.context import Context
from runner.ingest.dates import iso, parse_moment
from runner.ingest.tdms_blocks import Key, TdmsMetadata
from runner.ingest.tdms_scale import is_scale_property, scale_of

LONGEST_TEXTS = 64_000  # characters of a text channel that are kept as a property
LONGEST_CLOCK = 1 << 21  # samples of a Time channel that are held in memory
SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
CLOCK_UNITS = {"S7": "ms"}  # groups whose Time channel is their clock, whatever else they state
_1904 = np.datetime64("1904-01-01", "ns").astype(np.int64)


class Tdms:
    """``NNNNN_Data.tdms``."""

    name = "tdms"
    version = "1"

    def matches(self, path: Path, head: bytes) -> bool:
        """Say whether the file begins as a TDMS file does."""
        return head[:4] == b"TDSm"

    def convert(self, path: Path, context: Context) -> None:
        """Stream every channel into the shot file, in one pass."""
        metadata = TdmsMetadata(path)
        objects = _objects(metadata)
        _describe(objects, metadata, context)
        clocks = _Clocks(metadata, objects)
        sinks = {o.path: _Sink(o, objects, clocks, context) for o in objects.channels.values()}
        for block in metadata.blocks():
            sinks[block.key.channel].take(block.key, block.values)
            context.progress(block.position)
        for sink in sinks.values():
            sink.finish()


@dataclass(frozen=True, kw_only=True)
class _Channel:
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
class _Objects:
    file: dict[str, Any]
    groups: dict[str, dict[str, Any]]
    channels: dict[tuple[str, str], _Channel]


def _objects(metadata: TdmsMetadata) -> _Objects:
    from nptdms.common import ObjectPath

    file: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    channels: dict[tuple[str, str], _Channel] = {}
    for text, found in metadata.objects.items():
        path = ObjectPath.from_string(text)
        properties = {k: plain(v) for k, v in found.properties.items()}
        if path.is_root:
            file = properties
        elif path.is_group:
            groups[path.group] = properties
        else:
            groups.setdefault(path.group, {})
            channels[path.group, path.channel] = _Channel(
                path=text,
                group=path.group,
                name=path.channel,
                properties=properties,
                data_type=found.data_type,
                scalers=found.scaler_data_types or {},
                n=int(found.num_values),
            )
    return _Objects(file=file, groups=groups, channels=channels)


def _describe(objects: _Objects, metadata: TdmsMetadata, context: Context) -> None:
    """Keep what the file says of itself, and of the shot."""
    context.properties.update(objects.file)
    context.properties["groups"] = objects.groups
    version = f"TDMS {metadata.version}"
    names = (objects.file.get("WriterName"), objects.file.get("WriterVersion"))
    context.written_by(" ".join(str(n) for n in names if n) or version)
    for attribute in ("gas", "program", "operator", "comment"):
        for key, value in objects.file.items():
            if key.casefold() == attribute and isinstance(value, str) and value:
                context.attributes[attribute] = value
    date = _date(objects, context)
    if date is not None:
        context.attributes["date"] = date


def _date(objects: _Objects, context: Context) -> str | None:
    """Return the file's own date as local time; else the start of its first waveform."""
    stated = [objects.file.get(k) for k in ("DateTime", "date", "Date")]
    starts = [c.properties.get("wf_start_time") for c in objects.channels.values()]
    for texts in (stated, sorted(t for t in starts if isinstance(t, str))):
        for text in texts:
            moment = parse_moment(text) if isinstance(text, str) else None
            if moment is not None and moment.year > 1904:  # 1904: LabVIEW's "not set"
                if moment.tzinfo is None:
                    return iso(moment)
                return context.local(moment)
    return None


class _Sink:
    """Takes the blocks of one TDMS channel to where they are stored."""

    def __init__(
        self, channel: _Channel, objects: _Objects, clocks: _Clocks, context: Context
    ) -> None:
        self._channel = channel
        self._context = context
        self._texts: list[str] = []
        self._n_characters = 0
        self._writers: dict[int | None, ChannelWriter] = {}
        self._imaginary: ChannelWriter | None = None
        self._times: Iterator[NDArray[np.float64]] | None = None
        self._rest = np.empty(0)
        kind = _kind(channel)
        if kind == "text":
            return
        base = _time_base(channel, objects, context)
        properties = _own_properties(channel) | {"time_base": base.name}
        levels = (channel.properties, objects.groups[channel.group], objects.file)
        scale, scaler = scale_of(channel.stored, *levels)
        if base.time is not None:
            self._times = clocks.seconds(base.time, base.per_second)
        options: dict[str, Any] = {
            "unit": str(channel.properties.get("unit_string", "")),
            "scale": scale,
            "properties": properties,
            **({"irregular": True} if base.time else {"t0": base.t0, "dt": base.dt}),
        }
        if kind == "timestamp":
            options["unit"], options["properties"]["timestamp"] = "ns", "since 1970-01-01 UTC"
        if kind == "bool":
            options["properties"]["bool"] = True
        if kind == "nothing":
            options["properties"]["no_data"] = True
        if channel.scalers:
            self._begin_scalers(scaler, options)
        elif kind == "complex":
            self._writers[None] = self._begin(".re", np.float64, options)
            self._imaginary = self._begin(".im", np.float64, options)
        else:
            dtype = {"timestamp": np.int64, "bool": np.uint8, "nothing": np.float64}.get(kind)
            self._writers[None] = self._begin("", dtype or channel.data_type.nptype, options)

    def _begin(self, suffix: str, dtype: Any, options: dict[str, Any]) -> ChannelWriter:
        return self._context.channel(
            self._channel.stored + suffix,
            dtype=dtype,
            **options | {"properties": dict(options["properties"])},
        )

    def _begin_scalers(self, chosen: int | None, options: dict[str, Any]) -> None:
        """Begin a channel for the scaler that the scale starts at, others beside it unscaled."""
        if chosen not in self._channel.scalers:
            chosen = min(self._channel.scalers)
        for number, data_type in sorted(self._channel.scalers.items()):
            if number == chosen:
                self._writers[number] = self._begin("", data_type.nptype, options)
            else:
                more = options | {"scale": [], "unit": ""}
                suffix = f" [scaler {number}]"
                self._writers[number] = self._begin(suffix, data_type.nptype, more)
        if self._channel.data_type.nptype is not None:  # one scaler, values with their own type
            self._writers[None] = self._writers[chosen]

    def take(self, key: Key, values: Any) -> None:
        """Take the next values of the channel."""
        if key.is_text:
            self._n_characters += sum(map(len, values))
            if self._n_characters <= LONGEST_TEXTS:
                self._texts += values
            return
        if values.dtype.names:
            values = _nanoseconds(values)
        if self._imaginary is not None:
            self._imaginary.append(values.imag, owned=True)
            values = values.real
        times = self._next_times(len(values)) if self._times is not None else None
        self._writers[key.scaler].append(values, times, owned=True)

    def _next_times(self, n: int) -> NDArray[np.float64]:
        parts, have = [self._rest], len(self._rest)
        while have < n:
            assert self._times is not None
            parts.append(next(self._times))
            have += len(parts[-1])
        whole = np.concatenate(parts)
        self._rest = whole[n:]
        return whole[:n]

    def finish(self) -> None:
        """Keep the texts of a text channel, or say that they were too long."""
        if _kind(self._channel) != "text":
            return
        if self._n_characters > LONGEST_TEXTS:
            self._context.note(
                f"{self._channel.stored} holds {self._n_characters} characters of text, "
                "which are not stored"
            )
        else:
            texts = self._context.properties.setdefault("texts", {})
            texts[self._channel.stored] = self._texts
        if own := _own_properties(self._channel):
            kept = self._context.properties.setdefault("text_properties", {})
            kept[self._channel.stored] = own


def _kind(channel: _Channel) -> str:
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


def _own_properties(channel: _Channel) -> dict[str, Any]:
    return {k: v for k, v in channel.properties.items() if not is_scale_property(k)}


@dataclass(frozen=True, kw_only=True)
class _TimeBase:
    name: str
    t0: float = 0.0
    dt: float | None = None
    time: _Channel | None = None
    per_second: float = 1.0


def _time_base(channel: _Channel, objects: _Objects, context: Context) -> _TimeBase:
    stated = _stated_times(channel, objects)
    clock, complaint = _clock_of(channel, objects)
    if clock is not None and (stated is None or channel.group in CLOCK_UNITS):
        return clock
    if stated is not None:
        return stated
    if complaint:
        context.note(f"{complaint}: {channel.stored} is stored by sample number")
    return _TimeBase(name="samples", dt=1.0)


def _stated_times(channel: _Channel, objects: _Objects) -> _TimeBase | None:
    """Return what the properties of the channel, or else of its group, say."""
    own, group = channel.properties, objects.groups[channel.group]
    if dt := _positive(own.get("wf_increment")):
        return _TimeBase(name="wf_increment", t0=_finite(own.get("wf_start_offset")), dt=dt)
    if dt := _positive(group.get("SampleTime")):
        return _TimeBase(name="SampleTime", t0=_finite(group.get("Tstart")), dt=dt)
    if rate := _positive(group.get("sampling")):
        return _TimeBase(name="sampling", t0=_finite(group.get("Tstart")), dt=1.0 / rate)
    return None


def _clock_of(channel: _Channel, objects: _Objects) -> tuple[_TimeBase | None, str]:
    """Return the times that a Time channel of the group gives, or why it cannot."""
    time = objects.channels.get((channel.group, "Time"))
    if time is None or time.scalers or _kind(time) != "number":
        return None, ""
    unit = str(time.properties.get("unit_string", "")) or CLOCK_UNITS.get(time.group, "")
    if time.n != channel.n:
        return None, f"{channel.stored} has {channel.n} values but {time.stored} {time.n}"
    if unit not in SECONDS:
        return None, f"{time.stored} has the unit {unit!r}, which is no time"
    return _TimeBase(name=time.stored, time=time, per_second=SECONDS[unit]), ""


class _Clocks:
    """Times of the Time channels: a short one is read once, a long one along with each user."""

    def __init__(self, metadata: TdmsMetadata, objects: _Objects) -> None:
        self._metadata, self._objects = metadata, objects
        self._short: dict[str, NDArray[np.float64]] = {}

    def seconds(self, time: _Channel, per_second: float) -> Iterator[NDArray[np.float64]]:
        """Yield the values of a Time channel in s, in constant memory."""
        if time.n > LONGEST_CLOCK:
            return self._stream(time, per_second)
        if time.path not in self._short:
            parts = list(self._stream(time, per_second))
            self._short[time.path] = np.concatenate([*parts, np.empty(0)])
        return iter([self._short[time.path]])

    def _stream(self, time: _Channel, per_second: float) -> Iterator[NDArray[np.float64]]:
        levels = (time.properties, self._objects.groups[time.group], self._objects.file)
        scale, _ = scale_of(time.stored, *levels)
        for block in self._metadata.blocks(only=time.path):
            yield apply_scale(block.values, scale) / per_second


def _nanoseconds(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return LabVIEW's time stamps as ns since 1970 UTC."""
    # fractions are 2^-64 s; their upper half is enough for ns and does not overflow
    fraction = (values["fraction"] >> np.uint64(32)).astype(np.uint64) * np.uint64(10**9)
    nanoseconds = (fraction >> np.uint64(32)).astype(np.int64)
    return _1904 + values["seconds"].astype(np.int64) * 10**9 + nanoseconds


def _positive(value: Any) -> float | None:
    number = _finite(value)
    return number if number > 0 else None


def _finite(value: Any) -> float:
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return float(value)
    return 0.0


def plain(value: Any) -> Any:
    """Return a TDMS property as a number, a text or a truth; time stamps as ISO text in UTC."""
    if hasattr(value, "as_datetime64"):
        return str(value.as_datetime64("us")) + "Z"
    return value.item() if isinstance(value, np.generic) else value
