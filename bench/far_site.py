"""What bench/far.py reads: a site with one large shot and the results of 10,000, and its server."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import Origin, SourceWriter
from ishtar.workspace import Workspace
from runner.publish import publish
from runner.publish.data.shards import SHARD, SHARDS, shard_name
from runner.publish.source import WorkspaceSource
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.rebuild import rebuild
from runner.workspaces.new_workspace import make_workspace

SHOT = 7
SECONDS = 10.0
DAQ_HZ, SCOPE_HZ = 1e6, 1.25e9
SCOPE_SAMPLES = 2_500_000  # 2 ms
DAQ, SCOPE = "PXI M6251/Lang_I", "Tektronix/CH1"
FILE = "00007_Data.tdms.h5"
VOLT = 10 / 32768  # of a step of the recorder
RESULTS = ("Te", "n_e", "V_p")
TEMPLATE = "langmuir"
RESULTS_OF_TEMPLATE = 12
SHOTS = 10_000


def write_shot(root: Path, gb: float) -> Path:
    """Write a workspace with one shot of ``gb`` GB of 1 MS/s channels; return its stored file."""
    workspace = make_workspace(root, facility="Bench", clock_offset_s=-37.4)
    path = workspace.shot_folder(SHOT) / FILE
    origin = Origin(
        shot=SHOT,
        source="00007_Data.tdms",
        size=round(gb * 1e9),
        sha256="0" * 64,
        converter="bench 1",
        writer="bench",
        arrived="2026-11-22T10:00:00+00:00",
    )
    n = round(SECONDS * DAQ_HZ)
    rng = np.random.default_rng(7)
    noise = rng.normal(0, 8, n + 4096).astype(np.int16)
    with SourceWriter(path, origin, verify=False) as writer:
        writer.attributes["date"] = "2026-11-22T10:00:00"
        for k in range(max(1, round((gb * 1e9 - 2 * SCOPE_SAMPLES) / (2 * n)))):
            name = DAQ if k == 0 else f"Rack {k // 16}/ai{k % 16}"
            swept = 3000 * np.sin(2 * np.pi * (50 + k) * np.arange(n) / DAQ_HZ)
            shift = int(rng.integers(4096))
            samples = swept.astype(np.int16) + noise[shift : shift + n]
            _channel(writer, name, samples, DAQ_HZ)
        ringing = 9000 * np.sin(2 * np.pi * 13.56e6 * np.arange(SCOPE_SAMPLES) / SCOPE_HZ)
        _channel(writer, SCOPE, ringing.astype(np.int16) + noise[:SCOPE_SAMPLES], SCOPE_HZ)
    rebuild(workspace)
    return path


def _channel(writer: SourceWriter, name: str, samples: NDArray[np.int16], rate: float) -> None:
    scale = [{"kind": "linear", "slope": VOLT, "intercept": 0.0}]
    channel = writer.channel(name, dtype=np.int16, unit="V", dt=1 / rate, scale=scale)
    channel.append(samples)


def publish_site(root: Path) -> Path:
    """Publish the workspace without traces, and put the results of 10,000 shots into its data."""
    workspace = Workspace.at(root)
    site = root / "www"
    with Coordinator(workspace) as coordinator:
        publish(WorkspaceSource(workspace, coordinator.catalogue), site, traces=False)
    _put_results(site)
    return site


def result(name: str, shot: int) -> float:
    """Return the value of a result of a shot."""
    return round((1 + RESULTS.index(name)) * (3 + np.sin(shot / 50)), 6)


def _put_results(site: Path) -> None:
    index = json.loads((site / "data/index.json").read_bytes())
    names = [*RESULTS, *(f"more_{k}" for k in range(RESULTS_OF_TEMPLATE - len(RESULTS)))]
    shards = range(SHOTS // SHARD + 1)
    index["shots"] = f"1-{SHOTS}"
    index["shards"] = list(shards)
    index["days"] = sorted({f"{_date(n):%Y-%m-%d}" for n in range(1, SHOTS + 1)})
    about = {"key": False, "slug": TEMPLATE, "symbol": "", "place": None, "rank": None}
    index["scraps"] = [
        about | {"template": TEMPLATE, "name": n, "unit": "eV", "label": n, "signed": False}
        for n in names
    ]
    shown = {"name": TEMPLATE, "title": TEMPLATE, "scope": "shot", "slug": TEMPLATE}
    index["templates"] = [t for t in index["templates"] if t["name"] != TEMPLATE] + [shown]
    stamps = index["archive"]["stamps"]
    first = stamps[shard_name(0)]
    index["archive"]["stamps"] = {shard_name(k): first for k in shards}
    _write(site / "data/index.json", index)
    for k in shards:
        shots = list(range(max(1, k * SHARD), min((k + 1) * SHARD, SHOTS + 1)))
        _write(site / f"{SHARDS}/{shard_name(k)}.json", _attributes(shots))
        columns = {name: _column(name, shots) for name in names}
        scraps = {"shot": shots, "columns": columns}
        _write(site / f"data/scraps/{TEMPLATE}/{shard_name(k)}.json", scraps)


def _attributes(shots: list[int]) -> dict[str, Any]:
    count = len(shots)
    return {
        "shot": shots,
        "date": [_date(n).isoformat() for n in shots],
        "gas": ["Ar" if n % 3 else "He" for n in shots],
        "program": ["power scan"] * count,
        "operator": ["Ada"] * count,
        "comment": [None] * count,
        "attributes": {"pressure": [round(0.1 + n % 17 / 100, 3) for n in shots]},
        "problems": [[] for _ in shots],
        "states": {TEMPLATE: ["ok"] * count},
        "archive": ["0" * 16] * count,
        "scraps": [TEMPLATE],
    }


def _column(name: str, shots: list[int]) -> dict[str, Any]:
    if name in RESULTS:
        values = [result(name, n) for n in shots]
    else:
        values = np.random.default_rng(shots).normal(5, 1, len(shots)).tolist()
    return {"unit": "eV", "value": values, "sigma": [round(abs(v) / 30, 6) for v in values]}


def _date(number: int) -> datetime:
    days, place = divmod(number - 1, 40)
    return datetime(2026, 1, 5, 9) + timedelta(days=days, minutes=7 * place)


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":")))


CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1; user root;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; keepalive_timeout 300; keepalive_requests 100000;
  types {{ text/html html; application/json json; text/javascript js; }}
  default_type application/octet-stream;
  gzip on; gzip_min_length 500; gzip_types application/json text/javascript;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}; root {site}; }}
}}
"""


@contextmanager
def nginx(site: Path, folder: Path) -> Iterator[int]:
    """Serve a site by nginx; give its port."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, site=site.resolve()))
    with running(["nginx", "-e", f"{folder}/error.log", "-c", str(config)], port):
        yield port


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """Run a server until the block ends, which begins when its port answers."""
    process = subprocess.Popen(command)
    try:
        for _ in range(600):
            assert process.poll() is None, f"{command} has ended"
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()
