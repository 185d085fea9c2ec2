"""The catalogue: what is put in comes out; the newest official report is the current one."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
from itertools import permutations
from pathlib import Path

import pytest

from ishtar.catalogue import (
    MIGRATIONS,
    Catalogue,
    CatalogueError,
    ReportRow,
    ScrapRow,
    SourceRow,
)
from ishtar.catalogue.names import ResultName
from ishtar.errors import WorkspaceError
from ishtar.lineage.record import Input

SOURCE = SourceRow(
    shot=7,
    file="00007_Data.tdms.h5",
    source="00007_Data.tdms",
    sha256="ab" * 32,
    size=17,
    converter="tdms 1",
    writer="LabVIEW",
    arrived="2026-11-22T10:00:00+01:00",
    n_channels=3,
)
REPORT = ReportRow(
    folder="00007/langmuir/aaa",
    scope="shot",
    subject="00007",
    template="langmuir",
    digest="aaa",
    state="ok",
    reason="",
    rerun=False,
    current=True,
    started="2026-11-22T10:00:00.000+01:00",
    duration_s=1.5,
    template_digest="t",
    prose_digest="p",
    parameters={"t_start": 0.5, "gas": None},
)
INPUTS = [
    Input(kind="channel", name="DAQ/U", subject="00007", version="x", digest="1"),
    Input(kind="code", name="ishtar", version="0.1", digest="2"),
]
SCRAPS = [
    ("Te", 4.1, 0.2, "eV"),
    ("mode", "H", None, ""),
    ("ok", True, None, ""),
    ("n", 3, None, ""),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "catalogue.sqlite"


@pytest.fixture
def catalogue(path: Path):
    with Catalogue(path, write=True) as found:
        yield found


def put(catalogue: Catalogue, folder: str = REPORT.folder, **changes: object) -> ReportRow:
    row = dataclasses.replace(REPORT, folder=folder, **changes)  # type: ignore[arg-type]
    catalogue.put_report(row, INPUTS, SCRAPS)
    return row


def current(catalogue: Catalogue) -> list[str]:
    return [row.folder for row in catalogue.reports(current=True)]


# Shots


def test_shots_come_out_as_they_were_put_in(catalogue):
    attributes = {"date": "2026-11-22T10:01:02", "gas": "Ar", "µ": [1, None], "useful": True}
    catalogue.put_shot(7, attributes, [SOURCE])
    catalogue.put_shot(3, {}, [])
    assert catalogue.shots() == [3, 7]
    assert catalogue.attributes(7) == attributes
    assert catalogue.attributes(3) == {}
    assert catalogue.attributes(4) is None
    assert catalogue.sources(7) == [SOURCE]
    assert catalogue.days() == ["2026-11-22"]
    assert catalogue.shots("2026-11-22") == [7]
    assert catalogue.shots("2026-11-23") == []


def test_a_shot_that_is_put_again_replaces_what_was_known(catalogue):
    catalogue.put_shot(7, {"date": "2026-11-22T10:01:02", "gas": "Ar"}, [SOURCE])
    late = dataclasses.replace(SOURCE, file="log.h5", source="log")
    catalogue.put_shot(7, {"date": "2026-11-23T10:01:02"}, [late])
    assert catalogue.attributes(7) == {"date": "2026-11-23T10:01:02"}
    assert catalogue.sources(7) == [late]
    assert catalogue.days() == ["2026-11-23"]


# Reports


def test_reports_come_out_as_they_were_put_in(catalogue):
    row = put(catalogue)
    assert catalogue.reports() == [row]
    assert catalogue.inputs() == {row.folder: INPUTS}
    assert catalogue.inputs([row.folder, "nothing"]) == {row.folder: INPUTS}
    assert catalogue.scraps() == [
        ScrapRow(subject="00007", template="langmuir", name=n, value=v, sigma=s, unit=u)
        for n, v, s, u in sorted(SCRAPS)
    ]
    assert [type(s.value) for s in catalogue.scraps()] == [float, str, int, bool]


def test_reports_are_found_by_what_they_are(catalogue):
    put(catalogue)
    put(catalogue, "00008/langmuir/b", subject="00008")
    put(catalogue, "00007/overview/c", template="overview")
    put(catalogue, "2026-11-22/day/d", template="day", scope="day", subject="2026-11-22")
    put(catalogue, "00007/langmuir/e", rerun=True)
    found = {
        "subject": catalogue.reports(subject="00007"),
        "template": catalogue.reports(template="langmuir"),
        "scope": catalogue.reports(scope="day"),
        "rerun": catalogue.reports(rerun=True),
        "both": catalogue.reports(subject="00007", template="langmuir", rerun=False),
    }
    assert {name: [r.digest + r.folder[-1] for r in rows] for name, rows in found.items()} == {
        "subject": ["aaaa", "aaae", "aaac"],
        "template": ["aaaa", "aaae", "aaab"],
        "scope": ["aaad"],
        "rerun": ["aaae"],
        "both": ["aaaa"],
    }


AT = "2026-11-22T1{}:00:00.000+01:00"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_newest_official_report_is_current_whatever_came_first(catalogue, order):
    rows = [
        ("old", {"started": AT.format(0)}),
        ("new", {"started": AT.format(1), "state": "failed"}),
        ("rerun", {"started": AT.format(2), "rerun": True, "current": True}),
    ]
    for k in order:
        put(catalogue, rows[k][0], **rows[k][1])
    assert current(catalogue) == ["new"]
    assert {s.template for s in catalogue.scraps()} == {"langmuir"}
    assert len(catalogue.scraps()) == len(SCRAPS)


def test_the_night_in_which_the_clocks_go_back_does_not_turn_time_round(catalogue):
    put(catalogue, "later", started="2026-10-25T02:10:00.000+01:00")
    put(catalogue, "earlier", started="2026-10-25T02:50:00.000+02:00")
    assert current(catalogue) == ["later"]
    assert [r.folder for r in catalogue.reports()] == ["earlier", "later"]


def test_a_rerun_is_never_current(catalogue):
    put(catalogue, rerun=True)
    assert current(catalogue) == []
    assert catalogue.inputs() == {}
    assert catalogue.scraps() == []


def test_a_report_that_is_put_again_replaces_itself(catalogue):
    put(catalogue)
    put(catalogue, "other", started=AT.format(3))
    assert current(catalogue) == ["other"]
    row = put(catalogue, started=AT.format(5))
    assert current(catalogue) == [row.folder]
    assert len(catalogue.reports()) == 2
    assert len(catalogue.inputs()[row.folder]) == len(INPUTS)


def test_each_subject_and_template_has_a_current_report_of_its_own(catalogue):
    put(catalogue)
    put(catalogue, "b", subject="00008")
    put(catalogue, "c", template="overview")
    assert current(catalogue) == [REPORT.folder, "c", "b"]


def test_scraps_are_found_by_subject_and_name(catalogue):
    put(catalogue)
    put(catalogue, "b", subject="00008")
    assert {s.subject for s in catalogue.scraps(["00008", "00009"])} == {"00008"}
    assert [s.name for s in catalogue.scraps(["00007", "00008"], "Te")] == ["Te", "Te"]
    assert catalogue.scraps([]) == []


def test_a_change_that_fails_changes_nothing(catalogue):
    put(catalogue)
    with pytest.raises(CatalogueError):
        catalogue.put_report(dataclasses.replace(REPORT, state="x"), INPUTS, [SCRAPS[0]] * 2)
    assert catalogue.reports()[0].state == "ok"


def test_an_interrupted_change_changes_nothing(catalogue):
    put(catalogue)

    def interrupt() -> None:
        with catalogue.transaction():
            catalogue._db.execute("DELETE FROM reports")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert len(catalogue.reports()) == 1


# The file


def test_migrations_run_once_and_opening_again_changes_nothing(path):
    with Catalogue(path, write=True) as c:
        c.put_shot(7, {}, [SOURCE])
    for write in (True, False, True):
        with Catalogue(path, write=write) as c:
            assert c.shots() == [7]
            rows = c._all("SELECT name FROM migrations")
            assert [name for (name,) in rows] == list(MIGRATIONS)


def test_many_that_open_a_new_catalogue_at_once_all_can(tmp_path):
    """SQLite did not wait where one sets the journal's mode: a few in a hundred were refused."""
    failed = []

    def open_it(path: Path, go: threading.Barrier) -> None:
        go.wait()
        try:
            Catalogue(path, write=True).close()
        except Exception as error:
            failed.append(error)

    for k in range(40):
        given = tmp_path / f"{k}.sqlite", threading.Barrier(8)
        threads = [threading.Thread(target=open_it, args=given) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failed == []


def test_readers_see_the_last_whole_state_while_somebody_writes(path, catalogue):
    catalogue.put_shot(7, {}, [SOURCE])
    with Catalogue(path) as reader:
        with catalogue.transaction():
            catalogue._db.execute("INSERT INTO shots (shot, attributes) VALUES (8, '{}')")
            assert reader.shots() == [7]
            with Catalogue(path) as second:
                assert second.shots() == [7]
        assert reader.shots() == [7, 8]
        with pytest.raises(CatalogueError, match="readonly"):
            reader.put_shot(9, {}, [])


def test_what_is_not_there_is_made_by_rebuild(path):
    with pytest.raises(WorkspaceError, match="does not exist: `ishtar rebuild` recreates it"):
        Catalogue(path)


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(
    "content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_catalogue_says_so_in_one_line(path, content, write):
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(
        CatalogueError, match=r"catalogue\.sqlite: .*`ishtar rebuild` recreates"
    ) as e:
        Catalogue(path, write=write)
    assert "\n" not in str(e.value)


def test_damage_inside_is_told_where_it_is_met(path):
    with Catalogue(path, write=True) as c:
        for shot in range(300):
            c.put_shot(shot, {"comment": "x" * 500}, [])
        c._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : -4096] = b"\xff" * (len(content) - 4096 - len(content) // 3)
    path.write_bytes(content)
    told = pytest.raises(CatalogueError, match=r"malformed.*`ishtar rebuild` recreates it")
    with Catalogue(path) as c, told:
        sum(len(c.attributes(shot) or {}) for shot in range(300))


def test_an_empty_file_is_a_catalogue_to_be_made(path):
    path.parent.mkdir()
    path.touch()
    with pytest.raises(CatalogueError, match="no such table"):
        Catalogue(path)
    with Catalogue(path, write=True) as c:
        assert c.shots() == []


def test_a_catalogue_of_another_version_is_not_misread(path, monkeypatch):
    with Catalogue(path, write=True) as c:
        c._db.execute("INSERT INTO migrations VALUES ('999 from the future')")
    with pytest.raises(CatalogueError, match="another version of ishtar"):
        Catalogue(path)
    with pytest.raises(CatalogueError, match="newer ishtar \\(999 from the future\\)"):
        Catalogue(path, write=True)


def test_a_catalogue_that_somebody_else_holds_says_so(path, catalogue, monkeypatch):
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **(k | {"timeout": 0.05})))
    with catalogue.transaction(), Catalogue(path, write=False) as other:
        assert other.shots() == []
        told = pytest.raises(
            CatalogueError, match="locked: another process is writing it: try again"
        )
        with Catalogue(path, write=True) as third, told:  # to open it takes no lock
            third.put_shot(7, {}, [SOURCE])


