"""The tiles of a shot: made once, made again if their inputs change, thinned out with age.

Each signal has its own folder, whose name depends on the inputs of its values and on the settings,
so that tiles of two calibrations never mix, not even in the cache of a browser. Folders appear
atomically; the index is written after them, and folders that it no longer lists are removed last.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ishtar.errors import IshtarError
from ishtar.lineage.record import digest
from ishtar.signals.time_base import SECONDS, Along, Axis, Irregular
from ishtar.store import fsync_dir
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_files, temporary_path
from runner.publish.addresses import slug
from runner.publish.data.tiles import TILE, Level, Tile, cut_tiles, encode, levels_of
from runner.publish.records import ShotRecord, SiteSource, WiringRow
from runner.publish.writer import Writer, json_bytes, script_bytes

if TYPE_CHECKING:
    from ishtar.signals.lazy_signal import Signal

FORMAT = 1  # of tiles; a change makes all of them again
LEVELS_KEPT = 2  # of an old shot


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How deep the traces of a shot go: bins of the finest level, and whether the shot is old."""

    tile_samples: int
    old: bool = False

    def levels(self, n: int) -> list[Level]:
        """Return the levels of a signal with ``n`` samples."""
        found = levels_of(n, self.tile_samples)
        return found[:LEVELS_KEPT] if self.old else found


def traces_folder(number: int) -> str:
    """Return the folder of a shot's tiles."""
    return f"shots/{number:05d}/traces"


def is_current(record: ShotRecord, out: Path, depth: Depth) -> bool:
    """Return whether the tiles of a shot are up to date."""
    published = read_index(out, record.shot)
    folder = out / traces_folder(record.shot)
    if not folder.is_dir() or published.keys() != {row.signal for row in record.wiring}:
        return False
    if any(path.name.startswith(TEMPORARY_PREFIX) for path in folder.iterdir()):
        return False  # left by a killed process; removed when the tiles are made again
    for row in record.wiring:
        entry = published[row.signal]
        if row.problem or not row.made:
            if entry != _empty_entry(row, row.problem or row.lack):
                return False
        elif not _is_current(entry, row, folder, depth):
            return False
    return True


