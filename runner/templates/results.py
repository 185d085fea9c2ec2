"""The results in a template's sidecar: label, symbol, order in tables, sign.

::

    [results.Te]
    label = "electron temperature"
    symbol = "T_e"
    order = 1

Nothing is computed from it, so changes of it make no report stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ishtar.errors import did_you_mean
from runner.errors import TemplateError


@dataclass(frozen=True, kw_only=True)
class ResultRecord:
    """The description of a result.

    Attributes
    ----------
    label
        Its name in words: ``electron temperature``.
    symbol
        ``T_e``; the part after ``_`` is shown as a subscript.
    order
        Its position among the results of all templates in tables and summaries, the smallest first;
        None: after those with an order, next to the other results of its template.
    signed
        Whether it can be negative. If not, a value within its sigma of zero is shown as an upper
        limit. None: as its unit suggests.
    """

    label: str = ""
    symbol: str = ""
    order: int | None = None
    signed: bool | None = None


_TYPES: Mapping[str, type] = {"label": str, "symbol": str, "order": int, "signed": bool}
assert set(_TYPES) == {f.name for f in fields(ResultRecord)}


def read_results(given: Mapping[str, Any], where: str) -> dict[str, ResultRecord]:
    """Return the table ``[results]`` of a sidecar; `TemplateError` names what is wrong."""
    return {name: _result(name, of_result, where) for name, of_result in given.items()}


def _result(name: str, given: Any, where: str) -> ResultRecord:
    here = f"{where}: [results.{name}]"
    if not isinstance(given, Mapping):
        raise TemplateError(f"{here} is {given!r}: give it label, symbol, order or signed")
    for key, value in given.items():
        if key not in _TYPES:
            raise TemplateError(f"{here}: unknown key {key!r}{did_you_mean(key, _TYPES)}")
        if type(value) is not _TYPES[key]:  # bool is an int
            raise TemplateError(f"{here}: {key} = {value!r} must be {_TYPES[key].__name__}")
    return ResultRecord(
        label=" ".join(given.get("label", "").split()),
        symbol=" ".join(given.get("symbol", "").split()),
        order=given.get("order"),
        signed=given.get("signed"),
    )


def merge_glued(
    declared: Mapping[str, ResultRecord], glued: Mapping[str, ResultRecord]
) -> dict[str, ResultRecord]:
    """Return the descriptions of results: those of the sidecar, completed by the notebook's."""
    found = dict(glued)
    for name, record in declared.items():
        other = glued.get(name, ResultRecord())
        found[name] = replace(
            record, label=record.label or other.label, symbol=record.symbol or other.symbol
        )
    return found
