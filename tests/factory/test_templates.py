"""Template notebooks as they are read, checked and ordered."""

from __future__ import annotations

import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from ishtar.calibration import Declarations
from ishtar.calibration.declared import SignalDeclaration
from runner.cli import main
from runner.errors import NoSuchTemplate, TemplateError
from runner.execution.notebooks import prepare
from runner.scheduling.coordinator import Coordinator
from runner.templates import template as templates_module
from runner.templates.check import problems_of
from runner.templates.results import ResultRecord, merge_glued
from runner.templates.template import read_template, read_templates

DECLARED = Declarations(
    signals={name: SignalDeclaration(name=name, unit="A") for name in ("Lang_I", "Ngas_P")},
    wiring={},
    devices={},
    components={},
)


def test_the_first_heading_is_the_title_and_the_next_words_the_description(factory):
    t = read_template(factory.template("power", "1 + 1"))
    assert (t.title, t.description, t.scope) == ("Power of a shot", "Some words.", "shot")


def test_a_comment_changes_the_prose_and_not_the_code(factory):
    one = read_template(factory.template("power", "x = 1"))
    other = read_template(factory.template("power", "x = 1  # one"))
    assert one.code_digest == other.code_digest
    assert one.prose_digest != other.prose_digest


def test_a_changed_number_changes_the_code(factory):
    one = read_template(factory.template("power", "x = 1"))
    assert one.code_digest != read_template(factory.template("power", "x = 2")).code_digest


@pytest.mark.parametrize(
    ("sidecar", "word"),
    [
        ("scope = 'week'", "scope"),
        ("need = ['Lang_I']", "did you mean 'needs'"),
        ("timeout_s = 'long'", "timeout_s = 'long' must be a number above 0"),
        ("timeout_s = true", "timeout_s = True must be a number"),
        ("memory_mb = 0", "memory_mb = 0 must be a number above 0"),
        ("schedule = '9pm'", "schedule = '9pm' must be a time of day"),
        ("schedule = '25:00'", "must be a time of day"),
        ("schedule = ''", "must be a time of day"),
        ("after = [1]", "after = [1] must be a list of names"),
        ("needs = 'Lang_I'", "needs = 'Lang_I' must be a list of names"),
        ("needs = ['']", "must be a list of names"),
        ("limits = {Te = [5]}", "lowest and highest"),
        ("limits = {Te = [5, 1]}", "5 is not below 1"),
        ("limits = {Te = 5}", "lowest and highest"),
        ("limits = 5", "lowest and highest"),
        ("order = 1.5", "a whole number"),
        ("draft = 'yes'", "true or false"),
        ("golden = [[3]]", "a list of shots"),
        ("scope = ", "toml"),
        ("scope = 'day'", "needs the parameter day"),
        ("after = ['langmiur']", "no template 'langmiur'"),
    ],
)
def test_a_wrong_sidecar_is_a_problem_with_a_hint(factory, sidecar, word):
    factory.template("langmuir", "1")
    factory.template("power", "1", sidecar=sidecar)
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == ["langmuir"]
    assert word in templates.problems["power"]


def test_all_that_is_wrong_is_said_at_once(factory):
    path = factory.template("power", "1", sidecar="after = [1]\nneed = []\norder = 'first'")
    path.write_text(path.read_text().replace("shot: int = 1", "shot: furlong = 1"))
    found = read_templates(factory.workspace.templates)
    assert [text.partition(": ")[2][:5] for text in found.invalid["power"]] == [
        "param",
        "after",
        "unkno",
        "order",
    ]


def command(*words):
    """Run a command; return its exit status."""
    with pytest.raises(SystemExit) as end:
        main(words)
    return end.value.code


def spoil(path, how):
    """Do something to a template that keeps it from being read."""
    if how == "a folder":
        path.mkdir()
    elif how == "a dangling link":
        path.symlink_to("/nowhere/at/all")
    elif how == "a link to itself":
        path.symlink_to(path)
    else:
        path.write_text(how)


@pytest.mark.parametrize(
    "how",
    [
        "a folder",
        "a dangling link",
        "a link to itself",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"cells": null}',
        '{"cells": [null]}',
        '{"cells": [{"cell_type": "code", "source": "1", "metadata": null}]}',
        '{"cells": [{"cell_type": "code", "source": "1", "metadata": {"tags": null}}]}',
        '{"cells": [{"cell_type": "code", "source": [1], "metadata": {}}]}',
        '{"cells": [{"cell_type": "code", "source": {"a": 1}, "metadata": {}}]}',
        '{"cells": [{"cell_type": "code", "metadata": {}}]}',
        '{"worksheets": [], "nbformat": 3}',
    ],
)
def test_one_file_that_cannot_be_read_is_named_and_the_others_run(
    factory, how, capsys, monkeypatch
):
    factory.template("good", "1")
    spoil(factory.workspace.templates / "bad.ipynb", how)
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == ["good"]
    assert templates.problems["bad"].startswith("bad.ipynb")
    factory.shot(1)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        assert [p.template for p in coordinator.plan()] == ["good"]
    monkeypatch.chdir(factory.workspace.root)
    assert command("status") == 0
    assert "template bad cannot be used: bad.ipynb" in capsys.readouterr().out


