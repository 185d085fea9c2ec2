"""Arithmetic of derived signals: parsed to a syntax tree and walked, never run as code."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import CalibrationFileError, UnitError
from ishtar.units import factor

Array = NDArray[np.float64]
Propagated = tuple[Any, dict[str, Any]]  # a value, and its changes by cause
Units = dict[str, float]  # a product of units: unit → power
MAX_LENGTH = 500  # characters; a longer formula belongs in a template

BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "log10": np.log10,
    "sqrt": np.sqrt,
}
DERIVATIVES: dict[str, Callable[[Any, Any], Any]] = {  # dy/dx of FUNCTIONS, from x and y
    "abs": lambda x, y: np.sign(x),
    "exp": lambda x, y: y,
    "log10": lambda x, y: 1.0 / (np.log(10.0) * x),
    "sqrt": lambda x, y: 0.5 / y,
}


def _partial_derivatives(op: ast.operator, a: Any, b: Any, y: Any) -> tuple[Any, Any]:
    """Return ∂y/∂a and ∂y/∂b of y = a op b."""
    match op:
        case ast.Add():
            return 1.0, 1.0
        case ast.Sub():
            return 1.0, -1.0
        case ast.Mult():
            return b, a
        case ast.Div():
            return np.divide(1.0, b), -np.divide(y, b)
        case _:
            return b * np.power(a, np.subtract(b, 1.0)), y * np.log(a)


@lru_cache(maxsize=256)
def _parse(text: str) -> ast.expr:
    if len(text) > MAX_LENGTH:
        raise CalibrationFileError(
            f"{text[:40]!r}… exceeds {MAX_LENGTH} characters: split it into several signals"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CalibrationFileError(
            f"{text!r} is not an expression: use + - * / ** and names"
        ) from error
    _check(tree, text)
    return tree


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name():
            return
        case ast.Constant(value=value) if _is_number(value):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            _check(left, text)
            _check(right, text)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            _check(argument, text)
        case _:
            part = ast.get_source_segment(text.strip(), node) or type(node).__name__
            raise CalibrationFileError(
                f"{text!r}: {part!r} is not allowed; use + - * / ** and "
                f"{', '.join(sorted(FUNCTIONS))}"
            )


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def names_in(text: str) -> tuple[str, ...]:
    """Return the names of the signals in an expression, each once, in order of appearance.

    Raises
    ------
    CalibrationFileError
        The text is not an allowed expression.
    """
    found: dict[str, None] = {}

    def walk(node: ast.expr) -> None:
        match node:
            case ast.Name(id=name):
                found[name] = None
            case ast.UnaryOp(operand=operand):
                walk(operand)
            case ast.BinOp(left=left, right=right):
                walk(left)
                walk(right)
            case ast.Call(args=[argument]):
                walk(argument)

    walk(_parse(text))
    return tuple(found)


def evaluate(text: str, values: Mapping[str, Any]) -> Array:
    """Evaluate an expression sample by sample; division by zero gives inf or NaN, as in numpy.

    Parameters
    ----------
    text : str
        The expression.
    values : mapping
        The samples of each signal, (n,).

    Returns
    -------
    (n,) float64
        A scalar for an expression without signals.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_value(_parse(text), values), dtype=np.float64)


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    # Not nested in evaluate: a recursive closure is a reference cycle and would keep the samples.
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=int() | float() as value):
            return float(value)  # numpy integers overflow and reject 2 ** -1
        case ast.UnaryOp(operand=operand):
            return np.negative(_value(operand, values))
        case ast.BinOp(left=left, op=op, right=right):
            return BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            return FUNCTIONS[name](_value(argument, values))
    raise CalibrationFileError(
        f"{ast.unparse(node)!r} is not an expression: use + - * / ** and names"
    )


