"""Tables of shots: their key results, then the states of their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from runner.publish.addresses import subject_page
from runner.publish.key_results import Key, is_number
from runner.publish.quantities import Scale, cell, quantity, scale_of
from runner.publish.view import View
from runner.publish.view_models import Column, Mark, ShotRow, ShotTable, Value
from runner.receipts import Scrap, Subject
from runner.templates.results import ResultRecord

MAX_COLUMNS = 8


def shot_table(view: View, numbers: Sequence[int]) -> ShotTable:
    """Return shots as a table, in the given order."""
    view.load_summaries(Subject.shot(n) for n in numbers)
    scraps = {n: view.key_scraps(Subject.shot(n)) for n in numbers}
    keys = view.results.chosen((key for of_shot in scraps.values() for key in of_shot), MAX_COLUMNS)
    columns = [
        _Results(
            key=key,
            known=view.results.record(*key),
            scraps={n: s[key] for n, s in scraps.items() if key in s},
        )
        for key in keys
    ]
    return ShotTable(
        columns=[c.column for c in columns],
        rows=[
            _row(view, n, view.marks(Subject.shot(n)), [c.cell(n) for c in columns])
            for n in numbers
        ],
    )


@dataclass(frozen=True, kw_only=True)
class _Results:
    """One result of many shots; the head of its column shows the unit."""

    key: Key
    known: ResultRecord
    scraps: dict[int, Scrap]

    @cached_property
    def unit(self) -> str | None:
        """The unit of all values; None if they differ."""
        units = {s.unit for s in self.scraps.values() if s.value is not None}
        return next(iter(units), "") if len(units) < 2 else None

    @cached_property
    def scale(self) -> Scale:
        if self.unit is None:
            return Scale()
        values = [abs(float(s.value or 0)) for s in self.scraps.values() if is_number(s)]
        return scale_of(values, self.unit)

    @property
    def column(self) -> Column:
        template, name = self.key
        return Column(
            name=name,
            label=self.known.label,
            symbol=self.known.symbol,
            unit=self.scale.unit,
            template=template,
        )

    def cell(self, number: int) -> Value | None:
        scrap = self.scraps.get(number)
        if scrap is None:
            return None
        signed = self.known.signed
        shown = (
            quantity(scrap.value, scrap.sigma, scrap.unit, signed=signed)
            if self.unit is None
            else cell(scrap.value, scrap.sigma, scrap.unit, self.scale, signed=signed)
        )
        return Value(name=scrap.name, quantity=shown)


def _row(view: View, number: int, marks: Sequence[Mark], values: Sequence[Value | None]) -> ShotRow:
    summary = view.shot_summary(number)
    return ShotRow(
        shot=number,
        href=subject_page(Subject.shot(number)),
        date=summary.date,
        gas=summary.gas,
        program=summary.program,
        comment=summary.comment,
        problems=summary.problems,
        marks=marks,
        values=values,
    )
