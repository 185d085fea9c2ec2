"""The index of the site, ``data/index``, and the entries of its search, ``data/search``.

A publication of some shots adds new entries to the existing index; a full build makes both from
nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.publish.addresses import slug
from runner.publish.data.archive import archive_entry, write_raw_index
from runner.publish.data.search import Entry, search_entries
from runner.publish.data.shards import SHARD, Row, Units, put_rows, row_of, shard_name, shard_of
from runner.publish.data.traces_and_downloads import needs_traces
from runner.publish.describe import number_spans
from runner.publish.view import View
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.settings.publishing import PublishSettings

INDEX = "data/index"
SEARCH = "data/search"
PARQUET = "data/scraps.parquet"


@dataclass
class _IndexData:
    """The content of the index that grows from one publication to the next."""

    units: Units = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    signals: dict[str, str] = field(default_factory=dict)
    devices: dict[str, list[str]] = field(default_factory=dict)
    """Calibrations of each device."""
    attributes: set[str] = field(default_factory=set)
    stamps: dict[str, str] = field(default_factory=dict)
    """Of the indexes of raw files, by shard."""

    def add(self, more: _IndexData) -> None:
        """Add the content of other shots."""
        self.units = {**more.units, **self.units}
        self.keys |= more.keys
        self.signals |= more.signals
        self.attributes |= more.attributes
        for device, calibrations in more.devices.items():
            known = self.devices.setdefault(device, [])
            known += [c for c in calibrations if c not in known]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The data of some shots; ``without_traces`` are those whose traces must be made."""

    rows: Mapping[int, Row]
    index_data: _IndexData
    without_traces: Sequence[int]


def collect(
    view: View, numbers: Sequence[int], writer: Writer, settings: PublishSettings
) -> Collected:
    """Return the data of some shots after their pages were written."""
    index_data = _IndexData()
    rows = {}
    for number in numbers:
        digest = write_raw_index(view.source, number, writer, settings)
        rows[number] = row_of(view, number, digest)
        _add_shot(view, number, index_data)
    without_traces = [n for n in numbers if needs_traces(view.shot(n), writer, settings)]
    return Collected(rows=rows, index_data=index_data, without_traces=without_traces)


class SiteData:
    """The data of the site, collected shot by shot while the pages are written.

    ``full``: all shots are published, ascending; existing data are ignored.
    """

    def __init__(
        self, view: View, writer: Writer, settings: PublishSettings, *, full: bool
    ) -> None:
        self.without_traces: list[int] = []
        """Shots whose traces must be made."""
        self._view = view
        self._writer = writer
        self._settings = settings
        writer.keep(PARQUET)  # made after the pages are in place, or later
        before = None if full else _read(writer.out)
        self._full = before is None
        self._gathered = before or _IndexData()
        self._names = None if before is None else {slug(t): t for t, _ in before.units}
        self._shards: dict[int, dict[int, Row]] = {}

    def add_shot(self, number: int) -> None:
        """Add a shot whose page is written; remove a deleted one from its shard."""
        if number in self._view.known:
            self.add(collect(self._view, [number], self._writer, self._settings))
        else:
            self._rows(number)

    def add(self, part: Collected) -> None:
        """Add the data of some shots, ascending."""
        for number, row in part.rows.items():
            self._rows(number)[number] = row
        self._gathered.add(part.index_data)
        self.without_traces += part.without_traces

    def _rows(self, number: int) -> dict[int, Row]:
        """Return the rows collected for the shard of a shot."""
        shard = shard_of(number)
        if self._full and shard not in self._shards:
            self._write_shards()  # the one before is complete
        return self._shards.setdefault(shard, {})

    def write(self, entries: Sequence[Entry] = ()) -> None:
        """Write the remaining shards, the index and the search, with ``entries`` added to it."""
        self._write_shards()
        view, index_data, writer = self._view, self._gathered, self._writer
        names = {shard_name(shard_of(n)) for n in view.numbers}
        stamps = {name: s for name, s in index_data.stamps.items() if name in names}
        archive = archive_entry(view.source, writer, self._settings, stamps, SHARD)
        index = _index(view, index_data, writer.out, self._full) | {"archive": archive}
        writer.data(INDEX, index, rank=2)
        writer.data(
            SEARCH,
            [
                vars(e)
                for e in (*search_entries(view, index_data.units, index_data.attributes), *entries)
            ],
            rank=2,
        )

    def _write_shards(self) -> None:
        for number, rows in self._shards.items():
            self._gathered.stamps[shard_name(number)] = put_rows(
                self._view,
                number,
                rows,
                self._writer,
                names=self._names,
                units=self._gathered.units,
            )
        self._shards.clear()


