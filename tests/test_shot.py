"""A shot: what it holds, what it lacks and why, and errors that say what to do."""

from __future__ import annotations

import pickle
from datetime import datetime

import numpy as np
import pytest

from ishtar.errors import (
    DamagedFile,
    IshtarError,
    MissingCalibration,
    NoSuchChannel,
    NoSuchShot,
    NoSuchSignal,
    NotFoundError,
    TimeBaseError,
)
from ishtar.shots.testbed import Testbed
from ishtar.store import SourceWriter
from tests.library_fakes import DT, FIRST, LAMED, MOVED, N, origin, raw_of, truth


def test_it_shows_date_gas_program_and_what_is_missing(testbed):
    assert repr(testbed[LAMED]) == (
        f"<Shot {LAMED}: 2026-11-22T10:51:00, Ar, scan; missing: Probe_U, Bare_U, Nowhere_U, Mixed>"
    )


def test_the_control_systems_date_goes_before_that_of_other_files(testbed):
    shot = testbed[FIRST]
    assert shot.date == datetime(2026, 11, 22, 10, 49)
    assert dict(shot.attributes) == {
        "gas": "Ar",
        "program": "scan",
        "date": "2026-11-22T10:49:00",
    }


def test_signals_and_missing_divide_what_is_declared(testbed):
    shot = testbed[LAMED]
    assert set(shot.signals()) | set(shot.missing()) == set(testbed.declarations.signals)
    assert shot.missing().keys() == {"Probe_U", "Bare_U", "Nowhere_U", "Mixed"}
    assert ["Probe_I" in shot, "Probe_U" in shot, 3 in shot] == [True, False, False]


@pytest.mark.parametrize("name", ["Prob_I", "Nothing", "DAQ/Spare", ""])
def test_a_name_that_is_declared_nowhere_is_not_just_absent(testbed, name):
    with pytest.raises(NoSuchSignal, match="no signal") as raised:
        _ = name in testbed[LAMED]
    assert raised.value.name == name
    assert ("did you mean 'Probe_I'" in str(raised.value)) == (name == "Prob_I")


def test_channels_are_listed_declared_or_not(testbed):
    assert testbed[LAMED].channels() == [
        "DAQ/Coil",
        "DAQ/Fwd",
        "DAQ/Ref",
        "DAQ/Spare",
        "PLC/Gas",
        "PLC/Position",
    ]


@pytest.mark.parametrize(
    ("shot", "ask", "error", "told"),
    [
        (FIRST, "probe_u", NoSuchSignal, "no signal 'probe_u'; did you mean 'Probe_U'"),
        (FIRST, "zzz", NoSuchSignal, "no signal 'zzz'; shot.signals() lists them"),
        (
            FIRST,
            "DAQ/Fwd",
            NoSuchSignal,
            "no signal 'DAQ/Fwd'; it is a channel: shot.channel('DAQ/Fwd')",
        ),
        (
            FIRST,
            "Nowhere_U",
            NoSuchSignal,
            "Nowhere_U is not wired at shot 1249: add it to calibrations/wiring/",
        ),
        (
            LAMED,
            "Probe_U",
            NoSuchChannel,
            "Probe_U is wired to 'DAQ/Probe_U', but shot 1251 has no channel 'DAQ/Probe_U'",
        ),
        (
            FIRST,
            "Bare_U",
            MissingCalibration,
            "bare has no calibration at shot 1249, so Bare_U has none: add one to "
            "calibrations/devices/bare.toml, or read its raw(), or shot.channel('DAQ/Spare')",
        ),
    ],
)
def test_what_cannot_be_had_says_why_and_what_to_do(testbed, shot, ask, error, told):
    with pytest.raises(error) as caught:
        testbed[shot][ask].load()
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(testbed[shot].problem(ask))


def test_a_signal_that_was_wired_at_other_shots_says_at_which(workspace):
    path = workspace.calibrations / "wiring" / "all.toml"
    path.write_text(path.read_text().replace("from = 1240\nuntil", "from = 1\nuntil", 1))
    path.write_text(
        path.read_text().replace(
            'device = "probe_b"\nfrom = 1250', 'device = "probe_b"\nfrom = 1300'
        )
    )
    with pytest.raises(NoSuchSignal, match=r"not wired at shot 1250; it is at shots 1…1249, 1300…"):
        Testbed(workspace)[MOVED]["Probe_I"]


