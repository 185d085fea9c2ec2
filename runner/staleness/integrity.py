"""Check whether report files are still as they were made; a damaged report counts as missing."""

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

REPLACED_S = 0.2  # the longest time that the replacement of a report takes


def receipt_damage(folder: Path) -> str:
    """Return what is wrong with a report's receipt, or that files are missing; empty if nothing."""
    return _check(folder)[1]


def report_damage(folder: Path) -> str:
    """Return what is wrong with a report, its notebook and its results; empty if nothing."""
    return _check_all(folder)[1]


def intact_receipt(folder: Path) -> Receipt | None:
    """Return the receipt of a report; None if anything is wrong with the report."""
    return _check_all(folder)[0]


def _check_all(folder: Path) -> tuple[Receipt | None, str]:
    receipt, found = _check(folder)
    if receipt is None:
        return None, found
    try:
        cells = json.loads((folder / NOTEBOOK).read_text(encoding="utf-8"))["cells"]
        scraps = scraps_in([cell for cell in cells if cell["cell_type"] == "code"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return None, f"{folder / NOTEBOOK} is damaged ({error!r:.200}): run the report again"
    if [_normalised(s) for s in scraps] != [_normalised(s) for s in receipt.scraps]:
        return None, f"{folder}: receipt and notebook have different results: run the report again"
    return receipt, ""


def confirmed_damage(
    reports: Path, names: Iterable[str], check: Callable[[Path], str]
) -> dict[str, str]:
    """Return the damaged reports: folder → what is wrong.

    Check suspects twice, since a report may be in the middle of a replacement.
    """
    suspect = [name for name in names if check(reports / name)]
    if suspect:
        time.sleep(REPLACED_S)
    found = {name: check(reports / name) for name in suspect}
    return {name: why for name, why in found.items() if why}


def _check(folder: Path) -> tuple[Receipt | None, str]:
    """Return the receipt of a report, or what is wrong with it."""
    try:
        receipt = Receipt.read(folder)
    except DamagedReceipt as damaged:
        return None, str(damaged)
    except FileNotFoundError:
        return None, f"{folder} has no receipt: run the report again"
    if identity(receipt) != folder.name or receipt.digest != folder.name:
        return None, f"{folder}: its receipt belongs to something else: run the report again"
    if not (folder / NOTEBOOK).is_file():
        return None, f"{folder} has lost its notebook: run the report again"
    return receipt, ""


def _normalised(scrap: Scrap) -> tuple[Any, ...]:
    """Return a result as a comparable tuple, with the keys of JSON values sorted."""
    value = scrap.value
    if isinstance(value, str) and value[:1] in "[{":
        with contextlib.suppress(ValueError):
            value = json.dumps(json.loads(value), sort_keys=True)
    return scrap.name, value, scrap.sigma, scrap.unit
