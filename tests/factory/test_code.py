"""The library's code as an input: what counts of it, what changes its digest, and what does not."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ishtar.lineage.normal_form import normal_form, without_docstrings
from ishtar.lineage.record import RAN, Input, digest
from runner.execution import library_code as code
from runner.execution.library_code import ALL, CHANGING, Library, code_input, library_folder
from runner.receipts import Receipt
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from tests.test_executed import SOURCES as WATCHED

SOURCES = {
    "__init__": "from lib.shot import open_shot as open\ndef __getattr__(name):\n    return name",
    "shot": """
from __future__ import annotations
from typing import TYPE_CHECKING
import numpy as np
from lib import facts
from lib.facts import DEEPEST, Row, reading as read
from lib.signal import Signal
if TYPE_CHECKING:
    from lib.other import Unread

LIMIT = 4

def open_shot(n: Unread):
    return Shot(n)

class Shot:
    kind = "shot"
    def __init__(self, n):
        self.n = n
    def __getitem__(self, name):
        return Signal(name)

def deep():
    return DEEPEST

def row():
    return Row()

def total():
    return facts.TOTAL

def lonely():
    return read() + np.pi
""",
    "signal": """
class Base:
    def load(self):
        return 0

class Signal(Base):
    def __init__(self, name):
        self.name = name

def helper():
    return sum([1])
