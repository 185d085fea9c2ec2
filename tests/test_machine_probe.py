"""A probe of the machine tree knows its recorder, its field and its generators."""

from __future__ import annotations

import numpy as np
import pytest

from ishtar.langmuir import probe_current
from ishtar.shots.testbed import Testbed
from ishtar.store import SourceWriter
from ishtar.workspace import Workspace
from tests.library_fakes import origin
from tests.machine_fakes import (
    BIAS_GAIN,
    CURRENT_GAIN,
    DT,
    ON_S,
    PLASMA,
    T0,
    TIP,
    WHOLE,
    N,
    bias_and_current,
    write_machine_workspace,
)

pytestmark = pytest.mark.whole

QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat")
INTEGERS, NO_TOUCH = 13, 14
ALIAS_HZ, VOLTS = 333.0, 0.3
GENERATOR_HZ = 240 / DT + ALIAS_HZ  # 12.000333 MHz
DENSE = (0.7, 0.8)  # s, where the current leaves the recorder's range
SPIKED = (0.4, 0.5)  # s, with a sample at its end in each ramp
GAIN = 2.0 * CURRENT_GAIN  # of the amplifier from shot 11 on; it turns the sign
FULL_A = 0.2  # the largest current that its integers can show; 0.13 A flow as a rule
SLOPE_V = -FULL_A / GAIN / 32768.0  # a count, V
PLASMA_4MM = {**PLASMA, "radius": TIP["radius"], "length": 4e-3}


@pytest.fixture(scope="module")
def tb(tmp_path_factory: pytest.TempPathFactory) -> Testbed:
    workspace = write_machine_workspace(tmp_path_factory.mktemp("probe"))
    path = workspace.calibrations / "machine" / "all.toml"
    text = path.read_text()
    told = f'max_power = "1 kW", frequency = "{GENERATOR_HZ:.0f} Hz"'
    path.write_text(text.replace('max_power = "1 kW"', told))
    for shot in (INTEGERS, NO_TOUCH):
        write_integers(workspace, shot)
    return Testbed(workspace)


def write_integers(workspace: Workspace, shot: int) -> None:
    """Write a shot whose current is of 16-bit integers; of `NO_TOUCH` none is an extreme one."""
    t = T0 + DT * np.arange(N)
    bias, _ = bias_and_current(WHOLE)
    rng = np.random.default_rng(shot)
    dense = (t >= DENSE[0]) & (t < DENSE[1]) & (shot == INTEGERS)
    ne = np.where(dense, 3.0, 1.0) * PLASMA["ne"]
    current = np.where(t >= ON_S, probe_current(bias, **{**PLASMA_4MM, "ne": ne}), 0.0)
    current = current + rng.normal(0.0, 1e-5, N)
    if shot == NO_TOUCH:  # the amplifier ends before the recorder does
        current = np.where((t >= DENSE[0]) & (t < DENSE[1]), np.minimum(current, 0.05), current)
    counts = np.round(current / GAIN / SLOPE_V)
    if shot == INTEGERS:
        spikes = (t >= SPIKED[0]) & (t < SPIKED[1]) & (np.arange(N) % 500 == 200)
        counts[spikes] = -40_000.0
    name = f"{shot:05d}_Data.tdms"
    with SourceWriter(workspace.shot_folder(shot) / f"{name}.h5", origin(shot, name)) as w:
        w.attributes.update({"gas": "Ar"})
        u = w.channel("DAQ/U", dtype=np.float64, unit="V", t0=T0, dt=DT)
        wave = VOLTS * np.sin(2.0 * np.pi * ALIAS_HZ * t)
        u.append((bias + wave + rng.normal(0.0, 0.02, N)) / BIAS_GAIN)
        steps = [{"kind": "linear", "slope": SLOPE_V, "intercept": 0.0}]
        i = w.channel("DAQ/I", dtype=np.int16, unit="V", t0=T0, dt=DT, scale=steps)
        i.append(np.clip(counts, -32768, 32767).astype(np.int16))


@pytest.fixture(scope="module")
def table(tb):
    return tb[INTEGERS].machine["tip_1"].sweeps((0.15, 0.95))


