"""A normal form of Python source, independent of comments, layout and docstrings.

It is the same on every version of Python, unlike ``ast.dump``, whose fields differ between
versions. A test pins its value.
"""

from __future__ import annotations

import ast

# Fields that do not affect the result, and those that some versions do not have.
_IGNORED_FIELDS = {"ctx", "kind", "type_comment", "type_ignores"}


class _WithoutDocstrings(ast.NodeTransformer):
    def _strip(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = node.body  # type: ignore[attr-defined]
        match body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _strip


def without_docstrings(source: str) -> ast.Module:
    """Return the syntax tree of Python source without docstrings."""
    tree: ast.Module = _WithoutDocstrings().visit(ast.parse(source))
    return tree


def normal_form(tree: ast.AST) -> str:
    """Return a text that is equal for trees of equal code."""
    text: list[str] = []
    _write(tree, text)
    return "".join(text)


def _write(value: object, text: list[str]) -> None:
    if isinstance(value, ast.Constant):
        text.append(f"{type(value.value).__name__} {value.value!a}")
    elif isinstance(value, ast.JoinedStr):
        text.append("JoinedStr(")
        _write(_pieces(value.values), text)
        text.append(")")
    elif isinstance(value, ast.AST):
        text.append(f"{type(value).__name__}(")
        for name in value._fields:
            inner = getattr(value, name, None)
            if inner is not None and inner != [] and name not in _IGNORED_FIELDS:
                text.append(f"{name}=")
                _write(inner, text)
                text.append(",")
        text.append(")")
    elif isinstance(value, list):
        text.append("[")
        for item in value:
            _write(item, text)
            text.append(",")
        text.append("]")
    else:
        text.append(ascii(value))  # repr depends on the Unicode tables of the Python version


def _pieces(values: list[ast.expr]) -> list[ast.expr]:
    """Return the parts of an f-string; merge adjacent texts, which some versions split."""
    found: list[ast.expr] = []
    for value in values:
        match value, found:
            case ast.Constant(value=str(text)), [*_, ast.Constant(value=str(before))]:
                found[-1] = ast.Constant(before + text)
            case ast.Constant(value=""), _:
                pass
            case _:
                found.append(value)
    return found
