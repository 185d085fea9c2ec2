"""Signals: lazy, sliced like lists and by half-open times, equal to the truth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ishtar.errors import TimeBaseError, UnitError
from ishtar.shots.testbed import Testbed
from ishtar.signals.derived import DerivedSamples
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import ChannelSamples
from ishtar.signals.time_base import Regular
from tests.library_fakes import (
    DT,
    FIRST,
    LAMED,
    MOVED,
    SCALE,
    T0,
    MemoryChannel,
    N,
    memory_channel,
    raw_of,
    slow_times,
    truth,
)

WIRED = ["Probe_U", "Probe_I", "Coil_I", "Fwd_P", "Ref_P", "Gas_P", "Position"]
DERIVED = ["Inj_P", "Share"]


@dataclass
class Reads:
    """Counts how often a signal says that it is read."""

    n: int = 0
    raw: int = 0

    def read(self) -> None:
        self.n += 1

    def read_raw(self) -> None:
        self.raw += 1


def signal_of(channel: MemoryChannel, reads: Reads | None = None) -> Signal:
    reads = reads or Reads()
    provenance = Provenance(signal="x", shot=1, unit=channel.unit, channel=channel.path)
    return Signal(ChannelSamples(channel), provenance, on_read=reads.read, on_raw=reads.read_raw)


# Laziness


def test_a_handle_tells_everything_and_slices_without_reading_a_sample():
    channel, reads = memory_channel(np.arange(1000, dtype=np.int16)), Reads()
    s = signal_of(channel, reads)
    part = s[0.1:0.9][50:][:0.5]
    assert (s.unit, s.dt, s.shape, s.nbytes, s.t0, len(s)) == ("V", 1e-3, (1000,), 2000, 0.0, 1000)
    assert (part.shape, part.t0, part.nbytes) == ((350,), pytest.approx(0.15), 700)
    assert repr(s) == "<Signal x [V] of shot 1: 1000 samples, dt 0.001 s>"
    assert channel.taken == {"raw": 0, "time": 0, "level": 0}
    assert reads.n == 0


def test_a_slice_reads_its_samples_and_no_others():
    channel = memory_channel(np.arange(1000, dtype=np.int16))
    assert signal_of(channel)[0.1:0.2].load().values.tolist() == list(range(100, 200))
    assert channel.taken == {"raw": 100, "time": 0, "level": 0}


def test_an_irregular_handle_reads_no_times_before_it_must():
    channel = memory_channel([1.0, 2.0, 3.0], times=[0.5, 0.7, 1.9])
    s = signal_of(channel)
    assert (s.dt, s.shape, s.t0, s[1:].shape) == (None, (3,), 0.5, (2,))
    assert channel.taken["time"] == 0
    assert s[0.6:].shape == (2,)
    assert channel.taken == {"raw": 0, "time": 3, "level": 0}


def test_an_envelope_of_a_long_record_reads_little_and_is_told_to_the_recorder():
    channel, reads = memory_channel(np.arange(100_000), levels=(128, 512, 2048)), Reads()
    signal_of(channel, reads).envelope(40)
    assert channel.taken["raw"] == 0
    assert channel.taken["level"] < 200
    assert reads.n == 1


def test_opening_a_shot_and_making_handles_reads_no_sample_of_the_files(testbed, monkeypatch):
    from ishtar.store.reader import Channel

    def refuse(self: Channel, *args: object) -> None:
        raise AssertionError(f"{self.path} was read")

    for method in ("raw", "time", "level", "scaled"):
        monkeypatch.setattr(Channel, method, refuse)
    shot = testbed[FIRST]
    for name in [*WIRED, *DERIVED]:
        s = shot[name]
        assert s.shape == (50 if name in ("Gas_P", "Position") else N,)
        assert s.nbytes > 0
        assert s.t0 < 0
        assert s[10:20].shape == (10,)
    assert repr(shot)
    with pytest.raises(AssertionError, match="was read"):
        shot["Probe_U"].load()


# Slicing


@given(st.lists(st.tuples(st.none() | st.integers(-30, 30), st.none() | st.integers(-30, 30))))
def test_slices_by_sample_are_those_of_a_list(cuts):
    expected, s = list(range(20)), signal_of(memory_channel(np.arange(20)))
    for a, b in cuts:
        expected, s = expected[a:b], s[a:b]
    assert s.values().tolist() == expected
    assert s.shape == (len(expected),)


times = st.floats(-5, 5) | st.integers(-60, 60).map(lambda k: k * 0.1)


@given(
    t0=st.floats(-3, 3),
    dt=st.sampled_from([0.1, 1e-3, 2.5e-5, 1 / 3, 8e-10]),
    n=st.integers(0, 60),
    cuts=st.lists(st.tuples(st.none() | times, st.none() | times), min_size=1, max_size=3),
)
def test_slices_by_time_hold_exactly_the_samples_at_or_after_and_before(t0, dt, n, cuts):
    s = signal_of(memory_channel(np.arange(n), t0=t0, dt=dt))
    at = t0 + dt * np.arange(n)
    inside = np.ones(n, dtype=bool)
    # A time means a sample that is nearer than `near`; between `exact` and that it need not.
    exact, near = 4 * np.spacing(5.0), 2e-6 * dt + 20 * np.spacing(5.0)
    for a, b in cuts:
        apart = np.abs(np.subtract.outer([t for t in (a, b) if t is not None], at))
        assume(not ((apart > exact) & (apart <= near)).any())
        if a is None and b is None:
            continue
        if a is not None:
            inside &= at >= a - near
        if b is not None:
            inside &= at < b - near
        s = s[a if a is None else float(a) : b if b is None else float(b)]
    assert s.values().tolist() == np.flatnonzero(inside).tolist()


@given(
    t0=st.floats(-100, 100),
    dt=st.floats(1e-10, 1.0),
    n=st.integers(1, 10**9),
    share=st.floats(0, 1),
    window=st.integers(1, 1000),
)
def test_the_time_of_a_sample_finds_that_sample_whatever_the_rounding(t0, dt, n, share, window):
    assume(dt > 64 * np.spacing(abs(t0) + n * dt))  # else neighbours lie at the same float
    base, i = Regular(t0, dt, n), int(share * (n - 1))
    for t in (
        float(base.times(i, i + 1)[0]),
        t0 + i * dt,
        float((base.times(i // 2, i // 2 + 1) + dt * (i - i // 2))[0]),  # a window's own clock
    ):
        assert base.index(t) == i
        assert base.index(t + dt / 2) == i + 1
        assert base.index(t - dt / 2) == i


@given(st.lists(st.floats(-10, 10), max_size=30).map(sorted), times, times)
def test_slices_by_time_of_irregular_samples_go_by_their_times(at, a, b):
    s = signal_of(memory_channel(np.arange(len(at)), times=at))
    expected = [k for k, t in enumerate(at) if a <= t < b]
    assert s[float(a) : float(b)].values().tolist() == expected


def test_out_of_range_is_empty_and_infinity_is_the_end():
    s = signal_of(memory_channel(np.arange(10), t0=1.0, dt=0.1))
    for empty in (s[5.0:6.0], s[-2.0:0.5], s[1.5:1.2], s[20:30], s[7:3], s[1.5:1.2][0:5]):
        assert empty.shape == (0,)
        assert empty.load().shape == (0,)
        assert math.isnan(empty.t0)
        assert empty.envelope(5).sizes == {"time": 0}
    assert s[-math.inf : math.inf].shape == (10,)
    assert s[1.5 : math.inf].values().tolist() == [5, 6, 7, 8, 9]
    assert s[:1e300].shape == (10,)


def test_a_whole_number_beside_a_float_is_a_time():
    s = signal_of(memory_channel(np.arange(30), dt=0.1))
    assert s[1:2.5].values().tolist() == list(range(10, 25))
    assert s[np.int64(1) : np.int64(3)].values().tolist() == [1, 2]
    assert s[np.float64(1) : np.float64(3)].shape == (20,)


@pytest.mark.parametrize(
    "key", [5, 0.5, (1, 2), slice(0, 10, 2), slice("0.1", "0.2"), slice(0.0, "x"), slice([1], 2.0)]
)
def test_anything_but_a_stretch_is_refused(key):
    with pytest.raises(TypeError, match=r"^x"):
        signal_of(memory_channel(np.arange(30)))[key]


def test_nan_is_no_time():
    for s in (
        signal_of(memory_channel(np.arange(30))),
        signal_of(memory_channel([1], times=[1])),
    ):
        with pytest.raises(TimeBaseError, match="nan is not a time"):
            s[math.nan : 1.0]


@pytest.mark.parametrize("at", [[0.0, 2.0, 1.0, 3.0], [0.0, 1.0, math.nan, 3.0]])
def test_times_that_run_backwards_are_no_scale_to_select_by(at):
    s = signal_of(memory_channel([0, 1, 2, 3], times=at))
    with pytest.raises(TimeBaseError, match="do not run forward at sample 2"):
        s[0.5:2.5]
    assert s[1:3].values().tolist() == [1, 2]
    np.testing.assert_array_equal(s.times(), at)


def test_numpy_does_not_load_behind_the_users_back():
    s = signal_of(memory_channel(np.arange(30)))
    with pytest.raises(TypeError, match="not read yet"):
        np.asarray(s)


# Truth


@pytest.mark.parametrize("shot", [FIRST, MOVED])
@pytest.mark.parametrize("name", [*WIRED, *DERIVED])
def test_values_are_the_truth_whole_and_in_part(testbed: Testbed, shot: int, name: str):
    s, true = testbed[shot][name], truth(shot)
    time = true.slow_time if name in ("Gas_P", "Position") else true.time
    whole = s.load()
    np.testing.assert_allclose(whole.values, true.values[name], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(whole.time.values, time, rtol=0, atol=1e-12)
    np.testing.assert_allclose(s.times(), time, rtol=0, atol=1e-12)
    part = s[1.0:2.0]
    inside = (time >= 1.0 - 1e-9) & (time < 2.0 - 1e-9)
    np.testing.assert_allclose(part.values(), true.values[name][inside], rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(part[5:7].values(), part.values()[5:7])


def test_what_is_loaded_carries_unit_story_and_a_clock_that_costs_nothing(testbed):
    loaded = testbed[FIRST]["Probe_U"][0.0:1.0].load()
    assert loaded.dims == ("time",)
    assert loaded.name == "Probe_U"
    assert loaded.attrs == {
        "units": "V",
        "long_name": "bias of the probe",
        "shot": FIRST,
        "channel": "DAQ/Probe_U",
        "device": "probe",
        "calibration": "probe.U v1",
        "uncertainty": "probe.U v1 states no uncertainty",
        "imas": "langmuir_probes/embedded[0]/v_floating/data",
        "n_clipped": 0,
    }
    assert type(loaded.xindexes["time"]).__name__ == "RangeIndex"
    assert loaded.time.attrs == {"units": "s"}
    assert loaded.sel(time=0.5, method="nearest") == loaded[500]


def test_raw_is_what_was_recorded_and_claims_no_calibration(testbed):
    raw = testbed[FIRST]["Probe_I"][3:9].raw()
    np.testing.assert_array_equal(raw.values, raw_of(FIRST)["Probe_I"][3:9])
    assert raw.dtype == np.int16
    assert raw.attrs == {"units": "1", "shot": FIRST, "channel": "DAQ/Probe_I"}
    with pytest.raises(TimeBaseError, match="take raw\\(\\) of Fwd_P, Ref_P"):
        testbed[FIRST]["Inj_P"].raw()


def test_a_raw_channel_has_its_files_scale_and_unit_and_no_calibration(testbed):
    s = testbed[FIRST].channel("DAQ/Fwd")
    np.testing.assert_allclose(s.values(), SCALE * 1e3 * raw_of(FIRST)["Fwd"])
    assert (s.unit, s.explain().calibration) == ("mV", "")
    silent = testbed[FIRST].channel("PLC/Position")
    assert "[no unit stated]" in repr(silent)
    assert "[no unit stated]" in str(silent.explain())


def test_a_change_of_wiring_and_calibration_holds_from_its_first_shot_on(testbed):
    before, after = testbed[FIRST], testbed[MOVED]
    assert [s["Probe_U"].explain().calibration for s in (before, after)] == [
        "probe.U v1",
        "probe.U v2",
    ]
    assert [s["Probe_U"].explain().span for s in (before, after)] == ["1…1249", "1250…"]
    assert [s["Probe_I"].explain().channel for s in (before, after)] == ["DAQ/Probe_I", "DAQ/Spare"]
    assert [s["Probe_I"].explain().device for s in (before, after)] == ["probe", "probe_b"]


def test_the_story_says_which_unit_is_assumed_where_the_file_states_none(testbed):
    provenance = testbed[FIRST]["Position"].explain()
    assert provenance.assumed == "PLC/Position states no unit; taken as count"
    assert "taken as count" in str(provenance)
    assert testbed[FIRST]["Probe_U"].explain().assumed == ""


def test_the_story_of_a_derived_signal_tells_those_of_its_parts(testbed):
    text = str(testbed[FIRST]["Share"].explain())
    assert text.splitlines()[0] == f"Share of shot {FIRST} [1]"
    for part in ("Inj_P / Fwd_P", "Fwd_P - Ref_P", "detector.fwd v1", "detector.ref v1", "DAQ/Ref"):
        assert part in text


def test_signals_on_different_clocks_are_not_combined(testbed):
    assert "Mixed" not in testbed[FIRST]
    with pytest.raises(TimeBaseError, match=r"Probe_U and Gas_P are on different time bases"):
        testbed[FIRST]["Mixed"]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ({}, True),
        ({"t0": 1e-8}, True),
        ({"t0": 1e-3}, False),
        ({"dt": 1e-3 * (1 + 1e-4)}, False),
        ({"values": np.arange(99)}, False),
        ({"times": np.arange(100) * 1e-3}, False),
    ],
)
def test_clocks_are_the_same_to_a_thousandth_of_a_step(other, same):
    a = ChannelSamples(memory_channel(np.arange(100)))
    b = ChannelSamples(memory_channel(**({"values": np.arange(100)} | other)))
    if same:
        DerivedSamples("d", "a - b", {"a": a, "b": b})
    else:
        with pytest.raises(TimeBaseError, match="a and b are on different time bases"):
            DerivedSamples("d", "a - b", {"a": a, "b": b})


def test_irregular_signals_with_the_same_times_are_combined():
    at = [0.0, 1.0, 1.5]
    a = ChannelSamples(memory_channel([1.0, 2.0, 3.0], times=at))
    b = ChannelSamples(memory_channel([5.0, 5.0, 5.0], times=at))
    c = ChannelSamples(memory_channel([5.0, 5.0, 5.0], times=[0.0, 1.1, 1.5]))
    assert DerivedSamples("d", "b - a", {"a": a, "b": b}).read(0, 3).tolist() == [4.0, 3.0, 2.0]
    with pytest.raises(TimeBaseError):
        DerivedSamples("d", "c - a", {"a": a, "c": c})


def test_an_offset_needs_samples_in_the_quiet_time(workspace):
    path = workspace.calibrations / "devices" / "transducer.toml"
    path.write_text(
        path.read_text()
        .replace("t_start_s = -0.5", "t_start_s = -2.5")
        .replace("t_end_s = -0.1", "t_end_s = -1.0")
    )
    shot = Testbed(workspace)[FIRST]
    with pytest.raises(TimeBaseError, match=r"^Coil_I: transducer v1 .*-2.5 … -1.0 s.*transducer"):
        shot["Coil_I"]
    assert "Coil_I" in shot.missing()


def test_units_that_do_not_fit_are_refused_with_channel_calibration_and_place(workspace):
    path = workspace.calibrations / "devices" / "gauge.toml"
    path.write_text(path.read_text().replace('input = "V"', 'input = "A"'))
    with pytest.raises(
        UnitError, match=r"^Gas_P: 'PLC/Gas' is recorded in 'V', gauge v1 takes 'A'"
    ):
        Testbed(workspace)[FIRST]["Gas_P"]


# Envelopes


def brute(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    rows = []
    for a, b in itertools.pairwise(edges):
        block = values[a:b][~np.isnan(values[a:b])]
        rows.append((block.min(), block.max()) if len(block) else (np.nan, np.nan))
    return np.array(rows, dtype=float).reshape(-1, 2)


@dataclass
class Kind:
    """A way from raw numbers to values, and the file's scale that does the same."""

    name: str
    scale: list[dict[str, object]] = field(default_factory=list)
    true: Callable[[np.ndarray], np.ndarray] = lambda x: x


