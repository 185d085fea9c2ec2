"""Whether reports are still what they were when made; one that is not counts as missing."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ishtar.catalogue import ReportRow
from ishtar.lineage import subject_of
from runner.notebooks import scraps_in
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, Scrap, identity

if TYPE_CHECKING:
    from runner.coordinator import Coordinator

logger = logging.getLogger(__name__)

REPLACED_S = 0.2  # in which one that is being replaced just now is there again
NEWEST = 200  # shots whose reports are looked at where nobody names any


def damage(folder: Path) -> str:
    """Return what is wrong with the receipt of a report, or lacks beside it; empty if nothing."""
    return _look(folder)[1]


def damage_within(folder: Path) -> str:
    """Return what is wrong with a report, its notebook and the results in it; empty if nothing."""
    receipt, found = _look(folder)
    if receipt is None:
        return found
    try:
        cells = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        scraps = scraps_in([cell for cell in cells if cell["cell_type"] == "code"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"{folder / NOTEBOOK} is damaged ({error!r:.200}): run the report again"
    if [_plainly(s) for s in scraps] != [_plainly(s) for s in receipt.scraps]:
        return f"{folder}: its receipt has other results than its notebook: run the report again"
    return ""


def damaged_still(
    reports: Path, names: Iterable[str], look: Callable[[Path], str]
) -> dict[str, str]:
    """Return which reports are damaged, by folder, with what is wrong.

    One that is just being replaced is not.
    """
    doubtful = [name for name in names if look(reports / name)]
    if doubtful:
        time.sleep(REPLACED_S)
    found = {name: look(reports / name) for name in doubtful}
    return {name: why for name, why in found.items() if why}


def _look(folder: Path) -> tuple[Receipt | None, str]:
    """Return the receipt of a report, or why it is not one."""
    try:
        receipt = Receipt.read(folder)
    except DamagedReceipt as damaged:
        return None, str(damaged)
    except FileNotFoundError:
        return None, f"{folder} has no receipt: run the report again"
    if identity(receipt) != folder.name or receipt.digest != folder.name:
        return None, f"{folder}: its receipt is that of something else: run the report again"
    if not (folder / NOTEBOOK).is_file():
        return None, f"{folder} has lost its notebook: run the report again"
    return receipt, ""


def _plainly(scrap: Scrap) -> tuple[Any, ...]:
    """Return a result such that equal ones are equal, in whichever order its parts are written."""
    value = scrap.value
    if isinstance(value, str) and value[:1] in "[{":
        with contextlib.suppress(ValueError):
            value = json.dumps(json.loads(value), sort_keys=True)
    return scrap.name, value, scrap.sigma, scrap.unit


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
    found = damaged_still(coordinator.workspace.reports, [row.folder for row in rows], damage)
    for folder, why in found.items():
        logger.warning("%s", why)
        catalogue.forget_report(folder)
    return list(found.values())
