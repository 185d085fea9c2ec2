"""Split a module of the library into units that reports can depend on.

A unit is what `ishtar.lineage.executed` records, a function or a method, or the module's body:
everything else that runs when it is imported. Comments, layout and docstrings do not count, and
imports count where the names that they bind are used.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.lineage import normal_form as normal
from ishtar.lineage.executed import BODY, Function, cached_from_source, units
from ishtar.lineage.normal_form import normal_form, without_docstrings
from ishtar.lineage.record import digest

_HERE = (Path(__file__), Path(normal.__file__))
_TAG = "units" + hashlib.blake2b(b"".join(p.read_bytes() for p in _HERE), digest_size=6).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Unit:
    """A function, a method or the body of a module.

    ``identity`` changes with its code; the rest is what its source refers to: names,
    ``module.attribute`` and attributes of anything.
    """

    identity: str
    names: frozenset[str]
    chains: frozenset[tuple[str, str]]
    attributes: frozenset[str]


_NOTHING = Unit(identity="absent", names=frozenset(), chains=frozenset(), attributes=frozenset())


@dataclass(frozen=True, kw_only=True)
class Module:
    """The current source of one module of the library.

    Attributes
    ----------
    units : dict of str to Unit
        Units by name, ``""`` for the body.
    assigned : frozenset of str
        Names of constants and classes that the body binds.
    imports : dict of str to (str, str)
        The imports of the body: local name → module, and symbol or ``""``.
    cached : frozenset of str
        Functions with a cache, which may answer without running them.
    loaded : frozenset of str
        Modules that the body imports for their side effects, such as filling a table.
    """

    name: str
    units: dict[str, Unit]
    assigned: frozenset[str]
    imports: dict[str, tuple[str, str]]
    cached: frozenset[str] = frozenset()
    loaded: frozenset[str] = frozenset()

    @classmethod
    def at(cls, name: str, path: Path) -> Module:
        """Read a module from its file, or from the cache if the file has not changed."""
        is_package = path.name == "__init__.py"
        found, assigned, imports, cached, loaded = cached_from_source(
            str(path), _TAG, lambda source: _parse_units(name, source.decode(), is_package)
        )
        names = ("identity", "names", "chains", "attributes")
        units = {
            unit: Unit(**dict(zip(names, details, strict=True))) for unit, details in found.items()
        }
        return cls(
            name=name,
            units=units,
            assigned=assigned,
            imports=imports,
            cached=cached,
            loaded=loaded,
        )

    def unit(self, name: str) -> Unit:
        """Return a unit; an ``absent`` one if there is none of this name."""
        return self.units.get(name, _NOTHING)

    def identities(self) -> list[str]:
        """Return the module's name and the identities of all units."""
        return [self.name, *(self.units[unit].identity for unit in sorted(self.units))]

    def methods(self, attributes: Iterable[str]) -> list[str]:
        """Return the methods with one of these names, and those that Python itself calls.

        A new one may override an inherited method, though nothing else has changed.
        """
        wanted = set(attributes)
        return sorted(
            name
            for name in self.units
            if "." in name
            and ((last := name.rpartition(".")[2]) in wanted or last.startswith("__"))
        )


def _parse_units(name: str, source: str, is_package: bool) -> tuple[Any, ...]:
    """Return units (identity, names, chains, attributes), and the other fields of `Module`."""
    tree = without_docstrings(source)
    functions: dict[str, list[ast.AST]] = {}
    for unit, node in units(tree.body):
        functions.setdefault(unit, []).append(node)
    body = _Body({id(node) for nodes in functions.values() for node in nodes}, name, is_package)
    nodes: dict[str, list[ast.AST]] = {BODY: [body.visit(tree)], **functions}
    used = {unit: _uses(nodes[unit]) for unit in nodes}
    for_itself = body.imports.keys() - {n for uses in used.values() for n in uses.names}
    found = {}
    for unit, uses in used.items():
        # imports for side effects belong to the body
        names = uses.names | for_itself if unit == BODY else uses.names
        meaning = {
            n: "own" if n in functions else body.imports[n]
            for n in sorted(names)
            if n in functions or n in body.imports
        }
        dotted = [sorted(body.dotted)] if unit == BODY and body.dotted else []
        identity = digest([[normal_form(node) for node in nodes[unit]], meaning, *dotted])
        details = (uses.names, uses.chains, uses.attributes)
        found[unit] = (identity, *(frozenset(detail) for detail in details))
    loaded = body.dotted | {".".join(filter(None, body.imports[n])) for n in for_itself}
    cached = {n for n, of in functions.items() if any(_has_cache(node) for node in of)}
    assigned = frozenset(_assigned(nodes[BODY][0]))
    return found, assigned, body.imports, frozenset(cached), frozenset(loaded)


def _has_cache(function: Any) -> bool:
    return any("cache" in ast.unparse(decorator) for decorator in function.decorator_list)


def _assigned(body: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in _outside_of_functions(body):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.ClassDef):
            found.add(node.name)
    return found


class _Body(ast.NodeTransformer):
    """Remove functions and imports from a module's body: they count where they are used.

    ``imports`` has the imports of the body: local name → (module, symbol or ""); ``dotted`` the
    modules imported as ``import a.b``, which binds only the first part.
    """

    def __init__(self, functions: set[int], name: str, is_package: bool) -> None:
        self._functions = functions
        self._package = name if is_package else name.rpartition(".")[0]
        self.imports: dict[str, tuple[str, str]] = {}
        self.dotted: set[str] = set()

    def visit(self, node: ast.AST) -> Any:
        if id(node) in self._functions:
            return None
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                return None
            case ast.Import(names=names):
                for a in names:
                    top = a.name.partition(".")[0]
                    self.imports[a.asname or top] = (a.name if a.asname else top, "")
                    if a.name != top and not a.asname:
                        self.dotted.add(a.name)
                return None
            case ast.ImportFrom(module=module, names=names, level=level):
                source = _absolute(module or "", level, self._package)
                if source != "__future__":
                    self.imports |= {a.asname or a.name: (source, a.name) for a in names}
                return None
        return self.generic_visit(node)


def _absolute(module: str, level: int, package: str) -> str:
    """Return the absolute name of a module that is imported relatively from a package."""
    if not level:
        return module
    above = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*above, module] if module else above)


def _outside_of_functions(tree: ast.AST) -> Iterable[ast.AST]:
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            todo += ast.iter_child_nodes(node)


class _Collector(ast.NodeVisitor):
    """Collect the names that code refers to, without annotations, which do not run."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.chains: set[tuple[str, str]] = set()
        self.attributes: set[str] = set()

    def visit_Name(self, node: ast.Name) -> None:
        self.names.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.attributes.add(node.attr)
        if isinstance(node.value, ast.Name):
            self.chains.add((node.value.id, node.attr))
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and node.value.isidentifier():
            self.attributes.add(node.value)  # getattr(x, "load")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def _function(self, node: Function) -> None:
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._function(node)


def _uses(nodes: Sequence[ast.AST]) -> _Collector:
    found = _Collector()
    for node in nodes:
        found.visit(node)
    return found
