"""Which functions of a package some code can reach, found without running it.

A report depends on the library's code. Not on all of it: a change in the coil fields cannot change
a report that never asks for one. Here the source is followed from a notebook's cells through
imports, names and attributes to the functions, classes and module bodies that could run.

It errs on the side of too many: a method counts as reached when its class is reached and an
attribute of its name is, whatever the object; a special method (``__getitem__``) together with its
class. Names that are bound by imports or definitions are followed exactly. What it cannot see is a
function that is looked up by a name made at run time; ``getattr(x, "literal")`` it sees.
"""

from __future__ import annotations

import ast
import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.normal import normal_form, without_docstrings

Function = ast.FunctionDef | ast.AsyncFunctionDef
DEEPEST = 20  # modules that hand a name on
LOOKUPS = ("getattr", "hasattr", "attrgetter", "methodcaller")


@dataclass(frozen=True)
class Unit:
    """A piece of code that runs as a whole: a function, a method, the body of a class or module."""

    module: str
    name: str = ""  # "" is the module's own body, "Signal" a class, "Signal.load" a method


@dataclass
class _Uses:
    """What a piece of code refers to: (base, attribute…) chains of names, and bare attributes."""

    chains: set[tuple[str, ...]] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)


@dataclass
class Module:
    """One module, taken apart."""

    name: str
    is_package: bool
    units: dict[str, list[ast.AST]] = field(default_factory=lambda: defaultdict(list))
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # name → (module, symbol)
    uses: dict[str, _Uses] = field(default_factory=lambda: defaultdict(_Uses))
    bound: set[str] = field(default_factory=set)  # names that the body binds, not functions

    def source(self, names: Iterable[str]) -> str:
        """Return the normalised source of some of its units."""
        return "\n".join(normal_form(node) for n in sorted(names) for node in self.units[n])


class _Collector(ast.NodeVisitor):
    """Gathers what code uses; annotations do not run and are left out."""

    def __init__(self, uses: _Uses) -> None:
        self.uses = uses

    def visit_Name(self, node: ast.Name) -> None:
        self.uses.chains.add((node.id,))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        parts: list[str] = [node.attr]
        base = node.value
        while isinstance(base, ast.Attribute):
            parts.append(base.attr)
            base = base.value
        if isinstance(base, ast.Name):
            self.uses.chains.add((base.id, *reversed(parts)))
        else:
            self.uses.attributes.update(parts)
            self.visit(base)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else None
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in LOOKUPS:
            for argument in node.args:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    self.uses.attributes.update(argument.value.split("."))
        self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        self.uses.attributes.update(node.kwd_attrs)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self.visit(node.target)
        if node.value is not None:
            self.visit(node.value)

    def visit_arg(self, node: ast.arg) -> None:
        pass

    def _function(self, node: Function) -> None:
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    visit_FunctionDef = visit_AsyncFunctionDef = _function


