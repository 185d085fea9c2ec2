"""Receipts: records of executions, each a JSON file next to its executed notebook.

``reports/<subject>/<template>/<digest>/receipt.json``, where the subject is a shot (``01234``), a
day (``2026-11-22``) or a range of shots (``01200..01250``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from ishtar.errors import IshtarError
from ishtar.lineage.record import Input, digest

FORMAT = 1
NOTEBOOK = "report.ipynb"
FRAGMENT = "report.html"
RECEIPT = "receipt.json"

State = Literal["ok", "failed", "skipped", "timeout"]
Scope = Literal["shot", "day", "range"]


class DamagedReceipt(IshtarError, ValueError):
    """A receipt that cannot be read; its report counts as missing."""


@dataclass(frozen=True, order=True)
class Subject:
    """What a report is about: one shot, one day, or a range of shots (both ends included)."""

    scope: Scope
    key: str

    @classmethod
    def shot(cls, number: int) -> Subject:
        """Return the subject of one shot."""
        return cls("shot", f"{number:05d}")

    @classmethod
    def day(cls, date: str) -> Subject:
        """Return the subject of one day, given as ``2026-11-22``."""
        return cls("day", date)

    @classmethod
    def range(cls, first: int, last: int) -> Subject:
        """Return the subject of the shots ``first … last``."""
        return cls("range", f"{first:05d}..{last:05d}")

    @classmethod
    def parse(cls, key: str) -> Subject:
        """Return the subject that a folder name denotes; raise ValueError if it denotes none."""
        if re.fullmatch(r"\d{5,}", key):
            return cls("shot", key)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", key):
            return cls("day", key)
        if re.fullmatch(r"\d{5,}\.\.\d{5,}", key):
            return cls("range", key)
        raise ValueError(f"{key!r} is not the name of a shot, day or range")

    @property
    def number(self) -> int:
        """The shot number, if the subject is a shot."""
        return int(self.key)

    def __str__(self) -> str:
        return f"shot {self.number}" if self.scope == "shot" else self.key


@dataclass(frozen=True, kw_only=True)
class Scrap:
    """A named result of a report.

    Pages show ``label`` and ``symbol`` instead of the name; older receipts have neither.
    """

    name: str
    value: float | int | str | bool | None
    sigma: float | None = None
    unit: str = ""
    label: str = ""
    symbol: str = ""


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """The record of one execution.

    Attributes
    ----------
    digest
        Identity of the report: template code, parameters and inputs.
    template_digest, prose_digest
        Digests of the template's code cells and of its prose.
    reason
        Why it was skipped, failed or ran out of time, in one line; empty if ok.
    phases
        Seconds spent in each phase of the run: ``prepare``, ``execute`` (of which ``cells``),
        ``scraps``, ``render``, ``record``. Nearly all of ``duration_s`` is in them.
    figures
        File names below ``figures/``.
    code
        Digests of the library code that ran, by module.
    ran
        Names of the functions that ran, by module; ``""`` is the module's body.
    sandbox
        What the notebook was allowed to change, if a sandbox was in use.
    rerun
        Whether a user made it with other parameters; a rerun never becomes the official report.
    """

    scope: Scope
    subject: str
    template: str
    title: str
    template_digest: str
    prose_digest: str = ""
    parameters: Mapping[str, Any]
    rerun: bool = False
    state: State
    reason: str = ""
    digest: str
    inputs: tuple[Input, ...] = ()
    scraps: tuple[Scrap, ...] = ()
    figures: tuple[str, ...] = ()
    started: str
    duration_s: float
    phases: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    code: Mapping[str, str] = field(default_factory=dict)
    ran: Mapping[str, Any] = field(default_factory=dict)
    sandbox: str = ""
    format: int = FORMAT

    @property
    def about(self) -> Subject:
        """The subject of the report, as an object."""
        return Subject(self.scope, self.subject)

    def to_json(self) -> str:
        """Return the JSON text of the receipt."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Receipt:
        """Read the receipt in the folder of a report.

        Raises
        ------
        DamagedReceipt
            The file is not a valid receipt.
        FileNotFoundError
            There is no receipt.
        """
        path = folder / RECEIPT
        try:
            return cls.from_json(path.read_text(encoding="utf-8"))
        except DamagedReceipt as damage:
            raise DamagedReceipt(f"{path}: {damage}") from damage
        except FileNotFoundError:
            raise
        except (UnicodeDecodeError, OSError) as error:
            raise DamagedReceipt(f"{path}: {error}: run the report again") from error

    @classmethod
    def from_json(cls, text: str) -> Receipt:
        """Return the receipt of a JSON text; raise `DamagedReceipt` if it is not valid."""
        try:
            data = json.loads(text)
            known = {f.name for f in fields(cls)}
            if data.get("format") != FORMAT or not known >= data.keys():
                raise DamagedReceipt(f"receipt format {data.get('format')!r}: run the report again")
            data["inputs"] = tuple(Input(**i) for i in data["inputs"])
            data["scraps"] = tuple(Scrap(**s) for s in data["scraps"])
            data["figures"] = tuple(data["figures"])
            receipt = cls(**data)
            _check_types(receipt)
            return receipt
        except DamagedReceipt:
            raise
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedReceipt(f"not a receipt ({error}): run the report again") from error


