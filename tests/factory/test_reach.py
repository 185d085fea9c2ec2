"""What code a notebook can reach: enough, and not everything."""

from __future__ import annotations

import pytest

from runner.reach import Package

SOURCES = {
    "lib": "from lib.shot import open_shot as open\n__all__ = ['open']",
    "lib.shot": """
import numpy as np
from lib import facts
from lib.signal import Signal, Unused

LIMIT = facts.limit()

def open_shot(n):
    return Shot(n)

class Shot:
    kind = "shot"
    def __init__(self, n):
        self.n = n
    def __getitem__(self, name):
        return Signal(name)
    def export(self, path):
        from lib.export import write
        return write(path)
    def never(self):
        return np.field(self)

def lonely():
    return LIMIT
""",
    "lib.signal": """
class Base:
    def load(self):
        return self._read()
    def _read(self):
        return 0
    def other(self):
        return 1

class Signal(Base):
    def __init__(self, name):
        self.name = name
    def _read(self):
        return helper()

class Unused:
    def load(self):
        return 2

def helper(kind: "Unused" = None):
    return getattr(kind, "turns", None)

class Turning:
    def turns(self):
        return 3
""",
    "lib.facts": "def limit():\n    return 4\ndef unused():\n    return 5",
    "lib.export": "def write(path):\n    return path",
    "lib.deep": "from lib.deep.inner import solve",
    "lib.deep.inner": "from . import more\ndef solve(x):\n    return more.step(x)",
    "lib.same": "from lib.same.same import same",
    "lib.same.same": "def same():\n    return other()\ndef other():\n    return 6",
    "lib.deep.more": "def step(x):\n    return x\ndef field(x):\n    return x",
}


@pytest.fixture
def package():
    names = set(SOURCES)
    packages = {n for n in names if any(other.startswith(f"{n}.") for other in names)}
    return Package("lib", {n: (source, n in packages) for n, source in SOURCES.items()})


def reached(package, *cells):
    return {
        f"{module}.{name}" if name else module
        for module, names in package.reached(cells).items()
        for name in names
    }


def test_a_call_is_followed_through_imports_classes_and_methods(package):
    found = reached(package, "import lib\nlib.open(7)['Lang_I'].load()")
    assert {
        "lib.shot.open_shot",
        "lib.shot.Shot.__getitem__",
        "lib.signal.Signal._read",
        "lib.signal.Base.load",
        "lib.signal.helper",
        "lib.facts.limit",  # runs when its module is imported
    } <= found


@pytest.mark.parametrize(
    "name",
    [
        "lib.shot.lonely",
        "lib.shot.Shot.export",
        "lib.export.write",
        "lib.signal.Unused.load",  # imported, named in an annotation, never used
        "lib.signal.Base.other",
        "lib.facts.unused",
        "lib.deep.inner.solve",
        "lib.signal.Turning.turns",
    ],
)
def test_what_nobody_asks_for_is_not_reached(package, name):
    assert name not in reached(package, "import lib\nlib.open(7)['Lang_I'].load()")


def test_a_late_import_is_followed_when_its_function_is(package):
    assert "lib.export.write" in reached(package, "from lib import open\nopen(7).export('x')")


@pytest.mark.parametrize(
    "cell",
    [
        "from lib.deep import solve\nsolve(1)",
        "import lib.deep\nlib.deep.solve(1)",
        "from lib import deep as d\ndef mine(x):\n    return d.inner.solve(x)",
        "from lib.deep.inner import *",
    ],
)
def test_packages_aliases_stars_and_own_functions_are_followed(package, cell):
    found = reached(package, cell)
    assert {"lib.deep.inner.solve", "lib.deep.more.step"} <= found
    assert "lib.deep.more.field" not in found


@pytest.mark.parametrize(
    "cell", ["import lib.same\nlib.same.same()", "from lib import same\nsame.same()"]
)
def test_a_function_may_have_the_name_of_its_module(package, cell):
    assert {"lib.same.same.same", "lib.same.same.other"} <= reached(package, cell)


def test_a_name_that_is_looked_up_as_text_counts(package):
    cell = "import lib\nfrom lib.signal import Turning\nlib.open(7)['x'].load()"
    assert "lib.signal.Turning.turns" in reached(package, cell)


def test_later_cells_know_the_imports_of_earlier_ones(package):
    assert "lib.deep.more.step" in reached(package, "import lib.deep as d", "d.solve(2)")


def test_lines_that_only_ipython_understands_are_passed_over(package):
    assert "lib.shot.open_shot" in reached(package, "%matplotlib inline\nimport lib\nlib.open(1)")


def test_what_cannot_be_read_reaches_everything(package):
    assert "lib.shot.lonely" in reached(package, "this is no python")


def test_docstrings_and_comments_are_no_part_of_the_source(package):
    plain = Package("lib", {"lib": ("def f():\n    return 1", True)})
    wordy = Package("lib", {"lib": ('"""D."""\ndef f():\n    """D."""\n    return 1  # c', True)})
    other = Package("lib", {"lib": ("def f():\n    return 2", True)})
    sources = [p.modules["lib"].source({"f"}) for p in (plain, wordy, other)]
    assert sources[0] == sources[1] != sources[2]
