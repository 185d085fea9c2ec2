"""One shot of a published site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date as Date
from functools import cached_property, partial
from typing import Any, ClassVar

from ishtar.attributes.moments import moment_of
from ishtar.catalogue import ScrapRow
from ishtar.errors import MissingCalibration, NoSuchSignal, did_you_mean, nearest
from ishtar.inputs.attributes import Attributes
from ishtar.lineage.record import subject_of
from ishtar.query.shot_numbers import no_such_shot
from ishtar.remote.fetch import NotThere, Site
from ishtar.remote.not_kept import KeptInPart
from ishtar.remote.numbers import number_of
from ishtar.remote.samples import PRECISION, TileSamples
from ishtar.shots.any_shot import SeveralSignals, check_name, head_of
from ishtar.signals.protocols import AnySignal
from ishtar.signals.provenance import Story
from ishtar.signals.signal import Signal
from ishtar.signals.source_notes import time_base_missing
from ishtar.signals.time_base import SECONDS


def _nothing() -> None:
    """Nobody plans by what was read of a site."""


class RemoteShot(SeveralSignals, KeptInPart):
    """One shot as its page on a site tells it. Nothing is read before it is asked for."""

    lacks: ClassVar = {
        "machine": "the machine",
        "channels": "channels as they were recorded",
        "channel": "channels as they were recorded",
        "find_channel": "channels as they were recorded",
        "sources": "the files of its shots",
        "edits": "who has corrected its attributes",
    }

    def __init__(self, site: Site, number: int, known: Sequence[int]) -> None:
        self.number = number
        self.whose = f"shot {number}"
        self._site = site
        self._known = known
        self._folder = f"shots/{subject_of(number)}"

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """All that the site says of the shot: ``shot.json``."""
        try:
            found: Mapping[str, Any] = self._site.json(f"{self._folder}/shot.json")
        except NotThere as error:
            known = [n for n in self._known if n != self.number]
            what = f"{self._site.address} has no shot {self.number}"
            raise no_such_shot(what, self.number, known) from error
        return found

    @property
    def attributes(self) -> Attributes:
        """Attributes of the shot: gas, program …"""
        stated = dict(self.facts["attributes"])
        if self.facts["date"]:
            stated["date"] = self.facts["date"]
        return Attributes(stated, self.number)

    @property
    def date(self) -> Date | None:
        """When the shot was triggered (local time), None where no source says it.

        As of a workspace: a day alone where no time of day is known.
        """
        text = self.facts["date"]
        return None if text is None else moment_of(text)

    @property
    def problems(self) -> list[str]:
        """What is wrong with its data, a sentence each."""
        return list(self.facts["problems"])

    @property
    def scraps(self) -> list[ScrapRow]:
        """The scraps of its reports."""
        return [
            ScrapRow(
                subject=subject_of(self.number),
                template=report["template"],
                name=scrap["name"],
                value=number_of(scrap["value"]),
                sigma=number_of(scrap["sigma"]),
                unit=scrap["unit"],
            )
            for report in self.facts["reports"]
            for scrap in report["scraps"]
        ]

    @cached_property
    def _index(self) -> tuple[int, dict[str, Any]]:
        try:
            index = self._site.json(f"{self._folder}/traces/index.json")
        except NotThere:
            self.facts  # noqa: B018  a shot that is not there is told as that
            return 1, {}
        return index["tile"], {entry["name"]: entry for entry in index["signals"]}

    def signals(self) -> list[str]:
        """Return the names of the signals that the site keeps."""
        return [name for name, entry in self._index[1].items() if entry["levels"]]

    def missing(self) -> dict[str, str]:
        """Return the declared signals that it does not, each with the reason."""
        return {name: e["problem"] for name, e in self._index[1].items() if not e["levels"]}

    def problem(self, name: str, *, in_time: bool = False) -> str | None:
        """Return why a signal cannot be read, None where it can; ``in_time``: against time."""
        if name in self.signals():
            return self[name].lack_of_time if in_time else None
        return self.missing().get(name) or str(self._unknown(name))

    def _unknown(self, name: str) -> NoSuchSignal:
        """Return what to raise for a signal of which the site says nothing."""
        entries = self._index[1]
        if not entries:
            why = "the site has no traces of it yet: try again in a while"
            return NoSuchSignal(f"shot {self.number} has no signal {name!r}; {why}", name=name)
        hint = did_you_mean(name, entries) or "; shot.signals() lists them"
        return NoSuchSignal(f"no signal {name!r}{hint}", name=name, nearest=nearest(name, entries))

    def __contains__(self, name: object) -> bool:
        """Say whether a signal can be read; `NoSuchSignal` of a name that is none anywhere."""
        if isinstance(name, str) and name not in self._index[1]:
            raise self._unknown(name)
        return isinstance(name, str) and name in self.signals()

    def __getitem__(self, name: str) -> AnySignal:
        """Return a signal; no sample is read."""
        check_name(self, name)
        tile, entries = self._index
        if name not in entries:
            raise self._unknown(name)
        entry = entries[name]
        if not entry["levels"]:
            wired = name in {row["signal"] for row in self.facts["wiring"] if not row["problem"]}
            if wired:
                raise MissingCalibration(entry["problem"], signal=name, shot=self.number)
            raise NoSuchSignal(entry["problem"], name=name)
        samples = TileSamples(self._site, f"{self._folder}/traces", entry, tile, self.number)
        story = Story(
            signal=name,
            shot=self.number,
            unit=entry["unit"],
            source=self._site.address,
            precision=PRECISION,
        )
        return Signal(samples, story, on_read=_nothing, explain=partial(self._story, name))

    def _story(self, name: str) -> Story:
        row = next(row for row in self.facts["wiring"] if row["signal"] == name)
        channel = row["channel"]
        is_formula = channel.startswith("= ")
        return Story(
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
            # sites from before these were told do not have them
            time_base=time_base_missing(row.get("x_unit", SECONDS)),
            salvaged=row.get("salvaged", ""),
            precision=PRECISION,
        )

    def __repr__(self) -> str:
        cut = [s["name"] for s in self.facts["sources"] if s.get("salvaged")]
        return f"{head_of(self, cut)}; from {self._site.address}>"
