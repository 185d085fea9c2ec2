"""Pick-up slower than a sweep is found over the record, taken out, and told."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from ishtar.langmuir import analyse_sweeps
from runner.simulate.probe import Plasma, probe_current
from tests.probe_fakes import (
    DT,
    HIGH,
    KNOWN,
    LOW,
    NE,
    SAMPLES,
    TE,
    TIP,
    VP,
    Shot,
    noisy,
    shot,
    vf_of,
)

pytestmark = pytest.mark.whole

SWEEP_S = SAMPLES * DT
N = 40
VOLTS = 0.2
PERIODS = [0.4, 0.77, 1.3, 2.7, 5.6, 8.3]  # a sweep; none is a harmonic of the pairs of sweeps


@pytest.fixture(scope="module")
def clean() -> Shot:
    return shot(N)


def wave(s: Shot, periods: float) -> np.ndarray:
    return np.sin(2.0 * np.pi * periods / SWEEP_S * s.time + 0.7)


def analysed(s: Shot, **options):
    return analyse_sweeps(s.bias, s.current, dt=s.dt, **KNOWN, **options)


def is_flat(found, te: float = TE):
    """Te is right in each sweep and scatters by what noise does, some 0.006 eV."""
    assert found["valid"].all()
    np.testing.assert_allclose(found["Te"], te, rtol=0.01)
    assert found["Te"].std() < 0.01
    assert np.median(found["Te_sigma"]) < 0.016


def test_a_clean_record_has_no_lines(clean):
    found = analysed(clean)
    assert found.attrs["pickup"] == ""
    assert found.attrs["pickup_Hz"] == []
    assert found.attrs["pickup_bias_V"] == []
    assert found.attrs["pickup_current_A"] == []
    is_flat(found)


class TestOnTheBiasAlone:
    @pytest.mark.parametrize("periods", PERIODS)
    def test_it_is_taken_out_and_told(self, clean, periods):
        found = analysed(replace(clean, bias=clean.bias + VOLTS * wave(clean, periods)))
        is_flat(found)
        assert found.attrs["pickup_Hz"] == pytest.approx([periods / SWEEP_S], abs=0.5)
        assert found.attrs["pickup_bias_V"] == pytest.approx([VOLTS], rel=0.05)
        assert found.attrs["pickup_current_A"] == [0.0]
        hertz, volts = found.attrs["pickup"].split(" Hz: ")
        assert float(hertz) == pytest.approx(periods / SWEEP_S, abs=0.5)
        assert volts.endswith(" V on the bias")
        assert float(volts.split()[0]) == pytest.approx(VOLTS, rel=0.05)
        assert float(found["Vf"].mean()) == pytest.approx(vf_of(), abs=0.1)

    def test_two_lines_are_both_taken_out_the_stronger_first(self, clean):
        both = 0.1 * wave(clean, 1.3) + VOLTS * wave(clean, 5.6)
        found = analysed(replace(clean, bias=clean.bias + both))
        is_flat(found)
        assert found.attrs["pickup_Hz"] == pytest.approx([1400.0, 325.0], abs=0.5)
        assert found.attrs["pickup_bias_V"] == pytest.approx([VOLTS, 0.1], rel=0.05)

    def test_one_that_is_on_for_a_part_is_taken_out_of_that_part(self, clean):
        on = (clean.time > 10 * SWEEP_S) & (clean.time < 30 * SWEEP_S)
        noted = replace(clean, bias=clean.bias + VOLTS * wave(clean, 2.7) * on)
        found = analysed(noted)
        assert found["valid"].all()
        # its ends, in a sweep's time, are blurred, and their error bars say so
        inside = np.r_[0:8, 12:28, 32:N]
        np.testing.assert_allclose(found["Te"].values[inside], TE, rtol=0.02)
        assert found["Te"].values[inside].std() < 0.012
        assert (np.abs(found["Te"] - TE) < 3.0 * found["Te_sigma"]).all()
        assert found.attrs["pickup_Hz"][0] == pytest.approx(675.0, abs=1.0)
        assert found.attrs["pickup_bias_V"][0] == pytest.approx(VOLTS, rel=0.08)

    def test_missing_samples_do_not_hide_it(self, clean):
        bias, current = clean.bias + VOLTS * wave(clean, 2.7), clean.current.copy()
        bias[::97] = bias[3000:3100] = current[5::101] = np.nan
        found = analysed(replace(clean, bias=bias, current=current))
        is_flat(found)
        assert found.attrs["pickup_Hz"] == pytest.approx([675.0], abs=0.5)
        assert found.attrs["pickup_bias_V"] == pytest.approx([VOLTS], rel=0.05)

    def test_sixteen_sweeps_are_enough_and_fewer_are_left_as_they_are(self, clean):
        with_it = replace(clean, bias=clean.bias + VOLTS * wave(clean, 2.7))
        some, few = (
            replace(with_it, bias=with_it.bias[:k], current=with_it.current[:k])
            for k in (16 * SAMPLES, 12 * SAMPLES)
        )
        enough = analysed(some)
        is_flat(enough)
        assert enough.attrs["pickup_Hz"] == pytest.approx([675.0], abs=1.0)
        found = analysed(few)
        assert found.attrs["pickup_Hz"] == []
        assert found["valid"].mean() > 0.8
        # what cannot be told apart from the sweeps stays in them
        assert found["Te"].std() > 0.08


def sawtooth(pauses: np.ndarray) -> Shot:
    """Return a record of a sawtooth that waits at its foot before each ramp."""
    up = LOW + (HIGH - LOW) * (np.arange(SAMPLES) + 0.5) / SAMPLES
    back = np.linspace(HIGH, LOW, 20)
    bias = np.concatenate([p for k in pauses for p in (np.full(k, LOW), up, back)])
    current = probe_current(bias, Plasma(ne=NE, te=TE, vp=VP), TIP)
    return noisy(Shot(bias=bias, current=current), 3e-4, 3)


class TestOtherSweeps:
    def test_a_period_of_no_whole_number_of_samples(self):
        period = 803.37
        phase = np.arange(int(N / 2 * period)) / period % 1.0
        bias = LOW + (HIGH - LOW) * (1.0 - np.abs(2.0 * phase - 1.0))
        current = probe_current(bias, Plasma(ne=NE, te=TE, vp=VP), TIP)
        s = noisy(Shot(bias=bias, current=current), 3e-4, 3)
        quiet = analysed(s)
        is_flat(quiet)
        assert quiet.attrs["pickup_Hz"] == []
        found = analysed(replace(s, bias=s.bias + VOLTS * wave(s, 2.7)))
        is_flat(found)
        assert found.attrs["pickup_Hz"] == pytest.approx([675.0], abs=0.5)
        assert found.attrs["pickup_bias_V"] == pytest.approx([VOLTS], rel=0.05)

    def test_a_sawtooth_with_pauses(self):
        s = sawtooth(np.full(N, 100))
        quiet = analysed(s)
        is_flat(quiet)
        assert quiet.attrs["pickup_Hz"] == []
        found = analysed(replace(s, bias=s.bias + VOLTS * wave(s, 2.7)))
        is_flat(found)
        assert found.attrs["pickup_Hz"][0] == pytest.approx(675.0, abs=1.0)
        assert found.attrs["pickup_bias_V"][0] == pytest.approx(VOLTS, rel=0.06)

    @pytest.mark.long
    def test_sweeps_that_follow_no_clock_have_no_lines(self):
        s = sawtooth(np.random.default_rng(1).integers(50, 400, N))
        found = analysed(s)
        assert found["valid"].all()
        assert (np.abs(found["Te"] - TE) < 3.0 * found["Te_sigma"]).mean() > 0.9
        for bias in (s.bias, s.bias + VOLTS * wave(s, 2.7)):
            assert analysed(replace(s, bias=bias)).attrs["pickup_Hz"] == []


class TestReallyOnTheProbe:
    """The recorded bias is right, and to take the line out of it would be wrong."""

    def test_a_voltage_that_the_current_answers_to_is_put_back(self):
        on = VOLTS * wave(shot(N), 8.3)
        s = shot(N, on_probe=on)
        found = analysed(replace(s, bias=s.bias + on))
        is_flat(found)
        assert (np.abs(found["Vf"] - vf_of()) < 4.0 * found["Vf_sigma"]).all()
        assert float(found["Vf"].mean()) == pytest.approx(vf_of(), abs=0.1)


class TestOnTheCurrentAlone:
    @pytest.mark.parametrize("periods", [5.6, 8.3])
    def test_it_is_taken_out_and_told(self, clean, periods):
        amplitude = 0.002 * clean.current.max()  # nearly the ions' current
        s = replace(clean, current=clean.current + amplitude * wave(clean, periods))
        found = analysed(s)
        is_flat(found)
        np.testing.assert_allclose(found["ne"], NE, rtol=0.08)
        assert found.attrs["pickup_Hz"] == pytest.approx([periods / SWEEP_S], abs=1.0)
        assert found.attrs["pickup_current_A"] == pytest.approx([amplitude], rel=0.1)
        assert found.attrs["pickup_bias_V"] == [0.0]
        assert found.attrs["pickup"].endswith(" A on the current")


class TestGenerators:
    HELICON = 117e5 + 675.0  # sampled at 100 kS/s: a line at 675 Hz

    def named(self, clean, **generators):
        s = replace(clean, bias=clean.bias + VOLTS * wave(clean, 2.7))
        return analysed(s, generators=generators)

    def test_the_line_has_the_name_of_what_it_may_come_from(self, clean):
        found = self.named(clean, helicon=self.HELICON, icrf=25e6 + 20e3)
        assert "Hz (helicon): 0.2 V on the bias" in found.attrs["pickup"]
        assert found.attrs["pickup_Hz"] == pytest.approx([675.0], abs=0.5)
        is_flat(found)

    @pytest.mark.parametrize(
        ("frequency", "named"),
        [
            (118e5 - 675.0, True),  # from above the multiple of the clock
            (117e5 + 675.0 + 1000.0, True),  # a crystal is off by up to 1e-4 of it
            (117e5 + 675.0 + 3000.0, False),
            (117e5 - 3000.0, False),
        ],
    )
    def test_a_crystal_may_be_a_little_off(self, frequency, named):
        from ishtar.langmuir.record_pickup import source_of

        assert source_of(675.0, {"helicon": frequency}, DT) == ("helicon" if named else "")

    def test_two_that_it_may_come_from_are_both_named(self):
        from ishtar.langmuir.record_pickup import source_of

        both = {"helicon": self.HELICON, "icrf": 25e6 - 675.0, "other": 6.3e6 + 7e3}
        assert source_of(675.0, both, DT) == "helicon or icrf"
        assert source_of(675.0, None, DT) == ""


class TestNoLine:
    """What a plasma does is no pick-up."""

    EACH: ClassVar = np.arange(N * SAMPLES) / (N * SAMPLES)
    CHANGES: ClassVar = {
        "step": np.where(EACH > 0.45, 1.3, 1.0),
        "drift": 1.0 + 0.4 * EACH,
        "from sweep to sweep": np.repeat(
            1.0 + 0.2 * np.random.default_rng(3).normal(size=N), SAMPLES
        ),
    }

    @pytest.mark.parametrize("change", CHANGES)
    def test_a_density_that_changes_makes_none(self, change):
        density = self.CHANGES[change]
        found = analysed(shot(N, ne=NE * density))
        assert found.attrs["pickup_Hz"] == []
        assert found["valid"].all()
        # where it jumps, a sample of a sweep may be of the next plasma
        assert (np.abs(found["Te"] / TE - 1.0) < 0.02).mean() > 0.95
        truth = NE * density.reshape(N, -1).mean(1)
        assert (np.abs(found["ne"] / truth - 1.0) < 0.08).mean() > 0.95
