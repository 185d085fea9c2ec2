"""A new calibration of a device: the one before it is closed, the new one stands behind it."""

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
    first_read,
    history_note,
    one_line,
    sound_declarations,
)
from ishtar.calibration.history import rewritten
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
    """Return the change of ``devices/DEVICE.toml`` that adds a calibration; `Edit.write` makes it.

    The new entry holds from ``first`` to where the next one begins. The entry that held there ends
    before ``first``; the ports of it that are not calibrated anew go over to the new entry as they
    are, with their own reference, since an entry ends for all its ports at once.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder; it must be without problem.
    name : str
        The device, ``gauge_1``, or one port of it, ``langmuir_1.I``.
    first : int
        The first shot that it is for.
    body : mapping
        ``transforms``, and ``input`` and ``unit`` where they are not as before; for a device with
        several new ports ``{"ports": {"I": …, "U": …}}``.
    reference : str
        Where the numbers come from: one line.
    stored : sequence of int
        The shots that are there; what would change what could be read at one of them
        (`ishtar.calibration.history.rewritten`) is refused …
    rewrite_history : str, optional
        … without this reason, which goes into the text.

    Raises
    ------
    RewritesHistory
        Stored shots would be read otherwise.
    CalibrationEditError
        The texts have problems, or would have with this.
    NotFoundError
        There is no such device or port.
    """
    reference = one_line(reference, "the reference")
    declared = sound_declarations(folder)
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
    new = _bodies(device, port, first, body)
    version = 1 + max((c.version for c in device.calibrations), default=0)

    def draft(why: str, history: str = "", shots: Sequence[int] = ()) -> tuple[Span, Edit]:
        text, bodies = Text(folder, device.where, "calibration"), dict(new)
        taken_over = _take_over(text, bodies, first)
        until = _end(text, set(bodies), first)
        span = Span(first, until)
        notes = [f"{device_name} version {version} holds for shots {span}"]
        notes += _close(text, set(bodies), first, why, version)
        entry: Entry = {"version": version, "from": first}
        entry |= {} if until is None else {"until": until}
        entry |= {"reference": reference}
        entry |= bodies.get("", {"ports": bodies})
        said = [f"{history.rstrip('.')}."] if history else []
        text.append(entry, " ".join([*said, *taken_over]))
        return span, text.edit([*notes, *taken_over], shots)

    span, edit = draft("no number of a stored shot changes")
    shots = rewritten(declared, edit.declared, stored)
    history = history_note(first, shots, rewrite_history, f"a calibration of {name}")
    if history:
        return draft(rewrite_history.strip(), history, shots)[1]
    return edit.told(first_read(span, stored))


def with_gain(folder: Path, name: str, *, first: int, gain: float, sigma: float) -> Entry:
    """Return the body of a calibration with another gain; its other steps stay as they are.

    Raises
    ------
    CalibrationEditError
        There is not exactly one gain among the steps of the calibration before.
    """
    device_name, _, port = name.partition(".")
    device = sound_declarations(folder).devices.get(device_name)
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
            f"{before.label} has not one gain among its steps: give all of them with --file or "
            "--transform"
        )
    return {"transforms": [new if step["kind"] == "gain" else step for step in steps]}


def read_body(path: Path) -> Entry:
    """Read what a file says about a new calibration: input, unit, transforms, or [ports.NAME]."""
    import tomllib

    try:
        data = tomllib.loads(read_plain(path).decode())
    except (OSError, ValueError, RecursionError) as error:
        raise CalibrationFileError(f"{path}: {' '.join(str(error).split())}: correct it") from error
    unknown = data.keys() - {*BODY, "ports"}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise CalibrationFileError(
            f"{path}: a new calibration gives input, unit and transforms, or [ports.NAME] with "
            f"these, not {names}; version, from and reference are made for you"
        )
    return data


def _bodies(device: Device, port: str, first: int, body: Mapping[str, Any]) -> dict[str, Entry]:
    """Return what is said of each new port, completed by what held before."""
    known = {c.port for c in device.calibrations}
    given = body.get("ports") if not port and "ports" in body else {port: body}
    if not isinstance(given, Mapping) or not given:
        raise CalibrationEditError("ports must be tables, [ports.I] with its transforms: add one")
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
    """Return the calibration that holds at a shot, else the last that began before it."""
    mine = [c for c in device.calibrations if c.port == port]
    earlier = [c for c in mine if c.span.first < shot]
    return valid_at(mine, shot) or max(earlier, key=lambda c: c.span.first, default=None)


def _span(entry: Entry) -> Span:
    return Span(entry["from"], entry.get("until"))


def _ports(entry: Entry) -> dict[str, Entry]:
    own = {key: entry[key] for key in BODY if key in entry}
    found: dict[str, Entry] = entry.get("ports", {"": own})
    return found


def _meets(entry: Entry, ports: set[str], first: int) -> bool:
    return first in _span(entry) and bool(_ports(entry).keys() & ports)


def _take_over(text: Text, new: dict[str, Entry], first: int) -> list[str]:
    """Add to the new entry the ports that would end with the entry that it closes."""
    comments = []
    certified = set(new)
    for entry in text.entries:
        if not _meets(entry, certified, first):
            continue
        for port, body in _ports(entry).items():
            if port not in certified:
                as_before = body.get("reference") or entry.get("reference")
                told = as_before or f"as in version {entry['version']}"
                new[port] = {**body, "reference": told}
                comments.append(f"{port} is as in version {entry['version']}.")
    return comments


def _end(text: Text, ports: set[str], first: int) -> int | None:
    """Return where the new entry ends: where another begins, or where the one before it did."""
    ends = [e["from"] for e in text.entries if e["from"] > first and _ports(e).keys() & ports]
    ends += [
        e["until"] for e in text.entries if e.get("until") is not None and _meets(e, ports, first)
    ]
    return min(ends, default=None)


def _close(text: Text, ports: set[str], first: int, why: str, version: int) -> list[str]:
    notes = []
    for k, entry in enumerate(text.entries):
        if not _meets(entry, ports, first):
            continue
        if entry["from"] < first:
            text.close(k, first)
            notes.append(f"version {entry['version']} ends with shot {first - 1}")
        else:
            text.withdraw(k, f"version {version} holds instead ({why}).")
            notes.append(f"version {entry['version']} is withdrawn")
    return notes
