"""Record which functions of the library run while a report is made.

A report depends only on the library's code that really ran, no matter how the notebook reached it
(``%run``, ``importlib``, ``getattr``, ``eval``). So in the process of a report, the modules of the
library are compiled with a mark at the beginning of every function. The first call of a function is
recorded (an `ishtar.lineage.record.Input` of kind ``ran``); a later call only tests a flag.

A *unit* is a function of a module (``ishtar.units:factor``) or a method
(``ishtar.signals.lazy_signal:Signal.load``) with all functions nested in it. What runs while a
module is imported is recorded as part of that module. An attribute of a module that has no mark (a
constant, a class, a cached function) is recorded by name when it is accessed,
``ishtar.gases:.MASSES``.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.abc
import importlib.machinery
import importlib.util
import marshal
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ishtar.lineage.record import RAN, VARIABLE, Input, line_of

PACKAGE = __name__.partition(".")[0]
MARKS, FIRST_CALL = "__ishtar_marks__", "__ishtar_first__"  # in the namespace of each module
FORKS = "ISHTAR_FORKS_REPORTS"  # set in the environment of the kernel server
BODY = ""  # the unit of module-level code
ACCESS = "."  # prefix of the name of a module's attribute that was accessed, not called
Function = ast.FunctionDef | ast.AsyncFunctionDef
_MARKED_TYPES = (FunctionType, ModuleType)


def units(body: Sequence[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """Yield (name, node) of each function and method in the body of a module or class.

    One that is defined twice (a property's setter, versions for two systems) is yielded twice.
    """
    for statement in body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield f"{owner}{statement.name}", statement
            case ast.ClassDef():
                yield from units(statement.body, f"{owner}{statement.name}.")
            case _:
                for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                    for inner in getattr(statement, part, ()):
                        of = [inner] if isinstance(inner, ast.stmt) else inner.body
                        yield from units(of, owner)


class _Marker(ast.NodeTransformer):
    """Inserts a mark at the beginning of a function and of all functions nested in it."""

    def __init__(self, number: int) -> None:
        self._number = number

    def _mark(self, at: ast.AST) -> ast.expr:
        text = f"{MARKS}[{self._number}] and {FIRST_CALL}({self._number})"
        mark = ast.parse(text, mode="eval").body
        for node in ast.walk(mark):
            ast.copy_location(node, at)
        return mark

    def _function(self, node: Function) -> Function:
        self.generic_visit(node)
        at = 1 if ast.get_docstring(node, clean=False) is not None else 0
        first = node.body[min(at, len(node.body) - 1)]
        node.body.insert(at, ast.copy_location(ast.Expr(self._mark(first)), first))
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        both = ast.Tuple([self._mark(node.body), node.body], ast.Load())
        node.body = ast.Subscript(both, ast.Constant(1), ast.Load())
        for made in (both, node.body, node.body.slice):
            ast.copy_location(made, both.elts[1])
        return node


class _BodyMarker(_Marker):
    """Inserts marks into the lambdas of a module's body: in tables, fields and properties."""

    def _function(self, node: Function) -> Function:
        return node  # a separate unit


def marked(tree: ast.Module) -> list[str]:
    """Insert marks into a module; return the names of its units in the order of their numbers."""
    names: list[str] = [BODY]
    _BodyMarker(0).visit(tree)
    for name, node in units(tree.body):
        if name not in names:
            names.append(name)
        _Marker(names.index(name)).visit(node)
    return names


class Executed:
    """The units that have run in this process, and their record on disk."""

    def __init__(self) -> None:
        self.ran: dict[Input, None] = {}
        self._accessed: set[str] = set()
        self._importing = threading.local()

    def imports(self) -> list[str]:
        """Return the modules that this thread is importing, innermost last."""
        if not hasattr(self._importing, "names"):
            self._importing.names = []
        names: list[str] = self._importing.names
        return names

    @contextlib.contextmanager
    def attributed_to(self, module: str) -> Iterator[None]:
        """Record what runs in the block as part of a module, as during its import."""
        importing = self.imports()
        importing.append(module)
        try:
            yield
        finally:
            importing.pop()

    def note(self, unit: str) -> bool:
        """Record a unit that runs; return whether its mark can be switched off."""
        importing = self.imports()
        item = Input(kind=RAN, name=unit, subject=importing[-1] if importing else "")
        if item not in self.ran:
            self._write([item])  # first: if writing fails, the next call tries again
            self.ran[item] = None
        return not importing

    def note_access(self, unit: str) -> None:
        """Record an attribute that is accessed, except by modules of the library during import.

        The source of those modules shows what they access.
        """
        if unit not in self._accessed and not self.imports():
            self.note(unit)
            self._accessed.add(unit)

    def start_writing(self) -> None:
        """Write what ran before the record's path was known: in the server that forked the kernel.

        Attributes that the server itself accessed are dropped: the notebook does not depend on
        them.
        """
        self._accessed.clear()
        self.ran = {i: None for i in self.ran if not i.name.partition(":")[2].startswith(ACCESS)}
        self._write(list(self.ran))

    def _write(self, items: Sequence[Input]) -> None:
        path = os.environ.get(VARIABLE)
        if not path or not items:
            return
        # Opened each time: code that closes all files (a daemon) may reuse the descriptor.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            data = "".join(map(line_of, items)).encode("ascii")
            while data:  # a nearly full disk takes part of it, then fails
                data = data[os.write(file, data) :]
        finally:
            os.close(file)


executed = Executed()
_TAG = (
    "marks"
    + hashlib.blake2b(
        Path(__file__).read_bytes() + bytes([sys.flags.optimize]), digest_size=6
    ).hexdigest()
)


def cached_from_source(path: str, tag: str, make: Callable[[bytes], Any]) -> Any:
    """Return ``make(source)`` of a module, cached next to Python's own bytecode.

    Parameters
    ----------
    path : str
        The source file.
    tag : str
        Five letters that name the result, then its version: letters and digits only.
    make : callable
        Takes the source as bytes; returns something that `marshal` can store.

    Returns
    -------
    object
        The result, from the cache if the source has not changed.
    """
    cache = Path(importlib.util.cache_from_source(path, optimization=tag))
    stat = os.stat(path)
    key = importlib.util.MAGIC_NUMBER + f"{stat.st_mtime_ns} {stat.st_size}\n".encode()
    try:
        kept = cache.read_bytes()
        if kept.startswith(key):
            return marshal.loads(kept[len(key) :])
    except (OSError, ValueError, EOFError, TypeError):
        pass  # missing or damaged: it is made again
    made = make(Path(path).read_bytes())
    if not sys.dont_write_bytecode:
        temporary = cache.with_name(f"{cache.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # without write permission there is no cache
            cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(key + marshal.dumps(made))
            temporary.replace(cache)
            for old in cache.parent.glob(f"{cache.name.partition('.opt-')[0]}.opt-{tag[:5]}*.pyc"):
                if old != cache:  # from another version of ``make``
                    old.unlink(missing_ok=True)
    return made


class WatchedModule(ModuleType):
    """A module that records access to its constants, classes and cached functions.

    Functions with a mark are recorded when they run.
    """

    def __getattribute__(self, name: str) -> Any:
        found = ModuleType.__getattribute__(self, name)
        if type(found) not in _MARKED_TYPES and (name[:2] != "__" or name == "__dict__"):
            executed.note_access(f"{ModuleType.__getattribute__(self, '__name__')}:{ACCESS}{name}")
        return found

    def __reduce__(self) -> Any:  # cloudpickle recognises modules by their exact type
        return importlib.import_module, (self.__name__,)


def run_marked(name: str, namespace: dict[str, Any]) -> None:
    """Run a marked module in another module's namespace: ``python -m ishtar.units``."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert isinstance(spec.loader, _Loader)
    executed.note(f"{name}:{BODY}")
    spec.loader.run(name, namespace)


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads a module compiled with marks."""

    def _compiled(self) -> tuple[list[str], CodeType]:
        def make(source: bytes) -> tuple[list[str], CodeType]:
            tree = ast.parse(source, self.path)
            return marked(tree), compile(tree, self.path, "exec", dont_inherit=True)

        names, code = cached_from_source(self.path, _TAG, make)
        return names, code

    def get_code(self, fullname: str) -> CodeType:
        """Return code that runs the marked module, for ``python -m``."""
        text = f"__import__({__name__!r}, fromlist=['_']).run_marked({fullname!r}, globals())"
        return compile(text, self.path, "exec", dont_inherit=True)

    def run(self, name: str, namespace: dict[str, Any]) -> None:
        """Run the module in its namespace."""
        names, code = self._compiled()
        marks = [True] * len(names)

        def first(number: int) -> None:
            if executed.note(f"{name}:{names[number]}"):
                marks[number] = False

        namespace.update({MARKS: marks, FIRST_CALL: first})
        exec(code, namespace)

    def exec_module(self, module: ModuleType) -> None:
        namespace = vars(module)
        module.__class__ = WatchedModule
        with executed.attributed_to(module.__name__):
            self.run(module.__name__, namespace)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(f"{self.package}."):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is importlib.machinery.SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def install(package: str = PACKAGE) -> None:
    """Mark all modules of a package (default: the library) that are imported from now on."""
    if not any(isinstance(f, _Finder) and f.package == package for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package))
