"""Results of template notebooks: `glue` a named value, `skip` the report.

Both also work interactively: `glue` displays nothing there, `skip` ends the cell.
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
    """A value that cannot be stored as a scrap."""


class ReportSkipped(IshtarError):
    """Ends a report without results; the message is the reason."""

    def _render_traceback_(self) -> list[str]:
        """Return one line instead of a traceback (IPython calls this by name)."""
        return [f"skipped: {self}"]


def skip(reason: str) -> NoReturn:
    """End the report as skipped.

    Parameters
    ----------
    reason : str
        Shown on the page of the report.

    Raises
    ------
    ReportSkipped
        Always.
    """
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
        ``"Te"``, without a dot; the unit belongs in ``unit``, not in the name. Where needed, the
        name of the template is prefixed with a dot.
    value : number, text, bool, None or `Measured`
        A `Measured` includes its sigma and unit, and is converted to ``unit`` if that is given. NaN
        and infinities are stored as None, a missing result.
    sigma : float, optional
        One standard deviation of a number, in the same unit. NaN if unknown; if infinite, as for a
        fit without a result, None is stored.
    unit : str
        In pint's notation, ``"eV"``, ``"1/m^3"``.
    label : str
        Description for the pages, ``"electron temperature"``; it has no effect on computations.
        ``[results]`` in the template's sidecar takes precedence.
    symbol : str
        ``"T_e"``; the part after ``_`` is displayed as a subscript.

    Raises
    ------
    GlueError
        The name, the type of the value or the sigma is invalid.
    UnitError
        The unit is unknown or not compatible with that of a `Measured`.
    """
    from ishtar.units import check_unit, factor

    if not isinstance(name, str) or not name.strip() or "." in name:
        raise GlueError(f"glue({name!r}): use a name without a dot, such as 'Te'")
    if isinstance(value, Measured):
        if sigma is not None:
            raise GlueError(f"glue({name!r}) got a second sigma: a Measured has its own")
        quantity = value
        scale = factor(quantity.unit, unit) if unit else 1.0
        unit = unit or quantity.unit
        value, sigma = scale * quantity.value, scale * quantity.sigma
    check_unit(unit)
    description = _description(name, label=label, symbol=symbol)
    plain, sigma = _plain(name, value), _sigma(name, sigma)
    if sigma is not None and (isinstance(plain, str | bool)):
        raise GlueError(f"glue({name!r}): only a number has a sigma, {plain!r} has none")
    if sigma == math.inf:
        warnings.warn(
            f"glue({name!r}): sigma is infinite; the result is stored as missing", stacklevel=2
        )
        plain = None
    if plain is None:
        sigma = None
    encoder = "text" if isinstance(plain, str) else "json"
    payload = {
        "name": name,
        # scrapbook's schema does not allow null
        "data": {"value": None} if plain is None else plain,
        "encoder": encoder,
        "version": 1,
    }
    _show(
        {f"application/scrapbook.scrap.{encoder}+json": payload},
        name,
        {"sigma": sigma, "unit": unit} | description,
    )


def _description(name: str, **fields: str) -> dict[str, str]:
    """Return label and symbol, each on one line, unless empty."""
    for key, text in fields.items():
        if not isinstance(text, str):
            raise GlueError(f"glue({name!r}): {key} is {text!r}; it must be text")
    lines = {key: " ".join(text.split()) for key, text in fields.items()}
    return {key: text for key, text in lines.items() if text}


def _show(data: dict[str, Any], name: str, extra: dict[str, Any]) -> None:
    # Equivalent to scrapbook.glue without importing it: pandas, pyarrow and papermill would cost
    # every kernel a second. `scrapbook.read_notebook` reads the result (see the tests).
    if "IPython" not in sys.modules:
        return
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is None:
        return
    marks = {"scrapbook": {"name": name, "data": True, "display": False}}
    display(data, metadata=marks | {"ishtar": extra}, raw=True)


LARGEST_INTEGER = 2**63 - 1  # limit of SQLite and JSON readers


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
                f"glue({name!r}): an integer of {int(value).bit_length()} bits is too large: "
                "glue it as a float or as text"
            )
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else None
    raise GlueError(
        f"glue({name!r}) takes a number, text or a bool, not {type(value).__name__}: "
        "glue its mean, or save an array as a figure"
    )


def _is_masked(value: Any) -> bool:
    """Return whether a scalar is numpy's ``masked``, whose item is 0.0."""
    return bool(getattr(value, "mask", False))


def _sigma(name: str, sigma: Any) -> float | None:
    plain = _plain(name, sigma)
    if plain is None:
        unknown = sigma is None or _is_masked(sigma) or not math.isinf(sigma)
        plain = None if unknown else float(sigma)
    if plain is None:
        return None
    if isinstance(plain, str | bool):
        raise GlueError(f"glue({name!r}): sigma is {plain!r}; it must be a number")
    if plain < 0:
        raise GlueError(f"glue({name!r}): sigma is {plain}; it cannot be negative")
    return float(plain)
