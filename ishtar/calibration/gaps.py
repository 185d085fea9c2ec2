"""Find stored shots at which a signal has no calibration or no wiring."""

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
    """A problem in the files, or a probable one (``sure`` is False)."""

    file: str
    line: int | None
    text: str
    sure: bool = True

    def __str__(self) -> str:
        return self.text


def check_folder(folder: Path, shots: Sequence[int] = ()) -> tuple[Declarations, list[Finding]]:
    """Read a ``calibrations/`` folder and check it against the stored shots.

    Parameters
    ----------
    folder : Path
        The ``calibrations/`` folder.
    shots : sequence of int
        The numbers of the stored shots, ascending.

    Returns
    -------
    declared : Declarations
        The valid entries.
    findings : list of Finding
        All problems, sure ones first.
    """
    declared, problems, names = read_with_names(folder)
    problems = [*problems, *gaps(declared, shots, names)]
    findings = [_finding(text, sure=True) for text in problems]
    findings += [_finding(text, sure=False) for text in shared_channels(declared)]
    return declared, findings


def gaps(d: Declarations, shots: Sequence[int], names: Names | None = None) -> Iterator[str]:
    """Yield each missing calibration or wiring at stored shots, with file and line.

    Parameters
    ----------
    d : Declarations
        The valid entries.
    shots : sequence of int
        The numbers of the stored shots, ascending.
    names : Names, optional
        The names of all entries; those that could not be read may fill a gap.
    """
    names = names or Names()
    if names.incomplete:
        return
    uncalibrated: dict[tuple[str, str], dict[Wiring, list[int]]] = defaultdict(dict)
    for signal, rows in d.wiring.items():
        if signal not in names.partly_read:
            yield from _unwired(signal, rows, shots)
        for row in rows:
            if row.device not in d.devices or row.device in names.faulty_devices:
                continue
            mine = [c for c in d.devices[row.device].calibrations if c.port == row.port]
            without = [n for n in shots if n in row.span and valid_at(mine, n) is None]
            # checks.py reports a port that no calibration names.
            if without and (mine or not d.devices[row.device].calibrations):
                uncalibrated[row.device, row.port][row] = without
    for (device, port), rows_at in uncalibrated.items():
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
            f"{_stored(numbers)}, but {signals} uses it: add one"
        )


def _unwired(signal: str, rows: Iterable[Wiring], shots: Sequence[int]) -> Iterator[str]:
    for a, b in pairwise(sorted(rows, key=lambda row: row.span.first)):
        if a.span.until is None or a.unplugged:
            continue
        between = [n for n in shots if a.span.until <= n < b.span.first]
        if between:
            yield (
                f"{a.where}: {signal} is not wired at {_stored(between)}, but is before and after "
                f'({b.where}): close the gap, or give the reason with unplugged = "…"'
            )


def shared_channels(d: Declarations) -> Iterator[str]:
    """Yield each channel that is wired to two devices at once: an input has one cable.

    Two signals through the same device are two names for one thing, which is allowed.
    """
    by_channel: dict[str, list[Wiring]] = defaultdict(list)
    for rows in d.wiring.values():
        for row in rows:
            by_channel[row.channel].append(row)
    for channel, wires in by_channel.items():
        for a, b in overlapping(wires):
            if a.signal != b.signal and (a.device, a.port) != (b.device, b.port):
                yield (
                    f"{b.where}: {b.signal} uses {channel!r} via {b.device} at {b.span}, but "
                    f"{a.signal} via {a.device} at {a.span} ({a.where}): correct one of them"
                )


def ranges(numbers: Iterable[int]) -> str:
    """Return ascending shot numbers as text, ``5..9, 12``."""
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
