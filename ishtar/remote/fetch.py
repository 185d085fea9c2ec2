"""Files of a site, few and small: each once. Over HTTP, compressed where the server can."""

from __future__ import annotations

import gzip
import http.client
import json
import urllib.error
import urllib.request
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ishtar.errors import IshtarError

TIMEOUT_S = 30.0
TILES_KEPT = 512  # some 10 kB each
INDEX = "data/index.json"
GZIP = b"\x1f\x8b"  # how what was compressed on its way begins; JSON and scripts do not


class RemoteError(IshtarError, OSError):
    """A published site that cannot be read."""


class NotThere(RemoteError):
    """The site has no such file."""


class Site:
    """A published site, by the address of its folder or of its ``index.html``, or by a path here.

    Attributes
    ----------
    address
        Of its folder.
    received
        Bytes that were read; over a network without the heads.
    """

    def __init__(self, where: str | Path, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(str(where))
        self._folder = None if parts.scheme in ("http", "https") else Path(where)
        if self._folder is not None:
            self.address = f"{self._folder.resolve()}/"
        elif parts.hostname:
            path = parts.path.removesuffix("index.html").rstrip("/")
            self.address = f"{parts.scheme}://{parts.netloc}{path}/"
        else:
            raise RemoteError(f"{where} is no address of a site: write it as https://host/path")
        self.received = 0
        self._timeout_s = timeout_s
        self._scripts: OrderedDict[str, Any] = OrderedDict()

    def json(self, path: str) -> Any:
        """Return what a file of JSON holds, as it is now."""
        return self._understood(path, self._get(path))

    def script(self, path: str) -> Any:
        """Return what a file ``path.js`` gives to a page; kept, as a tile never changes."""
        if path in self._scripts:
            self._scripts.move_to_end(path)
            return self._scripts[path]
        content = self._get(f"{path}.js")
        begin = b"ishtar.data(" + json.dumps(path).encode() + b", "
        if not content.startswith(begin):
            raise self._wrong(f"{path}.js")
        found = self._understood(f"{path}.js", content[len(begin) : content.rindex(b")")])
        self._scripts[path] = found
        while len(self._scripts) > TILES_KEPT:
            self._scripts.popitem(last=False)
        return found

    def index(self) -> dict[str, Any]:
        """Return what there is.

        Raises
        ------
        RemoteError
            There is no such address, or no site of ours is there.
        """
        try:
            index = self.json(INDEX)
        except NotThere as error:
            raise RemoteError(
                f"{self.address} is no published site, or one of an older version: give the "
                "address of its front page, or publish it again"
            ) from error
        if not isinstance(index, dict) or not {"shots", "shard", "scraps"} <= index.keys():
            raise self._wrong(INDEX)
        return index

    def _get(self, path: str) -> bytes:
        content = self._fetched(path) if self._folder is None else self._read(self._folder / path)
        self.received += len(content)
        try:
            return gzip.decompress(content) if content.startswith(GZIP) else content
        except (OSError, EOFError, zlib.error) as error:
            raise self._wrong(path) from error

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotThere(f"{path} is not there: publish the site again") from error
        except OSError as error:
            why = error.strerror or error
            raise RemoteError(f"{path} cannot be read ({why}): look at the disk") from error

    def _fetched(self, path: str) -> bytes:
        url = self.address + quote(path)
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                raise NotThere(f"{url} is not there: publish the site again") from error
            raise RemoteError(
                f"{url} is refused ({error.code} {error.reason}): ask whoever keeps the site"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise RemoteError(
                f"{self.address} does not answer ({why or type(error).__name__}): look at the "
                "address and the network, then try again"
            ) from error

    def _understood(self, path: str, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._wrong(path) from error

    def _wrong(self, path: str) -> RemoteError:
        return RemoteError(
            f"{self.address}{path} does not hold what a published site has there: give the "
            "address of the front page of one"
        )
