"""What has been read at stored shots, and whether a change of the texts would tell it otherwise.

History is what people have read: the numbers of stored shots, and the word that a signal was not
plugged in. To say for the first time what nobody could read before changes none of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from ishtar.calibration.declared import Calibration, Declarations, Wiring
from ishtar.calibration.spans import Span, valid_at

__all__ = ["rewritten"]


def rewritten(before: Declarations, after: Declarations, stored: Sequence[int]) -> list[int]:
    """Return the stored shots of which ``after`` says otherwise what could be read in ``before``.

    Two things count, and both by what they are, not by version, span or reference:

    - a signal that was wired at the shot is wired otherwise, or not at all; or it was not, though
      it was at another stored shot or was said to be unplugged, and is wired now;
    - a device that a signal was wired to at the shot had a calibration, and has another or none.

    What is read for the first time does not count: a signal that no stored shot had, a device
    whose calibration was not known yet.

    Parameters
    ----------
    before, after : Declarations
        The texts, and what they are to become.
    stored : sequence of int
        The shots that are there.
    """
    return sorted({*_wired_otherwise(before, after, stored), *_calibrated(before, after, stored)})


def _wired_otherwise(
    before: Declarations, after: Declarations, stored: Sequence[int]
) -> Iterator[int]:
    for signal, rows in before.wiring.items():
        later = after.wiring.get(signal, ())
        if _facts(rows) == _facts(later):
            continue
        known = any(n in row.span for row in rows for n in stored)
        for n in stored:
            one, two = valid_at(rows, n), valid_at(later, n)
            if (one and one.digest) == (two and two.digest):
                continue
            if one is not None or known or _unplugged(rows, n):
                yield n


def _unplugged(rows: Iterable[Wiring], shot: int) -> bool:
    """Tell whether it is said why a signal that is not wired at a shot is not."""
    return any(
        row.unplugged and row.span.until is not None and row.span.until <= shot for row in rows
    )


def _calibrated(before: Declarations, after: Declarations, stored: Sequence[int]) -> Iterator[int]:
    for name, device in before.devices.items():
        new = after.devices.get(name)
        later = new.calibrations if new else ()
        if _facts(device.calibrations) == _facts(later):
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
    """Return at which shots a signal goes through a port."""
    return [
        row.span
        for row in chain.from_iterable(d.wiring.values())
        if (row.device, row.port) == (device, port)
    ]


def _facts(rows: Iterable[Wiring | Calibration]) -> list[tuple[str, Span, str]]:
    """Return what counts of entries, so that files that nobody changed are passed over fast."""
    return [
        (row.digest, row.span, row.unplugged if isinstance(row, Wiring) else row.port)
        for row in rows
    ]
