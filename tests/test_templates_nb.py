"""The template notebooks as they lie in the repository: clean, short, and what they say is true."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest

from ishtar.calibration import load_declarations
from ishtar.units import parse_unit
from runner.errors import ParameterError
from runner.render.mathml import to_mathml
from runner.templates.parameters import SCOPE_PARAMETERS, parse_parameters, resolve
from runner.templates.sidecar import KEYS
from runner.templates.template import Template, read_template, read_templates

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "templates_nb"
OF_EMPTY = ROOT / "runner" / "empty" / "templates_nb"  # what `ishtar init --empty` begins with
REFERENCE = list(read_templates(FOLDER))
PATHS = {p.stem: p for folder in (FOLDER, OF_EMPTY) for p in sorted(folder.glob("*.ipynb"))}
NAMES = [*REFERENCE, *read_templates(OF_EMPTY)]
OF_SHOTS = [n for n in NAMES if read_template(PATHS[n]).scope == "shot"]
MAX_LINES = 14  # of a code cell, its title and blank lines counted
FORMULA = re.compile(r"\$\$(.+?)\$\$|\$([^$]+?)\$", re.DOTALL)


def notebook(name: str) -> nbformat.NotebookNode:
    """Return a template as a notebook."""
    return nbformat.read(PATHS[name], as_version=4)


def cells(name: str, kind: str) -> list[Any]:
    """Return the cells of one kind."""
    return [cell for cell in notebook(name).cells if cell.cell_type == kind]


def code(name: str) -> list[Any]:
    """Return the code cells that are not the parameters."""
    return [c for c in cells(name, "code") if "parameters" not in c.metadata.get("tags", [])]


def template(name: str) -> Template:
    """Return a template as the factory reads it."""
    return read_template(PATHS[name])


def test_the_folder_holds_the_templates_in_the_order_of_the_pages():
    assert read_templates(FOLDER).problems == {}
    first = ["overview", "plasma_detection", "langmuir"]
    assert [n for n in NAMES if n in first] == first
    assert {"day_summary", "profile"} == {*NAMES} - {*OF_SHOTS}


def test_a_plasma_is_found_before_others_ask_when_it_was():
    level = {t.name: k for k, some in enumerate(read_templates(FOLDER).levels()) for t in some}
    assert level["plasma_detection"] == 0
    assert level["langmuir"] == 1
    assert level["profile"] == level["langmuir"] + 1
    for name in NAMES:
        source = "\n".join(c.source for c in code(name))
        read = {other for other in REFERENCE if f"{other}." in source} - {name}
        assert read <= {*template(name).after}, name


def test_the_summary_of_the_day_runs_after_what_it_reads():
    assert "day_summary" in [t.name for t in read_templates(FOLDER).levels()[-1]]
    (wanted,) = [c.source for c in code("day_summary") if c.source.find("wanted = {") >= 0]
    read = {line.split(".")[0] for line in re.findall(r'"(\w+\.\w+)":', wanted)}
    assert read == set(template("day_summary").after)


@pytest.mark.parametrize("name", NAMES)
def test_needs_are_declared_signals(name):
    signals = load_declarations(ROOT / "calibrations").signals
    assert [need for need in template(name).needs if need not in signals] == []


def test_the_probe_and_the_powers_are_needed_and_the_overview_needs_nothing():
    assert template("overview").needs == ()
    assert template("langmuir").needs == ("Lang_U", "Lang_I")
    assert template("plasma_detection").needs == ()  # it says itself what it has to go by


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_is_the_title_and_says_what_the_report_shows(name):
    first = notebook(name).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    read = template(name)
    assert read.title == first.source.splitlines()[0].removeprefix("# ")
    assert len(read.description) > 40


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_stripped(name):
    assert [c.id for c in cells(name, "code") if c.outputs or c.execution_count is not None] == []


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_of_the_kernel_and_the_editor(name):
    book = notebook(name)
    nbformat.validate(book)
    assert book.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [c.id for c in book.cells if set(c.metadata) - {"tags", "alt"}] == []


@pytest.mark.parametrize("name", NAMES)
def test_one_cell_holds_the_parameters_each_with_its_type_and_meaning(name):
    (cell,) = [c for c in notebook(name).cells if "parameters" in c.metadata.get("tags", [])]
    assignments = ast.parse(cell.source).body
    assert [a for a in assignments if not isinstance(a, ast.AnnAssign)] == []
    parameters = parse_parameters(cell.source)
    assert {*SCOPE_PARAMETERS[template(name).scope]} <= {p.name for p in parameters}
    assert [p.name for p in parameters if not p.meaning] == []


@pytest.mark.parametrize("name", NAMES)
def test_numbers_among_the_parameters_have_a_range_and_a_unit_that_exists(name):
    for parameter in template(name).parameters:
        if parameter.name in ("shot", "first", "last") or not {"int", "float"} & {*parameter.kinds}:
            continue
        assert parameter.low is not None, parameter.name
        assert parameter.high is not None, parameter.name
        parse_unit(parameter.unit)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_code_cell_opens_the_workspace(name):
    first = cells(name, "code")[0].source
    assert first.rstrip().endswith("tb = ishtar.open()")
    assert "import ishtar" in first


@pytest.mark.parametrize("name", OF_SHOTS)
def test_a_shot_is_taken_by_its_number_from_the_parameters(name):
    assert any("this = tb[shot]" in c.source for c in code(name))


@pytest.mark.parametrize("name", NAMES)
def test_code_cells_are_short_plain_python_and_begin_with_a_title(name):
    for cell in code(name):
        ast.parse(cell.source)
        lines = cell.source.splitlines()
        assert len(lines) <= MAX_LINES, cell.id
        assert max(map(len, lines)) <= 100, cell.id
        assert re.match(r"# [A-Z]", lines[0]), cell.id


@pytest.mark.parametrize("name", NAMES)
def test_code_never_stands_long_without_words(name):
    kinds = "".join(c.cell_type[0] for c in notebook(name).cells)
    assert "c" * 5 not in kinds
    assert kinds.count("m") >= kinds.count("c") / 3


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_described_for_those_who_do_not_see_it(name):
    figures = [c for c in code(name) if "plt.subplots(" in c.source]
    assert figures
    assert [c.id for c in figures if len(c.metadata.get("alt", "")) < 30] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_formula_can_be_set(name):
    for cell in cells(name, "markdown"):
        for block, inline in FORMULA.findall(cell.source):
            shown = to_mathml(block or inline, display=bool(block))
            assert shown.startswith("<math"), block or inline


@pytest.mark.parametrize("name", NAMES)
def test_units_of_glued_results_exist(name):
    source = "\n".join(c.source for c in code(name))
    assert "glue(" in source
    literal = re.findall(r'unit="([^"]*)"', source)
    measured = re.findall(r'Measured\(.*, "([^"]*)"\)', source)
    for unit in [*literal, *measured]:
        parse_unit(unit)


@pytest.mark.parametrize("name", NAMES)
def test_key_results_are_among_those_that_are_glued(name):
    source = "\n".join(c.source for c in code(name))
    keys = template(name).key
    assert keys
    for key in keys:
        by_line = "{line}_" + key.partition("_")[2]  # those of H and IC come from one loop
        assert f'"{key}"' in source or f'"{by_line}"' in source, key


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("langmuir", {"t_start": 2.0, "t_end": 1.0}, "t_start = 2.0 must be below t_end = 1.0"),
        ("langmuir", {"gas": "Xe"}, "gas must be Literal.*, not 'Xe'"),
        ("langmuir", {"gas": ""}, "gas must be"),
        ("magnetic_field", {"t_start": 2.0, "t_end": 1.0}, "must be below"),
        ("overview", {"t_start": 2.0, "t_end": 2.0}, "must be below"),
        ("plasma_detection", {"e_to_h": 0.7}, "e_to_h = 0.7 must be below unloaded = 0.6"),
        ("plasma_detection", {"h_to_w": 0.2}, "h_to_w = 0.2 must be below e_to_h = 0.19"),
        ("profile", {"first": 13}, "first = 13 must be at most last = 12"),
        ("profile", {"gas": "Unobtainium"}, "gas must be"),
    ],
)
def test_what_cannot_be_is_refused_before_a_kernel_starts(name, given, told):
    with pytest.raises(ParameterError, match=told):
        resolve(template(name).parameters, given, name)


def test_a_name_of_a_result_means_one_thing_in_all_templates():
    labels: dict[str, set[str]] = {}
    for name in REFERENCE:
        for result, called in template(name).results.items():
            labels.setdefault(result, set()).add(called.label)
    assert {result: words for result, words in labels.items() if len(words) > 1} == {}


def test_no_result_has_the_name_of_a_signal_that_is_something_else():
    signals = tomllib.loads((ROOT / "calibrations" / "signals.toml").read_text(encoding="utf-8"))
    results = {result for name in REFERENCE for result in template(name).results}
    assert results & signals.keys() == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_template_imports_no_machinery_and_reads_nothing_but_the_workspace(name):
    allowed = {"ishtar", "matplotlib", "numpy", "pandas", "typing"}
    source = "\n".join(c.source for c in code(name))
    imported = {
        module.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for module in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= allowed
    assert not re.search(r"truth|open\(['\"]|/tmp|/home", source)


def test_the_guide_describes_the_parameters_cell_by_an_example_that_parses():
    page = (ROOT / "docs" / "adding-a-template.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python parameters\n(shot: int.*?)```", page, re.DOTALL)
    parameters = {p.name: p for p in parse_parameters(example)}
    assert (parameters["t_start"].low, parameters["t_start"].high) == (-1.0, 10.0)
    assert parameters["t_start"].unit == "s"
    assert parameters["t_end"].default is None


def test_the_guide_names_every_key_of_a_sidecar_and_every_template():
    page = (ROOT / "docs" / "templates.md").read_text(encoding="utf-8")
    assert [k for k in KEYS if f"| `{k}` |" not in page] == []
    assert [n for n in NAMES if f"`{n}`" not in page] == []
