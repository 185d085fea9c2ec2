"""Frequency responses, undone; polynomials, inverted; a facility's own transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ishtar.calibration import Calibration, read_declarations
from ishtar.calibration.facility import facility_transforms
from ishtar.calibration.response import FrequencyResponse, convolve
from ishtar.calibration.spans import Span
from ishtar.calibration.transforms import Gain, Polynomial, QuietOffset, no_quiet_time
from ishtar.errors import CalibrationFileError, TimeBaseError
from ishtar.shots.testbed import Testbed
from ishtar.signals.calibrated import CalibratedSamples
from tests.library_fakes import FIRST, memory_channel, signal_of

RNG = np.random.default_rng(5)
DT = 1e-8
BDOT = FrequencyResponse(  # as a B-dot probe: proportional to the frequency, and late
    frequency_hz=(1e6, 5e6, 12e6, 20e6), gain=(1.0, 5.0, 11.0, 16.0), phase_deg=(88, 80, 60, 30)
)
FROM_DC = FrequencyResponse(
    frequency_hz=(0.0, 10e6, 30e6), gain=(2.0, 1.5, 0.5), phase_deg=(0.0, -40.0, -120.0)
)


def samples_of(channel: Any, *steps: Any) -> CalibratedSamples:
    calibration = Calibration(
        device="d",
        port="",
        version=1,
        span=Span(1),
        input_unit="V",
        unit="V",
        transforms=steps,
        where="devices/d.toml:1",
    )
    return CalibratedSamples(channel, calibration, "V")


# Frequency response


@pytest.mark.parametrize("response", [BDOT, FROM_DC])
@pytest.mark.parametrize("f", [2.5e6, 6.78e6, 11.76e6, 14e6])
def test_what_the_device_did_to_a_wave_is_undone(response, f):
    t = DT * np.arange(20_000)
    h = response.at(np.array([f]))[0]
    recorded = abs(h) * np.sin(2 * np.pi * f * t + np.angle(h))
    found = samples_of(memory_channel(recorded, dt=DT), response).read(8000, 12_000)
    np.testing.assert_allclose(found, np.sin(2 * np.pi * f * t[8000:12_000]), atol=0.01)


def test_what_lies_outside_the_frequencies_given_is_not_let_through():
    t = DT * np.arange(20_000)
    for f in (0.0, 0.3e6, 25e6):
        recorded = np.cos(2 * np.pi * f * t)
        found = samples_of(memory_channel(recorded, dt=DT), BDOT).read(8000, 12_000)
        assert np.abs(found).max() < 0.02


@pytest.mark.parametrize("response", [BDOT, FROM_DC])
def test_a_wave_through_the_device_and_back_is_the_wave(response):
    t = DT * np.arange(20_000)
    wave = np.sin(2 * np.pi * 6e6 * t) + 0.3 * np.cos(2 * np.pi * 12e6 * t)
    back = response.filtered(response.response(wave, DT), DT)
    cut = (len(wave) - len(back)) // 2
    np.testing.assert_allclose(back, wave[cut:-cut], atol=0.02)


@pytest.mark.parametrize("cut", [(0, 5), (0, 3000), (1, 2), (700, 1900), (2990, 3000), (5, 5)])
@pytest.mark.parametrize("steps", [(BDOT,), (Gain(gain=2.0), BDOT, FROM_DC), (FROM_DC, BDOT)])
def test_a_stretch_of_it_is_that_stretch_of_the_whole(cut, steps):
    channel = memory_channel(RNG.integers(-3000, 3000, 3000).astype(np.int16), dt=DT)
    s = signal_of(samples_of(channel, *steps))
    whole, part = s.values(), s[slice(*cut)].values()
    np.testing.assert_allclose(part, whole[slice(*cut)], atol=1e-11 * np.abs(whole).max())
    edges, rows = s.samples.minmax(*cut, 7)
    if cut[1] > cut[0]:
        assert rows[:, 0].min() == pytest.approx(part.min())
        assert rows[:, 1].max() == pytest.approx(part.max())
        assert (edges[0], edges[-1]) == cut


def test_at_the_ends_of_a_record_the_signal_is_taken_to_go_on_as_it_was():
    found = samples_of(memory_channel(np.full(500, 4.0), dt=DT), FROM_DC).read(0, 500)
    np.testing.assert_allclose(found, 2.0, rtol=0.01)


def test_a_quiet_time_behind_a_filter_is_that_of_what_was_filtered():
    x = np.where(np.arange(4000) < 2000, 1.0, 5.0)
    quiet = QuietOffset(t_start_s=0.0, t_end_s=1e-5)
    found = samples_of(memory_channel(x, dt=DT), FROM_DC, quiet).read(0, 4000)
    assert found[500] == pytest.approx(0.0, abs=0.02)
    assert found[3500] == pytest.approx(2.0, abs=0.02)


def test_a_sample_that_is_nothing_spoils_its_neighbours_and_no_others():
    x = RNG.normal(0, 1, 3000)
    x[1500] = np.nan
    m = FROM_DC.margin(DT)
    found = samples_of(memory_channel(x, dt=DT), FROM_DC).read(0, 3000)
    assert np.flatnonzero(np.isnan(found)).tolist() == list(range(1500 - m, 1500 + m + 1))


@given(st.integers(1, 60), st.integers(1, 400))
def test_convolving_in_blocks_is_convolving(m, n):
    kernel, x = RNG.normal(0, 1, m), RNG.normal(0, 1, n + m - 1)
    np.testing.assert_allclose(convolve(x, kernel), np.convolve(x, kernel, "valid"), atol=1e-12)


def test_a_filter_longer_than_the_record_still_gives_a_value_for_each_sample():
    found = samples_of(memory_channel(np.full(9, 2.0), dt=DT), FROM_DC).read(0, 9)
    np.testing.assert_allclose(found, 1.0, rtol=0.01)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"frequency_hz": (1e6,)}, "two frequencies"),
        ({"gain": (1.0, 2.0)}, "as many gain and phase_deg"),
        ({"gain": (1.0, 2.0, 0.0)}, "above 0"),
        ({"frequency_hz": (1e6, 1e6, 2e6)}, "increase strictly"),
        ({"frequency_hz": (-1.0, 1e6, 2e6)}, "from 0 or above"),
        ({"length_s": -1.0}, "must not be negative"),
    ],
)
def test_a_response_that_makes_no_sense_is_refused(change, told):
    good = {"frequency_hz": (0.0, 1e6, 2e6), "gain": (1.0, 1.0, 1.0), "phase_deg": (0.0, 0.0, 0.0)}
    with pytest.raises(ValueError, match=told):
        FrequencyResponse(**(good | change))


def test_a_response_that_does_not_fit_the_sampling_is_refused():
    with pytest.raises(TimeBaseError, match=r"begins at 1e\+06 Hz, above the Nyquist frequency"):
        samples_of(memory_channel([1.0, 2.0]), BDOT)
    with pytest.raises(TimeBaseError, match=r"regular sampling only.*devices/d.toml:1"):
        samples_of(memory_channel([1.0, 2.0], times=[0.0, 1.0]), BDOT)
    sharp = FrequencyResponse(
        frequency_hz=(1e6, 8e6, 8.1e6, 20e6),
        gain=(1.0, 1.0, 9.0, 9.0),
        phase_deg=(0.0,) * 4,
        length_s=8e-6,
    )
    with pytest.raises(CalibrationFileError, match=r"length_s = 8e-06 deviates by .*a longer one"):
        sharp.margin(DT)
    long = FrequencyResponse(frequency_hz=(1.0, 1e6), gain=(1.0, 1.0), phase_deg=(0.0, 0.0))
    with pytest.raises(
        CalibrationFileError, match="samples of 1e-08 s, more than the limit of 1048576"
    ):
        long.margin(DT)


# Polynomials


@given(
    roots=st.lists(st.floats(-5, 5), min_size=0, max_size=3),
    scale=st.sampled_from([-2.0, 0.5, 3.0]),
    span=st.tuples(st.floats(-6, 6), st.floats(0.1, 5)),
    at=st.lists(st.floats(0, 1), min_size=1, max_size=9),
)
def test_a_polynomial_and_its_inverse_undo_each_other_where_it_does_not_turn(
    roots, scale, span, at
):
    slope = np.polynomial.Polynomial.fromroots(roots) if roots else np.polynomial.Polynomial([1])
    curve = (slope * scale).integ() + 1.5
    low, high = span[0], span[0] + span[1]
    assume(not any(low - 0.1 < r < high + 0.1 for r in roots))
    step = Polynomial(coefficients=tuple(curve.coef), x_min=low, x_max=high)
    x = low + np.array(at) * (high - low)
    x = np.clip(x, low, high)
    back = step.inverse(step.apply(x, no_quiet_time))
    np.testing.assert_allclose(back, x, atol=1e-6 * span[1])
    far = step.apply(np.array([low, high]), no_quiet_time)
    beyond = np.array([far.min() - 1.0, far.max() + 1.0, np.nan])
    assert np.isnan(step.inverse(beyond)).all()


def test_a_polynomial_that_only_rises_needs_no_range_and_one_that_turns_does():
    cubic = Polynomial(coefficients=(1.0, 2.0, 0.0, 0.5))
    x = np.array([-50.0, -1.0, 0.0, 3.0, 900.0])
    np.testing.assert_allclose(
        cubic.inverse(cubic.apply(x, no_quiet_time)), x, rtol=1e-9, atol=1e-12
    )
    parabola = {"coefficients": (0.0, -1.0, 0.5)}
    with pytest.raises(ValueError, match="it turns at x = 1; state x_min and x_max"):
        Polynomial(**parabola).inverse(x)
    half = Polynomial(**parabola, x_min=1.0)
    np.testing.assert_allclose(
        half.inverse(half.apply(np.array([1.0, 4.0]), no_quiet_time)), [1, 4]
    )


def test_outside_the_range_stated_a_polynomial_gives_nothing_and_says_so():
    step = Polynomial(coefficients=(0.0, 1.0, 1.0), x_min=-1.0, x_max=2.0)
    s = signal_of(samples_of(memory_channel([-2.0, -1.0, 0.0, 2.0, 2.1]), step))
    np.testing.assert_array_equal(s.values(), [np.nan, 0, 0, 6, np.nan])
    assert s.quality().values.tolist() == [6, 0, 0, 0, 6]
    drawn = s.envelope(1)
    assert (drawn["min"], drawn["max"]) == (0.0, 6.0)
    with pytest.raises(ValueError, match="larger"):
        Polynomial(coefficients=(0.0, 1.0), x_min=1.0, x_max=1.0)
    with pytest.raises(ValueError, match="one number for each"):
        Polynomial(coefficients=(0.0, 1.0), sigmas=(0.1,))


# A facility's own

OWN = '''
from ishtar.calibration.facility import transform

OFF = 0.5

def shifted(x):
    return x + OFF

@transform("square_law")
class SquareLaw:
    """P = scale · (x + 0.5)²"""

    scale: float
    sigma_scale: float = 0.0

    def apply(self, x, quiet):
        return self.scale * shifted(x) ** 2
'''


@pytest.fixture
def own(workspace):
    """A workspace whose gauge has a transform of the facility's own; returns its text."""
    path = workspace.calibrations / "devices" / "gauge.toml"
    text = path.read_text()
    old = 'kind = "polynomial", coefficients = [0.5, -0.3, 0.1]'
    assert old in text
    path.write_text(text.replace(old, 'kind = "square_law", scale = 2.0, sigma_scale = 0.1'))
    code = workspace.calibrations / "transforms.py"
    code.write_text(OWN, encoding="utf-8")
    return code


