"""The synthetic testbed writes what its truth says, the same each time, in constant memory."""

from __future__ import annotations

import dataclasses
import datetime as dt
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from nptdms import TdmsFile

from ishtar.langmuir.theory import probe_current
from runner.simulate import FLAWS, Campaign, SimulationError, demo_campaign, simulate, simulate_shot
from runner.simulate import instruments as ins
from runner.simulate.campaign import setup_of
from runner.simulate.write import layout_of
from tests.simulated_shot import DAQ, Shot

pytestmark = pytest.mark.whole

SMALL = demo_campaign(size_mb=1.0)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    """A whole demo day of small shots."""
    out = tmp_path_factory.mktemp("day")
    simulate(SMALL, out)
    return out


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- the same bytes --------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    campaign = Campaign(size_mb=1.0, shots=2)
    for name in ("a", "b"):
        simulate(campaign, tmp_path / name)
    simulate(dataclasses.replace(campaign, seed=7), tmp_path / "c")
    a, b, c = (files_of(tmp_path / k) for k in "abc")
    assert a == b
    assert a.keys() == c.keys()
    assert all(a[k] != c[k] for k in a)


def test_a_shot_does_not_depend_on_its_neighbours(day, tmp_path):
    written = simulate_shot(Campaign(size_mb=1.0, shots=4), 4, tmp_path)
    assert [p.name for p in written] == ["00004_Data.tdms", "00004_Date.csv"]
    whole_day = files_of(day)
    assert all(content == whole_day[name] for name, content in files_of(tmp_path).items())


def test_a_missing_channel_leaves_the_others_as_they_are(day, tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={}), 5, tmp_path)
    with_probe, without = Shot(tmp_path, 5), Shot(day, 5)
    for channel in without.tdms[DAQ].channels():
        np.testing.assert_array_equal(
            channel.read_data(scaled=False),
            with_probe.tdms[DAQ][channel.name].read_data(scaled=False),
        )


# --- the files ------------------------------------------------------------------------------


def test_a_day_has_the_files_of_the_testbed(day):
    names = {p.name for p in day.iterdir()}
    expected = {f"{n:05d}_{kind}" for n in range(1, 16) for kind in ("Data.tdms", "Date.csv")}
    assert names == expected | {"GENERATOR_2026-11-22.txt", "truth"}


@pytest.mark.parametrize("size_mb", [1.0, 5.0, 50.0, 2000.0])
def test_a_shot_has_the_size_that_was_asked_for(size_mb):
    layout = layout_of(size_mb)
    size = 10 * 2 * 5.5 * layout.daq_hz + 4 * layout.record.n
    assert size == pytest.approx(1e6 * size_mb, rel=1e-3)
    assert layout.daq_hz <= 100e3  # ten channels share the board's 1 MS/s
    assert layout.record.t0_s > 0.0
    assert layout.record.t0_s + layout.record.n / layout.record.rate_hz < 5.0


def test_groups_and_properties_are_those_of_labview(day):
    shot = Shot(day, 1)
    assert {g.name for g in shot.tdms.groups()} == {DAQ, "S7", "Tektronix"}
    group = shot.tdms[DAQ]
    assert group.properties["Nchannel"] == len(group.channels()) == 10
    assert group.properties["Tstart"] == -0.5
    channel = group["Lang_U"]
    assert channel.dtype == np.float64
    assert channel.read_data(scaled=False).dtype == np.int16
    assert channel.properties["NI_Scale[0]_Linear_Slope"] == 10 / 32768
    assert channel.properties["wf_increment"] == group.properties["SampleTime"]
    assert len(channel) * group.properties["SampleTime"] == pytest.approx(5.5)
    assert (day / "00001_Data.tdms").stat().st_size == pytest.approx(1e6, rel=0.03)


def test_the_plc_is_slow_and_slightly_irregular(day):
    group = Shot(day, 3).tdms["S7"]
    assert {c.name for c in group.channels()} == {"Time", "Ngas_P", "Manip_U", "Cool_T"}
    assert len({len(c) for c in group.channels()}) == 1
    steps = np.diff(group["Time"][:])
    assert group["Time"].properties["unit_string"] == "ms"
    assert np.median(steps) == pytest.approx(50.0, abs=1.0)
    assert steps.min() > 40.0
    assert steps.std() > 0.5