def has_data(out: Path) -> bool:
    """Return whether a site has data files; sites of early versions have none."""
    return (out / f"{INDEX}.json").is_file() and (out / f"{SEARCH}.json").is_file()


def _read(out: Path) -> _IndexData | None:
    """Return the content of the existing index; None if it is missing or invalid."""
    try:
        index = json.loads((out / f"{INDEX}.json").read_bytes())
        if index["shard"] != SHARD:
            return None
        devices: dict[str, list[str]] = dict(index["devices"])
        scraps = index["scraps"]
        return _IndexData(
            units={(s["template"], s["name"]): s["unit"] for s in scraps},
            keys={(s["template"], s["name"]) for s in scraps if s["key"]},
            signals={s["name"]: s["unit"] for s in index["signals"]},
            devices=devices,
            attributes=set(index.get("attributes", ())),
            stamps=dict((index.get("archive") or {}).get("stamps", {})),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _add_shot(view: View, number: int, index_data: _IndexData) -> None:
    index_data.keys |= view.key_scraps(Subject.shot(number)).keys()
    index_data.attributes |= view.shot(number).attributes.keys() - {"date"}
    for row in view.shot(number).wiring:
        index_data.signals[row.signal] = row.unit
        if row.device:
            calibrations = index_data.devices.setdefault(row.device, [])
            if row.calibration and row.calibration not in calibrations:
                calibrations.append(row.calibration)


def _signals(view: View, index_data: _IndexData) -> list[dict[str, str]]:
    """Return name and unit of each signal, and its IMAS path as declared now, if it has one."""
    paths = {s.name: {"imas": s.imas} for s in view.source.signals() if s.imas}
    units = sorted(index_data.signals.items())
    return [{"name": name, "unit": unit} | paths.get(name, {}) for name, unit in units]


def _rank(view: View, key: tuple[str, str]) -> int:
    """Return the position of a result among the key results of its template."""
    known = view.templates.get(key[0])
    names = list(known.key) if known else []
    return names.index(key[1]) if key[1] in names else len(names)


def _index(view: View, index_data: _IndexData, out: Path, full: bool) -> dict[str, Any]:
    has_parquet = find_spec("pyarrow") is not None if full else (out / PARQUET).is_file()
    return {
        "facility": view.source.facility.name,
        "shots": number_spans(view.numbers),
        "days": list(view.days),
        "shard": SHARD,
        "shards": sorted({shard_of(n) for n in view.numbers}),
        "templates": [
            {"name": t.name, "title": t.title or t.name, "scope": t.scope, "slug": slug(t.name)}
            for t in view.templates.values()
        ],
        "scraps": [
            {
                "template": key[0],
                "name": key[1],
                "unit": unit,
                "key": key in index_data.keys,
                "slug": slug(key[0]),
                "label": view.results.record(*key).label,
                "symbol": view.results.record(*key).symbol,
                "place": view.results.place(key),
                "rank": _rank(view, key),
                "signed": view.results.record(*key).signed,
            }
            for key, unit in sorted(index_data.units.items())
        ],
        "signals": _signals(view, index_data),
        "attributes": sorted(index_data.attributes),
        "devices": {name: sorted(c) for name, c in sorted(index_data.devices.items())},
        "parquet": PARQUET if has_parquet and index_data.units else None,
    }