def test_a_facilitys_own_transform_is_used_with_its_uncertainty(workspace, own):
    assert read_declarations(workspace.calibrations)[1] == []
    shot = Testbed(workspace)[FIRST]
    s, volts = shot["Gas_P"], shot.channel("PLC/Gas").values()
    np.testing.assert_allclose(s.values(), 2.0 * (volts + 0.5) ** 2)
    np.testing.assert_allclose(s.sigma(), 0.1 * (volts + 0.5) ** 2, rtol=1e-9)
    assert s.sigma().attrs["sources"] == ["gauge v1 scale"]
    assert "P = scale · (x + 0.5)² (scale = 2 ± 0.1)" in str(s.explain())
    drawn = s.envelope(3)
    assert float(drawn["max"].max()) == pytest.approx(s.values().max())


def test_what_its_code_uses_is_part_of_a_calibrations_identity(workspace, own):
    def digest() -> str:
        return Testbed(workspace).declarations.devices["gauge"].calibrations[0].digest

    first = digest()
    for same in (
        OWN + "\n\nUNUSED = 3\n",
        OWN.replace("OFF = 0.5", "OFF = 0.5  # V"),
        OWN.replace('"""P = scale · (x + 0.5)²"""', '"""another text"""'),
    ):
        own.write_text(same, encoding="utf-8")
        assert digest() == first
    for other in (
        OWN.replace("OFF = 0.5", "OFF = 0.6"),
        OWN.replace("return x + OFF", "return x - OFF"),
        OWN.replace("** 2", "** 3"),
        OWN + "\nSquareLaw.apply = lambda self, x, quiet: x\n",
        OWN + "\nfor name in ('OFF',):\n    globals()[name], SquareLaw.more = 0.7, 1\n",
    ):
        own.write_text(other, encoding="utf-8")
        assert digest() != first


