"""Samples that cannot be trusted are flagged, counted and drawn, and stay what they are."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.errors import UnitError
from ishtar.shots.testbed import Testbed
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.samples import ChannelSamples
from ishtar.store import SourceFile, SourceWriter
from tests.library_fakes import DT, FIRST, SCALE, T0, origin, signal_of
from tests.library_fakes import memory_channel as fake

LOW, HIGH = -32768, 32767


def channel_of(values: Any, **how: Any) -> Any:
    """Return a channel in memory with the count that the store would have made."""
    channel = fake(np.asarray(values, dtype=how.pop("dtype", np.int16)), **how)
    limits = np.iinfo(channel.dtype)
    n = int(np.isin(channel.values, [limits.min, limits.max]).sum())
    return replace(channel, n_clipped=n)


def test_clipped_samples_are_flagged_at_both_ends_of_the_recorder():
    s = signal_of(ChannelSamples(channel_of([LOW, 0, HIGH, HIGH - 1])))
    found = s.quality()
    assert found.values.tolist() == [1, 0, 1, 0]
    assert found.dtype == np.uint8
    assert found.attrs["flag_meanings"] == "clipped out_of_range not_finite"
    assert found.attrs["flag_masks"] == [1, 2, 4]
    assert s.values().tolist() == [LOW, 0, HIGH, HIGH - 1]
    assert s.load().attrs["n_clipped"] == 2
    assert s[1:3].load().attrs["n_clipped"] == 1


def test_a_record_that_never_clips_is_not_looked_through():
    channel = fake(np.arange(1000, dtype=np.int16), levels=(8, 64))
    s = signal_of(ChannelSamples(channel))
    assert (s.n_clipped, s[100:200].n_clipped) == (0, 0)
    assert channel.taken == {"raw": 0, "time": 0, "level": 0}
    assert not s.envelope(10, quality=True)["clipped"].any()
    assert channel.taken["raw"] == 0
    s[100:200].load()
    assert channel.taken["raw"] == 100


def test_the_count_of_a_whole_record_is_that_of_its_file():
    channel = channel_of(np.where(np.arange(1000) % 10 == 0, HIGH, 5))
    s = signal_of(ChannelSamples(channel))
    assert s.n_clipped == 100
    assert channel.taken["raw"] == 0
    assert s[0:55].n_clipped == 6
    assert channel.taken["raw"] == 55


@pytest.mark.parametrize(
    ("dtype", "values", "count"),
    [
        (np.uint16, [0, 7, 65535], 2),
        (np.uint8, [0, 1, 1], 0),  # a digital line
        (np.uint32, [0, 5, 9], 0),  # a counter
        (np.float64, [0.0, np.inf, 1.0], 0),
        (np.int32, [0, 2**31 - 1, 1], 1),
    ],
)
def test_flags_follow_the_same_rule_as_the_count_of_the_file(tmp_path, dtype, values, count):
    path = tmp_path / "x.h5"
    with SourceWriter(path, origin(1, "x")) as w:
        w.channel("A", dtype=dtype, dt=1.0).append(np.array(values, dtype=dtype))
    channel = SourceFile(path).channels["A"]
    assert channel.n_clipped == count
    flags = signal_of(ChannelSamples(channel)).quality().values
    assert int((flags & 1).sum()) == count


@given(
    raw=st.lists(st.sampled_from([LOW, -5, 0, 5, HIGH]), min_size=1, max_size=300),
    n=st.integers(1, 40),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    levels=st.sampled_from([(4, 16), (8,), ()]),
)
def test_an_envelope_shows_the_stretches_that_hold_a_clipped_sample(raw, n, ends, levels):
    channel = channel_of(raw, levels=levels)
    start, stop = (round(e * len(raw)) for e in ends)
    samples = ChannelSamples(channel)
    for kind in (samples, DerivedSamples("d", "2 * a", {"a": samples})):
        s = signal_of(kind)[start:stop]
        drawn = s.envelope(n, quality=True)["clipped"].values
        edges, _ = kind.minmax(start, stop, n)
        flagged = s.quality().values & 1
        expected = [flagged[a - start : b - start].any() for a, b in itertools.pairwise(edges)]
        assert drawn.tolist() == expected


def test_samples_outside_the_look_up_table_are_flagged_and_nan(testbed):
    s = testbed[FIRST]["Position"]
    flags, values = s.quality().values, s.values()
    assert (np.isnan(values) == (flags == 2 | 4)).all()
    assert 0 < (flags == 6).sum() < len(flags)


def test_a_formula_is_flagged_where_one_of_its_parts_is(workspace):
    path = workspace.shot_folder(FIRST) / "01249_Data.tdms.h5"
    path.unlink()
    raw = np.full(100, 8000, dtype=np.int16)
    scale = [{"kind": "linear", "slope": SCALE * 1e3, "intercept": 0.0}]
    with SourceWriter(path, origin(FIRST, "01249_Data.tdms")) as w:
        for name, at in (("Fwd", 3), ("Ref", 7)):
            values = raw.copy()
            values[at] = HIGH
            w.channel(f"DAQ/{name}", dtype=np.int16, unit="mV", t0=T0, dt=DT, scale=scale).append(
                values
            )
    shot = Testbed(workspace)[FIRST]
    assert np.flatnonzero(shot["Share"].quality()).tolist() == [3, 7]
    assert shot["Share"].load().attrs["n_clipped"] == 2
    assert shot["Fwd_P"].n_clipped == 1
    assert shot["Fwd_P"].to("kW").quality()[3] == 1
    assert np.flatnonzero(shot["Inj_P"].envelope(20, quality=True)["clipped"]).tolist() == [0, 1]


def test_a_signal_without_calibration_has_a_quality_of_what_was_recorded(testbed):
    assert not testbed[FIRST]["Bare_U"].quality().any()


def test_a_unit_that_does_not_fit_is_refused(testbed):
    s = testbed[FIRST]["Probe_I"]
    for unit, told in (("V", "'mA' does not fit 'V'"), ("furlungs", "unknown unit 'furlungs'")):
        with pytest.raises(UnitError, match=f"^Probe_I cannot be converted to '{unit}': {told}"):
            s.to(unit)
    with pytest.raises(UnitError, match="does not fit 'V'"):
        testbed[FIRST].channel("PLC/Position").to("V")  # states no unit
