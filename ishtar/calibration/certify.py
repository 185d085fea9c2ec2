"""Add a calibration to a device: close the previous entry and append the new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ishtar.calibration.declared import Calibration, Device
from ishtar.calibration.edit import (
    CalibrationEditError,
    Edit,
    Entry,
    Text,
    history_note,
    one_line,
    unchanged_note,
    valid_declarations,
)
from ishtar.calibration.history import rewritten_shots
from ishtar.calibration.spans import Span, valid_at
from ishtar.errors import CalibrationFileError, NotFoundError, did_you_mean, nearest
from ishtar.plain_files import read_plain

BODY = ("input", "unit", "transforms")


def certify(
    folder: Path,
    name: str,
    *,
    first: int,
    body: Mapping[str, Any],
    reference: str,
    stored: Sequence[int] = (),
    rewrite_history: str = "",
) -> Edit:
    """Return the edit of ``devices/DEVICE.toml`` that adds a calibration; `Edit.write` applies it.

    The new entry is valid from ``first`` until the next one begins. The entry valid at ``first``
    ends before it. An entry ends for all its ports at once, so its ports that are not recalibrated
    are copied into the new entry, each with its own reference.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder; it must have no problems.
    name : str
        The device, ``gauge_1``, or one of its ports, ``langmuir_1.I``.
    first : int
        The first shot of the new calibration.
    body : mapping
        ``transforms``, and ``input`` and ``unit`` where they change; for several new ports of a
        device ``{"ports": {"I": …, "U": …}}``.
    reference : str
        Where the numbers come from, in one line.
    stored : sequence of int
        The numbers of the stored shots. An edit that changes what could be read at one of them
        (`ishtar.calibration.history.rewritten_shots`) needs ``rewrite_history``.
    rewrite_history : str, optional
        The reason for changing stored shots; it is written into the file.

    Returns
    -------
    Edit
        The checked edit; nothing is written yet.

    Raises
    ------
    RewritesHistory
        The edit changes stored shots, and no reason is given.
    CalibrationEditError
        The files have problems, or would have problems after the edit.
    NotFoundError
        The device or port does not exist.
    """
    reference = one_line(reference, "the reference")
    declared = valid_declarations(folder)
    device_name, _, port = name.partition(".")
    device = declared.devices.get(device_name)
    if device is None:
        hint = did_you_mean(device_name, declared.devices)
        begin = f": begin {folder.name}/devices/{device_name}.toml with its serial and kind"
        raise NotFoundError(
            f"no device {device_name!r}{hint or begin}",
            name=device_name,
            nearest=nearest(device_name, declared.devices),
        )
    new = _new_bodies(device, port, first, body)
    version = 1 + max((c.version for c in device.calibrations), default=0)

    def draft(why: str, history: str = "", shots: Sequence[int] = ()) -> tuple[Span, Edit]:
        text, bodies = Text(folder, device.where, "calibration"), dict(new)
        carried_over = _carry_over(text, bodies, first)
        until = _end(text, set(bodies), first)
        span = Span(first, until)
        notes = [f"{device_name} version {version} is valid for shots {span}"]
        notes += _close(text, set(bodies), first, why, version)
        entry: Entry = {"version": version, "from": first}
        entry |= {} if until is None else {"until": until}
        entry |= {"reference": reference}
        entry |= bodies.get("", {"ports": bodies})
        remarks = [f"{history.rstrip('.')}."] if history else []
        text.append(entry, " ".join([*remarks, *carried_over]))
        return span, text.edit([*notes, *carried_over], shots)

    span, edit = draft("no number of a stored shot changes")
    shots = rewritten_shots(declared, edit.declared, stored)
    history = history_note(first, shots, rewrite_history, f"a calibration of {name}")
    if history:
        return draft(rewrite_history.strip(), history, shots)[1]
    return edit.with_notes(unchanged_note(span, stored))


def with_gain(folder: Path, name: str, *, first: int, gain: float, sigma: float) -> Entry:
    """Return the body of a calibration with a new gain and otherwise the previous steps.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder.
    name : str
        The device, ``gauge_1``, or one of its ports, ``langmuir_1.I``.
    first : int
        The first shot of the new calibration.
    gain, sigma : float
        The gain and its sigma, in units out per unit in.

    Raises
    ------
    CalibrationEditError
        The previous calibration does not have exactly one gain.
    """
    device_name, _, port = name.partition(".")
    device = valid_declarations(folder).devices.get(device_name)
    before = calibration_before(device, port, first) if device else None
    new: Entry = {"kind": "gain", "gain": gain, "sigma": sigma}
    if device is None or before is None:
        return {"transforms": [new]}
    entries = Text(folder, device.where, "calibration").entries
    steps = next(
        _ports(e)[port]["transforms"]
        for e in entries
        if e["version"] == before.version and e["from"] == before.span.first
    )
    if sum(step["kind"] == "gain" for step in steps) != 1:
        raise CalibrationEditError(
            f"{before.label} does not have exactly one gain: give all steps with --file or "
            "--transform"
        )
    return {"transforms": [new if step["kind"] == "gain" else step for step in steps]}


def read_body(path: Path) -> Entry:
    """Read the body of a new calibration from a TOML file.

    Parameters
    ----------
    path : Path
        A file with ``input``, ``unit`` and ``transforms``, or ``[ports.NAME]`` tables of these.

    Raises
    ------
    CalibrationFileError
        The file cannot be read, or has other keys.
    """
    import tomllib

    try:
        data = tomllib.loads(read_plain(path).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise CalibrationFileError(f"{path}: {' '.join(str(error).split())}: correct it") from error
    unknown = data.keys() - {*BODY, "ports"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise CalibrationFileError(
            f"{path}: unknown keys {names}: give input, unit and transforms, or [ports.NAME] with "
            "these; version, from and reference are filled in for you"
        )
    return data


def _new_bodies(device: Device, port: str, first: int, body: Mapping[str, Any]) -> dict[str, Entry]:
    """Return the body for each new port, with units from the previous calibration if not given."""
    known = {c.port for c in device.calibrations}
    given = body.get("ports") if not port and "ports" in body else {port: body}
    if not isinstance(given, Mapping) or not given:
        raise CalibrationEditError("ports must be tables: add [ports.I] with its transforms")
    for name, part in given.items():
        if known and name not in known:
            ports = ", ".join(f"{device.name}.{p}" for p in sorted(known) if p)
            has = f"its ports are {ports}: name one" if ports else "it has none: leave it out"
            what = f"has no port {name!r}" if name else "has ports"
            raise NotFoundError(f"{device.name} {what}; {has}", name=name, nearest=sorted(known))
        if not isinstance(part, Mapping) or "transforms" not in part:
            raise CalibrationEditError(
                f"{device.name}: no transforms: give --gain, --transform or --file"
            )
    found: dict[str, Entry] = {}
    for name, part in given.items():
        before = calibration_before(device, name, first)
        units = {} if before is None else {"input": before.input_unit, "unit": before.unit}
        whole = {**units, **part}
        found[name] = {key: whole[key] for key in (*BODY, *whole) if key in whole}
    return found


def calibration_before(device: Device, port: str, shot: int) -> Calibration | None:
    """Return the calibration valid at a shot, else the last one that began before it."""
    mine = [c for c in device.calibrations if c.port == port]
    earlier = [c for c in mine if c.span.first < shot]
    return valid_at(mine, shot) or max(earlier, key=lambda c: c.span.first, default=None)


def _span(entry: Entry) -> Span:
    return Span(entry["from"], entry.get("until"))


def _ports(entry: Entry) -> dict[str, Entry]:
    own = {key: entry[key] for key in BODY if key in entry}
    found: dict[str, Entry] = entry.get("ports", {"": own})
    return found


def _is_active(entry: Entry, ports: set[str], first: int) -> bool:
    return first in _span(entry) and bool(_ports(entry).keys() & ports)


def _carry_over(text: Text, new: dict[str, Entry], first: int) -> list[str]:
    """Copy into the new entry the other ports of the entry that it closes; return comments."""
    comments = []
    certified = set(new)
    for entry in text.entries:
        if not _is_active(entry, certified, first):
            continue
        for port, body in _ports(entry).items():
            if port not in certified:
                reference = body.get("reference") or entry.get("reference")
                new[port] = {
                    **body,
                    "reference": reference or f"as in version {entry['version']}",
                }
                comments.append(f"{port} is as in version {entry['version']}.")
    return comments


def _end(text: Text, ports: set[str], first: int) -> int | None:
    """Return where the new entry ends: where the next one begins or the previous one ended."""
    ends = [e["from"] for e in text.entries if e["from"] > first and _ports(e).keys() & ports]
    ends += [
        e["until"]
        for e in text.entries
        if e.get("until") is not None and _is_active(e, ports, first)
    ]
    return min(ends, default=None)


def _close(text: Text, ports: set[str], first: int, why: str, version: int) -> list[str]:
    """End the entries active at ``first``, or withdraw those that begin there; return notes."""
    notes = []
    for k, entry in enumerate(text.entries):
        if not _is_active(entry, ports, first):
            continue
        if entry["from"] < first:
            text.close(k, first)
            notes.append(f"version {entry['version']} ends with shot {first - 1}")
        else:
            text.withdraw(k, f"replaced by version {version} ({why}).")
            notes.append(f"version {entry['version']} is withdrawn")
    return notes
