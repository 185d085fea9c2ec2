"""The exceptions of the library, as a small tree.

::

    IshtarError
    ├── WorkspaceError (ValueError)      no workspace here, or its ishtar.toml is invalid
    ├── NotFoundError (KeyError)         a name or number that does not exist
    │   ├── NoSuchShot
    │   ├── NoSuchChannel
    │   ├── NoSuchSignal
    │   └── NoSuchComponent
    ├── MissingCalibration (LookupError) a signal whose device has no calibration at that shot
    │   └── MissingScale                 a calibration that cannot be used: the channel was stored
    │                                    without the scale that its file states
    ├── CalibrationFileError (ValueError) a calibration file that cannot be used
    ├── UnitError (ValueError)           a unit that is unknown or does not match
    ├── DamagedFile (OSError)            a stored file that cannot be read
    └── TimeBaseError (ValueError)       times that cannot be used: of signals that do not match,
                                         that run backwards, that contain no sample; and samples
                                         without times

Each message is one line that ends with what to do next; errors that a program can act on also have
their details as attributes.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class IshtarError(Exception):
    """Base of all errors of the library; its message is one line."""

    def __str__(self) -> str:  # KeyError would quote the message
        text = str(self.args[0]) if self.args else type(self).__name__
        return " ".join(text.split()) if "\n" in text else text


class WorkspaceError(IshtarError, ValueError):
    """There is no workspace here, or its settings are invalid."""


class NotFoundError(IshtarError, KeyError):
    """A ``name`` or number does not exist; ``nearest`` are similar ones that do."""

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
    """The ``device`` of a ``signal`` has no calibration at that ``shot``."""

    def __init__(
        self, message: str, *, signal: str = "", device: str = "", shot: int | None = None
    ) -> None:
        super().__init__(message)
        self.signal, self.device, self.shot = signal, device, shot


class MissingScale(MissingCalibration):
    """The channel of a ``signal`` was stored without the scale that its file states."""


class CalibrationFileError(IshtarError, ValueError):
    """A calibration file cannot be used; ``problems`` lists everything that was found."""

    def __init__(self, message: str, *, problems: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class UnitError(IshtarError, ValueError):
    """A unit is unknown or does not match."""


class DamagedFile(IshtarError, OSError):
    """A stored file cannot be read."""


class TimeBaseError(IshtarError, ValueError):
    """Times cannot be used: time bases do not match, or samples have no times."""


def nearest(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return at most ``n`` known names similar to ``name``, best first, ignoring case.

    Parameters
    ----------
    name : str
        The name that was requested.
    known : iterable of str
        The names that exist.
    n : int
        The largest number of names to return.
    """
    by_folded: dict[str, list[str]] = {}
    for k in known:
        by_folded.setdefault(k.casefold(), []).append(k)
    hits = difflib.get_close_matches(name.casefold(), by_folded, n=n, cutoff=0.55)
    return [k for h in hits for k in by_folded[h]][:n]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'Lang_I'?"``, or ``""`` if no known name is similar.

    Parameters
    ----------
    name : str
        The name that was requested.
    known : iterable of str
        The names that exist.
    """
    hits = nearest(name, known)
    return f"; did you mean {' or '.join(repr(h) for h in hits)}?" if hits else ""