def test_a_template_that_others_may_not_read_is_named(factory, monkeypatch):
    """As a user who is not root: the mode alone would not stop these tests."""
    factory.template("good", "1")
    bad = factory.template("bad", "1")
    opened = os.open

    def refuse(path, *args, **kw):
        if path == bad:
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **kw)

    monkeypatch.setattr(os, "open", refuse)
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == ["good"]
    assert "Permission denied: make it readable for" in templates.problems["bad"]


def test_any_other_trouble_with_one_template_is_its_own(factory, monkeypatch):
    factory.template("good", "1")
    factory.template("bad", "1")
    read = templates_module.read_template

    def burst(path):
        if path.stem == "bad":
            raise MemoryError("too much")
        return read(path)

    monkeypatch.setattr(templates_module, "read_template", burst)
    found = read_templates(factory.workspace.templates)
    assert list(found) == ["good"]
    assert found.problems["bad"] == "bad.ipynb: MemoryError: too much"


LEFT_OVER = {"injected-parameters": "shot = 3", "papermill-error-cell-tag": "<span>An error</span>"}


@pytest.mark.parametrize("tag", LEFT_OVER)
def test_a_notebook_of_a_report_is_a_template_without_the_cells_of_its_run(factory, tag):
    """It computed the old shot for every shot: the old cell came after ours."""
    path = factory.template("power", "from ishtar.report import glue\nglue('seen', shot)")
    clean = read_template(path)
    notebook = nbformat.read(path, as_version=4)
    kind = new_code_cell if tag == "injected-parameters" else new_markdown_cell
    notebook.cells.insert(2, kind(LEFT_OVER[tag], metadata={"tags": [tag]}))
    nbformat.write(notebook, path)
    template = read_template(path)
    assert (template.code, template.code_digest) == (clean.code, clean.code_digest)
    prepared = prepare(template, {"shot": 9})
    sources = [c.source for c in prepared.cells if c.cell_type == "code"]
    assert sources[1:] == ["# Parameters\nshot = 9", clean.code[1]]
    (problem,) = problems_of(template, DECLARED)
    assert problem.startswith("cell 3 is left over from a run")


def test_what_runs_is_what_the_digest_describes_though_the_file_has_changed(factory):
    """The file was read once for its digests and again to run it: a receipt could lie."""
    template = read_template(factory.template("power", "x = 1"))
    factory.template("power", "x = 2")
    for _ in range(2):  # a prepared notebook is a copy
        prepared = prepare(template, {"shot": 9})
        assert [c.source for c in prepared.cells if c.cell_type == "code"][2] == "x = 1"


