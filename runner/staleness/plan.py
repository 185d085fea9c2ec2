"""Plan the missing and stale reports, each with its reasons."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.inputs.kinds import reason
from ishtar.lineage.record import Input
from ishtar.shots.testbed import Testbed
from runner.jobs import EVERYTHING, Selection
from runner.receipts import Subject
from runner.staleness.current_state import CurrentState
from runner.staleness.fingerprints import fingerprints_of
from runner.templates.ranges import contains_any
from runner.templates.template import Template, Templates

MISSING = "missing: never made"
FORCED = "forced"
PROSE = "prose changed"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One report to make, and why. ``action`` is ``render`` if only prose changed."""

    subject: Subject
    template: str
    reasons: tuple[str, ...]
    action: Literal["run", "render"] = "run"
    folder: str = ""


def subjects_of(
    template: Template,
    shots: Sequence[int],
    catalogue: Catalogue,
    ranges: Sequence[Subject] = (),
) -> list[Subject]:
    """Return the subjects of a template: each shot, or each day with at least one of the shots.

    A template of ranges has the subjects ``ranges``; without any, the ranges that were made before
    and contain one of the shots.
    """
    if template.scope == "shot":
        return [Subject.shot(n) for n in shots]
    if template.scope == "day":
        wanted = set(shots)
        return [Subject.day(d) for d in catalogue.days() if wanted & set(catalogue.shots(d))]
    if ranges:
        return list(ranges)
    rows = catalogue.reports(scope="range", template=template.name, current=True)
    made = [Subject("range", row.subject) for row in rows]
    return [subject for subject in made if contains_any(subject, shots)]


def make_plan(
    testbed: Testbed,
    catalogue: Catalogue,
    templates: Templates,
    selection: Selection = EVERYTHING,
) -> list[Planned]:
    """Return the reports of a selection that have to be made, in the order of execution."""
    shots, force = selection.shots, selection.force
    chosen = [t for t in templates.values() if selection.includes(t.name, t.scope)]
    compare = _Comparison(testbed, catalogue)
    catalogue.mark_changed(fingerprints_of(testbed.declarations, templates, compare.current_state))
    plan: list[Planned] = []
    for template in (t for level in templates.levels() for t in level if t in chosen):
        if shots is None and not force and template.scope == "shot":
            wanted = None  # all shots, most of them up to date: the catalogue knows which are not
        else:
            numbers = catalogue.shots() if shots is None else shots
            wanted = [s.key for s in subjects_of(template, numbers, catalogue, selection.ranges)]
        due = compare.due(template, wanted)
        if force and wanted is not None:
            due = {key: ((FORCED,), due.get(key, ((), ""))[1]) for key in wanted}
        plan += [
            Planned(
                subject=Subject(template.scope, key),
                template=template.name,
                reasons=reasons,
                action="render" if reasons == (PROSE,) else "run",
                folder=folder,
            )
            for key, (reasons, folder) in sorted(due.items())
        ]
    catalogue.mark_clean(compare.clean)
    return plan


class _Comparison:
    """Compare dirty reports with the current state."""

    def __init__(self, testbed: Testbed, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.current_state = CurrentState(testbed, catalogue)
        self.clean: list[str] = []

    def due(
        self, template: Template, wanted: Collection[str] | None
    ) -> dict[str, tuple[tuple[str, ...], str]]:
        """Return (reasons, folder) of the reports of a template that have to be made, by subject.

        ``wanted`` is None for all shots.
        """
        found: dict[str, tuple[tuple[str, ...], str]] = {}
        for row in self.catalogue.with_other_prose(template.name, template.prose_digest, wanted):
            found[row.subject] = ((PROSE,), row.folder)
        dirty = self.catalogue.dirty([template.name], wanted)
        inputs = self.catalogue.inputs([row.folder for row in dirty])
        for row in dirty:
            subject = Subject(template.scope, row.subject)
            read = inputs.get(row.folder, ())
            if reasons := stale_reasons(template, subject, row, read, self.current_state):
                found[row.subject] = (reasons, row.folder)
            else:
                self.clean.append(row.folder)
        for key in self.catalogue.without_report(template.name, wanted):
            found[key] = ((MISSING,), "")
        return found


def stale_reasons(
    template: Template,
    subject: Subject,
    row: ReportRow,
    inputs: Iterable[Input],
    current_state: CurrentState,
) -> tuple[str, ...]:
    """Return why a report is stale, one reason for each changed input."""
    found: dict[str, None] = {}
    if row.template_digest != template.code_digest:
        found["stale: template code changed"] = None
    elif dict(row.parameters) != template.values(subject):
        found["stale: parameters changed"] = None
    for then in inputs:
        if then.kind == "code" and found:
            continue  # a changed template may run other code of the library
        now = current_state.now(then, row.folder)
        if now.digest == then.digest:
            continue
        if then.kind == "code":
            found |= dict.fromkeys(current_state.code_reasons(row.folder, then))
        else:
            found[reason(then, now)] = None
    return tuple(found)
