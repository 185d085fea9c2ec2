"""Template notebooks as they are read, checked and ordered."""

from __future__ import annotations

import pytest

from runner.errors import NoSuchTemplate, TemplateError
from runner.results import ResultRecord, with_glued
from runner.templates import read_template, read_templates


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
        ("timeout_s = 'long'", "wrong type"),
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
        ("results = 3", "wrong type"),
    ],
)
def test_a_wrong_table_of_results_is_a_problem_with_a_hint(factory, line, word):
    factory.template("power", "1", sidecar=line)
    problem = read_templates(factory.workspace.templates).problems["power"]
    assert word in problem


def test_a_sidecar_comes_before_what_the_notebook_glued():
    glued = {"Te": ResultRecord(label="glued", symbol="T_g"), "ne": ResultRecord(symbol="n")}
    declared = {"Te": ResultRecord(label="declared", order=2)}
    assert with_glued(declared, glued) == {
        "Te": ResultRecord(label="declared", symbol="T_g", order=2),
        "ne": ResultRecord(symbol="n"),
    }