# Doubt


@pytest.fixture
def read(catalogue):
    """Give a function that writes a report which has read some inputs, and believes in it."""

    def write(folder: str, *inputs: tuple[str, str, str], subject="00007", template="t", scraps=()):
        row = dataclasses.replace(
            REPORT, folder=folder, subject=subject, template=template, rerun=False, current=True
        )
        found = [Input(kind=k, name=n, subject=s, digest="x") for k, n, s in inputs]
        catalogue.put_report(row, found, scraps)
        catalogue.mark_clean([folder])

    return write


def dirty(catalogue) -> list[str]:
    return sorted(r.folder for r in catalogue.dirty(["t", "u", "v"]))


def test_a_new_report_is_dirty_until_somebody_compared_it(catalogue, read):
    read("a")
    assert dirty(catalogue) == []
    catalogue.put_report(dataclasses.replace(REPORT, folder="b", template="u"), [], [])
    assert dirty(catalogue) == ["b"]


def test_a_shot_that_changes_makes_its_readers_dirty_and_no_others(catalogue, read):
    read("a", ("channel", "x", "00007"))
    read("b", ("attribute", "gas", "00008"), template="u")
    catalogue.put_shot(8, {"gas": "He"}, [])
    assert dirty(catalogue) == ["b"]


def test_lists_of_shots_are_dirty_when_a_shot_comes_or_moves_to_another_day(catalogue, read):
    read("day", ("shots", "shots", "2026-11-22"), subject="2026-11-22")
    read("other", ("shots", "shots", "2026-11-23"), subject="2026-11-23", template="u")
    read("range", ("shots", "shots", "00001..00009"), template="v")
    catalogue.put_shot(8, {"date": "2026-11-22T10:00:00"}, [])
    assert dirty(catalogue) == ["day", "range"]
    catalogue.mark_clean(["day", "range"])
    catalogue.put_shot(8, {"date": "2026-11-23T10:00:00"}, [])
    assert dirty(catalogue) == ["day", "other", "range"]
    catalogue.mark_clean(["day", "other", "range"])
    catalogue.put_shot(8, {"date": "2026-11-23T10:00:00", "gas": "Ar"}, [])
    assert dirty(catalogue) == []


