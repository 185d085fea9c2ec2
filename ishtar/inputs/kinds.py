"""All kinds of inputs that a report can read.

A kind defines how its current identity is computed, how a reason for staleness describes it, and
which changes make its readers dirty. Identities come from `ishtar.inputs.identity`, as those that
are recorded. An unknown kind is never compared; a test ensures that every recorded kind is here.
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


class CurrentState(Protocol):
    """Access to the current state of everything that a report can read."""

    @property
    def declarations(self) -> Declarations:
        """The current declarations."""

    def attributes(self, shot: int) -> Mapping[str, Any]:
        """Attributes of a shot."""

    def channels(self, shot: int) -> Mapping[str, tuple[str, str]]:
        """(file, digest) of a shot's channels, by path."""

    def sources(self, shot: int) -> Iterable[tuple[str, str]]:
        """(name, SHA-256 of the source) of a shot's stored files."""

    def scraps(self, subject: str, name: str | None = None) -> Sequence[identity.ScrapLike]:
        """Scraps of the current reports of a subject."""

    def numbers(self, subject: str) -> Sequence[int]:
        """Shots of a day, a range or a query."""

    def code(self, name: str, folder: str) -> Input:
        """The library's code under a name that ran for the report in a folder."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of input.

    Attributes
    ----------
    current : callable
        Returns the current input, given the current state, the recorded input, and the folder of a
        report that read it.
    dirtied_by : str
        Which changes make the reports that read it dirty.
    description : callable
        Returns its name in a reason.
    """

    current: Callable[[CurrentState, Input, str], Input]
    dirtied_by: DirtiedBy
    description: Callable[[Input], str] = lambda item: f"{item.kind} {item.name}"


def _channel(now: CurrentState, item: Input, _: str) -> Input:
    shot = int(item.subject)
    channels = now.channels(shot)
    if item.name == identity.ALL_CHANNELS:
        return identity.channels_input(channels, shot)
    file, digest = channels.get(item.name, ("absent", ABSENT))
    return Input(kind="channel", name=item.name, subject=item.subject, version=file, digest=digest)


def _scraps(now: CurrentState, item: Input, _: str) -> Input:
    if item.name.endswith(identity.ALL_SCRAPS):
        template = item.name.removesuffix(identity.ALL_SCRAPS)
        return identity.scraps_input(now.scraps(item.subject), template, item.subject)
    template, _, name = item.name.rpartition(".")
    rows = now.scraps(item.subject, name)
    row = next((r for r in rows if not template or r.template == template), None)
    return identity.scrap_input(row, item.name, item.subject)


def _shots(now: CurrentState, item: Input, _: str) -> Input:
    try:
        return identity.shots_input(now.numbers(item.subject), item.subject)
    except QueryError:  # the query names something that no shot has any more
        return Input(kind="shots", name="shots", subject=item.subject, digest=ABSENT)


def _subject_text(subject: str) -> str:
    return f"shot {int(subject)}" if subject.isdigit() else subject


def _scraps_description(item: Input) -> str:
    if item.name.endswith(identity.ALL_SCRAPS):
        template = item.name.removesuffix(identity.ALL_SCRAPS)
        return f"the list of scraps of {template} of {_subject_text(item.subject)}"
    return f"scrap {item.name} of {_subject_text(item.subject)}"


def _shots_description(item: Input) -> str:
    of = "" if item.subject.startswith(WHERE) else "of "
    return f"shots {of}{item.subject or 'the testbed'}"


KINDS: Mapping[str, Kind] = {
    "signal": Kind(
        current=lambda now, item, _: identity.signal_input(now.declarations, item.name),
        dirtied_by="fingerprints",
    ),
    "wiring": Kind(
        current=lambda now, item, _: identity.wiring_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "calibration": Kind(
        current=lambda now, item, _: identity.calibration_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "machine": Kind(
        current=lambda now, item, _: identity.component_input(
            now.declarations, item.name, int(item.subject)
        ),
        dirtied_by="fingerprints",
    ),
    "code": Kind(
        current=lambda now, item, folder: now.code(item.name, folder),
        dirtied_by="fingerprints",
    ),
    "channel": Kind(current=_channel, dirtied_by="shot"),
    "attribute": Kind(
        current=lambda now, item, _: identity.attribute_input(
            item.name, now.attributes(int(item.subject)).get(item.name), int(item.subject)
        ),
        dirtied_by="shot",
        description=lambda item: f"attribute {item.name} of {_subject_text(item.subject)}",
    ),
    "sources": Kind(
        current=lambda now, item, _: identity.sources_input(
            now.sources(int(item.subject)), int(item.subject)
        ),
        dirtied_by="shot",
        description=lambda item: f"the list of files of {_subject_text(item.subject)}",
    ),
    "scraps": Kind(current=_scraps, dirtied_by="scraps", description=_scraps_description),
    "shots": Kind(current=_shots, dirtied_by="shots", description=_shots_description),
    # from a commit of the calibrations, which cannot change
    "pinned": Kind(current=lambda now, item, _: item, dirtied_by="nothing"),
}


def dirtied_by(*causes: DirtiedBy) -> tuple[str, ...]:
    """Return the kinds whose readers become dirty by these changes."""
    return tuple(name for name, kind in KINDS.items() if kind.dirtied_by in causes)


def reason(recorded: Input, now: Input) -> str:
    """Return the reason for staleness from an input that changed."""
    kind = KINDS.get(recorded.kind)
    what = kind.description(recorded) if kind else f"{recorded.kind} {recorded.name}"
    was, is_now = recorded.version or "?", now.version or "?"
    if recorded.digest == ABSENT:
        return f"stale: {what} arrived"
    if now.digest == ABSENT:
        return f"stale: {what} is gone"
    change = f" ({was} → {is_now})" if was != is_now else " (content changed)"
    return f"stale: {what}{change}"
