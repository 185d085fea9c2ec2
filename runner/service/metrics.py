"""Metrics of the service for Prometheus.

`Metrics` keeps the numbers, `serve` serves them over HTTP at ``/metrics``. The service writes them
from one thread while others read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import ThreadingHTTPServer
from socket import AF_INET6
from typing import Any, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    MetricsHandler,
    disable_created_metrics,
    generate_latest,
)

SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
# Creation times are redundant: the service exports its own start time.
disable_created_metrics()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A metric: its name, help text and labels."""

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
        help="Failed attempts to make a report, which is retried.",
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
        help="Raw files by outcome: stored, known, pending, quarantined.",
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
        help="Shots whose reports are not planned yet.",
    ),
    Family(name="ishtar_troubles", kind="gauge", help="Failed tasks that are retried."),
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
        help="When the service last finished a poll for files and reports, Unix time.",
    ),
    Family(
        name="ishtar_last_file_timestamp_seconds",
        kind="gauge",
        help="When a raw file was last processed, Unix time.",
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


class Metrics:
    """The values of the metrics in `FAMILIES`; they may be read while they are written.

    A metric without a value is not exported: a gauge of 0 would be a value that nobody measured.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Any] = {}

    def count(self, name: str, by: float = 1, /, **labels: str) -> None:
        """Add to a counter."""
        self._number(name, labels).inc(by)

    def put(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        self._number(name, labels).set(value)

    def observe(self, name: str, seconds: float, /, **labels: str) -> None:
        """Add a duration to a histogram."""
        self._number(name, labels).observe(seconds)

    def text(self) -> str:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry).decode()

    def _number(self, name: str, labels: dict[str, str]) -> Any:
        """Return the metric for some labels; ValueError if one is missing or unknown."""
        family = BY_NAME[name]
        if name not in self._made:
            self._made[name] = _made(family, self.registry)
        made = self._made[name]
        return made.labels(**labels) if family.labels or labels else made


def _made(family: Family, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    what = family.name, family.help, family.labels
    if family.kind == "histogram":
        return Histogram(*what, buckets=SECONDS, registry=registry)
    return (Counter if family.kind == "counter" else Gauge)(*what, registry=registry)


@contextmanager
def serve(host: str, port: int, registry: CollectorRegistry) -> Iterator[str]:
    """Serve the metrics at ``/metrics`` during the block; yield the address.

    Raises
    ------
    OSError
        The address cannot be bound.
    """

    class Handler(MetricsHandler.factory(registry)):  # type: ignore[misc]
        timeout = 10  # s, for a silent client

        def do_GET(self) -> None:
            if self.path.split("?")[0] != "/metrics":
                self.send_error(404, "only /metrics is here")
                return
            super().do_GET()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False  # a slow client does not delay the shutdown

        def handle_error(self, request: object, client_address: object) -> None:
            """Ignore clients that disconnect."""

    if ":" in host:
        Server.address_family = AF_INET6
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
