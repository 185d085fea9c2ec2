"""What the texts leave open under shots that are there: no calibration, no wiring."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ishtar.calibration.checks import Names
from ishtar.calibration.declared import Declarations, Wiring
from ishtar.calibration.load import read_with_names
from ishtar.calibration.spans import overlapping, valid_at
from ishtar.plain_files import printable

WHERE = re.compile(r"(?P<file>.+?\.(?:toml|py))(?::(?P<line>\d+))?[^:]*: ")
LINE_OF_TOML = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem of the texts, or (``sure`` false) something that is probably one."""

    file: str
    line: int | None
    text: str
    sure: bool = True

    def __str__(self) -> str:
        return self.text


def check_folder(folder: Path, shots: Sequence[int] = ()) -> tuple[Declarations, list[Finding]]:
    """Read a ``calibrations/`` folder and hold it against the stored shots; all findings at once.

    Parameters
    ----------
    folder : Path
        The texts.
    shots : sequence of int
        The shots that are stored, ascending.
    """
    declared, problems, names = read_with_names(folder)
    problems = [*problems, *gaps(declared, shots, names)]
    findings = [_finding(text, sure=True) for text in problems]
    findings += [_finding(text, sure=False) for text in shared_channels(declared)]
    return declared, findings


def gaps(d: Declarations, shots: Sequence[int], names: Names | None = None) -> Iterator[str]:
    """Yield where a signal lacks calibration or wiring at a stored shot, with file and line.

    ``names`` tells which entries could not be read: what these may have said is no gap.
    """
    names = names or Names()
    if names.unknown:
        return
    lacking: dict[tuple[str, str], dict[Wiring, list[int]]] = defaultdict(dict)
    for signal, rows in d.wiring.items():
        if signal not in names.partly_wired:
            yield from _unwired(signal, rows, shots)
        for row in rows:
            if row.device not in d.devices or row.device in names.flawed:
                continue
            mine = [c for c in d.devices[row.device].calibrations if c.port == row.port]
            without = [n for n in shots if n in row.span and valid_at(mine, n) is None]
            # A port that no calibration names is told by the checks of the texts.
            if without and (mine or not d.devices[row.device].calibrations):
                lacking[row.device, row.port][row] = without
    for (device, port), rows_at in lacking.items():
        numbers = sorted({n for without in rows_at.values() for n in without})
        before = [
            c
            for c in d.devices[device].calibrations
            if c.port == port and c.span.first < numbers[0]
        ]
        last = max(before, key=lambda c: c.span.first, default=None)
        where = last.where if last else d.devices[device].where
        signals = " and ".join(f"{row.signal} ({row.where})" for row in rows_at)
        yield (
            f"{where}: {device}{'.' if port else ''}{port} has no calibration at "
            f"{_stored(numbers)}, where {signals} goes through it: add one"
        )


def _unwired(signal: str, rows: Iterable[Wiring], shots: Sequence[int]) -> Iterator[str]:
    for a, b in pairwise(sorted(rows, key=lambda row: row.span.first)):
        if a.span.until is None or a.unplugged:
            continue
        between = [n for n in shots if a.span.until <= n < b.span.first]
        if between:
            yield (
                f"{a.where}: {signal} is not wired at {_stored(between)}, but before and after "
                f'({b.where}): close the gap, or say why with unplugged = "…"'
            )


def shared_channels(d: Declarations) -> Iterator[str]:
    """Yield where one channel is fed by two devices at once: an input has one cable.

    Two signals through the same device are two names for one thing; that is nobody's mistake.
    """
    by_channel: dict[str, list[Wiring]] = defaultdict(list)
    for rows in d.wiring.values():
        for row in rows:
            by_channel[row.channel].append(row)
    for channel, wires in by_channel.items():
        for a, b in overlapping(wires):
            if a.signal != b.signal and (a.device, a.port) != (b.device, b.port):
                yield (
                    f"{b.where}: {b.signal} takes {channel!r} through {b.device} at {b.span}, but "
                    f"{a.signal} through {a.device} at {a.span} ({a.where}): is one wrong?"
                )


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending shots as people write them, ``5..9, 12``."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][-1] + 1:
            runs[-1].append(n)
        else:
            runs.append([n])
    return ", ".join(str(r[0]) if len(r) == 1 else f"{r[0]}..{r[-1]}" for r in runs)


def _stored(numbers: Sequence[int]) -> str:
    return f"stored shot{'s' if len(numbers) > 1 else ''} {ranges(numbers)}"


def _finding(text: str, *, sure: bool) -> Finding:
    text = printable(text)
    found = WHERE.match(text)
    line = (found and found["line"]) or ((m := LINE_OF_TOML.search(text)) and m[1])
    return Finding(
        file=found["file"] if found else "", line=int(line) if line else None, text=text, sure=sure
    )
