"""The identity of what a report reads: another for anything that its reader could notice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ishtar.inputs import identity
from ishtar.lineage.record import ABSENT


@dataclass(frozen=True, kw_only=True)
class Row:
    template: str = "probe"
    name: str = "Te"
    value: Any = 4.0
    sigma: float | None = 0.1
    unit: str = "eV"


def shots(*numbers: int) -> str:
    return identity.shots_input(numbers, "2026-11-22").digest


def scrap(**changed: Any) -> str:
    return identity.scrap_input(Row(**changed), "Te", "00001").digest


def scraps(*names: str, template: str = "probe") -> str:
    rows = [Row(name=name) for name in names] + [Row(name="other", template="t")]
    return identity.scraps_input(rows, template, "00001").digest


def channels(*paths: str) -> str:
    return identity.channels_input(paths, 1).digest


def sources(*stored: tuple[str, str]) -> str:
    return identity.sources_input(stored, 1).digest


def attribute(value: Any) -> str:
    return identity.attribute_input("gas", value, 1).digest


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (shots(1, 2), shots(1, 3)),  # as many, but others
        (shots(1, 2), shots(1, 2, 3)),
        (shots(), shots(1)),
        (scrap(), scrap(value=4.1)),
        (scrap(), scrap(sigma=0.2)),  # the value is less certain than it was
        (scrap(), scrap(sigma=None)),
        (scrap(), scrap(unit="J")),
        (scrap(value=None), ABSENT),  # a result without a value is not none
        (scrap(value=1), scrap(value=True)),
        (scraps("Te", "ne"), scraps("Te", "Vp")),
        (scraps("Te"), ABSENT),
        (channels("a/x", "a/y"), channels("a/x", "a/z")),
        (sources(("a.tdms", "1")), sources(("a.tdms", "2"))),
        (sources(("a.tdms", "1")), sources(("b.tdms", "1"))),
        (attribute("Ar"), attribute("He")),
        (attribute("1"), attribute(1)),
        (attribute(""), ABSENT),
    ],
)
def test_what_a_reader_could_notice_is_another_identity(one, other):
    assert one != other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (scraps("Te", "ne"), scraps("ne", "Te")),
        (channels("a/x", "b/y"), channels("b/y", "a/x")),
        (sources(("a", "1"), ("b", "2")), sources(("b", "2"), ("a", "1"))),
        (scraps("Te", template="nobody"), ABSENT),
        (attribute(None), ABSENT),
        (identity.scrap_input(None, "Te", "00001").digest, ABSENT),
    ],
)
def test_what_nobody_could_notice_is_the_same(one, other):
    assert one == other
