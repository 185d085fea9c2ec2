"""What tests of ingest share: where files go, and what is stored of one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ishtar.store import SourceFile
from runner.ingest import IngestSettings, Layout, Outcome, ingest_file

SETTINGS = IngestSettings(timezone="Europe/Berlin")


def ingest_into(
    folder: Path, path: Path, *, settings: IngestSettings = SETTINGS, **options: Any
) -> Outcome:
    """Ingest a file as shot 7 into a folder, in this process: its limits can be made small here.

    That a file is converted in a process of its own is the subject of `test_ingest_isolation`.
    """
    options = {"shot": 7, "isolated": False} | options
    return ingest_file(path, layout=Layout.of(folder), settings=settings, **options)


def source_of(outcome: Outcome) -> SourceFile:
    """Return what was stored; a file of which nothing is fails the test with its reason."""
    assert outcome.status == "stored", outcome.reason
    return SourceFile(outcome.stored[0])
