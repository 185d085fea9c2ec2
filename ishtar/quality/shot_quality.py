"""Quality of a whole shot: its channels, its recorders, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.errors import IshtarError
from ishtar.quality import timing
from ishtar.quality.channel_view import ChannelView
from ishtar.quality.dating import date_findings
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
        Number of channels.
    samples : int
        Number of samples in the longest channel.
    dt : float or None
        Sampling interval, s; None if it is irregular, unknown or differs within the group.
    start, end : float
        First and last time, s; NaN if no channel has times.
    nbytes : int
        Size of all samples as recorded.
    time_base : str
        The channels without a time base; ``"none"`` if no channel has one, empty if all have.
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
    """The quality of a shot.

    Parameters
    ----------
    findings : list of Finding
        Worst first.
    recorders : dict of str to Recorder
        By name.
    noise : dict of str to float
        Noise before the trigger by channel, as recorded; only channels with a quiet time.
    """

    findings: list[Finding]
    recorders: dict[str, Recorder]
    noise: dict[str, float]

    def of_kind(self, *kinds: str) -> list[Finding]:
        """Return the findings of some kinds."""
        return [f for f in self.findings if f.kind in kinds]


def examine(shot: Shot, *, trigger: str = "trigger") -> Quality:
    """Check every channel of a shot, in constant memory.

    Parameters
    ----------
    shot : Shot
        The shot; data that cannot be read becomes a finding.
    trigger : str
        Channels whose name contains this, in any case, record the trigger.

    Returns
    -------
    Quality
        Findings on samples, times, declared rates, trigger and coverage, unknown time bases and
        scales, missing signals, notes of the sources and their dates. Whether recorders agree with
        each other depends on a common event: see `ishtar.quality.clocks`.
    """
    found: list[Finding] = []
    groups: dict[str, list[ChannelView]] = defaultdict(list)
    for path in shot.channels():
        shot.channel(path).note_read()
        groups[path.rpartition("/")[0]].append(ChannelView(shot.find_channel(path)))
    noise: dict[str, float] = {}
    recorders = {}
    for name, views in groups.items():
        recorders[name] = _recorder(name, views)
        found += _of_samples(views, noise)
        found += _of_times(name, views, trigger)
        found += _unknown(name, views)
    found += _declared(shot, groups)
    found += _covered(recorders, groups, trigger)
    found += _missing(shot) + _noted(shot) + date_findings(shot)
    return Quality(findings=sorted_findings(found), recorders=recorders, noise=noise)


def _recorder(name: str, views: list[ChannelView]) -> Recorder:
    channels = [view.channel for view in views]
    timed = [view.channel for view in views if view.has_seconds]
    steps = {c.dt for c in timed}
    timeless = [view.channel.path.rpartition("/")[2] for view in views if not view.has_seconds]
    spans = [s for s in (_span(view) for view in views) if np.isfinite(s).all()]
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


def _span(view: ChannelView) -> tuple[float, float]:
    try:
        return view.span
    except IshtarError:  # the checks of its samples report it as unreadable
        return np.nan, np.nan


def _of_samples(views: list[ChannelView], noise: dict[str, float]) -> list[Finding]:
    found = []
    loud = {}
    for view in views:
        try:
            if view.noise is not None:
                loud[view.channel.path] = view.noise
        except IshtarError as error:
            found.append(_unreadable(view.channel, error))
    broken = {f.where for f in found}
    alike: dict[tuple[Any, str], list[str]] = defaultdict(list)
    for view in views:
        if view.channel.path in loud:
            alike[_converter(view.channel)].append(view.channel.path)
    sigmas = {key: np.array([loud[path].sigma for path in paths]) for key, paths in alike.items()}
    place = {path: (sigmas[key], i) for key, paths in alike.items() for i, path in enumerate(paths)}
    for view in views:
        if view.channel.path in broken:
            continue
        others = np.delete(*place[path]) if (path := view.channel.path) in place else np.empty(0)
        try:
            found += view.findings(others)
        except IshtarError as error:
            found.append(_unreadable(view.channel, error))
    noise |= {path: n.sigma for path, n in loud.items()}
    return found


def _converter(channel: Channel) -> tuple[Any, str]:
    """Return a key that channels with the same converter share."""
    return channel.dtype, str(channel.scale)


def _unreadable(channel: Channel, error: IshtarError) -> Finding:
    text = f"cannot be read: {error}"
    where = channel.path
    return Finding(kind="unreadable", severity=Severity.BAD, where=where, text=text, share=1.0)


def _of_times(name: str, views: list[ChannelView], trigger: str) -> list[Finding]:
    found: list[Finding] = []
    timed = [view for view in views if view.has_seconds]
    irregular = [view for view in timed if view.channel.irregular and view.channel.n]
    if irregular:  # the channels of a group share their times
        longest = max(irregular, key=lambda view: view.channel.n)
        try:
            found += timing.gaps(name, longest.channel.time())
        except IshtarError as error:
            found.append(_unreadable(longest.channel, error))
    regular = [view for view in views if not view.channel.irregular]
    most: dict[str, int] = {}
    for view in regular:
        unit = view.axis.unit
        most[unit] = max(most.get(unit, 0), view.channel.n)
    for view in regular:
        c, n = view.channel, most[view.axis.unit]
        if c.n < n:
            share = 1.0 - c.n / n
            text = f"has {c.n} samples, its recorder's other channels up to {n}"
            severity = Severity.BAD if c.n == 0 else Severity.SUSPECT
            found.append(
                Finding(kind="short", severity=severity, where=c.path, text=text, share=share)
            )
        if view.has_seconds and c.n and trigger.lower() in c.path.rpartition("/")[2].lower():
            try:
                found += timing.trigger(c.path, view.edges(), c.dt or 0.0, view.span[1])
            except IshtarError as error:
                found.append(_unreadable(c, error))
    return found


def _unknown(name: str, views: list[ChannelView]) -> list[Finding]:
    """Return findings on channels without a scale or a time base, the latter merged by recorder."""
    found = [
        Finding(kind="scale", severity=Severity.BAD, where=view.channel.path, text=text, share=1.0)
        for view in views
        if (why := scale_missing(view.channel))
        for text in (f"is stored as recorded, without the scale that its file states: {why}",)
    ]
    for unit in sorted({view.axis.unit for view in views if not view.has_seconds}):
        paths = [view.channel.path for view in views if view.axis.unit == unit]
        what, severity = f"along {unit}, not along time", Severity.NOTE
        if unit == COUNTED:
            what = "without a time base: they are only counted, nothing says when they were taken"
            severity = Severity.SUSPECT
        if len(paths) == len(views) > 1:
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


def _declared(shot: Shot, groups: Mapping[str, list[ChannelView]]) -> list[Finding]:
    """Return findings on groups whose content differs from what their source states."""
    found: list[Finding] = []
    for source in shot.sources:
        stated: Mapping[str, Any] = source.properties.get("groups") or {}
        for name, properties in stated.items():
            channels = [k.channel for k in groups.get(name, []) if k.channel.file == source.path]
            if not isinstance(properties, dict):
                continue
            count = properties.get("Nchannel")
            if isinstance(count, int | float) and count != len(channels):
                text = f"states {count:g} channels, but has {len(channels)}"
                found.append(Finding(kind="count", severity=Severity.BAD, where=name, text=text))
            for key, member in (("SampleTime", "dt"), ("Tstart", "t0")):
                stated_value = properties.get(key)
                if not isinstance(stated_value, int | float):
                    continue
                for c in (c for c in channels if c.x_unit == SECONDS):
                    true = getattr(c, member)
                    if true is not None and abs(true - stated_value) > 1e-3 * (c.dt or 0.0):
                        text = (
                            f"its group states {key} = {stated_value:g} s, but its own properties "
                            f"{true:g} s"
                        )
                        found.append(
                            Finding(kind="rate", severity=Severity.BAD, where=c.path, text=text)
                        )
    return found


def _covered(
    recorders: Mapping[str, Recorder], groups: Mapping[str, list[ChannelView]], trigger: str
) -> list[Finding]:
    """Return findings on records that do not cover the discharge, as seen by the trigger."""
    ends, triggered = [], set()
    for name, view in ((name, view) for name, views in groups.items() for view in views):
        if not view.has_seconds or not view.channel.n:
            continue
        if trigger.lower() in view.channel.path.rpartition("/")[2].lower():
            triggered.add(name)
            try:
                ends += [e for e in view.edges()[1:] if np.isfinite(e)]
            except IshtarError:  # the check of its edges reports it as unreadable
                continue
    busy = (0.0, max(ends, default=np.nan))
    found: list[Finding] = []
    for r in recorders.values():
        if r.start > 0.0 and r.name not in triggered:  # an oscilloscope, a log of pulses
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
    """Return findings from the notes that ingest made about the sources."""
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
