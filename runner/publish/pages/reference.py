"""The pages beside those of shots and days: templates, signals, devices, weeks, months, references.

All of them are made with every publication, but for weeks and months, of which there are as many as
the archive is long: of these only the ones that hold a day that changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from runner.publish.addresses import (
    FAILURES_FEED,
    FEED,
    template_page,
)
from runner.publish.page_models import Page
from runner.publish.pages.bibliography import bibliography_page, read_bibliography
from runner.publish.pages.calendar import Kind, keys_of, stretch_link, stretch_page
from runner.publish.pages.declared import (
    device_page_of,
    devices_page,
    signal_link,
    signal_page_of,
    signals_page,
)
from runner.publish.pages.feeds import failures_feed, shots_feed
from runner.publish.pages.templates import template_page_of, templates_page
from runner.publish.view import Facts
from runner.publish.writer import Writer

FOLDERS = ("templates", "signals", "devices", "weeks", "months")


def write_beside(facts: Facts, writer: Writer, days: Collection[str] | None) -> set[str]:
    """Write these pages; return the paths of weeks and months that are no more.

    Parameters
    ----------
    days
        The days that changed; None for everything.
    """
    signals, devices = facts.source.signals(), facts.source.devices()
    links = [signal_link(s.name) for s in signals]
    pages: list[Page] = [signals_page(signals), devices_page(devices), templates_page(facts)]
    pages += [signal_page_of(s, signals) for s in signals]
    pages += [device_page_of(d) for d in devices]
    for template in facts.templates.values():
        if template.path is not None:
            notebook = template_page(template.name).removesuffix(".html") + ".ipynb"
            writer.copy(notebook, template.path)
        pages.append(template_page_of(facts, template, links))
    pages.append(bibliography_page(read_bibliography(facts.references)))
    gone = set()
    kinds: tuple[Kind, ...] = ("week", "month")
    for kind in kinds:
        every = keys_of(kind, facts.days)
        changed = every if days is None else list(_changed(kind, days, every, writer))
        pages += [stretch_page(facts, key, every) for key in changed if key in set(every)]
        gone |= {stretch_link(key).href for key in changed if key not in set(every)}
    for page in pages:
        writer.page(page, rank=2)
    writer.bytes(FEED, shots_feed(facts), rank=3)
    writer.bytes(FAILURES_FEED, failures_feed(facts), rank=3)
    return gone


def _changed(kind: Kind, days: Iterable[str], every: list[str], writer: Writer) -> Iterator[str]:
    """Yield the weeks or months of some days, and the neighbours of those that come or go."""
    known = set(every)
    for key in keys_of(kind, days):
        yield key
        there = (writer.out / stretch_link(key).href).is_file()
        if (key in known) != there:
            around = [k for k in every if k != key]
            before = [k for k in around if k < key][-1:]
            after = [k for k in around if k > key][:1]
            yield from (*before, *after)
