"""Python source without what cannot change a number: comments, layout, docstrings.

The text is the same on every version of Python: unlike that of ``ast.dump``, which names fields
that others lack. A test holds it by value.
"""

from __future__ import annotations

import ast

# Fields that say nothing of what is computed, and those that some versions do not have.
_SILENT = {"ctx", "kind", "type_comment", "type_ignores"}


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
    """Return the tree of Python source, its docstrings left out."""
    tree: ast.Module = _WithoutDocstrings().visit(ast.parse(source))
    return tree


def normal_form(tree: ast.AST) -> str:
    """Return a text that is the same for trees which do the same in the same words."""
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
            if inner is not None and inner != [] and name not in _SILENT:
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
        text.append(ascii(value))  # repr goes by the Unicode table of the Python


def _pieces(values: list[ast.expr]) -> list[ast.expr]:
    """Return what an f-string is made of; neighbouring texts, which some versions part, as one."""
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