@pytest.fixture(scope="module")
def whole(tb):
    return tb[WHOLE].machine["tip_1"].sweeps()


def between(found, t):
    time = found["time"].values
    return found.isel(sweep=(time > t[0] + 0.01) & (time < t[1] - 0.01))


def nearest(found, t):
    return found.isel(sweep=int(np.abs(found["time"].values - t).argmin()))


class TestOneSweepAndTheTable:
    @pytest.mark.parametrize("t", [0.15, 0.5, 0.95])
    def test_they_are_the_same(self, tb, whole, t):
        one = tb[WHOLE].machine["tip_1"].sweep(t)
        row = nearest(whole, t)
        assert one.time == pytest.approx(float(row["time"]), abs=1e-6)
        assert one.valid, one.reason
        for q in QUANTITIES:
            m = getattr(one, q)
            assert abs(m.value - float(row[q])) < 0.2 * m.sigma, q
            sigma = np.hypot(float(row[f"{q}_sigma"]), float(row[f"{q}_sigma_common"]))
            assert m.sigma == pytest.approx(sigma, rel=0.15), q

    @pytest.mark.long
    def test_also_where_pick_up_is_taken_out(self, tb, table):
        one = tb[INTEGERS].machine["tip_1"].sweep(0.3)
        row = nearest(table, 0.3)
        assert one.valid, one.reason
        assert one.time == pytest.approx(float(row["time"]), abs=1e-6)
        for q in ("Vf", "Vp", "Te", "ne"):
            m = getattr(one, q)
            assert abs(m.value - float(row[q])) < 0.3 * m.sigma, q


class TestLimitsOfIntegers:
    def test_what_left_their_range_is_refused(self, table):
        dense = between(table, DENSE)
        assert dense.sizes["sweep"] >= 7
        assert not dense["valid"].any()
        for reason in dense["reason"].values:
            assert reason.startswith("clipped: ")
            assert reason.endswith("samples at the recorder's limit")

    def test_a_single_sample_at_one_is_left_out(self, table):
        spiked = between(table, SPIKED)
        assert spiked["valid"].all(), set(spiked["reason"].values)
        np.testing.assert_allclose(spiked["Te"], PLASMA["te"], rtol=0.02)

    def test_the_others_are_valid(self, table):
        rest = between(table, (0.15, 0.4))
        assert rest["valid"].all()
        np.testing.assert_allclose(rest["Te"], PLASMA["te"], rtol=0.02)
        np.testing.assert_allclose(rest["ne"], PLASMA["ne"], rtol=0.1)

    def test_one_sweep_has_them_as_well(self, tb):
        one = tb[INTEGERS].machine["tip_1"].sweep(0.75)
        assert not one.valid
        assert "recorder's limit" in one.reason

    def test_integers_that_touch_none_have_none(self, tb):
        found = tb[NO_TOUCH].machine["tip_1"].sweeps((0.5, 0.9))
        before = between(found, (0.5, 0.7))
        assert before["valid"].all()
        np.testing.assert_allclose(before["Te"], PLASMA["te"], rtol=0.02)
        # what ends elsewhere is found as without limits
        clipped = between(found, DENSE)
        assert not clipped["valid"].any()
        assert all(r.endswith("samples at the upper rail") for r in clipped["reason"].values)


class TestWhatTheMachineKnows:
    def test_its_generators_name_the_pick_up(self, table):
        assert table.attrs["pickup_Hz"][0] == pytest.approx(ALIAS_HZ, abs=0.5)
        assert table.attrs["pickup_bias_V"][0] == pytest.approx(VOLTS, rel=0.05)
        assert "Hz (amplifier): 0.3 V on the bias" in table.attrs["pickup"]

    def test_its_coils_say_the_field_at_the_tip(self, tb):
        machine = tb[WHOLE].machine
        found = machine["tip_1"].sweeps((0.3, 0.4))
        field = abs(machine.axial_field(t=(0.3, 0.4)).value)
        assert field > 0.01
        assert found.attrs["field_T"] == pytest.approx(field, rel=1e-3)

    def test_without_the_current_of_its_coils_the_field_is_unknown(self, table):
        assert np.isnan(table.attrs["field_T"])
