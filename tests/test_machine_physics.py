"""What components answer is what the synthetic machine was made of, within what they say."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from ishtar.coils import CoilSet, on_axis_field, tesla_per_ampere
from ishtar.errors import MissingCalibration, NoSuchChannel, NoSuchComponent, TimeBaseError
from ishtar.gases import UnknownGas, gas
from ishtar.langmuir import SweepError, analyse
from ishtar.lineage.record import recording
from ishtar.machine import KINDS, ComponentError, Machine
from ishtar.machine.component import Component
from ishtar.machine.gas import working_gas
from ishtar.machine.tree import class_of
from ishtar.plasma import neutral_density, summary
from ishtar.quantity import Measured
from ishtar.shots.testbed import Testbed
from ishtar.units import parse_unit
from tests.machine_fakes import (
    BARE,
    BIAS_GAIN,
    BIAS_SIGMA,
    BIG_A,
    CHANGED,
    CURRENT_GAIN,
    CURRENT_SIGMA,
    FORWARD_W,
    GAS_PA,
    OFFSET_A,
    PLACE_M,
    PLASMA,
    REFLECTED_W,
    SMALL_A,
    TIP,
    WHOLE,
    bias_and_current,
    write_machine_workspace,
)

BIG = CoilSet(
    name="big", radius_m=0.6, positions_m=(-0.4, 0.4), turns=100, width_m=0.1, depth_m=0.08
)
SMALL = CoilSet(name="small", radius_m=0.3, positions_m=(1.0,), turns=-50)


@pytest.fixture(scope="module")
def tb(tmp_path_factory: pytest.TempPathFactory) -> Testbed:
    return Testbed(write_machine_workspace(tmp_path_factory.mktemp("machine")))


@pytest.fixture(scope="module")
def machine(tb: Testbed) -> Machine:
    return tb[WHOLE].machine


def agrees(m: Measured, truth: float, times: float = 4.0) -> bool:
    return m.sigma > 0.0 and abs(m.value - truth) < times * m.sigma


def test_every_kind_has_a_class_of_its_own():
    for kind in KINDS:
        assert class_of(kind) is not Component
    assert class_of("vessel") is Component


@pytest.mark.whole
class TestLangmuirProbe:
    def test_the_sweep_nearest_to_a_time_gives_the_plasma(self, machine):
        s = machine["tip_1"].sweep(t=0.5)
        assert s.valid, s.reason
        assert abs(s.time - 0.5) < 0.006
        assert agrees(s.Te, PLASMA["te"])
        assert agrees(s.ne, PLASMA["ne"])
        assert agrees(s.Vp, PLASMA["vp"])
        assert [getattr(s, q).unit for q in ("Vf", "Te", "ne", "Isat")] == ["V", "eV", "1/m^3", "A"]
        assert s.current([0.0]).shape == (1,)

    def test_sigmas_hold_calibration_and_geometry(self, machine):
        """Te goes with the bias; ne with 1/length, and the current's gain, near one to one."""
        s = machine["tip_1"].sweep(t=0.5)
        assert s.common["Te"] == pytest.approx(s.Te.value * BIAS_SIGMA / BIAS_GAIN, rel=0.3)
        gain, length = CURRENT_SIGMA / abs(CURRENT_GAIN), 0.1 / 5.0
        assert s.common["ne"] > 0.8 * s.ne.value * math.hypot(gain, length)
        assert s.common["ne"] < 3.0 * s.ne.value * math.hypot(gain, length)
        for q in ("Vf", "Vp", "Te", "ne", "Isat"):
            assert getattr(s, q).sigma > s.common[q] > 0.0
        exact = Component.quantity(machine["vessel"], "diameter", "cm")
        assert exact == Measured(100.0, 0.0, "cm")

    def test_what_a_wrong_calibration_would_do_is_what_its_sigma_says(self, machine):
        """The whole analysis with bias and current off by one sigma."""
        s = machine["tip_1"].sweep(t=0.5)
        bias, current = bias_and_current(WHOLE)
        t = -0.2 + 2e-5 * np.arange(bias.size)
        ramp = np.abs(t - s.time) < 0.0048
        u, i = bias[ramp], current[ramp] - OFFSET_A
        area = machine["tip_1"].area
        base = analyse(u, i, area=area, gas="Ar", **TIP)
        up = analyse(u * (1 + BIAS_SIGMA / BIAS_GAIN), i, area=area, gas="Ar", **TIP)
        assert up.Te.value - base.Te.value == pytest.approx(s.common["Te"], rel=0.3)

    def test_all_sweeps_of_a_stretch_are_a_table(self, machine):
        found = machine["tip_1"].sweeps(t=(0.3, 0.6))
        assert found.sizes["sweep"] == 30
        assert found["time"].min() >= 0.3
        assert found["time"].max() < 0.6
        good = found["valid"].values
        assert good.mean() > 0.9
        assert np.median(found["Te"].values[good]) == pytest.approx(PLASMA["te"], rel=0.02)
        assert found.attrs["area_sigma_m2"] == machine["tip_1"].tip.area.sigma
        assert found.attrs["offset_A"] == pytest.approx(OFFSET_A, rel=0.02)
        assert found.attrs["bias_gain_sigma"] == pytest.approx(BIAS_SIGMA / BIAS_GAIN)
        for q in ("Vf", "Vp", "Te", "ne", "Isat"):
            common = found[f"{q}_sigma_common"]
            assert np.isfinite(common.values[good]).all()
            assert common.attrs["units"] == found[q].attrs["units"]
            parse_unit(common.attrs["units"])
        one = machine["tip_1"].sweep(t=float(found["time"].values[3]))
        assert one.Te.value == pytest.approx(float(found["Te"].values[3]), rel=1e-3)
        assert one.common["Te"] == pytest.approx(float(found["Te_sigma_common"].values[3]), rel=0.2)

    def test_without_a_time_it_is_the_whole_record_and_before_the_plasma_nothing_is_valid(
        self, machine
    ):
        found = machine["tip_1"].sweeps()
        assert found.sizes["sweep"] == pytest.approx(120, abs=2)
        early = found["time"].values < 0.09
        assert not found["valid"].values[early].any()
        assert np.isnan(found["Te_sigma_common"].values[early]).all()

    def test_a_quiet_time_can_be_given_or_left_out(self, machine):
        probe = machine["tip_1"]
        assert probe.sweeps((0.3, 0.34), quiet=None).attrs["offset_A"] == 0.0
        given = probe.sweeps((0.3, 0.34), quiet=(-0.1, 0.05)).attrs["offset_A"]
        assert given == pytest.approx(OFFSET_A, rel=0.05)
        with pytest.raises(SweepError, match="quiet='after' is invalid: give"):
            probe.sweeps((0.3, 0.34), quiet="after")

    def test_the_area_has_the_sigma_of_its_sides(self, machine):
        tip = machine["tip_1"].tip
        assert tip.area.value == pytest.approx(2 * math.pi * 2e-4 * 5.1e-3)
        by_r, by_length = 2 * math.pi * 5.2e-3 * 4e-6, 2 * math.pi * 2e-4 * 1e-4
        assert tip.area.sigma == pytest.approx(math.hypot(by_r, by_length))
        assert machine["tip_1"].area == tip.area.value

    def test_the_gas_comes_from_the_shot_or_is_asked_for(self, tb, machine):
        assert machine["tip_1"].sweeps((0.3, 0.34)).attrs["gas"] == "Ar"
        probe = tb[CHANGED].machine["tip_1"]
        with pytest.raises(ComponentError, match='records the gas of shot 11: give gas="Ar"'):
            probe.sweep(t=0.5)
        assert probe.sweep(t=0.5, gas="He").valid

    def test_a_gas_that_contradicts_the_note_is_told_in_words(self, machine):
        probe = machine["tip_1"]
        assert probe.working_gas() == (gas("Ar"), "gas: Ar, as recorded for the shot")
        used, words = probe.working_gas("argon")
        assert (used, words) == (gas("Ar"), "gas: Ar, as stated and as recorded for the shot")
        used, words = probe.working_gas("Xe")
        assert used == gas("Xe")
        assert "Xe, as stated, but Ar is recorded for shot" in words
        assert "One of them is wrong" in words
        with pytest.raises(UnknownGas, match="unknown gas 'Unobtainium'"):
            probe.working_gas("Unobtainium")

    def test_without_a_noted_gas_the_stated_one_is_taken_and_none_is_said(self, tb):
        probe = tb[CHANGED].machine["tip_1"]
        assert probe.working_gas("He")[0] == gas("He")
        assert "no source records the gas" in probe.working_gas("He")[1]
        used, words = probe.working_gas()
        assert used is None
        assert "ishtar edit 11 gas=Ar --new" in words

    def test_a_note_that_is_no_gas_is_told(self):
        shot = SimpleNamespace(number=4, attributes={"gas": "Argonn"})
        used, words = working_gas(shot)
        assert used is None
        assert "the recorded gas of shot 4 is invalid: unknown gas 'Argonn'" in words
        used, words = working_gas(shot, "Ar")
        assert used == gas("Ar")
        assert "Argonn" in words

    def test_a_bias_that_is_not_swept_is_told(self, tb, machine):
        with pytest.raises(ComponentError, match=r"U is not swept at 0\.5 s: choose another"):
            tb[BARE].machine["tip_1"].sweep(t=0.5, gas="Ar")
        assert tb[BARE].machine["tip_1"].sweeps(gas="Ar").sizes["sweep"] == 0
        with pytest.raises(TimeBaseError, match=r"U has no sample at .*choose a time in it"):
            machine["tip_1"].sweep(t=50.0)

    def test_a_signal_that_nobody_declared_names_the_line(self, machine):
        with pytest.raises(
            NoSuchComponent, match=r"stray has no parameter 'bias'.*add it at machine/all\.toml:\d+"
        ):
            machine["stray"].sweep(t=0.5)
        with pytest.raises(ComponentError, match="stray is not part of a manipulator"):
            machine["stray"].position()

    def test_what_was_read_is_recorded(self, tb):
        with recording() as recorder:
            tb[WHOLE].machine["tip_1"].sweep(t=0.5)
        found = {(i.kind, i.name) for i in recorder.inputs}
        assert {
            ("machine", "tip_1"),
            ("signal", "U"),
            ("channel", "DAQ/I"),
            ("calibration", "probe.I"),
            ("attribute", "gas"),
            ("machine", "big"),  # its field holds electrons back
        } <= found
        assert ("machine", "arm") not in found