def test_readers_of_a_scrap_and_of_queries_are_dirty_when_its_report_is_made_anew(catalogue, read):
    read("reader", ("scraps", "Te", "00007"), subject="2026-11-22")
    read("query", ("shots", "shots", "where Te > 3"), template="u")
    read("other", ("scraps", "Te", "00008"), template="v")
    catalogue.put_report(dataclasses.replace(REPORT, folder="new"), [], SCRAPS)
    assert dirty(catalogue) == ["query", "reader"]


def test_what_changes_in_the_declarations_makes_exactly_its_readers_dirty(catalogue, read):
    read("a", ("calibration", "langmuir_1.I", "00007"))
    read("b", ("calibration", "gauge_1", "00007"), template="u")
    read("c", ("code", "ishtar:x", ""), template="v")
    fingerprints = {("calibration", "langmuir_1.I"): "1", ("calibration", "gauge_1"): "1"}
    catalogue.mark_changed(fingerprints | {("template", "t"): "1", ("code", "ishtar:x"): "1"})
    catalogue.mark_clean(["a", "b", "c"])
    steps = [
        (fingerprints | {("template", "t"): "1", ("code", "ishtar:x"): "1"}, []),
        (
            fingerprints
            | {
                ("calibration", "langmuir_1.I"): "2",
                ("template", "t"): "1",
                ("code", "ishtar:x"): "1",
            },
            ["a"],
        ),
        (fingerprints | {("template", "t"): "1", ("code", "ishtar:x"): "1"}, ["a"]),
        (
            {
                ("calibration", "langmuir_1.I"): "1",
                ("template", "t"): "1",
                ("code", "ishtar:x"): "1",
            },
            ["b"],
        ),
        (
            {
                ("calibration", "langmuir_1.I"): "1",
                ("template", "t"): "2",
                ("code", "ishtar:x"): "1",
            },
            ["a"],
        ),
        (
            {
                ("calibration", "langmuir_1.I"): "1",
                ("template", "t"): "2",
                ("code", "ishtar:x"): "2",
            },
            ["c"],
        ),
    ]
    for now, expected in steps:
        catalogue.mark_changed(now)
        assert dirty(catalogue) == expected
        catalogue.mark_clean(expected)


