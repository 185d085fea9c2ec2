"""How a shot is cited: a sentence on its page, and a record that catalogues of data read."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from runner.publish import publish
from runner.publish.citation import citation, version_of
from runner.receipts import Subject
from runner.settings.facility import Facility
from tests.notebook_fakes import MARKUP
from tests.site_fakes import FIRST, campaign

pytestmark = pytest.mark.whole

URL = "https://shots.example.org/archive/"
NUMBER = FIRST + 8


class Scripts(HTMLParser):
    """The scripts of a page as a browser parses them, by type."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.inside = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.inside = tag == "script"
        if self.inside:
            self.found.append((dict(attrs).get("type", ""), ""))

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            kind, text = self.found[-1]
            self.found[-1] = kind, text + data


@pytest.fixture
def source(tmp_path):
    found = campaign(tmp_path)
    found.facility = Facility(name="Helicon testbed", url=URL)
    return found


def page_of(source, tmp_path, number=NUMBER):
    publish(source, tmp_path / "public", only={Subject.shot(number)})
    return (tmp_path / "public" / f"shots/{number:05d}/index.html").read_text(encoding="utf-8")


def record_of(text):
    (record,) = [inner for kind, inner in Scripts(text).found if kind == "application/ld+json"]
    return json.loads(record)


def test_the_record_describes_the_shot_as_a_dataset(source, tmp_path):
    found = record_of(page_of(source, tmp_path))
    assert (found["@context"], found["@type"]) == ("https://schema.org/", "Dataset")
    assert found["name"] == f"Shot {NUMBER} of Helicon testbed"
    assert found["identifier"] == found["url"] == f"{URL}shots/{NUMBER:05d}/index.html"
    assert found["creator"] == {"@type": "Organization", "name": "Helicon testbed", "url": URL}
    assert found["dateCreated"] == source.records[NUMBER].date.isoformat()
    assert found["version"] == version_of(source.records[NUMBER])


def test_the_record_names_signals_with_units_files_and_raw_files(source, tmp_path):
    found = record_of(page_of(source, tmp_path))
    measured = {v["name"]: v for v in found["variableMeasured"]}
    assert {name: v["unitText"] for name, v in measured.items()} == {
        "Lang_U": "V",
        "Lang_I": "A",
        "IC_Pfwd": "W",
    }  # n_line has no calibration, so that nothing is measured
    assert measured["Lang_I"]["description"] == "shunt_2, calibration v3"
    assert {s["name"]: s["sha256"] for s in found["isBasedOn"]} == {
        s.name: s.sha256 for s in source.records[NUMBER].sources
    }
    files = {d["contentUrl"]: d["encodingFormat"] for d in found["distribution"]}
    assert files[f"{URL}shots/{NUMBER:05d}/shot.json"] == "application/json"


@pytest.mark.parametrize(
    "comment",
    [MARKUP, "</script><script>alert(1)</script>", "<!--<script>", "]]>", "\u2028 \" ' \\ & é"],
)
def test_no_text_of_a_shot_ends_the_record(source, tmp_path, comment):
    shot = source.records[NUMBER]
    source.records[NUMBER] = replace(shot, attributes={**shot.attributes, "comment": comment})
    text = page_of(source, tmp_path)
    assert " ".join(comment.split()) in record_of(text)["description"]
    assert not any(inner.strip() for kind, inner in Scripts(text).found if not kind)


def test_readers_are_told_how_to_cite(source, tmp_path):
    version = version_of(source.records[NUMBER])
    address = f"{URL}shots/{NUMBER:05d}/index.html"
    wanted = f"Helicon testbed (2026): Shot {NUMBER}. Version {version}. {address}"
    assert f"<p>{wanted}</p>" in page_of(source, tmp_path)


def test_without_an_address_nothing_is_made_up(source, tmp_path):
    source.facility = Facility(name="Helicon testbed")
    found = record_of(page_of(source, tmp_path))
    assert not {"identifier", "url", "@id"} & found.keys()
    assert found["creator"] == {"@type": "Organization", "name": "Helicon testbed"}
    assert "shot.json" in {d["contentUrl"] for d in found["distribution"]}  # from the page


def test_without_a_date_no_year_is_made_up(source):
    shot = replace(source.records[NUMBER], date=None)
    found = citation(source.facility, shot, "shots/x/index.html", "A shot.", [])
    version = version_of(shot)
    address = f"{URL}shots/x/index.html"
    assert found.text == f"Helicon testbed: Shot {NUMBER}. Version {version}. {address}"
    assert not {"dateCreated", "distribution"} & found.record.keys()


def test_a_version_changes_with_the_values_alone(source):
    shot = source.records[NUMBER]
    first, *others = shot.wiring
    again = replace(first, made="after a new calibration")
    assert version_of(replace(shot, wiring=[again, *others])) != version_of(shot)
    torn = replace(shot.sources[0], sha256="0" * 64)
    assert version_of(replace(shot, sources=[torn, *shot.sources[1:]])) != version_of(shot)
    assert version_of(replace(shot, attributes={"gas": "H"}, problems=["x"])) == version_of(shot)
    assert version_of(replace(shot, sources=shot.sources[::-1])) == version_of(shot)
