"""Sigmas against a Monte Carlo over a calibration's own numbers; what cancels in a formula."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ishtar.calibration import Calibration
from ishtar.calibration.expression import propagate
from ishtar.calibration.response import FrequencyResponse
from ishtar.calibration.spans import Span
from ishtar.calibration.steps import changes, derivative
from ishtar.calibration.transforms import (
    Gain,
    LogDetector,
    Offset,
    Polynomial,
    QuietOffset,
    Table,
    no_quiet_time,
)
from ishtar.errors import TimeBaseError
from ishtar.quantity import mean_of
from ishtar.shots.testbed import Testbed
from ishtar.signals.calibrated import CalibratedSamples
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.samples import ChannelSamples
from tests.library_fakes import FIRST, memory_channel, signal_of, truth

DRAWS = 2000
RNG = np.random.default_rng(11)


def samples_of(channel: Any, *steps: Any, device: str = "d") -> CalibratedSamples:
    calibration = Calibration(
        device=device,
        port="",
        version=1,
        span=Span(1),
        input_unit="V",
        unit="V",
        transforms=steps,
    )
    return CalibratedSamples(channel, calibration, "V")


X = np.array([-1.0, 0.5, 2.0, 2.5])


def drawn(step: Any) -> Iterator[Any]:
    """Yield the step with its numbers drawn from their sigmas."""
    for _ in itertools.count():
        normal = RNG.normal
        match step:
            case Gain():
                yield replace(step, gain=normal(step.gain, step.sigma))
            case Offset():
                yield replace(step, offset=normal(step.offset, step.sigma))
            case Polynomial():
                yield replace(step, coefficients=tuple(normal(step.coefficients, step.sigmas or 0)))
            case LogDetector():
                decibels = normal(step.decibels, step.sigma_db)
                slope = normal(step.slope, step.sigma_slope)
                yield replace(step, decibels=decibels, slope=slope)
            case Table():
                yield replace(step, y=tuple(np.asarray(step.y) + normal(0, step.sigma)))


STEPS = [
    (Gain(gain=-20.0, sigma=0.3),),
    (Offset(offset=0.1, sigma=0.02), Gain(gain=3.0, sigma=0.05)),
    (Gain(gain=2.0, sigma=0.02), Gain(gain=3.0, sigma=0.05)),
    (Polynomial(coefficients=(1.0, 0.5, 0.2), sigmas=(0.01, 0.02, 0.005)),),
    (Offset(offset=0.1, sigma=0.02), Polynomial(coefficients=(0.0, 1.0, 0.3))),
    (LogDetector(zero=0.02, intercept=2.25, slope=0.5, sigma_db=0.1),),
    (LogDetector(zero=0.02, intercept=2.25, slope=0.5, sigma_slope=0.003, sigma_db=0.05),),
    (Gain(gain=1.1, sigma=0.01), Table(x=(-3.0, 1.0, 4.0), y=(5.0, 1.0, 9.0), sigma=0.1)),
]


@pytest.mark.parametrize("steps", STEPS, ids=lambda s: " ".join(type(x).__name__ for x in s))
def test_sigma_is_the_scatter_of_calibrations_drawn_from_their_own_sigmas(steps):
    channel = memory_channel(X)
    found = signal_of(samples_of(channel, *steps)).sigma().values
    draws = [drawn(step) for step in steps]
    many = [samples_of(channel, *(next(d) for d in draws)).read(0, len(X)) for _ in range(DRAWS)]
    np.testing.assert_allclose(found, np.std(many, axis=0), rtol=0.08)


def test_a_source_of_uncertainty_is_named_by_calibration_and_number():
    two = samples_of(memory_channel(X), Gain(gain=2.0, sigma=0.1), Gain(gain=3.0, sigma=0.2))
    assert signal_of(two).sigma().attrs["sources"] == [
        "d v1 gain of step 1",
        "d v1 gain of step 2",
    ]
    one = samples_of(memory_channel(X), LogDetector(zero=0, intercept=0, slope=1, sigma_db=1))
    assert signal_of(one).sigma().attrs["sources"] == ["d v1 level"]


def test_what_two_signals_share_cancels_in_a_ratio_and_adds_in_a_product():
    gain = Gain(gain=2.0, sigma=0.2)
    a = samples_of(memory_channel(np.array([1.0, 2.0, 3.0])), gain)
    b = samples_of(memory_channel(np.array([4.0, 2.0, 5.0])), gain)
    other = samples_of(memory_channel(np.array([4.0, 2.0, 5.0])), gain, device="e")
    parts = {"a": a, "b": b}
    x, y = a.read(0, 3), b.read(0, 3)

    def sigma(formula: str, parts: Any = parts) -> np.ndarray:
        return signal_of(DerivedSamples("f", formula, parts)).sigma().values

    np.testing.assert_allclose(sigma("a / b"), 0, atol=1e-15)
    np.testing.assert_allclose(sigma("a - a"), 0, atol=0)
    np.testing.assert_allclose(sigma("(a - b) / a"), 0, atol=1e-15)
    np.testing.assert_allclose(sigma("a - b"), 0.1 * abs(x - y), rtol=1e-12)
    np.testing.assert_allclose(sigma("a * b"), 0.2 * x * y, rtol=1e-12)
    apart = {"a": a, "b": other}
    np.testing.assert_allclose(sigma("a / b", apart), 0.1 * 2**0.5 * x / y, rtol=1e-12)
    np.testing.assert_allclose(sigma("a - b", apart), 0.1 * np.hypot(x, y), rtol=1e-12)


def test_the_ratio_of_two_powers_through_one_detector_keeps_what_it_knows(workspace):
    path = workspace.calibrations / "devices" / "detector.toml"
    path.write_text(path.read_text().replace("slope = 0.0520", "slope = 0.0520, sigma_db = 0.2"))
    shot = Testbed(workspace)[FIRST]
    true = truth(FIRST).values
    per_db = np.log(10) / 10 * 0.2
    fwd = shot["Fwd_P"].load(sigma=True)
    np.testing.assert_allclose(fwd["sigma"], per_db * true["Fwd_P"], rtol=1e-9)
    assert fwd["sigma"].attrs["units"] == "W"
    both = np.hypot(true["Fwd_P"], true["Ref_P"]) * per_db / 1000  # two ports: two calibrations
    np.testing.assert_allclose(shot["Inj_P"].sigma(), both, rtol=1e-9)
    share = shot["Share"].sigma()
    ratio = true["Ref_P"] / true["Fwd_P"]
    np.testing.assert_allclose(share, ratio * per_db * 2**0.5, rtol=1e-9)
    assert share.attrs["sources"] == ["detector.fwd v1 level", "detector.ref v1 level"]
    assert "detector.fwd v1 sigma of level" in str(shot["Inj_P"].explain())


@pytest.mark.parametrize(
    "formula",
    ["a * b - 2 / a", "sqrt(a) * exp(b / 3)", "10 * log10(a / b)", "abs(-a) ** 1.5", "2 ** a"],
)
def test_changes_go_through_a_formula_as_its_derivatives_say(formula):
    values = {"a": np.array([1.0, 2.0, 0.3]), "b": np.array([2.0, 0.7, 3.0])}
    given = {"a": {"one": np.array([0.1, 0.2, 0.3])}, "b": {"one": np.full(3, -0.1)}}
    value, found = propagate(formula, values, given)
    h = 1e-6
    up, down = (
        propagate(formula, {k: v + s * h * given[k]["one"] for k, v in values.items()}, {})[0]
        for s in (1, -1)
    )
    np.testing.assert_allclose(found["one"], (up - down) / (2 * h), rtol=1e-6)
    np.testing.assert_allclose(value, (up + down) / 2, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("step", [s for steps in STEPS for s in steps], ids=repr)
def test_derivatives_are_those_of_the_equation(step):
    x = np.array([-0.7, 0.4, 2.2])
    h = 1e-6
    numeric = (step.apply(x + h, no_quiet_time) - step.apply(x - h, no_quiet_time)) / (2 * h)
    np.testing.assert_allclose(
        np.broadcast_to(derivative(step, x, no_quiet_time), 3), numeric, rtol=1e-6
    )


def test_a_step_without_derivatives_has_them_by_small_differences():
    class Square:
        monotonic = False

        def apply(self, x: np.ndarray, quiet: Any) -> np.ndarray:
            return x**2

    x = np.array([-3.0, 1e-9, 0.0, 5e3])
    np.testing.assert_allclose(derivative(Square(), x, no_quiet_time), 2 * x, rtol=1e-8, atol=1e-4)
    assert changes(Gain(gain=1.0), x, no_quiet_time) == {}


# Quiet times


def test_the_error_of_a_quiet_mean_is_its_scatter_over_many_shots():
    """Noise that hangs together over 20 samples: that the samples are not independent counts."""
    step, n = QuietOffset(t_start_s=0.0, t_end_s=2.0), 4000
    kernel = np.ones(20)
    means, told = [], []
    for _ in range(150):
        noise = np.convolve(RNG.normal(0, 1, n + 19), kernel, mode="valid")
        samples = samples_of(memory_channel(noise), step)
        means.append(noise[:2000].mean())
        told.append(signal_of(samples)[3000:3001].sigma().values[0])
    assert np.sqrt(np.mean(np.square(told))) == pytest.approx(np.std(means), rel=0.15)
    assert samples.sensitive(0, 1)[1].keys() == {"DAQ/x quiet mean"}


def test_an_offset_that_the_quiet_time_had_too_cancels_in_it():
    x = np.concatenate([np.full(100, 2.0), np.full(100, 5.0)])
    quiet = QuietOffset(t_start_s=0.0, t_end_s=0.1)
    channel = memory_channel(x)
    gone = samples_of(channel, Offset(offset=1.0, sigma=0.3), quiet)
    np.testing.assert_allclose(signal_of(gone).sigma(), 0, atol=1e-12)
    gain = samples_of(channel, Gain(gain=2.0, sigma=0.1), quiet)
    np.testing.assert_allclose(signal_of(gain)[100:].sigma(), 0.3, rtol=1e-12)  # of 5 - 2


# Means


def test_the_error_of_a_mean_counts_neighbours_that_hang_together():
    values, sigmas = [], []
    for _ in range(200):
        noise = np.convolve(RNG.normal(0, 1, 4019), np.ones(20), mode="valid")
        mean = signal_of(ChannelSamples(memory_channel(noise))).mean()
        values.append(mean.value)
        sigmas.append(mean.sigma)
    assert np.sqrt(np.mean(np.square(sigmas))) == pytest.approx(np.std(values), rel=0.15)


def test_the_calibrations_sigma_does_not_average_down():
    noise = RNG.normal(5.0, 0.1, 100_000)
    mean = signal_of(samples_of(memory_channel(noise), Gain(gain=2.0, sigma=0.1))).mean()
    assert mean.value == pytest.approx(10.0, abs=0.01)
    assert mean.sigma == pytest.approx(0.5, rel=0.01)
    assert mean.unit == "V"
    both = np.concatenate([np.full(50, 1.0), np.full(50, -1.0)])
    plus_minus = signal_of(samples_of(memory_channel(np.tile(both, 64)), Gain(gain=2, sigma=0.1)))
    assert plus_minus.mean().sigma < 0.02  # of a mean of 0 a gain changes nothing


def test_a_mean_is_walked_and_does_not_depend_on_the_walk(monkeypatch):
    x = RNG.normal(3, 1, 1003)
    samples = samples_of(memory_channel(x), Gain(gain=2.0, sigma=0.1))
    whole = mean_of(samples.sensitive, 5, 1000)
    monkeypatch.setattr("ishtar.quantity.BLOCK", 37)
    parts = mean_of(samples.sensitive, 5, 1000)
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    assert parts.error == pytest.approx(whole.error, rel=1e-9)
    assert parts.changes["d v1 gain"] == pytest.approx(whole.changes["d v1 gain"])
    assert whole.value == pytest.approx(2 * x[5:1000].mean())


def test_a_mean_of_nothing_of_one_and_of_nan():
    s = signal_of(ChannelSamples(memory_channel([1.0, np.nan, 3.0])))
    with pytest.raises(TimeBaseError, match="x has no samples here: select another interval"):
        s[1:1].mean()
    one = s[0:1].mean()
    assert (one.value, np.isnan(one.sigma)) == (1.0, True)
    assert np.isnan(s.mean().value)


# What is said


def test_a_calibration_that_states_no_sigma_says_so(testbed):
    s = testbed[FIRST]["Probe_U"]
    assert s.sigma()[:3].values.tolist() == [0, 0, 0]
    assert s.sigma().attrs["uncertainty"] == "probe.U v1 states no uncertainty"
    assert "uncertainty     probe.U v1 states no uncertainty" in str(s.explain())
    assert testbed[FIRST]["Probe_I"].load().attrs["uncertainty"] == "probe.I v1 sigma of gain"
    coil = testbed[FIRST]["Coil_I"].explain().uncertainty
    assert coil == "transducer v1 states no uncertainty besides that of the quiet mean"


def test_another_unit_takes_values_sigma_and_envelope_along(testbed):
    s = testbed[FIRST]["Probe_I"]
    amps = s.to("A")
    assert (amps.unit, s.unit) == ("A", "mA")
    np.testing.assert_allclose(amps.values(), s.values() / 1000, rtol=1e-12)
    np.testing.assert_allclose(amps.sigma(), s.sigma() / 1000, rtol=1e-12)
    np.testing.assert_allclose(amps.envelope(9)["max"], s.envelope(9)["max"] / 1000)
    np.testing.assert_array_equal(amps.raw(), s.raw())
    assert amps[0:5].mean().unit == "A"
    assert "mA → A" in str(amps.explain())
    assert s.to("mA") is s
    np.testing.assert_array_equal(amps[7:9].to("mA").raw(), s[7:9].raw())


def test_sigma_of_a_stretch_is_that_stretch_of_sigma(testbed, monkeypatch):
    for name in ("Probe_I", "Coil_I", "Inj_P"):
        s = testbed[FIRST][name]
        np.testing.assert_array_equal(s.sigma()[1000:1300], s[1000:1300].sigma())
        monkeypatch.setattr("ishtar.signals.lazy_signal.BLOCK", 77)
        np.testing.assert_array_equal(s.sigma()[1000:1300], s[1000:1300].sigma())


# Digests


def test_numbers_that_came_later_and_are_not_given_leave_a_calibrations_identity_alone():
    def digest(step: Any) -> str:
        return samples_of(memory_channel(X), step).calibration.digest

    old = {  # worked out before these numbers were invented
        "log": LogDetector(zero=0.02, intercept=2.2503, slope=0.0520),
        "table": Table(x=(0.0, 1.0), y=(2.0, 3.0)),
        "polynomial": Polynomial(coefficients=(0.0, 1.0)),
        "gain": Gain(gain=2.0),
    }
    from ishtar.lineage.record import digest as digest_of

    for step in old.values():
        numbers = {
            LogDetector: {"zero": 0.02, "intercept": 2.2503, "slope": 0.052, "decibels": 10.0},
            Table: {"x": (0.0, 1.0), "y": (2.0, 3.0)},
            Polynomial: {"coefficients": (0.0, 1.0)},
            Gain: {"gain": 2.0, "sigma": 0.0},
        }[type(step)]
        assert digest(step) == digest_of(["V", "V", [[type(step).__name__, numbers]]])
    new = [
        replace(old["log"], sigma_db=0.1),
        replace(old["log"], sigma_slope=0.1),
        replace(old["table"], sigma=0.1),
        replace(old["polynomial"], sigmas=(0.1, 0.1)),
        replace(old["polynomial"], x_max=3.0),
        replace(old["gain"], sigma=0.1),
    ]
    everything = [digest(s) for s in [*old.values(), *new]]
    assert len(set(everything)) == len(everything)


def test_the_gain_of_a_frequency_response_is_a_source_of_its_own():
    response = FrequencyResponse(
        frequency_hz=(0.0, 500.0), gain=(2.0, 2.0), phase_deg=(0.0, 0.0), relative_sigma=0.05
    )
    t = 1e-3 * np.arange(600)
    channel = memory_channel(np.sin(2 * np.pi * 60 * t))
    samples = samples_of(channel, Offset(offset=0.0, sigma=0.1), response)
    x, changed = samples.sensitive(200, 400)
    np.testing.assert_allclose(np.abs(changed["d v1 response"]), 0.05 * np.abs(x), atol=1e-12)
    np.testing.assert_allclose(changed["d v1 offset"], -0.05, rtol=0.01)  # a constant, divided by 2