_STATES = get_args(State)
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "str": str,
    "bool": bool,
    "float": (int, float),
    "int": int,
    "float | None": (int, float, type(None)),
    "float | int | str | bool | None": (int, float, str, type(None)),
}


def _check_types(receipt: Receipt) -> None:
    """Raise TypeError if a field has a value of the wrong type."""
    records: list[Receipt | Input | Scrap] = [receipt, *receipt.inputs, *receipt.scraps]
    for record in records:
        for f in fields(record):
            value, kind = getattr(record, f.name), str(f.type)
            wanted = _TYPES.get(kind, Mapping if kind.startswith("Mapping") else object)
            if not isinstance(value, wanted):
                raise TypeError(f"{f.name} is {value!r:.40}")
    if receipt.state not in _STATES:
        raise TypeError(f"state {receipt.state!r:.40} does not exist")
    if not all(isinstance(name, str) for name in receipt.figures):
        raise TypeError("a figure's name is not a text")
    if Subject.parse(receipt.subject).scope != receipt.scope:
        raise TypeError(f"{receipt.subject} is not a {receipt.scope}")
    datetime.fromisoformat(receipt.started)


def identity(receipt: Receipt) -> str:
    """Return the digest of a report's template, parameters and inputs; reruns have their own."""
    read = [[i.kind, i.name, i.subject, i.digest] for i in receipt.inputs]
    values = dict(receipt.parameters)
    made_from = [receipt.template, receipt.template_digest, values, read]
    return digest([*made_from, "rerun"] if receipt.rerun else made_from)


def report_folder(reports: Path, subject: Subject, template: str, digest: str) -> Path:
    """Return the folder of one report."""
    return reports / subject.key / template / digest


def receipts(reports: Path, subject: Subject | None = None) -> Iterator[Path]:
    """Yield the paths of the receipts on disk, of all reports or one subject's, in fixed order."""
    for path in sorted(reports.glob(f"{subject.key if subject else '*'}/*/*/{RECEIPT}")):
        if not any(part.startswith(".") for part in path.relative_to(reports).parts):
            yield path


def read_receipts(
    reports: Path, subject: Subject | None = None
) -> Iterator[tuple[Path, Receipt | DamagedReceipt]]:
    """Yield (folder, receipt) of all reports on disk, or one subject's, in fixed order."""
    for path in receipts(reports, subject):
        try:
            yield path.parent, Receipt.read(path.parent)
        except DamagedReceipt as damage:
            yield path.parent, damage