class TestManipulator:
    def test_the_position_is_the_signals(self, machine):
        p = machine["arm"].position()
        assert p.source == "Place"
        assert agrees(p, PLACE_M)
        assert machine["tip_1"].position(0.5).value == pytest.approx(PLACE_M, abs=1e-3)
        assert str(p).endswith("m (Place)")

    def test_out_of_the_table_it_falls_back_and_says_so(self, tb):
        p = tb[CHANGED].machine["arm"].position()
        assert (p.value, p.sigma, p.unit) == (0.3, 0.02, "m")
        assert "declared at machine/all.toml" in p.source
        assert "Place is outside its calibration" in p.source

    def test_without_its_signal_it_falls_back_and_says_so(self, tb):
        p = tb[BARE].machine["tip_1"].position()
        assert p.value == 0.3
        assert "no channel 'DAQ/Place'" in p.source

    def test_with_neither_it_asks_for_one(self, tb, tmp_path):
        workspace = write_machine_workspace(tmp_path)
        path = workspace.calibrations / "machine" / "all.toml"
        path.write_text(path.read_text().replace('signal = "Place", position = "30 cm", ', ""))
        text = path.read_text().replace('position_sigma = "2 cm"', 'travel = "50 cm"')
        path.write_text(text)
        with pytest.raises(
            ComponentError, match=r"no signal is declared\): declare a fallback `position`"
        ):
            Testbed(workspace)[WHOLE].machine["arm"].position()


