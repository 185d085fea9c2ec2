"""HDF5 files: archive files ``NNNNN_Data.h5`` of older shots, and any others.

Every dataset of numbers becomes channels. Nothing in such a file is believed: see `h5_storage`
for what is checked before a value is read. Who adds a kind of odd file asks: is one thing odd,
then it is left out with a note (`Omitted`); or is the file damaged, then it is refused
(`Unreadable`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from h5py import h5d, h5f, h5p, h5s

from ishtar.store import ChannelWriter
from runner.ingest.context import Context
from runner.ingest.hdf5.h5_attributes import plain
from runner.ingest.hdf5.h5_errors import NoHdf5, Notes, Omitted, Unreadable, reading, verdict
from runner.ingest.hdf5.h5_shot import tell_shot
from runner.ingest.hdf5.h5_storage import Claims, Values
from runner.ingest.hdf5.h5_structure import Contents, Found, survey
from runner.ingest.hdf5.h5_texts import is_text, text_of_dataset
from runner.ingest.hdf5.h5_time import Axes, Axis, is_coordinate
from runner.ingest.hdf5.h5_values import Meaning, Part, is_wide, meaning_of, number_type, parts_of
from runner.ingest.ingest_errors import Rejected

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_CHANNELS = 10_000
RESERVED = {"groups", "links", "notes", "scalars", "texts"}  # properties set by this converter


class H5Archive:
    """``NNNNN_Data.h5``, ``.mat`` of MATLAB 7.3, ``.nc`` of netCDF-4."""

    name = "h5archive"
    version = "2"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether the file has an HDF5 signature, possibly after a user block."""
        return any(head.startswith(MAGIC, start) for start in (0, 512, 1024, 2048))

    def convert(self, path: Path, context: Context) -> None:
        """Store every dataset of numbers, in blocks."""
        import hdf5plugin  # noqa: F401  a file may be compressed with its filters

        notes = Notes(context)
        try:
            with reading("it", NoHdf5):
                file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
            try:
                _Archive(file, path.stat().st_size, context, notes).store()
            finally:
                file.close()
        except Unreadable as error:
            raise verdict(path, error) from error
        finally:
            notes.tell()


