"""The present identity of anything that a report once read, to compare with its receipt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ishtar import facts
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.lineage import ABSENT, WHERE, Input
from ishtar.query_tree import QueryError
from ishtar.testbed import Testbed
from runner.code import code_parts, input_of
from runner.receipts import RECEIPT, DamagedReceipt, Receipt, Subject


class Present:
    """Answers `now(input)` for one plan; every distinct question is worked out once."""

    def __init__(self, testbed: Testbed, catalogue: Catalogue) -> None:
        self._testbed = testbed
        self._catalogue = catalogue
        self._answers: dict[tuple[str, str, str], Input] = {}
        self._parts: dict[str, Mapping[str, str]] = {}
        self._reached: dict[tuple[str, ...], Mapping[str, str]] = {}
        self._shot = lru_cache(maxsize=256)(self._open)

    def now(self, item: Input, code: Sequence[str] = ()) -> Input:
        """Return the same input as it is now; its digest is ``absent`` where it is gone.

        ``code`` is that of the notebook which read it: what it reaches of the library is an input.
        """
        if item.kind == "code":
            return input_of(self._reach(code))
        if item.kind == "pinned":
            return item  # of a commit: it cannot change
        key = (item.kind, item.name, item.subject)
        if key not in self._answers:
            self._answers[key] = self._work_out(item)
        return self._answers[key]

    def _reach(self, code: Sequence[str]) -> Mapping[str, str]:
        """Return what some code reaches of the library; to ask that looks at all of its files."""
        key = tuple(code)
        if key not in self._reached:
            self._reached[key] = code_parts(code)
        return self._reached[key]

    def _open(self, number: int) -> tuple[Mapping[str, Any], Mapping[str, tuple[str, str]]]:
        return self._catalogue.attributes(number) or {}, self._catalogue.channels(number)

    def _work_out(self, item: Input) -> Input:
        declared, name = self._testbed.declarations, item.name
        match item.kind:
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
            case "sources":
                stored = self._catalogue.sources(int(item.subject))
                return facts.sources_fact([(s.file, s.sha256) for s in stored], int(item.subject))
            case "scraps" if name.endswith(facts.ALL_SCRAPS):
                template = name.removesuffix(facts.ALL_SCRAPS)
                rows = self._catalogue.scraps([item.subject])
                return facts.scraps_fact(rows, template, item.subject)
            case "scraps":
                return facts.scrap_fact(self._scrap(item), name, item.subject)
            case "shots":
                return self._shots(item.subject)
        return Input(kind=item.kind, name=name, subject=item.subject, digest=ABSENT)

    def code_reasons(self, folder: str, then: Input, code: Sequence[str]) -> list[str]:
        """Return why a report whose library code has changed is stale, naming the modules."""
        if then.digest not in self._parts:  # the same for all reports made with that code
            self._parts[then.digest] = self._code_of(folder)
        was, now = self._parts[then.digest], self._reach(code)
        names = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
        return [f"stale: code {name} (content changed)" for name in names if was] or [
            reason(then, self.now(then, code))
        ]

    def _code_of(self, folder: str) -> Mapping[str, str]:
        path = self._testbed.workspace.reports / folder / RECEIPT
        try:
            return dict(Receipt.from_json(path.read_text(encoding="utf-8")).code)
        except (DamagedReceipt, OSError, UnicodeDecodeError):
            return {}

    def _of_shot(self, item: Input) -> Input:
        number = int(item.subject)
        attributes, channels = self._shot(number)
        if item.kind == "attribute":
            return facts.attribute_fact(item.name, attributes.get(item.name), number)
        if item.name == facts.ALL_CHANNELS:
            return facts.channels_fact(channels, number)
        file, identity = channels.get(item.name, ("absent", ABSENT))
        return Input(
            kind="channel", name=item.name, subject=item.subject, version=file, digest=identity
        )

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
        if subject.startswith(WHERE):
            return self._catalogue.find(subject.removeprefix(WHERE))
        if ".." in subject:
            first, last = (int(n) for n in subject.split(".."))
            return [n for n in self._catalogue.shots() if first <= n <= last]
        return self._catalogue.shots(subject)


def reason(then: Input, now: Input) -> str:
    """Return why an input that changed makes a report stale, by its name."""
    what = f"{then.kind} {then.name}"
    if then.kind == "shots":
        of = "" if then.subject.startswith(WHERE) else "of "
        what = f"shots {of}{then.subject or 'the testbed'}"
    elif then.kind == "sources":
        what = f"the list of files of {Subject.parse(then.subject)}"
    elif then.name.endswith(facts.ALL_SCRAPS):
        template = then.name.removesuffix(facts.ALL_SCRAPS)
        what = f"the list of scraps of {template} of {Subject.parse(then.subject)}"
    elif then.kind in ("scraps", "attribute"):
        what = f"{then.kind.removesuffix('s')} {then.name} of {Subject.parse(then.subject)}"
    was, is_now = then.version or "?", now.version or "?"
    if then.digest == ABSENT:
        return f"stale: {what} arrived"
    if now.digest == ABSENT:
        return f"stale: {what} is gone"
    change = f" ({was} → {is_now})" if was != is_now else " (content changed)"
    return f"stale: {what}{change}"
