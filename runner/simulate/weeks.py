"""Three weeks at the synthetic testbed: 60 small shots on twelve days, and their flaws."""

from __future__ import annotations

import datetime as dt
from typing import Final

from runner.simulate.campaign import Campaign

FIRST: Final = 1181  # shots on both sides of a round number
A_DAY: Final = 5
HELIUM: Final = dt.date(2026, 11, 11)
NO_LOG: Final = dt.date(2026, 11, 17)
"""The day whose generator log is never delivered."""

_DAYS: Final = (
    2,
    3,
    5,
    6,
    9,
    11,
    12,
    14,
    16,
    17,
    18,
    20,
)  # of November 2026; the 14th is a Saturday
_FLAWS: Final = {
    1184: "probe_unplugged",
    1189: "current_saturated",
    1194: "icrf_arc",
    1197: "date_missing",
    1202: "dead_channel",
    1207: "noisy_channel",
    1213: "stuck_bit",
    1219: "no_plasma",
    1223: "dropped_samples",
    1227: "late_trigger",
    1232: "truncated",
}
_LEAK: Final = 0.012  # relative increase of the pressure per day


def three_weeks(*, seed: int = 20261102, size_mb: float = 1.0) -> tuple[Campaign, ...]:
    """Return the days of three weeks, five shots each, shots 1181 to 1240.

    Eleven shots have a flaw, each a different one. The programme continues from day to day; one day
    is all helium, one is a Saturday, and some working days have no shots. The pressure rises by
    about a percent per day, as with a leak.
    """
    days = []
    for k, day in enumerate(_DAYS):
        date = dt.date(2026, 11, day)
        first = FIRST + A_DAY * k
        numbers = range(first, first + A_DAY)
        days.append(
            Campaign(
                first=first,
                shots=A_DAY,
                seed=seed,
                date=date,
                gas="He" if date == HELIUM else None,
                line=A_DAY * k % 12,
                pressure=1.0 + _LEAK * k,
                size_mb=size_mb,
                flaws={n: flaw for n, flaw in _FLAWS.items() if n in numbers},
            )
        )
    return tuple(days)
