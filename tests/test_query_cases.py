"""The cases of tests/query_cases.json in the library and on the command line.

The site's scripts are held to the same by tests/site_scripts/query.test.js.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.catalogue.names import ResultName
from ishtar.query.query_tree import QueryError
from runner.cli.selection import choose_shots

CASES: Any = json.loads((Path(__file__).parent / "query_cases.json").read_text())


def report(shot: int, template: str, state: str) -> ReportRow:
    """Return a report of a template for a shot."""
    return ReportRow(
        folder=f"{shot:05d}/{template}/d",
        scope="shot",
        subject=f"{shot:05d}",
        template=template,
        digest="d",
        state=state,
        reason="",
        rerun=False,
        current=True,
        started="2026-11-22T10:00:00+01:00",
        duration_s=1.0,
        template_digest="t",
        prose_digest="p",
        parameters={},
    )


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalogue]:
    """The shots of the cases."""
    units = {(r["template"], r["name"]): r["unit"] for r in CASES["results"]}
    called = {
        t["name"]: [
            ResultName(r["name"], r["label"], r["symbol"])
            for r in CASES["results"]
            if r["template"] == t["name"]
        ]
        for t in CASES["templates"]
    }
    path = tmp_path_factory.mktemp("cases") / "catalogue.sqlite"
    with Catalogue(path, write=True) as catalogue:
        for number, shot in CASES["shots"].items():
            catalogue.put_shot(int(number), shot["attributes"], [])
            for template, state in shot.get("states", {}).items():
                scraps = shot.get("scraps", {}).get(template, {})
                rows = [
                    (name, number_of(value), number_of(sigma), units[template, name])
                    for name, (value, sigma) in scraps.items()
                ]
                made = report(int(number), template, "ok" if state == "stale" else state)
                catalogue.put_report(made, [], rows, called[template])
        publish(catalogue, path.parent / "shards")
        yield catalogue


def publish(catalogue: Catalogue, folder: Path) -> None:
    """Let a catalogue know what the site shows of the shots of the cases."""
    folder.mkdir()
    for shard in {int(number) // 200 for number in CASES["shots"]}:
        shots = {int(n): s for n, s in CASES["shots"].items() if int(n) // 200 == shard}
        templates = [t["name"] for t in CASES["templates"]]
        table = {
            "shot": list(shots),
            "problems": [shot.get("problems", []) for shot in shots.values()],
            "states": {
                t: [shot.get("states", {}).get(t) for shot in shots.values()] for t in templates
            },
        }
        (folder / f"{shard:04d}.json").write_text(json.dumps(table))
    catalogue.put_shown(folder, 200, {t["name"]: t["title"] for t in CASES["templates"]})


def number_of(value: Any) -> Any:
    """Return NaN for its text, which JSON has to have."""
    return float("nan") if value == "nan" else value


@pytest.mark.parametrize(("text", "shots"), CASES["find"])
def test_library_and_command_line_find_the_same(
    catalogue: Catalogue, text: str, shots: list[int]
) -> None:
    """Every text has the shots of the table, wherever it is typed."""
    assert catalogue.find(text) == shots
    if text not in ("450",):  # on the command line, a number must be there
        assert choose_shots(catalogue, text) == shots


@pytest.mark.parametrize(("text", "at", "says"), CASES["mistakes"])
def test_a_mistake_is_told_at_its_place(
    catalogue: Catalogue, text: str, at: int | None, says: str
) -> None:
    """Every mistake of the table is an error at the same place."""
    with pytest.raises(QueryError) as caught:
        choose_shots(catalogue, text)
    assert says in str(caught.value)
    assert at is None or caught.value.at == at


@pytest.mark.parametrize(("older", "text", "shots"), CASES["old"])
def test_a_link_of_older_pages_as_a_query_finds_what_it_found(
    catalogue: Catalogue, older: str, text: str, shots: list[int]
) -> None:
    """What the site makes of an older filter means the same in the library."""
    assert catalogue.find(text) == shots, older


NOT_BEFORE_A_PUBLICATION = ["problems > 0", "problems ~ x", "missing(problems)", "rf = out of date"]


@pytest.mark.parametrize("text", NOT_BEFORE_A_PUBLICATION)
def test_what_no_publication_has_shown_is_refused(tmp_path: Path, text: str) -> None:
    """No answer is better than a wrong one; the message says what to do."""
    with Catalogue(tmp_path / "catalogue.sqlite", write=True) as catalogue:
        catalogue.put_shot(1, {}, [])
        catalogue.put_report(report(1, "rf", "ok"), [], [])
        with pytest.raises(QueryError, match="run `ishtar publish`"):
            catalogue.find(text)
        assert catalogue.find("rf = ok") == [1]


def test_a_report_does_not_depend_on_what_is_out_of_date(catalogue: Catalogue) -> None:
    """It would be made again for ever: making it changes what is out of date."""
    with pytest.raises(QueryError, match="no report can depend on"):
        catalogue.find("echo = out of date", for_report=True)
    assert catalogue.find("echo = ok", for_report=True) == [1, 2, 5]
    assert catalogue.find("problems > 0", for_report=True) == [1240]
