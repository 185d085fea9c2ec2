"""Flaws of raw data: each is found, in what it is in, and good data is left in peace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration import load_declarations
from ishtar.errors import TimeBaseError
from ishtar.quality import (
    ChannelView,
    Finding,
    Noise,
    Severity,
    clocks,
    coverage,
    dead,
    examine,
    gaps,
    noise_of,
    pulse_of,
    sorted_findings,
    stuck_bits,
    trigger,
)
from ishtar.shots.shot import Shot
from ishtar.store import Channel, Origin, SourceFile, SourceWriter

DT, T0, N = 1e-4, -0.5, 50_000
RNG = np.random.default_rng(5)
T = T0 + DT * np.arange(N)
ALONE = np.empty(0)  # no neighbours


def signal(noise: float = 3.0) -> np.ndarray:
    """Return 16-bit counts of a pulse with noise."""
    pulse = 12_000 * ((T > 0.5) & (T < 3.5)) * (1 + 0.1 * np.sin(30 * T))
    return np.rint(pulse + noise * RNG.standard_normal(N)).astype(np.int16)


def line() -> np.ndarray:
    """Return the trigger's line: up from 0 to 4 s."""
    return np.rint(15_000 * ((T > -DT / 2) & (T < 4.0)) + RNG.normal(0, 2, N)).astype(np.int16)


@pytest.fixture
def stored(tmp_path) -> Callable[..., Channel]:
    """Give a function that stores samples as a channel."""

    def store(values: np.ndarray, **facts: float) -> Channel:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        write(folder / "a.h5", {"DAQ/x": values}, **facts)
        return SourceFile(folder / "a.h5").channels["DAQ/x"]

    return store


def write(path: Path, channels: dict[str, np.ndarray], *, dt: float = DT, t0: float = T0) -> None:
    """Store channels of one recorder, `Time` channels with their times."""
    origin = Origin(
        shot=1, source=path.name, size=1, sha256="", converter="t 1", writer="", arrived=""
    )
    with SourceWriter(path, origin) as writer:
        for name, values in channels.items():
            writer.channel(name, dtype=values.dtype, t0=t0, dt=dt).append(values)


def kinds(channel: Channel, neighbours: tuple[Noise, ...] = ()) -> list[str]:
    """Return what is found in a channel."""
    return [f.kind for f in ChannelView(channel).findings(np.array([n.sigma for n in neighbours]))]


# --- samples ----------------------------------------------------------------------------------


def test_a_good_channel_is_left_in_peace(stored):
    assert kinds(stored(signal())) == []
    assert kinds(stored(line())) == []


def test_a_digital_line_without_noise_is_no_flaw(stored):
    assert kinds(stored(((T > 0) & (T < 4)).astype(np.int16))) == []


def test_clipped_samples_are_counted_and_placed(stored):
    x = signal()
    x[20_000:22_000] = 32767
    (finding,) = ChannelView(stored(x)).findings(ALONE)
    assert (finding.kind, finding.severity) == ("clipped", Severity.BAD)
    assert finding.share == pytest.approx(2000 / N)
    assert "between 1.5" in finding.text
    x = signal()
    x[20_000] = -32768
    assert ChannelView(stored(x)).findings(ALONE)[0].severity == Severity.SUSPECT


def test_a_limiter_before_the_recorder_is_told_from_clipping(stored):
    x = np.rint(9_000 * np.sin(60 * T) + RNG.normal(0, 2, N))
    assert kinds(stored(np.clip(x, None, 7000).astype(np.int16))) == ["limited"]
    assert kinds(stored(x.astype(np.int16))) == []


@pytest.mark.parametrize("value", [0, 17])
def test_a_dead_channel_is_all_one_value(stored, value):
    assert kinds(stored(np.full(N, value, np.int16))) == ["dead"]
    assert dead("x", 1.0, 1.0, 1) is None  # one sample cannot change


@pytest.mark.parametrize("n", [N, 20_000])  # by the pyramid, and by the samples
def test_a_stretch_that_stands_still_is_found_with_its_times(stored, n):
    x = signal()[:n]
    x[8_000:10_500] = 0
    found = ChannelView(stored(x)).findings(ALONE)
    assert [f.kind for f in found] == ["held"]
    assert "from 0.3" in found[0].text
    assert found[0].share == pytest.approx(2500 / n, rel=0.1)


@given(bit=st.integers(0, 9), at=st.booleans())
def test_every_stuck_bit_is_found_and_only_that(bit, at):
    x = np.rint(np.linspace(-9000, 9000, 20_000)).astype(np.int16)
    mask = np.int16(1 << bit)
    found = stuck_bits("x", x | mask if at else x & ~mask)
    if bit == 0:  # the lowest: a converter of 15 bits does the same
        assert [f.severity for f in found] == [Severity.NOTE]
    else:
        assert [f.text for f in found] == [
            f"bit {bit} of 16 is always {int(at)}: the converter or its cable is faulty"
        ]


