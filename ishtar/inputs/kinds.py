"""The kinds of things that a report can read, each told once: here.

A kind says how its present identity is worked out, what a reason for staleness calls it, and what
makes the reports that read it worth a look. What is recorded comes from the functions of
`ishtar.inputs.identity`, which serve here, too. A kind that is not here is never compared, so a
test holds that every kind that the library records is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ishtar.calibration import Declarations
from ishtar.inputs import identity
from ishtar.lineage.record import ABSENT, WHERE, Input
from ishtar.query.query_tree import QueryError

DirtiedBy = Literal["shot", "scraps", "shots", "fingerprints", "nothing"]
"""What makes its readers dirty: a change of the shot, a report with scraps, a change of lists of
shots, declarations and code (compared at each plan by their fingerprints), or nothing."""


class Now(Protocol):
    """Where the present is asked for."""

    @property
    def declarations(self) -> Declarations:
        """What is declared."""

    def attributes(self, shot: int) -> Mapping[str, Any]:
        """Attributes of a shot."""

    def channels(self, shot: int) -> Mapping[str, tuple[str, str]]:
        """File and digest of a shot's channels, by path."""

    def sources(self, shot: int) -> Iterable[tuple[str, str]]:
        """Name and SHA-256 of a shot's stored files."""

    def scraps(self, subject: str, name: str | None = None) -> Sequence[identity.ScrapLike]:
        """Scraps of the current reports of a subject."""

    def numbers(self, subject: str) -> Sequence[int]:
        """Shots of a day, a range or a query."""

    def code(self, name: str, folder: str) -> Input:
        """What ran of the library under a name, for the report of a folder."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    present : callable
        The input as it is now, from where to ask, the input as it was, and the folder of a report
        that read it.
    dirtied_by : str
        What makes the reports that read it dirty.
    called : callable
        What a reason calls it.
    """

    present: Callable[[Now, Input, str], Input]
    dirtied_by: DirtiedBy
    called: Callable[[Input], str] = lambda item: f"{item.kind} {item.name}"


def _channel(now: Now, item: Input, _: str) -> Input:
    shot = int(item.subject)
    channels = now.channels(shot)
    if item.name == identity.ALL_CHANNELS:
        return identity.channels_input(channels, shot)
    file, digest = channels.get(item.name, ("absent", ABSENT))
    return Input(kind="channel", name=item.name, subject=item.subject, version=file, digest=digest)


def _scraps(now: Now, item: Input, _: str) -> Input:
    if item.name.endswith(identity.ALL_SCRAPS):
        template = item.name.removesuffix(identity.ALL_SCRAPS)
        return identity.scraps_input(now.scraps(item.subject), template, item.subject)
    template, _, name = item.name.rpartition(".")
    rows = now.scraps(item.subject, name)
    row = next((r for r in rows if not template or r.template == template), None)
    return identity.scrap_input(row, item.name, item.subject)


def _shots(now: Now, item: Input, _: str) -> Input:
    try:
        return identity.shots_input(now.numbers(item.subject), item.subject)
    except QueryError:  # it names what no shot has any more
        return Input(kind="shots", name="shots", subject=item.subject, digest=ABSENT)


def _of(subject: str) -> str:
    return f"shot {int(subject)}" if subject.isdigit() else subject


def _scraps_called(item: Input) -> str:
    if item.name.endswith(identity.ALL_SCRAPS):
        template = item.name.removesuffix(identity.ALL_SCRAPS)
        return f"the list of scraps of {template} of {_of(item.subject)}"
    return f"scrap {item.name} of {_of(item.subject)}"


def _shots_called(item: Input) -> str:
    of = "" if item.subject.startswith(WHERE) else "of "
    return f"shots {of}{item.subject or 'the testbed'}"


KINDS: Mapping[str, Kind] = {
    "signal": Kind(
        present=lambda now, item, _: identity.signal_input(now.declarations, item.name),
        dirtied_by="fingerprints",
    ),
    "wiring": Kind(
        present=lambda now, item, _: identity.wiring_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "calibration": Kind(
        present=lambda now, item, _: identity.calibration_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "machine": Kind(
        present=lambda now, item, _: identity.component_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "code": Kind(
        present=lambda now, item, folder: now.code(item.name, folder),
        dirtied_by="fingerprints",
    ),
    "channel": Kind(present=_channel, dirtied_by="shot"),
    "attribute": Kind(
        present=lambda now, item, _: identity.attribute_input(
            item.name, now.attributes(int(item.subject)).get(item.name), int(item.subject)
        ),
        dirtied_by="shot",
        called=lambda item: f"attribute {item.name} of {_of(item.subject)}",
    ),
    "sources": Kind(
        present=lambda now, item, _: identity.sources_input(
            now.sources(int(item.subject)), int(item.subject)
        ),
        dirtied_by="shot",
        called=lambda item: f"the list of files of {_of(item.subject)}",
    ),
    "scraps": Kind(present=_scraps, dirtied_by="scraps", called=_scraps_called),
    "shots": Kind(present=_shots, dirtied_by="shots", called=_shots_called),
    # of a commit of the calibrations: it cannot change
    "pinned": Kind(present=lambda now, item, _: item, dirtied_by="nothing"),
}


def dirtied_by(*whom: DirtiedBy) -> tuple[str, ...]:
    """Return the kinds whose readers a change makes dirty."""
    return tuple(name for name, kind in KINDS.items() if kind.dirtied_by in whom)


def reason(then: Input, now: Input) -> str:
    """Return why an input that changed makes a report stale, by its name."""
    kind = KINDS.get(then.kind)
    what = kind.called(then) if kind else f"{then.kind} {then.name}"
    was, is_now = then.version or "?", now.version or "?"
    if then.digest == ABSENT:
        return f"stale: {what} arrived"
    if now.digest == ABSENT:
        return f"stale: {what} is gone"
    change = f" ({was} → {is_now})" if was != is_now else " (content changed)"
    return f"stale: {what}{change}"
