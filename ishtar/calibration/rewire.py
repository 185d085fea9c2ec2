"""A signal plugged in elsewhere: its wiring is closed and a new one stands behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ishtar.calibration.declared import Declarations
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
from ishtar.calibration.gaps import shared_channels
from ishtar.calibration.history import rewritten
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
    if unplugged and (channel or device or port):
        raise CalibrationEditError("what is unplugged has no channel, device or port: leave it out")

    def draft(history: str = "", shots: Sequence[int] = ()) -> tuple[Span, Edit]:
        rows = list(_rows(folder, signal))
        now = next(((t, k) for t, k in rows if first in _span(t.entries[k])), None)
        if unplugged and now is None:
            raise CalibrationEditError(
                f"{signal} is not wired at shot {first}: there is nothing to unplug"
            )
        there = now[0].entries[now[1]] if now else {}
        span = Span(first, _end(rows, there.get("until"), first))
        notes = []
        if unplugged and now is not None:
            text = now[0]
            notes.append(_close(*now, first, history, unplugged))
        else:
            text = now[0] if now else _file(folder, declared, channel)
            entry = _entry(declared, signal, there, channel, device, port)
            if there.items() >= entry.items():
                raise CalibrationEditError(
                    f"{signal} is wired so already: give another channel or device"
                )
            ended = there.get("unplugged") if span.until == there.get("until") else None
            notes.append(f"{signal} is wired to {entry['channel']} at shots {span}")
            if now is not None:
                notes.append(_close(*now, first, history, unplugged))
            entry |= {"from": first} | ({} if span.until is None else {"until": span.until})
            entry |= {"comment": one_line(comment, "the comment")} if comment else {}
            if ended:
                entry["unplugged"] = ended  # what was said of that end still holds
            text.append(entry, history)
        return span, text.edit(notes, shots)

    span, edit = draft()
    shots = rewritten(declared, edit.declared, stored)
    history = history_note(first, shots, rewrite_history, f"a wiring of {signal}")
    edit = draft(history, shots)[1] if history else edit.told(first_read(span, stored))
    return edit.told([d for d in shared_channels(edit.declared) if signal in d.split()])


def _end(rows: Iterable[tuple[Text, int]], until: int | None, first: int) -> int | None:
    """Return where a new entry ends: where another begins, or where the one before it did."""
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