KINDS = [
    Kind("as recorded"),
    Kind("negative", [{"kind": "linear", "slope": -2.0, "intercept": 1.0}], lambda x: 1 - 2 * x),
    Kind(
        "parabola",
        [{"kind": "polynomial", "coefficients": [1.0, -10.0, 0.5]}],
        lambda x: 1 + x * (-10.0 + x * 0.5),
    ),
    Kind(
        "polyline",
        [{"kind": "table", "x": [-60, -20, 0, 10, 90], "y": [5, -5, -5, 8, 0]}],
        lambda x: np.interp(x, [-60, -20, 0, 10, 90], [5, -5, -5, 8, 0]),
    ),
    Kind(
        "cubic, then negative",
        [
            {"kind": "polynomial", "coefficients": [0.0, -300.0, 0.0, 1.0]},
            {"kind": "linear", "slope": -1.0, "intercept": 0.0},
        ],
        lambda x: -(0.0 + x * (-300.0 + x * (0.0 + x * 1.0))),
    ),
]


@given(
    raw=st.lists(st.integers(-100, 100), max_size=400),
    n=st.integers(1, 60),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)).map(sorted),
    kind=st.sampled_from(KINDS),
    irregular=st.booleans(),
    levels=st.sampled_from([(4, 16, 64), (8,), ()]),
)
def test_an_envelope_is_the_exact_minimum_and_maximum_of_its_stretches(
    raw, n, ends, kind, irregular, levels
):
    x = np.array(raw, dtype=np.int16)
    at = np.arange(len(x)) * 1e-3
    channel = memory_channel(x, scale=kind.scale, levels=levels, times=at if irregular else None)
    samples = ChannelSamples(channel)
    start, stop = (round(e * len(x)) for e in ends)
    edges, rows = samples.minmax(start, stop, n)
    assert len(rows) <= n
    assert (edges[0] if len(rows) else stop, edges[-1]) == (start, stop)
    assert (np.diff(edges) > 0).all()
    np.testing.assert_allclose(rows, brute(kind.true(x.astype(float)), edges), rtol=1e-12)
    drawn = signal_of(channel)[start:stop].envelope(n)
    np.testing.assert_array_equal(drawn["min"], rows[:, 0])
    np.testing.assert_array_equal(drawn["max"], rows[:, 1])
    middle = (at[edges[:-1]] + at[edges[1:] - 1]) / 2 if len(rows) else []
    np.testing.assert_allclose(drawn.time, middle, atol=1e-12)