class TestCoils:
    def test_the_declared_geometry_is_the_coil_set(self, machine):
        assert machine["big"].coil_set == BIG
        assert machine["small"].coil_set == SMALL

    def test_the_field_is_that_of_geometry_and_currents(self, machine):
        b = machine.axial_field(0.2, t=(0.2, 0.8))
        currents = {"big": BIG_A, "small": SMALL_A}
        truth = float(on_axis_field([BIG, SMALL], currents, 0.2))
        assert b.value == pytest.approx(truth, rel=1e-4)
        slopes = (float(tesla_per_ampere(c, 0.2)) for c in (BIG, SMALL))
        by_current = next(slopes) * BIG_A * 0.01
        assert by_current < b.sigma < 1.5 * by_current
        assert machine["small"].axial_field(1.0, t=0.5).value < 0.0  # wound the other way
        assert machine["big"].current(0.5).value == pytest.approx(BIG_A, rel=1e-3)

    def test_the_sigma_of_the_geometry_is_what_other_coils_would_make(self, machine):
        slope = machine["big"].tesla_per_ampere(0.0)
        truth = float(tesla_per_ampere(BIG, 0.0))
        wider = CoilSet(**{**vars(BIG), "radius_m": 0.602})
        apart = CoilSet(**{**vars(BIG), "positions_m": (-0.4, 0.403)})
        steps = [float(tesla_per_ampere(c, 0.0)) - truth for c in (wider, apart, apart)]
        assert slope.value == pytest.approx(truth)
        assert slope.sigma == pytest.approx(math.hypot(*steps), rel=0.1)
        assert slope.unit == "T/A"

    def test_off_the_axis_and_on_it_are_one_field(self, machine):
        on = machine.axial_field(0.3, t=0.5)
        off = machine.field(0.3, t=0.5)
        assert off.sizes == {}
        assert float(off["b_z"]) == pytest.approx(on.value, rel=1e-9)
        assert float(off["b_z_sigma"]) == pytest.approx(on.sigma, rel=1e-2)
        line = machine.field(np.linspace(-0.5, 1.0, 4), 0.1, t=0.5)
        assert line["b"].dims == ("z",)
        assert {line[v].attrs["units"] for v in ("b", "b_sigma", "b_r", "b_z_sigma")} == {"T"}
        alone = machine["big"].field(0.3, t=0.5)
        assert alone.attrs["current_big_A"] == pytest.approx(BIG_A, rel=1e-3)
        assert alone.attrs["current_big_sigma_A"] == pytest.approx(0.01 * BIG_A, rel=0.02)

    def test_the_map_spans_all_between_the_coils(self, machine):
        m = machine.field_map(t=(0.2, 0.8))
        assert m["b"].dims == ("z", "r")
        assert m["r"].min() == -m["r"].max()
        assert m["r"].max() < 0.3
        assert (m["b_sigma"] > 0).all()
        assert np.isfinite(m["psi"]).all()
        own = machine.field_map(t=0.5, z=[0.0], r=[0.0, 0.1])
        assert own["b"].shape == (1, 2)

    def test_a_coil_without_its_current_is_not_taken_as_off(self, tb):
        with pytest.raises(NoSuchChannel, match=r"big\.current \(machine.all\.toml:"):
            tb[BARE].machine.axial_field(t=0.5)

    def test_a_time_outside_the_record_is_refused(self, machine):
        with pytest.raises(TimeBaseError, match=r"Big_I has no sample at 7 s: .* -0\.2 to 1 s"):
            machine.axial_field(t=7.0)
        with pytest.raises(TimeBaseError, match=r"from 0\.8 until 0\.2 s is empty"):
            machine.axial_field(t=(0.8, 0.2))


