"""The pages of shots and days."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from runner.publish.addresses import (
    device_page,
    file_url,
    raw_folder,
    signal_page,
    subject_folder,
    subject_page,
    template_page,
)
from runner.publish.changes import changes
from runner.publish.citation import citation
from runner.publish.describe import attributes, sentences, shot_heading, subject_link
from runner.publish.history import key_values, trend
from runner.publish.key_results import RESULTS_IN_DESCRIPTION
from runner.publish.page_models import DayPage, ShotPage
from runner.publish.pages.across_shots import COMPARE, TRACES
from runner.publish.pages.calendar_pages import periods_of
from runner.publish.records import ShotRecord
from runner.publish.shot_tables import shot_table
from runner.publish.view import View
from runner.publish.view_models import Change, Link
from runner.receipts import Subject
from runner.render.format import day_text


def day_page(view: View, day: str) -> DayPage:
    """Return the page of a day."""
    subject = Subject.day(day)
    numbers = list(view.source.shots_of(day))
    table = shot_table(view, numbers)
    view.load_summaries(Subject.shot(n) for n in numbers)
    scraps = [(n, view.key_scraps(Subject.shot(n))) for n in numbers]
    drawn = [
        trend(
            c.name,
            [(n, of_shot.get((c.template, c.name))) for n, of_shot in scraps],
            view.results.record(c.template, c.name),
        )
        for c in table.columns
    ]
    before, after = view.neighbours(subject)
    return DayPage(
        path=subject_page(subject),
        title=day_text(day),
        description=sentences(
            f"{len(numbers)} shot{'' if len(numbers) == 1 else 's'} on {day_text(day)}",
            f"shots {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "",
        ),
        day=day,
        periods=periods_of(day),
        table=table,
        trends=[t for t in drawn if t is not None],
        reports=view.cards(subject),
        reruns=view.rerun_links(subject),
        previous=subject_link(before) if before else None,
        next=subject_link(after) if after else None,
    )


def shot_page(view: View, number: int) -> ShotPage:
    """Return the page of a shot."""
    subject = Subject.shot(number)
    record = view.shot(number)
    before, after = view.neighbours(subject)
    path, data = subject_page(subject), f"{subject_folder(subject)}/shot.json"
    text, downloads = _shot_text(view, record), _downloads(view, subject)
    files = [*downloads, Link(href=data, text="All of the page (JSON)")]
    day = f"{record.date:%Y-%m-%d}" if record.date else ""
    return ShotPage(
        path=path,
        title=f"Shot {number}",
        description=text,
        shot=number,
        date=record.date,
        day=subject_link(Subject.day(day)) if day in view.counts else None,
        attributes=attributes(record),
        problems=list(record.problems),
        values=key_values(view, number),
        reports=view.cards(subject),
        reruns=view.rerun_links(subject),
        wiring=record.wiring,
        components=record.components,
        changes=_grouped(changes(view.shot(before.number), record)) if before else None,
        links=_links(view, record),
        traces=f"{TRACES}#shots={number}",
        compare=f"{COMPARE}#shots={before.number},{number}" if before else "",
        downloads=downloads,
        sources=record.sources,
        raw=_raw_addresses(view, number),
        notes=[(source.name, note) for source in record.sources for note in source.notes],
        previous=subject_link(before) if before else None,
        next=subject_link(after) if after else None,
        data=data,
        citation=citation(view.source.facility, record, path, text, files),
    )


def _shot_text(view: View, record: ShotRecord) -> str:
    """Return the description of a shot: date, gas, program, key results, comment."""
    scraps = view.key_scraps(Subject.shot(record.shot))
    keys = view.results.chosen(scraps, RESULTS_IN_DESCRIPTION)
    return sentences(
        ", ".join([f"Shot {record.shot}", *shot_heading(record)]),
        "; ".join(view.results.text(key[0], scraps[key]) for key in keys),
        str(record.attributes.get("comment") or ""),
    )


def _grouped(found: Sequence[Change]) -> dict[str, list[Change]]:
    """Return changes by heading, hardware first."""
    groups: dict[str, list[Change]] = {
        name: [] for name in ("Hardware", "Wiring", "Calibration", "Settings")
    }
    for change in found:
        groups[change.group].append(change)
    return {name: of_group for name, of_group in groups.items() if of_group}


def _links(view: View, record: ShotRecord) -> dict[str, str]:
    found = {f"template {name}": template_page(name) for name in view.templates}
    for row in record.wiring:
        if row.signal in view.signal_names:
            found[f"signal {row.signal}"] = signal_page(row.signal)
        if row.device in view.device_names:
            found[f"device {row.device}"] = device_page(row.device)
    return found


def _raw_addresses(view: View, number: int) -> dict[str, str]:
    """Return the addresses of the raw files of a shot, relative to its page, by their names."""
    settings, page = view.settings, subject_page(Subject.shot(number))
    if settings.raw == "off":
        return {}
    found = {}
    for file in view.source.raw_files(number):
        path = f"{raw_folder(number)}/{file.name}"
        if settings.raw_url:
            name = quote(file.name, errors="surrogateescape")
            address = f"{settings.raw_url.rstrip('/')}/{Subject.shot(number).key}/{name}"
            is_there = file.is_file()
        else:
            address = file_url(page, path)
            # only files of changing shots are published now: those of others were, or were not
            is_changing = view.changing is None or number in view.changing
            is_there = file.is_file() if is_changing else _is_published(view, path)
        if is_there:
            found[file.name] = address
    return found


def _is_published(view: View, path: str) -> bool:
    return view.out is not None and (view.out / path).is_file()


def _downloads(view: View, subject: Subject) -> list[Link]:
    """Return the files of a shot for other programs; tables only once they exist."""
    folder = subject_folder(subject)
    tables = {"data.csv": "Signals, decimated (CSV)", "data.mat": "Signals, decimated (MATLAB)"}
    found = [
        Link(href=f"{folder}/{name}", text=text)
        for name, text in tables.items()
        if _is_published(view, f"{folder}/{name}")
    ]
    return [*found, Link(href=f"{folder}/scraps.json", text="Results (JSON)")]
