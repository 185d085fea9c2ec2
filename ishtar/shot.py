"""One shot: its attributes, channels, signals and machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ishtar import facts
from ishtar.attributes import History, current, read_edits, stated
from ishtar.calibration import Calibration, Declarations, SignalDeclaration, Wiring
from ishtar.calibration.expression import names_in, unit_factor
from ishtar.errors import (
    DamagedFile,
    IshtarError,
    MissingCalibration,
    NoSuchChannel,
    NoSuchSignal,
    NotFoundError,
    did_you_mean,
    nearest,
)
from ishtar.lineage import is_recording, record
from ishtar.machine import Machine
from ishtar.sampled import CalibratedSamples, ChannelSamples, DerivedSamples
from ishtar.shot_attributes import Attributes
from ishtar.signal import Signal, Story
from ishtar.store import Channel, SourceFile


class Shot:
    """One shot of a testbed. Nothing is read before it is asked for."""

    def __init__(self, number: int, folder: Path, declarations: Declarations) -> None:
        self.number = number
        self._folder = folder
        self._declarations = declarations

    @cached_property
    def sources(self) -> tuple[SourceFile, ...]:
        """The stored files of the shot."""
        paths = sorted(self._folder.glob("*.h5"))
        return tuple(SourceFile(p) for p in paths if p.name[0] != ".")

    @cached_property
    def attributes(self) -> Attributes:
        """Attributes of the shot, as its sources state them and people have corrected them."""
        return Attributes(current(stated(self.sources), self.edits), self.number)

    @property
    def edits(self) -> History:
        """The corrections of its attributes, the oldest first: who, when, why, before, after."""
        return read_edits(self._folder)

    @property
    def date(self) -> datetime | None:
        """When the shot was triggered (local time), None where no source says it."""
        text = self.attributes.get("date")
        try:
            return None if text is None else datetime.fromisoformat(str(text))
        except ValueError as error:
            raise DamagedFile(
                f"shot {self.number} has the date {text!r}, which is none: correct its source and "
                "ingest it again"
            ) from error

    @property
    def machine(self) -> Machine:
        """The components of the machine at this shot."""
        return Machine(self._declarations, self.number)

    @cached_property
    def _channels(self) -> dict[str, tuple[Channel, ...]]:
        found: dict[str, list[Channel]] = defaultdict(list)
        for source in self.sources:
            for path, channel in source.channels.items():
                found[path].append(channel)
        # A path that two sources hold is addressed with the source's name.
        unique = {path: (rows[0],) for path, rows in found.items() if len(rows) == 1}
        shared = {
            f"{path} @ {channel.file.stem}": (channel,)
            for path, rows in found.items()
            if len(rows) > 1
            for channel in rows
        }
        return unique | shared | {p: tuple(rows) for p, rows in found.items() if len(rows) > 1}

    def channels(self) -> list[str]:
        """Return the paths of all channels that the raw files hold."""
        return sorted(path for path, rows in self._channels.items() if len(rows) == 1)

    def find_channel(self, path: str) -> Channel:
        """Return the stored channel; an error names the nearest ones."""
        rows = self._channels.get(path, ())
        if not rows:
            raise NoSuchChannel(
                f"shot {self.number} has no channel {path!r}"
                f"{did_you_mean(path, self.channels()) or '; shot.channels() lists them'}",
                name=path,
                nearest=nearest(path, self.channels()),
            )
        if len(rows) > 1:
            names = [f"{path} @ {c.file.stem}" for c in rows]
            raise NoSuchChannel(
                f"shot {self.number} has {path!r} in several files: ask for "
                f"{' or '.join(map(repr, names))}",
                name=path,
                nearest=names,
            )
        return rows[0]

    def channel(self, path: str) -> Signal:
        """Return a raw channel with the scale that its file states, calibrated by nothing."""
        try:
            channel = self.find_channel(path)
        except NoSuchChannel:
            record(facts.channel_fact(None, path, self.number))
            raise
        story = Story(
            signal=path,
            shot=self.number,
            unit=channel.unit,
            channel=path,
            source=channel.file.stem,
            description=str(channel.properties.get("description", "")),
        )
        return Signal(ChannelSamples(channel), story, on_read=self._on_read(channel, path))

    def _on_read(
        self, channel: Channel, path: str, calibration: Calibration | None = None
    ) -> Callable[[], None]:
        def note() -> None:
            if not is_recording():
                return
            record(facts.channel_fact(channel, path, self.number))
            if calibration is not None:
                record(facts.calibration_fact(self._declarations, calibration.name, self.number))

        return note

    def signals(self) -> list[str]:
        """Return the names of the signals that can be read at this shot."""
        return [name for name in self._declarations.signals if self.problem(name) is None]

    def problem(self, name: str) -> str | None:
        """Return why a signal cannot be read at this shot, None where it can."""
        self._note(name)
        return self._problem(name)

    def _problem(self, name: str) -> str | None:
        try:
            self._resolve(name)
        except IshtarError as error:
            return str(error)
        return None

    def missing(self) -> dict[str, str]:
        """Return the declared signals that cannot be read at this shot, each with the reason."""
        problems = {name: self.problem(name) for name in self._declarations.signals}
        return {name: problem for name, problem in problems.items() if problem is not None}

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.problem(name) is None

    def __getitem__(self, name: str) -> Signal:
        self._note(name)
        return self._resolve(name)

    def _note(self, name: str) -> None:
        """Record that a signal was asked for, and how things stand with it and its parts."""
        if not is_recording():
            return
        record(facts.signal_fact(self._declarations, name))
        declared = self._declarations.signals.get(name)
        if declared is None:
            return
        if declared.derived:
            for part in names_in(declared.derived):
                self._note(part)
            return
        record(facts.wiring_fact(self._declarations, name, self.number))
        row = facts.wiring_at(self._declarations, name, self.number)
        if row is not None and len(self._channels.get(row.channel, ())) != 1:
            record(facts.channel_fact(None, row.channel, self.number))
        elif row is not None and self._calibration(row) is None:
            record(facts.calibration_fact(self._declarations, _port(row), self.number))

    def _calibration(self, row: Wiring) -> Calibration | None:
        return facts.calibration_at(self._declarations, row.device, row.port, self.number)

    def _resolve(self, name: str) -> Signal:
        declared = self._declarations.signals.get(name)
        if declared is None:
            raise NoSuchSignal(
                f"no signal {name!r}{self._hint(name)}",
                name=name,
                nearest=nearest(name, self._declarations.signals),
            )
        return self._derived(declared) if declared.derived else self._wired(declared)

    def _hint(self, name: str) -> str:
        if name in self._channels:
            return f"; it is a channel: shot.channel({name!r})"
        if not self._declarations.signals:
            return "; calibrations/signals.toml declares none: add it there"
        return did_you_mean(name, self._declarations.signals) or "; shot.signals() lists them"

    def _wired(self, declared: SignalDeclaration) -> Signal:
        name = declared.name
        row = facts.wiring_at(self._declarations, name, self.number)
        if row is None:
            spans = ", ".join(str(w.span) for w in self._declarations.wiring.get(name, ()))
            known = f"; it is at shots {spans}" if spans else ""
            raise NoSuchSignal(
                f"{name} is not wired at shot {self.number}{known}: add it to calibrations/wiring/",
                name=name,
            )
        try:
            channel = self.find_channel(row.channel)
        except NoSuchChannel as error:
            told = str(error)
            if row.channel not in self._channels:  # near names are other signals', no help here
                told = (
                    f"shot {self.number} has no channel {row.channel!r}: it was not recorded, "
                    "or calibrations/wiring/ is wrong"
                )
            raise NoSuchChannel(
                f"{name} is wired to {row.channel!r}, but {told}",
                name=row.channel,
                nearest=error.nearest,
            ) from error
        calibration = self._calibration(row)
        if calibration is None:
            raise MissingCalibration(
                f"{_port(row)} has no calibration at shot {self.number}, so {name} has none: add "
                f"one to calibrations/devices/{row.device}.toml, or read shot.channel("
                f"{row.channel!r})",
                signal=name,
                device=_port(row),
                shot=self.number,
            )
        try:
            samples = CalibratedSamples(channel, calibration, declared.unit)
        except IshtarError as error:
            raise type(error)(f"{name}: {error}") from error
        assumed = f"{channel.path} states no unit; taken as {samples.assumed_unit or '1'}"
        story = Story(
            signal=name,
            shot=self.number,
            unit=declared.unit,
            channel=row.channel,
            device=row.device,
            calibration=calibration.label,
            span=str(calibration.span),
            source=channel.file.stem,
            description=declared.description,
            reference=calibration.reference,
            steps=tuple(_equation(t) for t in calibration.transforms),
            assumed="" if channel.unit else assumed,
        )
        return Signal(
            samples,
            story,
            on_read=self._on_read(channel, row.channel, calibration),
            on_raw=self._on_read(channel, row.channel),
        )

    def _derived(self, declared: SignalDeclaration) -> Signal:
        parts: dict[str, Signal] = {}
        for name in names_in(declared.derived):
            try:
                parts[name] = self._resolve(name)
            except NotFoundError as error:
                raise type(error)(
                    f"{declared.name} = {declared.derived}: {error}",
                    name=error.name,
                    nearest=error.nearest,
                ) from error
        story = Story(
            signal=declared.name,
            shot=self.number,
            unit=declared.unit,
            derived=declared.derived,
            description=declared.description,
            parts=tuple(part.story for part in parts.values()),
        )
        units = {k: p.unit for k, p in parts.items()}
        samples = DerivedSamples(
            declared.name,
            declared.derived,
            {k: p.samples for k, p in parts.items()},
            unit_factor(declared.derived, units, declared.unit),
        )

        def note() -> None:
            for part in parts.values():
                part.note_read()

        return Signal(samples, story, on_read=note)

    def __repr__(self) -> str:
        known = self.attributes.plain()
        head = f"<Shot {self.number}: {known.get('date', 'date unknown')}"
        for name in ("gas", "program"):
            if name in known:
                head += f", {known[name]}"
        missing = [n for n in self._declarations.signals if self._problem(n) is not None]
        return head + (f"; missing: {', '.join(missing)}>" if missing else ">")


def _port(row: Wiring) -> str:
    return f"{row.device}.{row.port}" if row.port else row.device


def _equation(transform: Any) -> str:
    kind = type(transform)
    numbers = ", ".join(
        f"{k} = {v:g}" if isinstance(v, float) else f"{k}: {len(v)} numbers"
        for k, v in vars(transform).items()
    )
    return f"{(kind.__doc__ or kind.__name__).splitlines()[0]} ({numbers})"