def test_the_csv_has_the_shots_date_and_settings(day):
    rows = dict(r.split(";", 1) for r in (day / "00012_Date.csv").read_text().splitlines())
    assert rows["Shot"] == "12"
    assert rows["Gas"] == "He"
    assert dt.datetime.fromisoformat(rows["Date"]) == setup_of(SMALL, 12).trigger
    assert {"Program", "Operator", "Comment", "Useful"} <= rows.keys()


def test_progress_ends_at_the_total(tmp_path):
    seen: list[tuple[int, int]] = []
    simulate(Campaign(size_mb=1.0, shots=1), tmp_path, lambda *a: seen.append(a))
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (1_000_000, 1_000_000)


@pytest.mark.long
def test_memory_does_not_grow_with_the_size(tmp_path):
    tracemalloc.start()
    try:
        simulate_shot(dataclasses.replace(SMALL, size_mb=48.0), 7, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "00007_Data.tdms").stat().st_size > 47e6
    assert peak < 40e6


# --- the physics ----------------------------------------------------------------------------


def test_the_day_scans_through_all_modes_with_jumps_in_density(day):
    flat = {n: Shot(day, n) for n in range(1, 10)}
    at = np.array([1.8])
    modes = {n: int(s.truth["mode"][s.truth["time"] > 1.8][0]) for n, s in flat.items()}
    assert [modes[n] for n in range(1, 10)] == [1, 1, 2, 2, 2, 2, 3, 3, 3]
    density = {n: float(s.true("n_e", at)[0]) for n, s in flat.items()}
    power = {n: float(s.true("H_Pfwd", at)[0]) for n, s in flat.items()}
    assert density[3] / density[2] > 1.5 * power[3] / power[2]  # E → H
    assert density[7] / density[6] > 1.5 * power[7] / power[6]  # H → W
    assert density[5] / density[4] == pytest.approx(power[5] / power[4], rel=0.1)  # no jump


def test_jumps_have_hysteresis_and_finite_speed(day):
    truth = Shot(day, 10).truth
    mode, power, time = truth["mode"], truth["H_Pfwd"], truth["time"]
    for m in (2, 3):
        inside = np.flatnonzero(mode == m) if m == 3 else np.flatnonzero(mode >= m)
        assert power[inside[0]] > 1.2 * power[inside[-1]]
    jump = np.flatnonzero(mode == 3)[0]
    # 1 ms after the jump density is still on its way, 15 ms after it has arrived
    before, soon, late = (truth["n_e"][jump + k] for k in (-1, 1, 15))
    assert before < soon < before + 0.6 * (late - before)
    assert late > 1.8 * before
    assert time[jump] < 2.4


def test_temperatures_densities_and_fields_are_those_of_the_testbed(day):
    for number in SMALL.numbers:
        truth = Shot(day, number).truth
        flat = (truth["time"] > 1.2) & (truth["time"] < 3.5)
        assert np.all((truth["T_e"][flat] > 3.0) & (truth["T_e"][flat] < 10.0))
        assert np.all((truth["n_e"][flat] > 9e15) & (truth["n_e"][flat] < 1e18))
        assert 0.02 < truth["B"][flat].max() < 0.1
        assert 0.1 < truth["Ngas_P"][flat].max() < 1.1
        assert np.isnan(truth["T_e"][truth["time"] < 0.5]).all()


def test_the_particle_balance_heats_electrons_when_icrf_drives_losses(day):
    shot = Shot(day, 8)
    without, with_icrf = shot.true("T_e", np.array([1.8, 3.0]))
    assert with_icrf > without + 0.1
    assert np.diff(shot.true("n_e", np.array([1.8, 3.0]))) < 0


