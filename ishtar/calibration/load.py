"""Read a ``calibrations/`` folder: TOML files to records, collecting all problems.

::

    signals.toml        [Lang_I]  unit, description, derived, imas
    wiring/*.toml       [[wiring]] signal, channel, device, port, from, until, comment, unplugged
    devices/NAME.toml   serial, kind; [[calibration]] version, from, until,
                        [calibration.ports.I] input, unit, reference,
                        transforms = [{kind = "gain", ...}]
    machine/*.toml      [[component]] name, kind, from, until, part_of, parameters
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ishtar.calibration.checks import Names, contradictions
from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    Device,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.facility import facility_transforms, kinds_not_run, parse_step
from ishtar.calibration.imas_paths import path_problem
from ishtar.calibration.toml_reader import Known, Reader
from ishtar.calibration.transforms import TRANSFORMS
from ishtar.errors import CalibrationFileError
from ishtar.plain_files import printable

SIGNAL: Known = dict.fromkeys(("unit", "description", "derived", "imas"), str)
WIRING: Known = {
    **dict.fromkeys(("signal", "channel", "device", "port", "comment", "unplugged"), str),
    **dict.fromkeys(("from", "until"), int),
}
DEVICE: Known = {"serial": str, "kind": str, "description": str, "calibration": list}
BODY: Known = {"input": str, "unit": str, "transforms": list}
PORT: Known = {**BODY, "reference": str}
CALIBRATION: Known = {
    **dict.fromkeys(("version", "from", "until"), int),
    **PORT,
    "ports": dict,
}
COMPONENT: Known = {
    **dict.fromkeys(("name", "kind", "part_of", "description"), str),
    **dict.fromkeys(("from", "until"), int),
    "parameters": dict,
}


def _signals(r: Reader, names: Names) -> dict[str, SignalDeclaration]:
    found: dict[str, SignalDeclaration] = {}
    for text in r.files("signals.toml"):
        for name, entry in text.data.items():
            names.signals.add(name)
            where = f"{text.at(f'[{name}]')} [{name}]"
            values = r.take(entry, where, SIGNAL, ["unit"])
            if values is None or not r.unit(values["unit"], where):
                continue
            if "imas" in values and (problem := path_problem(values["imas"])):
                r.problems.append(f"{where}: imas = {problem}")
            else:
                found[name] = SignalDeclaration(name=name, where=where, **values)
    return found


def _wiring(r: Reader, names: Names) -> dict[str, tuple[Wiring, ...]]:
    found: dict[str, list[Wiring]] = defaultdict(list)
    for text in r.files("wiring/*.toml"):
        for where, entry in r.tables(text, "wiring"):
            values = r.take(entry, where, WIRING, ["signal", "channel", "device"])
            if values is None or (span := r.span(values, where)) is None:
                if isinstance(entry, Mapping) and isinstance(entry.get("signal"), str):
                    names.partly_read.add(entry["signal"])
                continue
            if values.get("unplugged") and span.until is None:
                r.problems.append(
                    f"{where}: 'unplugged' explains the end of an entry, but there is no 'until': "
                    "add it"
                )
            rest = {key: v for key, v in values.items() if key not in ("from", "until")}
            found[values["signal"]].append(Wiring(span=span, where=where, **rest))
    return {name: tuple(rows) for name, rows in found.items()}


def _devices(r: Reader, names: Names, run_code: bool) -> dict[str, Device]:
    found: dict[str, Device] = {}
    kinds: dict[str, type] = {**TRANSFORMS}
    if run_code:
        own, problems = facility_transforms(r.root)
        r.problems.extend(problems)
        kinds |= own
    else:
        kinds |= kinds_not_run(r.root)
    for text in r.files("devices/*.toml"):
        device = text.path.stem
        names.devices.add(device)
        if "." in device:  # langmuir_1.I means a port
            r.problems.append(f"{text.name}: a device name must not have a dot: rename the file")
            continue
        before = len(r.problems)
        values = r.take(text.data, text.name, DEVICE) or {}
        entries = text.data.get("calibration", [])
        calibrations = [
            calibration
            for k, entry in enumerate(entries if isinstance(entries, list) else [])
            for calibration in _calibration(
                r,
                device,
                entry,
                f"{text.at('[[calibration]]', k, len(entries))} calibration {k + 1}",
                kinds,
            )
        ]
        if len(r.problems) > before:
            names.faulty_devices.add(device)
        values.pop("calibration", None)
        found[device] = Device(
            name=device, calibrations=tuple(calibrations), where=text.name, **values
        )
    return found


def _calibration(
    r: Reader, device: str, entry: Any, where: str, kinds: Mapping[str, type]
) -> Iterator[Calibration]:
    values = r.take(entry, where, CALIBRATION, ["version"])
    if values is None or (span := r.span(values, where)) is None:
        return
    own = {key: values[key] for key in BODY if key in values}
    ports: Mapping[str, Any] = values.get("ports", {"": own})
    if "ports" in values and (own or not ports or "" in ports):
        r.problems.append(
            f"{where}: give input, unit and transforms for each named port, or name no port"
        )
        return
    for port, body in ports.items():
        place = f"{where} port {port}" if port else where
        part = r.take(body, place, PORT, ["input", "unit", "transforms"])
        if part is None:
            continue
        before = len(r.problems)
        r.unit(part["input"], place)
        r.unit(part["unit"], place)
        steps = []
        for step in part["transforms"]:
            try:
                steps.append(parse_step(step, kinds))
            except CalibrationFileError as error:
                r.problems.append(f"{place}: {error}")
        if len(r.problems) == before:
            yield Calibration(
                device=device,
                port=port,
                version=values["version"],
                span=span,
                input_unit=part["input"],
                unit=part["unit"],
                transforms=tuple(steps),
                reference=part.get("reference", values.get("reference", "")),
                where=place,
            )


def _components(r: Reader, names: Names) -> dict[str, tuple[ComponentDeclaration, ...]]:
    found: dict[str, list[ComponentDeclaration]] = defaultdict(list)
    for text in r.files("machine/*.toml"):
        for where, entry in r.tables(text, "component"):
            if isinstance(entry, Mapping) and isinstance(entry.get("name"), str):
                names.components.add(entry["name"])
            values = r.take(entry, where, COMPONENT, ["name", "kind"])
            if values is None or (span := r.span(values, where)) is None:
                continue
            rest = {key: v for key, v in values.items() if key not in ("from", "until")}
            found[values["name"]].append(ComponentDeclaration(span=span, where=where, **rest))
    return {name: tuple(rows) for name, rows in found.items()}


def read_declarations(folder: Path, *, run_code: bool = True) -> tuple[Declarations, list[str]]:
    """Read a ``calibrations/`` folder, collecting problems.

    Parameters
    ----------
    folder : Path
        The folder; a missing one declares nothing.
    run_code : bool, optional
        Run the facility's own code; without it, steps of its kinds are `NotRun`.

    Returns
    -------
    declarations : Declarations
        The valid entries.
    problems : list of str
        Every problem, with file and line.
    """
    declarations, problems, _ = read_with_names(folder, run_code=run_code)
    return declarations, problems


def read_with_names(
    folder: Path, *, run_code: bool = True
) -> tuple[Declarations, list[str], Names]:
    """Return as `read_declarations`, and the names of all entries, including invalid ones."""
    r, names = Reader(Path(folder)), Names()
    declarations = Declarations(
        signals=_signals(r, names),
        wiring=_wiring(r, names),
        devices=_devices(r, names, run_code),
        components=_components(r, names),
    )
    r.unread()
    names.incomplete = bool(r.unreadable)
    problems = [*r.problems, *contradictions(declarations, names)]
    # they quote names from the files, which may have line breaks or terminal escape sequences
    return declarations, [printable(problem) for problem in problems], names


def load_declarations(folder: Path) -> Declarations:
    """Read a ``calibrations/`` folder that must have no problems.

    Parameters
    ----------
    folder : Path
        The folder; a missing one declares nothing.

    Returns
    -------
    Declarations
        Everything that it declares.

    Raises
    ------
    CalibrationFileError
        There are problems: the message names the first, ``problems`` has all.
    """
    declarations, problems = read_declarations(folder)
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise CalibrationFileError(
            f"{folder.name}/{problems[0]}{more}: fix it; `ishtar calib check` lists all",
            problems=problems,
        )
    return declarations
