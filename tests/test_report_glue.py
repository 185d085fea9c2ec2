"""glue and skip: what a template hands out is what scrapbook reads back."""

from __future__ import annotations

import enum
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from nbformat.v4 import new_code_cell, new_notebook, new_output

from ishtar.errors import UnitError
from ishtar.quantity import Measured
from ishtar.report import GlueError, ReportSkipped, glue, skip


@pytest.fixture(scope="module")
def shell():
    """Give an IPython of this process, as a kernel has one."""
    made = InteractiveShell.instance()
    made.history_manager.enabled = False
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def glued(*args: Any, **options: Any) -> RichOutput:
    with capture_output() as captured:
        glue(*args, **options)
    (output,) = captured.outputs
    return output


def value_and_marks(*args: Any, **options: Any) -> tuple[Any, dict[str, Any]]:
    output = glued(*args, **options)
    (payload,) = output.data.values()
    assert output.metadata["scrapbook"] == {"name": args[0], "data": True, "display": False}
    data = payload["data"]
    return (None if data == {"value": None} else data), output.metadata["ishtar"]


class Mode(enum.IntEnum):
    H = 2


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4.1, 4.1),
        (4, 4),
        (True, True),
        ("H mode", "H mode"),
        ("", ""),
        (None, None),
        (math.nan, None),
        (-math.inf, None),
        (np.float32(0.5), 0.5),
        (np.int16(3), 3),
        (np.bool_(True), True),
        (np.str_("H"), "H"),
        (np.float64("nan"), None),
        (np.array(2.5), 2.5),
        (np.ma.masked, None),
        (xr.DataArray([1.0, 3.0]).mean(), 2.0),
        (pd.Series([1.0, 3.0]).max(), 3.0),
        (Fraction(1, 4), 0.25),
        (Mode.H, 2),
    ],
)
def test_numbers_texts_and_bools_are_stored_as_they_are_meant(shell, value, expected):
    stored, marks = value_and_marks("x", value)
    assert stored == expected
    assert type(stored) in (float, int, bool, str, np.str_, type(None))
    assert marks == {"sigma": None, "unit": ""}


@pytest.mark.parametrize(
    "value",
    [
        np.array([4.1]),
        np.zeros(3),
        [1.0],
        (1, 2),
        {"a": 1},
        1 + 2j,
        np.complex64(1),
        pd.Series([1.0]),
        xr.DataArray([1.0]),
        np.datetime64("2026-11-22"),
        Decimal("1.5"),
        object(),
        b"x",
    ],
)
def test_anything_else_is_refused(shell, value):
    with pytest.raises(GlueError, match=r"glue\('x'\) takes a number, text or a bool, not"):
        glue("x", value)


def test_sigma_and_unit_lie_beside_the_value(shell):
    assert value_and_marks("Te", 4.1, sigma=0.2, unit="eV") == (4.1, {"sigma": 0.2, "unit": "eV"})
    assert value_and_marks("n", 4, sigma=np.float32(0.5)) == (4, {"sigma": 0.5, "unit": ""})
    assert value_and_marks("Te", 4.1, sigma=math.nan)[1]["sigma"] is None
    assert value_and_marks("Te", None, sigma=0.2, unit="eV") == (
        None,
        {"sigma": None, "unit": "eV"},
    )


@pytest.mark.parametrize("sigma", [math.inf, np.float32("inf"), np.array(np.inf)])
def test_a_result_of_infinite_sigma_is_none(shell, sigma):
    with pytest.warns(UserWarning, match=r"glue\('Te'\): sigma is infinite"):
        assert value_and_marks("Te", 4.1, sigma=sigma, unit="eV") == (
            None,
            {"sigma": None, "unit": "eV"},
        )
    with pytest.raises(GlueError, match="it cannot be negative"):
        glue("Te", 4.1, sigma=-sigma)


