"""Whether reports are still what they were when made; one that is not counts as missing."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from ishtar.catalogue import ReportRow
from ishtar.lineage import subject_of
from runner.coordinator import Coordinator
from runner.notebooks import scraps_in
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, identity

logger = logging.getLogger(__name__)

REPLACED_S = 0.2  # in which one that is being replaced just now is there again
NEWEST = 200  # shots whose reports are looked at where nobody names any


def damage(folder: Path) -> str:
    """Return what is wrong with the receipt of a report, or lacks beside it; empty if nothing."""
    try:
        receipt = Receipt.read(folder)
    except DamagedReceipt as damaged:
        return str(damaged)
    except FileNotFoundError:
        return f"{folder} has no receipt: run the report again"
    if identity(receipt) != folder.name or receipt.digest != folder.name:
        return f"{folder}: its receipt is that of something else: run the report again"
    if not (folder / NOTEBOOK).is_file():
        return f"{folder} has lost its notebook: run the report again"
    return ""


def damage_within(folder: Path) -> str:
    """Return what is wrong with a report, its notebook and the results in it; empty if nothing."""
    if found := damage(folder):
        return found
    try:
        cells = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        scraps = scraps_in([cell for cell in cells if cell["cell_type"] == "code"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder / NOTEBOOK} is damaged ({error!r}): run the report again"
    if scraps != Receipt.read(folder).scraps:
        return f"{folder}: its receipt has other results than its notebook: run the report again"
    return ""


def forget_damaged(coordinator: Coordinator, shots: Sequence[int] | None = None) -> list[str]:
    """Let reports that are damaged count as missing; return what is wrong with them.

    Looked at are those of some shots, of the newest where none are named, and of all days and
    ranges: to read every receipt of an archive is what `ishtar verify` is for.
    """
    catalogue = coordinator.catalogue
    numbers = catalogue.shots()[-NEWEST:] if shots is None else shots
    rows: list[ReportRow] = catalogue.reports_of([subject_of(n) for n in numbers])
    for scope in ("day", "range"):
        rows += catalogue.reports(scope=scope, current=True)
    reports, found = coordinator.workspace.reports, []
    doubtful = [row for row in rows if damage(reports / row.folder)]
    if doubtful:
        time.sleep(REPLACED_S)
    for row in doubtful:
        if why := damage(reports / row.folder):
            logger.warning("%s", why)
            catalogue.forget_report(row.folder)
            found.append(why)
    return found
