"""Tables of shots: the states of their reports and their results as columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from runner.publish.addresses import subject_page
from runner.publish.facts import Facts, is_number
from runner.publish.format import common_power, quantity, scaled_unit
from runner.publish.parts import Column, Link, Mark, ShotRow, ShotTable, Value
from runner.receipts import Scrap, Subject

MAX_COLUMNS = 8
MAX_REPORT_COLUMNS = 8


def shot_table(facts: Facts, numbers: Sequence[int]) -> ShotTable:
    """Return shots as a table, in the order given."""
    order = {name: i for i, name in enumerate(facts.templates)}
    facts.ask_for(Subject.shot(n) for n in numbers)
    scraps = {n: facts.key_scraps(Subject.shot(n)) for n in numbers}
    keys = fair_share(dict.fromkeys(key for of_shot in scraps.values() for key in of_shot))
    keys.sort(key=lambda key: order.get(key[0], len(order)))
    columns = [
        _Results(key=key, scraps={n: s[key] for n, s in scraps.items() if key in s}) for key in keys
    ]
    marks = {n: facts.marks(Subject.shot(n)) for n in numbers}
    reports = sorted(
        {m.template: m.title for of_shot in marks.values() for m in of_shot}.items(),
        key=lambda item: (order.get(item[0], len(order)), item),
    )[:MAX_REPORT_COLUMNS]
    shown = [template for template, _ in reports]
    return ShotTable(
        reports=[Link(href="", text=title) for _, title in reports],
        columns=[c.column for c in columns],
        rows=[_row(facts, n, shown, marks[n], [c.cell(n) for c in columns]) for n in numbers],
    )


def fair_share(keys: Iterable[tuple[str, str]], most: int = MAX_COLUMNS) -> list[tuple[str, str]]:
    """Return as many results as there is room for: the first of each report, then on."""
    ranked: list[tuple[int, int, tuple[str, str]]] = []
    seen: dict[str, int] = {}
    for template, name in keys:
        ranked.append((seen.setdefault(template, 0), len(ranked), (template, name)))
        seen[template] += 1
    chosen = sorted(ranked)[:most]
    return [key for _, _, key in sorted(chosen, key=lambda c: c[1])]


@dataclass(frozen=True, kw_only=True)
class _Results:
    """One result of many shots: unit and power of ten go to the head of the column."""

    key: tuple[str, str]
    scraps: dict[int, Scrap]

    @cached_property
    def unit(self) -> str | None:
        """The unit of all values; None where they differ."""
        units = {s.unit for s in self.scraps.values() if s.value is not None}
        return next(iter(units), "") if len(units) < 2 else None

    @cached_property
    def power(self) -> int:
        if self.unit is None:
            return 0
        values = [abs(float(s.value or 0)) for s in self.scraps.values() if is_number(s)]
        return common_power(values)

    @property
    def column(self) -> Column:
        unit = scaled_unit(self.power, self.unit or "")
        return Column(name=self.key[1], unit=unit, template=self.key[0])

    def cell(self, number: int) -> Value | None:
        scrap = self.scraps.get(number)
        if scrap is None:
            return None
        if self.unit is not None:
            scrap = replace(scrap, unit="")
        value, sigma = scrap.value, scrap.sigma
        if self.power and is_number(scrap):
            value = float(value or 0) / 10.0**self.power
            sigma = sigma / 10.0**self.power if sigma is not None else None
        return Value(name=scrap.name, quantity=quantity(value, sigma, scrap.unit))


def _row(
    facts: Facts,
    number: int,
    templates: Sequence[str],
    marks: Sequence[Mark],
    values: Sequence[Value | None],
) -> ShotRow:
    line = facts.line(number)
    by_template = {m.template: m for m in marks}
    others: dict[str, int] = {}
    for mark in marks:
        if mark.template not in templates:
            others[mark.word] = others.get(mark.word, 0) + 1
    return ShotRow(
        shot=number,
        href=subject_page(Subject.shot(number)),
        date=line.date,
        gas=line.gas,
        program=line.program,
        comment=line.comment,
        problems=line.problems,
        marks=[by_template.get(t) or Mark(template=t, title=t, state="missing") for t in templates],
        values=values,
        others=others,
    )
