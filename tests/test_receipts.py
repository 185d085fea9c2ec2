"""Receipts: what is written is read back, and anything else is damage, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ishtar.lineage.record import Input
from runner.receipts import (
    FORMAT,
    RECEIPT,
    DamagedReceipt,
    Receipt,
    Scrap,
    Subject,
    identity,
    read_receipts,
    receipts,
    report_folder,
)

GOOD = Receipt(
    scope="shot",
    subject="00007",
    template="langmuir",
    title="Langmuir probe",
    template_digest="a" * 64,
    parameters={"shot": 7, "gas": None},
    state="ok",
    digest="b" * 20,
    inputs=(Input(kind="signal", name="Lang_I", subject="00007", version="1", digest="c"),),
    scraps=(Scrap(name="Te", value=4.1, sigma=0.2, unit="eV"), Scrap(name="mode", value="H")),
    figures=("figure-1.png",),
    started="2026-11-22T10:00:00+00:00",
    duration_s=1.5,
)


def write(folder: Path, content: bytes) -> Path:
    place = folder / "00007" / "langmuir" / GOOD.digest
    place.mkdir(parents=True)
    (place / RECEIPT).write_bytes(content)
    return place


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    data = json.loads(GOOD.to_json())
    change(data)
    return json.dumps(data).encode()


def test_a_receipt_is_read_back_as_it_was_written(tmp_path):
    assert Receipt.read(write(tmp_path, GOOD.to_json().encode())) == GOOD


def test_a_receipt_from_before_results_had_labels_is_read(tmp_path):
    def without_labels(data: dict[str, Any]) -> None:
        for scrap in data["scraps"]:
            del scrap["label"], scrap["symbol"]

    assert Receipt.read(write(tmp_path, changed(without_labels))) == GOOD


def test_labels_are_read_back():
    named = replace(GOOD, scraps=(Scrap(name="Te", value=4.1, label="temperature", symbol="T_e"),))
    assert Receipt.from_json(named.to_json()) == named


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b"[1, 2]",
        GOOD.to_json().encode()[:200],
        changed(lambda d: d.update(state="great")),
        changed(lambda d: d.update(parameters=None)),
        changed(lambda d: d.update(subject="../../x")),
        changed(lambda d: d.update(started="yesterday")),
        changed(lambda d: d.update(duration_s="long")),
        changed(lambda d: d.update(figures=[1])),
        changed(lambda d: d["scraps"][0].update(unit=3)),
        changed(lambda d: d["scraps"][0].update(value=[1])),
        changed(lambda d: d["inputs"][0].pop("kind")),
        changed(lambda d: d.pop("template")),
    ],
)
def test_anything_else_is_damage_that_names_the_file(tmp_path, content):
    place = write(tmp_path, content)
    with pytest.raises(DamagedReceipt, match="run the report again") as told:
        Receipt.read(place)
    assert str(place / RECEIPT) in str(told.value)
    assert [type(receipt) for _, receipt in read_receipts(tmp_path)] == [DamagedReceipt]


def test_a_folder_in_the_place_of_a_receipt_is_damage(tmp_path):
    (tmp_path / "00007" / "langmuir" / "x" / RECEIPT).mkdir(parents=True)
    assert [type(receipt) for _, receipt in read_receipts(tmp_path)] == [DamagedReceipt]


def test_a_receipt_that_is_not_there_is_no_damage(tmp_path):
    with pytest.raises(FileNotFoundError):
        Receipt.read(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "receipt format 2"),
        ({"format": 2, "new": 1}, "receipt format 2"),
        ({"new": 1}, "receipt format 1"),
        ({"figures": ["a.png", 1]}, "a figure's name is not a text"),
        ({"scope": "day"}, "00007 is not a day"),
    ],
)
def test_what_another_version_has_written_is_damage(change, told):
    with pytest.raises(DamagedReceipt, match=told):
        Receipt.from_json(changed(lambda d: d.update(change)).decode())


def test_the_format_is_held_by_its_value():
    """A new one makes all reports anew."""
    assert FORMAT == 1
    assert GOOD.to_json().startswith('{\n "scope": "shot",\n "subject": "00007",')
    assert "µ" in replace(GOOD, title="µ").to_json()
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(GOOD, duration_s=float("nan")).to_json()


# --- subjects ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "scope", "key", "text"),
    [
        (Subject.shot(7), "shot", "00007", "shot 7"),
        (Subject.shot(20260042), "shot", "20260042", "shot 20260042"),
        (Subject.day("2026-11-22"), "day", "2026-11-22", "2026-11-22"),
        (Subject.range(1, 12), "range", "00001..00012", "00001..00012"),
    ],
)
def test_a_subject_is_read_back_from_its_folder(subject, scope, key, text):
    assert (subject.scope, subject.key, str(subject)) == (scope, key, text)
    assert Subject.parse(key) == subject
    if scope == "shot":
        assert subject.number == int(key)


@pytest.mark.parametrize("key", ["", "7", "0007", "..", "2026-1-2", "1..2", "00001..", ".tmp"])
def test_what_is_no_subject_is_refused(key):
    with pytest.raises(ValueError, match="is not the name of a shot, day or range"):
        Subject.parse(key)


def test_a_receipt_says_what_it_is_about():
    assert GOOD.about == Subject.shot(7)
    assert replace(GOOD, scope="day", subject="2026-11-22").about == Subject.day("2026-11-22")


# --- identity ----------------------------------------------------------------------------------


COMPARED = ("kind", "name", "subject", "digest")


def test_the_identity_is_that_of_what_a_report_was_made_from():
    first = identity(GOOD)
    assert first == "79bca2a795804a74f153"
    for same in ({"title": "x"}, {"state": "failed"}, {"scraps": ()}, {"duration_s": 9.0}):
        assert identity(replace(GOOD, **same)) == first
    signal = GOOD.inputs[0]
    others = [
        {"template": "x"},
        {"template_digest": "x"},
        {"parameters": {"shot": 8}},
        {"rerun": True},
        {"inputs": ()},
        {"inputs": (signal, signal)},
        *(
            {"inputs": (replace(signal, **{f: "x"}),)}
            for f in ("kind", "name", "subject", "digest")
        ),
    ]
    found = [identity(replace(GOOD, **other)) for other in others]
    assert len({first, *found}) == len(others) + 1


def test_reports_are_found_in_a_fixed_order_and_half_ones_are_not(tmp_path):
    places = [
        report_folder(tmp_path, subject, template, digest)
        for subject in (Subject.shot(2), Subject.shot(1), Subject.day("2026-11-22"))
        for template in ("b", "a")
        for digest in ("2", "1")
    ]
    assert places[0] == tmp_path / "00002" / "b" / "2"
    hidden = [tmp_path / "00001" / "a" / ".tmp", tmp_path / ".old" / "a" / "1"]
    for place in (*places, *hidden):
        place.mkdir(parents=True)
        (place / RECEIPT).write_text("")
    assert list(receipts(tmp_path)) == sorted(place / RECEIPT for place in places)
    of_one = list(receipts(tmp_path, Subject.shot(1)))
    assert [p.parent for p in of_one] == sorted(p for p in places if p.parts[-3] == "00001")
