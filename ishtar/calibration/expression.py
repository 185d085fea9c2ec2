"""Derived signals: arithmetic of other signals, parsed and walked, never evaluated as code."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import CalibrationFileError

Array = NDArray[np.float64]

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


@lru_cache(maxsize=256)
def _parse(text: str) -> ast.expr:
    try:
        tree = ast.parse(text, mode="eval").body
        _check(tree, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CalibrationFileError(
            f"{text!r} is no expression: use + - * / ** and names"
        ) from error
    return tree


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.Name() | ast.Constant(value=int() | float()):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _check(operand, text)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
            _check(left, text)
            _check(right, text)
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            _check(argument, text)
        case _:
            raise CalibrationFileError(
                f"{text!r}: {ast.unparse(node)!r} is not allowed; use + - * / ** and "
                f"{', '.join(sorted(FUNCTIONS))}"
            )


def names_in(text: str) -> tuple[str, ...]:
    """Return the signals that an expression is made of, each once, in order."""
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


def evaluate(text: str, values: Mapping[str, Array]) -> Array:
    """Compute an expression sample by sample; dividing by zero gives inf or NaN, as in numpy."""

    def walk(node: ast.expr) -> Any:
        match node:
            case ast.Name(id=name):
                return values[name]
            case ast.Constant(value=value):
                return value
            case ast.UnaryOp(operand=operand):
                return np.negative(walk(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return BINARY[type(op)](walk(left), walk(right))
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return FUNCTIONS[name](walk(argument))
        raise CalibrationFileError(f"{text!r} is no expression: use + - * / ** and names")

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(walk(_parse(text)), dtype=np.float64)
