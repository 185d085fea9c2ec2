"""Python source without what cannot change a number: comments, layout, docstrings."""

from __future__ import annotations

import ast


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
    return ast.dump(tree)
