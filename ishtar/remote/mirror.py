"""Attributes and scraps of all shots of a site, mirrored in a local catalogue for queries.

The catalogue is in a temporary folder that is removed with the testbed. The first query fetches the
attributes; the first query that names a scrap of a template fetches the template's scraps.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from ishtar.catalogue import Catalogue, shown
from ishtar.catalogue.rows import REPORT_COLUMNS
from ishtar.lineage.record import subject_of
from ishtar.query import index as known
from ishtar.remote.fetch import NotThere, Site
from ishtar.remote.site_values import number_of

AT_ONCE = 4  # requests
ATTRIBUTES = ("gas", "program", "operator", "comment")


class Mirror:
    """A catalogue of a site's shots, filled on demand."""

    def __init__(self, site: Site, index: Mapping[str, Any]) -> None:
        self._site = site
        self._index = index
        folder = Path(tempfile.mkdtemp(prefix="ishtar-"))
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.path = folder / "catalogue.sqlite"
        self._fetched: set[str] = set()  # templates; an empty name for the attributes
        Catalogue(self.path, write=True).close()
        self._stamps: Mapping[str, str] = (index.get("archive") or {}).get("stamps", {})
        self._slugs = {s["template"]: s["slug"] for s in index["scraps"]}

    def catalogue(self, names: Iterable[str]) -> Catalogue:
        """Open it with all scraps that names may mean: ``Te``, ``langmuir.Te``, ``Te.sigma``."""
        wanted = set()
        for name in names:
            base = name.removesuffix(".sigma")
            template, _, bare = base.rpartition(".")
            wanted |= {
                s["template"]
                for s in self._index["scraps"]
                if s["name"] == base or (s["name"] == bare and s["template"] == template)
            }
        self._fetch(["", *sorted(wanted)])
        return Catalogue(self.path)

    def _fetch(self, templates: Iterable[str]) -> None:
        """Fetch the scraps of some templates; an empty name means the attributes."""
        missing = [t for t in templates if t not in self._fetched]
        if not missing:
            return
        with closing(sqlite3.connect(self.path)) as db, db:
            shown.put_titles(db, {t["name"]: t["title"] for t in self._index["templates"]})
            wanted = [(template, shard) for template in missing for shard in self._index["shards"]]
            with ThreadPoolExecutor(AT_ONCE) as pool:  # each takes a round trip
                tables = pool.map(self._table, wanted)
                for (template, shard), table in zip(wanted, tables, strict=True):
                    if table is None:
                        continue  # no shot of this shard has a report of the template
                    if template:
                        _put_scraps(db, template, table)
                    else:
                        _put_attributes(db, shard, table)
            known.reindex(db)
            # the index of the site has the names of all scraps, also of those not fetched yet
            db.executemany(
                "INSERT OR IGNORE INTO names (template, name) VALUES (?, ?)",
                [(s["template"], s["name"]) for s in self._index["scraps"]],
            )
        self._fetched |= set(missing)

    def _table(self, wanted: tuple[str, int]) -> Any:
        """Return what the site has of a template, or of all shots, in a shard."""
        template, shard = wanted
        stamp = self._stamps.get(f"{shard:04d}", "")
        if not template:
            return self._site.json(f"data/shots/{shard:04d}.json", stamp)
        try:
            return self._site.json(f"data/scraps/{self._slugs[template]}/{shard:04d}.json", stamp)
        except NotThere:
            return None


def _put_attributes(db: sqlite3.Connection, shard: int, table: Mapping[str, Any]) -> None:
    columns = {name: table[name] for name in ATTRIBUTES} | table["attributes"]
    columns["date"] = table["date"]
    for i, shot in enumerate(table["shot"]):
        stated = {name: number_of(x[i]) for name, x in columns.items() if x[i] is not None}
        date = table["date"][i]
        row = (shot, date, date and date[:10], json.dumps(stated))
        db.execute("INSERT INTO shots (shot, date, day, attributes) VALUES (?, ?, ?, ?)", row)
    for template, states in table["states"].items():
        for shot, state in zip(table["shot"], states, strict=True):
            if state is not None:
                _put_report(db, template, shot, "ok" if state == "stale" else state)
    if table["shot"]:
        ends = table["shot"][0], table["shot"][-1]
        shown.put_shown(db, shown.shown_in_shard(table), *ends)
    name = f"{shard:04d}.json"
    db.execute("INSERT OR REPLACE INTO shown_files VALUES (?, 'fetched')", (name,))


def _put_scraps(db: sqlite3.Connection, template: str, table: Mapping[str, Any]) -> None:
    for name, column in table["columns"].items():
        rows = zip(table["shot"], column["value"], column["sigma"], strict=True)
        db.executemany(
            "INSERT INTO scraps VALUES (?, ?, ?, ?, ?)",
            [
                (
                    f"{subject_of(shot)}/{template}",
                    name,
                    json.dumps(number_of(value)),
                    number_of(sigma),
                    column["unit"],
                )
                for shot, value, sigma in rows
                if value is not None or sigma is not None
            ],
        )


def _put_report(db: sqlite3.Connection, template: str, shot: int, state: str) -> None:
    """Insert a report of which no more than its state is known."""
    values = dict.fromkeys(REPORT_COLUMNS.split(", "), "") | {
        "folder": f"{subject_of(shot)}/{template}",
        "scope": "shot",
        "subject": subject_of(shot),
        "template": template,
        "state": state,
        "rerun": 0,
        "current": 1,
        "duration_s": 0.0,
        "parameters": "{}",
    }
    marks = ", ".join("?" * len(values))
    sql = f"INSERT INTO reports ({REPORT_COLUMNS}) VALUES ({marks})"
    db.execute(sql, list(values.values()))
