"""Find the stored shots whose recorded history an edit of the calibration files would change.

History is what could be read so far: the numbers of stored shots, and the statement that a signal
was unplugged. Declaring something for the first time does not change it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ishtar.calibration.declared import Calibration, Declarations, Wiring
from ishtar.calibration.spans import Span, valid_at

__all__ = ["rewritten_shots"]


def rewritten_shots(before: Declarations, after: Declarations, stored: Sequence[int]) -> list[int]:
    """Return the stored shots whose history changes from ``before`` to ``after``.

    A shot counts if

    - a signal's wiring at it changes or is removed, or is added although the signal was wired at
      another stored shot or declared unplugged;
    - the calibration of a device that a signal uses at it changes or is removed.

    Version, span and reference do not count. Neither does a first declaration: of a signal that no
    stored shot had, or of a device without a calibration so far.

    Parameters
    ----------
    before, after : Declarations
        The declarations now, and after the edit.
    stored : sequence of int
        The numbers of the stored shots.

    Returns
    -------
    list of int
        Ascending.
    """
    return sorted({*_rewired(before, after, stored), *_recalibrated(before, after, stored)})


def _rewired(before: Declarations, after: Declarations, stored: Sequence[int]) -> Iterator[int]:
    for signal, rows in before.wiring.items():
        later = after.wiring.get(signal, ())
        if _relevant(rows) == _relevant(later):
            continue
        known = any(n in row.span for row in rows for n in stored)
        for n in stored:
            one, two = valid_at(rows, n), valid_at(later, n)
            if (one and one.digest) == (two and two.digest):
                continue
            if one is not None or known or _unplugged(rows, n):
                yield n


def _unplugged(rows: Iterable[Wiring], shot: int) -> bool:
    """Return whether an entry that ended before the shot declares the signal unplugged."""
    return any(
        row.unplugged and row.span.until is not None and row.span.until <= shot for row in rows
    )


def _recalibrated(
    before: Declarations, after: Declarations, stored: Sequence[int]
) -> Iterator[int]:
    for name, device in before.devices.items():
        new = after.devices.get(name)
        later = new.calibrations if new else ()
        if _relevant(device.calibrations) == _relevant(later):
            continue
        for port in {c.port for c in device.calibrations}:
            rows, others = (
                [c for c in of if c.port == port] for of in (device.calibrations, later)
            )
            through = _spans(before, name, port)
            for n in stored:
                one, two = valid_at(rows, n), valid_at(others, n)
                if one is None or (two is not None and one.digest == two.digest):
                    continue
                if any(n in span for span in through):
                    yield n


def _spans(d: Declarations, device: str, port: str) -> list[Span]:
    """Return the spans in which any signal uses a port."""
    return [
        row.span
        for row in chain.from_iterable(d.wiring.values())
        if (row.device, row.port) == (device, port)
    ]


def _relevant(rows: Iterable[Wiring | Calibration]) -> list[tuple[str, Span, str]]:
    """Return the fields of entries that count; unchanged devices are skipped by comparing them."""
    return [
        (row.digest, row.span, row.unplugged if isinstance(row, Wiring) else row.port)
        for row in rows
    ]
