"""The trace viewer over samples that do not lie in time, in a real Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runner.publish import publish_workspace
from runner.scheduling.coordinator import Coordinator
from tests.axis_fakes import COUNTED, DF, F0, TIMED, spectrum, write_axes
from tests.browser.test_traces import number, rows, settle, show, view_of
from tests.library_fakes import SCALE, N, raw_of

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of shots with signals in time, counted, and along frequency."""
    workspace = write_axes(tmp_path_factory.mktemp("axes") / "ws")
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        publish_workspace(coordinator)
    return workspace.site


def axis(page: Any) -> tuple[str, set[str]]:
    """Return what the horizontal axis is, and the units beside the fields."""
    return page.text_content("[data-along=name]"), {
        e.text_content() for e in page.query_selector_all("[data-along=unit]")
    }


def test_counted_samples_are_drawn_over_their_numbers(page: Any) -> None:
    show(page, page.base, f"shots={COUNTED}&signals=Probe_U")
    assert axis(page) == ("Sample", {""})
    assert view_of(page) == (0.0, float(N))
    assert "0 to 6000, the whole record" in page.text_content("#trace-status").replace(
        "\u00a0", " "
    )
    show(page, page.base, f"shots={COUNTED}&signals=Probe_U&t=100,140")
    page.get_by_label("Sample", exact=True).fill("117")
    page.keyboard.press("Enter")
    settle(page)
    ((name, _, value, unit, what),) = rows(page)
    assert (name, unit, what) == ("Probe_U", "V", "sample")
    assert number(value) == pytest.approx(21.0 * SCALE * raw_of(COUNTED)["Probe_U"][117], abs=0.01)
    text = page.text_content("#viewer")
    assert " s," not in text
    assert "ms" not in text.split()


def test_a_spectrum_is_drawn_over_frequency(page: Any) -> None:
    show(page, page.base, f"shots={COUNTED},{TIMED}&signals=Spectrum")
    assert axis(page) == ("Frequency", {"Hz"})
    assert "1.000 to 2.000 MHz" in page.text_content("#trace-status").replace("\u00a0", " ")
    page.get_by_label("Frequency", exact=True).fill(str(F0 + 100 * DF))
    page.keyboard.press("Enter")
    settle(page)
    found = rows(page)
    assert [r[1] for r in found] == [str(COUNTED), str(TIMED)]
    for row in found:
        assert number(row[2]) == pytest.approx(2.0 * spectrum()[100], rel=1e-3)


def test_what_lies_along_another_axis_is_left_out_and_said(page: Any) -> None:
    show(page, page.base, f"shots={TIMED},{COUNTED}&signals=Probe_U,Spectrum")
    assert axis(page) == ("Time", {"s"})
    assert [r[:2] for r in rows(page)] == [["Probe_U", str(TIMED)]]
    said = page.text_content("#trace-problems")
    assert f"Probe_U of shot {COUNTED} has no time base" in said
    assert (
        f"Spectrum of shot {TIMED} is against frequency [Hz], and Probe_U is against time" in said
    )


def test_another_axis_begins_with_the_whole_record(page: Any) -> None:
    show(page, page.base, f"shots={TIMED}&signals=Probe_U&t=1,2")
    assert view_of(page) == (1.0, 2.0)
    page.evaluate(f"ishtar.viewer.take([{COUNTED}], ['Spectrum'])")
    settle(page)
    assert axis(page) == ("Frequency", {"Hz"})
    assert view_of(page) == (F0, pytest.approx(2.0e6))


def test_signals_in_time_are_the_usual_ones(page: Any) -> None:
    show(page, page.base, f"shots={COUNTED}")
    assert axis(page) == ("Time", {"s"})
    assert {r[0] for r in rows(page)} == {"Gas_P"}
