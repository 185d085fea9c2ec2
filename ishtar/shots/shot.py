"""One shot: its attributes, channels, signals and machine."""

from __future__ import annotations

from datetime import date as Date
from functools import cached_property
from pathlib import Path

from ishtar.attributes import History, current, read_edits, stated
from ishtar.attributes.moments import moment_of
from ishtar.calibration import Declarations
from ishtar.errors import DamagedFile, IshtarError
from ishtar.inputs import identity
from ishtar.inputs.shot_attributes import Attributes
from ishtar.lineage.record import OWN, subject_of
from ishtar.machine import Machine
from ishtar.shots.any_shot import SeveralSignals, check_name, head_of
from ishtar.signals.imas_signals import ImasSignals
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.resolve import Resolver
from ishtar.signals.source_notes import salvaged_names
from ishtar.store import Channel, SourceFile


class Shot(SeveralSignals):
    """One shot of a testbed; files are read only on request."""

    notes = OWN

    def __init__(
        self, number: int, folder: Path, declarations: Declarations, facility: str = ""
    ) -> None:
        self.number = number
        self.facility = facility
        self._folder = folder
        self._declarations = declarations

    @cached_property
    def sources(self) -> tuple[SourceFile, ...]:
        """The stored files of the shot."""
        paths = sorted(self._folder.glob("*.h5"))
        return tuple(SourceFile(p) for p in paths if p.name[0] != ".")

    @cached_property
    def attributes(self) -> Attributes:
        """Attributes of the shot from its sources, with the users' corrections."""
        return Attributes(current(stated(self.sources), self.edits), self.number, self.notes)

    @property
    def edits(self) -> History:
        """The corrections of the attributes, oldest first: who, when, why, before, after."""
        return read_edits(self._folder)

    @property
    def date(self) -> Date | None:
        """When the shot was triggered, local time; None if no source states it.

        A `datetime.datetime`, or a `datetime.date` if no source states the time of day.
        """
        text = self.attributes.get("date")
        try:
            return None if text is None else moment_of(str(text))
        except ValueError as error:
            raise DamagedFile(
                f"shot {self.number} has the date {text!r}, which is not a date: correct its "
                "source and ingest it again"
            ) from error

    @property
    def machine(self) -> Machine:
        """The components of the machine at this shot."""
        return Machine(self._declarations, self.number, shot=self, notes=self.notes)

    @cached_property
    def _names(self) -> Resolver:
        return Resolver(
            self.number, self._declarations, self.sources, self._has_channel, self.notes
        )

    def _has_channel(self, number: int, path: str) -> bool:
        """Return whether another shot has a channel."""
        files = (self._folder.parent / subject_of(number)).glob("[!.]*.h5")
        try:
            return any(path in SourceFile(file).channels for file in files)
        except IshtarError:  # a damaged file of another shot does not matter here
            return False

    def channels(self) -> list[str]:
        """Return the paths of all channels in the raw files."""
        paths = self._names.paths()
        if self.notes.is_on:
            self.notes.record(identity.channels_input(paths, self.number))
        return paths

    def find_channel(self, path: str) -> Channel:
        """Return a stored channel.

        Parameters
        ----------
        path : str
            Path in the raw file, ``"PXI M6251/Lang_I"``.

        Raises
        ------
        NoSuchChannel
            There is no such channel, or several; the error names similar paths.
        """
        return self._names.find_channel(path)

    def channel(self, path: str) -> Signal:
        """Return a channel with the scale that its file states, without calibration.

        Parameters
        ----------
        path : str
            Path in the raw file, ``"PXI M6251/Lang_I"``.

        Raises
        ------
        NoSuchChannel
            There is no such channel; the error names similar paths and shots that have it.
        """
        return self._names.channel(path)

    def signals(self) -> list[str]:
        """Return the names of the signals that can be read at this shot."""
        self._note_list()
        return [name for name in self._declarations.signals if self.problem(name) is None]

    def problem(self, name: str, *, in_time: bool = False) -> str | None:
        """Return why a signal cannot be read at this shot; None if it can.

        Parameters
        ----------
        name : str
            Name of the signal.
        in_time : bool, optional
            Whether a signal without times in seconds is a problem, too.
        """
        self._names.note(name)
        why = self._names.problem(name)
        if why is None and in_time:
            signal = self._names.signal(name)
            if why := signal.time_problem:
                signal.note_read()  # the answer depends on the channel's axis
        return why

    def missing(self) -> dict[str, str]:
        """Return the declared signals that cannot be read at this shot, each with the reason."""
        self._note_list()
        problems = {name: self.problem(name) for name in self._declarations.signals}
        return {name: problem for name, problem in problems.items() if problem is not None}

    def imas(self) -> ImasSignals[Signal]:
        """Return the signals that have an IMAS path, by that path; nothing is read."""
        if self.notes.is_on:  # a path that moves to another signal changes the answer
            self.notes.record(identity.signal_input(self._declarations, identity.IMAS_PATHS))
        return ImasSignals(self._declarations.imas_paths, self.__getitem__, self.problem)

    def _note_list(self) -> None:
        """Record the list of declared signals as an input: a new signal changes the answer."""
        if self.notes.is_on:
            self.notes.record(identity.signal_input(self._declarations, identity.ALL_SIGNALS))

    def __contains__(self, name: object) -> bool:
        """Return whether a signal can be read at this shot.

        Raises
        ------
        NoSuchSignal
            No signal of this name is declared: a misspelt name must not look like a signal that is
            missing at this shot.
        """
        if isinstance(name, str) and name not in self._declarations.signals:
            self._names.note(name)
            raise self._names.undeclared(name)
        return isinstance(name, str) and self.problem(name) is None

    def __getitem__(self, name: str) -> Signal:
        """Return a signal; without calibration, only its raw samples can be read."""
        check_name(self, name)
        self._names.note(name)
        return self._names.signal(name)

    def __repr__(self) -> str:
        head = head_of(self, salvaged_names(self.sources))
        missing = [n for n in self._declarations.signals if self._names.problem(n) is not None]
        return head + (f"; missing: {', '.join(missing)}>" if missing else ">")
