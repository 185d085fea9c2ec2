"""Errors of an HDF5 file from elsewhere, by their cause.

HDF5 tells of a damaged file with whatever exception is at hand, an OSError with an error number
among them. So each reading says what it reads (`reading`), and what fails there is a reason of
the file, unless the operating system cannot read the file either (`verdict`).
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ishtar.errors import IshtarError
from runner.ingest.context import Context
from runner.ingest.ingest_errors import NotWhole, Rejected

MAX_NOTES = 40
BLOCK_BYTES = 4 << 20
_OF_THE_DISK = {
    *(errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.ENODEV),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTUNREACH),
}


class Omitted(Exception):
    """One object of the file cannot be stored, others can; the text is the reason."""


class Unreadable(Exception):
    """A part of the file cannot be read; the cause is chained."""


class NoHdf5(Unreadable):
    """The file cannot even be opened."""


class Notes:
    """Notes for a reader, each once, with a limit on their number.

    Parameters
    ----------
    context : Context
        Receives the notes at the end of the file.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._notes: Counter[str] = Counter()
        self._more = 0

    def add(self, text: str) -> None:
        """Add a note."""
        text = " ".join(text.split())
        if text in self._notes or len(self._notes) < MAX_NOTES:
            self._notes[text] += 1
        else:
            self._more += 1

    def __iter__(self) -> Iterator[str]:
        return iter(self._notes)

    def tell(self) -> None:
        """Pass all notes to the context."""
        for text in self._notes:
            self._context.note(text)
        if self._more:
            self._context.note(f"and {self._more} more notes of this file, which are not kept")


@contextmanager
def reading(what: str, kind: type[Unreadable] = Unreadable) -> Iterator[None]:
    """Turn any error of HDF5 into `Unreadable` with the name of what was read."""
    try:
        yield
    except (IshtarError, Omitted, Unreadable):
        raise
    except Exception as error:  # h5py raises KeyError, TypeError, MemoryError … for bad files
        raise kind(what) from error


def verdict(path: Path, error: Unreadable) -> Rejected:
    """Return the reason to refuse the file.

    Raises
    ------
    OSError
        It was the disk, the network or a permission; the file may be good.
    """
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in _OF_THE_DISK:
        raise cause
    with path.open("rb", buffering=0) as f:  # what the system cannot read, HDF5 cannot either
        while f.read(BLOCK_BYTES):
            pass
    text = short(cause) if cause is not None else ""
    if "truncated file" in text:
        return NotWhole(f"{path.name} is truncated ({text}): copy it again from its source")
    if "already open for write" in text:
        return NotWhole(
            f"{path.name} was not closed by the program that writes it: close it there, or if "
            "that program is gone clear its mark (h5clear --status) and ingest the file again"
        )
    label = f" ({text})" if cause is not None else ""
    if isinstance(error, NoHdf5):
        return Rejected(f"{path.name} is no HDF5 file that can be read{label}: copy it again")
    return Rejected(f"{path.name} is damaged: {error}{label}: copy it again from its source")


def short(error: BaseException) -> str:
    """Return what HDF5 says in one line, without its own preface."""
    if isinstance(error, MemoryError):
        return "it wants more memory than there is"
    text = " ".join(str(error.args[0] if isinstance(error, KeyError) else error).split())
    inner = text.partition(" (")[2].removesuffix(")")
    text = inner if text.startswith(("Unable to ", "Can't ")) and inner else text
    return text[:200] or type(error).__name__
