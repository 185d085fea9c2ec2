"""Which functions of the library run while a report is made, recorded as its inputs are.

A report depends on the library's code, but only on what of it really ran; how the notebook came to
it (``%run``, ``importlib``, ``getattr``, ``eval``) plays no part. So where a report is made, the
modules of the library are compiled with a mark at the beginning of every function. The first call
of a function is written down (an `ishtar.lineage.record.Input` of kind ``ran``); a later one costs
the look at a flag.

A *unit* is what is named by it: a function of a module (``ishtar.units:factor``) or a method
(``ishtar.signals.signal:Signal.load``) with all functions inside of it. What runs while a module is
imported is written down as that module's own, since it counts where that module does. What is taken
from a module and has no mark (a constant, a class, a function behind a cache) is written down by
its name, ``ishtar.gases:.MASSES``, whoever takes it in whichever way.
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
MARKS, FIRST = "__ishtar_marks__", "__ishtar_first__"  # in the namespace of each module
FORKS = "ISHTAR_FORKS_REPORTS"  # is in the environment of the server of kernels
BODY = ""  # the unit of what is in no function
TAKEN = "."  # begins the name of what was taken from a module, not called
Function = ast.FunctionDef | ast.AsyncFunctionDef
_TOLD_BY_MARKS = (FunctionType, ModuleType)


def units(body: Sequence[ast.stmt], owner: str = "") -> Iterator[tuple[str, Function]]:
    """Yield the functions and methods of a module's or class's body, each with its name.

    One that is defined twice (a property's setter, two versions for two systems) comes twice.
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
    """Puts a mark at the beginning of a function and of all functions inside of it."""

    def __init__(self, number: int) -> None:
        self._number = number

    def _mark(self, at: ast.AST) -> ast.expr:
        text = f"{MARKS}[{self._number}] and {FIRST}({self._number})"
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
    """Puts marks into the lambdas of a module's body: tables of them, fields and properties."""

    def _function(self, node: Function) -> Function:
        return node  # a unit of its own


def marked(tree: ast.Module) -> list[str]:
    """Put marks into a module; return the names of its units in the order of their numbers."""
    names: list[str] = [BODY]
    _BodyMarker(0).visit(tree)
    for name, node in units(tree.body):
        if name not in names:
            names.append(name)
        _Marker(names.index(name)).visit(node)
    return names


class Executed:
    """What has run so far in this process, and where to write it down."""

    def __init__(self) -> None:
        self.ran: dict[Input, None] = {}
        self._taken: set[str] = set()
        self._importing = threading.local()

    def imports(self) -> list[str]:
        """Return the modules that this thread is importing, the innermost last."""
        if not hasattr(self._importing, "names"):
            self._importing.names = []
        names: list[str] = self._importing.names
        return names

    @contextlib.contextmanager
    def on_behalf_of(self, module: str) -> Iterator[None]:
        """Write down what runs in this block as that module's own: it counts where that does."""
        importing = self.imports()
        importing.append(module)
        try:
            yield
        finally:
            importing.pop()

    def note(self, unit: str) -> bool:
        """Take a unit that runs; tell whether it has not to be told again."""
        importing = self.imports()
        item = Input(kind=RAN, name=unit, subject=importing[-1] if importing else "")
        if item not in self.ran:
            self._write([item])  # first: what could not be written is told at the next call
            self.ran[item] = None
        return not importing

    def note_taken(self, unit: str) -> None:
        """Take what is taken from a module, except by modules of the library that are imported.

        What those take is told by their source.
        """
        if unit not in self._taken and not self.imports():
            self.note(unit)
            self._taken.add(unit)

    def begin(self) -> None:
        """Write down what ran before it was known where to: in the server that forked a kernel.

        What the server itself took from modules is nothing of the notebook's.
        """
        self._taken.clear()
        self.ran = {i: None for i in self.ran if not i.name.partition(":")[2].startswith(TAKEN)}
        self._write(list(self.ran))

    def _write(self, items: Sequence[Input]) -> None:
        path = os.environ.get(VARIABLE)
        if not path or not items:
            return
        # Opened for each: a program that closes all files (a daemon) may have another one there.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            data = "".join(map(line_of, items)).encode("ascii")
            while data:  # a disk that is nearly full takes a part, then refuses
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


def from_source(path: str, tag: str, make: Callable[[bytes], Any]) -> Any:
    """Return what is made of a module's source; it is kept where Python keeps what it compiles.

    Parameters
    ----------
    path : str
        Of the source.
    tag : str
        Names what is made, by five letters, and how: letters and digits.
    make : callable
        Takes the source; returns what `marshal` can keep.
    """
    cache = Path(importlib.util.cache_from_source(path, optimization=tag))
    stat = os.stat(path)
    key = importlib.util.MAGIC_NUMBER + f"{stat.st_mtime_ns} {stat.st_size}\n".encode()
    try:
        kept = cache.read_bytes()
        if kept.startswith(key):
            return marshal.loads(kept[len(key) :])
    except (OSError, ValueError, EOFError, TypeError):
        pass  # there is none, or none that is whole: it is made anew
    made = make(Path(path).read_bytes())
    if not sys.dont_write_bytecode:
        temporary = cache.with_name(f"{cache.name}.{os.getpid()}")
        with contextlib.suppress(OSError):  # where that is not allowed, do without
            cache.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(key + marshal.dumps(made))
            temporary.replace(cache)
            for old in cache.parent.glob(f"{cache.name.partition('.opt-')[0]}.opt-{tag[:5]}*.pyc"):
                if old != cache:  # of another version of what makes it
                    old.unlink(missing_ok=True)
    return made


class Watched(ModuleType):
    """A module that writes down what is taken from it: constants, classes, functions with a cache.

    Functions with a mark tell themselves, when they run.
    """

    def __getattribute__(self, name: str) -> Any:
        found = ModuleType.__getattribute__(self, name)
        if type(found) not in _TOLD_BY_MARKS and (name[:2] != "__" or name == "__dict__"):
            executed.note_taken(f"{ModuleType.__getattribute__(self, '__name__')}:{TAKEN}{name}")
        return found

    def __reduce__(self) -> Any:  # cloudpickle knows modules by their very type
        return importlib.import_module, (self.__name__,)


def run_marked(name: str, namespace: dict[str, Any]) -> None:
    """Run a module in a namespace of another name: ``python -m ishtar.units``."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert isinstance(spec.loader, _Loader)
    executed.note(f"{name}:{BODY}")
    spec.loader.run(name, namespace)


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles a module with its marks."""

    def _compiled(self) -> tuple[list[str], CodeType]:
        def make(source: bytes) -> tuple[list[str], CodeType]:
            tree = ast.parse(source, self.path)
            return marked(tree), compile(tree, self.path, "exec", dont_inherit=True)

        names, code = from_source(self.path, _TAG, make)
        return names, code

    def get_code(self, fullname: str) -> CodeType:
        """Return what runs the module with its marks, for those who run it as a program."""
        text = f"__import__({__name__!r}, fromlist=['_']).run_marked({fullname!r}, globals())"
        return compile(text, self.path, "exec", dont_inherit=True)

    def run(self, name: str, namespace: dict[str, Any]) -> None:
        """Run the module in its namespace."""
        names, code = self._compiled()
        marks = [True] * len(names)

        def first(number: int) -> None:
            if executed.note(f"{name}:{names[number]}"):
                marks[number] = False

        namespace.update({MARKS: marks, FIRST: first})
        exec(code, namespace)

    def exec_module(self, module: ModuleType) -> None:
        namespace = vars(module)
        module.__class__ = Watched
        with executed.on_behalf_of(module.__name__):
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
    """Mark the modules of a package, the library, that are imported from now on."""
    if not any(isinstance(f, _Finder) and f.package == package for f in sys.meta_path):
        sys.meta_path.insert(0, _Finder(package))
