"""Where the theory of the probe ends a sweep is refused, or its error bars hold the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ishtar.langmuir import analyse, analyse_sweeps
from ishtar.langmuir.limits import RHO_OF_TABLES, diffusion_parameter, ion_uncertainty
from runner.simulate.probe import Physics, Plasma, Probe, debye_length, probe_current
from tests.probe_fakes import HIGH, KNOWN, LOW, NE, TE, TIP, VP, shot

WIDE = (-60.0, 36.0)
FIELD = {1.0: 0.0087, 5.0: 0.0437}  # T, of which ψ0 is 1 and 5 for this tip at 4 eV
WHY = "times the electron current expected from the ions"


def analysed(physics, *, ends=WIDE, noise=3e-4, **options):
    s = shot(20, physics=physics, noise=noise, ends=ends)
    return analyse_sweeps(s.bias, s.current, dt=s.dt, **KNOWN, **options)


def pulls(found, q, truth):
    return np.abs(found[q] - truth) / found[f"{q}_sigma"]


class TestRF:
    def test_more_than_te_is_refused_with_the_reason(self):
        found = analysed(Physics(rf_amplitude=2.0 * TE), noise=1e-3)
        assert not found["valid"].any()
        for reason in found["reason"].values:
            assert reason.startswith("RF across the sheath: some ")
            volts = float(reason.split()[5])
            assert volts == pytest.approx(2.0 * TE, rel=0.15)
            assert f"of amplitude, more than Te {TE:.2g}"[:-1] in reason or "Te 3." in reason
        assert np.isnan(found["Te"]).all()

    def test_less_is_taken_into_account(self):
        found = analysed(Physics(rf_amplitude=TE), noise=1e-3)
        assert found["valid"].all()
        assert (pulls(found, "Te", TE) < 3.0).all()
        assert (pulls(found, "ne", NE) < 3.0).all()
        # it is told as what moves the bias unseen: V rms of a sinusoid
        assert float(found["ripple"].median()) == pytest.approx(TE / math.sqrt(2.0), rel=0.3)

    def test_none_is_not_seen(self):
        found = analysed(None)
        assert float(found["ripple"].median()) < 0.2 * TE
        assert set(found["note"].values) == {""}


class TestThickProbe:
    THICK = Probe(radius=2e-3, length=8e-3)
    SHEATH = Physics(electrons="sheath", ions="sheath")

    def at(self, rho):
        unit = self.THICK.radius / float(debye_length(1.0, TE))
        ne = (rho / unit) ** 2
        bias = np.linspace(LOW, HIGH, 800)
        current = probe_current(bias, Plasma(ne=ne, te=TE, vp=VP), self.THICK, self.SHEATH)
        noise = np.random.default_rng(4).normal(size=800)
        current = current + 1e-3 * current.max() * noise
        tip = {"radius": self.THICK.radius, "length": self.THICK.length}
        return analyse(bias, current, area=self.THICK.area, **tip), ne

    def test_beyond_the_tables_the_density_is_unsure_and_why_is_told(self):
        r, ne = self.at(130.0)
        assert r.valid, r.reason
        assert r.note.startswith("r/λ_D ")
        assert "is beyond the tables, 100: ne is uncertain by 2" in r.note
        assert r.ne.sigma > 0.15 * r.ne.value
        assert abs(r.ne.value - ne) < 3.0 * r.ne.sigma

    def test_within_them_nothing_of_the_kind_is_told(self):
        r, ne = self.at(60.0)
        assert r.valid, r.reason
        assert "tables" not in r.note
        assert abs(r.ne.value - ne) < 3.0 * r.ne.sigma

    def test_what_theories_of_the_ions_differ_by(self):
        assert RHO_OF_TABLES == 100.0
        assert ion_uncertainty(0.0) == pytest.approx(0.01)
        assert ion_uncertainty(2.0) == ion_uncertainty(10.0) == pytest.approx(0.03)
        assert 0.1 < ion_uncertainty(100.0) < 0.2
        assert (np.diff(ion_uncertainty(np.linspace(0.0, 300.0, 100))) >= 0.0).all()


class TestMagnetised:
    @pytest.mark.parametrize("psi0", [1.0, 5.0])
    def test_error_bars_hold_it_and_say_why_they_are_wide(self, psi0):
        found = analysed(Physics(psi0=psi0))
        assert found["valid"].all()
        assert (pulls(found, "Te", TE) < 3.0).all()
        assert (pulls(found, "ne", NE) < 3.0).all()
        for note in found["note"].values:
            assert WHY in note
            assert "held by a field, or ne is off; ne is uncertain by 20%" in note
        assert (found["ne_sigma"] > 0.2 * found["ne"]).all()
        # common to all sweeps: it does not scatter
        assert (found["Te_sigma_theory"] > 0.9 * found["Te_sigma"]).mean() > 0.8

    @pytest.mark.parametrize("psi0", [1.0, 5.0])
    def test_a_known_field_explains_it(self, psi0):
        physics = Physics(psi0=psi0)
        without = analysed(physics, noise=1e-3)
        found = analysed(physics, noise=1e-3, field=FIELD[psi0])
        assert set(found["note"].values) == {""}
        assert found.attrs["field_T"] == FIELD[psi0]
        np.testing.assert_allclose(found["ne"], without["ne"], rtol=0.06)
        assert (found["ne_sigma"] < 0.5 * without["ne_sigma"]).all()
        assert (found["Te_sigma"] < without["Te_sigma"]).all()
        assert (pulls(found, "Te", TE) < 3.0).mean() > 0.9
        assert (pulls(found, "ne", NE) < 3.0).all()

    @pytest.mark.parametrize("field", [None, 0.3])
    def test_an_unknown_field_or_one_far_too_strong_does_not(self, field):
        found = analysed(Physics(psi0=1.0), field=field)
        assert all(WHY in note for note in found["note"].values)
        assert math.isnan(found.attrs["field_T"]) == (field is None)

    def test_the_diffusion_parameter_is_that_of_its_formula(self):
        known = {"radius": TIP.radius, "length": TIP.length}
        gyration = math.sqrt(2.0 * 9.1093837e-31 * 4.0 / 1.602176634e-19) / 0.05  # R_L, m
        expected = TIP.radius * math.log(math.pi * TIP.length / (4.0 * TIP.radius)) / gyration
        assert diffusion_parameter(4.0, field=0.05, **known) == pytest.approx(expected, rel=1e-6)
        assert diffusion_parameter(4.0, field=-0.05, **known) == pytest.approx(expected, rel=1e-6)
        assert diffusion_parameter(16.0, field=0.05, **known) == pytest.approx(0.5 * expected)
        assert diffusion_parameter(4.0, field=0.0, **known) == 0.0
        for psi0, field in FIELD.items():
            assert diffusion_parameter(4.0, field=field, **known) == pytest.approx(psi0, rel=0.01)


class TestSecondaries:
    def test_the_density_holds_them_and_a_note_tells_it(self):
        """Electrons that ions knock out of the tip look like more ions."""
        found = analysed(Physics(secondaries=0.3), ends=(LOW, HIGH))
        assert found["valid"].all()
        # half of the way between what ions and electrons say, and unsure by the other half
        assert 1.05 * NE < float(found["ne"].median()) < 1.2 * NE
        assert (pulls(found, "ne", NE) < 3.0).all()
        assert np.median(pulls(found, "ne", NE)) < 1.5
        assert (pulls(found, "Te", TE) < 3.0).all()
        assert np.mean([WHY in note for note in found["note"].values]) > 0.9

    def test_without_a_field_the_electrons_tell_it(self):
        found = analysed(Physics(secondaries=0.3), ends=(LOW, HIGH), field=0.0)
        assert found["valid"].all()
        assert (np.abs(found["ne"] - NE) < 0.1 * NE).mean() >= 0.95
        assert (found["ne_sigma"] < 0.08 * found["ne"]).all()
        for note in found["note"].values:
            times = float(note.split()[0])
            assert note.endswith("(a flow, secondaries); ne is that of the electrons")
            assert times == pytest.approx(1.3, abs=0.1)
        # what is recorded is the ions' current all the same
        ions = analysed(Physics(secondaries=0.3), ends=(LOW, HIGH))["Isat"]
        np.testing.assert_array_equal(found["Isat"], ions)

    def test_a_plain_plasma_has_no_note(self):
        found = analysed(None, ends=(LOW, HIGH))
        assert set(found["note"].values) == {""}
        assert (found["ne_sigma"] < 0.1 * found["ne"]).all()
        assert (pulls(found, "ne", NE) < 3.0).all()
