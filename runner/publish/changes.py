"""Changes of the testbed from one shot to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.publish.records import ShotRecord, WiringRow
from runner.publish.view_models import Change

_ABSENT = "absent"
MAX_SIGNALS = 6  # more signals that appear or disappear together are listed as one change
# these differ from shot to shot without a change of the testbed
_NOT_SETTINGS = frozenset({"date", "comment", "useful"})


def changes(before: ShotRecord, after: ShotRecord) -> list[Change]:
    """Return the differences of attributes, wiring and components, in this order."""
    found = _differences(
        "setting", _settings(before.attributes), _settings(after.attributes), absent="not given"
    )
    wiring_before = {w.signal: w for w in before.wiring}
    wiring_after = {w.signal: w for w in after.wiring}
    switched: dict[bool, list[Change]] = {
        True: [],
        False: [],
    }  # by whether the signal became available
    for signal in _all_keys(wiring_before, wiring_after):
        old, new = wiring_before.get(signal), wiring_after.get(signal)
        if old is None or new is None:
            found.append(
                Change(
                    what="signal",
                    name=signal,
                    before=_ABSENT if old is None else "declared",
                    after=_ABSENT if new is None else "declared",
                )
            )
            continue
        if bool(old.problem) != bool(new.problem):  # its channel appears or disappears with it
            switched[bool(old.problem)].append(
                Change(
                    what="signal",
                    name=signal,
                    before=old.problem or "available",
                    after=new.problem or "available",
                )
            )
            continue
        for what in ("channel", "device", "calibration", "unit"):
            if _differs(what, old, new):
                found.append(
                    Change(
                        what=what,
                        name=signal,
                        before=getattr(old, what) or "none",
                        after=getattr(new, what) or "none",
                    )
                )
    for came, many in switched.items():
        found += [_merged(many, came)] if len(many) > MAX_SIGNALS else many
    found += _differences("component", _parts(before), _parts(after), absent=_ABSENT)
    return found


def _differs(what: str, old: WiringRow, new: WiringRow) -> bool:
    """Return whether one property of a signal differs.

    Calibrations differ if their numbers do, as in `ishtar calib diff`: a new version with the same
    numbers is no change.
    """
    if what == "calibration" and old.calibrated and new.calibrated:
        # the calibration of a derived signal is reported at its parts
        is_reported = bool(old.calibration or new.calibration)
        return is_reported and old.calibrated != new.calibrated
    return bool(getattr(old, what) != getattr(new, what))


def _merged(many: Sequence[Change], came: bool) -> Change:
    """Return one change for many signals that appear or disappear together."""
    states = ("not available", "available")
    return Change(
        what="signal",
        name=f"{len(many)} signals: " + ", ".join(c.name for c in many),
        before=states[not came],
        after=states[came],
    )


def _settings(attributes: Mapping[str, Any]) -> dict[str, str]:
    return {k: str(v) for k, v in attributes.items() if k not in _NOT_SETTINGS}


def _parts(record: ShotRecord) -> dict[str, str]:
    parts = {}
    for component in record.components:
        parts[component.name] = component.kind
        for name, value in component.parameters.items():
            parts[f"{component.name} {name}"] = value
    return parts


def _differences(
    what: str, before: Mapping[str, str], after: Mapping[str, str], *, absent: str
) -> list[Change]:
    return [
        Change(what=what, name=name, before=before.get(name, absent), after=after.get(name, absent))
        for name in _all_keys(before, after)
        if before.get(name) != after.get(name)
    ]


def _all_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys([*a, *b]))
