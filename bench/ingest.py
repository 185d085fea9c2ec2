"""Ingest compared with a plain copy of the same file, and its peak memory by file layout.

    python bench/ingest.py [--size-mb 400] [--large-mb 2000] [--only-channels]

Both are measured alternately in one run, and both end with the bytes on disk (fsync). Ingest also
hashes the source, compresses, builds the envelopes and reads everything back. Every stored value is
compared with npTDMS' reading of the source.

Then files with increasing numbers of channels: processor time of ingest per channel.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from nptdms import TdmsFile

from ishtar.store import SourceFile
from runner.ingest import IngestSettings, Layout, ingest_file
from runner.simulate import Campaign, simulate_shot
from runner.simulate.tdms_files import ChannelBlock, TdmsWriter, volts_properties

ROUNDS = 3
LIMIT_MB = 400
CHANNELS = (100, 200, 400, 800)
SHAPES = (  # samples of a channel, segments, interleaved
    (1_000, 1, False),
    (1_000, 1, True),
    (1_000, 10, True),
    (100_000, 1, False),
    (100_000, 20, True),
)

# Run in a separate process. On Linux getrusage inherits the parent's peak; VmHWM does not.
ONE_INGEST = """
import json, re, resource, sys
from pathlib import Path
from runner.ingest import IngestSettings, Layout, ingest_file
layout = Layout.of(Path(sys.argv[2]))
outcome = ingest_file(Path(sys.argv[1]), layout=layout, settings=IngestSettings(), isolated=False)
status = Path("/proc/self/status")
if status.exists():
    peak_mb = int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1]) / 1000
