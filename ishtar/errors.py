"""What can go wrong in the library, as a small tree.

::

    IshtarError
    ├── WorkspaceError (ValueError)      no workspace here, or its ishtar.toml is wrong
    ├── NotFoundError (KeyError)         a name or number that does not exist
    │   ├── NoSuchShot
    │   ├── NoSuchChannel
    │   ├── NoSuchSignal
    │   └── NoSuchComponent
    ├── MissingCalibration (LookupError) a signal whose device has no calibration at that shot
    ├── CalibrationFileError (ValueError) a calibration text that cannot be used
    ├── UnitError (ValueError)           a unit that is unknown or does not fit
    ├── DamagedFile (OSError)            a stored file that cannot be read
    └── TimeBaseError (ValueError)       signals on different time bases were combined

Each keeps its facts as fields and ends by saying what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class IshtarError(Exception):
    """Base of all errors of the library; its text is one line."""

    def __str__(self) -> str:  # KeyError would put quotes around the text
        return str(self.args[0]) if self.args else type(self).__name__


class WorkspaceError(IshtarError, ValueError):
    """There is no workspace here, or its settings are wrong."""


class NotFoundError(IshtarError, KeyError):
    """A name or number that does not exist."""


class NoSuchShot(NotFoundError):
    """The workspace has no such shot."""


class NoSuchChannel(NotFoundError):
    """No source file of the shot has such a channel."""


class NoSuchSignal(NotFoundError):
    """No signal of that name is declared, or it is not wired at that shot."""


class NoSuchComponent(NotFoundError):
    """The machine has no such component at that shot."""


class MissingCalibration(IshtarError, LookupError):
    """The device that a signal goes through has no calibration at that shot."""


class CalibrationFileError(IshtarError, ValueError):
    """A calibration text that cannot be used, with file and, where known, line."""


class UnitError(IshtarError, ValueError):
    """A unit that is unknown or does not fit."""


class DamagedFile(IshtarError, OSError):
    """A stored file that cannot be read."""


class TimeBaseError(IshtarError, ValueError):
    """Signals on different time bases were combined without saying how."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the known names most like ``name``, best first; letter case does not count."""
    by_folded = {k.casefold(): k for k in known}
    hits = difflib.get_close_matches(name.casefold(), by_folded, n=n, cutoff=0.55)
    return [by_folded[h] for h in hits]


def did_you_mean(name: str, known: Sequence[str] | Iterable[str]) -> str:
    """Return ``"; did you mean 'Lang_I'?"`` or, where nothing is near, an empty string."""
    hits = nearest(name, known)
    return f"; did you mean {' or '.join(repr(h) for h in hits)}?" if hits else ""
