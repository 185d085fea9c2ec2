"""The library's own code as an input of reports: which parts ran, and their digest.

The functions that run are recorded, by name, while the notebook runs (`ishtar.lineage.executed`). A
report depends on them and on the bodies of their modules, which run at import: constants, classes,
tables. Names are followed only where nothing runs that could be recorded: a function that uses a
constant or a class of another module depends on that module's body, and one that names a cached
function depends on it, since the cache may answer without running it.

Comments, layout and docstrings do not count: what cannot change a number makes no report stale. The
digests are the same on every version of Python.
"""

from __future__ import annotations

import contextlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import ishtar
from ishtar.lineage.executed import ACCESS, BODY
from ishtar.lineage.record import ABSENT, RAN, Input, digest
from runner.execution.source_units import Module

ALL = "*"  # for a report without a run: the whole library
Ran = Mapping[str, Sequence[str]]  # module → the units that a report depends on
CHANGING = "changed while the report ran"  # instead of a digest: the version that ran is unknown
_DEEPEST = 20  # modules in a chain of re-exports


class Library:
    """The modules of a package, each read when it is first needed.

    Parameters
    ----------
    root : Path
        Folder of the package; its name is the package's.
    """

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self._root = root
        self._modules: dict[str, Module | None] = {}

    def names(self) -> list[str]:
        """Return the names of all modules."""
        return [name for name, _ in _files_below(str(self._root), self.name)]

    def module(self, name: str) -> Module | None:
        """Return a module, None if it does not exist or cannot be read."""
        if name not in self._modules:
            self._modules[name] = self._find(name)
        return self._modules[name]

    def _find(self, name: str) -> Module | None:
        if name != self.name and not name.startswith(f"{self.name}."):
            return None
        place = os.path.join(self._root.parent, *name.split("."))
        for path in (os.path.join(place, "__init__.py"), f"{place}.py"):  # in Python's order
            try:
                stat = os.stat(path)
            except OSError:
                continue
            return _read(name, path, stat.st_mtime_ns, stat.st_size)
        return None

    def dependencies(self, records: Iterable[Input]) -> dict[str, list[str]]:
        """Return the units that a report depends on, by module.

        Parameters
        ----------
        records : iterable of Input
            The records of what ran; those of other kinds than ``ran`` are ignored.
        """
        return _Dependencies(self, records).dependencies()

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Return modification time and size of each module's file, by the module's name."""
        found = {}
        for name, entry in _files_below(str(self._root), self.name):
            with contextlib.suppress(FileNotFoundError):
                stat = entry.stat()
                found[name] = (stat.st_mtime_ns, stat.st_size)
        return found

    def digests(self, ran: Ran) -> dict[str, str]:
        """Return the current digests of units, by module; ``absent`` if it was removed."""
        if ALL in ran:
            return {
                self.name: digest([m.identities() for m in map(self.module, self.names()) if m])
            }
        modules = {name: self.module(name) for name in ran}
        # a new method of such a name may override one that ran or that is called
        attributes = {unit.rpartition(".")[2] for units in ran.values() for unit in units}
        for name, module in modules.items():
            if module is not None:
                attributes = attributes.union(*(module.unit(u).attributes for u in ran[name]))
        return {
            name: ABSENT
            if module is None
            else digest([[module.unit(u).identity for u in ran[name]], module.methods(attributes)])
            for name, module in modules.items()
        }


def _files_below(folder: str, name: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield name and file of each module of a package: by `os`, as each report asks twice.

    Skip folders that cannot be read, or were removed meanwhile: nothing can be imported from them.
    """
    entries: list[os.DirEntry[str]] = []
    with contextlib.suppress(PermissionError, FileNotFoundError), os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name == "__init__.py":
            yield name, entry
        elif entry.name.endswith(".py"):
            yield f"{name}.{entry.name.removesuffix('.py')}", entry
        elif entry.is_dir(follow_symlinks=False) and entry.name != "__pycache__":
            yield from _files_below(entry.path, f"{name}.{entry.name}")


