"""A sweep that ran into a limit is refused; one that merely is quiet is not."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import Background, analyse, analyse_sweeps
from ishtar.langmuir.clipping import at_limits, flat_end
from runner.simulate.probe.recorder import quantised
from tests.probe_fakes import KNOWN, NE, SAMPLES, TE, shot

pytestmark = pytest.mark.whole

LOOSE = shot(16)
HIGH = float(LOOSE.current.max())
IONS = float(np.median(LOOSE.current[LOOSE.bias < -40.0]))
STEP = 4e-5
UNDER = Background(offset=2e-4, conductance=1e-6, capacitance=1.5e-10)


def analysed(current, s=LOOSE, **options):
    return analyse_sweeps(s.bias, current, dt=s.dt, **KNOWN, **options)


def stepped(values, step):
    return np.round(values / step) * step if step else values


def all_refused(found, side):
    assert not found["valid"].any()
    assert all(r.startswith("clipped: ") for r in found["reason"].values)
    assert all(side in r for r in found["reason"].values)
    assert np.isnan(found["Te"]).all()


class TestATrueClip:
    @pytest.mark.parametrize("step", [0.0, STEP])
    @pytest.mark.parametrize("part", [0.1, 0.6, 0.8])
    def test_at_the_upper_rail(self, part, step):
        rail = stepped(part * HIGH, step)
        all_refused(analysed(np.minimum(stepped(LOOSE.current, step), rail)), "the upper rail")

    @pytest.mark.parametrize("step", [0.0, STEP])
    @pytest.mark.parametrize("part", [0.1, 0.4])
    def test_at_the_lower_rail(self, part, step):
        rail = stepped(part * IONS, step)
        all_refused(analysed(np.maximum(stepped(LOOSE.current, step), rail)), "the lower rail")

    @pytest.mark.parametrize("part", [0.5, 0.8])
    def test_of_a_quiet_record_also_near_the_ends_of_the_ions(self, part):
        s, step = shot(16, noise=3e-5), 4e-6
        current = np.maximum(stepped(s.current, step), stepped(part * IONS, step))
        all_refused(analysed(current, s), "the lower rail")

    @pytest.mark.parametrize("step", [0.0, STEP])
    def test_though_what_is_taken_off_bends_the_rail(self, step):
        recorded = LOOSE.current + UNDER.current(LOOSE.bias, LOOSE.dt)
        whole = analysed(stepped(recorded, step), background=UNDER)
        assert whole["valid"].all()
        np.testing.assert_allclose(whole["Te"], TE, rtol=0.015)
        upper, lower = stepped(0.5 * HIGH, step), stepped(0.3 * IONS + UNDER.offset, step)
        clipped = stepped(np.minimum(recorded, upper), step)
        all_refused(analysed(clipped, background=UNDER), "the upper rail")
        clipped = stepped(np.maximum(recorded, lower), step)
        all_refused(analysed(clipped, background=UNDER), "the lower rail")

    def test_the_others_of_the_record_are_kept(self):
        current = LOOSE.current.copy()
        some = slice(3 * SAMPLES, 5 * SAMPLES)
        current[some] = np.minimum(current[some], 0.5 * HIGH)
        found = analysed(current)
        assert list(np.flatnonzero(~found["valid"].values)) == [3, 4]
        assert all(r.endswith("the upper rail") for r in found["reason"].values[[3, 4]])

    def test_a_sweep_alone_is_judged_alike(self):
        r = analyse(LOOSE.bias[:SAMPLES], np.minimum(LOOSE.current[:SAMPLES], 0.5 * HIGH), **KNOWN)
        assert not r.valid
        assert r.reason.startswith("clipped: ")


class TestAQuietRecord:
    @pytest.mark.parametrize(
        ("bits", "use"), [(10, 0.9), (12, 0.2), (12, 0.9), (14, 0.05), (14, 0.2), (16, 0.2)]
    )
    def test_it_stays_on_one_value_and_is_not_clipped(self, bits, use):
        s = shot(16, noise=1e-5)
        current = quantised(s.current, bits, use)
        longest = max((current == v).sum() for v in np.unique(current))
        if bits < 14 or use < 0.1:
            assert longest > 0.05 * current.size  # else nothing is shown here
        found = analysed(current, s)
        assert not any("clipped" in r for r in found["reason"].values)
        valid = found["valid"].values
        assert valid.mean() > 0.9, set(found["reason"].values)
        assert np.abs((found["Te"] - TE) / found["Te_sigma"]).max() < 3.0
        assert np.abs((found["ne"] - NE) / found["ne_sigma"]).max() < 3.0

    def test_a_noisy_record_without_steps_is_not_either(self):
        assert analysed(LOOSE.current)["valid"].all()


class TestKnownLimits:
    def test_an_honest_sweep_within_them_is_as_without(self):
        found, without = analysed(LOOSE.current, limits=(-1.0, 1.0)), analysed(LOOSE.current)
        assert found["valid"].all()
        np.testing.assert_array_equal(found["Te"], without["Te"])

    def test_what_lies_on_one_is_refused(self):
        rail = 0.5 * HIGH
        found = analysed(np.minimum(LOOSE.current, rail), limits=(-np.inf, rail))
        all_refused(found, "the recorder's limit")
        found = analysed(np.maximum(LOOSE.current, 0.5 * IONS), limits=(0.5 * IONS, np.inf))
        all_refused(found, "the recorder's limit")

    def test_one_sweep_alone_has_them_too(self):
        rail, one = 0.5 * HIGH, slice(0, SAMPLES)
        current = np.minimum(LOOSE.current[one], rail)
        r = analyse(LOOSE.bias[one], current, **KNOWN, limits=(-1.0, rail))
        assert not r.valid
        assert r.reason == f"clipped: {(current == rail).sum()} samples at the recorder's limit"

    def test_limits_are_of_what_was_recorded_and_not_of_what_is_left(self):
        recorded = LOOSE.current + UNDER.current(LOOSE.bias, LOOSE.dt)
        limit = float(recorded.max()) + 1e-9
        found = analysed(recorded, limits=(-1.0, limit), background=UNDER)
        assert found["valid"].all()
        rail = 0.5 * HIGH
        clipped = np.minimum(recorded, rail)
        all_refused(analysed(clipped, limits=(-1.0, rail), background=UNDER), "recorder's limit")

    def test_few_samples_on_one_are_left_out_only(self):
        """Electronic noise now and then hits a limit: that is no clipped sweep."""
        current = LOOSE.current.copy()
        rng = np.random.default_rng(3)
        for row in range(16):
            at = row * SAMPLES + rng.choice(SAMPLES, 5, replace=False)
            current[at] = 0.5  # four times the largest current
        found = analysed(current, limits=(-0.5, 0.5))
        assert found["valid"].all(), set(found["reason"].values)
        np.testing.assert_allclose(found["Te"], TE, rtol=0.015)
        np.testing.assert_allclose(found["ne"], NE, rtol=0.08)

    def test_from_two_per_cent_on_it_is_clipped(self):
        current = LOOSE.current.copy()
        for row, count in enumerate([5, 7, 8, 12]):
            current[row * SAMPLES + 20 * np.arange(1, count + 1)] = 0.5
        found = analysed(current, limits=(-0.5, 0.5))
        assert list(found["valid"].values[:5]) == [True, True, False, False, True]
        assert found["reason"].values[2] == "clipped: 8 samples at the recorder's limit"


def test_on_a_limit_or_beyond_is_at_it():
    raw = np.array([[-2.0, -1.0, -0.9, np.nan, 0.9, 1.0, 2.0]])
    expected = [True, True, False, False, False, True, True]
    np.testing.assert_array_equal(at_limits(raw, (-1.0, 1.0))[0], expected)


class TestAFlatEnd:
    BIAS = np.linspace(-40.0, 40.0, 100)[None, :]

    def test_only_what_lies_together_at_the_end_is_one(self):
        current = np.minimum(self.BIAS, 20.0)
        assert flat_end(self.BIAS, current, upper=True).sum() == (self.BIAS >= 20.0).sum()
        assert not flat_end(self.BIAS, current, upper=False).any()
        hat = np.minimum(20.0 - np.abs(self.BIAS), 5.0)  # flat in the middle
        assert not flat_end(self.BIAS, hat, upper=True).any()

    def test_five_samples_are_too_few(self):
        for last, expected in ((5, 0), (6, 6)):
            current = self.BIAS.copy()
            current[0, -last:] = current[0, -last]
            assert flat_end(self.BIAS, current, upper=True).sum() == expected

    def test_a_constant_record_has_no_end(self):
        assert not flat_end(self.BIAS, np.ones_like(self.BIAS), upper=True).any()
