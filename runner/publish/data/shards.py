"""All shots as data, `SHARD` of them to a file: ``data/shots/K`` and ``data/scraps/TEMPLATE/K``.

A publication of some shots updates their rows in their shards only, so that its cost does not grow
with the archive. The row of a shot agrees with its page, which is published at the same time.
"""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ishtar.errors import UnitError
from ishtar.units import factor
from runner.publish.addresses import slug
from runner.publish.data.archive import digest_of, stamp_of
from runner.publish.view import View
from runner.publish.writer import Writer, json_bytes, plain
from runner.receipts import Subject

SHARD = 200  # shots in a file: some 100 kB of a usual template's scraps, before compression
SHARDS = "data/shots"  # of the site: a file for each shard
ATTRIBUTES = ("gas", "program", "operator", "comment")  # with a column in every shard

Units = dict[tuple[str, str], str]
"""Unit of each scrap's column by (template, name), the same in all shards."""

Values = Mapping[str, tuple[Any, Any, str]]
"""(value, sigma, unit) by name of the scrap."""


def shard_of(shot: int) -> int:
    """Return the number of a shot's shard."""
    return shot // SHARD


def shard_name(shard: int) -> str:
    """Return the name of a shard's file, without suffix."""
    return f"{shard:04d}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One shot in a shard."""

    shot: int
    date: str | None
    attributes: Mapping[str, Any]
    problems: Sequence[str]
    states: Mapping[str, str]
    archive: str = ""
    """Digest of the index of its raw files."""
    scraps: Mapping[str, Values] = field(default_factory=dict)
    """By template; empty in a row read from a shard, whose scraps are in other files."""


def row_of(view: View, number: int, archive: str) -> Row:
    """Return the row of a shot; ``archive`` is the digest of the index of its raw files."""
    record = view.shot(number)
    reports = view.reports(Subject.shot(number))
    return Row(
        shot=number,
        date=record.date.isoformat() if record.date else None,
        attributes={k: v for k, v in record.attributes.items() if k != "date"},
        problems=list(record.problems),
        states={r.receipt.template: r.shown_state for r in reports},
        archive=archive,
        scraps={
            r.receipt.template: {s.name: (s.value, s.sigma, s.unit) for s in r.receipt.scraps}
            for r in reports
            if r.receipt.scraps
        },
    )


def put_rows(
    view: View,
    number: int,
    rows: Mapping[int, Row],
    writer: Writer,
    *,
    names: Mapping[str, str] | None,
    units: Units,
) -> str:
    """Put rows of shots into the shard ``number``, and write the files that change.

    Return a text that changes whenever one of these files does, or the index of the raw files of
    one of its shots.

    Parameters
    ----------
    view
        Provides all shots of a shard that cannot be read.
    number
        Number of the shard.
    rows
        Rows of the published shots; shots that no longer exist are removed here.
    writer
        Writes the files.
    names
        Template of each folder of scraps; None if ``rows`` are all rows of the shard.
    units
        Units of scraps; units of new scraps are added.
    """
    shard = None if names is None else _Shard.read(writer.out, number, names)
    if shard is None:  # missing, invalid, or part of a full build
        missing = [n for n in _shots_in(view, number) if n not in rows]
        found = {n: row_of(view, n, digest_of(writer.out, n)) for n in missing}
        rows = found | dict(rows)
        shard = _Shard(shots={}, scraps={})
    shots = {n: row for n, row in {**shard.shots, **rows}.items() if n in view.known}
    name = shard_name(number)
    filled, texts = [], []
    for template in sorted({t for row in rows.values() for t in row.scraps} | shard.scraps.keys()):
        path = f"data/scraps/{slug(template)}/{name}"
        before = shard.scraps.get(template, {})
        new = _scraps({n: row.scraps.get(template, {}) for n, row in rows.items()}, template, units)
        after = {n: x for n, x in {**before, **_values_by_shot(new)}.items() if n in view.known}
        for n in rows.keys() - set(new["shot"]):
            after.pop(n, None)
        if after:
            filled.append(template)
        if after != before:
            scraps = _scraps(after, template, units)
            _write(writer, path, scraps)
            texts.append(json_bytes(scraps))
        elif after:
            texts.append((writer.out / f"{path}.json").read_bytes())
    table = _shots([shots[n] for n in sorted(shots)]) | {"scraps": filled}
    _write(writer, f"{SHARDS}/{name}", table)
    return stamp_of([*texts, json_bytes(table)])


