"""Requests to the server of a site: whole documents, and parts of files.

A request goes to the host that was asked for or fails: no redirect to another host is followed, and
no credentials are sent there. A part that is shorter than asked for is an error, never data.
"""

from __future__ import annotations

import netrc
import os
import threading
import urllib.request
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from ishtar.errors import IshtarError
from ishtar.remote.byte_ranges import Span, cut, joined, parts_of, place_of

TOKEN = "ISHTAR_TOKEN"
TIMEOUT_S = 30.0
ATTEMPTS = 4
WAIT_S = 0.2  # before the second attempt; doubled before each further one
BUSY = (429, 502, 503, 504)
MOVED = (301, 302, 303, 307, 308)
MAX_MOVES = 5
MAX_DOCUMENT = 1 << 28  # bytes of one document, decompressed
WHOLE_FILE = 8 << 20  # the largest file that is fetched whole from a server without ranges
WORTH_READING = 1 << 14
MAX_PARTS = 64  # in one request

T = TypeVar("T")


class RemoteError(IshtarError, OSError):
    """A published site that cannot be read."""


class NotThere(RemoteError):
    """The site has no such file."""


class Unreachable(RemoteError):
    """The host does not answer."""


@dataclass(frozen=True)
class Answer:
    """A document; ``content`` is None if it is as it was when it had the tag that was sent."""

    content: bytes | None
    tag: str


