"""What the simulated probe collects: by either model, and where it is not what it is taken for."""

from __future__ import annotations

import dataclasses
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.cli.data import ingest_files
from runner.demo.demo import make_demo
from runner.scheduling.coordinator import Coordinator
from runner.simulate import Campaign, SimulationError, demo_campaign, probe, simulate_shot
from runner.simulate import instruments as ins
from runner.simulate.campaign import setup_of
from runner.workspaces.new_workspace import make_workspace
from tests.command_fakes import caller
from tests.simulated_shot import DAQ, Shot

pytestmark = pytest.mark.whole

DAY = demo_campaign(size_mb=1.0)
TIP = probe.Probe(radius=ins.PROBE_RADIUS_M, length=ins.PROBE_LENGTH_M)


@pytest.fixture(scope="module")
def shot_of(tmp_path_factory):
    """Give a function that simulates a shot of a campaign, once."""

    @cache
    def made(key: tuple, number: int) -> Shot:
        changes = {k: dict(v) if isinstance(v, tuple) else v for k, v in key}
        folder: Path = tmp_path_factory.mktemp("raw")
        simulate_shot(dataclasses.replace(DAY, **changes), number, folder)
        return Shot(folder, number)

    def get(number: int, **changes) -> Shot:
        key = {k: tuple(v.items()) if isinstance(v, dict) else v for k, v in changes.items()}
        return made(tuple(key.items()), number)

    return get


def current_and_model(shot: Shot, gain: float = ins.CURRENT_A_PER_V, **physics):
    """Return bias over Vp in units of Te, current and modelled current in steady plasma."""
    t = shot.t
    steady = (t > 1.5) & (t < 2.1)
    t = t[steady]
    te, vp, ne = (shot.true(name, t) for name in ("T_e", "V_p", "n_e"))
    bias = ins.BIAS_V_PER_V * shot.volts("Lang_U")[steady]
    rf_rms = ins.PROBE_RF_V * np.sqrt(shot.true("H_Pfwd", t) / 1e3)
    laws = probe.Physics(rf_amplitude=np.sqrt(2.0) * rf_rms, **physics)
    cold = probe.Plasma(ne=(1.0 - laws.hot_share) * ne, te=te, vp=vp)
    tip = dataclasses.replace(TIP, gas=shot.attrs["gas"])
    return (
        (bias - vp) / te,
        gain * shot.volts("Lang_I")[steady],
        probe.probe_current(bias, cold, tip, laws),
    )


def changed(one: Shot, other: Shot) -> list[str]:
    """Return the channels of the DAQ in which two shots differ."""
    return [
        c.name
        for c in one.tdms[DAQ].channels()
        if not np.array_equal(one.counts(c.name), other.counts(c.name))
    ]


# --- the independent model ------------------------------------------------------------------


@pytest.mark.parametrize("number", [6, 11])
def test_the_independent_model_gives_the_current_where_it_is_asked_to(shot_of, number):
    shot = shot_of(number, probe="independent")
    x, current, model = current_and_model(shot)
    ratio = current[x > 1.0] / model[x > 1.0]
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.003)
    rises = (x > -2.0) & (x < -0.5)  # by the RF, too: 2 % more here
    assert np.mean(current[rises] / model[rises]) == pytest.approx(1.0, abs=0.005)
    ions = x < -8.0
    assert current[ions].mean() == pytest.approx(model[ions].mean(), rel=0.02)
    assert changed(shot, shot_of(number)) == ["Lang_I"]
    assert shot.attrs["probe_model"] == "independent"
    assert "psi0" not in shot.attrs


def test_the_models_differ_as_much_as_tables_and_fits_to_them_do(shot_of):
    ours, theirs = shot_of(6, probe="independent"), shot_of(6)
    x, current, _ = current_and_model(ours)
    _, fitted, _ = current_and_model(theirs)
    off = current[x > 1.0] / fitted[x > 1.0] - 1.0
    assert 0.003 < np.abs(off).max() < 0.1
    assert "probe_model" not in theirs.attrs


@pytest.mark.parametrize("magnetised", [False, True])
def test_without_plasma_the_independent_model_gives_no_current(shot_of, magnetised):
    shot = shot_of(6, probe="independent", magnetised=magnetised)
    count_v = ins.ADC_V_PER_COUNT
    quiet = (shot.t < 0.5) | (shot.t > 4.6)
    assert np.abs(shot.volts("Lang_I")[quiet]).max() < 12 * count_v  # noise and stray current
    other = shot_of(6, probe="independent", magnetised=magnetised, flaws={6: "no_plasma"})
    assert np.abs(other.volts("Lang_I")).max() < 25 * count_v  # and pick-up
    assert other.attrs.get("psi0", 0.0) == 0.0