@pytest.mark.parametrize("ask", ["load", "values", "envelope", "sigma", "mean", "check"])
def test_a_missing_calibration_keeps_its_facts_and_the_raw_samples_can_be_read(testbed, ask):
    shot = testbed[FIRST]
    s = shot["Bare_U"]
    with pytest.raises(MissingCalibration, match="bare has no calibration") as error:
        getattr(s, ask)()
    facts = error.value
    assert (facts.signal, facts.device, facts.shot) == ("Bare_U", "bare", FIRST)
    assert isinstance(facts, LookupError)
    np.testing.assert_array_equal(s.raw(), raw_of(FIRST)["Spare"])
    assert (s.n, s.dt, s.unit, s.n_clipped) == (N, pytest.approx(DT), "V", 0)
    provenance = s.explain()
    assert (provenance.channel, provenance.device, provenance.calibration) == (
        "DAQ/Spare",
        "bare",
        "",
    )
    assert "calibration     none: bare has no calibration" in str(provenance)
    assert shot.channel("DAQ/Spare")[0:3].load().attrs["units"] == "V"
    assert str(pickle.loads(pickle.dumps(facts))) == str(facts)
    assert pickle.loads(pickle.dumps(facts)).device == "bare"


def test_a_signal_without_calibration_counts_as_missing(testbed):
    shot = testbed[FIRST]
    assert shot["Bare_U"].n == N
    assert "Bare_U" not in shot
    assert "Bare_U" not in shot.signals()
    assert "bare has no calibration" in shot.missing()["Bare_U"]


def test_a_formula_of_a_signal_without_calibration_names_its_device(workspace):
    path = workspace.calibrations / "signals.toml"
    path.write_text(path.read_text() + '[Two]\nunit = "V"\nderived = "2 * Bare_U"\n')
    with pytest.raises(MissingCalibration, match=r"^Two = 2 \* Bare_U: bare has no") as error:
        Testbed(workspace)[FIRST]["Two"]
    assert (error.value.signal, error.value.device) == ("Two", "bare")


def test_a_channel_that_neighbouring_shots_have_is_said_to_be_there(testbed):
    with pytest.raises(NoSuchChannel, match=r"wiring/ is wrong; it is at shot 1250$"):
        testbed[LAMED]["Probe_U"]
    with pytest.raises(NoSuchChannel, match=r"it is at shot 1250$") as error:
        testbed[LAMED].channel("DAQ/Probe_I")
    assert error.value.name == "DAQ/Probe_I"


def test_several_signals_of_one_clock_are_one_data_set(testbed):
    found = testbed[FIRST].load(["Probe_*", "Inj_P", "DAQ/Spare"], t=(1, 2))
    true = truth(FIRST)
    assert list(found) == ["Probe_U", "Probe_I", "Inj_P", "DAQ/Spare"]
    inside = (true.time >= 1 - DT / 2) & (true.time < 2 - DT / 2)
    for name in ("Probe_U", "Probe_I", "Inj_P"):
        np.testing.assert_allclose(found[name], true.values[name][inside], rtol=1e-9)
    assert [found[n].attrs["units"] for n in found] == ["V", "mA", "kW", "V"]
    assert (found["Inj_P"].attrs["derived"], found.attrs["shot"]) == ("Fwd_P - Ref_P", FIRST)
    assert type(found.xindexes["time"]).__name__ == "RangeIndex"
    assert testbed[FIRST].load("Probe_U").sizes == {"time": N}
    told = testbed[FIRST].load(["*_U"]).attrs["left_out"]
    assert set(told) == {"Bare_U", "Nowhere_U"}


def test_signals_of_several_clocks_are_no_data_set_and_named(testbed):
    shot = testbed[FIRST]
    with pytest.raises(TimeBaseError, match=r"^Gas_P \(50 samples, irregular\) has another"):
        shot.load(["Probe_*", "Gas_P"])
    with pytest.raises(TimeBaseError, match=r"^Probe_U .*, Probe_I .* have other .*align"):
        shot.load(["Gas_P", "Probe_U", "Probe_I"])
    with pytest.raises(MissingCalibration):
        shot.load(["Probe_U", "Bare_U"])
    with pytest.raises(TypeError, match=r"shot\.load\(\[\.\.\.\]\) reads several"):
        shot["Probe_U", "Probe_I"]


