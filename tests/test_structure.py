"""How the code hangs together: heavy imports come late. Who may import whom: `make check`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import ishtar
from tests.source_files import MODULES, ROOT, module_name, parsed

pytestmark = pytest.mark.whole

FILES = sorted(MODULES.values())
LIBRARY = [p for p in FILES if p.is_relative_to(ROOT / "ishtar")]
HEAVY = {
    *(
        "IPython",
        "ipykernel",
        "magpylib",
        "matplotlib",
        "nbclient",
        "nbconvert",
        "nbformat",
        "pandas",
    ),
    *("papermill", "pint", "scipy", "scrapbook", "xarray"),
}
LONGEST = 400  # lines, those of docstrings not counted


def imports(path: Path) -> Iterator[str]:
    """Yield the modules that a file imports when it is imported itself."""

    def walk(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    continue
                case ast.FunctionDef() | ast.AsyncFunctionDef():
                    continue
                case ast.Import(names=names):
                    yield from (alias.name for alias in names)
                case ast.ImportFrom(module=module, names=names):
                    for alias in names:
                        whole = f"{module}.{alias.name}"
                        yield whole if whole in MODULES else str(module)
                case _:
                    yield from walk(child)

    yield from walk(parsed(path))


def test_there_is_something_to_look_at():
    assert len(FILES) > 50
    assert {"ishtar.shots.shot", "ishtar.store.reader", "runner.staleness.plan"} <= MODULES.keys()


@pytest.mark.parametrize("package", ["ishtar", "runner"])
def test_a_file_has_a_name_of_its_own(package):
    """No other file of the package has it, and no module of the standard library."""
    names = [p.stem for p in FILES if p.is_relative_to(ROOT / package) and p.stem[:2] != "__"]
    assert len(names) > 100
    assert not {name for name, n in Counter(names).items() if n > 1}
    assert not {*names} & sys.stdlib_module_names


def test_imports_name_whole_modules():
    relative = {
        module_name(path)
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and node.level
    }
    assert not relative


def test_the_library_imports_what_is_heavy_where_it_is_used():
    wrong = {
        f"{module_name(path)} imports {name}"
        for path in LIBRARY
        for name in imports(path)
        if name.split(".")[0] in HEAVY
    }
    assert not wrong


def loaded_after(code: str) -> set[str]:
    """Return which heavy packages a fresh Python has loaded after running some code."""
    code += f"\nimport sys; print(*({HEAVY!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_ishtar_loads_nothing_but_ishtar():
    code = "import ishtar, sys; assert not {'numpy', 'h5py', 'ishtar.errors'} & sys.modules.keys()"
    assert loaded_after(code) == set()


def test_opening_the_testbed_and_its_calibrations_loads_nothing_heavy():
    code = "import ishtar.shots.testbed, ishtar.report; ishtar.langmuir; "
    code += f"ishtar.open({str(ROOT)!r}).declarations; ishtar.report.glue('Te', 1.0, unit='eV')"
    assert loaded_after(code) == set()


def test_reading_a_signal_as_an_array_loads_nothing_heavy(stored_workspace):
    code = "import ishtar; "
    code += f"ishtar.open({str(stored_workspace.root)!r})[1249]['Probe_U'][1.0:2.0].values()"
    # pint, and scipy with it, because the test's units have to be looked up: V*Pa and mA
    assert loaded_after(code) <= {"pint", "scipy"}


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_has_one_subject_and_says_which(path):
    text = path.read_text(encoding="utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    homes = [n for n in ast.walk(parsed(path)) if isinstance(n, documented)]
    strings = [n.body[0] for n in homes if ast.get_docstring(n)]
    documentation = sum(s.end_lineno - s.lineno + 1 for s in strings)
    assert len(text.splitlines()) - documentation <= LONGEST
    if text.strip():
        assert ast.get_docstring(parsed(path))


def test_the_public_names_are_these():
    assert ishtar.__all__ == [
        "IshtarError",
        "Measured",
        "Shot",
        "Signal",
        "Testbed",
        "langmuir",
        "open",
    ]
    assert ishtar.__all__ == sorted(ishtar.__all__)
    assert dir(ishtar) == sorted([*ishtar.__all__, "__version__"])
    for name in ishtar.__all__:
        assert getattr(ishtar, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        ishtar.nothing  # noqa: B018
