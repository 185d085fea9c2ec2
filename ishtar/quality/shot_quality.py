"""All channels of a shot: what is wrong with each, with their recorders, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.errors import IshtarError
from ishtar.quality import timing
from ishtar.quality.channel_view import Look
from ishtar.quality.dating import dating
from ishtar.quality.findings import Finding, Severity, sorted_findings
from ishtar.signals.source_notes import notes_of, salvaged, scale_missing
from ishtar.signals.time_base import COUNTED, SECONDS
from ishtar.store import Channel

if TYPE_CHECKING:
    from ishtar.shots.shot import Shot

__all__ = ["Quality", "Recorder", "examine"]


@dataclass(frozen=True, kw_only=True)
class Recorder:
    """A group of channels that were sampled together.

    Parameters
    ----------
    name : str
        The group: ``PXI M6251``.
    channels : int
        How many.
    samples : int
        Of the channel with most.
    dt : float or None
        Sampling interval, s; None where it is irregular, differs within the group, or is not known.
    start, end : float
        First and last time, s; NaN where no channel has samples that lie in time.
    nbytes : int
        Of all its samples as recorded.
    time_base : str
        Which of its channels have none, ``"none"`` where it is all of them; empty otherwise.
    """

    name: str
    channels: int
    samples: int
    dt: float | None
    start: float
    end: float
    nbytes: int
    time_base: str = ""


@dataclass(frozen=True, kw_only=True)
class Quality:
    """What was found in a shot.

    Parameters
    ----------
    findings : list of Finding
        The worst first.
    recorders : dict of str to Recorder
        By name.
    noise : dict of str to float
        Noise before the trigger by channel, as recorded; channels without quiet time are not in it.
    """

    findings: list[Finding]
    recorders: dict[str, Recorder]
    noise: dict[str, float]

    def of_kind(self, *kinds: str) -> list[Finding]:
        """Return the findings of some kinds."""
        return [f for f in self.findings if f.kind in kinds]


def examine(shot: Shot, *, trigger: str = "trigger") -> Quality:
    """Look at every channel of a shot, in constant memory, whatever its size.

    Parameters
    ----------
    shot : Shot
        Flawed ones too: what cannot be read is a finding.
    trigger : str
        Channels whose name holds this, in whatever case, are the trigger's line.

    Returns
    -------
    Quality
        Findings of samples, times, declared rates, trigger and coverage, time bases and scales that
        are not known, missing signals, notes of the sources, dates on which these differ. Whether
        recorders agree with each other needs to be told what both saw: see `ishtar.quality.clocks`.
    """
    found: list[Finding] = []
    groups: dict[str, list[Look]] = defaultdict(list)
    for path in shot.channels():
        shot.channel(path).note_read()
        groups[path.rpartition("/")[0]].append(Look(shot.find_channel(path)))
    noise: dict[str, float] = {}
    recorders = {}
    for name, looks in groups.items():
        recorders[name] = _recorder(name, looks)
        found += _of_samples(looks, noise)
        found += _of_times(name, looks, trigger)
        found += _unknown(name, looks)
    found += _declared(shot, groups)
    found += _covered(recorders, groups, trigger)
    found += _missing(shot) + _noted(shot) + dating(shot)
    return Quality(findings=sorted_findings(found), recorders=recorders, noise=noise)


def _recorder(name: str, looks: list[Look]) -> Recorder:
    channels = [look.channel for look in looks]
    timed = [look.channel for look in looks if look.has_seconds]
    steps = {c.dt for c in timed}
    timeless = [look.channel.path.rpartition("/")[2] for look in looks if not look.has_seconds]
    spans = [s for s in (_span(look) for look in looks) if np.isfinite(s).all()]
    return Recorder(
        name=name,
        channels=len(channels),
        samples=max(c.n for c in channels),
        dt=steps.pop() if len(steps) == 1 else None,
        start=min((s[0] for s in spans), default=np.nan),
        end=max((s[1] for s in spans), default=np.nan),
        nbytes=sum(c.nbytes for c in channels),
        time_base="" if not timeless else "none" if not timed else f"none of {_listed(timeless)}",
    )


def _span(look: Look) -> tuple[float, float]:
    try:
        return look.span
    except IshtarError:  # told as unreadable where its samples are looked at
        return np.nan, np.nan


def _of_samples(looks: list[Look], noise: dict[str, float]) -> list[Finding]:
    found = []
    loud = {}
    for look in looks:
        try:
            if look.noise is not None:
                loud[look.channel.path] = look.noise
        except IshtarError as error:
            found.append(_unreadable(look.channel, error))
    broken = {f.where for f in found}
    kin: dict[tuple[Any, str], list[str]] = defaultdict(list)
    for look in looks:
        if look.channel.path in loud:
            kin[_converter(look.channel)].append(look.channel.path)
    sigmas = {key: np.array([loud[path].sigma for path in paths]) for key, paths in kin.items()}
    place = {path: (sigmas[key], i) for key, paths in kin.items() for i, path in enumerate(paths)}
    for look in looks:
        if look.channel.path in broken:
            continue
        others = np.delete(*place[path]) if (path := look.channel.path) in place else np.empty(0)
        try:
            found += look.findings(others)
        except IshtarError as error:
            found.append(_unreadable(look.channel, error))
    noise |= {path: n.sigma for path, n in loud.items()}
    return found


def _converter(channel: Channel) -> tuple[Any, str]:
    """Return what channels have in common that were digitised alike."""
    return channel.dtype, str(channel.scale)


def _unreadable(channel: Channel, error: IshtarError) -> Finding:
    text = f"cannot be read: {error}"
    where = channel.path
    return Finding(kind="unreadable", severity=Severity.BAD, where=where, text=text, share=1.0)


def _of_times(name: str, looks: list[Look], trigger: str) -> list[Finding]:
    found: list[Finding] = []
    timed = [look for look in looks if look.has_seconds]
    irregular = [look for look in timed if look.channel.irregular and look.channel.n]
    if irregular:  # the channels of a group share their times
        longest = max(irregular, key=lambda look: look.channel.n)
        try:
            found += timing.gaps(name, longest.channel.time())
        except IshtarError as error:
            found.append(_unreadable(longest.channel, error))
    regular = [look for look in looks if not look.channel.irregular]
    most: dict[str, int] = {}
    for look in regular:
        unit = look.axis.unit
        most[unit] = max(most.get(unit, 0), look.channel.n)
    for look in regular:
        c, n = look.channel, most[look.axis.unit]
        if c.n < n:
            share = 1.0 - c.n / n
            text = f"has {c.n} samples, its recorder's other channels up to {n}"
            severity = Severity.BAD if c.n == 0 else Severity.SUSPECT
            found.append(
                Finding(kind="short", severity=severity, where=c.path, text=text, share=share)
            )
        if look.has_seconds and c.n and trigger.lower() in c.path.rpartition("/")[2].lower():
            try:
                found += timing.trigger(c.path, look.edges(), c.dt or 0.0, look.span[1])
            except IshtarError as error:
                found.append(_unreadable(c, error))
    return found


def _unknown(name: str, looks: list[Look]) -> list[Finding]:
    """Tell of channels without time base, together where a recorder has none, and without scale."""
    found = [
        Finding(kind="scale", severity=Severity.BAD, where=look.channel.path, text=text, share=1.0)
        for look in looks
        if (why := scale_missing(look.channel))
        for text in (f"is stored as recorded, without the scale that its file states: {why}",)
    ]
    for unit in sorted({look.axis.unit for look in looks if not look.has_seconds}):
        paths = [look.channel.path for look in looks if look.axis.unit == unit]
        what, severity = f"along {unit}, not along time", Severity.NOTE
        if unit == COUNTED:
            what = "without a time base: they are only counted, nothing says when they were taken"
            severity = Severity.SUSPECT
        if len(paths) == len(looks) > 1:
            names = _listed([path.rpartition("/")[2] for path in paths])
            places = [(name, f"the samples of all its channels ({names}) are {what}")]
        else:
            places = [(path, f"its samples are {what}") for path in paths]
        found += [
            Finding(kind="time base", severity=severity, where=where, text=text)
            for where, text in places
        ]
    return found


def _listed(names: list[str], most: int = 6) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _declared(shot: Shot, groups: Mapping[str, list[Look]]) -> list[Finding]:
    """Compare what a source says of its groups with what is in it."""
    found: list[Finding] = []
    for source in shot.sources:
        stated: Mapping[str, Any] = source.properties.get("groups") or {}
        for name, facts in stated.items():
            channels = [k.channel for k in groups.get(name, []) if k.channel.file == source.path]
            if not isinstance(facts, dict):
                continue
            count = facts.get("Nchannel")
            if isinstance(count, int | float) and count != len(channels):
                text = f"says it has {count:g} channels, and holds {len(channels)}"
                found.append(Finding(kind="count", severity=Severity.BAD, where=name, text=text))
            for key, member in (("SampleTime", "dt"), ("Tstart", "t0")):
                said = facts.get(key)
                if not isinstance(said, int | float):
                    continue
                for c in (c for c in channels if c.x_unit == SECONDS):
                    true = getattr(c, member)
                    if true is not None and abs(true - said) > 1e-3 * (c.dt or 0.0):
                        text = f"its group says {key} = {said:g} s, its own properties {true:g} s"
                        found.append(
                            Finding(kind="rate", severity=Severity.BAD, where=c.path, text=text)
                        )
    return found


def _covered(
    recorders: Mapping[str, Recorder], groups: Mapping[str, list[Look]], trigger: str
) -> list[Finding]:
    """Tell of records that do not cover the discharge, as the trigger's line shows it."""
    ends, triggered = [], set()
    for name, look in ((name, look) for name, looks in groups.items() for look in looks):
        if not look.has_seconds or not look.channel.n:
            continue
        if trigger.lower() in look.channel.path.rpartition("/")[2].lower():
            triggered.add(name)
            try:
                ends += [e for e in look.edges()[1:] if np.isfinite(e)]
            except IshtarError:  # told as unreadable where its edges are judged
                continue
    busy = (0.0, max(ends, default=np.nan))
    found: list[Finding] = []
    for r in recorders.values():
        if r.start > 0.0 and r.name not in triggered:  # a scope, a log of pulses
            text = f"a window of the shot: {r.start:.6g} … {r.end:.6g} s"
            found.append(Finding(kind="coverage", severity=Severity.NOTE, where=r.name, text=text))
        elif np.isfinite([r.start, r.end]).all():
            found += timing.coverage(r.name, (r.start, r.end), busy)
    return found


def _missing(shot: Shot) -> list[Finding]:
    return [
        Finding(kind="missing", severity=Severity.SUSPECT, where=name, text=why, share=1.0)
        for name, why in shot.missing().items()
    ]


def _noted(shot: Shot) -> list[Finding]:
    """Return what was noted when the sources arrived."""
    found = []
    for source in shot.sources:
        where = source.origin.source
        if text := salvaged(source):
            text = f"was salvaged: {text}"
            found.append(Finding(kind="salvaged", severity=Severity.BAD, where=where, text=text))
        found += [
            Finding(kind="source", severity=Severity.SUSPECT, where=where, text=note)
            for note in notes_of(source)
        ]
    return found
