"""Spans of a TDMS channel with constant properties, which may change between segments.

A property stated again applies from that segment on: the start of the next waveform,
another rate, unit or scale. One that is stated after the last values corrects what was said before.
A property that is first stated late holds for all values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_metadata import Object
from runner.ingest.tdms.tdms_objects import Channel, Objects

Properties = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Span:
    """From its value ``first`` on a channel, its group and its file have these properties.

    ``changed`` are names of those that differ from the span before.
    """

    first: int
    channel: Properties
    group: Properties
    file: Properties
    changed: frozenset[str] = frozenset()


class Spans:
    """The spans of every channel; most have one."""

    def __init__(self, metadata: TdmsMetadata, objects: Objects) -> None:
        self._objects = metadata.objects
        self._levels = {
            c.path: (c.path, "/'" + c.group.replace("'", "''") + "'", "/")
            for c in objects.channels.values()
        }
        self._last: dict[str, int] = {}
        self._begins: dict[str, list[tuple[int, int]]] = defaultdict(list)
        if any(o.changes for o in metadata.objects.values()):
            self._last_segments(metadata)
            self._walk(metadata)

    def _last_segments(self, metadata: TdmsMetadata) -> None:
        """Find the last segment with values of each channel, of each group and of the file."""
        last = {id(s.shape): s for s in metadata.segments}  # most segments share their shape
        for segment in last.values():
            for region in segment.regions():
                for c in region.columns:
                    for path in self._levels.get(c.key.channel, ()):
                        self._last[path] = max(segment.number, self._last.get(path, 0))

    def _walk(self, metadata: TdmsMetadata) -> None:
        """Find the values of each channel where properties change."""
        events = sorted(
            (segment, path) for path, o in metadata.objects.items() for segment, _, _ in o.changes
        )
        versions: dict[str, int] = defaultdict(int)
        seen: dict[str, list[int]] = {}
        n: dict[str, int] = defaultdict(int)
        scaler: dict[str, int | None] = {}  # a DAQmx channel has a column for each of its scalers
        k = 0
        for segment in metadata.segments:
            while k < len(events) and events[k][0] <= segment.number:
                versions[events[k][1]] += 1
                k += 1
            for region in segment.regions():
                for c in region.columns:
                    path = c.key.channel
                    if (
                        path not in self._levels
                        or scaler.setdefault(path, c.key.scaler) != c.key.scaler
                    ):
                        continue
                    version = [versions[p] for p in self._levels[path]]
                    if seen.get(path) != version:
                        seen[path] = version
                        self._begins[path].append((n[path], segment.number))
                    n[path] += region.n_rows * (c.n_texts or c.count)

    def of(self, channel: Channel) -> Iterator[Span]:
        """Yield the spans of a channel, the first from value 0 on."""
        levels = [self._objects.get(path, _NONE) for path in self._levels[channel.path]]
        begins = self._begins.get(channel.path) or [(0, 1 << 62)]
        now = [o.properties | o.first for o in levels]
        events: list[tuple[int, int, str, Any]] = []
        for level, o in enumerate(levels):
            last = self._last.get(self._levels[channel.path][level], 1 << 62)
            late = {name: value for segment, name, value in o.changes if segment > last}
            early = {name for segment, name, _ in o.changes if begins[0][1] < segment <= last}
            corrected = {name: value for name, value in late.items() if name not in early}
            now[level].update(corrected)
            events += [
                (segment, level, name, value)
                for segment, name, value in o.changes
                if segment <= last and name not in corrected
            ]
        events.sort(key=lambda e: e[0])
        k = 0
        for first, segment in begins:
            changed = set()
            fresh: set[int] = set()
            while k < len(events) and events[k][0] <= segment:
                _, level, name, value = events[k]
                if level not in fresh:  # spans that were handed out keep what they have
                    now[level] = dict(now[level])
                    fresh.add(level)
                now[level][name] = value
                changed.add(name)
                k += 1
            yield Span(
                first=first,
                channel=now[0],
                group=now[1],
                file=now[2],
                changed=frozenset(changed) if first else frozenset(),
            )


_NONE = Object()
