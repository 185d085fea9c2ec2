"""Each folder has a face: its ``__all__`` lists what others may import from it, and nothing else.

A face lists names, for users of the library, and modules, for other folders of this project. Other
modules of a folder are its own business.
"""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from runpy import run_path

import pytest

from tests.source_files import MODULES, ROOT, parsed

ADDRESS = re.compile(r"(?:ishtar|runner)(?:\.\w+)+")
FOLDERS = [name for name, path in MODULES.items() if path.name == "__init__.py" and "." in name]


@cache
def face(folder: str) -> list[str]:
    for node in parsed(MODULES[folder]).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return []


def order(name: str) -> int:
    """Return what comes first in a face: CONSTANTS, then Classes, then functions and modules."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a file imports, late and for types too, and addresses of modules in its texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            address = node.value.partition(":")[0]
            if ADDRESS.fullmatch(address) and address in MODULES:
                yield address


def entered(name: str, tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield folder and entry for each folder that a file enters from outside."""
    for address in imported(tree):
        parts = address.split(".")
        for k in range(2, len(parts)):
            folder = ".".join(parts[:k])
            if folder in FOLDERS and name != folder and not name.startswith(f"{folder}."):
                yield folder, parts[k]


@cache
def entries() -> dict[tuple[str, str], str]:
    """Return who enters which folder by what; the entry points of the package are a file, too."""
    found: dict[tuple[str, str], str] = {}
    for name, path in MODULES.items():
        for entry in entered(name, parsed(path)):
            found[entry] = name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = [project["scripts"], *project["entry-points"].values()]
    declared = ast.parse("\n".join(repr(point) for group in points for point in group.values()))
    for entry in entered("pyproject.toml", declared):
        found[entry] = "pyproject.toml"
    public = run_path(str(ROOT / "docs" / "reference.py"))["MODULES"]  # for templates and programs
    for entry in entered("docs", ast.parse(repr(public))):
        found[entry] = "docs/reference.py"
    return found


@pytest.mark.parametrize("folder", [name for name in MODULES if name in FOLDERS or face(name)])
def test_a_face_is_sorted_and_all_of_it_exists(folder):
    assert face(folder), f"{MODULES[folder]} has no __all__"
    assert face(folder) == sorted(set(face(folder)), key=lambda n: (order(n), n))
    module = importlib.import_module(folder)
    for name in face(folder):
        if f"{folder}.{name}" not in MODULES:
            assert hasattr(module, name), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_is_entered_by_its_face_alone(folder):
    by = {entry: who for (where, entry), who in entries().items() if where == folder}
    secret = {entry: who for entry, who in by.items() if entry not in face(folder)}
    assert not secret, f"import what {folder}.__all__ lists, or list it there: {secret}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_face_lists_no_module_that_nobody_enters(folder):
    modules = {name for name in face(folder) if f"{folder}.{name}" in MODULES}
    unused = modules - {entry for where, entry in entries() if where == folder}
    assert not unused, f"remove from {folder}.__all__: {sorted(unused)}"


def test_a_private_import_is_seen():
    late = "def f():\n    from ishtar.store.scale import x\n"
    assert list(entered("runner.a", ast.parse(late))) == [("ishtar.store", "scale")]
    assert list(entered("ishtar.store.a", ast.parse(late))) == []
    text = 'LAZY = "runner.ingest.tdms.tdms_converter:Tdms"'
    assert list(entered("runner.a", ast.parse(text))) == [
        ("runner.ingest", "tdms"),
        ("runner.ingest.tdms", "tdms_converter"),
    ]