@given(st.lists(st.floats(-5, 5) | st.just(math.nan), min_size=1, max_size=200), st.integers(1, 20))
def test_samples_that_are_nothing_are_left_out_of_an_envelope(raw, n):
    x = np.array(raw)
    edges, rows = ChannelSamples(memory_channel(x)).minmax(0, len(x), n)
    np.testing.assert_array_equal(rows, brute(x, edges))


@pytest.mark.parametrize("name", [*WIRED, *DERIVED])
@pytest.mark.parametrize(("cut", "n"), [(slice(None), 7), (slice(13, 3777), 10), (slice(1, 9), 99)])
def test_an_envelope_of_a_calibrated_signal_holds_every_sample(testbed, name, cut, n):
    s = testbed[FIRST][name][cut]
    edges, rows = s.samples.minmax(*s._window, n)
    assert len(rows) <= n
    np.testing.assert_allclose(rows, brute(truth(FIRST).values[name], edges), rtol=1e-12)


def test_an_envelope_says_unit_and_story_and_refuses_nonsense(testbed):
    s = testbed[FIRST]["Probe_U"]
    drawn = s.envelope(10)
    assert drawn["max"].attrs["units"] == "V"
    assert drawn.attrs["calibration"] == "probe.U v1"
    with pytest.raises(ValueError, match="at least one interval"):
        s.envelope(0)
    with pytest.raises(TypeError):
        s.envelope(2.5)


