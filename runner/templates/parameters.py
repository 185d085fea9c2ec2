"""Parse the parameters of a template from its typed cell and check values before a run.

A line of the cell tagged ``parameters`` is one parameter::

    t_start: float = 0.0  # [s] start of the window, 0 .. 10

with its type, default, unit, meaning and range (both ends included). ``< t_end`` before the range
means that it must be below another parameter, if both are given; ``<=`` allows equality, ``!=``
forbids it. Papermill cannot parse this: it drops ``Literal`` and ``None | str``, accepts ``"abc"``
as an int and only warns about unknown names.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ishtar.errors import did_you_mean
from runner.errors import ParameterError, TemplateError
from runner.receipts import Scope

SCOPE_PARAMETERS: dict[Scope, tuple[str, ...]] = {
    "shot": ("shot",),
    "day": ("day",),
    "range": ("first", "last"),
}

RANGE = re.compile(
    r"(?P<lo>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*\.\.\s*(?P<hi>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*$"
)
BELOW = re.compile(r"(?P<how><=?|!=)\s*(?P<other>[A-Za-z_]\w*)\s*,?\s*$")
RELATIONS = {"<": "below", "<=": "at most", "!=": "different from"}
UNIT = re.compile(r"^\[(?P<unit>[^\]]*)\]\s*")
SCALARS: dict[str, type] = {"int": int, "float": float, "str": str, "bool": bool}


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a template.

    ``kinds`` are the accepted type names (``int``, ``float``, ``str``, ``bool``, ``None``,
    ``list``, ``dict``); ``choices`` the values of a ``Literal``; ``low`` and ``high`` bound
    numbers, both included; ``below`` is the name of another parameter, to which it must have the
    ``relation`` (see `RELATIONS`).
    """

    name: str
    annotation: str
    kinds: tuple[str, ...]
    choices: tuple[Any, ...]
    default: Any
    unit: str
    meaning: str
    low: float | None
    high: float | None
    below: str = ""
    relation: str = "<"

    def problem(self, value: Any) -> str | None:
        """Return why ``value`` is invalid, None if it is valid."""
        if not self._fits(value):
            return f"{self.name} must be {self.annotation}, not {value!r}"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{self.name} must be finite, not {value!r}"
        if isinstance(value, int | float) and not isinstance(value, bool):
            too_low = self.low is not None and value < self.low
            too_high = self.high is not None and value > self.high
            if too_low or too_high:
                return (
                    f"{self.name} = {value!r} is outside {self.low:g} .. {self.high:g} {self.unit}"
                )
        return None

    def _fits(self, value: Any) -> bool:
        if any(type(value) is type(choice) and value == choice for choice in self.choices):
            return True
        if value is None:
            return "None" in self.kinds
        if isinstance(value, bool):
            return "bool" in self.kinds
        if isinstance(value, int):
            return "int" in self.kinds or "float" in self.kinds
        for kind, type_ in (("float", float), ("str", str), ("list", list), ("dict", dict)):
            if isinstance(value, type_):
                return kind in self.kinds
        return isinstance(value, tuple) and ("tuple" in self.kinds or "list" in self.kinds)

    def parse(self, text: str) -> Any:
        """Return the value of ``-p name=text``; the text itself for a ``str``."""
        if "None" in self.kinds and text == "None":
            return None
        if "str" in self.kinds or text in self.choices:
            return text
        if "bool" in self.kinds and text.lower() in ("true", "false"):
            return text.lower() == "true"
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return text  # `problem` reports it
        return float(value) if type(value) is int and "int" not in self.kinds else value


def read_parameters(
    declaring: Sequence[str], scope: Scope, file: str
) -> tuple[tuple[Parameter, ...], list[str]]:
    """Return the parameters of a template, and the problems of their declaration.

    Parameters
    ----------
    declaring : sequence of str
        The sources of the code cells that are tagged `parameters`.
    scope : {"shot", "day", "range"}
        What reports of the template are about.
    file : str
        Name of the template's file, for the problems.
    """
    if len(declaring) != 1:
        return (), [f"{file}: {len(declaring)} code cells are tagged `parameters`; tag exactly one"]
    try:
        parameters = parse_parameters(declaring[0])
    except TemplateError as error:
        return (), [f"{file}: {error}"]
    missing = [n for n in SCOPE_PARAMETERS[scope] if n not in {p.name for p in parameters}]
    if missing:
        needed = " and ".join(missing)
        return (), [f"{file}: scope {scope!r} needs the parameter {needed}: add it"]
    return parameters, []