def test_a_magnetised_probe_loses_electrons_and_no_ions(shot_of):
    shot, free = shot_of(6, probe="independent", magnetised=True), shot_of(6, probe="independent")
    # 3.5 eV in 64 mT: electrons turn on 99 µm, a tip's radius; ln(π L/4 r) = 2.98
    assert shot.attrs["psi0"] == pytest.approx(3.0, abs=0.1)
    x, current, model = current_and_model(shot, psi0=shot.attrs["psi0"])
    assert np.mean(current[x > 1.0] / model[x > 1.0]) == pytest.approx(1.0, abs=0.003)
    _, unheld, _ = current_and_model(free)
    assert np.mean(current[x > 1.0] / unheld[x > 1.0]) < 0.6
    assert current[x < -10.0].mean() == pytest.approx(unheld[x < -10.0].mean(), rel=0.02)
    assert changed(shot, free) == ["Lang_I"]


# --- the demo's last three shots --------------------------------------------------------------


def test_the_demo_ends_with_three_shots_of_the_same_settings():
    asked = [setup_of(DAY, n).comment for n in (6, 13, 14, 15)]
    assert asked == ["1600 W helicon, 0 W ICRF"] * 4
    assert [setup_of(DAY, n).gas for n in (11, 12, 13)] == ["He", "He", "Ar"]


def test_hot_electrons_are_where_the_truth_says(shot_of):
    shot = shot_of(13)
    assert (shot.attrs["flaw"], shot.attrs["probe_model"]) == ("hot_electrons", "independent")
    hot = {k: float(shot.attrs[k]) for k in ("hot_share", "hot_ratio")}
    assert hot == {"hot_share": 0.03, "hot_ratio": 4.0}
    x, current, model = current_and_model(shot, **hot)
    _, _, without = current_and_model(shot)
    tail = (x > -7.0) & (x < -5.0)  # here nearly all that arrive are hot
    assert current[tail].mean() == pytest.approx(model[tail].mean(), rel=0.02)
    assert current[tail].mean() > without[tail].mean() + 0.5 * np.ptp(model[tail])
    assert np.mean(current[x > 1.0] / model[x > 1.0]) == pytest.approx(1.0, abs=0.003)
    good = shot_of(13, flaws={})
    assert changed(shot, good) == ["Lang_I"]
    for name in ("T_e", "n_e", "V_p"):  # T_e that of the cold ones, n_e that of all
        np.testing.assert_array_equal(shot.truth[name], good.truth[name])


def test_spikes_are_single_samples_as_many_and_where_the_truth_says(shot_of):
    shot, good = shot_of(14), shot_of(14, flaws={})
    assert changed(shot, good) == ["Lang_I"]
    off = shot.volts("Lang_I") - good.volts("Lang_I")
    at = np.flatnonzero(off)
    assert at.size == shot.attrs["spikes_s"].size
    np.testing.assert_allclose(shot.t[at], shot.attrs["spikes_s"], atol=0.51 * 1.25e-4)
    assert np.diff(at).min() > 1
    swing = np.ptp(good.volts("Lang_I")[(shot.t > 1.5) & (shot.t < 3.0)])
    size = np.abs(off[at])[shot.t[at] > 0.9] / swing
    assert np.all((size > 0.4) & (size < 1.6))
    assert {-1.0, 1.0} == set(np.sign(off[at]))


def test_some_per_cent_of_the_sweeps_have_one_spike_or_two(shot_of):
    shot = shot_of(14)
    bias = shot.volts("Lang_U")
    smooth = np.convolve(bias, np.ones(5) / 5, mode="same")
    rising = np.diff(smooth) > 0.0
    turns = shot.t[1:-1][rising[1:] != rising[:-1]]
    turns = turns[np.diff(turns, prepend=-9.0) > 5e-3]  # the corner itself is a sample wide
    sweep = np.searchsorted(turns, shot.attrs["spikes_s"])
    numbers, each = np.unique(sweep, return_counts=True)
    assert 0.03 * 360 < numbers.size < 0.10 * 360
    assert set(each) == {1, 2}


