"""Key results: which results tables and summaries show, in which order, under which names.

First come those that ``ishtar.toml`` names (``[publish] results``), then those with an ``order`` in
their template's sidecar, then some of each template, in the order of templates.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runner.publish.quantities import Quantity, quantity
from runner.publish.records import ReportRecord, TemplateRecord
from runner.publish.view_models import ResultName, Value
from runner.receipts import Scrap
from runner.templates.results import ResultRecord

VALUES_EACH = 4  # key results of a report whose template names none
RESULTS_IN_DESCRIPTION = 5  # key results in the description of a page
Key = tuple[str, str]
"""Template and name of a scrap."""


@dataclass(frozen=True)
class KeyResults:
    """The order and names of results by templates and settings; ``first`` are ``template.name``."""

    templates: Mapping[str, TemplateRecord]
    first: Sequence[str] = ()

    def record(self, template: str, name: str) -> ResultRecord:
        """Return the label, symbol, order and sign of a result."""
        known = self.templates.get(template)
        found = known.results.get(name) if known else None
        return found or ResultRecord()

    def quantity(self, template: str, scrap: Scrap) -> Quantity:
        """Return a result as a printable quantity."""
        signed = self.record(template, scrap.name).signed
        return quantity(scrap.value, scrap.sigma, scrap.unit, signed=signed)

    def text(self, template: str, scrap: Scrap) -> str:
        """Return a result on one line, for feeds and previews: ``T_e = 4.10(20) eV``."""
        called = self.record(template, scrap.name)
        named = ResultName(name=scrap.name, label=called.label, symbol=called.symbol)
        shown = self.quantity(template, scrap)
        return f"{named.short} {shown}" if shown.is_limit else f"{named.short} = {shown}"

    def values(self, report: ReportRecord) -> list[Value]:
        """Return all results of a report."""
        template = report.receipt.template
        return [
            Value(
                name=s.name,
                label=self.record(template, s.name).label or s.label,
                symbol=self.record(template, s.name).symbol or s.symbol,
                quantity=self.quantity(template, s),
                template=template,
                href=report.page,
            )
            for s in report.receipt.scraps
        ]

    def names(self, template: str, scraps: Sequence[Scrap]) -> list[str]:
        """Return the names of a report's key results, in order."""
        known = self.templates.get(template)
        if known and known.key:
            names = list(known.key)
        else:
            numbers = [s for s in scraps if is_number(s)]
            # measurements, which have a sigma, before counts
            numbers.sort(key=lambda s: s.sigma is None)
            names = [s.name for s in numbers][:VALUES_EACH]
        there = [s.name for s in scraps if self.place((template, s.name)) is not None]
        names = list(dict.fromkeys([*names, *there]))
        return [name for _, name in sorted(enumerate(names), key=lambda n: self._rank(template, n))]

    def _rank(self, template: str, numbered: tuple[int, str]) -> tuple[int, int]:
        place = self.place((template, numbered[1]))
        return (len(self.first) + 10**6 if place is None else place), numbered[0]

    def place(self, key: Key) -> int | None:
        """Return the position of a result by settings or sidecar; None if neither sets one."""
        name = ".".join(key)
        if name in self.first:
            return self.first.index(name)
        order = self.record(*key).order
        return None if order is None else len(self.first) + order

    def chosen(self, keys: Iterable[Key], most: int) -> list[Key]:
        """Return at most ``most`` results, in display order."""
        placed: list[tuple[int, int, Key]] = []
        others: list[Key] = []
        for i, key in enumerate(dict.fromkeys(keys)):
            place = self.place(key)
            if place is None:
                others.append(key)
            else:
                placed.append((place, i, key))
        first = [key for _, _, key in sorted(placed)][:most]
        order = {name: i for i, name in enumerate(self.templates)}
        others.sort(key=lambda key: order.get(key[0], len(order)))
        return [*first, *fair_share(others, most - len(first))]


def fair_share(keys: Iterable[Key], most: int) -> list[Key]:
    """Return at most ``most`` results: the first of each template, then the second, and so on."""
    ranked: list[tuple[int, int, Key]] = []
    seen: dict[str, int] = {}
    for template, name in keys:
        ranked.append((seen.setdefault(template, 0), len(ranked), (template, name)))
        seen[template] += 1
    chosen = sorted(ranked)[:most]
    return [key for _, _, key in sorted(chosen, key=lambda c: c[1])]


def is_number(scrap: Scrap) -> bool:
    """Return whether a result is a finite number."""
    value = scrap.value
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
