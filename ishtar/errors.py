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
    │   └── MissingScale                 a calibration that cannot be used: the channel was stored
    │                                    without the scale that its file states
    ├── CalibrationFileError (ValueError) a calibration text that cannot be used
    ├── UnitError (ValueError)           a unit that is unknown or does not fit
    ├── DamagedFile (OSError)            a stored file that cannot be read
    └── TimeBaseError (ValueError)       times that cannot be used: of signals that do not match,
                                         that run backwards, that hold no sample; and samples that
                                         do not lie in time

Each is one line that ends by saying what to do next; those that a program can act on keep their
facts as fields too.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class IshtarError(Exception):
    """Base of all errors of the library; its text is one line."""

    def __str__(self) -> str:  # KeyError would put quotes around the text
        text = str(self.args[0]) if self.args else type(self).__name__
        return " ".join(text.split()) if "\n" in text else text


class WorkspaceError(IshtarError, ValueError):
    """There is no workspace here, or its settings are wrong."""


class NotFoundError(IshtarError, KeyError):
    """A name or number that does not exist: ``name``, and the ``nearest`` that do."""

    name: str = ""
    nearest: tuple[str, ...] = ()

    def __init__(
        self, message: str, *, name: str | None = None, nearest: Iterable[str] = ()
    ) -> None:
        super().__init__(message)
        if name is not None:
            self.name, self.nearest = name, tuple(nearest)


class NoSuchShot(NotFoundError):
    """The workspace has no such shot."""


class NoSuchChannel(NotFoundError):
    """No source file of the shot has such a channel."""


class NoSuchSignal(NotFoundError):
    """No signal of that name is declared, or it is not wired at that shot."""


class NoSuchComponent(NotFoundError):
    """The machine has no such component at that shot."""


class MissingCalibration(IshtarError, LookupError):
    """The ``device`` that a ``signal`` goes through has no calibration at that ``shot``."""

    def __init__(
        self, message: str, *, signal: str = "", device: str = "", shot: int | None = None
    ) -> None:
        super().__init__(message)
        self.signal, self.device, self.shot = signal, device, shot


class MissingScale(MissingCalibration):
    """The channel of a ``signal`` was stored without the scale that its file states."""


class CalibrationFileError(IshtarError, ValueError):
    """A calibration text that cannot be used; ``problems`` are all that were found."""

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class UnitError(IshtarError, ValueError):
    """A unit that is unknown or does not fit."""


class DamagedFile(IshtarError, OSError):
    """A stored file that cannot be read."""


class TimeBaseError(IshtarError, ValueError):
    """Times that cannot be used: two that do not match, or samples where there are none."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the known names most like ``name``, best first; letter case does not count.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What there is.
    n : int, optional
        At most this many.
    """
    by_folded: dict[str, list[str]] = {}
    for k in known:
        by_folded.setdefault(k.casefold(), []).append(k)
    hits = difflib.get_close_matches(name.casefold(), by_folded, n=n, cutoff=0.55)
    return [k for h in hits for k in by_folded[h]][:n]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'Lang_I'?"`` or, where nothing is near, an empty string.

    Parameters
    ----------
    name : str
        What was asked for.
    known : iterable of str
        What there is.
    """
    hits = nearest(name, known)
    return f"; did you mean {' or '.join(repr(h) for h in hits)}?" if hits else ""
