"""What there is: ``data/index``, and ``data/search``, which the search looks through.

A publication of some shots adds what is new with them to what the index said before; one of
everything makes both anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from runner.publish.addresses import slug
from runner.publish.data.search import Entry, search_entries
from runner.publish.data.shards import SHARD, Row, Units, put_rows, row_of, shard_of
from runner.publish.data.traces_and_downloads import needs_traces
from runner.publish.view import View
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.settings.publishing import PublishSettings

INDEX = "data/index"
SEARCH = "data/search"
PARQUET = "data/scraps.parquet"


@dataclass
class _Gathered:
    """What is added to from one publication to the next."""

    units: Units = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    signals: dict[str, str] = field(default_factory=dict)
    devices: dict[str, list[str]] = field(default_factory=dict)
    """Calibrations of each device."""
    attributes: set[str] = field(default_factory=set)

    def add(self, more: _Gathered) -> None:
        """Add what was found of other shots."""
        self.units = {**more.units, **self.units}
        self.keys |= more.keys
        self.signals |= more.signals
        self.attributes |= more.attributes
        for device, calibrations in more.devices.items():
            known = self.devices.setdefault(device, [])
            known += [c for c in calibrations if c not in known]


@dataclass(frozen=True, kw_only=True)
class Collected:
    """The data of some shots; ``without_traces`` are those whose traces are to be made."""

    rows: Mapping[int, Row]
    gathered: _Gathered
    without_traces: Sequence[int]


def collect(
    view: View, numbers: Sequence[int], writer: Writer, settings: PublishSettings
) -> Collected:
    """Return the data of some shots whose pages are written."""
    gathered = _Gathered()
    rows = {}
    for number in numbers:
        rows[number] = row_of(view, number)
        _gather(view, number, gathered)
    without_traces = [n for n in numbers if needs_traces(view.shot(n), writer, settings)]
    return Collected(rows=rows, gathered=gathered, without_traces=without_traces)


class SiteData:
    """The data of the site, collected shot by shot while its pages are written.

    ``full``: everything is published, the shots ascending; nothing of what is there is used.
    """

    def __init__(
        self, view: View, writer: Writer, settings: PublishSettings, *, full: bool
    ) -> None:
        self.without_traces: list[int] = []
        """Shots whose traces are to be made."""
        self._view = view
        self._writer = writer
        self._settings = settings
        writer.keep(PARQUET)  # made when the pages are in place, or later
        before = None if full else _read(writer.out)
        self._full = before is None
        self._gathered = before or _Gathered()
        self._names = None if before is None else {slug(t): t for t, _ in before.units}
        self._shards: dict[int, dict[int, Row]] = {}

    def take(self, number: int) -> None:
        """Take a shot whose page is written; one that is gone leaves its shard."""
        if number in self._view.known:
            self.put(collect(self._view, [number], self._writer, self._settings))
        else:
            self._rows(number)

    def put(self, part: Collected) -> None:
        """Put in the data of some shots that come after those before."""
        for number, row in part.rows.items():
            self._rows(number)[number] = row
        self._gathered.add(part.gathered)
        self.without_traces += part.without_traces

    def _rows(self, number: int) -> dict[int, Row]:
        """Return what is known of the shard of a shot."""
        shard = shard_of(number)
        if self._full and shard not in self._shards:
            self._write_shards()  # the one before is whole
        return self._shards.setdefault(shard, {})

    def write(self, entries: Sequence[Entry] = ()) -> None:
        """Write what is left, the index and the search; ``entries`` are more for that to find."""
        self._write_shards()
        view, gathered, writer = self._view, self._gathered, self._writer
        writer.data(INDEX, _index(view, gathered, writer.out, self._full), rank=2)
        writer.data(
            SEARCH,
            [
                vars(e)
                for e in (*search_entries(view, gathered.units, gathered.attributes), *entries)
            ],
            rank=2,
        )

    def _write_shards(self) -> None:
        for number, rows in self._shards.items():
            put_rows(
                self._view,
                number,
                rows,
                self._writer,
                names=self._names,
                units=self._gathered.units,
            )
        self._shards.clear()


def has_data(out: Path) -> bool:
    """Whether a site has its data, which one of an earlier version has not."""
    return (out / f"{INDEX}.json").is_file() and (out / f"{SEARCH}.json").is_file()


def spans(numbers: Sequence[int]) -> str:
    """Return ascending numbers as ``1-12,15``."""
    parts: list[list[int]] = []
    for n in numbers:
        if parts and parts[-1][1] == n - 1:
            parts[-1][1] = n
        else:
            parts.append([n, n])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _read(out: Path) -> _Gathered | None:
    """Return what the index says; None where it is not there or cannot be understood."""
    try:
        index = json.loads((out / f"{INDEX}.json").read_bytes())
        if index["shard"] != SHARD:
            return None
        devices: dict[str, list[str]] = dict(index["devices"])
        scraps = index["scraps"]
        return _Gathered(
            units={(s["template"], s["name"]): s["unit"] for s in scraps},
            keys={(s["template"], s["name"]) for s in scraps if s["key"]},
            signals={s["name"]: s["unit"] for s in index["signals"]},
            devices=devices,
            attributes=set(index.get("attributes", ())),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _gather(view: View, number: int, gathered: _Gathered) -> None:
    gathered.keys |= view.key_scraps(Subject.shot(number)).keys()
    gathered.attributes |= view.shot(number).attributes.keys() - {"date"}
    for row in view.shot(number).wiring:
        gathered.signals[row.signal] = row.unit
        if row.device:
            calibrations = gathered.devices.setdefault(row.device, [])
            if row.calibration and row.calibration not in calibrations:
                calibrations.append(row.calibration)


def _rank(view: View, key: tuple[str, str]) -> int:
    """Return the place of a result among the key results of its template."""
    known = view.templates.get(key[0])
    names = list(known.key) if known else []
    return names.index(key[1]) if key[1] in names else len(names)


def _index(view: View, gathered: _Gathered, out: Path, full: bool) -> Mapping[str, Any]:
    has_parquet = find_spec("pyarrow") is not None if full else (out / PARQUET).is_file()
    return {
        "facility": view.source.facility.name,
        "shots": spans(view.numbers),
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
                "key": key in gathered.keys,
                "slug": slug(key[0]),
                "label": view.results.called(*key).label,
                "symbol": view.results.called(*key).symbol,
                "place": view.results.place(key),
                "rank": _rank(view, key),
                "signed": view.results.called(*key).signed,
            }
            for key, unit in sorted(gathered.units.items())
        ],
        "signals": [{"name": n, "unit": u} for n, u in sorted(gathered.signals.items())],
        "attributes": sorted(gathered.attributes),
        "devices": {name: sorted(c) for name, c in sorted(gathered.devices.items())},
        "parquet": PARQUET if has_parquet and gathered.units else None,
    }
