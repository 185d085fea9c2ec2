"""What the service counts, in Prometheus' text format.

`Metrics` keeps the numbers, `serve` gives them over HTTP at ``/metrics``. The service fills them
from one thread while others read.
"""

from __future__ import annotations

import http.server
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, kw_only=True)
class Family:
    """A metric: its name, what it says, and by which labels it is told apart."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()


FAMILIES = (
    Family(
        name="ishtar_reports_total",
        kind="counter",
        help="Reports made since the service began.",
        labels=("state", "template"),
    ),
    Family(
        name="ishtar_reports_given_up_total",
        kind="counter",
        help="Attempts to make a report that failed; it is tried again.",
        labels=("template",),
    ),
    Family(
        name="ishtar_shots_ingested_total",
        kind="counter",
        help="Shots of which the first file was stored.",
    ),
    Family(
        name="ishtar_files_total",
        kind="counter",
        help="Raw files by what became of them: stored, known, pending, quarantined.",
        labels=("outcome",),
    ),
    Family(name="ishtar_running", kind="gauge", help="Reports that workers have now."),
    Family(
        name="ishtar_waiting",
        kind="gauge",
        help="Reports that wait for a worker.",
        labels=("priority",),
    ),
    Family(
        name="ishtar_shots_to_plan",
        kind="gauge",
        help="Shots of which it is not known yet which reports they lack.",
    ),
    Family(name="ishtar_troubles", kind="gauge", help="Things that could not be done yet."),
    Family(
        name="ishtar_files_waiting", kind="gauge", help="Raw files that could not be stored yet."
    ),
    Family(name="ishtar_quarantined_files", kind="gauge", help="Files in quarantine."),
    Family(name="ishtar_disk_free_bytes", kind="gauge", help="Free space in the workspace."),
    Family(
        name="ishtar_start_time_seconds", kind="gauge", help="When the service began, Unix time."
    ),
    Family(
        name="ishtar_last_look_timestamp_seconds",
        kind="gauge",
        help="When the service last finished a look for files and reports, Unix time.",
    ),
    Family(
        name="ishtar_last_file_timestamp_seconds",
        kind="gauge",
        help="When a raw file was last dealt with, Unix time.",
    ),
    Family(
        name="ishtar_report_duration_seconds",
        kind="histogram",
        help="Time to make a report, from its preparation to its page.",
        labels=("template",),
    ),
    Family(
        name="ishtar_ingest_duration_seconds",
        kind="histogram",
        help="Time to store a whole raw file.",
    ),
    Family(
        name="ishtar_publish_duration_seconds",
        kind="histogram",
        help="Time to bring the site up to date once.",
    ),
)
BY_NAME = {f.name: f for f in FAMILIES}

Labels = tuple[str, ...]


@dataclass(kw_only=True)
class Histogram:
    """How often something took so long."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one."""
        place = next((k for k, s in enumerate(SECONDS) if seconds <= s), len(SECONDS))
        self.counts[place] += 1
        self.total += seconds


class Metrics:
    """The numbers of the metrics in `FAMILIES`; may be read while they are written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, dict[Labels, float]] = {}
        self._histograms: dict[str, dict[Labels, Histogram]] = {}

    def count(self, name: str, by: float = 1, /, **labels: str) -> None:
        """Add to a counter."""
        key = _key(name, labels)
        with self._lock:
            values = self._numbers.setdefault(name, {})
            values[key] = values.get(key, 0.0) + by

    def put(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        key = _key(name, labels)
        with self._lock:
            self._numbers.setdefault(name, {})[key] = value

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Count a duration in its histogram."""
        key = _key(name, labels)
        with self._lock:
            self._histograms.setdefault(name, {}).setdefault(key, Histogram()).observe(seconds)

    def text(self) -> str:
        """Return everything in Prometheus' text format."""
        with self._lock:
            return "".join(f"{line}\n" for line in self._lines())

    def _lines(self) -> Iterator[str]:
        for family in FAMILIES:
            yield f"# HELP {family.name} {_escaped(family.help)}"
            yield f"# TYPE {family.name} {family.kind}"
            for key, value in sorted(self._numbers.get(family.name, {}).items()):
                yield f"{family.name}{_labels(family.labels, key)} {_number(value)}"
            for key, histogram in sorted(self._histograms.get(family.name, {}).items()):
                yield from _histogram_lines(family, key, histogram)


def _key(name: str, labels: Mapping[str, str]) -> Labels:
    """Return the label values in their order; KeyError where one is missing or not known."""
    names = BY_NAME[name].labels
    if labels.keys() != set(names):
        raise KeyError(f"{name} is told apart by {names}, not {tuple(labels)}")
    return tuple(labels[n] for n in names)


def _histogram_lines(family: Family, key: Labels, histogram: Histogram) -> Iterator[str]:
    below = 0
    for limit, count in zip((*SECONDS, math.inf), histogram.counts, strict=True):
        below += count
        labels = _labels((*family.labels, "le"), (*key, _number(limit)))
        yield f"{family.name}_bucket{labels} {below}"
    plain = _labels(family.labels, key)
    yield f"{family.name}_sum{plain} {_number(histogram.total)}"
    yield f"{family.name}_count{plain} {below}"


def _labels(names: tuple[str, ...], values: Labels) -> str:
    if not names:
        return ""
    pairs = zip(names, values, strict=True)
    return "{" + ",".join(f'{n}="{_escaped(v, quotes=True)}"' for n, v in pairs) + "}"


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", r"\\").replace("\n", r"\n")
    return text.replace('"', r"\"") if quotes else text


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(value)


@contextmanager
def serve(host: str, port: int, text: Callable[[], str]) -> Iterator[str]:
    """Give ``text()`` at ``/metrics`` during the block; yields the address.

    Raises
    ------
    OSError
        Nothing can listen there.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        timeout = 10  # s, for a client that says nothing

        def do_GET(self) -> None:
            if self.path.split("?")[0] != "/metrics":
                self.send_error(404, "only /metrics is here")
                return
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request."""

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # a slow client does not hold up the end

        def handle_error(self, request: object, client_address: object) -> None:
            """A client that hung up is no error of ours."""

    if ":" in host:
        import socket

        Server.address_family = socket.AF_INET6
    with Server((host, port), Handler) as server:
        thread = threading.Thread(
            target=server.serve_forever, args=(0.2,), daemon=True, name="metrics"
        )
        thread.start()
        try:
            yield f"http://{_in_url(host)}:{server.server_address[1]}/metrics"
        finally:
            server.shutdown()
            thread.join()


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