class TestRFLine:
    def test_the_coupling_is_that_of_the_powers(self, machine):
        c = machine["icrf"].coupling((0.2, 0.8))
        assert c.forward.value == pytest.approx(FORWARD_W, rel=1e-3)
        assert c.reflected.value == pytest.approx(REFLECTED_W, rel=1e-3)
        assert agrees(c.reflection, 0.3)
        assert c.forward.sigma == pytest.approx(0.05 * FORWARD_W, rel=0.01)
        assert c.reflection.sigma == pytest.approx(0.3 * 0.5 * math.hypot(0.05, 0.05), rel=0.05)
        assert c.duty == 1.0
        assert machine["icrf"].frequency == Measured(6e6, 0.0, "Hz")

    def test_what_both_calibrations_share_cancels(self, machine):
        shared = machine["icrf"].coupling(0.5, correlation=1.0)
        assert shared.reflection.sigma < 0.1 * machine["icrf"].coupling(0.5).reflection.sigma
        given = machine["icrf"].coupling((0.2, 0.8), relative_sigma=0.1)
        assert given.forward.sigma == pytest.approx(0.1 * FORWARD_W, rel=0.01)

    def test_a_signal_without_a_calibration_is_an_error(self, machine):
        with pytest.raises(MissingCalibration, match="uncalibrated"):
            machine["amplifier"].coupling(0.5)