def propagate(
    text: str, values: Mapping[str, Array], changes: Mapping[str, Mapping[str, Array]]
) -> tuple[Array, dict[str, Array]]:
    """Evaluate an expression and propagate small changes of its signals, to first order.

    Parameters
    ----------
    text : str
        The expression.
    values : mapping
        The samples of each signal, (n,).
    changes : mapping
        The changes of each signal by name of their cause, (n,) each; causes of the same name are
        one cause.

    Returns
    -------
    value : (n,) float64
        The values of the expression.
    changes : dict
        The change of the value by name of the cause, (n,) float64 each.
    """
    with np.errstate(all="ignore"):
        value, found = _propagate(_parse(text), values, changes)
        return np.asarray(value, dtype=np.float64), found


def _propagate(
    node: ast.expr, values: Mapping[str, Array], changes: Mapping[str, Mapping[str, Array]]
) -> Propagated:
    match node:
        case ast.Name(id=name):
            return values[name], dict(changes.get(name, {}))
        case ast.Constant(value=int() | float() as value):
            return float(value), {}
        case ast.UnaryOp(operand=operand):
            x = _propagate(operand, values, changes)
            return np.negative(x[0]), _chain(x, -1.0)
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _propagate(left, values, changes), _propagate(right, values, changes)
            y = BINARY[type(op)](a[0], b[0])
            da, db = _partial_derivatives(op, a[0], b[0], y)
            return y, _chain(a, da, b, db)
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            x = _propagate(argument, values, changes)
            y = FUNCTIONS[name](x[0])
            return y, _chain(x, DERIVATIVES[name](x[0], y)) if x[1] else {}
    raise CalibrationFileError(
        f"{ast.unparse(node)!r} is not an expression: use + - * / ** and names"
    )


def _chain(a: Propagated, da: Any, b: Propagated = (0.0, {}), db: Any = 0.0) -> dict[str, Any]:
    found = {name: change * da for name, change in a[1].items()}
    for name, change in b[1].items():
        found[name] = found[name] + change * db if name in found else change * db
    return found


def unit_factor(text: str, units: Mapping[str, str], unit: str) -> float:
    """Return the factor that converts an expression's values to ``unit``.

    Signals enter in their own units. A bare number in a sum has the unit of the other term;
    ``log10`` takes the number as it is.

    Parameters
    ----------
    text : str
        The expression.
    units : mapping of str to str
        The unit of each signal.
    unit : str
        The unit of the result.

    Raises
    ------
    UnitError
        The expression adds different units, or its result cannot be converted to ``unit``.
    """

    def exponent(node: ast.expr) -> float:
        expression = ast.unparse(node)
        if names_in(expression):
            raise UnitError("an exponent must be a number")
        return float(evaluate(expression, {}))

    def same(a: Units | None, b: Units | None) -> Units | None:
        if a is None or b is None:
            return b if a is None else a
        if not math.isclose(factor(_unit_text(a), _unit_text(b)), 1.0, rel_tol=1e-12):
            raise UnitError(
                f"{_unit_text(a)!r} and {_unit_text(b)!r} do not match: give both signals one unit"
            )
        return a

    def times(a: Units | None, b: Units | None, power: float = 1.0) -> Units | None:
        if a is None and b is None:
            return None
        product = dict(a or {})
        for name, e in (b or {}).items():
            product[name] = product.get(name, 0.0) + power * e
        return {name: e for name, e in product.items() if e}

    def walk(node: ast.expr) -> Units | None:
        match node:
            case ast.Name(id=name):
                return {units[name]: 1.0} if units[name] else {}
            case ast.UnaryOp(operand=operand):
                return walk(operand)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
                return same(walk(left), walk(right))
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return times(walk(left), walk(right))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return times(walk(left), walk(right), -1.0)
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return times(None, walk(left), exponent(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                inner = walk(argument)
                if name == "abs":
                    return inner
                if name == "sqrt":
                    return times(None, inner, 0.5)
                if name == "exp":
                    same(inner, {})
                return {}
        return None

    try:
        return factor(_unit_text(walk(_parse(text)) or {}), unit)
    except UnitError as error:
        raise UnitError(f"{text!r} does not yield {unit!r}: {error}") from error


def _unit_text(units: Units) -> str:
    """Return a product of units in pint's syntax."""
    if list(units.values()) == [1.0]:
        return next(iter(units))
    return " * ".join(f"({name}) ** {power!r}" for name, power in sorted(units.items()))
