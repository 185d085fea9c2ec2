"""Read the files of a site, over HTTP (compressed if the server can) or from a folder."""

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
GZIP = b"\x1f\x8b"  # first bytes of compressed content; JSON and scripts never begin with them


class RemoteError(IshtarError, OSError):
    """A published site that cannot be read."""


class NotThere(RemoteError):
    """The site has no such file."""


class Site:
    """A published site, by the address of its folder or ``index.html``, or by a local path.

    Attributes
    ----------
    address : str
        Address of its folder.
    received : int
        Bytes that were read, without HTTP headers.
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
            raise RemoteError(f"{where} is not an address: write it as https://host/path")
        self.received = 0
        self._timeout_s = timeout_s
        self._scripts: OrderedDict[str, Any] = OrderedDict()

    def json(self, path: str) -> Any:
        """Return the content of a JSON file; it is not cached."""
        return self._parse(path, self._get(path))

    def script(self, path: str) -> Any:
        """Return the data in a script ``path.js``; it is cached, as a tile never changes."""
        if path in self._scripts:
            self._scripts.move_to_end(path)
            return self._scripts[path]
        content = self._get(f"{path}.js")
        begin = b"ishtar.data(" + json.dumps(path).encode() + b", "
        if not content.startswith(begin):
            raise self._invalid(f"{path}.js")
        data = self._parse(f"{path}.js", content[len(begin) : content.rindex(b")")])
        self._scripts[path] = data
        while len(self._scripts) > TILES_KEPT:
            self._scripts.popitem(last=False)
        return data

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

    def _get(self, path: str) -> bytes:
        content = self._fetch(path) if self._folder is None else self._read(self._folder / path)
        self.received += len(content)
        try:
            return gzip.decompress(content) if content.startswith(GZIP) else content
        except (OSError, EOFError, zlib.error) as error:
            raise self._invalid(path) from error

    def _read(self, path: Path) -> bytes:
        try:
            return path.read_bytes()
        except FileNotFoundError as error:
            raise NotThere(f"{path} does not exist: publish the site again") from error
        except OSError as error:
            why = error.strerror or error
            raise RemoteError(f"{path} cannot be read ({why}): check the disk") from error

    def _fetch(self, path: str) -> bytes:
        url = self.address + quote(path)
        request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                raise NotThere(f"{url} does not exist: publish the site again") from error
            raise RemoteError(
                f"{url} is refused ({error.code} {error.reason}): ask the site's administrator"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise RemoteError(
                f"{self.address} does not answer ({why or type(error).__name__}): check the "
                "address and the network, then try again"
            ) from error

    def _parse(self, path: str, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._invalid(path) from error

    def _invalid(self, path: str) -> RemoteError:
        return RemoteError(
            f"{self.address}{path} is not a file of a published site: give the address of the "
            "front page of a site"
        )
