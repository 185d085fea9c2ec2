"""One shot: its attributes, channels, signals and machine."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from ishtar import facts
from ishtar.calibration import Calibration, Declarations, SignalDeclaration, Wiring
from ishtar.errors import (
    IshtarError,
    MissingCalibration,
    NoSuchChannel,
    NoSuchSignal,
    did_you_mean,
)
from ishtar.lineage import record
from ishtar.machine import Machine
from ishtar.sampled import CalibratedSamples, ChannelSamples, DerivedSamples
from ishtar.signal import Signal, Story
from ishtar.store import Channel, SourceFile

DATE_CONVERTER = "datecsv"  # the PLC's own record of a shot wins over what other files say


class Attributes(Mapping[str, Any]):
    """What is known of a shot as a whole (gas, date …); reading one is recorded."""

    def __init__(self, values: Mapping[str, Any], shot: int) -> None:
        self._values = values
        self._shot = shot

    def __getitem__(self, name: str) -> Any:
        record(facts.attribute_fact(name, self._values.get(name), self._shot))
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def plain(self) -> dict[str, Any]:
        """Return all of them without recording that they were read."""
        return dict(self._values)

    def __repr__(self) -> str:
        return repr(self._values)


class Shot:
    """One shot of a testbed. Nothing is read before it is asked for."""

    def __init__(self, number: int, folder: Path, declarations: Declarations) -> None:
        self.number = number
        self._folder = folder
        self._declarations = declarations

    @cached_property
    def sources(self) -> tuple[SourceFile, ...]:
        """The stored files of the shot, the PLC's date file last."""
        files = [SourceFile(p) for p in sorted(self._folder.glob("*.h5")) if p.name[0] != "."]
        return tuple(sorted(files, key=lambda f: f.origin.converter.startswith(DATE_CONVERTER)))

    @cached_property
    def attributes(self) -> Attributes:
        """Attributes of the shot, as its sources state them."""
        merged: dict[str, Any] = {}
        for source in self.sources:
            merged.update({k: v for k, v in source.attributes.items() if v is not None})
        return Attributes(merged, self.number)

    @property
    def date(self) -> datetime | None:
        """When the shot was triggered (local time), None where no source says it."""
        text = self.attributes.get("date")
        return None if text is None else datetime.fromisoformat(str(text))

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
                f"{did_you_mean(path, self.channels()) or '; shot.channels() lists them'}"
            )
        if len(rows) > 1:
            names = " or ".join(repr(f"{path} @ {c.file.stem}") for c in rows)
            raise NoSuchChannel(
                f"shot {self.number} has {path!r} in several files: ask for {names}"
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
        return Signal(ChannelSamples(channel), story, on_read=self._on_read(channel, path, None))

    def _on_read(self, channel: Channel, path: str, calibration: Calibration | None) -> Any:
        def note() -> None:
            record(facts.channel_fact(channel, path, self.number))
            if calibration is not None:
                record(facts.calibration_fact(self._declarations, calibration.name, self.number))

        return note

    def signals(self) -> list[str]:
        """Return the names of the signals that can be read at this shot."""
        return [name for name in self._declarations.signals if self.problem(name) is None]

    def problem(self, name: str) -> str | None:
        """Return why a signal cannot be read at this shot, None where it can."""
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
        if not isinstance(name, str) or name not in self._declarations.signals:
            return False
        self._note(name)
        return self.problem(name) is None

    def __getitem__(self, name: str) -> Signal:
        self._note(name)
        return self._resolve(name)

    def _note(self, name: str) -> None:
        """Record that a signal was asked for, and how things stand with it."""
        record(facts.signal_fact(self._declarations, name))
        declared = self._declarations.signals.get(name)
        if declared is None or declared.derived:
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
                f"no signal {name!r}{did_you_mean(name, self._declarations.signals)}"
                f"{'' if name not in self._channels else '; shot.channel() reads raw channels'}"
            )
        return self._derived(declared) if declared.derived else self._wired(declared)

    def _wired(self, declared: SignalDeclaration) -> Signal:
        name = declared.name
        row = facts.wiring_at(self._declarations, name, self.number)
        if row is None:
            spans = ", ".join(str(w.span) for w in self._declarations.wiring.get(name, ()))
            known = f"it is at shots {spans}" if spans else "add it to calibrations/wiring/"
            raise NoSuchSignal(f"{name} is not wired at shot {self.number}; {known}")
        try:
            channel = self.find_channel(row.channel)
        except NoSuchChannel as error:
            raise NoSuchChannel(f"{name} is wired to {row.channel!r}, but {error}") from error
        calibration = self._calibration(row)
        if calibration is None:
            raise MissingCalibration(
                f"{_port(row)} has no calibration at shot {self.number}, so {name} has none: add "
                f"one to calibrations/devices/{row.device}.toml, or read shot.channel("
                f"{row.channel!r})"
            )
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
        )
        samples = CalibratedSamples(channel, calibration, declared.unit)
        return Signal(samples, story, on_read=self._on_read(channel, row.channel, calibration))

    def _derived(self, declared: SignalDeclaration) -> Signal:
        from ishtar.calibration.expression import names_in

        parts = {name: self._resolve(name) for name in names_in(declared.derived)}
        story = Story(
            signal=declared.name,
            shot=self.number,
            unit=declared.unit,
            derived=declared.derived,
            description=declared.description,
            parts=tuple(part.explain() for part in parts.values()),
        )
        samples = DerivedSamples(
            declared.name, declared.derived, {k: p.samples for k, p in parts.items()}
        )

        def note() -> None:
            for name, part in parts.items():
                self._note(name)
                part.note_read()

        return Signal(samples, story, on_read=note)

    def __repr__(self) -> str:
        known = self.attributes.plain()
        head = f"<Shot {self.number}: {known.get('date', 'date unknown')}"
        for name in ("gas", "program"):
            if name in known:
                head += f", {known[name]}"
        missing = self.missing()
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
