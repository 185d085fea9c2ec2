"""The library's own code as an input of reports: what of it ran, and the digest of that.

What ran is recorded while the notebook runs (`ishtar.lineage.executed`): functions, by name. With
them count the bodies of their modules, which run when those are imported: constants, classes,
tables. Names are followed only where nothing runs that could be recorded: a constant or a class
that a function takes from another module brings in that module's body, and a function behind a
cache counts where it is named, since what is in the cache is given without running it.

Of all this neither comments nor layout nor docstrings count: what cannot change a number makes
nothing stale. The digests are the same on every version of Python.
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

ALL = "*"  # of a report that no notebook ran for: all of the library
Ran = Mapping[str, Sequence[str]]  # module → its units that count
CHANGING = "changed while the report ran"  # in place of a digest: nobody knows which ran
_DEEPEST = 20  # modules that hand a name on


class Library:
    """The modules of a package as they are when they are first asked for.

    Parameters
    ----------
    root : Path
        Folder of the package, of its name.
    """

    def __init__(self, root: Path) -> None:
        self.name = root.name
        self._root = root
        self._modules: dict[str, Module | None] = {}

    def names(self) -> list[str]:
        """Return the names of all modules."""
        return [name for name, _ in self._files()]

    def _files(self) -> Iterator[tuple[str, Path]]:
        for path in sorted(self._root.rglob("*.py")):
            parts = path.relative_to(self._root.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path

    def module(self, name: str) -> Module | None:
        """Return a module; None where there is none of this name, or none that can be read."""
        if name not in self._modules:
            self._modules[name] = self._find(name)
        return self._modules[name]

    def _find(self, name: str) -> Module | None:
        if name != self.name and not name.startswith(f"{self.name}."):
            return None
        place = os.path.join(self._root.parent, *name.split("."))
        for path in (os.path.join(place, "__init__.py"), f"{place}.py"):  # as Python looks
            try:
                stat = os.stat(path)
            except OSError:
                continue
            return _read(name, path, stat.st_mtime_ns, stat.st_size)
        return None

    def counted(self, records: Iterable[Input]) -> dict[str, list[str]]:
        """Return what a report depends on: what ran or was taken, and the bodies that count too.

        Parameters
        ----------
        records : iterable of Input
            Of kind ``ran``.
        """
        return _Count(self, records).counted()

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Return what changes with each module's file, by the module's name."""
        found = {}
        for name, path in self._files():
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found[name] = (stat.st_mtime_ns, stat.st_size)
        return found

    def digests(self, ran: Ran) -> dict[str, str]:
        """Return the digest of what counts of each module now; ``absent`` where it is gone."""
        if ALL in ran:
            return {self.name: digest([m.whole() for m in map(self.module, self.names()) if m])}
        modules = {name: self.module(name) for name in ran}
        # a method of such a name may come to take the place of one that ran, or that they call
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


@lru_cache(maxsize=1024)
def _read(name: str, path: str, *_: int) -> Module | None:
    """Read a module anew where its file is not what it was."""
    try:
        return Module.at(name, Path(path))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None


class _Count:
    """Follows what ran to the bodies that count with it."""

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
                self._take(module, unit.removeprefix(ACCESS))
            elif item.kind == RAN:
                self._add(module, unit)

    def counted(self) -> dict[str, list[str]]:
        if self._units:
            self._everything_of(self._library.name)
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
                    self._name(module, used)
                for base, attribute in module.unit(unit).chains:
                    self._chain(module, base, attribute)
        return {name: sorted(units) for name, units in sorted(self._units.items())}

    def _everything_of(self, name: str) -> None:
        """Count a module whose functions are not marked: that of the package itself."""
        if (module := self._library.module(name)) is not None:
            for unit in module.units:
                self._add(name, unit)

    def _add(self, module: str, unit: str) -> None:
        if unit not in self._units[module]:
            self._units[module].add(unit)
            self._todo.append((module, unit))

    def _name(self, module: Module, name: str, depth: int = 0) -> None:
        """Count the body that binds a name which is no function, and a function with a cache."""
        if name in module.assigned:
            self._add(module.name, BODY)
        if name in module.cached:
            self._add(module.name, name)
        if name in module.imports and depth < _DEEPEST:
            source, symbol = module.imports[name]
            where = self._library.module(source)
            if where is not None and symbol:
                self._name(where, symbol, depth + 1)

    def _take(self, name: str, symbol: str) -> None:
        """Count what a symbol of a module is, which is no function with a mark."""
        module = self._library.module(name)
        if module is None or symbol == "__dict__":
            self._add(name, BODY)
        elif symbol in module.units:  # decorated: what it is now need not run it
            self._add(name, symbol)
        else:
            self._name(module, symbol)

    def _chain(self, module: Module, base: str, attribute: str) -> None:
        """Count the body that binds ``base.attribute``, where ``base`` is a module."""
        if base in module.imports:
            source, symbol = module.imports[base]
            where = self._library.module(f"{source}.{symbol}" if symbol else source)
            if where is not None:
                self._name(where, attribute)


def installed_at() -> Path:
    """Return where the library's modules lie."""
    return Path(ishtar.__file__).parent


def library() -> Library:
    """Return the library as it is installed now."""
    return Library(installed_at())


def set_of(ran: Ran) -> str:
    """Return the name of the input that stands for what ran: the same for reports that ran it."""
    return f"{ishtar.__name__}:{digest({k: list(v) for k, v in ran.items()})}"


def code_input(ran: Ran, code: Mapping[str, str]) -> Input:
    """Return what `Library.counted` and `Library.digests` give as one input."""
    return Input(
        kind="code", name=set_of(ran), version=ishtar.__version__, digest=digest(dict(code))
    )
