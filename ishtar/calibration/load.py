"""Reading a ``calibrations/`` folder: TOML texts to records, all problems at once.

::

    signals.toml        [Lang_I]  unit, description, derived
    wiring/*.toml       [[wiring]] signal, channel, device, port, from, until
    devices/NAME.toml   serial, kind; [[calibration]] version, from, until,
                        [calibration.ports.I] input, unit, transforms = [{kind = "gain", ...}]
    machine/*.toml      [[component]] name, kind, from, until, part_of, parameters
"""

from __future__ import annotations

import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    Device,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.expression import names_in
from ishtar.calibration.transforms import parse_transform
from ishtar.errors import CalibrationFileError, IshtarError, did_you_mean
from ishtar.spans import Span, overlapping
from ishtar.units import parse_unit


@dataclass
class _Reader:
    """Gathers records and problems while files are read."""

    root: Path
    problems: list[str] = field(default_factory=list)

    def files(self, pattern: str) -> Iterator[tuple[Path, str, dict[str, Any]]]:
        for path in sorted(self.root.glob(pattern)):
            name = path.relative_to(self.root).as_posix()
            try:
                yield path, name, tomllib.loads(path.read_text(encoding="utf-8"))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                self.problems.append(f"{name}: {error}")

    def take(
        self, entry: Mapping[str, Any], where: str, known: Mapping[str, type | tuple[type, ...]]
    ) -> dict[str, Any] | None:
        """Return the entry's values, None (and a problem each) where it is not as it must be."""
        if not isinstance(entry, Mapping):
            self.problems.append(f"{where}: must be a table")
            return None
        good = True
        for name, value in entry.items():
            if name not in known:
                self.problems.append(f"{where}: unknown key {name!r}{did_you_mean(name, known)}")
                good = False
            elif not isinstance(value, known[name]) or isinstance(value, bool):
                self.problems.append(f"{where}: {name} = {value!r} has the wrong type")
                good = False
        return dict(entry) if good else None

    def span(self, values: Mapping[str, Any], where: str) -> Span | None:
        try:
            return Span(values["from"], values.get("until"))
        except KeyError:
            self.problems.append(f"{where}: needs `from`, the first shot it holds for")
        except ValueError as error:
            self.problems.append(f"{where}: {error}")
        return None

    def unit(self, text: str, where: str) -> bool:
        try:
            parse_unit(text)
        except IshtarError as error:
            self.problems.append(f"{where}: {error}")
            return False
        return True

    def need(self, values: Mapping[str, Any], where: str, *names: str) -> bool:
        missing = [name for name in names if name not in values]
        self.problems.extend(f"{where}: needs {name!r}" for name in missing)
        return not missing


def _signals(r: _Reader) -> dict[str, SignalDeclaration]:
    found: dict[str, SignalDeclaration] = {}
    known = {"unit": str, "description": str, "derived": str}
    for _, file, data in r.files("signals.toml"):
        for name, entry in data.items():
            where = f"{file} [{name}]"
            values = r.take(entry, where, known)
            if values is None or not r.need(values, where, "unit"):
                continue
            if r.unit(values["unit"], where):
                found[name] = SignalDeclaration(name=name, where=where, **values)
    for signal in found.values():
        if signal.derived:
            try:
                for name in names_in(signal.derived):
                    if name not in found:
                        hint = did_you_mean(name, found)
                        r.problems.append(f"{signal.where}: no signal {name!r}{hint}")
            except CalibrationFileError as error:
                r.problems.append(f"{signal.where}: {error}")
    r.problems.extend(_cycles(found))
    return found


def _cycles(signals: Mapping[str, SignalDeclaration]) -> Iterator[str]:
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> Iterator[str]:
        if name in path:
            yield f"{signals[name].where}: cycle {' → '.join((*path, name))}"
        elif name in signals and name not in done and signals[name].derived:
            try:
                for other in names_in(signals[name].derived):
                    yield from walk(other, (*path, name))
            except CalibrationFileError:
                return  # told already
            done.add(name)

    for name in signals:
        yield from walk(name, ())


def _wiring(r: _Reader) -> dict[str, tuple[Wiring, ...]]:
    found: dict[str, list[Wiring]] = defaultdict(list)
    known = dict.fromkeys(("signal", "channel", "device", "port", "comment"), str)
    for _, file, data in r.files("wiring/*.toml"):
        for k, entry in enumerate(data.get("wiring", ()), start=1):
            where = f"{file} wiring {k}"
            values = r.take(entry, where, {**known, "from": int, "until": int})
            if values is None or not r.need(values, where, "signal", "channel", "device"):
                continue
            if (span := r.span(values, where)) is not None:
                rest = {key: v for key, v in values.items() if key not in ("from", "until")}
                found[values["signal"]].append(Wiring(span=span, where=where, **rest))
    for name, rows in found.items():
        for a, b in overlapping(rows):
            r.problems.append(f"{b.where}: {name} is wired at {b.span}, but {a.where} has {a.span}")
    return {name: tuple(rows) for name, rows in found.items()}


