"""Resolve names to samples: the channel, device and calibration of a signal at one shot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from ishtar.calibration import Calibration, Declarations, SignalDeclaration, Wiring
from ishtar.calibration.equations import equation
from ishtar.calibration.expression import names_in, unit_factor
from ishtar.calibration.facility import NotRun
from ishtar.calibration.steps import stated
from ishtar.calibration.transforms import QuietOffset
from ishtar.errors import (
    IshtarError,
    MissingCalibration,
    MissingScale,
    NoSuchChannel,
    NoSuchSignal,
    NotFoundError,
    did_you_mean,
    nearest,
)
from ishtar.inputs import identity
from ishtar.lineage.record import OWN, Notes
from ishtar.signals.calibrated import CalibratedSamples, UncalibratedSamples
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples
from ishtar.signals.source_notes import salvaged, scale_missing, time_base_missing
from ishtar.store import Channel, SourceFile

NEIGHBOURS = 10  # shots on either side that are searched for a missing channel


class Resolver:
    """Resolve the names of signals and channels at one shot.

    ``has_channel`` tells whether another shot has a channel, for the hint of an error.
    """

    def __init__(
        self,
        number: int,
        declarations: Declarations,
        sources: Sequence[SourceFile],
        has_channel: Callable[[int, str], bool],
        notes: Notes = OWN,
    ) -> None:
        self.number = number
        self.declarations = declarations
        self._has_channel = has_channel
        self._sources = sources
        self._notes = notes

    # --- channels -----------------------------------------------------------------------------

    @cached_property
    def channels(self) -> Mapping[str, tuple[Channel, ...]]:
        """All channels by path; several for a path that is ambiguous without its file."""
        found: dict[str, list[Channel]] = defaultdict(list)
        for source in self._sources:
            for path, channel in source.channels.items():
                found[path].append(channel)
        # A path that occurs in several sources is addressed with the source's name.
        unique = {path: (rows[0],) for path, rows in found.items() if len(rows) == 1}
        shared = {
            f"{path} @ {channel.file.stem}": (channel,)
            for path, rows in found.items()
            if len(rows) > 1
            for channel in rows
        }
        return unique | shared | {p: tuple(rows) for p, rows in found.items() if len(rows) > 1}

    def paths(self) -> list[str]:
        """Return the unambiguous paths, sorted."""
        return sorted(path for path, rows in self.channels.items() if len(rows) == 1)

    def find_channel(self, path: str) -> Channel:
        """Return the stored channel of a path; the error names similar paths."""
        if not isinstance(path, str):
            raise TypeError(f"{path!r} is not a channel: write its path, 'PXI M6251/Lang_I'")
        rows = self.channels.get(path, ())
        if not rows:
            raise NoSuchChannel(
                f"shot {self.number} has no channel {path!r}"
                f"{did_you_mean(path, self.paths()) or '; shot.channels() lists them'}",
                name=path,
                nearest=nearest(path, self.paths()),
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
        """Return a channel with the scale that its file states, without calibration."""
        try:
            channel = self.find_channel(path)
        except NoSuchChannel as error:
            self._notes.record(identity.channel_input(None, path, self.number))
            raise self._with_neighbours(error) from None
        provenance = Provenance(
            signal=path,
            shot=self.number,
            unit=channel.unit,
            channel=path,
            source=channel.file.stem,
            description=str(channel.properties.get("description", "")),
        )
        provenance = self._with_flaws(provenance, channel)
        return Signal(ChannelSamples(channel), provenance, on_read=self._on_read(channel, path))

    def _with_flaws(self, provenance: Provenance, channel: Channel) -> Provenance:
        """Return a provenance with the channel's flaws: no times, no scale, a cut recording."""
        source = next((s for s in self._sources if s.path == channel.file), None)
        return replace(
            provenance,
            time_base=time_base_missing(channel.x_unit),
            scale_missing=scale_missing(channel),
            salvaged=salvaged(source) if source else "",
        )

    def _with_neighbours(self, error: NoSuchChannel) -> NoSuchChannel:
        """Return an error that also names the nearest shots with the missing channel."""
        found: list[int | None] = []
        for step in () if error.name in self.channels else (-1, 1):
            numbers = (self.number + step * k for k in range(1, NEIGHBOURS + 1))
            found += [next((n for n in numbers if self._has_channel(n, error.name)), None)]
        shots = [str(n) for n in found if n is not None]
        if not shots:
            return error
        message = f"{error}; it is at shot {' and '.join(shots)}"
        return NoSuchChannel(message, name=error.name, nearest=error.nearest)

    # --- signals ------------------------------------------------------------------------------

    def signal(self, name: str) -> Signal:
        """Return a signal; without calibration, only its raw samples can be read."""
        try:
            return self._resolve(name)
        except NoSuchChannel as error:
            raise self._with_neighbours(error) from error
        except MissingCalibration as error:
            declared = self.declarations.signals[name]
            row = identity.wiring_at(self.declarations, name, self.number)
            if declared.derived or row is None:
                raise
            return self._uncalibrated(declared, row, error)

    def problem(self, name: str) -> str | None:
        """Return why a signal has no calibrated values; None if it has."""
        try:
            self._resolve(name)
        except IshtarError as error:
            return str(error)
        return None

    def note(self, name: str) -> None:
        """Record a request for a signal as inputs: its declaration, wiring, parts and problems."""
        if not self._notes.is_on:
            return
        self._notes.record(identity.signal_input(self.declarations, name))
        declared = self.declarations.signals.get(name)
        if declared is None:
            return
        if declared.derived:
            for part in names_in(declared.derived):
                self.note(part)
            return
        self._notes.record(identity.wiring_input(self.declarations, name, self.number))
        row = identity.wiring_at(self.declarations, name, self.number)
        if row is not None and len(self.channels.get(row.channel, ())) != 1:
            self._notes.record(identity.channel_input(None, row.channel, self.number))
        elif row is not None and (self._calibration(row) is None or self.problem(name)):
            # a calibration that does not fit the channel: either of them may be corrected later
            self._notes.record(
                identity.calibration_input(self.declarations, _port(row), self.number)
            )
            if self._calibration(row) is not None:
                self._notes.record(
                    identity.channel_input(self.find_channel(row.channel), row.channel, self.number)
                )

    def _on_read(
        self, channel: Channel, path: str, calibration: Calibration | None = None
    ) -> Callable[[], None]:
        def note() -> None:
            if not self._notes.is_on:
                return
            self._notes.record(identity.channel_input(channel, path, self.number))
            if calibration is not None:
                self._notes.record(
                    identity.calibration_input(self.declarations, calibration.name, self.number)
                )

        return note

    def _calibration(self, row: Wiring) -> Calibration | None:
        return identity.calibration_at(self.declarations, row.device, row.port, self.number)

    def _resolve(self, name: str) -> Signal:
        declared = self.declarations.signals.get(name)
        if declared is None:
            raise self.undeclared(name)
        return self._derived(declared) if declared.derived else self._wired(declared)

    def undeclared(self, name: str) -> NoSuchSignal:
        """Return the error for a signal that is not declared."""
        return NoSuchSignal(
            f"no signal {name!r}{self._hint(name)}",
            name=name,
            nearest=nearest(name, self.declarations.signals),
        )

    def _hint(self, name: str) -> str:
        if name in self.channels:
            return f"; it is a channel: shot.channel({name!r})"
        if not self.declarations.signals:
            return "; calibrations/signals.toml declares none: add it there"
        return did_you_mean(name, self.declarations.signals) or "; shot.signals() lists them"

    def _wired(self, declared: SignalDeclaration) -> Signal:
        name = declared.name
        row = identity.wiring_at(self.declarations, name, self.number)
        if row is None:
            spans = ", ".join(str(w.span) for w in self.declarations.wiring.get(name, ()))
            known = f"; it is at shots {spans}" if spans else ""
            raise NoSuchSignal(
                f"{name} is not wired at shot {self.number}{known}: add it to calibrations/wiring/",
                name=name,
            )
        channel = self._channel_of(name, row)
        calibration = self._calibration(row)
        if calibration is None:
            raise MissingCalibration(
                f"{_port(row)} has no calibration at shot {self.number}, so {name} has none: add "
                f"one to calibrations/devices/{row.device}.toml, or read its raw(), or "
                f"shot.channel({row.channel!r})",
                signal=name,
                device=_port(row),
                shot=self.number,
            )
        if why := scale_missing(channel):
            raise MissingScale(
                f"{channel.path!r} was stored without the scale that its file states ({why}), so "
                f"{calibration.label} cannot take it: read {name}'s raw(), or shot.channel("
                f"{row.channel!r})",
                signal=name,
                device=_port(row),
                shot=self.number,
            )
        if kind := next((s.kind for s in calibration.transforms if isinstance(s, NotRun)), None):
            raise MissingCalibration(
                f"{calibration.label} is computed by the facility's own transform {kind!r}, whose "
                f"code is not run here: read {name}'s raw(), or, if you trust the site, open it "
                "with run_facility_code=True",
                signal=name,
                device=_port(row),
                shot=self.number,
            )
        try:
            samples = CalibratedSamples(channel, calibration, declared.unit)
        except IshtarError as error:
            raise type(error)(f"{name}: {error}") from error
        assumed = f"{channel.path} states no unit; taken as {samples.assumed_unit or '1'}"
        provenance = Provenance(
            signal=name,
            shot=self.number,
            unit=declared.unit,
            channel=row.channel,
            device=row.device,
            calibration=calibration.label,
            span=str(calibration.span),
            source=channel.file.stem,
            description=declared.description,
            imas=declared.imas,
            reference=calibration.reference,
            steps=tuple(equation(t) for t in calibration.transforms),
            assumed="" if channel.unit else assumed,
            uncertainty=_uncertainty(calibration),
        )
        return Signal(
            samples,
            self._with_flaws(provenance, channel),
            on_read=self._on_read(channel, row.channel, calibration),
            on_raw=self._on_read(channel, row.channel),
        )

    def _channel_of(self, name: str, row: Wiring) -> Channel:
        # similar names would belong to other signals, and the search is slower than opening a shot
        if row.channel not in self.channels:
            raise NoSuchChannel(
                f"{name} is wired to {row.channel!r}, but shot {self.number} has no channel "
                f"{row.channel!r}: it was not recorded, or calibrations/wiring/ is wrong",
                name=row.channel,
            )
        try:
            return self.find_channel(row.channel)
        except NoSuchChannel as error:
            raise NoSuchChannel(
                f"{name} is wired to {row.channel!r}, but {error}",
                name=row.channel,
                nearest=error.nearest,
            ) from error

    def _uncalibrated(
        self, declared: SignalDeclaration, row: Wiring, error: MissingCalibration
    ) -> Signal:
        channel = self.find_channel(row.channel)
        provenance = Provenance(
            signal=declared.name,
            shot=self.number,
            unit=declared.unit,
            channel=row.channel,
            device=row.device,
            source=channel.file.stem,
            description=declared.description,
            imas=declared.imas,
            lack=str(error),
        )
        on_read = self._on_read(channel, row.channel)
        provenance = self._with_flaws(provenance, channel)
        return Signal(UncalibratedSamples(channel, error), provenance, on_read=on_read)

    def _derived(self, declared: SignalDeclaration) -> Signal:
        formula = f"{declared.name} = {declared.derived}"
        parts: dict[str, Signal] = {}
        for name in names_in(declared.derived):
            try:
                parts[name] = self._resolve(name)
            except NotFoundError as error:
                message = f"{formula}: {error}"
                raise type(error)(message, name=error.name, nearest=error.nearest) from error
            except MissingCalibration as error:
                raise type(error)(
                    f"{formula}: {error}",
                    signal=declared.name,
                    device=error.device,
                    shot=error.shot,
                ) from error
        provenances = tuple(part.provenance for part in parts.values())
        provenance = Provenance(
            signal=declared.name,
            shot=self.number,
            unit=declared.unit,
            derived=declared.derived,
            description=declared.description,
            imas=declared.imas,
            parts=provenances,
            uncertainty="; ".join(dict.fromkeys(s.uncertainty for s in provenances)),
        )
        units = {k: p.unit for k, p in parts.items()}
        samples = DerivedSamples(
            declared.name,
            declared.derived,
            {k: p.samples.recorded(k) for k, p in parts.items()},
            unit_factor(declared.derived, units, declared.unit),
        )

        def note() -> None:
            for part in parts.values():
                part.note_read()

        provenance = replace(
            provenance,
            time_base=time_base_missing(samples.base.unit),
            salvaged=next((s.salvaged for s in provenances if s.salvaged), ""),
        )
        return Signal(samples, provenance, on_read=note)


def _port(row: Wiring) -> str:
    return f"{row.device}.{row.port}" if row.port else row.device


def _uncertainty(calibration: Calibration) -> str:
    """Return a sentence on which numbers of a calibration have a sigma."""
    known = [name for step in calibration.transforms for name in stated(step)]
    quiet = any(isinstance(step, QuietOffset) for step in calibration.transforms)
    if not known:
        besides = " besides that of the quiet mean" if quiet else ""
        return f"{calibration.label} states no uncertainty{besides}"
    return f"{calibration.label} sigma of {', '.join(known + ['quiet mean'] * quiet)}"