@lru_cache(maxsize=1024)
def _read(name: str, path: str, *_: int) -> Module | None:
    """Read a module; the cache is keyed by the stamp of its file."""
    try:
        return Module.at(name, Path(path))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None


class _Dependencies:
    """Collect the units that a report depends on, from the records of what ran."""

    def __init__(self, library: Library, records: Iterable[Input]) -> None:
        self._library = library
        self._units: dict[str, set[str]] = defaultdict(set)
        self._todo: list[tuple[str, str]] = []
        self._at_import: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for item in records:
            module, _, unit = item.name.partition(":")
            if item.kind == RAN and item.subject:
                self._at_import[item.subject].add((module, unit))
            elif item.kind == RAN and unit.startswith(ACCESS):
                self._add_symbol(module, unit.removeprefix(ACCESS))
            elif item.kind == RAN:
                self._add(module, unit)

    def dependencies(self) -> dict[str, list[str]]:
        if self._units:
            self._add_all_of(self._library.name)
        while self._todo:
            name, unit = self._todo.pop()
            self._add(name, BODY)
            if unit == BODY:
                for found in self._at_import[name]:
                    self._add(*found)
            if (module := self._library.module(name)) is not None:
                for loaded in module.loaded if unit == BODY else ():
                    if loaded != self._library.name and self._library.module(loaded) is not None:
                        self._add(loaded, BODY)
                for used in module.unit(unit).names:
                    self._follow_name(module, used)
                for base, attribute in module.unit(unit).chains:
                    self._follow_attribute(module, base, attribute)
        return {name: sorted(units) for name, units in sorted(self._units.items())}

    def _add_all_of(self, name: str) -> None:
        """Add all units of a module whose functions are not recorded: that of the package."""
        if (module := self._library.module(name)) is not None:
            for unit in module.units:
                self._add(name, unit)

    def _add(self, module: str, unit: str) -> None:
        if unit not in self._units[module]:
            self._units[module].add(unit)
            self._todo.append((module, unit))

    def _follow_name(self, module: Module, name: str, depth: int = 0) -> None:
        """Add the body that binds a name other than a function's, and a cached function."""
        if name in module.assigned:
            self._add(module.name, BODY)
        if name in module.cached:
            self._add(module.name, name)
        if name in module.imports and depth < _DEEPEST:
            source, symbol = module.imports[name]
            where = self._library.module(source)
            if where is not None and symbol:
                self._follow_name(where, symbol, depth + 1)

    def _add_symbol(self, name: str, symbol: str) -> None:
        """Add a symbol of a module that is not a recorded function."""
        module = self._library.module(name)
        if module is None or symbol == "__dict__":
            self._add(name, BODY)
        elif symbol in module.units:  # decorated: its replacement need not run it
            self._add(name, symbol)
        else:
            self._follow_name(module, symbol)

    def _follow_attribute(self, module: Module, base: str, attribute: str) -> None:
        """Add the body that binds ``base.attribute``, if ``base`` is a module."""
        if base in module.imports:
            source, symbol = module.imports[base]
            where = self._library.module(f"{source}.{symbol}" if symbol else source)
            if where is not None:
                self._follow_name(where, attribute)


def library_folder() -> Path:
    """Return the folder of the library's modules."""
    return Path(ishtar.__file__).parent


def library() -> Library:
    """Return the installed library."""
    return Library(library_folder())


def code_name(ran: Ran) -> str:
    """Return the name of the input for a set of units: equal sets have equal names."""
    return f"{ishtar.__name__}:{digest({k: list(v) for k, v in ran.items()})}"


def code_input(ran: Ran, code: Mapping[str, str]) -> Input:
    """Return the units of `Library.dependencies` and their `Library.digests` as one input."""
    return Input(
        kind="code", name=code_name(ran), version=ishtar.__version__, digest=digest(dict(code))
    )
