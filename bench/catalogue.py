"""Time of queries over a catalogue of 100,000 shots × 20 scraps.

    python bench/catalogue.py [--shots 100000] [--keep FILE]

The catalogue is filled in bulk, as by a rebuild; then a sample of shots goes through the
coordinator's functions, to measure the cost of one new report. Each query's answer is compared with
the same condition computed by numpy, so that a fast wrong answer does not count. The peer is the
same query over the tables without the index.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.catalogue.rows import REPORT_COLUMNS
from ishtar.query import index as known
from ishtar.query.sql import find

N_SCRAPS = 20
TEMPLATES = ("langmuir", "rf_coupling", "magnetic_field", "data_quality")
Columns = dict[str, Any]


def main() -> None:
    """Make the catalogue, then measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shots", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="keep the catalogue here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = options.keep or Path(folder) / "catalogue.sqlite"
        columns = truth(options.shots)
        begin = time.perf_counter()
        fill(path, columns)
        print(f"{options.shots} shots × {N_SCRAPS} scraps, {path.stat().st_size / 1e6:.0f} MB")
        print(f"  filled in bulk         {time.perf_counter() - begin:8.1f} s")
        index_all(path, options.shots)
        measure(path, columns)


def truth(n: int) -> Columns:
    """Return the values of every shot by name; NaN if it has none."""
    rng = np.random.default_rng(1)
    shots = np.arange(1, n + 1)
    days = np.datetime64("2022-01-01") + shots // 60
    scraps = rng.uniform(0, 1000, (N_SCRAPS, n))
    scraps[0, rng.random(n) < 0.05] = np.nan  # some shots have no Te
    names = ["Te", "max_IC_Pinj", *(f"scrap_{k}" for k in range(N_SCRAPS - 2))]
    return {
        "shot": shots,
        "date": np.array([f"{d}T10:00:00" for d in days]),
        "gas": rng.choice(["Ar", "He"], n),
        "useful": rng.random(n) < 0.7,
        **dict(zip(names, scraps, strict=True)),
    }


def scrap_names(columns: Columns) -> list[str]:
    """Return the names of the scraps."""
    return list(columns)[4:]


def fill(path: Path, columns: Columns) -> None:
    """Write shots, reports and scraps as `Catalogue.put_*` would, in one transaction."""
    Catalogue(path, write=True).close()
    db = sqlite3.connect(path, isolation_level=None)
    rows = zip(*(columns[name].tolist() for name in ("shot", "date", "gas", "useful")), strict=True)
    names = scrap_names(columns)
    of_template = {t: names[k :: len(TEMPLATES)] for k, t in enumerate(TEMPLATES)}
    db.execute("BEGIN")
    db.executemany(
        "INSERT INTO shots (shot, date, day, attributes) VALUES (?, ?, ?, ?)",
        (
            (n, date, date[:10], json.dumps({"date": date, "gas": gas, "useful": useful}))
            for n, date, gas, useful in rows
        ),
    )
    for template, mine in of_template.items():
        shots = columns["shot"].tolist()
        db.executemany(
            f"INSERT INTO reports ({REPORT_COLUMNS}) VALUES (?, 'shot', ?, ?, 'x', 'ok', '', 0, 1, "
            "'2026', 1.0, 'x', 'x', '{}')",
            ((f"{n:05d}/{template}/x", f"{n:05d}", template) for n in shots),
        )
        for name in mine:
            db.executemany(
                "INSERT INTO scraps VALUES (?, ?, ?, 1.0, 'eV')",
                (
                    (f"{n:05d}/{template}/x", name, json.dumps(v))
                    for n, v in zip(shots, columns[name].tolist(), strict=True)
                ),
            )
    db.execute("COMMIT")
    db.close()


