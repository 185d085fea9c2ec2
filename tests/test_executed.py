"""Which functions of a package run: written down once each, by name, whoever calls them."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import operator
import os
import pickle
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ishtar.lineage import executed
from ishtar.lineage.executed import ACCESS, BODY, MARKS, Executed, install
from ishtar.lineage.record import RAN, VARIABLE, Input, read_records

SOURCES = {
    "__init__": "",
    "tools": '''
import functools

def registered(f):
    """Run while a module is imported."""
    names.append(f.__name__)
    return f

names = []

def decorating(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

@functools.cache
def cached(x):
    return x
''',
    "parts": '''
from __future__ import annotations
from watched_lib.tools import decorating, registered

@registered
def plain(x=1):
    """Has a docstring."""
    return x

def only_words():
    """Has nothing else."""

def never():
    return 0

@decorating
def decorated(x):
    return x

def inner():
    total = 0
    def add(x):
        nonlocal total
        total += x
        return total
    return add

def lambdas():
    return lambda x, *more, y=2, **rest: x + y

def counting(n):
    """Give numbers."""
    for k in range(n):
        yield k

async def later():
    return 3

TABLE = {"twice": lambda x: 2 * x}

class Base:
    limit = 4
    half = property(lambda self: self.limit / 2)

    def load(self):
        return self._read()

    def _read(self):
        return 0

class Shot(Base):
    def __init__(self):
        self._t = 1

    @property
    def t(self):
        return self._t

    @t.setter
    def t(self, value):
        self._t = value

    @classmethod
    def made(cls):
        return cls()

    @staticmethod
    def alone():
        return 5

    def _read(self):
        return [x for x in range(3)]

    class Inner:
        def deep(self):
            return __class__

if True:
    def here():
        return 6
else:
    def here():
        return 7

try:
    from nowhere_at_all import fast
except ImportError:
    def fast():
        return 8
''',
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], object]]:
    """Give a function that imports a module of a marked package; nothing has run so far."""
    root = tmp_path / "watched_lib"
    root.mkdir()
    for name, source in SOURCES.items():
        (root / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.setattr(executed, "executed", Executed())
    install("watched_lib")
    yield importlib.import_module
    for name in [n for n in sys.modules if n.startswith("watched_lib")]:
        del sys.modules[name]


def noted() -> set[str]:
    return {i.name.partition(":")[2] for i in executed.executed.ran if not i.subject}


def ran() -> set[str]:
    return {unit for unit in noted() if not unit.startswith(ACCESS)}


def run_coroutine(parts):
    with pytest.raises(StopIteration) as end:
        parts.later().send(None)
    return end.value.value


@pytest.mark.parametrize(
    ("call", "value", "units"),
    [
        (lambda p: p.plain(), 1, {"plain"}),
        (lambda p: p.only_words(), None, {"only_words"}),
        (lambda p: p.decorated(4), 4, {"decorated", "decorating"}),
        (lambda p: p.inner()(2), 2, {"inner"}),
        (lambda p: p.lambdas()(1, 9, z=1), 3, {"lambdas"}),
        (lambda p: list(p.counting(2)), [0, 1], {"counting"}),
        (run_coroutine, 3, {"later"}),
        (lambda p: p.Shot().load(), [0, 1, 2], {"Shot.__init__", "Base.load", "Shot._read"}),
        (lambda p: p.Base().load(), 0, {"Base.load", "Base._read"}),
        (lambda p: p.Shot.made().t, 1, {"Shot.__init__", "Shot.made", "Shot.t"}),
        (lambda p: p.Shot.alone(), 5, {"Shot.alone"}),
        (lambda p: p.Shot.Inner().deep().__name__, "Inner", {"Shot.Inner.deep"}),
        (lambda p: p.here(), 6, {"here"}),
        (lambda p: p.fast(), 8, {"fast"}),
        (lambda p: p.plain(p.Base.limit), 4, {"plain"}),
        (lambda p: p.TABLE["twice"](2), 4, {BODY}),
        (lambda p: p.Base().half, 2, {BODY}),
        (lambda p: functools.partial(p.plain, 4)(), 4, {"plain"}),
        (lambda p: operator.methodcaller("alone")(p.Shot), 5, {"Shot.alone"}),
        (lambda p: list(map(p.plain, [3])), [3], {"plain"}),
    ],
)
def test_what_runs_is_known_by_name_and_does_what_it_did(package, call, value, units):
    parts = package("watched_lib.parts")
    assert ran() == set()
    assert call(parts) == value
    assert ran() == units


def test_functions_keep_their_words_and_lines(package):
    parts = package("watched_lib.parts")
    assert parts.plain.__doc__ == "Has a docstring."
    assert parts.counting.__doc__ == "Give numbers."
    lines = SOURCES["parts"].splitlines()
    for name in ("never", "counting", "inner"):
        first = getattr(parts, name).__code__.co_firstlineno
        assert lines[first - 1].startswith(f"def {name}")
    with pytest.raises(TypeError) as raised:
        parts.plain(1, 2)
    assert raised.type is TypeError
    assert parts.never() == 0


def test_what_runs_while_a_module_is_imported_is_that_modules_and_counts_again_later(package):
    package("watched_lib.parts")
    tools = package("watched_lib.tools")
    names = {(i.name, i.subject) for i in executed.executed.ran}
    assert names == {
        ("watched_lib.tools:registered", "watched_lib.parts"),
        ("watched_lib.tools:decorating", "watched_lib.parts"),
    }
    tools.registered(len)
    assert ran() == {"registered"}


def test_a_second_call_writes_nothing_and_costs_a_look(package, tmp_path, monkeypatch):
    path = tmp_path / "inputs.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    parts = package("watched_lib.parts")
    for _ in range(3):
        parts.plain()
    assert [i for i in read_records(path) if not i.subject] == [
        Input(kind=RAN, name="watched_lib.parts:plain")
    ]
    assert sum(vars(parts)[MARKS]) == len(vars(parts)[MARKS]) - 1


def test_what_ran_before_the_record_began_is_in_it(package, tmp_path, monkeypatch):
    """A server of kernels fills caches; a kernel that it forks uses what is in them."""
    tools = package("watched_lib.tools")
    tools.cached(1)
    path = tmp_path / "inputs.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    executed.executed.start_writing()
    tools.cached(1)
    assert read_records(path) == (
        Input(kind=RAN, name="watched_lib.tools:.cached"),  # taken by the second call
        Input(kind=RAN, name="watched_lib.tools:cached"),
    )


def test_threads_are_seen_and_do_not_take_an_import_for_theirs(package):
    parts = package("watched_lib.parts")
    executed.executed.imports().append("somewhere")
    try:
        thread = threading.Thread(target=parts.plain)
        thread.start()
        thread.join()
    finally:
        executed.executed.imports().pop()
    assert ran() == {"plain"}


def test_a_compiled_module_is_used_again_until_its_source_changes(package, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    path = tmp_path / "watched_lib" / "tools.py"
    made: list[bytes] = []

    def make(source: bytes) -> int:
        made.append(source)
        return len(source)

    first = executed.cached_from_source(str(path), "test1", make)
    assert executed.cached_from_source(str(path), "test1", make) == first
    assert len(made) == 1
    kept = Path(importlib.util.cache_from_source(str(path), optimization="test1"))
    kept.write_bytes(kept.read_bytes()[:-2])  # torn
    assert executed.cached_from_source(str(path), "test1", make) == first
    path.write_text("x = 1\n")
    assert executed.cached_from_source(str(path), "test1", make) == 6
    assert len(made) == 3


@pytest.mark.parametrize(
    ("take", "units"),
    [
        (lambda p: p.Base, {".Base"}),
        (lambda p: getattr(p, "TAB" + "LE"), {".TABLE"}),
        (lambda p: vars(p)["TABLE"], {".__dict__"}),
        (lambda p: exec("from watched_lib.parts import names", {}), {".names"}),
        (lambda p: pickle.loads(b"cwatched_lib.parts\nBase\n."), {".Base"}),
        (lambda p: p.plain, set()),  # tells itself, when it runs
        (lambda p: p.__name__, set()),
        (lambda p: getattr(p, "nowhere", None), set()),
    ],
)
def test_what_is_taken_from_a_module_without_a_call_is_written_down(package, take, units):
    parts = package("watched_lib.parts")
    parts.__dict__["names"] = []
    executed.executed.ran.clear()
    executed.executed._accessed.clear()
    take(parts)
    assert noted() == units


def test_what_modules_take_while_they_are_imported_is_told_by_their_source(package, tmp_path):
    (tmp_path / "watched_lib" / "user.py").write_text("from watched_lib.tools import names\n")
    package("watched_lib.user")
    assert {i.name for i in executed.executed.ran if not i.subject} == set()


def test_a_marked_module_can_be_pickled_as_those_do_that_know_modules(package):
    parts = package("watched_lib.parts")
    assert pickle.loads(pickle.dumps(parts)) is parts


@pytest.mark.parametrize("taken", [0, 20])
def test_what_a_full_disk_refused_is_written_at_the_next_call(
    package, tmp_path, monkeypatch, taken
):
    path = tmp_path / "inputs.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    parts = package("watched_lib.parts")
    write, calls = os.write, []

    def full(file: int, data: bytes) -> int:
        calls.append(data)
        if len(calls) == 1 and taken:
            return write(file, data[:taken])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        parts.plain()
    monkeypatch.setattr(os, "write", write)
    assert parts.plain() == 1
    assert parts.here() == 6
    assert {i.name.partition(":")[2] for i in read_records(path) if not i.subject} == {
        "plain",
        "here",
    }


def test_a_record_outlives_a_program_that_closes_all_its_files(package, tmp_path, monkeypatch):
    path = tmp_path / "inputs.jsonl"
    monkeypatch.setenv(VARIABLE, str(path))
    parts = package("watched_lib.parts")
    before = set(os.listdir("/dev/fd"))
    parts.plain()
    assert set(os.listdir("/dev/fd")) == before  # none is kept that could become another's


def test_a_module_that_is_run_as_a_program_is_seen(package, tmp_path):
    source = "def f():\n    return 4\n\nif __name__ == '__main__':\n    FOUND = f()\n"
    (tmp_path / "watched_lib" / "program.py").write_text(source)
    package("watched_lib")
    assert runpy.run_module("watched_lib.program", run_name="__main__")["FOUND"] == 4
    assert ran() == {"f", BODY}


def test_what_is_kept_for_python_with_and_without_assertions_is_not_the_same(package, tmp_path):
    (tmp_path / "watched_lib" / "strict.py").write_text("def f():\n    assert False\n")
    code = "from ishtar.lineage.executed import install\ninstall('watched_lib')\n"
    code += "import watched_lib.strict as s\ns.f()"
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    path = os.pathsep.join([str(tmp_path), kept.get("PYTHONPATH", "")])
    ends = [
        subprocess.run(
            [sys.executable, *how, "-c", code], env=kept | {"PYTHONPATH": path}, capture_output=True
        ).returncode
        for how in (["-O"], [])
    ]
    assert ends == [0, 1]
