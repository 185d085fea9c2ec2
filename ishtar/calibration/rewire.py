"""Rewire or unplug a signal: close its current wiring and append the new one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ishtar.calibration.declared import Declarations
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
from ishtar.calibration.gaps import shared_channels
from ishtar.calibration.history import rewritten_shots
from ishtar.calibration.spans import Span
from ishtar.errors import NoSuchSignal, did_you_mean, nearest


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
    """Return the edit of ``wiring/*.toml`` that rewires a signal; `Edit.write` applies it.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder; it must have no problems.
    signal : str
        A declared signal that is not derived.
    first : int
        The first shot of the new wiring.
    channel, device, port : str, optional
        Each stays as it is if not given; a new device needs its own port.
    comment : str, optional
        One line, written into the file.
    unplugged : str, optional
        Why the signal is not wired from ``first`` on, instead of a new wiring.
    stored : sequence of int, optional
        The numbers of the stored shots.
    rewrite_history : str, optional
        As for `ishtar.calibration.certify.certify`.

    Returns
    -------
    Edit
        The checked edit; nothing is written yet.

    Raises
    ------
    RewritesHistory
        The edit changes stored shots, and no reason is given.
    CalibrationEditError
        The edit is refused, or the files have or would have problems.
    NoSuchSignal
        The signal is not declared.
    """
    declared = valid_declarations(folder)
    _check_signal(declared, signal)
    if unplugged and (channel or device or port):
        raise CalibrationEditError(
            "an unplugged signal has no channel, device or port: leave them out"
        )

    def draft(history: str = "", shots: Sequence[int] = ()) -> tuple[Span, Edit]:
        rows = list(_rows(folder, signal))
        current = next(((t, k) for t, k in rows if first in _span(t.entries[k])), None)
        if unplugged and current is None:
            raise CalibrationEditError(
                f"{signal} is not wired at shot {first}: there is nothing to unplug"
            )
        current_entry = current[0].entries[current[1]] if current else {}
        span = Span(first, _end(rows, current_entry.get("until"), first))
        notes = []
        if unplugged and current is not None:
            text = current[0]
            notes.append(_close(*current, first, history, unplugged))
        else:
            text = current[0] if current else _target_file(folder, declared, channel)
            entry = _entry(declared, signal, current_entry, channel, device, port)
            if current_entry.items() >= entry.items():
                raise CalibrationEditError(
                    f"{signal} already has this wiring: give another channel or device"
                )
            ended = (
                current_entry.get("unplugged") if span.until == current_entry.get("until") else None
            )
            notes.append(f"{signal} is wired to {entry['channel']} at shots {span}")
            if current is not None:
                notes.append(_close(*current, first, history, unplugged))
            entry |= {"from": first} | ({} if span.until is None else {"until": span.until})
            entry |= {"comment": one_line(comment, "the comment")} if comment else {}
            if ended:
                entry["unplugged"] = ended  # the reason for that end still applies
            text.append(entry, history)
        return span, text.edit(notes, shots)

    span, edit = draft()
    shots = rewritten_shots(declared, edit.declared, stored)
    history = history_note(first, shots, rewrite_history, f"a wiring of {signal}")
    edit = draft(history, shots)[1] if history else edit.with_notes(unchanged_note(span, stored))
    return edit.with_notes([d for d in shared_channels(edit.declared) if signal in d.split()])


def _end(rows: Iterable[tuple[Text, int]], until: int | None, first: int) -> int | None:
    """Return where a new entry ends: where the next one begins or the previous one ended."""
    later = [t.entries[k]["from"] for t, k in rows if t.entries[k]["from"] > first]
    return min([*later, *([] if until is None else [until])], default=None)


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
            f"{signal} is derived ({known.derived}): wire the signals that it uses"
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


def _target_file(folder: Path, declared: Declarations, channel: str | None) -> Text:
    """Return the file that wires channels of the same group, else the first file."""
    group = (channel or "").rpartition("/")[0]
    wires = [w for rows in declared.wiring.values() for w in rows]
    near = [w for w in wires if w.channel.rpartition("/")[0] == group] or wires
    name = near[0].where.split(".toml")[0] + ".toml" if near else "wiring/wiring.toml"
    return Text(folder, name, "wiring")


def _entry(
    declared: Declarations,
    signal: str,
    before: Entry,
    channel: str | None,
    device: str | None,
    port: str | None,
) -> Entry:
    entry: Entry = {
        "signal": signal,
        "channel": channel or before.get("channel"),
        "device": device or before.get("device"),
    }
    for what in ("channel", "device"):
        if entry[what] is None:
            raise CalibrationEditError(
                f"{signal} is not wired at that shot, so its {what} is unknown: give --{what}"
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
        text.withdraw(k, f"{unplugged or 'rewired'} ({note or 'before any shot'}).")
        return f"its wiring to {place} is withdrawn"
    why = f"{one_line(unplugged, 'the reason')}{f' ({note})' if note else ''}" if unplugged else ""
    text.close(k, first, **({"unplugged": why} if why else {}))
    return f"its wiring to {place} ends with shot {first - 1}"
