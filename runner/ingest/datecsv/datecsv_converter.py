"""The CSV that the PLC writes for a shot: its date, gas, program, operator, comment.

Either lines ``key;value``, or a line of keys above a line of values (or above one line per shot of
the day, from which the shot's is selected). Separator ``;``, ``,`` or tab; English or German.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from runner.ingest.context import Context
from runner.ingest.datecsv.datecsv_clock import date_of
from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.shot_number import is_shot

MAX_BYTES = 1 << 20
MAX_ENTRIES = 1000
MAX_UNKNOWN = 50  # entries with an unknown name, before a note
MAX_REPEATS = 10  # of an unknown name
NAMES = {
    "date": "date datum datetime date_time date/time datum/uhrzeit datum/zeit timestamp "
    "zeitstempel start trigger",
    "time": "time zeit uhrzeit",
    "zone": "timezone time_zone zeitzone",
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
_LIKE_A_DATE = re.compile(r"\d{1,4}[-./_ ]{1,2}\w{1,9}\.?[-./_, ]{1,2}\d|\d{8}", re.ASCII)
_NUMBER = re.compile(r"#? ?(\d{1,18})(?:[.,]0+)?", re.ASCII)
_MEASURED = re.compile(r"[-+.,\d][-+.,:/\dEeTZ ]*", re.ASCII)  # a number, a date, a time
_VALUE = re.compile(r"[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?", re.ASCII)
_HEADER_LINES = 40  # searched for keys
_BLANK = " \t\r\n\xa0\u202f"  # other white space of Python may be damaged letters
_END = "end of the file"

Entry = tuple[str, list[str]]
"""A name and its cells; more than one if the value contains the separator."""


class DateCsv:
    """``NNNNN_Date.csv``."""

    name = "datecsv"
    version = "2"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether it is text with a key for a date and something like a date."""
        text = head.decode(_encoding(head, whole=False), errors="replace")
        if "\0" in text:
            return False
        # not parsed as CSV, so that `convert` can report an unclosed quote
        lines = re.split(r"[\r\n]+", text)[:_HEADER_LINES]
        cells = [cell.strip(' "') for line in lines for cell in re.split("[;,\t]", line)]
        named = any(_key(cell) in ("date", "time") for cell in cells)
        return named and any(_LIKE_A_DATE.search(cell) for cell in cells)

    def convert(self, path: Path, context: Context) -> None:
        """Set the attributes of the shot."""
        if path.stat().st_size > MAX_BYTES:
            raise Rejected(f"{path.name} is too large for the CSV of one shot")
        text = _decoded(path)
        table, separator = _table(text)
        entries = [(n, c) for n, c in _entries(table, context) if n or any(c)]
        if len(entries) > MAX_ENTRIES:
            raise Rejected(
                f"{path.name} has {len(entries)} entries; the CSV of a shot has at most "
                f"{MAX_ENTRIES}"
            )
        if not _is_header(table):  # with a header each value has its name
            _refuse_measured(entries)
        if text[-1:] not in ("\r", "\n"):
            name, cells = entries[-1] if entries else ("", [])
            context.note(
                f"the last line of {path.name} has no line end: check that {name} "
                f"{_shortened(separator.join(cells))!r} is complete"
            )
        unknown = sum(_key(name) is None for name, _ in entries)
        if unknown > MAX_UNKNOWN:
            context.note(f"{unknown} of its {len(entries)} entries have unknown names")
        context.written_by("PLC")
        context.properties.update(_properties(entries, separator))
        for name, value in _attributes(entries, separator).items():
            _set_attribute(name, value, context)
        clock = {
            key: [(name, cells) for name, cells in entries if _key(name) == key and any(cells)]
            for key in ("date", "time", "zone")
        }
        date = date_of(path.name, clock["date"], clock["time"], clock["zone"], separator, context)
        if date is not None:
            context.attributes["date"] = date


def _entries(table: list[list[str]], context: Context) -> Iterator[Entry]:
    """Yield names and cells, from lines ``name;value`` or from names above values."""
    header = table[0]
    if not _is_header(table):
        yield from ((row[0], row[1:]) for row in table)
        return
    rows = table[1:]
    column = next((i for i, name in enumerate(header) if _key(name) == "shot"), None)
    if column is not None and len(rows) > 1:
        rows = [row for row in rows if len(row) > column and _is_this_shot(row[column], context)]
    if len(rows) != 1:
        raise Rejected(f"it has {len(rows)} lines for shot {context.shot}: leave exactly one")
    if any(rows[0][len(header) :]):
        raise Rejected(
            f"it has a line of {len(rows[0])} cells below {len(header)} names: quote values that "
            "contain the separator"
        )
    for name, cell in zip(header, rows[0], strict=False):
        yield name, [cell]


