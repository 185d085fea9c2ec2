"""The API reference: what is public is documented in full, and the pages can be built."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import FunctionType

import pytest

ROOT = Path(__file__).parents[1]
MODULES = run_path(str(ROOT / "docs" / "reference.py"))["MODULES"]
SECTION = re.compile(r"^([A-Z][A-Za-z ]+)\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}\n|\Z)", re.M | re.S)


def public(module: str) -> Iterator[tuple[str, object]]:
    home = importlib.import_module(module)
    own = [k for k, v in vars(home).items() if getattr(v, "__module__", "") == module]
    for name in getattr(home, "__all__", own):
        thing = getattr(home, name, None)  # None for a module that only other folders import
        if not name.startswith("_") and not inspect.ismodule(thing) and thing is not None:
            yield name, thing


def functions(module: str) -> Iterator[tuple[str, FunctionType]]:
    for name, thing in public(module):
        if isinstance(thing, FunctionType):
            yield name, thing
        elif inspect.isclass(thing):
            for member, function in inspect.getmembers(thing, inspect.isfunction):
                if not member.startswith("_") and function.__module__.startswith("ishtar"):
                    yield f"{name}.{member}", function


FUNCTIONS = {f"{m}.{n}": f for m in MODULES for n, f in functions(m)}


def documented(function: FunctionType) -> set[str]:
    """Return the parameters that a docstring describes, in its section or in its first line."""
    text = inspect.getdoc(function) or ""
    found = set(re.findall(r"``(\w+)``", text))
    for title, body in SECTION.findall(text):
        if title == "Parameters":
            for line in body.splitlines():
                if re.match(r"\S", line):
                    found |= {n.strip().lstrip("*") for n in line.split(":")[0].split(",")}
    return found


def examples() -> Iterator[tuple[str, str]]:
    """Yield the code of the templates and of the documentation, with where it is."""
    for path in sorted((ROOT / "templates_nb").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        yield path.name, "\n".join(code)
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        blocks = re.findall(r"```python\n(.*?)```", path.read_text(encoding="utf-8"), re.S)
        yield path.name, "\n".join(blocks)


def imports(code: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of what a code imports of the library."""
    for module, names in re.findall(r"^\s*from (ishtar[\w.]*) import (\w+(?:, \w+)*)", code, re.M):
        yield from ((module, name) for name in names.split(", "))
    for module in re.findall(r"^\s*import (ishtar[\w.]*)", code, re.M):
        yield module, ""


EXAMPLES = dict(examples())


@pytest.mark.parametrize("where", EXAMPLES)
def test_templates_and_documentation_import_what_is_public(where):
    for module, name in imports(EXAMPLES[where]):
        submodule = f"{module}.{name}" in MODULES
        assert submodule or module in MODULES, f"{where}: {module} is not in the reference"
        assert submodule or not name or name in dict(public(module)), f"{where}: {module}.{name}"


def test_there_is_something_to_look_at():
    assert len(FUNCTIONS) > 100
    assert {"ishtar.Signal.envelope", "ishtar.langmuir.analyse"} <= FUNCTIONS.keys()


@pytest.mark.parametrize("module", MODULES)
def test_modules_and_classes_of_the_reference_say_what_they_are(module):
    assert importlib.import_module(module).__doc__
    for name, thing in public(module):
        if inspect.isclass(thing):
            assert thing.__doc__, name


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_describes_each_of_its_parameters(name):
    function = FUNCTIONS[name]
    assert inspect.getdoc(function), name
    parameters = [
        p
        for p in inspect.signature(function).parameters
        if p not in ("self", "cls") and p[0] != "_"
    ]
    if len(parameters) > 1:  # one alone is what the first line speaks of
        assert set(parameters) <= documented(function)
