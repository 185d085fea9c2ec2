"""A shot as an xarray tree: each time base a node, samples read when they are used."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from ishtar.errors import NoSuchSignal
from ishtar.export import ExportError
from ishtar.signals.lazy_signal import Signal
from tests.library_fakes import DT, FIRST, T0, N, truth

REAL = truth(FIRST)


@pytest.fixture
def shot(testbed):
    """A shot whose signals are known."""
    return testbed[FIRST]


@pytest.fixture
def read(monkeypatch):
    """How many samples of which signal were read, in order."""
    found = []
    values = Signal.values

    def count(self):
        found.append((self.name, self.n))
        return values(self)

    monkeypatch.setattr(Signal, "values", count)
    return found


def test_each_time_base_is_a_node_with_its_signals(shot):
    tree = shot.dataset()
    assert set(tree.children) == {"time", "time_2"}
    assert set(tree["time_2"].data_vars) == {"Gas_P", "Position"}
    assert {*tree["time"].data_vars, *tree["time_2"].data_vars} == {*shot.signals()}
    for node in ("time", "time_2"):
        for name, found in tree[node].data_vars.items():
            np.testing.assert_allclose(found.values, REAL.values[name], atol=1e-9)
    np.testing.assert_allclose(tree["time/time"], REAL.time, atol=1e-12)
    np.testing.assert_array_equal(tree["time_2/time"], REAL.slow_time)


def test_attributes_tell_unit_origin_and_shot(shot):
    tree = shot.dataset()
    current = tree["time/Probe_I"].attrs
    assert (current["units"], current["shot"], current["channel"]) == ("mA", FIRST, "DAQ/Probe_I")
    assert (current["device"], current["calibration"]) == ("probe", "probe.I v1")
    assert current["source"] == f"{FIRST:05d}_Data.tdms"
    assert tree["time/time"].attrs["units"] == "s"
    assert tree.attrs["title"] == f"Shot {FIRST} of Test"
    assert tree.attrs["shot_gas"] == "Ar"
    assert "left out: Bare_U: bare has no calibration" in tree.attrs["comment"]


def test_nothing_is_read_until_it_is_used_and_then_only_that(shot, read):
    tree = shot.dataset(["Probe_U", "Gas_P"])
    part = tree["time/Probe_U"][1000:1010]
    assert not read
    np.testing.assert_allclose(part.values, REAL.values["Probe_U"][1000:1010], atol=1e-12)
    assert read == [("Probe_U", 10)]
    tree.load()
    assert read[1:] == [("Probe_U", N), ("Gas_P", 50)]
    tree["time/Probe_U"].mean()
    assert len(read) == 3


@pytest.mark.parametrize(
    "key",
    [
        *(5, -1, slice(None), slice(10, 1000, 7), slice(1000, 10, -7), slice(9, 9), [5, 3, 3]),
        np.array([[1, 2], [N - 1, 0]]),
        np.arange(N) % 1000 == 3,
    ],
    ids=str,
)
def test_every_way_to_select_picks_the_same_samples(shot, key):
    found = shot.dataset("Probe_U")["time"].dataset.variables["Probe_U"]
    if isinstance(key, np.ndarray) and key.ndim == 2:
        key = xr.Variable(("a", "b"), key)
        wanted = REAL.values["Probe_U"][key.values]
    else:
        wanted = REAL.values["Probe_U"][key]
    np.testing.assert_allclose(found[key].values, wanted, atol=1e-12)


def test_a_window_is_half_open_and_times_are_found_by_it(shot):
    tree = shot.dataset(["Probe_U"], t=(0.0, 1.0))
    times = tree["time/time"]
    assert (times.size, float(times[0])) == (1000, pytest.approx(0.0, abs=1e-12))
    near = tree["time/Probe_U"].sel(time=0.5003, method="nearest")
    assert float(near) == pytest.approx(REAL.values["Probe_U"][round((0.5 - T0) / DT)])


def test_a_channel_of_a_raw_file_gets_a_name_without_slash(shot):
    tree = shot.dataset(["DAQ/Spare", "PLC/Position"])
    assert tree["time/DAQ_Spare"].attrs["signal"] == "DAQ/Spare"
    assert "units" not in tree["time_2/PLC_Position"].attrs


def test_what_cannot_be_is_refused(shot):
    with pytest.raises(NoSuchSignal, match="did you mean 'Probe_"):
        shot.dataset("Prob_*")
    with pytest.raises(ExportError, match="choose another window"):
        shot.dataset(["Probe_U"], t=(50, 60))


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])
def test_a_tree_is_written_and_read_by_xarray_alone(shot, tmp_path, engine):
    shot.dataset(["Probe_*", "Gas_P"]).to_netcdf(tmp_path / "x.nc", engine=engine)
    with xr.open_datatree(tmp_path / "x.nc", engine=engine) as found:
        np.testing.assert_allclose(found["time/Probe_I"], REAL.values["Probe_I"], atol=1e-12)
        np.testing.assert_allclose(found["time/time"], REAL.time, atol=1e-12)
        np.testing.assert_allclose(found["time_2/Gas_P"], REAL.values["Gas_P"], atol=1e-12)
        assert found["time/Probe_I"].attrs["units"] == "mA"
        assert found.attrs["institution"] == "Test"
