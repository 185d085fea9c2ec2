"""Read the files of a site, over HTTP or from a folder, and keep what was read."""

from __future__ import annotations

import gzip
import json
import logging
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ishtar.remote.byte_ranges import Span
from ishtar.remote.cache import Cache
from ishtar.remote.connection import (
    TIMEOUT_S,
    Answer,
    Connection,
    NotThere,
    RemoteError,
    Unreachable,
)

__all__ = ["INDEX", "NotThere", "RemoteError", "Site", "Unreachable"]

logger = logging.getLogger(__name__)

INDEX = "data/index.json"
GZIP = b"\x1f\x8b"  # first bytes of compressed content; JSON never begins with them


class Site:
    """A published site, by the address of its folder or ``index.html``, or by a local path.

    Parameters
    ----------
    where : str or Path
        Its address or folder.
    timeout_s : float, optional
        Of each step of a request.
    headers : mapping, optional
        Sent to its host alone: ``{"Authorization": "Bearer …"}``.
    cache : Cache, optional
        Where to keep what was read; the user's by default.

    Attributes
    ----------
    address : str
        Address of its folder.
    """

    def __init__(
        self,
        where: str | Path,
        timeout_s: float = TIMEOUT_S,
        *,
        headers: Mapping[str, str] | None = None,
        cache: Cache | None = None,
    ) -> None:
        parts = urlsplit(str(where))
        self._folder = None if parts.scheme in ("http", "https") else Path(where)
        if self._folder is not None:
            self.address = f"{self._folder.resolve()}/"
        elif parts.hostname:
            path = parts.path.removesuffix("index.html").rstrip("/")
            self.address = f"{parts.scheme}://{parts.netloc}{path}/"
        else:
            raise RemoteError(f"{where} is not an address: write it as https://host/path")
        self.cache = cache or Cache()
        self._connection = Connection(self.address, dict(headers or {}), timeout_s)
        self._read_bytes = 0
        self._told = False

    @property
    def received(self) -> int:
        """Bytes that were read, without HTTP headers."""
        return self._read_bytes + self._connection.received

    @property
    def requests(self) -> int:
        """Requests that were sent."""
        return self._connection.requests

    def json(self, path: str, stamp: str = "") -> Any:
        """Return the content of a JSON file; see `document`."""
        return self._parse(path, self.document(path, stamp))

    def document(self, path: str, stamp: str = "") -> bytes:
        """Return a file, decompressed.

        The server is asked whether a kept copy is still the same, unless it was kept under the same
        ``stamp``. If the host does not answer, the copy is returned, with a warning.
        """
        if self._folder is not None:
            content = self._read(self._folder / path)
            self._read_bytes += len(content)
            return self._decompressed(path, content)
        url = self._url(path)
        content = self._kept(url, stamp, lambda tag: self._connection.document(url, tag))
        return self._decompressed(path, content)

    def beginning(self, path: str, length: int, stamp: str = "") -> bytes:
        """Return at most the first ``length`` bytes of a file; kept as a `document` is."""
        if self._folder is not None:
            content = self._read(self._folder / path, length)
            self._read_bytes += len(content)
            return content
        url = self._url(path)

        def ask(tag: str) -> Answer:
            return self._connection.beginning(url, length, tag)

        content = self._kept(f"{url} {length}", stamp, ask)
        if kept := self.cache.document(f"{url} {length}"):
            self._connection.expect(url, kept.tag)
        return content

    def _kept(self, key: str, stamp: str, ask: Callable[[str], Answer]) -> bytes:
        """Return a kept document if it is as on the server, which is asked if necessary."""
        kept = self.cache.document(key)
        if kept is not None and stamp and kept.stamp == stamp:
            return kept.content
        try:
            answer = ask(kept.tag if kept else "")
        except Unreachable as error:
            if kept is None:
                raise
            self._tell_offline(kept.read, error)
            return kept.content
        content = kept.content if answer.content is None and kept else answer.content or b""
        if kept is None or content != kept.content or stamp != kept.stamp:
            self.cache.put_document(key, content, tag=answer.tag, stamp=stamp)
        return content

    def _tell_offline(self, read: float, error: Unreachable) -> None:
        if not self._told:
            self._told = True
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(read))
            logger.warning("%s; what was read on %s is shown", error, when)

    def parts(self, where: str, spans: Sequence[Span], size: int) -> list[bytes]:
        """Return parts of a file of ``size`` bytes.

        Parameters
        ----------
        where : str
            Its path in the site, or an address.
        spans : sequence of (int, int)
            Place and length of each part, bytes.
        size : int
            The length that the file must have.
        """
        if self._folder is None or "://" in where:
            return self._connection.parts(self._url(where), spans, size)
        return self._parts_of(self._folder / where, spans, size)

    def _parts_of(self, path: Path, spans: Sequence[Span], size: int) -> list[bytes]:
        try:
            with path.open("rb") as file:
                if path.stat().st_size != size:
                    raise RemoteError(f"{path} has changed: open the site again")
                found = []
                for at, length in spans:
                    file.seek(at)
                    found.append(file.read(length))
        except FileNotFoundError as error:
            raise NotThere(f"{path} does not exist: publish the site again") from error
        except OSError as error:
            raise RemoteError(f"{path} cannot be read ({error}): check the disk") from error
        self._read_bytes += sum(map(len, found))
        return found

    def _url(self, path: str) -> str:
        return path if "://" in path else self.address + quote(path, errors="surrogateescape")

    def index(self) -> dict[str, Any]:
        """Return the index of the site: its shots, days and scraps.

        Raises
        ------
        RemoteError
            The address does not answer, or is not an Ishtar site.
        """
        try:
            index = self.json(INDEX)
        except NotThere as error:
            raise RemoteError(
                f"{self.address} is not a published site, or was made by an older version: give "
                "the address of its front page, or publish it again"
            ) from error
        if not isinstance(index, dict) or not {"shots", "shard", "scraps"} <= index.keys():
            raise self._invalid(INDEX)
        return index

    def _decompressed(self, path: str, content: bytes) -> bytes:
        """Return a file's content, which may be compressed as it lies on the server."""
        try:
            return gzip.decompress(content) if content.startswith(GZIP) else content
        except (OSError, EOFError, zlib.error) as error:
            raise self._invalid(path) from error

    def _read(self, path: Path, length: int = -1) -> bytes:
        try:
            with path.open("rb") as file:
                return file.read(length)
        except FileNotFoundError as error:
            raise NotThere(f"{path} does not exist: publish the site again") from error
        except OSError as error:
            why = error.strerror or error
            raise RemoteError(f"{path} cannot be read ({why}): check the disk") from error

    def _parse(self, path: str, content: bytes) -> Any:
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._invalid(path) from error

    def _invalid(self, path: str) -> RemoteError:
        return RemoteError(
            f"{self.address}{path} is not a file of a published site: give the address of the "
            "front page of a site"
        )
