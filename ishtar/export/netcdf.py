"""Writer of NetCDF-4 files, and the names and attributes of the CF conventions.

NetCDF-4 is HDF5 with dimension scales and an order of creation, so that h5py writes it, block by
block as the other formats; no library of NetCDF is needed. Texts are arrays of characters, which
every reader knows; only a text that is too long for an attribute of HDF5 is a string.

References: *NetCDF-4 file format specification* (Unidata), *CF metadata conventions* 1.10.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ishtar.export.hdf5 import compressed
from ishtar.export.matlab import identifiers
from ishtar.export.series import Array, Export, Series
from ishtar.signals.time_base import COUNTED, SECONDS
from ishtar.store.h5_names import unique_name

if TYPE_CHECKING:
    import h5py

Facts = Mapping[str, str | int | float]

CONVENTIONS = "CF-1.10"
LARGEST = 2**63  # whole numbers from here on are texts
LONGEST_TEXT = 32_000  # bytes; HDF5 may refuse characters of 64 kB


def write_netcdf(export: Export, paths: Sequence[Path]) -> None:
    """Write a variable for each signal, with a dimension and its coordinate for each time base."""
    import h5py

    p = export.provenance
    history = f"{p['exported']}: exported by {p['software']}"
    axes, names = names_of(export)
    taken = {*axes, *names.values()}
    with h5py.File(paths[0], "w", track_order=True) as f:
        _describe(f, shot_facts(export) | {"history": history, "provenance": export.text})
        for axis, series in zip(axes, export.groups, strict=True):
            first = series[0]
            place = compressed(f, axis, (first.n,), first.places(), track_order=True)
            place.make_scale(axis)
            _describe(place, axis_facts(first))
            for s in series:
                data = _variable(f, names[s.name], s.n, s.values(), place)
                _describe(data, signal_facts(s, axis))
                if s.has_sigma:
                    sigma = unique_name(f"{names[s.name]}_sigma", taken, "{}_{}")
                    data.attrs["ancillary_variables"] = _text(sigma)
                    _describe(_variable(f, sigma, s.n, s.sigmas(), place), sigma_facts(s))


def names_of(export: Export) -> tuple[list[str], dict[str, str]]:
    """Return the names of the axes, ``time``, ``time_2`` …, and of the variables by signal.

    Variables have identifiers: names with ``/`` or spaces are not valid in NetCDF or CF.
    """
    taken: set[str] = set()
    axes = [unique_name(series[0].x_name, taken, "{}_{}") for series in export.groups]
    names = [s.name for series in export.groups for s in series]
    return axes, dict(zip(names, identifiers([*axes, *names])[len(axes) :], strict=True))


def shot_facts(export: Export) -> dict[str, str | int | float]:
    """Return the attributes of a file: the shot, its own attributes, and what was left out."""
    p = export.provenance
    number, facility = p["shot"], p.get("facility", "")
    left_out = [f"left out: {name}: {why}" for name, why in p["left_out"].items()]
    own = {k: v for k, v in p["attributes"].items() if k != "date"}
    found = {
        "Conventions": CONVENTIONS,
        "title": f"Shot {number} of {facility}" if facility else f"Shot {number}",
        "institution": facility,
        "source": "signals of a plasma testbed as recorded, calibrated",
        "shot": number,
        "date": p["attributes"].get("date"),
        "comment": "\n".join(left_out),
        # with a prefix, as an attribute of a shot may be called "title"
        **{f"shot_{name}": own[k] for k, name in zip(own, identifiers(list(own)), strict=True)},
    }
    return _known(found)


def axis_facts(s: Series) -> dict[str, str | int | float]:
    """Return the attributes of the axis of a series.

    Its unit is seconds on the shot's clock, not seconds since a date: the clock of the trigger is
    finer than any clock of the day. So it has no ``standard_name``, which asks for a date.
    """
    about = {
        SECONDS: "time on the shot's clock, 0 is the trigger",
        COUNTED: "number of the sample; nothing says when it was taken",
    }
    long_name = about.get(s.x_unit, s.x_name)
    return _known({"long_name": long_name, "units": s.x_unit or "1", **s.start_and_step()})


def signal_facts(s: Series, axis: str) -> dict[str, str | int | float]:
    """Return the attributes of a series: unit, name and origin; ``axis`` is its dimension."""
    p = s.provenance
    states_unit = p.shown_unit != "no unit stated"  # without units a variable is not taken for 1
    notes = {
        "channel": p.assumed,
        "time base": p.time_base,
        "scale missing": p.scale_missing,
        "salvaged": p.salvaged,
        "unit": "" if states_unit else "no source states it",
    }
    mean = ""
    if s.every > 1:
        mean = f"{axis}: mean (comment: of {s.every} neighbouring samples each)"
    found = {
        "long_name": p.description or s.name,
        "units": (s.unit or "1") if states_unit else "",
        "cell_methods": mean,
        "signal": s.name,
        "shot": p.shot,
        "channel": p.channel,
        "device": p.device,
        "calibration": p.calibration,
        "calibration_valid_for_shots": p.span,
        "equations": "; ".join(p.steps),
        "uncertainty": p.uncertainty,
        "derived": p.derived,
        "source": p.source,
        "references": p.reference,
        "precision": p.precision,
        "imas": p.imas,
        "averaged": s.every if s.every > 1 else None,
        "comment": "; ".join(f"{name}: {note}" for name, note in notes.items() if note),
    }
    return _known(found)


def sigma_facts(s: Series) -> dict[str, str | int | float]:
    """Return the attributes of the uncertainty of a series."""
    comment = "largely common to all samples, so that it does not average down"
    if s.every > 1:
        comment += f"; mean of that of {s.every} samples each, an upper bound"
    return _known(
        {
            "long_name": f"one sigma of the calibration of {s.name}",
            "units": s.unit or "1",
            "comment": comment,
        }
    )


def _known(facts: Mapping[str, Any]) -> dict[str, str | int | float]:
    """Return facts without those that are unknown; what is no number becomes a text."""
    found: dict[str, str | int | float] = {}
    for name, value in facts.items():
        if value is None or value == "" or value != value:
            continue
        is_number = isinstance(value, float) or (type(value) is int and abs(value) < LARGEST)
        found[name] = value if is_number else str(value)
    return found


def _variable(f: h5py.File, name: str, n: int, blocks: Iterator[Array], place: Any) -> Any:
    data = compressed(f, name, (n,), blocks, track_order=True, fillvalue=np.nan)
    data.dims[0].attach_scale(place)
    data.attrs["_FillValue"] = np.array([np.nan])
    return data


def _describe(item: Any, facts: Facts) -> None:
    for name, value in facts.items():
        item.attrs[name] = _text(value) if isinstance(value, str) else value


def _text(text: str) -> Any:
    """Return a text as characters, or as a string if it is too long for these."""
    import h5py

    encoded = text.replace("\0", "").encode(errors="replace")
    if not 0 < len(encoded) <= LONGEST_TEXT:
        return encoded.decode()
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", len(encoded)))
