"""What a template's sidecar says of its results: label, symbol, place in tables, sign.

::

    [results.Te]
    label = "electron temperature"
    symbol = "T_e"
    order = 1

Nothing is computed from it, so a change of it makes no report stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from ishtar.errors import did_you_mean
from runner.errors import TemplateError


@dataclass(frozen=True, kw_only=True)
class ResultRecord:
    """What is known of a result besides its values.

    Attributes
    ----------
    label
        What it is, in words: ``electron temperature``.
    symbol
        ``T_e``; what stands behind ``_`` is shown as an index.
    order
        Its place among the results of all templates in tables and summaries, the smallest first;
        None: after those that have one, with the other results of its template.
    signed
        Whether it can be below zero; one that cannot is told as an upper limit where it lies within
        its sigma of zero. None: as its unit suggests.
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
        if type(value) is not _TYPES[key]:  # true is no order
            raise TemplateError(f"{here}: {key} = {value!r} must be {_TYPES[key].__name__}")
    return ResultRecord(
        label=" ".join(given.get("label", "").split()),
        symbol=" ".join(given.get("symbol", "").split()),
        order=given.get("order"),
        signed=given.get("signed"),
    )


def with_glued(
    declared: Mapping[str, ResultRecord], glued: Mapping[str, ResultRecord]
) -> dict[str, ResultRecord]:
    """Return what is known of results: what a sidecar leaves open is as the notebook glued it."""
    found = dict(glued)
    for name, record in declared.items():
        other = glued.get(name, ResultRecord())
        found[name] = replace(
            record, label=record.label or other.label, symbol=record.symbol or other.symbol
        )
    return found
