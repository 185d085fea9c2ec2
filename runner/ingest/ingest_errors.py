"""What can go wrong when a file arrives.

::

    IshtarError
    ├── IngestStopped (OSError)     nothing can be stored now: disk full, no permission
    ├── SourceMissing (FileNotFoundError)
    └── Rejected (ValueError)       this file cannot be stored: it goes to quarantine
        └── NotWhole                … yet: it may still be growing, so it waits first
"""

from __future__ import annotations

import errno
import os

from ishtar.errors import IshtarError
from ishtar.plain_files import printable


class IngestStopped(IshtarError, OSError):
    """Nothing can be stored now; the source is untouched and no partial file remains.

    Attributes
    ----------
    source : str
        The file that was being ingested.
    errno : int or None
        From the operating system.
    """

    def __init__(self, message: str, *, source: str = "", code: int | None = None) -> None:
        super().__init__(message)
        self.source = source
        self.errno = code


class SourceMissing(IshtarError, FileNotFoundError):
    """The file to ingest does not exist."""


class Rejected(IshtarError, ValueError):
    """The file cannot be stored; the text is the reason."""


class NotWhole(Rejected):
    """The file ends too early, or is still being written."""


_ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space or raise the quota",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "give this user permission",
    errno.EPERM: "give this user permission",
}


def ingest_stopped(source: str, error: OSError) -> IngestStopped:
    """Return the error for the operator after a failure of disk, network or permissions."""
    code = error.errno if error.errno is not None else _code_in(str(error))
    what = os.strerror(code) if code else str(error).splitlines()[0]
    where = f" ({error.filename})" if error.filename else ""
    advice = _ADVICE.get(code or 0, "correct that")
    return IngestStopped(
        f"ingest of {source} stopped: {what}{where}; nothing was lost: {advice}, then start again",
        source=source,
        code=code,
    )


def _code_in(text: str) -> int | None:
    """Return the error number that HDF5 hides in its messages, if any."""
    for code in _ADVICE:
        if f"errno = {code}," in text or os.strerror(code) in text:
            return code
    return None


def one_line(text: str) -> str:
    """Return a text of a file, shortened and made printable for a message."""
    text = printable(text[:81])
    return text if len(text) <= 80 else text[:77] + "…"