def test_drafts_are_tried_and_not_made(factory, coordinator):
    factory.template("good", "1")
    factory.template("rough", "1", sidecar="draft = true")
    assert [p.template for p in coordinator.plan()] == ["good"]
    templates = coordinator.templates()
    assert templates.get_or_draft("rough").name == "rough"
    with pytest.raises(TemplateError, match="ishtar template test rough"):
        templates["rough"]


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("!pip install seaborn", "installs packages"),
        ("%pip install seaborn", "installs packages"),
        ("    ! pip3 install -q x", "installs packages"),
        ("!{sys.executable} -m pip install x", "installs packages"),
        ("%conda install x", "installs packages"),
        ("!uv pip install x", "installs packages"),
        *(
            (cell, "installs packages")
            for cell in (
                "!pip -q install x",
                "!python -m pip -q install x",
                "!PIP_X=1 pip install x",
                "!cd /tmp && pip install x",
                "!/usr/bin/pip install x",
                "!$sys.executable -m pip install x",
                "!sudo -H pip install x",
                "!pip install \\\n  x",
                "o = !pip install x",
                "%sx pip install x",
                "%system pip install x",
                "%time !pip install x",
                "%%bash\npip install x",
                "%%sh\nset -e; pip install x",
                "pip install x",
                "conda install x",
                "if True:\n    !pip install x",
                "os.system('pip install x')",
                "subprocess.run([sys.executable, '-m', 'pip', 'install', 'x'])",
                "subprocess.check_call('pip install x', shell=True)",
                "subprocess.run(f'{sys.executable} -m pip install x'.split())",
                "get_ipython().system('pip install x')",
                "get_ipython().run_line_magic('pip', 'install x')",
                "import pip",
                "from pip._internal import main",
                "!easy_install x",
                "!conda env update",
                "!poetry add x",
                "!apt-get install x",
                "!pip --proxy a --cert b --timeout 5 install x",
                "!python setup.py install",
                "%%time\n!pip install x",
                "importlib.import_module('pip')",
                "os.execlp('pip', 'pip', 'install', 'x')",
                "!npm i x",
            )
        ),
        *(
            (cell, "it sets shot itself")
            for cell in (
                "shot = 7",
                "shot, t = 3, 4",
                "for shot in [3]: pass",
                "print(shot := 3)",
                "shot += 1",
                "if True:\n    shot: int = 3",
                "with open('x') as shot: pass",
                "import math as shot",
                "def shot(): pass",
                "[x for x in [1] if (shot := x)]",
            )
        ),
        ("import no_such_package_xyz", "no_such_package_xyz is not installed here"),
        ("from no_such_package_xyz.a import b", "is not installed here"),
        ("%time import no_such_package_xyz", "is not installed here"),
        ("x = = 1", "it is not valid Python"),
        ("x = ''" + ".strip()" * 5000, "it is n"),
        ("this is no python", "it is not valid Python"),
        ("from ishtar.report import gleu", "ishtar.report has no 'gleu'; did you mean 'glue'"),
        ("import ishtar.nosuch", "there is no module ishtar.nosuch"),
        ("from ishtar.nosuch import x", "there is no module ishtar.nosuch"),
        ("import beside", "beside is in the folder of the templates"),
        *(
            (cell, "beside.py is in the folder of the templates")
            for cell in (
                "%run beside.py",
                "%run -i ./beside",
                "!python beside.py",
                "import importlib\nimportlib.import_module('beside')",
                "__import__('beside')",
                "exec(open('beside.py').read())",
            )
        ),
        ("open('beside.csv')", "beside.csv is in the folder of the templates"),
        (
            "s = tb[shot]\ns['Lang_l'].load()",
            "no signal 'Lang_l' is declared; did you mean 'Lang_I'",
        ),
        ("s = tb[shot]\n%time x = s['Lang_l']", "no signal 'Lang_l'"),
        ("s = ishtar.open()[shot]\nt = s\nif 'Nga' in t: pass", "no signal 'Nga'"),
        ("tb[shot]['Lang_l'].mean()", "no signal 'Lang_l'"),
        ("s = tb[shot]\ns.problem('Lang_l')", "no signal 'Lang_l'"),
        ("s = tb[shot]\ns.load(['Lang_I', 'Lang_l'])", "no signal 'Lang_l'"),
    ],
)
def test_what_would_mislead_is_found_without_running_it(factory, cell, words):
    (factory.workspace.templates / "beside.py").write_text("x = 1")
    (factory.workspace.templates / "beside.csv").write_text("1")
    template = read_template(factory.template("power", "import ishtar\ntb = ishtar.open()", cell))
    (found,) = problems_of(template, DECLARED)
    assert words in found
    assert found.startswith("code cell 3: ")


@pytest.mark.parametrize(
    "cell",
    [
        "s = tb[shot]\ns['Lang_I'][0:1].load()\nother['Lang_l']\nrow = {'shot': shot}['shot']",
        "try:\n    import no_such_package_xyz\nexcept ImportError:\n    pass",
        "s = tb[shot]\nif not s.problem('Coil_B'):\n    s['Coil_B'].load()",
        "# !pip install x\nprint('pip install x')\n!ls\n%matplotlib inline\n?help",
        "!pip list\n!pip list | grep install\n!pip freeze; make install",
        "%%time\n# if missing: pip install lmfit\nx = 1",
        "%%capture\nx = 1  # pip install y",
        "x = " + " + ".join(["1"] * 950),
        "from ishtar import report, plasma\nimport ishtar.rf as rf\nfrom ishtar.report import *",
        "pylab inline",
        "config InlineBackend.figure_format = 'svg'",
        "shot: int",
        "'beside'\nprint('beside.py')\nrow = {'beside': f'{shot} beside'}\nx = 'beside.csv'",
        "print('" + "電" * 90 + "')\nopen('" + "電" * 90 + "')",
        "%%markdown\nTo run this yourself, pip install it",
        "%%html\n<p>apt update</p>",
        "uv.run(mode='update')\nspectrum.run('uv', mode='update')",
        "!grep -r 'pip install' .\n!echo done # pip install x",
        "s = '''\n!pip install x\n'''\npipes = 1\nrun('an update of pipes')",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import no_such_package_xyz",
        "def f(shot):\n    shot = 1\nfor x in []: pass",
        "[shot for shot in [1]]\nlist(map(lambda shot: shot, [shot]))",
        "class A:\n    shot = 1\nA.shot = 2\nrow = dict(shot=shot)",
        "%%bash\necho 1",
        "%%bash\nthis is | no python",
        "x = !ls\n?help\nls -l",
    ],
)
def test_what_is_well_is_not_found_fault_with(factory, cell):
    for name in ("beside.py", "beside.csv"):
        (factory.workspace.templates / name).write_text("1")
    template = read_template(factory.template("power", "import ishtar\ntb = ishtar.open()", cell))
    assert list(problems_of(template, DECLARED)) == []


