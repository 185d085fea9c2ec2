"""TDMS, as LabVIEW writes it: contiguous, interleaved and DAQmx, raw values kept as they are.

Times are those of :mod:`runner.ingest.tdms_time`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ChannelWriter
from runner.ingest.context import Context
from runner.ingest.dates import iso, parse_moment
from runner.ingest.tdms_blocks import Key, TdmsMetadata
from runner.ingest.tdms_objects import Channel, Objects, kind_of, read_objects
from runner.ingest.tdms_scale import is_scale_property, scale_of
from runner.ingest.tdms_time import Clocks, time_base_of

LONGEST_TEXTS = 64_000  # characters of a text channel that are kept as a property
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
        objects = read_objects(metadata)
        _describe(objects, metadata, context)
        clocks = Clocks(metadata, objects)
        sinks = {o.path: _Sink(o, objects, clocks, context) for o in objects.channels.values()}
        for block in metadata.blocks():
            sinks[block.key.channel].take(block.key, block.values)
            context.progress(block.position)
        for sink in sinks.values():
            sink.finish()


def _describe(objects: Objects, metadata: TdmsMetadata, context: Context) -> None:
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


def _date(objects: Objects, context: Context) -> str | None:
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
        self, channel: Channel, objects: Objects, clocks: Clocks, context: Context
    ) -> None:
        self._channel = channel
        self._context = context
        self._texts: list[str] = []
        self._n_characters = 0
        self._writers: dict[int | None, ChannelWriter] = {}
        self._imaginary: ChannelWriter | None = None
        self._times: Iterator[NDArray[np.float64]] | None = None
        self._rest = np.empty(0)
        kind = kind_of(channel)
        if kind == "text":
            return
        base = time_base_of(channel, objects, context)
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
        if kind_of(self._channel) != "text":
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


def _own_properties(channel: Channel) -> dict[str, Any]:
    return {k: v for k, v in channel.properties.items() if not is_scale_property(k)}


def _nanoseconds(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return LabVIEW's time stamps as ns since 1970 UTC."""
    # fractions are 2^-64 s; their upper half is enough for ns and does not overflow
    fraction = (values["fraction"] >> np.uint64(32)).astype(np.uint64) * np.uint64(10**9)
    nanoseconds = (fraction >> np.uint64(32)).astype(np.int64)
    return _1904 + values["seconds"].astype(np.int64) * 10**9 + nanoseconds
