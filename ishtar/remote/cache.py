"""What was read from sites, kept on the reader's disk.

Pieces of raw data never change: they are kept under a digest of what they are. Documents do: they
are kept with the tag by which the server tells whether they are the same. Several readers may use
one cache: a file appears whole or not at all. A cache that cannot be written is left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ishtar.errors import IshtarError

logger = logging.getLogger(__name__)

FOLDER = "ISHTAR_CACHE"
LIMIT = "ISHTAR_CACHE_GB"
LIMIT_GB = 10.0
PRUNE_SHARE = 0.02  # of the limit: after so many new bytes the cache is measured
KEEP_SHARE = 0.8  # of the limit that is left when the oldest are removed
TEMPORARY = ".tmp-"


class CacheSettingError(IshtarError, ValueError):
    """A setting of the cache is invalid."""


def cache_folder() -> Path:
    """Return the folder: ``ISHTAR_CACHE``, or ``ishtar`` in the user's cache folder."""
    if named := os.environ.get(FOLDER):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ishtar"


def cache_limit() -> int:
    """Return how large the cache may be, bytes: ``ISHTAR_CACHE_GB``, or 10 GB; 0 keeps nothing."""
    text = os.environ.get(LIMIT, "")
    try:
        gigabytes = float(text) if text else LIMIT_GB
        if not 0 <= gigabytes < float("inf"):
            raise ValueError
    except ValueError:
        raise CacheSettingError(f"{LIMIT} = {text!r} is no size: write it in GB, 20") from None
    return int(gigabytes * 1e9)


@dataclass(frozen=True, kw_only=True)
class Document:
    """A document as it was read last."""

    content: bytes
    tag: str
    """Of the server, to ask whether it is the same; empty if it gave none."""
    stamp: str
    """Of the reader: the document is taken unasked while its reader gives the same one."""
    read: float
    """When, Unix time."""


class Cache:
    """The cache of a user; every failure of the disk only means that nothing is kept."""

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = cache_folder() if folder is None else folder
        self.limit = cache_limit() if limit is None else limit
        self._unmeasured = self.limit  # the first write measures it
        self._broken = False

    # --- pieces --------------------------------------------------------------------------------

    def piece(self, key: str) -> bytes | None:
        """Return a piece, None if it is not kept."""
        return self._read(self._path("pieces", key))

    def put_piece(self, key: str, content: bytes) -> None:
        """Keep a piece."""
        self._write(self._path("pieces", key), content)

    # --- documents -----------------------------------------------------------------------------

    def drop_piece(self, key: str) -> None:
        """Forget a piece that turned out to be damaged."""
        with suppress(OSError):
            self._path("pieces", key).unlink(missing_ok=True)

    def document(self, url: str) -> Document | None:
        """Return a document as it was read last, None if it is not kept."""
        found = self._read(self._path("documents", url))
        if found is None:
            return None
        head, _, content = found.partition(b"\n")
        try:
            known = json.loads(head)
            if known["url"] != url or known["length"] != len(content):
                return None
            return Document(
                content=content,
                tag=str(known["tag"]),
                stamp=str(known["stamp"]),
                read=float(known["read"]),
            )
        except (ValueError, LookupError, TypeError):
            return None

    def put_document(self, url: str, content: bytes, *, tag: str, stamp: str = "") -> None:
        """Keep a document instead of the version before."""
        known = {"url": url, "length": len(content), "tag": tag, "stamp": stamp}
        head = json.dumps(known | {"read": time.time()}).encode()
        self._write(self._path("documents", url), head + b"\n" + content)

    # --- files ---------------------------------------------------------------------------------

    def size(self) -> int:
        """Return its size, bytes."""
        return sum(size for _, size, _ in self._files())

    def clear(self) -> int:
        """Remove everything; return how many bytes that freed."""
        freed = 0
        for _, size, path in self._files():
            with suppress(OSError):
                path.unlink()
                freed += size
        return freed

    def prune(self) -> int:
        """Remove what was not used for longest, if the cache is too large; return bytes freed."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        freed = 0
        if total > self.limit:
            for _, size, path in files:
                if total - freed <= KEEP_SHARE * self.limit:
                    break
                with suppress(OSError):
                    path.unlink()
                    freed += size
        return freed

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yield (last use, size, path) of each file."""
        for kind in ("pieces", "documents"):
            for path in (self.folder / kind).glob("*/*"):
                with suppress(OSError):
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path

    def _path(self, kind: str, key: str) -> Path:
        name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
        return self.folder / kind / name[:2] / name[2:]

    def _read(self, path: Path) -> bytes | None:
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with suppress(OSError):
            os.utime(path)  # the last use
        return content

    def _write(self, path: Path, content: bytes) -> None:
        if self._broken or len(content) > self.limit:
            return
        unique = f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
        temporary = path.with_name(f"{TEMPORARY}{unique}")
        try:
            # for the user alone: what was read may be for those who sign in
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(content)
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                temporary.unlink()
            self._broken = True
            logger.warning(
                "%s cannot be written (%s): reading goes on without a cache",
                self.folder,
                error.strerror or error,
            )
            return
        self._unmeasured += len(content)
        if self._unmeasured > PRUNE_SHARE * self.limit:
            self._unmeasured = 0
            self.prune()
