"""Shots, subjects and parameters in words: attributes, headings, links."""

from __future__ import annotations

from collections.abc import Sequence

from runner.publish.addresses import subject_page
from runner.publish.quantities import quantity
from runner.publish.records import ShotRecord
from runner.publish.view_models import Link
from runner.receipts import Subject
from runner.render.format import time_text

FIRST_ATTRIBUTES = ("gas", "program", "operator", "useful", "comment")


def attributes(record: ShotRecord) -> list[tuple[str, str]]:
    """Return the attributes of a shot as text, the common ones first; without the date."""
    names = [n for n in FIRST_ATTRIBUTES if n in record.attributes]
    names += sorted(set(record.attributes) - {"date", *names})
    shown = []
    for name in names:
        value = record.attributes[name]
        if value is not None and value != "":
            shown.append((name, str(quantity(value) if isinstance(value, bool) else value)))
    return shown


def parameter_text(value: object) -> str:
    """Return a parameter as the command line takes it."""
    return repr(value) if not isinstance(value, str) else value


def sentences(*parts: str) -> str:
    """Join the parts that are not empty as sentences with a capital and a full stop."""
    texts = [" ".join(part.split()).rstrip(".") for part in parts]
    return " ".join(f"{part[0].upper()}{part[1:]}." for part in texts if part)


def shot_heading(record: ShotRecord) -> list[str]:
    """Return date, gas and program of a shot, for the line below a title."""
    found = [time_text(record.date)] if record.date else []
    return found + [
        str(record.attributes[k]) for k in ("gas", "program") if record.attributes.get(k)
    ]


def subject_text(subject: Subject) -> str:
    """Return a subject in words: ``Shot 7``, ``Shots 3 to 9``, ``2026-11-22``."""
    match subject.scope:
        case "shot":
            return f"Shot {subject.number}"
        case "range":
            first, _, last = subject.key.partition("..")
            return f"Shots {int(first)} to {int(last)}"
        case _:
            return subject.key


def subject_link(subject: Subject) -> Link:
    """Return the link to the page of a subject, named by the subject in words."""
    return Link(href=subject_page(subject), text=subject_text(subject))


def number_spans(numbers: Sequence[int]) -> str:
    """Return ascending numbers as ``1-12,15``."""
    spans: list[list[int]] = []
    for n in numbers:
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in spans)
