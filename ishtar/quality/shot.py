"""All channels of a shot: what is wrong with each, with their recorders, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.errors import IshtarError
from ishtar.quality import timing
from ishtar.quality.dating import dating
from ishtar.quality.findings import Finding, Severity, sorted_findings
from ishtar.quality.look import Look
from ishtar.store import Channel

if TYPE_CHECKING:
    from ishtar.shot import Shot

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
        Sampling interval, s; None where it is irregular, or differs within the group.
    start, end : float
        First and last time, s.
    nbytes : int
        Of all its samples as recorded.
    """

    name: str
    channels: int
    samples: int
    dt: float | None
    start: float
    end: float
    nbytes: int


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
        Findings of samples, times, declared rates, trigger and coverage, missing signals, notes of
        the sources, dates on which these differ. Whether recorders agree with each other needs to
        be told what both saw: see `ishtar.quality.clocks`.
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
    found += _declared(shot, groups)
    found += _covered(recorders, groups, trigger)
    found += _missing(shot) + _noted(shot) + dating(shot)
    return Quality(findings=sorted_findings(found), recorders=recorders, noise=noise)


def _recorder(name: str, looks: list[Look]) -> Recorder:
    channels = [look.channel for look in looks]
    steps = {c.dt for c in channels}
    spans = [s for s in (_span(look) for look in looks) if np.isfinite(s).all()]
    return Recorder(
        name=name,
        channels=len(channels),
        samples=max(c.n for c in channels),
        dt=steps.pop() if len(steps) == 1 else None,
        start=min((s[0] for s in spans), default=np.nan),
        end=max((s[1] for s in spans), default=np.nan),
        nbytes=sum(c.nbytes for c in channels),
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
    irregular = [look for look in looks if look.channel.irregular and look.channel.n]
    if irregular:  # the channels of a group share their times
        longest = max(irregular, key=lambda look: look.channel.n)
        try:
            found += timing.gaps(name, longest.channel.time())
        except IshtarError as error:
            found.append(_unreadable(longest.channel, error))
    regular = [look for look in looks if not look.channel.irregular]
    most = max((look.channel.n for look in regular), default=0)
    for look in regular:
        c = look.channel
        if c.n < most:
            share = 1.0 - c.n / most
            text = f"has {c.n} samples, its recorder's other channels up to {most}"
            severity = Severity.BAD if c.n == 0 else Severity.SUSPECT
            found.append(
                Finding(kind="short", severity=severity, where=c.path, text=text, share=share)
            )
        if c.n and trigger.lower() in c.path.rpartition("/")[2].lower():
            try:
                found += timing.trigger(c.path, look.edges(), c.dt or 0.0, look.span[1])
            except IshtarError as error:
                found.append(_unreadable(c, error))
    return found


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
                for c in channels:
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
        if trigger.lower() in look.channel.path.rpartition("/")[2].lower() and look.channel.n:
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
    return [
        Finding(kind="source", severity=Severity.SUSPECT, where=s.origin.source, text=str(note))
        for s in shot.sources
        for note in s.properties.get("notes") or ()
    ]
