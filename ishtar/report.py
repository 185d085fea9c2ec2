"""What template notebooks use to hand out results: `glue` a named value, `skip` the report.

Both also work at a prompt: `glue` shows nothing there, `skip` ends the cell.
"""

from __future__ import annotations

import math
import numbers
import sys
import warnings
from typing import Any, NoReturn

from ishtar.errors import IshtarError
from ishtar.quantity import Measured


class GlueError(IshtarError, TypeError):
    """A value that makes no scrap."""


class ReportSkipped(IshtarError):
    """Ends a report that has nothing to say, with the reason."""

    def _render_traceback_(self) -> list[str]:
        """Show one line instead of a traceback (IPython asks for this by name)."""
        return [f"skipped: {self}"]


def skip(reason: str) -> NoReturn:
    """End the report as skipped; the reason is shown on its page."""
    raise ReportSkipped(" ".join(str(reason).split()) or "the template gave no reason")


def glue(
    name: str,
    value: float | int | str | bool | Measured | None,
    *,
    sigma: float | None = None,
    unit: str = "",
    label: str = "",
    symbol: str = "",
) -> None:
    """Store a named result of the report, in scrapbook's own format.

    Parameters
    ----------
    name : str
        ``"Te"``; the unit belongs into ``unit``, not into the name, and the template's name is put
        before it with a dot where that is needed.
    value : number, text, bool, None or `Measured`
        A `Measured` brings its sigma and unit; it is converted where a unit is given, too. NaN and
        infinities are stored as None: there is no such result.
    sigma : float, optional
        One standard deviation, in the same unit; of a number only. NaN where it is not known; where
        it is infinite, as of a fit that found nothing, there is no such result.
    unit : str
        As pint writes it, ``"eV"``, ``"1/m^3"``.
    label : str
        What it is, in words: ``"electron temperature"``. Pages show it; nothing is computed from
        it. What the template's sidecar says under ``[results]`` comes before it.
    symbol : str
        ``"T_e"``; what stands behind ``_`` is shown as an index.
    """
    from ishtar.units import check_unit, factor

    if not isinstance(name, str) or not name.strip() or "." in name:
        raise GlueError(f"glue({name!r}): give the result a name without a dot, such as 'Te'")
    if isinstance(value, Measured):
        if sigma is not None:
            raise GlueError(f"glue({name!r}) got a second sigma: a Measured has its own")
        measured = value
        scale = factor(measured.unit, unit) if unit else 1.0
        unit = unit or measured.unit
        value, sigma = scale * measured.value, scale * measured.sigma
    check_unit(unit)
    told = _told(name, label=label, symbol=symbol)
    plain, sigma = _plain(name, value), _sigma(name, sigma)
    if sigma is not None and (isinstance(plain, str | bool)):
        raise GlueError(f"glue({name!r}): only a number has a sigma, {plain!r} has none")
    if sigma == math.inf:
        warnings.warn(
            f"glue({name!r}): its sigma is infinite: there is no such result", stacklevel=2
        )
        plain = None
    if plain is None:
        sigma = None
    encoder = "text" if isinstance(plain, str) else "json"
    payload = {
        "name": name,
        # scrapbook's schema knows no null
        "data": {"value": None} if plain is None else plain,
        "encoder": encoder,
        "version": 1,
    }
    _show(
        {f"application/scrapbook.scrap.{encoder}+json": payload},
        name,
        {"sigma": sigma, "unit": unit} | told,
    )


def _told(name: str, **given: str) -> dict[str, str]:
    """Return label and symbol on one line each; what is empty is left out."""
    for what, text in given.items():
        if not isinstance(text, str):
            raise GlueError(f"glue({name!r}): {what} is {text!r}; it must be a text")
    lines = {what: " ".join(text.split()) for what, text in given.items()}
    return {what: text for what, text in lines.items() if text}


def _show(data: dict[str, Any], name: str, extra: dict[str, Any]) -> None:
    # What scrapbook.glue does, without importing it: pandas, pyarrow and papermill would come too,
    # which is a second for every kernel. `scrapbook.read_notebook` reads it back (see the tests).
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return
    marks = {"scrapbook": {"name": name, "data": True, "display": False}}
    display(data, metadata=marks | {"ishtar": extra}, raw=True)


LARGEST_INTEGER = 2**63 - 1  # what SQLite, JSON readers and float64 pages can be handed


def _plain(name: str, value: Any) -> float | int | str | bool | None:
    if value is None or isinstance(value, str):
        return value
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # numpy and xarray scalars
        value = None if _is_masked(value) else value.item()
        if value is None or isinstance(value, str):
            return value
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        if abs(int(value)) > LARGEST_INTEGER:
            raise GlueError(
                f"glue({name!r}): an integer of {int(value).bit_length()} bits is no result: "
                "glue it as a float or a text"
            )
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise GlueError(
        f"glue({name!r}) takes a number, a text or a bool, not {type(value).__name__}: "
        "glue its mean, or save an array as a figure"
    )


def _is_masked(value: Any) -> bool:
    """Tell whether a scalar is numpy's ``masked``, which would give 0.0 as its item."""
    return bool(getattr(value, "mask", False))


def _sigma(name: str, sigma: Any) -> float | None:
    plain = _plain(name, sigma)
    if plain is None:
        finite = sigma is None or _is_masked(sigma) or not math.isinf(sigma)
        plain = None if finite else float(sigma)
    if plain is None:
        return None
    if isinstance(plain, str | bool):
        raise GlueError(f"glue({name!r}): sigma is {plain!r}; it must be a number")
    if plain < 0:
        raise GlueError(f"glue({name!r}): sigma is {plain}; it cannot be negative")
    return float(plain)
