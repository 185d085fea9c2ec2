"""Export signals of a shot to a file for another program, with units and provenance.

``.mat``      a struct for each signal (``value``, ``time``, ``t0``, ``dt``, ``unit`` …); MATLAB's
              format 5, above 256 MB its format 7.3, which is HDF5
``.h5``       a dataset for each signal, compressed with gzip, with unit and origin as attributes
``.nc``       NetCDF-4 with the CF conventions: a variable for each signal, and its sigma where the
              calibration states one, over dimensions ``time``, ``time_2`` …, one for each time base
``.csv``      a table with the units in its header; one file for each time base
``.parquet``  the same as columns, with metadata

If the axis is not time, the file has ``sample`` (numbers) or ``frequency`` instead of ``time``, and
``x0`` and ``dx`` instead of ``t0`` and ``dt``.

Signals with different time bases are never resampled here (`ishtar.align` does that). ``.mat``,
``.h5`` and ``.nc`` store each with its own times; a table has one column of times, so that two time
bases make two files, ``x.1.csv`` and ``x.2.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.errors import IshtarError, NoSuchSignal, did_you_mean, nearest
from ishtar.export.files import FORMATS, Format, write_all
from ishtar.export.series import Export, ExportError, Series
from ishtar.signals.protocols import AnySignal, HasChannels
from ishtar.signals.provenance import Provenance
from ishtar.signals.windows import bounds
from ishtar.version import __version__

if TYPE_CHECKING:
    from ishtar.signals.protocols import AnyShot

__all__ = ["ExportError", "Exported", "choose", "export"]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The result of an export: files, the signals in each, and those left out with the reason."""

    paths: tuple[Path, ...]
    signals: tuple[tuple[str, ...], ...]
    left_out: Mapping[str, str]

    def __str__(self) -> str:
        lines = [
            f"{path}: {', '.join(names)}"
            for path, names in zip(self.paths, self.signals, strict=True)
        ]
        return "\n".join(lines + [f"left out {n}: {why}" for n, why in self.left_out.items()])


def export(
    shot: AnyShot,
    path: str | Path,
    names: Sequence[str],
    t: tuple[float | None, float | None] | None = None,
    n: int | None = None,
) -> Exported:
    """Write signals of a shot to a file; its suffix selects the format.

    Parameters
    ----------
    shot : Shot
        The shot.
    path : path
        ``x.mat``, ``x.csv``, ``x.parquet``, ``x.h5`` or ``x.nc``; an existing file is
        replaced atomically.
    names : sequence of str
        Signals, or channels of the raw files (``"PXI M6251/Lang_I"``), with ``*`` and ``?``.
    t : (float, float), optional
        Window in s on the shot's clock, half-open; None for an open end.
    n : int, optional
        Maximum number of values for each signal: each value is the mean of equally many
        neighbouring samples, at the mean of their times. Remaining samples are dropped.

    Returns
    -------
    Exported
        The files, and the matches of wildcards that cannot be read at this shot.

    Raises
    ------
    NoSuchSignal
        A name is unknown, or a pattern matches nothing.
    ExportError
        The suffix is unknown, the window has no samples, or the file cannot be written.
    """
    path = Path(path)
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ExportError(f"{path.name!r} has no known suffix: end it with {' or '.join(FORMATS)}")
    if n is not None and (isinstance(n, bool) or not isinstance(n, int | np.integer)):
        raise ExportError(f"n = {n!r} is not a number of values: give a whole number, 10_000")
    if n is not None and n < 1:
        raise ExportError(f"n = {n} is less than one value: give at least 1")
    what = gather(shot, names, t, n)
    paths = _paths(path, form, len(what.groups))
    try:
        write_all(what, form, paths)
    except IshtarError:
        raise  # a source that cannot be read
    except OSError as error:
        raise ExportError(
            f"{path} cannot be written ({error.strerror or error}): choose another folder"
        ) from error
    held = [tuple(s.name for s in group) for group in what.groups]
    if len(paths) == 1:
        held = [tuple(name for group in held for name in group)]
    return Exported(paths=paths, signals=tuple(held), left_out=what.provenance["left_out"])


def gather(
    shot: AnyShot,
    names: Sequence[str],
    t: tuple[float | None, float | None] | None = None,
    n: int | None = None,
) -> Export:
    """Return the series that match names and patterns, grouped by time base; reads no values.

    Parameters
    ----------
    shot : Shot
        The shot.
    names : sequence of str
        Signals or channels, with ``*`` and ``?``.
    t : (float, float), optional
        Window in s on the shot's clock, half-open; None for an open end.
    n : int, optional
        Maximum number of values for each signal.

    Returns
    -------
    Export
        Its provenance names those that are left out, with the reason.

    Raises
    ------
    NoSuchSignal
        A name is unknown, or a pattern matches nothing.
    ExportError
        The window has no samples.
    """
    signals, left_out = choose(shot, names)
    series = []
    windowed = bounds(t) != (None, None)
    for signal in signals:
        if windowed and (reason := signal.time_problem):  # a window in time cannot select samples
            left_out[signal.name] = reason
            continue
        if (one := _series(signal, t, n)).n:
            series.append(one)
        else:
            left_out[signal.name] = "it has no samples in the window"
    if not series:
        why = "; ".join(left_out.values())
        raise ExportError(f"there are no samples from {_window(t)} ({why}): choose another window")
    groups = _by_time_base(series)
    return Export(groups=groups, provenance=_provenance(shot, groups, t, left_out))


