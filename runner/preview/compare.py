"""Changes of results and inputs between a published report and its preview.

Differences of numbers are in sigmas of the published value. Both runs use the same data, so their
errors are fully correlated; dividing by √(σ₁² + σ₂²), as for independent measurements, would make
each change look smaller than it is.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ishtar import units
from ishtar.errors import UnitError
from ishtar.lineage.record import ABSENT, Input
from runner.publish.view_models import Change
from runner.receipts import Receipt, Scrap

ROUNDING = 1e-12  # relative; sums in a different order differ by this much
SHORT_DIGEST = 8

Kind = Literal[
    "same",  # value, sigma and unit
    "within",  # differs by at most one sigma, or only in its sigma
    "beyond",  # differs by more than one sigma
    "changed",  # differs and has no sigma
    "text",  # a text, a yes or no, or another type differs
    "unit",  # has another unit
    "lost",  # no longer has a value
    "found",  # has a value, had none
    "new",  # was missing
    "gone",  # is missing
]
# Most important first: changes that cannot be measured in sigmas come before "beyond".
KIND_WORDS: dict[Kind, str] = {
    "gone": "removed",
    "lost": "lost its value",
    "unit": "other unit",
    "text": "changed",
    "changed": "changed, no σ",
    "found": "has a value now",
    "beyond": "beyond σ",
    "new": "new",
    "within": "within σ",
    "same": "same",
}
INSIGNIFICANT: frozenset[Kind] = frozenset({"same", "within", "new"})


@dataclass(frozen=True, kw_only=True)
class ScrapChange:
    """A result and its published version.

    Attributes
    ----------
    before, after
        The published and the new result; None if missing.
    sigmas
        Difference in sigmas of the published value; None if it is undefined.
    note
        A short remark; usually empty.
    """

    name: str
    before: Scrap | None
    after: Scrap | None
    kind: Kind
    sigmas: float | None = None
    note: str = ""

    def exceeds(self, limit: float) -> bool:
        """Return whether it changed by more than ``limit`` sigmas; new results do not count."""
        if self.kind in ("within", "beyond"):
            return abs(self.sigmas or 0.0) > limit
        return self.kind not in INSIGNIFICANT


def compare_scraps(before: Iterable[Scrap], after: Iterable[Scrap]) -> list[ScrapChange]:
    """Return every result of two reports with its change, most important first."""
    old, new = {s.name: s for s in before}, {s.name: s for s in after}
    changes = [_change(name, old.get(name), new.get(name)) for name in {**old, **new}]
    return sorted(changes, key=lambda c: (list(KIND_WORDS).index(c.kind), -abs(c.sigmas or 0.0)))


def _change(name: str, before: Scrap | None, after: Scrap | None) -> ScrapChange:
    if before is None or after is None:
        kind: Kind = "new" if before is None else "gone"
        return ScrapChange(name=name, before=before, after=after, kind=kind)
    kind, sigmas, note = _difference(before, after)
    return ScrapChange(name=name, before=before, after=after, kind=kind, sigmas=sigmas, note=note)


def _difference(before: Scrap, after: Scrap) -> tuple[Kind, float | None, str]:
    """Return kind, sigmas and note of two results with one name."""
    a, b = before.value, after.value
    if a is None or b is None:
        if a is not None or b is not None:
            return ("lost" if b is None else "found"), None, ""
        return ("same" if before.unit == after.unit else "unit"), None, _unit_note(before, after)
    if not (_is_number(a) and _is_number(b)):
        if type(a) is type(b) and a == b:
            return ("same" if before.unit == after.unit else "unit"), None, ""
        return "text", None, ""
    factor = _factor(after.unit, before.unit)
    if factor is None:
        return "unit", None, _unit_note(before, after)
    difference = float(b) * factor - float(a)
    if math.isclose(float(b) * factor, float(a), rel_tol=ROUNDING):
        difference = 0.0
    sigma, note = _reference_sigma(before, after, factor)
    sigmas = difference / sigma if sigma else None
    if factor != 1.0:
        return "unit", sigmas, _unit_note(before, after)
    if difference == 0.0:
        equal = _same_sigma(before.sigma, after.sigma)
        return ("same", 0.0, "") if equal else ("within", 0.0, "only its sigma changed")
    if sigmas is None:
        return "changed", None, f"{difference / abs(float(a)):+.2g} of its value" if a else ""
    return ("beyond" if abs(sigmas) > 1 else "within"), sigmas, note


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _reference_sigma(before: Scrap, after: Scrap, factor: float) -> tuple[float | None, str]:
    """Return the sigma that scales a difference, in the published unit."""
    if before.sigma:
        return before.sigma, ""
    if after.sigma:
        return after.sigma * factor, "in sigmas of the preview: the published value has none"
    return None, ""


def _same_sigma(a: float | None, b: float | None) -> bool:
    if a is None or b is None:
        return a is b
    return math.isclose(a, b, rel_tol=ROUNDING)


def _factor(source: str, target: str) -> float | None:
    """Return the conversion factor between two units; None if they are incompatible."""
    if source == target:
        return 1.0
    try:
        return units.factor(source, target)
    except UnitError:
        return None


def _unit_note(before: Scrap, after: Scrap) -> str:
    if before.unit == after.unit:
        return ""
    return f"{before.unit or 'no unit'} → {after.unit or 'no unit'}"


def compare_inputs(before: Receipt, after: Receipt) -> list[Change]:
    """Return the differences of parameters, inputs and library modules that ran.

    `runner.preview.code_difference` compares the template's own code, which is not an input.
    """
    old = {_key(i): i for i in before.inputs if i.kind != "code"}
    new = {_key(i): i for i in after.inputs if i.kind != "code"}
    found = []
    for name in {**before.parameters, **after.parameters}:
        a = repr(before.parameters[name]) if name in before.parameters else "no such parameter"
        b = repr(after.parameters[name]) if name in after.parameters else "no such parameter"
        if a != b:
            found.append(Change(what="parameter", name=name, before=a, after=b))
    for key in sorted({**old, **new}):
        one, other = old.get(key), new.get(key)
        if one is None or other is None or one.digest != other.digest:
            texts = _versions(one, other)
            kind, name, subject = key
            where = f"{name} ({subject})" if subject and subject != after.subject else name
            found.append(Change(what=kind, name=where, before=texts[0], after=texts[1]))
    for name in sorted({**before.code, **after.code}):
        a, b = (r.code.get(name, "")[:SHORT_DIGEST] or "did not run" for r in (before, after))
        if a != b:
            found.append(Change(what="library", name=name, before=a, after=b))
    return found


def _key(item: Input) -> tuple[str, str, str]:
    return item.kind, item.name, item.subject


def _versions(one: Input | None, other: Input | None) -> Sequence[str]:
    """Return both versions; their digests if the versions have the same name."""
    texts = [_version(item) for item in (one, other)]
    if texts[0] == texts[1]:
        return [i.digest[:SHORT_DIGEST] for i in (one, other) if i is not None]
    return texts


def _version(item: Input | None) -> str:
    if item is None:
        return "not read"
    if item.digest == ABSENT:
        return "absent"
    return item.version or "read"