def _read(name: str, tree: ast.Module, is_package: bool) -> Module:
    module = Module(name, is_package)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                target = alias.name if alias.asname else alias.name.split(".")[0]
                module.imports[alias.asname or target] = (target, "")
        elif isinstance(node, ast.ImportFrom):
            package = name.split(".") if is_package else name.split(".")[:-1]
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, node.module] if node.module else base)
            for alias in node.names:
                module.imports[alias.asname or alias.name] = (source, alias.name)
    for statement in tree.body:
        if isinstance(statement, Function):
            _add(module, statement.name, statement)
        elif isinstance(statement, ast.ClassDef):
            _read_class(module, statement)
        elif not isinstance(statement, ast.Import | ast.ImportFrom):
            _add(module, "", statement)
            module.bound |= {
                n.id
                for n in ast.walk(statement)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return module


def _read_class(module: Module, node: ast.ClassDef) -> None:
    methods = [s for s in node.body if isinstance(s, Function)]
    for method in methods:
        _add(module, f"{node.name}.{method.name}", method)
    rest = [s for s in node.body if s not in methods] or [ast.Pass()]
    # Neither a method that comes nor one that goes changes what the others do.
    body = copy.copy(node)
    body.body = rest
    _add(module, node.name, body)


def _add(module: Module, name: str, node: ast.AST) -> None:
    module.units[name].append(node)
    _Collector(module.uses[name]).visit(node)


class Package:
    """All modules of a package, to find what some code can reach in them."""

    def __init__(self, name: str, sources: Mapping[str, tuple[str, bool]]) -> None:
        """Take apart a package: module name → (source, whether it is a package itself)."""
        self.name = name
        self.modules = {
            module: _read(module, without_docstrings(source), is_package)
            for module, (source, is_package) in sources.items()
        }

    @classmethod
    def at(cls, root: Path) -> Package:
        """Read a package from its folder."""
        sources: dict[str, tuple[str, bool]] = {}
        for path in sorted(root.rglob("*.py")):
            parts = (root.name, *path.relative_to(root).with_suffix("").parts)
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            sources[name] = (path.read_text(encoding="utf-8"), is_package)
        return cls(root.name, sources)

    def reached(self, cells: Iterable[str]) -> dict[str, set[str]]:
        """Return the units that some code can reach, by module.

        Parameters
        ----------
        cells : iterable of str
            Python; what is none (a shell command) makes everything reached.
        """
        walk = _Walk(self)
        for cell in cells:
            try:
                tree = without_docstrings(_plain(cell))
            except SyntaxError:
                return {name: set(m.units) for name, m in self.modules.items()}
            walk.enter(tree)
        return walk.run()


def _plain(cell: str) -> str:
    """Return a cell without IPython's own lines, ``%matplotlib inline``."""
    return "\n".join(x for x in cell.splitlines() if not x.lstrip().startswith(("%", "!", "?")))


class _Walk:
    def __init__(self, package: Package) -> None:
        self.package = package
        self.units: set[Unit] = set()
        self.todo: list[Unit] = []
        self.attributes: set[str] = set()
        self.waiting: dict[str, list[Unit]] = defaultdict(list)  # attribute → methods
        self.notebook = Module("", False)

    def enter(self, tree: ast.Module) -> None:
        found = _read("", tree, False)
        self.notebook.imports |= found.imports  # later cells see what earlier ones imported
        for uses in found.uses.values():  # a notebook's own functions count as run
            for source in (self.notebook, found):
                self._follow(source, uses)
        for statement in ast.walk(tree):  # an import runs even where its name is never used
            if isinstance(statement, ast.Import | ast.ImportFrom):
                for name in found.imports:
                    self._chain(found, (name,))

    def run(self) -> dict[str, set[str]]:
        while self.todo:
            unit = self.todo.pop()
            module = self.package.modules[unit.module]
            self._reach(Unit(unit.module))
            if unit.name in module.uses:
                self._follow(module, module.uses[unit.name])
            if not unit.name:  # its __getattr__ answers for names that it has not
                for name in module.units:
                    if name.startswith("__") and "." not in name:
                        self._reach(Unit(unit.module, name))
            elif "." not in unit.name:
                self._methods(module, unit.name)
        found: dict[str, set[str]] = defaultdict(set)
        for unit in self.units:
            found[unit.module].add(unit.name)
        return dict(found)

    def _reach(self, unit: Unit) -> None:
        if unit not in self.units:
            self.units.add(unit)
            self.todo.append(unit)

    def _methods(self, module: Module, cls: str) -> None:
        for name in module.units:
            owner, _, method = name.partition(".")
            if owner != cls or not method:
                continue
            if method in self.attributes or (method.startswith("__") and method.endswith("__")):
                self._reach(Unit(module.name, name))
            else:
                self.waiting[method].append(Unit(module.name, name))

    def _attribute(self, name: str) -> None:
        self.attributes.add(name)
        for unit in self.waiting.pop(name, ()):
            self._reach(unit)

    def _follow(self, module: Module, uses: _Uses) -> None:
        for chain in uses.chains:
            self._chain(module, chain)
        for name in uses.attributes:
            self._attribute(name)

    def _chain(self, module: Module, chain: tuple[str, ...]) -> None:
        """Follow ``a.b.c`` as far as ``a`` is a module, then by attribute."""
        base, *rest = chain
        if base in module.units and module.name:
            self._reach(Unit(module.name, base))
        elif base in module.imports:
            where, symbol = module.imports[base]
            if not self._is_ours(where):
                return  # np.field is nobody's method here
            self._symbol(where, symbol, rest)
            return
        elif base in module.bound and module.name:
            self._reach(Unit(module.name))
        for name in rest:
            self._attribute(name)

    def _symbol(self, where: str, symbol: str, rest: list[str], depth: int = 0) -> None:
        """Reach ``symbol`` of module ``where``, then the attributes that follow it."""
        if not symbol and rest:
            symbol, *rest = rest
        module, inner = self.package.modules.get(where), f"{where}.{symbol}"
        if symbol and inner in self.package.modules:
            if module and (symbol in module.units or symbol in module.imports) and depth < DEEPEST:
                self._own(module, symbol, rest, depth)  # a function may have its module's name
            self._symbol(inner, "", rest, depth)
        elif module is not None:
            if symbol == "*":
                for name in module.units:
                    self._reach(Unit(where, name))
            self._own(module, symbol, rest, depth)

    def _own(self, module: Module, symbol: str, rest: list[str], depth: int) -> None:
        """Reach what a module defines or imports under a name, then the attributes that follow."""
        self._reach(Unit(module.name))
        if symbol in module.units:
            self._reach(Unit(module.name, symbol))
        elif symbol in module.imports and depth < DEEPEST:
            source, name = module.imports[symbol]
            if self._is_ours(source):
                self._symbol(source, name, rest, depth + 1)
                return
        for name in rest:
            self._attribute(name)

    def _is_ours(self, module: str) -> bool:
        return module == self.package.name or module.startswith(f"{self.package.name}.")


def outline(reached: Mapping[str, set[str]]) -> Iterator[str]:
    """Yield the reached functions for people, ``ishtar.signal: Signal.load``."""
    for module in sorted(reached):
        yield f"{module}: {', '.join(sorted(n for n in reached[module] if n)) or 'its body'}"