def index_all(path: Path, n: int) -> None:
    """Build the index as a migration does; then time one more report, as the coordinator does."""
    db = sqlite3.connect(path, isolation_level=None)
    begin = time.perf_counter()
    db.execute("BEGIN")
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'known'").fetchone():
        for statement in known.MIGRATION.split(";"):
            db.execute(statement)
    known.reindex(db)
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    print(f"  indexed from nothing   {time.perf_counter() - begin:8.1f} s")
    db.close()
    with Catalogue(path, write=True) as catalogue:
        (report,) = catalogue.reports(subject=f"{n:05d}", template=TEMPLATES[0])
        scraps = [(s.name, s.value, s.sigma, s.unit) for s in catalogue.scraps([report.subject])]
        again(catalogue, report, scraps)
    print(f"  file                   {path.stat().st_size / 1e6:8.0f} MB")


def again(catalogue: Catalogue, report: ReportRow, scraps: list[Any]) -> None:
    """Put one report a hundred times."""
    mine = [s for s in scraps if s[0] in ("Te", "scrap_2", "scrap_6", "scrap_10", "scrap_14")]
    begin = time.perf_counter()
    for _ in range(100):
        catalogue.put_report(report, [], mine)
    each = (time.perf_counter() - begin) / 100
    begin = time.perf_counter()
    db = sqlite3.connect(catalogue.path, isolation_level=None)
    for _ in range(100):
        db.execute("BEGIN IMMEDIATE")
        known.index_report(db, report.subject, report.template)
        db.execute("COMMIT")
    db.close()
    index = (time.perf_counter() - begin) / 100
    print(f"  put_report             {each * 1e3:8.2f} ms, indexing it {index * 1e3:.2f} ms")


def best(f: Callable[[], Any], repeats: int = 7) -> tuple[float, float, Any]:
    """Return the first and the shortest time of some calls, in ms, and the result."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        result = f()
        times.append((time.perf_counter() - begin) * 1e3)
    return times[0], min(times), result


def measure(path: Path, columns: Columns) -> None:
    """Run all queries, check the answers, print the times."""
    c = columns
    te, power, date = c["Te"], c["max_IC_Pinj"], c["date"]
    ar = c["gas"] == "Ar"
    late = date >= "2026-01-01"
    asked: dict[str, Any] = {
        "gas == 'Ar' and max_IC_Pinj > 500 and date >= '2026-01-01'": ar & (power > 500) & late,
        "gas == 'Ar' and max_IC_Pinj > 500": ar & (power > 500),
        "gas == 'Ar' or max_IC_Pinj > 500": ar | (power > 500),
        "max_IC_Pinj > 999": power > 999,
        "useful and not Te < 100 and scrap_0 + scrap_1 > 3 * scrap_2": (
            c["useful"] & (te >= 100) & (c["scrap_0"] + c["scrap_1"] > 3 * c["scrap_2"])
        ),
        "missing(Te)": np.isnan(te),
        "day == 2024-05-05": np.char.startswith(date, "2024-05-05"),
        "langmuir.Te.sigma < 2 and 100 < Te <= 200": (te > 100) & (te <= 200),
        "shot in 1200..1250": (c["shot"] >= 1200) & (c["shot"] <= 1250),
        " and ".join(f"scrap_{k} > 10" for k in range(8)): np.logical_and.reduce(
            [c[f"scrap_{k}"] > 10 for k in range(8)]
        ),
    }
    db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
    print(f"\n{'first':>9}{'best of 7':>11}{'shots':>8}  query")
    for text, truth_mask in asked.items():
        first, least, found = best(lambda text=text: find(db, text))
        assert found == c["shot"][truth_mask].tolist(), text
        print(f"{first:6.1f} ms{least:8.1f} ms{len(found):8d}  {text}")
    plain = (
        "SELECT s.shot FROM shots s JOIN reports r ON r.subject = printf('%05d', s.shot) AND "
        "r.current JOIN scraps p ON p.folder = r.folder AND p.name = 'max_IC_Pinj' WHERE "
        "json_extract(s.attributes, '$.gas') = 'Ar' AND json_extract(p.value, '$') > 500 "
        "ORDER BY s.shot"
    )
    first, least, found = best(lambda: [n for (n,) in db.execute(plain)], 2)
    assert found == c["shot"][ar & (power > 500)].tolist()
    print(f"{first:6.1f} ms{least:8.1f} ms{len(found):8d}  the second query, without the index")


if __name__ == "__main__":
    main()
