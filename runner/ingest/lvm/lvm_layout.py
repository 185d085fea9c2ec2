"""The columns and header entries of each channel in a LabVIEW measurement file."""

from __future__ import annotations

from dataclasses import dataclass

from runner.ingest.ingest_errors import Rejected
from runner.ingest.lvm.lvm_lines import COMMENT, MAX_COLUMNS, comment_column
from runner.ingest.lvm.lvm_text import LvmFile, Segment

X_VALUE = "X_Value"
_OF_CHANNELS = (
    *("Samples", "Date", "Time", "Y_Unit_Label", "Y_Dimension"),
    *("X_Unit_Label", "X_Dimension", "X0", "Delta_X"),
)


@dataclass(frozen=True, kw_only=True)
class Place:
    """The place of a channel in a segment.

    Attributes
    ----------
    column : int
        Of its values.
    x_column : int or None
        Of its x; None where the file has none.
    entry : int
        Index of its cell after the tags of the header.
    """

    label: str
    column: int
    x_column: int | None
    entry: int


def places_of(file: LvmFile, segment: Segment) -> dict[str, Place]:
    """Return the channels of a segment by name; repeated names get numbers.

    Raises
    ------
    Rejected
        Columns, header entries and the stated number of channels disagree.
    """
    columns = [name.strip() for name in segment.columns]
    values = _value_columns(file, segment, columns)
    entries = _entries(file, segment, values)
    taken: set[str] = set()
    counts: dict[str, int] = {}
    places: dict[str, Place] = {}
    for column, entry in zip(values, entries, strict=True):
        name = label = columns[column] or "Untitled"
        while label in taken:
            counts[name] = counts.get(name, 1) + 1
            label = f"{name} {counts[name]}"
        taken.add(label)
        x_column = {"One": 0, "Multi": column - 1, "No": None}[file.x_columns]
        places[label] = Place(label=label, column=column, x_column=x_column, entry=entry)
    return places


def _value_columns(file: LvmFile, segment: Segment, columns: list[str]) -> list[int]:
    """Return the columns of values: as many as the header states, or all but comments."""
    step = 2 if file.x_columns == "Multi" else 1
    stated = _stated_channels(segment)
    if stated is None:
        n = (_named(columns) - 1) // step if step == 1 else _named(columns) // 2
    else:
        n = stated
    if n > MAX_COLUMNS:
        raise Rejected(f"it has {n} channels; at most {MAX_COLUMNS} can be stored")
    values = [step * i + 1 for i in range(n)]
    if not _fit(columns, values, step, comment_column(columns)):
        raise Rejected(
            f"segment {segment.number} states {n} channels, but its columns are "
            f"{', '.join(c[:20] for c in columns[:8])}{' …' if len(columns) > 8 else ''}"
        )
    if stated is None and columns[0] != X_VALUE:
        raise Rejected(f"the columns of segment {segment.number} do not begin with {X_VALUE}")
    return values


def _fit(columns: list[str], values: list[int], step: int, comments: int | None) -> bool:
    """Return whether columns are an x column, or one each, and the value columns."""
    if not values:
        return True
    if values[-1] >= len(columns) or comments in values:
        return False
    rest = [name for name in columns[values[-1] + 1 :] if name]
    if rest not in ([], [COMMENT]) or X_VALUE in [columns[v] for v in values]:
        return False
    xs = [columns[v - 1] for v in values] if step == 2 else columns[:1]
    # another name than LabVIEW's is one if nothing is left over, and if it is no row
    return all(x == X_VALUE for x in xs) or (
        _named(columns) == values[-1] + 1 and not any(map(_is_number, columns))
    )


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def _stated_channels(segment: Segment) -> int | None:
    text = segment.entry("Channels", 0)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Rejected(
            f"Channels of segment {segment.number} is {text[:40]!r}, which is not a number"
        )
    return int(text)


def _named(columns: list[str]) -> int:
    """Return how many columns there are before the comments."""
    n = len(columns)
    while n and not columns[n - 1]:
        n -= 1
    return n - 1 if n and columns[n - 1] == COMMENT else n


def _entries(file: LvmFile, segment: Segment, values: list[int]) -> list[int]:
    """Return the indices of the channels' cells after the tags, by the cells that are filled.

    With an x column for each channel LabVIEW writes an entry above each column of values, so
    that every second cell is empty; other programs write them one after the other.
    """
    filled = {
        i
        for tag in _OF_CHANNELS
        for i, text in enumerate(segment.header.get(tag, []))
        if text.strip()
    }
    dense = list(range(len(values)))
    above = [v - 1 for v in values]  # the tag is above the first x
    fits = [way for way in (above, dense) if filled <= set(way)]
    if not fits:
        raise Rejected(
            f"the header of segment {segment.number} has entries for other columns than its "
            f"{len(values)} channels"
        )
    # both fit where only the first channel has entries, or where they are the same
    if len(fits) == 2 and above != dense and filled - {0}:
        raise Rejected(
            f"which channels the header entries of segment {segment.number} belong to cannot be "
            "determined: give each channel its Samples"
        )
    return fits[0]
