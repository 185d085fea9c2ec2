"""NetCDF files: read by the library that others' programs use, which knows nothing of Ishtar."""

from __future__ import annotations

import json

import h5py
import netCDF4
import numpy as np
import pytest
import xarray as xr

import ishtar
import ishtar.export.series
from ishtar.errors import DamagedFile
from ishtar.export.netcdf import LONGEST_TEXT, write_netcdf
from ishtar.export.series import Export, Series
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples
from tests.library_fakes import DT, FIRST, T0, N, memory_channel, truth

REAL = truth(FIRST)
MIXED = ["Probe_*", "Gas_P", "DAQ/Spare"]


@pytest.fixture
def shot(testbed):
    """A shot whose signals are known."""
    return testbed[FIRST]


@pytest.fixture(params=[1 << 18, 700])
def block(request, monkeypatch):
    """Files are written in one block, and in many."""
    monkeypatch.setattr(ishtar.export.series, "BLOCK", request.param)


def of_channels(tmp_path, *signals, **about):
    """Write signals of channels that are made up, in one group each; return the file."""
    series = [(Series(signal=s, provenance=s.provenance),) for s in signals]
    told = {"shot": 1, "software": "ishtar", "exported": "now", "attributes": {}, "left_out": {}}
    write_netcdf(Export(groups=tuple(series), provenance=told | about), [tmp_path / "x.nc"])
    return netCDF4.Dataset(tmp_path / "x.nc")


def made_up(name, channel, **facts):
    provenance = Provenance(signal=name, shot=1, channel=channel.path, **{"unit": "V"} | facts)
    return Signal(ChannelSamples(channel), provenance, on_read=lambda: None)


def test_a_netcdf_file_has_a_variable_for_each_signal_and_a_dimension_for_each_time_base(
    shot, tmp_path, block
):
    done = shot.export(tmp_path / "x.nc", MIXED)
    assert done.signals == (("Probe_U", "Probe_I", "DAQ/Spare", "Gas_P"),)
    with netCDF4.Dataset(done.paths[0]) as f:
        assert f.data_model == "NETCDF4"
        assert {name: len(d) for name, d in f.dimensions.items()} == {"time": N, "time_2": 50}
        for name, dimension in {"Probe_U": "time", "Probe_I": "time", "Gas_P": "time_2"}.items():
            assert f[name].dimensions == (dimension,)
            np.testing.assert_allclose(f[name][:], REAL.values[name], atol=1e-12)
        np.testing.assert_allclose(f["time"][:], REAL.time, atol=1e-12)
        np.testing.assert_array_equal(f["time_2"][:], REAL.slow_time)
        assert f["DAQ_Spare"].signal == "DAQ/Spare"


def test_units_origin_and_calibration_are_attributes(shot, tmp_path):
    shot.export(tmp_path / "x.nc", MIXED)
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        current = f["Probe_I"]
        assert (current.units, current.shot, current.channel) == ("mA", FIRST, "DAQ/Probe_I")
        assert (current.device, current.calibration) == ("probe", "probe.I v1")
        assert current.calibration_valid_for_shots == "1…1249"
        assert current.source == f"{FIRST:05d}_Data.tdms"
        assert f["Probe_U"].long_name == "bias of the probe"
        assert f["Probe_U"].imas == "langmuir_probes/embedded[0]/v_floating/data"
        assert "imas" not in current.ncattrs()
        assert f["time"].units == "s"
        assert f["time"].long_name == "time on the shot's clock, 0 is the trigger"
        assert (f["time"].t0, f["time"].dt) == (T0, DT)
        assert "dt" not in f["time_2"].ncattrs()  # irregular
        assert not any("standard_name" in f[name].ncattrs() for name in f.variables)


def test_a_file_says_which_shot_of_which_facility_it_is_and_what_is_left_out(shot, tmp_path):
    shot.export(tmp_path / "x.nc", ["*_U"])
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        assert f.Conventions == "CF-1.10"
        assert (f.title, f.institution, f.shot) == (f"Shot {FIRST} of Test", "Test", FIRST)
        assert (f.date, f.shot_gas, f.shot_program) == ("2026-11-22T10:49:00", "Ar", "scan")
        assert f.history.endswith(f"exported by ishtar {ishtar.__version__}")
        assert "left out: Bare_U: bare has no calibration" in f.comment
        assert json.loads(f.provenance)["signals"]["Probe_U"]["device"] == "probe"


def test_the_uncertainty_of_a_calibration_is_an_ancillary_variable(shot, tmp_path, block):
    """The gain -0.01 ± 1e-4 is known to 1 %; that of Probe_U states nothing."""
    shot.export(tmp_path / "x.nc", ["Probe_*"])
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        assert f["Probe_I"].ancillary_variables == "Probe_I_sigma"
        sigma = f["Probe_I_sigma"]
        assert (sigma.units, sigma.dimensions) == ("mA", ("time",))
        np.testing.assert_allclose(sigma[:], abs(REAL.values["Probe_I"]) / 100, atol=1e-12)
        assert "Probe_U_sigma" not in f.variables
        assert "ancillary_variables" not in f["Probe_U"].ncattrs()


