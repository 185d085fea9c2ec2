"""The current identity of every input of a report, to compare with its receipt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from ishtar.calibration import Declarations
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.inputs.kinds import KINDS, reason
from ishtar.lineage.record import ABSENT, WHERE, Input
from ishtar.shots.testbed import Testbed
from runner.execution.library_code import code_input, library
from runner.receipts import DamagedReceipt, Receipt


@dataclass(frozen=True, kw_only=True)
class _Ran:
    """The library code that a report ran, with its digests now, by module."""

    now: Input
    code: Mapping[str, str] = field(default_factory=dict)


class CurrentState:
    """Look up inputs for one plan; each distinct one is computed once."""

    def __init__(self, testbed: Testbed, catalogue: Catalogue) -> None:
        self._testbed = testbed
        self._catalogue = catalogue
        self._answers: dict[tuple[str, str, str], Input] = {}
        self._library = library()
        self._ran: dict[str, _Ran] = {}
        self._was: dict[str, Mapping[str, str]] = {}
        self._shot = lru_cache(maxsize=256)(self._open)

    def now(self, item: Input, folder: str = "") -> Input:
        """Return an input as it is now; its digest is ``absent`` if it no longer exists.

        ``folder`` is that of a report that read it, whose receipt lists the code that ran.
        """
        kind = KINDS.get(item.kind)
        if kind is None:  # from a newer version of the library
            return Input(kind=item.kind, name=item.name, subject=item.subject, digest=ABSENT)
        key = (item.kind, item.name, item.subject)
        if key not in self._answers:
            found = kind.current(self, item, folder)
            if item.kind == "code" and found.digest == ABSENT:
                return found  # its receipt is unreadable; another report's may be readable
            self._answers[key] = found
        return self._answers[key]

    @property
    def declarations(self) -> Declarations:
        """The current declarations."""
        return self._testbed.declarations

    def attributes(self, shot: int) -> Mapping[str, Any]:
        """Return the attributes of a shot."""
        return self._shot(shot)[0]

    def channels(self, shot: int) -> Mapping[str, tuple[str, str]]:
        """Return (file, digest) of a shot's channels, by path."""
        return self._shot(shot)[1]

    def sources(self, shot: int) -> list[tuple[str, str]]:
        """Return (name, SHA-256) of a shot's stored files."""
        return [(s.file, s.sha256) for s in self._catalogue.sources(shot)]

    def scraps(self, subject: str, name: str | None = None) -> list[ScrapRow]:
        """Return the scraps of the current reports of a subject."""
        return self._catalogue.scraps([subject], name)

    def numbers(self, subject: str) -> list[int]:
        """Return the shots of a day, a range or a query."""
        if subject.startswith(WHERE):
            return self._catalogue.find(subject.removeprefix(WHERE), for_report=True)
        if ".." in subject:
            first, last = (int(n) for n in subject.split(".."))
            return [n for n in self._catalogue.shots() if first <= n <= last]
        return self._catalogue.shots(subject)

    def code(self, name: str, folder: str) -> Input:
        """Return the input for the library code of a given name, as it is now."""
        return self._code(name, folder).now

    def codes(self) -> dict[str, str]:
        """Return name → digest now of all library code that current reports ran."""
        readers = self._catalogue.readers("code")
        return {name: self._code(name, folder).now.digest for name, folder in readers.items()}

    def _code(self, name: str, folder: str) -> _Ran:
        """Return the library code behind an input, by the input's name."""
        if name not in self._ran:
            receipt = self._receipt(folder)
            if receipt is None:  # another report may have a readable one
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

    def code_reasons(self, folder: str, then: Input) -> list[str]:
        """Return why a report is stale after a change of library code, one reason per module."""
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
