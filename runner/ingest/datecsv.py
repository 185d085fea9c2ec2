"""The CSV that the PLC writes for a shot: its date, gas, program, operator, comment.

Either a line ``key;value`` for each, or a line of keys above a line of values (or a line for each
shot of a day, of which the shot's is taken). Separator ``;``, ``,`` or tab; English or German.
"""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Any

from runner.ingest.context import Context
from runner.ingest.dates import iso, parse_date, parse_moment, parse_time
from runner.ingest.errors import Rejected

LARGEST = 1 << 20  # bytes; it is some lines
NAMES = {
    "date": "date datum datetime timestamp zeitstempel start trigger",
    "time": "time zeit uhrzeit",
    "gas": "gas arbeitsgas",
    "program": "program programm programme",
    "operator": "operator bediener operateur user",
    "comment": "comment comments kommentar bemerkung remark note",
    "useful": "useful brauchbar usable",
    "shot": "shot shotnumber shot_number schuss schussnummer pulse nr nummer number",
}
_ATTRIBUTE = {name: key for key, names in NAMES.items() for name in names.split()}
_YES_NO = {"yes": True, "ja": True, "true": True, "1": True, "y": True, "j": True} | {
    "no": False, "nein": False, "false": False, "0": False, "n": False,
}  # fmt: skip


class DateCsv:
    """``NNNNN_Date.csv``."""

    name = "datecsv"
    version = "1"

    def matches(self, path: Path, head: bytes) -> bool:
        """Say whether it is text with a key that means a date, and a date."""
        if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            return False
        table = _table(_decode(head))
        named = any(_key(cell) in ("date", "time") for row in table[:40] for cell in row)
        dated = any(parse_date(cell) is not None for row in table[:40] for cell in row)
        return named and dated

    def convert(self, path: Path, context: Context) -> None:
        """Give the shot its attributes."""
        if path.stat().st_size > LARGEST:
            raise Rejected(f"{path.name} is too large for the CSV of one shot")
        facts = _facts(_table(_decode(path.read_bytes())), context.shot)
        context.written_by("PLC")
        date = _moment(facts)
        if date is None:
            raise Rejected(f"{path.name} has no date that can be read")
        if date.tzinfo is not None:
            context.attributes["date"] = context.local(date)
        else:
            context.attributes["date"] = iso(date)
        for name, value in facts.items():
            key = _key(name)
            if key == "useful":
                context.attributes[key] = _YES_NO.get(value.casefold(), value)
            elif key in ("gas", "program", "operator", "comment"):
                context.attributes[key] = value
            elif key == "shot":
                _same_shot(value, context.shot)
        context.properties.update(facts)


def _facts(table: list[list[str]], shot: int) -> dict[str, str]:
    """Return name → value, from lines ``name;value`` or from names above values."""
    header = table[0]
    across = len(header) > 2 or (len(table) > 1 and _key(header[0]) and _key(header[1]))
    if not across:
        return {row[0]: (row[1] if len(row) > 1 else "") for row in table}
    rows = [dict(zip(header, row, strict=False)) for row in table[1:]]
    column = next((name for name in header if _key(name) == "shot"), None)
    if column is not None and len(rows) > 1:
        rows = [row for row in rows if _is(row.get(column, ""), shot)]
    if len(rows) != 1:
        raise Rejected(f"it has {len(rows)} lines for shot {shot}; there must be one")
    return rows[0]


def _moment(facts: dict[str, str]) -> dt.datetime | None:
    """Return date and time, from one entry or from two."""
    dates = [v for k, v in facts.items() if _key(k) == "date" and parse_date(v)]
    times = [v for k, v in facts.items() if _key(k) == "time"]
    both = next((m for t in times if (m := parse_moment(t)) is not None), None)
    if not dates:
        return both
    moment = parse_moment(dates[0])
    if moment is not None and moment.time() == dt.time() and times:
        after = parse_time(times[0])
        return moment + after if after is not None else moment
    return moment


def _same_shot(value: str, shot: int) -> None:
    if value.strip() and not _is(value, shot):
        raise Rejected(
            f"it says shot {value}, but it came for shot {shot}: correct its name or its content"
        )


def _is(text: str, shot: int) -> bool:
    text = text.strip()
    return text.isdigit() and int(text) == shot


def _key(name: str) -> str | None:
    return _ATTRIBUTE.get(name.strip().strip(":").casefold())


def _table(text: str) -> list[list[str]]:
    """Return the cells of all lines that are not empty."""
    lines = [line for line in text.splitlines() if line.strip()]
    separator = max(";\t,", key=lambda s: (lines[0].count(s) if lines else 0, s == ";"))
    rows: Any = csv.reader(lines, delimiter=separator)
    return [[cell.strip() for cell in row] for row in rows] or [[""]]


def _decode(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
