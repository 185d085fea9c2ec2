"""A large archive that repeats the shots and reports of a small one under other numbers and dates.

Shots are folders of links to the stored files of DEMO, with a correction of their date; reports
have their own receipts, and links to notebooks, rendered bodies and figures. The catalogue is
filled in bulk as the coordinator would.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ishtar.attributes.edits import FILE as CORRECTIONS
from ishtar.catalogue import Catalogue
from ishtar.catalogue.rows import REPORT_COLUMNS
from ishtar.shots.testbed import Testbed
from ishtar.workspace import MARKER, Workspace
from runner.receipts import FRAGMENT, NOTEBOOK, RECEIPT, Receipt, Subject
from runner.render.fragment import read_fragment
from runner.render.notebook import THUMBNAIL, render_report
from runner.render.sanitise import FIGURES
from runner.staleness.current_state import CurrentState
from runner.staleness.fingerprints import fingerprints_of
from runner.templates.template import read_templates

A_DAY = 40  # shots
BETWEEN = timedelta(minutes=7)
BEGIN = datetime(2026, 1, 5, 9)
OF_A_REPORT = (NOTEBOOK, FRAGMENT, FIGURES, THUMBNAIL)


@dataclass(frozen=True, kw_only=True)
class Model:
    """A shot or day of DEMO to copy: its stored files and its reports."""

    key: str
    files: tuple[Path, ...]
    attributes: Mapping[str, Any]
    channels: Mapping[str, tuple[str, str]]
    reports: tuple[tuple[Path, Receipt], ...]


class Archive:
    """A workspace of many shots."""

    def __init__(self, demo: Path, root: Path, renderer: str, *, bodies: int) -> None:
        self.workspace = _workspace(demo, root)
        self.size = 0
        self._bodies = bodies
        self._models, self._day = _models(demo, root / "models", renderer)

    def grow(self, size: int) -> None:
        """Fill it up to a number of shots; the newest have notebooks."""
        numbers = range(self.size + 1, size + 1)
        days = sorted({_day(n) for n in numbers})
        for number in numbers:
            self._files(number)
        for number in numbers[max(0, len(numbers) - self._bodies) :]:
            self._links(self._model(number), Subject.shot(number))
        for day in days[-(self._bodies // A_DAY + 1) :]:
            self._links(self._day, Subject.day(day))
        self._note(numbers, days)
        self.size = size

    def arrive(self) -> Subject:
        """Add one more shot, with all its reports."""
        self.grow(self.size + 1)
        return Subject.shot(self.size)

    def clear_site(self) -> None:
        """Remove the site."""
        shutil.rmtree(self.workspace.site)

    def _model(self, number: int) -> Model:
        return self._models[number % len(self._models)]

    def _files(self, number: int) -> None:
        folder = self.workspace.shot_folder(number)
        folder.mkdir(parents=True)
        for file in self._model(number).files:
            (folder / file.name).symlink_to(file)
        change = {"date": {"before": None, "after": _date(number).isoformat()}}
        edit = {"when": "2026-01-01T00:00:00", "who": "bench", "why": "", "changes": change}
        (folder / CORRECTIONS).write_text(json.dumps(edit) + "\n")
        for _, receipt in self._model(number).reports:
            _put_receipt(self._folder(receipt, Subject.shot(number)), receipt, number)

    def _links(self, model: Model, subject: Subject) -> None:
        for old, receipt in model.reports:
            folder = self._folder(receipt, subject)
            if subject.scope == "day":
                _put_receipt(folder, replace(receipt, subject=subject.key), None)
            for name in OF_A_REPORT:
                if (old / name).exists() and not (folder / name).exists():
                    (folder / name).symlink_to(old / name)

    def _folder(self, receipt: Receipt, subject: Subject) -> Path:
        return self.workspace.reports / subject.key / receipt.template / receipt.digest

    def _note(self, numbers: Iterable[int], days: Iterable[str]) -> None:
        with Catalogue(self.workspace.catalogue, write=True):
            pass  # its tables are there now
        db = sqlite3.connect(self.workspace.catalogue, isolation_level=None)
        db.execute("PRAGMA synchronous=OFF")
        db.execute("BEGIN")
        for n in numbers:
            model, date = self._model(n), _date(n)
            attributes = {**model.attributes, "shot": n, "date": date.isoformat()}
            db.execute(
                "INSERT INTO shots (shot, date, day, attributes) VALUES (?, ?, ?, ?)",
                (n, date.isoformat(), _day(n), json.dumps(attributes)),
            )
            db.executemany(
                "INSERT INTO channels VALUES (?, ?, ?, ?)",
                [(n, path, *found) for path, found in model.channels.items()],
            )
            db.executemany(
                "INSERT INTO sources VALUES (?, ?, ?, '', 1, 'tdms 1', '', ?, 14)",
                [(n, f.name, f.stem, date.isoformat()) for f in model.files],
            )
            self._note_reports(db, model, Subject.shot(n))
        for day in days:
            db.execute("DELETE FROM reports WHERE subject = ?", (day,))
            self._note_reports(db, self._day, Subject.day(day))
        db.execute("COMMIT")
        db.close()
        with Catalogue(self.workspace.catalogue, write=True) as catalogue:
            templates = read_templates(self.workspace.templates)
            testbed = Testbed(self.workspace)
            present = CurrentState(testbed, catalogue)
            if catalogue.mark_changed(fingerprints_of(testbed.declarations, templates, present)):
                _mark_clean(self.workspace.catalogue)

    def _note_reports(self, db: sqlite3.Connection, model: Model, subject: Subject) -> None:
        for _, r in model.reports:
            folder = f"{subject.key}/{r.template}/{r.digest}"
            values = (
                *(folder, r.scope, subject.key, r.template, r.digest, r.state, r.reason, 0, 1),
                *(r.started, r.duration_s, r.template_digest, r.prose_digest, "{}"),
            )
            db.execute(
                f"INSERT INTO reports ({REPORT_COLUMNS}, doubted) VALUES "
                f"({', '.join('?' * len(values))}, 0)",
                values,
            )
            db.executemany(
                "INSERT OR IGNORE INTO scraps VALUES (?, ?, ?, ?, ?)",
                [(folder, s.name, json.dumps(s.value), s.sigma, s.unit) for s in r.scraps],
            )
            key = {model.key: subject.key}
            db.executemany(
                "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (folder, i.kind, i.name, key.get(i.subject, i.subject), i.version, i.digest)
                    for i in r.inputs
                ],
            )


def _workspace(demo: Path, root: Path) -> Workspace:
    root.mkdir(parents=True)
    shutil.copy(demo / MARKER, root)
    for name in ("templates_nb", "calibrations"):
        shutil.copytree(demo / name, root / name)
    return Workspace.at(root)


def _models(demo: Path, place: Path, renderer: str) -> tuple[list[Model], Model]:
    """Return the shots of DEMO whose reports are all ok, and one of its days."""
    source = Workspace.at(demo)
    with Catalogue(source.catalogue) as catalogue:
        rows = catalogue.reports(current=True)
        reports: dict[str, list[tuple[Path, Receipt]]] = {}
        for row in rows:
            if row.scope != "range":
                found = _model_report(source.reports / row.folder, place / row.folder, renderer)
                reports.setdefault(row.subject, []).append(found)
        good = [
            key
            for key, found in sorted(reports.items())
            if key.isdigit() and all(r.state == "ok" for _, r in found)
        ]
        shots = [
            Model(
                key=key,
                files=tuple(sorted(source.shot_folder(int(key)).resolve().glob("*.h5"))),
                attributes=catalogue.attributes(int(key)) or {},
                channels=catalogue.channels(int(key)),
                reports=tuple(reports[key]),
            )
            for key in good
        ]
    day = next(key for key in reports if not key.isdigit())
    empty: dict[str, Any] = {}
    ofday = Model(key=day, files=(), attributes=empty, channels=empty, reports=tuple(reports[day]))
    return shots, ofday


def _model_report(folder: Path, copy: Path, renderer: str) -> tuple[Path, Receipt]:
    """Copy a report and render its body if another renderer made it."""
    shutil.copytree(folder, copy)
    if (copy / NOTEBOOK).is_file() and read_fragment(copy, renderer) is None:
        render_report(copy / NOTEBOOK, copy)
    return copy.resolve(), Receipt.from_json((copy / RECEIPT).read_text(encoding="utf-8"))


def _put_receipt(folder: Path, receipt: Receipt, number: int | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if number is not None:
        key = Subject.shot(number).key
        receipt = replace(
            receipt,
            subject=key,
            parameters={**receipt.parameters, "shot": number},
            inputs=tuple(_moved(receipt, key)),
        )
    (folder / RECEIPT).write_text(receipt.to_json(), encoding="utf-8")


def _moved(receipt: Receipt, key: str) -> Iterator[Any]:
    for i in receipt.inputs:
        yield replace(i, subject=key) if i.subject == receipt.subject else i


def _mark_clean(catalogue: Path) -> None:
    db = sqlite3.connect(catalogue)
    db.execute("UPDATE reports SET doubted = 0")
    db.commit()
    db.close()


def _date(number: int) -> datetime:
    days, place = divmod(number - 1, A_DAY)
    return BEGIN + timedelta(days=days) + place * BETWEEN


def _day(number: int) -> str:
    return f"{_date(number):%Y-%m-%d}"