def test_check_tells_all_problems_of_all_templates_or_of_one(factory, capsys, monkeypatch):
    factory.template("power", "!pip install x", sidecar="needs = ['Nothing']")
    factory.template("worse", "1", sidecar="order = 'x'\nkeys = []")
    factory.template("good", "1")
    monkeypatch.chdir(factory.workspace.root)
    assert command("template", "check") == 1
    said = capsys.readouterr().err
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "worse",
        "worse",
        "power",
        "power",
    ]
    assert command("template", "check", "good") == 0
    assert "good: no problem" in capsys.readouterr().out
    assert command("template", "check", "worse") == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_file_that_is_no_notebook_does_not_stop_the_others(factory):
    factory.template("good", "1")
    (factory.workspace.templates / "bad.ipynb").write_text("{")
    templates = read_templates(factory.workspace.templates)
    assert list(templates) == ["good"]
    with pytest.raises(TemplateError, match="bad"):
        templates["bad"]


def test_a_misspelt_template_gets_the_nearest_name(factory):
    factory.template("langmuir", "1")
    with pytest.raises(NoSuchTemplate, match="did you mean 'langmuir'"):
        read_templates(factory.workspace.templates)["langmiur"]


def test_templates_run_after_those_whose_scraps_they_read(factory):
    factory.template("a", "1", sidecar="after = ['b']")
    factory.template("b", "1", sidecar="after = ['c']")
    factory.template("c", "1")
    levels = read_templates(factory.workspace.templates).levels()
    assert [[t.name for t in level] for level in levels] == [["c"], ["b"], ["a"]]


def test_templates_that_wait_for_each_other_are_refused(factory):
    factory.template("a", "1", sidecar="after = ['b']")
    factory.template("b", "1", sidecar="after = ['a']")
    templates = read_templates(factory.workspace.templates)
    assert not templates
    assert set(templates.problems) == {"a", "b"}


def test_a_notebook_without_a_parameters_cell_is_refused(factory):
    path = factory.template("power", "1")
    path.write_text(path.read_text().replace('"parameters"', '"other"'))
    with pytest.raises(TemplateError, match="tag exactly one"):
        read_template(path)


def test_a_sidecar_says_what_results_are_called(factory):
    sidecar = """
        [results.Te]
        label = "electron  temperature"
        symbol = "T_e"
        order = 1
        [results.P]
        signed = true
    """
    results = read_template(factory.template("power", "1", sidecar=sidecar)).results
    assert results == {
        "Te": ResultRecord(label="electron temperature", symbol="T_e", order=1),
        "P": ResultRecord(signed=True),
    }


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("results.Te = 'T_e'", "give it label, symbol, order or signed"),
        ("results.Te.symbl = 'T_e'", "did you mean 'symbol'"),
        ("results.Te.order = true", "must be int"),
        ("results.Te.order = '1'", "must be int"),
        ("results.Te.signed = 1", "must be bool"),
        ("results.Te.label = 3", "must be str"),
        ("results = 3", "must be a table of results"),
    ],
)
def test_a_wrong_table_of_results_is_a_problem_with_a_hint(factory, line, word):
    factory.template("power", "1", sidecar=line)
    problem = read_templates(factory.workspace.templates).problems["power"]
    assert word in problem


def test_a_sidecar_comes_before_what_the_notebook_glued():
    glued = {"Te": ResultRecord(label="glued", symbol="T_g"), "ne": ResultRecord(symbol="n")}
    declared = {"Te": ResultRecord(label="declared", order=2)}
    assert merge_glued(declared, glued) == {
        "Te": ResultRecord(label="declared", symbol="T_g", order=2),
        "ne": ResultRecord(symbol="n"),
    }
