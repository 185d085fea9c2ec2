"""Atom feeds of the newest shots and of failed reports, for feed readers and chat rooms."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.etree import ElementTree

from runner.publish.addresses import FAILURES_FEED, FEED, HOME, subject_page
from runner.publish.describe import subject_text
from runner.publish.view import View
from runner.receipts import Subject
from runner.render.format import parse_time
from runner.settings.facility import Facility

ATOM = "http://www.w3.org/2005/Atom"
LONGEST = 50
NEVER = "1970-01-01T00:00:00Z"
# characters that XML 1.0 forbids, even as references
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, kw_only=True)
class Item:
    """An entry of a feed: its ``path`` in the site; its id is made from ``identity``."""

    identity: str
    path: str
    title: str
    text: str
    updated: str


def shots_feed(view: View) -> bytes:
    """Return ``shots.xml``: the newest shots with their key results."""
    subjects = [Subject.shot(n) for n in reversed(view.numbers[-LONGEST:])]
    view.load_summaries(subjects)
    items = [_shot(view, subject) for subject in subjects]
    return _atom(view.source.facility, FEED, "shots", items)


def failures_feed(view: View) -> bytes:
    """Return ``failures.xml``: the reports that failed or timed out."""
    found = [*view.source.failures(LONGEST), *view.source.failures(LONGEST, scope="day")]
    items = []
    for summary in found:
        mark = view.summary_mark(summary)
        items.append(
            Item(
                identity=f"{mark.href} {summary.started}",
                path=mark.href,
                title=f"{subject_text(summary.subject)}, {mark.title}: {mark.word}",
                text=mark.reason or "reason unknown",
                updated=_when(summary.started),
            )
        )
    items.sort(key=lambda item: (item.updated, item.path), reverse=True)
    return _atom(view.source.facility, FAILURES_FEED, "failures", items[:LONGEST])


def _shot(view: View, subject: Subject) -> Item:
    summary = view.shot_summary(subject.number)
    reports = view.summaries(subject)
    values = [
        view.results.text(template, s) for (template, _), s in view.key_scraps(subject).items()
    ]
    failed = [m.title for m in map(view.summary_mark, reports) if m.state in {"failed", "timeout"}]
    parts = [
        ", ".join(part for part in (summary.gas, summary.program) if part),
        summary.comment,
        "; ".join(values),
        f"failed: {', '.join(failed)}" if failed else "",
        f"{summary.problems} problems with its data" if summary.problems else "",
    ]
    made = [w for w in (_when(r.started) for r in reports) if w != NEVER]
    return Item(
        identity=subject_page(subject),
        path=subject_page(subject),
        title=subject_text(subject),
        text="\n".join(part for part in parts if part),
        # -00:00: the UTC offset of a shot's clock is unknown
        updated=max(
            made, default=f"{summary.date:%Y-%m-%dT%H:%M:%S}-00:00" if summary.date else NEVER
        ),
    )


def _when(text: str) -> str:
    """Return a time as Atom writes it, in UTC, so that times compare as texts."""
    moment = parse_time(text)
    if not isinstance(moment, datetime):  # a day without a time
        return NEVER
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _atom(facility: Facility, path: str, what: str, items: Sequence[Item]) -> bytes:
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    _text(feed, "id", _identity(facility, path))
    _text(feed, "title", f"{facility.name}: {what}")
    _text(feed, "updated", max((_utc(i.updated) for i in items), default=NEVER))
    _text(_child(feed, "author"), "name", facility.name)
    _link(feed, "self", _address(facility, path), "application/atom+xml")
    _link(feed, "alternate", _address(facility, HOME), "text/html")
    for item in items:
        entry = _child(feed, "entry")
        _text(entry, "id", _identity(facility, item.identity))
        _text(entry, "title", item.title)
        _text(entry, "updated", item.updated)
        _link(entry, "alternate", _address(facility, item.path), "text/html")
        _text(entry, "summary", item.text or item.title)
    ElementTree.indent(feed, " ")
    answer: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True) + b"\n"
    return answer


def _utc(text: str) -> str:
    return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _identity(facility: Facility, what: str) -> str:
    """Return an id that does not depend on the address of the site."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'ishtar {facility.name} {what}')}"


def _address(facility: Facility, path: str) -> str:
    """Return an absolute address if that of the site is known, else one relative to the feed."""
    return f"{facility.url.rstrip('/')}/{path}" if facility.url else path


def _child(parent: ElementTree.Element, name: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, f"{{{ATOM}}}{name}")


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    _child(parent, name).text = _FORBIDDEN.sub("\ufffd", text)


def _link(parent: ElementTree.Element, rel: str, href: str, kind: str) -> None:
    _child(parent, "link").attrib.update({"rel": rel, "type": kind, "href": href})