def write_traces(source: SiteSource, record: ShotRecord, writer: Writer, depth: Depth) -> bool:
    """Update the tiles of a shot; return whether anything changed.

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
    folder = traces_folder(record.shot)
    before = read_index(writer.out, record.shot)
    made = _TraceWriter(source, record.shot, writer.out / folder, depth)
    signals = [made.entry(row, before.get(row.signal)) for row in record.wiring]
    index = {"shot": record.shot, "tile": TILE, "signals": signals}
    path = f"{folder}/index"
    text = json_bytes(index)
    changed = [
        writer.write_now(f"{path}.js", script_bytes(path, text)),
        writer.write_now(f"{path}.json", text),
    ]
    _remove_unlisted(
        writer.out / folder, {s["slug"]: len(s["levels"]) for s in signals if s["levels"]}
    )
    return any(changed)


def read_index(out: Path, shot: int) -> dict[str, dict[str, Any]]:
    """Return the signals of a shot's index by name; none if it is missing or invalid."""
    try:
        index = json.loads((out / traces_folder(shot) / "index.json").read_bytes())
        return {s["name"]: s for s in index["signals"] if isinstance(s["levels"], list)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@dataclass
class _TraceWriter:
    source: SiteSource
    shot: int
    folder: Path
    depth: Depth

    def entry(self, row: WiringRow, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the entry of a signal in the index, after its tiles are written."""
        if row.problem or not row.made:
            return _empty_entry(row, row.problem or row.lack)
        if before is not None and _is_current(before, row, self.folder, self.depth, deeper=True):
            return self._shallower(before)
        made = _identity(row, self.depth)
        try:
            return self._cut(row, made, self.source.signal(self.shot, row.signal))
        except IshtarError as error:  # its file is damaged, its times run backwards …
            return _empty_entry(row, str(error))

    def _shallower(self, before: Mapping[str, Any]) -> dict[str, Any]:
        kept = before["levels"][: len(self.depth.levels(before["n"]))]
        return {**before, "levels": kept}

    def _cut(self, row: WiringRow, made: str, signal: Signal) -> dict[str, Any]:
        levels = self.depth.levels(signal.n)
        if not levels:
            return _empty_entry(row, "its channel has no samples")
        axis = signal.samples.base
        base = axis.base if isinstance(axis, Along) else axis
        times = None
        if isinstance(base, Irregular):
            base.index(base.t0)  # raises if times do not increase
            times = base.times(0, base.n) - base.t0
        name = f"{slug(row.signal)}-{made[:8]}"
        described = [_level(level) for level in levels]
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(self.folder / name)
        temporary.mkdir()
        try:
            for tile in cut_tiles(signal.samples, levels):
                stride = levels[tile.level].stride
                first = tile.k * TILE * stride
                of_tile = None
                if times is not None:
                    of_tile = times[first : first + len(tile.rows) * stride : stride]
                    described[tile.level].setdefault("starts", []).append(float(of_tile[0]))
                content = encode(tile.rows, single=stride == 1, times=of_tile)
                self._write(temporary, name, tile, content)
            fsync_files(temporary.iterdir())
            shutil.rmtree(self.folder / name, ignore_errors=True)
            temporary.rename(self.folder / name)
            fsync_dir(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        return {
            "name": row.signal,
            "slug": name,
            "unit": signal.unit,
            **_axis_entry(axis),
            "n": signal.n,
            "levels": described,
            "problem": "",
            "made": made,
        }

    def _write(self, where: Path, name: str, tile: Tile, content: Mapping[str, Any]) -> None:
        stem = f"{tile.level}-{tile.k}"
        path = f"{traces_folder(self.shot)}/{name}/{stem}"
        (where / f"{stem}.js").write_bytes(script_bytes(path, json_bytes(content)))


def _identity(row: WiringRow, depth: Depth) -> str:
    """Return the identity of the tiles of a signal."""
    # samples without times were once published as seconds: only these are made again
    along = [] if row.x_unit == SECONDS else [row.x_unit]
    return digest([FORMAT, depth.tile_samples, row.made, *along])


def _is_current(
    entry: Mapping[str, Any], row: WiringRow, folder: Path, depth: Depth, *, deeper: bool = False
) -> bool:
    """Return whether the tiles of a signal exist as deep as required, or ``deeper``."""
    if entry.get("made") != _identity(row, depth):
        return False
    wanted = [level.stride for level in depth.levels(entry["n"])]
    published = [level["stride"] for level in entry["levels"]]
    if deeper:
        published = published[: len(wanted)]
    return published == wanted and (folder / entry["slug"]).is_dir()


def _axis_entry(axis: Axis) -> dict[str, Any]:
    """Return start and step of an axis; ``t0`` and ``dt`` are None unless it is time in s."""
    x0, dx = axis.x0, axis.dx
    timed = axis.unit == SECONDS
    seconds = {"t0": x0 if timed else None, "dt": dx if timed else None}
    return seconds | {"x_unit": axis.unit, "x0": x0, "dx": dx}


def _level(level: Level) -> dict[str, Any]:
    return {"stride": level.stride, "bins": level.bins, "tiles": level.tiles}


def _empty_entry(row: WiringRow, problem: str) -> dict[str, Any]:
    """Return the index entry of a signal that cannot be drawn, with the reason."""
    return {
        "name": row.signal,
        "slug": "",
        "unit": row.unit,
        "t0": None,
        "dt": None,
        "n": 0,
        "levels": [],
        "problem": problem or "its samples are unknown",
        "made": "",
    }


def _remove_unlisted(folder: Path, levels: Mapping[str, int]) -> None:
    """Remove folders and levels that the index does not list, and remains of killed processes."""
    for path in folder.iterdir():
        if not path.is_dir():
            continue
        if path.name not in levels:
            shutil.rmtree(path)
            continue
        for tile in path.glob("*.js"):
            if int(tile.name.partition("-")[0]) >= levels[path.name]:
                tile.unlink()
