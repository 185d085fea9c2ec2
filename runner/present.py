"""The present identity of anything that a report once read, to compare with its receipt."""

from __future__ import annotations

from functools import lru_cache

from ishtar import facts
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.errors import NoSuchChannel
from ishtar.lineage import ABSENT, Input
from ishtar.query_tree import QueryError
from ishtar.shot import Shot
from ishtar.testbed import Testbed
from runner.code import code_input
from runner.receipts import Subject


class Present:
    """Answers `now(input)` for one plan; every distinct question is worked out once."""

    def __init__(self, testbed: Testbed, catalogue: Catalogue) -> None:
        self._testbed = testbed
        self._catalogue = catalogue
        self._answers: dict[tuple[str, str, str], Input] = {}
        self._shot = lru_cache(maxsize=256)(self._open)

    def now(self, item: Input) -> Input:
        """Return the same input as it is now; its digest is ``absent`` where it is gone."""
        key = (item.kind, item.name, item.subject)
        if key not in self._answers:
            self._answers[key] = self._work_out(item)
        return self._answers[key]

    def _open(self, number: int) -> Shot | None:
        if number not in self._testbed:
            return None
        return self._testbed[number]

    def _work_out(self, item: Input) -> Input:
        declared, name = self._testbed.declarations, item.name
        match item.kind:
            case "code":
                return code_input()
            case "signal":
                return facts.signal_fact(declared, name)
            case "wiring":
                return facts.wiring_fact(declared, name, int(item.subject))
            case "calibration":
                return facts.calibration_fact(declared, name, int(item.subject))
            case "machine":
                return facts.component_fact(declared, name, int(item.subject))
            case "channel" | "attribute":
                return self._of_shot(item)
            case "scraps":
                return facts.scrap_fact(self._scrap(item), name, item.subject)
            case "shots":
                return self._shots(item.subject)
        return Input(kind=item.kind, name=name, subject=item.subject, digest=ABSENT)

    def _of_shot(self, item: Input) -> Input:
        number = int(item.subject)
        shot = self._shot(number)
        if item.kind == "attribute":
            value = None if shot is None else shot.attributes.plain().get(item.name)
            return facts.attribute_fact(item.name, value, number)
        try:
            channel = None if shot is None else shot.find_channel(item.name)
        except NoSuchChannel:
            channel = None
        return facts.channel_fact(channel, item.name, number)

    def _scrap(self, item: Input) -> ScrapRow | None:
        template, _, name = item.name.rpartition(".")
        rows = self._catalogue.scraps([item.subject], name)
        return next((r for r in rows if not template or r.template == template), None)

    def _shots(self, subject: str) -> Input:
        try:
            return facts.shots_fact(self._numbers(subject), subject)
        except QueryError:  # it names what no shot has any more
            return Input(kind="shots", name="shots", subject=subject, digest=ABSENT)

    def _numbers(self, subject: str) -> list[int]:
        if subject.startswith(facts.WHERE):
            return self._catalogue.find(subject.removeprefix(facts.WHERE))
        if ".." in subject:
            first, last = (int(n) for n in subject.split(".."))
            return [n for n in self._catalogue.shots() if first <= n <= last]
        return self._catalogue.shots(subject)


def reason(then: Input, now: Input) -> str:
    """Return why an input that changed makes a report stale, by its name."""
    what = f"{then.kind} {then.name}"
    if then.kind == "shots":
        of = "" if then.subject.startswith(facts.WHERE) else "of "
        what = f"shots {of}{then.subject or 'the testbed'}"
    elif then.kind in ("scraps", "attribute"):
        what = f"{then.kind.removesuffix('s')} {then.name} of {Subject.parse(then.subject)}"
    was, is_now = then.version or "?", now.version or "?"
    if then.digest == ABSENT:
        return f"stale: {what} arrived"
    if now.digest == ABSENT:
        return f"stale: {what} is gone"
    change = f" ({was} → {is_now})" if was != is_now else " (content changed)"
    return f"stale: {what}{change}"