def test_spikes_are_at_the_same_times_at_another_sampling_rate(shot_of):
    slow, fast = shot_of(14), shot_of(14, size_mb=2.0)
    assert len(fast.t) > 1.5 * len(slow.t)
    np.testing.assert_array_equal(slow.attrs["spikes_s"], fast.attrs["spikes_s"])


def test_the_wrong_calibration_shows_five_percent_too_little_current(shot_of):
    shot, good = shot_of(15), shot_of(15, flaws={})
    assert changed(shot, good) == ["Lang_I"]
    assert shot.attrs["current_a_per_v"] == pytest.approx(1.05 * ins.CURRENT_A_PER_V)
    burning = (shot.t > 1.0) & (shot.t < 4.0)
    high = burning & (np.abs(good.volts("Lang_I")) > 1.0)
    ratio = shot.volts("Lang_I")[high] / good.volts("Lang_I")[high]
    assert np.mean(ratio) == pytest.approx(1.0 / 1.05, abs=1e-3)
    np.testing.assert_array_equal(shot.truth["n_e"], good.truth["n_e"])
    assert "current_a_per_v" not in good.attrs


def test_a_new_calibration_gives_the_current_of_the_wrong_one_back(shot_of, tmp_path, capsys):
    shot = shot_of(15)
    workspace = make_workspace(tmp_path / "ws", facility="Test")
    simulate_shot(DAY, 15, tmp_path / "raw")
    with Coordinator(workspace) as coordinator:
        ingest_files(coordinator, sorted((tmp_path / "raw").glob("00015_*")))

    def off() -> float:
        x, _, _ = current_and_model(shot)
        t = shot.t[(shot.t > 1.5) & (shot.t < 2.1)]
        got = Testbed(Workspace.at(workspace.root))[15]["Lang_I"][t[0] : t[-1] + 1e-6].values()
        _, true, _ = current_and_model(shot, gain=shot.attrs["current_a_per_v"])
        return float(np.mean(got[x > 1.0] / true[x > 1.0]))

    assert off() == pytest.approx(1.0 / 1.05, rel=1e-6)
    asked = ("--from", 15, "--gain", -0.0105, "--sigma", 5e-5, "--reference", "source meter")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workspace.root)
        call = caller(capsys)
        assert call("calib", "certify", "langmuir_1.I", *asked)[0] == 1  # what was read stays
        told = ("--rewrite-history", "a shunt was exchanged")
        assert call("calib", "certify", "langmuir_1.I", *asked, *told)[0] == 0
    assert off() == pytest.approx(1.0, rel=1e-6)


# --- on the command line ----------------------------------------------------------------------


def test_the_command_writes_what_the_campaign_has(tmp_path, capsys):
    run = caller(capsys)
    asked = ("--shots", 1, "--first", 6, "--size-mb", 1, "--probe", "independent", "--magnetised")
    code, _, errors = run("simulate", tmp_path / "raw", *asked)
    assert (code, "Traceback" in errors) == (0, False)
    attrs = Shot(tmp_path / "raw", 6).attrs
    assert attrs["probe_model"] == "independent"
    assert attrs["psi0"] > 1.0


@pytest.mark.parametrize("command", ["simulate", "demo"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (("--probe", "independnt"), "did you mean 'independent'"),
        (("--magnetised",), "choose 'independent'"),
    ],
)
def test_a_model_that_there_is_not_is_refused(tmp_path, capsys, command, wrong, says):
    code, _, errors = caller(capsys)(command, tmp_path / "new", *wrong)
    assert code == 2
    assert says in errors
    assert not (tmp_path / "new").exists()


def test_the_three_weeks_have_the_one_model(tmp_path, capsys):
    asked = ("--campaign", "--probe", "independent")
    code, _, errors = caller(capsys)("demo", tmp_path / "new", *asked)
    assert (code, "leave one or the other out" in errors) == (2, True)


@pytest.mark.parametrize("noted", ["", "analysis\n"])
def test_a_demo_of_one_model_is_not_taken_for_that_of_another(tmp_path, noted):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "complete").write_text(noted)
    with pytest.raises(SimulationError, match="'analysis', not 'independent': name a new folder"):
        make_demo(tmp_path, probe="independent")
    assert [p.name for p in tmp_path.iterdir()] == ["raw"]


def test_a_campaign_is_of_the_model_of_the_analysis_unless_asked():
    assert (Campaign().probe, Campaign().magnetised) == ("analysis", False)
    assert (DAY.probe, DAY.magnetised) == ("analysis", False)