# --- the instruments ------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 8, 11])
def test_probe_sweeps_are_the_forward_model_of_the_truth(day, number):
    shot = Shot(day, number)
    t = shot.t
    flat = (t > 1.5) & (t < 2.1)
    t = t[flat]
    bias = ins.BIAS_V_PER_V * shot.volts("Lang_U")[flat]
    current = ins.CURRENT_A_PER_V * shot.volts("Lang_I")[flat]
    model = probe_current(
        bias,
        ne=shot.true("n_e", t),
        te=shot.true("T_e", t),
        vp=shot.true("V_p", t),
        gas=shot.attrs["gas"],
        radius=ins.PROBE_RADIUS_M,
        length=ins.PROBE_LENGTH_M,
    )
    assert np.min(bias) == pytest.approx(-70, abs=2)
    assert np.max(bias) == pytest.approx(50, abs=2)
    collects = bias > shot.true("V_p", t) + 3.0  # electron saturation: ripple of density, 1 %
    ratio = current[collects] / model[collects]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.01)
    assert np.std(ratio) < 0.03
    ions = bias < -30.0  # ion saturation: a few counts in the weakest shots
    count_a = abs(ins.CURRENT_A_PER_V) * ins.ADC_V_PER_COUNT
    assert np.mean(current[ions] - model[ions]) == pytest.approx(0.0, abs=0.4 * count_a)
    assert model[ions].mean() < -3 * count_a
    assert np.abs(shot.volts("Lang_I")).max() < 9.0


@pytest.mark.parametrize("channel", ["IC_Pfwd", "IC_Pref", "H_Pfwd", "H_Pref"])
def test_log_detectors_give_the_true_power_back(day, channel):
    shot = Shot(day, 8)
    x = shot.volts(channel)
    power = 10 ** (((x - 0.02 - 2.2503) / 0.0520 + 10) / 10)
    flat = (shot.t > 2.5) & (shot.t < 3.4)
    ratio = power[flat] / shot.true(channel, shot.t[flat])
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.002)
    assert np.std(ratio) < 0.02
    assert power[shot.t < 0.0].max() < 0.01  # the detector's floor, not zero


def test_log_detector_range_is_that_of_the_formula():
    volts = ins.log_detector_volts(np.array([0.0, 1.0, 3000.0]))
    np.testing.assert_allclose(volts, [0.42, 1.7503, 3.5584], atol=1e-3)


def test_coil_currents_need_the_offset_of_the_quiet_time(day):
    shot = Shot(day, 4)
    quiet, flat = shot.t < 0.0, (shot.t > 1.0) & (shot.t < 4.0)
    for channel, gain in (("BigCoil_I", 100.0), ("SmallCoil_I", 50.0)):
        x = shot.volts(channel)
        assert abs(gain * x[quiet].mean()) > 0.5
        current = gain * (x[flat].mean() - x[quiet].mean())
        assert current == pytest.approx(shot.true(channel, shot.t[flat]).mean(), rel=1e-3)


def test_pressure_position_and_bdot_come_back(day):
    shot = Shot(day, 12)
    slow = {c.name: c[:] for c in shot.tdms["S7"].channels()}
    t = 1e-3 * slow["Time"]
    pressure = np.polynomial.polynomial.polyval(slow["Ngas_P"], ins.GAS_PA)
    np.testing.assert_allclose(pressure, shot.true("Ngas_P", t), atol=2e-3)
    position = np.interp(slow["Manip_U"], ins.MANIP_COUNTS, ins.MANIP_CM)
    assert position.mean() == pytest.approx(shot.attrs["probe_position_cm"], abs=0.1)
    flat = (shot.t > 2.5) & (shot.t < 3.4)
    dbm = (shot.volts("Bdot_U")[flat] - 0.02 - 2.2503) / 0.0520 + 10
    assert np.mean(dbm - shot.true("Bdot_U", shot.t[flat])) == pytest.approx(0.0, abs=0.02)