def _calibration(
    r: _Reader, device: str, entry: Mapping[str, Any], where: str
) -> Iterator[Calibration]:
    known: dict[str, type | tuple[type, ...]] = {
        "version": int,
        "from": int,
        "until": int,
        "reference": str,
        "ports": dict,
        "input": str,
        "unit": str,
        "transforms": list,
    }
    values = r.take(entry, where, known)
    if values is None or not r.need(values, where, "version"):
        return
    span = r.span(values, where)
    if span is None:
        return
    ports = values.get("ports") or {"": {k: values.get(k) for k in ("input", "unit", "transforms")}}
    for port, body in ports.items():
        place = f"{where} port {port}" if port else where
        part = r.take(body, place, {"input": str, "unit": str, "transforms": list})
        if part is None or not r.need(part, place, "input", "unit", "transforms"):
            continue
        units_fit = r.unit(part["input"], place) & r.unit(part["unit"], place)
        steps = []
        for step in part["transforms"]:
            try:
                steps.append(parse_transform(step))
            except (CalibrationFileError, TypeError, ValueError) as error:
                r.problems.append(f"{place}: {error}")
        if units_fit and len(steps) == len(part["transforms"]):
            yield Calibration(
                device=device,
                port=port,
                version=values["version"],
                span=span,
                input_unit=part["input"],
                unit=part["unit"],
                transforms=tuple(steps),
                reference=values.get("reference", ""),
                where=place,
            )


def _devices(r: _Reader) -> dict[str, Device]:
    found: dict[str, Device] = {}
    known = {"serial": str, "kind": str, "description": str, "calibration": list}
    for path, file, data in r.files("devices/*.toml"):
        values = r.take(data, file, known)
        if values is None:
            continue
        calibrations = [
            calibration
            for k, entry in enumerate(values.pop("calibration", ()), start=1)
            for calibration in _calibration(r, path.stem, entry, f"{file} calibration {k}")
        ]
        by_port: dict[str, list[Calibration]] = defaultdict(list)
        for calibration in calibrations:
            by_port[calibration.port].append(calibration)
        for rows in by_port.values():
            for a, b in overlapping(rows):
                r.problems.append(f"{b.where}: holds for {b.span}, but {a.where} for {a.span}")
        found[path.stem] = Device(
            name=path.stem, calibrations=tuple(calibrations), where=file, **values
        )
    return found


def _components(r: _Reader) -> dict[str, tuple[ComponentDeclaration, ...]]:
    found: dict[str, list[ComponentDeclaration]] = defaultdict(list)
    known: dict[str, type | tuple[type, ...]] = {
        **dict.fromkeys(("name", "kind", "part_of", "description"), str),
        "from": int,
        "until": int,
        "parameters": dict,
    }
    for _, file, data in r.files("machine/*.toml"):
        for k, entry in enumerate(data.get("component", ()), start=1):
            where = f"{file} component {k}"
            values = r.take(entry, where, known)
            if values is None or not r.need(values, where, "name", "kind"):
                continue
            if (span := r.span(values, where)) is not None:
                rest = {key: v for key, v in values.items() if key not in ("from", "until")}
                found[values["name"]].append(ComponentDeclaration(span=span, where=where, **rest))
    for name, rows in found.items():
        for a, b in overlapping(rows):
            r.problems.append(f"{b.where}: {name} is there at {b.span}, but {a.where} has {a.span}")
    return {name: tuple(rows) for name, rows in found.items()}


def read_declarations(folder: Path) -> tuple[Declarations, list[str]]:
    """Read a ``calibrations/`` folder; return what it declares and every problem found."""
    r = _Reader(folder)
    signals, wiring = _signals(r), _wiring(r)
    devices, components = _devices(r), _components(r)
    for rows in wiring.values():
        for row in rows:
            if row.signal not in signals:
                hint = did_you_mean(row.signal, signals)
                r.problems.append(f"{row.where}: no signal {row.signal!r} in signals.toml{hint}")
            if row.device not in devices:
                hint = did_you_mean(row.device, devices)
                r.problems.append(f"{row.where}: no device {row.device!r} in devices/{hint}")
    declarations = Declarations(
        signals=signals, wiring=wiring, devices=devices, components=components
    )
    return declarations, r.problems


def load_declarations(folder: Path) -> Declarations:
    """Read a ``calibrations/`` folder; raise `CalibrationFileError` naming the first problem."""
    declarations, problems = read_declarations(folder)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CalibrationFileError(
            f"{folder.name}/{problems[0]}{more}: `ishtar calib check` lists all"
        )
    return declarations