def test_the_identity_of_its_code_is_the_same_on_every_python(tmp_path):
    """Held by its value: a newer Python must not make every shot of a device stale."""
    (tmp_path / "transforms.py").write_text(OWN, encoding="utf-8")
    found, problems = facility_transforms(tmp_path)
    assert (found["square_law"].source_digest, problems) == ("10112eb7e9e661b688c7", [])


def test_what_is_changed_in_place_or_shares_a_line_is_part_of_it_too(workspace, own):
    table = OWN.replace("OFF = 0.5", "OFF, ON = [0.5], 1; KEPT = 2").replace(
        "return x + OFF", "return x + OFF[0] * KEPT * ON"
    )
    texts = [
        table,
        table.replace("OFF, ON = [0.5], 1", "OFF, ON = [0.6], 1"),
        table.replace("KEPT = 2", "KEPT = 3"),
        table + "\nOFF[0] = 0.7\n",
        table + "\nOFF.append(0.7)\n",
        table + "\nwith open(__file__) as f: OFF[0] = 1.0\n",
    ]
    digests = set()
    for text in texts:
        own.write_text(text, encoding="utf-8")
        digests.add(Testbed(workspace).declarations.devices["gauge"].calibrations[0].digest)
    assert len(digests) == len(texts)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("OFF = 0.5", "OFF = 1 / 0", r"^transforms.py:4: ZeroDivisionError: division by zero"),
        ("OFF = 0.5", "OFF = (0.5", r"^transforms.py:4: '\(' was never closed"),
        ("OFF = 0.5", "raise SystemExit(3)", r"^transforms.py:4: SystemExit: 3"),
        ("import transform", "import transforn", r"^transforms.py:2: ImportError"),
        ("return x + OFF", "return x + NONE", r"gauge.toml:2 .*transforms.py:7: NameError"),
        ("** 2", "** 2 @ x", r"gauge.toml:2 .*transforms.py:16: apply\(\) returns shape \(\)"),
        ('"square_law"', '"gain"', r"^transforms.py:10: 'gain' is a built-in transform"),
        (
            '"square_law"',
            '"square law"',
            r"^transforms.py:10: 'square law' is not a valid transform name",
        ),
        ("scale: float\n", "scale: int\n", r"^transforms.py:10: scale: int is not a number"),
        ("def apply", "def applies", r"^transforms.py:10: SquareLaw has no apply"),
    ],
)
def test_what_is_wrong_with_the_code_is_told_with_file_and_line(workspace, own, old, new, told):
    assert old in OWN
    own.write_text(OWN.replace(old, new, 1), encoding="utf-8")
    import re

    _, problems = read_declarations(workspace.calibrations)
    assert any(re.search(told, problem) for problem in problems), problems
    assert all("\n" not in problem for problem in problems)


def test_two_of_one_name_are_refused_and_no_file_is_no_problem(tmp_path):
    assert facility_transforms(tmp_path) == ({}, [])
    again = OWN + OWN.split("@transform")[1].replace("SquareLaw", "Other").join(["@transform", ""])
    (tmp_path / "transforms.py").write_text(again, encoding="utf-8")
    found, problems = facility_transforms(tmp_path)
    assert list(found) == ["square_law"]
    assert ["is declared twice" in p for p in problems] == [True]
    (tmp_path / "transforms.py").write_bytes(b"\xff\xfe\x00")
    assert facility_transforms(tmp_path)[1][0].startswith("transforms.py: cannot be read")
