"""Whether reports are still what they were when made; one that is not counts as missing."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from runner.execution.notebooks import scraps_in
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, Scrap, identity

logger = logging.getLogger(__name__)

REPLACED_S = 0.2  # in which one that is being replaced just now is there again


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
    suspect = [name for name in names if look(reports / name)]
    if suspect:
        time.sleep(REPLACED_S)
    found = {name: look(reports / name) for name in suspect}
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