def test_means_are_told_as_cell_methods_and_their_sigma_does_not_average_down(shot, tmp_path):
    shot.export(tmp_path / "x.nc", ["Probe_I", "Gas_P"], n=100)
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        assert f["Probe_I"].cell_methods.startswith("time: mean")
        assert "cell_methods" not in f["Gas_P"].ncattrs()
        assert f["Probe_I"].averaged == 60
        current = REAL.values["Probe_I"].reshape(100, 60)
        np.testing.assert_allclose(f["Probe_I"][:], current.mean(axis=1), atol=1e-10)
        wanted = abs(current).mean(axis=1) / 100
        np.testing.assert_allclose(f["Probe_I_sigma"][:], wanted, atol=1e-10)


def test_a_value_outside_of_a_calibration_is_missing(shot, tmp_path):
    shot.export(tmp_path / "x.nc", ["Position"])
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        np.testing.assert_array_equal(
            np.ma.getmaskarray(f["Position"][:]), np.isnan(REAL.values["Position"])
        )


def test_a_unit_that_nobody_states_is_not_1(shot, tmp_path):
    shot.export(tmp_path / "x.nc", ["PLC/Position", "Share"])
    with netCDF4.Dataset(tmp_path / "x.nc") as f:
        assert "units" not in f["PLC_Position"].ncattrs()
        assert "unit: no source states it" in f["PLC_Position"].comment
        assert f["Share"].units == "1"


def test_samples_without_times_have_a_dimension_of_their_own(tmp_path):
    counted = memory_channel([1.0, 2.0, 3.0], x_unit="", path="DAQ/counted")
    spectrum = memory_channel([4.0, 5.0], x_unit="Hz", t0=100.0, dt=50.0, path="DAQ/spectrum")
    with of_channels(tmp_path, made_up("counted", counted), made_up("spectrum", spectrum)) as f:
        assert f["counted"].dimensions == ("sample",)
        assert (f["sample"].units, list(f["sample"][:])) == ("1", [0, 1, 2])
        assert "nothing says when" in f["sample"].long_name
        assert (f["frequency"].units, list(f["frequency"][:])) == ("Hz", [100, 150])


def test_names_of_signals_never_collide_with_those_of_axes(tmp_path):
    one = memory_channel([1.0, 2.0], path="DAQ/a")
    two = memory_channel([1.0, 2.0, 3.0], path="DAQ/b")
    with of_channels(tmp_path, made_up("time", one), made_up("time_2", two)) as f:
        found = {f[name].signal: f[name].dimensions for name in set(f.variables) - {*f.dimensions}}
        assert found == {"time": ("time",), "time_2": ("time_2",)}


def test_attributes_may_be_called_anything_and_hold_anything(tmp_path):
    """What is too long, too large or not valid as it is, is written all the same."""
    long = "µ" * 3 * LONGEST_TEXT
    stated = {"title": "mine", "1 st/x": True, "long": long, "none": None, "large": 10**30}
    one = made_up("x", memory_channel([1.0], path="DAQ/x"), description="zero \0 in it, µ → ±")
    with of_channels(tmp_path, one, attributes=stated) as f:
        assert (f.title, f.shot_title) == ("Shot 1", "mine")
        assert f.getncattr("shot_x_1_st_x") == "True"
        assert (f.shot_long, f.shot_large) == (long, str(10**30))
        assert "shot_none" not in f.ncattrs()
        assert f["x"].long_name == "zero  in it, µ → ±"
    with h5py.File(tmp_path / "x.nc") as f:
        texts = {k: h5py.check_string_dtype(f.attrs.get_id(k).dtype) for k in f.attrs}
        assert texts["title"].length == len("Shot 1")  # characters, which every reader knows
        assert texts["shot_long"].length is None  # a string, which is not in the head of the file


def test_xarray_opens_a_file_without_help(shot, tmp_path):
    shot.export(tmp_path / "x.nc", MIXED)
    with xr.open_dataset(tmp_path / "x.nc", engine="netcdf4") as found:
        assert found["Probe_I"].sel(time=1.0, method="nearest").attrs["units"] == "mA"
        assert found["time"].dtype == np.float64
        assert set(found.coords) == {"time", "time_2"}


def test_matlab_can_decompress_every_variable(shot, tmp_path):
    """It knows gzip and shuffle, and no other filter."""
    shot.export(tmp_path / "x.nc", MIXED)
    with h5py.File(tmp_path / "x.nc") as f:
        assert {data.compression for data in f.values()} == {"gzip"}


def test_a_netcdf_file_appears_whole_or_not_at_all(shot, tmp_path, monkeypatch):
    def fail(self):
        raise DamagedFile("torn: ingest it again")

    (tmp_path / "x.nc").write_text("before")
    monkeypatch.setattr(Signal, "values", fail)
    with pytest.raises(DamagedFile):
        shot.export(tmp_path / "x.nc", ["Probe_U"])
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.nc", "before")]


def test_a_published_site_exports_too(site_address, tmp_path):
    for address in ("sub/path", "tiles"):
        shot = ishtar.open(f"{site_address}/{address}")[FIRST]
        shot.export(tmp_path / "x.nc", ["Probe_*"])
        with netCDF4.Dataset(tmp_path / "x.nc") as f:
            np.testing.assert_allclose(f["Probe_U"][:], REAL.values["Probe_U"], atol=0.01)
            assert f.institution == "Test"
            assert f["Probe_U"].imas == "langmuir_probes/embedded[0]/v_floating/data"
            # tiles have values alone
            assert ("Probe_I_sigma" in f.variables) == (address == "sub/path")
            assert ("precision" in f["Probe_U"].ncattrs()) == (address == "tiles")
