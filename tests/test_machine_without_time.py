"""The machine at a shot whose recorder wrote no sampling interval: refused, or said."""

from __future__ import annotations

import pytest

import ishtar
from ishtar.errors import TimeBaseError
from ishtar.machine.readings import reading
from ishtar.store import SourceFile
from tests.axis_fakes import store_again
from tests.machine_fakes import PLACE_M, WHOLE, write_machine_workspace

ONLY_COUNTED = "is only counted: nothing says when its samples were taken"


def counted(folder, *names):
    """Give shot `WHOLE` with these channels only counted; with all where none is named."""
    workspace = write_machine_workspace(folder)
    (path,) = workspace.shot_folder(WHOLE).glob("*.h5")
    store_again(path, dict.fromkeys(names or SourceFile(path).channels, ""))
    return ishtar.open(workspace.root)[WHOLE]


@pytest.fixture(scope="module")
def shot(tmp_path_factory):
    return counted(tmp_path_factory.mktemp("counted"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda m: m["tip_1"].sweeps((0.3, 0.5), gas="Ar"),
        lambda m: m["tip_1"].sweeps(gas="Ar"),
        lambda m: m["tip_1"].sweep(0.4, gas="Ar"),
        lambda m: m["big"].current(0.5),
        lambda m: m.axial_field(t=(0.3, 0.5)),
        lambda m: m["icrf"].coupling((0.3, 0.5)),
        lambda m: m["gas"].pressure(0.5),
        lambda m: reading(m.shot["Gas_P"], 0.5, "Pa"),
    ],
)
def test_what_asks_for_a_time_is_refused(shot, ask):
    with pytest.raises(TimeBaseError, match=ONLY_COUNTED):
        ask(shot.machine)


def test_a_place_that_was_recorded_without_times_is_known_for_the_whole_record_only(shot):
    manipulator = shot.machine["arm"]
    assert manipulator.position().value == pytest.approx(PLACE_M, rel=0.05)
    assert manipulator.position().source == "Place"
    at = manipulator.position(0.5)
    assert at.source.startswith("declared at ")
    assert ONLY_COUNTED in at.source


def test_a_counted_current_and_a_timed_bias_are_not_put_together(tmp_path):
    shot = counted(tmp_path, "DAQ/I")
    with pytest.raises(TimeBaseError, match=r"I \(DAQ/I\) is only counted"):
        shot.machine["tip_1"].sweeps((0.3, 0.5), gas="Ar")