@dataclass(frozen=True)
class _Shard:
    """The content of a shard's files."""

    shots: Mapping[int, Row]
    scraps: Mapping[str, Mapping[int, Values]]
    """By template and shot."""

    @classmethod
    def read(cls, out: Path, number: int, names: Mapping[str, str]) -> _Shard | None:
        """Read a shard; return None if it is missing or invalid."""
        name = shard_name(number)
        try:
            shots = json.loads((out / f"{SHARDS}/{name}.json").read_bytes())
            rows = {n: _row(shots, i) for i, n in enumerate(shots["shot"])}
            scraps = {}
            for folder, template in names.items():
                path = out / f"data/scraps/{folder}/{name}.json"
                if path.is_file():
                    scraps[template] = _values_by_shot(json.loads(path.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
            return None
        return cls(rows, scraps)


def _shots_in(view: View, shard: int) -> Sequence[int]:
    """Return the shots of a shard."""
    first = bisect.bisect_left(view.numbers, shard * SHARD)
    return view.numbers[first : bisect.bisect_left(view.numbers, (shard + 1) * SHARD)]


def _write(writer: Writer, path: str, table: Mapping[str, Any]) -> None:
    """Write a table; remove one without shots."""
    if table["shot"]:
        writer.data(path, table, rank=2)
        return
    for suffix in (".json", ".js"):
        writer.remove(path + suffix)


# --- rows as columns -----------------------------------------------------------------------------


def _shots(rows: Sequence[Row]) -> dict[str, Any]:
    templates = sorted({t for row in rows for t in row.states})
    others = sorted({k for row in rows for k in row.attributes} - {*ATTRIBUTES})
    return {
        "shot": [row.shot for row in rows],
        "date": [row.date for row in rows],
        **{name: [_text(row.attributes.get(name)) for row in rows] for name in ATTRIBUTES},
        "attributes": {name: [plain(row.attributes.get(name)) for row in rows] for name in others},
        "problems": [list(row.problems) for row in rows],
        "states": {t: [row.states.get(t) for row in rows] for t in templates},
        "archive": [row.archive for row in rows],
    }


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _scraps(rows: Mapping[int, Values], template: str, units: Units) -> dict[str, Any]:
    """Return the scraps of one template as columns, those of one name in one unit."""
    shots = sorted(n for n, values in rows.items() if values)
    columns: dict[str, dict[str, Any]] = {}
    for i, shot in enumerate(shots):
        for name, (value, sigma, unit) in rows[shot].items():
            wanted = units.setdefault((template, name), unit)
            scale = 1.0
            if unit != wanted and value is not None:
                try:
                    scale = factor(unit, wanted)
                except UnitError:  # the same name for another quantity: a column of its own
                    name, wanted = f"{name} [{unit or '1'}]", unit
                    units.setdefault((template, name), unit)
            column = columns.get(name)
            if column is None:
                nothing = [None] * len(shots)
                column = {"unit": wanted, "value": nothing, "sigma": list(nothing)}
                columns[name] = column
            column["value"][i] = _scaled(value, scale)
            column["sigma"][i] = _scaled(sigma, scale)
    return {"shot": shots, "columns": dict(sorted(columns.items()))}


def _values_by_shot(table: Mapping[str, Any]) -> dict[int, Values]:
    """Return the values of each shot of a table of scraps."""
    found: dict[int, dict[str, tuple[Any, Any, str]]] = {n: {} for n in table["shot"]}
    for name, column in table["columns"].items():
        unit = column["unit"]
        for n, value, sigma in zip(table["shot"], column["value"], column["sigma"], strict=True):
            if value is not None or sigma is not None:
                found[n][name] = (value, sigma, unit)
    return dict(found)


def _scaled(value: Any, scale: float) -> Any:
    if isinstance(value, float):
        value = value * scale if scale != 1.0 else value
        return (
            value if math.isfinite(value) else repr(value)
        )  # in the form in which it is read back
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value * scale if is_number and scale != 1.0 else plain(value)


def _row(shots: Mapping[str, Any], i: int) -> Row:
    columns = {name: shots[name] for name in ATTRIBUTES} | shots["attributes"]
    return Row(
        shot=shots["shot"][i],
        date=shots["date"][i],
        attributes={name: x[i] for name, x in columns.items() if x[i] is not None},
        problems=shots["problems"][i],
        states={t: x[i] for t, x in shots["states"].items() if x[i] is not None},
        archive=shots["archive"][i],
    )
