"""The traces of a shot: made once, made again if their inputs change, thinned out with age.

Each signal has a pack: its levels as blocks that are read by ranges. A file holds one pack, or
several if a shot has many signals. Its name depends on the inputs of the values and on the
settings, so that packs of two calibrations never mix, not even in the cache of a browser. Files
appear atomically; the index is written after them, and files that it no longer lists are removed
last.

``coarse.js`` has the first levels of all signals, for pages opened from disk.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ishtar.errors import IshtarError
from ishtar.lineage.record import digest
from ishtar.packs.levels import Level, levels_of
from ishtar.packs.part import FORMAT, Part, Span, irregular_axis, write_part
from ishtar.signals.time_base import SECONDS
from ishtar.store import fsync_dir
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_files, temporary_path
from runner.publish.addresses import slug
from runner.publish.records import ShotRecord, SiteSource, WiringRow
from runner.publish.writer import Writer, json_bytes, script_bytes

LEVELS_KEPT = 2  # of an old shot
MOST_PACKS = 32  # files of a shot; of more signals several are in one
INDEX, COARSE = "index", "coarse"
SUFFIX = ".pack"
REMAINS_S = 3600.0  # since a temporary file was last written: nobody writes it any more
UNREADABLE = (
    *(IshtarError, FileNotFoundError),  # its file is damaged or gone, its times run backwards …
    *(ArithmeticError, LookupError, TypeError, ValueError),
)
"""Errors of one signal, which others do not share; those of the machine, a full disk, they do."""

Entry = Mapping[str, Any]
Steps = Generator[None, None, Entry]


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How deep the traces of a shot go: bins of the finest level, and whether the shot is old."""

    tile_samples: int
    old: bool = False

    def levels(self, n: int, *, irregular: bool) -> list[Level]:
        """Return the levels of a signal with ``n`` samples."""
        found = levels_of(n, self.tile_samples, irregular=irregular)
        return found[:LEVELS_KEPT] if self.old else found


def traces_folder(number: int) -> str:
    """Return the folder of a shot's traces."""
    return f"shots/{number:05d}/traces"


def is_current(record: ShotRecord, out: Path, depth: Depth) -> bool:
    """Return whether the traces of a shot are up to date."""
    published = read_index(out, record.shot)
    folder = out / traces_folder(record.shot)
    if not folder.is_dir() or published.keys() != {row.signal for row in record.wiring}:
        return False
    if any(_is_remains(path) for path in folder.iterdir()):
        return False  # left by a killed process; removed when the traces are made again
    for row in record.wiring:
        entry = published[row.signal]
        if not _is_drawable(row):
            if entry != _empty_entry(row, row.problem or row.lack):
                return False
        elif not _is_as_wanted(entry, row, depth) or not _is_whole(folder, entry):
            return False
    return True


