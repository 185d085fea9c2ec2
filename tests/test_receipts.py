"""Receipts: what is written is read back, and anything else is damage, whatever it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ishtar.lineage import Input
from runner.receipts import RECEIPT, DamagedReceipt, Receipt, Scrap, read_receipts

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
