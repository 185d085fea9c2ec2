"""The status of a workspace, as a document and as text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from runner.cli.run_progress import seconds
from runner.monitoring.status import Holder, Report, Status
from runner.receipts import Subject
from runner.service.external_changes import Change

SHOWN = 5  # files in quarantine, by name
PRIORITIES = ("live", "person", "backfill")


def document(status: Status) -> dict[str, Any]:
    """Return the document of ``ishtar status --json``; times are UTC, durations in s."""
    holder = status.holder
    works = holder is not None and not status.other and status.state in ("working", "silent")
    last = holder.last_file if holder else None
    return {
        "state": status.state,
        "other": status.other or None,
        "holder": None if holder is None else _holder(holder, status.now),
        "running": [_report(r, status.now) for r in status.running],
        "waiting": {p: holder.waiting.get(p, 0) if holder and works else 0 for p in PRIORITIES},
        "shots_to_plan": holder.shots_to_plan if holder and works else 0,
        "finished": dict(holder.finished) if holder else {},
        "last_shot": status.last_shot,
        "last_file": last
        and {
            "name": last.name,
            "status": last.status,
            "shots": list(last.shots),
            "when": _time(last.when),
        },
        "quarantined": len(status.quarantine),
        "quarantine": [vars(h) for h in status.quarantine],
        "templates_out_of_order": dict(status.templates),
        "disk_free_bytes": status.disk_free,
        "day_reports": [dict(d) for d in holder.day_reports] if holder and works else [],
        "last_look": _time(holder.last_look) if works and holder and holder.last_look else None,
        "does_nothing_for_s": status.stalled_s and round(status.stalled_s, 1),
        "troubles": [dict(t) for t in holder.troubles] if holder and works else [],
        "files_waiting": [dict(f) for f in holder.files] if holder and works else [],
        "change": holder.change if holder and works else None,
        "metrics": holder.metrics or None if holder and works else None,
    }


def _holder(holder: Holder, now: float) -> dict[str, Any]:
    return {
        "doing": holder.doing,
        "host": holder.host,
        "process": holder.process,
        "since": _time(holder.since),
        "for_s": round((holder.ended or now) - holder.since, 1),
        "heard_of_s_ago": round(now - holder.written, 1),
        "ended": holder.ended and _time(holder.ended),
    }


def _report(report: Report, now: float) -> dict[str, Any]:
    a = report.progress
    return {
        "subject": report.subject,
        "template": report.template,
        "kind": (a.kind if a else "") or "report",
        "priority": report.priority,
        "since": _time(report.since),
        "for_s": round(now - report.since, 1),
        "phase": a.phase if a else None,
        "cell": a.cell or None if a else None,
        "cells": a.cells or None if a else None,
        "cell_for_s": round(now - a.cell_since, 1) if a else None,
        "host": a.host if a else None,
        "process": a.process if a else None,
    }


def _time(unix: float) -> str:
    return datetime.fromtimestamp(unix, UTC).isoformat(timespec="seconds")


def lines(status: Status) -> Iterator[str]:
    """Yield the lines of ``ishtar status``."""
    data = document(status)
    yield _who(status)
    for r in data["running"]:
        where = f"cell {r['cell']} of {r['cells']}" if r["phase"] == "cells" else r["phase"]
        place = f", {where} for {seconds(r['cell_for_s'])}" if where else ", starting or just done"
        kind = "" if r["kind"] == "report" else f" ({r['kind']})"
        subject = Subject.parse(r["subject"])
        yield (
            f"  {subject} {r['template']}{kind}: {r['priority']}{place}; {seconds(r['for_s'])} "
            "in all"
        )
    if status.state in ("working", "silent") and not status.other:
        if not data["running"]:
            yield "  no report is in progress"
        waiting = ", ".join(f"{n} {p}" for p, n in data["waiting"].items() if n)
        more = f"; {data['shots_to_plan']} shots to plan" if data["shots_to_plan"] else ""
        yield f"waiting      {waiting or 'none'}{more}"
    if data["finished"]:
        counts = ", ".join(f"{n} {state}" for state, n in sorted(data["finished"].items()))
        yield f"finished     {counts}"
    for due in data["day_reports"]:
        yield f"due          {', '.join(due['templates'])} at {due['at'].replace('T', ' ')}"
    yield from _trouble(status, data)
    if data["metrics"]:
        yield f"metrics      {data['metrics']}"
    last = status.holder.last_file if status.holder else None
    if last:
        yield f"last file    {last.name}, {last.status}, {seconds(status.now - last.when)} ago"
    yield f"last shot    {'none' if status.last_shot is None else status.last_shot}"
    yield f"quarantine   {len(status.quarantine)} files"
    for h in status.quarantine[:SHOWN]:
        yield f"  {h.name}: {h.reason}"
    if len(status.quarantine) > SHOWN:
        yield f"  … and {len(status.quarantine) - SHOWN} more in data/quarantine"
    for name, why in status.templates.items():
        yield f"template {name} cannot be used: {why}"
    yield f"disk         {status.disk_free / 1e9:.1f} GB free"


def _trouble(status: Status, data: dict[str, Any]) -> Iterator[str]:
    """Yield the failed tasks of a service and the last external change."""
    holder = status.holder
    if holder is None or status.other or status.state not in ("working", "silent"):
        return
    if holder.last_look is not None:
        quiet = seconds(status.now - holder.last_look)
        stuck = "; IT DOES NOTHING: see its log" if status.stalled_s else ""
        yield f"last look    {quiet} ago{stuck}"
    for t in data["troubles"][:SHOWN]:
        ago = seconds(status.now - t["since"])
        yield f"trouble      {t['what']}: {t['error']} (for {ago}, tried {t['tries']} times)"
    if (n := len(data["troubles"])) > SHOWN:
        yield f"  … and {n - SHOWN} more"
    for f in data["files_waiting"][:SHOWN]:
        yield f"waits        {f['name']}: {f['reason']} (for {seconds(status.now - f['since'])})"
    if (n := len(data["files_waiting"])) > SHOWN:
        yield f"  … and {n - SHOWN} more"
    if holder.change:
        change = Change(**{**holder.change, "files": tuple(holder.change["files"])})
        yield f"changed      {seconds(status.now - change.when)} ago: {change}"


def _who(status: Status) -> str:
    holder = status.holder
    if status.other:
        return f"{status.other} works on this workspace and writes no status"
    if holder is None:
        return "nothing is running: `ishtar watch` starts the service"
    name = f"{holder.doing}, process {holder.process} on {holder.host}"
    if holder.ended:
        ago = seconds(status.now - holder.ended)
        return f"nothing is running; {name}, ended {ago} ago"
    quiet = seconds(status.now - holder.written)
    if status.state == "dead":
        return f"nothing is running: {name}, was killed, last active {quiet} ago; start it again"
    if status.state == "silent":
        return f"{name}, has been silent for {quiet}: check whether it is still running"
    return f"{name}, for {seconds(status.now - holder.since)}"
