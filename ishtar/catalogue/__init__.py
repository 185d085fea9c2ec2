"""The catalogue: shots, reports, inputs and scraps in one SQLite file, which files can restore.

One process writes it (the coordinator); kernels and people read it. Each scrap is a row, so that a
new scrap needs no new column.
"""

from ishtar.catalogue.database import Catalogue, CatalogueError
from ishtar.catalogue.rows import ReportRow, ScrapRow, SourceRow
from ishtar.catalogue.schema import MIGRATIONS

__all__ = [
    "MIGRATIONS",
    "Catalogue",
    "CatalogueError",
    "ReportRow",
    "ScrapRow",
    "SourceRow",
    "names",
    "rows",
    "shown",
]