def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_file_locking(False, ignore_when_disabled=True)
    access.set_fclose_degree(h5f.CLOSE_STRONG)  # closing the file closes its objects
    return access


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The storage of one dataset."""

    found: Found
    values: Values
    parts: list[Part]
    axis: Axis
    meaning: Meaning


class _Archive:
    """The conversion of one file."""

    def __init__(self, file: h5f.FileID, size: int, context: Context, notes: Notes) -> None:
        self._file, self._context, self._notes = file, context, notes
        self._claims = Claims(file_size=size)
        self._values: dict[int, Values | Omitted] = {}
        self._left_out: list[str] = []
        self._paths: set[str] = set()

    def store(self) -> None:
        contents = survey(self._file, self._notes)
        root = contents.groups[""]
        if "format" in root and "converter" in root:
            raise Rejected("it is already a stored file of this archive: ingest its source instead")
        self._describe(contents)
        self._left_out += contents.left_out
        date, is_local = tell_shot(root, self._context, self._notes)
        self._axes = Axes(
            contents,
            self._values_of,
            self._context,
            self._notes,
            date=date,
            date_is_local=is_local,
        )
        plans = [plan for found in contents.datasets if (plan := self._plan(found)) is not None]
        with reading("the places of its values"):
            self._claims.check_overlap()
        self._axes.settle()
        if not plans and self._left_out:
            raise Rejected(f"nothing in it can be stored: {'; '.join(self._left_out[:3])}")
        if sum(len(plan.parts) for plan in plans) > MAX_CHANNELS:
            raise Rejected(
                f"it has more than {MAX_CHANNELS} channels, too many for a shot: provide one "
                "file for each shot"
            )
        done = 0
        for plan in plans:
            done = self._copy(plan, done)

    def _describe(self, contents: Contents) -> None:
        context = self._context
        for name, value in contents.groups[""].items():
            context.properties[f"{name} (attribute)" if name in RESERVED else name] = value
        context.properties["groups"] = {
            path: attributes
            for path, attributes in contents.groups.items()
            if path and (attributes or "/" not in path)
        }
        context.written_by("archive")
        if contents.links:
            context.properties["links"] = contents.links
            named = [f"{link} → {target or '/'}" for link, target in contents.links.items()]
            more = f" and {len(named) - 3} more" if len(named) > 3 else ""
            self._notes.add(f"stored once under the first name: {', '.join(named[:3])}{more}")

    def _plan(self, found: Found) -> _Plan | None:
        if not is_coordinate(found):
            return None
        try:
            with reading(found.path):
                if found.id.shape is None:
                    self._properties("scalars")[found.path] = None
                elif is_text(found):
                    text = text_of_dataset(found, self._claims)
                    self._properties("texts")[found.path] = text
                elif not found.id.shape:
                    self._properties("scalars")[found.path] = _scalar(found, self._claims)
                else:
                    return self._numbers(found)
        except Omitted as error:
            text = str(error)
            note = text if text.startswith(found.path) else f"{found.path} is left out: {text}"
            self._left_out.append(note)
            self._notes.add(note)
        return None

    def _properties(self, name: str) -> dict[str, Any]:
        answer: dict[str, Any] = self._context.properties.setdefault(name, {})
        return answer

    def _values_of(self, found: Found) -> Values:
        """Open the values of a dataset, cached."""
        if found.address not in self._values:
            try:
                self._values[found.address] = Values(
                    found, number_type(found.id.get_type()), self._claims
                )
            except Omitted as error:
                self._values[found.address] = error
        opened = self._values[found.address]
        if isinstance(opened, Omitted):
            raise opened
        return opened

    def _numbers(self, found: Found) -> _Plan:
        values = self._values_of(found)
        i, n_columns, axis = self._axes.lay(found, values.shape)
        values.select_axis(i)
        parts = parts_of(values.dtype, n_columns, found.path, self._notes)
        single = values.dtype if values.dtype.names is None else np.dtype(object)
        meaning = meaning_of(found.attributes, single, values.fill, found.path, self._notes)
        if values.n_missing:
            self._notes.add(
                f"{values.n_missing} of {values.n} samples of {found.path} were never written: "
                + (f"they have its fill value {values.fill}" if values.filled else "left out")
            )
        if is_wide(values.dtype):
            self._notes.add(f"{found.path} has numbers wider than 64 bits: rounded to 64")
        return _Plan(found=found, values=values, parts=parts, axis=axis, meaning=meaning)

    def _copy(self, plan: _Plan, done: int) -> int:
        with_places = plan.axis.clock is not None or plan.values.has_gaps
        writers = [self._channel(plan, part, with_places) for part in plan.parts]
        for start, block in plan.values.blocks():
            places = plan.axis.places(start, start + len(block)) if with_places else None
            for part, writer in zip(plan.parts, writers, strict=True):
                writer.append(plan.meaning.apply(part.pick(block)), places, owned=True)
            done += block.nbytes
            self._context.progress(done)
        if plan.meaning.n_missing:
            self._notes.add(
                f"{plan.meaning.n_missing} values of {plan.found.path} are missing by its "
                "_FillValue, missing_value or valid range: stored as NaN"
            )
        return done

    def _channel(self, plan: _Plan, part: Part, with_places: bool) -> ChannelWriter:
        axis, properties = plan.axis, dict(plan.found.attributes)
        if plan.meaning.problem:
            properties["scale_missing"] = plan.meaning.problem
        path = self._free_path(plan.found.path + part.suffix)
        return self._context.channel(
            path,
            dtype=plan.meaning.dtype(part.dtype),
            unit=plan.meaning.unit,
            scale=plan.meaning.scale,
            x_unit=axis.x_unit,
            properties=properties | {"time_base": axis.base},
            **({"irregular": True} if with_places else {"t0": axis.t0, "dt": axis.step}),
        )

    def _free_path(self, path: str) -> str:
        """Return a path that is unique in the file."""
        free, number = path, 2
        while free in self._paths:
            free, number = f"{path} {number}", number + 1
        self._paths.add(free)
        return free


def _scalar(found: Found, claims: Claims) -> Any:
    """Return the one value of a dataset without axes."""
    dtype = number_type(found.id.get_type())
    layout = found.id.get_create_plist().get_layout()
    if layout not in (h5d.COMPACT, h5d.CONTIGUOUS):
        raise Omitted("its value is in another file")
    if layout == h5d.CONTIGUOUS:
        if (place := found.id.get_offset()) is None:
            raise Omitted("its value was never written")
        size = found.id.get_type().get_size()
        claims.add(found.path, size, np.array([place]), np.array([size]))
    value = np.zeros((), dtype=dtype)
    found.id.read(h5s.ALL, h5s.ALL, value)
    if dtype.names is not None:
        return {name: plain(value[name]) for name in dtype.names}
    return plain(value[()])