def test_a_catalogue_keeps_the_channels_of_its_shots(catalogue):
    catalogue.put_shot(7, {}, [SOURCE], {"S7/p": ("a.h5", "1")}, folder_time_ns=5)
    catalogue.put_shot(8, {}, [])
    assert catalogue.channels(7) == {"S7/p": ("a.h5", "1")}
    assert catalogue.channels(8) == {}
    assert catalogue.folder_times_ns() == {7: 5, 8: None}
    catalogue.put_shot(7, {}, [SOURCE], {"S7/q": ("a.h5", "2")}, folder_time_ns=6)
    assert catalogue.channels(7) == {"S7/q": ("a.h5", "2")}


def test_what_results_are_called_is_kept_by_template_and_the_newest_report_decides(catalogue):
    assert catalogue.result_names() == {}
    old, new = "2026-11-22T10:00:00.000+01:00", "2026-11-22T09:30:00.000+00:00"
    for started, label in ((new, "temperature of electrons"), (old, "electron temperature")):
        row = dataclasses.replace(REPORT, folder=label, started=started)
        catalogue.put_report(
            row, INPUTS, SCRAPS, [ResultName("Te", label, "T_e"), ResultName("n", "", "")]
        )
    kept = {REPORT.template: [ResultName("Te", "temperature of electrons", "T_e")]}
    assert catalogue.result_names() == kept
    put(catalogue, "says nothing", started="2026-11-23T10:00:00.000+01:00")
    assert catalogue.result_names() == kept


