"""The times at which reports of days are due: the setting's, or their template's own."""

from __future__ import annotations

from datetime import datetime, timedelta

from ishtar.attributes.moments import time_of_day
from runner.scheduling.coordinator import Coordinator


def schedule(coordinator: Coordinator) -> dict[str, list[str]]:
    """Return time → day templates due then; a sidecar's ``schedule`` overrides the setting."""
    due: dict[str, list[str]] = {}
    for template in coordinator.templates().values():
        if template.scope == "day":
            at = template.schedule or coordinator.settings.watch.day_summary_at
            due.setdefault(at, []).append(template.name)
    return due


class DayTimes:
    """Track which templates of days have become due, by local time.

    Templates are read each time, so a changed schedule takes effect at once.
    """

    def __init__(self, coordinator: Coordinator, now: datetime) -> None:
        self._coordinator = coordinator
        self._last = now
        self.due = schedule(coordinator)

    def due_today(self, now: datetime) -> set[str]:
        """Return the templates whose time has passed today."""
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        just = midnight - timedelta(microseconds=1)
        return {n for at, names in self.due.items() if _between(just, at, now) for n in names}

    def newly_due(self, now: datetime) -> set[str]:
        """Return the templates that became due since the last call."""
        self.due = schedule(self._coordinator)
        last, self._last = self._last, now
        return {name for at, names in self.due.items() if _between(last, at, now) for name in names}


def _between(last: datetime, at: str, now: datetime) -> bool:
    hour, minute = time_of_day(at)
    when = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if when > now:
        when -= timedelta(days=1)
    return last < when <= now