def test_only_stretches_in_which_a_curve_turns_are_read_in_full():
    ramp = np.linspace(-1000, 1000, 64_000).astype(np.int16)
    channel = memory_channel(
        ramp, scale=[{"kind": "polynomial", "coefficients": [0, 0, 1.0]}], levels=(64, 256)
    )
    ChannelSamples(channel).minmax(0, len(ramp), 100)
    assert 0 < channel.taken["raw"] <= 2 * 1024


def test_a_derived_envelope_of_one_stretch_needs_little_memory(monkeypatch):
    monkeypatch.setattr("ishtar.signals.min_max.BLOCK", 100)
    longest = 0

    class Watched(ChannelSamples):
        def read(self, start: int, stop: int) -> np.ndarray:
            nonlocal longest
            longest = max(longest, stop - start)
            return super().read(start, stop)

    a = Watched(memory_channel(np.arange(1000) % 37))
    derived = DerivedSamples("d", "2 * a", {"a": a}, 10.0)
    edges, rows = derived.minmax(3, 990, 2)
    assert longest <= 100
    np.testing.assert_array_equal(rows, brute(20.0 * (np.arange(1000) % 37), edges))


def test_the_fakes_tell_the_truth_about_times():
    assert (np.diff(slow_times(FIRST)) > 0).all()
    assert pytest.approx(5.5) == T0 + DT * N
    assert LAMED == MOVED + 1
