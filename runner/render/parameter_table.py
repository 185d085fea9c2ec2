"""The parameters of an executed notebook as a table: defaults of the template and given values."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass

# these always differ from the example of the template
SUBJECT_PARAMETERS = frozenset({"shot", "day", "first", "last"})
_COMMENT = re.compile(r"#\s*(?:\[(?P<unit>[^\]]*)\])?\s*(?P<text>.*)")


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """One parameter: its value as Python text, and the default if another value was given."""

    name: str
    value: str
    unit: str = ""
    text: str = ""
    default: str = ""


def parameter_rows(template: str, injected: str = "") -> tuple[ParameterRow, ...]:
    """Return the parameters of two cells.

    Parameters
    ----------
    template, injected
        Source of the cells tagged ``parameters`` and ``injected-parameters``. Source that is
        not valid Python has no rows.
    """
    defaults, given = _assignments(template), _assignments(injected)
    comments = _comments(template)
    rows = []
    for name in {**defaults, **given}:
        unit, text = comments.get(name, ("", ""))
        default, value = defaults.get(name, ""), given.get(name, defaults.get(name, ""))
        other = name in given and bool(default) and not _same(default, value)
        shown = default if other and name not in SUBJECT_PARAMETERS else ""
        rows.append(ParameterRow(name=name, value=value, unit=unit, text=text, default=shown))
    return tuple(rows)


def _assignments(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in _statements(source):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = ast.unparse(node.value)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.unparse(node.value)
    return found


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # MemoryError: nested too deeply
        return []


def _comments(source: str) -> dict[str, tuple[str, str]]:
    """Return unit and text of the comment at the end of each assignment."""
    by_line: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                by_line[token.start[0]] = token.string
    except (tokenize.TokenError, SyntaxError):
        return {}
    found = {}
    for node in _statements(source):
        target: ast.expr | None = None
        if isinstance(node, ast.AnnAssign | ast.Assign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        comment = _COMMENT.fullmatch(by_line.get(node.end_lineno or 0, ""))
        if isinstance(target, ast.Name) and comment:
            found[target.id] = (comment["unit"] or "", comment["text"].strip())
    return found


def _same(a: str, b: str) -> bool:
    try:
        return bool(ast.literal_eval(a) == ast.literal_eval(b))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return a == b
