"""The library compared with bare h5py, on a shot of several GB.

    python bench/library.py [--gb 4] [--workspace DIR]

Slices of 100 ms, envelopes, opening a shot, importing the package. The shot is simulated and
ingested into a temporary folder, unless DIR has one already. Ours and the peer are measured
alternately and the best of each is compared; every value is compared with bare h5py and numpy.

The peer comes in two variants: h5py reading raw integers, and h5py plus a line of numpy that
converts them to volts or amperes, which the library returns. "cold" is without the operating
system's cache of the file (as far as it can be dropped).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  the peer reads compressed data, too
import numpy as np
from numpy.typing import NDArray

import ishtar
from ishtar.shots.shot import Shot
from ishtar.signals.lazy_signal import Signal
from ishtar.store import Channel, Origin, SourceWriter
from ishtar.store.h5_names import group_name
from runner.ingest import IngestSettings, Layout, ingest_file
from runner.simulate import Campaign, simulate_shot
from runner.workspaces.new_workspace import make_workspace

SHOT, WIDE = 7, 8
N_FILES, N_CHANNELS = 10, 30  # of the shot with many sources
ROUNDS = 15
SCOPE = "Tektronix/CH1"


def main() -> None:
    """Make the shot, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gb", type=float, default=4.0)
    parser.add_argument("--workspace", type=Path, help="reuse or create shot 7 here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        root = options.workspace or Path(folder) / "ws"
        if not (root / "ishtar.toml").exists():
            build(root, options.gb)
        shot = ishtar.open(root)[SHOT]
        size = sum(f.path.stat().st_size for f in shot.sources) / 1e9
        raw = sum(f.origin.size for f in shot.sources) / 1e9
        print(f"a shot of {raw:.1f} GB, stored in {size:.1f} GB")
        slices(shot)
        envelopes(shot)
        opening(root)
        importing(root)


def build(root: Path, gb: float) -> None:
    """Simulate and ingest the large shot, and another one with many small sources."""
    workspace = make_workspace(root, facility="Bench", clock_offset_s=-37.4)
    raw = root / "data" / "raw"
    for path in simulate_shot(Campaign(first=SHOT, shots=1, size_mb=gb * 1000), SHOT, raw):
        outcome = ingest_file(path, layout=Layout.of(root), settings=IngestSettings())
        assert outcome.status == "stored", outcome
        path.unlink()
    times = np.arange(1000) * 1e-3
    for k in range(N_FILES):
        name = f"source_{k}.tdms"
        origin = Origin(
            shot=WIDE,
            source=name,
            size=1,
            sha256="0" * 64,
            converter="bench 1",
            writer="bench",
            arrived="2026-11-22T10:00:00+00:00",
        )
        with SourceWriter(workspace.shot_folder(WIDE) / f"{name}.h5", origin) as writer:
            writer.attributes["date"] = "2026-11-22T10:00:00"
            for c in range(N_CHANNELS):
                group = "PXI M6251" if k == 0 else f"Rack {k}"
                path = f"{group}/{'Lang_I' if c == 0 else f'ai{c}'}"
                channel = writer.channel(path, dtype=np.int16, unit="V", dt=1e-3)
                channel.append(np.round(1000 * np.sin(times)).astype(np.int16))


# --- slices


def slices(shot: Shot) -> None:
    """Compare 100 ms of a slow and of a fast channel with h5py."""
    print(
        f"\n{'100 ms of':<12}{'samples':>9}{'':>7}{'ours':>10}{'h5py raw':>11}{'ratio':>7}", end=""
    )
    print(f"{'h5py in units':>15}{'ratio':>7}")
    for signal, gain in ((shot["Lang_I"], -0.01), (shot.channel(SCOPE), 1.0)):
        for cold in (False, True):
            compare(signal, stored(shot, signal), gain, cold)


def stored(shot: Shot, signal: Signal) -> Channel:
    """Return the channel of a signal."""
    (found,) = (
        c for s in shot.sources for p, c in s.channels.items() if p == signal.provenance.channel
    )
    return found


def compare(signal: Signal, channel: Channel, gain: float, cold: bool) -> None:
    """Print one line: ``signal[2.0:2.1].load()`` and its peers."""
    path, dt = channel.file, channel.dt or np.nan
    name = f"{group_name(channel.path)}/data"
    start = int(np.ceil((2.0 - channel.t0) / dt - 1e-6))
    stop = int(np.ceil((2.1 - channel.t0) / dt - 1e-6))
    (scale,) = channel.scale

    def raw() -> NDArray[Any]:
        with h5py.File(path, "r") as f:
            return f[name][start:stop]

    def in_units() -> NDArray[np.float64]:
        return (raw() * scale["slope"] + scale["intercept"]) * gain

    def ours() -> NDArray[np.float64]:
        return signal[2.0:2.1].load().values

    assert np.allclose(ours(), in_units(), rtol=1e-12, atol=0), signal.name
    times = in_turn([ours, raw, in_units], before=(lambda: forget(path)) if cold else None)
    mine, bare, units = (f"{t * 1e3:.2f} ms" for t in times)
    print(
        f"  {signal.provenance.channel.rpartition('/')[2]:<10}{stop - start:>9}"
        f"{'cold' if cold else 'warm':>7}{mine:>10}{bare:>11}{times[0] / times[1]:>7.2f}"
        f"{units:>15}{times[0] / times[2]:>7.2f}"
    )


def forget(path: Path) -> None:
    """Drop a file from the operating system's cache."""
    fd = os.open(path, os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def in_turn(
    calls: list[Callable[[], Any]], *, before: Callable[[], None] | None = None
) -> list[float]:
    """Return the best time of each of some calls, s, measured alternately."""
    best = [np.inf] * len(calls)
    for _ in range(ROUNDS):
        for k, call in enumerate(calls):
            if before is not None:
                before()
            begin = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - begin)
    return best


# --- envelopes


def envelopes(shot: Shot) -> None:
    """Print how long envelopes of shrinking stretches take; compare them with all samples."""
    signal = shot.channel(SCOPE)
    channel = stored(shot, signal)
    begin = signal.t0
    print(f"\nenvelope(2000) of {channel.n:,} samples, asked: 10 ms")
    for span in (np.inf, 1.0, 0.1, 1e-2, 1e-3, 1e-4, 1e-5):
        part = signal[begin + 0.1 :][: round(span / signal.dt)] if np.isfinite(span) else signal
        (best,) = in_turn([lambda part=part: part.envelope(2000)])
        found = part.envelope(2000)
        if part.n <= 30_000_000:
            values = part.values()
            assert found["min"].values.min() == values.min()
            assert found["max"].values.max() == values.max()
        what = "all" if span == np.inf else f"{span * 1e3:g} ms"
        print(f"  {what:<10}{part.n:>14,} samples {best * 1e3:8.2f} ms")
    (best,) = in_turn([lambda: shot["Lang_I"].envelope(2000)])
    print(f"  {'Lang_I':<10}{shot['Lang_I'].n:>14,} samples {best * 1e3:8.2f} ms")


# --- opening


def opening(root: Path) -> None:
    """Print how long a shot takes to open: its handle, its repr, one signal."""
    testbed = ishtar.open(root)
    print("\nopening a shot, asked: 5 ms")
    for number, what in ((SHOT, "two files"), (WIDE, f"{N_FILES} files of {N_CHANNELS} channels")):

        def whole(number: int = number) -> None:
            shot = testbed[number]
            repr(shot)
            shot["Lang_I"]

        def signal(number: int = number) -> None:
            testbed[number]["Lang_I"]

        best, only = in_turn([whole, signal])
        print(f"  {what:<28} tb[n], repr and a signal {best * 1e3:6.2f} ms", end="")
        print(f", a signal alone {only * 1e3:.2f} ms")
        assert testbed[number]["Lang_I"].unit == "A"
        assert "2026-11-22" in repr(testbed[number])


def importing(root: Path) -> None:
    """Print how long a new process takes, from its first line."""
    print("\nin a new process, best of 7")
    steps = {
        "import ishtar (asked: 300 ms)": "import ishtar",
        "… and open a shot": f"import ishtar; repr(ishtar.open({str(root)!r})[{SHOT}])",
        "… and load 100 ms of a signal": (
            f"import ishtar; ishtar.open({str(root)!r})[{SHOT}]['Lang_I'][2.0:2.1].load()"
        ),
    }
    for what, code in steps.items():
        program = f"import time; t = time.perf_counter(); {code}; print(time.perf_counter() - t)"
        command = [sys.executable, "-c", program]
        runs = [subprocess.run(command, check=True, capture_output=True) for _ in range(7)]
        print(f"  {what:<32}{min(float(run.stdout) for run in runs) * 1e3:7.1f} ms")


if __name__ == "__main__":
    main()