def parse_parameters(source: str) -> tuple[Parameter, ...]:
    """Return the parameters declared in a cell.

    Raises
    ------
    TemplateError
        The cell does more than assign plain values, or has an unknown type.
    """
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise TemplateError(f"parameters cell, line {error.lineno}: {error.msg}") from error
    comments = _comments(source)
    found = []
    for node in tree.body:
        match node:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=value) if (
                value
            ):
                text = ast.unparse(annotation)
                kinds, choices = _kinds(annotation)
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                text, kinds, choices = "", (), ()
            case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
                continue
            case _:
                raise TemplateError(
                    f"parameters cell, line {node.lineno}: {ast.unparse(node)!r} is no parameter; "
                    "write `name: type = value  # [unit] meaning, low .. high`"
                )
        try:
            default = ast.literal_eval(value)
        except ValueError as error:
            raise TemplateError(
                f"parameters cell, line {node.lineno}: the default of {name} must be a plain value"
            ) from error
        if not text:
            text = type(default).__name__
            kinds = (text,)
        found.append(_parameter(name, text, kinds, choices, default, comments.get(node.lineno, "")))
    names = {p.name for p in found}
    for p in found:
        if p.below and p.below not in names:
            raise TemplateError(
                f"parameters cell: {p.name} must be {RELATIONS[p.relation]} {p.below!r}, "
                "which is not a parameter"
                f"{did_you_mean(p.below, names)}"
            )
    if wrong := list(_violations(found, {p.name: p.default for p in found})):
        raise TemplateError(f"parameters cell: the defaults are not allowed: {'; '.join(wrong)}")
    return tuple(found)


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _kinds(annotation: ast.expr) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    match annotation:
        case ast.Name(id=name) if name in SCALARS or name in ("list", "dict", "tuple"):
            return (name,), ()
        case ast.Constant(value=None):
            return ("None",), ()
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            a, b = _kinds(left), _kinds(right)
            return a[0] + b[0], a[1] + b[1]
        case ast.Subscript(value=ast.Name(id="Optional"), slice=inner):
            kinds, choices = _kinds(inner)
            return (*kinds, "None"), choices
        case ast.Subscript(value=ast.Name(id="Literal"), slice=inner):
            items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return (), tuple(ast.literal_eval(item) for item in items)
        case ast.Subscript(value=ast.Name(id="list" | "dict" | "tuple" as name)):
            return (name,), ()
    raise TemplateError(
        f"parameters cell: type {ast.unparse(annotation)!r} is not known; use int, float, str, "
        "bool, list, dict, Literal[...] or X | None"
    )


def _parameter(
    name: str,
    annotation: str,
    kinds: tuple[str, ...],
    choices: tuple[Any, ...],
    default: Any,
    comment: str,
) -> Parameter:
    unit = UNIT.match(comment)
    rest = comment[unit.end() :] if unit else comment
    bounds = RANGE.search(rest)
    rest = rest[: bounds.start()] if bounds else rest
    below = BELOW.search(rest)
    meaning = (rest[: below.start()] if below else rest).strip().rstrip(",").strip()
    parameter = Parameter(
        name=name,
        annotation=annotation,
        kinds=kinds,
        choices=choices,
        default=default,
        unit=unit["unit"] if unit else "",
        meaning=meaning,
        low=float(bounds["lo"]) if bounds else None,
        high=float(bounds["hi"]) if bounds else None,
        below=below["other"] if below else "",
        relation=below["how"] if below else "<",
    )
    if problem := parameter.problem(default):
        raise TemplateError(f"parameters cell: the default is not allowed: {problem}")
    return parameter


def resolve(
    parameters: Sequence[Parameter], given: Mapping[str, Any], where: str
) -> dict[str, Any]:
    """Return the values of all parameters, by default their defaults.

    Raises
    ------
    ParameterError
        Parameters are unknown, have the wrong type or are out of range; lists all of them.
    """
    by_name = {p.name: p for p in parameters}
    problems = [
        f"{where} has no parameter {name!r}{did_you_mean(name, by_name)}"
        for name in given
        if name not in by_name
    ]
    values: dict[str, Any] = {}
    for name, parameter in by_name.items():
        value = given.get(name, parameter.default)
        if problem := parameter.problem(value):
            problems.append(problem)
        values[name] = float(value) if _widen(parameter, value) else value
    problems += _violations(parameters, values)
    if problems:
        taken = ", ".join(f"{p.name}: {p.annotation}" for p in parameters)
        raise ParameterError(f"{'; '.join(problems)} — {where} takes {taken or 'no parameters'}")
    return values


def _violations(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the pairs of parameters that violate their relation."""
    for p in parameters:
        here, there = values[p.name], values.get(p.below)
        if here is None or there is None:
            continue
        if p.relation == "!=":
            wrong = here == there
        elif isinstance(here, int | float) and isinstance(there, int | float):
            wrong = not (here < there or (p.relation == "<=" and here == there))
        else:
            wrong = False  # `problem` reports it
        if wrong:
            yield f"{p.name} = {here!r} must be {RELATIONS[p.relation]} {p.below} = {there!r}"


def _widen(parameter: Parameter, value: Any) -> bool:
    return type(value) is int and "float" in parameter.kinds and "int" not in parameter.kinds


def parse_assignments(
    parameters: Sequence[Parameter], texts: Sequence[str], where: str, fixed: Sequence[str] = ()
) -> dict[str, Any]:
    """Return ``{name: value}`` of texts such as ``t_start=0.5``.

    ``fixed`` are the parameters of the subject, which cannot be set this way.
    """
    by_name = {p.name: p for p in parameters}
    values: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals:
            raise ParameterError(f"{text!r} does not set a parameter: write -p name=value")
        if name in fixed:
            raise ParameterError(f"{name} is the command's first argument: leave out -p {text}")
        values[name] = by_name[name].parse(value.strip()) if name in by_name else value
    resolve(parameters, values, where)
    return values


def injected_cell(values: Mapping[str, Any]) -> str:
    """Return the source of the cell that sets parameters, inserted after the template's own."""
    return "# Parameters\n" + "\n".join(f"{name} = {value!r}" for name, value in values.items())