def shard(shots: dict[int, list[str]]) -> str:
    """Return a shard of the site that shows these problems."""
    return json.dumps(
        {
            "shot": list(shots),
            "problems": list(shots.values()),
            "states": {"t": [None] * len(shots)},
        }
    )


def test_what_pages_show_is_copied_from_the_shards_that_changed(tmp_path, caplog):
    with Catalogue(tmp_path / "catalogue.sqlite", write=True) as catalogue:
        for shot in (1, 2, 250):
            catalogue.put_shot(shot, {}, [])
        (tmp_path / "0000.json").write_text(shard({1: ["odd"], 2: []}))
        (tmp_path / "0001.json").write_text(shard({250: ["odd", "old"]}))
        (tmp_path / "0000.json.tmp").write_text("{")
        (tmp_path / "notes.json").write_text("{")
        catalogue.put_shown(tmp_path, 200, {})
        assert catalogue.find("problems > 0") == [1, 250]
        assert catalogue.find("problems ~ old") == [250]

        (tmp_path / "0000.json").write_text(shard({1: [], 2: ["odd", "and new"]}))
        (tmp_path / "0001.json").unlink()  # its shots are gone
        catalogue.put_shown(tmp_path, 200, {})
        assert catalogue.find("problems > 0") == [2]
        assert catalogue.find("missing(problems)") == [250]

        (tmp_path / "0000.json").write_text('{"shot": [1]}')
        (tmp_path / "0001.json").write_text(shard({250: ["back"]}))
        catalogue.put_shown(tmp_path, 200, {})
        assert catalogue.find("problems > 0") == [250]  # a damaged one costs itself alone
        assert "0000.json cannot be read" in caplog.text
        (tmp_path / "0000.json").write_text(shard({1: ["odd"]}))
        catalogue.put_shown(tmp_path, 200, {})
        assert catalogue.find("problems > 0") == [1, 250]


def test_attributes_and_scraps_named_problems_go_first(tmp_path):
    with Catalogue(tmp_path / "catalogue.sqlite", write=True) as catalogue:
        catalogue.put_shot(1, {"problems": 7}, [])
        (tmp_path / "0000.json").write_text(shard({1: ["odd"]}))
        catalogue.put_shown(tmp_path, 200, {})
        assert catalogue.find("problems = 7") == [1]
        assert catalogue.find("odd") == [1]
        assert catalogue.names().count("problems") == 1
