"""The identity of the library's own code, as one input of every report.

Comments, layout and docstrings do not count: what cannot change a number makes nothing stale.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import ishtar
from ishtar.lineage import Input, digest


class _WithoutDocstrings(ast.NodeTransformer):
    def _strip(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        body = node.body  # type: ignore[attr-defined]
        match body:
            case [ast.Expr(value=ast.Constant(value=str())), *rest]:
                node.body = rest or [ast.Pass()]  # type: ignore[attr-defined]
        return node

    visit_Module = visit_ClassDef = visit_FunctionDef = visit_AsyncFunctionDef = _strip


def normalised(source: str) -> str:
    """Return Python source without comments, layout and docstrings."""
    return ast.unparse(_WithoutDocstrings().visit(ast.parse(source)))


@lru_cache(maxsize=8)
def _digest_of(files: tuple[tuple[str, int, int], ...], root: str) -> str:
    base = Path(root)
    return digest([[name, normalised((base / name).read_text("utf-8"))] for name, _, _ in files])


def code_input() -> Input:
    """Return the identity of the library as it is installed now."""
    root = Path(ishtar.__file__).parent
    files = []
    for path in sorted(root.rglob("*.py")):
        stat = path.stat()
        files.append((path.relative_to(root).as_posix(), stat.st_mtime_ns, stat.st_size))
    found = _digest_of(tuple(files), str(root))
    return Input(kind="code", name="ishtar", version=ishtar.__version__, digest=found)