def test_a_measured_brings_its_own_and_is_converted_where_a_unit_is_given(shell):
    te = Measured(4.1, 0.2, "eV")
    assert value_and_marks("Te", te) == (4.1, {"sigma": 0.2, "unit": "eV"})
    value, marks = value_and_marks("p", Measured(5.0, 0.5, "mA"), unit="A")
    assert (value, marks["sigma"], marks["unit"]) == pytest.approx((5e-3, 5e-4, "A"))
    assert value_and_marks("x", Measured(1.0, math.nan, "V"))[1]["sigma"] is None
    assert value_and_marks("x", Measured(math.nan, 0.1, "V")) == (
        None,
        {"sigma": None, "unit": "V"},
    )


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (("x", 1.0, {"unit": "eW"}), UnitError, "unknown unit 'eW'"),
        (("x", Measured(1.0, 0.1, "V"), {"unit": "A"}), UnitError, "does not fit"),
        (("x", Measured(1.0, 0.1, "V"), {"sigma": 0.1}), GlueError, "a Measured has its own"),
        (("x", 1.0, {"sigma": -0.1}), GlueError, "cannot be negative"),
        (("x", 1.0, {"sigma": "0.1"}), GlueError, "sigma is '0.1'; it must be a number"),
        (("x", 1.0, {"sigma": True}), GlueError, "sigma is True; it must be a number"),
        (("x", 1.0, {"sigma": np.zeros(2)}), GlueError, "not ndarray"),
        (("x", "H", {"sigma": 0.1}), GlueError, "only a number has a sigma"),
        (("x", True, {"sigma": 0.1}), GlueError, "only a number has a sigma"),
        (("", 1.0, {}), GlueError, "use a name without a dot"),
        ((3, 1.0, {}), GlueError, "use a name without a dot"),
        (("langmuir.Te", 1.0, {}), GlueError, "a name without a dot"),
    ],
)
def test_what_makes_no_sense_is_refused(shell, call, error, told):
    *args, options = call
    with pytest.raises(error, match=told):
        glue(*args, **options)


def test_outside_ipython_glue_checks_and_shows_nothing(capsys, monkeypatch):
    monkeypatch.setattr("IPython.get_ipython", lambda: None)
    glue("x", 1.0)
    assert capsys.readouterr().out == ""
    with pytest.raises(GlueError):
        glue("x", [1.0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_scrapbook_reads_what_was_glued(shell, tmp_path):
    import scrapbook

    outputs = [
        glued("Te", Measured(4.1, 0.2, "eV")),
        glued("mode", "H"),
        glued("ok", np.bool_(False)),
        glued("n", 3),
        glued("none", math.nan, unit="V"),
    ]
    cells = [
        new_code_cell(
            "glue(...)", outputs=[new_output("display_data", o.data, metadata=o.metadata)]
        )
        for o in outputs
    ]
    path = tmp_path / "report.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    scraps = scrapbook.read_notebook(str(path)).scraps
    assert {name: scrap.data for name, scrap in scraps.items()} == {
        "Te": 4.1,
        "mode": "H",
        "ok": False,
        "n": 3,
        "none": {"value": None},
    }
    kept = nbformat.read(path, as_version=4).cells[0].outputs[0].metadata["ishtar"]
    assert kept == {"sigma": 0.2, "unit": "eV"}


def test_skip_ends_the_cell_with_one_line_and_no_traceback(shell):
    with capture_output() as captured:
        result = shell.run_cell("from ishtar.report import skip\nskip('no probe\\n in the plasma')")
    assert isinstance(result.error_in_exec, ReportSkipped)
    assert captured.stdout.strip() == "skipped: no probe in the plasma"
    assert captured.stderr == ""


def test_skip_always_has_a_reason():
    with pytest.raises(ReportSkipped, match=r"^the template gave no reason$"):
        skip("  ")
    with pytest.raises(ReportSkipped, match=r"^3$"):
        skip(3)  # type: ignore[arg-type]


def test_an_integer_that_no_page_or_database_can_hold_is_refused():
    with pytest.raises(GlueError, match="bits"):
        glue("n", 10**400)


def test_what_a_result_is_called_goes_with_it_and_only_where_it_is_said(shell):
    _, marks = value_and_marks("Te", 4.1, unit="eV", label=" electron\n temperature", symbol="T_e")
    assert marks == {
        "sigma": None,
        "unit": "eV",
        "label": "electron temperature",
        "symbol": "T_e",
    }
    _, marks = value_and_marks("Te", 4.1, unit="eV", symbol=" ")
    assert marks == {"sigma": None, "unit": "eV"}


def test_a_label_that_is_no_text_is_refused():
    with pytest.raises(GlueError, match="label is 3; it must be text"):
        glue("Te", 4.1, label=3)  # type: ignore[arg-type]