class TestGasAndPlasma:
    def test_pressure_and_density(self, machine):
        gas = machine["gas"]
        assert gas.species.symbol == "Ar"
        p = gas.pressure(0.5)
        assert p.value == pytest.approx(GAS_PA, rel=1e-3)
        assert p.sigma >= 0.009 * GAS_PA
        n = gas.density(0.5)
        assert n.value == pytest.approx(float(neutral_density(GAS_PA, 300.0)), rel=1e-3)
        assert n.sigma / n.value == pytest.approx(math.hypot(0.1, 0.01), rel=0.02)

    def test_all_parameters_of_the_plasma_at_a_place(self, machine):
        ne, te = Measured(2e17, 1e16, "1/m^3"), Measured(4.0, 0.1, "eV")
        found = machine.plasma(ne, te, t=(0.2, 0.8), z=0.2)
        b = machine.axial_field(0.2, t=(0.2, 0.8))
        assert found["b"].value == pytest.approx(b.value, rel=1e-6)
        expected = summary(
            ne,
            te,
            b,
            found["pressure"],
            "Ar",
            t_gas=Measured(300.0, 30.0, "K"),
            radius=0.2,
            helicon_frequency=11.76e6,
            antenna_length=0.25,
        )
        assert found.keys() == expected.keys() | {"b", "pressure"}
        for name, m in expected.items():
            assert found[name].value == pytest.approx(m.value, rel=1e-6), name
            assert found[name].sigma == pytest.approx(m.sigma, rel=0.02), name

    def test_what_is_given_counts_more_than_what_is_declared(self, tb, machine):
        found = machine.plasma(1e17, 4.0, t=0.5, pressure=1.0, gas="He", t_gas=400.0)
        assert found["pressure"] == Measured(1.0, 0.0, "Pa")
        assert found["neutral_density"].value == pytest.approx(float(neutral_density(1.0, 400.0)))
        with pytest.raises(ComponentError, match="records the gas"):
            tb[CHANGED].machine.plasma(1e17, 4.0, t=0.5)

    def test_a_machine_without_its_shot_has_no_signals(self, tb):
        with pytest.raises(ComponentError, match=r"take it from a shot, tb\[1234\]\.machine"):
            Machine(tb.declarations, WHOLE).axial_field(t=0.5)
        assert Machine(tb.declarations, WHOLE)["big"].tesla_per_ampere().value > 0.0

    def test_a_signal_that_is_not_wired_names_component_and_line(self, tb):
        with pytest.raises(NoSuchChannel, match=r"gas\.pressure \(machine/all\.toml:"):
            tb[BARE].machine["gas"].pressure(0.5)
