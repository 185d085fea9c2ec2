"""What the declarations say to each other: overlaps, cycles, names that nobody has, units."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ishtar.calibration.components import PARAMETERS, SIGMA, parameter_problems
from ishtar.calibration.declared import Calibration, ComponentDeclaration, Declarations, Wiring
from ishtar.calibration.expression import names_in, unit_factor
from ishtar.calibration.spans import overlapping
from ishtar.calibration.transforms import Offset, QuietOffset
from ishtar.errors import CalibrationFileError, UnitError, did_you_mean
from ishtar.units import check_unit, factor


@dataclass
class Names:
    """What the texts name, sound or not: a flaw in one entry is no flaw of those that use it."""

    signals: set[str] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    components: set[str] = field(default_factory=set)
    flawed: set[str] = field(default_factory=set)  # devices
    partly_wired: set[str] = field(default_factory=set)  # signals, an entry of which is flawed
    unknown: bool = False  # some file cannot be read: who knows what it names


def contradictions(d: Declarations, names: Names) -> Iterator[str]:
    """Yield every problem between entries, each with file and line."""
    yield from _derived(d, names)
    for signal, wires in d.wiring.items():
        for a, b in overlapping(wires):
            yield f"{b.where}: {signal} is wired at {b.span}, but {a.where} has {a.span}"
        for row in wires:
            yield from _wire(d, names, row)
    for device in d.devices.values():
        yield from _calibrations(device.calibrations)
    for name, rows in d.components.items():
        for c, e in overlapping(rows):
            yield f"{e.where}: {name} is there at {e.span}, but {c.where} has {c.span}"
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
            yield f"{signal.where}: {signal.derived!r} is made of no signal"
        unknown = [name for name in parts if not names.unknown and name not in names.signals]
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


def _wire(d: Declarations, names: Names, row: Wiring) -> Iterator[str]:
    if row.signal not in names.signals and not names.unknown:
        hint = did_you_mean(row.signal, names.signals)
        yield f"{row.where}: no signal {row.signal!r} in signals.toml{hint}"
    if row.device not in names.devices and not names.unknown:
        hint = did_you_mean(row.device, names.devices)
        yield f"{row.where}: no device {row.device!r} in devices/{hint}"
    signal, device = d.signals.get(row.signal), d.devices.get(row.device)
    if signal is not None and signal.derived:
        yield f"{row.where}: {row.signal} is derived ({signal.derived}); it cannot be wired"
    if device is None:
        return
    rows = [c for c in device.calibrations if c.port == row.port]
    if not rows and device.calibrations and row.device not in names.flawed:
        ports = sorted({c.port for c in device.calibrations})
        has = f"its ports are {', '.join(ports)}" if ports != [""] else "it has no ports"
        asked = f"has no port {row.port!r}" if row.port else "needs a port"
        yield f"{row.where}: {row.device} {asked}; {has}"
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
            yield from _unit_kept(row)
        for a, b in overlapping(rows):
            yield f"{b.where}: holds for {b.span}, but {a.where} for {a.span}"
        first: dict[int, Calibration] = {}
        for row in rows:
            other = first.setdefault(row.version, row)
            if other.digest != row.digest:
                yield f"{row.where}: is version {row.version}, but {other.where} is another"


def _unit_kept(row: Calibration) -> Iterator[str]:
    """Yield a problem where offsets alone are to make one unit of another."""
    if not row.transforms or not all(isinstance(t, Offset | QuietOffset) for t in row.transforms):
        return
    try:
        kept = factor(row.input_unit, row.unit) == 1.0
    except UnitError:
        kept = False
    if not kept:
        yield (
            f"{row.where}: an offset leaves the unit as it is, and {row.input_unit!r} is not "
            f"{row.unit!r}: add a gain"
        )


def _component(names: Names, row: ComponentDeclaration) -> Iterator[str]:
    if row.part_of and row.part_of not in names.components and not names.unknown:
        hint = did_you_mean(row.part_of, names.components)
        yield f"{row.where}: {row.name} is part of no component {row.part_of!r}{hint}"
    yield from parameter_problems(row, () if names.unknown else names.signals)
    known = PARAMETERS.get(row.kind, {})
    for name, value in row.parameters.items():
        if not isinstance(value, str) or name.removesuffix(SIGMA) in known:
            continue  # a count, a list: read as it is
        number, _, unit = value.strip().partition(" ")
        try:
            float(number)
            check_unit(unit.strip())
        except UnitError as error:
            yield f"{row.where}: {name} = {value!r} begins like a quantity, but {error}"
        except ValueError:
            continue  # words, a material


def cycles(edges: Mapping[str, Iterable[str]]) -> Iterator[tuple[str, ...]]:
    """Yield cycles of a graph, ``(a, b, a)``; at least one of those that any node is in."""
    done: set[str] = set()
    for start in edges:
        path = [start]
        todo = [iter(edges[start])] if start not in done else []
        while todo:  # a stack, since recursion ends at a thousand
            following = next(todo[-1], None)
            if following is None:
                todo.pop()
                done.add(path.pop())
            elif following in path:
                yield (*path[path.index(following) :], following)
            elif following in edges and following not in done:
                path.append(following)
                todo.append(iter(edges[following]))