@dataclass
class Connection:
    """The connections to the host of a site, and to a host that keeps its raw data.

    Attributes
    ----------
    address : str
        An address of the site; credentials are for its scheme, host and port.
    headers : mapping
        Sent with each request to that host, ``{"Authorization": …}``.
    timeout_s : float
        Of each step of a request.
    received : int
        Bytes of the bodies of all answers, as they were sent.
    requests : int
        Requests that were sent.
    """

    address: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_s: float = TIMEOUT_S
    received: int = 0
    requests: int = 0
    _one_range_only: set[str] = field(default_factory=set)
    _tags: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)  # of the counts

    @cached_property
    def _pool(self) -> Any:
        import urllib3

        proxies = urllib.request.getproxies()
        parts = urlsplit(self.address)
        proxy = proxies.get(parts.scheme)
        if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
            return urllib3.ProxyManager(proxy, maxsize=4)
        return urllib3.PoolManager(maxsize=4)

    # --- documents -----------------------------------------------------------------------------

    def document(self, url: str, tag: str = "") -> Answer:
        """Return a document, decompressed.

        Parameters
        ----------
        url : str
            Its address.
        tag : str, optional
            Of the version that is known: it is not sent again.
        """
        headers = {"Accept-Encoding": "gzip"} | ({"If-None-Match": tag} if tag else {})

        def read(answer: Any) -> Answer:
            if answer.status == 304:
                return Answer(None, tag)
            content = self._body(url, answer, MAX_DOCUMENT)
            if answer.headers.get("Content-Encoding", "") == "gzip":
                content = _inflated(url, content)
            return Answer(content, answer.headers.get("ETag", ""))

        return self._request(url, headers, read)

    def beginning(self, url: str, length: int, tag: str = "") -> Answer:
        """Return at most the first ``length`` bytes of a file; ``tag`` as for `document`."""
        headers = {"Range": f"bytes=0-{length - 1}", "Accept-Encoding": "identity"}
        headers |= {"If-None-Match": tag} if tag else {}

        def read(answer: Any) -> Answer:
            if answer.status == 304:
                return Answer(None, tag)
            self._check_unchanged(url, answer)
            most = length if answer.status == 206 else WHOLE_FILE
            return Answer(self._body(url, answer, most), answer.headers.get("ETag", ""))

        return self._request(url, headers, read)

    # --- parts of files ------------------------------------------------------------------------

    def parts(self, url: str, spans: Sequence[Span], size: int) -> list[bytes]:
        """Return parts of a file, in as few requests as the server allows.

        Parameters
        ----------
        url : str
            Its address.
        spans : sequence of (int, int)
            Place and length of each part.
        size : int
            Length of the file.

        Raises
        ------
        RemoteError
            The file has another length or has changed, or its server sends whole files only.
        """
        wanted = joined(spans)
        found: dict[int, bytes] = {}
        together = 1 if self._host(url) in self._one_range_only else MAX_PARTS
        while missing := [span for span in wanted if span[0] not in found]:
            before = len(found)
            asked = missing[:together]
            self._some_parts(url, asked, size, found)
            if len(found) == before:
                if len(asked) == 1:
                    raise RemoteError(f"{url}: the server sends other parts than were asked for")
                self._one_range_only.add(self._host(url))
                together = 1
        return [cut(found, span) for span in spans]

    def _some_parts(
        self, url: str, asked: Sequence[Span], size: int, found: dict[int, bytes]
    ) -> None:
        """Add to ``found`` the parts that a single request gives, by their places."""
        ranges = ",".join(f"{at}-{at + length - 1}" for at, length in asked)

        def read(answer: Any) -> None:
            self._check_unchanged(url, answer)
            if answer.status == 200:
                self._whole_file(url, answer, asked, size, found)
                return
            kind = answer.headers.get("Content-Type", "")
            is_several = kind.startswith("multipart/byteranges")
            overhead = 1024 if is_several else 1 << 20  # or the gaps, if the server joins parts
            most = sum(length for _, length in asked) + overhead * len(asked)
            content = self._body(url, answer, most)
            try:
                described = answer.headers.get("Content-Range", "")
                sent = parts_of(kind, content) if is_several else [(described, content)]
                for described, part in sent:
                    at = place_of(described, part, size)
                    for start, length in asked:
                        if at <= start and start + length <= at + len(part):
                            found[start] = part[start - at : start - at + length]
            except ValueError as error:
                raise RemoteError(f"{url}: {error}: {_AGAIN}") from error

        self._request(url, {"Range": f"bytes={ranges}", "Accept-Encoding": "identity"}, read)

    def _whole_file(
        self, url: str, answer: Any, asked: Sequence[Span], size: int, found: dict[int, bytes]
    ) -> None:
        """Take a whole file that was sent instead of parts, if it is small."""
        length = _declared(answer)
        if length is not None and length != size:
            raise RemoteError(f"{url} has {length} bytes, not {size}: {_AGAIN}")
        if size > WHOLE_FILE:
            if len(asked) > 1:
                return  # some servers answer one range, but not several
            raise RemoteError(
                f"{self._host(url)} sends whole files only (no HTTP ranges), and "
                f"{url.rsplit('/', 1)[-1]} has {size / 1e6:.0f} MB: serve the site by a server "
                "with ranges, such as nginx, Apache or `ishtar serve`"
            )
        content = self._body(url, answer, size)
        if len(content) != size:
            raise RemoteError(f"{url} has {len(content)} bytes, not {size}: {_AGAIN}")
        for start, length in asked:
            found[start] = content[start : start + length]

    def expect(self, url: str, tag: str) -> None:
        """Let further parts of a file be of the version that has a tag, if its server gives one."""
        if tag:
            self._tags[url] = tag

    def _check_unchanged(self, url: str, answer: Any) -> None:
        tag = answer.headers.get("ETag", "") or answer.headers.get("Last-Modified", "")
        if self._tags.setdefault(url, tag) != tag:
            raise RemoteError(f"{url} changed while it was read: {_AGAIN}")

    # --- requests ------------------------------------------------------------------------------

    def _request(self, url: str, headers: Mapping[str, str], read: Callable[[Any], T]) -> T:
        """Send a request and read its answer; try again what may succeed later."""
        import time

        from urllib3.exceptions import HTTPError

        for attempt in range(ATTEMPTS):
            if attempt:
                time.sleep(WAIT_S * 2 ** (attempt - 1))
            try:
                with self._answer(url, headers) as answer:
                    if answer.status not in BUSY or attempt == ATTEMPTS - 1:
                        self._check_status(url, answer)
                        return read(answer)
            except HTTPError as error:
                reason = getattr(error, "reason", None) or error
                if "CERTIFICATE_VERIFY" in str(reason) or "certificate" in str(reason).lower():
                    raise RemoteError(
                        f"{self._host(url)} cannot be trusted ({reason}): ask for the right "
                        "address, or let SSL_CERT_FILE name the certificates of your site"
                    ) from error
                if attempt == ATTEMPTS - 1:
                    raise Unreachable(
                        f"{url} does not answer ({_first_line(reason)}): check the address and "
                        "the network, then try again"
                    ) from error
        raise AssertionError  # the last attempt returns or raises

    @contextmanager
    def _answer(self, url: str, headers: Mapping[str, str]) -> Iterator[Any]:
        asked = url
        for _ in range(MAX_MOVES):
            with self._lock:
                self.requests += 1
            answer = self._pool.request(
                "GET",
                url,
                headers={**headers, **self._credentials(url)},
                preload_content=False,
                decode_content=False,
                redirect=False,
                retries=False,
                timeout=self.timeout_s,
            )
            try:
                if answer.status not in MOVED:
                    yield answer
                    return
                try:
                    target = urljoin(url, answer.headers.get("Location", ""))
                    urlsplit(target)
                except ValueError as error:
                    raise RemoteError(f"{asked} sends on to no address: {_AGAIN}") from error
                if urlsplit(target).hostname != urlsplit(asked).hostname or (
                    urlsplit(asked).scheme == "https" != urlsplit(target).scheme
                ):
                    raise RemoteError(
                        f"{asked} sends on to another host, {target}: if you trust it, open that "
                        "address"
                    )
                url = target
            finally:
                if answer.length_remaining is None or answer.length_remaining > WORTH_READING:
                    answer.close()  # to read the rest costs more than a new connection
                else:
                    answer.drain_conn()
                answer.release_conn()
        raise RemoteError(f"{asked} sends on again and again: ask the site's administrator")

    def _check_status(self, url: str, answer: Any) -> None:
        status = answer.status
        if status in (200, 206, 304):
            return
        if status in (404, 410):
            raise NotThere(f"{url} does not exist: publish the site again")
        if status in (401, 403):
            raise RemoteError(
                f"{url} is only for those who sign in ({status}): set {TOKEN}, or give "
                'ishtar.open(…, headers={"Authorization": …})'
            )
        if status == 416:
            raise RemoteError(f"{url} is shorter than the site's index says: {_AGAIN}")
        raise RemoteError(f"{url} is refused ({status} {answer.reason}): ask the administrator")

    def _credentials(self, url: str) -> Mapping[str, str]:
        """Return the headers for a host: those given for the site never go to another one."""
        if _origin(url) == _origin(self.address):
            if self.headers:
                return self.headers
            if token := os.environ.get(TOKEN, "").strip():
                _check_private(url)
                return {"Authorization": f"Bearer {token}"}
        try:
            found = netrc.netrc().authenticators(urlsplit(url).hostname or "")
        except (OSError, netrc.NetrcParseError):
            return {}
        if not found or not _is_private(url):
            return {}
        words = f"{found[0]}:{found[2]}".encode()
        return {"Authorization": f"Basic {b64encode(words).decode()}"}

    def _body(self, url: str, answer: Any, most: int) -> bytes:
        """Read a body of at most ``most`` bytes, as it is sent."""
        declared = _declared(answer)
        if declared is not None and declared > most:
            raise RemoteError(f"{url} has {declared} bytes, more than can be meant: {_AGAIN}")
        content: bytes = answer.read(most + 1, decode_content=False)
        with self._lock:
            self.received += len(content)
        if len(content) > most:
            raise RemoteError(f"{url} is longer than can be meant: {_AGAIN}")
        if declared is not None and len(content) != declared:
            from urllib3.exceptions import ProtocolError

            raise ProtocolError(f"the connection was cut after {len(content)} of {declared} bytes")
        return content

    @staticmethod
    def _host(url: str) -> str:
        return urlsplit(url).netloc


_AGAIN = "open the site again; if that does not help, its administrator has to publish it again"


def _declared(answer: Any) -> int | None:
    """Return the length that an answer declares, None if it declares none."""
    text = answer.headers.get("Content-Length", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, parts.hostname or "", port


def _is_private(url: str) -> bool:
    """Return whether nobody on the way can read what is sent."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("localhost", "127.0.0.1", "::1")


def _check_private(url: str) -> None:
    if not _is_private(url):
        raise RemoteError(
            f"{TOKEN} is not sent to {urlsplit(url).netloc}, as everybody on the way could read "
            "it: open the site by https://"
        )


def _first_line(reason: object) -> str:
    return (str(reason).splitlines() or [type(reason).__name__])[0]


def _inflated(url: str, content: bytes) -> bytes:
    stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        found = stream.decompress(content, MAX_DOCUMENT + 1)
    except zlib.error as error:
        raise RemoteError(f"{url} is damaged ({error}): {_AGAIN}") from error
    if len(found) > MAX_DOCUMENT or not stream.eof:
        raise RemoteError(f"{url} is longer or shorter than can be meant: {_AGAIN}")
    return found
