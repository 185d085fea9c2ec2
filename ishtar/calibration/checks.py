"""Checks across declarations: overlaps, cycles, unknown names, units that do not match."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ishtar.calibration.components import PARAMETERS, SIGMA, parameter_problems
from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.expression import names_in, unit_factor
from ishtar.calibration.spans import overlapping
from ishtar.calibration.transforms import Offset, QuietOffset
from ishtar.errors import CalibrationFileError, UnitError, did_you_mean
from ishtar.units import check_unit, factor


@dataclass
class Names:
    """Names that the files declare, valid or not.

    An entry that refers to an invalid one has no problem of its own.
    """

    signals: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    components: set[str] = field(default_factory=set)
    faulty_devices: set[str] = field(default_factory=set)
    partly_read: set[str] = field(default_factory=set)  # signals with an invalid wiring entry
    incomplete: bool = False  # a file could not be read: it may declare any name


def contradictions(d: Declarations, names: Names) -> Iterator[str]:
    """Yield every problem between entries, each with file and line.

    Parameters
    ----------
    d : Declarations
        The valid entries.
    names : Names
        The names of all entries, including the invalid ones.
    """
    yield from _derived(d, names)
    yield from _imas(d)
    for signal, wires in d.wiring.items():
        for a, b in overlapping(wires):
            yield f"{b.where}: {signal} is wired for {b.span}, but {a.where} has {a.span}"
        for row in wires:
            yield from _wire(d, names, row)
    for device in d.devices.values():
        yield from _calibrations(device.calibrations)
    for name, rows in d.components.items():
        for c, e in overlapping(rows):
            yield f"{e.where}: {name} is declared for {e.span}, but {c.where} has {c.span}"
        for component in rows:
            yield from _component(names, component)
    parts = {name: [r.part_of for r in rows if r.part_of] for name, rows in d.components.items()}
    for cycle in cycles(parts):
        yield f"{d.components[cycle[0]][0].where}: cycle of part_of {' → '.join(cycle)}"


def _derived(d: Declarations, names: Names) -> Iterator[str]:
    made_of: dict[str, Sequence[str]] = {}
    for signal in d.signals.values():
        if not signal.derived:
            continue
        try:
            parts = names_in(signal.derived)
        except CalibrationFileError as error:
            yield f"{signal.where}: {error}"
            continue
        made_of[signal.name] = parts
        if not parts:
            yield f"{signal.where}: {signal.derived!r} uses no signal: name at least one"
        unknown = [name for name in parts if not names.incomplete and name not in names.signals]
        for name in unknown:
            yield f"{signal.where}: no signal {name!r}{did_you_mean(name, names.signals)}"
        if parts and all(name in d.signals for name in parts):
            try:
                units = {name: d.signals[name].unit for name in parts}
                unit_factor(signal.derived, units, signal.unit)
            except UnitError as error:
                yield f"{signal.where}: {error}"
    for cycle in cycles(made_of):
        yield f"{d.signals[cycle[0]].where}: cycle {' → '.join(cycle)}"


def _imas(d: Declarations) -> Iterator[str]:
    first: dict[str, SignalDeclaration] = {}
    for name, path in d.imas_paths.items():
        other = first.setdefault(path, d.signals[name])
        if other.name != name:
            yield (
                f"{d.signals[name].where}: imas = {path!r} is that of {other.where}: give each "
                "signal a path of its own, or leave it out"
            )


def _wire(d: Declarations, names: Names, row: Wiring) -> Iterator[str]:
    if row.signal not in names.signals and not names.incomplete:
        hint = did_you_mean(row.signal, names.signals)
        yield f"{row.where}: no signal {row.signal!r} in signals.toml{hint}"
    if row.device not in names.devices and not names.incomplete:
        hint = did_you_mean(row.device, names.devices)
        yield f"{row.where}: no device {row.device!r} in devices/{hint}"
    signal, device = d.signals.get(row.signal), d.devices.get(row.device)
    if signal is not None and signal.derived:
        yield f"{row.where}: {row.signal} is derived ({signal.derived}): it cannot be wired"
    if device is None:
        return
    rows = [c for c in device.calibrations if c.port == row.port]
    if not rows and device.calibrations and row.device not in names.faulty_devices:
        ports = sorted({c.port for c in device.calibrations})
        has = f"its ports are {', '.join(ports)}" if ports != [""] else "it has no ports"
        problem = f"has no port {row.port!r}" if row.port else "needs a port"
        yield f"{row.where}: {row.device} {problem}; {has}"
    if signal is None or signal.derived:
        return
    for calibration in rows:
        if calibration.span.overlaps(row.span):
            try:
                factor(calibration.unit, signal.unit)
            except UnitError as error:
                yield (
                    f"{row.where}: {row.signal} is in {signal.unit!r}, but {calibration.label} "
                    f"({calibration.where}) gives {calibration.unit!r}: {error}"
                )


def _calibrations(calibrations: Iterable[Calibration]) -> Iterator[str]:
    by_port: dict[str, list[Calibration]] = defaultdict(list)
    for calibration in calibrations:
        by_port[calibration.port].append(calibration)
    for rows in by_port.values():
        for row in rows:
            yield from _offset_units(row)
        for a, b in overlapping(rows):
            yield f"{b.where}: is valid for {b.span}, but {a.where} for {a.span}"
        first: dict[int, Calibration] = {}
        for row in rows:
            other = first.setdefault(row.version, row)
            if other.digest != row.digest:
                yield (
                    f"{row.where}: is version {row.version}, but differs from version "
                    f"{row.version} at {other.where}"
                )


def _offset_units(row: Calibration) -> Iterator[str]:
    """Yield a problem if only offsets stand between two different units."""
    if not row.transforms or not all(isinstance(t, Offset | QuietOffset) for t in row.transforms):
        return
    try:
        kept = factor(row.input_unit, row.unit) == 1.0
    except UnitError:
        kept = False
    if not kept:
        yield (
            f"{row.where}: an offset does not convert {row.input_unit!r} to {row.unit!r}: add a "
            "gain"
        )


def _component(names: Names, row: ComponentDeclaration) -> Iterator[str]:
    if row.part_of and row.part_of not in names.components and not names.incomplete:
        hint = did_you_mean(row.part_of, names.components)
        yield f"{row.where}: {row.name} is part of unknown component {row.part_of!r}{hint}"
    yield from parameter_problems(row, () if names.incomplete else names.signals)
    known = PARAMETERS.get(row.kind, {})
    for name, value in row.parameters.items():
        if not isinstance(value, str) or name.removesuffix(SIGMA) in known:
            continue  # a bare number or a list
        number, _, unit = value.strip().partition(" ")
        try:
            float(number)
            check_unit(unit.strip())
        except UnitError as error:
            yield f"{row.where}: {name} = {value!r} looks like a quantity, but {error}"
        except ValueError:
            continue  # a text, such as a material


def cycles(edges: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """Yield cycles of a directed graph as ``(a, b, a)``, at least one for each node in a cycle.

    Parameters
    ----------
    edges : mapping of str to iterable of str
        The successors of each node.
    """
    done: set[str] = set()
    for start in edges:
        path = [start]
        todo = [iter(edges[start])] if start not in done else []
        while todo:  # a stack: chains may exceed Python's recursion limit
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                done.add(path.pop())
            elif following in path:
                yield (*path[path.index(following) :], following)
            elif following in edges and following not in done:
                path.append(following)
                todo.append(iter(edges[following]))
