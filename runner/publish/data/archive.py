"""The archive of the site: raw files beside the pages, where their chunks are, and declarations.

``raw/01234/`` has the stored files of a shot, linked where the disk allows, and ``index.bin``, by
which a reader fetches a slice in a request or two: `ishtar.store.chunk_index`. ``declarations/``
has ``calibrations/`` as the text that it is, a file for each version. `ishtar.remote.archive` reads
both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ishtar.calibration.pinned import NoHistory, declared_files, files_at_tags
from ishtar.store.chunk_index import FORMAT as DESCRIBED
from ishtar.store.chunk_index import describe_shot, lengths, read_description
from runner.publish.addresses import RAW, raw_folder
from runner.publish.records import SiteSource
from runner.publish.writer import Writer, json_bytes
from runner.settings.publishing import PublishSettings

FORMAT = 1
NEEDS = "0.3"  # the first version that reads this format
INDEX = "index.bin"
DECLARATIONS = "declarations"
HISTORY = f"{DECLARATIONS}/history.json"


def write_raw_files(
    source: SiteSource, number: int, writer: Writer, settings: PublishSettings
) -> None:
    """Publish the raw files of a shot; those that are there are not touched again."""
    if settings.raw == "off" or settings.raw_url:
        return
    folder = raw_folder(number)
    for file in source.raw_files(number):
        if file.is_file():  # a link may lead to a disk that is not there
            writer.link(f"{folder}/{file.name}", file, copy=settings.raw == "copy")


def write_raw_index(
    source: SiteSource, number: int, writer: Writer, settings: PublishSettings
) -> str:
    """Publish the index of a shot's raw files; return its digest, empty without raw data."""
    if settings.raw == "off":
        return ""
    folder = raw_folder(number)
    files = source.raw_files(number)
    made_of = {
        "edits": source.edits(number),
        "made_of": [_mark(file) for file in files],
    }
    path = f"{folder}/{INDEX}"
    if _is_made_of(writer.out / path, made_of):  # to describe the files takes some 50 ms
        writer.keep(path)
        return digest_of(writer.out, number)
    content = describe_shot(files, **made_of)
    writer.bytes(path, content)
    return _digest(content)


def _mark(file: Path) -> list[Any]:
    """Return what changes whenever a stored file does."""
    try:
        status = file.stat()
    except OSError as error:
        return [file.name, error.errno]
    return [file.name, status.st_size, status.st_mtime_ns]


def _is_made_of(path: Path, made_of: Mapping[str, Any]) -> bool:
    """Return whether an index is there and describes these files."""
    try:
        content = path.read_bytes()
        is_whole = lengths(content)[1] == len(content)
        described = read_description(content)
    except (OSError, ValueError):
        return False
    is_current = described.get("format") == DESCRIBED and made_of.items() <= described.items()
    return is_whole and is_current


def digest_of(out: Path, number: int) -> str:
    """Return the digest of the published index of a shot, empty if there is none."""
    try:
        return _digest((out / raw_folder(number) / INDEX).read_bytes())
    except OSError:
        return ""


def stamp_of(texts: Sequence[bytes]) -> str:
    """Return a text that changes whenever one of some files does."""
    return _digest(b"".join(hashlib.sha256(text).digest() for text in texts))


def archive_entry(
    source: SiteSource,
    writer: Writer,
    settings: PublishSettings,
    stamps: Mapping[str, str],
    shard: int,
) -> Mapping[str, Any] | None:
    """Publish the declarations; return what the index of the site says of the archive, if any."""
    if settings.raw == "off":
        return None
    return {
        "format": FORMAT,
        "needs": NEEDS,
        "raw": settings.raw_url.rstrip("/") or RAW,
        "declarations": _write_declarations(source.calibrations(), writer),
        "shard": shard,
        "stamps": dict(sorted(stamps.items())),
    }


def _write_declarations(folder: Path, writer: Writer) -> str:
    """Publish the declarations of today and of all tags; return the digest of today's."""
    writer.keep(DECLARATIONS)  # earlier versions stay: notebooks may pin them
    now = _write_version(declared_files(folder), writer)
    try:
        before = json.loads((writer.out / HISTORY).read_bytes())["revisions"]
    except (OSError, ValueError, LookupError, TypeError):
        before = {}
    known = {str(commit): str(digest) for commit, digest in before.values()} if before else {}
    try:
        tags = files_at_tags(folder, known)
    except NoHistory:
        tags = {}
    revisions = {
        tag: [commit, known[commit] if files is None else _write_version(files, writer)]
        for tag, (commit, files) in tags.items()
    }
    writer.bytes(HISTORY, json_bytes({"revisions": revisions}))
    return now


def _write_version(files: Mapping[str, bytes], writer: Writer) -> str:
    texts = {name: text.decode(errors="replace") for name, text in sorted(files.items())}
    content = json_bytes({"files": texts})
    digest = _digest(content)
    writer.bytes(f"{DECLARATIONS}/{digest}.json", content)
    return digest


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