def choose(shot: AnyShot, names: Sequence[str]) -> tuple[list[AnySignal], dict[str, str]]:
    """Return the signals and channels that match names and patterns, each once, in order.

    Parameters
    ----------
    shot : Shot
        The shot.
    names : sequence of str
        Signals or channels, with ``*`` and ``?``.

    Returns
    -------
    signals : list of Signal
        Those that can be read.
    left_out : dict
        Matches of patterns that cannot be read → the reason.

    Raises
    ------
    NoSuchSignal
        A name is unknown or cannot be read, or a pattern matches nothing.
    ExportError
        ``names`` is not a list of names.
    """
    if isinstance(names, str) or not names:
        raise ExportError("no signals are given: give a list of names, e.g. ['Lang_*']")
    readable, missing = shot.signals(), shot.missing()
    channels: list[str] = []
    channel: Callable[[str], AnySignal] = shot.__getitem__
    if isinstance(shot, HasChannels):
        channels, channel = shot.channels(), shot.channel
    found: dict[str, AnySignal] = {}
    left_out: dict[str, str] = {}
    for name in names:
        if not isinstance(name, str):
            raise ExportError(
                f"{name!r} is not the name of a signal: give texts, ['Lang_*', 'IC_Pfwd']"
            )
        if name in channels and name not in readable:
            found.setdefault(name, channel(name))
        elif not set(name) & set("*?[") or name in readable:
            found.setdefault(name, shot[name]).check()
        else:
            known = channels if "/" in name and channels else [*readable, *missing]
            matches = [k for k in known if fnmatchcase(k, name)]
            if not matches:
                bare = name.strip("*?")
                hint = did_you_mean(bare, known) or f"; there are {', '.join(known)}"
                raise NoSuchSignal(
                    f"shot {shot.number} has nothing that matches {name!r}{hint}",
                    name=name,
                    nearest=nearest(bare, known),
                )
            left_out |= {k: missing[k] for k in matches if k in missing}
            for k in matches:
                if k not in missing and k not in found:
                    found[k] = channel(k) if known is channels else shot[k]
    if not found:
        name, why = next(iter(left_out.items()))
        raise NoSuchSignal(f"nothing that {names!r} matches can be read: {name}: {why}", name=name)
    return list(found.values()), left_out


def _series(
    signal: AnySignal, t: tuple[float | None, float | None] | None, n: int | None
) -> Series:
    provenance = signal.explain()
    if t is not None:
        start, stop = bounds(t)
        signal = signal[start:stop]
    every = 1 if n is None else max(-(-signal.n // n), 1)
    return Series(signal=signal, provenance=provenance, every=every)


def _by_time_base(series: Sequence[Series]) -> tuple[tuple[Series, ...], ...]:
    groups: list[list[Series]] = []
    for one in series:
        for group in groups:
            if one.same_places(group[0]):
                group.append(one)
                break
        else:
            groups.append([one])
    return tuple(tuple(group) for group in groups)


def _paths(path: Path, form: Format, n: int) -> tuple[Path, ...]:
    if n == 1 or not form.table:
        return (path,)
    return tuple(path.with_name(f"{path.stem}.{k}{path.suffix}") for k in range(1, n + 1))


def _provenance(
    shot: AnyShot,
    groups: Sequence[Sequence[Series]],
    t: tuple[float | None, float | None] | None,
    left_out: Mapping[str, str],
) -> dict[str, Any]:
    return {
        "software": f"ishtar {__version__}",
        "exported": datetime.now().astimezone().isoformat(timespec="seconds"),
        "shot": shot.number,
        "facility": shot.facility,
        "attributes": dict(shot.attributes),
        "window_s": None if t is None else list(t),
        "left_out": dict(left_out),
        "signals": {s.name: _as_dict(s.provenance) for group in groups for s in group},
    }


def _as_dict(provenance: Provenance) -> dict[str, Any]:
    parts = [_as_dict(part) for part in provenance.parts]
    facts = {k: v for k, v in asdict(provenance).items() if v not in ("", ()) and k != "parts"}
    return facts | ({"parts": parts} if parts else {})


def _window(t: tuple[float | None, float | None] | None) -> str:
    a, b = t if t is not None else (None, None)
    return f"{'the start' if a is None else f'{a:g} s'} to {'the end' if b is None else f'{b:g} s'}"