@given(st.integers(0, 2**32))
def test_no_bit_of_noise_is_stuck(seed):
    x = np.random.default_rng(seed).normal(0, 300, 5_000)
    assert stuck_bits("x", np.rint(x).astype(np.int16)) == []
    assert stuck_bits("x", x) == []


def test_twelve_bits_in_sixteen_are_worth_a_note(stored):
    found = ChannelView(stored((signal() // 16 * 16).astype(np.int16))).findings(ALONE)
    assert [(f.kind, f.severity) for f in found] == [("stuck", Severity.NOTE)]
    assert "resolves 12 bits" in found[0].text


@pytest.mark.parametrize("sigma", [1.5, 8.0, 300.0])
def test_noise_is_measured_beside_a_sweep_and_spikes(sigma):
    t = np.arange(20_000) * DT
    sweep = 8_000 * np.abs((50 * t) % 1 - 0.5)
    x = sweep + sigma * np.random.default_rng(1).standard_normal(t.size)
    x[::500] += 3_000
    noise = noise_of(x, -4000, 4000)
    assert noise is not None
    assert noise.sigma == pytest.approx(sigma, rel=0.05)
    assert noise_of(x[:50], 0, 1) is None


def test_a_channel_louder_than_its_neighbours_is_noisy_and_one_with_nothing_is_idle(stored):
    alike = (Noise(sigma=3.0, span=12_000),) * 4
    assert kinds(stored(signal(noise=900.0)), alike) == ["noisy"]
    assert kinds(stored(signal(noise=350.0))) == ["noisy"]  # 2.2 % of all that it moves
    assert kinds(stored(signal(noise=20.0)), alike) == []
    assert kinds(stored(np.rint(RNG.normal(0, 8, N)).astype(np.int16)), alike) == ["idle"]


def test_a_long_record_is_judged_without_reading_it_all(stored, monkeypatch):
    n = 2_000_000
    x = np.rint(RNG.normal(0, 500, n)).astype(np.int16)
    channel = stored(x, t0=0.0)
    read = 0
    whole = Channel.raw

    def counting(self: Channel, start: int = 0, stop: int | None = None) -> np.ndarray:
        nonlocal read
        part = whole(self, start, stop)
        read += part.size
        return part

    monkeypatch.setattr(Channel, "raw", counting)
    assert kinds(channel) == []
    assert 0 < read < n / 10


def test_floating_point_with_holes_and_empty_channels_do_no_harm(stored):
    x = signal().astype(np.float64)
    x[100:200] = np.nan
    assert kinds(stored(x)) == []
    assert kinds(stored(np.full(N, np.nan))) == []
    assert kinds(stored(np.zeros(0, np.int16))) == []


# --- times ------------------------------------------------------------------------------------


def test_missing_cycles_of_a_slow_recorder_are_counted():
    t = np.arange(200) * 0.05 + np.random.default_rng(2).normal(0, 0.001, 200)
    assert gaps("S7", t) == []
    (few,) = gaps("S7", np.delete(t, [50, 51, 120]))
    assert (few.kind, few.severity) == ("gaps", Severity.NOTE)
    assert "3 samples are missing in 2 gaps" in few.text
    (many,) = gaps("S7", np.delete(t, np.arange(50, 90)))
    assert many.severity == Severity.SUSPECT


def test_times_that_run_backwards_are_bad():
    t = np.arange(100) * 0.05
    t[40] = 0.0
    found = gaps("S7", t)
    assert found[0].kind == "backwards"
    assert "sample 40" in found[0].text


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ((0.0, 4.9), None),
        ((1e-4, 4.9), None),
        ((-0.02, 4.9), "rises at -0.02 s"),
        ((np.nan, np.nan), "does not rise"),
        ((0.0, np.nan), "still up"),
    ],
)
def test_the_trigger_rises_at_zero_and_falls_in_the_record(edges, says):
    found = trigger("x", edges, 1e-4, 5.0)
    assert [says in f.text for f in found] == ([True] if says else [])


def test_edges_of_the_trigger_are_found_to_the_sample(stored):
    rise, fall = ChannelView(stored(line())).edges()
    assert rise == pytest.approx(0.0, abs=DT / 2)
    assert fall == pytest.approx(4.0, abs=1.5 * DT)
    up = np.full(N, 15_000, np.int16)
    up[:100] = 0
    assert np.isnan(ChannelView(stored(up)).edges()[1])


def test_a_pulse_has_its_edges_at_half_height():
    pulse = pulse_of([0, 1, 2, 3, 4, 5], [0, 0, 10, 10, 0, 0])
    assert pulse is not None
    assert (pulse.on, pulse.off) == (1.5, 3.5)
    assert pulse_of([0, 1], [1, 2], floor=5) is None
    assert pulse_of([], []) is None
    with pytest.raises(TimeBaseError, match="one time for each value"):
        pulse_of([0, 1], [1])


def pulses(on: float, off: float):
    """Return a pulse by a slow and by a fast recorder."""
    slow, fast = np.arange(0, 5, 0.05), np.arange(0, 5, 1e-3)
    return (
        pulse_of(fast, ((fast > on) & (fast < off)) * 100.0),
        pulse_of(slow, ((slow > 1.0) & (slow < 4.0)) * 100.0),
    )


@pytest.mark.parametrize(
    ("on", "off", "says"),
    [
        (1.01, 3.98, None),
        (1.0, 3.75, "lost samples"),
        (1.3, 4.3, "clocks is wrong"),
        (1.5, 3.2, "not see the same"),
    ],
)
def test_two_recorders_of_one_pulse_agree_as_well_as_they_resolve_it(on, off, says):
    found = clocks("DAQ", *pulses(on, off)[:1], "log", pulses(on, off)[1])
    assert (found is None) == (says is None)
    if found is not None and says is not None:
        assert says in found.text


def test_a_record_has_to_cover_the_discharge():
    assert coverage("DAQ", (-0.5, 5.0), (0.0, 4.9)) == []
    assert coverage("DAQ", (-0.5, 5.0), (0.0, np.nan)) == []
    (short,) = coverage("DAQ", (-0.5, 3.3), (0.0, 4.9))
    assert short.severity == Severity.BAD
    (late,) = coverage("DAQ", (0.2, 5.0), (0.0, 4.9))
    assert "no quiet time" in late.text
    assert "outside" in coverage("DAQ", (7.0, 8.0), (0.0, 4.9))[0].text


# --- a whole shot -----------------------------------------------------------------------------


def a_shot(folder: Path, channels: dict[str, np.ndarray]) -> Shot:
    """Return a shot with one source, and two declared signals of which one is not recorded."""
    text = '[A]\nunit = "V"\n[B]\nunit = "V"\n'
    declared = folder / "calibrations"
    declared.mkdir()
    (declared / "signals.toml").write_text(text)
    write(folder / "1" / "a.tdms.h5", channels)
    return Shot(1, folder / "1", load_declarations(declared))


def test_a_shot_is_told_with_the_worst_first(tmp_path):
    channels = {f"DAQ/c{k}": signal() for k in range(4)}
    channels |= {"DAQ/Trigger": line(), "DAQ/zero": np.zeros(N, np.int16)}
    channels["DAQ/short"] = signal()[:40_000]
    quality = examine(a_shot(tmp_path, channels))
    told = [(f.kind, f.where) for f in quality.findings]
    assert told[0] == ("dead", "DAQ/zero")
    assert {k for k, _ in told[1:]} == {"missing", "short"}
    assert [w for k, w in told if k == "missing"] == ["A", "B"]
    assert quality.of_kind("short")[0].where == "DAQ/short"
    recorder = quality.recorders["DAQ"]
    assert (recorder.channels, recorder.samples, recorder.dt) == (7, N, DT)
    assert quality.noise["DAQ/c1"] == pytest.approx(3.0, rel=0.2)


def test_a_record_that_ends_with_the_trigger_up_does_not_cover_the_discharge(tmp_path):
    quality = examine(a_shot(tmp_path, {"DAQ/Trigger": line()[:30_000]}))
    assert "trigger" in [f.kind for f in quality.findings if f.severity == Severity.BAD]


def test_a_damaged_file_is_a_finding(tmp_path):
    shot = a_shot(tmp_path, {"DAQ/a": signal(), "DAQ/Trigger": line()})
    shot.channels()  # its index is read before
    path = tmp_path / "1" / "a.tdms.h5"
    path.write_bytes(path.read_bytes()[:4_000])
    findings = examine(shot).of_kind("unreadable")
    assert {f.where for f in findings} >= {"DAQ/a", "DAQ/Trigger"}
    assert all("verify" in f.text for f in findings)


def test_a_shot_without_channels_has_only_missing_signals(tmp_path):
    quality = examine(a_shot(tmp_path, {}))
    assert {f.kind for f in quality.findings} == {"missing"}
    assert quality.recorders == {}


def test_findings_are_sorted_by_severity_and_share():
    def finding(severity: Severity, share: float) -> Finding:
        return Finding(kind="x", severity=severity, where="y", text="z", share=share)

    mixed = [finding(Severity.NOTE, 1.0), finding(Severity.BAD, 0.1), finding(Severity.BAD, 0.9)]
    assert [f.share for f in sorted_findings(mixed)] == [0.9, 0.1, 1.0]
    assert Severity.BAD.word == "bad"
