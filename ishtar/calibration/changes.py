"""Differences between declarations: between two shots, or between two versions of the files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.equations import equation
from ishtar.calibration.spans import Span, valid_at

Kind = Literal["signal", "wiring", "calibration", "machine"]
Declared = SignalDeclaration | Wiring | Calibration | ComponentDeclaration
ABSENT: Mapping[Kind, str] = {
    "signal": "not declared",
    "wiring": "not wired",
    "calibration": "not calibrated",
    "machine": "absent",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference.

    ``name`` is a signal, a device's port (``langmuir_1.I``), or a component with its parameter
    (``langmuir_1.tip_radius``); ``before`` and ``after`` are readable texts. ``where`` is the new
    entry, or the removed one if nothing replaces it. ``span`` holds the affected shots when two
    versions of the files are compared.
    """

    kind: Kind
    name: str
    before: str
    after: str
    where: str = ""
    span: Span | None = None

    def __str__(self) -> str:
        shots = f", shots {self.span}" if self.span is not None and self.kind != "signal" else ""
        where = f"  ({self.where})" if self.where else ""
        return f"{self.kind} {self.name}{shots}: {self.before} → {self.after}{where}"


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One declared entry with its span of shots."""

    span: Span
    declared: Declared


Key = tuple[Kind, str]


def changes(d1: Declarations, shot1: int, d2: Declarations, shot2: int) -> list[Change]:
    """Return the differences between ``d1`` at ``shot1`` and ``d2`` at ``shot2``.

    Version, span, reference and comment are ignored: no number depends on them.

    Parameters
    ----------
    d1, d2 : Declarations
        The declarations to compare; they may be the same.
    shot1, shot2 : int
        The shot at which each is taken.

    Returns
    -------
    list of Change
        In the order of declaration, without ``span``.
    """
    one, two = _entries(d1), _entries(d2)
    return [
        change
        for kind, name in _union(one, two)
        for change in _compare(
            kind,
            name,
            valid_at(one.get((kind, name), ()), shot1),
            valid_at(two.get((kind, name), ()), shot2),
        )
    ]


def changes_of_texts(d1: Declarations, d2: Declarations) -> list[Change]:
    """Return the differences between two versions of the files, each with its span of shots.

    Parameters
    ----------
    d1, d2 : Declarations
        The earlier and the later version.

    Returns
    -------
    list of Change
        In the order of declaration.
    """
    one, two = _entries(d1), _entries(d2)
    return [
        change
        for kind, name in _union(one, two)
        for change in _by_span(kind, name, one.get((kind, name), ()), two.get((kind, name), ()))
    ]


def _by_span(
    kind: Kind, name: str, before: Sequence[_Entry], after: Sequence[_Entry]
) -> Iterator[Change]:
    """Compare the spans between all shots at which an entry begins or ends; merge equal ones."""
    spans = [entry.span for entry in (*before, *after)]
    edges = sorted(
        {span.first for span in spans} | {span.until for span in spans if span.until is not None}
    )
    last: dict[str, Change] = {}  # changes that the next span may continue
    found: list[Change] = []
    for k, first in enumerate(edges):
        section = Span(first, edges[k + 1] if k + 1 < len(edges) else None)
        here: dict[str, Change] = {}
        for change in _compare(kind, name, valid_at(before, first), valid_at(after, first)):
            old = last.get(change.name)
            change = replace(change, span=section)
            if old is not None and old == replace(change, span=old.span):
                assert old.span is not None
                found.remove(old)
                change = replace(old, span=Span(old.span.first, section.until))
            found.append(change)
            here[change.name] = change
        last = here
    yield from found


def _compare(
    kind: Kind, name: str, before: _Entry | None, after: _Entry | None
) -> Iterator[Change]:
    one = None if before is None else before.declared
    two = None if after is None else after.declared
    present = two or one
    if present is None or (one is not None and two is not None and one.digest == two.digest):
        return
    differing: Iterator[tuple[str, str, str]]
    match one, two:
        case ComponentDeclaration(), ComponentDeclaration():
            differing = _parameters(one, two)
        case Calibration(), Calibration():
            differing = iter([("", *_calibrations(one, two))])
        case _:
            old, new = (ABSENT[kind] if d is None else _text(d) for d in (one, two))
            differing = iter([("", old, new)])
    for part, old, new in differing:
        yield Change(
            kind=kind,
            name=f"{name}.{part}" if part else name,
            before=old,
            after=new,
            where=present.where,
        )


def _parameters(
    one: ComponentDeclaration, two: ComponentDeclaration
) -> Iterator[tuple[str, str, str]]:
    before, after = _parameter_texts(one), _parameter_texts(two)
    for part in _union(before, after):
        old, new = before.get(part, "not given"), after.get(part, "not given")
        if old != new:
            yield part, old, new


def _calibrations(one: Calibration, two: Calibration) -> tuple[str, str]:
    """Describe both briefly: only the steps that differ, if the rest is the same."""
    steps = [[equation(t, complete=True) for t in c.transforms] for c in (one, two)]
    alike = (one.input_unit, one.unit, len(steps[0])) == (two.input_unit, two.unit, len(steps[1]))
    if not alike:
        return calibration_text(one), calibration_text(two)
    pairs = [(a, b) for a, b in zip(*steps, strict=True) if a != b]
    # A facility's own transform also differs if only its code does.
    pairs = pairs or [("the same numbers", "the same numbers, different code")]
    old, new = ("; ".join(side) for side in zip(*pairs, strict=True))
    return f"v{one.version}: {old}", f"v{two.version}: {new}"


def _entries(d: Declarations) -> dict[Key, list[_Entry]]:
    found: dict[Key, list[_Entry]] = {}
    for signal in d.signals.values():
        found["signal", signal.name] = [_Entry(span=Span(0), declared=signal)]
    for name, wires in d.wiring.items():
        found["wiring", name] = [_Entry(span=w.span, declared=w) for w in wires]
    for device in d.devices.values():
        for c in device.calibrations:
            entry = _Entry(span=c.span, declared=c)
            found.setdefault(("calibration", c.name), []).append(entry)
    for name, components in d.components.items():
        found["machine", name] = [_Entry(span=c.span, declared=c) for c in components]
    return found


def _text(declared: Declared) -> str:
    match declared:
        case SignalDeclaration():
            return signal_text(declared)
        case Wiring():
            return wiring_text(declared)
        case Calibration():
            return calibration_text(declared)
        case ComponentDeclaration():
            return component_text(declared)


def signal_text(signal: SignalDeclaration) -> str:
    """Return a short description of a signal: ``[W] = IC_Pfwd - IC_Pref``."""
    formula = f" = {signal.derived}" if signal.derived else ""
    return f"[{signal.unit or '1'}]{formula}"


def wiring_text(wire: Wiring) -> str:
    """Return a short description of a wiring: ``PXI M6251/Lang_I via langmuir_1.I``."""
    port = f".{wire.port}" if wire.port else ""
    return f"{wire.channel} via {wire.device}{port}"


def calibration_text(calibration: Calibration) -> str:
    """Return a short description of a calibration: ``v2, V → A: y = gain · x (gain = -0.01)``."""
    steps = "; ".join(equation(t) for t in calibration.transforms)
    units = f"{calibration.input_unit or '1'} → {calibration.unit or '1'}"
    return f"v{calibration.version}, {units}: {steps}"


def component_text(component: ComponentDeclaration) -> str:
    """Return a short description of a component: ``langmuir_probe (tip_radius 0.1 mm)``."""
    values = ", ".join(f"{k} {_value(v)}" for k, v in component.parameters.items())
    part_of = f" of {component.part_of}" if component.part_of else ""
    return f"{component.kind}{part_of}" + (f" ({values})" if values else "")


def _parameter_texts(component: ComponentDeclaration) -> dict[str, str]:
    own = {"kind": component.kind, "part_of": component.part_of}
    parameters = {name: _value(value) for name, value in component.parameters.items()}
    return {name: value for name, value in own.items() if value} | parameters


def _value(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)


def _union(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> list[Any]:
    return list(dict.fromkeys([*a, *b]))
