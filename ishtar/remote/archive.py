"""The archive of a published site: raw data, and declarations as the text that they are.

::

    raw/01234/index.bin          where each chunk of a shot's files is: `ishtar.store.chunk_index`
    raw/01234/NAME.h5            a stored file, perhaps on another host
    declarations/DIGEST.json     {"files": {name: text}} of a version of calibrations/
    declarations/history.json    {"revisions": {tag: [commit, DIGEST]}}

The entry ``archive`` of ``data/index.json`` says where these are.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from numpy.typing import NDArray

from ishtar.calibration import Declarations, read_declarations
from ishtar.calibration.pinned import NoHistory, NoSuchRevision
from ishtar.errors import CalibrationFileError, DamagedFile, did_you_mean, nearest
from ishtar.lineage.record import subject_of
from ishtar.remote.fetch import RemoteError, Site
from ishtar.remote.index_checks import check_channel, origin_of, plain_values
from ishtar.remote.pieces import Pieces
from ishtar.store import Channel, SourceFile
from ishtar.store.chunk_decode import ChunkedRows, Span
from ishtar.store.chunk_index import lengths, read_description
from ishtar.store.reader import ReadRows, channel_of

FORMAT = 1
INDEX = "index.bin"
HISTORY = "declarations/history.json"
FIRST_BYTES = 1 << 16  # of an index: those of most shots end before
MAX_FILES = 10_000
MAX_HEAD = 1 << 26
CONTRADICTIONS = (
    *(ValueError, TypeError, LookupError, AttributeError, ArithmeticError),
    *(OSError, RuntimeError, MemoryError),
)


@contextmanager
def reporting_contradictions(what: str, pieces: Pieces | None = None) -> Iterator[None]:
    """Turn errors from what a site claims into a `RemoteError` that names it.

    The ``pieces`` that led to it are not kept.
    """
    try:
        yield
    except RemoteError:
        raise
    except CONTRADICTIONS as error:
        if pieces is not None:
            pieces.forget()
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise RemoteError(
            f"{what} cannot be read ({why}): open the site again; if that does not help, its "
            "administrator has to publish it again"
        ) from error


@dataclass(frozen=True, kw_only=True)
class ForeignChannel(Channel):
    """A channel of a file on a server; reads fetch the chunks that they touch."""

    rows: Mapping[str, ChunkedRows] = field(repr=False, compare=False)
    pieces: Pieces = field(repr=False, compare=False)

    @contextmanager
    def reading(self, name: str, start: int, stop: int | None) -> Iterator[ReadRows]:
        """Open a dataset, and fetch what the rows ``start … stop`` need."""
        what = f"{self.path} of {self.file.name}"
        with reporting_contradictions(what, self.pieces):
            rows = self.rows[name]
            first, last, _ = slice(start, stop).indices(rows.shape[0])
            read_rows = rows.reader(first, last)

        def read(a: int, b: int | None, into: NDArray[Any] | None) -> NDArray[Any]:
            with reporting_contradictions(what, self.pieces):
                return read_rows(a, b, into)

        yield read


class ForeignSource(SourceFile):
    """A stored file on a server, described by the index of its shot."""

    def __init__(self, entry: Mapping[str, Any], read: Pieces, tables: _Tables) -> None:
        self.path = Path(str(entry["name"]))
        if damage := entry.get("damaged"):
            raise DamagedFile(str(damage))
        self.origin = origin_of(entry["origin"])
        self.attributes = plain_values(entry["attributes"])
        self.properties = plain_values(entry["properties"])
        self.index = [
            dict(record) | {"properties": plain_values(record["properties"])}
            for record in entry["index"]
        ]
        self._datasets = entry["datasets"]
        self._size = int(entry["size"])
        self._read, self._tables = read, tables

    @cached_property
    def channels(self) -> dict[str, Channel]:
        """Channels by path, in alphabetical order."""
        with reporting_contradictions(str(self.path)):
            records = sorted(self.index, key=lambda record: record["path"])
            return {r["path"]: self._channel(r) for r in records}

    def _channel(self, record: Mapping[str, Any]) -> Channel:
        rows = {
            name: ChunkedRows(entry, self._size, self._read, self._tables)
            for name, entry in self._datasets[record["path"]].items()
        }
        channel = channel_of(self.path, of=ForeignChannel, rows=rows, pieces=self._read, **record)
        check_channel(channel, rows)
        return channel


class _Tables:
    """Fetch tables of chunks from the index of a shot, of which the beginning is known."""

    def __init__(
        self, pieces: Callable[[Sequence[Span]], Sequence[bytes]], at: int, beginning: bytes
    ) -> None:
        self._pieces, self._at, self._beginning = pieces, at, beginning

    def __call__(self, span: Span) -> bytes:
        start, stop = self._at + span[0], self._at + sum(span)
        if stop <= len(self._beginning):
            return self._beginning[start:stop]
        return self._pieces([(start, span[1])])[0]


@dataclass(frozen=True, kw_only=True)
class ShotFiles:
    """The files of a shot, and the corrections of its attributes as they are written."""

    sources: tuple[SourceFile, ...]
    edits: bytes


class Archive:
    """The archive of a site.

    Parameters
    ----------
    site : Site
        The site.
    entry : mapping
        What its index says of the archive.
    run_code : bool
        Run the facility's own code.

    Raises
    ------
    RemoteError
        The archive was written by a newer version.
    """

    def __init__(self, site: Site, entry: Mapping[str, Any], *, run_code: bool) -> None:
        with reporting_contradictions(f"the archive of {site.address}"):
            if int(entry["format"]) > FORMAT:
                raise RemoteError(
                    f"{site.address} needs ishtar {entry['needs']} or newer: "
                    "pip install --upgrade ishtar-testbed"
                )
            self._raw = str(entry["raw"])
            self._digest = str(entry["declarations"])
            self._stamps: Mapping[str, str] = dict(entry["stamps"])
            self._shard = int(entry["shard"])
        self._site, self._run_code = site, run_code

    # --- declarations --------------------------------------------------------------------------

    def declarations(self, revision: str | None) -> Declarations:
        """Return the declarations of the site, or those of a tag or commit.

        Raises
        ------
        NoHistory, NoSuchRevision
            The site has no history, or not this revision; the message names the nearest.
        CalibrationFileError
            The files of that revision have problems.
        """
        if revision is None:
            return self._declared(self._digest, "")
        commit, digest = self._revision(revision)
        return self._declared(digest, commit[:10])

    def _revision(self, revision: str) -> tuple[str, str]:
        if not isinstance(revision, str):
            raise TypeError(f"calib={revision!r} is not a revision: give a tag, 'v2026.1'")
        with reporting_contradictions(f"the history of {self._site.address}"):
            found = self._site.json(HISTORY, self._digest)["revisions"]
            revisions = {str(k): (str(v[0]), str(v[1])) for k, v in found.items()}
        if not revisions:
            raise NoHistory(
                f"{self._site.address} has no history of its calibrations: open it without calib="
            )
        if revision in revisions:
            return revisions[revision]
        commits = {pair for pair in revisions.values() if pair[0].startswith(revision)}
        if len(revision) >= 7 and len(commits) == 1:
            return commits.pop()
        newest = ", ".join(list(revisions)[:3])
        hint = did_you_mean(revision, revisions) or f": it keeps those of tags, {newest}"
        raise NoSuchRevision(
            f"{self._site.address} has no calibrations of {revision!r}{hint}",
            name=revision,
            nearest=nearest(revision, revisions),
        )

    def _declared(self, digest: str, revision: str) -> Declarations:
        path = f"declarations/{digest}.json"
        content = self._site.document(path, digest)
        with reporting_contradictions(f"{self._site.address}{path}"):
            if hashlib.sha256(content).hexdigest()[: len(digest)] != digest:
                raise ValueError("it has changed")
            files = {str(k): str(v) for k, v in json.loads(content)["files"].items()}
        declared, problems = _read(tuple(sorted(files.items())), self._run_code)
        if problems:
            raise CalibrationFileError(
                f"calibrations of {self._site.address}: {problems[0]}: tell its administrator",
                problems=problems,
            )
        return replace(declared, revision=revision)

    # --- shots ---------------------------------------------------------------------------------

    def shot(self, number: int) -> ShotFiles:
        """Return the files of a shot, without reading samples."""
        folder = f"raw/{subject_of(number)}"
        stamp = self._stamps.get(f"{number // self._shard:04d}", "")
        beginning = self._beginning(f"{folder}/{INDEX}", stamp)
        with reporting_contradictions(f"{self._site.address}{folder}/{INDEX}"):
            length, total = lengths(beginning)
            described = read_description(beginning)
            digest = hashlib.sha256(beginning[:length]).hexdigest()
            pieces = Pieces(self._site, f"{folder}/{INDEX}", total, digest)
            tables = _Tables(pieces, length, beginning)
            sources = [self._source(number, e, tables) for e in described["files"][:MAX_FILES]]
            edits = str(described["edits"]).encode()
        return ShotFiles(sources=tuple(sources), edits=edits)

    def _source(self, number: int, entry: Mapping[str, Any], tables: _Tables) -> SourceFile:
        name, size = str(entry["name"]), int(entry["size"])
        if name in (".", "..") or "/" in name or size < 0:
            raise ValueError(f"{name!r} is no file")
        path = f"{self._raw}/{subject_of(number)}/{name}"
        if "://" in self._raw:
            path = f"{self._raw}/{subject_of(number)}/{quote(name, errors='surrogateescape')}"
        facts = json.dumps([name, size, entry.get("origin"), entry.get("index")], sort_keys=True)
        identity = hashlib.sha256(facts.encode()).hexdigest()
        return ForeignSource(entry, Pieces(self._site, path, size, identity), tables)

    def _beginning(self, path: str, stamp: str) -> bytes:
        """Return the beginning of an index, at least to the end of its description."""
        content = self._site.beginning(path, FIRST_BYTES, stamp)
        with reporting_contradictions(f"{self._site.address}{path}"):
            length, _ = lengths(content)
            if length > MAX_HEAD:
                raise ValueError(f"a description of {length} bytes is none")
            if length > len(content):
                content = self._site.beginning(path, length, stamp)
            if length > len(content):
                raise ValueError("it is shorter than it says")
        return content


@lru_cache(maxsize=16)
def _read(
    files: tuple[tuple[str, str], ...], run_code: bool
) -> tuple[Declarations, tuple[str, ...]]:
    with tempfile.TemporaryDirectory(prefix="ishtar-calib-") as scratch:
        copy = Path(scratch) / "calibrations"
        copy.mkdir()
        for name, text in files:
            place = PurePosixPath(name)
            if place.is_absolute() or ".." in place.parts or not place.parts:
                raise RemoteError(f"{name!r} is no file of calibrations: tell the administrator")
            path = copy / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        declared, problems = read_declarations(copy, run_code=run_code)
    return declared, tuple(problems)