""",
    "facts": "DEEPEST = 20\nTOTAL = 3\nclass Row:\n    x: int = 1\ndef reading():\n    return 1",
    "other": "class Unread: ...\n",
}
LOADED = ("lib.shot:open_shot", "lib.shot:Shot.__getitem__", "lib.signal:Base.load")


@pytest.fixture
def library(tmp_path):
    """Give a function that writes the package, with changes, and returns it as it is then."""

    def put(**changed: tuple[str, str]) -> Library:
        root = tmp_path / "lib"
        root.mkdir(exist_ok=True)
        for name, source in SOURCES.items():
            before, after = changed.get(name, ("", ""))
            assert before in source
            (root / f"{name}.py").write_text(source.replace(before, after, 1) if before else source)
        return Library(root)

    return put


def counted(library, *names, at_import=()):
    records = [Input(kind=RAN, name=name) for name in names]
    records += [Input(kind=RAN, name=name, subject=subject) for name, subject in at_import]
    found = library.dependencies(records)
    return {f"{m}:{u}" for m, us in found.items() for u in us}


def test_what_ran_counts_with_the_bodies_of_its_modules_and_the_package(library):
    assert counted(library(), *LOADED) == {
        *LOADED,
        "lib:",
        "lib:__getattr__",  # the package's own functions are not marked
        "lib.shot:",
        "lib.signal:",
    }


@pytest.mark.parametrize("name", ["deep", "row", "total"])
def test_a_constant_or_class_of_another_module_brings_in_its_body(library, name):
    assert "lib.facts:" in counted(library(), f"lib.shot:{name}")
    assert "lib.facts:" not in counted(library(), *LOADED)


@pytest.mark.parametrize(
    ("taken", "module"),
    [
        ("lib.facts:.DEEPEST", "lib.facts"),
        ("lib.shot:.DEEPEST", "lib.facts"),  # which hands it on
        ("lib.facts:.__dict__", "lib.facts"),
        ("lib.facts:.Row", "lib.facts"),
    ],
)
def test_what_a_notebook_takes_itself_counts_with_the_body_that_binds_it(library, taken, module):
    assert counted(library(), taken) == {f"{module}:", "lib:", "lib:__getattr__"}


CACHE = {"facts": ("def reading", "import functools\n@functools.cache\ndef reading")}


@pytest.mark.parametrize("taken", ["lib.shot:lonely", "lib.facts:.reading", "lib.shot:.read"])
def test_a_function_behind_a_cache_counts_where_it_is_named(library, taken):
    """What a server of kernels, or an import, has put into it is given without running it."""
    assert "lib.facts:reading" in counted(library(**CACHE), taken)
    assert "lib.facts:reading" not in counted(library(**CACHE), "lib.shot:deep")


@pytest.mark.parametrize("line", ["import lib.other", "from lib import other"])
def test_a_module_that_is_imported_for_what_it_does_counts_with_who_imports_it(library, line):
    edit = {"facts": ("DEEPEST = 20", f"{line}\nDEEPEST = 20")}
    assert "lib.other:" in counted(library(**edit), "lib.shot:deep")
    assert "lib.other:" not in counted(library(**edit), "lib.signal:helper")


def test_what_runs_at_import_counts_where_its_module_does(library):
    at_import = [("lib.facts:reading", "lib.signal")]
    assert "lib.facts:reading" in counted(library(), "lib.signal:helper", at_import=at_import)
    assert "lib.facts:reading" not in counted(library(), "lib.shot:deep", at_import=at_import)


def test_a_notebook_that_runs_nothing_of_the_library_depends_on_nothing_of_it(library):
    assert counted(library()) == set()


def digests(library, *names, before=None):
    ran = (before or library).dependencies([Input(kind=RAN, name=n) for n in names])
    return library.digests(ran)


CHANGES = {
    "what ran": (LOADED, {"signal": ("return 0", "return 1")}, {"lib.signal"}),
    "a constant of its module": (LOADED, {"shot": ("LIMIT = 4", "LIMIT = 5")}, {"lib.shot"}),
    "the body of a class": (LOADED, {"shot": ('kind = "shot"', 'kind = "s"')}, {"lib.shot"}),
    "a base class": (LOADED, {"signal": ("class Base:", "class Base(dict):")}, {"lib.signal"}),
    "a method that takes the place of an inherited one": (
        ("lib.shot:lonely", *LOADED, "lib.signal:helper"),
        {
            "signal": (
                "class Signal(Base):",
                "class Signal(Base):\n    def __len__(self):\n        return 7",
            )
        },
        {"lib.signal"},
    ),
    "a function in the place of a builtin": (
        ("lib.signal:helper",),
        {"signal": ("def helper", "def sum(x):\n    return 9\n\ndef helper")},
        {"lib.signal"},
    ),
    "where a name comes from": (
        ("lib.shot:lonely",),
        {"shot": (", reading as read", "\nfrom os import name as read")},
        {"lib.shot"},
    ),
    "an import for what it does": (
        LOADED,
        {"shot": ("import numpy as np", "import numpy as np\nimport lib.plugins")},
        {"lib.shot"},
    ),
    "a constant of another module": (
        ("lib.shot:deep",),
        {"facts": ("DEEPEST = 20", "DEEPEST = 21")},
        {"lib.facts"},
    ),
    "one more of them": (
        ("lib.shot:lonely",),
        {"shot": ("import numpy as np", "import numpy as np\nimport os.path")},
        {"lib.shot"},
    ),
    "a method in the place of one that only the notebook calls": (
        ("lib.shot:open_shot", "lib.signal:Base.load"),
        {
            "shot": (
                "    def __getitem__",
                "    def load(self):\n        return 9\n    def __getitem__",
            )
        },
        {"lib.shot"},
    ),
    "a default": (LOADED, {"signal": ("def load(self)", "def load(self, n=1)")}, {"lib.signal"}),
    "what did not run": (LOADED, {"signal": ("sum([1])", "sum([2])")}, set()),
    "a function more": (LOADED, {"signal": ("def helper", "def more(): ...\ndef helper")}, set()),
    "a method more of another name": (
        LOADED,
        {"signal": ("    def load(self)", "    def unload(self): ...\n    def load(self)")},
        set(),
    ),
    "an import that only types need": (
        LOADED,
        {"shot": ("import Unread", "import Unread, Other")},
        set(),
    ),
    "where a name comes from that another function uses": (
        LOADED,
        {"shot": (", reading as read", "\nfrom os import name as read")},
        set(),
    ),
    "a comment, a docstring and the layout": (
        LOADED,
        {"signal": ("        return 0", '        "D."  \n        # c\n        return (\n 0)')},
        set(),
    ),
    "another module": (LOADED, {"other": ("class Unread: ...", "class Unread: x = 1")}, set()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_counts_changes_the_digest_of_its_module_alone(library, change):
    names, edit, expected = CHANGES[change]
    before = library()
    was = digests(before, *names)
    now = digests(library(**edit), *names, before=before)
    assert {m for m in was if was[m] != now[m]} == expected


def test_a_function_or_module_that_is_gone_is_a_change(library, tmp_path):
    before = library()
    was = digests(before, *LOADED)
    (tmp_path / "lib" / "signal.py").unlink()
    assert digests(Library(tmp_path / "lib"), *LOADED, before=before)["lib.signal"] == "absent"
    renamed = library(signal=("def load", "def load_all"))
    assert digests(renamed, *LOADED, before=before)["lib.signal"] != was["lib.signal"]


def test_a_folder_comes_before_a_file_of_the_same_name_as_python_takes_it(library, tmp_path):
    before = digests(library(), "lib.other:")
    (tmp_path / "lib" / "other").mkdir()
    (tmp_path / "lib" / "other" / "__init__.py").write_text("class Unread: x = 2\n")
    assert digests(library(), "lib.other:") != before


def test_a_report_that_no_notebook_ran_for_depends_on_all_of_it(library):
    was = library().digests({ALL: [ALL]})
    assert was == library().digests({ALL: [ALL]})
    assert was != library(other=("Unread", "Read")).digests({ALL: [ALL]})


# The same on every Python

ODDITIES = '''
@decorated
async def f(a, /, b=-1, *c, d: int = 0x10, **e) -> None:
    """D."""
    global g
    x = f"{a!r:>{b}} {a=}" "b" f"{'c'}" r"d" if a else 1_000.0e3, rb"\\d"
    async with a as b, c: await d
    match x:
        case {"k": [1, *_], **rest} | C(y=2): return (yield)
        case None: pass
    try: raise E from e
    except* (A, B) as err: del a[1:2, ...]
    finally: x: int = lambda *, z=1j: (z := {**a, "b": {*c}})
    return [i async for i in a if i for j in i]
class C(B, metaclass=M, **k):
    x, *y = 1, 2
    def __init__(self): nonlocal_ = f"{x:{w}.{p}}{'':}"
    newer = "\\U0001fae8", b"\\xe8", "µ"
'''
SAME = "2a06c9c22764a2757879"


def test_the_normal_form_is_held_by_its_value():
    assert digest(normal_form(without_docstrings(ODDITIES))) == SAME


def pythons() -> list[Path]:
    """Return the interpreters of other versions that the machine has."""
    homes = [Path(p) for p in os.environ.get("PATH", "").split(os.pathsep) if p]
    if root := os.environ.get("PYENV_ROOT") or str(Path.home() / ".pyenv"):
        homes += sorted(Path(root).glob("versions/*/bin"))
    names = [f"python3.{k}" for k in range(11, 20) if k != sys.version_info.minor]
    found = {n: home / n for home in homes for n in names if (home / n).is_file()}
    return [path for path in found.values() if works(path)]


def works(python: Path) -> bool:
    done = subprocess.run([python, "-c", ""], capture_output=True, check=False)
    return done.returncode == 0


DIGEST = """
import sys
sys.path.insert(0, {root!r})
from runner.execution.library_code import library
print(library().digests({{'*': ['*']}})['ishtar'])
"""
MARKS = """
import importlib, sys
sys.path[:0] = [{root!r}, {folder!r}]
from ishtar.lineage import executed
executed.install("watched_lib")
p = importlib.import_module("watched_lib.parts")
p.inner()(2), p.lambdas()(1, z=1), list(p.counting(2)), p.Shot().load(), p.Shot.Inner().deep()
print(sorted(i.name for i in executed.executed.ran if not i.subject))
"""


@pytest.mark.long
@pytest.mark.whole
@pytest.mark.parametrize("text", [DIGEST, MARKS], ids=["digest", "what runs"])
def test_the_same_is_found_on_every_python_that_is_here(tmp_path, text):
    (tmp_path / "watched_lib").mkdir()
    for name, source in WATCHED.items():
        (tmp_path / "watched_lib" / f"{name}.py").write_text(source)
    root = str(Path(code.__file__).parent.parent)
    answers = {}
    for python in (Path(sys.executable), *pythons()):
        environment = {k: v for k, v in os.environ.items() if k != "PYENV_VERSION"}
        done = subprocess.run(
            [python, "-B", "-c", text.format(root=root, folder=str(tmp_path))],
            capture_output=True,
            text=True,
            check=True,
            env=environment,
        )
        answers[python.name] = done.stdout.strip()
    assert len(set(answers.values())) == 1, answers
    assert answers[Path(sys.executable).name] not in ("", "[]")


def test_parted_texts_of_an_f_string_are_one():
    """Python 3.11 and 3.12 part the texts of concatenated f-strings differently."""
    whole = ast.parse('f"ab{x}"').body[0].value
    parted = ast.parse('f"ab{x}"').body[0].value
    parted.values[:1] = [ast.Constant("a"), ast.Constant(""), ast.Constant("b")]
    assert normal_form(parted) == normal_form(whole)


# In a kernel

WAYS = {
    "called": ("import ishtar.rf\nishtar.rf.vswr(0.5)", "ishtar.rf:vswr"),
    "time": ("%time __import__('ishtar.rf').rf.return_loss(0.5)", "ishtar.rf:return_loss"),
    "run": (
        "open('h.py', 'w').write('import ishtar.rf as r; r.injected_power(2.0, 1.0)')\n%run h.py",
        "ishtar.rf:injected_power",
    ),
    "importlib": (
        "import importlib\nimportlib.import_module('ishtar.plasma.formulary').skin_depth(1e18)",
        "ishtar.plasma.formulary:skin_depth",
    ),
    "getattr": (
        "import ishtar.plasma.formulary as f\ngetattr(f, 'omega' + '_ci')(0.1)",
        "ishtar.plasma.formulary:omega_ci",
    ),
    "eval": (
        "eval(\"__import__('ishtar.plasma.formulary').plasma.formulary.omega_ce(0.1)\")",
        "ishtar.plasma.formulary:omega_ce",
    ),
    "program": (
        "import sys\n!{sys.executable} -c 'import ishtar.rf as r; r.loading_resistance(0.5)'",
        "ishtar.rf:loading_resistance",
    ),
    "fork": (
        "import multiprocessing, ishtar.plasma.collisions as c\n"
        "p = multiprocessing.get_context('fork').Process(target=c.neutral_density, args=(1.0,))\n"
        "p.start(); p.join()",
        "ishtar.plasma.collisions:neutral_density",
    ),
    "constant": (
        "import importlib as i\ngetattr(i.import_module('.helicon', 'ishtar.plasma'), 'BadMode')",
        "ishtar.plasma.helicon:",
    ),
    "constant of a file": (
        "open('h.py', 'w').write('from ishtar.signals.flags import *')\n%run h.py",
        "ishtar.signals.flags:",
    ),
    "pickle": (
        "import pickle\npickle.loads(b'cishtar.plasma.cross_sections\\nNoCrossSection\\n.')",
        "ishtar.plasma.cross_sections:",
    ),
    "words": ("print('ishtar.rf.vswr')  # ishtar.gases.GASES", ""),
    "nothing": ("print(1)", ""),
}


@pytest.mark.whole
@pytest.mark.parametrize("kernels", ["warm", "cold"])
def test_a_change_makes_exactly_those_stale_that_ran_it_however_they_called_it(
    factory, tmp_path, monkeypatch, kernels
):
    ways = WAYS if kernels == "warm" else {k: WAYS[k] for k in ("time", "eval", "nothing")}
    for name, (cell, _) in ways.items():
        factory.template(name, cell)
    factory.shot(1)
    settings = factory.workspace.root / "ishtar.toml"
    settings.write_text(
        settings.read_text().replace('# kernels = "warm"', f'kernels = "{kernels}"')
    )
    assert f'\nkernels = "{kernels}"' in settings.read_text()
    root = tmp_path / "copy" / "ishtar"
    shutil.copytree(library_folder(), root, ignore=shutil.ignore_patterns("__pycache__"))
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        for done in run_batch(coordinator, workers=1):
            receipt = done.receipt
            module, _, unit = ways[receipt.template][1].partition(":")
            assert receipt.state == "ok", receipt.reason
            assert unit in receipt.ran.get(module, [""]), receipt.template
        assert coordinator.plan() == []
        monkeypatch.setattr(code, "library_folder", lambda: root)
        assert coordinator.plan() == []
        for name, (_, unit) in ways.items():
            if not unit:
                continue
            module, _, function = unit.partition(":")
            path = root.parent.joinpath(*module.split(".")).with_suffix(".py")
            before = path.read_text()
            if function:
                head, found, rest = before.partition(f"def {function}(")
                body = rest.index("    return ")
                path.write_text(f"{head}{found}{rest[:body]}    1 + 1\n{rest[body:]}")
            else:
                path.write_text(f"{before}\nMORE = 1\n")
            stale = {p.template: p.reasons for p in coordinator.plan()}
            assert stale == {name: (f"stale: code {module} (content changed)",)}
            path.write_text(before)
        assert coordinator.plan() == []


@pytest.mark.whole
def test_a_module_that_changed_while_a_report_ran_makes_it_again(factory, coordinator, monkeypatch):
    """Nobody knows which of the two it ran: what lies there now is no proof."""
    factory.template("x", "import ishtar.rf\nishtar.rf.vswr(0.5)")
    stamps = iter(range(100))

    def changing(self: Library) -> dict[str, tuple[int, int]]:
        return {"ishtar.rf": (next(stamps), 1)}

    coordinator.sync_shots()
    with monkeypatch.context() as patch:
        patch.setattr(Library, "stamps", changing)
        (done,) = run_batch(coordinator, workers=0)
    assert done.receipt.code["ishtar.rf"] == CHANGING
    (planned,) = coordinator.plan()
    assert planned.reasons == ("stale: code ishtar.rf (content changed)",)
    assert list(run_batch(coordinator, workers=0))
    assert coordinator.plan() == []


def test_a_stamp_changes_with_the_file_of_its_module_alone(library):
    lib = library()
    before = lib.stamps()
    assert before.keys() == {"lib", "lib.shot", "lib.signal", "lib.facts", "lib.other"}
    path = lib._root / "facts.py"
    path.write_text(f"{path.read_text()}\nMORE = 1\n")
    now = lib.stamps()
    assert {name for name in before if now[name] != before[name]} == {"lib.facts"}


@pytest.mark.parametrize("error", [PermissionError, FileNotFoundError])
def test_a_folder_that_cannot_be_read_or_vanishes_is_passed_over(library, monkeypatch, error):
    """As root with another umask leaves them: no report could be made any more."""
    lib = library()
    closed = lib._root / "closed"
    closed.mkdir()
    (closed / "hidden.py").write_text("")
    scandir = os.scandir

    def refusing(folder):
        if Path(folder) == closed:
            raise error(folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refusing)
    assert lib.stamps().keys() == {"lib", "lib.shot", "lib.signal", "lib.facts", "lib.other"}
    assert lib.names() == list(lib.stamps())


@pytest.mark.whole
def test_a_skipped_report_depends_on_all_of_the_library(factory):
    factory.template("x", "1 / 0", sidecar='needs = ["Lang_I"]')
    factory.shot(1, probe=False)
    done = factory.run("x")
    assert done.receipt.state == "skipped"
    assert done.receipt.ran == {ALL: [ALL]}
    assert code_input(done.receipt.ran, done.receipt.code) in done.receipt.inputs


@pytest.mark.whole
def test_receipts_of_before_are_made_again_once(factory, coordinator):
    factory.template("x", "print(1)")
    for done in run_batch(coordinator, workers=1):
        path = coordinator.workspace.reports / done.folder / "receipt.json"
        old = Input(kind="code", name="ishtar", version="0.1.0", digest="d")
        receipt = Receipt.read(path.parent)
        inputs = (*(i for i in receipt.inputs if i.kind != "code"), old)
        was = replace(receipt, inputs=inputs, code={"ishtar": "d"}, ran={})
        path.write_text(was.to_json().replace('"ran": {},\n', ""))
    coordinator.catalogue.close()
    rebuild(factory.workspace)
    with Coordinator(factory.workspace) as again:
        (planned,) = again.plan()
        assert planned.reasons == ("stale: made when it was not recorded which code ran",)
