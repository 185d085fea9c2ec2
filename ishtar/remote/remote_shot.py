"""One shot of a published site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date as Date
from functools import cached_property, partial
from typing import Any, ClassVar

from ishtar.attributes.moments import moment_of
from ishtar.errors import MissingCalibration, NoSuchSignal, did_you_mean, nearest
from ishtar.inputs.shot_attributes import Attributes
from ishtar.lineage.record import FOREIGN
from ishtar.packs.part import FORMAT
from ishtar.remote.fetch import NotThere, RemoteError, Site
from ishtar.remote.not_kept import KeptInPart
from ishtar.remote.pack_samples import PRECISION, PackSamples
from ishtar.remote.published_facts import PublishedFacts
from ishtar.shots.any_shot import SeveralSignals, check_name, head_of
from ishtar.signals.imas_signals import ImasSignals
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.protocols import AnySignal
from ishtar.signals.provenance import Provenance
from ishtar.signals.source_notes import time_base_missing
from ishtar.signals.time_base import SECONDS


def _nothing() -> None:
    """Record nothing: reports are not planned by what was read from a site."""


class RemoteShot(PublishedFacts, SeveralSignals, KeptInPart):
    """One shot of a published site that keeps traces, but no raw data."""

    not_kept_names: ClassVar = {
        "machine": "the machine",
        "channels": "channels as they were recorded",
        "channel": "channels as they were recorded",
        "find_channel": "channels as they were recorded",
        "sources": "the files of its shots",
        "edits": "who has corrected its attributes",
    }

    def __init__(
        self,
        site: Site,
        number: int,
        known: Sequence[int],
        facility: str = "",
        imas_paths: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(site, number, known, facility)
        self._imas_paths = imas_paths or {}
        self.owner = f"shot {number}"

    @property
    def attributes(self) -> Attributes:
        """Attributes of the shot: gas, program …"""
        stated = dict(self.facts["attributes"])
        if self.facts["date"]:
            stated["date"] = self.facts["date"]
        return Attributes(stated, self.number, FOREIGN)

    @property
    def date(self) -> Date | None:
        """When the shot was triggered, local time; None if no source states it.

        A `datetime.datetime`, or a `datetime.date` if no source states the time of day.
        """
        text = self.facts["date"]
        return None if text is None else moment_of(text)

    @cached_property
    def _entries(self) -> dict[str, Any]:
        path = f"{self._pages}/traces/index.json"
        try:
            index = self._site.json(path)
        except NotThere:
            self.facts  # noqa: B018  raises `NoSuchShot` if the shot does not exist
            return {}
        if index.get("format") != FORMAT:
            raise RemoteError(
                f"{self._site.address}{path} was written by another version of the package: "
                "install the newest, or have the site published again"
            )
        return {entry["name"]: entry for entry in index["signals"]}

    def signals(self) -> list[str]:
        """Return the names of the signals that the site keeps."""
        return [name for name, entry in self._entries.items() if entry["levels"]]

    def missing(self) -> dict[str, str]:
        """Return the declared signals that the site does not keep, each with the reason."""
        return {name: e["problem"] for name, e in self._entries.items() if not e["levels"]}

    def imas(self) -> ImasSignals[AnySignal]:
        """Return the signals that have an IMAS path, by that path; no samples are read."""
        return ImasSignals(self._imas_paths, self.__getitem__, self.problem)

    def problem(self, name: str, *, in_time: bool = False) -> str | None:
        """Return why a signal cannot be read; None if it can.

        Parameters
        ----------
        name : str
            Name of the signal.
        in_time : bool, optional
            Whether a signal without times in seconds is a problem, too.
        """
        if name in self.signals():
            return self[name].time_problem if in_time else None
        return self.missing().get(name) or str(self._unknown(name))

    def _unknown(self, name: str) -> NoSuchSignal:
        """Return the error for a signal that the site does not mention."""
        entries = self._entries
        if not entries:
            why = "the site has no traces of it yet: try again in a while"
            return NoSuchSignal(f"shot {self.number} has no signal {name!r}; {why}", name=name)
        hint = did_you_mean(name, entries) or "; shot.signals() lists them"
        return NoSuchSignal(f"no signal {name!r}{hint}", name=name, nearest=nearest(name, entries))

    def __contains__(self, name: object) -> bool:
        """Return whether a signal can be read; raise `NoSuchSignal` if it is not declared."""
        if isinstance(name, str) and name not in self._entries:
            raise self._unknown(name)
        return isinstance(name, str) and name in self.signals()

    def __getitem__(self, name: str) -> AnySignal:
        """Return a signal without reading samples."""
        check_name(self, name)
        if name not in self._entries:
            raise self._unknown(name)
        entry = self._entries[name]
        if not entry["levels"]:
            wired = name in {row["signal"] for row in self.facts["wiring"] if not row["problem"]}
            if wired:
                raise MissingCalibration(entry["problem"], signal=name, shot=self.number)
            raise NoSuchSignal(entry["problem"], name=name)
        samples = PackSamples(self._site, f"{self._pages}/traces", entry, self.number)
        provenance = Provenance(
            signal=name,
            shot=self.number,
            unit=entry["unit"],
            source=self._site.address,
            precision=PRECISION,
            imas=self._imas_paths.get(name, ""),
        )
        return Signal(
            samples, provenance, on_read=_nothing, explain=partial(self._provenance, name)
        )

    def _provenance(self, name: str) -> Provenance:
        row = next(row for row in self.facts["wiring"] if row["signal"] == name)
        channel = row["channel"]
        is_formula = channel.startswith("= ")
        return Provenance(
            signal=name,
            shot=self.number,
            unit=row["unit"],
            channel="" if is_formula else channel,
            derived=channel.removeprefix("= ") if is_formula else "",
            device=row["device"],
            calibration=row["calibration"],
            span=row["span"],
            source=self._site.address,
            lack=row["problem"] or row["lack"],
            # older sites do not state these
            time_base=time_base_missing(row.get("x_unit", SECONDS)),
            salvaged=row.get("salvaged", ""),
            precision=PRECISION,
            imas=self._imas_paths.get(name, ""),
        )

    def __repr__(self) -> str:
        cut = [s["name"] for s in self.facts["sources"] if s.get("salvaged")]
        return f"{head_of(self, cut)}; from {self._site.address}>"
