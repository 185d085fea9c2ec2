"""The present identity of anything that a report once read, to compare with its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ishtar import facts
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.lineage import ABSENT, WHERE, Input
from ishtar.query_tree import QueryError
from ishtar.testbed import Testbed
from runner.code import code_input, library
from runner.receipts import DamagedReceipt, Receipt, Subject


@dataclass(frozen=True, kw_only=True)
class _Ran:
    """What ran of the library, by module as it is now."""

    now: Input
    code: Mapping[str, str] = field(default_factory=dict)


class Present:
    """Answers `now(input)` for one plan; every distinct question is worked out once."""

    def __init__(self, testbed: Testbed, catalogue: Catalogue) -> None:
        self._testbed = testbed
        self._catalogue = catalogue
        self._answers: dict[tuple[str, str, str], Input] = {}
        self._library = library()
        self._ran: dict[str, _Ran] = {}
        self._was: dict[str, Mapping[str, str]] = {}
        self._shot = lru_cache(maxsize=256)(self._open)

    def now(self, item: Input, folder: str = "") -> Input:
        """Return the same input as it is now; its digest is ``absent`` where it is gone.

        ``folder`` is that of a report which read it: its receipt says what code ran.
        """
        if item.kind == "code":
            return self._code(item.name, folder).now
        if item.kind == "pinned":
            return item  # of a commit: it cannot change
        key = (item.kind, item.name, item.subject)
        if key not in self._answers:
            self._answers[key] = self._work_out(item)
        return self._answers[key]

    def codes(self) -> dict[str, str]:
        """Return the parts of the library that current reports ran, and their digests now."""
        readers = self._catalogue.readers("code")
        return {name: self._code(name, folder).now.digest for name, folder in readers.items()}

    def _code(self, name: str, folder: str) -> _Ran:
        """Return what ran of the library, by the name of the input that stands for it."""
        if name not in self._ran:
            receipt = self._receipt(folder)
            if receipt is None:  # another report may tell
                return _Ran(now=Input(kind="code", name=name, digest=ABSENT))
            code = self._library.digests(receipt.ran)
            self._ran[name] = _Ran(now=code_input(receipt.ran, code), code=code)
        return self._ran[name]

    def _receipt(self, folder: str) -> Receipt | None:
        try:
            return Receipt.read(self._testbed.workspace.reports / folder)
        except (DamagedReceipt, FileNotFoundError):
            return None

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

    def code_reasons(self, folder: str, then: Input) -> list[str]:
        """Return why a report whose library code has changed is stale, naming the modules."""
        ran = self._code(then.name, folder)
        if then.digest not in self._was:  # the same for all reports that ran this code then
            receipt = self._receipt(folder)
            self._was[then.digest] = receipt.code if receipt is not None else {}
        was = self._was[then.digest]
        if was and not ran.code:
            return ["stale: made when it was not recorded which code ran"]
        names = [name for name in sorted(ran.code) if was.get(name) != ran.code[name]]
        return [f"stale: code {name} (content changed)" for name in names] or [
            reason(then, ran.now)
        ]

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
