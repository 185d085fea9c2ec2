"""docs/ingest.md says what there is: converters, outcomes, time bases, settings, the API."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest

import runner.ingest
from runner.ingest import Context, IngestSettings, converters
from runner.ingest.ingest_outcome import Status

DOCS = Path(__file__).resolve().parents[1] / "docs"
TEXT = (DOCS / "ingest.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [c.name for c in converters()])
def test_every_converter_is_described(name: str) -> None:
    assert f"| `{name}` |" in TEXT


@pytest.mark.parametrize("status", get_args(Status))
def test_every_outcome_is_described(status: str) -> None:
    assert f"| `{status}` |" in TEXT


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(IngestSettings)])
def test_every_setting_is_described(field: str) -> None:
    settings = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert f"`{field}`" in TEXT + settings


def test_every_time_base_is_described() -> None:
    folder = Path(runner.ingest.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    names = set(re.findall(r'TimeBase\(\s*name="([^"]+)"', code))
    names |= set(re.findall(r'base(?:: str )?="?\s*"(\w+)"', code))
    assert {"samples", "wf_increment", "SampleTime", "sampling"} <= names
    for name in names:
        assert f"`{name}`" in TEXT, name


def test_what_the_example_calls_exists() -> None:
    for name in set(re.findall(r"context\.(\w+)", TEXT)):
        assert hasattr(Context, name), name


def test_the_public_surface_is_pinned() -> None:
    assert runner.ingest.__all__ == sorted(runner.ingest.__all__)
    assert all(hasattr(runner.ingest, name) for name in runner.ingest.__all__)
