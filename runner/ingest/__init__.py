"""Ingest: an arriving file becomes a stored file of its shot, or goes to quarantine.

::

    from runner.ingest import IngestSettings, Layout, ingest_file
    ingest_file(path, layout=Layout.of(root), settings=IngestSettings()).status   # 'stored'
"""

from runner.ingest.arrival import ingest_file
from runner.ingest.context import Context
from runner.ingest.days.day_index import index_days, shot_times
from runner.ingest.days.day_logs import day_problems, match_day, match_days, rematch_shots
from runner.ingest.ingest_errors import IngestStopped, NotWhole, Rejected, SourceMissing
from runner.ingest.ingest_outcome import Outcome
from runner.ingest.layout import DataFolders, Layout
from runner.ingest.parsing.shot_number import shot_in
from runner.ingest.raw_files.intake import Intake
from runner.ingest.raw_files.leftovers import remove_leftovers
from runner.ingest.raw_files.settling import Settling, scan
from runner.ingest.registry import Converter, converters
from runner.ingest.settings import IngestSettings

__all__ = [
    "Context",
    "Converter",
    "DataFolders",
    "IngestSettings",
    "IngestStopped",
    "Intake",
    "Layout",
    "NotWhole",
    "Outcome",
    "Rejected",
    "Settling",
    "SourceMissing",
    "converters",
    "day_problems",
    "index_days",
    "ingest_file",
    "match_day",
    "match_days",
    "raw_files",
    "rematch_shots",
    "remove_leftovers",
    "scan",
    "shot_in",
    "shot_times",
]
