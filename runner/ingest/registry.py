"""The converters: one for each file format. A facility can add its own.

``ishtar.toml``::

    [ingest]
    converters = ["our_scope:ScopeFile"]      # our_scope.py in the workspace, or installed

or an entry point in the group ``ishtar.converters``. These come before the built-in ones, in that
order.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol

from ishtar.errors import WorkspaceError
from runner.ingest.context import Context

HEAD_BYTES = 4096
BUILT_IN = (
    "runner.ingest.tdms.tdms_converter:Tdms",
    "runner.ingest.lvm.lvm_converter:Lvm",
    "runner.ingest.hdf5.h5archive:H5Archive",
    "runner.ingest.generatorlog.generatorlog_converter:GeneratorLog",
    "runner.ingest.datecsv.datecsv_converter:DateCsv",
)


class Converter(Protocol):
    """Turns one file format into channels, attributes and properties.

    A converter has no state; ``name`` and ``version`` go into every file that it makes.
    """

    name: str
    version: str

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether the file has this format: by its first `HEAD_BYTES`, or else its name."""

    def convert(self, path: Path, context: Context) -> None:
        """Read the file once and store its content through the context.

        Raises
        ------
        NotWhole
            It ends too early.
        Rejected
            It cannot be used; the text is the reason. Any other exception has the same effect.
        """


def converters(names: tuple[str, ...] = (), folder: Path | None = None) -> Iterator[Converter]:
    """Yield a facility's own converters (``"module:Class"``), then installed and built-in ones.

    Parameters
    ----------
    names : tuple of str
        From the settings.
    folder : Path, optional
        Searched first for their modules.
    """
    for name in names:
        yield _load(name, folder)
    for entry in _installed():
        yield entry.load()()
    for name in BUILT_IN:
        yield _load(name, None)


@cache
def _installed() -> tuple[Any, ...]:
    return tuple(entry_points(group="ishtar.converters"))  # slow: scans all installed packages


def _load(name: str, folder: Path | None) -> Any:
    module_name, _, class_name = name.partition(":")
    try:
        return getattr(_module(module_name, folder), class_name)()
    except (ImportError, AttributeError, SyntaxError, TypeError) as error:
        raise WorkspaceError(
            f"converter {name!r} cannot be loaded ({error}): correct [ingest] converters in "
            "ishtar.toml to 'module:Class', with the module next to ishtar.toml or installed"
        ) from error


def _module(name: str, folder: Path | None) -> Any:
    file = folder / f"{name}.py" if folder is not None else None
    if file is None or not file.is_file():
        return importlib.import_module(name)
    # a unique name: two workspaces may have different modules of the same name
    unique = f"ishtar_converters.{abs(hash(file.resolve())):x}.{name}"
    if unique not in sys.modules:
        spec = importlib.util.spec_from_file_location(unique, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[unique] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[unique]
            raise
    return sys.modules[unique]
