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
                made = report(int(number), template, state)
                catalogue.put_report(made, [], rows, called[template])
        yield catalogue


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


@pytest.mark.parametrize("text", ["problems > 0", "problems ~ x", "langmuir = out of date"])
def test_what_only_the_site_knows_is_refused_in_the_library(
    catalogue: Catalogue, text: str
) -> None:
    """No answer is better than a wrong one."""
    with pytest.raises(QueryError, match="the site"):
        catalogue.find(text)