else:
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
print(json.dumps({"status": outcome.status, "reason": outcome.reason, "peak_mb": peak_mb,
                  "seconds": outcome.seconds, "stored": str(outcome.stored[0])}))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size-mb", type=float, default=400.0)
    parser.add_argument("--large-mb", type=float, default=2000.0)
    parser.add_argument("--only-channels", action="store_true", help="leave out the large files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        many_channels(Path(folder))
        if options.only_channels:
            return
        isolation(Path(folder), options.size_mb)
        for interleaved in (False, True):
            rate(Path(folder), options.size_mb, interleaved)
        for interleaved in (False, True):
            source = simulated(Path(folder), options.large_mb, interleaved)
            memory(source, f"{options.large_mb:.0f} MB {_layout(interleaved)}")
        memory(one_segment(Path(folder), options.large_mb / 2), "one contiguous segment")


def simulated(folder: Path, size_mb: float, interleaved: bool) -> Path:
    """Write the TDMS file of a shot and return it."""
    campaign = Campaign(first=1, shots=1, size_mb=size_mb, interleaved=interleaved)
    return simulate_shot(campaign, 1, folder / f"raw-{size_mb:.0f}-{interleaved}")[0]


def one_segment(folder: Path, size_mb: float) -> Path:
    """Write two channels in one segment, which npTDMS would load at once."""
    path = folder / "one" / "00001_Data.tdms"
    path.parent.mkdir()
    n = round(size_mb * 1e6 / 4)
    some = np.random.default_rng(0).normal(0, 300, 1 << 20).astype(np.int16)
    values = np.resize(some, n)
    properties = {
        f"g/{c}": volts_properties(volts_per_count=1e-4, t0_s=0.0, dt_s=1e-6) for c in "ab"
    }
    with path.open("wb") as f:
        writer = TdmsWriter(f, properties)
        writer.write([ChannelBlock(group="g", name=c, values=values) for c in "ab"])
    return path


def rate(folder: Path, size_mb: float, interleaved: bool) -> None:
    """Print how fast a file is copied and ingested, alternately."""
    source = simulated(folder, size_mb, interleaved)
    size = source.stat().st_size
    copies, ingests = [], []
    for k in range(ROUNDS):
        os.sync()  # flush earlier writes first, outside the measured time
        begin = time.perf_counter()
        copy(source, folder / "copy")
        copies.append(size / 1e6 / (time.perf_counter() - begin))
        layout = Layout.of(folder / f"ws-{k}")
        os.sync()
        begin = time.perf_counter()
        outcome = ingest_file(source, layout=layout, settings=IngestSettings())
        ingests.append(size / 1e6 / (time.perf_counter() - begin))
        assert outcome.status == "stored", outcome.reason
        if k == 0:
            compare(source, outcome.stored[0])
            share = outcome.stored[0].stat().st_size / size
        shutil.rmtree(folder / f"ws-{k}")
    (folder / "copy").unlink()
    shutil.rmtree(source.parent)
    plain, ours = statistics.median(copies), statistics.median(ingests)
    print(
        f"{size / 1e6:.0f} MB {_layout(interleaved)}: ingest {ours:.0f} MB/s, plain copy "
        f"{plain:.0f} MB/s, ratio {ours / plain:.2f}; stored {share:.0%} of the source; "
        "all values equal"
    )


def isolation(folder: Path, size_mb: float) -> None:
    """Print the cost of a separate process for a small and a large file, alternating with none."""
    small = side_by_side(folder / "small", 4, 1000, 1, False)
    large = simulated(folder, size_mb, False)
    for source, rounds in ((small, 21), (large, 2 * ROUNDS + 1)):
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for k in range(2 * rounds):
            layout = Layout.of(folder / "ws")
            os.sync()
            begin = time.perf_counter()
            outcome = ingest_file(
                source, layout=layout, settings=IngestSettings(), isolated=k % 2 == 0
            )
            seconds[k % 2 == 0].append(time.perf_counter() - begin)
            assert outcome.status == "stored", outcome.reason
            shutil.rmtree(folder / "ws")
        first = seconds[True].pop(0)
        isolated, here = (statistics.median(seconds[a]) for a in (True, False))
        print(
            f"{source.stat().st_size / 1e6:.3g} MB in its own process: {isolated:.3f} s, in this "
            f"one {here:.3f} s, difference {isolated - here:+.3f} s (the first file {first:.3f} s)"
        )
    shutil.rmtree(small.parent)
    shutil.rmtree(large.parent)


def many_channels(folder: Path) -> None:
    """Print the cost of ingest per channel for increasing numbers of channels."""
    print(f"{'channels of':<42}{'':>9}{'ingest, processor time':>24}{'plain copy':>15}")
    for n, n_segments, interleaved in SHAPES:
        what = f"{n} samples, {n_segments} segments, {_layout(interleaved)}"
        each: list[float] = []
        for count in CHANNELS:
            source = side_by_side(folder / "many", count, n, n_segments, interleaved)
            ours, plain = [], []
            for k in range(ROUNDS):
                os.sync()
                begin = processor_s()
                copy(source, folder / "copy")
                plain.append(processor_s() - begin)
                layout = Layout.of(folder / "ws")
                begin = processor_s()
                settings = IngestSettings()
                outcome = ingest_file(source, layout=layout, settings=settings, isolated=False)
                ours.append(processor_s() - begin)
                assert outcome.status == "stored", outcome.reason
                if k == 0:
                    compare(source, outcome.stored[0])
                shutil.rmtree(folder / "ws")
            shutil.rmtree(source.parent)
            each.append(min(ours) / count * 1e3)
            copied = min(plain) / count * 1e3
            print(f"{what:<42}{count:>9}{each[-1]:>13.2f} ms a channel{copied:>12.3f} ms")
        print(
            f"{'':<42}{'ratio':>9}{each[-1] / each[0]:>13.2f}  (of {CHANNELS[-1]} to {CHANNELS[0]})"
        )
    (folder / "copy").unlink()
    print("all values equal\n")


def processor_s() -> float:
    """Return the processor time so far of this process and its finished children."""
    waited_for = os.times()
    return time.process_time() + waited_for.children_user + waited_for.children_system


def side_by_side(folder: Path, count: int, n: int, n_segments: int, interleaved: bool) -> Path:
    """Write a TDMS file of many channels, each in every segment, and return it."""
    path = folder / "00001_Data.tdms"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"ai{i}" for i in range(count)]
    facts = volts_properties(volts_per_count=1e-4, t0_s=0.0, dt_s=1e-5)
    with path.open("wb") as f:
        writer = TdmsWriter(f, {f"g/{name}": facts for name in names}, interleaved=interleaved)
        for _ in range(n_segments):
            values = rng.normal(0, 300, (count, n // n_segments)).astype(np.int16)
            writer.write(
                [
                    ChannelBlock(group="g", name=name, values=row)
                    for name, row in zip(names, values, strict=True)
                ]
            )
    return path


def copy(source: Path, target: Path) -> None:
    """Copy a file and wait until it is on the disk."""
    with source.open("rb") as a, target.open("wb") as b:
        shutil.copyfileobj(a, b, 4 << 20)
        b.flush()
        os.fsync(b.fileno())


def memory(source: Path, what: str) -> None:
    """Print the peak memory of a process that ingests one file and does nothing else."""
    workspace = source.parent / "ws"
    os.sync()
    done = subprocess.run(
        [sys.executable, "-c", ONE_INGEST, str(source), str(workspace)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == "stored", found["reason"]
    compare(source, Path(found["stored"]))
    size_mb = source.stat().st_size / 1e6
    shutil.rmtree(source.parent)
    print(
        f"{what}, {size_mb:.0f} MB: peak memory {found['peak_mb']:.0f} MB "
        f"(limit {LIMIT_MB}), {size_mb / found['seconds']:.0f} MB/s; all values equal"
    )
    assert found["peak_mb"] < LIMIT_MB


def compare(source: Path, stored: Path) -> None:
    """Compare every scaled value with npTDMS, an independent reader."""
    channels = SourceFile(stored).channels
    position: dict[str, int] = defaultdict(int)
    with TdmsFile.open(source) as peer:
        for chunk in peer.data_chunks():
            for group in chunk.groups():
                for part in group.channels():
                    path = f"{group.name}/{part.name}"
                    for i in range(0, len(part), 1 << 22):
                        expected = part[i : i + (1 << 22)] if len(part) <= 1 << 22 else None
                        if expected is None:  # of a long chunk: raw values, a slice at a time
                            expected = peer[group.name][part.name].read_data(
                                position[path], min(1 << 22, len(part) - i)
                            )
                        start = position[path]
                        ours = channels[path].scaled(start, start + len(expected))
                        assert np.array_equal(ours, expected), f"{path} at {start}"
                        position[path] += len(expected)
    assert all(position[path] == c.n for path, c in channels.items())


def _layout(interleaved: bool) -> str:
    return "interleaved" if interleaved else "contiguous"


if __name__ == "__main__":
    main()