def _refuse_measured(entries: list[Entry]) -> None:
    """Refuse a table of numbers, whose values would be lost."""
    names = Counter(name for name, _ in entries if _key(name) is None)
    name, n = max(names.items(), key=lambda item: item[1], default=("", 0))
    if n > MAX_REPEATS:
        raise Rejected(
            f"{n} of its lines begin with {_shortened(name)!r}: it is a table, not the CSV of a "
            "shot, and no converter reads it: docs/ingest.md explains how to add one"
        )
    rows = [name for name, cells in entries if _is_measured(name, cells)]
    if rows:
        raise Rejected(
            f"{len(rows)} of its lines are numbers, such as that of {_shortened(rows[0])!r}: it is "
            "a measurement, and no converter reads it: docs/ingest.md explains how to add one"
        )


def _is_measured(name: str, cells: list[str]) -> bool:
    """Return whether a line is a number, a date or a time followed by a number."""
    is_place = _MEASURED.fullmatch(name) is not None and any(c.isdigit() for c in name)
    return is_place and any(_VALUE.fullmatch(cell) for cell in cells)


def _is_header(table: list[list[str]]) -> bool:
    """Return whether the names are in the first line rather than the first column."""
    header = table[0]
    if len(table) < 2 or any(_LIKE_A_DATE.search(cell) for cell in header):
        return False
    across = sum(_key(cell) is not None for cell in header)
    down = sum(_key(row[0]) is not None for row in table)
    return across > down or (across == down > 0 and len(header) != 2)


def _properties(entries: list[Entry], separator: str) -> dict[str, str | list[str]]:
    """Return all entries, as a list for a name with several values."""
    found: dict[str, list[str]] = {}
    for name, cells in entries:
        # the store has its own properties of these names
        own = f"{name} (of the file)" if name in ("notes", "salvaged") else name
        found.setdefault(own, []).append(separator.join(cells).rstrip(separator))
    return {name: v[0] if len(v) == 1 else v for name, v in found.items()}


def _attributes(entries: list[Entry], separator: str) -> dict[str, str]:
    """Return the value of each attribute; two that disagree are refused, comments joined."""
    found: dict[str, str] = {}
    for name, cells in entries:
        key = _key(name)
        between = ", " if separator == "," else separator
        value = between.join(cells).rstrip(between)
        if key in (None, "date", "time", "zone") or not value:
            continue
        assert key is not None
        if key == "comment" and value not in found.get(key, value):
            value = f"{found[key]}; {value}"
        elif found.get(key, value) != value and key != "comment":
            raise Rejected(f"it states {key} twice, {found[key]!r} and {value!r}: leave one")
        found[key] = value
    return found


def _set_attribute(key: str, value: str, context: Context) -> None:
    if key == "shot":
        if not _is_this_shot(value, context):
            raise Rejected(
                f"it states shot {value}, but arrived for shot {context.shot}: correct its name "
                "or its content"
            )
    elif key != "useful":
        context.attributes[key] = value
    elif value.casefold() in _YES_NO:
        context.attributes[key] = _YES_NO[value.casefold()]
    else:
        context.note(f"useful is {value!r}, neither yes nor no: it is omitted")


def _is_this_shot(text: str, context: Context) -> bool:
    """Return whether a number means the shot: in full, or within its year."""
    match = _NUMBER.fullmatch(text.strip())
    return match is not None and is_shot(int(match[1]), context.shot, context.settings)


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"


def _key(name: str) -> str | None:
    return _ATTRIBUTE.get("_".join(name.strip(" \t:").casefold().split()))


def _table(text: str) -> tuple[list[list[str]], str]:
    """Return the cells of all non-empty lines, and the separator that yields most keys."""
    lines = [line + "\n" for line in re.split(r"\r\n|\r|\n", text) if line.strip()]
    tables = {s: _cells(lines[:_HEADER_LINES], s) for s in ";\t,"}
    separator = max(
        tables,
        key=lambda s: sum(_key(cell) is not None for row in tables[s] for cell in row if cell),
    )
    try:
        rows = list(csv.reader([*lines, _END], delimiter=separator))
    except csv.Error as error:
        raise Rejected(f"it is not the CSV of a shot ({error}): keep its cells short") from error
    if rows[-1] != [_END]:
        raise Rejected(f"a quote in it is not closed: close it after {_shortened(rows[-1][-1])!r}")
    return _cells(lines, separator) or [[""]], separator


def _cells(lines: list[str], separator: str) -> list[list[str]]:
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:  # cells are too long; `_table` reports it
        return []
    return [[c.strip(_BLANK) for c in row] for row in rows if any(c.strip(_BLANK) for c in row)]


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode(_encoding(data, whole=True))
    except UnicodeDecodeError as error:
        raise Rejected(f"{path.name} is not complete text: {error}") from error
    if "\0" in text:
        raise Rejected(f"{path.name} has a NUL at character {text.index(chr(0))}: it is damaged")
    return text


def _encoding(data: bytes, *, whole: bool) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if len(data) > 3 and b"\0" in data[:4]:  # UTF-16 without a byte order mark
        return "utf-16-le" if data[1] == 0 else "utf-16-be"
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            data.decode(encoding)
        except UnicodeDecodeError as error:
            # the head of a file may end within a letter
            if not whole and encoding == "utf-8-sig" and error.end == len(data):
                return encoding
        else:
            return encoding
    return "latin-1"
