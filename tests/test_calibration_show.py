"""The history of a signal, a device or a component, or how it was at one shot."""

from __future__ import annotations

import pytest

from ishtar.calibration.show import periods, show
from ishtar.errors import NotFoundError
from tests.library_fakes import FIRST, MOVED


def ways(rows):
    return [
        (str(s.span), s.wiring.channel, s.calibration.label if s.calibration else None)
        for s in rows
    ]


def test_a_signal_is_shown_stretch_by_stretch(declared):
    assert ways(periods(declared, "Probe_I")) == [
        ("1240…1249", "DAQ/Probe_I", "probe.I v1"),
        ("1250…", "DAQ/Spare", "probe_b v7"),
    ]
    assert ways(periods(declared, "Probe_U")) == [
        ("1…1249", "DAQ/Probe_U", "probe.U v1"),
        ("1250…", "DAQ/Probe_U", "probe.U v2"),
    ]
    assert ways(periods(declared, "Bare_U")) == [("1…", "DAQ/Spare", None)]
    assert periods(declared, "Nowhere_U") == []


def test_a_signal_at_a_shot_goes_one_way(declared):
    for shot, label in (FIRST, "probe.I v1"), (MOVED, "probe_b v7"):
        shown = show(declared, "Probe_I", shot)
        assert [s.calibration.label for s in shown.signal.periods] == [label]
        assert (shown.shot, shown.device, shown.components) == (shot, None, ())
    assert show(declared, "Probe_I", 3).signal.periods == ()


def test_a_derived_signal_shows_what_it_is_made_of(declared):
    shown = show(declared, "Share").signal
    assert [part.declared.name for part in shown.parts] == ["Inj_P", "Fwd_P"]
    assert [part.declared.name for part in shown.parts[0].parts] == ["Fwd_P", "Ref_P"]


def test_a_device_shows_its_calibrations_and_where_it_is_wired(declared):
    shown = show(declared, "probe").device
    assert [c.label for c in shown.calibrations] == ["probe.U v1", "probe.I v1", "probe.U v2"]
    assert [(w.signal, str(w.span)) for w in shown.wirings] == [
        ("Probe_U", "1…"),
        ("Probe_I", "1240…1249"),
    ]
    shown = show(declared, "probe.I", FIRST).device
    assert [c.label for c in shown.calibrations] == ["probe.I v1"]
    assert [w.signal for w in shown.wirings] == ["Probe_I"]


def test_a_component_shows_its_spans(declared):
    shown = show(declared, "langmuir_1")
    assert [str(c.span) for c in shown.components] == ["1…1249", "1250…"]
    assert [c.parameters["tip_radius"] for c in show(declared, "langmuir_1", 1250).components] == [
        "0.2 mm"
    ]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Prob_I", "did you mean 'Probe_I'"),
        ("zzzzzz", "`ishtar calib show` lists all names"),
        ("probe.X", "it has probe.I, probe.U"),
        ("probe_b.I", "leave it out"),
        ("", "no signal, device or component ''"),
    ],
)
def test_a_name_that_nobody_has_is_told_with_the_nearest(declared, name, told):
    with pytest.raises(NotFoundError) as error:
        show(declared, name)
    assert told in str(error.value)
    assert error.value.name == name
