"""What differs from shot to shot, and from text to text."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    Device,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.changes import changes, changes_of_texts
from ishtar.calibration.equations import equation
from ishtar.calibration.spans import Span
from ishtar.calibration.transforms import Gain, Polynomial, QuietOffset, Table
from tests.library_fakes import FIRST, MOVED

NOTHING = Declarations(signals={}, wiring={}, devices={}, components={})


def calibrated(*rows: tuple[Span, float]) -> Declarations:
    """Return a device ``d`` with these gains."""
    found = tuple(
        Calibration(
            device="d",
            port="",
            version=k + 1,
            span=span,
            input_unit="V",
            unit="A",
            transforms=(QuietOffset(t_start_s=-1.0, t_end_s=0.0), Gain(gain=gain)),
            where=f"devices/d.toml:{k}",
        )
        for k, (span, gain) in enumerate(rows)
    )
    return replace(NOTHING, devices={"d": Device(name="d", calibrations=found)})


def test_a_shot_differs_from_another_in_wiring_calibration_and_machine(declared):
    found = changes(declared, FIRST, declared, MOVED)
    assert [(c.kind, c.name, c.before, c.after) for c in found] == [
        ("wiring", "Probe_I", "DAQ/Probe_I via probe.I", "DAQ/Spare via probe_b"),
        (
            "calibration",
            "probe.U",
            "v1: y = gain · x (gain = 20)",
            "v2: y = gain · x (gain = 21)",
        ),
        (
            "calibration",
            "probe.I",
            "v1, V → A: y = gain · x (gain = -0.01 ± 0.0001)",
            "not calibrated",
        ),
        ("machine", "langmuir_1.tip_radius", "0.1 mm", "0.2 mm"),
    ]
    assert str(found[0]) == (
        "wiring Probe_I: DAQ/Probe_I via probe.I → DAQ/Spare via probe_b  "
        "(wiring/all.toml:17 wiring 3)"
    )


def test_a_shot_does_not_differ_from_itself(declared):
    assert changes(declared, FIRST, declared, FIRST) == []
    assert changes_of_texts(declared, declared) == []


def test_back_and_forth_the_same_things_differ(declared):
    there = changes(declared, FIRST, declared, MOVED)
    back = changes(declared, MOVED, declared, FIRST)
    assert [(c.name, c.before, c.after) for c in there] == [
        (c.name, c.after, c.before) for c in back
    ]


def test_only_the_step_that_differs_is_told():
    found = changes(calibrated((Span(1), 2.0)), 1, calibrated((Span(1), 3.0)), 1)
    assert [(c.before, c.after) for c in found] == [
        ("v1: y = gain · x (gain = 2)", "v1: y = gain · x (gain = 3)")
    ]


def test_a_new_version_with_the_same_numbers_is_no_change():
    one, two = calibrated((Span(1), 2.0)), calibrated((Span(1, 5), 2.0), (Span(5), 2.0))
    assert changes(one, 9, two, 9) == []
    assert changes_of_texts(one, two) == []


def test_tables_that_begin_and_end_alike_are_told_in_full():
    def with_table(y: float) -> Declarations:
        table = Table(x=(0.0, 1.0, 2.0, 3.0, 4.0), y=(0.0, 1.0, y, 3.0, 4.0))
        d = calibrated((Span(1), 1.0)).devices["d"]
        row = replace(d.calibrations[0], transforms=(table,))
        return replace(NOTHING, devices={"d": replace(d, calibrations=(row,))})

    (change,) = changes(with_table(2.0), 1, with_table(2.5), 1)
    assert "y = [0, 1, 2, 3, 4]" in change.before
    assert "y = [0, 1, 2.5, 3, 4]" in change.after


def test_what_comes_and_goes_is_told_as_a_whole():
    probe = ComponentDeclaration(
        name="p", kind="probe", span=Span(1), parameters={"tip": "1 mm", "turns": 3}
    )
    wire = Wiring(signal="U", channel="DAQ/U", device="d", span=Span(1, 5))
    signal = SignalDeclaration(name="P", unit="W", derived="U * 2")
    full = replace(
        NOTHING, components={"p": (probe,)}, wiring={"U": (wire,)}, signals={"P": signal}
    )
    assert [str(c) for c in changes(NOTHING, 1, full, 1)] == [
        "signal P: not declared → [W] = U * 2",
        "wiring U: not wired → DAQ/U via d",
        "machine p: absent → probe (tip 1 mm, turns 3)",
    ]
    assert [str(c) for c in changes_of_texts(full, NOTHING)] == [
        "signal P: [W] = U * 2 → not declared",
        "wiring U, shots 1…4: DAQ/U via d → not wired",
        "machine p, shots 1…: probe (tip 1 mm, turns 3) → absent",
    ]


def test_texts_differ_for_the_shots_that_they_differ_for():
    one = calibrated((Span(1), 2.0))
    two = calibrated((Span(1, 10), 2.0), (Span(10, 20), 3.0), (Span(20), 2.0))
    (change,) = changes_of_texts(one, two)
    assert change.span == Span(10, 20)


spans = st.lists(st.integers(1, 30), min_size=1, max_size=5, unique=True).map(sorted)


@given(spans, spans, st.data())
def test_texts_differ_exactly_where_their_shots_do(edges, others, data):
    def drawn(edges: list[int]) -> Declarations:
        ends = [*edges[1:], data.draw(st.sampled_from([None, edges[-1] + 3]))]
        gains = st.sampled_from([1.0, 2.0])
        return calibrated(
            *((Span(a, b), data.draw(gains)) for a, b in zip(edges, ends, strict=True))
        )

    one, two = drawn(edges), drawn(others)
    found = changes_of_texts(one, two)
    for shot in range(0, 40):
        here = [c for c in found if c.span is not None and shot in c.span]
        assert [(c.before, c.after) for c in here] == [
            (c.before, c.after) for c in changes(one, shot, two, shot)
        ]


def test_an_equation_shows_each_number_with_its_sigma():
    assert equation(Gain(gain=-0.01, sigma=5e-5)) == "y = gain · x (gain = -0.01 ± 5e-05)"
    polynomial = Polynomial(coefficients=(1.0, 2.0), sigmas=(0.1, 0.2))
    assert equation(polynomial).endswith("(coefficients = [1, 2] ± [0.1, 0.2])")
    table = Table(x=(1.0, 2.0, 3.0, 4.0, 5.0), y=(0.0, 1.0, 2.0, 3.0, 9.0))
    assert "y = [0 … 9, 5 numbers]" in equation(table)