def test_a_shot_exports_and_a_signal_resamples(testbed, tmp_path):
    shot = testbed[FIRST]
    done = shot.export(tmp_path / "x.csv", ["Probe_*"], t=(0.0, 0.5), n=10)
    assert done.signals == (("Probe_U", "Probe_I"),)
    slow = shot["Probe_U"].resample(0.1)
    assert slow.attrs["method"] == "mean, dt = 0.1 s"
    assert len(slow) == 59


def test_a_derived_signal_says_which_part_it_lacks(workspace):
    path = workspace.calibrations / "signals.toml"
    path.write_text(path.read_text() + '[Two]\nunit = "V"\nderived = "2 * Probe_U"\n')
    with pytest.raises(NoSuchChannel, match=r"^Two = 2 \* Probe_U: Probe_U is wired to"):
        Testbed(workspace)[LAMED]["Two"]


def test_a_misspelt_channel_or_attribute_names_the_nearest(testbed):
    with pytest.raises(NoSuchChannel, match="'DAQ/Spar'; did you mean 'DAQ/Spare'") as error:
        testbed[FIRST].channel("DAQ/Spar")
    assert error.value.nearest[0] == "DAQ/Spare"
    with pytest.raises(NoSuchChannel, match=r"no channel 'x'; shot\.channels\(\) lists them"):
        testbed[FIRST].channel("x")
    with pytest.raises(NotFoundError, match="no source of shot 1249 states 'gass'; did you mean"):
        testbed[FIRST].attributes["gass"]
    with pytest.raises(KeyError, match="they state date, gas, program"):
        testbed[FIRST].attributes["xyz"]


def test_a_channel_in_two_files_is_asked_for_with_its_file(workspace):
    path = workspace.shot_folder(FIRST) / "01249_Late.lvm.h5"
    with SourceWriter(path, origin(FIRST, "01249_Late.lvm")) as w:
        w.channel("DAQ/Spare", dtype=np.float64, unit="V", dt=1.0).append([7.0])
    shot = Testbed(workspace)[FIRST]
    with pytest.raises(NoSuchChannel, match=r"in several files: ask for 'DAQ/Spare @ 01249_Data"):
        shot.channel("DAQ/Spare")
    assert shot.channel("DAQ/Spare @ 01249_Late.lvm").values().tolist() == [7.0]
    assert "DAQ/Spare" not in shot.channels()
    assert "DAQ/Spare @ 01249_Data.tdms" in shot.channels()


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_damaged_file_is_named(workspace, keep):
    (path,) = workspace.shot_folder(FIRST).glob("*.tdms.h5")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedFile, match=r"01249_Data\.tdms\.h5 .*ingest its source again") as e:
        Testbed(workspace)[FIRST]["Probe_U"]
    assert isinstance(e.value, OSError)
    assert "\n" not in str(e.value)


def test_a_date_that_is_none_is_told(workspace):
    with SourceWriter(workspace.shot_folder(9) / "9.h5", origin(9, "9", "datecsv 1")) as w:
        w.attributes["date"] = "yesterday"
    with pytest.raises(DamagedFile, match="shot 9 has the date 'yesterday', which is not a date"):
        assert Testbed(workspace)[9].date
    with SourceWriter(workspace.shot_folder(8) / "8.h5", origin(8, "8")):
        pass
    assert Testbed(workspace)[8].date is None
    assert repr(Testbed(workspace)[8]).startswith("<Shot 8: date unknown; missing: Probe_U, ")


def test_files_that_are_still_being_written_are_not_seen(workspace):
    folder = workspace.shot_folder(FIRST)
    (folder / ".tmp-x-01249_More.tdms.h5").write_bytes(b"half")
    assert len(Testbed(workspace)[FIRST].sources) == 2
    (workspace.shots / "00005").mkdir()
    (workspace.shots / "00005" / ".tmp-x.h5").write_bytes(b"half")
    assert 5 not in Testbed(workspace)
    with pytest.raises(NoSuchShot):
        Testbed(workspace)[5]


def test_without_any_declaration_the_error_says_where_they_belong(workspace):
    for path in workspace.calibrations.rglob("*.toml"):
        path.unlink()
    with pytest.raises(NoSuchSignal, match=r"signals\.toml declares none: add it there"):
        Testbed(workspace)[FIRST]["Probe_U"]


def test_every_error_of_the_library_is_one_line():
    assert str(IshtarError("a\n  b")) == "a b"
    assert str(IshtarError()) == "IshtarError"
    assert str(NotFoundError("'x' is not there")) == "'x' is not there"
