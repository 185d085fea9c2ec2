"""The plan: which reports are missing or stale, each with its reasons by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.lineage import Input
from ishtar.testbed import Testbed
from runner.present import Present, reason
from runner.receipts import Subject
from runner.templates import Template, Templates

MISSING = "missing: never made"
FORCED = "forced"
PROSE = "prose changed"


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One report to make, and why. ``action`` is ``render`` where only its words changed."""

    subject: Subject
    template: str
    reasons: tuple[str, ...]
    action: Literal["run", "render"] = "run"
    folder: str = ""


def subjects_of(template: Template, shots: Sequence[int], catalogue: Catalogue) -> list[Subject]:
    """Return what a template is made for: each shot, or each day that one of the shots is of."""
    if template.scope == "shot":
        return [Subject.shot(n) for n in shots]
    if template.scope == "day":
        wanted = set(shots)
        return [Subject.day(d) for d in catalogue.days() if wanted & set(catalogue.shots(d))]
    return []  # ranges are made when someone asks for one


def make_plan(
    testbed: Testbed,
    catalogue: Catalogue,
    templates: Templates,
    *,
    shots: Sequence[int] | None = None,
    names: Collection[str] | None = None,
    force: bool = False,
) -> list[Planned]:
    """Return what is to be done, in the order in which it runs.

    Parameters
    ----------
    shots : sequence of int, optional
        Only these; all by default.
    names : collection of str, optional
        Only these templates.
    force : bool
        Everything asked for, stale or not.
    """
    shots = catalogue.shots() if shots is None else shots
    present = Present(testbed, catalogue)
    inputs = catalogue.inputs()
    rows = {(r.subject, r.template): r for r in catalogue.reports(current=True)}
    plan: list[Planned] = []
    for level in templates.levels():
        for template in level:
            if names is not None and template.name not in names:
                continue
            for subject in subjects_of(template, shots, catalogue):
                row = rows.get((subject.key, template.name))
                read = inputs.get(row.folder, ()) if row else ()
                found = _reasons(template, subject, row, read, present)
                reasons = (FORCED,) if force else found
                if reasons:
                    plan.append(
                        Planned(
                            subject=subject,
                            template=template.name,
                            reasons=reasons,
                            action="render" if reasons == (PROSE,) else "run",
                            folder=row.folder if row else "",
                        )
                    )
    return plan


def _reasons(
    template: Template,
    subject: Subject,
    row: ReportRow | None,
    inputs: Iterable[Input],
    present: Present,
) -> tuple[str, ...]:
    if row is None:
        return (MISSING,)
    found = stale_reasons(template, subject, row, inputs, present)
    if not found and row.prose_digest != template.prose_digest:
        return (PROSE,)
    return found


def stale_reasons(
    template: Template,
    subject: Subject,
    row: ReportRow,
    inputs: Iterable[Input],
    present: Present,
) -> tuple[str, ...]:
    """Return why a report no longer holds, one reason for each changed input."""
    found: dict[str, None] = {}
    if row.template_digest != template.code_digest:
        found["stale: template code changed"] = None
    elif dict(row.parameters) != template.values(subject):
        found["stale: parameters changed"] = None
    for then in inputs:
        now = present.now(then)
        if now.digest != then.digest:
            found[reason(then, now)] = None
    return tuple(found)
