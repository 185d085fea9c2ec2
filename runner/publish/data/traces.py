"""The tiles of a shot: made once, made anew where what they are made of changes, let go in time.

Each signal has a folder of its own, whose name changes with what its values are made of and with
the settings, so that tiles of two calibrations never meet, in a browser's memory neither. Folders
appear whole; the index that names them is written after them, and what it no longer names goes
last.
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
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_dir, fsync_files, temporary_path
from runner.publish.addresses import slug
from runner.publish.data.tiles import TILE, Level, Tile, cut, encode, levels_of
from runner.publish.records import ShotRecord, SiteSource, WiringRow
from runner.publish.writer import Writer, json_bytes, script_bytes

if TYPE_CHECKING:
    from ishtar.signals.signal import Signal

FORMAT = 1  # of tiles; another one makes all anew
LEVELS_KEPT = 2  # of an old shot


@dataclass(frozen=True, kw_only=True)
class Depth:
    """How deep the traces of a shot go: stretches of the finest level, and whether it is old."""

    tile_samples: int
    old: bool = False

    def levels(self, n: int) -> list[Level]:
        """Return the levels of a signal with ``n`` samples."""
        found = levels_of(n, self.tile_samples)
        return found[:LEVELS_KEPT] if self.old else found


def traces_folder(number: int) -> str:
    """Return where the tiles of a shot are."""
    return f"shots/{number:05d}/traces"


def is_current(record: ShotRecord, out: Path, depth: Depth) -> bool:
    """Tell whether the tiles of a shot are as they should be."""
    held = read_index(out, record.shot)
    folder = out / traces_folder(record.shot)
    if not folder.is_dir() or held.keys() != {row.signal for row in record.wiring}:
        return False
    if any(path.name.startswith(TEMPORARY_PREFIX) for path in folder.iterdir()):
        return False  # left by who was killed: it goes when they are made again
    for row in record.wiring:
        entry = held[row.signal]
        if row.problem or not row.made:
            if entry != _without(row, row.problem or row.lack):
                return False
        elif not _is_made(entry, row, folder, depth):
            return False
    return True


def write_traces(source: SiteSource, record: ShotRecord, writer: Writer, depth: Depth) -> bool:
    """Bring the tiles of a shot up to date; tell whether anything had to be done.

    Parameters
    ----------
    source
        Gives the samples.
    record
        The shot as its page tells it.
    writer
        Where to. The index is written at once: pages are in place by then.
    depth
        How deep.
    """
    folder = traces_folder(record.shot)
    before = read_index(writer.out, record.shot)
    made = _Making(source, record.shot, writer.out / folder, depth)
    signals = [made.entry(row, before.get(row.signal)) for row in record.wiring]
    index = {"shot": record.shot, "tile": TILE, "signals": signals}
    path = f"{folder}/index"
    text = json_bytes(index)
    changed = [
        writer.now(f"{path}.js", script_bytes(path, text)),
        writer.now(f"{path}.json", text),
    ]
    _clear(writer.out / folder, {s["slug"]: len(s["levels"]) for s in signals if s["levels"]})
    return any(changed)


def read_index(out: Path, shot: int) -> dict[str, dict[str, Any]]:
    """Return the signals of a shot's index by name; none where there is no good index."""
    try:
        index = json.loads((out / traces_folder(shot) / "index.json").read_bytes())
        return {s["name"]: s for s in index["signals"] if isinstance(s["levels"], list)}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


@dataclass
class _Making:
    source: SiteSource
    shot: int
    folder: Path
    depth: Depth

    def entry(self, row: WiringRow, before: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return what the index says of a signal, whose tiles are there by then."""
        if row.problem or not row.made:
            return _without(row, row.problem or row.lack)
        if before is not None and _is_made(before, row, self.folder, self.depth, deeper=True):
            return self._shallower(before)
        made = _made(row, self.depth)
        try:
            return self._cut(row, made, self.source.signal(self.shot, row.signal))
        except IshtarError as error:  # its file is damaged, its times run backwards …
            return _without(row, str(error))

    def _shallower(self, before: Mapping[str, Any]) -> dict[str, Any]:
        kept = before["levels"][: len(self.depth.levels(before["n"]))]
        return {**before, "levels": kept}

    def _cut(self, row: WiringRow, made: str, signal: Signal) -> dict[str, Any]:
        levels = self.depth.levels(signal.n)
        if not levels:
            return _without(row, "its channel holds no sample")
        axis = signal.samples.base
        base = axis.base if isinstance(axis, Along) else axis
        times = None
        if isinstance(base, Irregular):
            base.index(base.t0)  # refuses times that do not run forward
            times = base.times(0, base.n) - base.t0
        name = f"{slug(row.signal)}-{made[:8]}"
        described = [_level(level) for level in levels]
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(self.folder / name)
        temporary.mkdir()
        try:
            for tile in cut(signal.samples, levels):
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
            **_where(axis),
            "n": signal.n,
            "levels": described,
            "problem": "",
            "made": made,
        }

    def _write(self, where: Path, name: str, tile: Tile, content: Mapping[str, Any]) -> None:
        stem = f"{tile.level}-{tile.k}"
        path = f"{traces_folder(self.shot)}/{name}/{stem}"
        (where / f"{stem}.js").write_bytes(script_bytes(path, json_bytes(content)))


def _made(row: WiringRow, depth: Depth) -> str:
    """Return the identity of the tiles of a signal."""
    # samples that lie in no time were published as seconds once: these are made anew, and no others
    along = [] if row.x_unit == SECONDS else [row.x_unit]
    return digest([FORMAT, depth.tile_samples, row.made, *along])


def _is_made(
    entry: Mapping[str, Any], row: WiringRow, folder: Path, depth: Depth, *, deeper: bool = False
) -> bool:
    """Tell whether the tiles of a signal are there, and as deep; or ``deeper`` than they need."""
    if entry.get("made") != _made(row, depth):
        return False
    wanted = [level.stride for level in depth.levels(entry["n"])]
    held = [level["stride"] for level in entry["levels"]]
    if deeper:
        held = held[: len(wanted)]
    return held == wanted and (folder / entry["slug"]).is_dir()


def _where(axis: Axis) -> dict[str, Any]:
    """Return start and step of samples: of what lies in no time there are none in seconds."""
    x0, dx = axis.x0, axis.dx
    timed = axis.unit == SECONDS
    seconds = {"t0": x0 if timed else None, "dt": dx if timed else None}
    return seconds | {"x_unit": axis.unit, "x0": x0, "dx": dx}


def _level(level: Level) -> dict[str, Any]:
    return {"stride": level.stride, "bins": level.bins, "tiles": level.tiles}


def _without(row: WiringRow, problem: str) -> dict[str, Any]:
    """Return the entry of a signal that cannot be drawn, with the reason."""
    return {
        "name": row.signal,
        "slug": "",
        "unit": row.unit,
        "t0": None,
        "dt": None,
        "n": 0,
        "levels": [],
        "problem": problem or "nothing is known of its samples",
        "made": "",
    }


def _clear(folder: Path, levels: Mapping[str, int]) -> None:
    """Remove folders and levels that the index no longer names, and what a killed process left."""
    for path in folder.iterdir():
        if not path.is_dir():
            continue
        if path.name not in levels:
            shutil.rmtree(path)
            continue
        for tile in path.glob("*.js"):
            if int(tile.name.partition("-")[0]) >= levels[path.name]:
                tile.unlink()