def test_the_scope_sees_both_generators_and_their_difference(day):
    shot = Shot(day, 12)
    channel = shot.tdms["Tektronix"]["CH1"]
    dt_s = channel.properties["wf_increment"]
    values = channel[:] * np.hanning(len(channel))
    spectrum = np.abs(np.fft.rfft(values))
    frequency = np.fft.rfftfreq(len(values), dt_s)
    floor = np.median(spectrum)
    icrf, helicon = shot.attrs["icrf_hz"], shot.attrs["helicon_hz"]
    for f_hz in (icrf, 2 * icrf, helicon, 2 * helicon, helicon - icrf):
        assert spectrum[np.abs(frequency - f_hz) < 3 / (len(values) * dt_s)].max() > 20 * floor


# --- the generator's log --------------------------------------------------------------------


def _log(day: Path) -> tuple[list[dt.datetime], np.ndarray]:
    header, *rows = (day / "GENERATOR_2026-11-22.txt").read_text().splitlines()
    assert header == "Time\tForwardPower[W]\tReflectedPower[W]"
    cells = [r.split("\t") for r in rows]
    times = [dt.datetime.combine(SMALL.date, dt.time.fromisoformat(c[0])) for c in cells]
    return times, np.array([[float(x) for x in c[1:]] for c in cells])


def _pulses(day: Path) -> list[tuple[dt.datetime, float]]:
    times, power = _log(day)
    pulses: list[tuple[dt.datetime, float]] = []
    last = None
    for time, (forward, _) in zip(times, power, strict=True):
        if forward < 4.0:
            continue
        if last is None or (time - last).total_seconds() > 1.0:
            pulses.append((time, forward))
        last = time
    return pulses


def test_the_log_is_in_order_and_its_clock_is_off_by_what_was_asked(day):
    times, _ = _log(day)
    assert times == sorted(times)
    starts = [t for t, _ in _pulses(day)]
    for number in SMALL.numbers:
        on = setup_of(SMALL, number).trigger + dt.timedelta(seconds=0.6)
        off = [(s - on).total_seconds() for s in starts]
        assert min(off, key=lambda x: abs(x - 37.4)) == pytest.approx(37.4, abs=0.06)


def test_some_pulses_belong_to_no_shot_and_are_minutes_away_from_any(day):
    triggers = [setup_of(SMALL, n).trigger + dt.timedelta(seconds=38.0) for n in SMALL.numbers]
    away = [min(abs((t - s).total_seconds()) for s in triggers) for t, _ in _pulses(day)]
    assert sum(a < 5.0 for a in away) == 15
    assert sum(a > 120.0 for a in away) == len(away) - 15 >= 5


def test_another_offset_changes_the_log_only(tmp_path):
    campaign = Campaign(size_mb=1.0, shots=1)
    simulate(campaign, tmp_path / "a")
    simulate(dataclasses.replace(campaign, clock_offset_s=-12.0), tmp_path / "b")
    a, b = files_of(tmp_path / "a"), files_of(tmp_path / "b")
    changed = {k for k in a if a[k] != b[k]}
    assert changed == {"GENERATOR_2026-11-22.txt", "truth/00001_truth.h5"}


# --- flaws and wrong use --------------------------------------------------------------------


def test_the_unplugged_probe_and_the_overrun_amplifier_of_the_demo(day):
    assert "Lang_I" not in Shot(day, 5).tdms[DAQ]
    shot = Shot(day, 9)
    counts = shot.counts("Lang_I")
    during = counts[(shot.t > 1.0) & (shot.t < 4.0)]
    assert np.mean((during == 32767) | (during == -32768)) > 0.9


@pytest.mark.parametrize("flaw", ["no_plasma", "icrf_arc", "dead_channel", "date_missing"])
def test_each_flaw_does_its_one_thing(flaw, day, tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={8: flaw}), 8, tmp_path)
    shot, good = Shot(tmp_path, 8), Shot(day, 8)
    if flaw == "no_plasma":
        assert np.isnan(shot.truth["T_e"]).all()
        assert shot.truth["mode"].max() == 0
        assert shot.truth["H_Pfwd"].max() > 0
    elif flaw == "icrf_arc":
        assert shot.true("IC_Pfwd", np.array([3.2])) == 0.0
        assert good.true("IC_Pfwd", np.array([3.2])) > 500.0
    elif flaw == "dead_channel":
        assert not shot.tdms[DAQ]["Bdot_U"].read_data(scaled=False).any()
        np.testing.assert_array_equal(shot.volts("Lang_I"), good.volts("Lang_I"))
    else:
        assert not (tmp_path / "00008_Date.csv").exists()
    assert flaw in FLAWS


