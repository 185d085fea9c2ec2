"""A signal plugged in elsewhere: its wiring is closed and a new one stands behind it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ishtar.calibration.declared import Declarations
from ishtar.calibration.edit import (
    CalibrationEditError,
    Edit,
    Entry,
    Text,
    history_note,
    one_line,
    sound_declarations,
)
from ishtar.calibration.gaps import shared_channels
from ishtar.errors import NoSuchSignal, did_you_mean, nearest
from ishtar.spans import Span


def rewire(
    folder: Path,
    signal: str,
    *,
    first: int,
    channel: str | None = None,
    device: str | None = None,
    port: str | None = None,
    comment: str = "",
    unplugged: str = "",
    stored: Sequence[int] = (),
    rewrite_history: str = "",
) -> Edit:
    """Return the change of ``wiring/*.toml`` that wires a signal anew; `Edit.write` makes it.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder; it must be without problem.
    signal : str
        A signal that is declared and not derived.
    first : int
        The first shot that it is for.
    channel, device, port : str, optional
        What is not given stays as it was; the port does not where the device is another.
    comment : str, optional
        One line for whoever reads the text.
    unplugged : str, optional
        Instead of all these: why the signal is wired nowhere from ``first`` on.
    stored, rewrite_history
        As for `ishtar.calibration.certify.certify`.
    """
    declared = sound_declarations(folder)
    _check_signal(declared, signal)
    rows = list(_rows(folder, signal))
    now = next(((t, k) for t, k in rows if first in _span(t.entries[k])), None)
    later = [t.entries[k]["from"] for t, k in rows if t.entries[k]["from"] > first]
    ends = later + ([now[0].entries[now[1]].get("until")] if now else [])
    until = min((end for end in ends if end is not None), default=None)
    span = Span(first, until)
    shots = [n for n in stored if n in span]
    note = history_note(first, shots, rewrite_history, f"a wiring of {signal}")
    if unplugged and (channel or device or port):
        raise CalibrationEditError("what is unplugged has no channel, device or port: leave it out")
    if unplugged and now is None:
        raise CalibrationEditError(
            f"{signal} is not wired at shot {first}: there is nothing to unplug"
        )
    text = now[0] if now else _file(folder, declared, channel)
    entry = _entry(declared, signal, now, channel, device, port)
    before = {told: entry[told] for told in ("channel", "device", "port") if told in entry}
    there = now[0].entries[now[1]] if now else {}
    if not unplugged and all(there.get(k) == v for k, v in before.items()):
        raise CalibrationEditError(f"{signal} is wired so already: give another channel or device")

    ended = there.get("unplugged") if until is not None and until == there.get("until") else None
    notes = []
    if now is not None:
        notes.append(_close(*now, first, note, unplugged))
    if not unplugged:
        entry |= {"from": first} | ({} if until is None else {"until": until})
        entry |= {"comment": one_line(comment, "the comment")} if comment else {}
        if ended:
            entry["unplugged"] = ended  # what was said of that end still holds
        text.append(entry, note)
        notes.insert(0, f"{signal} is wired to {entry['channel']} at shots {span}")
    edit = text.edit(notes, shots)
    doubts = [d for d in shared_channels(edit.declared) if signal in d.split()]
    return Edit(**{**vars(edit), "notes": (*edit.notes, *doubts)}) if doubts else edit


def _check_signal(declared: Declarations, signal: str) -> None:
    known = declared.signals.get(signal)
    if known is None:
        hint = did_you_mean(signal, declared.signals)
        raise NoSuchSignal(
            f"no signal {signal!r}{hint or ': declare it in signals.toml first'}",
            name=signal,
            nearest=nearest(signal, declared.signals),
        )
    if known.derived:
        raise CalibrationEditError(
            f"{signal} is derived ({known.derived}): wire the signals that it is made of"
        )


def _rows(folder: Path, signal: str) -> Iterator[tuple[Text, int]]:
    for path in sorted(folder.glob("wiring/*.toml")):
        if path.name.startswith("."):
            continue
        text = Text(folder, path.relative_to(folder).as_posix(), "wiring")
        for k, entry in enumerate(text.entries):
            if entry["signal"] == signal:
                yield text, k


def _span(entry: Entry) -> Span:
    return Span(entry["from"], entry.get("until"))


def _file(folder: Path, declared: Declarations, channel: str | None) -> Text:
    """Return the file that wires channels of the same group, else the first there is."""
    group = (channel or "").rpartition("/")[0]
    wires = [w for rows in declared.wiring.values() for w in rows]
    near = [w for w in wires if w.channel.rpartition("/")[0] == group] or wires
    name = near[0].where.split(".toml")[0] + ".toml" if near else "wiring/wiring.toml"
    return Text(folder, name, "wiring")


def _entry(
    declared: Declarations,
    signal: str,
    now: tuple[Text, int] | None,
    channel: str | None,
    device: str | None,
    port: str | None,
) -> Entry:
    before = now[0].entries[now[1]] if now else {}
    entry: Entry = {
        "signal": signal,
        "channel": channel or before.get("channel"),
        "device": device or before.get("device"),
    }
    for what in ("channel", "device"):
        if entry[what] is None:
            raise CalibrationEditError(
                f"{signal} is not wired there, so its {what} is not known: give --{what}"
            )
    same = entry["device"] == before.get("device")
    chosen = before.get("port") if port is None and same else port
    ports = {c.port for d in [declared.devices.get(entry["device"])] if d for c in d.calibrations}
    if not chosen and ports - {""}:
        raise CalibrationEditError(
            f"{entry['device']} has the ports {', '.join(sorted(ports))}: give --port"
        )
    return entry | ({"port": chosen} if chosen else {})


def _close(text: Text, k: int, first: int, note: str, unplugged: str) -> str:
    entry = text.entries[k]
    place = f"{entry['channel']} via {entry['device']}"
    if entry["from"] == first:
        text.withdraw(k, f"{unplugged or 'wired otherwise'} ({note or 'before any shot'}).")
        return f"its wiring to {place} is withdrawn"
    why = f"{one_line(unplugged, 'the reason')}{f' ({note})' if note else ''}" if unplugged else ""
    text.close(k, first, **({"unplugged": why} if why else {}))
    return f"its wiring to {place} ends with shot {first - 1}"
