"""Reading a published shot of 4 GB from far away: 50 ms there and back, 10 Mbit/s.

    python bench/far.py [--gb 4] [--workspace DIR] [--peers PYTHON]

nginx serves the site of a shot with channels of 1 MS/s and a scope record of 1.25 GS/s, and the
results of 10,000 shots; `bench/slow_line.py` is between it and the reader. Each look is made in a
new process with an empty cache, again in the same process, and in another new process with the
same cache. What the line has carried is compared with what the library counts; all values are
compared with those of the workspace. Imports are done before.

PYTHON has the peers, which read the same stored file over an equal line:

    python3.11 -m venv peers
    peers/bin/pip install 'tiled[all]' h5grove fastapi hdf5plugin kerchunk 'zarr>=3'

Asked: a cold open of at most 4 requests and 100 kB; a slice of at most 2 requests and 1.3 times the
compressed chunks that it touches; an envelope of 2 requests and 60 kB; no request for a second
look.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import h5py
import numpy as np
from far_index import print_indexes
from far_site import (
    DAQ,
    DAQ_HZ,
    FILE,
    RESULTS,
    SCOPE,
    SCOPE_SAMPLES,
    SHOT,
    SHOTS,
    free_port,
    nginx,
    publish_site,
    result,
    running,
    write_shot,
)
from slow_line import BITS_PER_S, ONE_WAY_S, Line, slow_line

import ishtar
from ishtar.store.h5_names import group_name

START, STOP = round(2.0 * DAQ_HZ), round(2.1 * DAQ_HZ)
PEERS = Path(__file__).with_name("far_peers.py")
PARTIAL_BYTES = 4_000_000  # of the file, to measure the rate of a download


LOOKS: Mapping[str, Callable[[Any], Any]] = {
    "open": lambda tb: np.array([len(tb[SHOT]["Lang_I"].unit)]),
    "100 ms of Lang_I": lambda tb: tb[SHOT]["Lang_I"][2.0:2.1].load().values,
    "2 ms of scope": lambda tb: tb[SHOT].channel(SCOPE).values(),
    "envelope of Lang_I": lambda tb: tb[SHOT]["Lang_I"].envelope(2000).to_array().values,
    "table of 10,000": lambda tb: tb.shots().table(list(RESULTS)).to_numpy(dtype=float),
}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a look took."""

    requests: int
    bytes: int
    seconds: float


