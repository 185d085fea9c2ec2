"""What template notebooks use to hand out results: `glue` a named value, `skip` the report.

Both also work at a prompt: `glue` shows nothing there, `skip` ends the cell.
"""

from __future__ import annotations

import math
import numbers
from typing import Any, NoReturn

from ishtar.errors import IshtarError
from ishtar.measured import Measured


class GlueError(IshtarError, TypeError):
    """A value that makes no scrap."""


class ReportSkipped(IshtarError):
    """Ends a report that has nothing to say, with the reason."""

    def _render_traceback_(self) -> list[str]:
        """Show one line instead of a traceback (IPython asks for this by name)."""
        return [f"skipped: {self}"]


def skip(reason: str) -> NoReturn:
    """End the report as skipped; the reason is shown on its page."""
    raise ReportSkipped(reason.strip() or "the template gave no reason")


def glue(
    name: str,
    value: float | int | str | bool | Measured | None,
    *,
    sigma: float | None = None,
    unit: str = "",
) -> None:
    """Store a named result of the report, in scrapbook's own format.

    Parameters
    ----------
    name : str
        ``"Te"``; the unit belongs into ``unit``, not into the name.
    value : number, text, bool, None or `Measured`
        A `Measured` brings its sigma and unit. NaN and infinities are stored as None: there is no
        such result.
    sigma : float, optional
        One standard deviation, in the same unit.
    unit : str
        As pint writes it, ``"eV"``, ``"1/m^3"``.
    """
    from ishtar.units import parse_unit

    if isinstance(value, Measured):
        measured = value
        value, sigma, unit = measured.value, measured.sigma, unit or measured.unit
    parse_unit(unit)
    plain, sigma = _plain(name, value), _sigma(name, sigma)
    encoder = "text" if isinstance(plain, str) else "json"
    payload = {
        "name": name,
        # scrapbook's schema knows no null
        "data": {"value": None} if plain is None else plain,
        "encoder": encoder,
        "version": 1,
    }
    _show({f"application/scrapbook.scrap.{encoder}+json": payload}, name, sigma, unit)


def _show(data: dict[str, Any], name: str, sigma: float | None, unit: str) -> None:
    # What scrapbook.glue does, without importing it: pandas, pyarrow and papermill would come too,
    # which is a second for every kernel. `scrapbook.read_notebook` reads it back (see the tests).
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return
    marks = {"scrapbook": {"name": name, "data": True, "display": False}}
    display(data, metadata=marks | {"ishtar": {"sigma": sigma, "unit": unit}}, raw=True)


def _plain(name: str, value: Any) -> float | int | str | bool | None:
    if value is None or isinstance(value, str):
        return value
    if hasattr(value, "item") and getattr(value, "size", 1) == 1:
        value = value.item()  # numpy and xarray scalars
    if isinstance(value, bool | str):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise GlueError(
        f"glue({name!r}) takes a number, a text or a bool, not {type(value).__name__}: "
        "glue its mean, or save an array as a figure"
    )


def _sigma(name: str, sigma: Any) -> float | None:
    plain = _plain(name, sigma)
    if plain is None or isinstance(plain, str):
        return None
    if plain < 0:
        raise GlueError(f"glue({name!r}): sigma is {plain}; it cannot be negative")
    return float(plain)