def write_traces(
    source: SiteSource, record: ShotRecord, writer: Writer, depth: Depth
) -> Generator[None, None, bool]:
    """Update the traces of a shot; yield now and then, return whether anything changed.

    Parameters
    ----------
    source
        Provides the samples.
    record
        The shot as shown on its page.
    writer
        Writes the index, at once: the pages are already in place.
    depth
        How deep the traces go.
    """
    folder = writer.out / traces_folder(record.shot)
    before = read_index(writer.out, record.shot)
    made = _PackWriter(source, record.shot, folder, depth, before)
    rows = [row for row in record.wiring if _is_drawable(row)]
    entries: dict[str, Entry] = {}
    each = max(1, -(-len(rows) // MOST_PACKS))
    for i in range(0, len(rows), each):
        entries |= yield from made.file(rows[i : i + each])
    for row in record.wiring:
        entries.setdefault(row.signal, _empty_entry(row, row.problem or row.lack))
    signals = [entries[row.signal] for row in record.wiring]
    index = {"format": FORMAT, "shot": record.shot, "signals": signals}
    path = f"{traces_folder(record.shot)}/{INDEX}"
    text = json_bytes(index)
    changed = [
        _write_coarse(writer, record.shot, signals),
        writer.write_now(f"{path}.js", script_bytes(path, text)),
        writer.write_now(f"{path}.json", text),
    ]
    _remove_unlisted(folder, {entry["pack"] for entry in signals})
    return any(changed)


def read_index(out: Path, shot: int) -> dict[str, dict[str, Any]]:
    """Return the signals of a shot's index by name; none if it is missing or invalid."""
    try:
        index = json.loads((out / traces_folder(shot) / f"{INDEX}.json").read_bytes())
        if index["format"] != FORMAT:
            return {}
        return {s["name"]: s for s in index["signals"] if _is_entry(s)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def published_part(out: Path, shot: int, entry: Entry) -> Part:
    """Return the pack of a signal in a site."""
    return Part(entry, reader_of(out / traces_folder(shot) / entry["pack"], entry["at"]))


def reader_of(path: Path, begin: int) -> Callable[[Sequence[Span]], Sequence[bytes]]:
    """Return what reads parts of a file that follow a place."""

    def read(spans: Sequence[Span]) -> Sequence[bytes]:
        with path.open("rb") as file:
            found = []
            for at, length in spans:
                file.seek(begin + at)
                found.append(file.read(length))
        return found

    return read


def expired_bytes(out: Path, shot: int) -> int:
    """Return the bytes that go when the traces of a shot are thinned out."""
    return sum(
        level["bytes"]
        for entry in read_index(out, shot).values()
        for level in entry["levels"][LEVELS_KEPT:]
    )


@dataclass
class _PackWriter:
    """Writes the files of a shot's packs, from the samples or from the files ``before``."""

    source: SiteSource
    shot: int
    folder: Path
    depth: Depth
    before: Mapping[str, Entry]

    def file(self, rows: Sequence[WiringRow]) -> Generator[None, None, Mapping[str, Entry]]:
        """Make the file of some signals if it is not there; return their entries by name."""
        kept = [self._kept(row) for row in rows]
        is_there = [
            e is not None and _is_as_wanted(e, r, self.depth)
            for e, r in zip(kept, rows, strict=True)
        ]
        if all(is_there) and len({entry["pack"] for entry in kept if entry}) == 1:
            return {row.signal: entry for row, entry in zip(rows, kept, strict=True) if entry}
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(self.folder / SUFFIX)
        entries: dict[str, Entry] = {}
        try:
            with temporary.open("wb") as out:
                for row, before in zip(rows, kept, strict=True):
                    at = out.tell()
                    try:
                        found = yield from self._signal(row, before, out)
                    except UNREADABLE as error:
                        out.truncate(at)
                        out.seek(at)
                        found = _empty_entry(row, _reason(error))
                    entries[row.signal] = found if not found["levels"] else {**found, "at": at}
                size = out.tell()
            drawn = [e for e in entries.values() if e["levels"]]
            if drawn:
                depths = [[e["made"], len(e["levels"])] for e in drawn]
                name = f"{slug(drawn[0]['name'])}-{digest(depths)[:8]}{SUFFIX}"
                fsync_files([temporary])
                if (self.folder / name).is_dir():  # by hand
                    shutil.rmtree(self.folder / name)
                temporary.rename(self.folder / name)
                fsync_dir(self.folder)
                for signal, entry in entries.items():
                    if entry["levels"]:
                        entries[signal] = {**entry, "pack": name, "size": size}
        finally:
            temporary.unlink(missing_ok=True)
        return entries

    def _kept(self, row: WiringRow) -> Entry | None:
        """Return the entry of a pack that is there, as deep as required or deeper."""
        entry = self.before.get(row.signal)
        if entry is None or not _is_as_wanted(entry, row, self.depth, deeper=True):
            return None
        if not _is_whole(self.folder, entry):
            return None
        try:
            part = Part(entry, reader_of(self.folder / entry["pack"], entry["at"]))
            part.rows(0, 0, part.levels[0].bins)
        except (ValueError, LookupError, TypeError):
            return None  # damaged
        return entry

    def _signal(self, row: WiringRow, before: Entry | None, out: BinaryIO) -> Steps:
        """Write the pack of a signal; return its entry, but for the name of the file."""
        if before is not None:
            part = Part(before, reader_of(self.folder / before["pack"], before["at"]))
            levels = self.depth.levels(before["n"], irregular=before["irregular"])
            return {**before, **part.copy(out, len(levels))}
        signal = self.source.signal(self.shot, row.signal)
        signal.samples.check()
        irregular = irregular_axis(signal.samples) is not None
        levels = self.depth.levels(signal.n, irregular=irregular)
        if not levels:
            return _empty_entry(row, "its channel has no samples")
        axis = signal.samples.base
        written = yield from write_part(signal.samples, levels, out, self.folder)
        return {
            "name": row.signal,
            "unit": signal.unit,
            **_axis_entry(axis.unit, axis.x0, axis.dx),
            "n": signal.n,
            "problem": "",
            "made": _identity(row, self.depth),
            **written,
        }


def _reason(error: Exception) -> str:
    """Return why a signal cannot be read, in one line."""
    text = " ".join(str(error).split())
    is_plain = isinstance(error, IshtarError | OSError) and text
    return text if is_plain else f"its samples cannot be read ({type(error).__name__}: {text})"


def _is_entry(signal: Mapping[str, Any]) -> bool:
    """Return whether an index says of a signal what is needed to find its pack, or why not."""
    levels, of_pack = signal["levels"], ("at", "size", "head", "block", "irregular", "ladder")
    if not isinstance(levels, list) or not {"pack", "made", "n", "problem"} <= signal.keys():
        return False
    return not levels or all(key in signal for key in of_pack)


def _is_whole(folder: Path, entry: Entry) -> bool:
    """Return whether the file of a pack is there, as long as it was."""
    path = folder / str(entry["pack"])
    return bool(entry["pack"]) and path.is_file() and path.stat().st_size == entry["size"]


def _is_drawable(row: WiringRow) -> bool:
    return bool(row.made) and not row.problem


def _identity(row: WiringRow, depth: Depth) -> str:
    """Return the identity of the pack of a signal."""
    return digest([FORMAT, depth.tile_samples, row.made, row.x_unit])


def unreadable(record: ShotRecord, out: Path) -> dict[str, str]:
    """Return why signals have no pack that should have one, by name."""
    published = read_index(out, record.shot)
    return {
        row.signal: str(published[row.signal]["problem"])
        for row in record.wiring
        if _is_drawable(row) and row.signal in published and not published[row.signal]["levels"]
    }


def _is_as_wanted(entry: Entry, row: WiringRow, depth: Depth, *, deeper: bool = False) -> bool:
    """Return whether the pack of a signal is of its inputs, as deep as required, or ``deeper``."""
    if entry["made"] != _identity(row, depth):
        return False
    levels = depth.levels(entry["n"], irregular=entry["irregular"])
    wanted = [level.stride for level in levels]
    published = [level["stride"] for level in entry["levels"]]
    return (published[: len(wanted)] if deeper else published) == wanted


def _axis_entry(unit: str, x0: float | None, dx: float | None) -> dict[str, Any]:
    """Return start and step of an axis; ``t0`` and ``dt`` are None unless it is time in s."""
    timed = unit == SECONDS
    seconds = {"t0": x0 if timed else None, "dt": dx if timed else None}
    return {**seconds, "x_unit": unit, "x0": x0, "dx": dx}


def _empty_entry(row: WiringRow, problem: str) -> dict[str, Any]:
    """Return the index entry of a signal that cannot be drawn, with the reason."""
    return {
        "name": row.signal,
        "pack": "",
        "unit": row.unit,
        **_axis_entry(row.x_unit, None, None),
        "n": 0,
        "levels": [],
        "problem": problem or "its samples are unknown",
        "made": "",
    }


def _write_coarse(writer: Writer, shot: int, signals: Sequence[Entry]) -> bool:
    """Write the first levels of all signals as a script; return whether it changed."""
    content = {
        entry["name"]: [
            [base64.b64encode(block).decode("ascii") for block in level]
            for level in published_part(writer.out, shot, entry).first_levels()
        ]
        for entry in signals
        if entry["levels"]
    }
    path = f"{traces_folder(shot)}/{COARSE}"
    return writer.write_now(f"{path}.js", script_bytes(path, json_bytes({"signals": content})))


def _remove_unlisted(folder: Path, packs: Collection[str]) -> None:
    """Remove files that the index does not list, and remains of killed processes."""
    for path in folder.iterdir():
        if path.is_dir():  # of an older version
            shutil.rmtree(path)
        elif _is_remains(path) or (
            path.suffix == SUFFIX
            and path.name not in packs
            and not path.name.startswith(TEMPORARY_PREFIX)
        ):
            path.unlink(missing_ok=True)


def _is_remains(path: Path) -> bool:
    """Return whether a file is what a killed process left, not what another one writes now."""
    if not path.name.startswith(TEMPORARY_PREFIX):
        return False
    try:
        return time.time() - path.stat().st_mtime > REMAINS_S
    except FileNotFoundError:
        return False  # the other process has just finished it