def test_lost_samples_make_the_record_short_and_move_up_what_follows(day, tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={8: "dropped_samples"}), 8, tmp_path)
    flawed, good = Shot(tmp_path, 8).counts("H_Pfwd"), Shot(day, 8).counts("H_Pfwd")
    lost = round(0.25 * 8e3)
    first = round(3.5 * 8e3)  # 3.0 s after the trigger
    np.testing.assert_array_equal(flawed, np.delete(good, np.s_[first : first + lost]))
    for name in ("Time", "Ngas_P"):  # the PLC lost nothing
        slow = [Shot(folder, 8).tdms["S7"][name][:] for folder in (tmp_path, day)]
        np.testing.assert_array_equal(*slow)


@pytest.mark.parametrize(
    ("flaw", "channel"), [("noisy_channel", "BigCoil_I"), ("stuck_bit", "SmallCoil_I")]
)
def test_a_flaw_of_one_channel_leaves_the_others_alone(flaw, channel, day, tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={8: flaw}), 8, tmp_path)
    flawed, good = Shot(tmp_path, 8), Shot(day, 8)
    changed = [
        c.name
        for c in good.tdms[DAQ].channels()
        if not np.array_equal(flawed.counts(c.name), good.counts(c.name))
    ]
    assert changed == [channel]
    if flaw == "stuck_bit":
        assert (flawed.counts(channel) & 64).all()
    else:
        assert np.std(flawed.counts(channel)[:3000]) == pytest.approx(983, rel=0.1)


def test_a_late_daq_sees_the_trigger_early_by_its_own_clock(day, tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={8: "late_trigger"}), 8, tmp_path)
    rises = []
    for folder in (tmp_path, day):
        shot = Shot(folder, 8)
        rises.append(shot.t[np.argmax(shot.volts("Trigger") > 2.0)])
    assert rises == pytest.approx([-0.02, 0.0], abs=2e-4)


def test_a_truncated_shot_ends_early_and_npTDMS_says_so(tmp_path):
    simulate_shot(dataclasses.replace(SMALL, flaws={8: "truncated"}), 8, tmp_path)
    tdms = TdmsFile.read(tmp_path / "00008_Data.tdms")
    assert tdms.file_status.incomplete_final_segment
    assert "Tektronix" not in tdms
    assert 0.5 < len(tdms[DAQ]["Lang_U"]) / (5.5 * 8e3) < 0.75


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shots": 0}, "1 to 100"),
        ({"shots": 101}, "1 to 100"),
        ({"first": 99999}, "0..99999"),
        ({"size_mb": 0.1}, "1 to 15000 MB"),
        ({"gas": "Xe"}, "'Ar' or 'He'"),
        ({"seed": -1}, "from 0 up"),
        ({"flaws": {3: "probe_unpluged"}}, "did you mean 'probe_unplugged'"),
        ({"flaws": {77: "no_plasma"}}, "shot 77"),
        ({"line": 12}, r"no line 12: choose from 0\.\.11"),
        ({"out_of_turn": {3: 12}}, r"no line 12: choose from 0\.\.11"),
        ({"out_of_turn": {77: 5}}, "line 5 of the programme is for shot 77"),
        ({"probe": "independant"}, "did you mean 'independent'"),
        ({"probe": "xyz"}, "choose from analysis, independent"),
        ({"magnetised": True}, "choose 'independent'"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_with_advice(wrong, says):
    with pytest.raises(SimulationError, match=says):
        Campaign(**wrong)


def test_a_shot_outside_the_campaign_is_refused(tmp_path):
    with pytest.raises(SimulationError, match=r"choose from 1\.\.15"):
        simulate_shot(SMALL, 16, tmp_path)
    assert not any(tmp_path.iterdir())