def main() -> None:
    """Make the site, look at it from far away, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--gb", type=float, default=4.0)
    parser.add_argument("--workspace", type=Path, help="reuse or create the shot and site here")
    parser.add_argument("--peers", type=Path, help="a Python with tiled, h5grove and kerchunk")
    parser.add_argument("--look", nargs=3, help=argparse.SUPPRESS)  # name, address, workspace
    options = parser.parse_args()
    if options.look:
        _look(*options.look)
        return
    with tempfile.TemporaryDirectory(prefix="bench-far-") as folder:
        root = options.workspace or Path(folder) / "ws"
        if not (root / "www").is_dir():
            write_shot(root, options.gb)
            publish_site(root)
        stored = root / "www" / "raw" / f"{SHOT:05d}" / FILE
        channels = len(ishtar.open(root)[SHOT].channels())
        print(f"a shot of {channels} channels, stored in {stored.stat().st_size / 1e9:.2f} GB")
        print(f"a line of {2e3 * ONE_WAY_S:.0f} ms there and back, {BITS_PER_S / 1e6:.0f} Mbit/s")
        with nginx(root / "www", Path(folder) / "nginx") as port, slow_line(port) as line:
            near = {name: _near(look, root) for name, look in LOOKS.items() if "table" not in name}
            ours = look_at_all(line, near, root, Path(folder))
            download(line, stored)
        peers(options.peers, stored, ours)
        print_indexes(options.peers, PEERS, stored, DAQ, START, STOP, Path(folder))


def _near(look: Callable[[Any], Any], root: Path) -> str:
    return _digest(look(ishtar.open(root)))


def _digest(values: Any) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


# --- ours


def look_at_all(
    line: Line, near: Mapping[str, str], root: Path, folder: Path
) -> Mapping[str, Cost]:
    """Make every look cold, again, and in a new process; print a line for each."""
    stored = root / "www" / "raw" / f"{SHOT:05d}" / FILE
    asked = {
        "100 ms of Lang_I": touched(stored, DAQ, START, STOP),
        "2 ms of scope": touched(stored, SCOPE, 0, SCOPE_SAMPLES),
    }
    heading = f"{'ours (bytes of bodies)':<34}{'requests':>9}{'bytes':>12}{'seconds':>9}"
    print(f"\n{heading}{'chunks':>11}{'ratio':>7}")
    found = {}
    for number, name in enumerate(LOOKS):
        cache = folder / f"cache-{number}"
        cold, warm = (_process(line, name, cache, root) for _ in range(2))
        expected = near.get(name) or _expected_table()
        assert cold["digest"] == warm["digest"] == expected, f"{name} differs from the workspace"
        opened, looked, again = (Cost(**cost) for cost in cold["costs"])
        if name == "open":
            _row("cold: open, unit of Lang_I", opened)
        else:
            _row(f"cold: {name}", looked, asked.get(name))
        if name == "100 ms of Lang_I":  # asked as one
            whole = Cost(
                requests=opened.requests + looked.requests,
                bytes=opened.bytes + looked.bytes,
                seconds=opened.seconds + looked.seconds,
            )
            _row("  cold: with the open", whole, asked[name])
        _row("  again, same process", again)
        opened_again, looked_again, _ = (Cost(**cost) for cost in warm["costs"])
        _row("  new process, same cache: open", opened_again)
        _row("  new process, same cache: look", looked_again)
        found[name] = looked
    return found


def _row(what: str, cost: Cost, chunks: int | None = None) -> None:
    print(f"{what:<34}{cost.requests:>9}{cost.bytes:>12,}{cost.seconds:>9.2f}", end="")
    print(f"{chunks:>11,}{cost.bytes / chunks:>7.2f}" if chunks else "", flush=True)


def _process(line: Line, name: str, cache: Path, root: Path) -> dict[str, Any]:
    """Look in a new process; its counts have to be those of the line."""
    before = line.counted()
    address = f"http://127.0.0.1:{line.port}/"
    command = [sys.executable, __file__, "--look", name, address, str(root)]
    environment = os.environ | {"ISHTAR_CACHE": str(cache)}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found: dict[str, Any] = json.loads(run.stdout)
    requests, received = (b - a for a, b in zip(before, line.counted(), strict=True))
    counted = [sum(cost[k] for cost in found["costs"]) for k in ("requests", "bytes")]
    assert counted[0] == requests, f"{name}: {requests} requests, {counted[0]} are told"
    assert counted[1] <= received <= counted[1] + 700 * requests, f"{name}: {received} bytes"
    return found


def _import_all(name: str, root: Path) -> None:
    """Make the look near, with another cache: its imports shall not be measured."""
    import urllib3  # noqa: F401

    cache = os.environ["ISHTAR_CACHE"]
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["ISHTAR_CACHE"] = scratch
        LOOKS[name](ishtar.open(root / "www" if "table" in name else root))
    os.environ["ISHTAR_CACHE"] = cache


def _look(name: str, address: str, root: str) -> None:
    """Open a site and look, twice; print what each step took."""
    _import_all(name, Path(root))
    costs: list[dict[str, float]] = []
    testbed: Any = None

    def step(call: Callable[[], Any]) -> Any:
        before = (testbed.site.requests, testbed.site.received) if testbed else (0, 0)
        began = time.perf_counter()
        result = call()
        seconds = time.perf_counter() - began
        site = (testbed or result).site
        costs.append(
            {
                "requests": site.requests - before[0],
                "bytes": site.received - before[1],
                "seconds": seconds,
            }
        )
        return result

    def opened() -> Any:
        found = ishtar.open(address)
        assert found[SHOT]["Lang_I"].unit == "A"
        return found

    testbed = step(opened)
    values = step(lambda: LOOKS[name](testbed))
    assert np.array_equal(step(lambda: LOOKS[name](testbed)), values)
    print(json.dumps({"costs": costs, "digest": _digest(values)}))


def _expected_table() -> str:
    columns = [[result(name, n) for n in range(1, SHOTS + 1)] for name in RESULTS]
    return _digest(np.array(columns).T)


def touched(stored: Path, channel: str, start: int, stop: int) -> int:
    """Return the bytes of the compressed chunks that rows of a channel lie in."""
    with h5py.File(stored) as file:
        dataset = file[f"{group_name(channel)}/data"]
        rows = dataset.chunks[0]
        return sum(
            dataset.id.get_chunk_info_by_coord((k * rows,)).size
            for k in range(start // rows, -(-stop // rows))
        )


def download(line: Line, stored: Path) -> None:
    """Print how long a download of the whole file takes, by the rate of its beginning."""
    size = stored.stat().st_size
    part = min(PARTIAL_BYTES, size)
    connection = http.client.HTTPConnection("127.0.0.1", line.port)
    path = quote(f"/raw/{SHOT:05d}/{FILE}")
    began = time.perf_counter()
    connection.request("GET", path, headers={"Range": f"bytes=0-{part - 1}"})
    assert len(connection.getresponse().read()) == part
    rate = part / (time.perf_counter() - began)
    print(
        f"\ndownloading the file: {size:,} bytes, {size / rate / 60:.0f} minutes "
        f"at the {rate / 1e6:.2f} MB/s of its first {part / 1e6:.0f} MB"
    )


# --- peers


def peers(python: Path | None, stored: Path, ours: Mapping[str, Cost]) -> None:
    """Read the same slices of the same file by other servers; print a line for each."""
    if python is None:
        print("\npeers: none, as no --peers PYTHON is given (tiled, h5grove, kerchunk)")
        return
    print(f"\n{'peers, the raw integers':<34}{'requests':>9}{'bytes':>12}{'seconds':>9}  of ours")
    slices = {"100 ms of Lang_I": (DAQ, START, STOP), "2 ms of scope": (SCOPE, 0, SCOPE_SAMPLES)}
    for peer, looks in {"h5grove": _h5grove, "tiled": _tiled}.items():
        for name, (channel, start, stop) in slices.items():
            port = free_port()
            server = [str(python), str(PEERS), f"{peer}-server", str(stored.resolve()), str(port)]
            dataset = f"{group_name(channel)}/data"
            with h5py.File(stored) as file:
                expected = _digest(file[dataset][start:stop])
            with running(server, port), slow_line(port) as line:
                before = line.counted()
                for what, found in zip(
                    ("cold", "again"), looks(python, line, dataset, start, stop), strict=True
                ):
                    seconds, digest = found
                    assert digest == expected, f"{peer} reads other samples"
                    after = line.counted()
                    requests, received = (b - a for a, b in zip(before, after, strict=True))
                    before = after
                    cost = Cost(requests=requests, bytes=received, seconds=seconds)
                    _row_of_peer(f"{peer}, {what}: {name}", cost, ours[name])


def _row_of_peer(what: str, cost: Cost, mine: Cost) -> None:
    print(
        f"{what:<34}{cost.requests:>9}{cost.bytes:>12,}{cost.seconds:>9.2f}"
        f"  bytes × {cost.bytes / mine.bytes:.1f}, time × {cost.seconds / mine.seconds:.1f}",
        flush=True,
    )


def _h5grove(
    _python: Path, line: Line, dataset: str, start: int, stop: int
) -> Iterator[tuple[float, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", line.port)
    query = f"file={quote(FILE)}&path={quote('/' + dataset)}&selection={start}:{stop}&format=bin"
    for _ in range(2):
        began = time.perf_counter()
        connection.request("GET", f"/data?{query}")
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content[:300]
        yield time.perf_counter() - began, hashlib.sha256(content).hexdigest()


def _tiled(
    python: Path, line: Line, dataset: str, start: int, stop: int
) -> Iterator[tuple[float, str]]:
    address = f"http://127.0.0.1:{line.port}/api/v1"
    command = [str(python), str(PEERS), "tiled-read", address, dataset, str(start), str(stop)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        for _ in range(2):
            found = json.loads(client.stdout.readline())
            yield found["seconds"], found["digest"]
            with suppress(BrokenPipeError):
                client.stdin.write("\n")
                client.stdin.flush()


if __name__ == "__main__":
    main()
